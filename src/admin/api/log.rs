//! `/log`.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::get_with;
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::document::about;
use super::extract::{Query, Who};
use super::respond::Answer;
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::{Paging, log};
use crate::ledger;

pub(super) fn routes() -> ApiRouter<Arc<Context>> {
    ApiRouter::new().api_route(
        "/log",
        get_with(list, about("listLog", "What became of messages, recipient by recipient; newest first, or what is newer")),
    )
}

#[derive(Deserialize, JsonSchema)]
struct Newer {
    /// Only rows after this one, oldest first: the `latest` or the `next` of an earlier answer.
    newer: Option<String>,
}

async fn list(
    context: State<Arc<Context>>,
    Who(who): Who,
    Query(query): Query<ledger::Query>,
    Query(paging): Query<Paging>,
    Query(Newer { newer }): Query<Newer>,
) -> Answer<log::Shown> {
    let found = run(context, who, move |context, caller| match &newer {
        Some(newer) => log::follow(context, caller, &query, newer, &paging),
        None => log::list(context, caller, &query, &paging),
    });
    found.await.map(Json)
}
