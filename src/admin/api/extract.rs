//! What a request carries, with every failure told as a [`Problem`].

use std::net::IpAddr;

use axum::Extension;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::IF_MATCH;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::super::http::Client;
use super::super::operations::{Match, Run};
use super::super::problem::{Kind, Problem};
use crate::directory::{Actor, Revision};

/// A JSON body.
pub struct Json<T>(pub T);

/// The query string.
pub struct Query<T>(pub T);

/// A segment of the path that has to parse.
pub struct Path<T>(pub T);

/// Who asks.
pub struct Who(pub Asking);

/// On whose behalf, and with which address; none on this machine's socket.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub from: Option<IpAddr>,
}

/// `If-Match`.
pub struct Condition(pub Match);

/// `?dry_run=true`.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, schemars::JsonSchema)]
pub struct Rehearsal {
    #[serde(default)]
    dry_run: bool,
}

impl Rehearsal {
    /// Whether the change is carried out.
    pub fn run(self) -> Run {
        if self.dry_run { Run::Dry } else { Run::Real }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let told = |rejection: JsonRejection| match rejection {
            JsonRejection::JsonDataError(error) => Problem::new(Kind::BadValue, error.body_text()),
            JsonRejection::BytesRejection(error) if error.status() == 413 => Problem::new(Kind::TooLong, error.body_text()),
            other => Problem::new(Kind::BadRequest, other.body_text()),
        };
        // An object first: serde would take an array for a record, by the places of its fields.
        let axum::Json(object) = axum::Json::<Map<String, Value>>::from_request(request, state).await.map_err(told)?;
        serde_path_to_error::deserialize(Value::Object(object)).map(Self).map_err(at_fault)
    }
}

/// Points to the field that could not be read.
fn at_fault(error: serde_path_to_error::Error<serde_json::Error>) -> Problem {
    let path = error.path().to_string();
    let problem = Problem::new(Kind::BadValue, error.to_string());
    if path == "." { problem } else { problem.at(&path.replace('.', "/")) }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, state).await;
        query.map(|axum::extract::Query(value)| Self(value)).map_err(|error| Problem::new(Kind::BadValue, error.body_text()))
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, state).await;
        path.map(|axum::extract::Path(value)| Self(value)).map_err(|error| Problem::new(Kind::BadValue, error.body_text()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let actor = Extension::from_request_parts(parts, state).await;
        let Extension(actor) = actor.map_err(|_| Problem::forbidden("nobody is logged in on this connection".into()))?;
        Ok(Self(Asking { actor, from: parts.extensions.get::<Client>().map(|client| client.address) }))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Condition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IF_MATCH) else { return Ok(Self(Match::Any)) };
        let tag = value.to_str().unwrap_or_default();
        if tag == "*" {
            return Ok(Self(Match::Any));
        }
        // RFC 9110 §8.8.3 wants the quotes; clients that lose them mean the same.
        let revision = tag.trim_matches('"').parse().ok();
        let refused = || Problem::new(Kind::BadRequest, "If-Match: give one entity tag as it came in ETag".into());
        revision.map(|revision| Self(Match::Revision(Revision(revision)))).ok_or_else(refused)
    }
}
