//! Letters over SMTP: one at a time, to whatever mail server the vendor has. Owns the connection's settings; which letter
//! is sent when is the outbox's (`service::outbox`).

use leasehold_core::time::Ms;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, SmtpTransport, Transport};
use std::fmt;
use std::time::{Duration, UNIX_EPOCH};

/// A mail server that says nothing for so long is tried again later.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How letters are sent. `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct MailSettings {
    /// The server's name or address.
    pub host: String,
    /// Its port; the usual one of the kind if not given.
    pub port: Option<u16>,
    /// TLS from the first byte (`smtps`); else the connection must switch to it (STARTTLS), unless it stays in this machine.
    pub tls: bool,
    /// From whom the letters are.
    pub from: String,
    /// Signs in with that name and password.
    pub account: Option<(String, String)>,
    /// A certificate authority of the vendor's own, PEM.
    pub ca: Option<Vec<u8>>,
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// A letter as it goes out.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// Makes its `Message-ID`: a letter that is sent twice is known to be one.
    pub id: &'a str,
    /// To which address.
    pub to: &'a str,
    /// Its subject.
    pub subject: &'a str,
    /// Its text.
    pub body: &'a str,
    /// When it was written.
    pub at: Ms,
}

/// Why a letter was not sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotSent {
    /// Trying again would be in vain.
    pub for_good: bool,
    /// What the mail server said, or why there was none. Hostile text.
    pub why: String,
}

/// Sends letters.
pub struct Mailer {
    transport: SmtpTransport,
    from: Mailbox,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").finish_non_exhaustive()
    }
}

impl Mailer {
    /// Prepares sending; connects to nothing yet.
    ///
    /// # Errors
    /// What of the settings cannot be used, as a sentence's end.
    pub fn new(settings: &MailSettings) -> Result<Mailer, String> {
        let from: Mailbox = settings
            .from
            .parse()
            .map_err(|_| format!("`from` is {:?}, and should be like Acme <mail@acme.example>", settings.from))?;
        let host = settings.host.as_str();
        let mut tls = TlsParameters::builder(host.to_owned());
        if let Some(ca) = &settings.ca {
            let ca = Certificate::from_pem(ca).map_err(|error| format!("`ca` cannot be used: {error}"))?;
            tls = tls.add_root_certificate(ca);
        }
        let tls = tls.build().map_err(|error| format!("`server` cannot be used with TLS: {error}"))?;
        let near = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        let (tls, port) = match (settings.tls, near) {
            (true, _) => (Tls::Wrapper(tls), 465),
            // What stays in this machine needs none, and a mail server's own certificate rarely fits `localhost`.
            (false, true) if settings.ca.is_none() => (Tls::None, 25),
            (false, true) => (Tls::Required(tls), 25),
            (false, false) => (Tls::Required(tls), 587),
        };
        let mut transport = SmtpTransport::builder_dangerous(host).port(settings.port.unwrap_or(port)).tls(tls);
        transport = transport.timeout(Some(TIMEOUT));
        if let Some((name, password)) = &settings.account {
            transport = transport.credentials(Credentials::new(name.clone(), password.clone()));
        }
        Ok(Mailer { transport: transport.build(), from })
    }

    /// Sends a letter; blocks until the mail server has taken or refused it.
    ///
    /// # Errors
    /// It was not taken.
    pub fn send(&self, letter: &Outgoing<'_>) -> Result<(), NotSent> {
        let message = self.message(letter).map_err(|why| NotSent { for_good: true, why })?;
        match self.transport.send(&message) {
            Ok(_) => Ok(()),
            Err(error) => {
                let why = told(&error);
                // Only what is about the reader's address (RFC 3463, 5.1) is for good: a wrong password or sender of the
                // portal's own is mended by the operator, and is nobody's fault who reads letters.
                Err(NotSent { for_good: error.is_permanent() && why.contains("5.1."), why })
            }
        }
    }

    fn message(&self, letter: &Outgoing<'_>) -> Result<Message, String> {
        let to: Address = letter.to.parse().map_err(|_| "the address is none that mail can be sent to".to_owned())?;
        let at = UNIX_EPOCH + Duration::from_millis(u64::try_from(letter.at.0).unwrap_or(0));
        let domain = self.from.email.domain();
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(at)
            .message_id(Some(format!("<{}@{domain}>", letter.id)))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.body.to_owned())
            .map_err(|error| format!("it cannot be written as mail: {error}"))?;
        // So that no holiday notice answers it (RFC 3834).
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(automatic, "auto-generated".to_owned()));
        Ok(message)
    }
}

/// An error with its causes, on one line.
fn told(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = inner.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect()
}

/// Whether mail can be sent to an address at all.
pub fn is_address(text: &str) -> bool {
    text.parse::<Address>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> MailSettings {
        MailSettings {
            host: "127.0.0.1".into(),
            port: Some(1),
            tls: false,
            from: "Acme <licensing@acme.example>".into(),
            account: None,
            ca: None,
        }
    }

    #[test]
    fn nothing_from_outside_makes_a_header() {
        let mailer = Mailer::new(&settings()).unwrap();
        let letter =
            |to, subject| Outgoing { id: "mail_1", to, subject, body: "Hello,\n\n.\nbye", at: Ms(1_795_348_800_000) };
        for to in
            ["a@b.example\r\nBcc: c@d.example", "a@b.example, c@d.example", "<a@b.example>", "a b@c.example", "@", ""]
        {
            let refused = mailer.message(&letter(to, "x"));
            assert!(refused.is_err() && !is_address(to), "{to:?}");
        }
        let message = mailer.message(&letter("a@b.example", "Hello\r\nBcc: c@d.example\r\n\r\nx")).unwrap();
        let text = String::from_utf8(message.formatted()).unwrap();
        let head = text.split("\r\n\r\n").next().unwrap();
        assert!(!head.lines().any(|line| line.to_ascii_lowercase().starts_with("bcc:")), "{head}");
        assert!(
            head.contains("Message-ID: <mail_1@acme.example>") && head.contains("Auto-Submitted: auto-generated"),
            "{head}"
        );
    }

    #[test]
    fn a_server_that_is_not_there_is_tried_again() {
        let letter = Outgoing { id: "mail_1", to: "a@b.example", subject: "x", body: "y", at: Ms(1) };
        let refused = Mailer::new(&settings()).unwrap().send(&letter).unwrap_err();
        assert!(!refused.for_good && !refused.why.is_empty(), "{refused:?}");
        let wrong = MailSettings { from: "nobody".into(), ..settings() };
        assert!(Mailer::new(&wrong).unwrap_err().contains("`from`"));
    }
}
