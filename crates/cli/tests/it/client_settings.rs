//! `leasehold client set | show | test` and the config file.

use crate::support::{Machine, Site, closed, mode};

#[test]
fn what_is_set_is_used_shown_and_wins_over_nothing_stronger() {
    let site = Site::with_seats(1);
    let (machine, root) = (&site.machine, site.root());
    let root = root.to_str().unwrap();
    let set =
        machine.run(&["client", "set", "--servers", &format!("{}, spare:99", site.address), "--trust", root]).ok();
    assert!(set.out.contains("Applications now trust \"Acme\""), "{set:?}");
    assert_eq!(mode(&machine.config()), 0o644, "every user of the machine may read it");
    let shown = machine.run(&["client", "show", "--json"]).ok().json();
    assert_eq!(shown["servers"]["list"], serde_json::json!([site.address, "spare:99"]));
    assert_eq!(shown["servers"]["source"], machine.config().to_str().unwrap());
    assert_eq!(shown["trust"]["vendor"], "Acme");
    // The root was copied: the file that was named may go away.
    std::fs::remove_file(site.root()).unwrap();
    machine.run(&["run", "studio.gui", "--", "true"]).ok();
    assert!(machine.run(&["client", "test"]).ok().out.contains("ok"));

    // What is not named stays.
    machine.run(&["client", "set", "--servers", "other"]).ok();
    let shown = machine.run(&["client", "show", "--json"]).ok().json();
    assert_eq!((&shown["servers"]["list"][0], &shown["trust"]["ok"]), (&"other:30304".into(), &true.into()));
    let over = machine.run(&["client", "show", "--json", "--server", "argument"]).ok().json();
    assert_eq!(over["servers"]["source"], "the command line");
}

#[test]
fn what_cannot_be_used_is_refused_before_anything_is_written() {
    let machine = Machine::new();
    machine.run(&["client", "set", "--servers", "a:b"]).failed(123, &["1 to 65535"]);
    let other = machine.write("other.pem", "hello");
    machine.run(&["client", "set", "--trust", other.to_str().unwrap()]).failed(122, &["other.pem", "Ask the vendor"]);
    machine.run(&["client", "set"]).failed(2, &["--servers"]);
    assert!(!machine.config().exists());
    machine.write("client.toml", "servers = [\"a\"]\nserver = \"b\"\n");
    machine.run(&["client", "set", "--servers", "c"]).failed(123, &["client.toml, line 2", "unknown field"]);
    machine.run(&["status"]).failed(123, &["client.toml, line 2"]);
    assert!(std::fs::read_to_string(machine.config()).unwrap().contains("server = \"b\""), "nothing was lost");
}

#[test]
fn test_fails_if_no_server_can_give_a_seat() {
    let site = Site::with_seats(1);
    let tested = site.run(&["client", "test", "--json", "--server", &closed()]);
    assert_eq!((tested.code, tested.json()["ok"].as_bool()), (1, Some(false)));
}
