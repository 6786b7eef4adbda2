//! A portal as a process, with customers who have bought something.

use crate::http::Caller;
use crate::site::{self, Process};
use anyhow::{Context as _, Result};
use leasehold_core::ids::{LicenseId, WorkstationId};
use leasehold_core::time::{Clock as _, DAY_MS};
use leasehold_db::{Db, DbError};
use leasehold_host::SystemClock;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Password of everybody.
const PASSWORD: &str = "a good long password";
/// What is sold: one seat gives this feature once. The one that the load takes.
const FEATURE: &str = "bench.seat";

/// Where a portal keeps its data on a PostgreSQL server: a schema of its own, that is made anew.
#[derive(Clone, Copy)]
pub(crate) enum Schema {
    Few,
    Many,
    OneAccount,
    Checkout,
}

impl Schema {
    /// Its name; of the portal's folder as well.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Schema::Few => "leasehold_bench_few",
            Schema::Many => "leasehold_bench_many",
            Schema::OneAccount => "leasehold_bench_one_account",
            Schema::Checkout => "leasehold_bench_checkout",
        }
    }

    fn statements(self) -> [&'static str; 2] {
        match self {
            Schema::Few => ["DROP SCHEMA IF EXISTS leasehold_bench_few CASCADE", "CREATE SCHEMA leasehold_bench_few"],
            Schema::Many => {
                ["DROP SCHEMA IF EXISTS leasehold_bench_many CASCADE", "CREATE SCHEMA leasehold_bench_many"]
            }
            Schema::OneAccount => [
                "DROP SCHEMA IF EXISTS leasehold_bench_one_account CASCADE",
                "CREATE SCHEMA leasehold_bench_one_account",
            ],
            Schema::Checkout => {
                ["DROP SCHEMA IF EXISTS leasehold_bench_checkout CASCADE", "CREATE SCHEMA leasehold_bench_checkout"]
            }
        }
    }

    /// Makes it anew on a server; the URL by which it is used.
    fn create(self, server: &str) -> Result<String> {
        let db = Db::open_postgres(server, 1).context("opening the PostgreSQL database")?;
        db.write(move |tx| {
            for statement in self.statements() {
                tx.exec(statement, &[])?;
            }
            Ok::<_, DbError>(())
        })?;
        let separator = if server.contains('?') { '&' } else { '?' };
        Ok(format!("{server}{separator}options=-csearch_path%3D{}", self.name()))
    }
}

/// A running portal and its operator.
pub(crate) struct Portal {
    process: Process,
    binary: PathBuf,
    operator: Caller,
    product: Value,
}

/// Somebody who buys licenses and enables license servers.
pub(crate) struct Customer {
    pub(crate) email: String,
    id: Value,
    caller: Caller,
}

impl Portal {
    /// Makes a vendor in a fresh folder and starts its portal on SQLite, or on the PostgreSQL server at `database`.
    pub(crate) fn start(binary: &Path, dir: &Path, database: Option<&str>, schema: Schema) -> Result<Portal> {
        std::fs::create_dir_all(dir)?;
        let data = dir.join("data");
        let secret = secret_file(dir)?;
        let at = |command: &mut Command| site::run(command.arg("--data").arg(&data)).map(drop);
        at(Command::new(binary).args(["portal", "init", "--vendor", "Bench", "--passphrase-file"]).arg(&secret))?;
        if let Some(server) = database {
            let settings = data.join("portal.toml");
            let text = std::fs::read_to_string(&settings)?;
            std::fs::write(&settings, format!("{text}database_url = {:?}\n", schema.create(server)?))?;
        }
        at(Command::new(binary)
            .args(["portal", "admin", "create-operator", "--email", "operator@bench.example", "--name", "Operator"])
            .arg("--password-file")
            .arg(&secret))?;
        let process = Process::serve(binary, "portal", &data, site::free_address()?, &[])?;
        let operator = signed_in(process.address(), "operator@bench.example")?;
        let product = json!({ "code": "bench", "name": "Bench", "share": "none", "features": { FEATURE: 1 } });
        let product = operator.call("POST", "/api/v1/products", Some(&product))?["id"].clone();
        Ok(Portal { process, binary: binary.to_owned(), operator, product })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// A customer, signed in.
    pub(crate) fn customer(&self, name: &str) -> Result<Customer> {
        let email = format!("{name}@bench.example");
        let account = json!({ "email": email, "name": name, "password": PASSWORD });
        let id = self.operator.call("POST", "/api/v1/accounts", Some(&account))?["id"].clone();
        Ok(Customer { id, caller: signed_in(self.address(), &email)?, email })
    }

    /// Sells a customer a license.
    pub(crate) fn sell(&self, to: &Customer, seats: u32) -> Result<LicenseId> {
        let until = SystemClock::new().wall().plus(300 * DAY_MS).utc_date();
        let license = json!({
            "owner": to.id, "product": self.product, "seats": seats, "kind": "floating", "channel": "commercial",
            "term": { "term": "subscription", "until": until },
        });
        let sold = self.operator.call("POST", "/api/v1/licenses", Some(&license))?;
        Ok(serde_json::from_value(sold["id"].clone())?)
    }

    /// Asks idle seats back.
    pub(crate) fn recall(&self, from: WorkstationId, license: LicenseId, seats: u32) -> Result<()> {
        let path = format!("/api/v1/workstations/{from}/recall");
        self.operator.call("POST", &path, Some(&json!({ "license": license, "seats": seats })))?;
        Ok(())
    }

    /// Seats of a license that servers hold.
    pub(crate) fn seats_out(&self, license: LicenseId) -> Result<u64> {
        let seen = self.operator.call("GET", &format!("/api/v1/licenses/{license}"), None)?;
        seen["seats_out"].as_u64().context("no seats_out")
    }
}

impl Customer {
    /// Enables a license server that made the request file; its workstation and activation file.
    pub(crate) fn enable(&self, request: &str, name: &str) -> Result<(WorkstationId, String)> {
        let wish = json!({ "request": request, "scope": "organization", "name": name });
        let enabled = self.caller.call("POST", "/api/v1/workstations/online", Some(&wish))?;
        let workstation = serde_json::from_value(enabled["workstation"]["id"].clone())?;
        Ok((workstation, enabled["activation_file"].as_str().context("no activation file")?.to_owned()))
    }
}

/// A file with the password, which is everybody's, and the passphrase of the root key as well.
pub(crate) fn secret_file(dir: &Path) -> Result<PathBuf> {
    let file = dir.join("secret");
    std::fs::write(&file, format!("{PASSWORD}\n"))?;
    Ok(file)
}

fn signed_in(address: SocketAddr, email: &str) -> Result<Caller> {
    let nobody = Caller::new(address);
    let session = nobody.call("POST", "/api/v1/sessions", Some(&json!({ "email": email, "password": PASSWORD })))?;
    Ok(nobody.with_token(session["token"].as_str().context("no token")?))
}
