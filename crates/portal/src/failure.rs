//! Why a use case did not happen, and the one place where that becomes the problem a person reads.
//!
//! Every variant says, through [`Failure::problem`], what happened, why, what to do next and who can do it. Unless the
//! text says otherwise nothing was changed.

mod account;
mod giving_up;
mod organization;
mod pin;

pub use account::AccountFailure;
use leasehold_core::activation::Refusal;
use leasehold_core::ids::WorkstationId;
use leasehold_core::license::Scope;
use leasehold_core::sync::PinRefusal;
use leasehold_core::time::Ms;
use leasehold_db::DbError;
use leasehold_trust::FileProblem;
use leasehold_web::problem::{ApiProblem, Problem, internal, who};
use leasehold_wire::portal::WorkstationStatus;
pub use organization::OrganizationFailure;

/// The vendor's side of the portal.
const OPERATOR: &str = "the vendor's operator";
/// Who keeps the machine on which the portal runs.
const HOST: &str = "the administrator of the machine on which the portal runs";

/// Why a use case did not happen.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// Nobody is signed in.
    #[error("not signed in")]
    SignIn,
    /// Wrong address or password; which of the two is not told.
    #[error("wrong address or password")]
    WrongPassword,
    /// Too many wrong passwords from there or for that account.
    #[error("too many wrong passwords")]
    TooManyTries {
        /// Seconds until the next try counts.
        wait_s: i64,
    },
    /// About accounts.
    #[error(transparent)]
    Account(#[from] AccountFailure),
    /// Too many passwords are being checked at once.
    #[error("too many sign-ins at once")]
    Busy,
    /// Known, and not allowed.
    #[error("not allowed")]
    Forbidden,
    /// There is none, or it is somebody else's.
    #[error("not found")]
    NotFound,
    /// A field cannot be what was given.
    #[error("{field} {why}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Rest of the sentence that begins with the field's name.
        why: String,
    },
    /// Unique, and taken.
    #[error("{what} is taken")]
    Taken {
        /// What is taken, such as `email address`.
        what: &'static str,
    },
    /// The idempotency key belongs to another request.
    #[error("idempotency key used for another request")]
    KeyReused,
    /// An uploaded file is not what it should be.
    #[error("{}: {}", .0.code(), .0.what())]
    File(FileProblem),
    /// The key of the request file is a workstation of another account.
    #[error("the key belongs to another account")]
    KeyElsewhere,
    /// The workstation gets no new document.
    #[error("workstation {workstation} is {}", .status.word())]
    NotActive {
        /// Which.
        workstation: WorkstationId,
        /// Its name.
        name: String,
        /// Revoked or released.
        status: WorkstationStatus,
    },
    /// A newer request file of the same server was used before.
    #[error("request older than one already used")]
    RequestOlder {
        /// When this one was made.
        made_at: Ms,
        /// When the newest one that was used was made.
        newest_at: Ms,
    },
    /// The file belongs to another server than the workstation that was chosen.
    #[error("file of another server")]
    OtherWorkstation {
        /// The workstation that was chosen, by name.
        chosen: String,
        /// The host that the file comes from, as it says.
        file_host: String,
    },
    /// No workstation has the key that signed the receipt.
    #[error("no such key")]
    UnknownKey,
    /// A receipt that keeps some seats came after a newer word of the server.
    #[error("an older receipt")]
    ReceiptOlder {
        /// The workstation's name.
        name: String,
        /// Number of the receipt.
        number: u64,
        /// The document that it names.
        rev: u64,
    },
    /// A receipt names a document that was never issued.
    #[error("a receipt for an unknown document")]
    ReceiptUnknownDocument {
        /// The workstation's name.
        name: String,
        /// The document that it names.
        rev: u64,
    },
    /// A receipt that keeps some seats came from a server that was declared lost.
    #[error("a receipt of a lost server")]
    ReceiptOfLost {
        /// The workstation's name.
        name: String,
    },
    /// The vendor's allowance for lost seats does not reach.
    #[error("write-off beyond the allowance")]
    NotWrittenOff {
        /// The workstation's name.
        name: String,
        /// Seats that may be written off within a year.
        allowed: u32,
        /// Of these, written off.
        used: u32,
        /// When its seats are free without.
        free_at: Ms,
    },
    /// Another receipt of the same server was taken before.
    #[error("already released")]
    AlreadyReleased {
        /// Of which workstation, by name.
        name: String,
    },
    /// The license server trusts another vendor than the one of this portal.
    #[error("license server of another vendor")]
    OtherVendor {
        /// The vendor of this portal.
        ours: String,
    },
    /// The document would be too large for a license server to read.
    #[error("{0}")]
    TooManyLines(String),
    /// What was chosen cannot be given.
    #[error("cannot be given: {refusal:?}")]
    Refused {
        /// Why.
        refusal: Refusal,
        /// How the license is called; empty if it is not one of the account's.
        license: String,
    },
    /// Seats cannot be kept at a server for use without a portal.
    #[error("cannot be kept: {refusal:?}")]
    PinRefused {
        /// Why.
        refusal: PinRefusal,
        /// How the license is called.
        license: String,
    },
    /// What is kept at a server is not what it was when somebody decided to change it.
    #[error("what is kept was changed")]
    PinsChanged,
    /// A sync or long poll was not signed by the key of a workstation here.
    #[error("not signed by a workstation's key: {0}")]
    WorkstationKey(String),
    /// The clocks of a license server and of the portal are more than two days apart.
    #[error("the clock of the license server is off")]
    SyncClock {
        /// What the server says.
        server: Ms,
        /// The portal's time.
        now: Ms,
    },
    /// The account has no license that could be put on a server, for whom it is to work.
    #[error("no licenses")]
    NoLicenses(Scope),
    /// The account does not administer an organization.
    #[error("no organization")]
    NoOrganization,
    /// The workstation does not sync.
    #[error("workstation {name} is not online")]
    NotOnline {
        /// Its name.
        name: String,
    },
    /// The workstation syncs: it gets no file that its server did not ask for.
    #[error("workstation {name} is online")]
    KeptOnline {
        /// Its name.
        name: String,
    },
    /// The token that enables a server was used, has ended, or never was.
    #[error("unknown token")]
    EnableToken,
    /// An organization, or who is in it, stands in the way.
    #[error(transparent)]
    Organization(#[from] OrganizationFailure),
    /// A new workstation would hold nothing.
    #[error("nothing to give")]
    NothingToGive,
    /// The license was ended before.
    #[error("license ended before")]
    AlreadyEnded {
        /// When.
        at: Ms,
    },
    /// The portal's clock does not fit its database's.
    #[error("the clock is off")]
    ClockOff,
    /// The portal was restored from a backup, and the license server obeys a document that was issued after it.
    #[error("document {rev} is not known since the portal was restored")]
    Unlearned {
        /// Which document.
        rev: u64,
        /// When the portal has learned what is out.
        until: Ms,
    },
    /// A document could not be appended to `grants.log`.
    #[error("grants.log: {0}")]
    GrantsLog(String),
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// Something that should not happen.
    #[error("{0}")]
    Internal(String),
}

impl From<FileProblem> for Failure {
    fn from(problem: FileProblem) -> Failure {
        Failure::File(problem)
    }
}

/// `2026-11-22 14:03 UTC`: an instant within a sentence.
pub fn sentence_time(at: Ms) -> String {
    let text = at.rfc3339();
    match (text.get(..10), text.get(11..16)) {
        (Some(date), Some(time)) => format!("{date} {time} UTC"),
        _ => text,
    }
}

impl Failure {
    /// A field that cannot be what was given; `why` is the rest of the sentence that begins with its name.
    pub fn invalid(field: &'static str, why: impl ToString) -> Failure {
        Failure::Invalid { field, why: why.to_string() }
    }

    /// What a person reads.
    pub fn problem(&self) -> Problem {
        match self {
            Failure::SignIn => Problem::new(401, "SIGN_IN", "You are not signed in, or your sign-in has ended.")
                .next("Sign in, then do it again.", who::YOU),
            Failure::WrongPassword => {
                Problem::new(401, "WRONG_PASSWORD", "The email address or the password is wrong.").next(
                    "Try again, or use *Forgotten the password?* on the portal's sign-in page.",
                    who::YOU,
                )
            }
            Failure::TooManyTries { wait_s } => {
                Problem::new(429, "TOO_MANY_TRIES", "There were too many wrong passwords.")
                    .detail(format!("Further tries are refused for {wait_s} s, even with the right password."))
                    .next("Wait, then sign in again.", who::YOU)
            }
            Failure::Account(failure) => failure.problem(),
            Failure::Busy => Problem::new(503, "BUSY", "Too many people are signing in at this moment.")
                .next("Try again in a few seconds.", who::YOU),
            Failure::Forbidden => Problem::new(403, "FORBIDDEN", "Your account may not do this.")
                .next("Ask the vendor; operators of the portal may.", OPERATOR),
            Failure::NotFound => Problem::new(404, "NOT_FOUND", "There is no such thing, or it is not yours.")
                .next("Check the id. If somebody else owns it, they have to do this.", who::YOU),
            Failure::Invalid { field, why } => {
                Problem::new(422, "BAD_FIELD", "A field has a value that is not allowed.")
                    .detail(format!("`{field}` {why}."))
                    .next("Correct that field and send it again.", who::YOU)
            }
            Failure::Taken { what } => Problem::new(409, "TAKEN", "Something else has this name already.")
                .detail(format!("The {what} is in use."))
                .next("Choose another one.", who::YOU),
            Failure::KeyReused => {
                Problem::new(422, "KEY_REUSED", "This idempotency key was already used for another request.")
                    .next("Use a new key for each new request; repeat a request only unchanged.", who::CALLER)
            }
            Failure::File(problem) => {
                Problem::new(file_status(problem), problem.code(), "The uploaded file cannot be used.")
                    .detail(problem.what())
                    .next(problem.what_to_do(), problem.who())
            }
            Failure::Refused { refusal, license } => refused(refusal, license),
            Failure::PinRefused { refusal, license } => pin::refused(*refusal, license),
            Failure::PinsChanged => pin::changed(),
            Failure::AlreadyEnded { at } => Problem::new(409, "ALREADY_ENDED", "The license was ended before.")
                .detail(format!("It was ended on {}.", sentence_time(*at)))
                .next("Nothing needs to be done. Sell a new license if it should run again.", OPERATOR),
            Failure::ClockOff => Problem::new(503, "CLOCK_OFF", "The portal does not issue documents at this moment.")
                .detail("Its clock differs from the database's by more than 60 s.")
                .next(
                    "Set the clocks right (NTP) on the portal's machine and on the database's; it goes on by itself.",
                    HOST,
                ),
            Failure::Unlearned { rev, until } => pin::unlearned(*rev, *until),
            Failure::GrantsLog(cause) => Problem::new(
                503,
                "GRANTS_LOG",
                "The document is made but cannot be handed out yet.",
            )
            .detail(format!("It could not be appended to grants.log ({cause}). Its seats count as out."))
            .next(
                "Free space or mend the permissions there, then download the .crt file on the workstation's page.",
                HOST,
            ),
            Failure::Db(error) => database(error),
            Failure::Internal(_) => internal(),
            Failure::NoOrganization => {
                Problem::new(409, "NO_ORGANIZATION", "This account does not administer an organization.")
                    .detail("Whoever owns the licenses of an organization is its administrator.")
                    .next(
                        "Sign in with the administrator's account, or choose to use the server for yourself (on a command line: --for me).",
                        who::YOU,
                    )
            }
            Failure::Organization(failure) => failure.problem(),
            workstation => workstation.about_giving_up().unwrap_or_else(|| workstation.about_workstation()),
        }
    }

    fn about_workstation(&self) -> Problem {
        match self {
            Failure::KeyElsewhere => Problem::new(
                409,
                "KEY_ELSEWHERE",
                "This license server is registered with another account.",
            )
            .detail("A server's key belongs to one account. Nothing was changed.")
            .next(
                "Sign in with the account that activated it. If the server should move to yours: disable it there \
                         (that makes a new key), then enable it again, or download a new request file and upload that.",
                "the administrator of the license server",
            ),
            Failure::NotActive { name, status, .. } => {
                let happened = match status {
                    WorkstationStatus::Released => "gave up its key",
                    WorkstationStatus::Lost => "was declared lost",
                    _ => "was revoked",
                };
                Problem::new(409, "KEY_ENDED", "This workstation gets no new document.")
                    .detail(format!("`{name}` {happened}; its key cannot be used again."))
                    .next(
                        "Activate the server anew: disable it on its own page unless that was done, which makes a new key; \
                         then enable it again, or download a new request file and upload that.",
                        "the administrator of the license server",
                    )
            }
            Failure::RequestOlder { made_at, newest_at } => Problem::new(
                409,
                "FILE_OLDER",
                "A newer request file of this license server was already used.",
            )
            .detail(format!(
                "This one was made on {}, the newest one on {}.",
                sentence_time(*made_at),
                sentence_time(*newest_at)
            ))
            .next(
                "Download a new request file on the license server and upload that. If it was new, the clock of \
                         the license server's machine is behind: set it right (NTP) first.",
                who::YOU,
            ),
            Failure::OtherWorkstation { chosen, file_host } => Problem::new(
                409,
                "FILE_OTHER_SERVER",
                "The request file comes from another license server.",
            )
            .detail(format!("`{chosen}` was to be renewed, and the file was made on `{file_host}` with another key."))
            .next(
                format!(
                    "Upload the request file of `{chosen}`, or activate the other server as a workstation of its own."
                ),
                who::YOU,
            ),
            Failure::UnknownKey => {
                Problem::new(409, "FILE_OTHER_SERVER", "No workstation here has the key that signed this receipt.")
                    .detail(
                        "It comes from a server that this portal never activated, or that belongs to another account.",
                    )
                    .next("Upload it with the account that activated the server.", who::YOU)
            }
            Failure::AlreadyReleased { name } => {
                Problem::new(409, "FILE_REPLAYED", "The seats of this workstation were already given back.")
                    .detail(format!("Another receipt of `{name}` was taken before."))
                    .next("Nothing needs to be done: the seats are free.", who::YOU)
            }
            Failure::OtherVendor { ours } => Problem::new(
                409,
                "FILE_OTHER_VENDOR",
                "The license server belongs to another vendor.",
            )
            .detail(format!("It trusts another root certificate than the one of {ours}, whose portal this is."))
            .next(
                "Upload the file at the portal of that vendor. If it should serve this vendor's products, run a \
                         license server of its own for them.",
                "the administrator of the license server",
            ),
            Failure::WorkstationKey(why) => {
                Problem::new(401, "WRONG_KEY", "The request is not signed by the key of a license server known here.")
                    .detail(format!("Nothing was changed: {why}."))
                    .next(
                        "If this license server was activated at another portal, or was disabled, enable online \
                         licensing again.",
                        "the administrator of the license server",
                    )
            }
            Failure::SyncClock { server, now } => {
                Problem::new(409, "CLOCK_OFF_SERVER", "The license server's clock is more than two days off.")
                    .detail(format!("It shows {}, the portal's {}.", sentence_time(*server), sentence_time(*now)))
                    .next(
                        "Set the clock of the license server's machine right (NTP).",
                        "the administrator of the license server",
                    )
            }
            Failure::NoLicenses(Scope::Person) => {
                Problem::new(409, "NO_LICENSES", "This account has no license that could be used there.")
                    .detail("It owns none that runs, and no organization has assigned it one.")
                    .next(
                        "Ask the administrator of your organization to assign a license to you, or sign in with the \
                         account that owns the licenses.",
                        who::YOU,
                    )
            }
            Failure::NoLicenses(Scope::Organization) => {
                Problem::new(409, "NO_LICENSES", "This account has no license that could be used there.")
                    .detail(
                        "Its organization has no floating license that runs; named ones are for people.",
                    )
                    .next(
                        "Look at LICENSES at the portal. For named licenses enable the server for yourself (*me*), or \
                         assign them to people.",
                        who::YOU,
                    )
            }
            Failure::NotOnline { name } => {
                Problem::new(409, "NOT_ONLINE", "This workstation is not kept up to date online.")
                    .detail(format!(
                        "`{name}` has its documents by file, or gets none any more: nothing can be recalled."
                    ))
                    .next("Issue it a smaller document, or wait until the one that it has ends.", who::YOU)
            }
            Failure::KeptOnline { name } => Problem::new(409, "ONLINE", "This workstation is kept up to date online.")
                .detail(format!(
                    "`{name}` gets its seats by itself. A .crt file would end that, so one is made only if its server asks \
                     for it. Nothing was changed."
                ))
                .next(
                    "To change its seats, assign or recall some. To go on by file from now on, download a request file on the \
                     license server's page (ONLINE LICENSING, Activate offline) and upload that here.",
                    who::YOU,
                ),
            Failure::EnableToken => Problem::new(401, "ENABLE_TOKEN", "The token cannot be used.")
                .detail("It was used before, has ended, or is mistyped. A token enables one license server, once.")
                .next("Make a new one at the portal: Workstations, Enable without a screen.", who::YOU),
            Failure::TooManyLines(why) => {
                Problem::new(422, "TOO_MANY_LINES", "The activation file would be too large.")
                    .detail(why.clone())
                    .next("Put fewer licenses on this workstation.", who::YOU)
            }
            Failure::NothingToGive => Problem::new(
                409,
                "NOTHING_TO_GIVE",
                "There is no seat to put on this workstation.",
            )
            .detail("Nothing was chosen, or all floating seats of the account are out at other workstations.")
            .next(
                "Choose seats. If none can be chosen, give some back at another workstation, wait until they are \
                         free, or buy more.",
                who::YOU,
            ),
            _ => internal(),
        }
    }
}

/// A file that is good and comes too late is a conflict; all others cannot be processed as they are.
fn file_status(problem: &FileProblem) -> u16 {
    match problem {
        FileProblem::Replayed { .. } => 409,
        FileProblem::Oversized { .. } => 413,
        _ => 422,
    }
}

fn refused(refusal: &Refusal, license: &str) -> Problem {
    let name = if license.is_empty() { "the license".to_owned() } else { format!("`{license}`") };
    match refusal {
        Refusal::UnknownLicense(id) => {
            Problem::new(422, "UNKNOWN_LICENSE", "A chosen license is not one of this account.")
                .detail(format!("The account has no license {id}."))
                .next("Choose among the account's own licenses.", who::YOU)
        }
        Refusal::Twice(_) => Problem::new(422, "LICENSE_TWICE", "A license stands in the choice more than once.")
            .detail(format!("It is {name}."))
            .next("Choose each license once.", who::YOU),
        Refusal::NotRunning(_) => Problem::new(409, "NOT_RUNNING", "A chosen license does not run now.")
            .detail(format!("{name} has not begun, has run out, or was ended by the vendor."))
            .next("Leave it out, or ask the vendor to extend it.", who::YOU),
        Refusal::Named(_) => Problem::new(409, "NAMED", "A chosen license is for named people.")
            .detail(format!("Seats of {name} are assigned to people, not put on a workstation."))
            .next("Choose a floating license.", who::YOU),
        Refusal::TooMany { wanted, available, .. } => Problem::new(409, "NO_SEATS", "There are not enough free seats.")
            .detail(format!(
                "{wanted} seats of {name} were asked for; {available} can be given to this workstation now."
            ))
            .next("Choose fewer, recall seats from a license server that is online, give some back at another workstation, or buy more.", who::YOU),
        Refusal::BadEnd { latest, .. } => Problem::new(422, "BAD_END", "A chosen end is not allowed.")
            .detail(format!(
                "{name} can be given until {} at the latest, and not into the past.",
                sentence_time(*latest)
            ))
            .next("Choose a day from today to then.", who::YOU),
    }
}

fn database(error: &DbError) -> Problem {
    match error {
        DbError::Full { .. } => Problem::new(503, "DISK_FULL", "The portal's disk is full.")
            .detail("Nothing was changed.")
            .next("Free space on the portal's disk; it goes on by itself.", HOST),
        DbError::OutcomeUnknown { .. } | DbError::Unknown { .. } => {
            Problem::new(503, "OUTCOME_UNKNOWN", "Nobody can say whether this was carried out.")
                .detail("The database did not confirm the change.")
                .next(
                    "Repeat the request with the same Idempotency-Key: if it was carried out, you get its answer.",
                    who::CALLER,
                )
        }
        DbError::Contended { .. } => Problem::new(503, "CONTENDED", "Too many changes to the same things at once.")
            .detail("Nothing was changed.")
            .next("Try again in a moment.", who::CALLER),
        DbError::Unreachable { .. } | DbError::Stopped { .. } | DbError::Io { .. } => {
            Problem::new(503, "DATABASE_DOWN", "The portal's database cannot be reached.")
                .detail("The cause is in the portal's log.")
                .next("Look at the portal's log and at its database.", HOST)
        }
        _ => internal(),
    }
}

impl From<Failure> for ApiProblem {
    /// The edge: what a person cannot mend is logged here, once.
    fn from(failure: Failure) -> ApiProblem {
        match &failure {
            Failure::Db(error) => tracing::error!(%error, "the database failed a request"),
            Failure::Internal(error) => tracing::error!(%error, "a request failed"),
            Failure::GrantsLog(error) => tracing::error!(%error, "grants.log cannot be written"),
            _ => {}
        }
        ApiProblem::from(failure.problem())
    }
}
