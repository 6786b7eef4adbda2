//! `/api/v1/accounts`, and one's own password.

use super::{Created, Key};
use crate::front::{Front, SignedIn};
use crate::service::accounts;
use axum::extract::State;
use axum::http::StatusCode;
use leasehold_core::ids::AccountId;
use leasehold_web::extract::{ApiJson, ApiPath, ApiQuery};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{Account, AccountQuery, ChangePassword, NewAccount, Page};
use leasehold_wire::problem::Problem;

/// Accounts, or those with something in their name, address or customer number. Operators.
#[utoipa::path(
    get, path = "/api/v1/accounts", operation_id = "list_accounts", tag = "accounts", params(AccountQuery),
    responses((status = 200, body = Page<Account>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiQuery(query): ApiQuery<AccountQuery>,
) -> Result<ApiJson<Page<Account>>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| accounts::list(portal, &caller, &query)).await?))
}

/// Make an account. Operators.
#[utoipa::path(
    post, path = "/api/v1/accounts", operation_id = "create_account", tag = "accounts", request_body = NewAccount,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeat a request with the same key to have it carried out once")),
    responses((status = 201, body = Account), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn create(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    Key(key): Key,
    ApiJson(wish): ApiJson<NewAccount>,
) -> Result<Created<Account>, ApiProblem> {
    Ok(Created(front.portal().run(move |portal| accounts::create(portal, &caller, key.as_ref(), &wish)).await?))
}

/// One account. Operators, and everybody their own.
#[utoipa::path(
    get, path = "/api/v1/accounts/{account}", operation_id = "get_account", tag = "accounts", params(("account" = String, Path)),
    responses((status = 200, body = Account), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn get(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(account): ApiPath<AccountId>,
) -> Result<ApiJson<Account>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| accounts::get(portal, &caller, account)).await?))
}

/// Change one's own password. All other sign-ins of the account end.
#[utoipa::path(
    put, path = "/api/v1/me/password", operation_id = "change_password", tag = "accounts", request_body = ChangePassword,
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change_password(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiJson(wish): ApiJson<ChangePassword>,
) -> Result<StatusCode, ApiProblem> {
    front.portal().run(move |portal| accounts::change_password(portal, &caller, &wish)).await?;
    Ok(StatusCode::NO_CONTENT)
}
