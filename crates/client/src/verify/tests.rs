use super::*;
use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{GrantId, LicenseId, LineId, WorkstationId};
use leasehold_core::license::{Channel, Kind, Share};
use leasehold_core::random::Seeded;
use leasehold_core::time::DAY_MS;
use leasehold_trust::{LEASE_VERSION, LeaseClaims, LeaseSigner, PortalSigner, SigningKey, Vendor};

const NOW: Ms = Ms(1_795_000_000_000);

/// A vendor whose portal activated one server.
struct World {
    root: VendorRoot,
    key: SigningKey,
    answer: GrantResponse,
    workstation: WorkstationId,
}

fn feature() -> FeatureCode {
    FeatureCode::new("studio.gui").unwrap()
}

fn portal(vendor: &str) -> PortalSigner {
    let v = Vendor::create(vendor, NOW).unwrap();
    let (issuing, document) = (v.issuing_key, v.document_key);
    let (issuing_pem, document_pem) = (v.issuing_certificate_pem, v.document_certificate_pem);
    PortalSigner::load(&v.root_certificate_pem, &issuing_pem, issuing, &document_pem, document, NOW).unwrap()
}

fn activate(portal: &PortalSigner, key: SigningKey, bound_to: &SigningKey, until: Ms) -> World {
    let mut random = Seeded::new(5);
    let workstation = WorkstationId::draw(NOW, &mut random);
    let line = Line {
        line: LineId::draw(NOW, &mut random),
        license: LicenseId::draw(NOW, &mut random),
        product: "studio".to_owned(),
        product_name: "Studio".to_owned(),
        kind: Kind::Floating,
        channel: Channel::Commercial,
        features: [(feature(), 1)].into(),
        seats: 10,
        until,
        terms: Terms::by_file(Share::None, None),
    };
    let grant = Grant {
        workstation,
        workstation_name: "ws".to_owned(),
        account_name: "Acme".to_owned(),
        rev: 1,
        issued_at: NOW.floor_to_second(),
        request: None,
        machine: String::new(),
        online: false,
        lines: vec![line],
    };
    let token = portal.sign_grant(&grant, &bound_to.thumbprint(), GrantId::draw(NOW, &mut random));
    let pem = portal.issue_workstation_certificate(workstation, "ws", &key.public(), NOW, [7; 16]);
    let file = leasehold_trust::activation_file::build_activation_file(portal, &pem, &token).unwrap();
    let certificates = file
        .split("-----BEGIN CERTIFICATE-----")
        .skip(1)
        .map(|block| block.split("-----END").next().unwrap().split_whitespace().collect())
        .collect();
    let sha256 = leasehold_trust::secret::sha256_hex(token.as_bytes());
    World {
        root: portal.root().clone(),
        key,
        workstation,
        answer: GrantResponse { sha256, grant: token, certificates },
    }
}

impl World {
    fn new() -> World {
        let key = SigningKey::generate();
        activate(&portal("Acme"), key.clone(), &key, NOW.plus(90 * DAY_MS))
    }

    fn known(&self) -> KnownGrant {
        grant(&self.answer, &self.answer.sha256, &self.root, NOW).unwrap()
    }

    fn claims(&self) -> LeaseClaims {
        LeaseClaims {
            v: LEASE_VERSION,
            iss: self.workstation,
            sub: LeaseId::draw(NOW, &mut Seeded::new(9)),
            jti: "1".to_owned(),
            iat: NOW,
            exp: NOW.plus(425_000),
            nonce: "n1".to_owned(),
            feature: feature(),
            seats: 1,
            user: "ann".to_owned(),
            host: "ws1".to_owned(),
            ttl_s: 120,
            renew_after_s: 60,
            grace_s: 300,
            grant_sha256: self.answer.sha256.clone(),
        }
    }

    fn check(&self, claims: &LeaseClaims, key: &SigningKey, now: Ms) -> Result<LeaseTimes, Distrust> {
        let response = LeaseResponse {
            lease: self.claims().sub,
            secret: "s".to_owned(),
            feature: feature(),
            seats: 1,
            // What is not signed is not used.
            ttl_s: 99_999,
            renew_after_s: 99_999,
            grace_s: 99_999,
            server_time: NOW.into(),
            ends_at: NOW.into(),
            resumed: false,
            token: LeaseSigner::new(key.clone()).sign(claims),
            grant_sha256: self.answer.sha256.as_str().into(),
        };
        let feature = feature();
        let asked = Asked { nonce: "n1", lease: Some(self.claims().sub), feature: &feature, seats: 1 };
        lease(&response, asked, &self.known(), now)
    }
}

#[test]
fn a_lease_that_the_vendor_granted_is_believed_for_as_long_as_was_signed() {
    let world = World::new();
    let times = world.check(&world.claims(), &world.key, NOW).unwrap();
    assert_eq!(times, LeaseTimes::DEFAULT);
    assert!(world.known().certificate_ends_at > NOW.plus(365 * DAY_MS));
}

#[test]
fn an_answer_to_anything_else_than_what_was_asked_is_not() {
    let world = World::new();
    let altered: [fn(&mut LeaseClaims); 6] = [
        |claims| claims.nonce = "n0".to_owned(),
        |claims| claims.sub = LeaseId::draw(NOW, &mut Seeded::new(10)),
        |claims| claims.feature = FeatureCode::new("studio.render").unwrap(),
        |claims| claims.seats = 2,
        |claims| claims.iss = WorkstationId::draw(NOW, &mut Seeded::new(11)),
        |claims| claims.grant_sha256 = "0".repeat(64),
    ];
    for alter in altered {
        let mut claims = world.claims();
        alter(&mut claims);
        assert!(world.check(&claims, &world.key, NOW).is_err(), "{claims:?}");
    }
    assert!(world.check(&world.claims(), &SigningKey::generate(), NOW).is_err(), "signed by another key");
}

#[test]
fn a_granted_line_that_has_ended_leases_nothing_a_day_later() {
    let world = World::new();
    let until = NOW.plus(90 * DAY_MS);
    assert!(world.check(&world.claims(), &world.key, until.plus(DAY_MS - 1_000)).is_ok(), "clocks may be a day apart");
    let late = world.check(&world.claims(), &world.key, until.plus(DAY_MS)).unwrap_err();
    assert!(matches!(&late, Distrust::Because(why) if why.contains("ended at")), "{late:?}");
}

#[test]
fn a_stolen_grant_or_certificate_is_of_no_use() {
    let vendor = portal("Acme");
    let (honest, thief) = (SigningKey::generate(), SigningKey::generate());
    // The thief was activated too, and shows somebody else's grant.
    let world = activate(&vendor, thief, &honest, NOW.plus(DAY_MS));
    let refused = grant(&world.answer, &world.answer.sha256, &world.root, NOW).unwrap_err();
    assert_eq!(refused, Distrust::Because("its grant document was issued to another server".to_owned()));
    let refused = grant(&World::new().answer, &world.answer.sha256, &world.root, NOW);
    assert!(refused.is_err(), "another vendor's grant under the name of ours");
}

#[test]
fn a_counterfeit_with_a_root_of_its_own_and_the_same_name_is_another_vendor() {
    let (honest, counterfeit) = (World::new(), World::new());
    let refused = grant(&counterfeit.answer, &counterfeit.answer.sha256, &honest.root, NOW).unwrap_err();
    assert!(matches!(refused, Distrust::OtherVendor(_)), "{refused:?}");
}

#[test]
fn damaged_answers_are_refused_without_a_panic() {
    let world = World::new();
    let sha = world.answer.sha256.clone();
    let with = |certificates: Vec<String>| GrantResponse { certificates, ..world.answer.clone() };
    for certificates in
        [vec![], vec!["%".to_owned()], vec!["AAAA".to_owned()], vec![world.answer.certificates[0].clone(); 7]]
    {
        assert!(grant(&with(certificates), &sha, &world.root, NOW).is_err());
    }
    assert!(grant(&world.answer, &"0".repeat(64), &world.root, NOW).is_err(), "not the document that was named");
}
