//! Every component on one page, for looking at: `cargo run -p leasehold-web --example gallery -- 127.0.0.1:8099`.

use axum::Router;
use axum::http::Uri;
use axum::routing::get;
use leasehold_core::time::{DAY_MS, HOUR_MS, MINUTE_MS, Ms};
use leasehold_web::components::{
    Align, Button, Column, Confirm, Field, FilterOption, ListQuery, Row, Table, Tile, Tone, ago, badge, button, card,
    channel_badge, clip, code_block, confirm_panel, definitions, empty_state, filter_group, link_button, meter,
    page_header, post_button, problem_panel, search_box, status, step_panel, steps, table, tiles, tooltip, when,
};
use leasehold_web::headers::{self, Hsts};
use leasehold_web::listener::{self, Limits, Mode};
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{Account, Frame, Link, Menu, Notice, Width, page};
use leasehold_web::problem::Problem;
use leasehold_web::shutdown::shutdown_pair;
use leasehold_web::{assets, live};
use std::time::Duration;

const NOW: Ms = Ms(1_795_356_180_000);
const LONG: &str = "workstation-with-an-unbroken-name-of-more-than-sixty-characters-0123456789";
const MENU: &[Menu] = &[
    Menu::Link(Link { label: "Home", href: "/" }),
    Menu::Group {
        label: "ONLINE LICENSING",
        items: &[Link { label: "Activate offline", href: "/activate" }, Link { label: "Disable", href: "/confirm" }],
    },
    Menu::Link(Link { label: "Sign-in form", href: "/sign-in" }),
    Menu::Link(Link { label: "Components", href: "/parts" }),
];
const COLUMNS: &[Column] = &[
    Column::new("name", "Product and features").sortable(),
    Column::new("channel", "Channel"),
    Column::new("use", "In use").sortable(),
    Column { key: "free", label: "Free", align: Align::End, sortable: true },
    Column::new("until", "Expires").sortable(),
];
const HOLDERS: &[Column] = &[
    Column::new("user", "User").sortable(),
    Column::new("host", "Host").sortable(),
    Column::new("feature", "Feature"),
    Column::new("since", "Since"),
    Column::new("state", "Last heartbeat"),
    Column::new("", "").end(),
];

fn frame<'a>(title: &'a str, current: &'a str, notices: &'a [Notice]) -> Frame<'a> {
    Frame {
        menu: MENU,
        current,
        notices,
        account: Some(Account {
            name: "Maria Fernández",
            detail: "Administrator of this server",
            links: &[Link { label: "Settings", href: "/settings" }],
            sign_out: "/sign-out",
        }),
        ..Frame::new("License Server", title, "Leasehold 0.1.0 · farm-head-01")
    }
}

fn products(query: &ListQuery) -> Markup {
    let row = |name: &str, channel: &str, used: u64, total: u64, days: i64| {
        Row::from(vec![
            clip(name),
            channel_badge(channel),
            meter(name, used, total),
            html! { (total.saturating_sub(used)) },
            when(NOW.plus(days * DAY_MS), NOW),
        ])
    };
    let sub = |name: &str, used: u64, total: u64| Row {
        cells: vec![clip(name), html! {}, meter(name, used, total), html! { (total.saturating_sub(used)) }, html! {}],
        sub: true,
    };
    let rows = vec![
        row("Studio", "commercial", 7, 10, 312),
        sub("studio.gui", 7, 10),
        sub("studio.render", 4, 10),
        row("Render Node", "commercial", 96, 100, 41),
        row("Atelier Fabric Simulator, a product with a rather long name that goes on", "trial", 12, 10, 9),
        row("Classroom", "educator", 0, 40, 800),
    ];
    let empty = empty_state("Nothing yet", "Nothing.", html! {});
    table(&Table { id: "products", caption: "Products", columns: COLUMNS, rows, query, next: None, empty })
}

fn holders(query: &ListQuery) -> Markup {
    let people = [
        ("j.ortega", "ws-014", "studio.gui", 3 * HOUR_MS, 24),
        ("Zoë Ångström", "ws-002", "studio.gui", 20 * MINUTE_MS, 51),
        ("<script>alert(1)</script>\u{202e}gpj.exe", LONG, "studio.render", 9 * DAY_MS, 200),
        ("山田太郎", "render-101.farm.example", "studio.render", 4 * MINUTE_MS, 3),
    ];
    let rows = people.map(|(user, host, feature, since, beat)| {
        let tone = if beat > 120 { Tone::Warning } else { Tone::Good };
        Row::from(vec![
            clip(user),
            clip(host),
            html! { code { (feature) } },
            when(NOW.plus(-since), NOW),
            html! { (status(if beat > 120 { "grace" } else { "ok" }, tone)) " " span.muted { (ago(NOW.plus(-beat * 1000), NOW)) } },
            post_button("/release", "Release", Button::Danger, &[("lease", "lease_1")]),
        ])
    });
    let empty = empty_state("Nobody holds a seat", "Start an application.", html! {});
    table(&Table {
        id: "holders",
        caption: "Holders",
        columns: HOLDERS,
        rows: rows.into(),
        query,
        next: Some("x"),
        empty,
    })
}

async fn home(uri: Uri) -> Markup {
    let query = ListQuery::of(&uri);
    let notices = [
        Notice::new(
            Tone::Warning,
            html! { "10 seats of " strong { "Atelier" } " expire in 9 days. " a href="/" { "Ask for a renewal" } },
        ),
        Notice::new(
            Tone::Bad,
            html! { "The disk is full: running work goes on, new checkouts are refused. Free at least 64 MiB." },
        ),
    ];
    let tile =
        |label, value: &str, detail: &str, tone| Tile { label, value: value.into(), detail: detail.into(), tone };
    let content = html! {
        (page_header("Licenses", "What this server holds, and who uses it right now.", html! {
            (link_button("Activate offline", "/activate", Button::Primary)) (link_button("Download report", "/", Button::Plain))
        }))
        (tiles(&[
            tile("Seats in use", "115", "of 160", Tone::Neutral),
            tile("Free", "45", "", Tone::Good),
            tile("Users", "38", "on 61 hosts", Tone::Neutral),
            tile("Denied today", "4", "all Atelier", Tone::Warning),
        ]))
        div.toolbar {
            (filter_group("Connection", "state", &[
                FilterOption { value: "", label: "All", count: Some(4) },
                FilterOption { value: "online", label: "Online", count: Some(3) },
                FilterOption { value: "offline", label: "Offline", count: Some(1) },
            ], &query))
            (filter_group("Use", "use", &[
                FilterOption { value: "", label: "All", count: None },
                FilterOption { value: "available", label: "Available", count: None },
                FilterOption { value: "in_use", label: "In use", count: None },
            ], &query))
            (search_box("Search products", &query))
        }
        (products(&query))
        h2 { "Who holds what" }
        (holders(&query))
    };
    page(&Frame { live: Some("/live"), ..frame("Licenses", "/", &notices) }, content)
}

async fn activate() -> Markup {
    let content = html! {
        (page_header("Activate offline", "For a server without internet access. Takes two files and a few minutes.", html! {}))
        (steps(&["Download the request", "Upload it in the portal", "Upload the certificate"], 1))
        (step_panel(1, "Download the activation request", html! {
            p { "It says which server asks. There is nothing secret in it." }
            (link_button("Download request", "/request", Button::Primary))
        }))
        (step_panel(2, "Have it activated in the portal", html! {
            p { "On a computer with internet access, sign in, open Workstations, choose Activate Workstation and upload the file." }
            (code_block("portal", "Address of the portal", "https://licenses.example.com/workstations/activate"))
        }))
        (step_panel(3, "Upload the certificate", html! {
            form method="post" enctype="multipart/form-data" {
                (Field::new("file", "Activation certificate").hint("The .crt file from the portal, at most 256 KiB.").required().file(".crt,.pem"))
                div.actions { (button("Upload", Button::Primary)) }
            }
        }))
    };
    page(&frame("Activate offline", "/activate", &[]), content)
}

async fn sign_in() -> Markup {
    let content = card(
        "",
        html! {
            (page_header("Sign in", "Administrator of this server.", html! {}))
            form method="post" {
                (Field::new("user", "User name").required().autocomplete("username").text())
                (Field::new("password", "Password").required().autocomplete("current-password")
                    .error(Some("The user name or the password is wrong. Passwords of the portal do not work here.")).password())
                (Field::new("keep", "Keep me signed in on this computer").checkbox(false))
                div.actions { (button("Sign in", Button::Primary)) }
            }
        },
    );
    page(
        &Frame {
            width: Width::Narrow,
            sign_in: Some("/sign-in"),
            ..Frame::new("License Server", "Sign in", "Leasehold 0.1.0")
        },
        content,
    )
}

async fn confirm() -> Markup {
    let question = format!("Revoke workstation {LONG}?");
    let panel = Confirm {
        question: &question,
        effect: html! {
            p { strong { "12 seats" } " of Studio go back to the pool. " strong { "7 of them are in use" } " now." }
            p { "The server holds a signed document until " (when(NOW.plus(9 * DAY_MS), NOW)) " and can still run until then." }
        },
        action: "/revoke",
        values: &[("id", "ws_1")],
        verb: "Revoke 12 seats",
        cancel: "/",
        kind: Button::Danger,
    };
    page(&Frame { width: Width::Narrow, ..frame("Revoke", "/confirm", &[]) }, confirm_panel(&panel))
}

async fn parts() -> Markup {
    let problem = Problem::new(422, "CERTIFICATE_FOR_OTHER_SERVER", "This certificate belongs to another server.")
        .detail("It was made for the key 4f:91:0c, this server's key is 83:aa:17.")
        .next(
            "Upload the request of this server in the portal and download the certificate made from it.",
            "the administrator of the license server",
        );
    let query = ListQuery::default();
    let empty = empty_state(
        "No workstations yet",
        "A workstation is a license server on your network. Activate one to use your seats.",
        link_button("Activate Workstation", "/activate", Button::Primary),
    );
    let notices = [Tone::Neutral, Tone::Info, Tone::Good]
        .map(|tone| Notice::new(tone, html! { "A notice with a " a href="/" { "next step" } "." }));
    let content = html! {
        (page_header("Components", "", html! {}))
        (table(&Table { id: "none", caption: "Workstations", columns: COLUMNS, rows: Vec::new(), query: &query, next: None, empty }))
        (problem_panel(&problem))
        div.columns {
            (card("License", definitions(&[
                ("Product", html! { (clip("Studio")) " " (channel_badge("nfr")) }),
                ("Seats", meter("Seats", 9, 10)),
                ("Runs until", when(NOW.plus(40 * DAY_MS), NOW)),
                ("State", html! { (status("Online", Tone::Good)) " " (status("Offline", Tone::Neutral)) " " (status("Late", Tone::Bad)) }),
                ("Maintenance", tooltip("until 2027-03-01", "Versions released after this date need a renewal")),
                ("Badges", html! { (badge("active", Tone::Good)) " " (badge("ends soon", Tone::Warning)) " " (badge("revoked", Tone::Bad)) " " (badge("pending", Tone::Info)) " " (badge("draft", Tone::Neutral)) }),
            ])))
            (card("New license", html! { form method="post" {
                (Field::new("product", "Product").required().value("b").select(&[("a", "Render Node"), ("b", "Studio")]))
                (Field::new("seats", "Seats").required().value("10").hint("1 to 10 000.").number(1, 10_000))
                (Field::new("until", "Ends on").hint("The end of this day everywhere on earth.").date())
                (Field::new("note", "Note").text_area(3))
                div.actions { (button("Create license", Button::Primary)) (link_button("Cancel", "/", Button::Plain)) (button("Delete", Button::Danger)) }
            } }))
        }
    };
    page(&frame("Components", "/parts", &notices), content)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8099".to_owned()).parse()?;
    let (_trigger, shutdown) = shutdown_pair();
    let stop = shutdown.clone();
    let events = get(async move || {
        let (sender, events) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            while sender.send(live::fragment("products", &products(&ListQuery::default()))).await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        live::stream(events, stop.clone())
    });
    let pages = Router::new()
        .route("/", get(home))
        .route("/activate", get(activate))
        .route("/sign-in", get(sign_in))
        .route("/confirm", get(confirm))
        .route("/parts", get(parts))
        .route("/live", events);
    let router = headers::for_pages(pages.merge(assets::router()), Hsts::Off);
    listener::bind(address).await?.serve(router, Mode::Plain, Limits::default(), shutdown).await;
    Ok(())
}
