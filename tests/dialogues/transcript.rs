//! Transcripts of dialogues, and what runs them.
//!
//! A transcript is text, one thing a line:
//!
//! | line | meaning |
//! |---|---|
//! | `# …` | a remark |
//! | `% key value` | the [`Setup`], before the first other line; keys and values are in [`Setup::set`] |
//! | `C: …` | sent, with CRLF behind; neighbouring `C:` and `c:` lines travel together |
//! | `c: …` | sent as it is |
//! | `S: …` | the next reply line; `*` stands for anything |
//! | `> …` | a line of the message that was stored last; all of them, in order |
//! | `~ 300s` | time passes |
//! | `= quiet` | nothing more has been said |
//! | `= closed` | nothing more has been said, and the connection is closed |
//! | `= tls` | the client does its handshake |
//! | `= shutdown` | the server is told to stop |
//! | `= stored 1` | so many messages have been stored since the beginning |
//!
//! In `C:`, `c:` and `>` lines, `\r \n \t \0 \\ \xNN` are octets, and `\{3*ab}` is `ababab`.
//!
//! The world that transcripts expect is the domain `example.org` on host `mx.example.org` with the addresses in
//! [`refusal`]; everything else about the server is in the [`Setup`].

use std::fmt::Write as _;
use std::time::Duration;

use restante::protocol::smtp::{BareNewline, Dialect, Encryption, Reply, Trust, Vrfy};

/// The host that transcripts talk to.
pub const HOST: &str = "mx.example.org";

/// What a server must be like for a transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    pub dialect: Dialect,
    pub encryption: Encryption,
    pub trust: Trust,
    pub bare_newline: BareNewline,
    pub vrfy: Vrfy,
    pub max_message_size: u64,
    pub max_recipients: usize,
    pub max_errors: u32,
    pub max_line: Option<u64>,
    pub min_rate: u64,
    /// Whether only a pure session can run it: time passes, or the server stops.
    pub pure: bool,
    /// Whether the outcome depends on what arrives together: writes are not to be cut.
    pub whole: bool,
    /// Whether the world is broken: no room at the beginning of data, or none at its end.
    pub broken: Option<Broken>,
}

/// What is wrong with the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    Begin,
    Commit,
}

impl Setup {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            encryption: Encryption::Unavailable,
            trust: Trust::Ordinary,
            bare_newline: BareNewline::Normalize,
            vrfy: Vrfy::Noncommittal,
            max_message_size: 100_000,
            max_recipients: 100,
            max_errors: 10,
            max_line: None,
            min_rate: 0,
            pure: false,
            whole: false,
            broken: None,
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        match (key, value) {
            ("tls", "offered") => self.encryption = Encryption::Offered,
            ("tls", "active") => self.encryption = Encryption::Active,
            ("peer", "proxy") => self.trust = Trust::Proxy,
            ("bare_newline", "reject") => self.bare_newline = BareNewline::Reject,
            ("vrfy", "disabled") => self.vrfy = Vrfy::Disabled,
            ("max_message_size", octets) => self.max_message_size = octets.parse().expect("octets"),
            ("max_recipients", count) => self.max_recipients = count.parse().expect("a count"),
            ("max_errors", count) => self.max_errors = count.parse().expect("a count"),
            ("max_line", octets) => self.max_line = Some(octets.parse().expect("octets")),
            ("min_rate", octets) => self.min_rate = octets.parse().expect("octets"),
            ("run", "pure") => self.pure = true,
            ("writes", "whole") => self.whole = true,
            ("broken", "begin") => self.broken = Some(Broken::Begin),
            ("broken", "commit") => self.broken = Some(Broken::Commit),
            other => panic!("no such setup: {other:?}"),
        }
        self.pure |= self.broken.is_some();
    }
}

/// Why the world refuses a recipient: by the folded local part, in `example.org`.
pub fn refusal(local: &str, domain: &str) -> Option<Reply> {
    match local {
        _ if domain != "example.org" => Some(Reply::RelayDenied),
        "alice" | "bob" | "carol" | "josé" | "two words" | "postmaster" => None,
        "full" => Some(Reply::MailboxFull),
        "off" => Some(Reply::AliasDisabled),
        "moved" => Some(Reply::RejectedByAlias { text: "Moved away".to_owned() }),
        // The one account whose mailbox fills up only at the end of data.
        "brim" => None,
        _ => Some(Reply::UnknownRecipient),
    }
}

/// The other side of a dialogue.
pub trait Transport {
    fn send(&mut self, octets: &[u8]);
    /// The next reply line without its CRLF, if one comes.
    fn line(&mut self) -> Option<String>;
    /// Whether the server has closed the connection, nothing unread being left.
    fn is_closed(&mut self) -> bool;
    fn handshake(&mut self);
    fn wait(&mut self, time: Duration);
    fn shut_down(&mut self);
    /// The text of each message stored so far, with LF line ends and without the fields of delivery; none if that cannot be seen.
    fn stored(&mut self) -> Option<Vec<Vec<u8>>>;
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Send(Vec<u8>),
    Reply(String),
    Stored(Vec<u8>),
    Count(usize),
    Wait(Duration),
    Quiet,
    Closed,
    Handshake,
    Shutdown,
}

/// A transcript, read.
#[derive(Debug, Clone)]
pub struct Transcript {
    pub setup: Setup,
    /// With the number of the line that each began in.
    pub events: Vec<(usize, Event)>,
}

impl Transcript {
    pub fn parse(dialect: Dialect, text: &str) -> Self {
        let mut setup = Setup::new(dialect);
        let events = events(text, |key, value| setup.set(key, value));
        Self { setup, events }
    }

    /// Plays it, and gives the first thing that is not as written.
    pub fn play(&self, with: &mut impl Transport) -> Result<(), String> {
        play_all(&self.events, with)
    }
}

/// Reads what happens, handing the lines of the setup to `set`.
pub fn events(text: &str, mut set: impl FnMut(&str, &str)) -> Vec<(usize, Event)> {
    let mut events: Vec<(usize, Event)> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        let event = match mark {
            "" | "#" => continue,
            "%" => {
                assert!(events.is_empty(), "line {}: the setup comes first", number + 1);
                let (key, value) = rest.split_once(' ').expect("% key value");
                set(key, value);
                continue;
            }
            "C:" => Event::Send([octets(rest), b"\r\n".to_vec()].concat()),
            "c:" => Event::Send(octets(rest)),
            "S:" => Event::Reply(rest.to_owned()),
            ">" => Event::Stored([octets(rest), b"\n".to_vec()].concat()),
            "~" => Event::Wait(Duration::from_secs(rest.trim_end_matches('s').parse().expect("seconds"))),
            "=" => match rest.split_once(' ').unwrap_or((rest, "")) {
                ("quiet", _) => Event::Quiet,
                ("closed", _) => Event::Closed,
                ("tls", _) => Event::Handshake,
                ("shutdown", _) => Event::Shutdown,
                ("stored", count) => Event::Count(count.parse().expect("a count")),
                _ => panic!("line {}: no such event: {rest}", number + 1),
            },
            _ => panic!("line {}: no such mark: {mark}", number + 1),
        };
        match (events.last_mut(), event) {
            (Some((_, Event::Send(before))), Event::Send(octets)) => before.extend_from_slice(&octets),
            (Some((_, Event::Stored(before))), Event::Stored(octets)) => before.extend_from_slice(&octets),
            (_, event) => events.push((number + 1, event)),
        }
    }
    events
}

/// Plays what is to happen, and gives the first thing that is not as written.
pub fn play_all(events: &[(usize, Event)], with: &mut impl Transport) -> Result<(), String> {
    for (number, event) in events {
        play(event, with).map_err(|why| format!("line {number}: {why}"))?;
    }
    Ok(())
}

fn play(event: &Event, with: &mut impl Transport) -> Result<(), String> {
    let silence = |with: &mut dyn FnMut() -> Option<String>| with().map_or(Ok(()), |line| Err(format!("unexpected `{line}`")));
    match event {
        Event::Send(octets) => with.send(octets),
        Event::Reply(expected) => match with.line() {
            Some(line) if matches(expected, &line) => {}
            other => return Err(format!("expected `{expected}`, found {other:?}")),
        },
        Event::Wait(time) => with.wait(*time),
        Event::Quiet => silence(&mut || with.line())?,
        Event::Closed => {
            silence(&mut || with.line())?;
            if !with.is_closed() {
                return Err("still open".to_owned());
            }
        }
        Event::Handshake => with.handshake(),
        Event::Shutdown => with.shut_down(),
        Event::Stored(text) => match with.stored().as_deref() {
            Some([.., last]) if last != text => return Err(format!("stored is {}", last.escape_ascii())),
            Some([]) => return Err("nothing was stored".to_owned()),
            _ => {}
        },
        Event::Count(count) => match with.stored() {
            Some(stored) if stored.len() != *count => return Err(format!("{} messages are stored", stored.len())),
            _ => {}
        },
    }
    Ok(())
}

/// Whether `line` is `pattern`, in which `*` stands for anything.
fn matches(pattern: &str, line: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == line,
        Some((before, after)) => line
            .strip_prefix(before)
            .is_some_and(|rest| (0..=rest.len()).any(|at| rest.is_char_boundary(at) && matches(after, &rest[at..]))),
    }
}

/// Undoes the escapes of a line.
pub fn octets(text: &str) -> Vec<u8> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((plain, escape)) = rest.split_once('\\') {
        found.extend_from_slice(plain.as_bytes());
        let (kind, after) = escape.split_at(1);
        rest = after;
        match kind {
            "r" => found.push(b'\r'),
            "n" => found.push(b'\n'),
            "t" => found.push(b'\t'),
            "0" => found.push(0),
            "\\" => found.push(b'\\'),
            "x" => {
                let (digits, after) = rest.split_at(2);
                found.push(u8::from_str_radix(digits, 16).expect("two digits"));
                rest = after;
            }
            "{" => {
                let (count, after) = rest.split_once('*').expect("\\{count*text}");
                let (repeated, after) = after.split_once('}').expect("\\{count*text}");
                found.extend(octets(repeated).repeat(count.parse().expect("a count")));
                rest = after;
            }
            other => panic!("no such escape: {other}"),
        }
    }
    found.extend_from_slice(rest.as_bytes());
    found
}

/// Every transcript, with its path and text.
pub fn all() -> Vec<(String, Transcript)> {
    let mut found = Vec::new();
    for (folder, dialect) in [("smtp", Dialect::Smtp), ("lmtp", Dialect::Lmtp)] {
        let folder = format!("{}/tests/dialogues/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(&folder).expect("the folder of transcripts") {
            let path = entry.expect("an entry").path();
            let text = std::fs::read_to_string(&path).expect("a transcript");
            found.push((path.display().to_string(), Transcript::parse(dialect, &text)));
        }
    }
    assert!(!found.is_empty());
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

/// Plays every transcript that `wanted` wants, each against what `connect` makes for its setup, and fails with all that is
/// not as written.
pub fn check<T: Transport>(wanted: impl Fn(&Setup) -> bool, mut connect: impl FnMut(&Setup) -> T) {
    let mut failures = String::new();
    for (path, transcript) in all().into_iter().filter(|(_, transcript)| wanted(&transcript.setup)) {
        if let Err(why) = transcript.play(&mut connect(&transcript.setup)) {
            writeln!(failures, "{path}, {why}").expect("a String takes all");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
