//! Every kind of bad body, query and path is a problem with its own code, and says what to mend.

use crate::support::ask;
use axum::Router;
use axum::body::Body;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Request, header};
use axum::routing::{get, post};
use leasehold_web::extract::{API_BODY_BYTES_MAX, ApiJson, ApiPath, ApiQuery, PageForm, UPLOAD_BYTES_MAX, Upload};
use leasehold_web::problem::{Problem, method_not_allowed, not_found};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    feature: String,
    seats: u32,
}

fn router() -> Router {
    let order = async |ApiJson(order): ApiJson<Order>| format!("{} {}", order.feature, order.seats);
    let form = async |PageForm(order): PageForm<Order>| format!("{} {}", order.feature, order.seats);
    let query = async |ApiQuery(order): ApiQuery<Order>| format!("{} {}", order.feature, order.seats);
    let path = async |ApiPath(n): ApiPath<u32>| n.to_string();
    let upload =
        async |upload: Upload| format!("{} {} {:?}", upload.bytes.len(), upload.file_name, upload.field("name"));
    Router::new()
        .route("/order", post(order))
        .route("/form", post(form))
        .route("/query", get(query))
        .route("/path/{n}", get(path))
        .layer(DefaultBodyLimit::max(API_BODY_BYTES_MAX))
        .route("/upload", post(upload).layer(DefaultBodyLimit::max(UPLOAD_BYTES_MAX + API_BODY_BYTES_MAX)))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
}

async fn answer(method: Method, path: &str, kind: Option<&str>, body: impl Into<Body>) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let (head, body) = ask(&router(), request.body(body.into()).unwrap()).await;
    if head.status().is_success() {
        return (head.status().as_u16(), body);
    }
    assert_eq!(head.headers()[header::CONTENT_TYPE], "application/problem+json", "{body}");
    let problem: Problem = serde_json::from_str(&body).unwrap();
    assert_eq!(problem.status, head.status().as_u16());
    assert!(!problem.title.is_empty() && !problem.what_to_do.is_empty() && !problem.who.is_empty(), "{problem:?}");
    assert!(!body.contains('\u{202e}'), "what is repeated has no hidden characters: {body}");
    (problem.status, format!("{} {}", problem.code, problem.detail))
}

#[tokio::test]
async fn good_input_passes() {
    let json = Some("application/json; charset=utf-8");
    let good = answer(Method::POST, "/order", json, r#"{"feature":"studio.gui","seats":2}"#).await;
    assert_eq!(good, (200, "studio.gui 2".to_owned()));
    let form = Some("application/x-www-form-urlencoded");
    assert_eq!(answer(Method::POST, "/form", form, "feature=a&seats=1").await, (200, "a 1".to_owned()));
    assert_eq!(answer(Method::GET, "/query?feature=a&seats=1", None, "").await, (200, "a 1".to_owned()));
    assert_eq!(answer(Method::GET, "/path/7", None, "").await, (200, "7".to_owned()));
}

#[tokio::test]
async fn each_bad_json_body_is_its_own_problem() {
    let too_large = format!(r#"{{"feature":"{}","seats":1}}"#, "x".repeat(API_BODY_BYTES_MAX));
    let table: [(Option<&str>, &str, u16, &str, &str); 12] = [
        (None, "{}", 415, "NOT_JSON", ""),
        (Some("text/plain"), r#"{"feature":"a","seats":1}"#, 415, "NOT_JSON", ""),
        (Some("application/json"), "", 400, "BAD_JSON", "line 1"),
        (Some("application/json"), r#"{"feature":"a","seats":1"#, 400, "BAD_JSON", "line 1"),
        (Some("application/json"), r#"{"feature":"a","seats":1} {}"#, 400, "BAD_JSON", "trailing"),
        (Some("application/json"), r#"{"feature":"a"}"#, 422, "BAD_FIELD", "seats"),
        (Some("application/json"), r#"{"feature":"a","seats":"1"}"#, 422, "BAD_FIELD", "seats"),
        (Some("application/json"), r#"{"feature":"a","seats":-1}"#, 422, "BAD_FIELD", "seats"),
        (Some("application/json"), r#"{"feature":"a","seats":1,"seats":2}"#, 422, "BAD_FIELD", "duplicate"),
        (Some("application/json"), r#"{"feature":"a","seats":1,"seat":2}"#, 422, "BAD_FIELD", "unknown field `seat`"),
        (Some("application/json"), "{\"feature\":\"a\",\"\u{202e}\":2}", 422, "BAD_FIELD", "[U+202E]"),
        (Some("application/json"), &too_large, 413, "TOO_LARGE", "not read"),
    ];
    for (kind, body, status, code, detail) in table {
        let shown: String = body.chars().take(60).collect();
        let (got, said) = answer(Method::POST, "/order", kind, body.to_owned()).await;
        assert_eq!(got, status, "{shown}: {said}");
        assert!(said.starts_with(code) && said.contains(detail), "{shown}: {said}");
        assert!(said.chars().count() < 400, "what is repeated is bounded");
    }
}

#[tokio::test]
async fn bad_queries_paths_methods_and_forms_are_problems() {
    let said = answer(Method::GET, "/query?feature=a&seats=x", None, "").await;
    assert!(said.0 == 400 && said.1.starts_with("BAD_QUERY") && said.1.contains("seats"), "{said:?}");
    let said = answer(Method::GET, "/query?feature=a&seats=1&more=1", None, "").await;
    assert!(said.0 == 400 && said.1.contains("more"), "{said:?}");
    let said = answer(Method::GET, "/path/seven", None, "").await;
    assert!(said.0 == 404 && said.1.starts_with("NOT_FOUND"), "{said:?}");
    assert_eq!(answer(Method::GET, "/nowhere", None, "").await.0, 404);
    let said = answer(Method::DELETE, "/order", None, "").await;
    assert!(said.0 == 405 && said.1.starts_with("METHOD_NOT_ALLOWED"), "{said:?}");
    let form = Some("application/x-www-form-urlencoded");
    let said = answer(Method::POST, "/form", form, "feature=a&seats=x").await;
    assert!(said.0 == 422 && said.1.starts_with("BAD_FORM"), "{said:?}");
    let said = answer(Method::POST, "/form", form, "x".repeat(API_BODY_BYTES_MAX + 1)).await;
    assert!(said.0 == 413 && said.1.starts_with("TOO_LARGE"), "{said:?}");
}

fn multipart(parts: &[(&str, &str)]) -> String {
    let parts = parts.iter().map(|(disposition, content)| {
        format!("--B\r\ncontent-disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
    });
    format!("{}--B--\r\n", parts.collect::<String>())
}

#[tokio::test]
async fn one_file_is_taken_and_anything_else_is_refused() {
    let kind = Some("multipart/form-data; boundary=B");
    let file = r#"name="file"; filename="a.crt""#;
    let both = multipart(&[(r#"name="name""#, "farm"), (file, "PEM")]);
    assert_eq!(answer(Method::POST, "/upload", kind, both.clone()).await, (200, r#"3 a.crt Some("farm")"#.to_owned()));

    let largest = "x".repeat(UPLOAD_BYTES_MAX);
    assert_eq!(answer(Method::POST, "/upload", kind, multipart(&[(file, &largest)])).await.0, 200);
    let over = format!("{largest}x");
    let over_by_far = "x".repeat(UPLOAD_BYTES_MAX * 2);
    let many = vec![(r#"name="n""#, "v"); 40];
    let cut_off = both[..both.len() - 12].to_owned();
    let table: [(Option<&str>, String, u16, &str); 8] = [
        (kind, multipart(&[]), 422, "NO_FILE"),
        (kind, multipart(&[(file, "")]), 422, "NO_FILE"),
        (kind, multipart(&[(file, &over)]), 413, "FILE_OVERSIZED"),
        (kind, multipart(&[(file, &over_by_far)]), 413, "FILE_OVERSIZED"),
        (kind, multipart(&[(r#"name="name""#, &"x".repeat(40_000)), (file, "PEM")]), 413, "TOO_LARGE"),
        (kind, multipart(&many), 422, "BAD_FORM"),
        (kind, cut_off, 400, "BODY_CUT_OFF"),
        (Some("application/json"), "{}".to_owned(), 422, "BAD_FORM"),
    ];
    for (kind, body, status, code) in table {
        let (got, said) = answer(Method::POST, "/upload", kind, body).await;
        assert!(got == status && said.starts_with(code), "expected {status} {code}, got {got} {said}");
    }
}
