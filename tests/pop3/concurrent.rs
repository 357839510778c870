//! Mail arrives at full rate while owners list, fetch and delete: nothing is lost, and nothing comes twice.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::client::Client;
use crate::house::{House, until};

/// Clients that bring mail.
const SENDERS: usize = 4;

/// Messages that each of them brings, half of them for alice, half for bob.
const MESSAGES: usize = 150;

fn send(house: &House, sender: usize) {
    let mut client = Client::tcp(&house.running().addresses.smtp[0]).greeted();
    client.expect("HELO client.example", "250");
    for number in 0..MESSAGES {
        client.expect("MAIL FROM:<sender@example.com>", "250");
        client.expect(&format!("RCPT TO:<{}@example.org>", if number % 2 == 0 { "alice" } else { "bob" }), "250");
        client.expect("DATA", "354");
        client.expect(&format!("Subject: {sender}/{number}\r\n\r\n..text\r\n."), "250");
    }
}

/// One visit: each message that is there is fetched; every other one is deleted, so that listings change all the time.
fn visit(house: &House, name: &str, fetched: &mut BTreeMap<String, String>, deleted: &mut Vec<String>, all: bool) {
    let mut client = house.logged_in(name);
    client.ask("UIDL");
    let uids: Vec<String> = client.lines();
    let mut marked: Vec<String> = Vec::new();
    for line in &uids {
        let (number, uid) = line.split_once(' ').unwrap();
        assert!(!deleted.iter().any(|gone| gone == uid), "{uid} was deleted, and is back");
        let size = client.ask(&format!("LIST {number}"));
        let told = client.ask(&format!("RETR {number}"));
        assert!(told.starts_with("+OK "), "{told}");
        let text = client.lines();
        // The dot in front of `.text` was doubled on its way.
        let octets: usize = text.iter().map(|line| line.len() + 2 - usize::from(line.starts_with('.'))).sum();
        assert_eq!(size, format!("+OK {number} {octets}"));
        let subject = text.iter().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned();
        let before = fetched.insert(uid.to_owned(), subject.clone());
        assert!(before.is_none_or(|before| before == subject), "{uid} is another message now");
        if all || number.parse::<usize>().unwrap() % 2 == 0 {
            assert!(client.ask(&format!("DELE {number}")).starts_with("+OK "));
            marked.push(uid.to_owned());
        }
    }
    assert!(client.ask("QUIT").starts_with("+OK "));
    deleted.extend(marked);
}

#[test]
fn nothing_is_lost_and_nothing_comes_twice() {
    let house = House::new();
    let sent = AtomicBool::new(false);
    thread::scope(|scope| {
        let senders: Vec<_> = (0..SENDERS)
            .map(|sender| {
                scope.spawn({
                    let house = &house;
                    move || send(house, sender)
                })
            })
            .collect();
        let visitors: Vec<_> = ["alice", "bob"]
            .map(|name| {
                let (house, sent) = (&house, &sent);
                scope.spawn(move || {
                    let (mut fetched, mut deleted) = (BTreeMap::new(), Vec::new());
                    while !sent.load(Ordering::Relaxed) {
                        visit(house, name, &mut fetched, &mut deleted, false);
                    }
                    visit(house, name, &mut fetched, &mut deleted, true);
                    let mut subjects: Vec<String> = fetched.into_values().collect();
                    let count = subjects.len();
                    subjects.sort();
                    subjects.dedup();
                    assert_eq!((count, subjects.len()), (SENDERS * MESSAGES / 2, SENDERS * MESSAGES / 2), "{name}");
                })
            })
            .into();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        sent.store(true, Ordering::Relaxed);
        visitors.into_iter().for_each(|visitor| visitor.join().unwrap());
    });
    until("all is fetched and removed", || house.files("alice").is_empty() && house.files("bob").is_empty());
}
