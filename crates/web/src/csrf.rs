//! Refuses requests that change something and that another web site made a browser send (`Sec-Fetch-Site`, then `Origin`
//! against `Host`). For everything that a cookie can authenticate, sign-in forms included. Programs send neither header
//! and pass; an API that goes by bearer tokens ignores cookies and needs none of this.

use crate::problem::{ApiProblem, Problem, who};
use axum::response::{IntoResponse, Response};
use tower_http::csrf::{ConfigError, CsrfLayer, ProtectionError};

/// The layer that [`layer`] makes.
pub type Guard = CsrfLayer<fn(ProtectionError) -> Response>;

/// The layer for a router of pages. `public_origin` is what browsers see in front of a proxy, such as
/// `https://licenses.example.com`: with it the check holds even if the proxy rewrites `Host`.
pub fn layer(public_origin: Option<&str>) -> Result<Guard, ConfigError> {
    let layer = CsrfLayer::new();
    let layer = match public_origin {
        Some(origin) => layer.add_trusted_origin(origin)?,
        None => layer,
    };
    Ok(layer.with_rejection_response(refuse as fn(ProtectionError) -> Response))
}

fn refuse(_: ProtectionError) -> Response {
    let problem = Problem::new(403, "CROSS_SITE", "The request came from another web site.")
        .detail("Changes are only taken from this service's own pages. Nothing was changed.")
        .next(
            "Open this service's page itself and do it there. If you are there already, the proxy in front of it must \
             pass the Host and Origin headers on unchanged.",
            who::YOU,
        );
    ApiProblem::from(problem).into_response()
}
