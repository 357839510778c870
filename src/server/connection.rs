//! One connection, from `accept` to close: who it is from, whether there is room, TLS, and the session.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::oneshot;
use tokio::time;

use super::drive::{Carrier, Driver, Ending, Manners};
use super::limits::Place;
use super::proxy::{self, Source};
use super::{ReverseLookup, Rules, Service, contains};
use crate::mail::Network;
use crate::protocol::pop3;
use crate::protocol::pop3::reply::Whose;
use crate::protocol::smtp::{Busy, Dialect, Encryption, Peer, Reply, Session, Trust};
use crate::telemetry::{Event, meter};

/// How long a refused client may take to read why.
const REFUSAL: Duration = Duration::from_secs(5);

/// What is served behind a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// SMTP, with STARTTLS offered.
    Smtp,
    /// SMTP inside TLS from the first byte (RFC 8314 §3).
    SmtpTls,
    /// LMTP, with STARTTLS offered on TCP.
    Lmtp,
    /// POP3, with STLS offered.
    Pop3,
    /// POP3 inside TLS from the first byte.
    Pop3Tls,
}

impl Door {
    /// Its name in the log, in `run.json`, and in `LISTEN_FDNAMES`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::SmtpTls => "smtp_tls",
            Self::Lmtp => "lmtp",
            Self::Pop3 => "pop3",
            Self::Pop3Tls => "pop3_tls",
        }
    }

    /// Whether TLS comes before anything is said.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::SmtpTls | Self::Pop3Tls)
    }

    /// Whether owners call there for their mail.
    pub fn is_pop3(self) -> bool {
        matches!(self, Self::Pop3 | Self::Pop3Tls)
    }

    /// LMTP is spoken by mail systems of the same house.
    fn manners(self, client: IpAddr) -> Manners {
        match self {
            Self::Smtp | Self::SmtpTls => Manners::Tested(Network::of(client)),
            Self::Lmtp | Self::Pop3 | Self::Pop3Tls => Manners::Trusted,
        }
    }

    fn dialect(self) -> Dialect {
        match self {
            Self::Lmtp => Dialect::Lmtp,
            _ => Dialect::Smtp,
        }
    }
}

/// Why a connection found no place, in the words that the client hears.
pub fn busy(rules: &Rules, door: Door, what: Busy) -> String {
    let host = rules.session.hostname.clone();
    match (door.is_pop3(), what) {
        (false, what) => Reply::TooBusy { host, what }.to_string(),
        (true, Busy::Server) => pop3::Reply::TooBusy { host, whose: Whose::All }.to_string(),
        (true, Busy::Client) => pop3::Reply::TooBusy { host, whose: Whose::Yours }.to_string(),
    }
}

/// Serves a client on a Unix socket. It is a program of this machine: no TLS, no limits by client.
pub async fn serve_unix(mut stream: UnixStream, door: Door, place: Place, service: Arc<Service>) {
    let _session = meter().session(door.name());
    if door.is_pop3() {
        Box::pin(super::pop3::serve(stream, BytesMut::new(), None, door, service)).await;
        return drop(place);
    }
    let peer = Peer { address: None, name: None, trust: Trust::Ordinary };
    let settings = Arc::clone(&service.rules.load().session);
    let session = Session::new(door.dialect(), settings, peer, Encryption::Unavailable, Instant::now());
    let mut driver = Driver::new(service, session, BytesMut::new(), None);
    let ending = driver.greet(&mut stream, Manners::Trusted).await;
    driver.conclude(&ending, "local socket");
    drop(place);
}

/// Serves a client on TCP.
pub async fn serve_tcp(mut stream: TcpStream, address: IpAddr, door: Door, mut place: Place, service: Arc<Service>) {
    let _session = meter().session(door.name());
    let rules = service.rules.load_full();
    let mut input = BytesMut::new();
    let mut address = address.to_canonical();
    if contains(&rules.server.proxy_from, address) {
        match Box::pin(proxy::read(&mut stream, &mut input)).await {
            Ok(Source::Client(client)) => address = client,
            Ok(Source::Itself) => {}
            Err(error) => return Event::ProxyRefused { client: &address.to_string(), cause: &error.to_string() }.say(),
        }
    }
    let (_, most) = rules.server.most(door);
    if let Err(what) = place.belongs_to(address, most) {
        return Box::pin(refuse(stream, address, door, busy(&rules, door, what))).await;
    }
    if door.is_pop3() {
        drop(rules);
        return Box::pin(super::pop3::serve(stream, input, Some(address), door, service)).await;
    }
    let (name, coming) = name_of(&service, &rules, address);
    let trust = if contains(&rules.server.xclient_from, address) { Trust::Proxy } else { Trust::Ordinary };
    let peer = Peer { address: Some(address), name, trust };
    let encryption = if door == Door::SmtpTls { Encryption::Active } else { Encryption::Offered };
    let session = Session::new(door.dialect(), Arc::clone(&rules.session), peer, encryption, Instant::now());
    drop(rules);
    if door == Door::SmtpTls {
        return Box::pin(serve_tls(stream, input, address, session, coming, service)).await;
    }
    let mut driver = Driver::new(Arc::clone(&service), session, input, coming);
    let ending = match driver.greet(&mut stream, door.manners(address)).await {
        Ending::StartTls => Box::pin(upgrade(stream, &mut driver, &service)).await,
        ending => ending,
    };
    driver.conclude(&ending, &address.to_string());
}

/// The name that is known without asking, or the one that is being asked for.
fn name_of(service: &Service, rules: &Rules, address: IpAddr) -> (Option<String>, Option<oneshot::Receiver<String>>) {
    if address.is_loopback() {
        // RFC 6761 §6.3: the name never needs a query.
        return (Some("localhost".to_owned()), None);
    }
    match rules.server.reverse_lookup {
        ReverseLookup::Background => (None, service.names.as_ref().and_then(|names| names.look_up(address))),
        ReverseLookup::Off => (None, None),
    }
}

/// TLS from the first byte. Octets that came with a PROXY header belong to the handshake.
async fn serve_tls(
    stream: TcpStream,
    input: BytesMut,
    address: IpAddr,
    session: Session,
    name: Option<oneshot::Receiver<String>>,
    service: Arc<Service>,
) {
    let stream = Preceded { first: input, stream };
    match service.tls.accept(stream).await {
        Ok(mut stream) => {
            let mut driver = Driver::new(service, session, BytesMut::new(), name);
            let ending = driver.greet(&mut stream, Door::SmtpTls.manners(address)).await;
            driver.conclude(&ending, &address.to_string());
        }
        Err(error) => Event::TlsFailed { client: &address.to_string(), cause: &error.to_string() }.say(),
    }
}

/// STARTTLS: the handshake, then the same session over it, with nothing left of what was said in clear.
async fn upgrade(stream: TcpStream, driver: &mut Driver, service: &Service) -> Ending {
    match service.tls.accept(stream).await {
        Ok(mut stream) => driver.resume(&mut stream).await,
        Err(error) => Ending::Handshake(error),
    }
}

/// Says why there is no room, and closes. In TLS there are no words before the handshake, which is what a full server
/// cannot afford.
async fn refuse(mut stream: TcpStream, address: IpAddr, door: Door, status: String) {
    let client = address.to_string();
    Event::ConnectionRefused { service: door.name(), client: &client, status: &status }.say();
    if !door.is_tls() {
        let text = format!("{status}\r\n");
        // The client is refused either way.
        let _ = time::timeout(REFUSAL, async {
            stream.write_all(text.as_bytes()).await?;
            stream.shutdown().await
        })
        .await;
    }
}

/// A stream of which some octets have been read already.
pub(super) struct Preceded<S> {
    pub(super) first: BytesMut,
    pub(super) stream: S,
}

impl<S: Carrier> Carrier for Preceded<S> {
    fn acknowledge(&self) {
        self.stream.acknowledge();
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Preceded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.first.is_empty() {
            return Pin::new(&mut self.stream).poll_read(context, into);
        }
        let octets = self.first.len().min(into.remaining());
        into.put_slice(&self.first.split_to(octets));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Preceded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, octets)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
