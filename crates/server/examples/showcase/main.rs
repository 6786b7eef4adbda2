//! A license server with people at work, for looking at its pages:
//! `cargo run -p leasehold-server --example showcase -- FOLDER 127.0.0.1:8097 SCENE`.
//!
//! Scenes: `empty` (not activated), `new` (the same, and no portal is named), `studio` (a working day), `full` (300 leases,
//! long and hostile names, seats that end soon or have ended). With a portal that plays its part on the next port:
//! `online`, `online-full` (long and hostile names), `no-licenses`, `outage` (quiet), `ending` (the last days of one),
//! `copy`, `revoked`, `by-file`. The folder should be new; the files that a portal would make are written beside it.

mod online;

use leasehold_core::grant::{Grant, Line, Terms};
use leasehold_core::ids::{GrantId, LicenseId, LineId, WorkstationId};
use leasehold_core::license::{Channel, FeatureCode, Kind, Share};
use leasehold_core::random;
use leasehold_core::time::{Clock, DAY_MS, Ms};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_server::local::{self, Local};
use leasehold_server::{Ready, ServeOptions, serve};
use leasehold_trust::activation_file::build_activation_file;
use leasehold_trust::request::read_request;
use leasehold_trust::{PortalSigner, Vendor};
use serde_json::{Value, json};
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const PEOPLE: &[&str] =
    &["ann.keller", "ben.ito", "Carla Mendes", "dana.okafor", "Zoë Ångström", "山田太郎", "farm", "m.weiß"];
const HOSTILE: &[&str] = &[
    "<script>alert('user')</script>",
    "\"><img src=x onerror=alert(1)>",
    "مستخدم-الاستوديو",
    "an-unbroken-name-of-more-than-sixty-characters-0123456789-0123456789",
    "{{constructor.constructor('alert(1)')()}}",
];

type Any = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Any> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, address, scene] = arguments.as_slice() else { return Err("give FOLDER ADDRESS SCENE".into()) };
    let (folder, address): (PathBuf, SocketAddr) = (folder.into(), address.parse()?);
    std::fs::create_dir_all(&folder)?;
    let play = online::Play::of(scene, address);
    let portal_url = match &play {
        Some(play) => play.url(),
        None => "https://licensing.northlight.example/".to_owned(),
    };
    if scene != "new" {
        std::fs::write(folder.join("server.toml"), format!("portal_url = \"{portal_url}\"\n"))?;
    }
    if let Some(play) = play {
        let vendor = Portal::new()?;
        let request = local::request(local(&folder))?;
        let lines = play.lines(vendor.lines(play.is_full())?, vendor.now);
        let grant = Grant { online: true, ..vendor.grant(1, lines.clone()) };
        local::import(local(&folder), vendor.crt_of(&request, grant)?.as_bytes())?;
        play.begin(vendor.signer, lines)?;
    } else if !matches!(scene.as_str(), "empty" | "new") {
        let vendor = Portal::new()?;
        let request = local::request(local(&folder))?;
        let write = |name: &str, rev, lines| -> Result<PathBuf, Any> {
            let path = folder.with_extension(name);
            std::fs::write(&path, vendor.crt(&request, rev, lines)?)?;
            Ok(path)
        };
        let first = write("crt", 1, vendor.lines(scene == "full")?)?;
        write("renewed.crt", 2, vendor.lines(false)?)?;
        local::import(local(&folder), &std::fs::read(first)?)?;
    }
    let options = ServeOptions {
        folder: folder.clone(),
        listen: Some(address),
        sockets: Vec::new(),
        clock: Arc::new(SystemClock::new()),
        fingerprint: String::new(),
        random: Box::new(OsRandom),
        logs: leasehold_server::Logs::default(),
    };
    let leases = match scene.as_str() {
        "full" | "online-full" => 300,
        "empty" | "new" | "no-licenses" => 0,
        _ => 24,
    };
    let full = scene.ends_with("full");
    let on_ready = move |ready: Ready| {
        tracing::info!(address = %ready.address, "ready");
        if let Some(secret) = ready.setup_secret {
            let _ = std::fs::write(folder.with_extension("secret"), secret);
        }
        std::thread::spawn(move || work(ready.address, leases, full));
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    Ok(runtime.block_on(serve(options, std::future::pending(), on_ready))?)
}

fn local(folder: &Path) -> Local {
    Local {
        folder: folder.to_owned(),
        clock: Arc::new(SystemClock::new()),
        fingerprint: String::new(),
        random: Box::new(OsRandom),
    }
}

struct Portal {
    signer: PortalSigner,
    workstation: WorkstationId,
    now: Ms,
}

impl Portal {
    fn new() -> Result<Portal, Any> {
        let now = SystemClock::new().wall();
        let vendor = Vendor::create("Northlight Software", now)?;
        let signer = vendor.signer(now)?;
        Ok(Portal { signer, workstation: WorkstationId::draw(now, &mut OsRandom), now })
    }

    fn line(&self, product: (&str, &str), features: &[&str], seats: u32, days: i64) -> Result<Line, Any> {
        let features = features.iter().map(|code| Ok((FeatureCode::new(code)?, 1))).collect::<Result<_, Any>>()?;
        Ok(Line {
            line: LineId::draw(self.now, &mut OsRandom),
            license: LicenseId::draw(self.now, &mut OsRandom),
            product: product.0.to_owned(),
            product_name: product.1.to_owned(),
            kind: Kind::Floating,
            channel: Channel::Commercial,
            features,
            seats,
            until: self.now.plus(days * DAY_MS).floor_to_second(),
            terms: Terms::by_file(Share::None, None),
        })
    }

    fn lines(&self, full: bool) -> Result<Vec<Line>, Any> {
        let mut review = self.line(("review", "Northlight Review"), &["review.play"], 5, 90)?;
        review.terms.share = Share::UserHost;
        let mut trial = self.line(("studio", "Northlight Studio"), &["studio.gui", "studio.render"], 3, 30)?;
        trial.channel = Channel::Trial;
        let mut render = self.line(
            ("render-node", "Northlight Render Node"),
            &["render.node", "studio.render"],
            if full { 400 } else { 20 },
            90,
        )?;
        render.terms.released_before = Some(self.now.plus(300 * DAY_MS).utc_date());
        let mut lines = vec![
            self.line(("studio", "Northlight Studio"), &["studio.gui", "studio.render"], 10, 90)?,
            trial,
            render,
            review,
        ];
        if full {
            let soon = self.line(
                ("atelier", "Atelier Fabric Simulator for Extraordinarily Long Product Names, Edition 2026"),
                &["atelier.simulation-with-a-very-long-feature-code-0123456789"],
                4,
                9,
            )?;
            let mut hostile = self.line(
                ("hostile", "<b>Bold & \"Quoted\"</b> <script>alert(1)</script>"),
                &["hostile.feature"],
                60,
                40,
            )?;
            hostile.channel = Channel::Nfr;
            let mut class = self.line(("classroom", "Classroom"), &["classroom.seat"], 40, 800)?;
            class.channel = Channel::Educator;
            lines.extend([soon, hostile, class]);
        }
        Ok(lines)
    }

    fn grant(&self, rev: u64, lines: Vec<Line>) -> Grant {
        Grant {
            workstation: self.workstation,
            workstation_name: "Hall 3 farm head".to_owned(),
            account_name: "Brightframe Pictures".to_owned(),
            rev,
            issued_at: self.now.floor_to_second(),
            request: None,
            machine: String::new(),
            online: false,
            lines,
        }
    }

    fn crt(&self, request: &str, rev: u64, lines: Vec<Line>) -> Result<String, Any> {
        self.crt_of(request, self.grant(rev, lines))
    }

    fn crt_of(&self, request: &str, grant: Grant) -> Result<String, Any> {
        let key = read_request(request.as_bytes(), self.now).map_err(|problem| problem.what())?.public_key;
        let random = &mut OsRandom;
        let token = self.signer.sign_grant(&grant, &key.thumbprint(), GrantId::draw(self.now, random));
        let name = &grant.workstation_name;
        let certificate =
            self.signer.issue_workstation_certificate(grant.workstation, name, &key, self.now, random::bytes(random));
        Ok(build_activation_file(&self.signer, &certificate, &token)?)
    }
}

/// Takes seats, is denied some, and keeps nearly all alive.
fn work(address: SocketAddr, leases: usize, full: bool) {
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    let base = format!("http://{address}/v1/leases");
    let features: &[&str] = if full {
        &[
            "render.node",
            "render.node",
            "render.node",
            "render.node",
            "studio.gui",
            "hostile.feature",
            "review.play",
            "studio.render",
        ]
    } else {
        &["studio.gui", "render.node", "studio.render", "review.play", "render.node"]
    };
    let mut held: Vec<Value> = Vec::new();
    for i in 0..leases {
        let hostile = full && i % 9 == 4;
        let user = if hostile { HOSTILE[i / 9 % HOSTILE.len()] } else { PEOPLE[i % PEOPLE.len()] };
        let host = if hostile {
            format!("{}-{i}", HOSTILE[(i / 9 + 3) % HOSTILE.len()])
        } else {
            format!("ws-{:03}.brightframe.example", 100 + i % 140)
        };
        let mut ask = json!({
            "feature": features[i % features.len()], "user": user, "host": host, "host_id": format!("h{i}"),
            "boot_id": "b", "pid": 4_000 + i, "released_on": if i % 13 == 5 { "2029-01-01" } else { "2026-11-01" }, "version": if i % 7 == 3 { "" } else { "27.1.0 (build 8841)" }, "nonce": format!("n{i}"),
        });
        if i % 6 == 1 {
            ask["labels"] = json!({ "project": if hostile { "<i>x</i>" } else { "Harbor Lights, sequence 40" } });
        }
        if i % 8 == 1 {
            ask["seats"] = json!(2);
        }
        let key = format!("showcase-{i}-{address}");
        let sent = agent.post(&base).header("idempotency-key", key).send_json(&ask);
        if let Some(lease) = sent
            .ok()
            .filter(|answer| answer.status().is_success())
            .and_then(|mut answer| answer.body_mut().read_json::<Value>().ok())
        {
            held.push(lease);
        }
    }
    for n in 1_u64.. {
        // Every eleventh has crashed.
        for (i, lease) in held.iter().enumerate().filter(|(i, _)| i % 11 != 7) {
            let (id, secret) =
                (lease["lease"].as_str().unwrap_or_default(), lease["secret"].as_str().unwrap_or_default());
            let beat = json!({ "n": n, "nonce": format!("b{i}-{n}") });
            let _ = agent
                .post(format!("{base}/{id}/heartbeat"))
                .header("authorization", format!("Bearer {secret}"))
                .send_json(&beat);
        }
        std::thread::park_timeout(Duration::from_secs(60));
    }
}
