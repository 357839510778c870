//! `/domains`, `/masters`, `/names`, `/trash`, `/trace`, `/deliveries`, `/health`.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::extract::{self, Condition, Path, Query, Rehearsal, Who};
use super::respond::{Answer, Created, Tagged};
use super::run;
use crate::admin::context::Context;
use crate::admin::operations::{Page, Paging, Removal, domains, fetch, masters, names, password, trace, trash};
use crate::admin::problem::Problem;
use crate::directory::View;
use crate::mail::{Domain, Name, QueueId};
use crate::telemetry::Delivery;

type Shared = State<Arc<Context>>;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/domains", get(list_domains).post(add_domain))
        .route("/domains/{domain}", get(show_domain).patch(edit_domain).delete(delete_domain))
        .route("/masters", get(list_masters).post(add_master))
        .route("/masters/{name}", get(show_master).delete(delete_master))
        .route("/masters/{name}/password", put(set_master_password))
        .route("/names/{name}", get(show_name))
        .route("/trash", get(list_trash))
        .route("/trace", get(show_trace))
        .route("/deliveries/{id}", get(show_delivery))
        .route("/deliveries/{id}/fetch", post(fetch_delivery))
        .route("/health", get(health))
}

async fn list_domains(context: Shared, Who(who): Who, Query(paging): Query<Paging>) -> Answer<Page<domains::Shown>> {
    run(context, who, move |context, caller| domains::list(context, caller, &paging)).await.map(Json)
}

async fn show_domain(context: Shared, Who(who): Who, Path(domain): Path<Domain>) -> Result<Tagged<domains::Shown>, Problem> {
    let (revision, domain) = run(context, who, move |context, caller| domains::show(context, caller, &domain)).await?;
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

#[derive(Deserialize)]
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
) -> Answer<Removal> {
    run(context, who, move |context, caller| domains::delete(context, caller, &domain, cascade, rehearsal.run())).await.map(Json)
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

async fn show_name(context: Shared, Who(who): Who, Path(name): Path<Name>) -> Answer<names::Shown> {
    run(context, who, move |context, caller| names::show(context, caller, name)).await.map(Json)
}

async fn list_trash(context: Shared, Who(who): Who) -> Answer<Vec<trash::Shown>> {
    run(context, who, trash::list).await.map(Json)
}

#[derive(Deserialize)]
struct Traced {
    address: String,
    from: Option<String>,
}

async fn show_trace(context: Shared, Who(who): Who, Query(traced): Query<Traced>) -> Answer<trace::Shown> {
    run(context, who, move |context, caller| trace::show(context, caller, &traced.address, traced.from.as_deref())).await.map(Json)
}

async fn show_delivery(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<Delivery> {
    run(context, who, move |context, caller| trace::delivery(context, caller, id)).await.map(|found| Json((*found).clone()))
}

async fn fetch_delivery(context: Shared, Who(who): Who, Path(id): Path<QueueId>) -> Answer<Vec<fetch::Fetched>> {
    run(context, who, move |context, caller| fetch::fetch(context, caller, id)).await.map(Json)
}

/// What `GET /health` answers.
#[derive(Serialize)]
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
