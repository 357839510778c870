//! The client against one peer: good, bad, and worse.

use std::sync::Arc;
use std::time::Duration;

use restante::mail::envelope::Charset;
use restante::mail::{BodyType, Mailbox, Notify, Return, ReversePath};
use restante::relay::settings::{HostName, Login, Via};
use restante::relay::target::Place;
use restante::relay::{Courier, Mode, NextHop, Outgoing, Security, Settings, Smarthost, SuccessReport, Timeouts, Tls, Trust, Verdict};
use rustls::RootCertStore;

use super::message::{message, settings, short, unreadable};
use super::peer::Peer;
use super::port::Port;

const TEXT: &[u8] = b"Subject: x\n\n.dot\nend\n";

/// Times that a test can wait out.
fn hasty() -> Settings {
    let soon = Duration::from_millis(400);
    let timeouts = Timeouts { command: soon, data_begin: soon, data_block: soon, data_end: soon, farewell: soon, ..Timeouts::default() };
    Settings { timeouts, ..settings() }
}

fn hop(peer: &Peer, tls: Tls) -> NextHop {
    NextHop { place: Place::Via(Via { host: HostName::Address(peer.address.ip()), port: peer.address.port() }), tls }
}

fn courier(settings: Settings) -> Courier {
    Courier::trusting(Arc::new(settings), Vec::new(), Trust::of(RootCertStore::empty()).unwrap())
}

fn shorts(verdicts: &[Verdict]) -> Vec<String> {
    verdicts.iter().map(short).collect()
}

/// Carries a message to a peer that plays the script: the verdicts in short, and the texts that the peer took.
async fn carried(script: &str, settings: Settings, message: &Outgoing) -> (Vec<String>, Vec<String>) {
    let peer = Peer::play(script).await;
    let courier = courier(settings);
    let verdicts = courier.carry(&hop(&peer, Tls::Opportunistic), message).await;
    courier.close().await;
    drop(courier);
    let texts = peer.texts().await.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    (shorts(&verdicts), texts)
}

/// The verdict on a message to one recipient.
async fn verdict(script: &str) -> String {
    let (verdicts, _) = carried(script, hasty(), &message(&["a@there.example"], TEXT)).await;
    assert_eq!(verdicts.len(), 1);
    verdicts[0].clone()
}

const GREETED: &str = "S: 220 peer.example ESMTP\nC: EHLO mx.here.example\n";

fn greeted(rest: &str) -> String {
    format!("{GREETED}{rest}")
}

#[tokio::test]
async fn a_message_goes_out_line_by_line() {
    let script = greeted(
        "S: 250 peer.example\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: RCPT TO:<b@there.example>\n\
         S: 550 5.1.1 no such user\nC: RCPT TO:<c@there.example>\nS: 451-4.7.1 greylisted\nS: 451 4.7.1 for now\nC: DATA\nS: 354 go\nTEXT\n\
         S: 250 2.0.0 taken as 7\nC: QUIT\nS: 221 bye",
    );
    let message = message(&["a@there.example", "b@there.example", "c@there.example"], TEXT);
    let (verdicts, texts) = carried(&script, settings(), &message).await;
    let expected = ["delivered 250 2.0.0 taken as 7", "failed 5.1.1 550 5.1.1 no such user", "deferred 4.7.1 451 4.7.1 greylisted for now"];
    assert_eq!(verdicts, expected);
    assert_eq!(texts, ["Subject: x\r\n\r\n..dot\r\nend\r\n"]);
}

#[tokio::test]
async fn a_group_goes_out_at_once_where_that_is_offered() {
    // The replies come when all of the commands are there.
    let script = greeted(
        "S: 250-peer.example\nS: 250-PIPELINING\nS: 250-SIZE 1000\nS: 250-DSN\nS: 250 8BITMIME\n\
         C: MAIL FROM:<s@here.example> SIZE=25 BODY=8BITMIME RET=HDRS ENVID=E1\nC: RCPT TO:<a@there.example> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;x@y\n\
         C: RCPT TO:<b@there.example>\nC: DATA\nRAW: 250 ok\\r\\n250 ok\\r\\n550 no\\r\\n354 go\\r\\n\nTEXT\nS: 250 ok\nC: QUIT",
    );
    let mut message = message(&["a@there.example", "b@there.example"], TEXT);
    (message.body, message.ret, message.envid) = (BodyType::EightBitMime, Some(Return::Headers), Some("E1".into()));
    message.recipients[0].notify = Some(Notify { success: true, failure: false, delay: true });
    message.recipients[0].original = Some("rfc822;x@y".into());
    let peer = Peer::play(&script).await;
    let courier = courier(settings());
    let verdicts = courier.carry(&hop(&peer, Tls::Opportunistic), &message).await;
    courier.close().await;
    assert!(matches!(&verdicts[0], Verdict::Delivered(taken) if taken.report == SuccessReport::Theirs), "{verdicts:?}");
    assert_eq!(short(&verdicts[1]), "failed 5.0.0 550 no");
    assert_eq!(peer.texts().await.len(), 1);
}

#[tokio::test]
async fn a_refused_sender_decides_whatever_is_said_of_recipients() {
    // The recipients were on their way already, and a server that has no sender refuses them for good.
    let script = greeted(
        "S: 250-p\nS: 250 PIPELINING\nC: MAIL FROM:<s@here.example>\nC: RCPT TO:<a@there.example>\nC: DATA\n\
         RAW: 451 4.3.0 not now\\r\\n503 5.5.1 need MAIL\\r\\n503 5.5.1 need RCPT\\r\\n\nC: QUIT",
    );
    let (verdicts, texts) = carried(&script, settings(), &message(&["a@there.example"], TEXT)).await;
    assert_eq!((verdicts, texts.len()), (vec!["deferred 4.3.0 451 4.3.0 not now".to_owned()], 0));
}

#[tokio::test]
async fn nothing_is_sent_to_nobody() {
    // DATA was on its way already: an empty text goes to nobody (RFC 2920 §3.1).
    let script = greeted(
        "S: 250-p\nS: 250 PIPELINING\nC: MAIL FROM:<s@here.example>\nC: RCPT TO:<a@there.example>\nC: DATA\n\
         RAW: 250 ok\\r\\n550 5.1.1 no\\r\\n354 go\\r\\n\nTEXT\nS: 250 taken, whatever it is\nC: QUIT",
    );
    let (verdicts, texts) = carried(&script, settings(), &message(&["a@there.example"], TEXT)).await;
    assert_eq!((verdicts, texts), (vec!["failed 5.1.1 550 5.1.1 no".to_owned()], vec![String::new()]));
}

#[tokio::test]
async fn a_connection_carries_one_message_after_the_other() {
    let one = "C: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 ok\n";
    let refused = "C: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 550 no\n";
    let script = greeted(&format!(
        "S: 250 p\n{one}{one}{refused}C: RSET\nS: 250 ok\n{one}C: QUIT\nS: 221 bye\n---\n{GREETED}S: 250 p\n{one}C: QUIT"
    ));
    let peer = Peer::play(&script).await;
    let courier = courier(Settings { messages_per_connection: 4, ..settings() });
    let hop = hop(&peer, Tls::Opportunistic);
    for expected in ["delivered 250 ok", "delivered 250 ok", "failed 5.0.0 550 no", "delivered 250 ok", "delivered 250 ok"] {
        assert_eq!(shorts(&courier.carry(&hop, &message(&["a@there.example"], TEXT)).await), [expected]);
    }
    courier.close().await;
    assert_eq!(peer.texts().await.len(), 4);
}

#[tokio::test]
async fn a_connection_that_has_died_is_replaced() {
    let one = "C: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 ok\n";
    for death in [
        "",
        "RESET\n",
        "S: 421 4.3.2 going down\n",
        "C: MAIL FROM:<s@here.example>\n",
        "C: MAIL FROM:<s@here.example>\nS: 421 idle for too long\n",
    ] {
        let script = greeted(&format!("S: 250 p\n{one}{death}---\n{GREETED}S: 250 p\n{one}C: QUIT"));
        let peer = Peer::play(&script).await;
        let courier = courier(hasty());
        let hop = hop(&peer, Tls::Opportunistic);
        assert_eq!(shorts(&courier.carry(&hop, &message(&["a@there.example"], TEXT)).await), ["delivered 250 ok"]);
        assert_eq!(shorts(&courier.carry(&hop, &message(&["a@there.example"], TEXT)).await), ["delivered 250 ok"], "{death:?}");
        courier.close().await;
        assert_eq!(peer.texts().await.len(), 2);
    }
}

#[tokio::test]
async fn recipients_beyond_what_a_host_takes_go_with_the_next_transaction() {
    let script = greeted(
        "S: 250 p\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: RCPT TO:<b@there.example>\nS: 452 4.5.3 too many\n\
         C: RCPT TO:<c@there.example>\nS: 552 too many\nC: DATA\nS: 354 go\nTEXT\nS: 250 first\n\
         C: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<b@there.example>\nS: 250 ok\nC: RCPT TO:<c@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 second\nC: QUIT",
    );
    let (verdicts, texts) = carried(&script, settings(), &message(&["a@there.example", "b@there.example", "c@there.example"], TEXT)).await;
    assert_eq!(
        (verdicts, texts.len()),
        (["delivered 250 first", "delivered 250 second", "delivered 250 second"].map(str::to_owned).to_vec(), 2)
    );
    let limited = greeted(
        "S: 250-p\nS: 250 LIMITS RCPTMAX=1\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 1\n\
         C: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<b@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 2\nC: QUIT",
    );
    let (verdicts, _) = carried(&limited, settings(), &message(&["a@there.example", "b@there.example"], TEXT)).await;
    assert_eq!(verdicts, ["delivered 250 1", "delivered 250 2"]);
}

#[tokio::test]
async fn refusals_at_every_command_are_told_as_they_are() {
    let mail = "S: 250 p\nC: MAIL FROM:<s@here.example>\n";
    let rcpt = format!("{mail}S: 250 ok\nC: RCPT TO:<a@there.example>\n");
    let data = format!("{rcpt}S: 250 ok\nC: DATA\n");
    let text = format!("{data}S: 354 go\nTEXT\n");
    for (code, kind) in [("4", "deferred"), ("5", "failed")] {
        let reply = format!("S: {code}50 {code}.7.1 no\n");
        let told = format!("{kind} {code}.7.1 {code}50 {code}.7.1 no");
        assert_eq!(verdict(&format!("S: {code}54 {code}.7.1 no\n")).await, told.replace("50 ", "54 "), "greeting");
        for before in [mail, &rcpt, &data, &text] {
            assert_eq!(verdict(&greeted(&format!("{before}{reply}"))).await, told, "{before}");
        }
        let bare = format!("S: {code}50 no\n");
        assert_eq!(verdict(&greeted(&format!("{text}{bare}"))).await, format!("{kind} {code}.0.0 {code}50 no"));
    }
    assert_eq!(verdict(&greeted("S: 450 4.3.2 not now\n")).await, "deferred 4.3.2 450 4.3.2 not now");
    assert_eq!(verdict(&greeted("S: 502 what\nC: HELO mx.here.example\nS: 550 5.7.1 no\n")).await, "failed 5.7.1 550 5.7.1 no");
    // 421 means that the connection goes, wherever it stands.
    assert_eq!(verdict(&greeted(&format!("{rcpt}S: 421 4.3.2 closing\n"))).await, "deferred 4.3.2 421 4.3.2 closing");
}

#[tokio::test]
async fn old_servers_get_helo() {
    let script = greeted(
        "S: 500 what\nC: HELO mx.here.example\nS: 250 old\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 251 will forward\n\
         C: DATA\nS: 354 go\nTEXT\nS: 250 ok\n",
    );
    assert_eq!(verdict(&script).await, "delivered 250 ok");
}

#[tokio::test]
async fn hangs_closes_and_resets_at_every_stage_are_deferrals() {
    let stages = [
        "",
        "S: 220 p\nC: EHLO mx.here.example\n",
        "S: 250 p\nC: MAIL FROM:<s@here.example>\n",
        "S: 250 ok\nC: RCPT TO:<a@there.example>\n",
        "S: 250 ok\nC: DATA\n",
        "S: 354 go\nTEXT\n",
    ];
    for stage in 1..=stages.len() {
        let script = stages[..stage].concat();
        for (end, told) in [
            ("HANG", "deferred 4.4.2 the host did not answer in time"),
            ("", "deferred 4.4.2 the host closed the connection"),
            ("RESET", "deferred 4.4.2 the connection was lost"),
            ("RAW: 250-half", "deferred 4.4.2 the host closed the connection"),
        ] {
            let found = verdict(&format!("{script}{end}")).await;
            assert!(found.starts_with(told), "{script}{end}: {found}");
            assert_eq!(found.contains("may arrive twice"), stage == stages.len(), "{script}{end}: {found}");
        }
    }
}

#[tokio::test]
async fn endless_replies_garbage_and_drips_end() {
    let places =
        ["", "S: 220 p\nC: EHLO mx.here.example\n", "S: 220 p\nC: EHLO mx.here.example\nS: 250 p\nC: MAIL FROM:<s@here.example>\n"];
    for place in places {
        for (bad, told) in [
            ("FLOOD: 250-more and more and more and more\\r\\n", "its reply does not end"),
            ("FLOOD: 220-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "its reply does not end"),
            ("DRIP: 250-x\\r\\n", "did not answer in time"),
            ("S: HTTP/1.1 400 Bad Request", "it does not speak SMTP: `HTTP/1.1 400 Bad Request`"),
            ("RAW: 250-a\\r\\n251 b\\r\\n", "it does not speak SMTP: `251 b`"),
            ("RAW: 354 what?\\r\\n", "makes no sense here: `354 what?`"),
            ("RAW: \\r\\n", "it does not speak SMTP"),
        ] {
            let found = verdict(&format!("{place}{bad}\nHANG")).await;
            assert!(found.starts_with("deferred 4.") && found.contains(told), "{place}{bad}: {found}");
        }
    }
}

#[tokio::test]
async fn nobody_is_delivered_to_by_a_reply_that_came_too_early() {
    // A second 250 to MAIL, RCPT or DATA must never be taken for the reply to the message.
    let rest = "S: 250 p\nC: MAIL FROM:<s@here.example>\n";
    for script in [
        format!("{rest}RAW: 250 ok\\r\\n250 ok\\r\\n\nHANG"),
        format!("{rest}S: 250 ok\nC: RCPT TO:<a@there.example>\nRAW: 250 ok\\r\\n250 ok\\r\\n\nHANG"),
        format!("{rest}S: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nRAW: 354 go\\r\\n250 taken\\r\\n\nHANG"),
        format!("{rest}S: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nRAW: 354 go\\r\\n250-taken\\r\\n250 x\nHANG"),
    ] {
        let found = verdict(&greeted(&script)).await;
        assert!(found.starts_with("deferred 4.5.0 it answered out of turn"), "{script}: {found}");
    }
    let early = greeted("RAW: 250 p\\r\\n250 ok\\r\\n\nHANG");
    assert!(verdict(&early).await.starts_with("deferred 4.5.0 it answered out of turn"));
}

#[tokio::test]
async fn a_refusal_in_the_middle_of_the_text_saves_the_rest() {
    let script = greeted(
        "S: 250 p\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nRAW: 354 go\\r\\n552 5.3.4 too big\\r\\n\nHANG",
    );
    let big = b"0123456789012345678901234567890123456789012345678901234567890123456789\n".repeat(100_000);
    let (verdicts, _) = carried(&script, settings(), &message(&["a@there.example"], &big)).await;
    assert_eq!(verdicts, ["failed 5.3.4 552 5.3.4 too big"]);
}

#[tokio::test]
async fn a_big_text_arrives_whole_and_a_broken_one_not_at_all() {
    let before = "S: 250 p\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\n";
    let big = b".123456789012345678901234567890123456789012345678901234567890123456789\n".repeat(100_000);
    let (verdicts, texts) =
        carried(&greeted(&format!("{before}TEXT\nS: 250 ok\n")), settings(), &message(&["a@there.example"], &big)).await;
    assert_eq!(verdicts, ["delivered 250 ok"]);
    assert!(
        texts[0].as_bytes()
            == big.split_inclusive(|o| *o == b'\n').flat_map(|l| [b".", &l[..l.len() - 1], b"\r\n"].concat()).collect::<Vec<u8>>()
    );
    let (verdicts, texts) =
        carried(&greeted(&format!("{before}HANG")), settings(), &unreadable(&["a@there.example"], &big, 1_000_000)).await;
    assert_eq!(
        (verdicts, texts.len()),
        (vec!["deferred 4.3.0 the message cannot be read from the spool: the disk has gone".to_owned()], 0)
    );
}

#[tokio::test]
async fn a_server_that_lies_about_pipelining_gets_its_commands_one_by_one() {
    // It throws away what came with MAIL, as one that reads line by line through two buffers does.
    let script = greeted(&format!(
        "S: 250-p\nS: 250 PIPELINING\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nHANG\n---\n{GREETED}S: 250-p\nS: 250 PIPELINING\n\
         C: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 ok\n"
    ));
    let peer = Peer::play(&script).await;
    let courier = courier(hasty());
    let hop = hop(&peer, Tls::Opportunistic);
    let message = message(&["a@there.example"], TEXT);
    assert!(shorts(&courier.carry(&hop, &message).await)[0].starts_with("deferred 4.4.2"));
    assert_eq!(shorts(&courier.carry(&hop, &message).await), ["delivered 250 ok"]);
    assert_eq!(peer.texts().await.len(), 1);
}

#[tokio::test]
async fn what_the_host_cannot_carry_comes_back_with_the_reason() {
    let plain = greeted("S: 250-p\nS: 250 SIZE 10\nC: QUIT");
    let (verdicts, _) = carried(&plain, settings(), &message(&["a@there.example"], TEXT)).await;
    assert_eq!(verdicts, ["failed 5.3.4 the message has 25 octets, and the host takes no more than 10"]);
    let old = greeted("S: 250 p\nC: QUIT");
    let eight = Outgoing { body: BodyType::EightBitMime, ..message(&["a@there.example"], "x\n\nä\n".as_bytes()) };
    assert_eq!(
        carried(&old, settings(), &eight).await.0,
        ["failed 5.6.3 the message has 8-bit text, and the host does not offer 8BITMIME"]
    );
    let utf8 = Outgoing { charset: Charset::Utf8, ..message(&["ä@there.example"], TEXT) };
    assert_eq!(
        carried(&old, settings(), &utf8).await.0,
        ["failed 5.6.7 the recipient's address needs SMTPUTF8, which the host does not offer"]
    );
    let header = Outgoing { charset: Charset::Utf8, ..message(&["a@there.example"], "Subject: ä\n\nx\n".as_bytes()) };
    assert_eq!(
        carried(&old, settings(), &header).await.0,
        ["failed 5.6.9 the message has UTF-8 in its header, and the host does not offer SMTPUTF8"]
    );
    let sender = ReversePath::Mailbox(Mailbox::parse("ä@here.example").unwrap());
    let from = Outgoing { charset: Charset::Utf8, sender, ..message(&["a@there.example"], TEXT) };
    assert_eq!(
        carried(&old, settings(), &from).await.0,
        ["failed 5.6.7 the sender's address needs SMTPUTF8, which the host does not offer"]
    );
}

#[tokio::test]
async fn what_needs_no_extension_goes_without() {
    // Declared as 8-bit and UTF-8, and neither: the domain has A-labels, the text is ASCII.
    let script = greeted(
        "S: 250 p\nC: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@xn--bcher-kva.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 ok\n",
    );
    let declared = Outgoing { body: BodyType::EightBitMime, charset: Charset::Utf8, ..message(&["a@bücher.example"], TEXT) };
    assert_eq!(carried(&script, settings(), &declared).await.0, ["delivered 250 ok"]);
    let script = greeted(
        "S: 250-p\nS: 250 SMTPUTF8\nC: MAIL FROM:<s@here.example> SMTPUTF8\nS: 250 ok\nC: RCPT TO:<ä@bücher.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 ok\n",
    );
    let utf8 = Outgoing { charset: Charset::Utf8, ..message(&["ä@bücher.example"], "Subject: ä\n\n".as_bytes()) };
    assert_eq!(carried(&script, settings(), &utf8).await.0, ["delivered 250 ok"]);
}

const ONE: &str =
    "C: MAIL FROM:<s@here.example>\nS: 250 ok\nC: RCPT TO:<a@there.example>\nS: 250 ok\nC: DATA\nS: 354 go\nTEXT\nS: 250 ok\n";

#[tokio::test]
async fn tls_is_used_where_it_is_offered() {
    // What was offered in clear is forgotten: no DSN after the handshake, though the sender asked for it.
    let script =
        greeted(&format!("S: 250-p\nS: 250-DSN\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nC: EHLO mx.here.example\nS: 250 p\n{ONE}"));
    let peer = Peer::play(&script).await;
    let mut message = message(&["a@there.example"], TEXT);
    message.envid = Some("E".into());
    let verdicts = courier(settings()).carry(&hop(&peer, Tls::Opportunistic), &message).await;
    assert!(matches!(&verdicts[0], Verdict::Delivered(taken) if taken.remote.security == Security::Encrypted), "{verdicts:?}");
    assert_eq!(peer.texts().await.len(), 1);
}

#[tokio::test]
async fn a_certificate_for_another_name_does_not_do_where_it_is_verified() {
    let peer = Peer::play(&greeted("S: 250-p\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nTLS\nHANG")).await;
    let mut roots = RootCertStore::empty();
    roots.add(peer.certificate.clone()).unwrap();
    let trusting = Courier::trusting(Arc::new(settings()), Vec::new(), Trust::of(roots).unwrap());
    let refused = trusting.carry(&hop(&peer, Tls::Verify), &message(&["a@there.example"], TEXT)).await;
    assert!(shorts(&refused)[0].starts_with("deferred 4.7.5 its certificate is not valid for 127.0.0.1"), "{refused:?}");
    peer.texts().await;
}

#[tokio::test]
async fn a_handshake_that_fails_is_followed_by_clear_text_on_a_new_connection() {
    let offer = "S: 250-p\nS: 250 STARTTLS\nC: STARTTLS\n";
    for failure in ["S: 220 go\nNOTLS\n", "S: 220 go\n", "S: 220 go\nRESET\n"] {
        let script = greeted(&format!("{offer}{failure}---\n{GREETED}S: 250-p\nS: 250 STARTTLS\n{ONE}"));
        assert_eq!(verdict(&script).await, "delivered 250 ok", "{failure}");
    }
    // A refusal leaves the connection as it is.
    assert_eq!(verdict(&greeted(&format!("{offer}S: 454 4.7.0 not now\n{ONE}"))).await, "delivered 250 ok");
}

#[tokio::test]
async fn mail_that_must_be_encrypted_waits_where_it_cannot_be() {
    let failing = "S: 250-p\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go\nNOTLS\n";
    for (script, told) in [
        ("S: 250 p\nHANG", "deferred 4.7.10 TLS is wanted"),
        ("S: 500 what\nC: HELO mx.here.example\nS: 250 p\nHANG", "deferred 4.7.10 TLS is wanted"),
        ("S: 250-p\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 not now\nHANG", "deferred 4.7.10 TLS is wanted"),
        (failing, "deferred 4.7.5 the TLS handshake failed"),
    ] {
        let peer = Peer::play(&greeted(script)).await;
        let verdicts = courier(hasty()).carry(&hop(&peer, Tls::Require), &message(&["a@there.example"], TEXT)).await;
        assert!(shorts(&verdicts)[0].starts_with(told), "{script}: {verdicts:?}");
        peer.texts().await;
    }
    let off = greeted(&format!("S: 250-p\nS: 250 STARTTLS\n{ONE}"));
    let peer = Peer::play(&off).await;
    assert_eq!(shorts(&courier(hasty()).carry(&hop(&peer, Tls::Off), &message(&["a@there.example"], TEXT)).await), ["delivered 250 ok"]);
}

#[tokio::test]
async fn what_is_said_in_clear_behind_starttls_counts_for_nothing() {
    // A man in the middle appends a reply that the client would read as the answer to its next command.
    let script = greeted("S: 250-p\nS: 250 STARTTLS\nC: STARTTLS\nRAW: 220 go\\r\\n250 PIPELINING\\r\\n\nHANG");
    let found = verdict(&script).await;
    assert!(found.starts_with("deferred 4.5.0 it answered out of turn"), "{found}");
}

/// Settings for a smarthost at the peer, with a password in a file.
fn smarthost(peer: &Peer, implicit_tls: bool, password: &tempfile::NamedTempFile) -> (Settings, NextHop) {
    std::fs::write(password.path(), "s3cret pass\n").unwrap();
    let via = Via { host: HostName::Address(peer.address.ip()), port: peer.address.port() };
    let login = Some(Login { username: "us".into(), password_file: password.path().to_owned() });
    let settings = Settings { mode: Mode::Smarthost(Smarthost { via: via.clone(), implicit_tls, login }), ..hasty() };
    (settings, NextHop { place: Place::Smarthost(via), tls: Tls::Opportunistic })
}

#[tokio::test]
async fn a_smarthost_hears_who_we_are() {
    let plain = "S: 250-p\nS: 250 AUTH LOGIN PLAIN\nC: AUTH PLAIN AHVzAHMzY3JldCBwYXNz\nS: 235 2.7.0 welcome\n";
    let login =
        "S: 250-p\nS: 250 AUTH LOGIN\nC: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: dXM=\nS: 334 UGFzc3dvcmQ6\nC: czNjcmV0IHBhc3M=\nS: 235 ok\n";
    let refused = "S: 250-p\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHVzAHMzY3JldCBwYXNz\nS: 535 5.7.8 wrong\nHANG";
    for (script, told) in [
        (greeted(&format!("{plain}{ONE}")), "delivered 250 ok"),
        (greeted(&format!("{login}{ONE}")), "delivered 250 ok"),
        // The operator's mistake costs nobody their mail.
        (greeted(refused), "deferred 4.7.8 535 5.7.8 wrong"),
        (
            greeted("S: 250-p\nS: 250 AUTH GSSAPI\nHANG"),
            "deferred 4.7.4 there is a login, and the host offers neither AUTH PLAIN nor AUTH LOGIN",
        ),
        (format!("TLS\n{GREETED}{plain}{ONE}"), "delivered 250 ok"),
    ] {
        let peer = Peer::play(&script).await;
        let password = tempfile::NamedTempFile::new().unwrap();
        let (settings, hop) = smarthost(&peer, script.starts_with("TLS"), &password);
        let courier = courier(settings);
        assert_eq!(shorts(&courier.carry(&hop, &message(&["a@there.example"], TEXT)).await), [told], "{script}");
        drop(courier);
        peer.texts().await;
    }
    let gone = Peer::play(&greeted("HANG")).await;
    let password = tempfile::NamedTempFile::new().unwrap();
    let (settings, hop) = smarthost(&gone, false, &password);
    drop(password);
    let verdicts = shorts(&courier(settings).carry(&hop, &message(&["a@there.example"], TEXT)).await);
    assert!(verdicts[0].starts_with("deferred 4.3.5 relay.password_file cannot be read"), "{verdicts:?}");
}

#[tokio::test]
async fn a_host_that_does_not_listen_is_a_deferral() {
    let port = Port::new();
    let via = Via { host: HostName::Address([127, 0, 0, 1].into()), port: port.address().port() };
    let hop = NextHop { place: Place::Via(via), tls: Tls::Opportunistic };
    let verdicts = courier(settings()).carry(&hop, &message(&["a@x.example", "b@x.example"], TEXT)).await;
    assert_eq!(verdicts.len(), 2);
    assert!(shorts(&verdicts).iter().all(|told| told.starts_with("deferred 4.4.1 no connection to the host")), "{verdicts:?}");
}
