//! Settings while the server runs: what they are and where they stand, one way to change them, and what follows from a
//! change. A change that may lock its maker out goes through [`super::on_trial`].

use super::access::Caller;
use super::failure::Failure;
use crate::config::{Applies, By, Config, Kind, Layers, Place, SETTINGS, Setting, Values, backups_have_a_folder};
use crate::networks::TurnedAway;
use crate::server::Server;
use crate::store;
use leasehold_core::access::ServerAction;
use leasehold_core::engine::{Engine, Input};
use leasehold_core::text;
use leasehold_db::Tx;
use leasehold_wire::server::{SettingApplies, SettingView, SettingsRequest, SettingsResponse};
use serde_json::Value;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

/// How much a service logs where nothing else is said.
const LOG_DEFAULT: &str = "info";
/// Longest text of a change in the audit log, in characters.
const AUDIT_CHARS_MAX: usize = 1_000;

impl Server {
    /// Every setting, with where it stands.
    ///
    /// # Errors
    /// [`Failure::SignIn`].
    pub async fn settings(&self, caller: &Caller) -> Result<SettingsResponse, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        let trial = self.0.trial.lock().await.as_ref().map(|trial| trial.view(self.boot_ms()));
        Ok(SettingsResponse { usage_open: self.openness().usage, settings: self.setting_views(), trial })
    }

    /// Changes settings; what is not named stays. Either all of it can be used, or nothing changes.
    ///
    /// # Errors
    /// [`Failure::SignIn`], [`Failure::ReadOnly`], [`Failure::BadField`], [`Failure::Setting`], [`Failure::SettingFixed`],
    /// [`Failure::OnTrial`], [`Failure::Bind`], or the database's.
    pub async fn change_settings(&self, caller: &Caller, wish: SettingsRequest) -> Result<SettingsResponse, Failure> {
        self.authorize(caller, ServerAction::Administer)?;
        let changes = wanted(wish, caller)?;
        self.change(caller, changes).await?;
        self.settings(caller).await
    }

    /// Who was turned away by the lists of networks since the start, the newest first.
    ///
    /// # Errors
    /// [`Failure::SignIn`].
    pub(crate) fn turned_away(&self, caller: &Caller) -> Result<Vec<TurnedAway>, Failure> {
        self.authorize(caller, ServerAction::Inspect)?;
        Ok(self.0.neighbors.turned_away())
    }

    /// The same for values that were looked at: checks all, stores, follows; or begins a trial.
    pub(super) async fn change(&self, caller: &Caller, mut changes: Values) -> Result<(), Failure> {
        let mut trial = self.0.trial.lock().await;
        if let Some(running) = &*trial {
            return Err(Failure::OnTrial { left_s: running.left_s(self.boot_ms()) });
        }
        let before = self.0.settings.get();
        forget_proxy_password(&mut changes, &before.layers);
        for setting in changes.keys().filter_map(|name| Setting::named(name)) {
            if before.layers.place(setting).is_fixed() {
                return Err(Failure::SettingFixed { name: setting.name, place: before.layers.stands_in(setting) });
            }
        }
        let next = self.checked(before.layers.with_page(&changes)).await?;
        let changed = changed(&before.layers, &next.layers);
        if changed.is_empty() {
            return Ok(());
        }
        if changed.iter().any(|setting| setting.name == "backup_folder") {
            backups_have_a_folder(&self.0.folder, &next)?;
        }
        if changed.iter().any(|setting| setting.applies == Applies::OnTrial) && self.ports().is_some() {
            *trial = Some(self.begin_trial(caller, before, next, changes, &changed).await?);
            return Ok(());
        }
        let audit = self.audit(caller, "settings_change", said(&changed, &next.layers));
        let stored = move |tx: &mut Tx<'_>| {
            store::change_settings(tx, &changes)?;
            store::add_audit(tx, &audit)
        };
        self.0.db.write_async(stored).await?;
        self.follow(next).await
    }

    async fn checked(&self, layers: Layers) -> Result<Config, Failure> {
        let folder = self.0.folder.clone();
        // Files may be named in it.
        let checked = tokio::task::spawn_blocking(move || Config::check(&folder, layers)).await;
        checked.map_err(|error| Failure::Internal(error.to_string()))?.map_err(Failure::from)
    }

    /// The settings are these from now on: tells everybody whom it concerns.
    pub(super) async fn follow(&self, next: Config) -> Result<(), Failure> {
        let server = self.clone();
        let done = tokio::task::spawn_blocking(move || server.follow_blocking(next)).await;
        done.map(drop).map_err(|error| Failure::Internal(error.to_string()))
    }

    /// The same for a thread that may block; answers what holds from the next start only.
    pub(crate) fn follow_blocking(&self, next: Config) -> Vec<&'static str> {
        let before = self.0.settings.get();
        let rules = Arc::clone(&next.rules);
        let rules_changed = before.rules != rules;
        let networks_changed = before.networks != next.networks;
        let way_changed =
            before.portal_url != next.portal_url || before.proxy != next.proxy || before.portal_ca != next.portal_ca;
        let log_changed = before.log != next.log;
        let from_next_start = self.0.settings.replace(next);
        if log_changed {
            self.set_log_level();
        }
        // The engine is gone only where the process is about to end; the next start reads what is on disk.
        if rules_changed {
            let _ = self.0.engine.step_blocking(Input::Rules { rules });
        }
        if networks_changed {
            self.keep_holders_heard();
        }
        if way_changed {
            let _ = self.0.engine.step_blocking(Input::Refresh);
        }
        from_next_start
    }

    /// So much is logged as the settings say.
    pub(crate) fn set_log_level(&self) {
        let config = self.0.settings.get();
        self.0.logs.set_level(config.log.as_deref().unwrap_or(LOG_DEFAULT));
    }

    /// Whoever holds a seat at an address that is shut out is heard until it is returned.
    pub(crate) fn keep_holders_heard(&self) {
        let networks = self.0.settings.get().networks.clone();
        let look = move |engine: &Engine, _| -> HashSet<IpAddr> {
            let addresses = engine.pool().addresses();
            addresses
                .into_iter()
                .filter(|address| !networks.admit(*address))
                .map(|address| address.to_canonical())
                .collect()
        };
        if let Ok(holding) = self.0.engine.look_blocking(look) {
            self.0.neighbors.set_holding(holding);
        }
    }

    fn setting_views(&self) -> Vec<SettingView> {
        let config = self.0.settings.get();
        let started = self.0.started.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let view = |setting: &Setting| {
            let (place, value) = (config.layers.place(setting), config.layers.value(setting));
            // Another address on the page is opened at once; one in the file, at the next start.
            let at_start = setting.applies == Applies::NextStart || (setting.name == "listen" && place.is_fixed());
            SettingView {
                name: setting.name.to_owned(),
                value: value.map_or(Value::Null, |value| shown(setting, value)),
                default: if value.is_none() { default_of(setting, &config) } else { Value::Null },
                secret_set: setting.secret && value.is_some(),
                // One that only belongs to others that stand there has its default.
                source: if value.is_some() { place } else { Place::Default }.word().to_owned(),
                fixed_in: place.is_fixed().then(|| config.layers.stands_in(setting)),
                machine_only: setting.by == By::Machine,
                applies: match setting.applies {
                    Applies::AtOnce => SettingApplies::AtOnce,
                    Applies::OnTrial => SettingApplies::OnTrial,
                    Applies::NextStart => SettingApplies::NextStart,
                },
                waits_for_start: at_start && started.value(setting) != value,
            }
        };
        SETTINGS.iter().map(view).collect()
    }
}

/// Settings of which the value is another.
fn changed(before: &Layers, next: &Layers) -> Vec<&'static Setting> {
    SETTINGS.iter().filter(|setting| before.value(setting) != next.value(setting)).collect()
}

/// What somebody wants to change, if all of it is theirs to change. A value that says nothing is the default.
fn wanted(wish: SettingsRequest, caller: &Caller) -> Result<Values, Failure> {
    let mut changes = Values::new();
    for (name, value) in wish.0 {
        let Some(setting) = Setting::named(&name) else {
            return Err(Failure::BadField(format!("`{}` is not a setting of this server", text::cleaned(&name))));
        };
        if setting.by == By::Machine && !caller.has_folder() {
            return Err(Failure::SettingOfMachine(setting.name));
        }
        if name == "proxy" && value.as_str().is_some_and(|address| with_password_hidden(address) != address) {
            let why = "must be without the password here: give it in `proxy_password`, which is never shown".to_owned();
            return Err(Failure::Setting { name: "proxy", why });
        }
        let nothing = match &value {
            Value::String(text) => text.trim().is_empty(),
            Value::Array(entries) => entries.is_empty(),
            _ => false,
        };
        changes.insert(name, if nothing { Value::Null } else { value });
    }
    Ok(changes)
}

/// The password of one proxy goes to no other: a new address forgets it, unless it comes with one of its own.
fn forget_proxy_password(changes: &mut Values, before: &Layers) {
    let proxy = Setting::named("proxy").and_then(|setting| before.value(setting));
    let another = changes.get("proxy").is_some_and(|new| Some(new) != proxy && !(new.is_null() && proxy.is_none()));
    if another && !changes.contains_key("proxy_password") {
        changes.insert("proxy_password".to_owned(), Value::Null);
    }
}

/// What holds of a setting that has no value. Only for such: it is read from what holds.
fn default_of(setting: &Setting, config: &Config) -> Value {
    match setting.name {
        "listen" => config.listen.iter().map(|address| Value::from(address.to_string())).collect(),
        "totals_open" => config.open.totals.into(),
        "holders_open" => config.open.holders.into(),
        "usage_open" => config.open.usage.into(),
        "usage_keep_days" => config.usage_keep_days.into(),
        "usage_names" => config.usage_names.into(),
        "usage_pseudonymize_days" => config.usage_pseudonymize_days.into(),
        "usage_detail_mb" => config.usage_detail_mb.into(),
        "backup_keep" => config.backup_keep.into(),
        "backup_folder" => config.backup_folder.display().to_string().into(),
        "log" => LOG_DEFAULT.into(),
        _ if setting.kind == Kind::List => Value::Array(Vec::new()),
        _ => Value::Null,
    }
}

/// A value as it may be shown.
fn shown(setting: &Setting, value: &Value) -> Value {
    match (setting.name, value) {
        _ if setting.secret => Value::Null,
        ("proxy", Value::String(address)) => with_password_hidden(address).into(),
        _ => value.clone(),
    }
}

/// An address without the password in it.
fn with_password_hidden(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").map_or(("", address), |(scheme, rest)| (scheme, rest));
    let Some((login, host)) = rest.rsplit_once('@') else { return address.to_owned() };
    let Some((user, _)) = login.split_once(':') else { return address.to_owned() };
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{user}:***@{host}")
}

/// What was changed, for the audit log.
pub(super) fn said(changed: &[&'static Setting], next: &Layers) -> String {
    let one = |setting: &&'static Setting| match next.value(setting) {
        None => format!("{} = default", setting.name),
        Some(_) if setting.secret => format!("{} = (secret)", setting.name),
        Some(value) => format!("{} = {}", setting.name, shown(setting, value)),
    };
    let all = changed.iter().map(one).collect::<Vec<_>>().join("; ");
    match all.char_indices().nth(AUDIT_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &all[..end]),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_hidden() {
        for (address, shown) in [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://user@proxy:3128", "http://user@proxy:3128"),
            ("http://user:pa@ss@proxy:3128", "http://user:***@proxy:3128"),
            ("user:secret@proxy", "user:***@proxy"),
            ("none", "none"),
        ] {
            assert_eq!(with_password_hidden(address), shown);
        }
    }
}
