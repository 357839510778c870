//! The panel: pages made by the server, that work whole without a script.
//!
//! Owns HTML, and the way from a form to an operation and back. Promises that a page calls the same operations as command
//! line and API and adds nothing, that every form carries the token of its session, that a form that was refused comes
//! back with what was typed (never a password) and the message beside its field, and that nothing but our own style sheet
//! and script runs in it. Refuses to know the directory: what it shows is what operations answer.
//!
//! Reading order: [`visitor`] (who asks, and what a form brings), [`gate`] (in and out), [`layout`], [`form`] and [`listing`] (what
//! pages share), then a file for each entry of the menu.

mod account;
mod aliases;
mod audit;
mod chart;
mod dashboard;
mod domains;
mod form;
mod gate;
mod handling;
mod held;
mod icon;
mod layout;
mod leave;
mod listing;
mod lists;
mod log;
mod masters;
mod members;
mod pops;
mod queue;
mod removal;
mod second;
mod trace;
mod trash;
mod visitor;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, Request};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};

use self::layout::Failure;
use super::http::Client;
use super::login::Login;
use super::problem::{Kind, Problem};
use crate::server::Service;

/// Octets of one form: some fields of ten thousand characters fit.
const FORM_OCTETS: usize = 256 * 1024;

/// What a page may load and do: our own style sheet, script and pictures, and forms to ourselves.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What pages are made of.
pub struct Panel {
    login: Arc<Login>,
    service: Arc<Service>,
    /// Where test messages are sent.
    smtp: Option<SocketAddr>,
}

type Shared = axum::extract::State<Arc<Panel>>;

/// A page, or the page that says why there is none.
type Answer = Result<Response, Failure>;

/// The whole panel.
pub fn router(login: Arc<Login>, service: Arc<Service>, smtp: Option<SocketAddr>) -> Router {
    Router::new()
        .merge(gate::routes())
        .merge(dashboard::routes())
        .merge(pops::routes())
        .merge(aliases::routes())
        .merge(lists::routes())
        .merge(members::routes())
        .merge(held::routes())
        .merge(handling::routes())
        .merge(leave::routes())
        .merge(domains::routes())
        .merge(masters::routes())
        .merge(trash::routes())
        .merge(trace::routes())
        .merge(queue::routes())
        .merge(audit::routes())
        .merge(log::routes())
        .merge(account::routes())
        .route("/assets/{file}", routing::get(asset))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_way)
        .layer(DefaultBodyLimit::max(FORM_OCTETS))
        .layer(from_fn(guarded))
        .with_state(Arc::new(Panel { login, service, smtp }))
}

/// The headers that every answer carries.
async fn guarded(request: Request, next: Next) -> Response {
    let encrypted = request.extensions().get::<Client>().is_some_and(|client| client.encrypted);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [(CONTENT_SECURITY_POLICY, POLICY), (X_CONTENT_TYPE_OPTIONS, "nosniff"), (REFERRER_POLICY, "same-origin")] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if encrypted {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

/// Style sheet, script and pictures. Their address holds the version, so they are asked for once.
async fn asset(Path(file): Path<String>) -> Response {
    let (kind, text) = match file.as_str() {
        "panel.css" => ("text/css; charset=utf-8", include_str!("assets/panel.css")),
        "panel.js" => ("text/javascript; charset=utf-8", include_str!("assets/panel.js")),
        "stamp.svg" => ("image/svg+xml", include_str!("assets/stamp.svg")),
        _ => return Problem::new(Kind::NoSuchResource, format!("there is no file {file}")).into_response(),
    };
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "public, max-age=86400")], text).into_response()
}

async fn nothing_here(request: Request) -> Failure {
    let detail = format!("There is no page at {}.", request.uri().path());
    Failure::new(StatusCode::NOT_FOUND, "No such page", detail)
}

async fn not_this_way(request: Request) -> Failure {
    let detail = format!("{} is not possible at {}.", request.method(), request.uri().path());
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "Not possible here", detail)
}
