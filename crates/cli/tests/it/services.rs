//! `leasehold portal ...` and `leasehold server ...` as an administrator types them.

use crate::support::{FEATURE, Machine, Site, Staying, mode, wait_for_text};
use rustix::process::Signal;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

const PASSPHRASE: &str = "correct horse battery staple\n";

#[test]
fn a_vendor_is_made_served_backed_up_and_restored() {
    let machine = Machine::new();
    let made =
        machine.run_with(&["portal", "init", "--vendor", "Acme", "--data", "p", "--json"], PASSPHRASE).ok().json();
    assert_eq!(made["root_fingerprint_sha256"].as_str().unwrap().len(), 64);
    let key = std::path::PathBuf::from(made["root_key"].as_str().unwrap());
    assert_eq!(mode(&machine.path("").join(key)), 0o600);
    machine.run_with(&["portal", "init", "--vendor", "Acme", "--data", "p"], PASSPHRASE).failed(1, &["p"]);
    let password = machine.write("password", "a good long password\n");
    let operator = ["portal", "admin", "create-operator", "--data", "p", "--email", "op@acme.example", "--name", "Op"];
    let by_file = [operator.as_slice(), &["--password-file", password.to_str().unwrap(), "--json"]].concat();
    assert_eq!(machine.run(&by_file).ok().json()["role"], "operator");
    machine.run_with(&operator, "").failed(1, &["password of the operator is empty"]);
    let lost = |email: &str, password: &str| {
        machine.run_with(&["portal", "admin", "set-password", "--data", "p", "--email", email], password)
    };
    lost("op@acme.example", "too short\n").failed(1, &["12"]);
    lost("nobody@acme.example", "another long password\n").failed(1, &["not the address of an account"]);
    assert!(
        lost("Op@Acme.example", "another long password\n").ok().out.contains("op@acme.example has the new password")
    );

    let pass = |from: &str| {
        let to = ["--to", "op@acme.example"];
        machine.run(&[["portal", "admin", "pass-organization", "--data", "p", "--from", from].as_slice(), &to].concat())
    };
    pass("nobody@acme.example").failed(1, &["not the address of an account"]);
    pass("op@acme.example").failed(1, &["owns no organization"]);

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    machine.run(&["portal", "serve", "--data", "p", "--listen", &address]).failed(1, &[&address]);
    drop(taken);
    let serve = ["portal", "serve", "--data", "p", "--listen", "127.0.0.1:0"];
    let (mut command, log) = (machine.command(&serve), machine.path("log"));
    command.stderr(std::fs::File::create(&log).unwrap());
    let serving = Staying::start(command);
    wait_for_text(&log, "takes requests");
    machine.run(&serve).failed(1, &["in use by process"]);
    machine.run(&["portal", "backup", "--data", "p", "--to", "b"]).ok();
    serving.signal(Signal::TERM);
    serving.finish().ok();
    machine.run(&["portal", "restore", "--data", "r", "--from", "b"]).ok();
    machine.run(&["portal", "migrate", "--data", "r"]).ok();
    machine.run(&["portal", "serve", "--data", "nowhere"]).failed(1, &["nowhere", "portal init"]);
}

#[test]
fn a_server_is_activated_shown_backed_up_and_disabled() {
    let site = Site::not_activated();
    let machine = &site.machine;
    let server = |arguments: &[&str]| machine.run(&[&["server"], arguments, &["--data", "server"]].concat());
    assert!(server(&["status"]).ok().out.contains("Not activated"));
    let request = server(&["request"]).ok().out;
    assert!(request.contains("BEGIN CERTIFICATE REQUEST"));
    let file = machine.write("server.crt", &site.activation_file(&request, 5));
    let file = file.to_str().unwrap();
    let imported = server(&["import", file]).ok().out;
    assert!(imported.contains("5 product seats") && imported.contains("Compare the fingerprint"), "{imported}");
    let twice = server(&["import", file, "--json"]);
    assert_eq!(twice.code, 1, "{twice:?}");
    assert!(twice.json()["error"]["detail"]["code"].is_string(), "{twice:?}");
    let swapped = machine.write("request.pem", &request);
    server(&["import", swapped.to_str().unwrap()]).failed(1, &["request"]);
    assert!(server(&["status"]).ok().out.contains("studio.gui"));
    server(&["backup", "--to", "copy"]).ok();
    server(&["backup", "--to", "copy"]).failed(1, &["copy"]);
    server(&["receipt"]).failed(1, &[]);
    let may = server(&["give-back", "--json"]).ok().json();
    assert_eq!((&may["licenses"][0]["seats"], &may["licenses"][0]["may_give_back"]), (&5.into(), &5.into()));
    let license = may["licenses"][0]["license"].as_str().unwrap().to_owned();
    assert!(server(&["give-back"]).ok().out.contains(&format!("{license}  ")), "people see what to name");
    server(&["give-back", "--receipt"]).failed(1, &["give back some seats first"]);
    server(&["give-back", "--keep", &format!("{license}=6")]).failed(1, &["has 5 seats"]);
    server(&["give-back", "--keep", "studio=2"]).failed(2, &["lic_"]);
    let receipt = server(&["give-back", "--keep", &format!("{license}=2")]).ok().out;
    assert!(receipt.starts_with("-----BEGIN LEASEHOLD RECEIPT-----"), "ready to be kept in a file: {receipt}");
    assert_eq!(server(&["give-back", "--receipt"]).ok().out, receipt);
    server(&["disable"]).failed(1, &["cannot be undone", "--yes"]);
    assert!(server(&["status"]).ok().out.contains("studio.gui"), "nothing was done");
    assert_eq!(server(&["disable", "--yes", "--json"]).ok().json()["receipt_ready"], true);
    let again = server(&["disable", "--yes"]).ok().out;
    assert!(again.contains("Disabled; the key is destroyed"), "asked again to see how far it is: {again}");
    assert!(server(&["receipt"]).ok().out.contains("LEASEHOLD RECEIPT"));
}

#[test]
fn who_disables_a_server_reads_of_passes_before_and_after() {
    let site = Site::with_seats(4);
    // Before the pass is there, which would be used first.
    site.run(&["checkout", FEATURE]).ok();
    site.run(&["borrow", FEATURE, "--days", "3", "--seats", "2"]).ok();
    let server = |arguments: &[&str]| site.machine.run(&[&["server"], arguments, &["--data", "server"]].concat());
    let sooner = "server lost PASS --write-off";
    server(&["disable"])
        .failed(1, &["1 pass of a machine is out", "returned, freed, written off or has ended", sooner, "--yes"]);
    let begun = server(&["disable", "--yes"]).ok().out;
    assert!(begun.contains("the seat of 1 application, and 1 pass of a machine.") && begun.contains(sooner), "{begun}");
    let json = server(&["disable", "--yes", "--json"]).ok().json();
    assert_eq!((&json["leases_out"], &json["passes_out"]), (&2.into(), &1.into()));
    site.run(&["return"]).ok();
    site.run(&["checkout", FEATURE]).failed(120, &["gives seats again when it is disabled and was activated anew"]);
    site.run(&["checkin"]).ok();
    assert_eq!(server(&["disable", "--yes", "--json"]).ok().json()["receipt_ready"], true);
}

#[test]
fn what_keeps_a_server_from_starting_is_said_with_the_next_step() {
    let site = Site::not_activated();
    let machine = &site.machine;
    machine
        .run(&["server", "serve", "--data", "server", "--listen", "127.0.0.1:0"])
        .failed(1, &["in use by process", "--data"]);
    machine.run(&["server", "serve", "--data", "other", "--listen", &site.address]).failed(1, &[&site.address]);
    machine.run(&["server", "status", "--data", "nowhere"]).failed(1, &["nowhere"]);
}

#[test]
fn a_password_is_asked_for_twice_on_a_terminal_and_not_shown() {
    let machine = Machine::new();
    machine.run_with(&["portal", "init", "--vendor", "Acme", "--data", "p"], PASSPHRASE).ok();
    let program = machine.command(&[]).get_program().to_string_lossy().into_owned();
    let on_a_terminal = |answers: [&str; 2]| {
        // `script` gives the command a terminal of its own and types what it is given, when it is asked.
        let ask = format!("'{program}' portal admin create-operator --data p --email op@acme.example --name Op");
        let mut command = std::process::Command::new("script");
        command.args(["--quiet", "--return", "--command", &ask, "/dev/null"]).current_dir(machine.path(""));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut input, mut shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut said = Vec::new();
        for (prompt, answer) in ["password of the operator: ", "The same again: "].iter().zip(answers) {
            while !said.ends_with(prompt.as_bytes()) {
                let mut byte = [0];
                shown.read_exact(&mut byte).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&said)));
                said.extend(byte);
            }
            writeln!(input, "{answer}").unwrap();
        }
        shown.read_to_end(&mut said).unwrap();
        (child.wait().unwrap().code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = on_a_terminal(["a good long password", "a good wrong password"]);
    assert!(code == Some(1) && said.contains("not the same") && !said.contains("a good"), "{said}");
    let (code, said) = on_a_terminal(["a good long password", "a good long password"]);
    assert!(code == Some(0) && said.contains("may now sign in as an operator") && !said.contains("a good"), "{said}");
}

#[test]
fn a_lost_administrators_password_is_set_anew_with_a_new_secret() {
    let mut site = Site::not_activated();
    let reset = |site: &Site| site.machine.run(&["server", "admin", "reset", "--data", "server", "--json"]).ok().json();
    let address = site.address.clone();
    let post = |path: &str, body: serde_json::Value| {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("http://{address}{path}");
        let mut answer = agent.post(url).header("content-type", "application/json").send(body.to_string()).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    };
    let first = reset(&site)["setup_secret"].as_str().unwrap().to_owned();
    let second = reset(&site)["setup_secret"].as_str().unwrap().to_owned();
    let set_up = |secret: &str, password: &str| {
        post("/v1/setup", serde_json::json!({ "secret": secret, "password": password })).0
    };
    assert_eq!(set_up(&first, "what was forgotten"), 401, "only the newest secret counts");
    assert_eq!(set_up(&second, "what was forgotten"), 201);
    let third = reset(&site)["setup_secret"].as_str().unwrap().to_owned();
    let sign_in = |password: &str| post("/v1/sessions", serde_json::json!({ "password": password })).0;
    assert_eq!(sign_in("what was forgotten"), 201, "nothing is taken away before the secret is used");
    assert_eq!(set_up(&third, "what is remembered"), 201);
    assert_eq!((sign_in("what was forgotten"), sign_in("what is remembered")), (401, 201));
    site.stop_server();
    assert!(reset(&site)["setup_secret"].is_string(), "also where no server runs");
    let list = site.machine.run(&["server", "admin", "list", "--data", "server"]).ok().out;
    assert_eq!(list.trim(), "administrator  administrator");
    let machine = &site.machine;
    let password = machine.write("password", "a good long password\n");
    let (add, file) = (["server", "admin", "add", "--data", "server", "ada", "--json"], password.to_str().unwrap());
    let added = machine.run(&[add.as_slice(), &["--password-file", file]].concat()).ok().json();
    assert_eq!(added, serde_json::json!({"name": "ada", "kind": "administrator"}));
    machine.run(&[add.as_slice(), &["--password-file", file]].concat()).failed(1, &["account of that name"]);
    let remove = ["server", "admin", "remove", "--data", "server", "ada", "--json"];
    assert_eq!(machine.run(&remove).ok().json(), serde_json::json!({"removed": "ada"}));
}

#[test]
fn settings_stand_in_the_environment_the_file_or_where_the_command_puts_them() {
    let machine = Machine::new();
    std::fs::create_dir(machine.path("s")).unwrap();
    std::fs::write(machine.path("s/server.toml"), "usage_keep_days = 30\n").unwrap();
    let server = |arguments: &[&str]| {
        let command = [&["server", "settings", "--data", "s"], arguments].concat();
        let mut command = machine.command(&command);
        command.env("LEASEHOLD_SERVER_DENY_USERS", "guest, tmp-*").env("LEASEHOLD_SERVER_PORT", "tcp://10.0.0.1:1");
        let output = command.output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, _) = server(&["proxy=http://proxy.example:3128", "allow_hosts=ws-*,farm-*"]);
    assert_eq!(code, Some(0), "{out}");
    for line in [
        "deny_users = [\"guest\",\"tmp-*\"]   from environment",
        "usage_keep_days = 30   from server.toml",
        "proxy = \"http://proxy.example:3128\"   from page",
        "allow_hosts = [\"ws-*\",\"farm-*\"]   from page",
        "usage_detail_mb = 2048 (default)",
        "deny_hosts = [] (default)\n",
        "log = \"info\" (default)",
        "proxy_password_file = (default)\n",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
    let (code, _, error) = server(&["deny_users=ben"]);
    assert!(code == Some(1) && error.contains("LEASEHOLD_SERVER_DENY_USERS"), "{error}");
    let (code, _, error) = server(&["proxy=http://me:hidden@proxy.example:3128"]);
    let own = "`proxy_password`, which is never shown. Correct the setting that is named. (Who can: you.)";
    assert!(code == Some(1) && error.contains(own) && !error.contains("hidden"), "{error}");
    let (code, _, error) = server(&["usage_detail_mb=1"]);
    assert!(code == Some(1) && error.contains("16 or more"), "{error}");
    let (_, out, _) = server(&["proxy="]);
    assert!(out.contains("proxy = (default)"), "{out}");
    let bundle = machine.run(&["server", "support-bundle", "--data", "s", "help.tar"]).ok().out;
    assert!(bundle.contains("Names and addresses are replaced"), "{bundle}");
    assert_eq!(mode(&machine.path("help.tar")), 0o600);
    let told = machine.run(&["server", "support-bundle", "--data", "s", "more.tar", "--json"]).ok().json();
    assert_eq!(told, serde_json::json!({"file": "more.tar", "names": false}));
    // Whoever typed it corrects it: there is no other program.
    let reason = ["server", "release", "--data", "s", "--user", "ben", "--reason", "a\u{7}b"];
    machine.run(&reason).failed(1, &["`reason`", "(Who can: you.)"]);
    assert_eq!(machine.run(&["server", "health", "--data", "s", "--json"]).code, 1, "it is not running");
}

#[test]
fn the_setup_secret_can_go_to_a_private_file_instead() {
    let machine = Machine::new();
    let arguments = [
        "server",
        "serve",
        "--data",
        "s",
        "--listen",
        "127.0.0.1:0",
        "--setup-secret-file",
        "secret",
        "--until-stdin-ends",
    ];
    // Its standard input has ended, so it stops as soon as it runs.
    let finished = machine.run(&arguments).ok();
    assert_eq!(mode(&machine.path("secret")), 0o600);
    let secret = std::fs::read_to_string(machine.path("secret")).unwrap();
    assert!(secret.len() >= 20);
    // What a browser warns of can be compared; the secret itself is in the file alone.
    assert!(
        finished.out.contains("fingerprint (SHA-256):\n  ") && !finished.out.contains(secret.trim()),
        "{}",
        finished.out
    );
}

#[test]
fn the_interface_descriptions_are_printed() {
    let machine = Machine::new();
    for service in ["portal", "server"] {
        let document = machine.run(&[service, "openapi"]).ok().json();
        assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{service}");
    }
}
