//! A license server on loopback with a vendor of its own, for the tests of the client.

use leasehold_client::{Client, ClientBuilder, Surroundings};
use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{GrantId, LicenseId, LineId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share};
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_server::local::{self, Local};
use leasehold_server::{Ready, ServeOptions};
use leasehold_trust::activation_file::build_activation_file;
use leasehold_trust::request::{ActivationRequest, read_request};
use leasehold_trust::{PortalSigner, Vendor};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// The one feature that is granted.
pub(crate) const FEATURE: &str = "studio.gui";

/// A vendor and its data folder for one server.
pub(crate) struct Site {
    folder: TempDir,
    portal: Arc<PortalSigner>,
    address: SocketAddr,
    running: Option<Running>,
    /// What was granted first.
    granted: OnceLock<Grant>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Site {
    /// A running server that holds `seats`.
    pub(crate) fn with_seats(seats: u32) -> Site {
        let site = Site::not_activated("Acme");
        site.activate(seats);
        site
    }

    /// A running server that holds nothing yet.
    pub(crate) fn not_activated(vendor: &str) -> Site {
        let now = SystemClock::new().wall();
        let vendor = Vendor::create(vendor, now).unwrap();
        let portal = vendor.signer(now).unwrap();
        Site::of(Arc::new(portal))
    }

    /// Another server that the same portal activated, with `seats` of its own.
    pub(crate) fn another_server(&self, seats: u32) -> Site {
        let site = Site::of(Arc::clone(&self.portal));
        site.activate(seats);
        site
    }

    fn of(portal: Arc<PortalSigner>) -> Site {
        let folder = tempfile::tempdir().unwrap();
        let mut site = Site {
            folder,
            portal,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            running: None,
            granted: OnceLock::new(),
        };
        site.start();
        site
    }

    /// The server's data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn root_pem(&self) -> String {
        self.portal.root().pem()
    }

    /// Starts the server again, on the port that it had.
    pub(crate) fn start(&mut self) {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = channel();
        let options = ServeOptions {
            folder: self.data(),
            listen: Some(self.address),
            sockets: Vec::new(),
            clock: Arc::new(SystemClock::new()),
            fingerprint: String::new(),
            random: Box::new(OsRandom),
            logs: leasehold_server::Logs::default(),
        };
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let on_ready = move |told: Ready| ready.send(told.address).unwrap();
            let stopped = async move { stopped.await.unwrap_or(()) };
            runtime.block_on(leasehold_server::serve(options, stopped, on_ready)).unwrap();
        });
        self.address = is_ready.recv().expect("the server starts");
        self.running = Some(Running { stop, thread });
    }

    /// Stops the server.
    pub(crate) fn stop(&mut self) {
        if let Some(Running { stop, thread }) = self.running.take() {
            stop.send(()).unwrap();
            thread.join().unwrap();
        }
    }

    /// Puts the stopped server's data folder back to what it was when it was copied to `to`.
    pub(crate) fn restore(&self, from: &Path) {
        assert!(self.running.is_none());
        std::fs::remove_dir_all(self.data()).unwrap();
        std::fs::rename(from, self.data()).unwrap();
    }

    /// Copies the running server's data folder.
    pub(crate) fn back_up(&self) -> PathBuf {
        let to = self.folder.path().join("backup");
        local::backup(self.local(), Some(&to)).unwrap();
        to
    }

    pub(crate) fn local(&self) -> Local {
        Local {
            folder: self.data(),
            clock: Arc::new(SystemClock::new()),
            fingerprint: String::new(),
            random: Box::new(OsRandom),
        }
    }

    /// Activates the server as portal and administrator do, from its request file.
    fn activate(&self, seats: u32) {
        let now = SystemClock::new().wall();
        let request = read_request(local::request(self.local()).unwrap().as_bytes(), now).unwrap();
        let grant = self.granted.get_or_init(|| grant_of(seats, now)).clone();
        let file = file_of(&self.portal, &request, &grant, now);
        local::import(self.local(), file.as_bytes()).unwrap();
    }

    /// The next document has the same lines until `until`.
    pub(crate) fn renew_until(&self, until: Ms) {
        let now = SystemClock::new().wall();
        let request = read_request(local::request(self.local()).unwrap().as_bytes(), now).unwrap();
        let mut grant = Grant { rev: 2, ..self.granted.get().unwrap().clone() };
        for line in &mut grant.lines {
            line.until = until.floor_to_second();
        }
        local::import(self.local(), file_of(&self.portal, &request, &grant, now).as_bytes()).unwrap();
    }

    /// A client of this server that trusts its vendor and nothing else on this machine.
    pub(crate) fn client(&self) -> Client {
        self.builder().server(&self.address()).build().unwrap()
    }

    /// The same without a server yet.
    pub(crate) fn builder(&self) -> ClientBuilder {
        Client::builder().surroundings(Surroundings::default()).vendor_root_pem(&self.root_pem())
    }

    /// Seats in use, as the server says.
    pub(crate) fn in_use(&self) -> u32 {
        let status = local::status(self.local()).unwrap();
        status.features.iter().find(|feature| feature.feature.as_str() == FEATURE).map_or(0, |feature| feature.in_use)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The activation file that a portal makes of a request: `seats` of [`FEATURE`] for 90 days.
pub(crate) fn activation_file(portal: &PortalSigner, request: &ActivationRequest, seats: u32, now: Ms) -> String {
    file_of(portal, request, &grant_of(seats, now), now)
}

fn grant_of(seats: u32, now: Ms) -> Grant {
    let line = Line {
        line: LineId::draw(now, &mut OsRandom),
        license: LicenseId::draw(now, &mut OsRandom),
        product: "studio".to_owned(),
        product_name: "Studio".to_owned(),
        kind: Kind::Floating,
        channel: Channel::Commercial,
        features: [(FeatureCode::new(FEATURE).unwrap(), 1)].into(),
        seats,
        until: Ms(now.0 + 90 * DAY_MS).floor_to_second(),
        terms: Terms { borrow_days_max: 14, write_offs: 1, ..Terms::by_file(Share::None, None) },
    };
    Grant {
        workstation: WorkstationId::draw(now, &mut OsRandom),
        workstation_name: "test".to_owned(),
        account_name: "Customer".to_owned(),
        rev: 1,
        issued_at: now.floor_to_second(),
        request: None,
        machine: String::new(),
        online: false,
        lines: vec![line],
    }
}

fn file_of(portal: &PortalSigner, request: &ActivationRequest, grant: &Grant, now: Ms) -> String {
    let token = portal.sign_grant(grant, &request.thumbprint, GrantId::draw(now, &mut OsRandom));
    let certificate =
        portal.issue_workstation_certificate(grant.workstation, "test", &request.public_key, now, [7; 16]);
    build_activation_file(portal, &certificate, &token).unwrap()
}
