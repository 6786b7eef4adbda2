//! Selling a license.

use super::{HERE, address};
use crate::Failure;
use crate::pages::fields::{FORM_KEY, Fields, Mistake, choices, form_key, optional};
use crate::pages::look::{Head, Viewer};
use crate::pages::{Answer, go, lists};
use crate::service::{IdempotencyKey, accounts, licenses, products};
use axum::http::Uri;
use axum::response::IntoResponse;
use jiff::civil::Date;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::AccountId;
use leasehold_core::license::{Channel, Kind, Term};
use leasehold_web::components::{Button, Field, button, card, empty_state, link_button, page_header};
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::NewLicense;

const FIELDS: &[&str] = &["owner", "product", "seats", "organization", "term", "starts_on", "label"];

async fn sell_page(viewer: &Viewer, fields: &Fields, mistake: &Mistake) -> Result<Markup, ApiProblem> {
    let chosen: Option<AccountId> = optional(fields.sent("owner"))?;
    let lists = viewer.run(move |portal, caller| {
        let mut owners = accounts::list(portal, caller, &lists::first_accounts())?.items;
        // An account that is older than the newest 200 is still offered where it was chosen before.
        if let Some(chosen) = chosen.filter(|chosen| owners.iter().all(|account| account.id != *chosen)) {
            owners.push(accounts::get(portal, caller, chosen)?);
        }
        Ok((owners, products::list(portal, caller, &lists::first_page())?.items))
    });
    let (owners, products) = lists.await?;
    if products.is_empty() {
        let empty = empty_state(
            "No products yet",
            "A license is of a product. Make the product first.",
            html! {
                (link_button("New Product", "/products/new", Button::Primary))
            },
        );
        return Ok(viewer.page(Head::narrow("Sell a license", HERE), empty));
    }
    let owners: Vec<(String, String)> = owners
        .iter()
        .map(|account| (account.id.to_string(), format!("{} · {}", account.name, account.email)))
        .collect();
    let products: Vec<(String, String)> = products
        .iter()
        .map(|product| (product.id.to_string(), format!("{} · {}", product.name, product.code)))
        .collect();
    let value = |name: &str, otherwise: &'static str| fields.sent(name).unwrap_or(otherwise).to_owned();
    let words = |all: Vec<&'static str>| all.into_iter().map(|word| (word, word)).collect::<Vec<_>>();
    let form = html! {
        (mistake.panel(FIELDS))
        form #sell method="post" action="/licenses/new" {
            (form_key(viewer))
            (Field::new("owner", "Owner").required().value(fields.get("owner")).error(mistake.at("owner", "The owner").as_deref())
                .select(&choices(&owners, "Choose an account")))
            (Field::new("product", "Product").required().value(fields.get("product"))
                .error(mistake.at("product", "The product").as_deref()).select(&choices(&products, "Choose a product")))
            (Field::new("seats", "Seats").required().value(&value("seats", "1"))
                .error(mistake.at("seats", "The number of seats").as_deref()).number(1, licenses::SEATS_MAX.into()))
            (Field::new("kind", "Kind").required().value(&value("kind", "floating"))
                .hint("Seats of a floating license can be put on workstations.")
                .select(&words(Kind::ALL.iter().map(|kind| kind.word()).collect())))
            (Field::new("channel", "Channel").required().value(&value("channel", "commercial"))
                .select(&words(Channel::ALL.iter().map(|channel| channel.word()).collect())))
            (Field::new("whose", "Whose it is").required().value(&value("whose", "default"))
                .error(mistake.at("organization", "Whose it is").as_deref())
                .hint("The administrators of an organization give the seats of its licenses to people. Nobody but the owner sees a license of their own.")
                .select(&[
                    ("default", "By its channel: commercial ones are the organization's, trials the person's"),
                    ("organization", "The owner's organization's"),
                    ("person", "The owner's own"),
                ]))
            (Field::new("term", "Term").required().value(&value("term", "subscription"))
                .select(&[("subscription", "Subscription: runs until a date"), ("perpetual", "Perpetual: never ends, for releases up to a date")]))
            (Field::new("until", "Date").required().value(fields.get("until"))
                .hint("The last day of the subscription, or the last release date that maintenance covers. Ends when that day has ended everywhere on earth.")
                .error(mistake.at("term", "The term").as_deref()).date())
            (Field::new("starts_on", "First day").value(fields.get("starts_on")).hint("Today if empty.")
                .error(mistake.at("starts_on", "The first day").as_deref()).date())
            (Field::new("label", "Your mark").value(fields.get("label")).hint("Such as an order number. The owner sees it.")
                .error(mistake.at("label", "The mark").as_deref()).text())
            div.actions { (button("Sell License", Button::Primary)) (link_button("Cancel", HERE, Button::Plain)) }
        }
    };
    let content = html! { (card("", html! { (page_header("Sell a license", "", html! {})) (form) })) };
    Ok(viewer.page(Head::narrow("Sell a license", HERE), content))
}

pub(in crate::pages) async fn form(viewer: Viewer, uri: Uri) -> Answer {
    viewer.check(PortalAction::ManageLicenses)?;
    let fields = Fields::of_address(&uri, &["owner", "product"]);
    Ok(sell_page(&viewer, &fields, &Mistake::none()).await?.into_response())
}

fn wish(fields: &Fields) -> Result<NewLicense, Failure> {
    let until = fields.date("until", "term")?;
    let starts_on: Option<Date> = match fields.get("starts_on") {
        "" => None,
        _ => Some(fields.date("starts_on", "starts_on")?),
    };
    Ok(NewLicense {
        owner: fields.parse("owner", "must be chosen")?,
        product: fields.parse("product", "must be chosen")?,
        seats: fields.parse("seats", "must be a whole number from 1 to 1,000,000")?,
        kind: Kind::from_word(fields.get("kind")).ok_or_else(|| Failure::invalid("kind", "must be chosen"))?,
        channel: Channel::from_word(fields.get("channel"))
            .ok_or_else(|| Failure::invalid("channel", "must be chosen"))?,
        term: match fields.get("term") {
            "perpetual" => Term::Perpetual { maintenance_until: until },
            _ => Term::Subscription { until },
        },
        starts_on,
        label: fields.trimmed("label"),
        organization: match fields.get("whose") {
            "organization" => Some(true),
            "person" => Some(false),
            _ => None,
        },
    })
}

pub(in crate::pages) async fn sell(viewer: Viewer, fields: Fields) -> Answer {
    let sold = match (wish(&fields), IdempotencyKey::new(fields.get(FORM_KEY))) {
        (Ok(wish), Ok(key)) => {
            viewer.run(move |portal, caller| licenses::create(portal, caller, Some(&key), &wish)).await
        }
        (Err(failure), _) | (_, Err(failure)) => {
            viewer.check(PortalAction::ManageLicenses)?;
            Err(failure)
        }
    };
    match sold {
        Ok(license) => go(&format!("{}?done=sold", address(license.id))),
        Err(failure @ (Failure::SignIn | Failure::Forbidden)) => Err(failure.into()),
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(sell_page(&viewer, &fields, &mistake).await?))
        }
    }
}
