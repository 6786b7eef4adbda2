//! Why a use case did not happen, and the one place where that becomes the problem a person reads. Unless the text says
//! otherwise nothing was changed.

use crate::config::SettingProblem;
use crate::engine::Refusal;
use leasehold_core::engine::{GiveBackRefusal, InstallRefusal};
use leasehold_core::time::{Ms, SECOND_MS};
use leasehold_db::DbError;
use leasehold_host::FileError;
use leasehold_trust::FileProblem;
use leasehold_web::listener::BindError;
use leasehold_web::problem::{ApiProblem, Problem, internal, who};
use leasehold_wire::server::{ConnectionProblem, DenialResponse, codes};
use std::net::IpAddr;

/// Who keeps the machine.
pub(super) const ADMINISTRATOR: &str = "the administrator of the license server";

/// Why a use case did not happen.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The administrator must sign in.
    #[error("not signed in")]
    SignIn,
    /// The administrator is only heard over TLS or on the server's own machine.
    #[error("not over TLS and not from the server's own machine")]
    TlsRequired,
    /// Only on the server's own machine.
    #[error("not from the server's own machine")]
    NotHere,
    /// Wrong password or setup secret.
    #[error("wrong password")]
    WrongPassword,
    /// The secret of the lease is missing or wrong.
    #[error("wrong secret of a lease")]
    WrongSecret,
    /// Too many wrong ones.
    #[error("too many wrong secrets")]
    TooManyTries {
        /// Seconds until the next try.
        wait_s: i64,
    },
    /// The administrator's password was set before.
    #[error("already set up")]
    AlreadySetUp,
    /// No password was set yet.
    #[error("not set up")]
    SetupNeeded,
    /// Signed in to look only.
    #[error("a read-only account")]
    ReadOnly,
    /// The address is shut out by the lists of networks.
    #[error("{0} is shut out")]
    ShutOut(IpAddr),
    /// A setting cannot be used.
    #[error("`{name}` {why}")]
    Setting {
        /// Which.
        name: &'static str,
        /// The rest of the sentence, without its full stop.
        why: String,
    },
    /// A setting stands where it is not changed from here.
    #[error("`{name}` is fixed in {place}")]
    SettingFixed {
        /// Which.
        name: &'static str,
        /// Where it stands.
        place: String,
    },
    /// A setting names a file of the server's own machine.
    #[error("`{0}` is set on the server's own machine")]
    SettingOfMachine(&'static str),
    /// Other settings are on trial.
    #[error("settings are on trial")]
    OnTrial {
        /// Seconds until they come back by themselves.
        left_s: i64,
    },
    /// Nothing is on trial.
    #[error("nothing is on trial")]
    NoTrial,
    /// The trial is not confirmed from the new way. What to do, as a sentence without its full stop.
    #[error("{0}")]
    NotTheNewWay(String),
    /// An address cannot be listened on.
    #[error(transparent)]
    Bind(BindError),
    /// A certificate cannot be used. Why, as a sentence without its full stop.
    #[error("{0}")]
    BadCertificate(String),
    /// No account of that name.
    #[error("no such administrator")]
    AdministratorUnknown,
    /// The name is an account's already.
    #[error("the name is taken")]
    NameTaken,
    /// Nobody would be left who may change things.
    #[error("the last administrator")]
    LastAdministrator,
    /// No such sign-in.
    #[error("no such session")]
    SessionUnknown,
    /// A field is out of bounds. The text begins with its name.
    #[error("{0}")]
    BadField(String),
    /// The idempotency key is missing or malformed.
    #[error("no idempotency key")]
    KeyMissing,
    /// The idempotency key belongs to another request.
    #[error("idempotency key used for another request")]
    KeyReused,
    /// No such lease.
    #[error("no such lease")]
    LeaseUnknown,
    /// Nothing is lent.
    #[error("{}: nothing is lent", .0.problem.code)]
    Denied(Box<DenialResponse>),
    /// No such pass.
    #[error("no such pass")]
    PassUnknown,
    /// Of these seats it is certain that a machine has them, or a restored server does not hold anything yet.
    #[error("the seats are not held since a restore")]
    NotHeld {
        /// From when on it does, if that is to come.
        from: Option<Ms>,
    },
    /// The seats behind a pass were taken off the server: the machine's file is good, and no other can be made.
    #[error("the pass stands as it was")]
    PassStands {
        /// Until when.
        until: Ms,
    },
    /// The key has a pass for something else.
    #[error("the key has another pass")]
    PassOther,
    /// The vendor's allowance for lost seats does not reach.
    #[error("write-off beyond the allowance")]
    WriteOff {
        /// Seats of the license that may be written off within a year.
        allowed: u32,
        /// Of these, written off.
        used: u32,
        /// How many this pass comes to.
        seats: u32,
        /// When its seats are free without.
        free_at: Ms,
    },
    /// No seat is held by whom it was to be taken back from.
    #[error("nobody holds such a seat")]
    NobodyHolds,
    /// Nobody of that name is kept from seats.
    #[error("nobody of that name is kept from seats")]
    NobodyBarred,
    /// The document shown in a resume is not one of this server for this lease.
    #[error("not a document of this lease")]
    LeaseDocument,
    /// Never obeyed such a document.
    #[error("no such grant document")]
    GrantUnknown,
    /// No seats are given back: why, and the name of the product in question.
    #[error("not given back: {0:?}")]
    NotGivenBack(GiveBackRefusal, Option<String>),
    /// The server was not disabled.
    #[error("no receipt")]
    NoReceipt,
    /// There is nothing to disable.
    #[error("not activated")]
    NotActivated,
    /// An uploaded file is not what it should be.
    #[error("{}: {}", .0.code(), .0.what())]
    File(FileProblem),
    /// A good file that is not loaded now.
    #[error("not loaded: {0:?}")]
    NotInstalled(InstallRefusal),
    /// The server is not online.
    #[error("not online")]
    NotOnline,
    /// Another server runs with this one's key.
    #[error("a copy")]
    Copy,
    /// The server is being disabled.
    #[error("being disabled")]
    StillDraining,
    /// What the portal refused, or why it was not reached.
    #[error("{}: {}", .0.code, .0.what)]
    Portal(Box<ConnectionProblem>),
    /// Too many checkouts wait.
    #[error("too many checkouts wait")]
    Busy,
    /// Nothing can be stored for now.
    #[error("nothing can be stored: {0}")]
    Stalled(String),
    /// The engine or the database does not know.
    #[error("the outcome is unknown")]
    OutcomeUnknown,
    /// The database.
    #[error(transparent)]
    Db(DbError),
    /// A file in the data folder or a backup.
    #[error(transparent)]
    Disk(#[from] FileError),
    /// A programming error or a damaged row.
    #[error("{0}")]
    Internal(String),
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Failure {
        match error {
            DbError::Full { .. } | DbError::Locked { .. } => Failure::Stalled(error.to_string()),
            DbError::Unknown { .. } | DbError::Stopped { .. } => Failure::OutcomeUnknown,
            other => Failure::Db(other),
        }
    }
}

impl From<SettingProblem> for Failure {
    fn from(problem: SettingProblem) -> Failure {
        Failure::Setting { name: problem.name, why: problem.why }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        match refusal {
            Refusal::Busy => Failure::Busy,
            Refusal::Stalled => Failure::Stalled("Nothing was done.".to_owned()),
            Refusal::OutcomeUnknown => Failure::OutcomeUnknown,
        }
    }
}

impl Failure {
    /// What a person reads.
    pub fn problem(&self) -> Problem {
        match self {
            Failure::SignIn => {
                Problem::new(401, codes::SIGN_IN, "This is for the administrator of the license server.").next(
                    "Sign in as the administrator of this server, over https:// or on the server's own machine.",
                    who::YOU,
                )
            }
            Failure::TlsRequired => Problem::new(403, codes::TLS_REQUIRED, "The connection is not encrypted.")
                .detail("The administrator's password and token would be readable on the way.")
                .next("Put https:// in front of the address, or work on the server's own machine.", who::YOU),
            Failure::NotHere => Problem::new(403, "NOT_HERE", "This is done on the server's own machine only.")
                .next("Run the command on the machine of the license server.", ADMINISTRATOR),
            Failure::ReadOnly => Problem::new(403, "READ_ONLY", "Your account may look at everything and change nothing.")
                .detail("Nothing was changed.")
                .next("Ask an administrator of this license server to do it, or to give your account more rights: Settings, Administrators.", ADMINISTRATOR),
            Failure::ShutOut(address) => {
                Problem::new(403, "SHUT_OUT", "This license server does not answer to your address.")
                    .detail(format!("{address} is shut out by `allow_networks` or `deny_networks`."))
                    .next("Ask for it to be let in: Settings, Network, on the license server's page.", ADMINISTRATOR)
            }
            Failure::Setting { name, why } => {
                Problem::new(422, "BAD_SETTING", "A setting cannot be used, so nothing was changed.")
                    .detail(format!("`{name}` {why}."))
                    .next("Correct the setting that is named.", who::YOU)
            }
            Failure::SettingFixed { name, place } => {
                Problem::new(409, "SETTING_FIXED", "This setting is fixed elsewhere, so it is not changed here.")
                    .detail(format!("`{name}` is set in {place}."))
                    .next("Change it there and reload or restart the server, or remove it there and set it here.", ADMINISTRATOR)
            }
            Failure::SettingOfMachine(name) => {
                Problem::new(403, "SETTING_OF_MACHINE", "This setting names a file on the server's own machine.")
                    .detail(format!("`{name}` is changed there only."))
                    .next(format!("On that machine: leasehold server settings {name}=PATH, or server.toml."), ADMINISTRATOR)
            }
            Failure::OnTrial { left_s } => {
                Problem::new(409, "ON_TRIAL", "Other settings are on trial, so nothing was changed.")
                    .detail(format!(
                        "Until then no setting is changed, by nobody. Unless they are kept, the former ones are back in {left_s} s."
                    ))
                    .next(
                        "Wait so long, or have them kept or taken back first: Settings, or `leasehold server settings --keep` or \
                         `--take-back` on the server's own machine.",
                        "whoever put them on trial, or another administrator of the license server",
                    )
            }
            Failure::NoTrial => Problem::new(409, "NOT_ON_TRIAL", "No settings are on trial.")
                .detail("They were kept or taken back, or their minute was over and the former ones are back.")
                .next("Look at the settings as they are now.", who::YOU),
            Failure::NotTheNewWay(what_to_do) => {
                Problem::new(409, "NOT_THE_NEW_WAY", "This is not yet proof that the new settings let you in.")
                    .detail("They are confirmed by the new way only: otherwise they could lock you out for good.")
                    .next(format!("{what_to_do}."), who::YOU)
            }
            Failure::Bind(error) => {
                Problem::new(409, "CANNOT_LISTEN", "The server cannot listen there, so nothing was changed.")
                    .detail(format!("{error}."))
                    .next("Give another address or port.", who::YOU)
            }
            Failure::BadCertificate(why) => {
                Problem::new(422, "BAD_CERTIFICATE", "The certificate cannot be used, so nothing was changed.")
                    .detail(format!("{why}."))
                    .next("Give the certificate with its intermediates and the key that belongs to it, both as PEM.", who::YOU)
            }
            Failure::AdministratorUnknown => {
                Problem::new(404, "ADMINISTRATOR_UNKNOWN", "There is no account of that name.")
                    .next("Look at the list of accounts.", who::YOU)
            }
            Failure::NameTaken => Problem::new(409, "TAKEN", "There is an account of that name.")
                .next("Choose another name.", who::YOU),
            Failure::LastAdministrator => {
                Problem::new(409, "LAST_ADMINISTRATOR", "This is the last account that may change things.")
                    .detail("Without it nobody could administer this server.")
                    .next("Add another administrator first.", who::YOU)
            }
            Failure::SessionUnknown => Problem::new(404, "SESSION_UNKNOWN", "There is no such sign-in.")
                .detail("It has ended.")
                .next("Nothing needs to be done.", who::YOU),
            Failure::WrongPassword => {
                Problem::new(401, codes::WRONG_PASSWORD, "That is not the right password or secret.")
                    .next("Check it and try again.", who::YOU)
            }
            Failure::NotOnline => Problem::new(409, "NOT_ONLINE", "The portal does not keep this server up to date.")
                .detail(
                    "It has its seats by file, or none yet, or it was revoked at the portal: its home page says which.",
                )
                .next("Enable online licensing first: ONLINE LICENSING, Enable.", ADMINISTRATOR),
            Failure::Copy => Problem::new(409, "FORKED", "Another license server runs with the same key.")
                .detail("This one is a copy, or was restored from a backup.")
                .next(
                    "Disable this one first; that ends its copy of the key. Then enable it again, which gives it a key \
                     of its own.",
                    ADMINISTRATOR,
                ),
            Failure::StillDraining => Problem::new(409, "DRAINING", "This server is being disabled.")
                .detail("Seats are still held by applications, or borrowed by machines.")
                .next(
                    "Wait until the last is back: ONLINE LICENSING, Disable, says when that is. Passes can be returned or written \
                     off before: ONLINE LICENSING, Borrowed by machines. Then enable it again.",
                    ADMINISTRATOR,
                ),
            Failure::Portal(problem) => {
                let title = match problem.code.as_ref() {
                    code if code.starts_with("PORTAL_ADDRESS") => "The portal was not asked.",
                    super::PORTAL_SLOW => "The portal was asked and did not answer in time: it may have done it.",
                    _ if problem.refused => "The portal refused.",
                    "ANSWER_NOT_SIGNED" | "PORTAL_UNREADABLE" => "What the portal answered cannot be used: it may have done it.",
                    _ => "The portal was not reached, or its answer was lost.",
                };
                Problem::new(502, problem.code.clone(), title)
                    .detail(problem.what.clone())
                    .next(problem.what_to_do.clone(), problem.who.clone())
            }
            Failure::WrongSecret => {
                Problem::new(401, codes::WRONG_SECRET, "The secret of the lease is missing or wrong.")
                    .detail("Nothing was changed.")
                    .next("Send the `secret` of the checkout's answer as `Authorization: Bearer`.", who::CALLER)
            }
            Failure::TooManyTries { wait_s } => {
                Problem::new(429, codes::RATE_LIMITED, "Too many wrong secrets came from this address.")
                    .detail(format!("The next try counts in {wait_s} s."))
                    .next("Wait, then try again.", who::YOU)
            }
            Failure::AlreadySetUp => {
                Problem::new(409, codes::ALREADY_SET_UP, "The administrator's password was set before.")
                    .next("Sign in with it.", who::YOU)
            }
            Failure::SetupNeeded => Problem::new(409, "SETUP_NEEDED", "No administrator's password was set yet.")
                .next("Set it with the setup secret that the server printed when it started.", ADMINISTRATOR),
            Failure::BadField(which) => Problem::new(422, codes::BAD_FIELD, "A field of the request is out of bounds.")
                .detail(format!("{which}."))
                .next("Correct the field that is named.", who::CALLER),
            Failure::KeyMissing => Problem::new(400, codes::KEY_MISSING, "The request has no idempotency key.")
                .detail("Without it a repeated request could take a second seat.")
                .next(
                    "Send a header `Idempotency-Key` with 1 to 128 visible ASCII characters, new for each checkout.",
                    who::CALLER,
                ),
            Failure::KeyReused => {
                Problem::new(422, codes::KEY_REUSED, "This idempotency key was already used for another request.")
                    .next("Use a new key for each checkout; repeat a request only unchanged.", who::CALLER)
            }
            Failure::Denied(denial) => denial.problem.clone(),
            Failure::PassUnknown => Problem::new(404, codes::PASS_UNKNOWN, "This license server has lent no such pass.")
                .detail("It has ended, or another license server lent it.")
                .next("Look at the list of what is borrowed; a pass that has ended needs nothing.", who::YOU),
            Failure::PassStands { until } => {
                Problem::new(409, "PASS_STANDS", "No new file of this pass can be made.")
                    .detail(format!(
                        "It was lent until {}, and the seats behind it were taken off this server since. The file that was made for it then is good until its end.",
                        until.minute()
                    ))
                    .next("Take that file to the machine. If it is gone, declare the pass lost, and make a new request.", ADMINISTRATOR)
            }
            Failure::NotHeld { from: Some(from) } => {
                Problem::new(409, codes::NOT_HELD, "This license server was just restored, and holds nothing yet for laptops.")
                    .detail(format!("It waits until {} for applications that run.", from.minute()))
                    .next("Try again then.", who::YOU)
            }
            Failure::NotHeld { from: None } => {
                Problem::new(409, codes::NOT_HELD, "These seats cannot be freed as not lent.")
                    .detail(
                        "Only what is held since a restore can be, or a pass of the backup, whole and not some of its seats, that its machine \
                         has not asked for since.",
                    )
                    .next("Have it returned on its machine (leasehold return), or declare it lost.", ADMINISTRATOR)
            }
            Failure::PassOther => {
                Problem::new(422, "PASS_OTHER", "This machine's key has a pass for something else already.")
                    .detail("A pass is for one feature, one number of seats and one machine.")
                    .next("Return that pass, or make a new request, which has a key of its own.", who::YOU)
            }
            Failure::WriteOff { allowed, used, seats, free_at } => {
                let what = if *allowed == 0 {
                    "The vendor does not allow lost seats of this license to be counted as free.".to_owned()
                } else {
                    format!("The vendor allows {allowed} lost seats of this license to be counted as free within a year, and {used} were.")
                };
                let why = format!(
                    "This pass comes to {seats}. Whoever has the machine may use it until it ends, so its seats are free by themselves at {}.",
                    free_at.minute()
                );
                Problem::new(409, "WRITE_OFF_DENIED", what)
                    .detail(why)
                    .next("Wait until then, or ask the vendor for a higher allowance; a server by file learns of it with its next .crt.", "the administrator, with the software's vendor")
            }
            Failure::NobodyHolds => Problem::new(404, "NOBODY_HOLDS", "No such seat is held here.")
                .detail("It was given back or has run out; it is borrowed by a machine, which is not told (Borrowed by machines, Lost?); or the name is spelled otherwise: names count exactly as the list of holders shows them.")
                .next("Look at the list of who holds a seat, and try again.", who::YOU),
            Failure::NobodyBarred => Problem::new(404, "NOBODY_BARRED", "Nobody of that name is kept from seats.")
                .detail("The time is over, it was lifted before, or the name is spelled otherwise: names count exactly as they are listed.")
                .next("Look at the list (Denials, or GET /v1/bars), and try again.", who::YOU),
            Failure::LeaseUnknown => {
                Problem::new(404, codes::LEASE_UNKNOWN, "The license server does not know this lease.")
                    .detail("It was returned or ran out some time ago.")
                    .next("Nothing needs to be done.", who::CALLER)
            }
            Failure::LeaseDocument => {
                Problem::new(422, codes::LEASE_DOCUMENT, "The lease document does not belong to this request.")
                    .detail("It was not signed by this server, or is of another lease.")
                    .next("Check out anew.", who::CALLER)
            }
            Failure::GrantUnknown => {
                Problem::new(404, codes::GRANT_UNKNOWN, "This server never had a grant document with that hash.")
                    .next("Take the hash from the newest answer of this server.", who::CALLER)
            }
            Failure::NoReceipt => Problem::new(404, codes::NO_RECEIPT, "There is no receipt.")
                .detail("A receipt of all seats is ready when the server was disabled and its last lease is over. One of some seats (`server give-back --receipt`, Give back some seats) is of the document in force, and there is none.")
                .next("Disable the server, and wait until its last lease has ended; or give back some seats first.", ADMINISTRATOR),
            Failure::NotGivenBack(refusal, product) => {
                super::give_back::refused(*refusal, product.as_deref().unwrap_or("this license"))
            }
            Failure::NotActivated => Problem::new(
                409,
                "NOT_ACTIVATED",
                "The license server is not activated, so there is nothing to disable.",
            )
            .next("Nothing needs to be done.", who::YOU),
            Failure::File(problem) => {
                Problem::new(file_status(problem), problem.code(), "The uploaded file cannot be used.")
                    .detail(problem.what())
                    .next(problem.what_to_do(), problem.who())
            }
            Failure::NotInstalled(refusal) => not_installed(*refusal),
            Failure::Busy => Problem::new(503, codes::BUSY, "The license server has too many checkouts to answer.")
                .detail("Nothing was done.")
                .next("Try again in a second, with the same key.", who::CALLER),
            Failure::Stalled(why) => {
                Problem::new(503, codes::DISK_FULL, "The license server cannot store changes for now.")
                    .detail(why.clone())
                    .next(
                        "Free space on the disk of the license server; it goes on by itself. Running seats are kept.",
                        ADMINISTRATOR,
                    )
            }
            Failure::OutcomeUnknown => {
                Problem::new(503, codes::OUTCOME_UNKNOWN, "Nobody can say whether this was carried out.")
                    .detail("The license server is being restarted.")
                    .next(
                        "Repeat the request with the same key: if it was carried out, you get its answer.",
                        who::CALLER,
                    )
            }
            Failure::Disk(error) if error.kind() == Some(std::io::ErrorKind::AlreadyExists) => {
                Problem::new(409, "NOT_EMPTY", "The folder for the copy is there already, and is not empty.")
                    .detail("Nothing was copied.")
                    .next("Name a new folder.", ADMINISTRATOR)
            }
            Failure::Disk(error) if error.kind() == Some(std::io::ErrorKind::NotFound) => {
                Problem::new(409, "NOT_THERE", "A folder or file does not exist.")
                    .detail(format!("{error}."))
                    .next("Make the folder that is named, or name another one, then try again.", ADMINISTRATOR)
            }
            Failure::Disk(error) => {
                Problem::new(503, "DISK", "A file of the license server cannot be read or written.")
                    .detail(error.to_string())
                    .next("Mend what the message names, then try again.", ADMINISTRATOR)
            }
            Failure::Db(_) | Failure::Internal(_) => internal(),
        }
    }

    /// Seconds after which asking again makes sense.
    pub fn retry_after_s(&self) -> Option<i64> {
        match self {
            Failure::Busy | Failure::Stalled(_) | Failure::OutcomeUnknown => Some(1),
            Failure::TooManyTries { wait_s } => Some(*wait_s),
            _ => None,
        }
    }
}

fn not_installed(refusal: InstallRefusal) -> Problem {
    match refusal {
        InstallRefusal::Older { file_rev, in_use } => Failure::File(FileProblem::Older { file_rev, in_use }).problem(),
        // The number does not matter where the very same file is in force.
        InstallRefusal::Twice => Problem::new(409, "FILE_TWICE", "This activation file is in force already.")
            .next("Nothing needs to be done. To change seats, renew the workstation at the portal and upload its new .crt file.", who::YOU),
        InstallRefusal::GivenBack { file_rev, rev } => {
            Problem::new(409, codes::FILE_GIVEN_BACK, "This activation file is not loaded any more.")
                .detail(format!(
                    "It has number {file_rev}. This server made a receipt for document number {rev}, and the portal may have given the seats of every document up to that one to others."
                ))
                .next(
                    "Renew the workstation at the portal, with a new request file if you like, and upload the new .crt file.",
                    ADMINISTRATOR,
                )
        }
        InstallRefusal::OtherWorkstation => {
            Problem::new(422, "FILE_OTHER_SERVER", "The activation file is for another workstation than the one this server is.")
                .next("Upload the .crt file of this server's own workstation.", ADMINISTRATOR)
        }
        InstallRefusal::ClockSuspect { behind_ms } => {
            Problem::new(409, "CLOCK_SUSPECT", "The clock of the license server's machine is behind.")
                .detail(format!(
                    "It shows a time {} s before one that this server has already stored, so it takes no new rights.",
                    behind_ms / SECOND_MS
                ))
                .next(
                    format!(
                        "Set the clock of that machine right (NTP). If it is right now and was ahead before, stop the \
                         license server for {0} s and start it again; or, if that is too long, download a new request \
                         file, renew the workstation with it at the portal, and upload the .crt file that answers it \
                         within these {0} s: it proves what time it is.",
                        behind_ms / SECOND_MS
                    ),
                    ADMINISTRATOR,
                )
        }
        InstallRefusal::Draining => Problem::new(409, "DRAINING", "The license server is being disabled.")
            .next("Wait until its last lease has ended, then download a new request and activate it with a new key.", ADMINISTRATOR),
    }
}

/// A good file that comes too late is a conflict; all others cannot be processed as they are.
fn file_status(problem: &FileProblem) -> u16 {
    match problem {
        FileProblem::Replayed { .. } | FileProblem::Twice { .. } | FileProblem::Older { .. } => 409,
        FileProblem::Oversized { .. } => 413,
        _ => 422,
    }
}

impl From<Failure> for ApiProblem {
    /// The edge: what a person cannot mend is logged here, once.
    fn from(failure: Failure) -> ApiProblem {
        match &failure {
            Failure::Db(error) => tracing::error!(%error, "the database failed a request"),
            Failure::Internal(error) => tracing::error!(error, "a request failed"),
            Failure::Disk(error) => tracing::error!(%error, "a file failed a request"),
            _ => {}
        }
        failure.problem().into()
    }
}
