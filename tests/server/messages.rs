//! What becomes of messages.

use std::time::Duration;

use restante::mail::QueueId;
use restante::server::memory::TEXT_IN_MEMORY;

use crate::client::Client;
use crate::house::House;

#[test]
fn smtp_lmtp_and_tls_deliver_to_maildirs() {
    let mut house = House::new();
    for (mut client, hello, with) in [
        (house.smtp().greeted(), "EHLO client.example", "ESMTP"),
        (house.smtp_tls().greeted(), "EHLO client.example", "ESMTPS"),
        (house.lmtp().greeted(), "LHLO client.example", "LMTP"),
        (house.lmtp_unix().greeted(), "LHLO client.example", "LMTP"),
    ] {
        let replies = client.deliver(hello, &["alice@example.org"], &format!("Subject: {with}\r\n\r\n..dot"));
        let id = replies[0].strip_prefix("250 2.0.0 Ok: queued as ").expect("accepted").to_owned();
        let mail = house.mailbox("alice").into_iter().find(|mail| mail.contains(&id)).expect("delivered");
        let (fields, text) = mail.split_at(mail.find("Subject:").unwrap());
        assert_eq!(text, format!("Subject: {with}\n\n.dot\n"));
        let fields: Vec<_> = fields.split_inclusive('\n').collect();
        assert_eq!(
            fields[..3],
            ["Return-Path: <sender@example.com>\n", "Delivered-To: alice@example.org\n", "X-Original-To: alice@example.org\n"]
        );
        assert!(fields[4].contains(&format!("with {with} id {id}")), "{fields:?}");
        let remembered = house.running().service.recent.find(QueueId::parse(&id).unwrap()).expect("remembered");
        assert_eq!((remembered.landings.len(), remembered.tls), (1, with == "ESMTPS"));
        assert!(std::fs::read_to_string(&remembered.landings[0].files[0]).unwrap() == mail);
        client.expect("QUIT", "221 2.0.0");
        assert!(client.is_closed());
    }
    house.stop();
}

#[test]
fn lmtp_tells_recipients_apart_and_one_mailbox_gets_one_copy() {
    let house = House::new();
    let mut client = house.lmtp().greeted();
    let text = format!("Subject: x\r\n\r\n{}", "y".repeat(500));
    let replies = client.deliver("LHLO c", &["alice@example.org", "brim@example.org"], &text);
    assert!(replies[0].starts_with("250 2.0.0") && replies[1].starts_with("452 4.2.2"), "{replies:?}");
    let replies = client.deliver("LHLO c", &["bob@example.org", "bob+x@example.org", "void@example.org"], &text);
    assert!(replies.iter().all(|reply| reply.starts_with("250 2.0.0")), "{replies:?}");
    assert_eq!((house.mailbox("alice").len(), house.mailbox("bob").len(), house.mailbox("brim").len()), (1, 1, 0));
}

#[test]
fn smtp_takes_a_message_whole_or_not_at_all() {
    let house = House::new();
    let text = format!("Subject: x\r\n\r\n{}", "y".repeat(500));
    let replies = house.smtp().greeted().deliver("EHLO c", &["alice@example.org", "brim@example.org"], &text);
    assert!(replies[0].starts_with("452 4.2.2"), "{replies:?}");
    house.is_empty();
}

/// A transaction that promises a mailbox nearly all its room, and sends a body that goes to a file.
fn transaction() -> Vec<u8> {
    let mut said = b"EHLO c\r\nMAIL FROM:<a@example.com> SIZE=9000\r\nRCPT TO:<narrow@example.org>\r\nDATA\r\nSubject: x\r\n\r\n".to_vec();
    said.extend_from_slice(b"some text\r\n..\r\nthe end\r\n.\r");
    said
}

#[test]
fn a_disconnect_at_any_octet_leaves_nothing_behind() {
    let house = House::new();
    let said = transaction();
    for cut in 0..=said.len() {
        let mut client = house.smtp();
        client.send(&said[..cut]);
        drop(client);
    }
    house.is_left();
    house.is_empty();
    // All promises have been given back: there is room for the whole of it.
    let mut client = house.smtp().greeted();
    client.expect("EHLO c", "250");
    client.expect("MAIL FROM:<a@example.com> SIZE=9900", "250");
    client.expect("RCPT TO:<narrow@example.org>", "250");
}

#[test]
fn a_disconnect_in_a_body_on_disk_leaves_nothing_behind() {
    let house = House::new();
    for (closed, octets) in [(false, 300_000), (true, 300_000), (false, 1_000_000)] {
        let mut client = house.smtp().greeted();
        client.expect("EHLO c", "250");
        client.expect("MAIL FROM:<a@example.com>", "250");
        client.expect("RCPT TO:<alice@example.org>", "250");
        client.expect("DATA", "354");
        client.send("a line of text\r\n".repeat(octets / 16));
        if closed {
            client.half_close();
            assert_eq!(client.line(), None);
        }
        drop(client);
    }
    house.is_left();
    house.is_empty();
}

#[test]
fn rset_gives_promised_room_back() {
    let house = House::new();
    let mut one = house.smtp().greeted();
    one.expect("EHLO c", "250");
    one.expect("MAIL FROM:<a@example.com> SIZE=9000", "250");
    one.expect("RCPT TO:<narrow@example.org>", "250");
    let mut two = house.smtp().greeted();
    two.expect("EHLO c", "250");
    two.expect("MAIL FROM:<a@example.com> SIZE=9000", "250");
    two.expect("RCPT TO:<narrow@example.org>", "452 4.2.2");
    one.expect("RSET", "250");
    two.expect("RCPT TO:<narrow@example.org>", "250");
}

#[test]
fn a_huge_message_is_refused_and_the_session_goes_on() {
    let house = House::with_sessions(|session| session.max_message_size = 20 << 20);
    let mut client = house.smtp().greeted();
    client.expect("EHLO c", "250");
    client.expect(&format!("MAIL FROM:<a@example.com> SIZE={}", 60 << 20), "552 5.3.4");
    client.expect("MAIL FROM:<a@example.com>", "250");
    client.expect("RCPT TO:<alice@example.org>", "250");
    client.expect("DATA", "354");
    let block = "a line of text\r\n".repeat(64 * 1024);
    (0..60).for_each(|_| client.send(&block));
    client.expect(".", "552 5.3.4");
    house.is_empty();
    let replies = client.deliver("EHLO c", &["alice@example.org"], &format!("Subject: x\r\n\r\n{block}"));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    assert_eq!(house.mailbox("alice")[0].matches("a line of text\n").count(), 64 * 1024);
}

#[test]
fn ten_thousand_recipients_meet_the_limit() {
    let house = House::new();
    let mut client = house.smtp().greeted();
    client.expect("EHLO c", "250");
    client.expect("MAIL FROM:<a@example.com>", "250");
    let (mut taken, mut too_many) = (0, 0);
    for _ in 0..100 {
        client.send("RCPT TO:<alice@example.org>\r\n".repeat(100));
        for _ in 0..100 {
            match client.reply() {
                reply if reply.starts_with("250 2.1.5") => taken += 1,
                reply if reply.starts_with("452 4.5.3") => too_many += 1,
                reply => panic!("{reply}"),
            }
        }
    }
    assert_eq!((taken, too_many), (1000, 9000));
    client.expect("DATA", "354");
    client.expect("Subject: x\r\n\r\ny\r\n.", "250 2.0.0");
    assert_eq!(house.mailbox("alice").len(), 1);
}

#[test]
fn without_memory_mail_waits_with_the_client() {
    let house = House::new();
    let mut all = house.running().service.memory.share();
    all.resize(usize::try_from(TEXT_IN_MEMORY).unwrap()).unwrap();
    let mut client = house.smtp().greeted();
    client.expect("EHLO c", "250");
    client.expect("MAIL FROM:<a@example.com>", "250");
    client.expect("RCPT TO:<alice@example.org>", "250");
    client.expect("DATA", "452 4.3.1");
    // Memory that gives out in the middle is told at the end.
    drop(all);
    client.expect("RSET", "250");
    client.expect("MAIL FROM:<a@example.com>", "250");
    client.expect("RCPT TO:<alice@example.org>", "250");
    client.expect("DATA", "354");
    let mut rest = house.running().service.memory.share();
    rest.resize(usize::try_from(TEXT_IN_MEMORY).unwrap() - 64 * 1024).unwrap();
    client.send("a line of text\r\n".repeat(16 * 1024));
    client.expect(".", "452 4.3.1");
    house.is_empty();
    drop(rest);
    let replies = client.deliver("EHLO c", &["alice@example.org"], "Subject: x\r\n\r\ny");
    assert!(replies[0].starts_with("250"), "{replies:?}");
}

#[test]
fn a_message_under_way_ends_when_the_server_stops_and_the_idle_hear_421() {
    let mut house = House::new();
    let start = |mut client: Client| {
        client.expect("EHLO c", "250");
        client
    };
    let (mut idle, mut busy) = (start(house.smtp().greeted()), start(house.smtp().greeted()));
    busy.expect("MAIL FROM:<a@example.com>", "250");
    busy.expect("RCPT TO:<alice@example.org>", "250");
    busy.expect("DATA", "354");
    let running = house.running.take().unwrap();
    let addresses = running.addresses.clone();
    let stopping = house.runtime.spawn(running.stop());
    assert!(idle.reply().starts_with("421 4.3.2"));
    assert!(idle.is_closed());
    busy.send("Subject: x\r\n\r\ny\r\n.\r\n");
    assert!(busy.reply().starts_with("250 2.0.0"));
    assert!(busy.reply().starts_with("421 4.3.2"));
    house.runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), stopping).await }).unwrap().unwrap();
    assert_eq!(house.mailbox("alice").len(), 1);
    assert!(std::net::TcpStream::connect(&addresses.smtp[0]).is_err());
    let left = |name: &str| house.folder.path().join(name).exists();
    assert!(!left("spool/run.json") && !left("spool/admin.sock") && !left("lmtp.sock"));
}
