//! The license server's HTML pages: thin fronts over [`crate::service`], as the API is. Each handler parses, calls one
//! use case and draws; the drawing parts are pure functions of what the services answer.
//!
//! Holds no rule and no SQL. Everything works without script; the home page's numbers then stand still.

mod activate;
mod denials;
mod disable;
mod flash;
mod give_back;
mod holders;
mod home;
mod logs;
mod notices;
mod online;
mod passes;
mod portal_line;
mod products;
mod release;
mod settings;
mod sign_in;
mod simulate;
mod stream;
mod usage;
mod visit;
mod words;

use crate::config::SettingProblem;
use crate::server::Server;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use leasehold_web::extract::UPLOAD_BYTES_MAX;
use leasehold_web::headers::{self, Hsts};
use leasehold_web::listener::Connection;
use leasehold_web::live::Streams;
use leasehold_web::problem::{self, ApiProblem, Problem, as_page, catch_panic, who};
use leasehold_web::shutdown::Shutdown;
use leasehold_web::{assets, csrf, proxy};
use std::sync::Arc;
use visit::Visit;

/// Room for the other fields of a form with a file, in bytes.
const FORM_BYTES: usize = 64 * 1024;

/// State of every page. Cheap to clone.
#[derive(Clone, Debug)]
struct Pages {
    server: Server,
    streams: Streams,
    /// The machine's name.
    host: Arc<str>,
}

/// A page: its method, its address, and what answers there.
struct Page(Method, &'static str, MethodRouter<Pages>);

fn all_pages() -> Vec<Page> {
    let read = |path, answer: MethodRouter<Pages>| Page(Method::GET, path, answer);
    let send = |path, answer: MethodRouter<Pages>| Page(Method::POST, path, answer);
    vec![
        read("/", get(home::home)),
        read("/live", get(home::live)),
        read("/holders", get(home::holders)),
        read("/holders/release", get(release::question)),
        send("/holders/release", post(release::release)),
        send("/denials/lift", post(denials::lift)),
        read("/denials", get(denials::denials)),
        read("/simulate", get(simulate::simulate)),
        read("/setup", get(sign_in::setup_form)),
        send("/setup", post(sign_in::set_up)),
        read("/sign-in", get(sign_in::form)),
        send("/sign-in", post(sign_in::sign_in)),
        send("/sign-out", post(sign_in::sign_out)),
        read("/activate", get(activate::form)),
        send("/activate", post(activate::upload)),
        read("/activate/request", get(activate::request_file)),
        read("/online", get(online::overview)),
        read("/online/live", get(online::live)),
        read("/online/enable", get(online::enable::form)),
        send("/online/enable", post(online::enable::enable)),
        send("/online/test", post(online::connection::test)),
        send("/online/refresh", post(online::refresh)),
        read(online::offline::PATH, get(online::offline::form)),
        send(online::offline::PATH, post(online::offline::submit)),
        read("/passes", get(passes::overview)),
        send("/passes", post(passes::upload)),
        send("/passes/file", post(passes::file)),
        read("/passes/lost", get(passes::question)),
        send("/passes/lost", post(passes::lost)),
        send("/passes/not-out", post(passes::not_out)),
        read("/disable", get(disable::question)),
        send("/disable", post(disable::disable)),
        read("/disable/live", get(disable::live)),
        read("/disable/receipt", get(disable::receipt_file)),
        read("/give-back", get(give_back::form)),
        send("/give-back", post(give_back::give_back)),
        read("/give-back/receipt", get(give_back::receipt)),
        read("/settings", get(settings::general)),
        read("/settings/network", get(settings::network)),
        read("/settings/portal", get(settings::portal)),
        read("/settings/seats", get(settings::seats)),
        read("/settings/administrators", get(settings::accounts)),
        read("/settings/live", get(settings::live)),
        read("/settings/backup", get(settings::care)),
        send("/settings/backup", post(settings::back_up)),
        send("/settings/support", post(settings::bundle)),
        send("/settings/save", post(settings::save)),
        send("/settings/test", post(settings::test)),
        send("/settings/confirm", post(settings::keep)),
        send("/settings/take-back", post(settings::take_back)),
        send("/settings/certificate", post(settings::certificate)),
        send("/settings/certificate/self-signed", post(settings::self_signed)),
        send("/settings/password", post(settings::change_password)),
        send("/settings/administrators", post(settings::add)),
        read("/settings/administrators/account", get(settings::ask_removal)),
        send("/settings/administrators/kind", post(settings::change_kind)),
        send("/settings/administrators/password", post(settings::change_password_of)),
        send("/settings/administrators/remove", post(settings::remove)),
        send("/settings/sessions/end", post(settings::end_session)),
        send("/settings/sessions/end-others", post(settings::end_others)),
        read("/usage", get(usage::usage)),
        read("/usage/data", get(usage::data)),
        read("/usage/log", get(logs::usage)),
        read("/audit", get(logs::audit)),
    ]
}

/// Method and address of every page, so that a test can say who may open it.
pub fn page_routes() -> Vec<(Method, &'static str)> {
    all_pages().into_iter().map(|Page(method, path, _)| (method, path)).collect()
}

/// Every page, with its layers. Addresses that no page has answer 404, as a page.
///
/// # Errors
/// `public_url` in the configuration is more than an origin: the check of settings should have found it.
pub(crate) fn router(server: Server, shutdown: Shutdown) -> Result<Router, SettingProblem> {
    let public_url = server.public_url().map(|url| url.trim_end_matches('/').to_owned());
    let csrf = csrf::layer(public_url.as_deref()).map_err(|_| SettingProblem::not_an_origin())?;
    let host = leasehold_host::host_name().into();
    let pages = Pages { server, streams: Streams::new(shutdown), host };
    let routes =
        all_pages().into_iter().fold(Router::new(), |router, Page(_, path, answer)| router.route(path, answer));
    let routes = routes
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX + FORM_BYTES))
        .layer(catch_panic())
        .layer(csrf)
        .layer(middleware::from_fn_with_state(pages.clone(), enter))
        .with_state(pages);
    Ok(headers::for_pages(routes.merge(assets::router()), Hsts::Off))
}

/// Around every page: finds out who asks, and shows problems as pages.
async fn enter(State(pages): State<Pages>, connection: Connection, mut request: Request, next: Next) -> Response {
    // Wrong addresses of the API end here too; programs want to read their problems as they are.
    if request.uri().path().starts_with("/v1/") {
        return next.run(request).await;
    }
    let visit = match Visit::of(&pages, &connection, request.uri(), request.headers()).await {
        Ok(visit) => visit,
        Err(problem) => return as_page(problem.into_response(), visit::bare_problem_page),
    };
    let answer = match strange_host(&pages, &connection, &request) {
        Some(problem) => problem.into_response(),
        None if visit.must_sign_in() => visit.to_sign_in(),
        None => {
            request.extensions_mut().insert(visit.clone());
            next.run(request).await
        }
    };
    as_page(answer, |problem| visit.problem_page(problem))
}

/// On the server's own machine the name in the address must be one of this machine's. Otherwise a foreign web site could
/// have its name point here and speak to this server as if from here.
fn strange_host(pages: &Pages, connection: &Connection, request: &Request) -> Option<ApiProblem> {
    if connection.tls || !proxy::is_loopback(connection, request.headers()) {
        return None;
    }
    let public = pages.server.public_url();
    let public = public.as_deref();
    let public =
        public.and_then(|url| url.split_once("://")).map(|(_, rest)| rest.split(['/', ':']).next().unwrap_or(rest));
    let short = pages.host.split('.').next().unwrap_or_default();
    let ours: Vec<&str> = public.into_iter().chain([&*pages.host, short]).filter(|name| !name.is_empty()).collect();
    let asked = proxy::requested_host(request.uri(), request.headers());
    if asked.is_some_and(|host| proxy::host_allowed(host, &ours)) {
        return None;
    }
    let problem = Problem::new(421, "UNKNOWN_HOST", "This license server is not called by that name.")
        .detail("On its own machine it answers to localhost, to addresses, to the machine's name and to `public_url`.")
        .next("Use such an address, or set `public_url` in server.toml.", who::ADMINISTRATOR);
    Some(problem.into())
}

/// A file to keep: not shown in the browser.
fn download(name: &str, text: String) -> Response {
    download_of("application/x-pem-file", name, text)
}

/// The same for a file of another kind.
fn download_of(kind: &'static str, name: &str, content: impl IntoResponse) -> Response {
    // The name is made of the plain characters that `file_name` lets through.
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, disposition)], content).into_response()
}

/// `PREFIX-HOST.ENDING` with what is safe in a file name of any system.
fn file_name(prefix: &str, host: &str, ending: &str) -> String {
    let host: String = host
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '.' { c } else { '-' })
        .take(60)
        .collect();
    format!("{prefix}-{host}.{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_hold_nothing_that_a_header_or_a_disk_minds() {
        assert_eq!(file_name("request", "lic server\"\r\né/x.y", "pem"), "request-lic-server-----x.y.pem");
    }
}
