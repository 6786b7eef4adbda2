//! A license server on its way to the portal through real proxies: an HTTP one and a SOCKS one, with and without a
//! password, up and down. The portal is a process that serves HTTPS.

use crate::caller::{make_operator, make_portal};
use crate::service::{Service, leasehold, needed, wait_for};
use leasehold_core::time::Clock;
use leasehold_host::{SystemClock, private_file};
use leasehold_trust::SigningKey;
use leasehold_trust::secret::self_signed_certificate;
use serde_json::Value;
use std::fs::File;
use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Exit code of a test that failed.
const UNREACHABLE: i32 = 121;
pub(crate) const USER: &str = "render";
pub(crate) const PASSWORD: &str = "sEcret-of-the-proxy";
/// Every variable by which the surroundings could have a say.
const VARIABLES: [&str; 10] = [
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Http,
    Socks,
}

/// A running proxy; ended with the test.
pub(crate) struct Proxy {
    child: Child,
    kind: Kind,
    port: u16,
    log: PathBuf,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// Starts one in `folder` that wants the password, or none.
    pub(crate) fn start(folder: &Path, kind: Kind, password: bool) -> Proxy {
        Proxy::start_with(folder, kind, password, "")
    }

    /// The same with further settings for the HTTP proxy.
    fn start_with(folder: &Path, kind: Kind, password: bool, more: &str) -> Proxy {
        let port = free_port();
        let log = folder.join(format!("proxy-{port}.log"));
        let output = File::create(&log).unwrap();
        let mut command = match kind {
            Kind::Http => {
                let settings = folder.join(format!("proxy-{port}.conf"));
                let login = if password { format!("BasicAuth {USER} {PASSWORD}\n") } else { String::new() };
                let text = format!(
                    "Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\nLogLevel Connect\n{login}{more}"
                );
                std::fs::write(&settings, text).unwrap();
                let mut command = Command::new(needed("LEASEHOLD_TEST_TINYPROXY"));
                command.arg("-d").arg("-c").arg(settings);
                command
            }
            Kind::Socks => {
                let mut command = Command::new(needed("LEASEHOLD_TEST_MICROSOCKS"));
                command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
                if password {
                    command.args(["-u", USER, "-P", PASSWORD]);
                }
                command
            }
        };
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let proxy = Proxy { child: command.spawn().unwrap(), kind, port, log };
        wait_for("the proxy", || TcpStream::connect(("127.0.0.1", port)).ok());
        proxy
    }

    /// Its address, with `login` in front of the host.
    pub(crate) fn url(&self, login: &str) -> String {
        let scheme = if self.kind == Kind::Http { "http" } else { "socks5" };
        format!("{scheme}://{login}127.0.0.1:{}", self.port)
    }

    /// How often it made a connection, by its log.
    pub(crate) fn connections(&self) -> usize {
        let made = match self.kind {
            Kind::Http => "Established connection to host \"localhost\"",
            Kind::Socks => "connected to localhost:",
        };
        std::fs::read_to_string(&self.log).unwrap().matches(made).count()
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A portal with HTTPS, and a license server's data folder `s` beside it.
pub(crate) struct Site {
    folder: TempDir,
    _portal: Service,
    port: u16,
}

/// What a test of the connection said.
struct Said {
    exit: i32,
    json: Value,
}

impl Said {
    /// The code of the step that failed, if one did.
    fn code(&self) -> &str {
        let steps = self.json["steps"].as_array().unwrap();
        steps.iter().find_map(|step| step["problem"]["code"].as_str()).unwrap_or_default()
    }

    /// The states of the steps, in their order.
    fn states(&self) -> Vec<&str> {
        self.json["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect()
    }

    fn works(&self, why: &str) {
        assert_eq!((self.exit, self.json["ok"].as_bool()), (0, Some(true)), "{why}: {}", self.json);
    }

    fn fails(&self, code: &str, states: [&str; 6]) {
        assert_eq!((self.exit, self.json["ok"].as_bool()), (UNREACHABLE, Some(false)), "{}", self.json);
        assert_eq!((self.code(), self.states()), (code, states.to_vec()), "{}", self.json);
    }
}

const AT_CONNECT: [&str; 6] = ["ok", "failed", "skipped", "skipped", "skipped", "skipped"];
const AT_PROXY: [&str; 6] = ["ok", "ok", "failed", "skipped", "skipped", "skipped"];
const AT_TLS: [&str; 6] = ["ok", "ok", "ok", "failed", "skipped", "skipped"];

impl Site {
    pub(crate) fn new() -> Site {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        make_portal(path);
        make_operator(path);
        let key = SigningKey::generate();
        let certificate = self_signed_certificate(&["localhost".to_owned()], &key, SystemClock::new().wall());
        std::fs::write(path.join("p/tls.crt"), &certificate).unwrap();
        private_file::write_once(&path.join("p/tls.key"), key.to_pkcs8_pem().as_bytes()).unwrap();
        let mut settings = File::options().append(true).open(path.join("p/portal.toml")).unwrap();
        settings.write_all(b"[tls]\ncertificate = \"tls.crt\"\nkey = \"tls.key\"\n").unwrap();
        let portal = Service::start(path, "portal", "p", "127.0.0.1:0");
        let port = portal.address.rsplit_once(':').unwrap().1.parse().unwrap();
        std::fs::create_dir(path.join("s")).unwrap();
        std::fs::write(path.join("s/portal.crt"), &certificate).unwrap();
        private_file::write_once(&path.join("s/password"), format!("{PASSWORD}\n").as_bytes()).unwrap();
        Site { folder, _portal: portal, port }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Sets the license server's way: lines of `server.toml` beside the portal's address and its authority.
    pub(crate) fn set(&self, lines: &str) {
        self.set_all(&format!("portal_ca = \"portal.crt\"\n{lines}"));
    }

    fn set_all(&self, lines: &str) {
        let text = format!("portal_url = \"https://localhost:{}\"\n{lines}\n", self.port);
        std::fs::write(self.path().join("s/server.toml"), text).unwrap();
    }

    /// A command of the binary whose surroundings say just that about proxies and trust.
    pub(crate) fn command(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
        let mut command = leasehold(self.path(), arguments);
        for variable in VARIABLES {
            command.env_remove(variable);
        }
        command.envs(environment.iter().copied());
        command
    }

    /// `leasehold server test-connection`, which never repeats the proxy's password.
    fn test_with(&self, more: &[&str], environment: &[(&str, &str)]) -> Said {
        let arguments = [&["server", "test-connection", "--data", "s", "--json"], more].concat();
        let output = self.command(&arguments, environment).output().unwrap();
        let (out, error) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(!out.contains(PASSWORD) && error.is_empty(), "{out}{error}");
        let json = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}{error}"));
        Said { exit: output.status.code().unwrap(), json }
    }

    fn test(&self) -> Said {
        self.test_with(&[], &[])
    }
}

fn goes_through(kind: Kind) {
    let site = Site::new();
    let proxy = Proxy::start(site.path(), kind, false);
    site.set(&format!("proxy = \"{}\"", proxy.url("")));
    let said = site.test();
    said.works("without a password");
    // Nobody is signed in yet.
    assert_eq!(said.states(), ["ok", "ok", "ok", "ok", "ok", "skipped"]);
    let version = format!("Leasehold portal {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(said.json["steps"][4]["detail"], version, "the portal itself answered");
    assert_eq!(proxy.connections(), 1, "it went through the proxy");

    let closed = format!("https://localhost:{}", free_port());
    site.test_with(&["--portal", &closed], &[]).fails("PROXY_CANNOT_REACH_PORTAL", AT_PROXY);
    site.set_all(&format!("proxy = \"{}\"", proxy.url("")));
    site.test().fails("CERTIFICATE_UNKNOWN_ISSUER", AT_TLS);

    site.set(&format!("proxy = \"{}\"", proxy.url("")));
    drop(proxy);
    site.test().fails("PROXY_CONNECTION_REFUSED", AT_CONNECT);
}

fn signs_in(kind: Kind) {
    let site = Site::new();
    let proxy = Proxy::start(site.path(), kind, true);
    site.set(&format!("proxy = \"{}\"", proxy.url("")));
    site.test().fails("PROXY_WANTS_PASSWORD", AT_PROXY);
    site.set(&format!("proxy = \"{}\"", proxy.url(&format!("{USER}:{PASSWORD}-not@"))));
    site.test().fails("PROXY_WRONG_PASSWORD", AT_PROXY);
    site.set(&format!("proxy = \"{}\"", proxy.url(&format!("{USER}:{PASSWORD}@"))));
    site.test().works("with the password in the address");
    let by_file = format!("proxy = \"{}\"\nproxy_password_file = \"password\"", proxy.url(&format!("{USER}@")));
    site.set(&by_file);
    site.test().works("with the password in a file");
    assert_eq!(proxy.connections(), 2, "it went through the proxy");
    drop(proxy);
    site.test().fails("PROXY_CONNECTION_REFUSED", AT_CONNECT);
}

#[test]
fn the_portal_is_reached_through_an_http_proxy() {
    goes_through(Kind::Http);
}

#[test]
fn the_portal_is_reached_through_a_socks_proxy() {
    goes_through(Kind::Socks);
}

#[test]
fn an_http_proxy_is_signed_in_to() {
    signs_in(Kind::Http);
}

#[test]
fn a_socks_proxy_is_signed_in_to() {
    signs_in(Kind::Socks);
}

#[test]
fn what_a_proxy_says_that_does_not_allow_the_portal_is_shown() {
    let site = Site::new();
    let proxy = Proxy::start_with(site.path(), Kind::Http, false, "ConnectPort 1\n");
    site.set(&format!("proxy = \"{}\"", proxy.url("")));
    let said = site.test();
    said.fails("PROXY_REFUSED", AT_PROXY);
    let what = said.json["steps"][2]["problem"]["what"].as_str().unwrap();
    assert!(what.contains("403 Access violation"), "{what}");
}

#[test]
fn a_proxy_of_another_kind_is_told() {
    let site = Site::new();
    let socks = Proxy::start(site.path(), Kind::Socks, false);
    site.set(&format!("proxy = \"http://127.0.0.1:{}\"", socks.port));
    site.test().fails("NOT_A_PROXY", AT_PROXY);
}

#[test]
fn the_environment_names_the_proxy_where_no_setting_does() {
    let site = Site::new();
    let proxy = Proxy::start(site.path(), Kind::Http, true);
    let login = proxy.url(&format!("{USER}:{PASSWORD}@"));
    site.set("");
    site.test_with(&[], &[("HTTPS_PROXY", &login)]).works("by HTTPS_PROXY");
    site.test_with(&[], &[("all_proxy", &login)]).works("by all_proxy");
    assert_eq!(proxy.connections(), 2);
    let direct = site.test_with(&[], &[("HTTPS_PROXY", &login), ("NO_PROXY", "example.com, localhost")]);
    direct.works("past the proxy");
    assert_eq!(direct.states(), ["ok", "ok", "skipped", "ok", "ok", "skipped"]);
    site.set("proxy = \"none\"");
    site.test_with(&[], &[("HTTPS_PROXY", &login)]).works("without the proxy");
    assert_eq!(proxy.connections(), 2, "the others went past it");

    // A running server goes its own way, not that of whoever types the command.
    site.set("");
    let address = site.path().join("s.address");
    let serve = ["server", "serve", "--data", "s", "--listen", "127.0.0.1:0", "--address-file"];
    let serve = [serve.as_slice(), &[address.to_str().unwrap()]].concat();
    let mut command = site.command(&serve, &[("HTTPS_PROXY", &login)]);
    let running = Service::ready(command.stdout(Stdio::null()).stderr(Stdio::null()), &address);
    site.test().works("as the running server");
    assert_eq!(proxy.connections(), 3);
    drop(running);
}

#[test]
fn a_machine_that_trusts_nobody_is_told_what_to_install() {
    let site = Site::new();
    site.set_all("");
    let empty = site.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    let store = [("SSL_CERT_DIR", empty.to_str().unwrap())];
    let said = site.test_with(&[], &store);
    said.fails("NO_TRUSTED_AUTHORITY", ["ok", "ok", "skipped", "failed", "skipped", "skipped"]);
    site.set("");
    site.test_with(&[], &store).works("portal_ca is enough");
}
