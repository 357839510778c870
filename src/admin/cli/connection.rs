//! The way to the operations: over the server's socket if one answers there, else the same API in process.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use http_body_util::BodyExt;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tower::ServiceExt;

use super::super::api;
use super::super::context::Context;
use super::super::operations::{Page, Paging};
use super::super::problem::Problem;
use super::failure::Failure;
use crate::directory::{Actor, OpenError};

/// Opens the directory, when no server runs.
pub type Opener = Box<dyn FnOnce() -> Result<Arc<Context>, Refused> + Send>;

/// Why the directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The directory itself.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// What lies around it.
    #[error("{0}")]
    Other(String),
}

/// Where the commands of this process find the directory.
pub struct Place {
    /// The server's socket.
    pub socket: PathBuf,
    /// The spool, where a running server leaves `run.json`.
    pub spool: PathBuf,
    /// How to go without a server.
    pub open: Opener,
}

/// A way to the operations.
pub enum Connection {
    /// The running server.
    Server(PathBuf),
    /// The API in this process.
    Here(Router),
}

/// A request that has no body.
pub const NOTHING: Option<&()> = None;

impl Connection {
    /// Looks for a server, and does without if there is none.
    pub async fn find(socket: PathBuf, open: Opener) -> Result<Self, Failure> {
        match UnixStream::connect(&socket).await {
            Ok(_) => Ok(Self::Server(socket)),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(Failure::failed(format!(
                "{} may be used by root and the server's own user only; run this as one of them",
                socket.display()
            ))),
            Err(_) => Self::here(&socket, open),
        }
    }

    fn here(socket: &Path, open: Opener) -> Result<Self, Failure> {
        let told = |refused| match refused {
            Refused::Directory(OpenError::InUse) => Failure::failed(format!(
                "the directory is in use by a process that does not answer on {}; stop it, or point admin.socket at its socket",
                socket.display()
            )),
            other => Failure::failed(other.to_string()),
        };
        let context = open().map_err(told)?;
        let actor = Actor::Uid(rustix::process::geteuid().as_raw());
        Ok(Self::Here(api::identified(api::router(context), actor)))
    }

    /// Whether a server answers.
    pub fn is_server(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// Asks for a resource.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, NOTHING).await
    }

    /// Asks for every page of a resource; `show` gets each page as it comes.
    pub async fn pages<T: DeserializeOwned>(
        &self,
        path: &str,
        filter: &[(&str, String)],
        mut show: impl FnMut(Vec<T>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let mut paging = Paging::default();
        loop {
            let mut query: Vec<(&str, String)> = filter.to_vec();
            query.extend(paging.after.take().map(|after| ("after", after)));
            let page: Page<T> = self.get(&with_query(path, &query)).await?;
            show(page.items)?;
            match page.next {
                Some(next) => paging.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    /// Makes a request with a JSON body, or none, and reads the JSON answer.
    pub async fn call<B: Serialize, T: DeserializeOwned>(&self, method: Method, path: &str, body: Option<&B>) -> Result<T, Failure> {
        let body = body.map(serde_json::to_vec).transpose()?.unwrap_or_default();
        let answer = self.send(method, path, "application/json", body.into()).await?;
        Ok(serde_json::from_slice(&whole(answer).await?)?)
    }

    /// Makes a request, and gives the answer's body as it comes; a problem becomes the failure it is.
    pub async fn send(&self, method: Method, path: &str, content: &str, body: Body) -> Result<Response<Body>, Failure> {
        let request =
            Request::builder().method(method).uri(format!("/api/v1{path}")).header(HOST, "localhost").header(CONTENT_TYPE, content);
        let request = request.body(body).map_err(|error| Failure::usage(error.to_string()))?;
        let response = match self {
            Self::Here(router) => {
                let Ok(response) = router.clone().oneshot(request).await;
                response
            }
            Self::Server(socket) => over_socket(socket, request).await?,
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let problem: Problem = serde_json::from_slice(&whole(response).await?)?;
        Err(problem.into())
    }
}

async fn over_socket(socket: &Path, request: Request<Body>) -> Result<Response<Body>, Failure> {
    let lost =
        |error: &dyn std::fmt::Display| Failure::failed(format!("the server on {} broke off: {error}; see its log", socket.display()));
    let stream = UnixStream::connect(socket).await.map_err(|error| lost(&error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
    // It ends with the answer's body, whose reader hears of every failure.
    tokio::spawn(connection);
    Ok(sender.send_request(request).await.map_err(|error| lost(&error))?.map(Body::new))
}

/// The rest of an answer.
pub(super) async fn whole(response: Response<Body>) -> Result<Bytes, Failure> {
    let body = response.into_body().collect().await;
    Ok(body.map_err(|error| Failure::failed(format!("the answer broke off: {error}; see the server's log")))?.to_bytes())
}

/// One segment of a path.
pub fn segment(text: impl ToString) -> String {
    let keep = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~');
    let encode = |octet: u8| if keep(&octet) { char::from(octet).to_string() } else { format!("%{octet:02X}") };
    text.to_string().bytes().map(encode).collect()
}

/// A path with its query.
pub fn with_query(path: &str, query: &[(&str, String)]) -> String {
    let pairs: Vec<String> = query.iter().map(|(key, value)| format!("{key}={}", segment(value))).collect();
    if pairs.is_empty() { path.to_owned() } else { format!("{path}?{}", pairs.join("&")) }
}
