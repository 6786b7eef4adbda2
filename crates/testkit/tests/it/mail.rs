//! Letters of the real binary at a real mail server: taken, refused, put off, down, slow; and no act fails because of them.

use crate::caller::{make_operator, make_portal};
use crate::service::{Service, needed, wait_for};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const USER: &str = "portal";
const PASSWORD: &str = "sEcret-of-the-mail-server";
/// No act takes longer, whatever becomes of its letter.
const SOON: Duration = Duration::from_secs(10);

/// A running mail server; ended with the test.
struct MailServer {
    child: Child,
    port: u16,
    folder: PathBuf,
    login: bool,
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl MailServer {
    fn start(folder: &Path, login: bool) -> MailServer {
        let folder = folder.join("letters");
        std::fs::create_dir(&folder).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = MailServer::spawn(&folder, port, login);
        MailServer { child, port, folder, login }
    }

    fn spawn(folder: &Path, port: u16, login: bool) -> Child {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/mail_server.py");
        let mut command = Command::new(needed("LEASEHOLD_TEST_PYTHON"));
        command.arg(script).arg(port.to_string()).arg(folder).stdin(Stdio::null()).stdout(Stdio::null());
        if login {
            command.args([USER, PASSWORD]);
        }
        let child = command.spawn().unwrap();
        wait_for("the mail server", || TcpStream::connect(("127.0.0.1", port)).ok());
        child
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn start_again(&mut self) {
        self.child = MailServer::spawn(&self.folder, self.port, self.login);
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap().success());
    }

    /// The letters to an address.
    fn letters_to(&self, to: &str) -> Vec<String> {
        let files = std::fs::read_dir(&self.folder).unwrap().flatten().map(|entry| entry.path());
        let letters = files.filter(|path| path.extension().is_some_and(|ending| ending == "eml"));
        let letters = letters.map(|path| std::fs::read_to_string(path).unwrap());
        letters.filter(|letter| letter.starts_with(&format!("X-Rcpt-To: {to}\n"))).collect()
    }
}

/// A portal that sends by that mail server.
struct Portal {
    _folder: TempDir,
    service: Service,
    token: String,
    mail: MailServer,
}

impl Portal {
    fn start(login: bool, password: &str) -> Portal {
        let folder = tempfile::tempdir().unwrap();
        let mail = MailServer::start(folder.path(), login);
        make_portal(folder.path());
        make_operator(folder.path());
        let settings = folder.path().join("p/portal.toml");
        let mut text = std::fs::read_to_string(&settings).unwrap();
        text = format!("public_url = \"http://licensing.acme.example\"\n{text}");
        text.push_str(&format!(
            "\n[mail]\nserver = \"smtp://127.0.0.1:{}\"\nfrom = \"Acme Licensing <licensing@acme.example>\"\n",
            mail.port
        ));
        if login {
            std::fs::write(folder.path().join("p/smtp-password"), format!("{password}\n")).unwrap();
            text.push_str(&format!("user = \"{USER}\"\npassword_file = \"smtp-password\"\n"));
        }
        std::fs::write(&settings, text).unwrap();
        let service = Service::start(folder.path(), "portal", "p", "127.0.0.1:0");
        let wish = json!({ "email": "op@acme.example", "password": crate::caller::PASSWORD });
        let signed_in = post(&service, "/api/v1/sessions", None, &wish);
        let token = signed_in["token"].as_str().unwrap_or_else(|| panic!("{signed_in}")).to_owned();
        Portal { _folder: folder, service, token, mail }
    }

    /// Somebody asks for an account: answered at once, whatever becomes of the letter.
    fn sign_up(&self, email: &str) {
        let wish = json!({ "email": email, "name": "Jürgen Müller-Ørsted", "password": "correct horse battery" });
        let answer = post(&self.service, "/api/v1/sign-ups", None, &wish);
        assert_eq!(answer, Value::Null, "accepted without a word");
    }

    /// The newest letter to an address, as the operator sees it.
    fn seen(&self, to: &str) -> Option<Value> {
        let agent = agent();
        let url = format!("http://{}/api/v1/mails?limit=200", self.service.address);
        let mut answer = agent.get(url).header("authorization", format!("Bearer {}", self.token)).call().unwrap();
        let all: Value = answer.body_mut().read_json().unwrap();
        let letters = all["items"].as_array().unwrap();
        letters.iter().find(|letter| letter["to"] == to).cloned()
    }

    fn wait(&self, to: &str, so: impl Fn(&Value) -> bool) -> Value {
        // It is written by a job, a moment after it was asked for.
        let look = || self.seen(to).filter(|letter| so(letter));
        wait_for(&format!("what was waited for of the letter to {to}"), look)
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(SOON)).build().into()
}

fn post(service: &Service, path: &str, token: Option<&str>, body: &Value) -> Value {
    let mut request = agent().post(format!("http://{}{path}", service.address));
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let mut answer = request.send_json(body).unwrap();
    assert!(answer.status().is_success(), "{path}: {} {:?}", answer.status(), answer.body_mut().read_to_string());
    let text = answer.body_mut().read_to_string().unwrap();
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

#[test]
fn a_letter_arrives_and_its_link_makes_the_account() {
    let portal = Portal::start(true, PASSWORD);
    portal.sign_up("nora@studio.example");
    let seen = portal.wait("nora@studio.example", |letter| letter["status"] == "sent");
    assert!(!seen["body"].as_str().unwrap().contains("?token="), "whoever operates the portal reads no links: {seen}");
    let letters = portal.mail.letters_to("nora@studio.example");
    assert_eq!(letters.len(), 1);
    for part in
        ["From: \"Acme Licensing\" <licensing@acme.example>", "Auto-Submitted: auto-generated", "Message-ID: <mail_"]
    {
        assert!(letters[0].contains(part), "{part} is not in {}", letters[0]);
    }
    let text = letters[0].replace("=\r\n", "").replace("=3D", "=");
    let start = text.find("?token=").unwrap_or_else(|| panic!("{text}")) + 7;
    let token = text[start..].split_whitespace().next().unwrap();
    let wish = json!({ "token": token, "password": "correct horse battery" });
    let made = post(&portal.service, "/api/v1/sign-ups/confirm", None, &wish);
    assert_eq!(made["account"]["name"], "Jürgen Müller-Ørsted");
}

#[test]
fn who_is_refused_is_given_up_at_once_and_who_is_put_off_is_tried_again() {
    let portal = Portal::start(false, "");
    portal.sign_up("refused@studio.example");
    portal.sign_up("greylisted@studio.example");
    portal.sign_up("fine@studio.example");
    let refused = portal.wait("refused@studio.example", |letter| letter["status"] == "failed");
    assert!(refused["error"].as_str().unwrap().contains("nobody of that name"), "{refused}");
    portal.wait("fine@studio.example", |letter| letter["status"] == "sent");
    let put_off = portal.wait("greylisted@studio.example", |letter| letter["tries"] == 1 && letter["error"] != "");
    assert_eq!(put_off["status"], "queued");
    assert!(put_off["error"].as_str().unwrap().contains("come back later"), "{put_off}");
    std::fs::write(portal.mail.folder.join("white"), "").unwrap();
    portal.wait("greylisted@studio.example", |letter| letter["status"] == "sent");
    assert_eq!(portal.mail.letters_to("greylisted@studio.example").len(), 1);
}

#[test]
fn while_the_mail_server_is_down_or_hangs_everything_goes_on_and_the_letters_come_later() {
    let mut portal = Portal::start(false, "");
    portal.mail.stop();
    portal.sign_up("early@studio.example");
    let waiting = portal.wait("early@studio.example", |letter| letter["tries"] == 1 && letter["error"] != "");
    assert_eq!(waiting["status"], "queued");
    portal.mail.start_again();
    portal.wait("early@studio.example", |letter| letter["status"] == "sent");
    portal.mail.signal("-STOP");
    portal.sign_up("patient@studio.example");
    portal.sign_up("second@studio.example");
    portal.mail.signal("-CONT");
    for to in ["patient@studio.example", "second@studio.example"] {
        portal.wait(to, |letter| letter["status"] == "sent");
        assert_eq!(portal.mail.letters_to(to).len(), 1);
    }
}

#[test]
fn a_wrong_password_of_the_portals_own_is_nobody_elses_fault() {
    let portal = Portal::start(true, "wrong");
    portal.sign_up("nora@studio.example");
    let waiting = portal.wait("nora@studio.example", |letter| letter["tries"] == 1 && letter["error"] != "");
    assert_eq!(waiting["status"], "queued", "the operator mends it, and it is sent: {waiting}");
    assert!(waiting["error"].as_str().unwrap().contains("535"), "{waiting}");
    assert!(!waiting.to_string().contains("wrong\""), "{waiting}");
}
