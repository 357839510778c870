//! What single values mean. Each refusal says what is wrong, and what to write.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;

use crate::directory::Target;
use crate::mail::{Domain, Mailbox, Name};
use crate::server::Listen;

/// What is wrong, and what to write.
pub(super) type Wrong = String;

/// The longest path of a Unix socket, in octets: `sun_path` has 108, one of them for the final NUL.
const SOCKET_PATH_OCTETS: usize = 107;

pub(super) fn domain(text: &str) -> Result<Domain, Wrong> {
    Domain::parse(text).map_err(|error| error.to_string())
}

pub(super) fn path(text: &str) -> Result<PathBuf, Wrong> {
    match text {
        "" => Err("is empty: write the path of a folder or file".into()),
        text if text.contains('\0') => Err("has a NUL in it: write a path".into()),
        text => Ok(text.into()),
    }
}

/// A path, or none where the text is empty.
pub(super) fn optional_path(text: &str) -> Result<Option<PathBuf>, Wrong> {
    if text.is_empty() { Ok(None) } else { path(text).map(Some) }
}

pub(super) fn socket_path(text: &str) -> Result<PathBuf, Wrong> {
    let path = path(text)?;
    if text.len() > SOCKET_PATH_OCTETS {
        return Err(format!(
            "is {} octets long, and the path of a Unix socket may have {SOCKET_PATH_OCTETS}: choose a shorter one",
            text.len()
        ));
    }
    Ok(path)
}

pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    text.parse().map_err(|_| format!("`{text}` is no address with a port: write 127.0.0.1:2525 or [::1]:2525"))
}

pub(super) fn tcp(text: &str) -> Result<Listen, Wrong> {
    if text.starts_with("unix:") {
        return Err(format!("`{text}`: only lmtp.listen takes Unix sockets; write an address with a port"));
    }
    address(text).map(Listen::Tcp)
}

pub(super) fn tcp_or_unix(text: &str) -> Result<Listen, Wrong> {
    match text.strip_prefix("unix:") {
        Some(path) => socket_path(path).map(Listen::Unix),
        None => address(text).map(Listen::Tcp).map_err(|wrong| format!("{wrong}, or unix:/path")),
    }
}

/// The port that resolvers listen on.
const DNS: u16 = 53;

/// A resolver, with its port or without.
pub(super) fn resolver(text: &str) -> Result<SocketAddr, Wrong> {
    let bare = |_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, DNS));
    text.parse().or_else(bare).map_err(|_| format!("`{text}` is no address: write 192.0.2.53, 192.0.2.53:5353 or [2001:db8::53]:5353"))
}

/// A network, or a single address.
pub(super) fn network(text: &str) -> Result<IpNet, Wrong> {
    let single = |_| text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(single).map_err(|_| format!("`{text}` is no address and no network: write 192.0.2.1 or 192.0.2.0/24"))
}

/// Octets: `50MiB`.
pub(super) fn size(text: &str) -> Result<u64, Wrong> {
    text.parse::<ByteSize>().map(|size| size.0).map_err(|_| format!("`{text}` is no size: write 50MiB, 1GB or 1000"))
}

/// Octets, or none for `unlimited`.
pub(super) fn limit(text: &str) -> Result<Option<u64>, Wrong> {
    if text == "unlimited" {
        return Ok(None);
    }
    size(text).map(Some).map_err(|wrong| format!("{wrong}, or unlimited"))
}

pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    humantime::parse_duration(text).map_err(|_| format!("`{text}` is no length of time: write 30s, 5m or 1h 30m"))
}

/// Characters that may set off a detail: those of a dot-atom that no name needs (RFC 5233 §4 leaves the choice open).
pub(super) fn separators(text: &str) -> Result<String, Wrong> {
    match text.chars().find(|c| !c.is_ascii_punctuation() || matches!(c, '@' | '"' | '\\' | '.')) {
        Some(other) => Err(format!("{other:?} cannot set off a detail: write \"+\", or several such characters, as in \"+-\"")),
        None => Ok(text.to_owned()),
    }
}

/// An account's name or an address; none where the text is empty.
pub(super) fn postmaster(text: &str) -> Result<Option<Target>, Wrong> {
    let wrong = |why: String| format!("{why}; write the name of an account, an address, or nothing");
    match text {
        "" => Ok(None),
        text if text.contains('@') => match Mailbox::parse(text) {
            Ok(mailbox) if mailbox.domain().is_some() => Ok(Some(Target::Address(mailbox))),
            Ok(_) => Err(wrong(format!("`{text}` is an address literal"))),
            Err(error) => Err(wrong(error.to_string())),
        },
        text => Name::parse(text).map(|name| Some(Target::Account(name))).map_err(|error| wrong(error.to_string())),
    }
}

/// A level, or a filter. A filter takes any word for the name of a module, so a level that is spelled wrong would
/// silence the log; hence words without `=` have to be levels.
pub(super) fn level(text: &str) -> Result<String, Wrong> {
    const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];
    let parts = || text.split(',').map(str::trim);
    let known = parts().all(|part| part.contains('=') || LEVELS.contains(&part));
    if known && EnvFilter::try_new(text).is_ok() {
        return Ok(text.to_owned());
    }
    Err(format!("`{text}` is no level: write error, warn, info, debug or trace, or a filter such as info,restante::router=debug"))
}
