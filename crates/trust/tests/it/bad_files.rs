//! Every way in which an uploaded file can be wrong, from real files; and no byte of a file can be lost or changed
//! unnoticed.

use crate::support::{NOW, World, blocks, pem};
use leasehold_core::time::{DAY_MS, HOUR_MS, Ms};
use leasehold_trust::activation_file::{Activation, read_activation_file};
use leasehold_trust::receipt::{ReceiptFacts, build_receipt, read_receipt};
use leasehold_trust::request::{ActivationRequest, build_request, read_request};
use leasehold_trust::{FILE_BYTES_MAX, FileKind, FileProblem, SigningKey};
use proptest::prelude::*;

/// What came of reading a file, without what it held.
type Verdict = Result<(), FileProblem>;

struct Readers {
    world: World,
}

impl Readers {
    fn request(&self, bytes: &[u8]) -> Result<ActivationRequest, FileProblem> {
        read_request(bytes, NOW)
    }

    fn activation(&self, bytes: &[u8]) -> Result<Activation, FileProblem> {
        read_activation_file(bytes, Some(&self.world.root), &self.world.key.public(), None, NOW)
    }

    fn receipt(&self, bytes: &[u8]) -> Result<ReceiptFacts, FileProblem> {
        read_receipt(bytes)?.verify(&self.world.key.public())
    }

    fn read(&self, wanted: FileKind, bytes: &[u8]) -> Verdict {
        match wanted {
            FileKind::Request => self.request(bytes).map(|_| ()),
            FileKind::Activation => self.activation(bytes).map(|_| ()),
            _ => self.receipt(bytes).map(|_| ()),
        }
    }
}

const UPLOADS: [FileKind; 3] = [FileKind::Request, FileKind::Activation, FileKind::Receipt];

fn good_files() -> (Readers, [(FileKind, String); 3]) {
    let mut world = World::new("Acme");
    let grant = world.grant(1);
    let files = [
        (FileKind::Request, world.request()),
        (FileKind::Activation, world.activation_file(&grant)),
        (FileKind::Receipt, world.receipt()),
    ];
    (Readers { world }, files)
}

#[test]
fn what_is_not_the_wanted_file_is_told_apart_at_each_upload() {
    let (readers, files) = good_files();
    for (kind, file) in &files {
        assert_eq!(readers.read(*kind, file.as_bytes()), Ok(()));
    }
    let huge = vec![b'\n'; FILE_BYTES_MAX + 1];
    let key = readers.world.key.to_pkcs8_pem();
    for wanted in UPLOADS {
        let read = |bytes: &[u8]| readers.read(wanted, bytes).unwrap_err();
        assert_eq!(read(b""), FileProblem::Empty { wanted });
        assert_eq!(read(b" \r\n\n"), FileProblem::Empty { wanted });
        let max = FILE_BYTES_MAX as u64;
        assert_eq!(read(&huge), FileProblem::Oversized { bytes: max + 1, max });
        assert_eq!(read(b"{\"hello\": 1}"), FileProblem::NotOurs { wanted });
        assert_eq!(read(b"\x30\x82\x01\xff\xfe"), FileProblem::NotOurs { wanted });
        assert_eq!(read(pem("PGP MESSAGE", b"x").as_bytes()), FileProblem::NotOurs { wanted });
        assert_eq!(read(key.as_bytes()), FileProblem::Swapped { found: FileKind::PrivateKey, wanted });
        for (found, file) in files.iter().filter(|(found, _)| *found != wanted) {
            assert_eq!(read(file.as_bytes()), FileProblem::Swapped { found: *found, wanted });
        }
    }
}

#[test]
fn a_file_that_was_cut_off_is_called_so() {
    let (readers, files) = good_files();
    for (wanted, file) in &files {
        for end in [20, file.len() / 3, file.len() / 2, file.len() - 10] {
            let problem = readers.read(*wanted, &file.as_bytes()[..end]).unwrap_err();
            assert_eq!(problem, FileProblem::Truncated { wanted: *wanted }, "{end}");
        }
    }
    // Cut between two blocks.
    for (wanted, file) in &files[..2] {
        let problem = readers.read(*wanted, blocks(file)[0].as_bytes()).unwrap_err();
        assert_eq!(problem, FileProblem::Truncated { wanted: *wanted });
    }
}

#[test]
fn a_file_with_parts_too_many_or_in_disorder_is_damaged() {
    let (readers, files) = good_files();
    for (wanted, file) in &files {
        let doubled = file.repeat(2);
        let mut reversed = blocks(file);
        reversed.reverse();
        let mut bad = vec![doubled, format!("{file}hello"), format!("{file}{}", pem("EXTRA", b"x"))];
        if reversed.len() > 1 {
            bad.push(reversed.concat());
        }
        for bad in bad {
            assert_eq!(readers.read(*wanted, bad.as_bytes()), Err(FileProblem::Damaged { wanted: *wanted }), "{bad}");
        }
    }
}

#[test]
fn a_file_by_a_wrong_key_has_a_bad_signature() {
    let (mut readers, files) = good_files();
    let stranger = SigningKey::generate();
    let facts = readers.world.request_facts();
    let of_stranger = blocks(&build_request(&stranger, &facts));
    let mixed = format!("{}{}", blocks(&files[0].1)[0], of_stranger[1]);
    assert_eq!(readers.request(mixed.as_bytes()), Err(FileProblem::BadSignature { wanted: FileKind::Request }));

    let facts = readers.world.receipt_facts();
    let of_stranger = build_receipt(&stranger, &facts);
    let wanted = FileKind::Receipt;
    assert_eq!(readers.receipt(of_stranger.as_bytes()), Err(FileProblem::BadSignature { wanted }));
}

#[test]
fn a_request_is_good_for_30_days_and_may_be_two_days_ahead() {
    let mut world = World::new("Acme");
    let facts = world.request_facts();
    let file = build_request(&world.key, &facts);
    let at = |now: Ms| read_request(file.as_bytes(), now);
    let request = FileKind::Request;
    assert!(at(NOW.plus(30 * DAY_MS)).is_ok());
    assert_eq!(at(NOW.plus(31 * DAY_MS)), Err(FileProblem::Expired { file: request, at: NOW }));
    assert!(at(NOW.plus(-48 * HOUR_MS)).is_ok());
    let early = NOW.plus(-49 * HOUR_MS);
    assert_eq!(at(early), Err(FileProblem::ClockWrong { file: request, file_at: NOW, now: early }));
}

#[test]
fn an_activation_file_ends_with_its_last_line() {
    let mut world = World::new("Acme");
    let mut grant = world.grant(1);
    grant.lines.push(world.line("studio.render", NOW.plus(5 * DAY_MS)));
    let file = world.activation_file(&grant);
    let own = world.key.public();
    let at = |now: Ms| read_activation_file(file.as_bytes(), Some(&world.root), &own, None, now).map(|_| ());
    assert_eq!(at(NOW.plus(89 * DAY_MS)), Ok(()));
    let end = NOW.plus(90 * DAY_MS);
    assert_eq!(at(end), Err(FileProblem::Expired { file: FileKind::Activation, at: end }));
    let early = NOW.plus(-25 * HOUR_MS);
    let wrong = FileProblem::ClockWrong { file: FileKind::Activation, file_at: NOW, now: early };
    assert_eq!(at(early), Err(wrong));
    assert!(matches!(at(Ms(0)), Err(FileProblem::ClockWrong { .. })), "a machine that thinks it is 1970");
}

#[test]
fn an_activation_file_only_replaces_an_older_one() {
    let mut world = World::new("Acme");
    let grant = world.grant(5);
    let file = world.activation_file(&grant);
    assert!(world.activate(&file, Some(4)).is_ok());
    assert_eq!(world.activate(&file, Some(5)), Err(FileProblem::Twice { rev: 5 }));
    assert_eq!(world.activate(&file, Some(6)), Err(FileProblem::Older { file_rev: 5, in_use: 6 }));
}

#[test]
fn an_activation_file_serves_one_server() {
    let mut world = World::new("Acme");
    let grant = world.grant(1);
    let file = world.activation_file(&grant);
    world.key = SigningKey::generate();
    let problem = world.activate(&file, None).unwrap_err();
    assert_eq!(problem, FileProblem::OtherServer { file_workstation: "Hall 3".to_owned() });
}

/// One of each problem.
fn every_problem() -> Vec<FileProblem> {
    let world = World::new("Acme");
    let (wanted, file, at, ours) = (FileKind::Request, FileKind::Activation, NOW, world.root.vendor_ref());
    vec![
        FileProblem::Empty { wanted },
        FileProblem::Oversized { bytes: 300_000, max: 262_144 },
        FileProblem::NotOurs { wanted },
        FileProblem::Truncated { wanted },
        FileProblem::Swapped { found: file, wanted },
        FileProblem::Swapped { found: FileKind::PrivateKey, wanted },
        FileProblem::Swapped { found: wanted, wanted: file },
        FileProblem::Damaged { wanted },
        FileProblem::BadSignature { wanted },
        FileProblem::Expired { file, at },
        FileProblem::Expired { file: wanted, at },
        FileProblem::Replayed { file: wanted, used_at: at, workstation: "Hall 3".to_owned() },
        FileProblem::Replayed { file: FileKind::Receipt, used_at: at, workstation: "Hall 3".to_owned() },
        FileProblem::Twice { rev: 1 },
        FileProblem::Older { file_rev: 1, in_use: 2 },
        FileProblem::OtherVendor { file: World::new("Globex").root.vendor_ref(), ours },
        FileProblem::OtherServer { file_workstation: "Hall 3".to_owned() },
        FileProblem::ClockWrong { file, file_at: at, now: Ms(0) },
        FileProblem::NewerFormat { file, v: 2 },
        FileProblem::NewerFormat { file: wanted, v: 2 },
    ]
}

#[test]
fn each_problem_has_sentences_of_its_own() {
    let problems = every_problem();
    let mut sentences: Vec<String> = problems.iter().map(FileProblem::what).collect();
    for problem in &problems {
        for text in [problem.what(), problem.what_to_do(), problem.who().to_owned()] {
            assert!(text.ends_with('.') && text.starts_with(char::is_uppercase), "{problem:?}: {text:?}");
            assert!(!text.contains("  "), "{text}");
        }
    }
    sentences.sort();
    sentences.dedup();
    assert_eq!(sentences.len(), problems.len());
    let newer = |file| FileProblem::NewerFormat { file, v: 2 }.what_to_do();
    assert!(newer(FileKind::Activation).contains("Update the license server"));
    assert!(newer(FileKind::Request).contains("Update the portal"));
}

#[test]
fn a_file_cut_at_any_byte_is_never_taken() {
    let (readers, files) = good_files();
    for (wanted, file) in &files {
        for end in 0..file.trim_end().len() {
            assert!(readers.read(*wanted, &file.as_bytes()[..end]).is_err(), "{wanted:?} cut at {end}");
        }
        assert_eq!(readers.read(*wanted, file.trim_end().as_bytes()), Ok(()), "only the last line end may be lost");
    }
}

#[test]
fn a_changed_byte_anywhere_never_changes_what_is_believed() {
    let (readers, files) = good_files();
    let request = readers.request(files[0].1.as_bytes()).unwrap();
    let activation = readers.activation(files[1].1.as_bytes()).unwrap();
    let receipt = readers.receipt(files[2].1.as_bytes()).unwrap();
    let mut refused = 0;
    for (kind, file) in &files {
        for position in 0..file.len() {
            let mut bytes = file.clone().into_bytes();
            bytes[position] ^= 1 << (position % 8);
            let same = match kind {
                FileKind::Request => readers.request(&bytes).map(|read| read == request),
                FileKind::Activation => readers.activation(&bytes).map(|read| read == activation),
                _ => readers.receipt(&bytes).map(|read| read == receipt),
            };
            refused += usize::from(same.is_err());
            assert_ne!(same, Ok(false), "{kind:?}, byte {position}");
        }
    }
    // What is left are line ends that became other blanks.
    let all: usize = files.iter().map(|(_, file)| file.len()).sum();
    let line_ends: usize = files.iter().map(|(_, file)| file.lines().count()).sum();
    assert!(refused >= all - line_ends, "{refused} of {all}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), label in 0_usize..5) {
        let labels = ["CERTIFICATE", "CERTIFICATE REQUEST", "LEASEHOLD REQUEST", "LEASEHOLD GRANT", "LEASEHOLD RECEIPT"];
        let own = SigningKey::from_pkcs8_pem(KEY).unwrap().public();
        let certificates = pem("CERTIFICATE", &bytes).repeat(3);
        for file in [bytes.clone(), pem(labels[label], &bytes).into_bytes(), (certificates + &pem("LEASEHOLD GRANT", &bytes)).into_bytes()] {
            prop_assert!(read_request(&file, NOW).is_err());
            prop_assert!(read_activation_file(&file, None, &own, None, NOW).is_err());
            prop_assert!(read_receipt(&file).is_err());
        }
    }
}

/// Any key: a random one for each case would take longer than the reading.
const KEY: &str = "-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZEDER25UmIK2yxr/
tPoN3KrCvbRWfbbbCAC9Nq4jxdqhRANCAASzd0hrErfL11KoXs6cY+wDOKZr1imr
AGKzUo8AWeuceREwojjiLY6o7V/8NsA1CHulaTSUJyPjBeDZ90Dhg9ua
-----END PRIVATE KEY-----
";
