//! The keys of the configuration: the one table behind the checks, the defaults and the reference file.

use std::fmt::Write as _;

/// What may stand behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A string; the example shows its form.
    Text,
    /// Several strings.
    Texts,
    /// A whole number from `.0` to `.1`.
    Count(u64, u64),
    /// Octets, as a string with a unit or a whole number.
    Size,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
}

/// One key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    /// The table it stands in; empty for the top.
    pub section: &'static str,
    /// Its name there.
    pub name: &'static str,
    /// What may stand behind it.
    pub kind: Kind,
    /// What holds where it is missing, as TOML.
    pub default: &'static str,
    /// Whether the default follows another key, so that the reference must not set it.
    pub follows: bool,
    /// What it does, for people; lines are broken here.
    pub doc: &'static str,
}

const fn key(section: &'static str, name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { section, name, kind, default, follows: false, doc }
}

const fn following(section: &'static str, name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { section, name, kind, default, follows: true, doc }
}

const MANY: u64 = 1 << 20;

/// The sections in the order of the reference, and what each is about.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    ("", ""),
    ("spool", "Accepted mail, the directory of accounts and aliases, run-time state."),
    ("mail", "The mailboxes: one Maildir for each POP account."),
    ("smtp", "Mail from upstream MTAs over SMTP. Limits and habits hold for LMTP as well."),
    ("lmtp", "Mail from an MTA on the same machine or network, with one reply for each recipient."),
    ("pop3", "Owners calling for their mail. Proxies in smtp.proxy_from are asked for the PROXY protocol here too."),
    ("dns", "Questions to the Domain Name System."),
    ("admin", "Administration."),
    ("tls", "The certificate of STARTTLS and of the TLS listeners."),
    ("relay", "Mail to addresses elsewhere."),
    ("lists", "List accounts."),
    ("quota", "Room in mailboxes."),
    ("password", "The cost of password hashes (Argon2id, RFC 9106). A stored hash follows at its next login."),
    ("log", "The log, on standard error; and the delivery log, which `restante log` and the panel search."),
];

/// Every key there is.
pub(super) const KEYS: &[Key] = &[
    key("", "hostname", Kind::Text, r#""localhost""#, "The name of this server, in greetings, trace headers and Maildir file names."),
    key("spool", "dir", Kind::Text, r#""spool""#, "The folder. It belongs to one running server at a time."),
    key(
        "spool",
        "max_log",
        Kind::Size,
        r#""512MiB""#,
        "The most that mail may take in the spool's log until its mailboxes are durable; beyond it clients try again later (452 4.3.1).\nAt least 32MiB.",
    ),
    following(
        "mail",
        "root",
        Kind::Text,
        r#""spool/mail""#,
        "The folder of the Maildirs. Where it is not set: `mail` in the spool folder.",
    ),
    key("mail", "trash_days", Kind::Count(0, 36_500), "30", "Days that a deleted account's mail can be restored."),
    key(
        "smtp",
        "listen",
        Kind::Texts,
        r#"["127.0.0.1:2525"]"#,
        "Addresses with ports. Port 0 takes a free one, which is logged and written to run.json in the spool.",
    ),
    key("smtp", "listen_tls", Kind::Texts, "[]", "The same, with TLS from the first byte."),
    key("smtp", "max_message_size", Kind::Size, r#""50MiB""#, "The biggest message (552 5.3.4)."),
    key("smtp", "max_recipients", Kind::Count(100, MANY), "1000", "Recipients of one message, at least 100 (452 4.5.3 to the others)."),
    key("smtp", "max_errors", Kind::Count(1, MANY), "10", "Bad commands after which the connection is closed (421)."),
    key("smtp", "max_line", Kind::Size, r#""unlimited""#, "The longest line of a message, or \"unlimited\" inside its size."),
    key(
        "smtp",
        "bare_newline",
        Kind::Choice(&["normalize", "reject"]),
        r#""normalize""#,
        "A CR or LF that stands alone: \"normalize\" makes it a line end, \"reject\" refuses the message (550 5.6.11).\nNeither ever ends a message.",
    ),
    key(
        "smtp",
        "vrfy",
        Kind::Choice(&["noncommittal", "disabled"]),
        r#""noncommittal""#,
        "The answer to VRFY: \"noncommittal\" (252) or \"disabled\" (502).",
    ),
    key(
        "smtp",
        "subaddress_separators",
        Kind::Text,
        r#""+""#,
        "Characters that set off a detail, as in user+detail@example.org. Empty: none.",
    ),
    key(
        "smtp",
        "postmaster",
        Kind::Text,
        r#""""#,
        "The account or address for postmaster, and for postmaster@ and abuse@ the local domains, where they have no alias of\ntheir own. It need not exist yet.",
    ),
    key(
        "smtp",
        "disabled_alias",
        Kind::Choice(&["5.1.1", "5.2.1"]),
        r#""5.1.1""#,
        "What senders hear about an alias that is switched off or expired: \"5.1.1\" (no such recipient) or \"5.2.1\" (switched off).",
    ),
    key(
        "smtp",
        "max_alias_depth",
        Kind::Count(1, 1000),
        "20",
        "Aliases in a chain. Over this bound and the next two, mail waits (451 4.6.0).",
    ),
    key("smtp", "max_alias_fan_out", Kind::Count(1, MANY), "1000", "Entries of one alias."),
    key("smtp", "max_alias_total", Kind::Count(1, MANY), "1000", "Entries that one recipient leads to, in all."),
    key(
        "smtp",
        "max_connections",
        Kind::Count(1, MANY),
        "16000",
        "Connections at a time, SMTP and LMTP together (421 4.3.2 to the others).",
    ),
    key(
        "smtp",
        "max_connections_per_client",
        Kind::Count(1, MANY),
        "12000",
        "Connections at a time from one client address. A server behind a single MTA needs nearly all of them.",
    ),
    key("smtp", "command_timeout", Kind::Text, r#""5m""#, "Silence after which a connection is closed (RFC 5321 asks for 5 minutes)."),
    key(
        "smtp",
        "min_rate",
        Kind::Size,
        r#""100B""#,
        "Octets per second that a client must keep up while it sends a message. \"0\": no such floor.",
    ),
    key(
        "smtp",
        "proxy_from",
        Kind::Texts,
        "[]",
        "Addresses or networks of proxies that begin with the PROXY protocol (v1 or v2), as in [\"10.0.0.0/8\"].",
    ),
    key("smtp", "xclient_from", Kind::Texts, "[]", "Addresses or networks of MTAs that may use XCLIENT."),
    key("smtp", "reverse_lookup", Kind::Switch, "true", "Whether the names of client addresses are looked up, for the Received field."),
    key("smtp", "shutdown_grace", Kind::Text, r#""30s""#, "How long messages under way may take to end when the server stops."),
    key(
        "lmtp",
        "listen",
        Kind::Texts,
        r#"["127.0.0.1:2424"]"#,
        "Addresses with ports, or \"unix:/path\" (\"unix:path\" from the working directory).",
    ),
    key("pop3", "listen", Kind::Texts, r#"["127.0.0.1:2110"]"#, "Addresses with ports."),
    key("pop3", "listen_tls", Kind::Texts, r#"["127.0.0.1:2995"]"#, "The same, with TLS from the first byte."),
    key(
        "pop3",
        "plaintext",
        Kind::Choice(&["loopback", "always", "never"]),
        r#""loopback""#,
        "Where passwords may come without TLS: from this machine (\"loopback\"), from anywhere (\"always\"), or nowhere (\"never\").",
    ),
    key(
        "pop3",
        "max_connections",
        Kind::Count(1, MANY),
        "8000",
        "Connections at a time. They are counted apart from those that bring mail.",
    ),
    key("pop3", "max_connections_per_client", Kind::Count(1, MANY), "4000", "Connections at a time from one client address."),
    key("pop3", "max_errors", Kind::Count(1, MANY), "20", "Bad commands and failed logins after which the connection is closed."),
    key(
        "pop3",
        "idle_timeout",
        Kind::Text,
        r#""10m""#,
        "Silence after which a connection is closed and its mailbox free (RFC 1939 asks for 10 minutes).",
    ),
    key("pop3", "stall_timeout", Kind::Text, r#""2m""#, "How long a client may take nothing of what it asked for."),
    key(
        "dns",
        "servers",
        Kind::Texts,
        "[]",
        "Addresses of resolvers, each with a port or without, as in [\"127.0.0.1\", \"192.0.2.53:5353\"]. Empty: those of this machine.",
    ),
    key(
        "admin",
        "listen",
        Kind::Text,
        r#""127.0.0.1:2080""#,
        "The address of the web panel and of the HTTP API. It speaks HTTP to this machine, and HTTPS to everybody (see [tls]).",
    ),
    following(
        "admin",
        "socket",
        Kind::Text,
        r#""spool/admin.sock""#,
        "The Unix socket that the command line talks to. Where it is not set: `admin.sock` in the spool folder.",
    ),
    key(
        "admin",
        "trusted_proxies",
        Kind::Texts,
        "[]",
        "HTTP proxies, as addresses or networks, that say for whom they speak (X-Forwarded-For, or Forwarded): logins are limited, changes\nnoted and /metrics guarded by that address. Name a proxy on this machine too, or everybody behind it counts as this machine.",
    ),
    key(
        "tls",
        "certificate",
        Kind::Text,
        r#""""#,
        "The certificate chain, PEM, the server's own first. Empty, with the key: a self-signed pair in the spool.",
    ),
    key("tls", "key", Kind::Text, r#""""#, "Its private key, PEM."),
    key(
        "relay",
        "mode",
        Kind::Choice(&["direct", "smarthost", "off"]),
        r#""direct""#,
        "\"direct\": to the mail servers that the domain names in DNS. \"smarthost\": all of it to relay.smarthost.\n\"off\": recipients that lead elsewhere wait with their senders (451).",
    ),
    key(
        "relay",
        "smarthost",
        Kind::Text,
        r#""""#,
        "The smarthost: a name or an address, with a port or without (587), as in \"mail.example.net:25\". With `smtps://` before it:\nTLS from the first byte (port 465 where none is given).",
    ),
    key("relay", "username", Kind::Text, r#""""#, "The login at the smarthost. Empty: none."),
    key(
        "relay",
        "password_file",
        Kind::Text,
        r#""""#,
        "The file whose first line is the password. It is sent over TLS, and in clear to this machine only.",
    ),
    key(
        "relay",
        "tls",
        Kind::Choice(&["opportunistic", "require", "verify", "off"]),
        r#""opportunistic""#,
        "\"opportunistic\": TLS where it is offered and works, else in clear. \"require\": mail waits where there is no TLS.\n\"verify\": it waits where the certificate is not valid for the host's name. \"off\": no TLS.",
    ),
    key(
        "relay",
        "destinations",
        Kind::Texts,
        "[]",
        "What is different for some domains, the first that fits: [\"example.org tls=verify\", \".example.net via=10.0.0.5:2525\"].\nA dot before the domain means its subdomains. `via` names a host to be used instead of those in DNS.",
    ),
    key("relay", "port", Kind::Count(1, 65_535), "25", "The port of the mail servers that DNS names."),
    key(
        "relay",
        "source",
        Kind::Texts,
        "[]",
        "The addresses that connections come from, one for IPv4 and one for IPv6. Empty: the system chooses.",
    ),
    key("relay", "connections", Kind::Count(1, MANY), "20", "Connections to one destination at a time."),
    key("relay", "messages_per_connection", Kind::Count(1, MANY), "100", "Messages over one connection."),
    key("relay", "rate", Kind::Count(0, MANY), "0", "Messages to one destination in a minute. 0: no such bound."),
    key("relay", "first_retry", Kind::Text, r#""5m""#, "How long mail waits after its first failure. The time doubles from then on."),
    key("relay", "max_retry", Kind::Text, r#""4h""#, "The longest time between two attempts."),
    key("relay", "life", Kind::Text, r#""5d""#, "How long mail is tried; then its sender gets it back."),
    key("relay", "delay_notice", Kind::Text, r#""4h""#, "After what time its sender is told that it is not there yet."),
    key("relay", "connect_timeout", Kind::Text, r#""30s""#, "How long a connection to one address may take."),
    key("relay", "command_timeout", Kind::Text, r#""5m""#, "Silence after a command that ends an attempt (RFC 5321 asks for 5 minutes)."),
    key(
        "relay",
        "data_timeout",
        Kind::Text,
        r#""10m""#,
        "Silence after the end of a message (RFC 5321 asks for 10 minutes: what ends sooner may arrive twice).",
    ),
    key(
        "relay",
        "srs",
        Kind::Switch,
        "true",
        "Whether forwarded mail gets an envelope sender of this server (SRS), so that it passes SPF and its bounces come back.",
    ),
    key("relay", "srs_domain", Kind::Text, r#""""#, "The domain of such senders, a local one. Empty: that of the address that forwards."),
    key(
        "relay",
        "max_returned",
        Kind::Size,
        r#""1MiB""#,
        "The biggest message that a report gives back whole; of others it holds the header.",
    ),
    key(
        "lists",
        "url",
        Kind::Text,
        r#""""#,
        "Where members reach the panel's listener from outside, as in \"https://mail.example.org\": postings carry a link there that takes\ntheir reader off the list (RFC 8058). Empty: no such link, and an address to write to in its place.",
    ),
    key(
        "lists",
        "bounce_days",
        Kind::Count(1, 1000),
        "3",
        "Days on which mail to a member has to come back for good before it is suspended.",
    ),
    key("lists", "bounce_window", Kind::Count(1, 1000), "14", "The days that these have to be among."),
    key(
        "lists",
        "held_days",
        Kind::Count(1, 1000),
        "7",
        "How long a posting waits for the owner of a moderated list; then it is thrown away.",
    ),
    key("quota", "default", Kind::Size, r#""unlimited""#, "The room of accounts that have no quota of their own, or \"unlimited\"."),
    key(
        "quota",
        "over",
        Kind::Choice(&["defer", "reject"]),
        r#""defer""#,
        "A full mailbox: \"defer\" (452 4.2.2) or \"reject\" (552 5.2.2).",
    ),
    key("password", "memory", Kind::Size, r#""19MiB""#, "Memory for one hash (m)."),
    key("password", "passes", Kind::Count(1, 1000), "2", "Passes over that memory (t)."),
    key("password", "lanes", Kind::Count(1, 64), "1", "Lanes (p). Each needs 8 KiB of the memory at least."),
    key("log", "format", Kind::Choice(&["text", "json"]), r#""text""#, "\"text\" for people, \"json\" for programs."),
    key(
        "log",
        "level",
        Kind::Text,
        r#""info""#,
        "\"error\", \"warn\", \"info\", \"debug\" or \"trace\"; or a filter such as \"info,restante::router=debug\".",
    ),
    key("log", "retention", Kind::Text, r#""14d""#, "How long the delivery log keeps what became of a recipient."),
    key(
        "log",
        "max_size",
        Kind::Size,
        r#""2GiB""#,
        "The most that it takes on disk, about; beyond it the oldest hours go first. A recipient takes some 200 octets.",
    ),
];

impl Key {
    /// `section.name`.
    pub fn path(&self) -> String {
        if self.section.is_empty() { self.name.to_owned() } else { format!("{}.{}", self.section, self.name) }
    }

    /// The key of that path.
    pub fn find(path: &str) -> Option<&'static Key> {
        let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
        KEYS.iter().find(|key| key.section == section && key.name == name)
    }
}

const HEAD: &str = "\
# The configuration of Restante: every key, with its default.
#
# Relative paths are relative to the working directory of the server. `restante check` says what is wrong with a file, all of
# it at once. A running server reads it anew on SIGHUP; listeners and the spool take a restart.
";

/// The reference file: `config/restante.toml` is this text.
pub fn reference() -> String {
    let mut text = HEAD.to_owned();
    for (section, about) in SECTIONS {
        if !section.is_empty() {
            // A String takes whatever is written to it.
            let _ = write!(text, "\n# {about}\n[{section}]\n");
        }
        for key in KEYS.iter().filter(|key| key.section == *section) {
            text.push('\n');
            for line in key.doc.lines() {
                let _ = writeln!(text, "# {line}");
            }
            let _ = writeln!(text, "{}{} = {}", if key.follows { "#" } else { "" }, key.name, key.default);
        }
    }
    text
}
