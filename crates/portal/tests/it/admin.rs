//! Data folders: made once, locked, backed up, restored; and what is said when one cannot be used.

use crate::world::{PASSWORD, id};
use leasehold_core::ids::{LicenseId, RequestId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share, Term};
use leasehold_core::time::{Clock, Ms};
use leasehold_host::{FolderLock, OsRandom, SystemClock};
use leasehold_portal::service::activation::{self, Wish};
use leasehold_portal::service::{audit, licenses, products, sessions, workstations};
use leasehold_portal::{
    AdminError, Caller, Config, Portal, ServeError, admin, backup, create_operator, init, migrate, restore, serve,
};
use leasehold_trust::SigningKey;
use leasehold_trust::request::{RequestFacts, build_request};
use leasehold_wire::portal::{NewLicense, NewProduct, OwnedQuery, PageQuery, SignIn};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const PASSPHRASE: &str = "keep this off the machine";

fn made() -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    init(&dir, "Acme Renders", PASSPHRASE, &SystemClock::new()).unwrap();
    (home, dir)
}

fn open(dir: &Path) -> Portal {
    admin::open(&Config::load(dir).unwrap(), Arc::new(SystemClock::new()), Box::new(OsRandom)).unwrap()
}

fn operator(dir: &Path, portal: &Portal) -> Caller {
    let _ =
        create_operator(dir, "olga@acme.example", "Olga", PASSWORD, Arc::new(SystemClock::new()), Box::new(OsRandom));
    let address = [127, 0, 0, 1].into();
    let wish = SignIn { email: "olga@acme.example".into(), password: PASSWORD.into() };
    let (token, _) = sessions::sign_in(portal, address, "", &wish).unwrap();
    sessions::caller(portal, Some(&token), address).unwrap()
}

fn sell_ten(portal: &Portal, olga: &Caller) -> LicenseId {
    let product = NewProduct {
        code: "studio".into(),
        name: "Studio".into(),
        share: Share::None,
        features: [(FeatureCode::new("studio.gui").unwrap(), 1)].into(),
        ..NewProduct::default()
    };
    let license = NewLicense {
        owner: id(olga),
        product: products::create(portal, olga, None, &product).unwrap().id,
        seats: 10,
        kind: Kind::Floating,
        channel: Channel::Trial,
        term: Term::Perpetual { maintenance_until: "2030-01-01".parse().unwrap() },
        starts_on: None,
        label: String::new(),
        organization: None,
    };
    licenses::create(portal, olga, None, &license).unwrap().id
}

fn request(portal: &Portal, key: &SigningKey) -> String {
    build_request(
        key,
        &RequestFacts {
            request: RequestId::draw(portal.now(), &mut OsRandom),
            issued_at: portal.now(),
            fingerprint: String::new(),
            server_version: "0.1.0".into(),
            rev_in_use: None,
            vendor: None,
            host_name: "render".into(),
        },
    )
}

/// Runs a portal that is expected not to start, or to stop at once.
fn try_serve(config: Config) -> Result<(), ServeError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (ready, wait) = tokio::sync::oneshot::channel();
    let stop = async { drop(wait.await) };
    runtime.block_on(serve(config, Arc::new(SystemClock::new()), Box::new(OsRandom), stop, |address| {
        let _ = ready.send(address);
    }))
}

#[test]
fn a_data_folder_is_made_once_and_its_secrets_are_private() {
    let (_home, dir) = made();
    let again = init(&dir, "Acme Renders", PASSPHRASE, &SystemClock::new()).unwrap_err();
    assert!(matches!(again, AdminError::Used { .. }), "{again}");
    for secret in ["keys/root.key", "keys/issuing.key", "keys/document.key", "portal.toml", "portal.db"] {
        let mode = fs::metadata(dir.join(secret)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{secret}");
    }
    let root = fs::read_to_string(dir.join("keys/root.key")).unwrap();
    assert!(root.contains("ENCRYPTED PRIVATE KEY") && SigningKey::from_pkcs8_pem(&root).is_err());
    assert!(SigningKey::from_encrypted_pem(&root, PASSPHRASE).is_ok());
    // The root's key is taken off the machine: the portal runs without it.
    fs::remove_file(dir.join("keys/root.key")).unwrap();
    assert_eq!(open(&dir).vendor(), "Acme Renders");
    assert_eq!(migrate(&dir).unwrap(), 0);
}

#[test]
fn a_vendor_is_not_made_by_a_wrong_clock_or_a_short_passphrase() {
    struct Stopped;
    impl Clock for Stopped {
        fn wall(&self) -> Ms {
            Ms(0)
        }
        fn boottime_ms(&self) -> i64 {
            0
        }
    }
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("data");
    let wrong = init(&dir, "Acme", PASSPHRASE, &Stopped).unwrap_err();
    assert!(wrong.to_string().contains("1970-01-01") && wrong.to_string().contains("Set the clock right"), "{wrong}");
    assert!(matches!(init(&dir, "Acme", "short", &SystemClock::new()), Err(AdminError::Passphrase)));
    assert!(matches!(init(&dir, "A\u{202e}", PASSPHRASE, &SystemClock::new()), Err(AdminError::Name(_))));
    assert!(!dir.exists(), "nothing was made");
}

#[test]
fn each_unusable_folder_says_why_and_what_to_do() {
    let (home, dir) = made();
    let config = || Config::load(&dir).unwrap();
    let say = |result: Result<(), ServeError>| result.unwrap_err().to_string();

    let other = home.path().join("other");
    fs::create_dir(&other).unwrap();
    let nothing = Config::load(&other).unwrap_err().to_string();
    assert!(nothing.contains("portal init"), "{nothing}");

    let lock = FolderLock::acquire(&dir).unwrap();
    let second = say(try_serve(config()));
    assert!(second.contains("in use by"), "{second}");
    drop(lock);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let busy = say(try_serve(Config { listen: taken.local_addr().unwrap(), ..config() }));
    assert!(busy.contains("already in use"), "{busy}");

    let open_to_all = say(try_serve(Config { listen: "0.0.0.0:0".parse().unwrap(), ..config() }));
    assert!(open_to_all.contains("without TLS") && open_to_all.contains("trusted_proxies"), "{open_to_all}");

    fs::set_permissions(dir.join("keys/issuing.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let readable = say(try_serve(config()));
    assert!(readable.contains("chmod 600"), "{readable}");
    fs::set_permissions(dir.join("keys/issuing.key"), fs::Permissions::from_mode(0o600)).unwrap();

    let saved = fs::read(dir.join("portal.db")).unwrap();
    fs::write(dir.join("portal.db"), b"this is not a database, however long it may be").unwrap();
    let corrupt = say(try_serve(config()));
    assert!(corrupt.contains("damaged") && corrupt.contains("backup"), "{corrupt}");
    fs::write(dir.join("portal.db"), saved).unwrap();

    let db = leasehold_db::Db::open(&config().database).unwrap();
    let ours = leasehold_portal::store::schema::MIGRATIONS.0;
    let version = ours.last().unwrap().version + 1;
    let newer = leasehold_db::Migration { version, name: "future", sql: "CREATE TABLE f (x BIGINT)" };
    let all = [ours, &[newer]].concat();
    db.migrate(leasehold_db::Migrations(Box::leak(all.into_boxed_slice()))).unwrap();
    drop(db);
    let newer = say(try_serve(config()));
    assert!(newer.contains(&format!("newer leasehold (schema {version}")), "{newer}");
}

#[test]
fn a_running_portal_answers_and_stops_in_order() {
    let (_home, dir) = made();
    let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::load(&dir).unwrap() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (ready, address) = std::sync::mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(async move {
        let stop = async { drop(stopped.await) };
        serve(config, Arc::new(SystemClock::new()), Box::new(OsRandom), stop, move |at| ready.send(at).unwrap()).await
    });
    let address = address.recv_timeout(std::time::Duration::from_secs(30)).unwrap();
    let get = |path: &str| {
        use std::io::{Read, Write};
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        write!(socket, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        socket.read_to_string(&mut text).unwrap();
        text
    };
    assert!(get("/healthz").starts_with("HTTP/1.1 204"));
    assert!(get("/readyz").starts_with("HTTP/1.1 204"));
    assert!(get("/openapi.json").contains("\"openapi\":\"3.1"));
    stop.send(()).unwrap();
    runtime.block_on(serving).unwrap().unwrap();
    assert!(std::net::TcpStream::connect(address).is_err());
    drop(FolderLock::acquire(&dir).unwrap());
}

/// The portal dies after it issued a document that its backup does not have.
#[test]
fn a_restored_portal_knows_from_the_log_what_is_out() {
    let (home, dir) = made();
    let portal = open(&dir);
    let olga = operator(&dir, &portal);
    let license = sell_ten(&portal, &olga);

    let saved = home.path().join("backup");
    assert!(backup(&dir, &saved).unwrap().database);
    assert!(!saved.join("keys/root.key").exists(), "the root's key is not the portal's to copy");
    assert!(matches!(backup(&dir, &saved), Err(AdminError::Used { .. })));

    let key = SigningKey::generate();
    let first = request(&portal, &key);
    let activated = activation::activate(&portal, &olga, None, first.as_bytes(), &Wish::default()).unwrap();
    let workstation = activated.workstation.id;
    activation::renew(&portal, &olga, None, workstation, None).unwrap();
    drop(portal);
    let log = home.path().join("grants.log");
    fs::rename(dir.join("grants.log"), &log).unwrap();
    fs::remove_dir_all(&dir).unwrap();
    // Somebody appended nonsense, and a line of another vendor could not be verified either.
    let mut text = fs::read_to_string(&log).unwrap();
    assert_eq!(text.lines().count(), 2);
    text.push_str("nonsense\n");
    fs::write(&log, text).unwrap();

    let report = restore(&saved, &dir, Some(&log), Arc::new(SystemClock::new()), Box::new(OsRandom)).unwrap();
    assert_eq!((report.adopted, report.unreadable, report.refused), (2, 1, 0));
    let portal = open(&dir);
    let olga = operator(&dir, &portal);
    assert_eq!(licenses::get(&portal, &olga, license).unwrap().seats_out, 10, "nothing is sold twice");
    let known = workstations::get(&portal, &olga, workstation).unwrap();
    assert_eq!((known.newest_rev, known.lines.len()), (2, 1));
    let replay = activation::activate(&portal, &olga, None, first.as_bytes(), &Wish::default());
    assert_eq!(crate::world::code(replay), "FILE_REPLAYED", "a used file stays used");
    let again = home.path().join("again");
    backup(&dir, &again).unwrap();
    // Numbers that may have been given by the portal that was lost are not given again.
    assert_eq!(activation::renew(&portal, &olga, None, workstation, None).unwrap().rev, 1_003);
    let log = audit::list(&portal, &olga, &PageQuery::default()).unwrap();
    assert_eq!(log.items.iter().filter(|entry| entry.detail["alarm"] == "adopted").count(), 2);
    assert_eq!(workstations::list(&portal, &olga, &OwnedQuery::default()).unwrap().items.len(), 1);

    // Lost once more, and this time nothing tells that 1003 is out.
    let second = home.path().join("second");
    restore(&again, &second, None, Arc::new(SystemClock::new()), Box::new(OsRandom)).unwrap();
    let restored = open(&second);
    let operator_again = operator(&second, &restored);
    assert_eq!(activation::renew(&restored, &operator_again, None, workstation, None).unwrap().rev, 2_003);

    drop(portal);
    let lost = home.path().join("lost");
    fs::create_dir(&lost).unwrap();
    fs::rename(dir.join("portal.db"), lost.join("portal.db")).unwrap();
    for _ in 0..2 {
        let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::load(&dir).unwrap() };
        let said = try_serve(config).unwrap_err().to_string();
        assert!(said.contains("a second time") && said.contains("portal restore"), "{said}");
        assert!(migrate(&dir).unwrap_err().to_string().contains("a second time"));
    }
    fs::rename(lost.join("portal.db"), dir.join("portal.db")).unwrap();

    let used = restore(&saved, &dir, None, Arc::new(SystemClock::new()), Box::new(OsRandom)).unwrap_err();
    assert!(matches!(used, AdminError::Used { .. }), "{used}");
    let nothing = home.path().join("nothing");
    let no_backup = restore(&nothing, &home.path().join("x"), None, Arc::new(SystemClock::new()), Box::new(OsRandom));
    assert!(matches!(no_backup, Err(AdminError::NotABackup { .. })));
}

/// No document leaves before its copy is on disk.
#[test]
fn a_document_that_cannot_be_logged_is_kept_back_until_it_can() {
    let (_home, dir) = made();
    let config = Config::load(&dir).unwrap();
    fs::remove_file(&config.grants_log).unwrap();
    std::os::unix::fs::symlink("/dev/full", &config.grants_log).unwrap();
    let portal = open(&dir);
    let olga = operator(&dir, &portal);
    let license = sell_ten(&portal, &olga);
    let key = SigningKey::generate();
    let request = request(&portal, &key);
    let kept_back = activation::activate(&portal, &olga, None, request.as_bytes(), &Wish::default());
    assert_eq!(crate::world::code(kept_back), "GRANTS_LOG");
    let seen = licenses::get(&portal, &olga, license).unwrap();
    assert_eq!(seen.seats_out, 10, "it counts from the commit on");
    let workstation = seen.holders[0].workstation;
    assert_eq!(crate::world::code(workstations::activation_file(&portal, &olga, workstation)), "GRANTS_LOG");
    drop(portal);
    fs::remove_file(&config.grants_log).unwrap();
    let portal = open(&dir);
    assert_eq!(fs::read_to_string(&config.grants_log).unwrap().lines().count(), 1, "the next start catches up");
    assert!(workstations::activation_file(&portal, &olga, workstation).is_ok());
}
