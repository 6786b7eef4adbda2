//! *Activate Workstation*: upload a request file, look at what it is and what will be given, confirm.
//!
//! Between the two steps nothing is kept: the file's text travels in the form and is checked anew each time.

use super::choice::{self, Choice};
use super::{ACTIVATE, HERE, address, is_online};
use crate::Failure;
use crate::pages::fields::{FORM_KEY, Fields, Mistake, choices, form_key, optional};
use crate::pages::look::{Head, Viewer};
use crate::pages::{Answer, go, lists};
use crate::service::activation::{self, Wish};
use crate::service::{IdempotencyKey, accounts, workstations};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use leasehold_core::ids::{AccountId, WorkstationId};
use leasehold_core::license::Scope;
use leasehold_web::components::{
    Button, Field, ListQuery, Tone, badge, button, card, definitions, link_button, page_header, steps, when, wrapped,
};
use leasehold_web::extract::Upload;
use leasehold_web::maud::{Markup, html};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{Account, Inspection};

const CONFIRM: &str = "/workstations/activate/confirm";
const STEPS: &[&str] = &["Upload request", "Confirm", "Download .crt"];

/// For whom and for what a file is uploaded.
#[derive(Clone, Default, Debug)]
struct Purpose {
    /// For which account, if not one's own.
    account: Option<AccountId>,
    /// The workstation that is to be renewed.
    workstation: Option<WorkstationId>,
    /// For whom it is to work, if that was asked.
    scope: Option<Scope>,
}

impl Purpose {
    fn of(get: impl Fn(&str) -> Option<String>) -> Result<Purpose, Failure> {
        Ok(Purpose {
            account: optional(get("account").as_deref())?,
            workstation: optional(get("workstation").as_deref())?,
            scope: match get("scope").as_deref() {
                None | Some("") => None,
                Some(word) => Some(
                    Scope::from_word(word).ok_or_else(|| Failure::invalid("scope", "must be chosen from the list"))?,
                ),
            },
        })
    }

    fn hidden(&self) -> Markup {
        html! {
            @if let Some(account) = self.account { input type="hidden" name="account" value=(account); }
            @if let Some(workstation) = self.workstation { input type="hidden" name="workstation" value=(workstation); }
        }
    }

    /// The same once for whom it is to work is decided.
    fn all_hidden(&self) -> Markup {
        html! {
            (self.hidden())
            @if let Some(scope) = self.scope { input type="hidden" name="scope" value=(scope.word()); }
        }
    }

    /// What is asked of the service.
    fn wish(&self) -> Wish {
        let Purpose { account, workstation, scope } = *self;
        Wish { account, workstation, scope, ..Wish::default() }
    }
}

/// What the first step has to show beside its fields.
struct Around {
    /// The name of the workstation that is to be renewed.
    renews: Option<String>,
    /// For operators: the account that is chosen, and those that can be.
    accounts: Vec<Account>,
}

async fn around(viewer: &Viewer, purpose: &Purpose) -> Result<Around, Failure> {
    let (purpose, operator) = (purpose.clone(), viewer.is_operator());
    let load = move |portal: &_, caller: &_| {
        let renews = match purpose.workstation {
            Some(workstation) => Some(workstations::get(portal, caller, workstation)?.name),
            None => None,
        };
        let accounts = match purpose.account {
            _ if !operator || purpose.workstation.is_some() => Vec::new(),
            Some(account) => vec![accounts::get(portal, caller, account)?],
            None => accounts::list(portal, caller, &lists::first_accounts())?.items,
        };
        Ok(Around { renews, accounts })
    };
    viewer.run(load).await
}

async fn upload_page(viewer: &Viewer, purpose: &Purpose, name: &str, mistake: &Mistake) -> Result<Markup, ApiProblem> {
    let Around { renews, accounts } = around(viewer, purpose).await?;
    let options: Vec<(String, String)> = accounts
        .iter()
        .map(|account| (account.id.to_string(), format!("{} · {}", account.name, account.email)))
        .collect();
    let title = if renews.is_some() { "Renew with a new request" } else { "Activate Workstation" };
    let cancel = purpose.workstation.map_or_else(|| HERE.to_owned(), address);
    let content = html! {
        (page_header(title, "With the activation request of a license server. Takes two files and a few minutes.", html! {}))
        (steps(STEPS, 0))
        (mistake.panel(&[]))
        (card("", html! {
            @if let Some(name) = &renews { p { "The request file of " strong { (wrapped(name)) } " is expected." } }
            form #upload method="post" action=(ACTIVATE) enctype="multipart/form-data" {
                @match (purpose.account, options.first()) {
                    (None, Some(_)) => (Field::new("account", "For which account").required()
                        .select(&choices(&options, "Choose an account"))),
                    (Some(_), Some((_, label))) => { p { "For " strong { (wrapped(label)) } } (purpose.hidden()) },
                    (_, None) => (purpose.hidden()),
                }
                (Field::new("request", "Activation request")
                    .hint("On the license server's page: ONLINE LICENSING, Activate offline, step 1. At most 256 KiB. Drop the file here or choose it.")
                    .required().file(""))
                @if renews.is_none() && viewer.has_both() {
                    (Field::new("scope", "For whom it is to work").required()
                        .value(purpose.scope.unwrap_or(Scope::Organization).word())
                        .hint("For the organization it gives the organization's licenses; for you, your own licenses too.")
                        .select(&[("organization", "Everybody in the organization"), ("person", "Only me")]))
                }
                @if renews.is_none() {
                    (Field::new("name", "Name of the workstation").value(name)
                        .hint("If empty, the name of its host. A server that is known keeps its name.").text())
                }
                div.actions { (button("Upload", Button::Primary)) (link_button("Cancel", &cancel, Button::Plain)) }
            }
        }))
    };
    Ok(viewer.page(Head::narrow(title, HERE), content))
}

pub(in crate::pages) async fn form(viewer: Viewer, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let purpose = Purpose::of(|name| query.get(name).map(str::to_owned))?;
    Ok(upload_page(&viewer, &purpose, "", &Mistake::none()).await?.into_response())
}

/// A reload of the second step, whose form is gone: begins anew.
pub(in crate::pages) async fn again(_: Viewer) -> Answer {
    go(ACTIVATE)
}

fn what_it_is(inspection: &Inspection, viewer: &Viewer) -> Markup {
    let now = viewer.now();
    definitions(&[
        (
            "This is",
            match &inspection.renews {
                Some(known) => html! { "A renewal of " a href=(address(known.id)) { (wrapped(&known.name)) } },
                None => html! { "A new workstation" },
            },
        ),
        (
            "Works for",
            match inspection.scope {
                Scope::Organization => html! { "everybody in the organization" },
                Scope::Person => html! { "its owner only" },
            },
        ),
        (
            "Served",
            match inspection.renews.as_ref().is_some_and(is_online) {
                false => html! { "By file" },
                true => html! {
                    "By file from now on " (badge("online until now", Tone::Warning))
                    div.hint {
                        "As soon as the server has loaded the .crt file it stops syncing with this portal: it holds the seats of the file until \
                         its end, and nothing can be recalled."
                    }
                },
            },
        ),
        (
            "Host",
            html! {
                (wrapped(&inspection.host))
                @if inspection.other_machine {
                    " " (badge("another machine", Tone::Warning))
                    div.hint {
                        "It asked from another machine before. If you moved it, go on. If not, somebody copied its data: both "
                        "copies would give the same seats."
                    }
                }
            },
        ),
        ("Server version", wrapped(&inspection.server_version)),
        ("Request made", when(inspection.made_at.0, now)),
        ("Key", html! { code { (wrapped(&inspection.key_thumbprint)) } }),
    ])
}

/// What the second step carries along and shows.
struct Review<'a> {
    purpose: &'a Purpose,
    /// The request file's text.
    file: &'a str,
    name: &'a str,
    choice: &'a Choice,
    mistake: &'a Mistake,
}

fn review_page(viewer: &Viewer, inspection: &Inspection, review: &Review<'_>) -> Markup {
    let (now, renewal) = (viewer.now(), inspection.renews.is_some());
    let (title, verb) = if renewal { ("Renew Workstation", "Renew") } else { ("Activate Workstation", "Activate") };
    let Review { purpose, file, name, choice, mistake } = review;
    let content = html! {
        (page_header(title, "Nothing has happened yet. Change what you like, then confirm.", html! {}))
        (steps(STEPS, 1))
        (mistake.panel(&["name"]))
        form #confirm method="post" action=(CONFIRM) {
            (purpose.all_hidden())
            (form_key(viewer))
            input type="hidden" name="request" value=(file);
            (card("The request", html! {
                (what_it_is(inspection, viewer))
                (Field::new("name", "Name of the workstation").required().value(name)
                    .error(mistake.at("name", "The name").as_deref()).text())
            }))
            h2 { "What it is to hold" }
            (choice.table(now))
            (card("", html! {
                (choice.sentence(renewal))
                div.actions {
                    @if !choice.is_empty() {
                        // First, so that the Enter key in a field never confirms.
                        button.plain type="submit" name="do" value="review" { "Update Preview" }
                        button.primary type="submit" name="do" value="confirm" { (verb) }
                    }
                    (link_button("Cancel", HERE, Button::Plain))
                }
            }))
        }
    };
    viewer.page(Head::wide(title, HERE), content)
}

async fn inspect(viewer: &Viewer, file: Vec<u8>, purpose: &Purpose) -> Result<Inspection, Failure> {
    let wish = purpose.wish();
    viewer.run(move |portal, caller| activation::inspect(portal, caller, &file, &wish)).await
}

/// The first step was sent.
pub(in crate::pages) async fn upload(viewer: Viewer, upload: Result<Upload, ApiProblem>) -> Answer {
    let upload = match upload {
        Ok(upload) => upload,
        Err(problem) => {
            let mistake = Mistake::from(problem);
            return Ok(mistake.answer(upload_page(&viewer, &Purpose::default(), "", &mistake).await?));
        }
    };
    let purpose = Purpose::of(|name| upload.field(name).map(str::to_owned))?;
    let name = upload.field("name").unwrap_or_default().trim();
    match inspect(&viewer, upload.bytes.to_vec(), &purpose).await {
        Ok(inspection) => {
            let named = if name.is_empty() || inspection.renews.is_some() { &inspection.suggested_name } else { name };
            let review = Review {
                purpose: &purpose,
                // A file that was read is text.
                file: &String::from_utf8_lossy(&upload.bytes),
                name: named,
                choice: &Choice::preset(inspection.offers.clone()),
                mistake: &Mistake::none(),
            };
            Ok(review_page(&viewer, &inspection, &review).into_response())
        }
        Err(failure) => refused(&viewer, &purpose, name, failure).await,
    }
}

async fn refused(viewer: &Viewer, purpose: &Purpose, name: &str, failure: Failure) -> Answer {
    let mistake = Mistake::from(failure);
    Ok(mistake.answer(upload_page(viewer, purpose, name, &mistake).await?))
}

/// The second step was sent: to look again with other numbers, or to do it.
pub(in crate::pages) async fn confirm(viewer: Viewer, fields: Fields) -> Answer {
    let purpose = Purpose::of(|name| fields.sent(name).map(str::to_owned))?;
    let failure = match fields.get("do") {
        "confirm" => match activate(&viewer, &fields, &purpose).await {
            Ok(to) => return go(&to),
            Err(failure) => Some(failure),
        },
        _ => choice::lines(&fields).err(),
    };
    review_again(&viewer, &fields, &purpose, failure).await
}

/// Does it; answers where to go then.
async fn activate(viewer: &Viewer, fields: &Fields, purpose: &Purpose) -> Result<String, Failure> {
    let wish = Wish { name: Some(fields.trimmed("name")), lines: Some(choice::lines(fields)?), ..purpose.wish() };
    let key = IdempotencyKey::new(fields.get(FORM_KEY))?;
    let file = fields.get("request").as_bytes().to_vec();
    let activate = move |portal: &_, caller: &_| activation::activate(portal, caller, Some(&key), &file, &wish);
    let activated = viewer.run(activate).await?;
    Ok(format!("{}?issued={}", address(activated.workstation.id), activated.rev))
}

async fn review_again(
    viewer: &Viewer,
    fields: &Fields,
    purpose: &Purpose,
    failure: Option<Failure>,
) -> Result<Response, ApiProblem> {
    let mistake = failure.map_or_else(Mistake::none, Mistake::from);
    let file = fields.get("request");
    match inspect(viewer, file.as_bytes().to_vec(), purpose).await {
        Ok(inspection) => {
            let choice = Choice::sent(inspection.offers.clone(), fields);
            let review = Review { purpose, file, name: fields.get("name"), choice: &choice, mistake: &mistake };
            Ok(mistake.answer(review_page(viewer, &inspection, &review)))
        }
        Err(now) => {
            // The file itself is no longer good: that is the reason, if there was no other.
            let mistake = if mistake.is_none() { Mistake::from(now) } else { mistake };
            Ok(mistake.answer(upload_page(viewer, purpose, fields.get("name"), &mistake).await?))
        }
    }
}
