//! A browser as far as forms and cookies go.

use crate::support::{Call, Running};
use std::io::{BufRead, BufReader, Lines};
use std::time::Duration;

/// The administrator's password.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A browser: it keeps its cookie, and shows where it is led to instead of following.
pub(crate) struct Browser<'a> {
    pub(crate) server: &'a Running,
    pub(crate) agent: ureq::Agent,
    pub(crate) cookie: Option<String>,
}

/// What it shows.
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) to: String,
    pub(crate) cookie: Option<String>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(server: &'a Running) -> Browser<'a> {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(90)))
            .build();
        Browser { server, agent: ureq::Agent::new_with_config(config), cookie: None }
    }

    pub(crate) fn signed_in(server: &'a Running) -> Browser<'a> {
        let mut browser = Browser::new(server);
        let secret = server.ready.setup_secret.clone().unwrap();
        let done = browser.post("/setup", &format!("secret={secret}&password={PASSWORD}&again={PASSWORD}"));
        assert_eq!((done.status, done.to.as_str()), (303, "/online"), "{}", done.text);
        browser.cookie = done.cookie;
        browser
    }

    /// The administrator once more, in another browser.
    pub(crate) fn signed_in_again(server: &'a Running) -> Browser<'a> {
        let mut browser = Browser::new(server);
        browser.cookie = browser.post("/sign-in", &format!("name=administrator&password={PASSWORD}&next=/")).cookie;
        assert!(browser.cookie.is_some());
        browser
    }

    /// A read-only account, which an administrator adds, signed in.
    pub(crate) fn reader(server: &'a Running) -> Browser<'a> {
        let wish = serde_json::json!({"name": "reader", "kind": "read_only", "password": PASSWORD});
        let token = server.admin_token();
        let added = server.call(Call {
            method: "POST",
            path: "/v1/administrators",
            bearer: Some(&token),
            json: Some(wish),
            ..Call::default()
        });
        assert_eq!(added.status, 201, "{added:?}");
        let mut browser = Browser::new(server);
        browser.cookie = browser.post("/sign-in", &format!("name=reader&password={PASSWORD}&next=/")).cookie;
        browser
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Shown {
        let mut request = ureq::http::Request::builder().method(method).uri(self.server.url(path));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = if method == "GET" {
            self.agent.run(request.body(()).unwrap())
        } else {
            self.agent.run(request.body(body).unwrap())
        };
        let mut reply = reply.unwrap();
        let header = |name| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let to = header("location").unwrap_or_default();
        let cookie = header("set-cookie").map(|cookie| cookie.split(';').next().unwrap().to_owned());
        assert!(header("content-security-policy").is_some_and(|policy| policy.contains("frame-ancestors 'none'")));
        Shown { status: reply.status().as_u16(), text: reply.body_mut().read_to_string().unwrap(), to, cookie }
    }

    /// The status alone: what follows may never end.
    pub(crate) fn status(&self, method: &str, path: &str, form: &str) -> u16 {
        let mut request = ureq::http::Request::builder().method(method).uri(self.server.url(path));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let reply = match method {
            "GET" => self.agent.run(request.body(()).unwrap()),
            _ => {
                self.agent.run(request.header("content-type", "application/x-www-form-urlencoded").body(form).unwrap())
            }
        };
        reply.unwrap().status().as_u16()
    }

    /// Follows an event stream.
    pub(crate) fn follow(&self, path: &str) -> Follow {
        let mut request = ureq::http::Request::get(self.server.url(path));
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let stream = self.agent.run(request.body(()).unwrap()).unwrap();
        Follow(BufReader::new(stream.into_body().into_reader()).lines())
    }

    pub(crate) fn get(&self, path: &str) -> Shown {
        self.send("GET", path, "", &[])
    }

    pub(crate) fn post(&self, path: &str, form: &str) -> Shown {
        self.send("POST", path, form, &[("content-type", "application/x-www-form-urlencoded")])
    }

    pub(crate) fn upload(&self, file: &str) -> Shown {
        let body = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.crt\"\r\n\r\n{file}\r\n--edge--\r\n"
        );
        self.send("POST", "/activate", &body, &[("content-type", "multipart/form-data; boundary=edge")])
    }
}

/// An event stream.
pub(crate) struct Follow(Lines<BufReader<ureq::BodyReader<'static>>>);

impl Follow {
    /// Waits until the element `id` says `part`.
    pub(crate) fn until(&mut self, id: &str, part: &str) {
        let mut shown = String::new();
        // The agent's time limit ends a stream that never says it.
        for line in self.0.by_ref() {
            let line = line.unwrap();
            if let Some(name) = line.strip_prefix("data: ").filter(|text| !text.starts_with('<')) {
                shown = name.to_owned();
            } else if shown == id && line.contains(part) {
                return;
            }
        }
        panic!("the stream ended without {part} in {id}");
    }
}
