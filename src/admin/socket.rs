//! The API on a Unix socket, for this machine's administrators.
//!
//! The file's mode lets only the server's own user (and root) connect; the kernel's word for the peer's uid
//! (`SO_PEERCRED`) is its identity, and is checked against [`super::permission`] by every request.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::api;
use super::context::Context;
use crate::directory::Actor;

/// Connections at a time: administrators and their scripts, not the world.
const CONNECTIONS: usize = 64;

/// How long a request under way may take to end when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// How long to wait before accepting again when accepting fails (too many open files).
const PAUSE: Duration = Duration::from_millis(100);

/// Binds the socket, with mode 0600. One that a killed server left behind is removed; one that answers is an error.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                format!("{} exists and is not a socket; remove it, or set admin.socket", path.display()),
            ));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, format!("another server answers on {}; stop it first", path.display())));
        }
        Ok(_) => std::fs::remove_file(path)?,
        Err(_) => {}
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves the API until `shutdown` ends; then lets requests under way finish.
pub async fn serve_socket(listener: UnixListener, context: Arc<Context>, shutdown: impl Future<Output = ()>) {
    let router = api::router(context);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (stopping, stop) = tokio::sync::watch::channel(());
    let accepting = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (router, mut stop) = (router.clone(), stop.clone());
                    tokio::spawn(async move {
                        // The sender's end is the signal; there is no value to look at.
                        let stopped = async move { while stop.changed().await.is_ok() {} };
                        serve_connection(stream, router, stopped).await;
                        drop(place);
                    });
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

async fn serve_connection(stream: UnixStream, router: Router, stopped: impl Future<Output = ()>) {
    let Ok(peer) = stream.peer_cred() else { return };
    let service = TowerToHyperService::new(api::identified(router, Actor::Uid(peer.uid())));
    let mut http = http1::Builder::new();
    let connection = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    tokio::select! {
        // A peer that breaks off has seen what it wanted; there is nobody to tell.
        _ = connection.as_mut() => return,
        () = stopped => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
