//! Programs that people send mail with.

use std::fs;

use crate::world::World;
use crate::world::program::{done, run};
use crate::{crlf, same, tricky, without_last_line_end};

/// The account `alice`, reached as `info@example.org` through a chain of two aliases.
fn chained() -> World {
    let world = World::new();
    world.domain("example.org").pop("alice");
    world.alias("desk@example.org", &["alice"]).alias("info@example.org", &["desk@example.org"]);
    world
}

#[test]
fn swaks_over_smtp() {
    let world = chained();
    let server = world.smtp().to_string();
    let words = [
        "--server",
        &server,
        "--ehlo",
        "client.test",
        "--from",
        "sender@client.test",
        "--to",
        "info@example.org",
        "--pipeline",
        "--data",
        "-",
    ];
    done("swaks", &words, without_last_line_end(&tricky()));
    let message = world.maildir("alice").one();
    same(message.sent(), &tricky());
    assert_eq!(message.field("Return-Path").as_deref(), Some("<sender@client.test>"));
    assert_eq!(message.field("Delivered-To").as_deref(), Some("alice@example.org"));
    assert_eq!(message.field("X-Original-To").as_deref(), Some("info@example.org"));
    let received = message.field("Received").expect("a Received field");
    assert!(received.starts_with("from client.test (") && received.contains(" by mx.test (Restante) with ESMTP id "), "{received}");
}

#[test]
fn swaks_over_lmtp_on_a_unix_socket() {
    let world = chained();
    let socket = world.lmtp_socket().display().to_string();
    let words = [
        "--socket",
        &socket,
        "--protocol",
        "LMTP",
        "--helo",
        "client.test",
        "--from",
        "sender@client.test",
        "--to",
        "info@example.org",
        "--data",
        "-",
    ];
    done("swaks", &words, without_last_line_end(&tricky()));
    let message = world.maildir("alice").one();
    same(message.sent(), &tricky());
    assert!(message.field("Received").expect("a Received field").contains(" with LMTP id "));
}

#[test]
fn swaks_hears_why_a_recipient_is_refused() {
    let world = chained();
    let server = world.smtp().to_string();
    for (to, reply) in [("nobody@example.org", "550 5.1.1"), ("someone@elsewhere.test", "550 5.7.1")] {
        let refused = run("swaks", &["--server", &server, "--from", "sender@client.test", "--to", to], b"");
        assert_ne!(refused.code, 0, "{}", refused.stdout);
        assert!(refused.stdout.contains(&format!("<** {reply}")), "{to}: {}", refused.stdout);
    }
    assert!(world.maildir("alice").files().is_empty());
}

#[test]
fn curl_with_starttls() {
    let world = chained();
    let file = world.path().join("message");
    fs::write(&file, crlf(&tricky())).expect("the message is written");
    let (url, file) = (format!("smtp://{}/client.test", world.smtp()), file.display().to_string());
    let words = [
        "-sS",
        "--ssl-reqd",
        "--insecure",
        &url,
        "--mail-from",
        "sender@client.test",
        "--mail-rcpt",
        "info@example.org",
        "--upload-file",
        &file,
    ];
    done("curl", &words, b"");
    let message = world.maildir("alice").one();
    same(message.sent(), &tricky());
    assert!(message.field("Received").expect("a Received field").contains(" with ESMTPS id "));
}

#[test]
fn smtplib_speaks_every_extension() {
    let world = chained();
    world.alias("gr\u{fc}\u{df}e@example.org", &["alice"]);
    let (smtp, lmtp) = (world.smtp().port().to_string(), world.lmtp().port().to_string());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/clients.py");
    let socket = world.lmtp_socket().display().to_string();
    let subjects = done("python3", &[script, &smtp, &lmtp, &socket], &crlf(&tricky()));
    let mut arrived: Vec<_> = world.maildir("alice").wait(subjects.lines().count()).iter().map(summary).collect();
    arrived.sort_unstable();
    let mut expected: Vec<_> = subjects.lines().map(str::to_owned).collect();
    expected.sort_unstable();
    assert_eq!(arrived, expected);
}

/// The protocol of the last hop and the original recipient; the text must be what was sent.
fn summary(message: &crate::world::maildir::Message) -> String {
    same(message.sent(), &tricky());
    let received = message.field("Received").expect("a Received field");
    let with = received.split(" with ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    format!("{with} {}", message.field("X-Original-To").unwrap_or_default())
}
