//! `/api/v1/organizations`, and assignments under `/api/v1/licenses`.

use super::Created;
use crate::front::{Front, SignedIn};
use crate::service::{assignments, organizations};
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_core::ids::{AccountId, LicenseId, OrganizationId};
use leasehold_web::extract::{ApiJson, ApiPath};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{Assign, AssignedSeats, ChangeMember, License, Member, Members, NewMember, Organizations};
use leasehold_wire::problem::Problem;

/// The organization that one owns, and those of which one is a member, each with what one may do in it.
#[utoipa::path(
    get, path = "/api/v1/organizations", operation_id = "list_organizations", tag = "organizations",
    responses((status = 200, body = Organizations), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
) -> Result<ApiJson<Organizations>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| organizations::list(portal, &caller)).await?))
}

/// The seats that organizations gave to oneself.
#[utoipa::path(
    get, path = "/api/v1/me/assignments", operation_id = "list_own_assignments", tag = "organizations",
    responses((status = 200, body = AssignedSeats), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn assigned_to_me(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
) -> Result<ApiJson<AssignedSeats>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| assignments::mine(portal, &caller)).await?))
}

/// The members of an organization. Whoever has a part in administering it, and operators.
#[utoipa::path(
    get, path = "/api/v1/organizations/{organization}/members", operation_id = "list_members", tag = "organizations",
    params(("organization" = String, Path)),
    responses((status = 200, body = Members), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn members(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(organization): ApiPath<OrganizationId>,
) -> Result<ApiJson<Members>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| organizations::members(portal, &caller, organization)).await?))
}

/// Add somebody to an organization. Again is harmless, so it needs no `Idempotency-Key`.
#[utoipa::path(
    post, path = "/api/v1/organizations/{organization}/members", operation_id = "add_member", tag = "organizations",
    params(("organization" = String, Path)), request_body = NewMember,
    responses((status = 201, body = Member), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn add_member(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(organization): ApiPath<OrganizationId>,
    ApiJson(wish): ApiJson<NewMember>,
) -> Result<Created<Member>, ApiProblem> {
    let add = move |portal: &crate::Portal| organizations::add_member(portal, &caller, organization, &wish);
    Ok(Created(front.portal().run(add).await?))
}

/// Say what somebody may do in an organization. Its administrators, and operators.
#[utoipa::path(
    patch, path = "/api/v1/organizations/{organization}/members/{account}", operation_id = "change_member",
    tag = "organizations", params(("organization" = String, Path), ("account" = String, Path)), request_body = ChangeMember,
    responses((status = 200, body = Member), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change_member(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath((organization, account)): ApiPath<(OrganizationId, AccountId)>,
    ApiJson(wish): ApiJson<ChangeMember>,
) -> Result<ApiJson<Member>, ApiProblem> {
    let change =
        move |portal: &crate::Portal| organizations::change_member(portal, &caller, organization, account, wish);
    Ok(ApiJson(front.portal().run(change).await?))
}

/// Remove somebody who has no seats from an organization.
#[utoipa::path(
    delete, path = "/api/v1/organizations/{organization}/members/{account}", operation_id = "remove_member",
    tag = "organizations", params(("organization" = String, Path), ("account" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn remove_member(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath((organization, account)): ApiPath<(OrganizationId, AccountId)>,
) -> Result<StatusCode, ApiProblem> {
    let remove = move |portal: &crate::Portal| organizations::remove_member(portal, &caller, organization, account);
    front.portal().run(remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give an account seats of a license, instead of what it was given before. What does not fit waits, in order.
#[utoipa::path(
    put, path = "/api/v1/licenses/{license}/assignments/{account}", operation_id = "assign_seats", tag = "licenses",
    params(("license" = String, Path), ("account" = String, Path)), request_body = Assign,
    responses((status = 200, body = License), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn assign(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath((license, account)): ApiPath<(LicenseId, AccountId)>,
    ApiJson(wish): ApiJson<Assign>,
) -> Result<ApiJson<License>, ApiProblem> {
    let assign = move |portal: &crate::Portal| assignments::assign(portal, &caller, license, account, wish.seats);
    Ok(ApiJson(front.portal().run(assign).await?))
}

/// Take an account's seats of a license back.
#[utoipa::path(
    delete, path = "/api/v1/licenses/{license}/assignments/{account}", operation_id = "revoke_seats", tag = "licenses",
    params(("license" = String, Path), ("account" = String, Path)),
    responses((status = 200, body = License), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn revoke(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath((license, account)): ApiPath<(LicenseId, AccountId)>,
) -> Result<ApiJson<License>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| assignments::revoke(portal, &caller, license, account)).await?))
}
