//! The simulation of `PROTOCOL.md` section 13: a portal, license servers and clients in one thread, driven by a queue
//! of events from one seed, over real SQLite in memory, with everything going wrong that can.
//!
//! The deciding code is the product's own: the portal's services, the server's store with `core`'s engine, `core`'s
//! client session, and `trust`'s files. What is simulated is the shell around them (sockets, threads, timers, disks,
//! clocks, the person who carries files) and whatever breaks it. After every event the laws are checked against
//! `truth`, which counts for itself.
//!
//! # What is promised where copies are made
//!
//! The laws hold against everything but a copy of a lessee's private storage (`PROTOCOL.md` sections 0 and 9). The
//! simulation makes such copies and holds the system to exactly this:
//!
//! - **A server whose disk was set back** may not know leases that it gave after the copy was made. Their holders are
//!   not counted under law 1 until they are adopted, and they have stopped one full right after the restore. Everything
//!   that the server does know is held to every law at once.
//! - **If the copy obeys a document that the portal counts as void** (a reduced one was acknowledged, or a receipt was
//!   taken), that server alone may hold more than the portal counts, until it loads a newer one and a full right has
//!   passed. All other servers stay within what was bought.
//! - **A cloned client machine** holds a lease that was given once, so it is counted once. If one copy gives it back,
//!   the other is not held to law 4.
//! - **A portal that was set back** replays `grants.log`; after that law 1 holds as before.
//!
//! A license server's clock may be off by up to 20 hours, because the portal frees a line by file 24 hours after its
//! end: a clock that is off by more is more than any allowance covers.

mod admin;
mod app;
mod chaos;
mod events;
mod laws;
mod machine;
mod network;
mod outcome;
mod pass;
mod plant;
mod portal;
mod queue;
mod server;
mod simulator;
mod sync;
mod trace;
mod truth;
mod world;

pub use outcome::{Law, Tally, Violation};
pub use plant::Plant;
pub use simulator::Simulator;
