//! ONLINE LICENSING, *Borrowed by machines*: what laptops have borrowed and until when; files of machines that cannot reach
//! this server; and what to do about a machine that is lost.

use super::visit::{Administrator, Changer, Visit};
use super::{download, file_name, words};
use crate::service::Failure;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use leasehold_core::engine::NotOut;
use leasehold_core::ids::PassId;
use leasehold_core::time::{DAY_MS, Ms};
use leasehold_trust::{FileKind, FileProblem};
use leasehold_web::components::{
    Button, Column, Field, Row, Table, Tone, button, card, clip, code_block, empty_state, link_button, page_header,
    problem_panel, relative, status, table, when,
};
use leasehold_web::extract::{PageForm, Upload};
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Notice, page};
use leasehold_web::problem::{ApiProblem, Problem};
use leasehold_wire::server::{HeldStatus, Page, PassQuery, PassResponse, PassView, ReturnResponse, StatusResponse};
use serde::Deserialize;

const HERE: &str = "/passes";
/// A pass that ends within this long is pointed out, in milliseconds.
const SOON_MS: i64 = 3 * DAY_MS;

const COLUMNS: &[Column] = &[
    Column::new("feature", "Borrowed"),
    Column::new("user", "Who"),
    Column::new("until", "Until"),
    Column::new("state", "State"),
    Column::new("lost", "").end(),
];

/// What came of a file.
enum Outcome {
    /// None was uploaded.
    None,
    /// A request: its pass, and the request to download it by.
    Lent(Box<PassResponse>, String),
    /// A receipt.
    Returned(ReturnResponse),
    /// Neither; nothing was changed.
    Refused(Problem),
}

/// `GET /passes`
pub(super) async fn overview(Administrator(visit): Administrator) -> Result<Markup, ApiProblem> {
    draw(&visit, &Outcome::None).await
}

/// `POST /passes`: a request file or a receipt file.
pub(super) async fn upload(
    Administrator(visit): Administrator,
    upload: Result<Upload, ApiProblem>,
) -> Result<Response, ApiProblem> {
    let outcome = match upload {
        Err(refused) => Outcome::Refused(refused.problem().clone()),
        Ok(upload) => match take(&visit, &upload.bytes).await {
            Ok(outcome) => outcome,
            Err(failure) => Outcome::Refused(ApiProblem::from(failure).problem().clone()),
        },
    };
    let status = match &outcome {
        Outcome::Refused(problem) => StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
        _ => StatusCode::OK,
    };
    Ok((status, draw(&visit, &outcome).await?).into_response())
}

async fn take(visit: &Visit, bytes: &[u8]) -> Result<Outcome, Failure> {
    let text = String::from_utf8_lossy(bytes).trim().to_owned();
    // What is no file of ours is refused as the request that it is not.
    let text = if text.starts_with("-----") { text } else { format!("----- {text}") };
    match visit.server.lend(&visit.caller, &text).await {
        Ok(pass) => Ok(Outcome::Lent(Box::new(pass), text)),
        Err(Failure::File(FileProblem::Swapped { found: FileKind::PassReceipt, .. })) => {
            visit.server.return_pass(None, &text).await.map(Outcome::Returned)
        }
        Err(failure) => Err(failure),
    }
}

/// A request that was answered, to download its pass.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answered {
    request: String,
}

/// `POST /passes/file`: the pass file. The same request gets the same pass.
pub(super) async fn file(
    Administrator(visit): Administrator,
    PageForm(answered): PageForm<Answered>,
) -> Result<Response, ApiProblem> {
    let pass = visit.server.lend(&visit.caller, answered.request.trim()).await?;
    Ok(download(&file_name("pass", pass.feature.as_str(), "pem"), pass.file))
}

/// Which pass is lost, and how.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Lost {
    pass: String,
    /// `now` to count its seats as free at once.
    #[serde(default)]
    free: String,
}

/// `GET /passes/lost?pass=ID`: what it would do, in dates.
pub(super) async fn question(Changer(visit): Changer) -> Result<Markup, ApiProblem> {
    let pass = visit.query.get("pass").unwrap_or_default().to_owned();
    draw_question(&visit, &pass, None).await
}

/// `POST /passes/lost`
pub(super) async fn lost(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<Lost>,
) -> Result<Response, ApiProblem> {
    let Ok(pass) = form.pass.parse::<PassId>() else {
        return Ok((StatusCode::NOT_FOUND, draw_question(&visit, &form.pass, None).await?).into_response());
    };
    match visit.server.lose_pass(&visit.caller, pass, form.free == "now").await {
        Ok(lost) if lost.written_off => Ok(Redirect::to("/passes?done=written-off").into_response()),
        Ok(_) => Ok(Redirect::to("/passes?done=lost").into_response()),
        Err(failure) => {
            let problem = ApiProblem::from(failure).problem().clone();
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::CONFLICT);
            Ok((status, draw_question(&visit, &form.pass, Some(&problem)).await?).into_response())
        }
    }
}

/// How many seats no machine has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotOutForm {
    /// A pass, or [`ALL`] that are held.
    pass: String,
    #[serde(default)]
    seats: String,
    /// The box that says so was checked.
    #[serde(default)]
    sure: String,
}

/// Stands for every seat that is held since a restore.
const ALL: &str = "all";

/// `POST /passes/not-out`
pub(super) async fn not_out(
    Administrator(visit): Administrator,
    PageForm(form): PageForm<NotOutForm>,
) -> Result<Response, ApiProblem> {
    if form.pass == ALL && !form.sure.is_empty() {
        visit.server.not_out(&visit.caller, NotOut::All).await?;
        return Ok(Redirect::to("/passes?done=not-out").into_response());
    }
    let Ok(pass) = form.pass.parse::<PassId>() else {
        return Ok((StatusCode::NOT_FOUND, draw_question(&visit, &form.pass, None).await?).into_response());
    };
    // What is no number is none of them, which is refused with a sentence.
    let seats = form.seats.trim().parse().unwrap_or(0);
    match visit.server.not_out(&visit.caller, NotOut::Of { pass, seats }).await {
        Ok(_) => Ok(Redirect::to("/passes?done=not-out").into_response()),
        Err(failure) => {
            let problem = ApiProblem::from(failure).problem().clone();
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::CONFLICT);
            Ok((status, draw_question(&visit, &form.pass, Some(&problem)).await?).into_response())
        }
    }
}

/// All that is held since a restore, at once.
fn all_held(held: HeldStatus, now: Ms) -> Markup {
    let sure = "No laptop has any of them: nobody borrowed after the backup, or all of it was returned";
    html! {
        section.card.danger-edge #held {
            h2 { (words::seats(held.seats)) " held since the restore" }
            p {
                "This server was restored from a backup of " strong { (words::minute(held.backup_at.0)) } " and does not know which laptops borrowed after that. "
                "What may be with one is held until its pass would end: all is free " (relative(held.free_at.0, now)) ". "
                "Free only some with " strong { "Was it lent?" } " below."
            }
            form method="post" action="/passes/not-out" {
                input type="hidden" name="pass" value=(ALL);
                (Field::new("sure", sure).required().hint("A laptop that has one goes on using it, and the seat would be in use twice. It is noted in the audit log with your name.").checkbox(false))
                div.actions { (button("Free all of them", Button::Danger)) }
            }
        }
    }
}

async fn find(visit: &Visit, pass: &str) -> Result<Option<PassView>, Failure> {
    let Ok(id) = pass.parse::<PassId>() else { return Ok(None) };
    visit.server.pass_of(&visit.caller, id).await
}

async fn draw_question(visit: &Visit, pass: &str, refused: Option<&Problem>) -> Result<Markup, ApiProblem> {
    let content = match find(visit, pass).await? {
        Some(pass) if pass.unknown_since.is_some() => ask_if_lent(&pass, refused, visit.now),
        Some(pass) => {
            let online = visit.server.status(&visit.caller).await?.online.is_some();
            ask(&pass, refused, online, visit.now)
        }
        None => empty_state(
            "No machine has that pass",
            "It was returned or has ended, or this server never gave it.",
            link_button("Borrowed by machines", HERE, Button::Primary),
        ),
    };
    Ok(visit.narrow_page("Declare a pass lost", content))
}

/// Seats that are held since a restore.
fn ask_if_lent(pass: &PassView, refused: Option<&Problem>, now: Ms) -> Markup {
    let of = format!("{} of {}", words::seats(u64::from(pass.seats)), pass.feature);
    html! {
        (page_header("Were these seats lent?", &of, html! {}))
        @if let Some(problem) = refused { (problem_panel(problem)) }
        section.card.danger-edge {
            h2 { "No machine has them" }
            ul.effects {
                @if let Some(since) = pass.unknown_since {
                    li {
                        "This server was restored from a backup of " strong { (words::minute(since.0)) } ". It does not know which laptops borrowed after that, "
                        "so it holds every seat that may be with one."
                    }
                }
                li {
                    "Free seats here only if you know that nobody took them along after the backup, or that they were returned: a laptop that has them uses them until its pass ends, and they "
                    "would be in use twice. On a laptop, " code { "leasehold passes" } " lists what it has."
                }
                li { "What is left is free " strong { (relative(pass.freed_at.0, now)) } ", at " (words::minute(pass.freed_at.0)) ", by itself." }
                li { "It is noted in the audit log with your name." }
            }
            form #not-out method="post" action="/passes/not-out" {
                input type="hidden" name="pass" value=(pass.pass);
                (Field::new("seats", "Seats that no laptop has").required().value(&pass.seats.to_string()).number(1, u64::from(pass.seats)))
                div.actions {
                    (button("Free these seats", Button::Danger))
                    (link_button("Cancel", HERE, Button::Plain))
                }
            }
        }
    }
}

fn ask(pass: &PassView, refused: Option<&Problem>, online: bool, now: Ms) -> Markup {
    let of = format!("{} of {} on {}", words::seats(u64::from(pass.seats)), pass.feature, pass.host);
    let left = pass.write_offs_allowed.saturating_sub(pass.write_offs_used);
    let allowance = match (pass.write_offs_allowed, left) {
        _ if online => {
            "The portal is asked, which counts all servers of the license together against what the vendor allows in a year."
                .to_owned()
        }
        (0, _) => {
            "The vendor does not allow lost seats of this license to be counted as free, by the file that this server has."
                .to_owned()
        }
        (allowed, 0) => format!("The vendor allows {allowed} a year for this license, and all of them were used here."),
        (allowed, _) => {
            format!("The vendor allows {allowed} a year for this license; {} were used here.", pass.write_offs_used)
        }
    };
    html! {
        (page_header("Is this machine lost?", &of, html! {}))
        @if let Some(problem) = refused { (problem_panel(problem)) }
        section.card.danger-edge {
            h2 { "Declare it lost" }
            ul.effects {
                li { "The pass is not extended any more." }
                li {
                    "Its seats are free " strong { (relative(pass.freed_at.0, now)) } ", at " (words::minute(pass.freed_at.0)) "."
                    " Not before: "
                    @if let Some(later) = pass.perhaps_until.filter(|later| later.0 > pass.until.0) {
                        "this server was restored from a backup, after which the pass may have been extended until " (words::minute(later.0)) ", and "
                    } @else if pass.freed_at.0.since(pass.until.0) > DAY_MS {
                        "when this server started its clock was not where it had been, so that it holds passes for longer (Times and clocks in the manual): whoever has the machine may use the pass until " (words::minute(pass.until.0)) ", and "
                    } @else {
                        "whoever has the machine may use the pass until " (words::minute(pass.until.0)) ", and "
                    }
                    "its clock may be a day behind."
                }
                li { "If the machine turns up, its pass can still be returned, and its seats are free then." }
            }
            form method="post" action="/passes/lost" {
                input type="hidden" name="pass" value=(pass.pass);
                div.actions {
                    @if pass.lost_at.is_none() { (button("Declare lost", Button::Danger)) } @else { (status("Declared lost", Tone::Warning)) }
                    (link_button("Cancel", HERE, Button::Plain))
                }
            }
        }
        @if pass.perhaps_until.is_some() && pass.asked_at.is_none() {
            section.card {
                h2 { "Or it was returned after the backup" }
                ul.effects {
                    li { "This server was restored from a backup in which the machine has the pass. What happened since it does not know." }
                    li { "Only if you know that it was returned: a machine that has it uses it until its end, and its seats would be in use twice." }
                    li { "It is noted in the audit log with your name." }
                }
                form #not-out method="post" action="/passes/not-out" {
                    input type="hidden" name="pass" value=(pass.pass);
                    input type="hidden" name="seats" value=(pass.seats);
                    div.actions { (button("It was returned: free its seats", Button::Danger)) }
                }
            }
        }
        section.card {
            h2 { "Or have its seats back at once" }
            ul.effects {
                li { "Its seats count as free from now on, while whoever has the machine may use them until " (words::minute(pass.until.0)) "." }
                li { (allowance) }
                li { "It is noted in the audit log and cannot be taken back." }
            }
            @if online || left >= pass.seats {
                form method="post" action="/passes/lost" {
                    input type="hidden" name="pass" value=(pass.pass);
                    input type="hidden" name="free" value="now";
                    div.actions { (button("Write off and free now", Button::Danger)) }
                }
            }
        }
    }
}

async fn draw(visit: &Visit, outcome: &Outcome) -> Result<Markup, ApiProblem> {
    let seen = visit.server.status(&visit.caller).await?;
    let after = visit.query.get("after").and_then(|id| id.parse().ok());
    let passes = visit.server.passes(&visit.caller, PassQuery { after, limit: None }).await?;
    let said = match visit.query.get("done") {
        Some("lost") => {
            Some("Declared lost. The pass is not extended any more; the list says when its seats are free.")
        }
        Some("not-out") => Some("Freed: these seats can be given again."),
        Some("written-off") => Some(
            "Written off. Its seats count as free; whoever has the machine may use them until the end of the pass.",
        ),
        _ => None,
    };
    let notices: Vec<Notice> = said.iter().map(|text| Notice::new(Tone::Good, html! { (text) })).collect();
    Ok(page(&visit.frame("Borrowed by machines", &notices), content(visit, &passes, &seen, outcome)))
}

fn content(visit: &Visit, passes: &Page<PassView>, seen: &StatusResponse, outcome: &Outcome) -> Markup {
    let (now, changes) = (visit.now, visit.caller.may_change());
    let days = seen.lines.iter().filter(|line| line.granted).map(|line| line.borrow_days_max).max().unwrap_or(0);
    let empty = empty_state(
        "Nothing is borrowed",
        if days == 0 {
            "Nothing that this server holds may be borrowed: the vendor decides that for each product."
        } else {
            "A laptop that leaves takes seats along with: leasehold borrow FEATURE --days N. It is listed here with its end."
        },
        html! {},
    );
    html! {
        (page_header("Borrowed by machines", "Seats that laptops use out of reach of this server. Each has a hard end. A day later its seats are free; where it is later, because this server was restored or its clock was in doubt, the list says when.", html! {}))
        @match outcome {
            Outcome::None => @if let Some(held) = seen.held.filter(|_| changes) { (all_held(held, now)) },
            Outcome::Lent(pass, request) => (lent(pass, request, seen.online.is_some(), now)),
            Outcome::Returned(returned) => (returned_panel(returned, now)),
            Outcome::Refused(problem) => {
                div #upload-refused.group { (problem_panel(problem)) p { strong { "Nothing was changed." } } }
            }
        }
        (table(&Table {
            id: "passes",
            caption: "Borrowed by machines",
            columns: COLUMNS,
            rows: passes.items.iter().map(|pass| row(pass, now, changes)).collect(),
            query: &visit.query,
            next: passes.next.as_deref(),
            empty,
        }))
        div.columns {
            (card("A machine that cannot reach this server", html! {
                p { "On the machine, a request file is made; here it becomes a pass file, which is brought back:" }
                (code_block("request-command", "Ask", "leasehold borrow FEATURE --days 14 --request request.pem"))
                (code_block("pass-command", "Take the answer", "leasehold borrow --pass pass.pem"))
                (code_block("receipt-command", "Give back early", "leasehold return --receipt receipt.pem"))
            }))
            @if changes {
                (card("Upload its request or receipt", html! {
                    form #pass-form method="post" action=(HERE) enctype="multipart/form-data" {
                        (Field::new("file", "Request or receipt file").required().hint("Which of the two it is stands in the file.").file(".pem,.txt"))
                        div.actions { (button("Upload", Button::Primary)) }
                    }
                }))
            }
        }
    }
}

fn lent(pass: &PassResponse, request: &str, online: bool, now: Ms) -> Markup {
    html! {
        section.card #lent {
            h2 { (status("Lent", Tone::Good)) }
            p {
                strong { (words::seats(u64::from(pass.seats))) " of " code { (pass.feature.as_str()) } }
                " until " (when(pass.until.0, now)) "."
                @if pass.cut { " It was asked for until " (words::minute(pass.wanted_until.0)) ", and ends earlier because what this server holds does." }
                @if pass.cut && online { " To lend for longer, keep seats here for longer first: " a href="/online/offline" { "Use licenses offline" } "." }
                @if pass.known { " This machine's key had the pass already." }
            }
            form method="post" action="/passes/file" {
                input type="hidden" name="request" value=(request);
                div.actions { (button("Download the pass", Button::Primary)) }
            }
            p.muted { "Bring it to the machine that made the request: on any other it is of no use." }
        }
    }
}

fn returned_panel(returned: &ReturnResponse, now: Ms) -> Markup {
    html! {
        section.card #returned {
            h2 { (status("Returned", Tone::Good)) }
            @match returned.free_at {
                Some(at) => p { "Its seats are free at the end of the pass, as the vendor wishes: " (when(at.0, now)) "." }
                None => p { "Its seats are free." }
            }
        }
    }
}

fn row(pass: &PassView, now: Ms, changes: bool) -> Row {
    Row::from(vec![
        html! {
            div.two-lines {
                code { (pass.feature.as_str()) }
                @if pass.seats > 1 { div.muted { (words::seats(u64::from(pass.seats))) } }
            }
        },
        html! {
            div.two-lines {
                @if pass.unknown_since.is_some() { "perhaps a laptop" } @else if pass.user.trim().is_empty() { span.muted { "no name given" } } @else { (clip(&pass.user)) }
                div.muted { @if pass.unknown_since.is_some() { "since the restore" } @else if pass.host.trim().is_empty() { code { (pass.address) } } @else { (clip(&pass.host)) } }
            }
        },
        html! {
            div.two-lines {
                (words::minute(pass.until.0))
                div.muted { @if let Some(backup) = pass.unknown_since { "backup of " (words::minute(backup.0)) } @else { "since " (words::minute(pass.started_at.0)) } }
            }
        },
        state(pass, now),
        html! {
            @if changes && pass.returned_at.is_none() && pass.written_off_at.is_none() {
                @if pass.unknown_since.is_some() {
                    a href={ "/passes/lost?pass=" (pass.pass) } title="Free the seats if no laptop has them" { "Was it lent?" }
                } @else {
                    a href={ "/passes/lost?pass=" (pass.pass) } title="What to do if the machine is lost" { "Lost?" }
                }
            }
        },
    ])
}

/// When the seats are free, where that is later than a day after the end.
fn freed_late(pass: &PassView, now: Ms) -> Markup {
    html! {
        @if pass.freed_at.0.since(pass.until.0) > DAY_MS { ", free " (relative(pass.freed_at.0, now)) }
    }
}

fn state(pass: &PassView, now: Ms) -> Markup {
    let left_ms = pass.until.0.since(now);
    html! {
        div.two-lines {
            @if let Some(at) = pass.written_off_at {
                (status("Written off", Tone::Bad))
                div.muted title="Its seats count as free. Whoever has the machine may use them until the end, and a day longer by a clock that is behind." {
                    "free since " (words::minute(at.0)) @if left_ms > 0 { "; may be used until its end" }
                }
            } @else if pass.unknown_since.is_some() {
                (status("Held", Tone::Warning))
                div.muted title="It may have been lent after the backup from which this server was restored." { "free " (relative(pass.freed_at.0, now)) }
            } @else if pass.returned_at.is_some() {
                (status("Returned", Tone::Neutral))
                div.muted { "free " (relative(pass.freed_at.0, now)) }
            } @else if pass.lost_at.is_some() {
                (status("Lost", Tone::Bad))
                div.muted { "free " (relative(pass.freed_at.0, now)) }
            } @else if left_ms <= 0 {
                (status("Ended", Tone::Warning))
                div.muted title="By then it has ended on its machine, too, if its clock is a day behind." { "free " (relative(pass.freed_at.0, now)) }
            } @else if left_ms <= SOON_MS {
                (status("Ends soon", Tone::Warning))
                div.muted { (relative(pass.until.0, now)) (freed_late(pass, now)) }
            } @else {
                (status("Borrowed", Tone::Good))
                div.muted { "ends " (relative(pass.until.0, now)) (freed_late(pass, now)) }
            }
        }
    }
}
