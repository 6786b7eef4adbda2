//! The one place that reads this machine: its clocks, its randomness, its names, and its private files.
//!
//! Everything else takes these as arguments. The lints that ban ambient time and randomness are lifted here, at exactly
//! the functions that read them. Linux is complete; on macOS and Windows every function exists and says where it
//! knows less.

pub mod clock;
pub mod file_error;
pub mod folder_lock;
pub mod machine;
pub mod private_file;
pub mod random;
pub mod stopwatch;

pub use clock::SystemClock;
pub use file_error::FileError;
pub use folder_lock::{FolderLock, LockError};
pub use machine::{boot_id, fingerprint, free_bytes, host_name, machine_id_hash, raise_open_files, user_name};
pub use random::OsRandom;
pub use stopwatch::Stopwatch;
