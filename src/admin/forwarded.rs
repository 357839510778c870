//! For whom a proxy speaks: `X-Forwarded-For` and `X-Forwarded-Proto`, or `Forwarded` (RFC 7239).
//!
//! Only a proxy that `admin.trusted_proxies` names is believed. Each proxy adds whom it heard at the right, so the right-most address
//! that is none of ours is the client: whatever stands left of it was written by a stranger. Where both headers are there and
//! say different things, one of them was handed through from outside, and neither counts.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use axum::http::header::FORWARDED;
use ipnet::IpNet;

use super::http::Client;
use crate::server::contains;

/// The older header, with addresses alone.
pub const FOR: &str = "x-forwarded-for";

/// What the client spoke to the proxy, beside the older header.
const PROTO: &str = "x-forwarded-proto";

/// What one proxy says of whom it heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hop {
    /// Its address; none where it is hidden, or cannot be read.
    address: Option<IpAddr>,
    /// Whether it spoke TLS, where that is said.
    encrypted: Option<bool>,
}

/// Whether a request bears the mark of any proxy.
pub fn is_marked(headers: &HeaderMap) -> bool {
    headers.contains_key(FORWARDED) || headers.contains_key(FOR)
}

/// Who speaks: the peer itself, or the client that it names and may name.
pub fn client(peer: Client, headers: &HeaderMap, proxies: &[IpNet]) -> Client {
    if !contains(proxies, peer.address) {
        return peer;
    }
    match (by_addresses(headers), by_elements(headers)) {
        (Some(hops), None) | (None, Some(hops)) => named(peer, &hops, proxies),
        (Some(old), Some(new)) => {
            let (old, new) = (named(peer, &old, proxies), named(peer, &new, proxies));
            if old.address == new.address { old } else { peer }
        }
        (None, None) => peer,
    }
}

fn named(peer: Client, hops: &[Hop], proxies: &[IpNet]) -> Client {
    let mut client = peer;
    for hop in hops.iter().rev() {
        let Some(address) = hop.address.filter(|_| contains(proxies, client.address)) else { break };
        client.address = address;
        client.through = Some(peer.address);
    }
    // What the client spoke to the proxy that is next to us, since that one alone is surely ours.
    client.encrypted |= hops.last().is_some_and(|hop| hop.encrypted == Some(true));
    client
}

fn by_addresses(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let hop = |text: &str| Hop { address: address(text), encrypted: None };
    let mut hops: Vec<Hop> = values(headers, FOR).flat_map(|value| value.split(',')).map(|text| hop(text.trim())).collect();
    let proto = values(headers, PROTO).flat_map(|value| value.split(',')).last().map(|proto| proto.trim().eq_ignore_ascii_case("https"));
    hops.last_mut()?.encrypted = proto;
    Some(hops)
}

fn by_elements(headers: &HeaderMap) -> Option<Vec<Hop>> {
    let hop = |element| match element {
        Ok(rfc7239::Forwarded { forwarded_for, protocol, .. }) => Hop {
            address: forwarded_for.as_ref().and_then(rfc7239::NodeIdentifier::ip).map(IpAddr::to_canonical),
            encrypted: protocol.map(|proto| proto.trim_matches('"').eq_ignore_ascii_case("https")),
        },
        Err(_) => Hop { address: None, encrypted: None },
    };
    let hops: Vec<Hop> = values(headers, FORWARDED.as_str()).flat_map(rfc7239::parse).map(hop).collect();
    (!hops.is_empty()).then_some(hops)
}

fn values<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    // What is no text names nobody, and must not vanish either.
    headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default())
}

/// An address, with a port or without.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let found = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()));
    found.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn seen(headers: &[(&'static str, &'static str)]) -> Client {
        let proxies: Vec<IpNet> = ["127.0.0.1/32", "10.0.0.0/8"].iter().map(|text| text.parse().unwrap()).collect();
        let headers = headers.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        client(Client { address: "127.0.0.1".parse().unwrap(), encrypted: false, through: None }, &headers, &proxies)
    }

    #[test]
    fn the_right_most_stranger_is_the_client() {
        for (headers, address, encrypted) in [
            ([("x-forwarded-for", "192.0.2.7")].as_slice(), "192.0.2.7", false),
            (&[("x-forwarded-for", "127.0.0.1, 192.0.2.7")], "192.0.2.7", false),
            (&[("x-forwarded-for", "203.0.113.1, 192.0.2.7, 10.0.0.9"), ("x-forwarded-proto", "https")], "192.0.2.7", true),
            (&[("x-forwarded-for", "203.0.113.1"), ("x-forwarded-for", "[2001:db8::7]:4711")], "2001:db8::7", false),
            (&[("x-forwarded-for", "::ffff:192.0.2.7")], "192.0.2.7", false),
            (&[("forwarded", "for=127.0.0.1, for=\"[2001:db8::7]:4711\";proto=https")], "2001:db8::7", true),
            (&[("forwarded", "for=192.0.2.7;proto=https, for=10.0.0.9;proto=http")], "192.0.2.7", false),
            (&[("forwarded", "for=192.0.2.7"), ("x-forwarded-for", "192.0.2.7")], "192.0.2.7", false),
        ] {
            let found = seen(headers);
            assert_eq!((found.address, found.encrypted), (address.parse().unwrap(), encrypted), "{headers:?}");
            assert_eq!(found.through, Some("127.0.0.1".parse().unwrap()), "{headers:?}");
        }
    }

    #[test]
    fn what_cannot_be_believed_names_nobody() {
        for headers in [
            [].as_slice(),
            &[("x-forwarded-for", "")],
            &[("x-forwarded-for", "192.0.2.7, unknown")],
            &[("forwarded", "for=_hidden")],
            &[("forwarded", "nonsense")],
            &[("forwarded", "for=127.0.0.1"), ("x-forwarded-for", "192.0.2.7")],
        ] {
            let found = seen(headers);
            assert_eq!((found.address, found.through), ("127.0.0.1".parse().unwrap(), None), "{headers:?}");
        }
        let stranger = Client { address: "192.0.2.1".parse().unwrap(), encrypted: false, through: None };
        let headers = [(HeaderName::from_static(FOR), HeaderValue::from_static("127.0.0.1"))].into_iter().collect();
        assert_eq!(client(stranger, &headers, &[]), stranger, "it is no proxy of ours");
    }
}
