//! Runs a range of the simulation's seeds and tells which of them break a law: `cargo run -p leasehold-testkit --example
//! seeds 0 1000`. One seed alone is told line by line.

#![expect(clippy::print_stdout, reason = "it talks to whoever started it")]

use leasehold_testkit::sim::{Simulator, Tally};

fn main() {
    let bounds: Vec<u64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let mut simulator = Simulator::new();
    if let [seed] = bounds[..] {
        let outcome = simulator.run(seed, None, Some(&mut |line: &str| println!("{line}")));
        println!("{outcome:?}");
        return;
    }
    let (from, to) = (bounds.first().copied().unwrap_or(0), bounds.get(1).copied().unwrap_or(100));
    let mut done = Tally::default();
    let mut most = (0, from);
    for seed in from..to {
        match simulator.run(seed, None, None) {
            Ok(tally) => {
                most = most.max((tally.of("sync taken"), seed));
                done.add(&tally);
            }
            Err(violation) => println!("seed {seed}: {violation}"),
        }
    }
    println!("{done}\nmost syncs: {} in seed {}", most.0, most.1);
}
