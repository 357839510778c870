//! Sessions over sockets: mailboxes that are taken and given back, limits, large messages, clients that stop.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use restante::server::pop3::Plaintext;

use crate::house::{House, PATIENCE, sessions, until};
use crate::setup::PASSWORD;

/// A client that reads whatever comes, at its own speed.
struct Raw {
    stream: BufReader<TcpStream>,
}

impl Raw {
    /// Logged in as alice.
    fn connect(house: &House) -> Self {
        let stream = TcpStream::connect(&house.running().addresses.pop3[0]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut raw = Self { stream: BufReader::new(stream) };
        raw.say(&format!("USER alice\r\nPASS {PASSWORD}\r\n"));
        (0..3).for_each(|_| assert!(raw.line().starts_with(b"+OK ")));
        raw
    }

    fn say(&self, text: &str) {
        self.stream.get_ref().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        line
    }

    /// A message as a client gets it, dots undone; and the octets that its reply told.
    fn retrieve(&mut self, number: usize) -> (Vec<u8>, u64) {
        self.say(&format!("RETR {number}\r\n"));
        let reply = String::from_utf8(self.line()).unwrap();
        let told = reply.strip_prefix("+OK ").and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{reply}")).parse().unwrap();
        let mut text = Vec::new();
        loop {
            let line = self.line();
            match line.as_slice() {
                b".\r\n" => return (text, told),
                line => text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line)),
            }
        }
    }
}

#[test]
fn the_listeners_are_in_run_json() {
    let house = House::new();
    let run: serde_json::Value = serde_json::from_slice(&fs::read(house.folder.path().join("spool/run.json")).unwrap()).unwrap();
    for key in ["pop3", "pop3_tls"] {
        let address = run[key][0].as_str().unwrap();
        assert!(TcpStream::connect(address).is_ok(), "{key}: {address}");
    }
}

#[test]
fn a_mailbox_has_one_session_and_is_free_when_it_ends_however_that_is() {
    let house = House::new();
    let in_use = "-ERR [IN-USE] ";
    let mut first = house.logged_in("alice");
    assert!(house.pop3().log_in("alice").starts_with(in_use));
    assert!(house.pop3().log_in("alice@example.org").starts_with(in_use), "the same by its address");
    assert!(house.pop3().log_in("bob").starts_with("+OK "), "others are not concerned");
    assert!(first.ask("QUIT").starts_with("+OK "));
    let second = house.logged_in("alice");
    drop(second);
    until("the mailbox of a client that went away is free", || house.pop3().log_in("alice").starts_with("+OK "));
    house.is_left();
    let third = house.logged_in("alice");
    third.half_close();
    until("the mailbox of a client that is deaf is free", || house.pop3().log_in("alice").starts_with("+OK "));
}

#[test]
fn an_idle_session_ends_without_a_word_and_removes_nothing() {
    let house = House::with(&[b"one\n".to_vec()], |config| sessions(config, |session| session.idle_timeout = Duration::from_millis(300)));
    let mut client = house.logged_in("alice");
    assert!(client.ask("DELE 1").starts_with("+OK "));
    assert!(client.line().is_none() && client.is_closed());
    house.is_left();
    assert_eq!(house.files("alice").len(), 1);
    assert!(house.logged_in("alice").ask("STAT").starts_with("+OK 1 "));
}

#[test]
fn a_client_that_stops_anywhere_removes_nothing() {
    let house = House::with(&[b"one\n".to_vec(), b"two\n".to_vec()], |_| {});
    let said = format!("USER alice\r\nPASS {PASSWORD}\r\nRETR 1\r\nDELE 1\r\nDELE 2\r\nQUIT\r\n");
    for end in (0..said.len()).step_by(3).chain([said.len() - 1]) {
        let mut stream = TcpStream::connect(&house.running().addresses.pop3[0]).unwrap();
        stream.write_all(&said.as_bytes()[..end]).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        assert_eq!(house.files("alice").len(), 2, "{}", &said[..end]);
        house.is_left();
    }
}

#[test]
fn there_are_only_so_many_connections_and_they_do_not_count_for_smtp() {
    let house = House::with(&[], |config| {
        config.server.max_callers_per_client = 2;
        config.server.max_connections = 1;
    });
    let clients = [house.logged_in("alice"), house.logged_in("bob")];
    let mut third = house.pop3();
    assert_eq!(third.line().as_deref(), Some("-ERR [SYS/TEMP] mx.example.org has too many connections from your address; try again later"));
    assert!(third.is_closed());
    let smtp = TcpStream::connect(&house.running().addresses.smtp[0]).unwrap();
    let mut greeting = String::new();
    BufReader::new(smtp).read_line(&mut greeting).unwrap();
    assert!(greeting.starts_with("220 "), "{greeting}");
    drop(clients);
    until("there is room again", || house.pop3().line().is_some_and(|greeting| greeting.starts_with("+OK ")));
}

#[test]
fn a_full_server_says_so() {
    let house = House::with(&[], |config| config.server.max_callers = 1);
    let _first = house.logged_in("alice");
    let mut second = house.pop3();
    assert_eq!(second.line().as_deref(), Some("-ERR [SYS/TEMP] mx.example.org has too many connections; try again later"));
    assert!(second.is_closed());
}

/// Every kind of text that a Maildir may hold comes as it is, and as long as it was told to be.
#[test]
fn messages_of_every_kind_arrive_whole() {
    let long_line = vec![b'x'; 5_000_000];
    let large: Vec<u8> = (0..1_600_000)
        .flat_map(|number: u32| format!(".{number} and some sixty octets more, to make the line a usual one\n").into_bytes())
        .collect();
    assert!(large.len() > 100_000_000);
    let messages = [
        Vec::new(),
        b"\n".to_vec(),
        b"lone\rcr, \0 and \xff\n".to_vec(),
        b"crlf\r\n.dot\r\n".to_vec(),
        b"no end".to_vec(),
        long_line,
        large,
    ];
    let house = House::with(&messages, |_| {});
    let mut client = Raw::connect(&house);
    for (number, message) in (1..).zip(&messages) {
        let mut expected = Vec::with_capacity(message.len() + message.len() / 32);
        for (at, octet) in message.iter().enumerate() {
            if *octet == b'\n' && (at == 0 || message[at - 1] != b'\r') {
                expected.push(b'\r');
            }
            expected.push(*octet);
        }
        if !(message.is_empty() || message.ends_with(b"\n")) {
            expected.extend_from_slice(b"\r\n");
        }
        let (text, told) = client.retrieve(number);
        assert!(text == expected, "message {number} has {} octets instead of {}", text.len(), expected.len());
        assert_eq!(told, expected.len() as u64, "message {number}");
    }
}

#[test]
fn a_client_that_takes_nothing_is_dropped_and_costs_a_bounded_buffer() {
    let large = b"some sixty octets, to make the line that is sent a usual one\n".repeat(2_000_000);
    let house = House::with(&[large], |config| config.server.stall_timeout = Duration::from_millis(500));
    let client = Raw::connect(&house);
    let before = resident();
    client.say("RETR 1\r\n");
    house.is_left();
    // The kernel's buffers are not this process's.
    assert!(resident() < before + 20_000_000, "{} octets more", resident() - before);
    assert!(house.logged_in("alice").ask("STAT").starts_with("+OK 1 "));
}

/// Octets of this process in memory.
fn resident() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn what_another_program_does_meanwhile_concerns_its_messages_alone() {
    let house = House::with(&[b"one\n".to_vec(), b"two\n".to_vec(), b"three\n".to_vec()], |_| {});
    let folder = house.folder.path().join("spool/mail/alice");
    let mut client = house.logged_in("alice");
    fs::rename(folder.join("new/m1"), folder.join("cur/m1:2,S")).unwrap();
    fs::remove_file(folder.join("new/m2")).unwrap();
    fs::write(folder.join("new/m0"), b"later\n").unwrap();
    assert_eq!(client.ask("RETR 1"), "+OK 5 octets");
    assert_eq!(client.lines(), ["one"]);
    assert_eq!(client.ask("RETR 2"), "-ERR Message 2 is gone: another program removed it");
    assert_eq!(client.ask("RETR 3"), "+OK 7 octets");
    assert_eq!(client.lines(), ["three"]);
    assert_eq!(client.ask("STAT"), "+OK 3 17");
    client.ask("DELE 1");
    client.ask("DELE 2");
    assert_eq!(client.ask("QUIT"), "+OK 2 messages removed; mx.example.org says goodbye");
    let mut client = house.logged_in("alice");
    client.ask("UIDL");
    assert_eq!(client.lines(), ["1 m0", "2 m3"], "what came meanwhile shows now");
}

#[test]
fn what_cannot_be_removed_is_told_by_its_number() {
    let house = House::with(&[b"one\n".to_vec(), b"two\n".to_vec()], |_| {});
    let path = house.folder.path().join("spool/mail/alice/new/m1");
    let mut client = house.logged_in("alice");
    // A folder cannot be removed like a file, whoever runs the test.
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    client.ask("DELE 1");
    client.ask("DELE 2");
    assert_eq!(client.ask("QUIT"), "-ERR [SYS/TEMP] Some deleted messages not removed: 1");
    assert_eq!(house.files("alice"), [path]);
}

#[test]
fn a_stop_lets_who_is_at_work_finish_and_sends_the_others_away() {
    let mut house = House::with(&[b"one\n".to_vec()], |_| {});
    let (mut idle, mut newcomer) = (house.logged_in("bob"), house.pop3());
    assert!(newcomer.line().is_some_and(|line| line.starts_with("+OK ")));
    let mut busy = house.logged_in("alice");
    let stopping = std::thread::spawn(move || {
        house.stop();
        house
    });
    assert_eq!(newcomer.line().as_deref(), Some("-ERR [SYS/TEMP] mx.example.org is stopping; try again later"));
    assert_eq!(busy.ask("RETR 1"), "+OK 5 octets");
    assert_eq!(busy.lines(), ["one"]);
    assert!(busy.ask("DELE 1").starts_with("+OK "));
    assert!(busy.ask("QUIT").starts_with("+OK 1 messages removed"));
    assert_eq!(idle.line().as_deref(), Some("-ERR [SYS/TEMP] mx.example.org is stopping; try again later"));
    let house = stopping.join().unwrap();
    assert!(house.files("alice").is_empty());
}

#[test]
fn passwords_in_clear_are_a_matter_of_configuration() {
    let house = House::with(&[], |config| config.server.plaintext = Plaintext::Never);
    let mut client = house.pop3();
    client.line();
    assert!(client.ask("USER alice").starts_with("-ERR [AUTH] "));
    assert!(client.ask("STLS").starts_with("+OK "));
    client.secure(&house.certificate());
    client.send(format!("USER alice\r\nPASS {PASSWORD}\r\n"));
    assert!(client.line().unwrap().starts_with("+OK ") && client.line().unwrap().starts_with("+OK "));
    assert!(house.pop3_tls().log_in("bob").starts_with("+OK "));
}

/// A proxy speaks for a client elsewhere: what holds for loopback does not hold for it.
#[test]
fn a_client_behind_a_proxy_is_no_local_one() {
    let house = House::with(&[], |config| config.server.proxy_from = vec!["127.0.0.0/8".parse().unwrap()]);
    for (header, allowed) in [("PROXY TCP4 192.0.2.7 192.0.2.1 1000 110\r\n", false), ("PROXY TCP4 127.0.0.1 127.0.0.1 1000 110\r\n", true)]
    {
        let mut client = house.pop3();
        client.send(header);
        assert!(client.line().unwrap().starts_with("+OK "));
        assert_eq!(client.ask("USER alice").starts_with("+OK "), allowed, "{header}");
    }
}

#[test]
fn a_mailbox_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let house = House::with(&[b"one\n".to_vec()], |_| {});
    assert!(house.logged_in("alice").ask("QUIT").starts_with("+OK "));
    let cur = house.folder.path().join("spool/mail/alice/cur");
    fs::remove_dir(&cur).unwrap();
    fs::write(&cur, b"").unwrap();
    assert_eq!(house.pop3().log_in("alice"), "-ERR [SYS/TEMP] The mailbox cannot be read; try again later");
    fs::remove_file(&cur).unwrap();
    fs::create_dir(&cur).unwrap();
    assert!(house.logged_in("alice").ask("STAT").starts_with("+OK 1 "));
}
