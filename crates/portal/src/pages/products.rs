//! Products: operators say what is sold and what one seat of it holds.

use super::fields::{FORM_KEY, Fields, Mistake, form_key};
use super::look::{Head, Viewer, done, two_lines};
use super::{Answer, go, lists};
use crate::Failure;
use crate::service::{IdempotencyKey, products};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::ProductId;
use leasehold_core::license::{FeatureBundle, FeatureCode, Share};
use leasehold_web::components::{
    Button, Column, Field, ListQuery, Row, Table, button, card, clip, empty_state, link_button, page_header, table,
    when,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_web::text::shorten;
use leasehold_wire::portal::{ChangeProduct, NewProduct, Product};
use std::fmt::Write;

const HERE: &str = "/products";
const FIELDS: &[&str] = &["code", "name", "features", "online_term_s", "borrow_days_max", "write_offs"];
/// In what the time without the portal is entered: how it is sent, seconds, and its word.
const UNITS: [(&str, u32, &str); 4] =
    [("days", 86_400, "days"), ("hours", 3_600, "hours"), ("minutes", 60, "minutes"), ("seconds", 1, "seconds")];

const COLUMNS: &[Column] = &[
    Column::new("name", "Product").sortable(),
    Column::new("features", "One seat holds"),
    Column::new("share", "Counting"),
    Column::new("created", "Made").sortable(),
];

fn sharing(share: Share) -> &'static str {
    match share {
        Share::None => "Each checkout takes a seat",
        Share::UserHost => "One seat per user and machine",
    }
}

fn bundle(features: &FeatureBundle) -> Markup {
    html! {
        ul.plain-list {
            @for (code, count) in features { li { (count) " × " code { (code) } } }
        }
    }
}

pub(super) async fn list(viewer: Viewer, uri: Uri) -> Answer {
    let (query, now, sells) = (ListQuery::of(&uri), viewer.now(), viewer.is_operator());
    let wish = lists::page_query(&query);
    let mut page = viewer.run(move |portal, caller| products::list(portal, caller, &wish)).await?;
    let columns = lists::columns(COLUMNS, lists::is_whole(&page, &query));
    lists::sort(&mut page.items, query.sort(&columns), |key, a, b| match key {
        "created" => a.created_at.cmp(&b.created_at),
        _ => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
    });
    let new = || html! { @if sells { (link_button("New Product", "/products/new", Button::Primary)) } };
    let rows = page.items.iter().map(|product| {
        Row::from(vec![
            two_lines(
                html! { @if sells { a href={ (HERE) "/" (product.id) } { (clip(&product.name)) } } @else { (clip(&product.name)) } },
                html! { code { (product.code) } },
            ),
            bundle(&product.features),
            html! { (sharing(product.share)) },
            when(product.created_at.0, now),
        ])
    });
    let content = html! {
        (page_header("Products", "What is sold, and what one seat of it holds.", new()))
        (table(&Table {
            id: "catalog", caption: "Products", columns: &columns, rows: rows.collect(), query: &query,
            next: page.next.as_deref(),
            empty: empty_state("No products yet", "A product bundles the features that one seat holds. Licenses are sold of it.", new()),
        }))
    };
    Ok(viewer.page(Head::wide("Products", HERE), content).into_response())
}

/// The features as they are typed: one on a line, with how many of it.
fn as_lines(features: &FeatureBundle) -> String {
    let mut text = String::new();
    for (code, count) in features {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{code} {count}");
    }
    text
}

fn features(text: &str) -> Result<FeatureBundle, Failure> {
    let mut bundle = FeatureBundle::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let refuse = |why: String| {
            Failure::invalid("features", format!("cannot be read in the line “{}”: {why}", shorten(line, 80)))
        };
        let mut words = line.split_whitespace();
        let (code, count, rest) = (words.next().unwrap_or_default(), words.next().unwrap_or("1"), words.next());
        let code = FeatureCode::new(code).map_err(|why| refuse(format!("the code {why}")))?;
        let count = count.parse().ok().filter(|_| rest.is_none());
        let count = count.ok_or_else(|| refuse("a line is a code and a number, such as studio.gui 1".to_owned()))?;
        if bundle.insert(code, count).is_some() {
            return Err(refuse("the feature stands there twice".to_owned()));
        }
    }
    Ok(bundle)
}

fn share(fields: &Fields) -> Result<Share, Failure> {
    Share::from_word(fields.get("share")).ok_or_else(|| Failure::invalid("share", "must be chosen"))
}

/// The fields that a new product and a changed one have.
fn common_fields(entered: &Entered<'_>, mistake: &Mistake) -> Markup {
    let Entered { name, share, features, term: (term, unit), borrow_days, return_at_end, write_offs } = entered;
    // Only a time that is no whole number of minutes, such as the API may set, needs seconds.
    let units: Vec<(&str, &str)> = UNITS
        .iter()
        .filter(|(word, _, _)| *word != "seconds" || word == unit)
        .map(|(word, _, label)| (*word, *label))
        .collect();
    html! {
        (Field::new("name", "Name").required().value(name).error(mistake.at("name", "The name").as_deref()).text())
        (Field::new("features", "One seat holds").required().value(features)
            .hint("One feature on a line with how many of it, such as: studio.gui 1. Applications check out these codes.")
            .error(mistake.at("features", "What one seat holds").as_deref()).text_area(5))
        (Field::new("share", "Counting").required().value(share)
            .select(&[("none", sharing(Share::None)), ("user_host", sharing(Share::UserHost))]))
        div.field-pair {
            (Field::new("online_term", "Without portal").required().value(term)
                .error(mistake.at("online_term_s", "The time").as_deref()).number(1, 2_592_000))
            (Field::new("online_term_unit", "Unit").required().value(unit).select(&units))
        }
        p.hint {
            "For so long an online license server goes on when it cannot reach this portal: 1 hour to 30 days. Shorter brings the seats of lost "
            "servers back sooner; longer outlasts longer outages."
        }
        (Field::new("borrow_days_max", "Borrowing, days").required().value(borrow_days)
            .hint("For so many days at most a license server may keep seats for use without this portal, and a laptop for use without its license server. 0 forbids it.")
            .error(mistake.at("borrow_days_max", "The days").as_deref()).number(0, 365))
        (Field::new("return_at_end", "Returned early, free at the end only")
            .hint("Otherwise borrowed seats that are given back early are free at once.").checkbox(*return_at_end))
        (Field::new("write_offs", "Lost seats a year").required().value(write_offs)
            .hint("Of each license, so many seats on lost laptops and dead servers may be counted as free at once within a year; they may still be used until they end. A license server without a way to this portal counts its laptops for itself. License servers before release 0.2 read only 0.")
            .error(mistake.at("write_offs", "The seats").as_deref()).number(0, 10_000))
    }
}

/// A number of seconds in the largest unit of which it is a whole number.
fn in_units(seconds: u32) -> (String, &'static str) {
    let (word, length, _) =
        UNITS.into_iter().find(|(_, length, _)| seconds.is_multiple_of(*length)).unwrap_or(UNITS[3]);
    ((seconds / length).to_string(), word)
}

/// The seconds that were entered; `None` if the form has no such field.
fn online_term_s(fields: &Fields) -> Result<Option<u32>, Failure> {
    let Some(number) = fields.sent("online_term") else { return Ok(None) };
    let refuse = || Failure::invalid("online_term_s", "must be a whole number of days, hours or minutes");
    let number: u32 = number.trim().parse().map_err(|_| refuse())?;
    let unit = UNITS.iter().find(|(word, _, _)| *word == fields.get("online_term_unit"));
    let (_, length, _) = unit.ok_or_else(refuse)?;
    Ok(Some(number.saturating_mul(*length)))
}

/// A whole number that was entered; `None` if the form has no such field.
fn whole(fields: &Fields, name: &'static str) -> Result<Option<u32>, Failure> {
    let Some(text) = fields.sent(name) else { return Ok(None) };
    text.trim().parse().map(Some).map_err(|_| Failure::invalid(name, "must be a whole number"))
}

fn new_page(viewer: &Viewer, fields: &Fields, mistake: &Mistake) -> Markup {
    let content = card(
        "",
        html! {
            (page_header("New product", "", html! {}))
            (mistake.panel(FIELDS))
            form #product method="post" action="/products/new" {
                (form_key(viewer))
                (Field::new("code", "Code").required().value(fields.get("code"))
                    .hint("Lower-case letters, digits, '.', '-' and '_', such as studio. It never changes.")
                    .error(mistake.at("code", "The code").as_deref()).text())
                (common_fields(&Entered::of(fields), mistake))
                div.actions { (button("Make Product", Button::Primary)) (link_button("Cancel", HERE, Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow("New product", HERE), content)
}

pub(super) async fn new_form(viewer: Viewer) -> Answer {
    viewer.check(PortalAction::ManageCatalog)?;
    Ok(new_page(&viewer, &Fields::default(), &Mistake::none()).into_response())
}

fn new_product(fields: &Fields) -> Result<(NewProduct, IdempotencyKey), Failure> {
    let wish = NewProduct {
        code: fields.trimmed("code"),
        name: fields.trimmed("name"),
        share: share(fields)?,
        features: features(fields.get("features"))?,
        online_term_s: online_term_s(fields)?,
        borrow_days_max: whole(fields, "borrow_days_max")?,
        return_at_end: Some(fields.sent("return_at_end").is_some()),
        write_offs: whole(fields, "write_offs")?,
    };
    Ok((wish, IdempotencyKey::new(fields.get(FORM_KEY))?))
}

pub(super) async fn create(viewer: Viewer, fields: Fields) -> Answer {
    viewer.check(PortalAction::ManageCatalog)?;
    let made = match new_product(&fields) {
        Ok((wish, key)) => viewer.run(move |portal, caller| products::create(portal, caller, Some(&key), &wish)).await,
        Err(failure) => Err(failure),
    };
    match made {
        Ok(product) => go(&format!("{HERE}/{}?done=made", product.id)),
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(new_page(&viewer, &fields, &mistake)))
        }
    }
}

/// What stands in the fields.
struct Entered<'a> {
    name: &'a str,
    share: &'a str,
    features: &'a str,
    /// The time without the portal, and its unit.
    term: (&'a str, &'a str),
    borrow_days: &'a str,
    return_at_end: bool,
    write_offs: &'a str,
}

impl<'a> Entered<'a> {
    /// What was sent; for a form that was not yet, the preset.
    fn of(fields: &'a Fields) -> Entered<'a> {
        Entered {
            name: fields.get("name"),
            share: fields.get("share"),
            features: fields.get("features"),
            term: (fields.sent("online_term").unwrap_or("7"), fields.sent("online_term_unit").unwrap_or("days")),
            borrow_days: fields.sent("borrow_days_max").unwrap_or("14"),
            return_at_end: fields.sent("return_at_end").is_some(),
            write_offs: fields.sent("write_offs").unwrap_or("0"),
        }
    }
}

fn edit_page(
    viewer: &Viewer,
    product: &Product,
    entered: &Entered<'_>,
    notices: &[Notice],
    mistake: &Mistake,
) -> Markup {
    let content = card(
        "",
        html! {
            (page_header(&product.name, "What is already given keeps what it says; the next document says it anew.", html! {}))
            (mistake.panel(FIELDS))
            form #product method="post" action={ (HERE) "/" (product.id) } {
                p { span.muted { "Code" } " " code { (product.code) } }
                (common_fields(entered, mistake))
                div.actions {
                    (button("Save", Button::Primary))
                    (link_button("Sell License", &format!("/licenses/new?product={}", product.id), Button::Plain))
                    (link_button("All Products", HERE, Button::Plain))
                }
            }
        },
    );
    viewer.page(Head { notices, ..Head::narrow(&product.name, HERE) }, content)
}

pub(super) async fn edit_form(viewer: Viewer, ApiPath(product): ApiPath<ProductId>, uri: Uri) -> Answer {
    viewer.check(PortalAction::ManageCatalog)?;
    let product = viewer.run(move |portal, caller| products::get(portal, caller, product)).await?;
    let said = match ListQuery::of(&uri).get("done") {
        Some("made") => Some(html! { "The product is made. Licenses can be sold of it." }),
        Some("saved") => Some(html! { "The product is saved." }),
        _ => None,
    };
    let notices: Vec<Notice> = said.map(done).into_iter().collect();
    let (term, unit) = in_units(product.online_term_s);
    let entered = Entered {
        name: &product.name,
        share: product.share.word(),
        features: &as_lines(&product.features),
        term: (&term, unit),
        borrow_days: &product.borrow_days_max.to_string(),
        return_at_end: product.return_at_end,
        write_offs: &product.write_offs.to_string(),
    };
    Ok(edit_page(&viewer, &product, &entered, &notices, &Mistake::none()).into_response())
}

fn changes(fields: &Fields) -> Result<ChangeProduct, Failure> {
    Ok(ChangeProduct {
        name: Some(fields.trimmed("name")),
        share: Some(share(fields)?),
        features: Some(features(fields.get("features"))?),
        online_term_s: online_term_s(fields)?,
        borrow_days_max: whole(fields, "borrow_days_max")?,
        return_at_end: Some(fields.sent("return_at_end").is_some()),
        write_offs: whole(fields, "write_offs")?,
    })
}

pub(super) async fn change(viewer: Viewer, ApiPath(id): ApiPath<ProductId>, fields: Fields) -> Answer {
    viewer.check(PortalAction::ManageCatalog)?;
    let changed = match changes(&fields) {
        Ok(wish) => viewer.run(move |portal, caller| products::change(portal, caller, id, &wish)).await,
        Err(failure) => Err(failure),
    };
    match changed {
        Ok(product) => go(&format!("{HERE}/{}?done=saved", product.id)),
        Err(failure @ Failure::Invalid { .. }) => {
            let mistake = Mistake::from(failure);
            let product = viewer.run(move |portal, caller| products::get(portal, caller, id)).await?;
            Ok(mistake.answer(edit_page(&viewer, &product, &Entered::of(&fields), &[], &mistake)))
        }
        Err(failure) => Err(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_shown_in_the_unit_of_which_it_is_a_whole_number() {
        for (seconds, shown) in [
            (604_800, ("7", "days")),
            (3_600, ("1", "hours")),
            (5_400, ("90", "minutes")),
            (3_601, ("3601", "seconds")),
        ] {
            let (number, unit) = in_units(seconds);
            assert_eq!((number.as_str(), unit), shown);
        }
    }

    #[test]
    fn features_are_typed_one_on_a_line() {
        let bundle = features("studio.gui 1\r\n\r\n  studio.render   2 \r\nstudio.extra").unwrap();
        assert_eq!(as_lines(&bundle), "studio.extra 1\nstudio.gui 1\nstudio.render 2\n");
        assert_eq!(features(&as_lines(&bundle)).unwrap(), bundle);
        for bad in ["Studio 1", "a b", "a 1 2", "a -1", "a 1\na 2", "<b> 1"] {
            assert!(features(bad).is_err(), "{bad}");
        }
    }
}
