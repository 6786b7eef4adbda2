//! What the portal writes to people: plain text, one letter for each occasion. Knows no SQL and no SMTP.

use crate::Portal;
use crate::store::mails::{LINK, NewRow};
use leasehold_core::ids::{AccountId, MailId};
use leasehold_core::text;
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms};

/// The link of a sign-up is good for so long, in milliseconds.
pub(super) const SIGN_UP_MS: i64 = DAY_MS;
/// The link of a forgotten password, in milliseconds.
pub(super) const RESET_MS: i64 = HOUR_MS;
/// Both sides of a change of address confirm within so long, in milliseconds.
pub(super) const CHANGE_MS: i64 = DAY_MS;
/// An invitation to an organization, in milliseconds.
pub(super) const INVITATION_MS: i64 = 14 * DAY_MS;
/// What only tells of something is worth sending for so long, in milliseconds.
const NEWS_MS: i64 = 30 * DAY_MS;

/// The kind of letters that ask somebody into an organization.
pub(super) const INVITATION: &str = "invitation";

/// A letter that is drawn before a transaction and written in it.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    id: MailId,
    vendor: String,
    base_url: String,
    now: Ms,
}

/// A name from outside within a line: no line of its own, and not endless.
fn plain(name: &str) -> String {
    name.chars().filter(|c| !c.is_control() && !text::is_invisible_control(*c)).take(200).collect()
}

/// For how long anybody needs a letter: as long as its link is good, or it is no news any more.
fn good_for_ms(kind: &str) -> i64 {
    match kind {
        "sign_up" => SIGN_UP_MS,
        "reset" => RESET_MS,
        INVITATION => INVITATION_MS,
        "email_old" | "email_new" => CHANGE_MS,
        _ => NEWS_MS,
    }
}

impl Letter {
    /// Draws one.
    pub(super) fn draw(portal: &Portal, now: Ms) -> Letter {
        let id = portal.draw(|random| MailId::draw(now, random));
        Letter { id, vendor: portal.vendor().to_owned(), base_url: portal.base_url().to_owned(), now }
    }

    fn row(
        &self,
        kind: &'static str,
        account: Option<AccountId>,
        to: &str,
        subject: &str,
        lines: &[&str],
        link: String,
    ) -> NewRow {
        let vendor = plain(&self.vendor);
        let text = lines.join("\n\n");
        let body = format!("Hello,\n\n{text}\n\n-- \nThe portal of {vendor}, {}\n", self.base_url);
        let subject = format!("{subject} at the portal of {vendor}");
        let good_until = self.now.plus(good_for_ms(kind));
        NewRow { id: self.id, kind, account, to: to.to_owned(), subject, body, link, created_at: self.now, good_until }
    }

    fn link(&self, path: &str, token: &str) -> String {
        format!("{}/{path}?token={token}", self.base_url)
    }

    /// Somebody asked for an account.
    pub(super) fn sign_up(&self, to: &str, token: &str) -> NewRow {
        let lines = [
            "somebody asked for an account with this address. To have it made, open within a day:",
            LINK,
            "You are asked for the password that was chosen.",
            "If it was not you, do nothing: no account is made.",
        ];
        self.row("sign_up", None, to, "Confirm your account", &lines, self.link("confirm", token))
    }

    /// Somebody asked for an account with the address of one that exists.
    pub(super) fn has_account(&self, account: AccountId, to: &str) -> NewRow {
        let lines = [
            "somebody asked for an account with this address, which has one already. Sign in with it:",
            LINK,
            "If you have forgotten the password, there is a link for that on the same page. If it was not you, do nothing: nothing was changed.",
        ];
        self.row("has_account", Some(account), to, "You have an account", &lines, format!("{}/sign-in", self.base_url))
    }

    /// Somebody forgot a password.
    pub(super) fn reset(&self, account: AccountId, to: &str, token: &str) -> NewRow {
        let lines = [
            "somebody says that the password of this account is forgotten. To set a new one, open within an hour:",
            LINK,
            "If it was not you, do nothing: the password stays as it is.",
        ];
        self.row("reset", Some(account), to, "Set a new password", &lines, self.link("reset", token))
    }

    /// Somebody is asked into an organization.
    pub(super) fn invitation(
        &self,
        account: AccountId,
        to: &str,
        (organization, by): (&str, &str),
        token: &str,
    ) -> NewRow {
        let (by, organization) = (plain(by), plain(organization));
        // An organization is often called as its owner is.
        let who = match by == organization {
            true => format!("you are invited to {organization}"),
            false => format!("{by} invites you to {organization}"),
        };
        let invited =
            format!("{who}: to use the licenses that are assigned to you there. To join, open within 14 days:");
        let lines = [
            invited.as_str(),
            LINK,
            "Nobody there sees what is your own. If you do not know them, do nothing: you are in no organization without your consent.",
        ];
        self.row(INVITATION, Some(account), to, "You are invited", &lines, self.link("join", token))
    }

    /// An organization is offered to somebody.
    pub(super) fn ownership(&self, account: AccountId, to: &str, (organization, by): (&str, &str)) -> NewRow {
        let offered = format!(
            "{} wants to pass {} to you, with its licenses and license servers.",
            plain(by),
            plain(organization)
        );
        let lines = [offered.as_str(), "To say yes or no, sign in within 14 days and open Account:", LINK];
        self.row(
            "ownership",
            Some(account),
            to,
            "An organization is offered to you",
            &lines,
            format!("{}/account", self.base_url),
        )
    }

    /// An organization has another owner: to the one until now.
    pub(super) fn passed(&self, account: AccountId, to: &str, (organization, by): (&str, &str)) -> NewRow {
        let passed = format!("{} owns {} from now on. You are an administrator of it.", plain(by), plain(organization));
        let lines = [passed.as_str(), "If you do not expect this, write to the vendor."];
        self.row("passed", Some(account), to, "An organization has another owner", &lines, String::new())
    }

    /// A password was set anew.
    pub(super) fn password_changed(&self, account: AccountId, to: &str) -> NewRow {
        let lines = [
            "the password of this account was changed, and all its other sign-ins ended.",
            "If it was not you, set a new one at once: on the page of the sign-in there is a link for forgotten passwords.",
        ];
        self.row("password_changed", Some(account), to, "Your password was changed", &lines, String::new())
    }

    /// Another address is wanted: to the one until now.
    pub(super) fn email_old(&self, account: AccountId, to: &str, new: &str, token: &str) -> NewRow {
        let wanted = format!(
            "somebody wants to change the address of this account to {}. If it is you, open within a day, with your password:",
            plain(new)
        );
        let lines = [
            wanted.as_str(),
            LINK,
            "The new address gets a letter, too; it changes when both have confirmed.",
            "If it was not you, do nothing, and change your password.",
        ];
        self.row(
            "email_old",
            Some(account),
            to,
            "Confirm the change of your address",
            &lines,
            self.link("email", token),
        )
    }

    /// Another address is wanted: to the new one.
    pub(super) fn email_new(&self, account: AccountId, to: &str, token: &str) -> NewRow {
        let lines = [
            "somebody wants to use this address for their account. If it is you, open within a day, with the password of that account:",
            LINK,
            "The address until now gets a letter, too; it changes when both have confirmed. If it was not you, do nothing.",
        ];
        self.row("email_new", Some(account), to, "Confirm your new address", &lines, self.link("email", token))
    }

    /// The address is another: to the one until now.
    pub(super) fn email_changed(&self, account: AccountId, to: &str, new: &str) -> NewRow {
        let changed = format!("the address of this account is {} from now on. Sign in with that one.", plain(new));
        self.row("email_changed", Some(account), to, "Your address was changed", &[changed.as_str()], String::new())
    }
}
