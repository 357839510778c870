//! `/pops` and `/lists`.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{get_with, post_with, put_with};
use axum::Json;
use axum::extract::State;

use super::document::about;
use super::extract::{self, Asking, Condition, Path, Query, Rehearsal, Who};
use super::respond::{Answer, Created, Tagged};
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::{Match, Page, Paging, Removal, lists, password, pops};
use crate::admin::problem::Problem;
use crate::directory;
use crate::mail::Name;

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> ApiRouter<Arc<Context>> {
    pops().merge(lists())
}

fn pops() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route("/pops", get_with(list_pops, about("listPops", "POP accounts")).post_with(add_pop, about("addPop", "Add a POP account")))
        .api_route(
            "/pops/{name}",
            get_with(show_pop, about("showPop", "One POP account"))
                .patch_with(edit_pop, about("editPop", "Change a POP account"))
                .delete_with(delete_pop, about("deletePop", "Move a POP account to the trash")),
        )
        .api_route("/pops/{name}/password", put_with(set_pop_password, about("setPopPassword", "Set a POP account's password")))
        .api_route("/pops/{name}/suspend", post_with(suspend_pop, about("suspendPop", "Refuse logins; mail is still taken")))
        .api_route("/pops/{name}/resume", post_with(resume_pop, about("resumePop", "Allow logins again")))
        .api_route("/pops/{name}/rename", post_with(rename_pop, about("renamePop", "Rename a POP account, keeping its mail")))
        .api_route("/pops/{name}/restore", post_with(restore_pop, about("restorePop", "Bring a POP account back from the trash")))
}

fn lists() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route(
            "/lists",
            get_with(list_lists, about("listLists", "List accounts")).post_with(add_list, about("addList", "Add a list account")),
        )
        .api_route(
            "/lists/{name}",
            get_with(show_list, about("showList", "One list account"))
                .patch_with(edit_list, about("editList", "Change a list account"))
                .delete_with(delete_list, about("deleteList", "Delete a list account")),
        )
}

async fn list_pops(
    context: Shared,
    Who(who): Who,
    Query(paging): Query<Paging>,
    Query(filter): Query<pops::Filter>,
) -> Answer<Page<pops::Shown>> {
    run(context, who, move |context, caller| pops::list(context, caller, &paging, &filter)).await.map(Json)
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

async fn delete_pop(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Query(rehearsal): Query<Rehearsal>,
    Condition(condition): Condition,
) -> Answer<Removal> {
    run(context, who, move |context, caller| pops::delete(context, caller, &name, rehearsal.run(), condition)).await.map(Json)
}

async fn set_pop_password(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Condition(condition): Condition,
    extract::Json(wish): extract::Json<password::Wish>,
) -> Result<Tagged<pops::Shown>, Problem> {
    let (revision, pop) = run(context, who, move |context, caller| pops::set_password(context, caller, &name, wish, condition)).await?;
    Ok(Tagged(revision, pop))
}

async fn suspend_pop(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Condition(condition): Condition,
) -> Result<Tagged<pops::Shown>, Problem> {
    set_state(context, who, name, directory::State::Suspended, condition).await
}

async fn resume_pop(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Condition(condition): Condition,
) -> Result<Tagged<pops::Shown>, Problem> {
    set_state(context, who, name, directory::State::Active, condition).await
}

async fn set_state(
    context: Shared,
    who: Asking,
    name: Name,
    state: directory::State,
    condition: Match,
) -> Result<Tagged<pops::Shown>, Problem> {
    let (revision, pop) = run(context, who, move |context, caller| pops::set_state(context, caller, &name, state, condition)).await?;
    Ok(Tagged(revision, pop))
}

async fn rename_pop(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Condition(condition): Condition,
    extract::Json(to): extract::Json<pops::Rename>,
) -> Result<Tagged<pops::Shown>, Problem> {
    let (revision, pop) = run(context, who, move |context, caller| pops::rename(context, caller, &name, to, condition)).await?;
    Ok(Tagged(revision, pop))
}

async fn restore_pop(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(which): extract::Json<pops::Restore>,
) -> Answer<pops::Restored> {
    run(context, who, move |context, caller| pops::restore(context, caller, &name, which)).await.map(Json)
}

async fn list_lists(
    context: Shared,
    Who(who): Who,
    Query(paging): Query<Paging>,
    Query(filter): Query<pops::Filter>,
) -> Answer<Page<lists::Shown>> {
    run(context, who, move |context, caller| lists::list(context, caller, &paging, &filter)).await.map(Json)
}

async fn show_list(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Result<Tagged<lists::Shown>, Problem> {
    let (revision, list) = run(context, who, move |context, caller| lists::show_with_revision(context, caller, &name)).await?;
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

async fn delete_list(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    Query(rehearsal): Query<Rehearsal>,
    Condition(condition): Condition,
) -> Answer<Removal> {
    run(context, who, move |context, caller| lists::delete(context, caller, &name, rehearsal.run(), condition)).await.map(Json)
}
