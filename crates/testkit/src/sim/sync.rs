//! Online licensing as the simulation carries it: requests and answers that are lost, doubled and late, a portal that is
//! out of reach, its bell.

use super::events::Event;
use super::outcome::Violation;
use super::plant::Plant;
use super::server::Command;
use super::world::{World, tell};
use leasehold_core::engine::{Input, SyncOut};
use leasehold_core::ids::WorkstationId;
use leasehold_core::random::{self, Random};
use leasehold_core::sync::{SyncRequest, Verdict};
use leasehold_core::time::{MINUTE_MS, SECOND_MS};
use leasehold_db::DbError;
use leasehold_portal::service::sync as desk;
use leasehold_portal::store::{bells, documents, sync as table};
use leasehold_server::testing;
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::sync::sign_request;
use std::net::IpAddr;
use std::sync::Arc;

/// A request that has no answer after this long has failed, in milliseconds.
const PATIENCE_MS: i64 = 15 * SECOND_MS;
/// Requests that somebody may send again, at most.
const STOLEN_MAX: usize = 24;

/// A request on its way.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) server: usize,
    /// Which of the server's tries it belongs to.
    pub(super) flight: u64,
    pub(super) workstation: WorkstationId,
    pub(super) body: Arc<str>,
    pub(super) token: Arc<str>,
    /// Somebody who has listened sends it again.
    pub(super) stolen: bool,
}

impl World<'_, '_> {
    /// The engine's request is on disk: it is signed and sent.
    pub(super) fn send_sync(&mut self, server: usize, out: &SyncOut) {
        let Some(key) = self.key_of(server) else { return };
        let Ok(mut request) = serde_json::from_str::<SyncRequest>(&out.body) else { return };
        let mut body = out.body.clone();
        let in_force = self.truth.servers[server].on_disk.document.map_or(0, |(_, rev)| rev);
        if self.plant == Some(Plant::SayTooEarly) && request.rev < in_force {
            request.rev = in_force;
            body = serde_json::to_string(&request).expect("a request").into();
        }
        self.flights += 1;
        let flight = self.flights;
        self.servers[server].flight = Some(flight);
        let wall = self.servers[server].machine.wall(self.at_ms);
        let token = sign_request(&key, request.workstation, out.seq, body.as_bytes(), wall).into();
        let parcel = Parcel { server, flight, workstation: request.workstation, body, token, stolen: false };
        tell!(self, "server{server} syncs: seq {}, rev {}, {:?}", request.seq, request.rev, request.licenses);
        self.stolen.push(parcel.clone());
        if self.stolen.len() > STOLEN_MAX {
            self.stolen.remove(0);
        }
        self.push(PATIENCE_MS, Event::SyncTimeout { server, flight });
        if self.portal_cut.contains(&server) {
            return;
        }
        let doubled = !self.healed && self.per_mille(self.dice.doubled);
        for _ in 0..if doubled { 2 } else { 1 } {
            if let Some(in_ms) = self.crossing_ms() {
                self.push(in_ms, Event::SyncAtPortal(parcel.clone()));
            }
        }
    }

    /// A request has reached the portal.
    pub(super) fn sync_at_portal(&mut self, parcel: &Parcel) -> Result<(), Violation> {
        self.sim.portal_clock.set(self.now(), self.at_ms + MINUTE_MS);
        self.count_newest_only();
        let address = IpAddr::from([10, 0, 0, 9]);
        let answer = desk::sync(&self.sim.portal, address, &parcel.token, parcel.body.as_bytes());
        let died = self.sim.portal_db.db.failed().is_some();
        if died {
            self.sim.portal_db.db.restart().expect("an in-line database");
            self.tally.count("portal died at a commit");
        }
        self.count_used_only(parcel);
        self.newly_issued = None;
        self.learn_documents();
        // A portal that was set back may take an old request that somebody sends again, and cannot know better. The
        // answer fits nothing that the server has asked since, so that nobody can load what is in it. One of a server that
        // was set back was its own promise, as if it had come late by itself.
        let newest = self.stolen.iter().rfind(|sent| sent.server == parcel.server);
        let known_since = !self.truth.servers[parcel.server].unsynced;
        if parcel.stolen && known_since && newest.is_some_and(|newest| newest.body != parcel.body) {
            if let Some(workstation) = self.newly_issued {
                self.truth.forget_newest(workstation);
                self.tally.count("stolen request taken");
            }
        } else {
            self.learn_said(parcel);
        }
        self.learn_rung();
        match answer {
            Ok(answer) => {
                // Whoever gets an answer has the document in it.
                let newest = self.truth.newest_rev(parcel.workstation);
                self.truth.handed_out(parcel.workstation, newest);
                if !self.portal_cut.contains(&parcel.server)
                    && let Some(in_ms) = self.crossing_ms()
                {
                    let (server, flight) = (parcel.server, parcel.flight);
                    let body = parcel.body.clone();
                    self.push(in_ms, Event::SyncAnswer { server, flight, body, answer: answer.into() });
                }
            }
            Err(failure) => {
                tell!(self, "portal: the sync of server{} -> died: {died}, {failure:?}", parcel.server);
                self.tally.count("sync refused");
            }
        }
        self.check_portal()
    }

    /// [`Plant::CountUsedOnly`]: idle seats count as given back.
    fn count_used_only(&self, parcel: &Parcel) {
        let Ok(request) = serde_json::from_str::<SyncRequest>(&parcel.body) else { return };
        if self.plant != Some(Plant::CountUsedOnly) {
            return;
        }
        let spoiled = self.sim.portal_db.db.write(move |tx| {
            for (license, report) in &request.licenses {
                documents::lower(tx, request.workstation, request.rev, *license, report.used)?;
            }
            Ok::<_, DbError>(())
        });
        drop(spoiled);
    }

    /// What a request said counts once the portal has stored that it took it.
    fn learn_said(&mut self, parcel: &Parcel) {
        let (workstation, wanted) = (parcel.workstation, sha256_hex(parcel.body.as_bytes()));
        let row = self.sim.portal_db.db.read(move |tx| table::get(tx, workstation)).expect("the newest sync");
        let Ok(request) = serde_json::from_str::<SyncRequest>(&parcel.body) else { return };
        if row.is_some_and(|row| row.seq == request.seq && row.request_sha256 == wanted) {
            self.tally.count("sync taken");
            let presented = leasehold_trust::verify_grant(&request.document, self.sim.portal.root(), self.now());
            let presented = presented.expect("a document of this vendor").grant.rev;
            self.truth.said(workstation, &request, presented);
        }
    }

    /// Servers whose bell was rung hear of it, if their long poll is not lost.
    pub(super) fn learn_rung(&mut self) {
        let rung = self.sim.portal_db.db.read(|tx| bells::rung_since(tx, leasehold_core::time::Ms(0)));
        for (workstation, times) in rung.expect("bells") {
            if self.bells.insert(workstation, times).unwrap_or(0) >= times {
                continue;
            }
            for server in 0..self.servers.len() {
                let here = self.truth.servers[server].on_disk.document.map(|(workstation, _)| workstation);
                if here == Some(workstation)
                    && !self.portal_cut.contains(&server)
                    && let Some(in_ms) = self.crossing_ms()
                {
                    self.push(in_ms, Event::Ring { server });
                }
            }
        }
    }

    /// An answer has reached its server.
    pub(super) fn sync_answer(&mut self, server: usize, flight: u64, body: &Arc<str>, answer: &str) {
        let Some(key) = self.key_of(server) else { return };
        // An answer to an older try is as good: it is to the same request, or the engine does not take it.
        if self.servers[server].flight == Some(flight) {
            self.servers[server].flight = None;
        }
        let Some(running) = &self.servers[server].running else { return };
        let Some(document) = running.engine.document() else { return };
        let (workstation, file) = (document.grant.workstation, document.file.clone());
        let jitter = u64::from_le_bytes(random::bytes(&mut self.random));
        let (identity, root) = ((workstation, &key.public()), self.sim.portal.root().clone());
        match testing::read_answer(body.as_bytes(), answer, identity, (&file, &root), jitter) {
            Ok(mut input) => {
                if let Input::SyncAnswered { answer, .. } = &mut input {
                    if let Some(now) = self.server_now(server).filter(|_| self.plant == Some(Plant::BelieveOldAnswers))
                    {
                        answer.at = now;
                    }
                    if answer.verdict == Verdict::Forked {
                        let in_ms = self.between(10 * SECOND_MS, 5 * MINUTE_MS);
                        self.push(in_ms, Event::DisableCopy { server });
                    }
                    tell!(self, "server{server} hears {}: seq {}, {:?}", answer.verdict, answer.seq, answer.pools);
                    self.tally.count(match answer.verdict {
                        Verdict::Ok => "sync answered",
                        Verdict::Forked => "copy found out",
                        Verdict::ByFile => "sync of a server by file",
                        Verdict::Ended => "sync of a server that ended",
                        Verdict::Lost => "sync of a server that was lost",
                    });
                }
                self.command(server, Command::Sync(Box::new(input)));
            }
            Err(why) => tell!(self, "server{server} does not believe an answer: {why}"),
        }
    }

    pub(super) fn sync_timeout(&mut self, server: usize, flight: u64) {
        if self.servers[server].flight == Some(flight) {
            self.servers[server].flight = None;
            self.tally.count("sync failed");
            let jitter = self.random.below(1_000);
            self.command(server, Command::Sync(Box::new(Input::SyncFailed { jitter })));
        }
    }

    /// Somebody who has listened sends an old request again.
    pub(super) fn send_stolen(&mut self) {
        if self.stolen.is_empty() {
            return;
        }
        let chosen = self.pick(self.stolen.len());
        let parcel = Parcel { stolen: true, ..self.stolen[chosen].clone() };
        self.tally.count("stolen request");
        self.push(0, Event::SyncAtPortal(parcel));
    }

    /// The portal is out of reach of one server, or of all.
    pub(super) fn cut_portal(&mut self, server: usize, for_ms: i64) {
        let all = self.per_mille(400);
        for other in 0..self.servers.len() {
            if all || other == server {
                self.portal_cut.insert(other);
                self.push(for_ms, Event::PortalBack { server: other });
            }
        }
        self.tally.count("portal out of reach");
    }
}
