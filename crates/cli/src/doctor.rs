//! `leasehold doctor`: why applications on this machine get no seat, or that they do.

use crate::borrow;
use crate::client_args::ClientArgs;
use crate::failure::{FAILED, Failure, NO_SERVER, NOT_TRUSTED};
use clap::Args;
use leasehold_client::settings::{self, Wishes};
use leasehold_client::{Client, Examination, PassInfo, ServerList, SettingsError, Surroundings, Trust};
use leasehold_core::text::{counted, span};
use leasehold_core::time::DAY_MS;
use leasehold_host::SystemClock;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Check the settings and every license server, and say what to do
#[derive(Args, Debug)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    client: ClientArgs,
}

/// Where the settings came from.
pub(crate) struct Settings {
    pub(crate) surroundings: Surroundings,
    pub(crate) servers: Result<ServerList, SettingsError>,
    pub(crate) trust: Result<Trust, SettingsError>,
}

impl Settings {
    pub(crate) fn read(args: &ClientArgs) -> Settings {
        let surroundings = Surroundings::of_this_process();
        let wishes = Wishes { servers: args.servers.clone(), root_pem: None, root_file: args.trust.clone() };
        let servers = settings::servers(&wishes, &surroundings);
        let trust = settings::trust(&wishes, &surroundings);
        Settings { surroundings, servers, trust }
    }

    pub(crate) fn json(&self) -> Value {
        let now = leasehold_core::time::Clock::wall(&SystemClock::new());
        let servers = match &self.servers {
            Ok(list) => json!({ "ok": true, "list": list.servers, "source": list.source.to_string() }),
            Err(error) => json!({ "ok": false, "sentence": error.to_string() }),
        };
        let trust = match &self.trust {
            Ok(trust) => json!({
                "ok": true,
                "vendor": trust.root.name(),
                "fingerprint_sha256": trust.root.fingerprint_sha256_hex(),
                "days_left": trust.root.not_after().since(now).div_euclid(DAY_MS),
                "source": trust.source.to_string(),
            }),
            Err(error) => json!({ "ok": false, "sentence": error.to_string() }),
        };
        let files = self.surroundings.files.iter().map(|path| json!({ "path": path, "exists": path.exists() }));
        json!({ "servers": servers, "trust": trust, "config_files": files.collect::<Vec<_>>() })
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let _ = match &self.servers {
            Ok(list) => {
                let names: Vec<String> = list.servers.iter().map(ToString::to_string).collect();
                writeln!(text, "Servers: {} (from {})", names.join(", "), list.source)
            }
            Err(error) => writeln!(text, "Servers: none; {error}"),
        };
        let _ = match &self.trust {
            Ok(trust) => writeln!(text, "Vendor:  {} (from {})", trust.root.vendor_ref(), trust.source),
            Err(error) => writeln!(text, "Vendor:  none; {error}"),
        };
        for path in &self.surroundings.files {
            let exists = if path.exists() { "" } else { " (not there)" };
            let _ = writeln!(text, "Config:  {}{exists}", path.display());
        }
        text
    }
}

pub(crate) fn doctor(args: DoctorArgs) -> Result<u8, Failure> {
    let settings = Settings::read(&args.client);
    let examinations = if settings.servers.is_ok() && settings.trust.is_ok() {
        args.client.client().map(|client: Client| client.examine())?
    } else {
        Vec::new()
    };
    let broken: Vec<String> = [settings.servers.as_ref().err(), settings.trust.as_ref().err()]
        .into_iter()
        .flatten()
        .map(|error| error.to_string())
        .collect();
    let mut to_do: Vec<String> = broken.clone();
    for step in examinations.iter().flat_map(|found| &found.what_to_do) {
        if !to_do.contains(step) {
            to_do.push(step.clone());
        }
    }
    let ok = broken.is_empty() && examinations.iter().any(|found| found.ok);
    // Of no use without a trusted vendor, whose signature they carry.
    let borrowed = if settings.trust.is_ok() { args.client.client_of_passes()?.passes().0 } else { Vec::new() };
    for trouble in borrowed.iter().filter_map(|pass| pass.trouble.as_ref()).map(ToString::to_string) {
        if !to_do.contains(&trouble) {
            to_do.push(trouble);
        }
    }
    let mut value = settings.json();
    value["borrowed"] = json!(borrowed);
    value["examinations"] = json!(examinations);
    value["ok"] = json!(ok);
    value["what_to_do"] = json!(to_do);
    args.client.output().print(&value, || {
        let mut text = settings.text();
        for found in &examinations {
            text.push('\n');
            text.push_str(&describe(found));
        }
        if !borrowed.is_empty() {
            text.push_str("\nBorrowed by this machine:\n");
            borrowed.iter().for_each(|pass| text.push_str(&format!("  {}\n", borrow::described(pass))));
        }
        text.push_str(&advice(ok, &borrowed, &to_do));
        text
    })?;
    Ok(if ok { 0 } else { exit(settings, &examinations) })
}

fn exit(settings: Settings, examinations: &[Examination]) -> u8 {
    if let Some(error) = settings.servers.err().or(settings.trust.err()) {
        return Failure::from(error).exit;
    }
    let codes: Vec<&str> = examinations.iter().filter_map(|found| found.code.as_deref()).collect();
    if codes.iter().any(|code| ["OTHER_VENDOR", "UNTRUSTED"].contains(code)) {
        NOT_TRUSTED
    } else if !codes.is_empty() && codes.len() == examinations.len() {
        NO_SERVER
    } else {
        FAILED
    }
}

pub(crate) fn describe(found: &Examination) -> String {
    let mut text = format!("{}  {}\n", found.server, if found.ok { "ok" } else { "PROBLEM" });
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "  {name:<12}{}", crate::output::printable(&value));
        }
    };
    line("TLS", found.tls.clone());
    line("version", found.version.clone());
    line("name", found.workstation.clone());
    line("certificate", found.certificate_days_left.map(days_left));
    line("grant", found.grant_days_left.map(days_left));
    line("clock", found.clock_ahead_s.map(clock));
    for feature in &found.features {
        let numbers = match (feature.in_use, feature.total) {
            (0, 0) => "none any more".to_owned(),
            (in_use, 0) => format!("{in_use} in use, of none any more"),
            (in_use, total) => format!("{in_use} of {total} in use"),
        };
        line("seats", Some(format!("{}: {numbers}", feature.feature)));
    }
    for problem in &found.problems {
        line("problem", Some(problem.clone()));
    }
    for note in &found.notes {
        line("note", Some(note.clone()));
    }
    text
}

fn days_left(days: i64) -> String {
    let number = counted(days.unsigned_abs(), "day", "days");
    if days < 0 { format!("ended {number} ago") } else { format!("{number} left") }
}

fn clock(ahead_s: i64) -> String {
    match ahead_s {
        0 => "the same as here".to_owned(),
        s if s > 0 => format!("{} ahead of this machine", span(s)),
        s => format!("{} behind this machine", span(-s)),
    }
}

fn advice(ok: bool, borrowed: &[PassInfo], to_do: &[String]) -> String {
    let mut text = String::from("\n");
    let mut usable: Vec<&str> =
        borrowed.iter().filter(|pass| pass.trouble.is_none()).map(|pass| pass.feature.as_str()).collect();
    usable.sort_unstable();
    usable.dedup();
    if ok {
        text.push_str("Applications on this machine can get seats.\n");
    } else if usable.is_empty() {
        text.push_str("Applications on this machine get no seat.\n");
    } else {
        let _ = writeln!(
            text,
            "Applications on this machine can use what it has borrowed ({}), and get no other seat.",
            usable.join(", ")
        );
    }
    for step in to_do {
        let _ = writeln!(text, "- {step}");
    }
    text
}
