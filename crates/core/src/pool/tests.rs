use super::*;
use crate::grant::{Grant, Renew, Terms};
use crate::ids::{LicenseId, WorkstationId};
use crate::license::{Channel, Kind, Share};
use crate::random::Seeded;
use crate::times::{LeaseTimes, TimeTable};

const NOW: Ms = Ms(1_795_000_000_000);
const DAY: i64 = crate::time::DAY_MS;

fn feature(code: &str) -> FeatureCode {
    FeatureCode::new(code).unwrap()
}

fn line(number: u64, license: u64, seats: u32, days: i64) -> Line {
    Line {
        line: LineId::draw(Ms(1), &mut Seeded::new(number)),
        license: LicenseId::draw(Ms(1), &mut Seeded::new(1_000 + license)),
        product: "studio".into(),
        product_name: "Studio".into(),
        kind: Kind::Floating,
        channel: Channel::Commercial,
        features: [(feature("studio.gui"), 1), (feature("studio.render"), 2)].into(),
        seats,
        until: NOW.plus(days * DAY),
        terms: Terms::by_file(Share::None, None),
    }
}

fn grant(rev: u64, lines: Vec<Line>) -> Grant {
    Grant {
        workstation: WorkstationId::draw(Ms(1), &mut Seeded::new(1)),
        workstation_name: "site".into(),
        account_name: "Studio Ltd".into(),
        rev,
        issued_at: NOW,
        request: None,
        machine: String::new(),
        online: false,
        lines,
    }
}

fn ask(code: &str, seats: u32, user: &str) -> Ask {
    Ask {
        feature: feature(code),
        seats,
        version: "1".into(),
        released_on: None,
        user: user.into(),
        host: "h".into(),
        host_id: "m".into(),
        boot_id: "b".into(),
        pid: 1,
        labels: BTreeMap::new(),
    }
}

fn from(last: u8) -> Source {
    Source { address: std::net::IpAddr::from([10, 0, 0, last]), loopback: false }
}

struct Site {
    pool: Pool,
    random: Seeded,
}

impl Site {
    fn new(lines: Vec<Line>) -> Site {
        let mut pool = Pool::default();
        pool.install(&grant(1, lines), NOW, &TimeTable::DEFAULT);
        Site { pool, random: Seeded::new(9) }
    }

    fn take(&mut self, ask: Ask, source: Source) -> Result<LeaseId, crate::codes::DenialCode> {
        let id = LeaseId::draw(NOW, &mut self.random);
        let standing = self.pool.find(id, &ask, source, NOW)?;
        let started_at = NOW.plus(i64::try_from(self.pool.leases_out()).unwrap());
        self.pool.insert(Lease {
            id,
            key: id.to_string().into(),
            ask,
            source,
            standing,
            started_at,
            seen_at: NOW,
            freed_at: NOW.plus(425_000),
            times: LeaseTimes::DEFAULT,
            n: 0,
            nonce: "".into(),
            withdrawn: false,
            released: None,
            told_at: None,
            pass: None,
        });
        Ok(id)
    }

    fn in_use(&self, code: &str) -> u32 {
        self.pool.capacity(&feature(code), NOW).in_use
    }
}

use crate::codes::DenialCode as D;

#[test]
fn the_last_seat_is_given_once_and_features_are_counted_apart() {
    let mut site = Site::new(vec![line(1, 1, 2, 90)]);
    assert!(site.take(ask("studio.gui", 1, "a"), from(1)).is_ok());
    let second = site.take(ask("studio.gui", 1, "b"), from(2)).unwrap();
    assert_eq!(site.take(ask("studio.gui", 1, "c"), from(3)), Err(D::NoSeats));
    assert!(site.take(ask("studio.render", 4, "c"), from(3)).is_ok(), "2 seats hold 4 renders");
    assert_eq!(site.take(ask("studio.render", 1, "c"), from(3)), Err(D::NoSeats));
    site.pool.remove(second);
    assert!(site.take(ask("studio.gui", 1, "c"), from(3)).is_ok());
    let view = site.pool.view(NOW);
    assert_eq!((view.lines[0].seats_in_use, view.leases_out), (2, 3));
}

#[test]
fn every_refusal_has_its_own_reason() {
    let mut empty = Site::new(vec![]);
    assert_eq!(empty.take(ask("studio.gui", 1, "a"), from(1)), Err(D::NotActivated));
    let mut site = Site::new(vec![line(1, 1, 2, 90)]);
    assert_eq!(site.take(ask("other", 1, "a"), from(1)), Err(D::FeatureUnknown));
    assert_eq!(site.take(ask("studio.gui", 3, "a"), from(1)), Err(D::NoSeats));
    let mut ended = Site::new(vec![line(1, 1, 2, 0)]);
    assert_eq!(ended.take(ask("studio.gui", 1, "a"), from(1)), Err(D::Expired));
    let mut assigned = line(1, 1, 2, 90);
    assigned.terms.assigned = true;
    let mut assigned = Site::new(vec![assigned]);
    assert_eq!(assigned.take(ask("studio.gui", 1, "a"), from(1)), Err(D::Reserved));
    let here = Source { address: [127, 0, 0, 1].into(), loopback: true };
    assert!(assigned.take(ask("studio.gui", 1, "a"), here).is_ok());
}

#[test]
fn a_perpetual_license_serves_releases_up_to_its_maintenance() {
    let mut perpetual = line(1, 1, 2, 90);
    perpetual.terms.released_before = Some(jiff::civil::date(2026, 6, 30));
    let mut site = Site::new(vec![perpetual]);
    let released = |date| Ask { released_on: date, ..ask("studio.gui", 1, "a") };
    assert!(site.take(released(Some(jiff::civil::date(2026, 6, 30))), from(1)).is_ok());
    assert_eq!(site.take(released(Some(jiff::civil::date(2026, 7, 1))), from(1)), Err(D::VersionTooNew));
    assert_eq!(site.take(released(None), from(1)), Err(D::VersionTooNew), "who does not say cannot be covered");
}

#[test]
fn lines_are_taken_assigned_first_then_offline_then_online_the_longest_first() {
    let mut online = line(1, 1, 1, 300);
    online.terms.renew = Renew::Sync;
    let (short, long) = (line(2, 2, 1, 10), line(3, 3, 1, 20));
    let mut assigned = line(4, 4, 1, 5);
    assigned.terms.assigned = true;
    let mut site = Site::new(vec![online.clone(), short.clone(), long.clone(), assigned.clone()]);
    let here = Source { address: [127, 0, 0, 1].into(), loopback: true };
    for expected in [assigned.line, long.line, short.line, online.line] {
        let id = site.take(ask("studio.gui", 1, "a"), here).unwrap();
        let lease = site.pool.lease(id).unwrap();
        assert_eq!(site.pool.placement(lease)[0].0, expected);
    }
}

#[test]
fn many_seats_may_stand_on_several_lines_and_end_with_the_earliest() {
    let (short, long) = (line(1, 1, 2, 10), line(2, 2, 2, 20));
    let mut site = Site::new(vec![short.clone(), long]);
    let id = site.take(ask("studio.gui", 3, "a"), from(1)).unwrap();
    let lease = site.pool.lease(id).unwrap();
    assert_eq!(site.pool.ends_at(site.pool.placement(lease)), short.until);
    assert_eq!(site.in_use("studio.gui"), 3);
}

#[test]
fn a_shared_seat_needs_equal_user_machine_boot_and_address_and_has_at_most_eight_leases() {
    let mut shared = line(1, 1, 2, 90);
    shared.terms.share = Share::UserHost;
    let mut site = Site::new(vec![shared]);
    let ids: Vec<_> = (0..8).map(|_| site.take(ask("studio.gui", 1, "a"), from(1)).unwrap()).collect();
    assert_eq!(site.in_use("studio.gui"), 1);
    assert!(site.take(ask("studio.gui", 1, "a"), from(1)).is_ok(), "the ninth takes another seat");
    assert_eq!(site.in_use("studio.gui"), 2);
    assert_eq!(site.take(ask("studio.gui", 1, "a"), from(2)), Err(D::NoSeats), "another address");
    assert_eq!(site.take(ask("studio.gui", 1, "b"), from(1)), Err(D::NoSeats), "another user");
    for id in ids {
        assert_eq!(site.in_use("studio.gui"), 2, "free when the last lease ends");
        site.pool.remove(id);
    }
    assert_eq!(site.in_use("studio.gui"), 1);
}

#[test]
fn a_smaller_document_withdraws_the_youngest_and_gives_nothing_while_over() {
    let mut site = Site::new(vec![line(1, 1, 3, 90)]);
    let ids: Vec<_> = ["a", "b", "c"].map(|user| site.take(ask("studio.gui", 1, user), from(1)).unwrap()).into();
    let installed = site.pool.install(&grant(2, vec![line(1, 1, 1, 90)]), NOW, &TimeTable::DEFAULT);
    assert_eq!(installed.withdrawn, ids[1..]);
    site.pool.remove(ids[0]);
    assert_eq!(site.take(ask("studio.gui", 1, "d"), from(1)), Err(D::NoSeats), "two still run on one seat");
    site.pool.remove(ids[1]);
    site.pool.remove(ids[2]);
    assert!(site.take(ask("studio.gui", 1, "d"), from(1)).is_ok());
}

#[test]
fn leases_on_a_line_that_left_the_document_still_count_against_its_license() {
    let mut site = Site::new(vec![line(1, 1, 2, 90)]);
    let ids: Vec<_> = ["a", "b"].map(|user| site.take(ask("studio.gui", 1, user), from(1)).unwrap()).into();
    // The same license under a new line: they move there.
    site.pool.install(&grant(2, vec![line(2, 1, 2, 90)]), NOW, &TimeTable::DEFAULT);
    assert_eq!(site.take(ask("studio.gui", 1, "c"), from(1)), Err(D::NoSeats));
    // Restarted from disk, it is the same.
    let leases: Vec<_> = ids.iter().map(|id| site.pool.lease(*id).unwrap().clone()).collect();
    let pool = Pool::restore(Some(&grant(2, vec![line(2, 1, 2, 90)])), vec![line(1, 1, 2, 90)], leases, NOW);
    let mut site = Site { pool, random: Seeded::new(77) };
    assert_eq!(site.take(ask("studio.gui", 1, "c"), from(1)), Err(D::NoSeats));
    site.pool.remove(ids[0]);
    assert!(site.take(ask("studio.gui", 1, "c"), from(1)).is_ok());
}

#[test]
fn the_oldest_move_to_what_is_left_of_their_license() {
    let mut site = Site::new(vec![line(1, 1, 4, 90)]);
    let ids: Vec<_> = ["a", "b", "c", "d"].map(|user| site.take(ask("studio.gui", 1, user), from(1)).unwrap()).into();
    let two = vec![line(1, 1, 1, 90), line(2, 1, 2, 30)];
    let installed = site.pool.install(&grant(2, two), NOW, &TimeTable::DEFAULT);
    assert_eq!((installed.moved, installed.withdrawn), (ids[1..3].to_vec(), ids[3..].to_vec()));
    assert_eq!(site.in_use("studio.gui"), 4);
    site.pool.remove(ids[3]);
    assert_eq!(site.take(ask("studio.gui", 1, "e"), from(1)), Err(D::NoSeats));
    site.pool.remove(ids[0]);
    assert!(site.take(ask("studio.gui", 1, "e"), from(1)).is_ok());
}

#[test]
fn nobody_moves_to_a_license_of_which_more_is_in_use_than_is_left() {
    let mut site = Site::new(vec![line(1, 1, 5, 90), line(2, 2, 1, 30)]);
    for user in ["a", "b", "c"] {
        site.take(ask("studio.gui", 1, user), from(1)).unwrap();
    }
    let two = site.take(ask("studio.gui", 2, "d"), from(1)).unwrap();
    let other = site.take(ask("studio.gui", 1, "e"), from(1)).unwrap();
    // Two of the five are withdrawn and go on for a while: the fourth seat is not there for somebody else.
    let installed = site.pool.install(&grant(2, vec![line(1, 1, 4, 90)]), NOW, &TimeTable::DEFAULT);
    assert_eq!((installed.moved, installed.withdrawn), (vec![], vec![two, other]));
}

#[test]
fn a_line_that_left_moves_its_leases_to_another_license_with_room() {
    let mut site = Site::new(vec![line(1, 1, 1, 90), line(2, 2, 1, 10)]);
    let id = site.take(ask("studio.gui", 1, "a"), from(1)).unwrap();
    let installed = site.pool.install(&grant(2, vec![line(2, 2, 1, 10)]), NOW, &TimeTable::DEFAULT);
    assert_eq!((installed.moved, installed.withdrawn), (vec![id], vec![]));
    assert_eq!(site.take(ask("studio.gui", 1, "b"), from(1)), Err(D::NoSeats));
}

#[test]
fn pages_of_leases_are_bounded_and_in_order() {
    let mut site = Site::new(vec![line(1, 1, 100, 90)]);
    let mut ids: Vec<_> = (0..50).map(|_| site.take(ask("studio.gui", 1, "a"), from(1)).unwrap()).collect();
    ids.sort();
    let first: Vec<_> = site.pool.leases_page(None, None, 20).iter().map(|lease| lease.id).collect();
    assert_eq!(first, ids[..20]);
    let rest = site.pool.leases_page(Some(&feature("studio.gui")), Some(ids[39]), 20);
    assert_eq!(rest.iter().map(|lease| lease.id).collect::<Vec<_>>(), ids[40..]);
}

#[test]
fn several_lines_of_one_license_do_not_give_its_free_seats_twice() {
    let mut site = Site::new(vec![line(1, 1, 2, 90)]);
    let first = site.take(ask("studio.gui", 1, "a"), from(1)).unwrap();
    site.take(ask("studio.gui", 1, "b"), from(1)).unwrap();
    site.pool.install(&grant(2, vec![line(2, 1, 1, 90), line(3, 1, 1, 90)]), NOW, &TimeTable::DEFAULT);
    site.pool.remove(first);
    assert_eq!(site.take(ask("studio.gui", 2, "c"), from(1)), Err(D::NoSeats), "one of the two still runs");
    assert!(site.take(ask("studio.gui", 1, "c"), from(1)).is_ok());
}

#[test]
fn a_full_line_is_passed_over_for_the_next_of_the_same_license() {
    let (long, short) = (line(1, 1, 1, 20), line(2, 1, 1, 10));
    let mut site = Site::new(vec![long.clone(), short.clone()]);
    for expected in [long.line, short.line] {
        let id = site.take(ask("studio.gui", 1, "a"), from(1)).unwrap();
        assert_eq!(site.pool.placement(site.pool.lease(id).unwrap())[0].0, expected);
    }
}

#[test]
fn equal_texts_of_leases_are_kept_once_and_go_when_nobody_has_them() {
    let mut site = Site::new(vec![line(1, 1, 20_000, 90)]);
    let first = site.take(ask("studio.gui", 1, "ann"), from(1)).unwrap();
    let second = site.take(ask("studio.gui", 1, &String::from("ann")), from(2)).unwrap();
    let of = |pool: &Pool, id| pool.lease(id).unwrap().ask.clone();
    let (one, other) = (of(&site.pool, first), of(&site.pool, second));
    assert!(Arc::ptr_eq(&one.user, &other.user) && Arc::ptr_eq(&one.host, &other.host));
    // Whoever comes under ever new names leaves nothing behind.
    for user in 0..10_000 {
        let id = site.take(ask("studio.gui", 1, &format!("user-{user}")), from(3)).unwrap();
        site.pool.remove(id);
    }
    assert!(site.pool.texts.len() < 2_000, "{}", site.pool.texts.len());
    assert_eq!(of(&site.pool, first), one);
}
