//! `/api/v1/organizations`, invitations, and assignments under `/api/v1/licenses`.

use super::Created;
use crate::front::{self, Front, SignedIn};
use crate::service::{assignments, invitations, members, organizations, ownership};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use leasehold_core::ids::{AccountId, LicenseId, OrganizationId};
use leasehold_web::extract::{ApiJson, ApiPath};
use leasehold_web::listener::Connection;
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{
    Assign, AssignedSeats, ChangeMember, ChangeOrganization, Invitation, Invitations, Join, License, LookAtInvitation,
    Member, Members, NewMember, OfferOwnership, Organization, Organizations, OwnershipOffers,
};
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

/// Change how an organization is kept. Its administrators, and operators.
#[utoipa::path(
    patch, path = "/api/v1/organizations/{organization}", operation_id = "change_organization", tag = "organizations",
    params(("organization" = String, Path)), request_body = ChangeOrganization,
    responses((status = 200, body = Organization), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(organization): ApiPath<OrganizationId>,
    ApiJson(wish): ApiJson<ChangeOrganization>,
) -> Result<ApiJson<Organization>, ApiProblem> {
    let change = move |portal: &crate::Portal| organizations::change(portal, &caller, organization, wish);
    Ok(ApiJson(front.portal().run(change).await?))
}

/// Invite somebody to an organization. Again is harmless, so it needs no `Idempotency-Key`.
///
/// A letter goes to the address; the answer is the same whether or not the address has an account.
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
    let add = move |portal: &crate::Portal| invitations::invite(portal, &caller, organization, &wish);
    Ok(Created(front.portal().run(add).await?))
}

/// Send the letter of an invitation again, with a new link. Its administrators, and operators.
#[utoipa::path(
    post, path = "/api/v1/organizations/{organization}/members/{account}/invitation", operation_id = "resend_invitation",
    tag = "organizations", params(("organization" = String, Path), ("account" = String, Path)),
    responses((status = 200, body = Member), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn resend(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath((organization, account)): ApiPath<(OrganizationId, AccountId)>,
) -> Result<ApiJson<Member>, ApiProblem> {
    let resend = move |portal: &crate::Portal| invitations::resend(portal, &caller, organization, account);
    Ok(ApiJson(front.portal().run(resend).await?))
}

/// One member of an organization. Whoever has a part in administering it, and operators.
#[utoipa::path(
    get, path = "/api/v1/organizations/{organization}/members/{account}", operation_id = "get_member", tag = "organizations",
    params(("organization" = String, Path), ("account" = String, Path)),
    responses((status = 200, body = Member), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn member(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath((organization, account)): ApiPath<(OrganizationId, AccountId)>,
) -> Result<ApiJson<Member>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| members::get(portal, &caller, organization, account)).await?))
}

/// Say what somebody may do in an organization, suspend and reinstate them. Its administrators, and operators.
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
    let change = move |portal: &crate::Portal| members::change(portal, &caller, organization, account, wish);
    Ok(ApiJson(front.portal().run(change).await?))
}

/// Remove somebody from an organization, with all seats that it gave to them; or withdraw their invitation.
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
    let remove = move |portal: &crate::Portal| members::remove(portal, &caller, organization, account);
    front.portal().run(remove).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Look at an invitation by what stands in the link of its letter.
#[utoipa::path(
    post, path = "/api/v1/invitations/look", operation_id = "look_at_invitation", tag = "organizations", security(()),
    request_body = LookAtInvitation,
    responses((status = 200, body = Invitation), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn look_at_invitation(
    State(front): State<Front>,
    ApiJson(wish): ApiJson<LookAtInvitation>,
) -> Result<ApiJson<Invitation>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| invitations::look(portal, &wish.token)).await?))
}

/// Make the account of whoever was invited and has none, join, and sign in.
#[utoipa::path(
    post, path = "/api/v1/invitations/join", operation_id = "join", tag = "organizations", security(()), request_body = Join,
    responses((status = 201, body = leasehold_wire::portal::SignedIn), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn join(
    State(front): State<Front>,
    connection: Connection,
    headers: HeaderMap,
    ApiJson(wish): ApiJson<Join>,
) -> Result<Created<leasehold_wire::portal::SignedIn>, ApiProblem> {
    let (address, agent) = (front.address(&connection, &headers), front::agent(&headers));
    let (_, signed_in) = front.portal().run(move |portal| invitations::join(portal, address, &agent, &wish)).await?;
    Ok(Created(signed_in))
}

/// The organizations to which one is invited.
#[utoipa::path(
    get, path = "/api/v1/me/invitations", operation_id = "list_own_invitations", tag = "organizations",
    responses((status = 200, body = Invitations), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn my_invitations(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
) -> Result<ApiJson<Invitations>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| invitations::mine(portal, &caller)).await?))
}

/// Join an organization to which one is invited.
#[utoipa::path(
    put, path = "/api/v1/me/organizations/{organization}", operation_id = "accept_invitation", tag = "organizations",
    params(("organization" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn accept(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(organization): ApiPath<OrganizationId>,
) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| invitations::accept(portal, &caller, organization)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Leave an organization, or say no to an invitation.
#[utoipa::path(
    delete, path = "/api/v1/me/organizations/{organization}", operation_id = "leave_organization", tag = "organizations",
    params(("organization" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn leave(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(organization): ApiPath<OrganizationId>,
) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| members::leave(portal, &caller, organization)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Offer one's organization to one of its people, in place of an offer before.
///
/// It passes when they say yes.
#[utoipa::path(
    put, path = "/api/v1/organizations/{organization}/offer", operation_id = "offer_ownership", tag = "organizations",
    params(("organization" = String, Path)), request_body = OfferOwnership,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn offer(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(organization): ApiPath<OrganizationId>,
    ApiJson(wish): ApiJson<OfferOwnership>,
) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| ownership::offer(portal, &caller, organization, &wish)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Take an offer back, or say no to it.
#[utoipa::path(
    delete, path = "/api/v1/organizations/{organization}/offer", operation_id = "end_ownership_offer", tag = "organizations",
    params(("organization" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn end_offer(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(organization): ApiPath<OrganizationId>,
) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| ownership::end_offer(portal, &caller, organization)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The organizations that are offered to oneself.
#[utoipa::path(
    get, path = "/api/v1/me/offers", operation_id = "list_own_offers", tag = "organizations",
    responses((status = 200, body = OwnershipOffers), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn my_offers(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
) -> Result<ApiJson<OwnershipOffers>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| ownership::mine(portal, &caller)).await?))
}

/// Say yes: the organization is one's own from now on, and whose it was is an administrator of it.
#[utoipa::path(
    post, path = "/api/v1/me/offers/{organization}", operation_id = "accept_ownership", tag = "organizations",
    params(("organization" = String, Path)),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn accept_offer(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(organization): ApiPath<OrganizationId>,
) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| ownership::accept(portal, &caller, organization)).await?;
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
