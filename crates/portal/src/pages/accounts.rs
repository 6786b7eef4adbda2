//! Accounts: operators make them and see what each one owns.

use super::fields::{FORM_KEY, Fields, Mistake, form_key};
use super::lists::{self, Shown};
use super::look::{Head, Viewer, done, named, two_lines};
use super::{Answer, go};
use crate::Failure;
use crate::service::{IdempotencyKey, accounts, licenses, organizations, outbox, workstations};
use axum::http::Uri;
use axum::response::IntoResponse;
use leasehold_core::access::PortalAction;
use leasehold_core::ids::AccountId;
use leasehold_web::components::{
    Button, Column, Field, ListQuery, Row, Table, Tone, ago, badge, button, card, clip, definitions, empty_state,
    link_button, page_header, search_box, table, when, wrapped,
};
use leasehold_web::extract::ApiPath;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, Width};
use leasehold_wire::portal::{Account, AccountQuery, NewAccount, PageQuery, Role};

const HERE: &str = "/accounts";
const FIELDS: &[&str] = &["email", "name", "password"];

const COLUMNS: &[Column] = &[
    Column::new("name", "Account").sortable(),
    Column::new("role", "Role").sortable(),
    Column::new("created", "Made").sortable(),
    Column::new("seen", "Last sign-in").sortable(),
];

fn role(role: Role) -> Markup {
    match role {
        Role::Operator => badge("operator", Tone::Info),
        Role::Customer => badge("customer", Tone::Neutral),
    }
}

pub(super) async fn list(viewer: Viewer, uri: Uri) -> Answer {
    let (query, now) = (ListQuery::of(&uri), viewer.now());
    let PageQuery { after, limit } = lists::page_query(&query);
    let wish = AccountQuery { q: query.get("q").map(str::to_owned), after, limit };
    let mut page = viewer.run(move |portal, caller| accounts::list(portal, caller, &wish)).await?;
    let whole = lists::is_whole(&page, &query);
    let columns = lists::columns(COLUMNS, whole);
    lists::sort(&mut page.items, query.sort(&columns), |key, a, b| match key {
        "role" => a.role.word().cmp(b.role.word()),
        "created" => a.created_at.cmp(&b.created_at),
        "seen" => a.signed_in_at.cmp(&b.signed_in_at),
        _ => a.name.to_lowercase().cmp(&b.name.to_lowercase()),
    });
    let rows = page.items.iter().map(|account| {
        Row::from(vec![
            two_lines(
                html! { a href={ (HERE) "/" (account.id) } { (clip(&account.name)) } },
                html! { (clip(&account.email)) " · " (account.customer_number) },
            ),
            role(account.role),
            when(account.created_at.0, now),
            html! {
                @match account.signed_in_at { Some(at) => (ago(at.0, now)), None => span.muted { "never" } }
            },
        ])
    });
    let content = html! {
        (page_header("Accounts", "Who signs in here: your customers, and you.", link_button("New Account", "/accounts/new", Button::Primary)))
        div.toolbar { (search_box("Search name, address or number", &query)) }
        (table(&Table {
            id: "accounts", caption: "Accounts", columns: &columns, rows: rows.collect(), query: &query,
            next: page.next.as_deref(),
            empty: empty_state("None like that", "Search for something else.", link_button("Show all", HERE, Button::Plain)),
        }))
    };
    Ok(viewer.page(Head::wide("Accounts", HERE), content).into_response())
}

fn new_page(viewer: &Viewer, fields: &Fields, mistake: &Mistake) -> Markup {
    let chosen = if fields.get("role").is_empty() { Role::Customer.word() } else { fields.get("role") };
    let content = card(
        "",
        html! {
            (page_header("New account", "Tell its owner the password by a safe way; it can be changed after signing in.", html! {}))
            (mistake.panel(FIELDS))
            form #account method="post" action="/accounts/new" {
                (form_key(viewer))
                (Field::new("name", "Name").required().value(fields.get("name")).hint("Of the person or the organization.")
                    .error(mistake.at("name", "The name").as_deref()).text())
                (Field::new("email", "Email address").required().value(fields.get("email"))
                    .error(mistake.at("email", "The email address").as_deref()).email())
                (Field::new("password", "First password").required().autocomplete("new-password").hint("12 to 256 characters.")
                    .error(mistake.at("password", "The password").as_deref()).password())
                (Field::new("role", "Role").required().value(chosen).select(&[
                    ("customer", "Customer: sees and activates what the account owns"),
                    ("operator", "Operator: sells, and sees everything"),
                ]))
                div.actions { (button("Make Account", Button::Primary)) (link_button("Cancel", HERE, Button::Plain)) }
            }
        },
    );
    viewer.page(Head::narrow("New account", HERE), content)
}

pub(super) async fn new_form(viewer: Viewer) -> Answer {
    viewer.check(PortalAction::ManageAccounts)?;
    Ok(new_page(&viewer, &Fields::default(), &Mistake::none()).into_response())
}

fn wish(fields: &Fields) -> Result<(NewAccount, IdempotencyKey), Failure> {
    let wish = NewAccount {
        email: fields.trimmed("email"),
        name: fields.trimmed("name"),
        password: fields.get("password").to_owned(),
        role: Role::from_word(fields.get("role")).ok_or_else(|| Failure::invalid("role", "must be chosen"))?,
    };
    Ok((wish, IdempotencyKey::new(fields.get(FORM_KEY))?))
}

pub(super) async fn create(viewer: Viewer, fields: Fields) -> Answer {
    viewer.check(PortalAction::ManageAccounts)?;
    let made = match wish(&fields) {
        Ok((wish, key)) => viewer.run(move |portal, caller| accounts::create(portal, caller, Some(&key), &wish)).await,
        Err(failure) => Err(failure),
    };
    match made {
        Ok(account) => go(&format!("{HERE}/{}?done=made", account.id)),
        Err(failure) => {
            let mistake = Mistake::from(failure);
            Ok(mistake.answer(new_page(&viewer, &fields, &mistake)))
        }
    }
}

fn facts(account: &Account, viewer: &Viewer) -> Markup {
    let now = viewer.now();
    definitions(&[
        ("Customer number", html! { (account.customer_number) }),
        ("Email address", wrapped(&account.email)),
        ("Role", role(account.role)),
        ("Made", when(account.created_at.0, now)),
        (
            "Last sign-in",
            match account.signed_in_at {
                Some(at) => when(at.0, now),
                None => html! { "never" },
            },
        ),
        ("Id", html! { code { (account.id) } }),
    ])
}

/// One account and what it owns. Operators.
pub(super) async fn show(viewer: Viewer, ApiPath(id): ApiPath<AccountId>, uri: Uri) -> Answer {
    viewer.check(PortalAction::ManageAccounts)?;
    let owned = viewer.run(move |portal, caller| {
        let wish = lists::all_of(id);
        Ok((
            accounts::get(portal, caller, id)?,
            licenses::list(portal, caller, &wish)?,
            workstations::list(portal, caller, &wish)?,
            organizations::of_owner(portal, caller, id)?,
            outbox::undelivered(portal, caller, id)?,
        ))
    });
    let (account, licenses, workstations, organization, undelivered) = owned.await?;
    let made = named("The account of ", &account.name, " is made. Sell it a license next.");
    let notices: Vec<Notice> = ListQuery::of(&uri).get("done").map(|_| done(made)).into_iter().collect();
    let (sell, activate) = (format!("/licenses/new?owner={id}"), format!("/workstations/activate?account={id}"));
    let (query, now) = (ListQuery::default(), viewer.now());
    let embedded = |empty| Shown { owners: false, sorts: false, query: &query, next: None, now, empty };
    let no_licenses = "This account has not been sold anything yet.";
    let no_licenses = empty_state("No licenses", no_licenses, link_button("Sell License", &sell, Button::Plain));
    let no_workstations = empty_state("No workstations", "No license server of this account is activated.", html! {});
    let content = html! {
        (page_header(&account.name, "", html! {
            (link_button("Sell License", &sell, Button::Primary)) (link_button("Activate Workstation", &activate, Button::Plain))
            @if let Some(organization) = &organization { (link_button("Organization", &format!("/organizations/{}", organization.id), Button::Plain)) }
        }))
        @if let Some(why) = &undelivered { (super::own_account::undelivered(&account.email, why)) }
        (card("Account", facts(&account, &viewer)))
        h2 { "Licenses" }
        (super::licenses::license_table(licenses.items, &embedded(no_licenses)))
        @if licenses.next.is_some() { p { a href={ "/licenses?owner=" (id) } { "Show all licenses" } } }
        h2 { "Workstations" }
        (super::workstations::workstation_table(workstations.items, &embedded(no_workstations)))
        @if workstations.next.is_some() { p { a href={ "/workstations?owner=" (id) } { "Show all workstations" } } }
    };
    let head = Head { title: &account.name, current: HERE, width: Width::Wide, notices: &notices, live: None };
    Ok(viewer.page(head, content).into_response())
}
