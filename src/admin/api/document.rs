//! The OpenAPI 3.1 document: made from the routes themselves, so it cannot name one that is not there.

use aide::axum::ApiRouter;
use aide::generate;
use aide::openapi::{Info, OpenApi, SecurityScheme};
use aide::transform::{TransformOpenApi, TransformOperation};
use axum::http::header::CONTENT_TYPE;
use axum::{Router, routing};

/// Where it is served.
pub const PATH: &str = "/api/openapi.json";

/// The scheme by which requests over TCP say who they are.
const SCHEME: &str = "token";

const ABOUT: &str = "\
Domains, masters, POP accounts, lists and aliases of this server, the trash, tokens, the queue, the delivery log, the audit trail and traces.\n\n\
Requests carry `Authorization: Bearer TOKEN`; a token speaks for its master: an admin sees everything, an owner its own \
domains and what lives in them. Problems are RFC 9457 objects whose `type` is stable. Listings come in pages: `next`, \
where it is given, is the `after` of the next page, and a page may hold fewer records than asked for although more follow. \
Edits take the `ETag` of what was read as `If-Match`, and answer 412 when somebody else was faster.";

/// Names an operation and says what it does.
pub fn about(id: &'static str, summary: &'static str) -> impl FnOnce(TransformOperation<'_>) -> TransformOperation<'_> {
    move |operation| operation.id(id).summary(summary).security_requirement(SCHEME)
}

/// To be called before the routes are made: each is described as it is made, and its types are gathered.
pub fn begin() {
    generate::reset_context();
    generate::extract_schemas(true);
    generate::infer_responses(true);
}

/// Writes the document of these routes, and serves it beside them.
pub fn finish<S: Clone + Send + Sync + 'static>(routes: ApiRouter<S>) -> Router<S> {
    let info = Info { title: "Restante".into(), version: env!("CARGO_PKG_VERSION").into(), ..Info::default() };
    let mut document = OpenApi { info, ..OpenApi::default() };
    let router = routes.finish_api_with(&mut document, whole);
    let text = serde_json::to_string(&document).unwrap_or_default();
    router.route(PATH, routing::get(async move || -> Document { ([(CONTENT_TYPE, "application/json")], text.clone()) }))
}

type Document = ([(axum::http::HeaderName, &'static str); 1], String);

fn whole(document: TransformOpenApi<'_>) -> TransformOpenApi<'_> {
    let bearer = SecurityScheme::Http {
        scheme: "bearer".into(),
        bearer_format: None,
        description: Some("A token from `POST /tokens`, or from the panel.".into()),
        extensions: Default::default(),
    };
    document.description(ABOUT).security_scheme(SCHEME, bearer)
}
