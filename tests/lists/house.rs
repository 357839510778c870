//! A server with a domain, accounts, and a client that says what it is told to.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::world::maildir::Message;
use super::world::process::until;
use super::world::{Settings, User, World};

/// How long anything may take: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub fn house(tables: &str) -> World {
    let world = World::with(User::Same, Settings { tables: tables.to_owned(), ..Settings::default() });
    world.domain("example.org");
    for name in ["alice", "bob", "carol", "olga"] {
        world.pop(name);
    }
    world
}

/// Hands a message in; the reply to each command, as far as it got.
pub fn send(world: &World, from: &str, to: &str, text: &str) -> String {
    let stream = TcpStream::connect(world.smtp()).expect("the server listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
    let mut writer = stream;
    let mut reply = |line: Option<&str>| {
        if let Some(line) = line {
            writer.write_all(format!("{line}\r\n").as_bytes()).expect("the server reads");
        }
        loop {
            let mut text = String::new();
            reader.read_line(&mut text).expect("the server answers");
            if text.as_bytes().get(3) != Some(&b'-') {
                return text.trim_end().to_owned();
            }
        }
    };
    reply(None);
    reply(Some("EHLO client.test"));
    reply(Some(&format!("MAIL FROM:<{from}>")));
    let accepted = reply(Some(&format!("RCPT TO:<{to}>")));
    if !accepted.starts_with("250") {
        return accepted;
    }
    reply(Some("DATA"));
    let text = text.replace('\n', "\r\n");
    reply(Some(&format!("{text}\r\n.")))
}

/// The same, which has to be taken.
pub fn post(world: &World, from: &str, to: &str, text: &str) {
    let reply = send(world, from, to, text);
    assert!(reply.starts_with("250"), "{from} -> {to}: {reply}");
}

/// Hands in a message from a person, with this subject.
pub fn write(world: &World, from: &str, to: &str, subject: &str) {
    post(world, from, to, &message(from, to, subject));
}

/// Makes a list of olga's.
pub fn list(world: &World, name: &str, posting: &str, members: &[&str]) {
    let words = ["list", "add", name, "--domain", "example.org", "--owner", "olga", "--post", posting];
    world.done(&[&words, members].concat());
}

/// A message from a person, with this subject.
pub fn message(from: &str, to: &str, subject: &str) -> String {
    format!("From: <{from}>\nTo: <{to}>\nSubject: {subject}\nMessage-ID: <{subject}@client.test>\n\nHello.")
}

/// The header fields of that name.
pub fn fields(message: &Message, name: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(&message.text).replace("\n ", " ").replace("\n\t", " ");
    let head = text.split("\n\n").next().unwrap_or_default().to_owned();
    let fields = head.lines().filter_map(|line| line.split_once(": ")).filter(|(found, _)| found.eq_ignore_ascii_case(name));
    fields.map(|(_, value)| value.to_owned()).collect()
}

pub fn field(message: &Message, name: &str) -> String {
    fields(message, name).concat()
}

/// Waits for a line of the log with all of these words.
pub fn logged(world: &World, words: &[&str]) {
    let found = until(PATIENCE, || world.log().lines().any(|line| words.iter().all(|word| line.contains(word))).then_some(()));
    assert!(found.is_some(), "no line of the log has {words:?}:\n{}", world.log());
}

/// Waits until the delivery log has rows of a recipient with these words.
pub fn told(world: &World, recipient: &str, words: &str) {
    let rows = || world.done(&["log", "--to", recipient]);
    let found = until(PATIENCE, || rows().contains(words).then_some(()));
    assert!(found.is_some(), "the log of {recipient} has no {words:?}:\n{}", rows());
}

/// Waits until a mailbox has a message with this subject.
pub fn arrives(world: &World, name: &str, subject: &str) -> Message {
    let find = || world.maildir(name).messages().into_iter().find(|message| field(message, "Subject").contains(subject));
    until(PATIENCE, find).unwrap_or_else(|| panic!("{name} has no message about {subject:?}:\n{}", world.log()))
}
