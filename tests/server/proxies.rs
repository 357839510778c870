//! Those who speak for others: the PROXY protocol, and XCLIENT.

use crate::house::House;

fn behind_proxy() -> House {
    House::with(|config| {
        config.server.proxy_from = vec!["127.0.0.0/8".parse().unwrap()];
        config.server.max_connections_per_client = 1;
    })
}

#[test]
fn the_client_behind_a_proxy_is_the_client() {
    let house = behind_proxy();
    let mut v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    v2.extend([192, 0, 2, 8, 127, 0, 0, 1, 0, 80, 0, 25]);
    for (header, address) in [
        (b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n".to_vec(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 25\r\n".to_vec(), "IPv6:2001:db8::7"),
        (v2, "192.0.2.8"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(), "127.0.0.1"),
    ] {
        let mut client = house.smtp();
        // In pieces, as a network may deliver it.
        for piece in header.chunks(7) {
            client.send(piece);
        }
        let mut client = client.greeted();
        let replies = client.deliver("EHLO c", &["alice@example.org"], &format!("Subject: {address}\r\n\r\nx"));
        assert!(replies[0].starts_with("250"), "{replies:?}");
        let mail = house.mailbox("alice").into_iter().find(|mail| mail.contains(&format!("Subject: {address}"))).unwrap();
        assert!(mail.contains(&format!("[{address}])")), "{mail}");
    }
}

#[test]
fn clients_behind_a_proxy_are_counted_apart() {
    let house = behind_proxy();
    let connect = |address: &str| {
        let mut client = house.smtp();
        client.send(format!("PROXY TCP4 {address} 127.0.0.1 4711 25\r\n"));
        client
    };
    let _one = connect("192.0.2.1").greeted();
    let _two = connect("192.0.2.2").greeted();
    assert!(connect("192.0.2.1").reply().starts_with("421 4.3.2"));
}

#[test]
fn a_proxy_that_sends_no_header_is_not_served() {
    let house = behind_proxy();
    for header in ["EHLO c\r\n", "PROXY TCP4 nonsense\r\n", "PROXY \r\n"] {
        let mut client = house.smtp();
        client.send(header);
        assert_eq!(client.line(), None, "{header:?}");
    }
    house.is_left();
}

#[test]
fn a_header_from_anybody_else_is_talk_before_the_greeting_or_no_command() {
    let house = House::new();
    let mut client = house.smtp();
    client.send("PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n");
    let first = client.reply();
    let reply = if first.starts_with("220") { client.reply() } else { first };
    assert!(reply.starts_with('5'), "{reply}");
}

#[test]
fn xclient_is_for_those_who_may() {
    let house = House::with(|config| config.server.xclient_from = vec!["127.0.0.1/32".parse().unwrap()]);
    let mut client = house.smtp().greeted();
    client.expect("EHLO c", "250");
    let reply = client.expect("XCLIENT ADDR=192.0.2.9 NAME=mail.example.net", "220");
    assert!(reply.contains("ESMTP"), "{reply}");
    client.deliver("EHLO c", &["alice@example.org"], "Subject: x\r\n\r\ny");
    let mail = house.mailbox("alice").remove(0);
    assert!(mail.contains("(mail.example.net [192.0.2.9])"), "{mail}");
    let strangers = House::new();
    let mut client = strangers.smtp().greeted();
    client.expect("EHLO c", "250");
    client.expect("XCLIENT ADDR=192.0.2.9", "550 5.7.0");
}
