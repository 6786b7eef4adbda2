//! The cookie of a signed-in browser. Owns its name, its attributes and its token; who is behind a token is the
//! service's table, which stores [`SessionToken::hash`] only.

use aws_lc_rs::digest;
use axum::http::{HeaderMap, HeaderValue};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use leasehold_core::random::{self, Random};
use std::fmt;

/// Bytes of randomness in a token.
const TOKEN_BYTES: usize = 32;

/// A 256-bit secret that stands for a session. Only the browser keeps it; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionToken([u8; TOKEN_BYTES]);

impl SessionToken {
    /// A new token.
    pub fn draw(random: &mut dyn Random) -> SessionToken {
        SessionToken(random::bytes(random))
    }

    /// What the service stores and looks up: the SHA-256 of the token in lower-case hex.
    pub fn hash(&self) -> String {
        let hash = digest::digest(&digest::SHA256, &self.0);
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The token of a text such as [`SessionToken::text`] gives; `None` if it cannot be one.
    pub fn parse(text: &str) -> Option<SessionToken> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        bytes.try_into().ok().map(SessionToken)
    }

    /// The token itself, for whoever it was made for.
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for SessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionToken(..)")
    }
}

/// How the session cookie of one service looks.
///
/// Browsers share cookies between the ports of a host, so two services on one machine need different names.
#[derive(Clone, Debug)]
pub struct SessionCookie {
    name: String,
    secure: bool,
}

impl SessionCookie {
    /// `name` is letters, digits and `_`. `secure` where people come by HTTPS (TLS here, or a `public_url` of `https`):
    /// the cookie then is a `__Host-` one, which neither a sister domain nor plain HTTP can set.
    pub fn new(name: &str, secure: bool) -> SessionCookie {
        let name = if secure { format!("__Host-{name}") } else { name.to_owned() };
        SessionCookie { name, secure }
    }

    /// The token that a request brings, if it is one. Whether it is still good is for the service to say.
    pub fn read(&self, headers: &HeaderMap) -> Option<SessionToken> {
        SessionToken::parse(CookieJar::from_headers(headers).get(&self.name)?.value())
    }

    /// The `Set-Cookie` value that signs a browser in until it is closed. How long the session really runs is in the
    /// service's table.
    pub fn set(&self, token: &SessionToken) -> HeaderValue {
        self.header(token.text(), false)
    }

    /// The `Set-Cookie` value that makes a browser forget its token.
    pub fn clear(&self) -> HeaderValue {
        self.header(String::new(), true)
    }

    fn header(&self, value: String, forget: bool) -> HeaderValue {
        let mut cookie = Cookie::build((self.name.as_str(), value))
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .secure(self.secure)
            .build();
        if forget {
            cookie.make_removal();
        }
        // The name is the service's own and the value is base64url: there is nothing in it that a header refuses.
        HeaderValue::from_str(&cookie.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::header::COOKIE;
    use leasehold_core::random::Seeded;

    #[test]
    fn a_token_round_trips_and_is_stored_as_a_hash_only() {
        let token = SessionToken::draw(&mut Seeded::new(3));
        let cookie = SessionCookie::new("leasehold_portal", true);
        let set = cookie.set(&token);
        let set = set.to_str().unwrap();
        for part in ["__Host-leasehold_portal=", "; HttpOnly", "; SameSite=Lax", "; Secure", "; Path=/"] {
            assert!(set.contains(part), "{part} is missing in {set}");
        }
        assert!(!set.contains("Domain"), "a __Host- cookie has no domain");
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("a=b; {}", set.split(';').next().unwrap()).parse().unwrap());
        let read = cookie.read(&headers).unwrap();
        assert_eq!(read, token);
        assert_eq!(read.hash().len(), 64);
        assert!(!set.contains(&read.hash()) && !format!("{read:?}").contains(&read.text()));
        assert!(SessionCookie::new("leasehold_portal", false).read(&headers).is_none(), "plain HTTP has another name");
    }

    #[test]
    fn what_is_no_token_is_nobody() {
        let cookie = SessionCookie::new("s", false);
        for value in ["", "short", "!!!!", &"A".repeat(44), &"A".repeat(10_000)] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, format!("s={value}").parse().unwrap());
            assert!(cookie.read(&headers).is_none(), "{value}");
        }
    }

    #[test]
    fn clearing_ends_the_cookie() {
        let cleared = SessionCookie::new("s", true).clear();
        assert!(cleared.to_str().unwrap().contains("Max-Age=0"));
    }
}
