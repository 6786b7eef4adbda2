//! Files from a form on a page, with the form's other fields. They are held in memory: activation files are small.

use super::{BODY_WAIT, too_large, too_slow};
use crate::problem::{ApiProblem, Problem, who};
use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;

/// Largest uploaded file in bytes (`PROTOCOL.md` section 11).
pub const UPLOAD_BYTES_MAX: usize = 256 * 1024;

/// Most bytes of one text field that travels with the file.
const FIELD_BYTES_MAX: usize = 32 * 1024;

/// Most fields of such a form.
const FIELDS_MAX: usize = 32;

/// A submitted form with one file. Routes that take one need `DefaultBodyLimit::max(UPLOAD_BYTES_MAX + 64 KiB)` or more.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The file's content, 1 to [`UPLOAD_BYTES_MAX`] bytes.
    pub bytes: Bytes,
    /// The name the browser gave; hostile text, never a path to write to.
    pub file_name: String,
    fields: Vec<(String, String)>,
}

impl Upload {
    /// The first text field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.fields, name)
    }
}

/// A submitted form with any number of files. Routes that take one limit the whole as for [`Upload`].
#[derive(Clone, Debug)]
pub struct Uploads {
    files: Vec<File>,
    fields: Vec<(String, String)>,
}

/// A file that was chosen.
#[derive(Clone, Debug)]
struct File {
    field: String,
    bytes: Bytes,
    name: String,
}

impl Uploads {
    /// The file that was chosen in a field: 1 to [`UPLOAD_BYTES_MAX`] bytes; `None` if none was, or it is empty.
    pub fn file(&self, field: &str) -> Option<&Bytes> {
        self.files.iter().find(|file| file.field == field).map(|file| &file.bytes)
    }

    /// The first text field of that name.
    pub fn field(&self, name: &str) -> Option<&str> {
        field(&self.fields, name)
    }
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

impl<S: Send + Sync> FromRequest<S> for Upload {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        let Uploads { files, fields } = Uploads::from_request(request, state).await?;
        let Some(File { bytes, name, .. }) = files.into_iter().next() else {
            return Err(ApiProblem::from(
                Problem::new(422, "NO_FILE", "No file was uploaded, or it is empty.")
                    .next("Choose the file, then upload again.", who::YOU),
            ));
        };
        Ok(Upload { bytes, file_name: name, fields })
    }
}

impl<S: Send + Sync> FromRequest<S> for Uploads {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiProblem> {
        let form = Multipart::from_request(request, state).await.map_err(|_| not_a_form())?;
        tokio::time::timeout(BODY_WAIT, read(form)).await.unwrap_or_else(|_| Err(ApiProblem::from(too_slow())))
    }
}

async fn read(mut form: Multipart) -> Result<Uploads, ApiProblem> {
    let mut files = Vec::new();
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|error| broken(&error))? {
        if fields.len() + files.len() >= FIELDS_MAX {
            return Err(not_a_form());
        }
        let of = field.name().unwrap_or_default().to_owned();
        match field.file_name().map(str::to_owned) {
            // A browser sends an empty part when no file was chosen.
            Some(name) => {
                let bytes = take(field, UPLOAD_BYTES_MAX, file_too_large).await?;
                if !bytes.is_empty() {
                    files.push(File { field: of, bytes: bytes.into(), name });
                }
            }
            None => {
                let too_long = || too_large("A field of the form is too long.", FIELD_BYTES_MAX);
                let bytes = take(field, FIELD_BYTES_MAX, too_long).await?;
                let text = String::from_utf8(bytes).map_err(|_| not_a_form())?;
                fields.push((of, text));
            }
        }
    }
    Ok(Uploads { files, fields })
}

async fn take(
    mut field: Field<'_>,
    bytes_max: usize,
    too_long: impl FnOnce() -> Problem,
) -> Result<Vec<u8>, ApiProblem> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(|error| broken(&error))? {
        if bytes.len() + chunk.len() > bytes_max {
            return Err(ApiProblem::from(too_long()));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The same words as for a file that was read and found too large.
fn file_too_large() -> Problem {
    Problem::new(413, "FILE_OVERSIZED", "The uploaded file cannot be used.")
        .detail(format!("A file that belongs here has {} KiB at most. It was not read.", UPLOAD_BYTES_MAX / 1024))
        .next("Check that the right file was chosen.", who::YOU)
}

fn broken(error: &MultipartError) -> ApiProblem {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiProblem::from(file_too_large());
    }
    ApiProblem::from(
        Problem::new(400, "BODY_CUT_OFF", "The upload did not arrive whole.").next("Upload the file again.", who::YOU),
    )
}

fn not_a_form() -> ApiProblem {
    ApiProblem::from(
        Problem::new(422, "BAD_FORM", "The upload could not be read as a form.")
            .next("Go back, reload the page and upload again.", who::YOU),
    )
}
