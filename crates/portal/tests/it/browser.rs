//! A browser as far as these tests need one: forms, uploads, and what comes back.

use crate::api::{Answer, Http};
use axum::body::Body;
use axum::http::{Method, Request, header};

const BOUNDARY: &str = "----portal-test";

/// A browser that is signed in, or not.
pub(crate) struct Browser<'a> {
    http: &'a Http,
    pub(crate) token: Option<String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn of(http: &'a Http, email: Option<&str>) -> Browser<'a> {
        Browser { http, token: email.map(|email| http.token(email)) }
    }

    fn send(&self, method: Method, path: &str, kind: Option<&str>, body: String) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, "text/html,application/xhtml+xml")
            .header("sec-fetch-site", "same-origin");
        if let Some(token) = &self.token {
            request = request.header(header::COOKIE, format!("leasehold_portal={token}"));
        }
        if let Some(kind) = kind {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        self.http.send(request.body(Body::from(body)).unwrap())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, String::new())
    }

    pub(crate) fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pair = |(name, value): &(&str, &str)| format!("{}={}", encoded(name), encoded(value));
        let body: Vec<String> = fields.iter().map(pair).collect();
        self.send(Method::POST, path, Some("application/x-www-form-urlencoded"), body.join("&"))
    }

    pub(crate) fn upload(&self, path: &str, file: &str, fields: &[(&str, &str)]) -> Answer {
        let mut body = String::new();
        for (name, value) in fields {
            body += &format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        body += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n{file}\r\n--{BOUNDARY}--\r\n"
        );
        self.send(Method::POST, path, Some(&format!("multipart/form-data; boundary={BOUNDARY}")), body)
    }
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

pub(crate) fn location(answer: &Answer) -> &str {
    answer.headers.get(header::LOCATION).map_or("", |to| to.to_str().unwrap())
}

/// The value of a hidden field as the browser would send it.
pub(crate) fn hidden(page: &str, name: &str) -> String {
    let start = page.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name}"));
    let value = &page[start + name.len() + 15..];
    value[..value.find('"').unwrap()].to_owned()
}
