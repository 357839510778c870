//! Whether the addresses to listen on get along with each other.

use std::net::SocketAddr;

use super::shape::{Value, Written};
use super::value;
use crate::server::Listen;

/// The keys that name addresses to listen on.
const LISTENERS: [&str; 6] = ["smtp.listen", "smtp.listen_tls", "lmtp.listen", "pop3.listen", "pop3.listen_tls", "admin.listen"];

struct Place {
    key: &'static str,
    line: Option<usize>,
    listen: Listen,
}

/// Refuses addresses that two listeners want. Port 0 is free for all.
pub(super) fn check(written: &mut Written) {
    let places: Vec<Place> = LISTENERS.iter().flat_map(|key| places(written, key)).collect();
    for (count, place) in places.iter().enumerate() {
        let Some(other) = places.iter().take(count).find(|other| clash(&place.listen, &other.listen)) else { continue };
        // The one that stands in the file is the one to change.
        let (here, there) = if place.line.is_none() { (other, place) } else { (place, other) };
        let whose = if there.line.is_none() { " (its default)" } else { "" };
        let what = format!("`{}` is wanted by {}{whose} as well: give each listener an address of its own", text(&here.listen), there.key);
        written.wrong(here.key, here.line, what);
    }
}

fn places(written: &Written, key: &'static str) -> Vec<Place> {
    let texts = match written.value(key) {
        Some((Value::Texts(texts), _)) => texts,
        Some((Value::Text(text), line)) => vec![(text, line)],
        _ => Vec::new(),
    };
    // What is no address has been refused where it was read.
    let place = |(text, line): (String, Option<usize>)| Some(Place { key, line, listen: value::tcp_or_unix(&text).ok()? });
    texts.into_iter().filter_map(place).collect()
}

fn clash(one: &Listen, other: &Listen) -> bool {
    match (one, other) {
        (Listen::Tcp(one), Listen::Tcp(other)) => one.port() != 0 && one.port() == other.port() && overlap(one, other),
        (Listen::Unix(one), Listen::Unix(other)) => one == other,
        _ => false,
    }
}

/// The same address, or one that stands for all of its family.
fn overlap(one: &SocketAddr, other: &SocketAddr) -> bool {
    let all = one.ip().is_unspecified() || other.ip().is_unspecified();
    one.ip() == other.ip() || (all && one.is_ipv4() == other.is_ipv4())
}

fn text(listen: &Listen) -> String {
    match listen {
        Listen::Tcp(address) => address.to_string(),
        Listen::Unix(path) => format!("unix:{}", path.display()),
    }
}
