//! Leaving a list by the link in its postings (RFC 8058): nobody logs in, the signature is the permission.
//!
//! A `GET` only asks, since programs look at links on their own; a `POST` is the person's, or that of the mail program.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing;
use maud::html;

use super::icon::stamp;
use super::layout::{Failure, bare};
use super::{Answer, Panel, Shared};
use crate::admin::login::blocking;
use crate::admin::operations::held;
use crate::mail::Name;

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new().route("/leave/{list}/{member}/{signature}", routing::get(ask).post(leave))
}

type Link = Path<(String, String, String)>;

async fn ask(State(panel): Shared, Path((list, member, signature)): Link) -> Answer {
    let context = Arc::clone(panel.login.context());
    let name = parsed(&list)?;
    let found = blocking(move || held::who_leaves(&context, &name, &member, &signature)).await?;
    let Some(member) = found else { return Err(worthless()) };
    let body = html! {
        form.login method="post" {
            (stamp())
            h1 { "Leave the list" }
            p { "No more messages of the list " strong { (list) } " will come to " strong { (member) } "." }
            button.primary type="submit" name="List-Unsubscribe" value="One-Click" { "Leave" }
        }
    };
    Ok(bare("Leave the list", &body).into_response())
}

async fn leave(State(panel): Shared, Path((list, member, signature)): Link) -> Answer {
    let context = Arc::clone(panel.login.context());
    let name = parsed(&list)?;
    if !blocking(move || held::leave(&context, &name, &member, &signature)).await? {
        return Err(worthless());
    }
    Ok(left(&list))
}

fn left(list: &str) -> Response {
    let body = html! {
        div.login { (stamp()) h1 { "You have left" } p { "No more messages of the list " strong { (list) } " will come." } }
    };
    bare("You have left", &body).into_response()
}

fn parsed(list: &str) -> Result<Name, Failure> {
    Name::parse(list).map_err(|_| worthless())
}

/// The same words whatever is wrong with it: a stranger learns nothing about lists and their members.
fn worthless() -> Failure {
    let detail = "It is not from a message of a list here, or whoever it was for has left the list already.".to_owned();
    Failure::new(StatusCode::NOT_FOUND, "This link leads nowhere", detail)
}
