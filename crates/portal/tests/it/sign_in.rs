//! Signing in, its throttle, and passwords.

use crate::world::{HOME, PASSWORD, World, code};
use leasehold_core::time::{DAY_MS, HOUR_MS};
use leasehold_db::testing::on_both;
use leasehold_portal::service::{accounts, sessions};
use leasehold_portal::{Caller, Failure};
use leasehold_wire::portal::{ChangePassword, NewAccount, Role, SignIn};

fn wish(email: &str, password: &str) -> SignIn {
    SignIn { email: email.into(), password: password.into() }
}

#[test]
fn a_token_stands_for_its_account_until_it_ends() {
    on_both(|db| {
        let world = World::new(db);
        world.customer("ada");
        let (token, signed_in) =
            sessions::sign_in(&world.portal, HOME, "agent", &wish("Ada@Studio.example ", PASSWORD)).unwrap();
        assert_eq!(signed_in.token, token.text());
        let who = |world: &World| {
            sessions::caller(&world.portal, Some(&token), HOME).unwrap().account().map(|a| a.name.clone())
        };
        assert_eq!(who(&world).as_deref(), Some("ada"));
        world.clock.advance(11 * HOUR_MS);
        assert!(who(&world).is_some());
        world.clock.advance(2 * HOUR_MS);
        assert_eq!(who(&world), None, "however much it was used");
    });
}

#[test]
fn signing_out_ends_the_token() {
    on_both(|db| {
        let world = World::new(db);
        world.customer("ada");
        let (token, _) = sessions::sign_in(&world.portal, HOME, "", &wish("ada@studio.example", PASSWORD)).unwrap();
        let caller = sessions::caller(&world.portal, Some(&token), HOME).unwrap();
        sessions::sign_out(&world.portal, &caller).unwrap();
        assert!(sessions::caller(&world.portal, Some(&token), HOME).unwrap().account().is_none());
    });
}

#[test]
fn somebody_unknown_gets_the_same_answer_and_guessing_is_stopped() {
    on_both(|db| {
        let world = World::new(db);
        world.customer("ada");
        let try_it = |email, password| sessions::sign_in(&world.portal, HOME, "", &wish(email, password)).map(drop);
        assert_eq!(try_it("ada@studio.example", "wrong"), Err(Failure::WrongPassword));
        assert_eq!(try_it("nobody@studio.example", "wrong"), Err(Failure::WrongPassword));
        assert_eq!(try_it("no address", "wrong"), Err(Failure::WrongPassword));
        for _ in 0..9 {
            assert_eq!(try_it("ada@studio.example", "wrong"), Err(Failure::WrongPassword));
        }
        assert!(matches!(try_it("ada@studio.example", PASSWORD), Err(Failure::TooManyTries { wait_s: 1..=900 })));
        let elsewhere =
            sessions::sign_in(&world.portal, [198, 51, 100, 1].into(), "", &wish("ada@studio.example", PASSWORD));
        assert!(elsewhere.is_ok(), "a stranger's guesses do not lock ada out");
        world.clock.advance(16 * 60_000);
        assert_eq!(try_it("ada@studio.example", PASSWORD), Ok(()));
    });
}

#[test]
fn a_new_password_ends_every_other_sign_in() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let (other, _) = sessions::sign_in(&world.portal, HOME, "", &wish("ada@studio.example", PASSWORD)).unwrap();
        let change = |current: &str, new: &str| {
            let wish = ChangePassword { current: current.into(), new: new.into() };
            accounts::change_password(&world.portal, &ada, &wish)
        };
        assert_eq!(code(change("wrong", "another long password")), "BAD_FIELD");
        assert_eq!(code(change(PASSWORD, "short")), "BAD_FIELD");
        change(PASSWORD, "another long password").unwrap();
        assert!(sessions::caller(&world.portal, Some(&other), HOME).unwrap().account().is_none());
        let old = sessions::sign_in(&world.portal, HOME, "", &wish("ada@studio.example", PASSWORD));
        assert_eq!(old.map(drop), Err(Failure::WrongPassword));
        assert!(
            sessions::sign_in(&world.portal, HOME, "", &wish("ada@studio.example", "another long password")).is_ok()
        );
    });
}

#[test]
fn accounts_are_made_by_operators_with_addresses_that_are_unique() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let new = |email: &str, password: &str| NewAccount {
            email: email.into(),
            name: "X".into(),
            password: password.into(),
            role: Role::Customer,
        };
        let create = |caller: &Caller, wish: &NewAccount| code(accounts::create(&world.portal, caller, None, wish));
        assert_eq!(create(&ada, &new("x@y.example", PASSWORD)), "FORBIDDEN");
        assert_eq!(create(&world.operator, &new("ADA@studio.example", PASSWORD)), "TAKEN");
        for bad in ["", "ada", "@b", "a@", "a b@c", "a@b@c", "a\u{202e}@b.example"] {
            assert_eq!(create(&world.operator, &new(bad, PASSWORD)), "BAD_FIELD", "{bad:?}");
        }
        assert_eq!(create(&world.operator, &new("x@y.example", "too short")), "BAD_FIELD");
        assert_eq!(create(&Caller::command_line(), &new("x@y.example", PASSWORD)), "SIGN_IN");
    });
}

#[test]
fn ended_sign_ins_are_swept() {
    on_both(|db| {
        let world = World::new(db);
        let count = |db: &leasehold_db::Db| {
            db.read(|tx| tx.one("SELECT COUNT(*) FROM session", &[], |row| row.int(0))).unwrap().unwrap()
        };
        assert_eq!(count(db), 1);
        world.clock.advance(DAY_MS);
        leasehold_portal::service::health::sweep(&world.portal).unwrap();
        assert_eq!(count(db), 0);
    });
}
