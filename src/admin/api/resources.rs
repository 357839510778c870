//! `/domains`, `/masters`, `/tokens`, `/names`, `/trash`, `/audit`, `/trace`, `/deliveries`, `/health`.

use std::sync::Arc;

use aide::axum::ApiRouter;
use aide::axum::routing::{delete_with, get_with, post_with, put_with};
use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::document::about;
use super::extract::{self, Condition, Path, Query, Rehearsal, Who};
use super::respond::{Answer, Created, Tagged};
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::{Page, Paging, Removal, audit, domains, fetch, masters, names, password, second, tokens, trace, trash};
use crate::admin::problem::Problem;
use crate::directory::{Revision, TokenId, View};
use crate::mail::{Domain, Name, QueueId};
use crate::telemetry::Delivery;

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> ApiRouter<Arc<Context>> {
    owned().merge(seen())
}

/// Domains, masters, tokens.
fn owned() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route(
            "/domains",
            get_with(list_domains, about("listDomains", "Domains")).post_with(add_domain, about("addDomain", "Make a domain local")),
        )
        .api_route(
            "/domains/{domain}",
            get_with(show_domain, about("showDomain", "One domain"))
                .patch_with(edit_domain, about("editDomain", "Give a domain to another master"))
                .delete_with(delete_domain, about("deleteDomain", "Remove a domain")),
        )
        .api_route(
            "/masters",
            get_with(list_masters, about("listMasters", "Masters")).post_with(add_master, about("addMaster", "Add a master")),
        )
        .api_route(
            "/masters/{name}",
            get_with(show_master, about("showMaster", "One master")).delete_with(delete_master, about("deleteMaster", "Remove a master")),
        )
        .api_route("/masters/{name}/password", put_with(set_master_password, about("setMasterPassword", "Set a master's password")))
        .api_route(
            "/masters/{name}/second-factor",
            delete_with(reset_second, about("resetSecondFactor", "Take a master's second factor away")),
        )
        .api_route(
            "/tokens",
            get_with(list_tokens, about("listTokens", "Tokens of a master")).post_with(add_token, about("addToken", "Make a token")),
        )
        .api_route("/tokens/{id}", delete_with(remove_token, about("removeToken", "Make a token worthless")))
}

/// What can only be looked at.
fn seen() -> ApiRouter<Arc<Context>> {
    ApiRouter::new()
        .api_route("/names/{name}", get_with(show_name, about("showName", "Who has a name")))
        .api_route("/trash", get_with(list_trash, about("listTrash", "Deleted POP accounts")))
        .api_route("/audit", get_with(list_audit, about("listAudit", "Who changed what, newest first")))
        .api_route("/audit/{revision}/undo", post_with(undo, about("undoChange", "Take a change back, if nothing has come in between")))
        .api_route("/trace", get_with(show_trace, about("trace", "What RCPT says to an address, and why")))
        .api_route("/deliveries/{id}", get_with(show_delivery, about("showDelivery", "What became of a recent message")))
        .api_route("/deliveries/{id}/fetch", post_with(fetch_delivery, about("fetchDelivery", "Call for a recent message over POP3")))
        .api_route("/health", get_with(health, about("health", "Whether the server works")))
}

async fn list_domains(
    context: Shared,
    Who(who): Who,
    Query(paging): Query<Paging>,
    Query(filter): Query<domains::Filter>,
) -> Answer<Page<domains::Shown>> {
    run(context, who, move |context, caller| domains::list(context, caller, &paging, &filter)).await.map(Json)
}

async fn show_domain(context: Shared, Who(who): Who, Path(domain): Path<Domain>) -> Result<Tagged<domains::Shown>, Problem> {
    let (revision, domain) = run(context, who, move |context, caller| domains::show_with_revision(context, caller, &domain)).await?;
    Ok(Tagged(revision, domain))
}

async fn add_domain(
    context: Shared,
    Who(who): Who,
    extract::Json(new): extract::Json<domains::New>,
) -> Result<Created<domains::Shown>, Problem> {
    run(context, who, move |context, caller| domains::add(context, caller, new)).await.map(Created)
}

async fn edit_domain(
    context: Shared,
    Who(who): Who,
    Path(domain): Path<Domain>,
    Condition(condition): Condition,
    extract::Json(edit): extract::Json<domains::Edit>,
) -> Result<Tagged<domains::Shown>, Problem> {
    let (revision, domain) = run(context, who, move |context, caller| domains::edit(context, caller, &domain, edit, condition)).await?;
    Ok(Tagged(revision, domain))
}

#[derive(Deserialize, JsonSchema)]
struct Cascade {
    #[serde(default)]
    cascade: bool,
}

async fn delete_domain(
    context: Shared,
    Who(who): Who,
    Path(domain): Path<Domain>,
    Query(Cascade { cascade }): Query<Cascade>,
    Query(rehearsal): Query<Rehearsal>,
    Condition(condition): Condition,
) -> Answer<Removal> {
    run(context, who, move |context, caller| domains::delete(context, caller, &domain, cascade, rehearsal.run(), condition)).await.map(Json)
}

async fn list_masters(context: Shared, Who(who): Who, Query(paging): Query<Paging>) -> Answer<Page<masters::Shown>> {
    run(context, who, move |context, caller| masters::list(context, caller, &paging)).await.map(Json)
}

async fn show_master(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<masters::Shown> {
    run(context, who, move |context, caller| masters::show(context, caller, &name)).await.map(Json)
}

async fn add_master(
    context: Shared,
    Who(who): Who,
    extract::Json(new): extract::Json<masters::New>,
) -> Result<Created<masters::Shown>, Problem> {
    run(context, who, move |context, caller| masters::add(context, caller, new)).await.map(Created)
}

async fn set_master_password(
    context: Shared,
    Who(who): Who,
    Path(name): Path<Name>,
    extract::Json(wish): extract::Json<password::Wish>,
) -> Answer<masters::Shown> {
    run(context, who, move |context, caller| masters::set_password(context, caller, &name, wish)).await.map(Json)
}

async fn delete_master(context: Shared, Who(who): Who, Path(name): Path<Name>, Query(rehearsal): Query<Rehearsal>) -> Answer<Removal> {
    run(context, who, move |context, caller| masters::delete(context, caller, &name, rehearsal.run())).await.map(Json)
}

async fn reset_second(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<masters::Shown> {
    run(context, who, move |context, caller| second::reset(context, caller, &name)).await.map(Json)
}

async fn list_tokens(context: Shared, Who(who): Who, Query(whose): Query<tokens::Whose>) -> Answer<Vec<tokens::Shown>> {
    run(context, who, move |context, caller| tokens::list(context, caller, whose)).await.map(Json)
}

async fn add_token(
    context: Shared,
    Who(who): Who,
    extract::Json(new): extract::Json<tokens::New>,
) -> Result<Created<tokens::Shown>, Problem> {
    run(context, who, move |context, caller| tokens::add(context, caller, new)).await.map(Created)
}

async fn remove_token(
    context: Shared,
    Who(who): Who,
    Path(id): Path<TokenId>,
    Query(whose): Query<tokens::Whose>,
) -> Answer<tokens::Shown> {
    run(context, who, move |context, caller| tokens::remove(context, caller, whose, id)).await.map(Json)
}

async fn list_audit(
    context: Shared,
    Who(who): Who,
    Query(paging): Query<Paging>,
    Query(filter): Query<audit::Filter>,
) -> Answer<Page<audit::Shown>> {
    run(context, who, move |context, caller| audit::list(context, caller, &paging, &filter)).await.map(Json)
}

async fn undo(context: Shared, Who(who): Who, Path(revision): Path<Revision>) -> Answer<audit::Shown> {
    run(context, who, move |context, caller| audit::undo(context, caller, revision)).await.map(Json)
}

async fn show_name(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<names::Shown> {
    run(context, who, move |context, caller| names::show(context, caller, name)).await.map(Json)
}

async fn list_trash(context: Shared, Who(who): Who, Query(paging): Query<Paging>) -> Answer<Page<trash::Shown>> {
    run(context, who, move |context, caller| trash::list(context, caller, &paging)).await.map(Json)
}

#[derive(Deserialize, JsonSchema)]
struct Traced {
    address: String,
    from: Option<String>,
    /// As if this POP account were deleted.
    without: Option<Name>,
}

async fn show_trace(context: Shared, Who(who): Who, Query(traced): Query<Traced>) -> Answer<trace::Shown> {
    let Traced { address, from, without } = traced;
    run(context, who, move |context, caller| trace::show_without(context, caller, &address, from.as_deref(), without.as_ref()))
        .await
        .map(Json)
}

async fn show_delivery(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<Delivery> {
    run(context, who, move |context, caller| trace::delivery(context, caller, id)).await.map(|found| Json((*found).clone()))
}

async fn fetch_delivery(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<Vec<fetch::Fetched>> {
    run(context, who, move |context, caller| fetch::fetch(context, caller, id)).await.map(Json)
}

/// What `GET /health` answers.
#[derive(Serialize, JsonSchema)]
struct Health {
    /// Always `ok`: a directory that cannot be read is a problem instead.
    status: &'static str,
    hostname: String,
    revision: u64,
}

async fn health(context: Shared, Who(who): Who) -> Answer<Health> {
    run(context, who, |context, _| {
        let hostname = context.rules.load().hostname.clone();
        Ok(Health { status: "ok", hostname, revision: context.directory.snapshot().revision().0 })
    })
    .await
    .map(Json)
}
