//! The panel and the API on TCP, over HTTP and HTTPS at one address.
//!
//! A TLS record begins with an octet that no HTTP request begins with, so one look at the first tells which is spoken. Clear
//! text is for this machine only (where a browser, or a proxy in front, runs): others are sent to HTTPS, so that no
//! password and no token crosses a network unprotected. The certificate is that of the mail listeners.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{HOST, LOCATION};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router, routing};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

use super::context::Context;
use super::login::Login;
use super::problem::{Kind, Problem};
use super::{api, forwarded, web};
use crate::directory::View as _;
use crate::server::Service;
use crate::telemetry::Event;

/// Connections at a time.
const CONNECTIONS: usize = 512;

/// How long a client may take to send the head of its next request.
const HEAD: Duration = Duration::from_secs(60);

/// How long a client may say nothing at all before it has begun.
const FIRST_OCTET: Duration = Duration::from_secs(15);

/// How long a request under way may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait before accepting again when accepting fails (too many open files).
const PAUSE: Duration = Duration::from_millis(100);

/// The first octet of a TLS handshake record (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// Whether TLS protects what it says.
    pub encrypted: bool,
    /// The proxy that named it, if one did that may.
    pub through: Option<IpAddr>,
}

/// Binds the address.
pub async fn bind(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

/// Serves panel and API until `shutdown` ends; then lets requests under way finish.
pub async fn serve(listener: TcpListener, site: Router, service: Arc<Service>, shutdown: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (stopping, stop) = watch::channel(());
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (site, service, stop) = (site.clone(), Arc::clone(&service), stop.clone());
                    tokio::spawn(serve_connection(stream, peer.ip().to_canonical(), site, service, stop, place));
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    drop(stopping);
    let all = u32::try_from(CONNECTIONS).unwrap_or(u32::MAX);
    // Whoever holds on longer is cut off when the runtime ends.
    let _ = tokio::time::timeout(GRACE, places.acquire_many(all)).await;
}

async fn serve_connection(
    stream: TcpStream,
    address: IpAddr,
    site: Router,
    service: Arc<Service>,
    stop: watch::Receiver<()>,
    place: OwnedSemaphorePermit,
) {
    let mut first = [0];
    let seen = tokio::time::timeout(FIRST_OCTET, stream.peek(&mut first)).await;
    let Ok(Ok(1..)) = seen else { return };
    // A socket that refuses it is served all the same.
    let _ = stream.set_nodelay(true);
    if first == [HANDSHAKE] {
        match service.tls.accept(stream).await {
            Ok(stream) => speak(stream, Client { address, encrypted: true, through: None }, site, stop).await,
            Err(error) => Event::TlsFailed { client: &address.to_string(), cause: &error.to_string() }.say(),
        }
    } else {
        speak(stream, Client { address, encrypted: false, through: None }, site, stop).await;
    }
    drop(place);
}

async fn speak(stream: impl AsyncRead + AsyncWrite + Unpin, client: Client, site: Router, mut stop: watch::Receiver<()>) {
    let site = if client.encrypted || client.address.is_loopback() { site } else { Router::new().fallback(to_https) };
    let service = TowerToHyperService::new(site.layer(Extension(client)));
    let mut http = http1::Builder::new();
    let connection = http.timer(TokioTimer::new()).header_read_timeout(HEAD).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A peer that breaks off has seen what it wanted; there is nobody to tell.
        _ = connection.as_mut() => return,
        // The sender's end is the signal; there is no value to look at.
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// What is served at an address, and what it is made of.
#[derive(Clone)]
struct Site {
    api: Router,
    web: Router,
    login: Arc<Login>,
    service: Arc<Service>,
}

/// Everything, for clients that may speak. Test messages go to `smtp`.
pub fn site(context: Arc<Context>, service: Arc<Service>, smtp: Option<SocketAddr>) -> Router {
    let login = Arc::new(Login::new(Arc::clone(&context), Arc::clone(&service.logins)));
    let api = api::for_tokens(api::router(Arc::clone(&context)), Arc::clone(&login));
    let web = web::router(Arc::clone(&login), Arc::clone(&service), smtp);
    let naming = from_fn_with_state(context, named);
    Router::new()
        .route("/health/live", routing::get(async || "ok\n"))
        .route("/health/ready", routing::get(ready))
        .route("/metrics", routing::get(metrics))
        .fallback(api_or_panel)
        .with_state(Site { api, web, login, service })
        .layer(naming)
}

/// Puts the client that a proxy speaks for in the proxy's place.
async fn named(State(context): State<Arc<Context>>, mut request: Request, next: Next) -> Response {
    if let Some(peer) = request.extensions().get::<Client>().copied() {
        let client = forwarded::client(peer, request.headers(), &context.rules.load().proxies);
        request.extensions_mut().insert(client);
    }
    next.run(request).await
}

async fn api_or_panel(State(site): State<Site>, request: Request) -> Response {
    let router = if request.uri().path().starts_with("/api/") { site.api } else { site.web };
    router.oneshot(request).await.into_response()
}

/// Whether requests can be answered: the directory can be read.
async fn ready(State(site): State<Site>) -> Response {
    let readable = super::login::blocking(move || {
        let snapshot = site.login.context().directory.snapshot();
        Ok(snapshot.masters(None, 1).map(|_| snapshot.revision())?)
    });
    match readable.await {
        Ok(_) => "ok\n".into_response(),
        Err(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("{problem}\n")).into_response(),
    }
}

async fn metrics(State(site): State<Site>, client: Option<Extension<Client>>, headers: HeaderMap) -> Response {
    let Site { login, service, .. } = site;
    super::metrics::show(&login, service, client.map(|Extension(client)| client), &headers).await
}

/// Sends a browser on; a program is told, since its token has been read by the network already.
async fn to_https(request: Request) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let place = host.and_then(|host| HeaderValue::try_from(format!("https://{host}{}", request.uri())).ok());
    match place {
        Some(place) if *request.method() == Method::GET && !request.uri().path().starts_with("/api/") => {
            (StatusCode::PERMANENT_REDIRECT, [(LOCATION, place)]).into_response()
        }
        _ => Problem::new(Kind::Forbidden, "use HTTPS at this address; clear text is for the server's own machine".into()).into_response(),
    }
}
