//! TLS to PostgreSQL: the certificate is checked, and what is missing is said.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use leasehold_db::testing::postgres_url;
use leasehold_db::{Db, DbError};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the stand-in server answers a client that came in through TLS.
const GREETING: &str = "you came in through TLS";

/// A stand-in for PostgreSQL that speaks TLS with `certified` and refuses whoever signs in. Serves
/// one connection.
fn server(certified: &CertifiedKey<rcgen::KeyPair>) -> (SocketAddr, thread::JoinHandle<()>) {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut ssl_request = [0; 8];
        socket.read_exact(&mut ssl_request).unwrap();
        assert_eq!(ssl_request, [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f], "the client did not ask for TLS");
        socket.write_all(b"S").unwrap();
        // A client that trusts another root breaks off here, which is its answer.
        drop(refuse_sign_in(StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), socket)));
    };
    (address, thread::spawn(serve))
}

fn refuse_sign_in(mut stream: StreamOwned<ServerConnection, TcpStream>) -> std::io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut rest = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut rest)?;
    let fields = format!("SFATAL\0VFATAL\0C28000\0M{GREETING}\0\0");
    stream.write_all(b"E")?;
    stream.write_all(&u32::try_from(fields.len() + 4).unwrap().to_be_bytes())?;
    stream.write_all(fields.as_bytes())?;
    stream.flush()?;
    stream.conn.send_close_notify();
    stream.flush()
}

fn certificate() -> CertifiedKey<rcgen::KeyPair> {
    generate_simple_self_signed(["localhost".to_owned()]).unwrap()
}

fn refusal(address: SocketAddr, host: &str, root: &Path) -> DbError {
    let root = root.display().to_string().replace(' ', "%20");
    let port = address.port();
    let url = format!("postgres://portal@{host}:{port}/portal?hostaddr=127.0.0.1&sslmode=require&sslrootcert={root}");
    Db::open_postgres(&url, 1).unwrap_err()
}

#[test]
fn a_server_is_believed_only_with_a_certificate_of_the_given_root_and_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (certificate(), certificate());
    let ours_file = folder.path().join("the root.pem");
    let other_file = folder.path().join("other.pem");
    std::fs::write(&ours_file, ours.cert.pem()).unwrap();
    std::fs::write(&other_file, other.cert.pem()).unwrap();

    for (host, root, expected) in [
        ("localhost", &ours_file, GREETING),
        ("localhost", &other_file, "invalid peer certificate"),
        ("elsewhere", &ours_file, "certificate not valid for name"),
    ] {
        let (address, serving) = server(&ours);
        let refused = refusal(address, host, root);
        serving.join().unwrap();
        assert!(matches!(refused, DbError::Unreachable { .. }), "{refused:?}");
        assert!(refused.to_string().contains(expected), "{refused}");
    }
}

#[test]
fn what_is_missing_for_tls_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "no certificate here").unwrap();
    let refuse = |options: String| {
        let refused = Db::open_postgres(&format!("postgres://portal@localhost/portal?{options}"), 1).unwrap_err();
        assert!(matches!(refused, DbError::BadUrl(_)), "{refused:?}");
        refused.to_string()
    };
    assert!(refuse("sslmode=require".to_owned()).contains("needs sslrootcert=FILE"));
    assert!(refuse(format!("sslrootcert={}", empty.display())).contains("without sslmode=require"));
    assert!(refuse("sslmode=require&sslrootcert=%zz".to_owned()).contains("percent-encoded"));
    for file in [empty, folder.path().join("missing.pem")] {
        let text = refuse(format!("sslmode=require&sslrootcert={}", file.display()));
        assert!(text.contains("no certificate could be read from"), "{text}");
    }
}

#[test]
fn a_server_without_tls_is_refused_if_tls_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root.pem");
    std::fs::write(&root, certificate().cert.pem()).unwrap();
    let base = postgres_url();
    let separator = if base.contains('?') { '&' } else { '?' };
    let url = format!("{base}{separator}sslmode=require&sslrootcert={}", root.display());
    let refused = Db::open_postgres(&url, 1).unwrap_err();
    assert!(refused.to_string().contains("server does not support TLS"), "{refused}");
}
