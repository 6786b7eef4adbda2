//! The floor: the least that any durable server on this HTTP stack must do. A POST or DELETE inserts one row by the
//! same group commit, and the answer has the size and shape of a lease. No rules, no counting, no signature.

use anyhow::{Context as _, Result};
use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, post};
use axum::{Json, Router};
use leasehold_core::ids::LeaseId;
use leasehold_core::random::{Random, Seeded};
use leasehold_core::time::Ms;
use leasehold_db::{Db, DbError, Migration, Migrations, SqliteOptions, Value};
use leasehold_web::listener::{self, Limits, Mode};
use leasehold_wire::server::{CheckoutRequest, LeaseResponse};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

const TABLE: Migrations = Migrations(&[Migration {
    version: 1,
    name: "op",
    sql: "CREATE TABLE op (id TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
}]);
const INSERT: &str = "INSERT INTO op (id, body) VALUES (?1, ?2)";

#[derive(Clone)]
struct Floor {
    db: Db,
    random: Arc<Mutex<Seeded>>,
    /// As long as a signed lease.
    token: Arc<str>,
}

impl Floor {
    fn draw(&self) -> LeaseId {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        LeaseId::draw(Ms(1_795_000_000_000), &mut *random as &mut dyn Random)
    }

    async fn insert(&self, body: String) -> Result<LeaseId, DbError> {
        let id = self.draw();
        let text = id.to_string();
        self.db
            .write_async(move |tx| tx.exec(INSERT, &[Value::from(text.as_str()), Value::from(body.as_str())]))
            .await?;
        Ok(id)
    }
}

/// Serves on a free port, whose address is the first line of its output, until it is killed.
pub(crate) fn run(dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir)?;
    let db = Db::open_sqlite(dir.join("floor.db"), SqliteOptions::default()).context("opening the floor's database")?;
    db.migrate(TABLE)?;
    let floor = Floor { db, random: Arc::new(Mutex::new(Seeded::new(1))), token: "x".repeat(620).into() };
    let router = Router::new()
        .route("/v1/ping", axum::routing::get(|| async { "ok" }))
        .route("/v1/leases", post(checkout))
        .route("/v1/leases/{id}", delete(checkin))
        .with_state(floor);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let bound = listener::bind(([127, 0, 0, 1], 0).into()).await?;
        writeln!(std::io::stdout(), "{}", bound.address())?;
        let (_stop, stopped) = leasehold_web::shutdown::shutdown_pair();
        bound.serve(router, Mode::Plain, Limits::default(), stopped).await;
        Ok(())
    })
}

async fn checkout(State(floor): State<Floor>, headers: HeaderMap, Json(ask): Json<CheckoutRequest>) -> Response {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    let body = format!("{key} {} {} {}", ask.feature, ask.user, ask.host);
    let Ok(lease) = floor.insert(body).await else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let at = Ms(1_795_000_000_000);
    let answer = LeaseResponse {
        lease,
        secret: "s".repeat(43),
        feature: ask.feature,
        seats: ask.seats,
        ttl_s: 120,
        renew_after_s: 60,
        grace_s: 300,
        server_time: at.into(),
        ends_at: at.into(),
        resumed: false,
        token: floor.token.to_string(),
        grant_sha256: "0".repeat(64).into(),
    };
    (StatusCode::CREATED, Json(answer)).into_response()
}

async fn checkin(State(floor): State<Floor>, UrlPath(lease): UrlPath<String>) -> StatusCode {
    match floor.insert(lease).await {
        Ok(_) => StatusCode::NO_CONTENT,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}
