//! Every way in which a file that somebody uploads can be wrong, each with its own sentences: what is wrong, what to
//! do, and who can do it. Also the caps and the first look at a file that all readers share.
//!
//! The texts may quote names from the file: whoever shows them escapes them.

use crate::armor::{self, ArmorProblem, Block};
use crate::certificate::VendorRef;
use crate::documents::DocumentError;
use leasehold_core::time::Ms;

/// Largest file that is read, in bytes.
pub const FILE_BYTES_MAX: usize = 256 * 1024;

/// The kinds of file that people mix up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// An activation request: license server to portal.
    Request,
    /// An activation file (`.crt`): portal to license server.
    Activation,
    /// A receipt for what was given up: license server to portal.
    Receipt,
    /// A request to borrow: a machine to its license server.
    PassRequest,
    /// A pass: license server to machine.
    Pass,
    /// A receipt for a pass: a machine to its license server.
    PassReceipt,
    /// A private key, which must never be uploaded anywhere. Only ever found, never wanted.
    PrivateKey,
}

impl FileKind {
    /// What people call it, with its article.
    pub fn name(self) -> &'static str {
        match self {
            FileKind::Request => "an activation request",
            FileKind::Activation => "an activation file (.crt)",
            FileKind::Receipt => "a receipt of a license server that gave back its seats",
            FileKind::PassRequest => "a request to borrow seats",
            FileKind::Pass => "a pass with borrowed seats",
            FileKind::PassReceipt => "a receipt for borrowed seats",
            FileKind::PrivateKey => "a private key",
        }
    }

    /// How to get a good one.
    fn get_another(self) -> &'static str {
        match self {
            FileKind::Request => "Download a new activation request from the license server and upload it unchanged.",
            FileKind::Activation => "Download the .crt file from the portal again and upload it unchanged.",
            FileKind::Receipt => "Download the receipt from the license server again and upload it unchanged.",
            FileKind::PassRequest => {
                "Make a new request on the machine with `leasehold borrow --request FILE` and upload it unchanged."
            }
            FileKind::Pass => "Download the pass from the license server again and bring it to the machine unchanged.",
            FileKind::PassReceipt => {
                "Make the receipt on the machine again with `leasehold return --receipt FILE` and upload it unchanged."
            }
            FileKind::PrivateKey => "Keep the private key where it is.",
        }
    }

    /// Which program reads it, and so is behind if a newer one wrote it.
    fn reader(self) -> &'static str {
        match self {
            FileKind::Activation | FileKind::PassRequest | FileKind::PassReceipt => "license server",
            FileKind::Pass => "machine",
            FileKind::Request | FileKind::Receipt | FileKind::PrivateKey => "portal",
        }
    }
}

/// What is wrong with an uploaded file. Nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileProblem {
    /// Nothing in it.
    Empty {
        /// What belongs here.
        wanted: FileKind,
    },
    /// Larger than [`FILE_BYTES_MAX`]; it was not read.
    Oversized {
        /// Its size.
        bytes: u64,
        /// The cap.
        max: u64,
    },
    /// Not one of our files at all.
    NotOurs {
        /// What belongs here.
        wanted: FileKind,
    },
    /// It ends too early.
    Truncated {
        /// What belongs here.
        wanted: FileKind,
    },
    /// One of our files, but another kind.
    Swapped {
        /// What it is.
        found: FileKind,
        /// What belongs here.
        wanted: FileKind,
    },
    /// Its text was changed so that it cannot be read any more.
    Damaged {
        /// What belongs here.
        wanted: FileKind,
    },
    /// Readable, but a signature in it does not fit: altered, or made with a wrong key.
    BadSignature {
        /// What belongs here.
        wanted: FileKind,
    },
    /// Its time is over.
    Expired {
        /// What it is.
        file: FileKind,
        /// When it ended; for a request, when it was made.
        at: Ms,
    },
    /// The file has been used before, which it can be only once. Made by the caller, who remembers.
    Replayed {
        /// What it is.
        file: FileKind,
        /// When it was used.
        used_at: Ms,
        /// For which workstation.
        workstation: String,
    },
    /// The very document that is in use.
    Twice {
        /// Its number.
        rev: u64,
    },
    /// Older than the document in use.
    Older {
        /// Number of the document in the file.
        file_rev: u64,
        /// Number of the document in use.
        in_use: u64,
    },
    /// From another vendor, or from somebody who uses the vendor's name.
    OtherVendor {
        /// Whom the file names.
        file: VendorRef,
        /// Whom this side belongs to.
        ours: VendorRef,
    },
    /// Made for another license server.
    OtherServer {
        /// The workstation that the file names.
        file_workstation: String,
    },
    /// From later than the reader's clock can explain.
    ClockWrong {
        /// What it is.
        file: FileKind,
        /// When it was made.
        file_at: Ms,
        /// The reader's time.
        now: Ms,
    },
    /// Written by a newer release.
    NewerFormat {
        /// What it is.
        file: FileKind,
        /// Its format version.
        v: u64,
    },
}

impl FileProblem {
    /// Stable code in capitals, for the APIs.
    pub fn code(&self) -> &'static str {
        match self {
            FileProblem::Empty { .. } => "FILE_EMPTY",
            FileProblem::Oversized { .. } => "FILE_OVERSIZED",
            FileProblem::NotOurs { .. } => "FILE_NOT_OURS",
            FileProblem::Truncated { .. } => "FILE_TRUNCATED",
            FileProblem::Swapped { .. } => "FILE_SWAPPED",
            FileProblem::Damaged { .. } => "FILE_DAMAGED",
            FileProblem::BadSignature { .. } => "FILE_BAD_SIGNATURE",
            FileProblem::Expired { .. } => "FILE_EXPIRED",
            FileProblem::Replayed { .. } => "FILE_REPLAYED",
            FileProblem::Twice { .. } => "FILE_TWICE",
            FileProblem::Older { .. } => "FILE_OLDER",
            FileProblem::OtherVendor { .. } => "FILE_OTHER_VENDOR",
            FileProblem::OtherServer { .. } => "FILE_OTHER_SERVER",
            FileProblem::ClockWrong { .. } => "FILE_CLOCK_WRONG",
            FileProblem::NewerFormat { .. } => "FILE_NEWER_FORMAT",
        }
    }

    /// What is wrong, as one or two sentences.
    pub fn what(&self) -> String {
        match self {
            FileProblem::Empty { wanted } => format!("The file is empty. {} belongs here.", capital(wanted.name())),
            FileProblem::Oversized { bytes, max } => {
                format!(
                    "The file has {bytes} bytes or more; a file that belongs here has {max} at most. It was not read."
                )
            }
            FileProblem::NotOurs { wanted } => {
                format!("This is not a file of Leasehold. {} belongs here.", capital(wanted.name()))
            }
            FileProblem::Truncated { wanted } => {
                let alone = match wanted {
                    FileKind::Activation => " A certificate alone is not one.",
                    _ => "",
                };
                format!(
                    "The file ends too early: it starts like {}, but a part of it is missing.{alone}",
                    wanted.name()
                )
            }
            FileProblem::Swapped { found: FileKind::PrivateKey, .. } => {
                "This file holds a private key. It was not kept.".to_owned()
            }
            FileProblem::Swapped { found, wanted } => {
                format!("This is {}, but {} belongs here.", found.name(), wanted.name())
            }
            FileProblem::Damaged { wanted } => {
                format!(
                    "The file is damaged: its text was changed on the way. {} belongs here.",
                    capital(wanted.name())
                )
            }
            FileProblem::BadSignature { .. } => {
                "A signature in the file is wrong: the file was altered, or made with a key that may not make it."
                    .to_owned()
            }
            FileProblem::Expired { file: FileKind::Activation, at } => {
                format!("Everything in this activation file ended by {}.", at.rfc3339())
            }
            FileProblem::Expired { file, at } => {
                format!(
                    "This is {} from {} by the license server's clock, and they are good for 30 days.",
                    file.name(),
                    at.rfc3339()
                )
            }
            FileProblem::Replayed { file, used_at, workstation } => {
                let at = used_at.rfc3339();
                format!("This is {} that was used at {at} already, for the workstation \"{workstation}\".", file.name())
            }
            FileProblem::Twice { rev } => {
                format!("This activation file (number {rev}) is the one in use already. Nothing needs to be done.")
            }
            FileProblem::Older { file_rev, in_use } => {
                format!("This activation file has number {file_rev}, but the newer number {in_use} is in use.")
            }
            FileProblem::OtherVendor { file, ours } => {
                format!("The file comes from {file}, but this license server belongs to {ours}.")
            }
            FileProblem::OtherServer { file_workstation } => {
                format!(
                    "The file was made for another license server, or for a key that this one has given up: the \
                     workstation \"{file_workstation}\"."
                )
            }
            FileProblem::ClockWrong { file, file_at, now } => format!(
                "This is {} from {}, but the clock here says {}: one of the two clocks is wrong.",
                file.name(),
                file_at.rfc3339(),
                now.rfc3339()
            ),
            FileProblem::NewerFormat { file, v } => {
                let (name, reader) = (file.name(), file.reader());
                format!("This is {name} in format {v}, written by a newer release than this {reader} is.")
            }
        }
    }

    /// What to do about it.
    pub fn what_to_do(&self) -> String {
        match self {
            FileProblem::Empty { wanted } | FileProblem::Truncated { wanted } | FileProblem::Damaged { wanted } => {
                wanted.get_another().to_owned()
            }
            FileProblem::Oversized { .. } => "Check that the right file was chosen.".to_owned(),
            FileProblem::NotOurs { wanted } => {
                format!("Check that the right file was chosen. {}", wanted.get_another())
            }
            FileProblem::Swapped { found: FileKind::PrivateKey, .. } => {
                "Never send a private key anywhere. If others may have seen the file, make a new key.".to_owned()
            }
            FileProblem::Swapped { found: FileKind::Pass, .. } => {
                "Bring this file to the machine that asked for it: leasehold borrow --pass FILE.".to_owned()
            }
            FileProblem::Swapped { found: FileKind::PassRequest | FileKind::PassReceipt, .. } => {
                "Upload this file on the license server: ONLINE LICENSING, Borrowed by machines.".to_owned()
            }
            FileProblem::Swapped { found: FileKind::Activation, .. } => {
                "Upload this file on the license server: Home, Activate offline, or Renew by file.".to_owned()
            }
            FileProblem::Swapped { found: FileKind::Receipt, wanted: FileKind::Activation } => {
                "Upload this file at the portal (WORKSTATIONS, Upload Receipt): it gives the seats back there. What belongs \
                 here is the .crt file of a new activation."
                    .to_owned()
            }
            FileProblem::Swapped { wanted: FileKind::Activation, .. } => {
                "Upload this file at the portal. It gives back the .crt file that belongs here.".to_owned()
            }
            FileProblem::Swapped { wanted, .. } => wanted.get_another().to_owned(),
            FileProblem::BadSignature { wanted } => {
                format!("{} If that does not help, ask the vendor.", wanted.get_another())
            }
            FileProblem::Expired { file: FileKind::Activation, .. } => {
                "Renew the workstation in the portal and upload the new .crt file. If that gives no later date, the \
                 license itself has ended."
                    .to_owned()
            }
            FileProblem::Expired { file: file @ (FileKind::PassRequest | FileKind::Pass), .. } => format!(
                "{} If it is new, one of the two machines' clocks is wrong: set it right (NTP) first.",
                file.get_another()
            ),
            FileProblem::Expired { file, .. } => format!(
                "{} If it is new, the license server's clock is wrong: set it right (NTP) first.",
                file.get_another()
            ),
            FileProblem::Replayed { file: FileKind::Receipt, .. } => {
                "Nothing needs to be done: what it gives up was counted as given up then.".to_owned()
            }
            FileProblem::Replayed { .. } => {
                "To get its .crt file again, open the workstation in the portal. To renew it, renew it there, or \
                 download a new activation request from the license server."
                    .to_owned()
            }
            FileProblem::Twice { .. } => {
                "If more seats or a later date were expected, renew the workstation in the portal and upload the .crt \
                 file that it makes."
                    .to_owned()
            }
            FileProblem::Older { .. } => {
                "Download the newest .crt file of this workstation from the portal.".to_owned()
            }
            FileProblem::OtherVendor { .. } => {
                "Get the .crt file from the portal of the vendor of this license server. If the names are the same, \
                 somebody may be using the vendor's name: ask the vendor before doing anything else."
                    .to_owned()
            }
            FileProblem::OtherServer { .. } => {
                "Upload it on the license server that it was made for, or upload an activation request of this license \
                 server at the portal."
                    .to_owned()
            }
            FileProblem::ClockWrong { .. } => {
                "Set the clock, date and time zone of the machine that is wrong; then try again.".to_owned()
            }
            FileProblem::NewerFormat { file, .. } => format!("Update the {}; then try again.", file.reader()),
        }
    }

    /// Who can do it.
    pub fn who(&self) -> &'static str {
        match self {
            FileProblem::NewerFormat { file: FileKind::Request | FileKind::Receipt, .. } => {
                "The vendor, who runs the portal."
            }
            FileProblem::OtherVendor { .. } => "The administrator of the license server, with the vendor's help.",
            FileProblem::Swapped { found: FileKind::PrivateKey, .. } => "Whoever owns the key.",
            FileProblem::Expired { file: FileKind::Activation, .. }
            | FileProblem::Older { .. }
            | FileProblem::OtherServer { .. }
            | FileProblem::Twice { .. } => "Whoever may activate workstations in the portal.",
            _ => "The administrator of the license server.",
        }
    }

    /// The problem of a document inside a file of kind `file`.
    pub(crate) fn from_document(error: DocumentError, file: FileKind) -> FileProblem {
        match error {
            DocumentError::Malformed(_) | DocumentError::WrongType { .. } | DocumentError::Oversized { .. } => {
                FileProblem::Damaged { wanted: file }
            }
            DocumentError::BadSignature => FileProblem::BadSignature { wanted: file },
            DocumentError::NewerFormat { v } => FileProblem::NewerFormat { file, v },
            DocumentError::OtherVendor { file, ours } => FileProblem::OtherVendor { file, ours },
            DocumentError::ClockWrong { file_at, now } => FileProblem::ClockWrong { file, file_at, now },
            DocumentError::Expired { at } => FileProblem::Expired { file, at },
        }
    }
}

impl std::fmt::Display for FileProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.what(), self.what_to_do())
    }
}

impl std::error::Error for FileProblem {}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

/// The first look at a file: size, text, PEM, kind. The blocks of a file of kind `wanted`, in whatever number.
pub(crate) fn read_blocks(bytes: &[u8], wanted: FileKind) -> Result<Vec<Block<'_>>, FileProblem> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(FileProblem::Oversized { bytes: bytes.len() as u64, max: FILE_BYTES_MAX as u64 });
    }
    let text = std::str::from_utf8(bytes).map_err(|_| FileProblem::NotOurs { wanted })?;
    if text.trim().is_empty() {
        return Err(FileProblem::Empty { wanted });
    }
    let blocks = armor::parse(text).map_err(|problem| match problem {
        ArmorProblem::NotArmor => FileProblem::NotOurs { wanted },
        ArmorProblem::Truncated => FileProblem::Truncated { wanted },
        ArmorProblem::Damaged => FileProblem::Damaged { wanted },
    })?;
    match blocks.iter().find_map(|block| kind_of(block.label)) {
        Some(found) if found != wanted => Err(FileProblem::Swapped { found, wanted }),
        Some(_) => Ok(blocks),
        // Certificates or a bare CSR: the start of one of our files, or none of ours.
        None if blocks.iter().all(|block| is_start_of(block.label, wanted)) => Err(FileProblem::Truncated { wanted }),
        None => Err(FileProblem::NotOurs { wanted }),
    }
}

fn kind_of(label: &str) -> Option<FileKind> {
    match label {
        armor::REQUEST => Some(FileKind::Request),
        armor::GRANT => Some(FileKind::Activation),
        armor::RECEIPT => Some(FileKind::Receipt),
        armor::PASS => Some(FileKind::Pass),
        armor::PASS_REQUEST => Some(FileKind::PassRequest),
        armor::PASS_RECEIPT => Some(FileKind::PassReceipt),
        label if label.ends_with("PRIVATE KEY") => Some(FileKind::PrivateKey),
        _ => None,
    }
}

fn is_start_of(label: &str, wanted: FileKind) -> bool {
    match wanted {
        FileKind::Activation | FileKind::Pass => label == armor::CERTIFICATE,
        FileKind::Request => label == armor::CERTIFICATE_REQUEST,
        FileKind::Receipt | FileKind::PassRequest | FileKind::PassReceipt | FileKind::PrivateKey => false,
    }
}
