//! `/pops` and `/lists`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::Deserialize;

use super::extract::{self, Condition, Path, Query, Rehearsal, Who};
use super::respond::{Answer, Created, Tagged};
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::{Page, Paging, Removal, lists, password, pops};
use crate::admin::problem::Problem;
use crate::directory;
use crate::mail::{Domain, Name};

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/pops", get(list_pops).post(add_pop))
        .route("/pops/{name}", get(show_pop).patch(edit_pop).delete(delete_pop))
        .route("/pops/{name}/password", put(set_pop_password))
        .route("/pops/{name}/suspend", post(suspend_pop))
        .route("/pops/{name}/resume", post(resume_pop))
        .route("/pops/{name}/rename", post(rename_pop))
        .route("/pops/{name}/restore", post(restore_pop))
        .route("/lists", get(list_lists).post(add_list))
        .route("/lists/{name}", get(show_list).patch(edit_list).delete(delete_list))
}

#[derive(Deserialize)]
struct InDomain {
    domain: Option<Domain>,
}

async fn list_pops(
    context: Shared,
    Who(who): Who,
    Query(paging): Query<Paging>,
    Query(filter): Query<InDomain>,
) -> Answer<Page<pops::Shown>> {
    run(context, who, move |context, caller| pops::list(context, caller, &paging, filter.domain.as_ref())).await.map(Json)
}

async fn show_pop(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Result<Tagged<pops::Shown>, Problem> {
    let (revision, pop) = run(context, who, move |context, caller| pops::show_with_revision(context, caller, &name)).await?;
    Ok(Tagged(revision, pop))
}

async fn add_pop(context: Shared, Who(who): Who, extract::Json(new): extract::Json<pops::New>) -> Result<Created<pops::Shown>, Problem> {
    run(context, who, move |context, caller| pops::add(context, caller, new)).await.map(Created)
}

async fn edit_pop(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Condition(condition): Condition,
    extract::Json(edit): extract::Json<pops::Edit>,
) -> Result<Tagged<pops::Shown>, Problem> {
    let (revision, pop) = run(context, who, move |context, caller| pops::edit(context, caller, &name, edit, condition)).await?;
    Ok(Tagged(revision, pop))
}

async fn delete_pop(context: Shared, Who(who): Who, Path(name): Path<Name>, Query(rehearsal): Query<Rehearsal>) -> Answer<Removal> {
    run(context, who, move |context, caller| pops::delete(context, caller, &name, rehearsal.run())).await.map(Json)
}

async fn set_pop_password(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(wish): extract::Json<password::Wish>,
) -> Answer<pops::Shown> {
    run(context, who, move |context, caller| pops::set_password(context, caller, &name, wish)).await.map(Json)
}

async fn suspend_pop(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<pops::Shown> {
    run(context, who, move |context, caller| pops::set_state(context, caller, &name, directory::State::Suspended)).await.map(Json)
}

async fn resume_pop(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<pops::Shown> {
    run(context, who, move |context, caller| pops::set_state(context, caller, &name, directory::State::Active)).await.map(Json)
}

async fn rename_pop(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(to): extract::Json<pops::Rename>,
) -> Answer<pops::Shown> {
    run(context, who, move |context, caller| pops::rename(context, caller, &name, to)).await.map(Json)
}

async fn restore_pop(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(which): extract::Json<pops::Restore>,
) -> Answer<pops::Restored> {
    run(context, who, move |context, caller| pops::restore(context, caller, &name, which)).await.map(Json)
}

async fn list_lists(context: Shared, Who(who): Who, Query(paging): Query<Paging>) -> Answer<Page<lists::Shown>> {
    run(context, who, move |context, caller| lists::list(context, caller, &paging)).await.map(Json)
}

async fn show_list(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Result<Tagged<lists::Shown>, Problem> {
    let (revision, list) = run(context, who, move |context, caller| lists::show(context, caller, &name)).await?;
    Ok(Tagged(revision, list))
}

async fn add_list(context: Shared, Who(who): Who, extract::Json(new): extract::Json<lists::New>) -> Result<Created<lists::Shown>, Problem> {
    run(context, who, move |context, caller| lists::add(context, caller, new)).await.map(Created)
}

async fn edit_list(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Condition(condition): Condition,
    extract::Json(edit): extract::Json<lists::Edit>,
) -> Result<Tagged<lists::Shown>, Problem> {
    let (revision, list) = run(context, who, move |context, caller| lists::edit(context, caller, &name, edit, condition)).await?;
    Ok(Tagged(revision, list))
}

async fn delete_list(context: Shared, Who(who): Who, Path(name): Path<Name>, Query(rehearsal): Query<Rehearsal>) -> Answer<Removal> {
    run(context, who, move |context, caller| lists::delete(context, caller, &name, rehearsal.run())).await.map(Json)
}
