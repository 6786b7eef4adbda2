//! The REST API: what it adds to the services, which is headers, bodies and status codes.

use crate::world::{HOME, PASSWORD, World, id};
use axum::body::{Body, HttpBody};
use axum::http::{Method, Request, StatusCode, header};
use axum::{Router, body};
use leasehold_db::Db;
use leasehold_db::testing::{fresh_in_line, on_both};
use leasehold_portal::front::Front;
use leasehold_portal::service::sessions;
use leasehold_portal::{Config, serve};
use leasehold_trust::activation_file::read_activation_file;
use leasehold_web::listener::Connection;
use leasehold_web::shutdown::{Shutdown, shutdown_pair};
use leasehold_wire::portal::{Activated, License, Page, SignIn, SignedIn};
use leasehold_wire::problem::Problem;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;
use tokio::runtime::Runtime;
use tower::ServiceExt;

/// A portal's routes without a socket, and who is at the other end.
pub(crate) struct Http {
    pub(crate) world: World,
    router: Router,
    runtime: Runtime,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: axum::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn code(&self) -> String {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/problem+json");
        self.json::<Problem>().code.into_owned()
    }
}

impl Http {
    pub(crate) fn new(db: &Db) -> Http {
        Http::with(db, "")
    }

    pub(crate) fn with(db: &Db, settings: &str) -> Http {
        let world = World::new(db);
        let config = Config::parse(Path::new("/nowhere"), settings).unwrap();
        // It is about to stop: what would wait, such as open pages, ends with what there is.
        let (_, stopped) = shutdown_pair();
        Http::until(world, &config, stopped)
    }

    /// A portal that stops when `shutdown` says so.
    pub(crate) fn until(world: World, config: &Config, shutdown: Shutdown) -> Http {
        let front = Front::new(world.portal.clone(), config).until(shutdown);
        let router = serve::router(&front, config).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Http { world, router, runtime }
    }

    pub(crate) fn send(&self, mut request: Request<Body>) -> Answer {
        let peer = SocketAddr::from((HOME, 4000));
        let local = SocketAddr::from(([127, 0, 0, 1], 8080));
        request.headers_mut().entry(header::HOST).or_insert(header::HeaderValue::from_static("localhost:8080"));
        request.extensions_mut().insert(Connection { peer, local, tls: false, tls_epoch: 0, sni: None });
        let router = self.router.clone();
        self.runtime.block_on(async move {
            let response = router.oneshot(request).await.unwrap();
            let (head, body) = response.into_parts();
            let body = body::to_bytes(body, 10 << 20).await.unwrap().to_vec();
            Answer { status: head.status, headers: head.headers, body }
        })
    }

    /// Opens the event stream of a page. Whatever waits in it goes on while [`Stream::until`] looks.
    pub(crate) fn open(&self, path: &str, token: &str) -> Stream<'_> {
        let request = Request::get(path)
            .header(header::HOST, "localhost:8080")
            .header(header::COOKIE, format!("leasehold_portal={token}"));
        let mut request = request.body(Body::empty()).unwrap();
        let (peer, local) = (SocketAddr::from((HOME, 4000)), SocketAddr::from(([127, 0, 0, 1], 8080)));
        request.extensions_mut().insert(Connection { peer, local, tls: false, tls_epoch: 0, sni: None });
        let response = self.runtime.block_on(self.router.clone().oneshot(request)).unwrap();
        Stream { http: self, status: response.status(), body: response.into_body(), text: String::new() }
    }

    pub(crate) fn call(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        self.keyed(method, path, token, body, None)
    }

    pub(crate) fn keyed(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
        key: Option<&str>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = match body {
            None => Body::empty(),
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
        };
        self.send(request.body(body).unwrap())
    }

    /// A form, as programs send it.
    pub(crate) fn form(&self, path: &str, token: Option<&str>, body: &str) -> Answer {
        let mut request = Request::post(path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
    }

    pub(crate) fn token(&self, email: &str) -> String {
        let wish = SignIn { email: email.into(), password: PASSWORD.into() };
        sessions::sign_in(&self.world.portal, HOME, "", &wish).unwrap().0.text()
    }
}

/// The event stream of a page, as far as it was read.
pub(crate) struct Stream<'a> {
    http: &'a Http,
    pub(crate) status: StatusCode,
    body: Body,
    text: String,
}

impl Stream<'_> {
    /// Reads until `what` arrives; `false` if the stream ends before.
    pub(crate) fn until(&mut self, what: &str) -> bool {
        let Stream { http, body, text, .. } = self;
        let read = async {
            while !text.contains(what) {
                let next = std::future::poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await;
                let Some(frame) = next else { return false };
                text.push_str(&String::from_utf8_lossy(&frame.unwrap().into_data().unwrap_or_default()));
            }
            true
        };
        let patient = http.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(20), read).await });
        patient.unwrap_or_else(|_| panic!("{what} does not come"))
    }

    /// Forgets what was read.
    pub(crate) fn forget(&mut self) {
        self.text.clear();
    }
}

#[test]
fn a_sale_and_an_activation_over_http() {
    on_both(|db| {
        let http = Http::new(db);
        let sign_in = json!({ "email": "olga@acme.example", "password": PASSWORD });
        let olga: SignedIn = http.call(Method::POST, "/api/v1/sessions", None, Some(sign_in)).json();
        let olga = Some(olga.token.as_str());
        let account = json!({ "email": "ada@studio.example", "name": "Ada", "password": PASSWORD });
        let account: Value = http.call(Method::POST, "/api/v1/accounts", olga, Some(account)).json();
        let product = json!({ "code": "studio", "name": "Studio", "share": "user_host",
                              "features": { "studio.gui": 1, "studio.render": 1 } });
        let product: Value = http.call(Method::POST, "/api/v1/products", olga, Some(product)).json();
        let license = json!({ "owner": account["id"], "product": product["id"], "seats": 10, "kind": "floating",
                              "channel": "commercial", "term": { "term": "subscription", "until": "2028-01-31" } });
        let answer = http.call(Method::POST, "/api/v1/licenses", olga, Some(license));
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        let license: License = answer.json();
        assert_eq!(license.ends_at.unwrap().0.rfc3339(), "2028-02-01T12:00:00Z");

        let ada = http.token("ada@studio.example");
        let ada = Some(ada.as_str());
        let server = http.world.server();
        let until = http.world.in_days(30);
        let wish = json!({ "request": server.request(&http.world), "name": "Render farm",
                           "lines": [{ "license": license.id, "seats": 6, "until": until }] });
        let answer = http.call(Method::POST, "/api/v1/workstations", ada, Some(wish));
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text());
        let activated: Activated = answer.json();
        let path = format!("/api/v1/workstations/{}/certificate", activated.workstation.id);
        let file = http.call(Method::GET, &path, ada, None);
        assert_eq!(file.headers[header::CONTENT_TYPE], "application/x-pem-file");
        assert_eq!(file.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"Render-farm-rev1.crt\"");
        assert_eq!(file.headers[header::CACHE_CONTROL], "no-store");
        let root = http.world.portal.root();
        read_activation_file(&file.body, Some(root), &server.key.public(), None, http.world.now()).unwrap();
        let mine: Page<License> = http.call(Method::GET, "/api/v1/licenses", ada, None).json();
        assert_eq!((mine.items[0].seats_out, mine.items[0].seats_free), (6, 4));
    });
}

#[test]
fn a_key_makes_a_request_happen_once() {
    on_both(|db| {
        let http = Http::new(db);
        let ada = http.world.customer("ada");
        let product = http.world.product("studio");
        let license = http.world.license(&ada, product, 10);
        let (olga, token) = (http.token("olga@acme.example"), http.token("ada@studio.example"));
        let file = http.world.server().request(&http.world);
        let activation = json!({ "request": file });
        let posts = [
            ("/api/v1/accounts", &olga, json!({ "email": "x@y.example", "name": "X", "password": PASSWORD })),
            ("/api/v1/products", &olga, json!({ "code": "p", "name": "P", "share": "none", "features": { "p.x": 1 } })),
            ("/api/v1/licenses", &olga, serde_json::to_value(http.world.wish(&ada, product, 3)).unwrap()),
            ("/api/v1/workstations", &token, activation.clone()),
        ];
        for (path, token, body) in posts {
            let send = |body: &Value, key| http.keyed(Method::POST, path, Some(token), Some(body.clone()), key);
            let first = send(&body, Some("key-1"));
            assert_eq!(first.status, StatusCode::CREATED, "{path}: {}", first.text());
            let again = send(&body, Some("key-1"));
            assert_eq!((again.status, again.text()), (first.status, first.text()), "{path}");
            let mut other = body.clone();
            other["name"] = json!("another name");
            other["label"] = json!("another label");
            if path == "/api/v1/licenses" {
                other.as_object_mut().unwrap().remove("name");
            } else {
                other.as_object_mut().unwrap().remove("label");
            }
            let reused = send(&other, Some("key-1"));
            assert_eq!(
                (reused.status, reused.code().as_str()),
                (StatusCode::UNPROCESSABLE_ENTITY, "KEY_REUSED"),
                "{path}"
            );
            // The key is for one request: each path needs its own here.
            db.write(|tx| tx.exec("DELETE FROM idempotency", &[])).unwrap();
        }
        assert_eq!(http.world.look(license).holders.len(), 1);
        // A request that failed is not remembered: it may succeed later.
        let workstation = http.world.look(license).holders[0].workstation;
        let renew = format!("/api/v1/workstations/{workstation}/renew");
        let wish = json!({ "lines": [{ "license": license, "seats": 11, "until": http.world.in_days(10) }] });
        let refused = http.keyed(Method::POST, &renew, Some(&token), Some(wish.clone()), Some("key-2"));
        assert_eq!(refused.code(), "NO_SEATS");
        leasehold_portal::service::licenses::change_seats(&http.world.portal, &http.world.operator, license, 11)
            .unwrap();
        let first = http.keyed(Method::POST, &renew, Some(&token), Some(wish.clone()), Some("key-2"));
        let again = http.keyed(Method::POST, &renew, Some(&token), Some(wish), Some("key-2"));
        assert_eq!(first.json::<Activated>().rev, 2);
        assert_eq!(again.json::<Activated>().rev, 2);
        for bad in ["", "a b", &"x".repeat(129)] {
            let answer = http.keyed(Method::POST, &renew, Some(&token), Some(json!({})), Some(bad));
            assert_eq!(answer.code(), "BAD_FIELD", "{bad:?}");
        }
        let another = http.keyed(Method::POST, "/api/v1/workstations", Some(&token), Some(activation), Some("key-3"));
        assert_eq!(another.code(), "FILE_REPLAYED");
    });
}

#[test]
fn unknown_fields_are_refused_on_every_write() {
    let http = Http::new(&fresh_in_line());
    let ada = http.world.customer("ada");
    http.world.license(&ada, http.world.product("studio"), 5);
    let workstation = http.world.activate(&ada, &http.world.server(), None).unwrap().workstation.id;
    let token = http.token("olga@acme.example");
    let (mut tried, document) = (0, leasehold_portal::openapi());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // Of the forms of OAuth a field that is not known is ignored (RFC 6749, 3.2).
            if operation["requestBody"]["content"]["application/json"].is_null() {
                continue;
            }
            let path = path
                .replace("{account}", &id(&ada).to_string())
                .replace("{workstation}", &workstation.to_string())
                .replace(
                    "{product}",
                    &http.world.draw(|now, r| leasehold_core::ids::ProductId::draw(now, r)).to_string(),
                )
                .replace(
                    "{license}",
                    &http.world.draw(|now, r| leasehold_core::ids::LicenseId::draw(now, r)).to_string(),
                )
                .replace(
                    "{organization}",
                    &http.world.draw(|now, r| leasehold_core::ids::OrganizationId::draw(now, r)).to_string(),
                );
            // Its body is signed, and read only from whoever signed it.
            if ["/api/v1/sync", "/api/v1/sync/pins", "/api/v1/sync/write-offs"].contains(&&*path) {
                continue;
            }
            tried += 1;
            let method: Method = method.to_uppercase().parse().unwrap();
            let answer = http.call(method.clone(), &path, Some(&token), Some(json!({ "surprise": 1 })));
            assert_eq!(answer.code(), "BAD_FIELD", "{method} {path}");
            assert!(answer.text().contains("surprise"), "{method} {path} names the field: {}", answer.text());
        }
    }
    assert!(tried >= 18, "only {tried} writes take a body");
}

#[test]
fn bearer_ignores_cookies_and_cookies_are_checked_for_their_site() {
    let http = Http::new(&fresh_in_line());
    http.world.customer("ada");
    let token = http.token("ada@studio.example");
    let cookie = format!("leasehold_portal={token}");
    let request = |extra: &[(&str, &str)]| {
        let mut request = Request::builder().method(Method::DELETE).uri("/api/v1/sessions/current");
        for (name, value) in extra {
            request = request.header(*name, *value);
        }
        http.send(request.body(Body::empty()).unwrap())
    };
    let stale = request(&[("authorization", "Bearer AAAA"), ("cookie", &cookie)]);
    assert_eq!(stale.code(), "SIGN_IN", "a wrong bearer token is not helped by a cookie");
    let basic = request(&[("authorization", "Basic YTpi"), ("cookie", &cookie)]);
    assert_eq!(basic.code(), "SIGN_IN");
    let cross = request(&[("cookie", &cookie), ("sec-fetch-site", "cross-site")]);
    assert_eq!((cross.status, cross.code().as_str()), (StatusCode::FORBIDDEN, "CROSS_SITE"));
    let own = request(&[("cookie", &cookie), ("sec-fetch-site", "same-origin")]);
    assert_eq!(own.status, StatusCode::NO_CONTENT);
}

#[test]
fn a_made_up_host_name_is_refused_without_tls() {
    let http =
        Http::with(&fresh_in_line(), "public_url = 'https://licenses.example.com'\ntrusted_proxies = ['10.0.0.1']");
    let get = |host: &str| {
        let request = Request::get("/healthz").header(header::HOST, host).body(Body::empty());
        http.send(request.unwrap()).status
    };
    assert_eq!(get("licenses.example.com"), StatusCode::NO_CONTENT);
    assert_eq!(get("127.0.0.1:8080"), StatusCode::NO_CONTENT);
    assert_eq!(get("rebound.attacker.example"), StatusCode::MISDIRECTED_REQUEST);
}

#[test]
fn a_file_that_is_too_large_says_so_and_so_does_a_body() {
    let http = Http::new(&fresh_in_line());
    http.world.customer("ada");
    let token = http.token("ada@studio.example");
    let post = |bytes: usize| {
        http.call(Method::POST, "/api/v1/workstations", Some(&token), Some(json!({ "request": "x".repeat(bytes) })))
    };
    assert_eq!(post(300 * 1024).code(), "FILE_OVERSIZED");
    assert_eq!(post(2 << 20).code(), "TOO_LARGE");
    let product = json!({ "code": "x".repeat(100 * 1024) });
    assert_eq!(http.call(Method::POST, "/api/v1/products", Some(&token), Some(product)).code(), "TOO_LARGE");
}

#[test]
fn what_is_not_there_is_a_problem_too() {
    let http = Http::new(&fresh_in_line());
    assert_eq!(http.call(Method::GET, "/api/v1/nothing", None, None).code(), "NOT_FOUND");
    assert_eq!(http.call(Method::PUT, "/api/v1/products", None, None).code(), "METHOD_NOT_ALLOWED");
    let token = http.token("olga@acme.example");
    assert_eq!(http.call(Method::GET, "/api/v1/licenses/ws_0", Some(&token), None).code(), "NOT_FOUND");
    assert_eq!(http.call(Method::GET, "/api/v1/licenses?limit=x", Some(&token), None).code(), "BAD_QUERY");
    assert_eq!(http.call(Method::GET, "/api/v1/licenses?surprise=1", Some(&token), None).code(), "BAD_QUERY");
}

#[test]
fn the_document_is_whole() {
    let document = leasehold_portal::openapi();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut ids = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path} says what it does"
            );
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "operation ids are unique");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"").skip(1) {
        let pointer = reference.split('"').next().unwrap().trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{pointer} is defined");
    }
}
