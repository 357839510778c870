//! `/lists/{name}/members`.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use aide::openapi::{MediaType, ReferenceOr, RequestBody};
use aide::transform::TransformOperation;
use axum::Json;
use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use schemars::JsonSchema;
use serde::Deserialize;

use super::document::about;
use super::extract::{self, Path, Query, Who};
use super::respond::Answer;
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::{Page, Paging, members};
use crate::admin::problem::{Kind, Problem};
use crate::directory::Seat;
use crate::mail::Name;

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route("/lists/{name}/members", get_with(list, about("listMembers", "Members of a list account")))
        .api_route("/lists/{name}/members/import", post_with(import, importing).layer(DefaultBodyLimit::max(members::FILE_OCTETS)))
        .api_route("/lists/{name}/members/suspend", post_with(suspend, about("suspendMember", "Send a member no postings")))
        .api_route("/lists/{name}/members/resume", post_with(resume, about("resumeMember", "Send a member postings again")))
}

fn importing(mut operation: TransformOperation<'_>) -> TransformOperation<'_> {
    let content = [("text/plain".to_owned(), MediaType::default())].into_iter().collect();
    let body = RequestBody { content, required: true, ..RequestBody::default() };
    operation.inner_mut().request_body = Some(ReferenceOr::Item(body));
    about("importMembers", "Give everybody in a file a seat, one a line")(operation)
}

async fn list(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Query(paging): Query<Paging>,
    Query(filter): Query<members::Filter>,
) -> Answer<Page<members::Shown>> {
    run(context, who, move |context, caller| members::list(context, caller, &name, &paging, &filter)).await.map(Json)
}

#[derive(Deserialize, JsonSchema)]
struct Skipping {
    /// Whether the good lines count although others are bad.
    #[serde(default)]
    skip_bad: bool,
}

async fn import(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Query(Skipping { skip_bad }): Query<Skipping>,
    Lines(text): Lines,
) -> Answer<members::Report> {
    let bad = if skip_bad { members::Bad::Skip } else { members::Bad::Refuse };
    run(context, who, move |context, caller| members::import(context, caller, &name, &text, bad)).await.map(Json)
}

async fn suspend(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(which): extract::Json<members::Which>,
) -> Answer<members::Shown> {
    run(context, who, move |context, caller| members::suspend(context, caller, &name, which)).await.map(Json)
}

async fn resume(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(which): extract::Json<members::Which>,
) -> Answer<members::Shown> {
    run(context, who, move |context, caller| members::seat(context, caller, &name, which, Seat::Active)).await.map(Json)
}

/// A body of lines of text.
struct Lines(String);

impl<S: Send + Sync> FromRequest<S> for Lines {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let text = String::from_request(request, state).await;
        text.map(Self).map_err(|rejection| {
            let kind = if rejection.status() == 413 { Kind::TooLong } else { Kind::BadRequest };
            Problem::new(kind, rejection.body_text())
        })
    }
}

impl aide::operation::OperationInput for Lines {}
