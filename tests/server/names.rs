//! Names of client addresses, as a resolver on loopback tells them.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::house::{House, until};

/// What the resolver knows: a question and its answer. Whatever else it is asked does not exist.
const KNOWN: [(&str, Answer); 4] = [
    ("7.2.0.192.in-addr.arpa", Answer::Name("mx7.example.net")),
    ("mx7.example.net", Answer::Address([192, 0, 2, 7])),
    ("8.2.0.192.in-addr.arpa", Answer::Name("bank.example.com")),
    ("bank.example.com", Answer::Address([192, 0, 2, 99])),
];

#[derive(Clone, Copy)]
enum Answer {
    Name(&'static str),
    Address([u8; 4]),
}

/// RFC 1035 §3.1.
fn labels(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.') {
        octets.push(u8::try_from(label.len()).unwrap());
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}

/// The name asked for, its type, and where the question ends.
fn question(query: &[u8]) -> (String, u16, usize) {
    let (mut name, mut at) = (Vec::new(), 12);
    while query[at] != 0 {
        let end = at + 1 + usize::from(query[at]);
        name.push(String::from_utf8_lossy(&query[at + 1..end]).to_lowercase());
        at = end;
    }
    (name.join("."), u16::from_be_bytes([query[at + 1], query[at + 2]]), at + 5)
}

fn answered(query: &[u8]) -> (String, Vec<u8>) {
    const NAME: u16 = 12;
    const ADDRESS: u16 = 1;
    let (name, kind, end) = question(query);
    let found = KNOWN.iter().find(|(known, _)| *known == name).map(|(_, answer)| *answer);
    let record = match found {
        Some(Answer::Name(text)) if kind == NAME => Some(labels(text)),
        Some(Answer::Address(address)) if kind == ADDRESS => Some(address.to_vec()),
        _ => None,
    };
    let mut reply = query[..2].to_vec();
    let code = if found.is_some() { 0 } else { 3 };
    reply.extend([0x81, 0x80 | code, 0, 1, 0, u8::from(record.is_some()), 0, 0, 0, 0]);
    reply.extend(&query[12..end]);
    if let Some(record) = record {
        reply.extend([0xc0, 12]);
        reply.extend(kind.to_be_bytes());
        reply.extend([0, 1, 0, 0, 0, 60]);
        reply.extend(u16::try_from(record.len()).unwrap().to_be_bytes());
        reply.extend(record);
    }
    (name, reply)
}

/// A resolver, and the names that it was asked for.
fn resolver() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (address, asked) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let noted = Arc::clone(&asked);
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((octets, from)) = socket.recv_from(&mut query) {
            let (name, reply) = answered(&query[..octets]);
            let _ = socket.send_to(&reply, from);
            noted.lock().unwrap().push(name);
        }
    });
    (address, asked)
}

/// Sends a message as a client of that address, and gives the field that tells of it.
fn received(house: &House, address: &str, number: &AtomicUsize) -> String {
    let subject = format!("Subject: {}", number.fetch_add(1, Ordering::Relaxed));
    let mut client = house.smtp();
    client.send(format!("PROXY TCP4 {address} 127.0.0.1 4711 25\r\n"));
    let replies = client.greeted().deliver("EHLO c", &["alice@example.org"], &format!("{subject}\r\n\r\nx"));
    assert!(replies[0].starts_with("250"), "{replies:?}");
    let mails = house.mailbox("alice");
    let mail = mails.iter().find(|mail| mail.contains(&format!("{subject}\n"))).unwrap();
    mail.lines().find(|line| line.starts_with("Received:")).unwrap().to_owned()
}

#[test]
fn a_name_that_leads_back_to_its_address_is_in_the_trace() {
    let (address, asked) = resolver();
    let house = House::with(|config| {
        config.server.proxy_from = vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
        config.server.resolvers = vec![address];
    });
    let number = AtomicUsize::new(0);
    // No session waits for its name, so a first message may be without.
    until("the name is known in time", || received(&house, "192.0.2.7", &number).contains("(mx7.example.net [192.0.2.7])"));
    let heard = |name: &str| asked.lock().unwrap().iter().any(|asked| asked == name);
    until("the other name has been looked at", || {
        received(&house, "192.0.2.8", &number);
        heard("bank.example.com")
    });
    for _ in 0..20 {
        let field = received(&house, "192.0.2.8", &number);
        assert!(!field.contains("bank") && field.contains("[192.0.2.8]"), "anybody can claim any name: {field}");
    }
    let field = received(&house, "192.0.2.9", &number);
    assert!(field.contains("[192.0.2.9]"), "{field}");
}
