//! What other processes and other accounts on the machine can do to a data folder.
//!
//! Each test here also plays the second process: it starts itself again with a variable set.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use leasehold_db::{Db, DbError, SqliteOptions};

use crate::{NOTES, ids};

/// Set in the second process: the file it opens.
const FILE: &str = "LEASEHOLD_DB_TEST_FILE";
/// What the second process prints before its error.
const ANSWER: &str = "the second process says: ";

fn file_given() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// The second process: opens and writes, and prints how that went.
#[expect(clippy::print_stdout, reason = "the way back to the first process")]
fn try_to_write(path: &Path) {
    let options = SqliteOptions { busy_timeout: Duration::from_millis(100), ..SqliteOptions::default() };
    let result =
        Db::open_sqlite(path, options).and_then(|db| db.write(|tx| tx.exec("INSERT INTO note (id) VALUES (100)", &[])));
    match result {
        Ok(_) => println!("{ANSWER}written"),
        Err(error) => println!("{ANSWER}{error}"),
    }
}

/// Runs `test` of this binary as the second process on `path` and returns what it said.
fn second_process(mut command: Command, test: &str, path: &Path) -> String {
    let output = command.args(["--exact", test, "--nocapture"]).env(FILE, path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = text.lines().find_map(|line| line.split_once(ANSWER)).map(|(_, said)| said.to_owned());
    said.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn this_binary() -> PathBuf {
    std::env::current_exe().unwrap()
}

#[test]
fn a_second_process_waits_its_turn_or_is_refused() {
    const TEST: &str = "processes::a_second_process_waits_its_turn_or_is_refused";
    if let Some(path) = file_given() {
        return try_to_write(&path);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("server.db");
    let db = Db::open_sqlite(&path, SqliteOptions::default()).unwrap();
    db.migrate(NOTES).unwrap();
    let other = path.clone();
    let said = db
        .write(move |tx| {
            tx.exec("INSERT INTO note (id) VALUES (1)", &[])?;
            Ok::<_, DbError>(second_process(Command::new(this_binary()), TEST, &other))
        })
        .unwrap();
    assert!(said.contains("server.db is in use by another process. Only one service may run"), "{said}");
    assert_eq!(ids(&db), [1]);
    assert_eq!(second_process(Command::new(this_binary()), TEST, &path), "written");
    assert_eq!(ids(&db), [1, 100], "nothing was lost between the two");
}

#[cfg(unix)]
#[test]
fn read_only_files_and_folders_are_refused_with_what_to_do() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;

    const TEST: &str = "processes::read_only_files_and_folders_are_refused_with_what_to_do";
    /// The account "nobody": permissions do not hold root back.
    const NOBODY: u32 = 65534;
    if let Some(path) = file_given() {
        return try_to_write(&path);
    }
    let folder = tempfile::tempdir().unwrap();
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(folder.path(), 0o755);
    let is_root = folder.path().metadata().unwrap().uid() == 0;
    let binary = folder.path().join("second-process");
    fs::copy(this_binary(), &binary).unwrap();
    set_mode(&binary, 0o755);
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    let path = data.join("server.db");
    Db::open_sqlite(&path, SqliteOptions::default()).unwrap().migrate(NOTES).unwrap();
    if is_root {
        chown(&data, Some(NOBODY), Some(NOBODY)).unwrap();
        chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let run = |path: &Path| {
        let mut command = Command::new(&binary);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        second_process(command, TEST, path)
    };

    set_mode(&path, 0o400);
    let said = run(&path);
    assert!(said.contains("server.db cannot be written (it is read-only). Give the account"), "{said}");

    set_mode(&path, 0o600);
    set_mode(&data, 0o555);
    let said = run(&path);
    assert!(said.contains("server.db cannot be written") && said.contains("and on its folder"), "{said}");
    let said = run(&data.join("new.db"));
    assert!(said.contains("new.db cannot be written (Permission denied"), "{said}");

    set_mode(&data, 0o755);
    assert_eq!(run(&path), "written");
}
