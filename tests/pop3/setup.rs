//! The transcripts of POP3, in `tests/dialogues/pop3/`, and the world that they expect.
//!
//! The host is `mx.example.org`. `alice@example.org` has the password `wonder land`, and `sam` is suspended, with the same
//! password. The messages in alice's mailbox are those of the setup: the unique id of the first is `m1`, of the
//! second `m2`. `= stored 2` asks how many are there.

use std::fmt::Write as _;

use restante::protocol::pop3::Clear;
use restante::protocol::smtp::Encryption;

use crate::transcript::{Event, Transport, events, octets, play_all};

/// The password of every account.
pub const PASSWORD: &str = "wonder land";

/// What a server must be like for a transcript.
#[derive(Debug, Clone)]
pub struct Setup {
    pub encryption: Encryption,
    pub clear: Clear,
    pub max_errors: u32,
    /// With LF line ends, as they lie on disk.
    pub messages: Vec<Vec<u8>>,
    /// Another session has the mailbox.
    pub in_use: bool,
    /// This message (from 1) has vanished when it is asked for.
    pub gone: Option<usize>,
    /// This message can neither be read nor removed.
    pub stuck: Option<usize>,
    /// What goes wrong at every login.
    pub broken: Option<String>,
    /// Whether only a pure session can run it.
    pub pure: bool,
    /// Whether the outcome depends on what arrives together: writes are not to be cut.
    pub whole: bool,
}

impl Setup {
    fn new() -> Self {
        Self {
            encryption: Encryption::Offered,
            clear: Clear::Allowed,
            max_errors: 20,
            messages: Vec::new(),
            in_use: false,
            gone: None,
            stuck: None,
            broken: None,
            pure: false,
            whole: false,
        }
    }

    fn set(&mut self, key: &str, value: &str) {
        let number = || value.parse().expect("a number");
        match (key, value) {
            ("tls", "active") => self.encryption = Encryption::Active,
            ("tls", "unavailable") => self.encryption = Encryption::Unavailable,
            ("clear", "refused") => self.clear = Clear::Refused,
            ("max_errors", count) => self.max_errors = count.parse().expect("a count"),
            ("message", text) => self.messages.push(octets(text)),
            ("mailbox", "in-use") => self.in_use = true,
            ("gone", _) => self.gone = Some(number()),
            ("stuck", _) => self.stuck = Some(number()),
            ("broken", what) => self.broken = Some(what.to_owned()),
            ("run", "pure") => self.pure = true,
            ("writes", "whole") => self.whole = true,
            other => panic!("no such setup: {other:?}"),
        }
        let odd = self.gone.or(self.stuck).is_some() || self.broken.is_some() || self.encryption == Encryption::Unavailable;
        self.pure |= odd;
    }
}

/// A transcript, read.
pub struct Transcript {
    pub path: String,
    pub setup: Setup,
    pub events: Vec<(usize, Event)>,
}

impl Transcript {
    pub fn parse(path: &str, text: &str) -> Self {
        let mut setup = Setup::new();
        let events = events(text, |key, value| setup.set(key, value));
        Self { path: path.to_owned(), setup, events }
    }

    /// Everything that the client sends.
    pub fn sent(&self) -> Vec<u8> {
        let pieces =
            self.events.iter().filter_map(|(_, event)| if let Event::Send(octets) = event { Some(octets.as_slice()) } else { None });
        pieces.collect::<Vec<_>>().concat()
    }
}

/// Every transcript.
pub fn all() -> Vec<Transcript> {
    let folder = format!("{}/tests/dialogues/pop3", env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).expect("the folder of transcripts").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths.iter().map(|path| Transcript::parse(&path.display().to_string(), &std::fs::read_to_string(path).expect("a transcript"))).collect()
}

/// Plays every transcript that `wanted` wants, each against what `connect` makes for its setup, and fails with all that is
/// not as written.
pub fn check<T: Transport>(wanted: impl Fn(&Setup) -> bool, mut connect: impl FnMut(&Setup) -> T) {
    let mut failures = String::new();
    for transcript in all().into_iter().filter(|transcript| wanted(&transcript.setup)) {
        if let Err(why) = play_all(&transcript.events, &mut connect(&transcript.setup)) {
            writeln!(failures, "{}, {why}", transcript.path).expect("a String takes all");
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
