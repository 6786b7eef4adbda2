//! The one binary: the vendor's portal, the license server, and the client's commands. Thin over the libraries: parse,
//! call, print.

mod borrow;
mod checkout;
mod client_args;
mod client_config;
mod demo;
mod doctor;
mod failure;
mod installing;
mod left_seats;
mod logging;
mod output;
mod portal;
mod run;
mod seating;
mod secrets;
mod server;
mod serving;
mod signals;
mod status;
mod supervisor;

use clap::{Parser, Subcommand};
use failure::Failure;
use std::process::ExitCode;

/// Self-hosted software licensing: the vendor's portal, the customer's license server, and seats for applications
#[derive(Parser, Debug)]
#[command(name = "leasehold", version, after_help = failure::EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Checkout(checkout::CheckoutArgs),
    Checkin(checkout::CheckinArgs),
    Borrow(borrow::BorrowArgs),
    Return(borrow::ReturnArgs),
    Passes(borrow::PassesArgs),
    Status(status::StatusArgs),
    #[command(after_help = failure::EXIT_CODES)]
    Run(run::RunArgs),
    Doctor(doctor::DoctorArgs),
    Client(client_config::ClientCommand),
    Portal(portal::PortalCommand),
    Server(server::ServerCommand),
    Demo(demo::DemoArgs),
    #[command(hide = true)]
    DemoApp(demo::AppArgs),
}

impl Command {
    /// What is logged without `LEASEHOLD_LOG`: services tell what they do, other commands only what is wrong.
    fn log_level(&self) -> &'static str {
        let serves = match self {
            Command::Portal(command) => command.serves(),
            Command::Server(command) => command.serves(),
            _ => false,
        };
        if serves { "info" } else { "warn" }
    }

    fn run(self) -> Result<u8, Failure> {
        match self {
            Command::Checkout(args) => checkout::checkout(args),
            Command::Checkin(args) => checkout::checkin(args),
            Command::Borrow(args) => borrow::borrow(args),
            Command::Return(args) => borrow::give_back(args),
            Command::Passes(args) => borrow::passes(args),
            Command::Status(args) => status::status(args),
            Command::Run(args) => run::run(args),
            Command::Doctor(args) => doctor::doctor(args),
            Command::Client(command) => client_config::client(command),
            Command::Portal(command) => portal::portal(command),
            Command::Server(command) => server::server(command),
            Command::Demo(args) => demo::demo(args),
            Command::DemoApp(args) => demo::app(args),
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(arguments.command.log_level());
    // A failure that happens before a command knows its own options still has to be told as JSON.
    let json = std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
    let exit = arguments.command.run().unwrap_or_else(|failure| {
        output::note(&output::printable(&failure.sentence));
        if json {
            let _ = output::line_out(&failure.json().to_string());
        }
        failure.exit
    });
    ExitCode::from(exit)
}
