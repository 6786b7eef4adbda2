//! `/api/v1/licenses`.

use super::{Created, Key};
use crate::front::{Front, SignedIn};
use crate::service::licenses;
use axum::extract::State;
use leasehold_core::ids::LicenseId;
use leasehold_web::extract::{ApiJson, ApiPath, ApiQuery};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{ChangeSeats, License, NewLicense, OwnedQuery, Page};
use leasehold_wire::problem::Problem;

/// One's own licenses with where their seats are; operators see everybody's.
#[utoipa::path(
    get, path = "/api/v1/licenses", operation_id = "list_licenses", tag = "licenses", params(OwnedQuery),
    responses((status = 200, body = Page<License>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiQuery(query): ApiQuery<OwnedQuery>,
) -> Result<ApiJson<Page<License>>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| licenses::list(portal, &caller, &query)).await?))
}

/// Sell a license. Operators.
#[utoipa::path(
    post, path = "/api/v1/licenses", operation_id = "create_license", tag = "licenses", request_body = NewLicense,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeat a request with the same key to have it carried out once")),
    responses((status = 201, body = License), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn create(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    Key(key): Key,
    ApiJson(wish): ApiJson<NewLicense>,
) -> Result<Created<License>, ApiProblem> {
    Ok(Created(front.portal().run(move |portal| licenses::create(portal, &caller, key.as_ref(), &wish)).await?))
}

/// One license with where its seats are. Its owner, and operators.
#[utoipa::path(
    get, path = "/api/v1/licenses/{license}", operation_id = "get_license", tag = "licenses", params(("license" = String, Path)),
    responses((status = 200, body = License), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn get(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(license): ApiPath<LicenseId>,
) -> Result<ApiJson<License>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| licenses::get(portal, &caller, license)).await?))
}

/// Change how many seats a license has. Operators. Fewer than are out shows `over_by` until they are back.
#[utoipa::path(
    patch, path = "/api/v1/licenses/{license}", operation_id = "change_license_seats", tag = "licenses", params(("license" = String, Path)),
    request_body = ChangeSeats,
    responses((status = 200, body = License), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change_seats(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(license): ApiPath<LicenseId>,
    ApiJson(wish): ApiJson<ChangeSeats>,
) -> Result<ApiJson<License>, ApiProblem> {
    let seats = wish.seats;
    Ok(ApiJson(front.portal().run(move |portal| licenses::change_seats(portal, &caller, license, seats)).await?))
}

/// End a license early. Operators. Nothing new is given of it; what is out runs to its end.
#[utoipa::path(
    post, path = "/api/v1/licenses/{license}/end", operation_id = "end_license", tag = "licenses", params(("license" = String, Path)),
    responses((status = 200, body = License), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn end(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(license): ApiPath<LicenseId>,
) -> Result<ApiJson<License>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| licenses::end(portal, &caller, license)).await?))
}

/// Let a license be given out although the portal was restored and learns what is out. Operators. Only if nobody else can
/// have its seats: what the portal does not know of is sold a second time. Does nothing if the portal does not learn.
#[utoipa::path(
    post, path = "/api/v1/licenses/{license}/raise", operation_id = "raise_license", tag = "licenses", params(("license" = String, Path)),
    responses((status = 200, body = License), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn raise(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(license): ApiPath<LicenseId>,
) -> Result<ApiJson<License>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| licenses::raise(portal, &caller, license)).await?))
}
