//! Aliases. Hidden ones are not listed: they belong to their accounts.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Errors};
use super::icon::Icon;
use super::layout::{Failure, Here, after, csrf, done, page, pages, time};
use super::listing::{Row, given, refused_page, seen};
use super::removal::{self, Question};
use super::visitor::{Fields, Sent, Visitor, encoded};
use super::{Answer, Panel};
use crate::admin::operations::{Match, Page, Paging, Run, aliases};
use crate::admin::problem::{Kind, Problem};
use crate::directory::{AliasKey, Target};

const ROWS: usize = 50;

const FIELDS: [&str; 5] = ["address", "targets", "note", "expires", "domain"];

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new()
        .route("/aliases", routing::get(show).post(add))
        .route("/aliases/{address}", routing::post(edit))
        .route("/aliases/{address}/delete", routing::get(ask_delete).post(delete))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    search: String,
    target: String,
    after: Option<String>,
    edit: Option<String>,
    done: String,
    about: String,
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let row = match asked.edit.as_deref() {
        Some(address) => loaded(&visitor, address).await?,
        None => Row::of(None, Fields::of([("enabled", "yes".to_owned())])),
    };
    Ok(whole(&visitor, &asked, &row).await?.into_response())
}

async fn loaded(visitor: &Visitor, address: &str) -> Result<Row<AliasKey>, Failure> {
    let key = parsed(address)?;
    let (revision, alias) = visitor.run(move |context, caller| aliases::show_with_revision(context, caller, &key)).await?;
    if alias.hidden {
        let detail = format!("{} is the hidden alias of its account, and changes only with it.", alias.address);
        return Err(Problem::new(Kind::HiddenAlias, detail).into());
    }
    let enabled = alias.enabled.then(|| ("enabled", "yes".to_owned()));
    let fields = [
        ("targets", alias.targets.iter().map(Target::to_string).collect::<Vec<_>>().join("\n")),
        ("note", alias.note),
        ("expires", alias.expires.map(last_day).unwrap_or_default()),
    ];
    Ok(Row::of(Some((alias.address, revision)), Fields::of(fields.into_iter().chain(enabled))))
}

fn parsed(address: &str) -> Result<AliasKey, Failure> {
    AliasKey::parse(address).map_err(|error| Problem::new(Kind::NoSuchAlias, error.to_string()).into())
}

/// The last day on which it is in use.
fn last_day(expires: Timestamp) -> String {
    let moment = expires.to_zoned(TimeZone::UTC);
    moment.checked_sub(1.nanosecond()).unwrap_or(moment).date().to_string()
}

async fn whole(visitor: &Visitor, asked: &Asked, row: &Row<AliasKey>) -> Result<Markup, Failure> {
    let paging = Paging { after: asked.after.clone(), limit: Some(ROWS) };
    let target = given(&asked.target).and_then(|text| Target::parse(&text).ok());
    let filter = aliases::Filter { hidden: false, domain: None, target, search: given(&asked.search) };
    let found = visitor.run(move |context, caller| aliases::list(context, caller, &paging, &filter)).await?;
    let body = html! {
        div.title { h1 { "Aliases" } p { "An alias is an address that leads to accounts, to other addresses, or nowhere. The hidden aliases of accounts are not shown here." } }
        (done(&asked.done, &asked.about))
        (entry(visitor, row))
        (search_form(asked))
        (table(asked, &found))
    };
    Ok(page(visitor, Here::Aliases, "Aliases", &body))
}

fn entry(visitor: &Visitor, row: &Row<AliasKey>) -> Markup {
    let Row { edited, fields, errors } = row;
    let action = edited.as_ref().map_or_else(|| "/aliases".to_owned(), |(key, _)| format!("/aliases/{}", encoded(&key.to_string())));
    html! {
        section.entry #entry aria-labelledby="entry-title" {
            h2 #entry-title { @if let Some((key, _)) = edited { "Edit " (key) } @else { "Add an alias" } }
            form method="post" action=(action) {
                (csrf(visitor))
                (errors.general())
                @if let Some((_, revision)) = edited { input type="hidden" name="revision" value=(revision.0); }
                div.fields {
                    @if edited.is_none() {
                        (form::text("address", "Address", fields, errors).required().placeholder("info@example.org")
                            .hint("Or @example.org, for every address of the domain that has no alias of its own."))
                    }
                    (form::lines("targets", "Leads to", fields, errors).required().placeholder("alice\nbob@elsewhere.example")
                        .hint("One a line: an account, an address, @domain, reject:TEXT, or discard."))
                    (form::text("note", "Note", fields, errors))
                    (form::day("expires", "Last day", fields, errors).class("narrow").hint("Empty: for ever."))
                }
                div.buttons {
                    button.primary type="submit" { @if edited.is_none() { (Icon::Add) } "Update aliases" }
                    @if edited.is_some() { a.button href="/aliases" { "Cancel" } (form::tick("enabled", "In use", fields)) }
                }
            }
        }
    }
}

fn search_form(asked: &Asked) -> Markup {
    html! {
        form.search method="get" action="/aliases" role="search" {
            label.hidden for="search" { "Search aliases" }
            span.lens { (Icon::Search) }
            input #search type="search" name="search" value=(asked.search) placeholder="Part of an address, or a domain" autocomplete="off";
            label.hidden for="target" { "Only aliases that lead to" }
            input #target type="search" name="target" value=(asked.target) placeholder="Leads to: account or address" autocomplete="off";
            button type="submit" { "Search" }
            @if !asked.search.is_empty() || !asked.target.is_empty() { a.button href="/aliases" { "All" } }
        }
    }
}

fn table(asked: &Asked, found: &Page<aliases::Shown>) -> Markup {
    html! {
        div #rows data-live {
            @if found.items.is_empty() {
                p.empty { @if found.next.is_some() { "Nothing so far; the search goes on on the next page." } @else { "No alias here." } }
            } @else {
                table.cards {
                    caption.hidden { "Aliases" }
                    thead { tr { th scope="col" { "Alias" } th scope="col" { "Leads to" } th scope="col" { "Note" } th scope="col" { "Last day" }
                        th scope="col" { "Last used" } th scope="col" { span.hidden { "Actions" } } } }
                    tbody { @for alias in &found.items { (line(alias)) } }
                }
            }
            (pages("/aliases", &[("search", &asked.search), ("target", &asked.target)], asked.after.as_deref(), found.next.as_deref()))
        }
    }
}

fn line(alias: &aliases::Shown) -> Markup {
    let address = alias.address.to_string();
    let key = encoded(&address);
    html! {
        tr {
            th scope="row" data-label="Alias" {
                span.address { (address) }
                @if !alias.enabled { " " span.chip.warn { "switched off" } }
                @if alias.expires.is_some_and(|at| at <= Timestamp::now()) { " " span.chip.warn { "expired" } }
            }
            td data-label="Leads to" { ul { @for target in &alias.targets { li.address { (target) } } } }
            td data-label="Note" { bdi.note { (alias.note) } }
            td data-label="Last day" { @if let Some(at) = alias.expires { span.day { (last_day(at)) } } @else { span.faint { "for ever" } } }
            td data-label="Last used" {
                @if let Some(at) = alias.last_used { (time(at)) " " span.faint { "· " (alias.uses) "×" } } @else { span.faint { "never" } }
            }
            td.actions {
                a.iconic href={ "/aliases?edit=" (key) "#entry" } title="Edit" aria-label={ "Edit " (address) } { (Icon::Edit) }
                a.iconic href={ "/trace?address=" (key) } title="Trace" aria-label={ "Trace mail to " (address) } { (Icon::Route) }
                a.iconic.danger href={ "/aliases/" (key) "/delete" } data-ask title="Delete" aria-label={ "Delete " (address) } { (Icon::Delete) }
            }
        }
    }
}

/// The targets in a field, one a line (or after a comma).
pub(super) fn targets(fields: &Fields, name: &str, errors: &mut Errors) -> Vec<Target> {
    let texts = fields.get(name).lines().flat_map(|line| if line.contains("reject:") { vec![line] } else { line.split(',').collect() });
    texts.map(str::trim).filter(|text| !text.is_empty()).filter_map(|text| errors.note(name, Target::parse(text))).collect()
}

/// The end of the day that was given as the last one.
fn expires(fields: &Fields, errors: &mut Errors) -> Option<Timestamp> {
    let date = fields.given("expires")?;
    let end = date.parse::<Date>().and_then(|date| date.tomorrow()).and_then(|next| next.to_zoned(TimeZone::UTC));
    errors.note("expires", end.map_err(|_| "Write the day as 2030-12-31.")).map(|end| end.timestamp())
}

async fn add(Sent { visitor, fields }: Sent) -> Answer {
    let mut errors = Errors::default();
    let address = errors.note("address", AliasKey::parse(fields.get("address").trim()));
    let (targets, expires) = (targets(&fields, "targets", &mut errors), expires(&fields, &mut errors));
    if targets.is_empty() && errors.is_empty() {
        errors.note::<(), _>("targets", Err("Say where it leads."));
    }
    let (true, Some(address)) = (errors.is_empty(), address) else {
        return refused(&visitor, &Asked::default(), Row { edited: None, fields, errors }).await;
    };
    let about = address.to_string();
    let new = aliases::New { address, targets, note: fields.given("note").map(str::to_owned), expires };
    match visitor.run(move |context, caller| aliases::add(context, caller, new)).await {
        Ok(_) => Ok(Redirect::to(&after("/aliases", "added", &about)).into_response()),
        Err(problem) => {
            let field = if problem.kind == Kind::NoSuchDomain { problem.at("address") } else { problem };
            let errors = Errors::of(&field, &FIELDS);
            refused(&visitor, &Asked::default(), Row { edited: None, fields, errors }).await
        }
    }
}

async fn refused(visitor: &Visitor, asked: &Asked, row: Row<AliasKey>) -> Answer {
    Ok(refused_page(whole(visitor, asked, &row).await?))
}

async fn edit(Path(address): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let key = parsed(&address)?;
    let asked = Asked { edit: Some(key.to_string()), ..Asked::default() };
    let mut errors = Errors::default();
    let seen = seen(&fields, &mut errors);
    let (targets, expires) = (targets(&fields, "targets", &mut errors), expires(&fields, &mut errors));
    if !errors.is_empty() {
        return refused(&visitor, &asked, Row { edited: Some((key, seen)), fields, errors }).await;
    }
    let note = Some(fields.get("note").to_owned());
    let edit = aliases::Edit { targets: Some(targets), note, expires: Some(expires), enabled: Some(fields.ticked("enabled")) };
    let wanted = key.clone();
    match visitor.run(move |context, caller| aliases::edit(context, caller, &wanted, edit, Match::Revision(seen))).await {
        Ok(_) => Ok(Redirect::to(&after("/aliases", "changed", &key.to_string())).into_response()),
        Err(problem) => {
            let errors = Errors::of(&problem, &FIELDS);
            refused(&visitor, &asked, Row { edited: Some((key, seen)), fields, errors }).await
        }
    }
}

async fn ask_delete(visitor: Visitor, Path(address): Path<String>) -> Answer {
    let key = parsed(&address)?;
    let wanted = key.clone();
    let removal = visitor.run(move |context, caller| aliases::remove(context, caller, &wanted, Run::Dry, Match::Any)).await?;
    let (name, action) = (key.to_string(), format!("/aliases/{}/delete", encoded(&key.to_string())));
    let question = Question { here: Here::Aliases, kind: "the alias", name: &name, action: &action, back: "/aliases", note: "" };
    Ok(removal::ask(&visitor, &question, &removal))
}

async fn delete(Path(address): Path<String>, Sent { visitor, .. }: Sent) -> Answer {
    let key = parsed(&address)?;
    let wanted = key.clone();
    visitor.run(move |context, caller| aliases::remove(context, caller, &wanted, Run::Real, Match::Any)).await?;
    Ok(Redirect::to(&after("/aliases", "removed", &key.to_string())).into_response())
}
