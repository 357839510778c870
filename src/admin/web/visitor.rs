//! Who asks for a page, and what a form brings.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, FromRequestParts, Request};
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};

use super::Panel;
use super::layout::Failure;
use crate::admin::context::Context;
use crate::admin::http::Client;
use crate::admin::login::sessions::Session;
use crate::admin::permission::Caller;
use crate::admin::problem::Problem;
use crate::directory::{Actor, View as _};
use crate::mail::Name;

/// Somebody who is logged in.
#[derive(Clone)]
pub struct Visitor {
    panel: Arc<Panel>,
    session: Session,
    caller: Caller,
    /// What its cookie says.
    pub cookie: String,
    /// Whence, and over what.
    pub client: Client,
}

/// Why a request is not served: to the door, or a page that says why.
pub enum Refused {
    /// Nobody is logged in: to the login, and back to this page afterwards.
    Outside(String),
    /// Something else.
    Failed(Failure),
}

impl Visitor {
    /// The master that is logged in.
    pub fn name(&self) -> &Name {
        &self.session.master
    }

    /// What its forms carry.
    pub fn csrf(&self) -> &str {
        &self.session.csrf
    }

    /// Whether everything is open to it.
    pub fn is_admin(&self) -> bool {
        self.caller.needs_admin().is_ok()
    }

    /// Runs an operation on its behalf, off the threads that serve.
    pub async fn run<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Context, &Caller) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let (context, caller) = (Arc::clone(self.panel.login.context()), self.caller.clone());
        crate::admin::login::blocking(move || operation(&context, &caller)).await
    }
}

/// The name of the cookie of a session. With TLS, browsers hold it to this host and to TLS (RFC 6265bis §4.1.3.2).
pub fn cookie_name(encrypted: bool) -> &'static str {
    if encrypted { "__Host-restante" } else { "restante" }
}

/// The value of a cookie.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    all.filter_map(|pair| pair.trim().split_once('=')).find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Whence a request came.
pub fn client(parts: &Parts) -> Client {
    let unknown = Client { address: std::net::Ipv4Addr::UNSPECIFIED.into(), encrypted: false, through: None };
    parts.extensions.get().copied().unwrap_or(unknown)
}

impl FromRequestParts<Arc<Panel>> for Visitor {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, panel: &Arc<Panel>) -> Result<Self, Refused> {
        let client = client(parts);
        // After a form that came too late, the page of the form is shown: a form cannot be sent again unseen.
        let back =
            if parts.method == Method::GET { parts.uri.path_and_query().map(ToString::to_string) } else { form_page(&parts.headers) };
        let outside = || Refused::Outside(back.clone().unwrap_or_default());
        let cookie = cookie(&parts.headers, cookie_name(client.encrypted)).ok_or_else(outside)?.to_owned();
        let session = panel.login.sessions.find(&cookie, Instant::now()).ok_or_else(outside)?;
        let (context, known) = (Arc::clone(panel.login.context()), session.clone());
        let found = crate::admin::login::blocking(move || {
            let snapshot = context.directory.snapshot();
            let Some(master) = snapshot.master(&known.master)?.filter(|master| known.belongs_to(master)) else { return Ok(None) };
            Ok(Some(Caller::of(&snapshot, Actor::Master(master.name))?.coming_from(Some(client.address))))
        });
        let Some(caller) = found.await.map_err(|problem| Refused::Failed(problem.into()))? else {
            panel.login.sessions.end(&cookie);
            return Err(outside());
        };
        Ok(Self { panel: Arc::clone(panel), session, caller, cookie, client })
    }
}

/// Where the form of this request stood.
fn form_page(headers: &HeaderMap) -> Option<String> {
    let referrer = headers.get("referer")?.to_str().ok()?;
    let (_, rest) = referrer.split_once("://")?;
    rest.find('/').and_then(|at| rest.get(at..)).map(str::to_owned)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Outside(back) if back.is_empty() || back == "/" => Redirect::to("/login").into_response(),
            Self::Outside(back) => Redirect::to(&format!("/login?next={}", encoded(&back))).into_response(),
            Self::Failed(failure) => failure.into_response(),
        }
    }
}

/// Text as a value in a query.
pub fn encoded(text: &str) -> String {
    let keep = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~');
    text.bytes().fold(String::new(), |out, octet| {
        if keep(octet) { out + (octet as char).encode_utf8(&mut [0; 4]) } else { format!("{out}%{octet:02X}") }
    })
}

/// The fields of a form, as they were typed.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Fields given from elsewhere than a form.
    pub fn of(fields: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        Self(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// What was typed into a field; nothing where it is missing.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// The same, without white space around it; none where nothing is left.
    pub fn given(&self, name: &str) -> Option<&str> {
        Some(self.get(name).trim()).filter(|value| !value.is_empty())
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }
}

/// A form that one of our own pages sent, and who sent it.
pub struct Sent {
    /// Who.
    pub visitor: Visitor,
    /// What.
    pub fields: Fields,
}

impl FromRequest<Arc<Panel>> for Sent {
    type Rejection = Refused;

    async fn from_request(request: Request, panel: &Arc<Panel>) -> Result<Self, Refused> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, panel).await?;
        let fields = read_form(Request::from_parts(parts, body)).await.map_err(Refused::Failed)?;
        if fields.get("csrf") != visitor.csrf() {
            let detail = "It came from an old page, or from another site. Nothing was changed: go back, load the page again, and repeat.";
            return Err(Refused::Failed(Failure::new(StatusCode::FORBIDDEN, "This form is out of date", detail.to_owned())));
        }
        Ok(Self { visitor, fields })
    }
}

/// The fields of a form, whoever sent it.
pub async fn read_form(request: Request) -> Result<Fields, Failure> {
    let told = |rejection: FormRejection| {
        let status = rejection.status();
        let title = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "That is too long",
            StatusCode::UNSUPPORTED_MEDIA_TYPE => "This is not a form",
            _ => "The form cannot be read",
        };
        Failure::new(status, title, rejection.body_text())
    };
    Form::<Vec<(String, String)>>::from_request(request, &()).await.map(|Form(fields)| Fields(fields)).map_err(told)
}
