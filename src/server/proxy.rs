//! The PROXY protocol, versions 1 and 2: a proxy tells whom it speaks for, before anything else.
//!
//! Only peers in `server.proxy_from` are asked for it, and they have to send it: a header that could be left out could
//! be left out by a client. Reading is bounded in octets and time.
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use ppp::{PartialResult as _, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time;

/// Octets of a version 1 header, its CRLF included (section 2.1 of the protocol).
const TEXT_OCTETS: usize = 107;

/// Octets of a version 2 header that we take: addresses and a certificate's name fit many times over.
const BINARY_OCTETS: usize = 4096;

/// How long a proxy may take: it sends the header with the connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// For whom the proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A client with this address.
    Client(IpAddr),
    /// The proxy itself (a health check), or a client of an address family that says nothing here.
    Itself,
}

/// Why there is no source.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The octets are no header.
    #[error("{0}")]
    Malformed(String),
    /// A header over the bound.
    #[error("the header is over {0} octets")]
    TooLong(usize),
    /// The header did not come in time.
    #[error("the header did not come within {} seconds", PATIENCE.as_secs())]
    Late,
    /// The connection ended before it.
    #[error("the connection ended before the header: {0}")]
    Lost(io::Error),
}

/// Reads the header off the start of a connection; what follows it stays in `input`.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S, input: &mut BytesMut) -> Result<Source, ProxyError> {
    time::timeout(PATIENCE, gather(stream, input)).await.unwrap_or(Err(ProxyError::Late))
}

async fn gather<S: AsyncRead + Unpin>(stream: &mut S, input: &mut BytesMut) -> Result<Source, ProxyError> {
    loop {
        if let Some((source, length)) = parse(input)? {
            input.advance(length);
            return Ok(source);
        }
        let read = stream.read_buf(input).await.map_err(ProxyError::Lost)?;
        if read == 0 {
            return Err(ProxyError::Lost(io::ErrorKind::UnexpectedEof.into()));
        }
    }
}

/// The source and the header's length, or nothing while octets are missing.
fn parse(input: &[u8]) -> Result<Option<(Source, usize)>, ProxyError> {
    match v2::Header::try_from(input) {
        Ok(header) => Ok(Some((binary_source(&header), header.len()))),
        Err(error) if error.is_incomplete() => bounded(input.len(), BINARY_OCTETS),
        Err(v2::ParseError::Prefix) => parse_text(input),
        Err(error) => Err(ProxyError::Malformed(error.to_string())),
    }
}

/// The header ends with CRLF: the line is looked at only once it is there.
fn parse_text(input: &[u8]) -> Result<Option<(Source, usize)>, ProxyError> {
    let malformed = |error: v1::BinaryParseError| ProxyError::Malformed(error.to_string());
    let known = v1::PROTOCOL_PREFIX.as_bytes();
    if !input.iter().zip(known).all(|(given, wanted)| given == wanted) {
        return Err(malformed(v1::ParseError::InvalidPrefix.into()));
    }
    let Some(end) = memchr::memchr(b'\n', input) else { return bounded(input.len(), TEXT_OCTETS) };
    let line = input.get(..=end).unwrap_or_default();
    let header = v1::Header::try_from(line).map_err(malformed)?;
    let source = match header.addresses {
        v1::Addresses::Tcp4(pair) => Source::Client(pair.source_address.into()),
        v1::Addresses::Tcp6(pair) => Source::Client(IpAddr::from(pair.source_address).to_canonical()),
        v1::Addresses::Unknown => Source::Itself,
    };
    Ok(Some((source, line.len())))
}

fn binary_source(header: &v2::Header<'_>) -> Source {
    match (header.command, header.addresses) {
        (v2::Command::Proxy, v2::Addresses::IPv4(pair)) => Source::Client(pair.source_address.into()),
        (v2::Command::Proxy, v2::Addresses::IPv6(pair)) => Source::Client(IpAddr::from(pair.source_address).to_canonical()),
        _ => Source::Itself,
    }
}

fn bounded<T>(octets: usize, bound: usize) -> Result<Option<T>, ProxyError> {
    if octets >= bound { Err(ProxyError::TooLong(bound)) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(address: &str) -> Source {
        Source::Client(address.parse().unwrap())
    }

    fn binary(command: u8, family: u8, addresses: &[u8]) -> Vec<u8> {
        let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        header.extend([0x20 | command, family]);
        header.extend((addresses.len() as u16).to_be_bytes());
        header.extend(addresses);
        header
    }

    fn v4() -> Vec<u8> {
        binary(1, 0x11, &[192, 0, 2, 7, 127, 0, 0, 1, 0, 80, 0, 25])
    }

    #[test]
    fn headers_tell_the_source() {
        let mut v6 = [0u8; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
        for (header, source) in [
            (b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n".to_vec(), client("192.0.2.7")),
            (b"PROXY TCP6 2001:db8::1 ::1 4711 25\r\n".to_vec(), client("2001:db8::1")),
            (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 4711 25\r\n".to_vec(), client("192.0.2.7")),
            (b"PROXY UNKNOWN\r\n".to_vec(), Source::Itself),
            (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n".to_vec(), Source::Itself),
            (v4(), client("192.0.2.7")),
            (binary(1, 0x21, &v6), client("2001:db8::")),
            (binary(0, 0x11, &[192, 0, 2, 7, 127, 0, 0, 1, 0, 80, 0, 25]), Source::Itself),
            (binary(0, 0, &[]), Source::Itself),
            (binary(1, 0x31, &[b'x'; 216]), Source::Itself),
        ] {
            let mut input = header.clone();
            input.extend(b"EHLO x\r\n");
            assert_eq!(parse(&input).unwrap(), Some((source, header.len())), "{}", header.escape_ascii());
            for cut in 0..header.len() {
                assert_eq!(parse(&header[..cut]).unwrap(), None, "cut at {cut}: {}", header.escape_ascii());
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let mut other_version = v4();
        other_version[12] = 0x31;
        for input in [
            b"EHLO example.org\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 127.0.0.1 4711\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.300 127.0.0.1 4711 25\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\n".to_vec(),
            b"PROXY TCP4 2001:db8::1 ::1 4711 25\r\n".to_vec(),
            b"PROXY \xff\r\n".to_vec(),
            [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 100]].concat(),
            [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 100], b"\r\n"].concat(),
            binary(1, 0x11, &[1, 2, 3]),
            binary(1, 0x21, &[0; 5000])[..4200].to_vec(),
            other_version,
        ] {
            assert!(parse(&input).is_err(), "{}", input.escape_ascii());
        }
    }
}
