//! A service under a supervisor that speaks systemd's conventions: what it is told, what it passes, and reload.

use crate::support::{BOUND, Machine, Staying, wait_for_text};
use leasehold_core::time::Clock;
use leasehold_host::SystemClock;
use leasehold_trust::SigningKey;
use leasehold_trust::secret::{fingerprint_text, self_signed_certificate, sha256};
use rustix::process::Signal;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

/// The supervisor's end of `NOTIFY_SOCKET`.
struct Supervisor(UnixDatagram);

impl Supervisor {
    fn new(machine: &Machine) -> Supervisor {
        let socket = UnixDatagram::bind(machine.path("notify")).unwrap();
        socket.set_read_timeout(Some(BOUND)).unwrap();
        Supervisor(socket)
    }

    /// The next message that is no sign of life.
    fn news(&self) -> String {
        loop {
            let message = self.message();
            if message.trim() != "WATCHDOG=1" && !message.starts_with("STATUS=") {
                return message;
            }
        }
    }

    fn message(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.0.recv(&mut bytes).expect("the service says something");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    /// Waits for a message with this text.
    fn hears(&self, text: &str) -> String {
        loop {
            let message = self.message();
            if message.contains(text) {
                return message;
            }
        }
    }
}

fn served(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = machine.command(arguments);
    command.env("NOTIFY_SOCKET", machine.path("notify"));
    command.stderr(std::fs::File::create(machine.path("log")).unwrap());
    command
}

fn server(machine: &Machine) -> Command {
    served(
        machine,
        &[
            "server",
            "serve",
            "--data",
            "server",
            "--listen",
            "127.0.0.1:0",
            "--address-file",
            "address",
            "--setup-secret-file",
            "secret",
        ],
    )
}

#[test]
fn a_license_server_says_when_it_is_ready_lives_and_stops() {
    let machine = Machine::new();
    let supervisor = Supervisor::new(&machine);
    let mut command = server(&machine);
    command.env("WATCHDOG_USEC", "600000");
    let serving = Staying::start(command);
    let ready = supervisor.message();
    let address = std::fs::read_to_string(machine.path("address")).unwrap();
    assert!(ready.contains("READY=1") && ready.contains(&format!("STATUS=Takes requests on {address}")), "{ready}");
    let mut signs = 0;
    while signs < 4 {
        let message = supervisor.message();
        signs += usize::from(message == "WATCHDOG=1\n");
        assert!(message == "WATCHDOG=1\n" || message.contains("0 leases out"), "{message}");
    }
    serving.signal(Signal::TERM);
    assert!(supervisor.news().contains("STOPPING=1"));
    serving.finish().ok();
}

#[test]
fn a_portal_says_when_it_is_ready_lives_and_stops() {
    let machine = Machine::new();
    let made = ["portal", "init", "--vendor", "Acme", "--data", "p"];
    machine.run_with(&made, "correct horse battery staple\n").ok();
    let supervisor = Supervisor::new(&machine);
    let mut command = served(&machine, &["portal", "serve", "--data", "p", "--listen", "127.0.0.1:0"]);
    command.env("WATCHDOG_USEC", "600000");
    let serving = Staying::start(command);
    assert!(supervisor.news().contains("READY=1"));
    supervisor.hears("WATCHDOG=1");
    serving.signal(Signal::TERM);
    assert!(supervisor.news().contains("STOPPING=1"));
    serving.finish().ok();
}

/// Writes a certificate and its key, and answers the fingerprint.
fn certificate(folder: &Path) -> String {
    let key = SigningKey::generate();
    let pem = self_signed_certificate(&["localhost".to_owned()], &key, SystemClock::new().wall());
    std::fs::write(folder.join("browser.crt"), &pem).unwrap();
    let _ = std::fs::remove_file(folder.join("browser.key"));
    leasehold_host::private_file::write_once(&folder.join("browser.key"), key.to_pkcs8_pem().as_bytes()).unwrap();
    let output = Command::new("openssl")
        .args(["x509", "-outform", "DER", "-in"])
        .arg(folder.join("browser.crt"))
        .output()
        .unwrap();
    fingerprint_text(&sha256(&output.stdout))
}

/// Fingerprint of the certificate that a browser sees.
fn seen(address: &str) -> String {
    let ask = format!("openssl s_client -connect {address} </dev/null 2>/dev/null | openssl x509 -outform DER");
    let output = Command::new("sh").args(["-c", &ask]).output().unwrap();
    fingerprint_text(&sha256(&output.stdout))
}

#[test]
fn reload_takes_what_can_change_and_keeps_the_old_if_a_file_is_bad() {
    let machine = Machine::new();
    let supervisor = Supervisor::new(&machine);
    let serving = Staying::start(server(&machine));
    supervisor.hears("READY=1");
    let (folder, log) = (machine.path("server"), machine.path("log"));
    let address = std::fs::read_to_string(machine.path("address")).unwrap();
    let self_signed = seen(&address);
    let reload = || {
        serving.signal(Signal::HUP);
        let begun = supervisor.news();
        let time = begun.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
        assert!(begun.contains("RELOADING=1") && time.is_some_and(|time| time.parse::<u64>().is_ok()), "{begun}");
        assert!(supervisor.news().contains("READY=1"));
    };
    let set = |text: &str| std::fs::write(folder.join("server.toml"), text).unwrap();

    let first = certificate(&folder);
    set("tls_certificate = \"browser.crt\"\ntls_key = \"browser.key\"\npublic_url = \"https://licenses.example\"\n");
    reload();
    assert_eq!(seen(&address), first);
    assert_ne!(first, self_signed);
    wait_for_text(&log, "public_url");
    let renewed = certificate(&folder);
    reload();
    assert_eq!(seen(&address), renewed, "the same file names, other files");

    // A certificate without its key, then a line that nobody knows.
    std::fs::write(folder.join("browser.crt"), "nothing").unwrap();
    reload();
    wait_for_text(&log, "no readable PEM certificate");
    set("listn = \"127.0.0.1:1\"");
    reload();
    wait_for_text(&log, "listn");
    assert_eq!(seen(&address), renewed, "what cannot be used changes nothing");
    let text = std::fs::read_to_string(&log).unwrap();
    assert_eq!(text.matches("those from before stay").count(), 2, "{text}");
    serving.signal(Signal::TERM);
    serving.finish().ok();
}

/// Runs a command on two open ports, as a socket unit does: as numbers 3 and 4.
fn on_sockets(machine: &Machine, ports: [TcpListener; 2], arguments: &[&str]) -> Command {
    let plain = served(machine, arguments);
    let mut command = Command::new("sh");
    let pass = "exec 3<&0 4<&1 0</dev/null 1>/dev/null; LISTEN_PID=$$ LISTEN_FDS=2 exec \"$0\" \"$@\"";
    command.args(["-c", pass]).arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(plain.get_current_dir().unwrap());
    let [first, second] = ports.map(|port| Stdio::from(OwnedFd::from(port)));
    command.stdin(first).stdout(second).stderr(std::fs::File::create(machine.path("log")).unwrap());
    command
}

fn answers(address: &str, path: &str) -> u16 {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(BOUND)).build().into();
    agent.get(format!("http://{address}{path}")).call().unwrap().status().as_u16()
}

#[test]
fn both_services_take_the_sockets_that_are_passed_to_them() {
    let machine = Machine::new();
    let made = ["portal", "init", "--vendor", "Acme", "--data", "p"];
    machine.run_with(&made, "correct horse battery staple\n").ok();
    // `listen` says another address, which is taken: it is not looked at.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let supervisor = Supervisor::new(&machine);
    for (service, data) in [("server", "s"), ("portal", "p")] {
        let ports = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = ports.each_ref().map(|port| port.local_addr().unwrap().to_string());
        let mut child =
            on_sockets(&machine, ports, &[service, "serve", "--data", data, "--listen", &listen]).spawn().unwrap();
        supervisor.hears("READY=1");
        for address in &addresses {
            assert!(matches!(answers(address, "/healthz"), 200 | 204), "{service} on {address}");
        }
        if service == "server" {
            assert!(machine.run(&["server", "status", "--data", data]).ok().out.contains("Not activated"));
        }
        crate::support::signal(child.id(), Signal::TERM);
        assert!(child.wait().unwrap().success());
    }
}
