//! A connection's bytes: opened, protected, read and written, each within its time.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{self, Instant};
use tokio_rustls::client::TlsStream;

/// Octets read at a time: replies.
const READ: usize = 4096;

/// What carries the bytes.
pub(super) enum Wire {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// Neither: a handshake failed.
    Closed,
}

/// Connects to one address, from one of ours if the operator wants that.
pub(super) async fn connect(to: SocketAddr, sources: &[IpAddr], within: Duration) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(source) = sources.iter().find(|source| source.is_ipv4() == to.is_ipv4()) {
        socket.bind(SocketAddr::new(*source, 0))?;
    }
    let stream = time::timeout(within, socket.connect(to)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Wire {
    /// Sends all of `output`, and empties it. Each block has its own time, so that a slow line is no failure and a stuck one is.
    pub async fn write(&mut self, output: &mut Vec<u8>, block: Duration) -> io::Result<()> {
        const BLOCK: usize = 64 * 1024;
        for part in output.chunks(BLOCK) {
            time::timeout(block, self.write_all(part)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        }
        time::timeout(block, self.flush()).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        output.clear();
        Ok(())
    }

    /// Reads something, until `deadline`.
    pub async fn read_some(&mut self, input: &mut BytesMut, deadline: Instant) -> io::Result<()> {
        input.reserve(READ);
        let read = time::timeout_at(deadline, self.read_buf(input)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        if read == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Reads what is there already. Whether there was something; the end of the connection is an error.
    pub async fn read_ready(&mut self, input: &mut BytesMut) -> io::Result<bool> {
        input.reserve(READ);
        match time::timeout(Duration::ZERO, self.read_buf(input)).await {
            Err(_nothing) => Ok(false),
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read.map(|_| true),
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Closed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
