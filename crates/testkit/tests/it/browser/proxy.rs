//! nginx in front of both services, set up by the lines of the manual: they are what an administrator copies.

use super::site::given;
use leasehold_core::time::Clock;
use leasehold_host::SystemClock;
use leasehold_trust::SigningKey;
use leasehold_trust::secret::self_signed_certificate;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Names that the browser finds on this machine.
pub(super) const PORTAL_NAME: &str = "portal.nimbus.test";
pub(super) const SERVER_NAME: &str = "server.nimbus.test";

/// Where people come in.
pub(super) struct Doors {
    pub(super) portal_port: u16,
    pub(super) server_port: u16,
}

impl Doors {
    /// Two ports that nobody has.
    pub(super) fn choose() -> Doors {
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let (portal, server) = (free(), free());
        Doors { portal_port: portal.local_addr().unwrap().port(), server_port: server.local_addr().unwrap().port() }
    }

    pub(super) fn portal(&self) -> String {
        format!("https://{PORTAL_NAME}:{}", self.portal_port)
    }

    pub(super) fn server(&self) -> String {
        format!("https://{SERVER_NAME}:{}", self.server_port)
    }
}

/// A running nginx; ended with the test.
pub(super) struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Nginx {
    /// Starts it in `folder`, between the doors and the services' own addresses, `http://...`.
    /// `from`: where it says that everybody comes from, if not from where they do.
    pub(super) fn start(folder: &Path, doors: &Doors, portal: &str, server: &str, from: Option<&str>) -> Nginx {
        let key = SigningKey::generate();
        let names = [PORTAL_NAME.to_owned(), SERVER_NAME.to_owned()];
        std::fs::write(folder.join("cert.pem"), self_signed_certificate(&names, &key, SystemClock::new().wall()))
            .unwrap();
        std::fs::write(folder.join("key.pem"), key.to_pkcs8_pem().as_bytes()).unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|what| format!("  {what}_temp_path {}/{what};\n", folder.display()))
            .concat();
        let servers = [(doors.portal_port, PORTAL_NAME, portal), (doors.server_port, SERVER_NAME, server)]
            .map(|(port, name, to)| {
                let location = manual().replace("http://127.0.0.1:8080", to);
                assert!(location.contains(to), "the manual's lines have changed:\n{location}");
                let location = from.map_or(location.clone(), |from| {
                    location.replace("$proxy_add_x_forwarded_for", from)
                });
                format!(
                    "  server {{\n    listen 127.0.0.1:{port} ssl;\n    server_name {name};\n    ssl_certificate cert.pem;\n    \
                     ssl_certificate_key key.pem;\n{location}  }}\n"
                )
            })
            .concat();
        // One process, so that ending it ends all of it.
        let settings = format!(
            "daemon off;\nmaster_process off;\npid nginx.pid;\nevents {{}}\nhttp {{\n  access_log off;\n{temporary}{servers}}}\n"
        );
        std::fs::write(folder.join("nginx.conf"), settings).unwrap();
        let log = std::fs::File::create(folder.join("nginx.log")).unwrap();
        let mut nginx = Command::new(given("LEASEHOLD_TEST_NGINX"));
        nginx.arg("-p").arg(folder).args(["-e", "stderr", "-c", "nginx.conf"]);
        Nginx(nginx.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }
}

/// The lines for nginx in `docs/OPERATING.md`.
fn manual() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/OPERATING.md");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().skip_while(|line| !line.contains("# nginx, in the server block"));
    lines.take_while(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect()
}
