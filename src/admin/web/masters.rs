//! Masters: who may log in here. For admins.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Errors};
use super::icon::Icon;
use super::layout::{Failure, Here, after, csrf, done, page, pages, shown_once, time};
use super::removal::{self, Question};
use super::visitor::{Fields, Sent, Visitor};
use super::{Answer, Panel};
use crate::admin::operations::password::{Clear, Wish};
use crate::admin::operations::{Page, Paging, Run, masters};
use crate::admin::problem::{Kind, Problem};
use crate::directory::Role;
use crate::mail::Name;

const ROWS: usize = 50;

const FIELDS: [&str; 3] = ["name", "role", "password"];

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new()
        .route("/masters", routing::get(show).post(add))
        .route("/masters/{name}", routing::post(set_password))
        .route("/masters/{name}/delete", routing::get(ask_delete).post(delete))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Asked {
    after: Option<String>,
    edit: Option<String>,
    done: String,
    about: String,
}

struct Row {
    edited: Option<Name>,
    fields: Fields,
    errors: Errors,
    message: Markup,
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let edited = asked.edit.as_deref().map(parsed).transpose()?;
    let row = Row { edited, fields: Fields::default(), errors: Errors::default(), message: done(&asked.done, &asked.about) };
    Ok(whole(&visitor, &asked, &row).await?.into_response())
}

fn parsed(name: &str) -> Result<Name, Failure> {
    Name::parse(name).map_err(|error| Problem::new(Kind::NoSuchAccount, error.to_string()).into())
}

async fn whole(visitor: &Visitor, asked: &Asked, row: &Row) -> Result<Markup, Failure> {
    let paging = Paging { after: asked.after.clone(), limit: Some(ROWS) };
    let found = visitor.run(move |context, caller| masters::list(context, caller, &paging)).await?;
    let body = html! {
        div.title { h1 { "Masters" } p { "A master logs in here: an admin to everything, an owner to its own domains." } }
        (row.message)
        (entry(visitor, row))
        (table(asked, &found))
    };
    Ok(page(visitor, Here::Masters, "Masters", &body))
}

fn entry(visitor: &Visitor, row: &Row) -> Markup {
    let Row { edited, fields, errors, .. } = row;
    let action = edited.as_ref().map_or_else(|| "/masters".to_owned(), |name| format!("/masters/{name}"));
    let roles =
        [("owner", "Owner: its own domains"), ("admin", "Admin: everything")].map(|(value, words)| (value.to_owned(), words.to_owned()));
    let hint = if edited.is_some() { "Hidden: it can only be changed or reset." } else { "6 characters at least, no spaces." };
    html! {
        section.entry #entry aria-labelledby="entry-title" {
            h2 #entry-title { @if let Some(name) = edited { "A new password for " (name) } @else { "Add a master" } }
            form method="post" action=(action) {
                (csrf(visitor))
                (errors.general())
                div.fields {
                    @if edited.is_none() {
                        (form::text("name", "Name", fields, errors).required().placeholder("olivia").hint("Unique on this server.").checked_by("/names"))
                        (form::choice("role", "Role", roles.into(), fields, errors))
                    }
                    (form::password("password", "Password", errors).autocomplete("new-password").hint(hint))
                }
                div.buttons {
                    button.primary type="submit" { @if edited.is_none() { (Icon::Add) } "Update masters" }
                    @if edited.is_some() { a.button href="/masters" { "Cancel" } }
                    (form::tick("generate", "Generate the password, and show it once", fields))
                }
            }
        }
    }
}

fn table(asked: &Asked, found: &Page<masters::Shown>) -> Markup {
    html! {
        table.cards {
            caption.hidden { "Masters" }
            thead { tr { th scope="col" { "Master" } th scope="col" { "Role" } th scope="col" { "Since" } th scope="col" { span.hidden { "Actions" } } } }
            tbody { @for master in &found.items { (line(master)) } }
        }
        (pages("/masters", &[], asked.after.as_deref(), found.next.as_deref()))
    }
}

fn line(master: &masters::Shown) -> Markup {
    let name = master.name.as_str();
    html! {
        tr {
            th scope="row" data-label="Master" { strong { (name) } }
            td data-label="Role" { @match master.role { Role::Admin => span.chip.strong { "admin" }, Role::Owner => span.chip { "owner" } } }
            td data-label="Since" { (time(master.created)) }
            td.actions {
                a.iconic href={ "/account?master=" (name) } title="Tokens" aria-label={ "Tokens of " (name) } { (Icon::Bolt) }
                a.iconic href={ "/masters?edit=" (name) "#entry" } title="New password" aria-label={ "New password for " (name) } { (Icon::Key) }
                a.iconic.danger href={ "/masters/" (name) "/delete" } data-ask title="Delete" aria-label={ "Delete " (name) } { (Icon::Delete) }
            }
        }
    }
}

/// The password that a form asks for: typed, or generated.
pub(super) fn wish(fields: &Fields, field: &str, errors: &mut Errors) -> Wish {
    let (typed, generate) = (fields.get(field), fields.ticked("generate"));
    if typed.is_empty() && !generate {
        errors.note::<(), _>(field, Err("Choose a password, or have one generated."));
    }
    Wish { password: Some(typed).filter(|_| !generate).map(|text| Clear::from(text.to_owned())), generate }
}

async fn add(Sent { visitor, fields }: Sent) -> Answer {
    let mut errors = Errors::default();
    let name = errors.note("name", Name::parse(fields.get("name").trim()));
    let role = match fields.get("role") {
        "admin" => Some(Role::Admin),
        "owner" => Some(Role::Owner),
        _ => errors.note("role", Err("Choose one of these.")),
    };
    let Wish { password, generate } = wish(&fields, "password", &mut errors);
    let (Some(name), Some(role), true) = (name, role, errors.is_empty()) else { return refused(&visitor, None, fields, errors).await };
    let (about, new) = (name.to_string(), masters::New { name, role, password, generate });
    match visitor.run(move |context, caller| masters::add(context, caller, new)).await {
        Ok(made) => told(&visitor, made.password, "added", &about).await,
        Err(problem) => {
            let errors = Errors::of(&problem, &FIELDS);
            refused(&visitor, None, fields, errors).await
        }
    }
}

/// What was done, with the generated password if there is one.
async fn told(visitor: &Visitor, password: Option<String>, what: &str, about: &str) -> Answer {
    let Some(password) = password else { return Ok(Redirect::to(&after("/masters", what, about)).into_response()) };
    let message = shown_once(&format!("The password of {about}:"), &password);
    let row = Row { edited: None, fields: Fields::default(), errors: Errors::default(), message };
    Ok(whole(visitor, &Asked::default(), &row).await?.into_response())
}

async fn refused(visitor: &Visitor, edited: Option<Name>, fields: Fields, errors: Errors) -> Answer {
    let row = Row { edited, fields, errors, message: html! {} };
    Ok((StatusCode::UNPROCESSABLE_ENTITY, whole(visitor, &Asked::default(), &row).await?).into_response())
}

async fn set_password(Path(name): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let name = parsed(&name)?;
    let mut errors = Errors::default();
    let (wish, wanted) = (wish(&fields, "password", &mut errors), name.clone());
    if !errors.is_empty() {
        return refused(&visitor, Some(name), fields, errors).await;
    }
    match visitor.run(move |context, caller| masters::set_password(context, caller, &wanted, wish)).await {
        Ok(changed) => told(&visitor, changed.password, "password", name.as_str()).await,
        Err(problem) => {
            let errors = Errors::of(&problem, &FIELDS);
            refused(&visitor, Some(name), fields, errors).await
        }
    }
}

async fn ask_delete(visitor: Visitor, Path(name): Path<String>) -> Answer {
    let name = parsed(&name)?;
    let wanted = name.clone();
    let removal = visitor.run(move |context, caller| masters::delete(context, caller, &wanted, Run::Dry)).await?;
    let (action, note) = (format!("/masters/{name}/delete"), "Its sessions end, and its tokens are worthless from then on.");
    let question = Question { here: Here::Masters, kind: "the master", name: name.as_str(), action: &action, back: "/masters", note };
    Ok(removal::ask(&visitor, &question, &removal))
}

async fn delete(Path(name): Path<String>, Sent { visitor, .. }: Sent) -> Answer {
    let name = parsed(&name)?;
    let wanted = name.clone();
    visitor.run(move |context, caller| masters::delete(context, caller, &wanted, Run::Real)).await?;
    Ok(Redirect::to(&after("/masters", "removed", name.as_str())).into_response())
}
