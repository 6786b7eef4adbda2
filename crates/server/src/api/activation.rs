//! `/v1/activation`: activation by files.

use super::{Asking, Refused};
use crate::server::Server;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderName, header};
use leasehold_trust::{FILE_BYTES_MAX, FileProblem};
use leasehold_web::extract::ApiJson;
use leasehold_web::problem::{ApiProblem, Problem, who};
use leasehold_wire::server::{ActivationResponse, DisableResponse};
use std::time::Duration;

/// A whole file must arrive within this time.
const UPLOAD_WAIT: Duration = Duration::from_secs(30);
/// What is taken off the wire at most. More than is read, so that a file that is somewhat too large is answered and not
/// cut off.
const TAKEN_BYTES_MAX: usize = 4 * FILE_BYTES_MAX;

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
    let bytes = file(request).await?;
    Ok(ApiJson(server.import(&caller, &bytes).await?))
}

async fn file(request: Request) -> Result<Bytes, Refused> {
    let said = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    let read = tokio::time::timeout(UPLOAD_WAIT, axum::body::to_bytes(request.into_body(), TAKEN_BYTES_MAX)).await;
    match read {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) if said.is_none_or(|said: u64| said > TAKEN_BYTES_MAX as u64) => {
            let max = FILE_BYTES_MAX as u64;
            Err(crate::Failure::File(FileProblem::Oversized { bytes: said.unwrap_or(max + 1), max }).into())
        }
        Ok(Err(_)) | Err(_) => Err(ApiProblem::from(
            Problem::new(400, "BODY_CUT_OFF", "The upload did not arrive whole.")
                .next("Upload the file again.", who::YOU),
        )
        .into()),
    }
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
