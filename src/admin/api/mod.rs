//! The HTTP API: JSON in and out, under `/api/v1`. Each handler parses, calls one operation, and adds nothing.
//!
//! Problems follow RFC 9457, edits under a condition RFC 9110 §13.1.1 (`If-Match`). The identity of the caller is an
//! [`Actor`] in the request's extensions, put there by whoever accepted the connection: a request without one is refused.

mod accounts;
mod aliases;
mod exchange;
mod extract;
mod resources;
mod respond;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};

use super::context::Context;
use super::permission::Caller;
use super::problem::{Kind, Problem};
use crate::directory::Actor;

/// Octets of one request's body; only an import, which is streamed, may be longer.
pub const BODY_OCTETS: usize = 1024 * 1024;

/// The whole API, without an identity yet (see [`identified`]).
pub fn router(context: Arc<Context>) -> Router {
    let resources = Router::new().merge(resources::routes()).merge(accounts::routes()).merge(aliases::routes()).merge(exchange::routes());
    Router::new()
        .nest("/api/v1", resources)
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_way)
        .layer(DefaultBodyLimit::max(BODY_OCTETS))
        .with_state(context)
}

/// The API as one actor sees it.
pub fn identified(router: Router, actor: Actor) -> Router {
    router.layer(Extension(actor))
}

/// Runs an operation on a thread that may block.
async fn run<T: Send + 'static>(
    State(context): State<Arc<Context>>,
    Extension(actor): Extension<Actor>,
    operation: impl FnOnce(&Context, &Caller) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let work = move || {
        let caller = Caller::of(&context.directory.snapshot(), actor)?;
        operation(&context, &caller)
    };
    let gone = |error: tokio::task::JoinError| Err(Problem::new(Kind::Internal, format!("the operation broke off: {error}; see the log")));
    tokio::task::spawn_blocking(work).await.unwrap_or_else(gone)
}

async fn nothing_here(request: Request) -> Response {
    Problem::new(Kind::NoSuchResource, format!("there is nothing at {}", request.uri().path())).into_response()
}

async fn not_this_way(request: Request) -> Response {
    let detail = format!("{} is not possible at {}", request.method(), request.uri().path());
    Problem::new(Kind::NotPossible, detail).into_response()
}
