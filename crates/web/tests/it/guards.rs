//! Headers, cross-site requests, panics, and problems shown as pages.

use crate::support::ask;
use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{get, post};
use leasehold_web::components::problem_panel;
use leasehold_web::headers::{self, Hsts};
use leasehold_web::page::{Frame, page};
use leasehold_web::problem::{ApiProblem, Problem, as_page, catch_panic};
use leasehold_web::{assets, csrf};

fn get_request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn pages_load_nothing_foreign_and_nothing_inline() {
    let content = async || page(&Frame::new("Server", "Home", "0"), leasehold_web::maud::html! { p { "x" } });
    let router = headers::for_pages(Router::new().route("/", get(content)).merge(assets::router()), Hsts::On);
    let (head, body) = ask(&router, get_request("/")).await;
    let value = |name: &str| head.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
    for part in ["default-src 'self'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
        assert!(value("content-security-policy").contains(part), "{part}");
    }
    assert!(!value("content-security-policy").contains("unsafe"));
    assert_eq!(value("x-content-type-options"), "nosniff");
    assert_eq!(value("cache-control"), "no-store");
    assert_eq!(value("strict-transport-security"), "max-age=31536000");
    assert!(!body.contains("style=") && !body.contains("<style") && !body.contains(" on"), "{body}");

    let (head, _) = ask(&router, get_request(assets::style_path())).await;
    assert!(head.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"), "files keep their own rule");
    for path in [assets::style_path(), assets::script_path(), assets::icon_path()] {
        assert!(body.contains(path), "the page links {path}");
        assert_eq!(ask(&router, get_request(path)).await.0.status(), 200);
    }
}

#[tokio::test]
async fn an_api_answer_opened_in_a_browser_loads_nothing() {
    let router = headers::for_api(Router::new().route("/", get(async || "{}")), Hsts::Off);
    let (head, _) = ask(&router, get_request("/")).await;
    assert!(head.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().contains("default-src 'none'"));
    assert!(!head.headers().contains_key(header::STRICT_TRANSPORT_SECURITY));
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_change_something() {
    let router = Router::new()
        .route("/change", post(async || "changed").get(async || "seen"))
        .layer(csrf::layer(Some("https://licenses.example.com")).unwrap());
    type Case = (&'static str, &'static [(&'static str, &'static str)], u16);
    let table: [Case; 9] = [
        ("its own page", &[("sec-fetch-site", "same-origin")], 200),
        ("typed in", &[("sec-fetch-site", "none")], 200),
        ("a program", &[], 200),
        ("old browser, own page", &[("origin", "http://server:30304")], 200),
        (
            "behind a proxy that renames",
            &[("sec-fetch-site", "same-site"), ("origin", "https://licenses.example.com")],
            200,
        ),
        ("another site", &[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], 403),
        ("a sister domain", &[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")], 403),
        ("old browser, another site", &[("origin", "https://evil.example")], 403),
        ("another port of this host", &[("origin", "http://server:8080")], 403),
    ];
    for (what, list, status) in table {
        let mut request = Request::post("/change").header("host", "server:30304");
        for (name, value) in list {
            request = request.header(*name, *value);
        }
        let (head, body) = ask(&router, request.body(Body::empty()).unwrap()).await;
        assert_eq!(head.status().as_u16(), status, "{what}: {body}");
        assert_eq!(body.contains("CROSS_SITE"), status == 403, "{what}: {body}");
    }
    let looking = Request::get("/change").header("sec-fetch-site", "cross-site").body(Body::empty()).unwrap();
    assert_eq!(ask(&router, looking).await.1, "seen", "a link from elsewhere still works");
    assert!(csrf::layer(Some("licenses.example.com/path")).is_err());
}

#[tokio::test]
async fn a_panic_is_a_problem_that_tells_nothing() {
    async fn broken() -> &'static str {
        panic!("secret detail")
    }
    let router = Router::new().route("/", get(broken)).layer(catch_panic());
    let (head, body) = ask(&router, get_request("/")).await;
    assert_eq!(head.status(), 500);
    assert!(body.contains(r#""code":"INTERNAL""#) && !body.contains("secret"), "{body}");
}

#[tokio::test]
async fn a_problem_on_a_page_router_is_a_page() {
    let refuse = async || -> Result<&'static str, ApiProblem> {
        let problem = Problem::new(409, "IN_USE", "It is in use.").detail("<b>by somebody</b>").next("Wait.", "you");
        Err(problem.into())
    };
    let draw = async |response: Response| {
        as_page(response, |problem| page(&Frame::new("Server", &problem.title, "0"), problem_panel(problem)))
    };
    let router = Router::new().route("/", get(refuse)).route("/fine", get(async || "fine")).layer(map_response(draw));
    let (head, body) = ask(&router, get_request("/")).await;
    assert_eq!(head.status(), 409);
    assert!(head.headers()[header::CONTENT_TYPE].to_str().unwrap().starts_with("text/html"));
    for part in ["It is in use.", "&lt;b&gt;by somebody&lt;/b&gt;", "Wait.", "IN_USE"] {
        assert!(body.contains(part), "{part} is missing in {body}");
    }
    assert_eq!(ask(&router, get_request("/fine")).await.1, "fine");
}
