//! What the two web fronts (portal, license server) share: the listener, problems, sessions, security headers, proxies,
//! and the look of the pages.
//!
//! Knows no route, no table and no rule of either service. A service builds an `axum::Router`, wraps its parts with
//! [`headers`], [`csrf`] and [`problem::catch_panic`], and hands it to [`listener`].

pub mod assets;
pub mod components;
pub mod csrf;
pub mod extract;
pub mod headers;
pub mod listener;
pub mod live;
pub mod page;
pub mod pins;
pub mod problem;
pub mod proxy;
pub mod session;
pub mod shutdown;
pub mod text;
pub mod tls;

pub use maud;
