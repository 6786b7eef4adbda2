//! Leases: what applications send and get.

use crate::problem::Problem;
use crate::time::Time;
use jiff::civil::Date;
use leasehold_core::ids::LeaseId;
use leasehold_core::license::FeatureCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// The request header that names a checkout: 1 to 128 visible ASCII characters, made by the client and kept secret.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Answer to `GET /v1/ping`: somebody is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct PingResponse {
    /// `leasehold`, so that a client can tell what answers on the port.
    pub service: String,
    /// Release of the server.
    pub version: String,
    /// Whether it holds a grant and gives new seats.
    pub ready: bool,
}

/// Body of `POST /v1/leases`. Equal bodies, `nonce` aside, under one idempotency key are one checkout.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// What is wanted, such as `studio.gui`.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// How many seats, 1 to 10,000; all or none.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 10_000, default = 1)]
    pub seats: u32,
    /// The application's version, at most 200 characters; shown to people.
    #[serde(default)]
    #[schema(value_type = String)]
    pub version: Box<str>,
    /// The date compiled into the application; perpetual licenses need it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub released_on: Option<Date>,
    /// Who works there, at most 200 characters.
    #[serde(default)]
    #[schema(value_type = String)]
    pub user: Box<str>,
    /// The machine's name, at most 200 characters.
    #[serde(default)]
    #[schema(value_type = String)]
    pub host: Box<str>,
    /// Hash of the machine's id with the vendor's name, at most 128 visible ASCII characters.
    #[serde(default)]
    #[schema(value_type = String)]
    pub host_id: Box<str>,
    /// Changes when the machine boots, at most 128 visible ASCII characters.
    #[serde(default)]
    #[schema(value_type = String)]
    pub boot_id: Box<str>,
    /// Process id.
    #[serde(default)]
    pub pid: u32,
    /// Free words for reports, at most 8.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub labels: BTreeMap<Box<str>, Box<str>>,
    /// Fresh in every request, 1 to 128 visible ASCII characters; the signed answer repeats it.
    #[schema(value_type = String)]
    pub nonce: Box<str>,
}

fn one() -> u32 {
    1
}

/// Body of `POST /v1/leases/{id}/heartbeat`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// Rises with each heartbeat, from 1. The same `n` with the same nonce is the same heartbeat again.
    pub n: u64,
    /// Fresh in every new heartbeat.
    #[schema(value_type = String)]
    pub nonce: Box<str>,
}

/// Body of `POST /v1/leases/{id}/resume`: the server may have been restored from an older state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResumeRequest {
    /// As in a heartbeat.
    pub n: u64,
    /// As in a heartbeat.
    #[schema(value_type = String)]
    pub nonce: Box<str>,
    /// The idempotency key of the checkout.
    #[schema(value_type = String)]
    pub key: Arc<str>,
    /// The checkout as it was sent; its nonce does not matter.
    pub checkout: CheckoutRequest,
    /// The newest lease document that this server signed for the lease.
    pub token: String,
}

/// A right: answer to a checkout (201 new, 200 resumed), a heartbeat and a resume.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeaseResponse {
    /// The lease.
    #[schema(value_type = String)]
    pub lease: LeaseId,
    /// Bearer secret for heartbeat, resume and checkin; the same in each answer.
    pub secret: String,
    /// Of what.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// How many seats.
    pub seats: u32,
    /// Good for this long from before the request was sent.
    pub ttl_s: u32,
    /// First heartbeat after this long.
    pub renew_after_s: u32,
    /// Grace after `ttl_s`, in which to renew or to save work.
    pub grace_s: u32,
    /// The server's time of this answer.
    pub server_time: Time,
    /// When the license behind it ends: no renewal runs past this.
    pub ends_at: Time,
    /// It was there before this request.
    pub resumed: bool,
    /// The lease document, signed over the request's nonce (`lease+jwt`).
    pub token: String,
    /// The grant document on which it stands: `GET /v1/grants/{sha256}`.
    #[schema(value_type = String)]
    pub grant_sha256: Arc<str>,
}

impl fmt::Debug for LeaseResponse {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeaseResponse")
            .field("lease", &self.lease)
            .field("feature", &self.feature)
            .finish_non_exhaustive()
    }
}

/// No seat: 409 with the code of a denial.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DenialResponse {
    /// Code and sentences.
    #[serde(flatten)]
    pub problem: Problem,
    /// Of what.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// How many seats were asked for.
    pub seats: u32,
    /// Seats of the feature on this server.
    pub total: u32,
    /// Of these, in use.
    pub in_use: u32,
    /// Of those in use, borrowed by machines that may be away.
    #[serde(default)]
    pub borrowed: u32,
    /// Seats that nobody uses and that are kept for somebody else than the asker.
    #[serde(default)]
    pub reserved: u32,
    /// Of those in use, held since the server was restored from a backup, because machines may have borrowed them after it
    /// was made.
    #[serde(default)]
    pub held: u32,
    /// What a checkout can still take.
    pub free: u32,
    /// Seats of the feature that the account has at the portal, if that keeps this server up to date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_total: Option<u32>,
    /// Of these, at other license servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_elsewhere: Option<u32>,
    /// Seats beside those of `account_total` that are assigned to the asker and have yet to come free elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_pending: Option<u32>,
    /// Seats beside those of `account_total` that are assigned to people, who use them at license servers of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_for_people: Option<u32>,
    /// When the next seat is free at the latest if nothing is heard of its holder, or when new ones are given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_at: Option<Time>,
    /// The same in seconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_in_s: Option<i64>,
    /// The longest time for which seats of the feature may be borrowed, in days; absent unless somebody asked to borrow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub borrow_days_max: Option<u32>,
    /// Why an administrator took the asker's seat back, in the administrator's words. Hostile text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Some of the holders: those at the asker's own address, and others if the administrator lets everybody see them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holders: Vec<Holder>,
}

/// Who has a seat, as others may see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Holder {
    /// Whose. Hostile text.
    #[schema(value_type = String)]
    pub user: Box<str>,
    /// Where. Hostile text.
    #[schema(value_type = String)]
    pub host: Box<str>,
    /// How many seats in all, as far as the server looked.
    pub seats: u32,
    /// Since when they have the oldest of them.
    pub started_at: Time,
}

/// The lease is over or is not extended: 410 `LEASE_GONE`, 409 `LEASE_COPIED` or 409 `WITHDRAWN`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct EndedResponse {
    /// Code and sentences.
    #[serde(flatten)]
    pub problem: Problem,
    /// Whole seconds in which its holder may still use it, from before the request was sent; 0 if none.
    #[serde(default)]
    pub left_s: i64,
    /// Present if an administrator took the seat back: so many seconds its holder should not ask for another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_again_s: Option<i64>,
    /// Why, in the administrator's words. Hostile text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Part of an address after `?` in `DELETE /v1/leases`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KeyQuery {
    /// The idempotency key of a checkout that nobody waits for any more.
    #[param(value_type = String)]
    pub key: Arc<str>,
}

/// Body of `POST /v1/simulate`: would this checkout work?
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulateRequest {
    /// What is wanted, such as `studio.gui`.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// How many seats, 1 to 10,000.
    #[serde(default = "one")]
    #[schema(minimum = 1, maximum = 10_000, default = 1)]
    pub seats: u32,
    /// Who would ask, at most 200 characters.
    #[serde(default)]
    #[schema(value_type = String)]
    pub user: Box<str>,
    /// At which machine, at most 200 characters.
    #[serde(default)]
    #[schema(value_type = String)]
    pub host: Box<str>,
    /// The application's version, at most 200 characters.
    #[serde(default)]
    #[schema(value_type = String)]
    pub version: Box<str>,
    /// The date compiled into the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub released_on: Option<Date>,
    /// From which address; the asker's own if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub address: Option<IpAddr>,
    /// At the license server's own machine: seats that are assigned to its person are given there only.
    #[serde(default)]
    pub on_server: bool,
}

/// How a checkout would end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SimulateVerdict {
    /// It would get its seats.
    Granted,
    /// No seat is here; the portal would be asked first, for two seconds at most.
    AsksPortal,
    /// It would be refused.
    Denied,
}

/// How far one step lets a checkout go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// On to the next step.
    Passed,
    /// Here are seats.
    Gives,
    /// Nothing here, on to the next.
    Skipped,
    /// It ends here.
    Stopped,
}

/// One step of a checkout.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SimulateStep {
    /// How far it goes.
    pub state: StepState,
    /// What was looked at, and what it said. May hold hostile text.
    pub what: String,
}

/// Answer to `POST /v1/simulate`. Nothing was changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SimulateResponse {
    /// How it would end.
    pub verdict: SimulateVerdict,
    /// Each step that leads there.
    pub steps: Vec<SimulateStep>,
    /// Until when the seats would run; absent unless granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Time>,
    /// The refusal; where the portal would be asked, if that has none either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<Box<DenialResponse>>,
}

/// Body of `POST /v1/releases`: take seats back. Exactly one of `lease`, `host` and `user`.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseRequest {
    /// The seat of this lease, with every lease that shares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub lease: Option<LeaseId>,
    /// Every seat held at this host, as its applications name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Every seat held by this user, as the applications name them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Why, for the holders to read, at most 200 characters.
    #[serde(default)]
    pub reason: String,
    /// So many seconds the same users at the same hosts get no seat of the features again, at most 86,400; 600 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_again_s: Option<u32>,
}

/// Answer to `POST /v1/releases`: the seats are on their way back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReleaseResponse {
    /// From how many leases.
    pub leases: u64,
    /// When the last of them is free at the latest. An application that runs hears of it within a minute, has two minutes
    /// to save, and then gives its seat back; one that is gone is waited for.
    pub free_by: Time,
}

/// Body of `POST /v1/bars/lift`: whoever was to get no seat for a while may have one again. Exactly one of both.
#[derive(Clone, Default, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftRequest {
    /// At this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// This user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// Answer to `POST /v1/bars/lift`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct LiftResponse {
    /// How many were lifted: users at hosts, each of a feature.
    pub lifted: u64,
}

/// Answer to `GET /v1/bars`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BarsResponse {
    /// Who gets no seat for a while because theirs was taken back; at most 200.
    pub bars: Vec<BarView>,
}

/// Somebody who gets no seat of a feature for a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BarView {
    /// Of what.
    #[schema(value_type = String)]
    pub feature: FeatureCode,
    /// Who, as its applications say. Hostile text.
    pub user: String,
    /// Where, as its applications say. Hostile text.
    pub host: String,
    /// Why, as the administrator said it.
    pub reason: String,
    /// Until when.
    pub until: Time,
}

/// A grant document, for clients to check what the portal granted to this server.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GrantResponse {
    /// SHA-256 of `grant` in hex.
    pub sha256: String,
    /// The signed document (`grant+jwt`).
    pub grant: String,
    /// The workstation's certificate and those between it and the vendor's root, as base64 of DER.
    pub certificates: Vec<String>,
}
