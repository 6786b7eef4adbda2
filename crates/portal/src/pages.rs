//! The portal's HTML pages: parse, call one service, draw. They hold no rule and work without script.
//!
//! After a form that did something the browser is sent to the page of the thing (303), so a reload repeats nothing. A
//! form that was refused is shown again with what was entered and the reason in place.

mod accounts;
mod audit;
mod device;
mod entrance;
mod fields;
mod home;
mod join;
mod licenses;
mod lists;
mod look;
mod mails;
mod organization;
mod own_account;
mod problems;
mod products;
mod session;
mod watch;
mod workstations;

use self::organization::{member, owner};
use crate::front::Front;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use leasehold_web::assets;
use leasehold_web::headers::for_pages;
use leasehold_web::problem::ApiProblem;

/// Largest form: a file of 256 KiB as text, escaped for the way, and the other fields.
const FORM_BODY_BYTES_MAX: usize = 1024 * 1024;

/// What a handler answers.
type Answer = Result<Response, ApiProblem>;

/// A page: its method, its address, and what answers there.
struct Page(Method, &'static str, MethodRouter<Front>);

fn pages() -> Vec<Page> {
    let read = |path, answer: MethodRouter<Front>| Page(Method::GET, path, answer);
    let send = |path, answer: MethodRouter<Front>| Page(Method::POST, path, answer);
    vec![
        read("/", get(home::show)),
        read("/live", get(home::live)),
        read("/sign-in", get(session::sign_in_form)),
        send("/sign-in", post(session::sign_in)),
        send("/sign-out", post(session::sign_out)),
        read("/sign-up", get(entrance::sign_up_form)),
        send("/sign-up", post(entrance::sign_up)),
        read("/confirm", get(entrance::confirm_form)),
        send("/confirm", post(entrance::confirm)),
        read("/forgotten", get(entrance::forgotten_form)),
        send("/forgotten", post(entrance::forgotten)),
        read("/reset", get(entrance::reset_form)),
        send("/reset", post(entrance::reset)),
        read("/email", get(entrance::email_form)),
        send("/email", post(entrance::email)),
        read("/account", get(own_account::show)),
        send("/account/name", post(own_account::rename)),
        send("/account/email", post(own_account::change_email)),
        send("/account/email/cancel", post(own_account::cancel_email)),
        send("/account/sessions/end", post(own_account::end_sessions)),
        send("/account/sessions/{session}/end", post(own_account::end_session)),
        send("/account/tokens", post(own_account::new_token)),
        send("/account/tokens/{token}/end", post(own_account::end_token)),
        read("/device", get(device::form)),
        send("/device", post(device::look)),
        send("/device/decide", post(device::decide)),
        read("/mails", get(mails::list)),
        send("/mails/sign-up", post(mails::sign_up)),
        read("/mails/{mail}", get(mails::show)),
        send("/mails/{mail}/again", post(mails::again)),
        read("/password", get(session::password_form)),
        send("/password", post(session::change_password)),
        read("/licenses", get(licenses::list)),
        read("/licenses/live", get(licenses::live)),
        read("/licenses/new", get(licenses::sell::form)),
        send("/licenses/new", post(licenses::sell::sell)),
        read("/licenses/{license}", get(licenses::one::show)),
        send("/licenses/{license}", post(licenses::one::change_seats)),
        read("/licenses/{license}/live", get(licenses::one::live)),
        send("/licenses/{license}/assign", post(licenses::one::assign)),
        read("/licenses/{license}/take-back/{account}", get(licenses::take_back::form)),
        send("/licenses/{license}/take-back/{account}", post(licenses::take_back::confirm)),
        read("/licenses/{license}/raise", get(licenses::raise::form)),
        send("/licenses/{license}/raise", post(licenses::raise::confirm)),
        read("/licenses/{license}/end", get(licenses::end::form)),
        send("/licenses/{license}/end", post(licenses::end::confirm)),
        read("/organization", get(organization::own)),
        read(organization::SWITCH, get(organization::switch_form)),
        send(organization::SWITCH, post(organization::switch)),
        read("/organizations/{organization}", get(organization::show)),
        read("/organizations/{organization}/live", get(organization::live)),
        send("/organizations/{organization}/members", post(organization::invite)),
        send("/organizations/{organization}/settings", post(organization::change)),
        read("/organizations/{organization}/members/{account}", get(member::show)),
        send("/organizations/{organization}/members/{account}/assign", post(member::assign)),
        send("/organizations/{organization}/members/{account}/invitation", post(member::resend)),
        send("/organizations/{organization}/members/{account}/suspend", post(member::suspend)),
        read("/organizations/{organization}/members/{account}/role", get(member::role_form)),
        send("/organizations/{organization}/members/{account}/role", post(member::change_role)),
        read("/organizations/{organization}/members/{account}/remove", get(member::remove_form)),
        send("/organizations/{organization}/members/{account}/remove", post(member::remove)),
        read("/organizations/{organization}/members/{account}/owner", get(owner::form)),
        send("/organizations/{organization}/members/{account}/owner", post(owner::offer)),
        send("/organizations/{organization}/offer/end", post(owner::end)),
        send("/account/offers/{organization}/accept", post(owner::accept)),
        send("/account/offers/{organization}/end", post(owner::decline)),
        read("/join", get(join::form)),
        send("/join", post(join::join)),
        send("/account/organizations/{organization}/join", post(join::accept)),
        read("/account/organizations/{organization}/leave", get(join::leave_form)),
        send("/account/organizations/{organization}/leave", post(join::leave)),
        read("/workstations", get(workstations::list)),
        read("/workstations/live", get(workstations::live)),
        read("/workstations/token", get(workstations::token::form)),
        send("/workstations/token", post(workstations::token::make)),
        read("/workstations/activate", get(workstations::activate::form)),
        send("/workstations/activate", post(workstations::activate::upload)),
        read("/workstations/activate/confirm", get(workstations::activate::again)),
        send("/workstations/activate/confirm", post(workstations::activate::confirm)),
        read("/workstations/receipt", get(workstations::receipt::form)),
        send("/workstations/receipt", post(workstations::receipt::upload)),
        read("/workstations/{workstation}", get(workstations::one::show)),
        read("/workstations/{workstation}/live", get(workstations::one::live)),
        read("/workstations/{workstation}/recall", get(workstations::recall::form)),
        send("/workstations/{workstation}/recall", post(workstations::recall::confirm)),
        read("/workstations/{workstation}/offline", get(workstations::offline::form)),
        send("/workstations/{workstation}/offline", post(workstations::offline::submit)),
        read("/workstations/{workstation}/certificate", get(workstations::one::download)),
        read("/workstations/{workstation}/renew", get(workstations::renew::form)),
        send("/workstations/{workstation}/renew", post(workstations::renew::confirm)),
        read("/workstations/{workstation}/revoke", get(workstations::revoke::form)),
        send("/workstations/{workstation}/revoke", post(workstations::revoke::confirm)),
        read("/workstations/{workstation}/lost", get(workstations::lost::form)),
        send("/workstations/{workstation}/lost", post(workstations::lost::confirm)),
        read("/accounts", get(accounts::list)),
        read("/accounts/new", get(accounts::new_form)),
        send("/accounts/new", post(accounts::create)),
        read("/accounts/{account}", get(accounts::show)),
        read("/products", get(products::list)),
        read("/products/new", get(products::new_form)),
        send("/products/new", post(products::create)),
        read("/products/{product}", get(products::edit_form)),
        send("/products/{product}", post(products::change)),
        read("/audit", get(audit::list)),
    ]
}

/// Method and address of every page, so that a test can say who may open it.
pub fn all() -> Vec<(Method, &'static str)> {
    pages().into_iter().map(|Page(method, path, _)| (method, path)).collect()
}

/// The routes of the pages and of the files that they load.
pub(crate) fn router(front: &Front) -> Router {
    let routes = pages().into_iter().fold(Router::new(), |router, Page(_, path, answer)| router.route(path, answer));
    let routes = routes.layer(DefaultBodyLimit::max(FORM_BODY_BYTES_MAX)).with_state(front.clone());
    for_pages(routes.merge(assets::router()), front.hsts())
}

/// Around everything else: whoever reads with a browser gets problems as pages.
pub(crate) fn around(front: &Front, routes: Router) -> Router {
    routes.layer(from_fn_with_state(front.clone(), problems::as_pages))
}

/// Sends the browser to a page after a form did what it says.
fn go(to: &str) -> Answer {
    Ok(Redirect::to(to).into_response())
}
