//! What the administrator of the server allows: lists of users and hosts, limits of borrowing.

use super::passes::{d, lending, pass};
use super::*;
use crate::site::{NameList, NamePattern, SiteLimit, SiteRules};

impl Server {
    fn rules(&mut self, rules: SiteRules) {
        let input = Input::Rules { rules: Arc::new(rules) };
        assert_eq!(self.engine.step(NOW, input, &mut self.writes), Output::Done);
    }
}

fn deny_users(names: &[&str]) -> SiteRules {
    let deny_users = names.iter().map(|name| NamePattern::parse(name).unwrap()).collect();
    SiteRules { deny_users, ..SiteRules::default() }
}

fn denial(output: Output) -> Denial {
    match output {
        Output::Denied(denial) => *denial,
        other => panic!("expected a denial, got {other:?}"),
    }
}

#[test]
fn who_is_on_the_list_gets_no_new_seat_and_keeps_a_running_one() {
    let mut server = Server::new(5);
    let ann = leased(server.checkout(NOW, "a", "ann"));
    server.rules(deny_users(&["AN*"]));
    let refused = denial(server.checkout(NOW, "b", "ann"));
    assert_eq!((refused.code, refused.refused_by), (DenialCode::NotAllowed, Some(NameList::DenyUsers)));
    leased(server.heartbeat(NOW, ann.lease, 1, "n1"));
    leased(server.checkout(NOW, "a", "ann"));
    leased(server.checkout(NOW, "c", "bob"));
    let trial = server.engine.trial(NOW, ann.lease, &ask("ann"), source());
    assert_eq!(trial.refused_by, Some(NameList::DenyUsers));
    assert!(matches!(trial.verdict, TrialVerdict::Denied(denial) if denial.code == DenialCode::NotAllowed));
    let given_back = server.engine.step(NOW, Input::Checkin { lease: ann.lease }, &mut server.writes);
    assert_eq!(given_back, Output::Released);
    server.rules(SiteRules::default());
    leased(server.checkout(NOW, "d", "ann"));
}

#[test]
fn memory_built_anew_still_knows_what_is_allowed() {
    let mut server = Server::new(5);
    server.rules(deny_users(&["ann"]));
    let mut former = std::mem::replace(&mut server.engine, Server::new(5).engine);
    server.engine.take_over(NOW, &mut former, NOW);
    assert_eq!(denied(server.checkout(NOW, "a", "ann")), DenialCode::NotAllowed);
}

#[test]
fn borrowing_is_narrowed_by_the_administrator_who_is_named() {
    let mut server = Server::lending(vec![lending(1, 9, d(90), 30)]);
    server.rules(SiteRules { borrow_days_max: Some(7), borrow_seats_max: Some(2), ..SiteRules::default() });
    let long = denial(server.borrow(NOW, "k1", 8));
    assert_eq!((long.code, long.borrow_days_max), (DenialCode::BorrowTooLong, Some(7)));
    assert_eq!(long.site_limit, Some(SiteLimit::BorrowDays(7)));
    assert!(long.explain().what.contains("administrator of this license server"));
    pass(server.borrow(NOW, "k1", 7));
    let many = denial(server.borrow_seats(NOW, "k2", 7, 2));
    assert_eq!((many.code, many.site_limit), (DenialCode::BorrowLimit, Some(SiteLimit::BorrowSeats(2))));
    pass(server.borrow(NOW, "k2", 7));
    assert_eq!(pass(server.borrow(d(3), "k1", 7)).1, d(10), "extending takes no seat more");
    server.rules(SiteRules { borrow_days_max: Some(0), ..SiteRules::default() });
    let none = denial(server.borrow(NOW, "k3", 1));
    assert_eq!((none.code, none.site_limit), (DenialCode::BorrowDenied, Some(SiteLimit::BorrowDays(0))));
    server.rules(SiteRules { borrow_days_max: Some(60), ..SiteRules::default() });
    let vendor = denial(server.borrow(NOW, "k3", 40));
    assert_eq!((vendor.borrow_days_max, vendor.site_limit), (Some(30), None), "never wider than the vendor's");
}
