//! Accounts: made by operators; their people change their own password.

use super::idempotency::Once;
use super::letters::Letter;
use super::{Caller, IdempotencyKey, allow, keyset, page};
use crate::Portal;
use crate::failure::{AccountFailure, Failure};
use crate::passwords;
use crate::store::accounts::NewRow;
use crate::store::{accounts, audit, devices, links, mails, sessions, state, tokens};
use leasehold_core::access::PortalAction;
use leasehold_core::ids::AccountId;
use leasehold_core::random;
use leasehold_core::text;
use leasehold_db::{DbError, Tx};
use leasehold_wire::portal::{Account, AccountQuery, ChangePassword, NewAccount, Page, PageQuery, Role};
use leasehold_wire::time::Time;
use serde_json::json;

const EMAIL_CHARS_MAX: usize = 254;

/// The form in which addresses are stored and compared, if it can be one.
pub(super) fn email(text: &str) -> Result<String, Failure> {
    let email = text.trim().to_lowercase();
    text::name(&email).map_err(|why| Failure::invalid("email", why))?;
    let shaped =
        email.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'));
    if !shaped || email.len() > EMAIL_CHARS_MAX || email.contains(char::is_whitespace) {
        return Err(Failure::invalid("email", "must be an email address such as ada@example.com"));
    }
    Ok(email)
}

/// The same for an address that an account is to have from now on: one that mail can be sent to.
pub(super) fn new_email(text: &str) -> Result<String, Failure> {
    let email = email(text)?;
    if !crate::mail::is_address(&email) {
        return Err(Failure::invalid("email", "must be an email address such as ada@example.com"));
    }
    Ok(email)
}

/// Makes an operator without asking who wants it: for whoever has the data folder in hand, on the command line.
pub fn create_operator(portal: &Portal, email: &str, name: &str, password: &str) -> Result<Account, Failure> {
    let wish = NewAccount {
        email: email.to_owned(),
        name: name.to_owned(),
        password: password.to_owned(),
        role: Role::Operator,
    };
    write(portal, &Caller::command_line(), None, &wish)
}

/// Sets somebody's password without asking who wants it, and ends all their sign-ins: for whoever has the data folder
/// in hand, on the command line.
pub fn set_password(portal: &Portal, address: &str, password: &str) -> Result<Account, Failure> {
    let email = email(address)?;
    passwords::check_new("password", password)?;
    let hash = portal.passwords().hash(password, portal.draw(|random| random::bytes(random)))?;
    passwords::check_not_of("password", password, &email)?;
    let stamp = portal.stamp(&Caller::command_line());
    let letter = Letter::draw(portal, stamp.now);
    portal.db().write(move |tx| {
        let (account, _) = accounts::credentials(tx, &email)?
            .ok_or_else(|| Failure::invalid("email", "is not the address of an account here"))?;
        accounts::set_password(tx, account.id, &hash)?;
        let ended = end_everything(tx, account.id, "")?;
        mails::insert(tx, &letter.password_changed(account.id, &account.email))?;
        audit::insert(tx, &stamp, "password.set", &account.id.to_string(), &json!({ "sign_ins_ended": ended }))?;
        Ok(account)
    })
}

/// Ends whatever could be used by somebody who should not: sign-ins but one, tokens, links, a change of address. Answers
/// how many sign-ins and tokens that were. The account is locked, because its password was written.
pub(super) fn end_everything(tx: &mut Tx<'_>, account: AccountId, keep: &str) -> Result<u64, DbError> {
    links::end_all(tx, account)?;
    state::end_enable_tokens(tx, account)?;
    devices::end_of_account(tx, account)?;
    Ok(sessions::end_others(tx, account, keep)? + tokens::end_all(tx, account)?)
}

/// Makes an account. Operators.
pub fn create(
    portal: &Portal,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    wish: &NewAccount,
) -> Result<Account, Failure> {
    allow(caller, PortalAction::ManageAccounts, None)?;
    if caller.by_program() && wish.role == Role::Operator {
        // Whoever has a token would have an account for ever.
        return Err(AccountFailure::SignInNeeded.into());
    }
    write(portal, caller, key, wish)
}

fn write(
    portal: &Portal,
    caller: &Caller,
    key: Option<&IdempotencyKey>,
    wish: &NewAccount,
) -> Result<Account, Failure> {
    let email = new_email(&wish.email)?;
    text::name(&wish.name).map_err(|why| Failure::invalid("name", why))?;
    passwords::check_new("password", &wish.password)?;
    passwords::check_not_of("password", &wish.password, &email)?;
    let stamp = portal.stamp(caller);
    // Without the password: a fast hash of it would be a way to guess it.
    let once = Once::new(caller, key, "account.create", &(&email, &wish.name, wish.role), stamp.now)?;
    let (id, salt) = portal.draw(|random| (AccountId::draw(stamp.now, random), random::bytes(random)));
    let password_hash = portal.passwords().hash(&wish.password, salt)?;
    let (name, role, created_at) = (wish.name.clone(), wish.role, stamp.now);
    portal.db().write(move |tx| {
        once.run(tx, |tx| {
            let (email, name, password_hash) = (email.clone(), name.clone(), password_hash.clone());
            let number = accounts::next_number(tx)?;
            let new = NewRow { id, email, name, password_hash, role, number, created_at };
            let id = accounts::make(tx, &new)?.ok_or(Failure::Taken { what: "email address" })?;
            let detail = json!({ "email": new.email, "role": new.role.word() });
            audit::insert(tx, &stamp, "account.create", &id.to_string(), &detail)?;
            Ok(Account {
                id,
                customer_number: new.number,
                email: new.email.clone(),
                name: new.name.clone(),
                role: new.role,
                created_at: Time(stamp.now),
                signed_in_at: None,
            })
        })
    })
}

/// Accounts, or those with something in their name, address or number. Operators.
pub fn list(portal: &Portal, caller: &Caller, query: &AccountQuery) -> Result<Page<Account>, Failure> {
    allow(caller, PortalAction::ManageAccounts, None)?;
    let keys = keyset(&PageQuery { after: query.after.clone(), limit: query.limit })?;
    let part = query.q.as_deref().map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned);
    if part.as_ref().is_some_and(|part| part.chars().count() > text::NAME_CHARS_MAX || part.contains('\0')) {
        return Err(Failure::invalid("q", format!("must be at most {} characters of text", text::NAME_CHARS_MAX)));
    }
    portal.db().read(move |tx| {
        let rows = accounts::list(tx, part.as_deref(), &keys)?;
        Ok(page(rows, &keys, |account| account.id.to_string(), |account| account))
    })
}

/// One account. Operators, and everybody their own.
pub fn get(portal: &Portal, caller: &Caller, account: AccountId) -> Result<Account, Failure> {
    if caller.actor().account() != Some(account) {
        caller.id()?;
        // An administrator of somebody's organization sees what is the organization's.
        allow(caller, PortalAction::ManageAccounts, None).map_err(|_| Failure::NotFound)?;
    }
    portal.db().read(move |tx| accounts::get(tx, account)?.ok_or(Failure::NotFound))
}

/// Changes one's own password; every other sign-in of the account ends.
pub fn change_password(portal: &Portal, caller: &Caller, wish: &ChangePassword) -> Result<(), Failure> {
    allow(caller, PortalAction::UseOwnAccount, None)?;
    let account = caller.account().cloned().ok_or(Failure::SignIn)?;
    passwords::check_new("new", &wish.new)?;
    passwords::check_not_of("new", &wish.new, &account.email)?;
    let old = super::sessions::check_own_password(portal, caller, &account.email, &wish.current, "current")?;
    let new = portal.passwords().hash(&wish.new, portal.draw(|random| random::bytes(random)))?;
    let (stamp, keep) = (portal.stamp(caller), caller.session().to_owned());
    let letter = Letter::draw(portal, stamp.now);
    portal.db().write(move |tx| {
        if !accounts::replace_password(tx, account.id, &old, &new)? {
            return Err(Failure::invalid("current", "was changed by somebody else at the same moment"));
        }
        let ended = end_everything(tx, account.id, &keep)?;
        mails::insert(tx, &letter.password_changed(account.id, &account.email))?;
        Ok(audit::insert(tx, &stamp, "password.change", &account.id.to_string(), &json!({ "sign_ins_ended": ended }))?)
    })
}
