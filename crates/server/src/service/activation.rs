//! Activation by files: download a request, upload the `.crt`, disable, download the receipt.

use super::access::Caller;
use super::failure::Failure;
use crate::server::Server;
use crate::store;
use crate::upstream::files::{self, RequestParts, Reread};
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Engine, Input, InstallRefusal, Output};
use leasehold_core::ids::RequestId;
use leasehold_trust::{FileProblem, SigningKey};
use leasehold_wire::server::{ActivationResponse, DisableResponse};
use std::sync::Arc;

impl Server {
    /// The activation request file, to be uploaded at the portal. Makes the server's key on first use.
    ///
    /// # Errors
    /// [`Failure::SignIn`]; [`Failure::Disk`] if the key file cannot be written.
    pub async fn request_file(&self, caller: &Caller) -> Result<String, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let (key, rev_in_use) = (self.own_key().await?, self.0.engine.look(files::rev_to_report).await?);
        let wall = self.0.clock.wall();
        let request = self.0.random.draw(|random| RequestId::draw(wall, random));
        // Known before anybody has it: a document that answers it proves the time.
        self.0.engine.step(Input::Ask { request }).await?;
        let (machine, trust) = (self.0.fingerprint.clone(), self.trust());
        Ok(files::request_file(&key, &RequestParts { request, wall, machine, rev_in_use, trust }))
    }

    /// Whether the caller may upload an activation file, before it is read.
    pub(crate) fn may_import(&self, caller: &Caller) -> Result<(), Failure> {
        self.authorize(caller, ServerAction::Administer)
    }

    /// Puts an uploaded activation file in force. Nothing changes unless the whole of it is good.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::File`] or [`Failure::NotInstalled`] with what is wrong, or the database's.
    pub async fn import(&self, caller: &Caller, bytes: &[u8]) -> Result<ActivationResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        // Before the first request no file can be for this server; a key that nobody has says whose the file is.
        let key = self.0.keys.key().unwrap_or_else(SigningKey::generate);
        let trust = self.trust();
        let wall = self.0.clock.wall();
        // By the wall clock, which people can mend: what the server's own time makes of it is for the engine to say.
        let read = files::read(bytes, trust.as_ref(), &key.public(), self.rev_in_use().await?, wall);
        let reread = match read {
            Err(problem @ FileProblem::Older { file_rev, in_use }) => {
                return Err(self.given_back_or(problem, file_rev, in_use).await?);
            }
            // The seats of the very file in force may be those that were given back: nothing is well then.
            Err(problem @ FileProblem::Twice { rev }) => return Err(self.given_back_or(problem, rev, rev).await?),
            read => read.map_err(Failure::File)?,
        };
        let input = Input::Install { document: reread.document.clone(), wall, act: caller.act() };
        match self.0.engine.step(input).await? {
            Output::Installed { withdrawn, .. } => Ok(activated(&reread, trust.is_none(), withdrawn)),
            Output::NotInstalled(refusal) => Err(Failure::NotInstalled(refusal)),
            other => Err(Failure::Internal(format!("the engine answered {other:?}"))),
        }
    }

    /// Why a file whose number is not above that of the one in force is not taken: `problem`, unless seats of that one were
    /// given back.
    async fn given_back_or(&self, problem: FileProblem, file_rev: u64, in_use: u64) -> Result<Failure, Failure> {
        let given = self.0.engine.look(|engine, _| engine.given_back().map(|given| given.rev)).await?;
        Ok(match given.filter(|rev| *rev == in_use) {
            Some(rev) => Failure::NotInstalled(InstallRefusal::GivenBack { file_rev, rev }),
            None => Failure::File(problem),
        })
    }

    /// Begins to give up the key: no new seats from now on; when the last lease has ended, the receipt is made and the
    /// key destroyed. Again is harmless and says how far it is.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NotActivated`], or the database's.
    pub async fn disable(&self, caller: &Caller) -> Result<DisableResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        match self.0.engine.step(Input::Drain { act: caller.act() }).await? {
            Output::Draining { leases_out, done_by } => {
                // The engine retires after the batch of the drain; a look comes after that.
                let look = |engine: &Engine, _| (engine.document().is_none(), engine.pool().passes_out());
                let (retired, passes_out) = self.0.engine.look(look).await?;
                let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
                let (leases_out, passes_out) = (count(leases_out), count(passes_out));
                Ok(DisableResponse { leases_out, passes_out, done_by: done_by.into(), receipt_ready: retired })
            }
            // Asked again to see how far it is.
            Output::NotDrained if self.is_disabled().await? => {
                Ok(DisableResponse { leases_out: 0, passes_out: 0, done_by: self.now().into(), receipt_ready: true })
            }
            Output::NotDrained => Err(Failure::NotActivated),
            other => Err(Failure::Internal(format!("the engine answered {other:?}"))),
        }
    }

    /// The newest receipt file, to be uploaded at the portal.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NoReceipt`], or the database's.
    pub async fn receipt_file(&self, caller: &Caller) -> Result<String, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        self.0.db.read_async(store::newest_receipt).await?.ok_or(Failure::NoReceipt)
    }

    pub(super) async fn own_key(&self) -> Result<SigningKey, Failure> {
        if let Some(key) = self.0.keys.key() {
            return Ok(key);
        }
        let keys = Arc::clone(&self.0.keys);
        let made = tokio::task::spawn_blocking(move || keys.key_or_new()).await;
        made.map_err(|error| Failure::Internal(error.to_string()))?.map_err(Failure::Disk)
    }

    async fn rev_in_use(&self) -> Result<Option<u64>, Failure> {
        let look = |engine: &Engine, _| engine.document().map(|document| document.grant.rev);
        Ok(self.0.engine.look(look).await?)
    }
}

fn activated(reread: &Reread, vendor_new: bool, withdrawn: usize) -> ActivationResponse {
    let grant = &reread.document.grant;
    ActivationResponse {
        workstation: grant.workstation,
        workstation_name: grant.workstation_name.clone(),
        vendor: reread.activation.root.name().to_owned(),
        vendor_fingerprint: reread.activation.root.fingerprint_text(),
        vendor_new,
        rev: grant.rev,
        lines: u32::try_from(grant.lines.len()).unwrap_or(u32::MAX),
        seats: grant.lines.iter().map(|line| u64::from(line.seats)).sum(),
        ends_at: grant.ends_at().into(),
        withdrawn: u64::try_from(withdrawn).unwrap_or(u64::MAX),
    }
}
