//! The support bundle: what somebody needs who is asked for help, without anything that gives a right. No password, key,
//! token or secret of a lease is ever read for it; names of users and hosts, and addresses, are replaced unless they are
//! asked for; and whatever looks like a secret in a line of the log is blacked out.

use super::access::Caller;
use super::failure::Failure;
use crate::config::{SETTINGS, Setting};
use crate::server::{DATABASE_FILE, Server};
use crate::store;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::Engine;
use leasehold_db::DbError;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

/// Rows of the audit log.
const AUDIT_ROWS: u32 = 200;
/// Names that are looked for in texts: more would take minutes in a large log.
const NAMES_MAX: usize = 5_000;
/// A word of so many characters or more, of letters and digits, may be a token: it is blacked out.
const TOKEN_CHARS: usize = 40;

/// Names that must not leave: those that settings list, which may be in use nowhere, and those that were seen.
#[derive(Default)]
struct Names {
    listed: Vec<String>,
    seen: BTreeSet<String>,
}

/// What names are replaced by.
struct Mask {
    /// Names in lower case: the lists of users and hosts tell no case apart.
    by_name: BTreeMap<String, String>,
    /// What must not leave in any case.
    secrets: Vec<String>,
    names: bool,
}

impl Mask {
    fn new(users: Names, hosts: Names, secrets: Vec<String>, names: bool) -> Mask {
        let mut by_name = BTreeMap::new();
        for (kind, all) in [("user", users), ("host", hosts)] {
            let mut number = 0;
            // What is listed comes first: it is all that tells who is shut out, and must not fall beyond the bound.
            for name in all.listed.into_iter().chain(all.seen).take(NAMES_MAX) {
                let name = name.trim().to_ascii_lowercase();
                // The name of the first account is nobody's, and `*` means everybody.
                if matches!(name.as_str(), "" | "*" | "administrator") || by_name.contains_key(&name) {
                    continue;
                }
                number += 1;
                by_name.insert(name, format!("{kind}-{number}"));
            }
        }
        Mask { by_name, secrets, names }
    }

    /// A text as it may leave.
    fn text(&self, text: &str) -> String {
        let mut text = without_logins(text);
        for secret in self.secrets.iter().filter(|secret| !secret.is_empty()) {
            text = text.replace(secret.as_str(), "(blacked out)");
        }
        if !self.names {
            let lower = text.to_ascii_lowercase();
            // One letter alone is no name in a text.
            let mut names: Vec<_> =
                self.by_name.iter().filter(|(name, _)| name.chars().count() > 1 && lower.contains(*name)).collect();
            // The longest first: a name may begin with another.
            names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
            for (name, mask) in names {
                text = replace_word(&text, name, mask);
            }
            text = without_ipv6(&text);
        }
        let words = text.split_inclusive(|c: char| !is_of_word(c));
        words.map(|word| self.word(word)).collect()
    }

    fn word(&self, with_end: &str) -> String {
        let word = with_end.trim_end_matches(|c: char| !is_of_word(c));
        let end = &with_end[word.len()..];
        let chars = if is_id(word) { 0 } else { word.bytes().filter(|b| *b != b'.').count() };
        let mixed = word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic());
        if chars >= TOKEN_CHARS && mixed {
            return format!("(blacked out){end}");
        }
        let address = word.trim_matches(['[', ']', '.', ':']).parse::<IpAddr>();
        match address {
            Ok(address) if !self.names && is_somebodys(address) => format!("(address){end}"),
            _ => with_end.to_owned(),
        }
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => match self.by_name.get(&text.to_ascii_lowercase()) {
                Some(mask) if !self.names => mask.as_str().into(),
                _ => self.text(text).into(),
            },
            Value::Array(all) => all.iter().map(|one| self.value(one)).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| (name.clone(), self.value(member)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            other => other.clone(),
        }
    }
}

/// A name, in lower case, is replaced where it stands by itself: not within another word, which would betray it.
fn replace_word(text: &str, name: &str, mask: &str) -> String {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    let lower = text.to_ascii_lowercase();
    let mut said = String::with_capacity(text.len());
    let mut done = 0;
    for (at, _) in lower.match_indices(name) {
        let end = at + name.len();
        let within = joins(text[..at].chars().next_back()) || joins(text[end..].chars().next());
        said.push_str(&text[done..at]);
        said.push_str(if within { &text[at..end] } else { mask });
        done = end;
    }
    said + &text[done..]
}

/// Whether an address tells of a machine.
fn is_somebodys(address: IpAddr) -> bool {
    let address = address.to_canonical();
    !address.is_loopback() && !address.is_unspecified()
}

/// The same without addresses of IPv6. Colons end a word elsewhere, and a network or a port may follow.
fn without_ipv6(text: &str) -> String {
    let of_address = |c: char| c.is_ascii_hexdigit() || matches!(c, ':' | '.');
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(of_address) {
        let (before, from) = rest.split_at(start);
        let (run, after) = from.split_at(from.find(|c| !of_address(c)).unwrap_or(from.len()));
        said.push_str(before);
        // `fe80::1:` may end with the colon of a sentence, and `from:fe80::1` begin with one.
        let begun = run.strip_prefix(':').unwrap_or(run);
        let ended = run.strip_suffix([':', '.']).unwrap_or(run);
        let joined = |part: &str| {
            (run.starts_with(part) && joins(said.chars().next_back()))
                || (run.ends_with(part) && joins(after.chars().next()))
        };
        let is_address =
            |part: &&str| part.parse::<Ipv6Addr>().is_ok_and(|it| is_somebodys(it.into())) && !joined(part);
        match [run, begun, ended].into_iter().find(is_address) {
            Some(part) => said.push_str(&run.replacen(part, "(address)", 1)),
            None => said.push_str(run),
        }
        rest = after;
    }
    said + rest
}

/// Addresses without the user and the password in them.
fn without_logins(text: &str) -> String {
    let mut said = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after.find(|c: char| c.is_whitespace() || matches!(c, '/' | '"' | '\'' | ',')).unwrap_or(after.len());
        let (place, more) = after.split_at(end);
        said.push_str(before);
        said.push_str("://");
        said.push_str(place.rsplit_once('@').map_or(place, |(_, host)| host));
        rest = more;
    }
    said + rest
}

/// Characters of addresses, tokens and ids. A port stands apart.
fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+')
}

/// `lease_019a7b2c-1d3e-7f40-8a51-62b3c4d5e6f7`: names something, and gives no right.
fn is_id(word: &str) -> bool {
    let rest = word.split_once('_').map_or("", |(_, rest)| rest);
    rest.len() == 36 && rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

impl Server {
    /// The support bundle, as a tar file of texts. `names`: with users, hosts and addresses as they are.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], or the database's.
    pub async fn support_bundle(&self, caller: &Caller, names: bool) -> Result<Vec<u8>, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let audit = self.audit(caller, "support_bundle", if names { "with names" } else { "without names" }.to_owned());
        let settings = self.settings(caller).await?;
        let status = self.status(caller).await?;
        let backups = self.backups(caller).await?;
        let (mut users, mut hosts) = self.names_held().await?;
        let bytes = std::fs::metadata(self.0.folder.join(DATABASE_FILE)).map_or(0, |file| file.len());
        let read = move |tx: &mut leasehold_db::Tx<'_>| {
            let rows = store::audit_page(tx, i64::MAX, AUDIT_ROWS)?;
            Ok::<_, DbError>((rows, store::administrators(tx)?, store::counts(tx)?, store::names_seen(tx)?))
        };
        let (rows, accounts, counts, seen) = self.0.db.read_async(read).await?;
        users.extend(seen.0);
        hosts.extend(seen.1);
        users.extend(accounts.iter().map(|account| account.name.clone()));
        hosts.insert(leasehold_host::host_name());
        let (listed_users, listed_hosts) = self.names_listed();
        let users = Names { listed: listed_users, seen: users };
        let hosts = Names { listed: listed_hosts, seen: hosts };
        let mask = Mask::new(users, hosts, self.own_secrets(), names);
        let installation = self.installation(caller).await?;
        let portal = self.0.trouble.get();
        let about = json!({
            "version": crate::VERSION,
            "made_at": self.now().rfc3339(),
            "wall_clock": self.0.clock.wall().rfc3339(),
            "names": names,
            "system": std::env::consts::OS,
            "processor": std::env::consts::ARCH,
            "free_bytes": installation.free_bytes,
            "certificate_for_browsers": installation.tls_fingerprint,
            "certificate_self_signed": installation.tls_self_signed,
            "accounts": accounts.iter().map(|account| json!({"kind": account.kind, "created_at": account.created_at.rfc3339()})).collect::<Vec<_>>(),
        });
        let database = json!({ "bytes": bytes, "rows": counts });
        let health = json!({
            "storage": status.storage, "clock": status.clock, "portal_trouble": portal.map(|problem| format!("{problem:?}")),
            "backup_problem": backups.problem, "turned_away": self.0.neighbors.turned_away().len(),
        });
        // What was done and when; the rest of a row is free text with names in it.
        let acts: Vec<Value> = rows
            .iter()
            .map(|row| json!({"at": row.at, "who": row.who, "action": row.action, "detail": names.then_some(&row.detail)}))
            .collect();
        let files = [
            ("about.json", about),
            ("settings.json", serde_json::to_value(&settings.settings).unwrap_or_default()),
            ("status.json", serde_json::to_value(&status).unwrap_or_default()),
            ("database.json", database),
            ("health.json", health),
            ("audit.json", acts.into()),
        ];
        let log: Vec<String> = self.0.logs.recent();
        self.0.db.write_async(move |tx| store::add_audit(tx, &audit)).await?;
        let packed = tokio::task::spawn_blocking(move || {
            let mut tar = tar::Builder::new(Vec::new());
            for (name, value) in files {
                let text = serde_json::to_string_pretty(&mask.value(&value)).unwrap_or_default();
                append(&mut tar, name, &text)?;
            }
            let log: String = log.iter().map(|line| mask.text(line) + "\n").collect();
            append(&mut tar, "log.txt", &log)?;
            tar.into_inner()
        });
        let packed = packed.await.map_err(|error| Failure::Internal(error.to_string()))?;
        packed.map_err(|error| Failure::Internal(error.to_string()))
    }

    /// Secrets of the settings and of this start, in case one got into a text.
    fn own_secrets(&self) -> Vec<String> {
        let config = self.0.settings.get();
        let secret = SETTINGS.iter().filter(|setting| setting.secret);
        let secrets = secret.filter_map(|setting| config.layers.value(setting)?.as_str().map(str::to_owned));
        let token = std::fs::read_to_string(self.0.folder.join(crate::local::TOKEN_FILE)).ok();
        secrets.chain(config.proxy.password().map(str::to_owned)).chain(token).collect()
    }

    /// Users and hosts that settings name. The portal's host is the vendor's, who knows it.
    fn names_listed(&self) -> (Vec<String>, Vec<String>) {
        let config = self.0.settings.get();
        let values = |name: &str| {
            let value = Setting::named(name).and_then(|setting| config.layers.value(setting));
            match value {
                Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                Some(Value::String(text)) => vec![text.clone()],
                _ => Vec::new(),
            }
        };
        let hosts_of = |name: &str| values(name).into_iter().filter_map(|url| host_in(&url));
        let users = [values("allow_users"), values("deny_users")].concat();
        let hosts = [values("allow_hosts"), values("deny_hosts")].concat();
        (users, hosts.into_iter().chain(hosts_of("public_url")).chain(hosts_of("proxy")).collect())
    }

    async fn names_held(&self) -> Result<(BTreeSet<String>, BTreeSet<String>), Failure> {
        let look = |engine: &Engine, _| {
            let leases = engine.pool().leases_page(None, None, NAMES_MAX);
            let users = leases.iter().map(|lease| lease.ask.user.to_string()).collect();
            (users, leases.iter().map(|lease| lease.ask.host.to_string()).collect())
        };
        Ok(self.0.engine.look(look).await?)
    }
}

/// The host in an address such as `https://user@host:port/`; none if it is a number, which is replaced anyway.
fn host_in(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let place = rest.split('/').next()?;
    let host = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let is_name = !host.starts_with('[') && host.parse::<IpAddr>().is_err() && host != "localhost";
    is_name.then(|| host.to_owned())
}

fn append(tar: &mut tar::Builder<Vec<u8>>, name: &str, text: &str) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(u64::try_from(text.len()).unwrap_or(0));
    header.set_mode(0o600);
    tar.append_data(&mut header, format!("leasehold-support/{name}"), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(names: bool) -> Mask {
        let all = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let seen = |names: &[&str]| Names { seen: all(names).into_iter().collect(), ..Names::default() };
        let users = Names { listed: all(&["Carla", "d*"]), ..seen(&["anna", "annabel", "x"]) };
        Mask::new(users, seen(&["ws-1"]), vec!["open sesame".to_owned()], names)
    }

    #[test]
    fn names_addresses_and_what_looks_like_a_token_do_not_leave() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ3cyJ9.MEUCIQDx0123456789";
        let line = format!("annabel at ws-1 (10.1.2.3:443, [fd00::1]) xx {token} 127.0.0.1 anna");
        let said = mask(false).text(&line);
        for hidden in ["anna", "ws-1", "10.1.2.3", token] {
            assert!(!said.contains(hidden), "{hidden}: {said}");
        }
        assert!(said.contains("user-4 at host-1") && said.contains("127.0.0.1") && said.contains(" xx "), "{said}");
        assert_eq!(
            mask(false).text("an annabelle_x of anna's, anna@ws-1"),
            "an annabelle_x of user-3's, user-3@host-1"
        );
        let named = mask(true).text(&line);
        assert!(named.contains("annabel at ws-1 (10.1.2.3:443") && !named.contains(token), "{named}");
        let secrets = "proxy http://me:pass@word@proxy:3128/x said open sesame";
        assert_eq!(mask(true).text(secrets), "proxy http://proxy:3128/x said (blacked out)");
        let id = "lease_019a7b2c-1d3e-7f40-8a51-62b3c4d5e6f7";
        assert_eq!(mask(false).text(id), id, "ids give no right");
    }

    #[test]
    fn names_that_are_only_listed_and_addresses_of_ipv6_do_not_leave() {
        let lists = json!({"deny_users": ["carla", "d*", "x"], "deny_networks": ["2001:db8:1:2:3:4:5:6/128", "::1"]});
        let said = json!({"deny_users": ["user-1", "user-2", "user-5"], "deny_networks": ["(address)/128", "::1"]});
        assert_eq!(mask(false).value(&lists), said);
        assert_eq!(mask(true).value(&lists), lists);
        for (line, said) in [
            ("CARLA was denied", "user-1 was denied"),
            (
                "peer=[fd77::2]:43472 from:fd77::3, fe80::1%eth0: no",
                "peer=[(address)]:43472 from:(address), (address)%eth0: no",
            ),
            ("fd77::2: gone; ::ffff:10.1.2.3", "(address): gone; (address)"),
            ("12:30:45 leasehold_db::add [::1]:7 [::]:80 a::b", "12:30:45 leasehold_db::add [::1]:7 [::]:80 (address)"),
        ] {
            assert_eq!(mask(false).text(line), said);
        }
    }
}
