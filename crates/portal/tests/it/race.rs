//! Law 1 between portal and servers, with everybody asking at once, on both databases.

use crate::world::{World, code};
use leasehold_core::random::{Random, Seeded};
use leasehold_db::testing::on_both;
use leasehold_portal::Failure;
use leasehold_portal::service::{activation, receipts};
use std::sync::Barrier;
use std::thread;

#[test]
fn ten_seats_and_64_servers_give_exactly_ten() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let license = world.license(&ada, world.product("studio"), 10);
        let start = Barrier::new(64);
        let outcomes: Vec<_> = thread::scope(|scope| {
            let takers: Vec<_> = (0..64)
                .map(|_| {
                    let (world, ada, start) = (&world, &ada, &start);
                    scope.spawn(move || {
                        let server = world.server();
                        start.wait();
                        world.activate(ada, &server, Some(vec![world.line(license, 1, 30)]))
                    })
                })
                .collect();
            takers.into_iter().map(|taker| taker.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 10);
        assert!(lost.into_iter().all(|refused| code(refused) == "NO_SEATS"));
        let seen = world.look(license);
        assert_eq!((seen.seats_out, seen.seats_free, seen.holders.len()), (10, 0, 10));
    });
}

/// Several licenses, several seats at once, renewals that raise, lower and acknowledge, receipts: whatever happens in
/// between, no license is ever out beyond what was bought.
#[test]
fn a_mix_of_everything_never_oversells() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        let product = world.product("studio");
        let licenses = [7, 10, 4].map(|seats| (world.license(&ada, product, seats), seats));
        let start = Barrier::new(16);
        thread::scope(|scope| {
            for n in 0..16 {
                let (world, ada, start) = (&world, &ada, &start);
                scope.spawn(move || {
                    let mut random = Seeded::new(n);
                    let mut server = world.server();
                    start.wait();
                    for _ in 0..6 {
                        let mut lines = licenses.map(|(license, seats)| {
                            world.line(license, u32::try_from(random.below(u64::from(seats))).unwrap(), 30)
                        });
                        // In any order: the locks are taken in one order all the same.
                        lines.rotate_left(usize::try_from(random.below(3)).unwrap());
                        match world.activate(ada, &server, Some(lines.to_vec())) {
                            Ok(activated) if random.below(4) == 0 => {
                                let receipt = server.receipt(world, activated.workstation.id);
                                receipts::take_receipt(&world.portal, ada, receipt.as_bytes()).unwrap();
                                server = world.server();
                            }
                            Ok(activated) => server.rev = Some(activated.rev),
                            Err(Failure::Refused { .. } | Failure::NothingToGive) => {}
                            Err(other) => panic!("{other}"),
                        }
                        for (license, seats) in licenses {
                            let seen = world.look(license);
                            assert!(seen.seats_out <= seats, "{} of {seats} are out", seen.seats_out);
                        }
                    }
                });
            }
        });
        assert!(licenses.iter().any(|(license, _)| world.look(*license).seats_out > 0), "somebody got something");
    });
}

#[test]
fn one_request_file_uploaded_by_many_at_once_is_used_once() {
    on_both(|db| {
        let world = World::new(db);
        let ada = world.customer("ada");
        world.license(&ada, world.product("studio"), 10);
        let file = world.server().request(&world);
        let start = Barrier::new(8);
        let outcomes: Vec<_> = thread::scope(|scope| {
            let uploads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        activation::activate(&world.portal, &ada, None, file.as_bytes(), &activation::Wish::default())
                    })
                })
                .collect();
            uploads.into_iter().map(|upload| upload.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        for refused in lost {
            assert_eq!(code(refused), "FILE_REPLAYED");
        }
    });
}
