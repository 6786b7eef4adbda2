//! Other people's tools read our files, and we read what they make: nothing is secret in the format.

use crate::support::{NOW, World, blocks};
use leasehold_trust::request::read_request;
use leasehold_trust::secret::self_signed_certificate;
use leasehold_trust::{FileProblem, SigningKey};
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `openssl` with `input` and returns what it says; panics if it fails.
fn openssl(args: &[&str], input: &str) -> String {
    use std::io::Write;
    let mut command = Command::new("openssl");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tests need Debian's package openssl");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {args:?}: {said}");
    said
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in: {text}");
    }
}

#[test]
fn openssl_reads_a_request_and_verifies_it() {
    let said = openssl(&["req", "-verify", "-text", "-noout", "-nameopt", "utf8"], &World::new("Acme").request());
    has(&said, &["self-signature verify OK", "CN=Größe-01", "prime256v1", "ecdsa-with-SHA256"]);
}

#[test]
fn openssl_reads_an_activation_file_and_verifies_its_chain() {
    let mut world = World::new("Acme");
    let grant = world.grant(1);
    let file = world.activation_file(&grant);
    let said = openssl(&["x509", "-text", "-noout"], &file);
    has(&said, &["CN = Hall 3", "DNS:license-server.leasehold.invalid", "TLS Web Server Authentication"]);
    has(&said, &[&format!("URI:urn:leasehold:{}", world.workstation), "CA:FALSE", "Not After"]);

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let parts = blocks(&file);
    for (name, text) in [("leaf", &parts[0]), ("issuing", &parts[1]), ("root", &parts[2])] {
        std::fs::write(path(name), text).unwrap();
    }
    let at = (NOW.0 / 1_000).to_string();
    let verify = ["verify", "-attime", &at, "-x509_strict", "-CAfile", &path("root"), "-untrusted", &path("issuing")];
    has(&openssl(&[&verify[..], &["-purpose", "sslserver", &path("leaf")]].concat(), ""), &["leaf: OK"]);

    std::fs::write(path("document"), &world.vendor.document_certificate_pem).unwrap();
    has(&openssl(&[&verify[..], &[path("document").as_str()]].concat(), ""), &["document: OK"]);
    let said = openssl(&["x509", "-text", "-noout"], &world.vendor.document_certificate_pem);
    has(&said, &["2.25.229008959088279513046355617553883793844", "CA:FALSE"]);
    has(&openssl(&["x509", "-text", "-noout"], &world.vendor.issuing_certificate_pem), &["CA:TRUE, pathlen:0"]);
}

#[test]
fn openssl_opens_our_keys_and_we_open_its() {
    let key = SigningKey::generate();
    let plain = openssl(&["pkey", "-passin", "pass:horse"], &key.to_encrypted_pem("horse"));
    assert_eq!(SigningKey::from_pkcs8_pem(&plain).unwrap().public(), key.public());

    let generate = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let theirs = SigningKey::from_pkcs8_pem(&openssl(&generate, "")).unwrap();
    let encrypt = ["pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:horse"];
    let encrypted = openssl(&encrypt, &theirs.to_pkcs8_pem());
    assert_eq!(SigningKey::from_encrypted_pem(&encrypted, "horse").unwrap().public(), theirs.public());
    let other_curve = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "");
    assert!(SigningKey::from_pkcs8_pem(&other_curve).unwrap_err().to_string().contains("P-256"));
}

#[test]
fn a_request_made_with_openssl_may_ask_for_what_it_likes() {
    let mut world = World::new("Acme");
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("key.pem");
    std::fs::write(&key_file, world.key.to_pkcs8_pem()).unwrap();
    let csr = foreign_csr(&key_file, &["-addext", "1.2.3.4=DER:0500", "-addext", "basicConstraints=critical,CA:TRUE"]);
    let token = blocks(&world.request())[1].clone();
    let read = read_request(format!("{csr}{token}").as_bytes(), NOW).unwrap();
    assert_eq!(read.public_key, world.key.public());

    let other = foreign_csr(Path::new("/dev/stdin"), &[]);
    let refused = read_request(format!("{other}{token}").as_bytes(), NOW).unwrap_err();
    assert!(matches!(refused, FileProblem::BadSignature { .. }), "the two halves have different keys: {refused}");
}

/// A CSR by `openssl req` with the key in `key_file`, or with a fresh one from standard input.
fn foreign_csr(key_file: &Path, extra: &[&str]) -> String {
    let key_file = key_file.to_str().unwrap();
    let fixed = ["req", "-new", "-sha256", "-subj", "/CN=their tool/O=them", "-key", key_file];
    openssl(&[&fixed[..], extra].concat(), &SigningKey::generate().to_pkcs8_pem())
}

#[test]
fn openssl_reads_the_certificate_of_a_server_that_is_not_activated() {
    let names = ["hall3", "192.0.2.7", "::1", "not a name"].map(str::to_owned);
    let pem = self_signed_certificate(&names, &SigningKey::generate(), NOW);
    let said = openssl(&["x509", "-text", "-noout"], &pem);
    has(&said, &["DNS:hall3, IP Address:192.0.2.7, IP Address:0:0:0:0:0:0:0:1", "Not Before: Nov 20"]);
    assert!(!said.contains("not a name"));
}
