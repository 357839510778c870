//! The second stage: values to the settings of each layer, and the checks between keys.
//!
//! Every key is looked at before anything is given up, so a `None` here means: the problems say why.

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::Config;
use super::keys::{Key, Kind};
use super::listen;
use super::relaying;
use super::shape::{Value, Written};
use super::value::{self, Wrong};
use crate::directory::password::Cost;
use crate::mail::Domain;
use crate::protocol::pop3;
use crate::protocol::smtp::{self, BareNewline, Vrfy};
use crate::relay::{self, list};
use crate::router::{Disabled, Limits, Lists, Relay};
use crate::server::pop3::Plaintext;
use crate::server::{Certificate, Listen, ReverseLookup};
use crate::spool::{Bounds, log};
use crate::telemetry::{Format, LogSettings};
use crate::{admin, ledger, maildir, server};

/// Folders of the spool that are not for mailboxes.
const SPOOL_FOLDERS: [&str; 7] = ["directory", "incoming", "ledger", "log", "outgoing", "queue", "tls"];

/// The least memory that Argon2 takes for each lane (RFC 9106 §3.1).
const KIB_PER_LANE: u64 = 8;

/// A mistake of one more unit, as in GiB for MiB, should not make logins eat the machine.
const PASSWORD_KIB: u64 = 4 << 20;

/// What a configuration means, unless something is wrong with it.
pub(super) fn config(written: &mut Written) -> Option<Config> {
    listen::check(written);
    let hostname = written.text("hostname", value::domain);
    let spool = written.text("spool.dir", value::path);
    let root = beside(written, "mail.root", "mail", spool.as_ref(), value::path);
    if let (Some(spool), Some(root)) = (&spool, &root) {
        check_folders(written, spool, root);
    }
    let spool_log = spool_log(written);
    let trash_days = written.count("mail.trash_days");
    let mail = mailboxes(written, root, hostname.as_ref());
    let session = session(written, hostname.as_ref());
    let pop3 = pop3(written, hostname.as_ref());
    let admin = administration(written, spool.as_ref());
    let server = listeners(written, spool.as_ref());
    let relay = relaying::settings(written, hostname.as_ref(), server.as_ref().map(|server| server.resolvers.as_slice()));
    let routing = routing(written, hostname.as_ref(), relay.as_ref());
    let lists = lists(written);
    let password = password(written);
    let log = logging(written);
    let ledger = delivery_log(written, spool.as_ref());
    Some(Config {
        hostname: hostname?.to_string(),
        spool: spool?,
        spool_log: spool_log?,
        mail: mail?,
        trash_days: trash_days?,
        session: Arc::new(session?),
        pop3: Arc::new(pop3?),
        routing: routing?,
        relay: Arc::new(relay?),
        lists: lists?,
        server: server?,
        admin: admin?,
        password: password?,
        log: log?,
        ledger: ledger?,
    })
}

/// A path that lies in the spool folder unless the file says otherwise.
fn beside(
    written: &mut Written,
    key: &str,
    name: &str,
    spool: Option<&PathBuf>,
    read: impl Fn(&str) -> Result<PathBuf, Wrong>,
) -> Option<PathBuf> {
    if written.given(key) {
        return written.text(key, read);
    }
    let path = spool?.join(name);
    match read(&path.to_string_lossy()) {
        Ok(path) => Some(path),
        Err(wrong) => {
            let line = written.line("spool.dir");
            written.wrong(key, line, format!("the default, {}, {wrong}", path.display()));
            None
        }
    }
}

/// A mailbox may be called `queue`, so mailboxes and the spool's own folders keep apart.
fn check_folders(written: &mut Written, spool: &Path, root: &Path) {
    let plain = |path: &Path| path.components().filter(|part| *part != Component::CurDir).collect::<PathBuf>();
    let (spool, root) = (plain(spool), plain(root));
    let line = written.line("mail.root").or(written.line("spool.dir"));
    if spool.starts_with(&root) {
        written.wrong("mail.root", line, "holds the spool folder: write a folder of its own, such as one inside the spool folder");
    } else if let Some(folder) = SPOOL_FOLDERS.iter().find(|folder| root.starts_with(spool.join(folder))) {
        written.wrong("mail.root", line, format!("lies in `{folder}`, a folder of the spool: write a folder of its own"));
    }
}

/// The least that the log is of use with: a few of its segments.
const LEAST_LOG: u64 = 4 * log::SEGMENT;

fn spool_log(written: &mut Written) -> Option<Bounds> {
    let enough = |text: &str| match positive(text)? {
        octets if octets < LEAST_LOG => Err("is too little: write at least 32MiB".into()),
        octets => Ok(octets),
    };
    let total = written.size("spool.max_log", enough)?;
    Some(Bounds { total, segment: log::SEGMENT })
}

fn pop3(written: &mut Written, hostname: Option<&Domain>) -> Option<pop3::Settings> {
    let idle_timeout = written.text("pop3.idle_timeout", lasting);
    let max_errors = written.count("pop3.max_errors");
    Some(pop3::Settings { hostname: hostname?.to_string(), idle_timeout: idle_timeout?, max_errors: max_errors? })
}

fn plaintext(written: &mut Written) -> Option<Plaintext> {
    Some(match written.choice("pop3.plaintext")?.as_str() {
        "always" => Plaintext::Always,
        "never" => Plaintext::Never,
        _ => Plaintext::Loopback,
    })
}

fn mailboxes(written: &mut Written, root: Option<PathBuf>, hostname: Option<&Domain>) -> Option<maildir::Settings> {
    let default_quota = written.size("quota.default", value::limit);
    let over = written.choice("quota.over");
    Some(maildir::Settings {
        root: root?,
        hostname: hostname?.to_string(),
        default_quota: default_quota?,
        over: if over? == "reject" { maildir::Over::Reject } else { maildir::Over::Defer },
    })
}

fn session(written: &mut Written, hostname: Option<&Domain>) -> Option<smtp::Settings> {
    let max_message_size = written.size("smtp.max_message_size", positive);
    let max_recipients = written.count("smtp.max_recipients");
    let max_errors = written.count("smtp.max_errors");
    let max_line = written.size("smtp.max_line", value::limit);
    if max_line == Some(Some(0)) {
        let line = written.line("smtp.max_line");
        written.wrong("smtp.max_line", line, "is 0, which no line fits: write a size, or unlimited");
    }
    let bare_newline = written.choice("smtp.bare_newline");
    let vrfy = written.choice("smtp.vrfy");
    let command_timeout = written.text("smtp.command_timeout", lasting);
    let min_rate = written.size("smtp.min_rate", value::size);
    Some(smtp::Settings {
        hostname: hostname?.to_string(),
        max_message_size: max_message_size?,
        max_recipients: max_recipients?,
        max_errors: max_errors?,
        max_line: max_line?,
        bare_newline: if bare_newline? == "reject" { BareNewline::Reject } else { BareNewline::Normalize },
        vrfy: if vrfy? == "disabled" { Vrfy::Disabled } else { Vrfy::Noncommittal },
        command_timeout: command_timeout?,
        min_rate: min_rate?,
    })
}

fn routing(written: &mut Written, hostname: Option<&Domain>, settings: Option<&relay::Settings>) -> Option<Limits> {
    let subaddress_separators = written.text("smtp.subaddress_separators", value::separators);
    let postmaster = written.text("smtp.postmaster", value::postmaster);
    let disabled = written.choice("smtp.disabled_alias");
    let max_depth = written.count("smtp.max_alias_depth");
    let max_fan_out = written.count("smtp.max_alias_fan_out");
    let max_total = written.count("smtp.max_alias_total");
    Some(Limits {
        hostname: Some(hostname?.clone()),
        subaddress_separators: subaddress_separators?,
        postmaster: postmaster?,
        disabled: if disabled? == "5.2.1" { Disabled::SwitchedOff } else { Disabled::Unknown },
        relay: if settings?.mode == relay::Mode::Off { Relay::Off } else { Relay::On },
        lists: Lists::On,
        max_depth: max_depth?,
        max_fan_out: max_fan_out?,
        max_total: max_total?,
    })
}

fn lists(written: &mut Written) -> Option<list::Rules> {
    let panel = written.text("lists.url", |text: &str| match text.trim_end_matches('/') {
        "" => Ok(None),
        url if url.starts_with("https://") || url.starts_with("http://") => Ok(Some(url.to_owned())),
        _ => Err(Wrong::from("is no address of a site: write one as in \"https://mail.example.org\"")),
    });
    let bounce_days = written.count("lists.bounce_days");
    let bounce_window = written.count("lists.bounce_window");
    let held_days: Option<u32> = written.count("lists.held_days");
    let held = SignedDuration::from_hours(24 * i64::from(held_days?));
    Some(list::Rules { panel: panel?, bounce_days: bounce_days?, bounce_window: bounce_window?, held })
}

fn administration(written: &mut Written, spool: Option<&PathBuf>) -> Option<admin::Settings> {
    let listen: Option<SocketAddr> = written.text("admin.listen", value::address);
    let socket = beside(written, "admin.socket", "admin.sock", spool, value::socket_path);
    let lmtp = written.value("lmtp.listen").map(|(value, _)| value);
    if let (Some(socket), Some(Value::Texts(texts))) = (&socket, lmtp) {
        for (text, line) in texts.iter().filter(|(text, _)| text.strip_prefix("unix:").is_some_and(|path| Path::new(path) == socket)) {
            written.wrong("lmtp.listen", *line, format!("`{text}` is admin.socket as well: give each a path of its own"));
        }
    }
    let trusted_proxies = written.texts("admin.trusted_proxies", value::network);
    Some(admin::Settings { listen: listen?, socket: socket?, trusted_proxies: trusted_proxies? })
}

fn listeners(written: &mut Written, spool: Option<&PathBuf>) -> Option<server::Settings> {
    let smtp: Option<Vec<Listen>> = written.texts("smtp.listen", value::tcp);
    let smtp_tls = written.texts("smtp.listen_tls", value::tcp);
    let lmtp = written.texts("lmtp.listen", value::tcp_or_unix);
    let pop3 = written.texts("pop3.listen", value::tcp);
    let pop3_tls = written.texts("pop3.listen_tls", value::tcp);
    let max_connections = written.count("smtp.max_connections");
    let max_connections_per_client = written.count("smtp.max_connections_per_client");
    let max_callers = written.count("pop3.max_connections");
    let max_callers_per_client = written.count("pop3.max_connections_per_client");
    let plaintext = plaintext(written);
    let stall_timeout = written.text("pop3.stall_timeout", lasting);
    let proxy_from = written.texts("smtp.proxy_from", value::network);
    let xclient_from = written.texts("smtp.xclient_from", value::network);
    let reverse_lookup = written.switch("smtp.reverse_lookup");
    let resolvers = written.texts("dns.servers", value::resolver);
    let shutdown_grace = written.text("smtp.shutdown_grace", value::duration);
    let certificate = certificate(written, spool);
    Some(server::Settings {
        smtp: smtp?,
        smtp_tls: smtp_tls?,
        lmtp: lmtp?,
        pop3: pop3?,
        pop3_tls: pop3_tls?,
        max_connections: max_connections?,
        max_connections_per_client: max_connections_per_client?,
        max_callers: max_callers?,
        max_callers_per_client: max_callers_per_client?,
        plaintext: plaintext?,
        stall_timeout: stall_timeout?,
        proxy_from: proxy_from?,
        xclient_from: xclient_from?,
        reverse_lookup: if reverse_lookup? { ReverseLookup::Background } else { ReverseLookup::Off },
        resolvers: resolvers?,
        shutdown_grace: shutdown_grace?,
        certificate: certificate?,
    })
}

fn certificate(written: &mut Written, spool: Option<&PathBuf>) -> Option<Certificate> {
    let certificate = written.text("tls.certificate", value::optional_path)?;
    let key = written.text("tls.key", value::optional_path)?;
    let (lone, other) = match (certificate, key) {
        (Some(certificate), Some(key)) => return Some(Certificate::Files { certificate, key }),
        (None, None) => return Some(Certificate::SelfSigned { folder: spool?.join("tls") }),
        (Some(_), None) => ("tls.certificate", "tls.key"),
        (None, Some(_)) => ("tls.key", "tls.certificate"),
    };
    let line = written.line(lone);
    written.wrong(lone, line, format!("stands alone: set {other} as well, or neither for a self-signed pair"));
    None
}

fn password(written: &mut Written) -> Option<Cost> {
    let memory = written.size("password.memory", positive);
    let passes = written.count("password.passes");
    let lanes: Option<u32> = written.count("password.lanes");
    let (kib, lanes) = (memory? / 1024, lanes?);
    let line = written.line("password.memory").or(written.line("password.lanes"));
    if kib < KIB_PER_LANE * u64::from(lanes) {
        written.wrong(
            "password.memory",
            line,
            format!("is too small: write {}KiB at least, 8KiB for each lane", KIB_PER_LANE * u64::from(lanes)),
        );
        return None;
    }
    let memory_kib = u32::try_from(kib).ok().filter(|_| kib <= PASSWORD_KIB);
    if memory_kib.is_none() {
        written.wrong("password.memory", line, format!("is too much for one hash: write {}GiB at most", PASSWORD_KIB >> 20));
    }
    Some(Cost { memory_kib: memory_kib?, passes: passes?, lanes })
}

fn logging(written: &mut Written) -> Option<LogSettings> {
    let format = written.choice("log.format");
    let level = written.text("log.level", value::level);
    Some(LogSettings { format: if format? == "json" { Format::Json } else { Format::Text }, level: level? })
}

/// The least that the delivery log is of use with.
const LEAST_LEDGER: u64 = 32 << 20;

fn delivery_log(written: &mut Written, spool: Option<&PathBuf>) -> Option<ledger::Settings> {
    let enough = |text: &str| match positive(text)? {
        octets if octets < LEAST_LEDGER => Err("is too little: write at least 32MiB".into()),
        octets => Ok(octets),
    };
    let retention = written.text("log.retention", lasting);
    let max_size = written.size("log.max_size", enough);
    Some(ledger::Settings { folder: spool?.join("ledger"), retention: retention?, max_size: max_size? })
}

fn positive(text: &str) -> Result<u64, Wrong> {
    match value::size(text)? {
        0 => Err("is 0: write a size such as 50MiB".into()),
        size => Ok(size),
    }
}

pub(super) fn lasting(text: &str) -> Result<Duration, Wrong> {
    match value::duration(text)? {
        Duration::ZERO => Err("is no time at all: write a length such as 5m".into()),
        duration => Ok(duration),
    }
}

/// Values by key, as something that means more. A value that means nothing is noted, and gives none.
impl Written {
    fn noted<T>(&mut self, key: &str, line: Option<usize>, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.wrong(key, line, wrong)).ok()
    }

    pub(super) fn text<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let (Value::Text(text), line) = self.value(key)? else { return None };
        self.noted(key, line, read(&text))
    }

    pub(super) fn texts<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, Wrong>) -> Option<Vec<T>> {
        let (Value::Texts(texts), _) = self.value(key)? else { return None };
        // Looks at all of them before it gives up at one.
        let read: Vec<Option<T>> = texts.into_iter().map(|(text, line)| self.noted(key, line, read(&text))).collect();
        read.into_iter().collect()
    }

    pub(super) fn size<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        let (text, line) = match self.value(key)? {
            (Value::Text(text), line) => (text, line),
            (Value::Whole(number), line) => (number.to_string(), line),
            _ => return None,
        };
        self.noted(key, line, read(&text))
    }

    pub(super) fn count<T: TryFrom<u64>>(&mut self, key: &str) -> Option<T> {
        let (Value::Whole(number), line) = self.value(key)? else { return None };
        let Kind::Count(least, most) = Key::find(key)?.kind else { return None };
        let count = T::try_from(number).ok().filter(|_| (least..=most).contains(&number));
        self.noted(key, line, count.ok_or_else(|| format!("is {number}: write a number from {least} to {most}")))
    }

    pub(super) fn choice(&mut self, key: &str) -> Option<String> {
        let Kind::Choice(words) = Key::find(key)?.kind else { return None };
        let known = |text: &str| {
            let known = words.contains(&text).then(|| text.to_owned());
            known.ok_or_else(|| format!("`{text}` is not among the choices: write \"{}\"", words.join("\" or \"")))
        };
        self.text(key, known)
    }

    pub(super) fn switch(&mut self, key: &str) -> Option<bool> {
        match self.value(key)? {
            (Value::Switch(on), _) => Some(on),
            _ => None,
        }
    }
}
