//! The options that every client command has, and the client they make.

use crate::failure::Failure;
use crate::output::Output;
use clap::Args;
use leasehold_client::{Checkout, Client, ClientBuilder, Date, NoSeat, ServerTrouble};
use leasehold_core::codes::DenialCode;
use std::path::PathBuf;

/// Whom to ask and whom to trust.
#[derive(Args, Clone, Debug)]
pub(crate) struct ClientArgs {
    /// A license server to ask: host, host:port or http://host:port. Repeat it for alternates, the primary first
    /// [default: LEASEHOLD_SERVERS, then the config file]
    #[arg(long = "server", value_name = "HOST")]
    pub(crate) servers: Vec<String>,
    /// File with the vendor's root certificate [default: LEASEHOLD_TRUST, then the config file]
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

impl ClientArgs {
    pub(crate) fn output(&self) -> Output {
        Output { json: self.json }
    }

    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(self.builder().build()?)
    }

    /// For what is done with passes, files and seats that were left out: on a machine that may know no license server.
    pub(crate) fn client_of_passes(&self) -> Result<Client, Failure> {
        Ok(self.builder().servers_optional().build()?)
    }

    fn builder(&self) -> ClientBuilder {
        let mut builder = Client::builder();
        for server in &self.servers {
            builder = builder.server(server);
        }
        if let Some(path) = &self.trust {
            builder = builder.trust_file(path);
        }
        builder
    }
}

/// What to ask for.
#[derive(Args, Clone, Debug)]
pub(crate) struct SeatArgs {
    /// What to check out, such as studio.gui
    #[arg(value_name = "FEATURE")]
    pub(crate) feature: String,
    /// How many seats, all or none
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seats: u32,
    /// The application's release date, which perpetual licenses are compared with
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub(crate) released_on: Option<Date>,
}

impl SeatArgs {
    /// The failure that a refused checkout is, with what these options could change about it.
    pub(crate) fn refused(&self, no_seat: NoSeat) -> Failure {
        let too_new = |entry: &ServerTrouble| entry.trouble.code() == DenialCode::VersionTooNew.word();
        let undated = self.released_on.is_none() && no_seat.servers().iter().any(too_new);
        let mut failure = Failure::from(no_seat);
        if undated {
            failure.sentence.push_str(" No release date was given, which counts as too new: see --released-on.");
        }
        failure
    }

    pub(crate) fn checkout(&self) -> Checkout {
        let checkout =
            Checkout::of(&self.feature).seats(self.seats).version(concat!("leasehold ", env!("CARGO_PKG_VERSION")));
        match self.released_on {
            Some(date) => checkout.released_on(date),
            None => checkout,
        }
    }
}
