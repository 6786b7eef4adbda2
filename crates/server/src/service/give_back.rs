//! Giving back some seats of a server that has them by file: what may go, the promise, and its receipt.

use super::access::Caller;
use super::failure::{ADMINISTRATOR, Failure};
use crate::keys::read_if_there;
use crate::server::{Server, StartError};
use crate::store;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Document, Engine, GiveBack, GiveBackRefusal, Input, Output};
use leasehold_core::pool::KeepView;
use leasehold_core::text::{is_or_are, seats};
use leasehold_core::time::Ms;
use leasehold_db::Db;
use leasehold_host::{FileError, private_file};
use leasehold_trust::PublicKey;
use leasehold_trust::receipt::read_receipt;
use leasehold_web::problem::{Problem, who};
use leasehold_wire::server::{GiveBackRequest, GiveBackResponse, GivenBack, KeepStatus, codes};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The newest receipt of seats given back, beside the database.
const GIVE_BACK_FILE: &str = "give-back-receipt.pem";

impl Server {
    /// What could be given back now of each license, and what cannot before when.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NotGivenBack`] if nothing can be, or the database's.
    pub async fn may_give_back(&self, caller: &Caller) -> Result<GiveBackResponse, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let look = |engine: &Engine, now: Ms| {
            let licenses = engine.may_give_back(now)?;
            let rev = engine.document().map_or(0, |document| document.grant.rev);
            Ok::<_, GiveBackRefusal>(GiveBackResponse {
                rev,
                licenses: licenses.iter().map(keep).collect(),
                given_back: given_back(engine),
            })
        };
        self.0.engine.look(look).await?.map_err(|refusal| Failure::NotGivenBack(refusal, None))
    }

    /// What the same wish would come to: the same answer as before if it would be done, and why not otherwise.
    ///
    /// # Errors
    /// As [`Server::give_back`]; nothing is changed.
    pub async fn preview_give_back(
        &self,
        caller: &Caller,
        wish: &GiveBackRequest,
    ) -> Result<GiveBackResponse, Failure> {
        let may = self.may_give_back(caller).await?;
        let keep = wish.keep.clone();
        let refusal = match self.0.engine.look(move |engine, now| engine.promise(now, &keep)).await? {
            Ok(Some(_)) => return Ok(may),
            Ok(None) => GiveBackRefusal::Nothing,
            Err(refusal) => refusal,
        };
        let product = self.product_of(refusal).await?;
        Err(Failure::NotGivenBack(refusal, product))
    }

    /// Keeps no more than so many seats of the licenses that are named, for as long as the document is in force. When this
    /// answers it is on disk, and the receipt can be fetched.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NotGivenBack`] with what is wrong, or the database's.
    pub async fn give_back(&self, caller: &Caller, wish: &GiveBackRequest) -> Result<GivenBack, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        if wish.keep.is_empty() {
            return Err(Failure::BadField("`keep` must name a license".to_owned()));
        }
        let given = match self.0.engine.step(Input::GiveBack { keep: wish.keep.clone(), act: caller.act() }).await? {
            Output::GaveBack(given) => given,
            Output::NotGivenBack(refusal) => {
                let product = self.product_of(refusal).await?;
                return Err(Failure::NotGivenBack(refusal, product));
            }
            other => return Err(Failure::Internal(format!("the engine answered {other:?}"))),
        };
        // Made now, so that whoever fetches it first does not wait; if that fails it is made then.
        if let Err(failure) = self.make_receipt(&given).await {
            tracing::warn!(%failure, "the receipt is not made yet");
        }
        let document = self.0.engine.look(|engine, _| engine.document().cloned()).await?;
        Ok(told(&given, document.as_ref()))
    }

    /// The receipt of what was given back, to be uploaded at the portal. The same whenever it is fetched, until a newer
    /// document is loaded.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::NoReceipt`], or the database's.
    pub async fn give_back_receipt(&self, caller: &Caller) -> Result<String, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let look = |engine: &Engine, _| {
            let given = engine.given_back()?;
            engine.document().filter(|document| given.is_about(document)).map(|_| given.clone())
        };
        let given = self.0.engine.look(look).await?.ok_or(Failure::NoReceipt)?;
        self.make_receipt(&given).await
    }

    async fn make_receipt(&self, given: &GiveBack) -> Result<String, Failure> {
        let number = given.number;
        let made = self.0.db.read_async(move |tx| store::give_back_file(tx, number)).await?;
        let file = match made {
            Some(file) => file,
            None => self.sign_receipt(given).await?,
        };
        // Before anybody has it: also whoever puts the database back alone must not forget it.
        let (path, text) = (self.0.folder.join(GIVE_BACK_FILE), file.clone());
        let kept = tokio::task::spawn_blocking(move || keep_file(&path, &text));
        kept.await.map_err(|died| Failure::Internal(died.to_string()))?.map_err(Failure::Disk)?;
        Ok(file)
    }

    async fn sign_receipt(&self, given: &GiveBack) -> Result<String, Failure> {
        let number = given.number;
        let (workstation, now, catch_up) = (given.workstation.to_string(), self.now(), !self.counts());
        let (counting, db) = (self.0.counting.clone(), self.0.db.clone());
        let usage = tokio::task::spawn_blocking(move || {
            // Opened for one command: nobody else counts.
            while catch_up && counting.step(&db, None)? {}
            db.read(move |tx| store::usage_summary(tx, &workstation, now))
        });
        let usage = usage.await.map_err(|died| Failure::Internal(died.to_string()))??;
        let (keys, given, wall) = (Arc::clone(&self.0.keys), given.clone(), self.0.clock.wall());
        let file = keys.give_back_receipt(&given, usage, wall).ok_or(Failure::NoReceipt)?;
        let kept = self.0.db.write_async(move |tx| {
            store::set_give_back_file(tx, number, &file)?;
            store::give_back_file(tx, number)
        });
        kept.await?.ok_or(Failure::NoReceipt)
    }

    async fn product_of(&self, refusal: GiveBackRefusal) -> Result<Option<String>, Failure> {
        let (GiveBackRefusal::TooMany { license, .. } | GiveBackRefusal::InUse { license, .. }) = refusal else {
            return Ok(None);
        };
        let look = move |engine: &Engine, _| {
            let lines = engine.document().map(|document| document.grant.lines.clone()).unwrap_or_default();
            lines.into_iter().find(|line| line.license == license).map(|line| line.product_name)
        };
        Ok(self.0.engine.look(look).await?)
    }
}

fn keep_file(path: &Path, text: &str) -> Result<(), FileError> {
    match read_if_there(path)? {
        Some(kept) if kept == text.as_bytes() => Ok(()),
        _ => private_file::write_atomic(path, text.as_bytes()),
    }
}

/// Takes up the newest receipt of a data folder, if its database does not know it: it was put back alone. A file that this
/// server's key did not sign is another workstation's, from before.
pub(crate) fn take_up_receipt(folder: &Path, db: &Db, key: &PublicKey) -> Result<(), StartError> {
    let Some(bytes) = read_if_there(&folder.join(GIVE_BACK_FILE))? else { return Ok(()) };
    let Ok(facts) = read_receipt(&bytes).and_then(|receipt| receipt.verify(key)) else { return Ok(()) };
    let Some(kept) = facts.kept else { return Ok(()) };
    let known = db.read(store::given_back)?.map_or(0, |given| given.number);
    if kept.number <= known {
        return Ok(());
    }
    tracing::warn!(
        receipt = kept.number,
        rev = facts.rev_in_use,
        "the database was put back to a time before a receipt that this server gave: what it gave back stays given back"
    );
    let given = GiveBack {
        number: kept.number,
        workstation: facts.workstation,
        document: kept.document.into(),
        rev: facts.rev_in_use,
        kept: kept.seats,
        lines: BTreeMap::new(),
        at: facts.given_up_at,
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    db.write(move |tx| {
        store::add_given_back(tx, &given)?;
        store::set_give_back_file(tx, given.number, &text)
    })?;
    Ok(())
}

/// What was given back of the document in force.
pub(super) fn given_back(engine: &Engine) -> Option<GivenBack> {
    let given = engine.given_back()?;
    engine.document().filter(|document| given.is_about(document)).map(|document| told(given, Some(document)))
}

fn told(given: &GiveBack, document: Option<&Document>) -> GivenBack {
    let lines = document.map_or(&[][..], |document| &document.grant.lines);
    GivenBack {
        number: given.number,
        rev: given.rev,
        seats_signed: lines.iter().map(|line| line.seats).fold(0, u32::saturating_add),
        seats_kept: given.kept.values().copied().fold(0, u32::saturating_add),
        kept: given.kept.clone(),
        at: given.at.into(),
    }
}

fn keep(view: &KeepView) -> KeepStatus {
    KeepStatus {
        license: view.license,
        product: view.product.clone(),
        product_name: view.product_name.clone(),
        seats: view.held,
        in_use: view.used,
        may_give_back: view.held.saturating_sub(view.used),
        applications: view.applications,
        applications_until: view.applications_until.map(Into::into),
        passes: view.passes,
        passes_until: view.passes_until.map(Into::into),
        ends_at: view.ends_at.into(),
    }
}

/// Why no seats are given back, for people.
pub(super) fn refused(refusal: GiveBackRefusal, product: &str) -> Problem {
    let problem = |what: String| Problem::new(409, codes::NOT_GIVEN_BACK, what);
    match refusal {
        GiveBackRefusal::NotActivated => problem("This server holds no seats.".to_owned())
            .detail("It is not activated, so there is nothing to give back.")
            .next("Nothing needs to be done.", who::YOU),
        GiveBackRefusal::Online => problem("The portal keeps this server up to date.".to_owned())
            .detail("Seats that nobody uses here go to whoever needs them elsewhere, by themselves.")
            .next("To move idle seats at once, ask them back at the portal, on this workstation's page.", ADMINISTRATOR),
        GiveBackRefusal::Draining => problem("This server is being disabled.".to_owned())
            .detail("It gives back everything, with one receipt at the end.")
            .next("Wait until the last seat is back, then download that receipt.", ADMINISTRATOR),
        GiveBackRefusal::Unknown { until } => problem("Seats may be out that this server does not know.".to_owned())
            .detail(format!(
                "Its data come from a backup, or its clock was set back. Whoever holds such a seat has stopped by {}.",
                until.minute()
            ))
            .next("Try again then.", ADMINISTRATOR),
        GiveBackRefusal::RunsOut { until } => problem("Seats of an older activation file still run out.".to_owned())
            .detail(format!("The file in force holds fewer than are in use. The last of them has ended by {}.", until.minute()))
            .next("Try again then, or when they were given up.", ADMINISTRATOR),
        GiveBackRefusal::PutBack { rev } => problem("This server's data are older than its own receipt.".to_owned())
            .detail(format!("The receipt named document number {rev}; an older one is in force, so the data were put back."))
            .next("Renew the workstation at the portal and upload the new .crt file.", ADMINISTRATOR),
        GiveBackRefusal::NotHeld { license } => problem("This server holds no seats of that license.".to_owned())
            .detail(format!("{license} does not stand in the document in force."))
            .next("Take the license from the list of what can be given back.", who::YOU),
        GiveBackRefusal::TooMany { wanted, held, .. } => problem(format!("This server has {} of {product}.", seats(held)))
            .detail(format!("It cannot keep {wanted}."))
            .next("Say how many stay here, from those in use up to those that it has. For more seats, renew the workstation at the portal.", who::YOU),
        GiveBackRefusal::InUse { wanted, used, free_at, .. } => {
            let (are, few) = (is_or_are(used.into()), is_or_are(wanted.into()));
            problem(format!("{} of {product} {are} in use or borrowed, so {wanted} {few} too few to keep.", seats(used)))
                .detail(format!("A seat that is out cannot be given back. The last of them is free by {} if its holder is gone.", free_at.minute()))
                .next(
                    "Keep more, or have seats given up first: take them back from their holders, or have borrowed ones returned.",
                    ADMINISTRATOR,
                )
        }
        GiveBackRefusal::Nothing => problem("This server keeps just that already.".to_owned())
            .detail("No seats would go back.")
            .next("Lower the number of seats that stay here.", who::YOU),
    }
}
