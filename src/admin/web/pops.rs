//! POP Accounts: the table with its entry row.

mod view;

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Json, Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::Errors;
use super::layout::{Failure, Here, after, done, page, shown_once};
use super::listing::{refused_page, seen};
use super::removal::{self, Question};
use super::visitor::{Fields, Sent, Visitor, encoded};
use super::{Answer, Panel};
use crate::admin::operations::password::Clear;
use crate::admin::operations::{Match, Paging, Run, domains, names, pops};
use crate::admin::problem::{Kind, Problem};
use crate::directory::{Revision, State as PopState, Suggestion, UNLIMITED};
use crate::mail::{Domain, Name};

pub(super) use view::domain_field;

/// Rows of one page.
const ROWS: usize = 50;

/// Domains that are offered to choose from; with more of them, the field is typed.
const DOMAINS: usize = 500;

/// The fields that a message can stand beside.
const FIELDS: [&str; 6] = ["name", "domain", "owner", "password", "quota", "state"];

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new()
        .route("/pops", routing::get(show).post(add))
        .route("/pops/{name}", routing::get(edit_row).post(edit))
        .route("/pops/{name}/delete", routing::get(ask_delete).post(delete))
        .route("/names", routing::get(is_free))
}

/// What the address of the page says.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    search: String,
    domain: String,
    after: Option<String>,
    edit: Option<String>,
    done: String,
    about: String,
}

/// What the entry row is for, and what stands in it.
struct Row {
    /// The account that is edited; none where one is added.
    edited: Option<(Name, Revision)>,
    fields: Fields,
    errors: Errors,
    suggestion: Option<Suggestion>,
    message: Markup,
}

impl Row {
    fn empty(asked: &Asked) -> Self {
        let fields = Fields::of([("domain", asked.domain.clone())]);
        Self { edited: None, fields, errors: Errors::default(), suggestion: None, message: done(&asked.done, &asked.about) }
    }

    fn refused(edited: Option<(Name, Revision)>, fields: Fields, errors: Errors) -> Self {
        Self { edited, fields, errors, suggestion: None, message: html! {} }
    }
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let row = match asked.edit.as_deref() {
        Some(name) => loaded(&visitor, name).await?,
        None => Row::empty(&asked),
    };
    Ok(whole(&visitor, &asked, &row).await?.into_response())
}

/// A link from elsewhere.
async fn edit_row(Path(name): Path<String>) -> Answer {
    Ok(Redirect::to(&format!("/pops?edit={}", encoded(parsed(&name)?.as_str()))).into_response())
}

/// The row with an account in it: all but its password, which exists nowhere.
async fn loaded(visitor: &Visitor, name: &str) -> Result<Row, Failure> {
    let name = parsed(name)?;
    let (revision, pop) = visitor.run(move |context, caller| pops::show_with_revision(context, caller, &name)).await?;
    let fields = Fields::of([
        ("name", pop.name.to_string()),
        ("domain", pop.domain.to_string()),
        ("owner", pop.owner),
        ("quota", pop.quota.map(view::quota).unwrap_or_default()),
        ("state", state_word(pop.state).to_owned()),
    ]);
    Ok(Row { edited: Some((pop.name, revision)), fields, errors: Errors::default(), suggestion: None, message: html! {} })
}

fn parsed(name: &str) -> Result<Name, Failure> {
    Name::parse(name).map_err(|error| Problem::new(Kind::NoSuchAccount, error.to_string()).into())
}

fn state_word(state: PopState) -> &'static str {
    match state {
        PopState::Active => "active",
        PopState::Suspended => "suspended",
    }
}

async fn whole(visitor: &Visitor, asked: &Asked, row: &Row) -> Result<Markup, Failure> {
    let paging = Paging { after: asked.after.clone(), limit: Some(ROWS) };
    let domain = Domain::parse(&asked.domain).ok();
    let filter = pops::Filter { domain, search: Some(asked.search.clone()).filter(|text| !text.trim().is_empty()) };
    let found = visitor.run(move |context, caller| pops::list(context, caller, &paging, &filter)).await?;
    let homes = domains_of(visitor).await?;
    let body = html! {
        div.title { h1 { "POP Accounts" } p { "A POP account holds mail until its owner calls for it." } }
        (row.message)
        (view::entry(visitor, row, &homes))
        (view::search(asked))
        (view::table(asked, &found))
    };
    Ok(page(visitor, Here::Pops, "POP Accounts", &body))
}

/// The domains that a visitor may choose from.
pub(super) async fn domains_of(visitor: &Visitor) -> Result<Vec<domains::Shown>, Failure> {
    let paging = Paging { after: None, limit: Some(DOMAINS) };
    Ok(visitor.run(move |context, caller| domains::list(context, caller, &paging, &domains::Filter::default())).await?.items)
}

async fn add(Sent { visitor, fields }: Sent) -> Answer {
    let asked = Asked::default();
    let new = match new_pop(&fields) {
        Ok(new) => new,
        Err(errors) => return refused(&visitor, &asked, Row::refused(None, fields, errors)).await,
    };
    match visitor.run(move |context, caller| pops::add(context, caller, new)).await {
        Ok(pops::Shown { name, password: Some(password), .. }) => {
            let row = Row { message: shown_once(&format!("POP account {name} was added. Its password:"), &password), ..Row::empty(&asked) };
            Ok(whole(&visitor, &asked, &row).await?.into_response())
        }
        Ok(pop) => Ok(Redirect::to(&after("/pops", "added", pop.name.as_str())).into_response()),
        Err(problem) => {
            // What to do about it stands below, with a button that does it.
            let suggestion = problem.suggestion.map(|suggestion| *suggestion);
            let detail =
                problem.detail.split_once(';').filter(|_| suggestion.is_some()).map_or(problem.detail.clone(), |(what, _)| what.to_owned());
            let errors = Errors::of(&Problem { detail, suggestion: None, ..problem }, &FIELDS);
            refused(&visitor, &asked, Row { suggestion, ..Row::refused(None, fields, errors) }).await
        }
    }
}

/// The form again, with what was typed and what is wrong with it.
async fn refused(visitor: &Visitor, asked: &Asked, row: Row) -> Answer {
    Ok(refused_page(whole(visitor, asked, &row).await?))
}

fn new_pop(fields: &Fields) -> Result<pops::New, Errors> {
    let mut errors = Errors::default();
    let name = errors.note("name", Name::parse(fields.get("name").trim()));
    let domain = errors.note("domain", Domain::parse(fields.get("domain").trim()));
    let quota = errors.note("quota", quota(fields)).flatten();
    let owner = errors.note("owner", fields.given("owner").ok_or("Say who owns it, or what it is for.")).map(str::to_owned);
    let generate = fields.ticked("generate");
    let password = Some(fields.get("password")).filter(|text| !text.is_empty() && !generate).map(|text| Clear::from(text.to_owned()));
    if password.is_none() && !generate {
        errors.note::<(), _>("password", Err("Choose a password, or have one generated."));
    }
    match (name, domain, owner) {
        (Some(name), Some(domain), Some(owner)) if errors.is_empty() => {
            Ok(pops::New { name, domain, owner, quota, password, generate, suggest: fields.ticked("suggest") })
        }
        _ => Err(errors),
    }
}

fn quota(fields: &Fields) -> Result<Option<u64>, String> {
    if fields.given("quota").is_some_and(|text| text.eq_ignore_ascii_case("unlimited")) {
        return Ok(Some(UNLIMITED));
    }
    let parsed = fields.given("quota").map(|text| text.parse::<bytesize::ByteSize>().map(|size| size.as_u64()));
    let told = |_| "Write a size such as 500 MiB or 1 GiB, or unlimited; or nothing for the server's default.".to_owned();
    match parsed.transpose().map_err(told)? {
        Some(0) => Err("A quota of 0 would refuse all mail. Leave it empty for the server's default.".into()),
        quota => Ok(quota),
    }
}

/// What an edit comes to, and what it was made of.
fn changes(fields: &Fields) -> Result<(pops::Edit, Revision), Errors> {
    let mut errors = Errors::default();
    let name = errors.note("name", Name::parse(fields.get("name").trim()));
    let domain = errors.note("domain", Domain::parse(fields.get("domain").trim()));
    let quota = errors.note("quota", quota(fields));
    let owner = errors.note("owner", fields.given("owner").ok_or("Say who owns it, or what it is for.")).map(str::to_owned);
    let revision = seen(fields, &mut errors);
    let generate = fields.ticked("generate");
    let password = Some(fields.get("password")).filter(|typed| !typed.is_empty() && !generate).map(str::to_owned);
    if let Some(typed) = &password {
        errors.note("password", crate::mail::Secret::new(typed.clone()).map(drop));
    }
    let state = Some(if fields.get("state") == "suspended" { PopState::Suspended } else { PopState::Active });
    let (keep_alias, password) = (fields.ticked("keep_alias"), password.map(Clear::from));
    let edit = pops::Edit { domain, owner, quota, state, name, keep_alias, password, generate };
    if errors.is_empty() { Ok((edit, revision)) } else { Err(errors) }
}

async fn edit(Path(name): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let name = parsed(&name)?;
    let asked = Asked { edit: Some(name.to_string()), ..Asked::default() };
    let (revision, _) = {
        let name = name.clone();
        visitor.run(move |context, caller| pops::show_with_revision(context, caller, &name)).await?
    };
    let seen = fields.get("revision").parse().map_or(revision, Revision);
    let (wanted, seen) = match changes(&fields) {
        Ok(wanted) => wanted,
        Err(errors) => return refused(&visitor, &asked, Row::refused(Some((name, seen)), fields, errors)).await,
    };
    let before = name.clone();
    match visitor.run(move |context, caller| pops::edit(context, caller, &before, wanted, Match::Revision(seen))).await {
        Ok((_, pops::Shown { name, password: Some(password), .. })) => {
            let asked = Asked::default();
            let row = Row { message: shown_once(&format!("{name} was changed. Its new password:"), &password), ..Row::empty(&asked) };
            Ok(whole(&visitor, &asked, &row).await?.into_response())
        }
        Ok((_, pop)) => Ok(Redirect::to(&after("/pops", "changed", pop.name.as_str())).into_response()),
        Err(problem) => {
            let errors = Errors::of(&problem, &FIELDS);
            refused(&visitor, &asked, Row::refused(Some((name, seen)), fields, errors)).await
        }
    }
}

async fn ask_delete(visitor: Visitor, Path(name): Path<String>) -> Answer {
    let name = parsed(&name)?;
    let wanted = name.clone();
    let removal = visitor.run(move |context, caller| pops::delete(context, caller, &wanted, Run::Dry, Match::Any)).await?;
    let question = Question {
        here: Here::Pops,
        kind: "the POP account",
        name: name.as_str(),
        action: &format!("/pops/{name}/delete"),
        back: "/pops",
        note: "The account and its mail stay in the trash for a while, and can be brought back from there.",
    };
    Ok(removal::ask(&visitor, &question, &removal))
}

async fn delete(Path(name): Path<String>, Sent { visitor, .. }: Sent) -> Answer {
    let name = parsed(&name)?;
    let wanted = name.clone();
    visitor.run(move |context, caller| pops::delete(context, caller, &wanted, Run::Real, Match::Any)).await?;
    Ok(Redirect::to(&after("/pops", "deleted", name.as_str())).into_response())
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    name: String,
}

/// Whether a name can be had, for the script: asked while it is typed.
async fn is_free(visitor: Visitor, Query(Wanted { name }): Query<Wanted>) -> Response {
    let (free, words) = match Name::parse(name.trim()) {
        Err(error) => (false, error.to_string()),
        Ok(name) => match visitor.run(move |context, caller| names::show(context, caller, name)).await {
            Ok(names::Shown { holder: Some(kind), name, .. }) => (false, format!("`{name}` is taken by a {kind}.")),
            Ok(names::Shown { name, .. }) => (true, format!("`{name}` is free.")),
            Err(problem) => (false, problem.detail),
        },
    };
    Json(serde_json::json!({ "free": free, "words": words })).into_response()
}
