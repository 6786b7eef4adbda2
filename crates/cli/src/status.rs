//! `leasehold status`: what each license server has and how much of it is in use.

use crate::client_args::ClientArgs;
use crate::failure::{Failure, exit_of};
use crate::output::{printable, table};
use clap::Args;
use leasehold_client::{ServerAddress, Trouble};
use leasehold_wire::server::{ServerState, StatusResponse};
use serde_json::{Value, json};

/// Show the features of each license server, with seats in all, in use and free
#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    client: ClientArgs,
}

pub(crate) fn status(args: StatusArgs) -> Result<u8, Failure> {
    let client = args.client.client()?;
    let answers = client.status();
    let exit = if answers.iter().any(|(_, answer)| answer.is_ok()) {
        0
    } else {
        answers.iter().filter_map(|(_, answer)| answer.as_ref().err()).map(exit_of).max().unwrap_or(0)
    };
    let rows: Vec<Value> = answers.iter().map(|(server, answer)| row(server, answer)).collect();
    args.client.output().print(&json!({ "servers": rows }), || {
        answers.iter().map(|(server, answer)| text(server, answer)).collect::<Vec<_>>().join("\n")
    })?;
    Ok(exit)
}

fn row(server: &ServerAddress, answer: &Result<StatusResponse, Trouble>) -> Value {
    match answer {
        Ok(status) => json!({ "server": server, "ok": true, "status": status }),
        Err(trouble) => json!({
            "server": server,
            "ok": false,
            "code": trouble.code(),
            "what": trouble.what(server),
            "what_to_do": trouble.what_to_do(),
        }),
    }
}

fn text(server: &ServerAddress, answer: &Result<StatusResponse, Trouble>) -> String {
    let status = match answer {
        Ok(status) => status,
        Err(trouble) => return format!("{} {}\n", trouble.what(server), trouble.what_to_do()),
    };
    let state = match status.state {
        ServerState::Active => "active",
        ServerState::NotActivated => "not activated",
        ServerState::Draining => "being disabled",
        ServerState::Disabled => "disabled",
    };
    let name = status.activation.as_ref().map(|activation| printable(&activation.workstation_name)).unwrap_or_default();
    let mut heading = format!("{server}  {state}");
    if !name.is_empty() {
        heading.push_str(&format!(", \"{name}\""));
    }
    format!("{heading}\n{}", features(status))
}

/// The features of a server as a table.
pub(crate) fn features(status: &StatusResponse) -> String {
    let mut rows = vec![["FEATURE", "TOTAL", "IN USE", "FREE", "ENDS"].map(str::to_owned)];
    for feature in &status.features {
        let ends = feature.last_end.map(|at| at.0.utc_date().to_string()).unwrap_or_default();
        let numbers = [feature.total, feature.in_use, feature.free].map(|number| number.to_string());
        let [total, in_use, free] = numbers;
        rows.push([feature.feature.to_string(), total, in_use, free, ends]);
    }
    if rows.len() == 1 { "No features.\n".to_owned() } else { table(&rows) }
}
