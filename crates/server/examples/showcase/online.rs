//! A portal as far as a license server that is online talks to it, on the next port.

use super::{Any, HOSTILE};
use leasehold_core::grant::{Line, Terms};
use leasehold_core::ids::LicenseId;
use leasehold_core::sync::{PoolShare, SyncAnswer, SyncRequest, Verdict};
use leasehold_core::time::{Clock, DAY_MS, HOUR_MS, Ms};
use leasehold_host::{OsRandom, SystemClock};
use leasehold_trust::PortalSigner;
use leasehold_trust::secret::sha256_hex;
use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What is played.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scene {
    Online,
    Full,
    NoLicenses,
    Outage,
    Ending,
    Copy,
    Revoked,
    ByFile,
}

pub(super) struct Play {
    scene: Scene,
    address: SocketAddr,
}

impl Play {
    /// The play of a scene, if it has one.
    pub(super) fn of(scene: &str, server: SocketAddr) -> Option<Play> {
        let scene = match scene {
            "online" => Scene::Online,
            "online-full" => Scene::Full,
            "no-licenses" => Scene::NoLicenses,
            "outage" => Scene::Outage,
            "ending" => Scene::Ending,
            "copy" => Scene::Copy,
            "revoked" => Scene::Revoked,
            "by-file" => Scene::ByFile,
            _ => return None,
        };
        Some(Play { scene, address: SocketAddr::new(server.ip(), server.port() + 1) })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn is_full(&self) -> bool {
        self.scene == Scene::Full
    }

    /// What the server holds of what was sold.
    pub(super) fn lines(&self, sold: Vec<Line>, now: Ms) -> Vec<Line> {
        let left = if self.scene == Scene::Ending { 2 * DAY_MS + 5 * HOUR_MS } else { 7 * DAY_MS };
        let renewed = |line: Line| {
            let terms = Terms::by_sync(line.terms.share, line.terms.released_before, false);
            Line { terms, until: now.plus(left).floor_to_second(), ..line }
        };
        match self.scene {
            Scene::NoLicenses => Vec::new(),
            _ => sold.into_iter().map(renewed).collect(),
        }
    }

    /// Begins to answer.
    pub(super) fn begin(self, signer: PortalSigner, lines: Vec<Line>) -> Result<(), Any> {
        let listener = TcpListener::bind(self.address)?;
        let mut pools: Vec<PoolShare> = lines.iter().map(pool).collect();
        if let (Some(first), true) = (pools.first().cloned(), self.scene != Scene::NoLicenses) {
            // Of this nothing is here.
            let name = if self.is_full() { HOSTILE[3].to_owned() } else { "Northlight Sound".to_owned() };
            pools.push(PoolShare {
                license: LicenseId::draw(SystemClock::new().wall(), &mut OsRandom),
                product: "sound".to_owned(),
                product_name: name,
                seats: 100,
                bound: 0,
                free: 0,
                elsewhere: 100,
                ..first
            });
        }
        let playing = Arc::new((self, signer, pools));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let playing = Arc::clone(&playing);
                std::thread::spawn(move || answer(&playing, stream));
            }
        });
        Ok(())
    }
}

fn pool(line: &Line) -> PoolShare {
    PoolShare {
        license: line.license,
        product: line.product.clone(),
        product_name: line.product_name.clone(),
        kind: line.kind,
        channel: line.channel,
        features: line.features.clone(),
        seats: line.seats + 30,
        elsewhere: 18,
        bound: 0,
        free: 12,
        recall: 0,
        exhausted: false,
        assigned: false,
        pending: 0,
        for_people: 0,
    }
}

fn answer((play, signer, pools): &(Play, PortalSigner, Vec<PoolShare>), stream: TcpStream) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let (path, body) = read(&mut stream)?;
    let seq = serde_json::from_slice(&body).map_or(0, |request: SyncRequest| request.seq);
    let (path, since) = path.split_once("?since=").unwrap_or((&path, "0"));
    let (status, answer) = match path {
        "/openapi.json" => (200, json!({ "info": { "title": "Leasehold portal", "version": "0.1.0" } })),
        // The first sync is taken, so that there is something to see.
        "/api/v1/sync" if seq > 1 && matches!(play.scene, Scene::Outage | Scene::Ending) => {
            (503, json!({ "title": "Closed for maintenance." }))
        }
        "/api/v1/sync" => (200, json!({ "answer": signer.sign_answer(&said(play, pools, &body)?) })),
        "/api/v1/sessions" => {
            let problem = json!({
                "title": "The email address or the password is wrong.", "status": 401, "code": "WRONG_PASSWORD",
                "what_to_do": "Try again. If you have forgotten the password, ask the vendor for a new account password.",
                "who": "you",
            });
            (401, problem)
        }
        _ => {
            // Rings once, for a second sync.
            let bell = if since == "1" { 2 } else { 0 };
            std::thread::park_timeout(Duration::from_secs(if bell == 0 { 20 } else { 2 }));
            (200, json!({ "bell": bell }))
        }
    };
    let text = answer.to_string();
    let head = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    stream.get_mut().write_all((head + &text).as_bytes()).ok()
}

fn said(play: &Play, pools: &[PoolShare], body: &[u8]) -> Option<SyncAnswer> {
    let request: SyncRequest = serde_json::from_slice(body).ok()?;
    let verdict = match play.scene {
        _ if request.seq == 1 => Verdict::Ok,
        Scene::Copy => Verdict::Forked,
        Scene::Revoked => Verdict::Ended,
        Scene::ByFile => Verdict::ByFile,
        _ => Verdict::Ok,
    };
    Some(SyncAnswer {
        workstation: request.workstation,
        seq: request.seq,
        request_sha256: sha256_hex(body),
        verdict,
        at: SystemClock::new().wall().floor_to_second(),
        grant: None,
        pools: if verdict == Verdict::Ok { pools.to_vec() } else { Vec::new() },
        pins: Vec::new(),
        pins_rev: 0,
        bell: 1,
        other_host: if play.scene == Scene::Copy {
            "hall3-lic-restored.brightframe.example".to_owned()
        } else {
            String::new()
        },
    })
}

/// Path and body of a request.
fn read(stream: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut length = 0;
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).ok()?;
        match header.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((path, body))
}
