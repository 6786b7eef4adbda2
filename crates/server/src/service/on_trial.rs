//! Changes that may lock their maker out: where the server listens, who is heard, which certificate browsers see. They
//! hold at once, and the former ones come back by themselves unless somebody who came by the new way says that they stay.
//!
//! Nothing of a trial is stored before that, so a start in between goes on with the former settings.

use super::access::Caller;
use super::failure::Failure;
use super::settings::said;
use crate::config::{Config, Setting, Values};
use crate::local;
use crate::ports::{Ports, came_by};
use crate::server::{Inner, Server};
use crate::store;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Act, Audit};
use leasehold_core::time::{MINUTE_MS, SECOND_MS};
use leasehold_db::Tx;
use leasehold_host::private_file;
use leasehold_trust::certificate_facts;
use leasehold_trust::secret::sha256_hex;
use leasehold_wire::server::{CertificateRequest, SettingsResponse, TrialView};
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, Weak};
use std::time::Duration;

/// How long a trial runs, in milliseconds.
const TRIAL_MS: i64 = MINUTE_MS;
/// How often it is looked whether a trial is over.
const LOOK: Duration = Duration::from_millis(200);
/// Files of uploaded certificates begin with this.
const UPLOADED: &str = "browser-";
/// And go on with so many hexadecimal digits of the certificate's hash.
const NUMBER_CHARS: usize = 16;

/// A change on trial.
#[derive(Debug)]
pub(crate) struct Trial {
    changes: Values,
    settings: Vec<&'static Setting>,
    former: Arc<Config>,
    /// Where the server is to listen, if that was changed.
    listen: Option<Vec<SocketAddr>>,
    /// Connections since then have seen the new certificate, if it was changed.
    tls_epoch: Option<u64>,
    /// By the clock that counts suspend and cannot be set.
    until_ms: i64,
}

impl Trial {
    /// Seconds until the former settings come back.
    pub(super) fn left_s(&self, boot_ms: i64) -> i64 {
        // Rounded up: a minute that has just begun has 60 s, and none is left only when it is over.
        (self.until_ms - boot_ms + SECOND_MS - 1).div_euclid(SECOND_MS).max(1)
    }

    /// What is shown of it.
    pub(super) fn view(&self, boot_ms: i64) -> TrialView {
        TrialView {
            settings: self.settings.iter().map(|setting| setting.name.to_owned()).collect(),
            left_s: self.left_s(boot_ms),
            listen: self.listen.iter().flatten().map(ToString::to_string).collect(),
            certificate: self.tls_epoch.is_some(),
        }
    }

    /// Whether whoever asks came by the new way.
    fn shown_by(&self, caller: &Caller) -> Result<(), Failure> {
        // Whoever has the data folder is locked out by nothing.
        let Some(way) = caller.arrival().filter(|_| !caller.has_folder()) else { return Ok(()) };
        if let Some(listen) = self.listen.as_ref().filter(|listen| !came_by(way.local, listen)) {
            let places = listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            return Err(Failure::NotTheNewWay(format!(
                "Open Settings at the new address ({places}), and confirm there"
            )));
        }
        let Some(epoch) = self.tls_epoch else { return Ok(()) };
        // Whoever is on the machine itself can always put the old one back.
        let seen = way.tls_epoch.map_or(caller.is_here(), |seen| seen >= epoch);
        let again =
            "Open Settings again over https://, so that your browser sees the new certificate, and confirm there";
        if seen { Ok(()) } else { Err(Failure::NotTheNewWay(again.to_owned())) }
    }
}

impl Server {
    /// The machine's clock that counts suspend.
    pub(super) fn boot_ms(&self) -> i64 {
        self.0.clock.machine().boottime_ms()
    }

    /// The open addresses, while the server serves.
    pub(super) fn ports(&self) -> Option<Arc<Ports>> {
        self.0.ports.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }

    pub(super) async fn begin_trial(
        &self,
        caller: &Caller,
        former: Arc<Config>,
        next: Config,
        changes: Values,
        changed: &[&'static Setting],
    ) -> Result<Trial, Failure> {
        let has = |name: &str| changed.iter().any(|setting| setting.name == name);
        let ports = self.ports().ok_or_else(|| Failure::Internal("no port is open".to_owned()))?;
        let listen = has("listen").then(|| next.listen.clone());
        let tls = former.tls != next.tls;
        let certificate = if tls { Some(self.certificate_of(&next).await?) } else { None };
        if let Some(listen) = &listen {
            let both: Vec<SocketAddr> = former.listen.iter().chain(listen).copied().collect();
            ports.listen_on(&both).await.map_err(Failure::Bind)?;
        }
        let audit = self.audit(caller, "settings_trial", said(changed, &next.layers));
        if let Err(error) = self.0.db.write_async(move |tx| store::add_audit(tx, &audit)).await {
            let _ = ports.listen_on(&former.listen).await;
            return Err(error.into());
        }
        let tls_epoch = certificate.map(|certificate| self.show(&ports, certificate)).transpose()?;
        self.follow(next).await?;
        self.watch_trial();
        let until_ms = self.boot_ms() + TRIAL_MS;
        Ok(Trial { changes, settings: changed.to_vec(), former, listen, tls_epoch, until_ms })
    }

    async fn certificate_of(&self, config: &Config) -> Result<Arc<rustls::sign::CertifiedKey>, Failure> {
        let (folder, config, now) = (self.0.folder.clone(), config.clone(), self.now());
        let read = tokio::task::spawn_blocking(move || crate::tls::for_browsers(&folder, &config, now)).await;
        let read = read.map_err(|error| Failure::Internal(error.to_string()))?;
        read.map(Arc::new).map_err(|error| Failure::BadCertificate(error.to_string()))
    }

    /// New connections see this certificate; answers since which number that is so.
    fn show(&self, ports: &Ports, certificate: Arc<rustls::sign::CertifiedKey>) -> Result<u64, Failure> {
        self.0.certificates.show_browsers(certificate);
        let config = self.0.certificates.config().map_err(|error| Failure::Internal(error.to_string()))?;
        ports.tls().replace(config);
        Ok(ports.tls().epoch())
    }

    /// Ends the trial when its time is over, if nobody has before.
    fn watch_trial(&self) {
        // Not the server itself: it may stop meanwhile.
        let inner: Weak<Inner> = Arc::downgrade(&self.0);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK).await;
                let Some(server) = inner.upgrade().map(Server) else { return };
                let mut trial = server.0.trial.lock().await;
                match &*trial {
                    None => return,
                    Some(running) if server.boot_ms() < running.until_ms => {}
                    Some(_) => {
                        if let Some(over) = trial.take() {
                            let act = Act { who: "license server".into(), address: None };
                            tracing::warn!("nobody confirmed the new settings: those from before are back");
                            server.take_back(over, act, "nobody confirmed them in time").await;
                        }
                        return;
                    }
                }
            }
        });
    }

    /// The former settings hold again.
    async fn take_back(&self, trial: Trial, act: Act, why: &str) {
        if let Some(ports) = self.ports() {
            if trial.listen.is_some()
                && let Err(error) = ports.listen_on(&trial.former.listen).await
            {
                tracing::error!(%error, "a former address cannot be opened again");
            }
            if trial.tls_epoch.is_some() {
                match self.certificate_of(&trial.former).await {
                    Ok(certificate) => drop(self.show(&ports, certificate)),
                    Err(failure) => tracing::error!(%failure, "the former certificate cannot be read any more"),
                }
            }
        }
        let names: Vec<&str> = trial.settings.iter().map(|setting| setting.name).collect();
        let audit =
            Audit { at: self.now(), act, action: "settings_back", detail: format!("{}: {why}", names.join(", ")) };
        if let Err(failure) = self.follow((*trial.former).clone()).await {
            tracing::error!(%failure, "the former settings cannot be taken up again");
        }
        // Nothing of the trial is stored: a start now would go on with the former settings as well.
        if let Err(error) = self.0.db.write_async(move |tx| store::add_audit(tx, &audit)).await {
            tracing::warn!(%error, "it cannot be noted that settings were taken back");
        }
        self.sweep_certificates();
    }

    /// What is on trial stays. To be asked from the new address, over a connection with the new certificate.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], [`Failure::NoTrial`], [`Failure::NotTheNewWay`], or the database's.
    pub async fn confirm_settings(&self, caller: &Caller) -> Result<SettingsResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        // To its end, also if the caller does not wait for it: ports, memory and disk say the same.
        let (server, asking) = (self.clone(), caller.clone());
        let done = tokio::spawn(async move { server.confirm(&asking).await }).await;
        done.map_err(|error| Failure::Internal(error.to_string()))??;
        self.settings(caller).await
    }

    async fn confirm(&self, caller: &Caller) -> Result<(), Failure> {
        let mut slot = self.0.trial.lock().await;
        let trial = slot.as_ref().ok_or(Failure::NoTrial)?;
        trial.shown_by(caller)?;
        let ports = self.ports();
        if let (Some(ports), Some(listen)) = (&ports, &trial.listen) {
            ports.listen_on(listen).await.map_err(Failure::Bind)?;
        }
        let (changes, config) = (trial.changes.clone(), self.0.settings.get());
        let audit = self.audit(caller, "settings_change", said(&trial.settings, &config.layers));
        let stored = move |tx: &mut Tx<'_>| {
            store::change_settings(tx, &changes)?;
            store::add_audit(tx, &audit)
        };
        if let Err(error) = self.0.db.write_async(stored).await {
            if let (Some(ports), Some(listen)) = (&ports, &trial.listen) {
                let both: Vec<SocketAddr> = trial.former.listen.iter().chain(listen).copied().collect();
                let _ = ports.listen_on(&both).await;
            }
            return Err(error.into());
        }
        if let Some(ports) = ports.filter(|_| trial.listen.is_some()) {
            self.0.started.write().unwrap_or_else(PoisonError::into_inner).clone_from(&config.layers);
            self.announce_again(&ports).await;
        }
        *slot = None;
        self.sweep_certificates();
        Ok(())
    }

    /// Commands on this machine find the server where it is now.
    async fn announce_again(&self, ports: &Ports) {
        let address = match ports.near().await {
            Ok(address) => address.to_string(),
            Err(error) => {
                tracing::error!(%error, "commands on this machine have no way to the server");
                return;
            }
        };
        if let Err(error) = private_file::write_atomic(&self.0.folder.join(local::ADDRESS_FILE), address.as_bytes()) {
            tracing::error!(%error, "commands on this machine cannot be told the new address");
        }
    }

    /// What is on trial is given up at once.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], [`Failure::NoTrial`].
    pub async fn take_back_settings(&self, caller: &Caller) -> Result<SettingsResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let trial = self.0.trial.lock().await.take().ok_or(Failure::NoTrial)?;
        self.take_back(trial, caller.act(), "taken back").await;
        self.settings(caller).await
    }

    /// Another certificate for browsers, on trial; or the self-signed one again.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], [`Failure::BadCertificate`], [`Failure::SettingFixed`],
    /// [`Failure::OnTrial`], [`Failure::Disk`], or the database's.
    pub async fn change_certificate(
        &self,
        caller: &Caller,
        wish: CertificateRequest,
    ) -> Result<SettingsResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let mut changes = Values::new();
        match (filled(wish.certificate), filled(wish.key)) {
            (Some(certificate), Some(key)) => {
                self.check_certificate(certificate.as_bytes(), key.as_bytes())?;
                // Before anything is written: a change that is refused leaves no key behind.
                self.certificate_may_change().await?;
                let name = format!("{UPLOADED}{}", &sha256_hex(certificate.as_bytes())[..NUMBER_CHARS]);
                let (certificate_file, key_file) = (format!("{name}.crt"), format!("{name}.key"));
                private_file::write_atomic(&self.0.folder.join(&key_file), key.as_bytes())?;
                private_file::write_atomic(&self.0.folder.join(&certificate_file), certificate.as_bytes())?;
                changes.insert("tls_certificate".to_owned(), certificate_file.into());
                changes.insert("tls_key".to_owned(), key_file.into());
            }
            (None, None) => {
                changes.insert("tls_certificate".to_owned(), serde_json::Value::Null);
                changes.insert("tls_key".to_owned(), serde_json::Value::Null);
            }
            (None, Some(_)) => return Err(Failure::BadCertificate("the certificate is missing".to_owned())),
            (Some(_), None) => return Err(Failure::BadCertificate("its private key is missing".to_owned())),
        }
        if let Err(failure) = self.change(caller, changes).await {
            self.sweep_certificates();
            return Err(failure);
        }
        self.settings(caller).await
    }

    async fn certificate_may_change(&self) -> Result<(), Failure> {
        if let Some(trial) = &*self.0.trial.lock().await {
            return Err(Failure::OnTrial { left_s: trial.left_s(self.boot_ms()) });
        }
        let config = self.0.settings.get();
        match Setting::named("tls_certificate") {
            Some(setting) if config.layers.place(setting).is_fixed() => {
                Err(Failure::SettingFixed { name: setting.name, place: config.layers.stands_in(setting) })
            }
            _ => Ok(()),
        }
    }

    /// The key belongs to it, and browsers would take it by its dates.
    fn check_certificate(&self, certificate: &[u8], key: &[u8]) -> Result<(), Failure> {
        let refuse = |why: String| Failure::BadCertificate(why);
        let certified =
            leasehold_web::tls::certified_from_pem(certificate, key).map_err(|error| refuse(error.to_string()))?;
        let facts = certified.cert.first().and_then(|der| certificate_facts(der));
        let facts = facts.ok_or_else(|| refuse("the certificate cannot be read".to_owned()))?;
        let now = self.now();
        if facts.not_after <= now {
            return Err(refuse(format!("the certificate ended on {}", facts.not_after.minute())));
        }
        if now < facts.not_before {
            return Err(refuse(format!("the certificate is not good before {}", facts.not_before.minute())));
        }
        Ok(())
    }

    /// Removes uploaded certificates that no setting names any more.
    pub(crate) fn sweep_certificates(&self) {
        let config = self.0.settings.get();
        let used = |name: &str| config.layers.page.values().any(|value| value.as_str() == Some(name));
        let Ok(entries) = std::fs::read_dir(&self.0.folder) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            if name.to_str().is_some_and(|name| is_uploaded(name) && !used(name)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// Whether a file has a name that [`Server::change_certificate`] gives. Nobody else's file is ever removed.
fn is_uploaded(name: &str) -> bool {
    let rest = name.strip_prefix(UPLOADED).unwrap_or_default();
    let number = rest.strip_suffix(".crt").or_else(|| rest.strip_suffix(".key")).unwrap_or_default();
    number.len() == NUMBER_CHARS && number.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
