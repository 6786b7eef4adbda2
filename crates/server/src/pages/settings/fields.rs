//! What each setting is called on the pages, and on which card it stands. The table of settings knows their names; here
//! are the words.

/// A page of settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Part {
    General,
    Network,
    Portal,
    Seats,
    Accounts,
    Care,
}

impl Part {
    pub(super) const ALL: &'static [Part] =
        &[Part::General, Part::Network, Part::Portal, Part::Seats, Part::Accounts, Part::Care];

    pub(super) fn label(self) -> &'static str {
        match self {
            Part::General => "General",
            Part::Network => "Network",
            Part::Portal => "Portal",
            Part::Seats => "Who gets seats",
            Part::Accounts => "Administrators",
            Part::Care => "Backup and support",
        }
    }

    pub(super) fn lead(self) -> &'static str {
        match self {
            Part::General => "What everybody may see, how long usage is kept, and this server itself.",
            Part::Network => "Where this server listens, who is heard, and the certificate that browsers see.",
            Part::Portal => "The way from this server to the vendor's portal.",
            Part::Seats => "Which users and hosts get seats here, and how far seats may be borrowed.",
            Part::Accounts => "Who may sign in on this server, and who is signed in now.",
            Part::Care => "Copies from which a server can be started, and what helps whoever is asked for help.",
        }
    }

    pub(super) fn path(self) -> &'static str {
        match self {
            Part::General => "/settings",
            Part::Network => "/settings/network",
            Part::Portal => "/settings/portal",
            Part::Seats => "/settings/seats",
            Part::Accounts => "/settings/administrators",
            Part::Care => "/settings/backup",
        }
    }
}

/// How a setting is entered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Widget {
    /// A line.
    Line,
    /// One entry in each line.
    Lines,
    /// Yes or no.
    Check,
    /// A number.
    Number(u64, u64),
    /// Never shown back; empty leaves it as it is.
    Secret,
}

/// One setting on a card.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    pub(super) widget: Widget,
}

/// Settings that are saved together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Card {
    /// Names it in the form.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) part: Part,
    pub(super) items: &'static [Item],
}

impl Card {
    pub(super) fn named(name: &str) -> Option<&'static Card> {
        CARDS.iter().find(|card| card.name == name)
    }
}

const fn item(name: &'static str, label: &'static str, hint: &'static str, widget: Widget) -> Item {
    Item { name, label, hint, widget }
}

use Widget::{Check, Line, Lines, Number, Secret};

/// Every card with settings.
pub(super) const CARDS: &[Card] = &[
    Card {
        name: "open",
        title: "What everybody may see",
        part: Part::General,
        items: &[
            item(
                "totals_open",
                "How many seats are in use",
                "The features of this server with their numbers, on the home page, in the API and for monitoring (/metrics), to everybody who reaches this server.",
                Check,
            ),
            item(
                "holders_open",
                "Who holds seats now",
                "Users, machines, addresses and times, on the home page and in the API. A refused application then also names the holders.",
                Check,
            ),
            item("usage_open", "Who used what", "Usage, the usage log and denials.", Check),
        ],
    },
    Card {
        name: "usage",
        title: "How usage is kept",
        part: Part::General,
        items: &[
            item(
                "usage_keep_days",
                "Days to keep",
                "The log, denials and totals. 400 if nothing is set.",
                Number(1, 3_650),
            ),
            item(
                "usage_pseudonymize_days",
                "Days until pseudonyms",
                "After so many days pseudonyms take the place of the names of users and hosts; 0 for never. 90 if nothing is set.",
                Number(0, 3_650),
            ),
            item(
                "usage_detail_mb",
                "Room for detail, in MiB",
                "The oldest events go first, and totals last; 0 for no limit. 2048 if nothing is set.",
                Number(0, 1_000_000),
            ),
            item(
                "usage_names",
                "Name users and hosts",
                "Without names the figures of features stay as they are.",
                Check,
            ),
        ],
    },
    Card {
        name: "listen",
        title: "Where this server listens",
        part: Part::Network,
        items: &[item(
            "listen",
            "Addresses and port",
            "One in each line, such as 0.0.0.0:30304 for every address of this machine, or 10.1.2.3:30304. Applications have to be told a new one. 0.0.0.0:30304 if nothing is set.",
            Lines,
        )],
    },
    Card {
        name: "networks",
        title: "Who is heard",
        part: Part::Network,
        items: &[
            item(
                "allow_networks",
                "Only these networks",
                "One in each line, such as 10.0.0.0/8 or 10.1.2.3. Empty means everybody. This machine itself is always heard.",
                Lines,
            ),
            item(
                "deny_networks",
                "Not these networks",
                "They win over the list above. Who holds a seat there can keep and return it.",
                Lines,
            ),
        ],
    },
    Card {
        name: "behind",
        title: "Behind a proxy",
        part: Part::Network,
        items: &[
            item(
                "public_url",
                "Address for browsers",
                "How browsers reach this server, if not by its own address: scheme, host and port, such as https://licenses.example.com.",
                Line,
            ),
            item(
                "trusted_proxies",
                "Trusted proxies",
                "One address or network in each line. What they say about who is behind them is believed.",
                Lines,
            ),
        ],
    },
    Card {
        name: "portal",
        title: "The way to the portal",
        part: Part::Portal,
        items: &[
            item(
                "portal_url",
                "Address of the portal",
                "It begins with https://, and the vendor gave it to you.",
                Line,
            ),
            item(
                "proxy",
                "Proxy",
                "Such as http://proxy.example.com:3128 or socks5://proxy.example.com:1080, with USER@ in front of the host if it wants a sign-in. Write none for no proxy. Empty: the environment of the service decides.",
                Line,
            ),
            item(
                "proxy_password",
                "Password at the proxy",
                "For the user in the proxy's address. It is never shown; empty leaves it as it is. Another address of the proxy forgets it.",
                Secret,
            ),
        ],
    },
    Card {
        name: "schedule",
        title: "Schedule",
        part: Part::Care,
        items: &[
            item(
                "backup_every_h",
                "Hours between backups",
                "24 makes one each day. Empty: none is made by itself.",
                Number(1, 8_760),
            ),
            item("backup_keep", "Backups to keep", "The oldest ones go. 7 if nothing is set.", Number(1, 1_000)),
            item(
                "backup_folder",
                "Folder",
                "An absolute path on the server's own machine, best on another disk; it must be there. Empty: the folder backups in the data folder.",
                Line,
            ),
        ],
    },
    Card {
        name: "log",
        title: "Log",
        part: Part::Care,
        items: &[item(
            "log",
            "How much is logged",
            "error, warn, info, debug or trace; or such as warn,leasehold_server=debug. info if nothing is set. More than info is for as long as something is looked for.",
            Line,
        )],
    },
    Card {
        name: "names",
        title: "Users and hosts",
        part: Part::Seats,
        items: &[
            item(
                "allow_users",
                "Only these users",
                "One name in each line; * stands for any characters, and upper and lower case are the same. Empty means everybody.",
                Lines,
            ),
            item("deny_users", "Not these users", "It wins over the list above. Whoever holds a seat keeps it.", Lines),
            item("allow_hosts", "Only these hosts", "As applications name their machine: see Who holds what.", Lines),
            item("deny_hosts", "Not these hosts", "It wins over the list above.", Lines),
        ],
    },
    Card {
        name: "borrow",
        title: "Borrowing",
        part: Part::Seats,
        items: &[
            item(
                "borrow_days_max",
                "Longest pass, in days",
                "Never longer than the vendor allows; 0 lends nothing. Empty: as long as the vendor allows.",
                Number(0, 3_650),
            ),
            item(
                "borrow_seats_max",
                "Most seats of a feature lent at once",
                "Further machines are refused until somebody returns a pass. Empty: as many as there are.",
                Number(0, 1_000_000),
            ),
        ],
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{By, SETTINGS};

    #[test]
    fn every_setting_that_is_changed_on_a_page_stands_on_one_card() {
        for setting in SETTINGS.iter().filter(|setting| setting.by == By::Page) {
            let items = CARDS.iter().flat_map(|card| card.items);
            assert_eq!(items.filter(|item| item.name == setting.name).count(), 1, "{}", setting.name);
        }
    }
}
