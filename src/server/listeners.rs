//! Listening sockets: made here, or handed over by systemd.
//!
//! Sockets from systemd (`LISTEN_FDS`, sd_listen_fds(3)) are served as their `FileDescriptorName=` says: `smtp`,
//! `smtp_tls`, `lmtp`, `pop3` or `pop3_tls`. One without such a name is served as the configuration says of its address; their
//! order tells nothing, since systemd promises none across units. A door that gets a socket from systemd binds none of its own.
//!
//! Accepting never stops for good: when the process or the machine has no file or memory left for another connection, the
//! loop pauses and tries again.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, io, net};

use listenfd::ListenFd;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::time;

use super::connection::{self, Door};
use super::{Listen, Service, Settings};
use crate::telemetry::Event;

/// Connections that the kernel keeps for us while we are busy. It takes no more than `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// When a silent peer is asked for a sign of life: below the idle time after which firewalls forget connections.
const KEEPALIVE: Duration = Duration::from_secs(120);

/// Pauses after a failed `accept`, growing.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Why a listener cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is not to be had.
    #[error(
        "cannot listen on {address} for {service}: {why}; see that nothing else uses it and, for a Unix socket, that its folder exists; or change {service}.listen"
    )]
    Address {
        /// The door.
        service: &'static str,
        /// As configured.
        address: String,
        /// The cause.
        why: io::Error,
    },
    /// Something answers on the Unix socket.
    #[error("another process answers on {0}; stop it, or use another path")]
    InUse(PathBuf),
    /// There is a file in the way, and it is no socket.
    #[error("{0} exists and is not a socket; remove it, or use another path")]
    InTheWay(PathBuf),
    /// Nothing tells what a socket from systemd is for.
    #[error(
        "systemd handed over a socket on {0}, and nothing tells what it is for: give its unit FileDescriptorName=smtp, smtp_tls or lmtp, or name its address in smtp.listen, smtp.listen_tls or lmtp.listen"
    )]
    Untold(String),
    /// A socket from systemd cannot be used.
    #[error("socket {index} from systemd cannot be used: {why}")]
    Inherited {
        /// Its place, from 0.
        index: usize,
        /// The cause.
        why: io::Error,
    },
}

enum Sockets {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// The file of a Unix socket that is ours: it goes with the listener.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // Whoever comes next removes it when nobody answers.
        let _ = fs::remove_file(&self.0);
    }
}

/// One socket and what is served behind it.
pub struct Listener {
    door: Door,
    sockets: Sockets,
    address: String,
    _file: Option<SocketFile>,
}

impl Listener {
    /// What is served.
    pub fn door(&self) -> Door {
        self.door
    }

    /// `127.0.0.1:2525` with the port that was chosen, or `unix:/path`.
    pub fn address(&self) -> &str {
        &self.address
    }
}

/// Sockets that systemd handed over. Taken from the environment while the process has one thread.
pub struct Inherited {
    sockets: ListenFd,
    names: Vec<String>,
}

impl Inherited {
    /// Takes them, once for each process.
    pub fn take() -> Self {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        Self { sockets: ListenFd::from_env(), names: names.split(':').map(str::to_owned).collect() }
    }

    /// None at all.
    pub fn none() -> Self {
        Self { sockets: ListenFd::empty(), names: Vec::new() }
    }

    /// What its name says that a socket is for.
    fn named(&self, index: usize) -> Option<Door> {
        match self.names.get(index).map(String::as_str) {
            Some("smtp") => Some(Door::Smtp),
            Some("smtp_tls") => Some(Door::SmtpTls),
            Some("lmtp") => Some(Door::Lmtp),
            Some("pop3") => Some(Door::Pop3),
            Some("pop3_tls") => Some(Door::Pop3Tls),
            _ => None,
        }
    }
}

/// The doors and where the configuration has them.
fn configured(settings: &Settings) -> [(Door, &[Listen]); 5] {
    [
        (Door::Smtp, &settings.smtp),
        (Door::SmtpTls, &settings.smtp_tls),
        (Door::Lmtp, &settings.lmtp),
        (Door::Pop3, &settings.pop3),
        (Door::Pop3Tls, &settings.pop3_tls),
    ]
}

/// Opens every listener, or none. Needs the runtime.
pub fn open(settings: &Settings, mut inherited: Inherited) -> Result<Vec<Listener>, ListenError> {
    let mut listeners = Vec::new();
    for index in 0..inherited.sockets.len() {
        let Some((sockets, place)) = inherit(&mut inherited, index).map_err(|why| ListenError::Inherited { index, why })? else { continue };
        let address = shown(&place);
        let told = || configured(settings).into_iter().find(|(_, places)| places.contains(&place)).map(|(door, _)| door);
        let door = inherited.named(index).or_else(told).ok_or_else(|| ListenError::Untold(address.clone()))?;
        listeners.push(Listener { door, sockets, address, _file: None });
    }
    let given: Vec<Door> = listeners.iter().map(Listener::door).collect();
    for (door, places) in configured(settings) {
        for place in places.iter().filter(|_| !given.contains(&door)) {
            listeners.push(listen(door, place)?);
        }
    }
    Ok(listeners)
}

/// A socket from systemd, and where it listens.
fn inherit(inherited: &mut Inherited, index: usize) -> io::Result<Option<(Sockets, Listen)>> {
    if let Ok(Some(listener)) = inherited.sockets.take_tcp_listener(index) {
        listener.set_nonblocking(true)?;
        let place = Listen::Tcp(listener.local_addr()?);
        return Ok(Some((Sockets::Tcp(TcpListener::from_std(listener)?), place)));
    }
    let Some(listener) = inherited.sockets.take_unix_listener(index)? else { return Ok(None) };
    listener.set_nonblocking(true)?;
    let place = Listen::Unix(listener.local_addr()?.as_pathname().map(Path::to_owned).unwrap_or_default());
    Ok(Some((Sockets::Unix(UnixListener::from_std(listener)?), place)))
}

/// A place as `run.json` and the log show it.
fn shown(place: &Listen) -> String {
    match place {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}

fn listen(door: Door, place: &Listen) -> Result<Listener, ListenError> {
    let service = door.name();
    match place {
        Listen::Tcp(address) => {
            let failed = |why| ListenError::Address { service, address: address.to_string(), why };
            let listener = bind_tcp(*address).map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?.to_string();
            Ok(Listener { door, sockets: Sockets::Tcp(listener), address, _file: None })
        }
        Listen::Unix(path) => {
            let address = shown(place);
            remove_stale(path)?;
            let listener = bind_unix(path).map_err(|why| ListenError::Address { service, address: address.clone(), why })?;
            Ok(Listener { door, sockets: Sockets::Unix(listener), address, _file: Some(SocketFile(path.clone())) })
        }
    }
}

fn bind_tcp(address: net::SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` beside `0.0.0.0` must not clash.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The socket gets its mode before it has its name: nobody can connect in between.
fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let nursery = tempfile::Builder::new().prefix(".restante-").tempdir_in(folder)?;
    let unborn = nursery.path().join("s");
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&socket2::SockAddr::unix(&unborn)?)?;
    fs::set_permissions(&unborn, fs::Permissions::from_mode(0o660))?;
    socket.listen(BACKLOG)?;
    fs::rename(&unborn, path)?;
    UnixListener::from_std(socket.into())
}

/// Removes the socket of a server that is gone; one that answers is in use.
fn remove_stale(path: &Path) -> Result<(), ListenError> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(ListenError::InTheWay(path.to_owned())),
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => Err(ListenError::InUse(path.to_owned())),
        Ok(_) => {
            // If it cannot be removed, binding says why.
            let _ = fs::remove_file(path);
            Ok(())
        }
        Err(_) => Ok(()),
    }
}

/// Accepts connections until the server stops.
pub async fn run(listener: Listener, service: Arc<Service>) {
    let mut stopping = service.stopping.subscribe();
    let mut pause = PAUSES.0;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => return,
            accepted = accept(&listener, &service) => accepted,
        };
        match accepted {
            Ok(()) => pause = PAUSES.0,
            Err(error) if concerns_one_connection(&error) => {}
            Err(error) => {
                if pause == PAUSES.0 {
                    Event::AcceptFailed { service: listener.door.name(), cause: &error.to_string() }.say();
                }
                time::sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
            }
        }
    }
}

/// accept(2): errors of a connection that died in the queue are no reason to pause.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, HostUnreachable, Interrupted, NetworkDown, NetworkUnreachable, TimedOut};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionReset | Interrupted | NetworkDown | NetworkUnreachable | HostUnreachable | TimedOut
    )
}

async fn accept(listener: &Listener, service: &Arc<Service>) -> io::Result<()> {
    let door = listener.door;
    let (most, _) = service.rules.load().server.most(door);
    let limits = service.limits_of(door);
    match &listener.sockets {
        Sockets::Tcp(socket) => {
            let (stream, address) = socket.accept().await?;
            match limits.enter(most) {
                Ok(place) => {
                    prepare(&stream);
                    tokio::spawn(connection::serve_tcp(stream, address.ip(), door, place, Arc::clone(service)));
                }
                Err(what) => turn_away(SockRef::from(&stream), &address.ip().to_string(), door, service, what),
            }
        }
        Sockets::Unix(socket) => {
            let (stream, _) = socket.accept().await?;
            match limits.enter(most) {
                Ok(place) => {
                    tokio::spawn(connection::serve_unix(stream, door, place, Arc::clone(service)));
                }
                Err(what) => turn_away(SockRef::from(&stream), "local socket", door, service, what),
            }
        }
    }
    Ok(())
}

/// Neither option is needed for correctness: a socket that refuses them is served all the same.
fn prepare(stream: &TcpStream) {
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
}

/// Tells a client that the server is full, in one system call: the words fit any fresh socket's buffer, and a full server
/// has no task to spare.
fn turn_away(socket: SockRef<'_>, client: &str, door: Door, service: &Service, what: crate::protocol::smtp::Busy) {
    let status = connection::busy(&service.rules.load(), door, what);
    Event::ConnectionRefused { service: door.name(), client, status: &status }.say();
    if !door.is_tls() {
        // The client is refused either way.
        let _ = socket.send(format!("{status}\r\n").as_bytes());
    }
}
