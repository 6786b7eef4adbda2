//! The outbox: letters that wait, are sent, or are given up. No act waits for one and none fails because of one.

use super::{Caller, allow, keyset, page, sign_up};
use crate::Portal;
use crate::failure::{AccountFailure, Failure};
use crate::mail::Outgoing;
use crate::store::{audit, mails};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::{AccountId, MailId};
use leasehold_core::time::{HOUR_MS, MINUTE_MS, SECOND_MS};
use leasehold_db::Tx;
use leasehold_wire::portal::{Mail, MailQuery, Page, PageQuery};
use serde_json::json;

/// A letter that nobody took for so long is given up, in milliseconds.
const TRIED_MS: i64 = 48 * HOUR_MS;
/// After a first try, in milliseconds: a mail server that starts again takes no longer.
const PAUSE_MS: i64 = 10 * SECOND_MS;
/// Between two tries at the most, in milliseconds.
const PAUSE_MAX_MS: i64 = HOUR_MS;
/// Whoever sends one has so long for it, in milliseconds; then another process may.
const IN_HAND_MS: i64 = 30 * MINUTE_MS;

/// How long to wait after `tries` tries: ten seconds, twenty, forty, up to an hour.
fn pause_ms(tries: u32) -> i64 {
    (PAUSE_MS << tries.min(16)).min(PAUSE_MAX_MS)
}

/// Writes the letters that were asked for by whoever has not signed in, then sends one that is due; `true` if there may be
/// more. Blocks for as long as the mail server takes over one letter.
pub fn send_due(portal: &Portal) -> Result<bool, Failure> {
    while sign_up::answer_one(portal)? {}
    let now = portal.now();
    let late = move |tx: &mut Tx<'_>| mails::late(tx, now.plus(-TRIED_MS), now);
    if portal.db().read(late)? {
        portal.db().write(move |tx| Ok::<_, Failure>(mails::give_up(tx, now.plus(-TRIED_MS), now)?))?;
    }
    let Some(mailer) = portal.mailer() else { return Ok(false) };
    let due = portal.db().read(move |tx| Ok::<_, Failure>(mails::due(tx, now)?))?;
    let Some(letter) = due else { return Ok(false) };
    let (id, tries) = (letter.id, letter.tries);
    let in_hand_until = portal.now().plus(IN_HAND_MS);
    if !portal.db().write(move |tx| Ok::<_, Failure>(mails::claim(tx, id, tries, in_hand_until)?))? {
        return Ok(true);
    }
    let name = id.to_string();
    let (to, subject, body) = (letter.to.as_str(), letter.subject.as_str(), letter.body.as_str());
    let told = mailer.send(&Outgoing { id: &name, to, subject, body, at: letter.created_at });
    let now = portal.now();
    let late = now.since(letter.created_at) >= TRIED_MS;
    if let Err(refused) = &told {
        tracing::warn!(mail = %id, for_good = refused.for_good, why = %refused.why, "a letter was not sent");
    }
    portal.db().write(move |tx| {
        match &told {
            Ok(()) => mails::sent(tx, id, now)?,
            Err(refused) if refused.for_good || late => mails::failed(tx, id, now, &refused.why)?,
            Err(refused) => mails::put_off(tx, id, now.plus(pause_ms(tries)), &refused.why)?,
        }
        Ok::<_, Failure>(())
    })?;
    Ok(true)
}

/// Letters, newest first. Operators; with their links as long as no mail server is set, for whoever passes them on.
pub fn list(portal: &Portal, caller: &Caller, query: &MailQuery) -> Result<Page<Mail>, Failure> {
    allow(caller, PortalAction::ManageMail, None)?;
    let keys = keyset(&PageQuery { after: query.after.clone(), limit: query.limit })?;
    let (status, with_links) = (query.status, shows_links(portal, caller));
    portal.db().read(move |tx| {
        let rows = mails::list(tx, status, &keys, with_links)?;
        Ok(page(rows, &keys, |mail| mail.id.to_string(), |mail| mail))
    })
}

/// Links are for whoever passes them on, where no mail server is set: a person, and no program.
fn shows_links(portal: &Portal, caller: &Caller) -> bool {
    portal.mailer().is_none() && !caller.by_program()
}

/// One letter. Operators.
pub fn get(portal: &Portal, caller: &Caller, mail: MailId) -> Result<Mail, Failure> {
    allow(caller, PortalAction::ManageMail, None)?;
    let with_links = shows_links(portal, caller);
    portal.db().read(move |tx| mails::get(tx, mail, with_links)?.ok_or(Failure::NotFound))
}

/// What the mail server said when the newest letter to an account was given up lately; `None` if letters arrive. Operators,
/// and everybody of themselves.
pub fn undelivered(portal: &Portal, caller: &Caller, account: AccountId) -> Result<Option<String>, Failure> {
    if caller.actor().account() == Some(account) {
        allow(caller, PortalAction::ReadOwnAccount, None)?;
    } else {
        allow(caller, PortalAction::ManageMail, None)?;
    }
    let since = portal.now().plus(-super::overview::LATELY_MS);
    portal.db().read(move |tx| Ok(mails::undelivered(tx, account, since)?))
}

/// Puts a letter that was given up into the queue anew. Operators.
pub fn send_again(portal: &Portal, caller: &Caller, mail: MailId) -> Result<Mail, Failure> {
    allow(caller, PortalAction::ManageMail, None)?;
    let (stamp, with_links) = (portal.stamp(caller), shows_links(portal, caller));
    portal.db().write(move |tx| {
        let known = mails::get(tx, mail, with_links)?.ok_or(Failure::NotFound)?;
        if !mails::again(tx, mail, stamp.now)? {
            return Err(AccountFailure::NotGivenUp.into());
        }
        audit::insert(tx, &stamp, "mail.again", &mail.to_string(), &json!({ "to": known.to, "kind": known.kind }))?;
        mails::get(tx, mail, with_links)?.ok_or(Failure::NotFound)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_an_hour() {
        let seconds: Vec<i64> = (0..11).map(|tries| pause_ms(tries) / SECOND_MS).collect();
        assert_eq!(seconds, [10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600]);
        assert_eq!(pause_ms(u32::MAX), PAUSE_MAX_MS);
    }
}
