//! `/lists/{name}/members`, `/lists/{name}/held`, `/held`, and `/pops/{name}/handling`.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with, put_with};
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
use crate::admin::operations::{Page, Paging, handling, held, members};
use crate::admin::problem::{Kind, Problem};
use crate::directory::{Seat, Vacation};
use crate::mail::{Name, QueueId};

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route("/lists/{name}/members", get_with(list, about("listMembers", "Members of a list account")))
        .api_route("/lists/{name}/members/import", post_with(import, importing).layer(DefaultBodyLimit::max(members::FILE_OCTETS)))
        .api_route("/lists/{name}/members/suspend", post_with(suspend, about("suspendMember", "Send a member no postings")))
        .api_route("/lists/{name}/members/resume", post_with(resume, about("resumeMember", "Send a member postings again")))
        .merge(held_routes())
        .merge(handling_routes())
}

fn held_routes() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route("/lists/{name}/held", get_with(list_held, about("listHeld", "Postings that wait for a list's owner")))
        .api_route("/held/{id}/approve", post_with(approve, about("approvePosting", "Send a posting to the members")))
        .api_route("/held/{id}/refuse", post_with(refuse, about("refusePosting", "Throw a posting away")))
}

fn handling_routes() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route("/pops/{name}/handling", get_with(show_handling, about("showHandling", "What happens with mail beside its delivery")))
        .api_route("/pops/{name}/copies", put_with(set_copies, about("setCopies", "Say who gets copies of an account's mail")))
        .api_route(
            "/pops/{name}/vacation",
            put_with(set_vacation, about("setVacation", "Say what senders are told while the owner is away"))
                .delete_with(end_vacation, about("endVacation", "Tell senders nothing")),
        )
}

async fn list_held(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<Vec<held::Shown>> {
    run(context, who, move |context, caller| held::list(context, caller, &name)).await.map(Json)
}

async fn approve(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<Vec<held::Shown>> {
    run(context, who, move |context, caller| held::approve(context, caller, id)).await.map(Json)
}

async fn refuse(
    context: Shared,
    Who(who): Who,
    Path(id): Path<QueueId>,
    extract::Json(refusal): extract::Json<held::Refusal>,
) -> Answer<Vec<held::Shown>> {
    run(context, who, move |context, caller| held::refuse(context, caller, id, refusal)).await.map(Json)
}

async fn show_handling(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<handling::Shown> {
    run(context, who, move |context, caller| handling::show(context, caller, &name)).await.map(Json)
}

async fn set_copies(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(copies): extract::Json<handling::Copies>,
) -> Answer<handling::Shown> {
    run(context, who, move |context, caller| handling::set_copies(context, caller, &name, copies)).await.map(Json)
}

async fn set_vacation(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(vacation): extract::Json<Vacation>,
) -> Answer<handling::Shown> {
    run(context, who, move |context, caller| handling::set_vacation(context, caller, &name, Some(vacation))).await.map(Json)
}

async fn end_vacation(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<handling::Shown> {
    run(context, who, move |context, caller| handling::set_vacation(context, caller, &name, None)).await.map(Json)
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
