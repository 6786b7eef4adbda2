//! `/api/v1/audit`.

use crate::front::{Front, SignedIn};
use crate::service::audit;
use axum::extract::State;
use leasehold_web::extract::{ApiJson, ApiQuery};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{AuditEntry, Page, PageQuery};
use leasehold_wire::problem::Problem;

/// Who did what, newest first. Operators.
#[utoipa::path(
    get, path = "/api/v1/audit", operation_id = "list_audit", tag = "audit", params(PageQuery),
    responses((status = 200, body = Page<AuditEntry>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<AuditEntry>>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| audit::list(portal, &caller, &query)).await?))
}
