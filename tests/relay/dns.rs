//! From a domain to its hosts, with name servers of every kind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType;
use restante::mail::Mailbox;
use restante::relay::{Courier, NextHop, Outgoing, Security, Settings, Timeouts, Tls, Trust, Verdict};
use rustls::RootCertStore;

use super::message::{message, settings, short};
use super::name_server::{NameServer, Says, a, aaaa, cname, mx};
use super::peer::Peer;

const TAKES: &str = "S: 220 peer\nC: EHLO mx.here.example\nS: 250 p\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\n\
    C: DATA\nS: 354 go\nTEXT\nS: 250 taken\n";

fn asking(server: &NameServer, port: u16) -> Settings {
    Settings { port, resolvers: vec![server.address], ..settings() }
}

fn courier(settings: Settings, listening: Vec<SocketAddr>) -> Courier {
    Courier::trusting(Arc::new(settings), listening, Trust::of(RootCertStore::empty()).unwrap())
}

async fn carry(courier: &Courier, to: &str) -> Verdict {
    let hop = NextHop::of(&Mailbox::parse(to).unwrap(), courier.settings()).unwrap();
    let verdicts = courier.carry(&hop, &to_one(to)).await;
    assert_eq!(verdicts.len(), 1);
    verdicts[0].clone()
}

fn to_one(to: &str) -> Outgoing {
    message(&[to], b"Subject: x\n\nx\n")
}

/// The verdict where nothing listens on the port of mail, in short.
async fn verdict(zone: impl Fn(&str, RecordType) -> Says + Send + Sync + 'static) -> String {
    let server = NameServer::start(zone).await;
    short(&carry(&courier(asking(&server, 1), Vec::new()), "a@there.example").await)
}

#[tokio::test]
async fn mail_goes_to_the_best_host_that_is_up() {
    let peer = Peer::play(TAKES).await;
    let server = NameServer::start(|name, kind| match (name, kind) {
        ("there.example", RecordType::MX) => {
            Says::Records(vec![mx(20, "second.example"), mx(10, "first.example"), mx(30, "third.example")])
        }
        // Nothing listens there.
        ("first.example", RecordType::A) => Says::Records(vec![a([127, 0, 0, 77])]),
        ("second.example", RecordType::CNAME | RecordType::A) => Says::Records(vec![cname("real.example"), a([127, 0, 0, 1])]),
        ("third.example", _) => Says::Silence,
        ("real.example", RecordType::A) => Says::Records(vec![a([127, 0, 0, 1])]),
        _ => Says::NoData,
    })
    .await;
    // The third host is asked about with the others, and does not hold them up for longer than one question takes.
    let verdict = carry(&courier(asking(&server, peer.address.port()), Vec::new()), "a@there.example").await;
    assert!(matches!(&verdict, Verdict::Delivered(taken) if taken.remote.name == "second.example"), "{verdict:?}");
    assert_eq!(peer.texts().await.len(), 1);
}

#[tokio::test]
async fn a_domain_without_mx_is_its_own_host() {
    let peer = Peer::play(TAKES).await;
    let server = NameServer::start(|name, kind| match (name, kind) {
        ("there.example", RecordType::AAAA) => Says::Records(vec![aaaa("::1")]),
        ("there.example", RecordType::A) => Says::Records(vec![a([127, 0, 0, 1])]),
        _ => Says::NoData,
    })
    .await;
    let verdict = carry(&courier(asking(&server, peer.address.port()), Vec::new()), "a@there.example").await;
    assert_eq!(short(&verdict), "delivered 250 taken");
    peer.texts().await;
}

/// Two hosts of `there.example`, the first of them the better one.
fn two_hosts(name: &str, kind: RecordType) -> Says {
    match (name, kind) {
        ("there.example", RecordType::MX) => Says::Records(vec![mx(10, "first.example"), mx(20, "second.example")]),
        ("first.example", RecordType::A) => Says::Records(vec![a([127, 0, 0, 1])]),
        ("second.example", RecordType::A) => Says::Records(vec![a([127, 0, 0, 2])]),
        _ => Says::NoData,
    }
}

fn two(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2], port))
}

/// The verdicts on a message to three where the hosts play these scripts, and the texts that the second host took.
async fn to_three(first: &str, second: Option<&str>) -> (Vec<String>, usize) {
    let first = Peer::play(first).await;
    let second = match second {
        Some(script) => Some(Peer::play_at(two(first.address.port()), script).await),
        None => None,
    };
    let server = NameServer::start(two_hosts).await;
    let courier = courier(asking(&server, first.address.port()), Vec::new());
    let hop = NextHop::of(&Mailbox::parse("a@there.example").unwrap(), courier.settings()).unwrap();
    let three = message(&["a@there.example", "b@there.example", "c@there.example"], b"Subject: x\n\nx\n");
    let verdicts = courier.carry(&hop, &three).await.iter().map(short).collect();
    courier.close().await;
    first.texts().await;
    let texts = match second {
        Some(second) => second.texts().await.len(),
        None => 0,
    };
    (verdicts, texts)
}

#[tokio::test]
async fn whom_a_host_does_not_want_now_the_next_is_asked_about_and_nobody_else() {
    let greeted = "S: 220 p\nC: EHLO mx.here.example\nS: 250 p\nC: MAIL FROM:<s@here.example>\nS: 250 ok\n";
    let asked = |replies: [&str; 3]| {
        let rcpt = |(name, reply): (&str, &str)| format!("C: RCPT TO:<{name}@there.example>\nS: {reply}\n");
        let rcpts: String = ["a", "b", "c"].into_iter().zip(replies).map(rcpt).collect();
        format!("{greeted}{rcpts}")
    };
    let one = "C: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 taken\nC: QUIT\n";
    let none_taken = asked(["451 4.7.1 later", "550 5.1.1 nobody", "553 5.1.3 what"]) + "C: QUIT";
    assert_eq!(
        to_three(&none_taken, Some(&format!("{greeted}{one}"))).await,
        (["delivered 250 taken", "failed 5.1.1 550 5.1.1 nobody", "failed 5.1.3 553 5.1.3 what"].map(str::to_owned).to_vec(), 1)
    );
    // Each keeps what was said of it where nobody takes it.
    let first = asked(["451 4.7.1 a waits", "452 4.2.2 b is full", "550 5.1.1 nobody"]) + "C: QUIT";
    let second = format!(
        "{greeted}C: RCPT TO:<a@there.example>\nS: 451 4.7.1 a still waits\nC: RCPT TO:<b@there.example>\nS: 450 4.2.1 b is locked\nC: QUIT"
    );
    assert_eq!(
        to_three(&first, Some(&second)).await.0,
        ["deferred 4.7.1 451 4.7.1 a still waits", "deferred 4.2.1 450 4.2.1 b is locked", "failed 5.1.1 550 5.1.1 nobody"]
    );
    // A host that takes the message for one has decided about all: the second would not answer.
    let some_taken = asked(["250 ok", "451 4.7.1 later", "550 5.1.1 nobody"]) + "C: DATA\nS: 354 go\nTEXT\nS: 250 taken\nC: QUIT";
    assert_eq!(
        to_three(&some_taken, None).await.0,
        ["delivered 250 taken", "deferred 4.7.1 451 4.7.1 later", "failed 5.1.1 550 5.1.1 nobody"]
    );
}

#[tokio::test]
async fn a_host_that_refuses_is_followed_by_the_next() {
    let greeted = "S: 220 p\nC: EHLO mx.here.example\n";
    let mail = format!("{greeted}S: 250 p\nC: MAIL FROM:<s@here.example>\n");
    let rcpt = format!("{mail}S: 250 ok\nC: RCPT TO:<a@there.example>\n");
    for refusal in [
        "S: 554 5.7.1 not you".to_owned(),
        "S: 421 4.3.2 busy".into(),
        "S: 451 4.3.2 busy".into(),
        format!("{greeted}RESET"),
        format!("{greeted}S: 450 4.3.2 not now"),
        format!("{mail}S: 451 4.3.2 not now"),
        format!("{mail}S: 421 4.3.2 closing"),
        format!("{rcpt}S: 450 4.7.1 greylisted"),
        format!("{rcpt}S: 250 ok\nC: DATA\nS: 451 4.3.1 no room"),
    ] {
        let first = Peer::play(&refusal).await;
        let second = Peer::play_at(two(first.address.port()), TAKES).await;
        let server = NameServer::start(two_hosts).await;
        let verdict = carry(&courier(asking(&server, first.address.port()), Vec::new()), "a@there.example").await;
        assert_eq!(short(&verdict), "delivered 250 taken", "{refusal}");
        second.texts().await;
    }
}

#[tokio::test]
async fn what_dns_knows_is_final_and_what_it_does_not_know_waits() {
    assert_eq!(verdict(|_, _| Says::NoSuchName).await, "failed 5.1.2 the domain there.example does not exist");
    assert_eq!(verdict(|_, _| Says::NoData).await, "failed 5.4.4 there.example has neither a mail server nor an address");
    let null = verdict(|_, kind| if kind == RecordType::MX { Says::Records(vec![mx(0, ".")]) } else { Says::NoData }).await;
    assert_eq!(null, "failed 5.1.10 the domain there.example accepts no mail (null MX)");
    let dangling =
        verdict(|_, kind| if kind == RecordType::MX { Says::Records(vec![mx(5, "mx.example")]) } else { Says::NoSuchName }).await;
    assert_eq!(dangling, "failed 5.4.4 none of the mail servers that there.example names has an address");
    let failing = verdict(|_, _| Says::Failure).await;
    assert!(failing.starts_with("deferred 4.4.3 DNS does not answer about there.example"), "{failing}");
    let half = verdict(|_, kind| if kind == RecordType::MX { Says::Records(vec![mx(5, "mx.example")]) } else { Says::Failure }).await;
    assert!(half.starts_with("deferred 4.4.3 DNS does not answer about mx.example"), "{half}");
}

#[tokio::test]
async fn name_servers_that_are_silent_or_lie_cost_time_and_no_mail() {
    let (silent, wrong, garbage) =
        tokio::join!(verdict(|_, _| Says::Silence), verdict(|_, _| Says::WrongId), verdict(|_, _| Says::Garbage));
    for told in [silent, wrong, garbage] {
        assert!(told.starts_with("deferred 4.4.3 DNS does not answer about there.example"), "{told}");
    }
}

#[tokio::test]
async fn aliases_that_go_in_circles_come_to_an_end() {
    let server = NameServer::start(|name, _| match name {
        "there.example" => Says::Records(vec![cname("here.example")]),
        _ => Says::Records(vec![cname("there.example")]),
    })
    .await;
    let told = short(&carry(&courier(asking(&server, 1), Vec::new()), "a@there.example").await);
    assert!(told.starts_with("deferred 4.4.3") || told.starts_with("failed 5.4.4"), "{told}");
    assert!(server.questions() < 100, "{}", server.questions());
}

#[tokio::test]
async fn a_thousand_mail_servers_cost_no_more_than_a_few() {
    let many = || (0..1000).map(|n| mx(10, &format!("mx{n}.there.example"))).collect();
    let server = NameServer::start(move |_, kind| match kind {
        RecordType::MX => Says::Records(many()),
        RecordType::A => Says::Records(vec![a([127, 0, 0, 1])]),
        _ => Says::NoData,
    })
    .await;
    let told = short(&carry(&courier(asking(&server, 1), Vec::new()), "a@there.example").await);
    assert!(told.starts_with("deferred 4.4.1 no connection to the host"), "{told}");
    assert!(server.questions() <= 40, "{}", server.questions());
}

#[tokio::test]
async fn mail_that_would_come_back_to_us_fails() {
    let zone = |name: &str, kind| match (name, kind) {
        ("there.example", RecordType::MX) => Says::Records(vec![mx(10, "other.example")]),
        ("named.example", RecordType::MX) => Says::Records(vec![mx(10, "MX.here.example"), mx(20, "other.example")]),
        ("other.example" | "alone.example", RecordType::A) => Says::Records(vec![a([127, 0, 0, 1])]),
        _ => Says::NoData,
    };
    for listening in ["127.0.0.1:2599", "0.0.0.0:2599"] {
        let server = NameServer::start(zone).await;
        let courier = courier(asking(&server, 2599), vec![listening.parse().unwrap()]);
        for to in ["a@there.example", "a@named.example", "a@alone.example", "a@[127.0.0.1]"] {
            let told = short(&carry(&courier, to).await);
            assert!(told.starts_with("failed 5.4.6"), "{listening} {to}: {told}");
        }
    }
    let server = NameServer::start(zone).await;
    let elsewhere = courier(asking(&server, 2599), vec!["127.0.0.1:2600".parse().unwrap()]);
    assert!(short(&carry(&elsewhere, "a@there.example").await).starts_with("deferred 4.4.1"), "another port is another server");
}

#[tokio::test]
async fn a_certificate_that_is_valid_is_noted_and_can_be_asked_for() {
    let script =
        TAKES.replacen("S: 250 p\n", "S: 250-p\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO mx.here.example\nS: 250 p\n", 1);
    for tls in [Tls::Opportunistic, Tls::Verify] {
        let peer = Peer::play(&script).await;
        let server = NameServer::start(|name, kind| match (name, kind) {
            ("there.example", RecordType::MX) => Says::Records(vec![mx(10, "peer.example")]),
            ("peer.example", RecordType::A) => Says::Records(vec![a([127, 0, 0, 1])]),
            _ => Says::NoData,
        })
        .await;
        let mut roots = RootCertStore::empty();
        roots.add(peer.certificate.clone()).unwrap();
        let settings = Settings { tls, ..asking(&server, peer.address.port()) };
        let trusting = Courier::trusting(Arc::new(settings), Vec::new(), Trust::of(roots).unwrap());
        let verdict = carry(&trusting, "a@there.example").await;
        assert!(matches!(&verdict, Verdict::Delivered(taken) if taken.remote.security == Security::Verified), "{verdict:?}");
        peer.texts().await;
    }
}

#[tokio::test]
async fn hosts_that_hang_take_no_longer_than_all_may_take_together() {
    let peer = Peer::play("HANG").await;
    let server = NameServer::start(|name, kind| match (name, kind) {
        ("there.example", RecordType::MX) => Says::Records((0..16).map(|n| mx(10, &format!("mx{n}.example"))).collect()),
        (_, RecordType::A) => Says::Records(vec![a([127, 0, 0, 1])]),
        _ => Says::NoData,
    })
    .await;
    let timeouts = Timeouts { connect_in_all: Duration::from_millis(300), ..Timeouts::default() };
    let settings = Settings { timeouts, ..asking(&server, peer.address.port()) };
    let told = short(&carry(&courier(settings, Vec::new()), "a@there.example").await);
    assert_eq!(told, "deferred 4.4.1 no host for there.example was ready in time");
}
