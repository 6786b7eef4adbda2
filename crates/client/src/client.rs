//! Putting a client together: whom it asks, whom it trusts, and who it says it is.

use crate::address::ServerAddress;
use crate::driver;
use crate::examine::{self, Examination};
use crate::link::{Called, Link};
use crate::passes::{self, Lent, PassFailure, PassInfo, PassTrouble, Passes, Returned, WhichPass};
use crate::seat::{LeftSeat, Seat};
use crate::settings::{self, ServerList, SettingsError, Source, Surroundings, Trust, Wishes};
use crate::trouble::{NoSeat, Trouble};
use jiff::civil::Date;
use leasehold_core::license::FeatureCode;
use leasehold_core::text;
use leasehold_core::time::{Clock, Ms};
use leasehold_host::SystemClock;
use leasehold_wire::server::{CheckoutRequest, StatusResponse};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

/// Most labels of one checkout.
const LABELS_MAX: usize = 8;
/// Most seats of one checkout.
const SEATS_MAX: u32 = 10_000;

/// What is asked for. Made by [`Checkout::of`] and the methods on it.
#[derive(Clone, Debug)]
pub struct Checkout {
    pub(crate) feature: String,
    pub(crate) seats: u32,
    pub(crate) version: String,
    pub(crate) released_on: Option<Date>,
    labels: BTreeMap<Box<str>, Box<str>>,
}

impl Checkout {
    /// One seat of a feature such as `studio.gui`.
    pub fn of(feature: &str) -> Checkout {
        Checkout {
            feature: feature.to_owned(),
            seats: 1,
            version: String::new(),
            released_on: None,
            labels: BTreeMap::new(),
        }
    }

    /// How many seats, 1 to 10,000; all or none.
    #[must_use]
    pub fn seats(mut self, seats: u32) -> Checkout {
        self.seats = seats;
        self
    }

    /// The application's version, at most 200 characters; shown to people.
    #[must_use]
    pub fn version(mut self, version: &str) -> Checkout {
        self.version = version.to_owned();
        self
    }

    /// The date on which this build was released, compiled into the application; perpetual licenses need it.
    #[must_use]
    pub fn released_on(mut self, date: Date) -> Checkout {
        self.released_on = Some(date);
        self
    }

    /// A free word for reports, such as `project` = `moon`; at most 8 of them, 200 characters each.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Checkout {
        self.labels.insert(name.into(), value.into());
        self
    }

    fn request(&self, identity: &Identity) -> Result<CheckoutRequest, String> {
        let feature = FeatureCode::new(&self.feature).map_err(|error| format!("The feature {error}."))?;
        if self.seats == 0 || self.seats > SEATS_MAX {
            return Err(format!("The number of seats must be from 1 to {SEATS_MAX}."));
        }
        text::optional_name(&self.version).map_err(|error| format!("The version {error}."))?;
        if self.labels.len() > LABELS_MAX {
            return Err(format!("There may be at most {LABELS_MAX} labels."));
        }
        for (name, value) in &self.labels {
            text::name(name).and_then(|()| text::optional_name(value)).map_err(|error| format!("A label {error}."))?;
        }
        Ok(CheckoutRequest {
            feature,
            seats: self.seats,
            version: self.version.as_str().into(),
            released_on: self.released_on,
            user: identity.user.as_str().into(),
            host: identity.host.as_str().into(),
            host_id: identity.host_id.as_str().into(),
            boot_id: identity.boot_id.as_str().into(),
            pid: std::process::id(),
            labels: self.labels.clone(),
            nonce: "".into(),
        })
    }
}

pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) host: String,
    host_id: String,
    boot_id: String,
}

/// What makes a [`Client`]. Everything is optional: the machine's settings fill in what the application leaves out.
#[derive(Default)]
pub struct ClientBuilder {
    wishes: Wishes,
    surroundings: Option<Surroundings>,
    user: Option<String>,
    host: Option<String>,
    clock: Option<Arc<dyn Clock>>,
    servers_optional: bool,
}

impl ClientBuilder {
    /// The vendor's root certificate in PEM form, built into the application. It wins over every other source, and an
    /// application that has it needs no other trust.
    #[must_use]
    pub fn vendor_root_pem(mut self, pem: &str) -> ClientBuilder {
        self.wishes.root_pem = Some(pem.to_owned());
        self
    }

    /// A file with the vendor's root certificate.
    #[must_use]
    pub fn trust_file(mut self, path: &Path) -> ClientBuilder {
        self.wishes.root_file = Some(path.to_owned());
        self
    }

    /// A license server to ask, after those named before: `host`, `host:port` or `http://host:port`.
    #[must_use]
    pub fn server(mut self, address: &str) -> ClientBuilder {
        self.wishes.servers.push(address.to_owned());
        self
    }

    /// Environment and config files other than this process's own.
    #[must_use]
    pub fn surroundings(mut self, surroundings: Surroundings) -> ClientBuilder {
        self.surroundings = Some(surroundings);
        self
    }

    /// The user to be shown as the holder, instead of the one who runs this process; at most 200 characters. For
    /// applications that know their user better, such as a service that works for somebody.
    #[must_use]
    pub fn user(mut self, name: &str) -> ClientBuilder {
        self.user = Some(name.to_owned());
        self
    }

    /// The host to be shown, instead of this machine; at most 200 characters. Two hosts never share a seat.
    #[must_use]
    pub fn host(mut self, name: &str) -> ClientBuilder {
        self.host = Some(name.to_owned());
        self
    }

    /// Other clocks than this machine's, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> ClientBuilder {
        self.clock = Some(clock);
        self
    }

    /// Does without a license server if none is named: for what is done with passes and files alone. A machine that has
    /// passes needs none anyway.
    #[must_use]
    pub fn servers_optional(mut self) -> ClientBuilder {
        self.servers_optional = true;
        self
    }

    /// Reads the settings; asks no server.
    pub fn build(self) -> Result<Client, SettingsError> {
        let surroundings = self.surroundings.unwrap_or_else(Surroundings::of_this_process);
        let trust = settings::trust(&self.wishes, &surroundings)?;
        let found = settings::servers(&self.wishes, &surroundings);
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let identity = Identity {
            user: cut(self.user.unwrap_or_else(leasehold_host::user_name)),
            host_id: match &self.host {
                Some(host) => leasehold_trust::secret::sha256_hex(host.as_bytes())[..32].to_owned(),
                None => leasehold_host::machine_id_hash(trust.root.name()),
            },
            host: cut(self.host.unwrap_or_else(leasehold_host::host_name)),
            boot_id: leasehold_host::boot_id(),
        };
        // By the machine, also where a service tells another host: a pass is not carried about.
        let machine = surroundings.machine.unwrap_or_else(|| leasehold_host::machine_id_hash(trust.root.name()));
        let passes = Passes::new(surroundings.passes, trust.root.clone(), machine, clock.clone());
        let servers = match found {
            Err(SettingsError::NoServers) if self.servers_optional || passes.any() => {
                ServerList { servers: Vec::new(), source: Source::Nobody }
            }
            found => found?,
        };
        let link = |address: &ServerAddress| Arc::new(Link::new(address.clone(), trust.root.clone(), clock.clone()));
        let links = servers.servers.iter().map(link).collect();
        Ok(Client(Arc::new(Parts { trust, servers, links, clock, identity, passes })))
    }
}

/// A name that the server accepts.
fn cut(name: String) -> String {
    name.chars().filter(|c| !text::is_invisible_control(*c)).take(text::NAME_CHARS_MAX).collect()
}

pub(crate) struct Parts {
    trust: Trust,
    servers: ServerList,
    pub(crate) links: Vec<Arc<Link>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) passes: Passes,
    identity: Identity,
}

/// A client of one vendor's license servers. Cheap to clone; use it from any thread.
///
/// After `fork` a child process has none of the threads that hold seats: its copies of a [`Seat`] say `lost` and give
/// nothing back, and the seats go on belonging to the parent. A child that needs a seat makes a client of its own.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

impl Client {
    /// A client to be put together.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// The servers that are asked, and who named them.
    pub fn servers(&self) -> &ServerList {
        &self.0.servers
    }

    /// The vendor that is trusted, and who named it.
    pub fn trust(&self) -> &Trust {
        &self.0.trust
    }

    /// This machine's wall clock, as the client sees it.
    pub fn now(&self) -> Ms {
        self.0.clock.wall()
    }

    /// Takes a seat from a pass of this machine, else from the first server that has one, and holds it until the [`Seat`]
    /// is dropped or given back. With a pass no server is asked. Blocks while servers are asked: some milliseconds where
    /// they answer, at most 2 seconds plus 10 seconds per server where they do not.
    pub fn checkout(&self, checkout: &Checkout) -> Result<Seat, NoSeat> {
        let request = checkout.request(&self.0.identity).map_err(|why| NoSeat::local(&checkout.feature, why))?;
        match self.0.passes.take(&self.0, checkout) {
            Ok(seat) => Ok(Seat::of_pass(seat)),
            Err(troubles) if self.0.links.is_empty() => Err(NoSeat::without_servers(&checkout.feature, troubles)),
            Err(troubles) => driver::checkout(&self.0, request).map_err(|no_seat| no_seat.with_passes(troubles)),
        }
    }

    /// Borrows seats of a feature for so many days: a pass, with which this machine uses them out of reach of any server.
    /// If it has one already, that is extended.
    ///
    /// # Errors
    /// See [`PassFailure`]; what could not be done left nothing behind.
    pub fn borrow(&self, checkout: &Checkout, days: u32) -> Result<Lent, PassFailure> {
        passes::borrow(&self.0, &self.0.identity, checkout, days)
    }

    /// The same where no server can be reached: a request file, to be brought to the administrator of a license server.
    ///
    /// # Errors
    /// See [`PassFailure`].
    pub fn borrow_request_file(&self, checkout: &Checkout, days: u32) -> Result<String, PassFailure> {
        passes::request_file(&self.0, &self.0.identity, checkout, days)
    }

    /// Takes the pass file that answers a request file of this machine.
    ///
    /// # Errors
    /// See [`PassFailure`].
    pub fn import_pass(&self, file: &str) -> Result<PassInfo, PassFailure> {
        passes::import(&self.0, file)
    }

    /// The passes of this machine, and what is wrong with files that are none.
    pub fn passes(&self) -> (Vec<PassInfo>, Vec<PassTrouble>) {
        self.0.passes.all()
    }

    /// Gives a pass back to the license server that lent it. Refused while a process uses it, or if the server cannot be
    /// reached: then it stays as it is.
    ///
    /// # Errors
    /// See [`PassFailure`].
    pub fn return_pass(&self, which: &WhichPass) -> Result<Returned, PassFailure> {
        passes::give_back(&self.0, which)
    }

    /// Gives a pass up, and makes a receipt file to be brought to the administrator of its license server. It cannot be
    /// used any more from then on.
    ///
    /// # Errors
    /// See [`PassFailure`].
    pub fn pass_receipt_file(&self, which: &WhichPass) -> Result<String, PassFailure> {
        passes::receipt_file(&self.0, which)
    }

    /// What each server tells about itself, asked in parallel, in the order of the list.
    pub fn status(&self) -> Vec<(ServerAddress, Result<StatusResponse, Trouble>)> {
        self.each(|link| (link.address.clone(), link.status()))
    }

    /// Looks at each server closely, for `doctor`: in parallel, in the order of the list.
    pub fn examine(&self) -> Vec<Examination> {
        self.each(|link| examine::examine(link, &self.0.identity))
    }

    /// Gives back a seat that another process left out.
    pub fn give_back(&self, seat: &LeftSeat) -> Result<(), Trouble> {
        let address: ServerAddress =
            seat.server.parse().map_err(|error| Trouble::Unreachable { why: format!("{error}") })?;
        let known = self.0.links.iter().find(|link| link.address == address).cloned();
        let link =
            known.unwrap_or_else(|| Arc::new(Link::new(address, self.0.trust.root.clone(), self.0.clock.clone())));
        match link.checkin(seat.lease, &seat.secret)? {
            Called::Released => Ok(()),
            Called::Leased(_) | Called::Ended { .. } | Called::TakenBack { .. } => Ok(()),
        }
    }

    fn each<T: Send>(&self, ask: impl Fn(&Link) -> T + Sync) -> Vec<T> {
        let ask = &ask;
        thread::scope(|scope| {
            let asked: Vec<_> = self.0.links.iter().map(|link| scope.spawn(move || ask(link))).collect();
            asked
                .into_iter()
                .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect()
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("servers", &self.0.servers).field("trust", &self.0.trust).finish()
    }
}
