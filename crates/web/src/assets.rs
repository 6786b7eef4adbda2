//! The files that pages load: one style sheet, one script, one icon. They are in the binary; their addresses carry a hash
//! of their content, so browsers keep them for ever and still see every change.

use aws_lc_rs::digest;
use axum::Router;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::LazyLock;

/// One embedded file.
#[derive(Debug)]
struct Asset {
    path: String,
    media_type: HeaderValue,
    content: &'static str,
}

static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("app", "css", "text/css; charset=utf-8", include_str!("../assets/app.css")));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("live", "js", "text/javascript; charset=utf-8", include_str!("../assets/live.js")));
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("icon", "svg", "image/svg+xml", include_str!("../assets/icon.svg")));

impl Asset {
    fn new(name: &str, ending: &str, media_type: &'static str, content: &'static str) -> Asset {
        let hash = digest::digest(&digest::SHA256, content.as_bytes());
        let short: String = hash.as_ref().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Asset {
            path: format!("/assets/{name}.{short}.{ending}"),
            media_type: HeaderValue::from_static(media_type),
            content,
        }
    }

    fn answer(&self, caching: &'static str) -> Response {
        let headers = [
            (header::CONTENT_TYPE, self.media_type.clone()),
            (header::CACHE_CONTROL, HeaderValue::from_static(caching)),
            (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        ];
        (headers, self.content).into_response()
    }
}

/// Where the style sheet is.
pub fn style_path() -> &'static str {
    &STYLE.path
}

/// Where the script module is.
pub fn script_path() -> &'static str {
    &SCRIPT.path
}

/// Where the icon is.
pub fn icon_path() -> &'static str {
    &ICON.path
}

/// Routes of all three, and `/favicon.ico` for those who ask without looking. They need no sign-in.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new().route("/favicon.ico", get(async || ICON.answer("public, max-age=86400")));
    for asset in [&STYLE, &SCRIPT, &ICON] {
        let asset: &'static Asset = asset;
        router = router.route(&asset.path, get(async || asset.answer("public, max-age=31536000, immutable")));
    }
    router
}
