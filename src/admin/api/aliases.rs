//! `/aliases`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::Deserialize;

use super::extract::{self, Condition, Path, Query, Rehearsal, Who};
use super::respond::{Answer, Created, Tagged};
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::{Match, Page, Paging, Removal, aliases};
use crate::admin::problem::Problem;
use crate::directory::{Actor, AliasKey, Switch, Target};

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/aliases", get(list).post(add))
        .route("/aliases/{address}", get(show).delete(remove))
        .route("/aliases/{address}/remove", post(remove_entries))
        .route("/aliases/{address}/enable", post(enable))
        .route("/aliases/{address}/disable", post(disable))
}

async fn list(
    context: Shared,
    Who(who): Who,
    Query(paging): Query<Paging>,
    Query(filter): Query<aliases::Filter>,
) -> Answer<Page<aliases::Shown>> {
    run(context, who, move |context, caller| aliases::list(context, caller, &paging, &filter)).await.map(Json)
}

async fn show(context: Shared, Who(who): Who, Path(address): Path<AliasKey>) -> Result<Tagged<aliases::Shown>, Problem> {
    let (revision, alias) = run(context, who, move |context, caller| aliases::show_with_revision(context, caller, &address)).await?;
    Ok(Tagged(revision, alias))
}

async fn add(context: Shared, Who(who): Who, extract::Json(new): extract::Json<aliases::New>) -> Result<Created<aliases::Shown>, Problem> {
    run(context, who, move |context, caller| aliases::add(context, caller, new)).await.map(Created)
}

async fn remove(context: Shared, Who(who): Who, Path(address): Path<AliasKey>, Query(rehearsal): Query<Rehearsal>) -> Answer<Removal> {
    run(context, who, move |context, caller| aliases::remove(context, caller, &address, rehearsal.run())).await.map(Json)
}

/// Entries to remove; at least one, so that an empty list never takes the whole alias.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entries {
    targets: Vec<Target>,
}

async fn remove_entries(
    context: Shared,
    Who(who): Who,
    Path(address): Path<AliasKey>,
    Query(rehearsal): Query<Rehearsal>,
    extract::Json(Entries { targets }): extract::Json<Entries>,
) -> Answer<Removal> {
    run(context, who, move |context, caller| aliases::remove_entries(context, caller, &address, targets, rehearsal.run())).await.map(Json)
}

async fn enable(
    context: Shared,
    Who(who): Who,
    Path(address): Path<AliasKey>,
    Condition(condition): Condition,
) -> Result<Tagged<aliases::Shown>, Problem> {
    switch(context, who, address, Switch::Enabled, condition).await
}

async fn disable(
    context: Shared,
    Who(who): Who,
    Path(address): Path<AliasKey>,
    Condition(condition): Condition,
) -> Result<Tagged<aliases::Shown>, Problem> {
    switch(context, who, address, Switch::Disabled, condition).await
}

async fn switch(
    context: Shared,
    who: Extension<Actor>,
    address: AliasKey,
    switch: Switch,
    condition: Match,
) -> Result<Tagged<aliases::Shown>, Problem> {
    let (revision, alias) = run(context, who, move |context, caller| aliases::switch(context, caller, &address, switch, condition)).await?;
    Ok(Tagged(revision, alias))
}
