//! `[relay]`: what its keys mean.

use std::net::{IpAddr, SocketAddr};

use super::meaning::lasting;
use super::shape::Written;
use super::value::{self, Wrong};
use crate::mail::Domain;
use crate::relay::settings::{Exception, HostName, Login, Via};
use crate::relay::{Mode, Schedule, Settings, Smarthost, Timeouts, Tls};

/// The port of mail from clients (RFC 6409), the same with implicit TLS (RFC 8314), and the one between mail servers.
const SUBMISSION: u16 = 587;
const SUBMISSIONS: u16 = 465;
const SMTP: u16 = 25;

pub(super) fn settings(written: &mut Written, hostname: Option<&Domain>, resolvers: Option<&[SocketAddr]>) -> Option<Settings> {
    let mode = mode(written);
    let tls = written.choice("relay.tls");
    let exceptions = written.texts("relay.destinations", exception);
    let port = written.count("relay.port");
    let sources = written.texts("relay.source", source);
    let connections = written.count("relay.connections");
    let messages_per_connection = written.count("relay.messages_per_connection");
    let rate = written.count("relay.rate");
    let schedule = schedule(written);
    let timeouts = timeouts(written);
    let srs = written.switch("relay.srs");
    let srs_domain = written.text("relay.srs_domain", optional_domain);
    let returned = written.size("relay.max_returned", value::size);
    Some(Settings {
        mode: mode?,
        hostname: hostname?.to_string(),
        port: port?,
        tls: security(&tls?)?,
        exceptions: exceptions?,
        resolvers: resolvers?.to_vec(),
        sources: sources?,
        timeouts: timeouts?,
        connections: connections?,
        messages_per_connection: messages_per_connection?,
        rate: rate.map(|rate| (rate > 0).then_some(rate))?,
        schedule: schedule?,
        srs: srs?,
        srs_domain: srs_domain?,
        returned: returned?,
    })
}

fn mode(written: &mut Written) -> Option<Mode> {
    let word = written.choice("relay.mode");
    let smarthost = written.text("relay.smarthost", smarthost)?;
    let login = login(written)?;
    match (word?.as_str(), smarthost) {
        ("direct", _) => Some(Mode::Direct),
        ("smarthost", Some((via, implicit_tls))) => Some(Mode::Smarthost(Smarthost { via, implicit_tls, login })),
        ("smarthost", None) => {
            let line = written.line("relay.mode");
            written.wrong("relay.mode", line, "\"smarthost\" needs to know which: set relay.smarthost, as in \"mail.example.net:587\"");
            None
        }
        _ => Some(Mode::Off),
    }
}

fn login(written: &mut Written) -> Option<Option<Login>> {
    let username = written.text("relay.username", one_line)?;
    let file = written.text("relay.password_file", value::optional_path)?;
    let (lone, other) = match (username.is_empty(), file) {
        (true, None) => return Some(None),
        (false, Some(password_file)) => return Some(Some(Login { username, password_file })),
        (false, None) => ("relay.username", "relay.password_file"),
        (true, Some(_)) => ("relay.password_file", "relay.username"),
    };
    let line = written.line(lone);
    written.wrong(lone, line, format!("stands alone: set {other} as well, or neither"));
    None
}

fn schedule(written: &mut Written) -> Option<Schedule> {
    let first_retry = written.text("relay.first_retry", lasting);
    let max_retry = written.text("relay.max_retry", lasting);
    let life = written.text("relay.life", lasting);
    let delay_notice = written.text("relay.delay_notice", lasting);
    let schedule = Schedule { first_retry: first_retry?, max_retry: max_retry?, life: life?, delay_notice: delay_notice? };
    if schedule.max_retry < schedule.first_retry {
        let line = written.line("relay.max_retry").or(written.line("relay.first_retry"));
        written.wrong("relay.max_retry", line, "is shorter than relay.first_retry: write as much at least");
        return None;
    }
    Some(schedule)
}

fn timeouts(written: &mut Written) -> Option<Timeouts> {
    let connect = written.text("relay.connect_timeout", lasting);
    let command = written.text("relay.command_timeout", lasting);
    let data_end = written.text("relay.data_timeout", lasting);
    Some(Timeouts { connect: connect?, command: command?, data_end: data_end?, ..Timeouts::default() })
}

fn security(word: &str) -> Option<Tls> {
    Some(match word {
        "opportunistic" => Tls::Opportunistic,
        "require" => Tls::Require,
        "verify" => Tls::Verify,
        "off" => Tls::Off,
        _ => return None,
    })
}

/// `host`, `host:port`, or the same behind `smtps://`; none where the text is empty.
fn smarthost(text: &str) -> Result<Option<(Via, bool)>, Wrong> {
    match text.strip_prefix("smtps://") {
        _ if text.is_empty() => Ok(None),
        Some(host) => Ok(Some((via(host, SUBMISSIONS)?, true))),
        None => Ok(Some((via(text, SUBMISSION)?, false))),
    }
}

fn via(text: &str, port: u16) -> Result<Via, Wrong> {
    let wrong = || format!("`{text}` is no host: write mail.example.net, mail.example.net:2525, 192.0.2.1:25 or [2001:db8::1]:25");
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(Via { host: HostName::Address(address.ip()), port: address.port() });
    }
    if let Ok(address) = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(Via { host: HostName::Address(address), port });
    }
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) => (name, port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?),
        None => (text, port),
    };
    Ok(Via { host: HostName::Name(Domain::parse(name).map_err(|_| wrong())?), port })
}

/// `example.org tls=require via=host:port`.
fn exception(text: &str) -> Result<Exception, Wrong> {
    let mut words = text.split_whitespace();
    let name = words.next().ok_or("is empty: write a domain and what is different for it, as in \"example.org tls=require\"")?;
    let (subdomains, name) = name.strip_prefix('.').map_or((false, name), |rest| (true, rest));
    let mut exception = Exception { domain: value::domain(name)?, subdomains, tls: None, via: None };
    for word in words {
        match word.split_once('=') {
            Some(("tls", word)) => {
                let known =
                    security(word).ok_or_else(|| format!("`{word}`: write tls=opportunistic, tls=require, tls=verify or tls=off"))?;
                exception.tls = Some(known);
            }
            Some(("via", host)) => exception.via = Some(via(host, SMTP)?),
            _ => return Err(format!("`{word}`: write tls=… or via=… behind the domain")),
        }
    }
    match (&exception.tls, &exception.via) {
        (None, None) => Err(format!("`{text}` says nothing about the domain: write tls=… or via=… behind it")),
        _ => Ok(exception),
    }
}

fn source(text: &str) -> Result<IpAddr, Wrong> {
    text.parse().map_err(|_| format!("`{text}` is no address: write 192.0.2.1 or 2001:db8::1"))
}

fn optional_domain(text: &str) -> Result<Option<Domain>, Wrong> {
    if text.is_empty() { Ok(None) } else { value::domain(text).map(Some) }
}

fn one_line(text: &str) -> Result<String, Wrong> {
    if text.chars().any(char::is_control) { Err("has control characters in it: write the name alone".into()) } else { Ok(text.to_owned()) }
}
