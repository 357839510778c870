//! The HTTP API: JSON in and out, under `/api/v1`. Each handler parses, calls one operation, and adds nothing.
//!
//! Problems follow RFC 9457, edits under a condition RFC 9110 §13.1.1 (`If-Match`). The identity of the caller is an
//! [`Actor`] in the request's extensions, put there by whoever accepted the connection: a request without one is refused.

mod accounts;
mod aliases;
mod document;
mod exchange;
mod extract;
mod log;
mod members;
mod queue;
mod resources;
mod respond;
mod schema;

use std::sync::Arc;

use aide::axum::ApiRouter;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};

use self::extract::Asking;
use super::context::Context;
use super::login::{Login, blocking};
use super::permission::Caller;
use super::problem::{Kind, Problem};
use crate::directory::Actor;

/// Octets of one request's body; only an import, which is streamed, may be longer.
pub const BODY_OCTETS: usize = 1024 * 1024;

/// The whole API, without an identity yet (see [`identified`]).
pub fn router(context: Arc<Context>) -> Router {
    document::begin();
    let resources = resources::routes()
        .merge(accounts::routes())
        .merge(members::routes())
        .merge(aliases::routes())
        .merge(queue::routes())
        .merge(exchange::routes())
        .merge(log::routes());
    document::finish(ApiRouter::new().nest("/api/v1", resources))
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_this_way)
        .layer(DefaultBodyLimit::max(BODY_OCTETS))
        .with_state(context)
}

/// The API as one actor sees it.
pub fn identified(router: Router, actor: Actor) -> Router {
    router.layer(Extension(actor))
}

/// The API as it is seen by whoever shows a token (RFC 6750 §2.1). The document of the API is for everybody.
pub fn for_tokens(router: Router, login: Arc<Login>) -> Router {
    router.layer(from_fn_with_state(login, by_token))
}

async fn by_token(State(login): State<Arc<Login>>, mut request: Request, next: Next) -> Response {
    if request.uri().path() != document::PATH {
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let actor = match token {
            Some((_, token)) => login.by_token(token.trim().to_owned()).await,
            None => Err(Problem::new(Kind::NotLoggedIn, "say who you are: `Authorization: Bearer TOKEN`".into())),
        };
        match actor {
            Ok(actor) => request.extensions_mut().insert(actor),
            Err(problem) => return ([(WWW_AUTHENTICATE, "Bearer")], problem).into_response(),
        };
    }
    next.run(request).await
}

/// Runs an operation on a thread that may block.
async fn run<T: Send + 'static>(
    State(context): State<Arc<Context>>,
    Asking { actor, from }: Asking,
    operation: impl FnOnce(&Context, &Caller) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let work = move || {
        let caller = Caller::of(&context.directory.snapshot(), actor)?.coming_from(from);
        operation(&context, &caller)
    };
    blocking(work).await
}

async fn nothing_here(request: Request) -> Response {
    Problem::new(Kind::NoSuchResource, format!("there is nothing at {}", request.uri().path())).into_response()
}

async fn not_this_way(request: Request) -> Response {
    let detail = format!("{} is not possible at {}", request.method(), request.uri().path());
    Problem::new(Kind::NotPossible, detail).into_response()
}
