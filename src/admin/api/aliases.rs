//! `/aliases`.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;

use super::document::about;
use super::extract::{self, Asking, Condition, Path, Query, Rehearsal, Who};
use super::respond::{Answer, Created, Tagged};
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::{Match, Page, Paging, Removal, aliases};
use crate::admin::problem::Problem;
use crate::directory::{AliasKey, Switch, Target};

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route(
            "/aliases",
            get_with(list, about("listAliases", "Aliases")).post_with(add, about("addAlias", "Add targets to an alias, new or old")),
        )
        .api_route(
            "/aliases/{address}",
            get_with(show, about("showAlias", "One alias"))
                .patch_with(edit, about("editAlias", "Replace what is given of an alias"))
                .delete_with(remove, about("removeAlias", "Remove an alias")),
        )
        .api_route("/aliases/{address}/remove", post_with(remove_entries, about("removeEntries", "Remove targets of an alias")))
        .api_route("/aliases/{address}/enable", post_with(enable, about("enableAlias", "Switch an alias on")))
        .api_route("/aliases/{address}/disable", post_with(disable, about("disableAlias", "Switch an alias off")))
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

async fn edit(
    context: Shared,
    Who(who): Who,
    Path(address): Path<AliasKey>,
    Condition(condition): Condition,
    extract::Json(edit): extract::Json<aliases::Edit>,
) -> Result<Tagged<aliases::Shown>, Problem> {
    let (revision, alias) = run(context, who, move |context, caller| aliases::edit(context, caller, &address, edit, condition)).await?;
    Ok(Tagged(revision, alias))
}

async fn add(context: Shared, Who(who): Who, extract::Json(new): extract::Json<aliases::New>) -> Result<Created<aliases::Shown>, Problem> {
    run(context, who, move |context, caller| aliases::add(context, caller, new)).await.map(Created)
}

async fn remove(
    context: Shared,
    Who(who): Who,
    Path(address): Path<AliasKey>,
    Query(rehearsal): Query<Rehearsal>,
    Condition(condition): Condition,
) -> Answer<Removal> {
    run(context, who, move |context, caller| aliases::remove(context, caller, &address, rehearsal.run(), condition)).await.map(Json)
}

/// Entries to remove; at least one, so that an empty list never takes the whole alias.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Entries {
    #[schemars(length(min = 1))]
    targets: Vec<Target>,
}

async fn remove_entries(
    context: Shared,
    Who(who): Who,
    Path(address): Path<AliasKey>,
    Query(rehearsal): Query<Rehearsal>,
    Condition(condition): Condition,
    extract::Json(Entries { targets }): extract::Json<Entries>,
) -> Answer<Removal> {
    let removal =
        run(context, who, move |context, caller| aliases::remove_entries(context, caller, &address, targets, rehearsal.run(), condition));
    removal.await.map(Json)
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
    who: Asking,
    address: AliasKey,
    switch: Switch,
    condition: Match,
) -> Result<Tagged<aliases::Shown>, Problem> {
    let (revision, alias) = run(context, who, move |context, caller| aliases::switch(context, caller, &address, switch, condition)).await?;
    Ok(Tagged(revision, alias))
}
