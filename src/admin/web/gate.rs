//! Logging in and out.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Query, Request, State};
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Router, routing};
use maud::{Markup, html};
use serde::Deserialize;

use super::form::{self, Errors};
use super::icon::stamp;
use super::layout::{Failure, bare};
use super::visitor::{Fields, Sent, Visitor, client, cookie, cookie_name, read_form};
use super::{Answer, Panel, Shared};
use crate::admin::login::sessions::random_text;
use crate::admin::problem::Kind;
use crate::directory::Master;
use crate::mail::Secret;

/// The cookie of the login form: the form repeats it, so another site cannot log a visitor in as somebody else.
const FORM_COOKIE: &str = "restante-login";

pub(super) fn routes() -> Router<Arc<Panel>> {
    Router::new()
        .route("/login", routing::get(show).post(log_in))
        .route("/login/code", routing::post(show_code))
        .route("/logout", routing::post(log_out))
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn show(visitor: Option<InsideAlready>, headers: HeaderMap, Query(Next { next }): Query<Next>) -> Response {
    if visitor.is_some() {
        return Redirect::to("/").into_response();
    }
    let known = cookie(&headers, FORM_COOKIE).filter(|value| value.len() == 64 && value.bytes().all(|octet| octet.is_ascii_hexdigit()));
    let token = known.map_or_else(random_text, str::to_owned);
    let notice = (!next.is_empty()).then_some("Log in to go on. What you had begun is not lost: nothing was changed yet.");
    let fields = Fields::of([("next", next)]);
    let page = bare("Log in", &login_form(&fields, &Errors::default(), &token, notice));
    let cookie = format!("{FORM_COOKIE}={token}; Path=/login; HttpOnly; SameSite=Strict");
    ([(SET_COOKIE, cookie)], page).into_response()
}

/// A visitor, where one may be missing.
struct InsideAlready;

impl axum::extract::OptionalFromRequestParts<Arc<Panel>> for InsideAlready {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        panel: &Arc<Panel>,
    ) -> Result<Option<Self>, std::convert::Infallible> {
        let visitor = <Visitor as axum::extract::FromRequestParts<Arc<Panel>>>::from_request_parts(parts, panel).await;
        Ok(visitor.ok().map(|_| Self))
    }
}

fn login_form(fields: &Fields, errors: &Errors, token: &str, notice: Option<&str>) -> Markup {
    html! {
        form.login method="post" action="/login" {
            (stamp())
            h1 { "Restante" }
            p.motto { "Mail that is held until it is called for." }
            @if let Some(notice) = notice { p.notice role="status" { (notice) } }
            (errors.general())
            input type="hidden" name="csrf" value=(token);
            input type="hidden" name="next" value=(fields.get("next"));
            (form::text("name", "Master", fields, errors).autocomplete("username").required().focused())
            (form::password("password", "Password", errors).autocomplete("current-password").required())
            button.primary type="submit" { "Log in" }
        }
    }
}

async fn log_in(State(panel): Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let client = client(&parts);
    let fields = read_login(&parts.headers, Request::from_parts(parts.clone(), body)).await?;
    let expected = fields.get("csrf").to_owned();
    let password = Secret::given(fields.get("password").to_owned());
    match panel.login.by_password(fields.get("name"), password, client.address).await {
        Ok(master) if panel.login.asks_for_code(&master).await? => {
            let token = panel.login.halfway.begin(master, Instant::now());
            let fields = Fields::of([("token", token), ("next", fields.get("next").to_owned())]);
            Ok(bare("Log in", &code_form(&fields, &Errors::default(), &expected)).into_response())
        }
        Ok(master) => Ok(inside(&panel, &master, &fields, client.encrypted)),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNAUTHORIZED);
            let errors = match problem.kind {
                Kind::NotLoggedIn | Kind::TooManyLogins => Errors::one("password", problem.detail),
                _ => Errors::one("", problem.detail),
            };
            Ok((status, bare("Log in", &login_form(&fields, &errors, &expected, None))).into_response())
        }
    }
}

fn code_form(fields: &Fields, errors: &Errors, csrf: &str) -> Markup {
    html! {
        form.login method="post" action="/login/code" {
            (stamp())
            h1 { "One more thing" }
            p { "The code that your authenticator shows, or a recovery code." }
            (errors.general())
            input type="hidden" name="csrf" value=(csrf);
            input type="hidden" name="token" value=(fields.get("token"));
            input type="hidden" name="next" value=(fields.get("next"));
            (form::text("code", "Code", &Fields::default(), errors).autocomplete("one-time-code").required().focused())
            button.primary type="submit" { "Log in" }
            p.hint { a href="/login" { "Begin again" } }
        }
    }
}

async fn show_code(State(panel): Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let client = client(&parts);
    let fields = read_login(&parts.headers, Request::from_parts(parts.clone(), body)).await?;
    match panel.login.by_code(fields.get("token"), fields.get("code").to_owned(), client.address).await {
        Ok(master) => Ok(inside(&panel, &master, &fields, client.encrypted)),
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::UNAUTHORIZED);
            let errors = Errors::one("code", problem.detail);
            Ok((status, bare("Log in", &code_form(&fields, &errors, fields.get("csrf")))).into_response())
        }
    }
}

/// The fields of a login form that one of our own pages sent.
async fn read_login(headers: &HeaderMap, request: Request) -> Result<Fields, Failure> {
    let expected = cookie(headers, FORM_COOKIE).unwrap_or_default().to_owned();
    let fields = read_form(request).await?;
    if expected.is_empty() || fields.get("csrf") != expected {
        let detail = "It is too old, or your browser keeps no cookies, which the panel needs. Open /login and try again.".to_owned();
        return Err(Failure::new(StatusCode::FORBIDDEN, "This form is out of date", detail));
    }
    Ok(fields)
}

/// Into the panel, to the page that was wanted.
fn inside(panel: &Panel, master: &Master, fields: &Fields, encrypted: bool) -> Response {
    let place = Some(fields.get("next")).filter(|next| is_local(next)).unwrap_or("/");
    ([(SET_COOKIE, begin(panel, master, encrypted))], Redirect::to(place)).into_response()
}

/// Begins a session; gives its cookie.
pub fn begin(panel: &Panel, master: &Master, encrypted: bool) -> String {
    let secure = if encrypted { "; Secure" } else { "" };
    let value = panel.login.sessions.begin(master, Instant::now());
    format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(encrypted))
}

/// Whether a page is one of ours: `//elsewhere` and `/\elsewhere` are other hosts to a browser.
fn is_local(place: &str) -> bool {
    place.starts_with('/') && !place.starts_with("//") && !place.contains('\\') && !place.chars().any(char::is_control)
}

async fn log_out(State(panel): Shared, Sent { visitor, .. }: Sent) -> Response {
    panel.login.sessions.end(&visitor.cookie);
    let gone = format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", cookie_name(visitor.client.encrypted));
    let secure = if visitor.client.encrypted { "; Secure" } else { "" };
    ([(SET_COOKIE, gone + secure)], Redirect::to("/login")).into_response()
}
