//! How many lease documents one thread signs and verifies in a second:
//! `cargo run --release -p leasehold-trust --example sign_speed`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use leasehold_core::ids::{LeaseId, WorkstationId};
use leasehold_core::license::FeatureCode;
use leasehold_core::random::Seeded;
use leasehold_core::time::Ms;
use leasehold_trust::secret::sha256_hex;
use leasehold_trust::{LEASE_VERSION, LeaseClaims, LeaseSigner, SigningKey, verify_lease};
use std::hint::black_box;

const ROUNDS: u32 = 20_000;

fn main() {
    let now = Ms(1_795_348_800_000);
    let random = &mut Seeded::new(1);
    let claims = LeaseClaims {
        v: LEASE_VERSION,
        iss: WorkstationId::draw(now, random),
        sub: LeaseId::draw(now, random),
        jti: "0123456789abcdef".to_owned(),
        iat: now,
        exp: now.plus(425_000),
        nonce: "0123456789abcdef0123456789abcdef".to_owned(),
        feature: FeatureCode::new("studio.gui").expect("a good code"),
        seats: 1,
        user: "someone".to_owned(),
        host: "hall3-ws7".to_owned(),
        ttl_s: 120,
        renew_after_s: 60,
        grace_s: 300,
        grant_sha256: sha256_hex(b"grant"),
    };
    let key = SigningKey::generate();
    let signer = LeaseSigner::new(key.clone());
    let token = signer.sign(&claims);
    let signs = per_second(|| drop(black_box(signer.sign(&claims))));
    let verifies = per_second(|| drop(black_box(verify_lease(&token, &key.public()))));
    println!("{signs} signed, {verifies} verified per second and thread, {} bytes each", token.len());
}

#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a stopwatch in a measuring program")]
fn per_second(mut work: impl FnMut()) -> u64 {
    let start = std::time::Instant::now();
    for _ in 0..ROUNDS {
        work();
    }
    (f64::from(ROUNDS) / start.elapsed().as_secs_f64()) as u64
}
