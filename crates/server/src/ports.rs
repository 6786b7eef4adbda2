//! The addresses that the running server listens on: opened, closed and exchanged while it serves.
//!
//! Knows no setting and decides nothing; whoever changes settings says which addresses are wanted.

use axum::Router;
use leasehold_web::listener::{self, BindError, Bound, Limits, Mode};
use leasehold_web::shutdown::{ShutdownTrigger, shutdown_pair};
use leasehold_web::tls::Tls;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;
use tokio::task::JoinHandle;

/// How often, and how long in between, a port is tried that one of our own addresses has just given up.
const TRIES: usize = 40;
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// Every open address, by what was asked for. Port 0 stands for one that the system picked.
pub(crate) struct Ports {
    router: Router,
    tls: Tls,
    limits: Limits,
    open: tokio::sync::Mutex<BTreeMap<SocketAddr, Port>>,
    /// Where this machine reaches the server if none of these is on loopback.
    own: tokio::sync::Mutex<Option<Port>>,
}

struct Port {
    address: SocketAddr,
    stop: ShutdownTrigger,
    serving: JoinHandle<listener::Drained>,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

/// Whether a socket on `wide` hears everything that one on `narrow` would.
fn covers(wide: SocketAddr, narrow: SocketAddr) -> bool {
    let all = wide.ip().is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4());
    wide != narrow && wide.port() == narrow.port() && wide.port() != 0 && all
}

/// Whether two sockets cannot be open at once.
fn conflict(one: SocketAddr, other: SocketAddr) -> bool {
    covers(one, other) || covers(other, one)
}

/// Of several addresses those that are needed to hear all of them.
pub(crate) fn reduced(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let needed = |address: &SocketAddr| !addresses.iter().any(|other| covers(*other, *address));
    let mut kept: Vec<SocketAddr> = addresses.iter().copied().filter(needed).collect();
    kept.sort_unstable();
    kept.dedup();
    kept
}

fn is_near(address: &SocketAddr) -> bool {
    address.ip().is_unspecified() || address.ip().is_loopback()
}

/// An address that [`is_near`] as it is reached over loopback.
pub(crate) fn near_of(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// Of several addresses one that this machine reaches over loopback, if there is one.
pub(crate) fn nearest(addresses: &[SocketAddr]) -> Option<SocketAddr> {
    addresses.iter().find(|address| is_near(address)).or(addresses.first()).copied()
}

/// Whether a connection that ended at `local` came by one of `addresses`.
pub(crate) fn came_by(local: SocketAddr, addresses: &[SocketAddr]) -> bool {
    let ip = |ip: IpAddr| ip.to_canonical();
    addresses.iter().any(|address| {
        let same_ip = address.ip().is_unspecified() || ip(address.ip()) == ip(local.ip());
        same_ip && (address.port() == local.port() || address.port() == 0)
    })
}

impl Ports {
    /// Begins to serve ports that are open.
    pub(crate) fn serve(bound: Vec<(SocketAddr, Bound)>, router: Router, tls: Tls, limits: Limits) -> Ports {
        let ports = Ports { router, tls, limits, open: Default::default(), own: Default::default() };
        let open = bound.into_iter().map(|(asked, bound)| (asked, ports.start(bound))).collect();
        Ports { open: tokio::sync::Mutex::new(open), ..ports }
    }

    /// Where commands on this machine reach the server without TLS: one of the addresses that is on loopback, or else a
    /// port of their own there, which is opened.
    pub(crate) async fn near(&self) -> Result<SocketAddr, BindError> {
        let addresses = self.addresses().await;
        if let Some(near) = addresses.iter().find(|address| is_near(address)) {
            return Ok(near_of(*near));
        }
        let mut own = self.own.lock().await;
        if let Some(port) = &*own {
            return Ok(port.address);
        }
        let v4 = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let bound = match listener::bind(v4).await {
            Ok(bound) => bound,
            // A machine that has no other.
            Err(_) => listener::bind(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))).await?,
        };
        Ok(own.insert(self.start(bound)).address)
    }

    /// The TLS side of all of them.
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    fn start(&self, bound: Bound) -> Port {
        let (stop, stopped) = shutdown_pair();
        let address = bound.address();
        let mode = Mode::Both(self.tls.clone());
        let serving = tokio::spawn(bound.serve(self.router.clone(), mode, self.limits.clone(), stopped));
        tracing::info!(%address, "the license server takes requests");
        Port { address, stop, serving }
    }

    /// Listens on `wanted` and nowhere else. What runs on an address that is given up is finished. If one cannot be opened,
    /// it is as before.
    ///
    /// # Errors
    /// The address that cannot be opened.
    pub(crate) async fn listen_on(&self, wanted: &[SocketAddr]) -> Result<(), BindError> {
        let wanted = reduced(wanted);
        let mut open = self.open.lock().await;
        let former: Vec<SocketAddr> = open.keys().copied().collect();
        let new: Vec<SocketAddr> = wanted.iter().copied().filter(|address| !open.contains_key(address)).collect();
        let in_the_way = |address: &SocketAddr| former.iter().any(|other| conflict(*address, *other));
        let (later, first): (Vec<SocketAddr>, Vec<SocketAddr>) = new.iter().partition(|address| in_the_way(address));
        // What is in nobody's way first: it fails before anything was given up.
        let mut opened = Vec::new();
        for address in first {
            opened.push((address, listener::bind(address).await?));
        }
        let mut closed = Vec::new();
        for address in later {
            for other in former.iter().filter(|other| conflict(address, **other)) {
                if let Some(port) = open.remove(other) {
                    closed.push(*other);
                    close(port);
                }
            }
            match bind_after_closing(address).await {
                Ok(bound) => opened.push((address, bound)),
                Err(error) => {
                    drop(opened);
                    self.reopen(&mut open, &closed).await;
                    return Err(error);
                }
            }
        }
        for (address, bound) in opened {
            open.insert(address, self.start(bound));
        }
        for address in former.iter().filter(|address| !wanted.contains(address)) {
            if let Some(port) = open.remove(address) {
                close(port);
            }
        }
        Ok(())
    }

    async fn reopen(&self, open: &mut BTreeMap<SocketAddr, Port>, closed: &[SocketAddr]) {
        for address in closed {
            match bind_after_closing(*address).await {
                Ok(bound) => {
                    open.insert(*address, self.start(bound));
                }
                Err(error) => tracing::error!(%error, "an address that was given up for another cannot be had back"),
            }
        }
    }

    /// Where it really listens.
    pub(crate) async fn addresses(&self) -> Vec<SocketAddr> {
        self.open.lock().await.values().map(|port| port.address).collect()
    }

    /// Ends them all; answers how many connections were cut off.
    pub(crate) async fn stop(&self) -> usize {
        let open = std::mem::take(&mut *self.open.lock().await);
        let own = self.own.lock().await.take();
        let ending: Vec<_> = open
            .into_values()
            .chain(own)
            .map(|port| {
                port.stop.stop();
                port.serving
            })
            .collect();
        let mut cut_off = 0;
        for serving in ending {
            cut_off += serving.await.map_or(0, |drained| drained.cut_off);
        }
        cut_off
    }
}

/// Takes no more connections; what runs is finished by the port's own task.
fn close(port: Port) {
    tracing::info!(address = %port.address, "the license server takes no more requests here");
    port.stop.stop();
}

/// The task that has the port closes it soon, not at once.
async fn bind_after_closing(address: SocketAddr) -> Result<Bound, BindError> {
    let mut tries = 0;
    loop {
        match listener::bind(address).await {
            Err(BindError::PortTaken(_)) if tries < TRIES => {
                tries += 1;
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_wide_address_hears_what_narrow_ones_would() {
        let all = ["0.0.0.0:1", "127.0.0.1:1", "127.0.0.1:2", "[::]:2", "10.0.0.1:3"].map(at);
        assert_eq!(reduced(&all), ["0.0.0.0:1", "10.0.0.1:3", "[::]:2"].map(at));
        assert!(conflict(at("[::]:1"), at("0.0.0.0:1")) && !conflict(at("0.0.0.0:1"), at("[::1]:1")));
        assert!(!conflict(at("0.0.0.0:0"), at("127.0.0.1:0")));
        assert!(
            came_by(at("[::ffff:10.0.0.1]:3"), &[at("10.0.0.1:3")]) && came_by(at("10.0.0.1:3"), &[at("0.0.0.0:3")])
        );
        assert!(!came_by(at("10.0.0.1:3"), &[at("10.0.0.2:3"), at("0.0.0.0:4")]));
    }

    fn ports() -> Ports {
        let tls = leasehold_web::tls::config_from_pem(CERTIFICATE.0.as_bytes(), CERTIFICATE.1.as_bytes()).unwrap();
        let router = Router::new().route("/", axum::routing::get(async || "here"));
        Ports::serve(Vec::new(), router, Tls::new(tls), Limits::default())
    }

    static CERTIFICATE: std::sync::LazyLock<(String, String)> = std::sync::LazyLock::new(|| {
        let key = leasehold_trust::SigningKey::generate();
        let names = ["localhost".to_owned()];
        let certificate = leasehold_trust::secret::self_signed_certificate(&names, &key, leasehold_core::time::Ms(0));
        (certificate, key.to_pkcs8_pem().to_string())
    });

    async fn is_open(address: SocketAddr) -> bool {
        tokio::net::TcpStream::connect(address).await.is_ok()
    }

    /// A port that was free a moment ago.
    async fn free_port() -> u16 {
        listener::bind(at("127.0.0.1:0")).await.unwrap().address().port()
    }

    #[tokio::test]
    async fn addresses_are_exchanged_also_where_one_is_in_the_others_way() {
        let (ports, port) = (ports(), free_port().await);
        let (wide, narrow, other) =
            (at(&format!("0.0.0.0:{port}")), at(&format!("127.0.0.1:{port}")), at(&format!("127.0.0.2:{port}")));
        ports.listen_on(&[narrow]).await.unwrap();
        assert!(is_open(narrow).await && !is_open(other).await);
        ports.listen_on(&[narrow, wide]).await.unwrap();
        assert!(is_open(narrow).await && is_open(other).await);
        ports.listen_on(&[other]).await.unwrap();
        assert!(is_open(other).await);
        let closed = async {
            while is_open(narrow).await {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), closed).await.expect("it is given up");
        ports.stop().await;
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_opened_leaves_all_as_it_was() {
        let (ports, port) = (ports(), free_port().await);
        let narrow = at(&format!("127.0.0.1:{port}"));
        ports.listen_on(&[narrow]).await.unwrap();
        let foreign = at("192.0.2.77:9");
        assert!(matches!(ports.listen_on(&[narrow, foreign]).await, Err(BindError::NotOurAddress(_))));
        let taken = listener::bind(at(&format!("127.0.0.3:{port}"))).await.unwrap();
        let wide = at(&format!("0.0.0.0:{port}"));
        assert!(matches!(ports.listen_on(&[wide]).await, Err(BindError::PortTaken(_))), "{}", taken.address());
        assert!(is_open(narrow).await, "what was given up for it is there again");
        assert_eq!(ports.addresses().await, [narrow]);
        ports.stop().await;
    }
}
