//! `/api/v1/products`.

use super::{Created, Key};
use crate::front::{Front, SignedIn};
use crate::service::products;
use axum::extract::State;
use leasehold_core::ids::ProductId;
use leasehold_web::extract::{ApiJson, ApiPath, ApiQuery};
use leasehold_web::problem::ApiProblem;
use leasehold_wire::portal::{ChangeProduct, NewProduct, Page, PageQuery, Product};
use leasehold_wire::problem::Problem;

/// All products.
#[utoipa::path(
    get, path = "/api/v1/products", operation_id = "list_products", tag = "products", params(PageQuery),
    responses((status = 200, body = Page<Product>), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn list(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<Product>>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| products::list(portal, &caller, &query)).await?))
}

/// Make a product. Operators.
#[utoipa::path(
    post, path = "/api/v1/products", operation_id = "create_product", tag = "products", request_body = NewProduct,
    params(("Idempotency-Key" = Option<String>, Header, description = "Repeat a request with the same key to have it carried out once")),
    responses((status = 201, body = Product), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn create(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    Key(key): Key,
    ApiJson(wish): ApiJson<NewProduct>,
) -> Result<Created<Product>, ApiProblem> {
    Ok(Created(front.portal().run(move |portal| products::create(portal, &caller, key.as_ref(), &wish)).await?))
}

/// One product.
#[utoipa::path(
    get, path = "/api/v1/products/{product}", operation_id = "get_product", tag = "products", params(("product" = String, Path)),
    responses((status = 200, body = Product), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn get(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(product): ApiPath<ProductId>,
) -> Result<ApiJson<Product>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| products::get(portal, &caller, product)).await?))
}

/// Change a product. Operators. Documents that are already issued keep what they say.
#[utoipa::path(
    patch, path = "/api/v1/products/{product}", operation_id = "change_product", tag = "products", params(("product" = String, Path)),
    request_body = ChangeProduct,
    responses((status = 200, body = Product), (status = "default", body = Problem, content_type = "application/problem+json"))
)]
pub(super) async fn change(
    State(front): State<Front>,
    SignedIn(caller): SignedIn,
    ApiPath(product): ApiPath<ProductId>,
    ApiJson(wish): ApiJson<ChangeProduct>,
) -> Result<ApiJson<Product>, ApiProblem> {
    Ok(ApiJson(front.portal().run(move |portal| products::change(portal, &caller, product, &wish)).await?))
}
