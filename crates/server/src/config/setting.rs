//! The table of settings: what each is called, what may stand there, who may change it and when a change holds.
//!
//! Reads and checks nothing; whether a value can be used is [`super::check`]'s to say.

use serde_json::Value;

/// What may stand in a setting.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A text, or nothing.
    Text,
    /// Several texts; one alone may stand without a list around it.
    List,
    /// Yes or no.
    Flag,
    /// A whole number, or nothing where the default is nothing.
    Number,
}

/// When a change holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Applies {
    /// At once.
    AtOnce,
    /// At once, and not for good until somebody who came by the new way says so: it may lock its maker out.
    OnTrial,
    /// When the server is started again.
    NextStart,
}

/// Who may change it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    /// An administrator, on the page and by the API.
    Page,
    /// Whoever keeps the machine: it names a file there.
    Machine,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// As in `server.toml`.
    pub(crate) name: &'static str,
    /// What may stand there.
    pub(crate) kind: Kind,
    /// When a change holds.
    pub(crate) applies: Applies,
    /// Who may change it.
    pub(crate) by: By,
    /// Never shown or logged.
    pub(crate) secret: bool,
    /// Settings with the same word belong together: all of them come from the same place.
    group: &'static str,
}

const fn setting(name: &'static str, kind: Kind, applies: Applies) -> Setting {
    Setting { name, kind, applies, by: By::Page, secret: false, group: name }
}

impl Setting {
    const fn of_machine(self) -> Setting {
        Setting { by: By::Machine, ..self }
    }

    const fn secret(self) -> Setting {
        Setting { secret: true, ..self }
    }

    const fn group(self, group: &'static str) -> Setting {
        Setting { group, ..self }
    }

    /// The setting with a name.
    pub(crate) fn named(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Whether the two come from one place.
    pub(crate) fn belongs_to(&self, other: &Setting) -> bool {
        self.group == other.group
    }

    /// The name of its variable in the environment.
    pub(crate) fn variable(&self) -> String {
        format!("{ENVIRONMENT_PREFIX}{}", self.name.to_ascii_uppercase())
    }

    /// A text from the environment, the command line or a form as a value; `Null` for an empty one. What is no number
    /// stays a text, for the check to refuse.
    pub(crate) fn value_of(&self, text: &str) -> Value {
        let text = text.trim();
        match self.kind {
            _ if text.is_empty() => Value::Null,
            Text => Value::from(text),
            List => as_shown(text).unwrap_or_else(|| entries(text).into()),
            Flag => match text {
                "true" | "on" | "yes" | "1" => true.into(),
                "false" | "off" | "no" | "0" => false.into(),
                other => other.into(),
            },
            Number => text.parse::<u64>().map_or_else(|_| text.into(), Value::from),
        }
    }
}

/// The entries of a list as people write it: by line or comma. Names of users may have blanks.
fn entries(text: &str) -> Vec<&str> {
    text.split([',', '\n', '\r']).map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// A list as it is shown, and as it stands in `server.toml`: `["a", "b"]`.
fn as_shown(text: &str) -> Option<Value> {
    let list: Vec<String> = serde_json::from_str(text).ok()?;
    Some(list.into())
}

/// What the variables of settings begin with.
pub(crate) const ENVIRONMENT_PREFIX: &str = "LEASEHOLD_SERVER_";

use Applies::{AtOnce, NextStart, OnTrial};
use Kind::{Flag, List, Number, Text};

/// Every setting, in the order in which they are shown.
pub(crate) const SETTINGS: &[Setting] = &[
    setting("listen", List, OnTrial),
    setting("tls_certificate", Text, OnTrial).of_machine().group("tls"),
    setting("tls_key", Text, OnTrial).of_machine().group("tls"),
    setting("allow_networks", List, OnTrial),
    setting("deny_networks", List, OnTrial),
    setting("trust", Text, NextStart).of_machine(),
    setting("public_url", Text, NextStart),
    setting("trusted_proxies", List, OnTrial),
    setting("portal_url", Text, AtOnce),
    setting("proxy", Text, AtOnce).group("proxy"),
    setting("proxy_password", Text, AtOnce).secret().group("proxy"),
    setting("proxy_password_file", Text, AtOnce).of_machine().group("proxy"),
    setting("portal_ca", Text, AtOnce).of_machine(),
    setting("allow_users", List, AtOnce),
    setting("deny_users", List, AtOnce),
    setting("allow_hosts", List, AtOnce),
    setting("deny_hosts", List, AtOnce),
    setting("borrow_days_max", Number, AtOnce),
    setting("borrow_seats_max", Number, AtOnce),
    setting("totals_open", Flag, AtOnce),
    setting("holders_open", Flag, AtOnce),
    setting("usage_open", Flag, AtOnce),
    setting("usage_keep_days", Number, AtOnce),
    setting("usage_names", Flag, AtOnce),
    setting("usage_pseudonymize_days", Number, AtOnce),
    setting("usage_detail_mb", Number, AtOnce),
    setting("backup_every_h", Number, AtOnce),
    setting("backup_keep", Number, AtOnce),
    setting("backup_folder", Text, AtOnce),
    setting("log", Text, AtOnce),
];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_become_values() {
        for (name, text, value) in [
            ("listen", "0.0.0.0:1, [::1]:2", json!(["0.0.0.0:1", "[::1]:2"])),
            ("deny_users", "anna\r\nben van gogh\n\n", json!(["anna", "ben van gogh"])),
            ("deny_users", "[\"anna\", \"ben van gogh\"]", json!(["anna", "ben van gogh"])),
            ("usage_open", "on", json!(true)),
            ("usage_open", "perhaps", json!("perhaps")),
            ("usage_keep_days", " 30 ", json!(30)),
            ("usage_keep_days", "-1", json!("-1")),
            ("proxy", "  ", json!(null)),
        ] {
            assert_eq!(Setting::named(name).unwrap().value_of(text), value, "{name} {text}");
        }
        assert_eq!(Setting::named("portal_url").unwrap().variable(), "LEASEHOLD_SERVER_PORTAL_URL");
    }
}
