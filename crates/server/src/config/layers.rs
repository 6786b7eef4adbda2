//! Where settings stand: command line > environment > `server.toml` > page > default. The first place that has one wins.
//!
//! Holds values as they were written; checks none.

use super::setting::{ENVIRONMENT_PREFIX, SETTINGS, Setting};
use serde_json::{Map, Value};
use std::fmt;

/// Settings that one place has.
pub(crate) type Values = Map<String, Value>;

/// Where a setting stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// How the server was started: an option, or sockets that were passed on.
    Start,
    /// A variable of the environment.
    Environment,
    /// `server.toml`.
    File,
    /// The page, the API or `server settings`.
    Page,
    /// Nowhere.
    Default,
}

impl Place {
    /// As the API says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Place::Start => "start",
            Place::Environment => "environment",
            Place::File => "server.toml",
            Place::Page => "page",
            Place::Default => "default",
        }
    }

    /// Whether nobody changes it on the page.
    pub(crate) fn is_fixed(self) -> bool {
        matches!(self, Place::Start | Place::Environment | Place::File)
    }

    /// Where `setting` has to be changed, for people.
    fn of(self, setting: &Setting) -> String {
        match self {
            Place::Start if setting.name == "log" => "LEASEHOLD_LOG".to_owned(),
            Place::Start => {
                "the way in which the server is started (--listen, LEASEHOLD_LISTEN, or sockets of systemd)".to_owned()
            }
            Place::Environment => setting.variable(),
            Place::File => "server.toml".to_owned(),
            Place::Page => "Settings".to_owned(),
            Place::Default => "nowhere".to_owned(),
        }
    }
}

/// What every place has.
#[derive(Clone, PartialEq, Default)]
pub(crate) struct Layers {
    pub(crate) start: Values,
    pub(crate) environment: Values,
    pub(crate) file: Values,
    pub(crate) page: Values,
}

impl fmt::Debug for Layers {
    /// Without values: some are secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layers").finish_non_exhaustive()
    }
}

impl Layers {
    fn places(&self) -> [(Place, &Values); 4] {
        [
            (Place::Start, &self.start),
            (Place::Environment, &self.environment),
            (Place::File, &self.file),
            (Place::Page, &self.page),
        ]
    }

    /// Where a setting comes from. What belongs together comes from one place, also where that has only a part of it.
    pub(crate) fn place(&self, setting: &Setting) -> Place {
        let has =
            |values: &Values| SETTINGS.iter().any(|other| other.belongs_to(setting) && values.contains_key(other.name));
        self.places().into_iter().find(|(_, values)| has(values)).map_or(Place::Default, |(place, _)| place)
    }

    /// Where a setting has to be changed, for people. One that has no value there, because it belongs to another that has,
    /// is fixed by that one.
    pub(crate) fn stands_in(&self, setting: &Setting) -> String {
        let place = self.place(setting);
        let set = |other: &&Setting| {
            let mut places = self.places().into_iter();
            places.any(|(named, values)| named == place && values.contains_key(other.name))
        };
        let by = if set(&setting) { None } else { SETTINGS.iter().filter(|other| other.belongs_to(setting)).find(set) };
        place.of(by.unwrap_or(setting))
    }

    /// The value of a setting as it was written; `None` for the default.
    pub(crate) fn value(&self, setting: &Setting) -> Option<&Value> {
        let place = self.place(setting);
        let (_, values) = self.places().into_iter().find(|(named, _)| *named == place)?;
        values.get(setting.name)
    }

    /// What holds, of all places together.
    pub(crate) fn effective(&self) -> Values {
        let mut all = Values::new();
        for setting in SETTINGS {
            if let Some(value) = self.value(setting) {
                all.insert(setting.name.to_owned(), value.clone());
            }
        }
        all
    }

    /// The same with other values on the page; `Null` takes one away.
    pub(crate) fn with_page(&self, changes: &Values) -> Layers {
        let mut layers = self.clone();
        for (name, value) in changes {
            if value.is_null() {
                layers.page.remove(name);
            } else {
                layers.page.insert(name.clone(), value.clone());
            }
        }
        layers
    }
}

/// Settings of the environment; `read` gives a variable. An empty variable is none.
pub(crate) fn from_environment(read: impl Fn(&str) -> Option<String>) -> Values {
    let mut values = Values::new();
    for setting in SETTINGS {
        let value = read(&setting.variable()).map(|text| setting.value_of(&text));
        values.extend(value.filter(|value| !value.is_null()).map(|value| (setting.name.to_owned(), value)));
    }
    values
}

/// Variables that look like a setting and are none: mistyped, most likely. In order of name.
pub(crate) fn unknown_variables(names: impl Iterator<Item = String>) -> Vec<String> {
    let is_known = |name: &String| SETTINGS.iter().any(|setting| setting.variable() == *name);
    let mut unknown: Vec<_> = names.filter(|name| name.starts_with(ENVIRONMENT_PREFIX) && !is_known(name)).collect();
    unknown.sort_unstable();
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_mistyped_variable_is_found() {
        let names = ["LEASEHOLD_SERVER_PORTAL_ULR", "LEASEHOLD_SERVER_PORTAL_URL", "LEASEHOLD_SERVERS", "PATH"];
        let unknown = unknown_variables(names.into_iter().map(str::to_owned));
        assert_eq!(unknown, ["LEASEHOLD_SERVER_PORTAL_ULR"]);
    }

    fn values(json: Value) -> Values {
        json.as_object().unwrap().clone()
    }

    fn named(name: &str) -> &'static Setting {
        Setting::named(name).unwrap()
    }

    #[test]
    fn the_first_place_that_has_a_setting_wins() {
        let layers = Layers {
            start: values(json!({"listen": ["127.0.0.1:1"]})),
            environment: from_environment(|name| {
                (name == "LEASEHOLD_SERVER_PORTAL_URL").then(|| "https://env".to_owned())
            }),
            file: values(json!({"portal_url": "https://file", "usage_open": false})),
            page: values(json!({"listen": ["0.0.0.0:2"], "usage_open": true, "deny_users": ["ben"]})),
        };
        for (name, value, place) in [
            ("listen", json!(["127.0.0.1:1"]), Place::Start),
            ("portal_url", json!("https://env"), Place::Environment),
            ("usage_open", json!(false), Place::File),
            ("deny_users", json!(["ben"]), Place::Page),
        ] {
            assert_eq!((layers.value(named(name)), layers.place(named(name))), (Some(&value), place), "{name}");
        }
        assert_eq!((layers.value(named("proxy")), layers.place(named("proxy"))), (None, Place::Default));
        assert_eq!(layers.effective().len(), 4);
    }

    #[test]
    fn what_belongs_together_comes_from_one_place() {
        let layers = Layers {
            file: values(json!({"proxy": "http://file:1"})),
            page: values(json!({"proxy": "http://me@page:1", "proxy_password": "secret"})),
            ..Layers::default()
        };
        assert_eq!(layers.value(named("proxy")), Some(&json!("http://file:1")));
        assert_eq!(layers.value(named("proxy_password")), None, "a password never goes to another proxy");
        assert_eq!(layers.place(named("proxy_password")), Place::File);
        let layers = Layers { environment: values(json!({"proxy": "http://env:1"})), ..layers };
        assert_eq!(layers.stands_in(named("proxy_password")), "LEASEHOLD_SERVER_PROXY", "the one that is set");
        assert!(!format!("{layers:?}").contains("secret"));
    }

    #[test]
    fn a_change_on_the_page_can_be_taken_away_again() {
        let layers = Layers::default().with_page(&values(json!({"usage_open": true})));
        assert_eq!(layers.page.len(), 1);
        assert!(layers.with_page(&values(json!({"usage_open": null}))).page.is_empty());
    }
}
