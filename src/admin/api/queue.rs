//! `/queue`.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::Json;
use axum::extract::State;

use super::document::about;
use super::extract::{Asking, Path, Query, Who};
use super::respond::Answer;
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::queue::{self, Action, Report};
use crate::admin::operations::{Page, Paging};
use crate::mail::QueueId;

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route("/queue", get_with(list, about("listQueue", "Messages that wait, oldest first")))
        .api_route("/queue/summary", get_with(summary, about("showQueue", "How much waits, and for whom")))
        .api_route("/queue/retry", post_with(retry_all, about("retryQueue", "Try everything that waits now")))
        .api_route(
            "/queue/{id}",
            get_with(show, about("showQueued", "One message that waits"))
                .delete_with(cancel, about("cancelQueued", "Remove a message; its sender is told, unless `report` is false")),
        )
        .api_route("/queue/{id}/retry", post_with(retry, about("retryQueued", "Try a message now")))
        .api_route("/queue/{id}/hold", post_with(hold, about("holdQueued", "Try a message no more until it is released")))
        .api_route("/queue/{id}/release", post_with(release, about("releaseQueued", "Try a message that was held")))
}

async fn list(
    context: Shared,
    Who(who): Who,
    Query(paging): Query<Paging>,
    Query(filter): Query<queue::Filter>,
) -> Answer<Page<queue::Shown>> {
    run(context, who, move |context, caller| queue::list(context, caller, &paging, &filter)).await.map(Json)
}

async fn summary(context: Shared, Who(who): Who) -> Answer<queue::Summary> {
    run(context, who, queue::summary).await.map(Json)
}

async fn retry_all(context: Shared, Who(who): Who) -> Answer<queue::Changed> {
    run(context, who, queue::retry_all).await.map(Json)
}

async fn show(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<queue::Shown> {
    run(context, who, move |context, caller| queue::show(context, caller, id)).await.map(Json)
}

/// `?report=false`.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, schemars::JsonSchema)]
struct Cancellation {
    /// Whether its sender is told.
    report: Option<bool>,
}

async fn cancel(context: Shared, Who(who): Who, Path(id): Path<QueueId>, Query(asked): Query<Cancellation>) -> Answer<queue::Changed> {
    let report = if asked.report == Some(false) { Report::Nobody } else { Report::Sender };
    run(context, who, move |context, caller| queue::cancel(context, caller, id, report)).await.map(Json)
}

async fn retry(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<queue::Changed> {
    act(context, who, id, Action::Retry).await
}

async fn hold(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<queue::Changed> {
    act(context, who, id, Action::Hold).await
}

async fn release(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<queue::Changed> {
    act(context, who, id, Action::Release).await
}

async fn act(context: Shared, who: Asking, id: QueueId, action: Action) -> Answer<queue::Changed> {
    run(context, who, move |context, caller| queue::act(context, caller, id, action)).await.map(Json)
}
