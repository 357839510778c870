//! One's own password and tokens; for admins, any master's tokens.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse, Redirect};
use axum::{Router, routing};
use jiff::{Timestamp, ToSpan as _};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Errors};
use super::gate;
use super::icon::Icon;
use super::layout::{Failure, Here, after, csrf, done, page, shown_once, time};
use super::masters::wish;
use super::second;
use super::visitor::{Fields, Sent, Visitor, encoded};
use super::{Answer, Panel, Shared};
use crate::admin::operations::{self, masters, tokens};
use crate::admin::problem::{Kind, Problem};
use crate::directory::{TokenId, View as _};
use crate::mail::{Name, Secret};

/// How long a token may be good for, in days; nothing for ever.
const LIVES: [(&str, &str); 4] = [("90", "90 days"), ("30", "30 days"), ("365", "a year"), ("", "for ever")];

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new()
        .route("/account", routing::get(show))
        .route("/account/password", routing::post(set_password))
        .route("/account/second/new", routing::post(second::begin))
        .route("/account/second", routing::post(second::set_up))
        .route("/account/second/off", routing::post(second::turn_off))
        .route("/account/tokens", routing::post(add_token))
        .route("/account/tokens/{id}", routing::post(remove_token))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    master: String,
    done: String,
    about: String,
}

/// What stands in the forms of the page.
#[derive(Default)]
struct Forms {
    master: Option<Name>,
    message: Option<Markup>,
    fields: Fields,
    errors: Errors,
    second: Errors,
}

async fn show(visitor: Visitor, Query(asked): Query<Asked>) -> Answer {
    let fields = Fields::of([("life", "90".to_owned())]);
    let state = Forms { fields, master: master(&asked.master)?, message: Some(done(&asked.done, &asked.about)), ..Forms::default() };
    Ok(whole(&visitor, &state).await?.into_response())
}

/// The master whose tokens are meant; none for one's own.
fn master(text: &str) -> Result<Option<Name>, Failure> {
    let parsed = Some(text).filter(|text| !text.is_empty()).map(Name::parse).transpose();
    parsed.map_err(|error| Problem::new(Kind::NoSuchAccount, error.to_string()).into())
}

async fn whole(visitor: &Visitor, state: &Forms) -> Result<Markup, Failure> {
    let whose = state.master.clone().filter(|master| master != visitor.name());
    let wanted = tokens::Whose { master: whose.clone() };
    let tokens = visitor.run(move |context, caller| tokens::list(context, caller, wanted)).await?;
    let own = visitor.name().clone();
    let is_set = visitor.run(move |context, _| operations::second::is_set(context, &own)).await?;
    let title = whose.as_ref().map_or_else(|| "Your account".to_owned(), |name| format!("Tokens of {name}"));
    let body = html! {
        div.title { h1 { (title) } @if whose.is_none() { p { "You are logged in as " strong { (visitor.name()) } "." } } }
        @if let Some(message) = &state.message { (message) }
        @if whose.is_none() { (password_form(visitor, state)) (second::section(visitor, is_set, &state.second)) }
        (tokens_section(visitor, state, whose.as_ref(), &tokens))
    };
    Ok(page(visitor, Here::Account, &title, &body))
}

fn password_form(visitor: &Visitor, state: &Forms) -> Markup {
    html! {
        section.entry aria-labelledby="password-title" {
            h2 #password-title { "Password" }
            form method="post" action="/account/password" {
                (csrf(visitor))
                (state.errors.general())
                input type="hidden" name="username" autocomplete="username" value=(visitor.name());
                div.fields {
                    (form::password("current", "Present password", &state.errors).autocomplete("current-password").required())
                    (form::password("password", "New password", &state.errors).autocomplete("new-password").required().hint("6 characters at least, no spaces."))
                    (form::password("again", "New password, again", &state.errors).autocomplete("new-password").required())
                }
                div.buttons { button.primary type="submit" { "Change password" } p.hint { "Every other session of yours ends." } }
            }
        }
    }
}

fn tokens_section(visitor: &Visitor, state: &Forms, whose: Option<&Name>, tokens: &[tokens::Shown]) -> Markup {
    let lives = LIVES.map(|(value, words)| (value.to_owned(), words.to_owned())).into();
    html! {
        section.entry #tokens aria-labelledby="tokens-title" {
            h2 #tokens-title { "Tokens" }
            p { "A program uses the " a href="/api/openapi.json" { "HTTP API" } " with a token, and has the rights of its master." }
            form method="post" action="/account/tokens" {
                (csrf(visitor))
                @if let Some(master) = whose { input type="hidden" name="master" value=(master); }
                div.fields {
                    (form::text("label", "What it is for", &state.fields, &state.errors).required().placeholder("nightly backup"))
                    (form::choice("life", "Good for", lives, &state.fields, &state.errors).class("narrow"))
                }
                div.buttons { button type="submit" { (Icon::Add) "Make a token" } }
            }
        }
        @if !tokens.is_empty() {
            table.cards {
                caption.hidden { "Tokens" }
                thead { tr { th scope="col" { "Token" } th scope="col" { "For" } th scope="col" { "Made" } th scope="col" { "Good until" }
                    th scope="col" { "Last used" } th scope="col" { span.hidden { "Actions" } } } }
                tbody { @for token in tokens { (line(visitor, whose, token)) } }
            }
        }
    }
}

fn line(visitor: &Visitor, whose: Option<&Name>, token: &tokens::Shown) -> Markup {
    html! {
        tr {
            th.address scope="row" data-label="Token" { (token.id) }
            td data-label="For" { bdi { (token.label) } }
            td data-label="Made" { (time(token.created)) }
            td data-label="Good until" {
                @if let Some(at) = token.expires { (time(at)) @if at <= Timestamp::now() { " " span.chip.warn { "expired" } } } @else { span.faint { "for ever" } }
            }
            td data-label="Last used" { @if let Some(at) = token.last_used { (time(at)) } @else { span.faint { "never" } } }
            td.actions {
                form method="post" action={ "/account/tokens/" (token.id) } {
                    (csrf(visitor))
                    @if let Some(master) = whose { input type="hidden" name="master" value=(master); }
                    button.danger type="submit" aria-label={ "Remove the token " (token.label) } { (Icon::Delete) "Remove" }
                }
            }
        }
    }
}

/// The page with what is wrong with a code.
pub async fn with_errors(visitor: &Visitor, problem: &Problem) -> Result<Markup, Failure> {
    whole(visitor, &Forms { second: second::errors(problem), ..Forms::default() }).await
}

async fn set_password(State(panel): Shared, Sent { visitor, fields }: Sent) -> Answer {
    let mut errors = Errors::default();
    let wish = wish(&fields, "password", &mut errors);
    if fields.get("password") != fields.get("again") {
        errors.note::<(), _>("again", Err("It is not the same."));
    }
    if errors.is_empty() {
        let current = Secret::given(fields.get("current").to_owned());
        let known = panel.login.by_password(visitor.name().as_str(), current, visitor.client.address).await;
        let wrong = |problem: Problem| {
            if problem.kind == Kind::NotLoggedIn { "This is not your present password.".to_owned() } else { problem.detail }
        };
        errors.note("current", known.map_err(wrong));
    }
    if !errors.is_empty() {
        let state = Forms { errors, ..Forms::default() };
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, whole(&visitor, &state).await?).into_response());
    }
    let name = visitor.name().clone();
    let changed = visitor.run(move |context, caller| {
        masters::set_password(context, caller, &name, wish)?;
        Ok(context.directory.snapshot().master(&name)?)
    });
    match changed.await {
        Ok(Some(master)) => {
            // A new session under the new password; all others have ended with the old one.
            panel.login.sessions.end(&visitor.cookie);
            let cookie = gate::begin(&panel, &master, visitor.client.encrypted);
            Ok(([(SET_COOKIE, cookie)], Redirect::to(&after("/account", "password", visitor.name().as_str()))).into_response())
        }
        Ok(None) => Ok(Redirect::to("/login").into_response()),
        Err(problem) => {
            let state = Forms { errors: Errors::of(&problem, &["password"]), ..Forms::default() };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, whole(&visitor, &state).await?).into_response())
        }
    }
}

async fn add_token(Sent { visitor, fields }: Sent) -> Answer {
    let master = master(fields.get("master"))?;
    let days = fields.given("life").and_then(|days| days.parse::<i64>().ok());
    let expires = days.and_then(|days| Timestamp::now().checked_add((days * 24).hours()).ok());
    let new = tokens::New { label: fields.get("label").to_owned(), expires, master: master.clone() };
    match visitor.run(move |context, caller| tokens::add(context, caller, new)).await {
        Ok(made) => {
            let message = made.token.map(|token| shown_once(&format!("The token for {}:", made.label), &token));
            Ok(whole(&visitor, &Forms { master, message, ..Forms::default() }).await?.into_response())
        }
        Err(problem) => {
            let errors = Errors::one("label", problem.detail);
            let state = Forms { master, fields, errors, ..Forms::default() };
            Ok((StatusCode::UNPROCESSABLE_ENTITY, whole(&visitor, &state).await?).into_response())
        }
    }
}

async fn remove_token(Path(id): Path<String>, Sent { visitor, fields }: Sent) -> Answer {
    let id = TokenId::parse(&id).map_err(|error| Problem::new(Kind::NoSuchToken, error.to_string()))?;
    let master = master(fields.get("master"))?;
    let whose = tokens::Whose { master: master.clone() };
    let removed = visitor.run(move |context, caller| tokens::remove(context, caller, whose, id)).await?;
    let place = master.map_or_else(String::new, |master| format!("&master={}", encoded(master.as_str())));
    Ok(Redirect::to(&(after("/account", "removed", &removed.label) + &place)).into_response())
}
