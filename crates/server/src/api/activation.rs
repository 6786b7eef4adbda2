//! `/v1/activation`: activation by files.

use super::{Asking, Refused};
use crate::server::Server;
use crate::service::Failure;
use axum::body::{Body, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderName, header};
use leasehold_trust::{FILE_BYTES_MAX, FileProblem};
use leasehold_web::extract::ApiJson;
use leasehold_web::problem::{ApiProblem, Problem, who};
use leasehold_wire::server::{ActivationResponse, DisableResponse, GiveBackRequest, GiveBackResponse, GivenBack};
use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

/// A whole file must arrive within this time.
const UPLOAD_WAIT: Duration = Duration::from_secs(30);
/// What is taken off the wire at most; beyond that the connection is closed.
const TAKEN_BYTES_MAX: u64 = 64 * 1024 * 1024;

type TextFile = ([(HeaderName, &'static str); 2], String);

fn download(disposition: &'static str, text: String) -> TextFile {
    let kind = (header::CONTENT_TYPE, "application/x-pem-file");
    ([kind, (header::CONTENT_DISPOSITION, disposition)], text)
}

/// The activation request file, to be uploaded at the portal.
#[utoipa::path(
    get, path = "/v1/activation/request", tag = "activation",
    responses((status = 200, body = String, content_type = "application/x-pem-file"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn request(State(server): State<Server>, Asking(caller): Asking) -> Result<TextFile, Refused> {
    Ok(download("attachment; filename=\"activation-request.pem\"", server.request_file(&caller).await?))
}

/// Upload the activation file (`.crt`) that the portal made; the body is the file.
#[utoipa::path(
    post, path = "/v1/activation", tag = "activation",
    request_body(content = String, content_type = "application/x-pem-file", description = "The file as it was downloaded, at most 256 KiB."),
    responses((status = 200, body = ActivationResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn import(
    State(server): State<Server>,
    Asking(caller): Asking,
    request: Request,
) -> Result<ApiJson<ActivationResponse>, Refused> {
    // A stranger's upload is not even read.
    server.may_import(&caller)?;
    let (bytes, length) = file(request).await?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(Failure::File(FileProblem::Oversized { bytes: length, max: FILE_BYTES_MAX as u64 }).into());
    }
    Ok(ApiJson(server.import(&caller, &bytes).await?))
}

/// The body as it may be read, and its whole length. What is too long is taken off the wire and dropped, so that its
/// sender gets to read the answer.
async fn file(request: Request) -> Result<(Vec<u8>, u64), Refused> {
    let taken = tokio::time::timeout(UPLOAD_WAIT, take(request.into_body())).await;
    taken.ok().flatten().ok_or_else(|| {
        let problem = Problem::new(400, "BODY_CUT_OFF", "The upload did not arrive whole.");
        ApiProblem::from(problem.next("Upload the file again.", who::YOU)).into()
    })
}

async fn take(mut body: Body) -> Option<(Vec<u8>, u64)> {
    let (mut kept, mut length) = (Vec::new(), 0);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let Ok(data) = frame.ok()?.into_data() else { continue };
        length += data.len() as u64;
        if length > TAKEN_BYTES_MAX {
            return None;
        }
        let room = (FILE_BYTES_MAX + 1).saturating_sub(kept.len());
        kept.extend_from_slice(&data[..data.len().min(room)]);
    }
    Some((kept, length))
}

/// Give up the key: no new seats; when the last lease has ended, the receipt is made and the key destroyed. Again says
/// how far it is.
#[utoipa::path(
    post, path = "/v1/activation/disable", tag = "activation",
    responses((status = 200, body = DisableResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn disable(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<DisableResponse>, Refused> {
    Ok(ApiJson(server.disable(&caller).await?))
}

/// The receipt of the key that was given up, to be uploaded at the portal: its seats are free there at once.
#[utoipa::path(
    get, path = "/v1/activation/receipt", tag = "activation",
    responses((status = 200, body = String, content_type = "application/x-pem-file"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn receipt(State(server): State<Server>, Asking(caller): Asking) -> Result<TextFile, Refused> {
    Ok(download("attachment; filename=\"receipt.pem\"", server.receipt_file(&caller).await?))
}

/// What could be given back now of each license of a server that has its seats by file, and what not before when.
#[utoipa::path(
    get, path = "/v1/activation/give-back", tag = "activation",
    responses((status = 200, body = GiveBackResponse), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn may_give_back(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<ApiJson<GiveBackResponse>, Refused> {
    Ok(ApiJson(server.may_give_back(&caller).await?))
}

/// Keep fewer seats for as long as the document is in force. Only what is not out can be given back. Says how many are
/// kept, never how many go, so that sending it again changes nothing.
#[utoipa::path(
    post, path = "/v1/activation/give-back", tag = "activation", request_body = GiveBackRequest,
    responses((status = 200, body = GivenBack), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn give_back(
    State(server): State<Server>,
    Asking(caller): Asking,
    ApiJson(wish): ApiJson<GiveBackRequest>,
) -> Result<ApiJson<GivenBack>, Refused> {
    Ok(ApiJson(server.give_back(&caller, &wish).await?))
}

/// The receipt of the seats that were given back, to be uploaded at the portal. The same until a newer document is loaded.
#[utoipa::path(
    get, path = "/v1/activation/give-back/receipt", tag = "activation",
    responses((status = 200, body = String, content_type = "application/x-pem-file"), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn give_back_receipt(
    State(server): State<Server>,
    Asking(caller): Asking,
) -> Result<TextFile, Refused> {
    Ok(download("attachment; filename=\"give-back-receipt.pem\"", server.give_back_receipt(&caller).await?))
}
