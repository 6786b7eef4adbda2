//! Signing in and out, and changing one's own password.

use super::fields::{Fields, Mistake};
use super::look::{self, Head, Viewer, done};
use super::{Answer, entrance, go};
use crate::front::{self, Asking, Front};
use crate::service::{Caller, accounts, sessions, settings};
use axum::extract::State;
use axum::http::{HeaderMap, Uri, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use leasehold_web::components::{Button, Field, ListQuery, button, card, link_button, page_header};
use leasehold_web::listener::Connection;
use leasehold_web::maud::{Markup, html};
use leasehold_web::page::Notice;
use leasehold_wire::portal::{ChangePassword, SignIn};

fn sign_in_page(
    front: &Front,
    caller: &Caller,
    (email, next): (&str, &str),
    open: bool,
    notices: &[Notice],
    mistake: &Mistake,
) -> Markup {
    let lead = format!("With your account at the portal of {}.", front.portal().vendor());
    let content = card(
        "",
        html! {
            (page_header("Sign in", &lead, html! {}))
            (mistake.panel(&[]))
            form #sign-in method="post" action="/sign-in" {
                input type="hidden" name="next" value=(next);
                (Field::new("email", "Email address").value(email).required().autocomplete("username").email())
                (Field::new("password", "Password").required().autocomplete("current-password").password())
                div.actions { (button("Sign in", Button::Primary)) }
            }
            (entrance::ways_in(open))
        },
    );
    look::page(front, caller, Head { notices, ..Head::narrow("Sign in", "/sign-in") }, content)
}

/// The form; whoever is signed in goes on.
pub(super) async fn sign_in_form(State(front): State<Front>, Asking(caller): Asking, uri: Uri) -> Answer {
    let query = ListQuery::of(&uri);
    let next = own_path(query.get("next").unwrap_or_default());
    if caller.account().is_some() {
        return go(next);
    }
    let open = front.portal().run(settings::sign_up_open).await?;
    let notices: Vec<Notice> = entrance::said(&query).map(done).into_iter().collect();
    Ok(sign_in_page(&front, &caller, ("", next), open, &notices, &Mistake::none()).into_response())
}

pub(super) async fn sign_in(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    fields: Fields,
) -> Response {
    let (address, agent) = (front.address(&connection, &headers), front::agent(&headers));
    let wish = SignIn { email: fields.get("email").to_owned(), password: fields.get("password").to_owned() };
    let next = own_path(fields.get("next"));
    match front.portal().run(move |portal| sessions::sign_in(portal, address, &agent, &wish)).await {
        Ok((token, _)) => {
            let cookie = AppendHeaders([(header::SET_COOKIE, front.cookie().set(&token))]);
            (cookie, Redirect::to(next)).into_response()
        }
        Err(failure) => {
            let mistake = Mistake::from(failure);
            let open = front.portal().run(settings::sign_up_open).await.unwrap_or(false);
            let entered = (fields.get("email"), next);
            mistake.answer(sign_in_page(&front, &Caller::nobody(address), entered, open, &[], &mistake))
        }
    }
}

/// Where to go after signing in: a page of the portal's own, never another site.
fn own_path(next: &str) -> &str {
    let plain = next.bytes().all(|b| b.is_ascii_graphic() && b != b'\\');
    if next.starts_with('/') && !next.starts_with("//") && plain { next } else { "/" }
}

pub(super) async fn sign_out(State(front): State<Front>, Asking(caller): Asking) -> Answer {
    if caller.account().is_some() {
        front.portal().run(move |portal| sessions::sign_out(portal, &caller)).await?;
    }
    let cookie = AppendHeaders([(header::SET_COOKIE, front.cookie().clear())]);
    Ok((cookie, Redirect::to("/sign-in")).into_response())
}

const PASSWORD_FIELDS: &[&str] = &["current", "new", "again"];

fn password_page(viewer: &Viewer, mistake: &Mistake, changed: bool) -> Markup {
    let notices = [done(html! { "Your password is changed. All other sign-ins of your account have ended." })];
    let (current, new, again) = ("The current password", "The new password", "The repetition");
    let content = card(
        "",
        html! {
            (page_header("Change password", "All other sign-ins of your account end.", html! {}))
            (mistake.panel(PASSWORD_FIELDS))
            form #change-password method="post" action="/password" {
                (Field::new("current", "Current password").required().autocomplete("current-password")
                    .error(mistake.at("current", current).as_deref()).password())
                (Field::new("new", "New password").required().autocomplete("new-password")
                    .hint("12 to 256 characters. A few unrelated words are good.")
                    .error(mistake.at("new", new).as_deref()).password())
                (Field::new("again", "New password again").required().autocomplete("new-password")
                    .error(mistake.at("again", again).as_deref()).password())
                div.actions { (button("Change password", Button::Primary)) (link_button("Cancel", "/", Button::Plain)) }
            }
        },
    );
    let head = Head::narrow("Change password", "/password");
    viewer.page(Head { notices: if changed { &notices } else { &[] }, ..head }, content)
}

pub(super) async fn password_form(viewer: Viewer, uri: Uri) -> Markup {
    let changed = ListQuery::of(&uri).get("done").is_some();
    password_page(&viewer, &Mistake::none(), changed)
}

pub(super) async fn change_password(viewer: Viewer, fields: Fields) -> Answer {
    let refuse = |failure: crate::Failure| {
        let mistake = Mistake::from(failure);
        Ok(mistake.answer(password_page(&viewer, &mistake, false)))
    };
    // A form's own matter: the service knows one new password.
    if fields.get("new") != fields.get("again") {
        return refuse(crate::Failure::invalid("again", "is not the same"));
    }
    let wish = ChangePassword { current: fields.get("current").to_owned(), new: fields.get("new").to_owned() };
    match viewer.run(move |portal, caller| accounts::change_password(portal, caller, &wish)).await {
        Ok(()) => go("/password?done=1"),
        Err(failure) => refuse(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::own_path;

    #[test]
    fn signing_in_never_leads_to_another_site() {
        for fine in ["/", "/workstations?status=active", "/licenses/lic_1"] {
            assert_eq!(own_path(fine), fine);
        }
        for bad in ["", "//evil.example", "/\\evil.example", "https://evil.example", "javascript:1", "/a\r\nb", "/\t/x"]
        {
            assert_eq!(own_path(bad), "/", "{bad:?}");
        }
    }
}
