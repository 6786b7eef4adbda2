//! The frame around the portal's pages: whose portal it is, the menu of whoever is signed in, and who that is.

use crate::Portal;
use crate::failure::{Failure, sentence_time};
use crate::front::{Front, SignedIn};
use crate::service::Caller;
use crate::store::organizations::Standing;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use leasehold_core::access::{PortalAction, Verdict, Whose, portal_may};
use leasehold_core::ids::{AccountId, OrganizationId};
use leasehold_core::time::Ms;
use leasehold_web::components::{Tone, clip, wrapped};
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::{self, Account, Frame, Link, Menu, Notice, Width};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::AccountRef;

pub(super) const VERSION: &str = concat!("Leasehold ", env!("CARGO_PKG_VERSION"));

const LICENSES: Menu = Menu::Link(Link { label: "LICENSES", href: "/licenses" });
const WORKSTATIONS: Menu = Menu::Link(Link { label: "WORKSTATIONS", href: "/workstations" });
const ACCOUNT: Menu = Menu::Link(Link { label: "ACCOUNT", href: "/account" });
const PRODUCTS: Menu = Menu::Link(Link { label: "PRODUCTS", href: "/products" });
const CUSTOMER_MENU: &[Menu] = &[PRODUCTS, LICENSES, WORKSTATIONS, ACCOUNT];
const ADMINISTRATOR_MENU: &[Menu] =
    &[PRODUCTS, LICENSES, WORKSTATIONS, Menu::Link(Link { label: "ORGANIZATION", href: "/organization" }), ACCOUNT];
const OPERATOR_MENU: &[Menu] = &[
    Menu::Link(Link { label: "HOME", href: "/" }),
    Menu::Link(Link { label: "ACCOUNTS", href: "/accounts" }),
    PRODUCTS,
    LICENSES,
    WORKSTATIONS,
    Menu::Link(Link { label: "MAIL", href: "/mails" }),
    Menu::Link(Link { label: "AUDIT LOG", href: "/audit" }),
];
const ACCOUNT_LINKS: &[Link] =
    &[Link { label: "Account", href: "/account" }, Link { label: "Change password", href: "/password" }];

const SWITCHER_LINKS: &[Link] = &[
    Link { label: "Account", href: "/account" },
    Link { label: "Switch organization", href: "/organization/switch" },
    Link { label: "Change password", href: "/password" },
];

/// Whoever is looking, signed in.
#[derive(Clone, Debug)]
pub(super) struct Viewer {
    front: Front,
    caller: Caller,
}

impl FromRequestParts<Front> for Viewer {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, ApiProblem> {
        let SignedIn(caller) = SignedIn::from_request_parts(parts, front).await?;
        Ok(Viewer { front: front.clone(), caller })
    }
}

/// What is particular to one page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head<'a> {
    /// For the browser's tab.
    pub title: &'a str,
    /// The entry of the menu under which it stands.
    pub current: &'a str,
    /// How wide.
    pub width: Width,
    /// Above the content.
    pub notices: &'a [Notice],
    /// The address of its event stream, if it has one.
    pub live: Option<&'a str>,
}

impl<'a> Head<'a> {
    pub(super) fn wide(title: &'a str, current: &'a str) -> Head<'a> {
        Head { title, current, width: Width::Wide, notices: &[], live: None }
    }

    pub(super) fn narrow(title: &'a str, current: &'a str) -> Head<'a> {
        Head { width: Width::Narrow, ..Head::wide(title, current) }
    }
}

impl Viewer {
    /// Calls a service as whoever is looking.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Portal, &Caller) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let caller = self.caller.clone();
        self.front.portal().run(move |portal| work(portal, &caller)).await
    }

    pub(super) fn front(&self) -> &Front {
        &self.front
    }

    pub(super) fn now(&self) -> Ms {
        self.front.portal().now()
    }

    /// The same person as of now; a sign-in may have ended since. For pages that stay open.
    pub(super) async fn again(&self, connection: &Connection, headers: &HeaderMap) -> Result<Viewer, Failure> {
        let caller = self.front.caller(connection, headers).await?;
        caller.account().ok_or(Failure::SignIn)?;
        Ok(Viewer { caller, ..self.clone() })
    }

    /// The account that is signed in.
    pub(super) fn account(&self) -> Option<AccountId> {
        self.caller.actor().account()
    }

    /// The organization for which they act, else the one that the account owns.
    pub(super) fn organization(&self) -> Option<OrganizationId> {
        self.caller.organization().map(|one| one.organization)
    }

    /// Whether what they see here is an organization's of theirs, and their own person's beside it.
    pub(super) fn has_both(&self) -> bool {
        self.caller.administers().is_some() && !self.acts_for_others() && !self.is_operator()
    }

    /// Whether they act for an organization that is not theirs.
    pub(super) fn acts_for_others(&self) -> bool {
        self.caller.acts_for().is_some()
    }

    /// The organizations for which they can act, with what they are there.
    pub(super) fn organizations(&self) -> Vec<Standing> {
        self.caller.organizations().cloned().collect()
    }

    /// Whether they may do `action` with things of an account.
    pub(super) fn may(&self, action: PortalAction, owner: AccountId) -> bool {
        self.caller.may(action, owner)
    }

    /// The same with what they see at this moment: their own, or an organization's.
    pub(super) fn may_here(&self, action: PortalAction) -> bool {
        self.caller.sees().is_some_and(|owner| self.caller.may(action, owner))
    }

    pub(super) fn is_operator(&self) -> bool {
        self.caller.is_operator()
    }

    /// Asks the table of rights before a form is shown that could not be sent.
    pub(super) fn check(&self, action: PortalAction) -> Result<(), Failure> {
        match portal_may(self.caller.actor(), action, Whose::Nobodys) {
            Verdict::Allowed => Ok(()),
            Verdict::SignIn => Err(Failure::SignIn),
            Verdict::Forbidden => Err(Failure::Forbidden),
            Verdict::NotFound => Err(Failure::NotFound),
        }
    }

    /// A whole document.
    pub(super) fn page(&self, head: Head<'_>, content: Markup) -> Markup {
        page(&self.front, &self.caller, head, content)
    }
}

/// A whole document, for somebody who may not be signed in.
pub(super) fn page(front: &Front, caller: &Caller, head: Head<'_>, content: Markup) -> Markup {
    let Head { title, current, width, notices, live } = head;
    let acts_for = caller.acts_for().map(|one| one.name.as_str());
    let email = caller.account().map_or("", |account| &account.email);
    let acting = format!("{email} acts for it");
    let own = caller.administers();
    let can_switch = caller.organizations().any(|one| Some(one.organization) != own);
    let account = caller.account().map(|account| Account {
        name: acts_for.unwrap_or(&account.name),
        detail: if acts_for.is_some() { &acting } else { &account.email },
        links: if can_switch { SWITCHER_LINKS } else { ACCOUNT_LINKS },
        sign_out: "/sign-out",
    });
    let menu = match &account {
        None => &[],
        Some(_) if caller.is_operator() => OPERATOR_MENU,
        Some(_) if caller.organization().is_some() => ADMINISTRATOR_MENU,
        Some(_) => CUSTOMER_MENU,
    };
    let sign_in = (current != "/sign-in").then_some("/sign-in");
    let frame = Frame {
        menu,
        current,
        account,
        sign_in,
        notices,
        live,
        width,
        ..Frame::new(front.portal().vendor(), title, VERSION)
    };
    page::page(&frame, content)
}

/// A good notice: what was just done.
pub(super) fn done(text: Markup) -> Notice {
    Notice::new(Tone::Good, text)
}

/// An instant within a sentence.
pub(super) fn on(at: Ms) -> Markup {
    html! { time.nowrap datetime=(at.rfc3339()) { (sentence_time(at)) } }
}

/// A name above, what it is below.
pub(super) fn two_lines(first: Markup, second: Markup) -> Markup {
    html! { div.two-lines { div { (first) } @if !second.0.is_empty() { div.muted { (second) } } } }
}

/// A name and the address below it.
pub(super) fn person(account: &AccountRef) -> Markup {
    two_lines(clip(&account.name), clip(&account.email))
}

/// Several things in one cell of a table, one below the other.
pub(super) fn stack(parts: Markup) -> Markup {
    html! { div.stack { (parts) } }
}

/// A sentence with a name from outside in it.
pub(super) fn named(before: &str, name: &str, after: &str) -> Markup {
    html! { (before) strong { (wrapped(name)) } (after) }
}

/// `1 seat`, `12 seats`.
pub(super) fn seats(count: u32) -> String {
    counted(u64::from(count), "seat")
}

/// A number with its noun.
pub(super) fn counted(count: u64, noun: &str) -> String {
    leasehold_web::text::counted(count, noun, &format!("{noun}s"))
}
