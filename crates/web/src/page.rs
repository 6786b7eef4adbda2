//! The frame around every page: top bar with menus, notices, content, footer. Owns the document; what stands inside is
//! made from [`crate::components`].

use crate::assets;
use crate::components::{Tone, clip, icon};
use maud::{DOCTYPE, Markup, html};

/// One entry of the top bar.
#[derive(Clone, Copy, Debug)]
pub enum Menu {
    /// A link.
    Link(Link),
    /// A menu that opens, such as `ONLINE LICENSING`.
    Group {
        /// What stands in the bar.
        label: &'static str,
        /// What opens below it.
        items: &'static [Link],
    },
}

/// A link of the service's own.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Its words.
    pub label: &'static str,
    /// A path of this service.
    pub href: &'static str,
}

/// Who is signed in.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The person's name.
    pub name: &'a str,
    /// A second line: the address signed in with, or the role.
    pub detail: &'a str,
    /// Further entries of the account menu, such as settings.
    pub links: &'a [Link],
    /// Where the sign-out button posts to.
    pub sign_out: &'a str,
}

/// A message that stays on the page until its cause is gone.
#[derive(Clone, Debug)]
pub struct Notice {
    /// How grave.
    pub tone: Tone,
    /// One or two sentences; may hold a link to the next step.
    pub text: Markup,
}

impl Notice {
    /// A notice.
    pub fn new(tone: Tone, text: Markup) -> Notice {
        Notice { tone, text }
    }
}

/// How wide the content is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// Tables and lists.
    Wide,
    /// One form to fill in, one question to answer.
    Narrow,
}

/// Everything around a page's content.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The service's name in the top bar, such as `License Server` or the vendor's name; leads home.
    pub service: &'a str,
    /// The page's title, for the browser's tab.
    pub title: &'a str,
    /// The top bar; empty for who is not signed in.
    pub menu: &'a [Menu],
    /// The path that is shown, to mark its entry in the menu.
    pub current: &'a str,
    /// Who is signed in.
    pub account: Option<Account<'a>>,
    /// A link in the top bar for who is not signed in.
    pub sign_in: Option<&'a str>,
    /// Messages above the content.
    pub notices: &'a [Notice],
    /// The address of this page's event stream ([`crate::live`]), if it has one.
    pub live: Option<&'a str>,
    /// The version, such as `Leasehold 0.1.0`.
    pub version: &'a str,
    /// How wide the content is.
    pub width: Width,
}

impl<'a> Frame<'a> {
    /// A frame with nothing in it but names; set the other fields with struct update syntax.
    pub fn new(service: &'a str, title: &'a str, version: &'a str) -> Frame<'a> {
        Frame {
            service,
            title,
            menu: &[],
            current: "",
            account: None,
            sign_in: None,
            notices: &[],
            live: None,
            version,
            width: Width::Wide,
        }
    }
}

/// A whole document.
pub fn page(frame: &Frame<'_>, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (crate::text::visible(frame.title)) " · " (crate::text::visible(frame.service)) }
                link rel="icon" type="image/svg+xml" href=(assets::icon_path());
                link rel="stylesheet" href=(assets::style_path());
                script type="module" src=(assets::script_path()) {}
            }
            body data-live=[frame.live] {
                a.skip href="#main" { "Skip to content" }
                (top_bar(frame))
                main #main.narrow[frame.width == Width::Narrow] tabindex="-1" {
                    (notices(frame.notices))
                    (content)
                }
                footer.foot {
                    span { (clip(frame.version)) }
                    span.live-state { span.dot aria-hidden="true" {} "Live" }
                }
            }
        }
    }
}

/// The product's mark.
pub fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false" {
            rect.mark-ground width="32" height="32" rx="8" {}
            path.mark-line d="M10 7.5v13a4 4 0 0 0 4 4h8.5" {}
            circle.mark-seat cx="20" cy="13" r="4.25" {}
        }
    }
}

/// The notices of a page, in an element of their own so that a live update can replace them.
pub fn notices(notices: &[Notice]) -> Markup {
    html! {
        div #notices.notices {
            @for notice in notices {
                div.notice.(notice.tone.class()) role=(if notice.tone == Tone::Bad { "alert" } else { "status" }) {
                    (notice.tone.icon())
                    div { (notice.text) }
                }
            }
        }
    }
}

fn top_bar(frame: &Frame<'_>) -> Markup {
    html! {
        header.top {
            div.top-inner {
                a.brand href="/" { (mark()) span { (clip(frame.service)) } }
                @if !frame.menu.is_empty() {
                    nav.menu aria-label="Main" {
                        @for entry in frame.menu { (menu_entry(entry, frame.current)) }
                    }
                }
                div.top-end {
                    @if let Some(account) = &frame.account {
                        (account_menu(account))
                    } @else if let Some(href) = frame.sign_in {
                        a.button.plain href=(href) { "Sign in" }
                    }
                }
            }
        }
    }
}

fn current_of(href: &str, current: &str) -> Option<&'static str> {
    (href == current).then_some("page")
}

fn menu_entry(entry: &Menu, current: &str) -> Markup {
    match entry {
        Menu::Link(link) => html! {
            a.menu-link href=(link.href) aria-current=[current_of(link.href, current)] { (link.label) }
        },
        Menu::Group { label, items } => {
            let here = items.iter().any(|item| item.href == current);
            html! {
                details.menu-group name="menu" {
                    summary.menu-link.here[here] { (label) (chevron()) }
                    div.menu-items {
                        @for item in *items {
                            a href=(item.href) aria-current=[current_of(item.href, current)] { (item.label) }
                        }
                    }
                }
            }
        }
    }
}

fn account_menu(account: &Account<'_>) -> Markup {
    let initial: String = account.name.chars().find(|c| c.is_alphanumeric()).unwrap_or('•').to_uppercase().collect();
    html! {
        details.menu-group.account name="menu" {
            summary.menu-link {
                span.initial aria-hidden="true" { (initial) }
                span.account-name { (clip(account.name)) }
                (chevron())
            }
            div.menu-items {
                div.account-who { strong { (clip(account.name)) } span { (clip(account.detail)) } }
                @for link in account.links { a href=(link.href) { (link.label) } }
                form method="post" action=(account.sign_out) { button type="submit" { "Sign out" } }
            }
        }
    }
}

fn chevron() -> Markup {
    icon("m4 6 4 4 4-4")
}
