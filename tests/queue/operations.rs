//! What operators do to the queue: on the command line, over the API, and what owners see.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use super::mx::{Mx, send};
use super::sending::{empty, sending, waits};
use super::world::World;
use super::world::process::until;

const TEXT: &str = "Subject: hello\n\nbody\n";

/// One message that waits, and its id.
fn waiting() -> (World, Mx, String) {
    let mx = Mx::new();
    mx.refuse("someone@example.com", "450 4.2.1 not today");
    let world = sending(&[("example.com", &mx)], "first_retry = \"10m\"");
    world.alias("away@example.org", &["someone@example.com"]);
    let replies = send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let id = replies[1].rsplit(' ').next().unwrap().to_owned();
    let tried = until(Duration::from_secs(30), || (waits(&world)[0]["recipients"][0]["tries"] == 1).then_some(()));
    assert!(tried.is_some(), "{}", world.log());
    (world, mx, id)
}

#[test]
fn a_message_is_shown_with_what_was_tried() {
    let (world, _mx, id) = waiting();
    let shown: serde_json::Value = serde_json::from_str(&world.done(&["queue", "show", &id, "--json"])).unwrap();
    assert_eq!((&shown["kind"], &shown["sender"], &shown["open"]), (&"relay".into(), &"alice@example.org".into(), &1.into()));
    let recipient = &shown["recipients"][0];
    assert_eq!((&recipient["address"], &recipient["original"]), (&"someone@example.com".into(), &"away@example.org".into()));
    assert_eq!((&recipient["destination"], &recipient["state"]), (&"example.com".into(), &"waiting".into()));
    assert_eq!(recipient["attempts"][0]["status"], "4.2.1");
    let text = world.done(&["queue", "show", &id]);
    assert!(text.contains("someone@example.com (for away@example.org)") && text.contains("not today"), "{text}");
    let table = world.done(&["queue", "list"]);
    assert!(table.contains(&id) && table.contains("someone@example.com"), "{table}");
    for (filter, found) in [
        (["--destination", "example.com"], 1),
        (["--destination", "example.net"], 0),
        (["--sender", "alice@example.org"], 1),
        (["--sender", "@example.org"], 1),
        (["--sender", "<>"], 0),
        (["--recipient", "Someone@example.com"], 1),
        (["--recipient", "away@example.org"], 1),
        (["--recipient", "@example.com"], 1),
        (["--recipient", "@example.net"], 0),
    ] {
        let listed: serde_json::Value = serde_json::from_str(&world.done(&["queue", "list", filter[0], filter[1], "--json"])).unwrap();
        assert_eq!(listed.as_array().map(Vec::len), Some(found), "{filter:?}");
    }
    assert_eq!(world.restante(&["queue", "show", "0000000000001"]).code, 3);
    assert_eq!(world.restante(&["queue", "show", "nonsense"]).code, 2);
}

#[test]
fn hold_release_retry_and_cancel_do_what_they_say() {
    let (world, mx, id) = waiting();
    mx.answer(|_| None);
    assert_eq!(world.done(&["queue", "hold", &id]), "1 recipient held\n");
    world.done(&["queue", "retry"]);
    world.done(&["queue", "retry", &id]);
    assert_eq!(waits(&world)[0]["recipients"][0]["state"], "held");
    let held: serde_json::Value = serde_json::from_str(&world.done(&["queue", "list", "--held", "--json"])).unwrap();
    assert_eq!(held.as_array().map(Vec::len), Some(1));
    assert!(mx.taken().is_empty());
    world.done(&["queue", "release", &id]);
    mx.wait(1);
    empty(&world);

    mx.refuse("someone@example.com", "450 4.2.1 not today");
    let replies = send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let id = replies[1].rsplit(' ').next().unwrap();
    assert!(until(Duration::from_secs(30), || (waits(&world)[0]["recipients"][0]["tries"] == 1).then_some(())).is_some());
    assert_eq!(world.done(&["queue", "cancel", id, "--no-report"]), "1 recipient removed\n");
    empty(&world);
    assert_eq!(world.restante(&["queue", "cancel", id]).code, 3);
    assert_eq!(world.maildir("alice").files().len(), 0);

    let replies = send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let id = replies[1].rsplit(' ').next().unwrap();
    assert!(until(Duration::from_secs(30), || (waits(&world)[0]["recipients"][0]["tries"] == 1).then_some(())).is_some());
    mx.answer(|_| None);
    world.done(&["queue", "retry", id]);
    mx.wait(2);
    empty(&world);
}

#[test]
fn whoever_sent_what_is_cancelled_is_told_and_a_null_sender_never() {
    let (mut world, mx, id) = waiting();
    assert_eq!(world.done(&["queue", "cancel", &id]), "1 recipient removed\n");
    let report = String::from_utf8(world.maildir("alice").one().text).unwrap();
    for line in [
        "Return-Path: <>",
        "Original-Recipient: rfc822; away@example.org",
        "Final-Recipient: rfc822; someone@example.com",
        "Action: failed",
        "Status: 5.0.0",
        "Subject: hello",
    ] {
        assert!(report.lines().any(|found| found == line), "{line}:\n{report}");
    }
    assert!(report.contains("cancelled by the operator"), "{report}");
    // The log writes what comes in within some milliseconds together.
    let noted = || world.done(&["log", "--to", "someone@example.com"]).contains("bounced").then_some(());
    assert!(until(Duration::from_secs(30), noted).is_some());
    let again = |world: &World, sender: &str| {
        let replies = send(world.smtp(), sender, &["away@example.org"], TEXT);
        let id = replies[1].rsplit(' ').next().unwrap().to_owned();
        assert!(until(Duration::from_secs(30), || (waits(world)[0]["recipients"][0]["tries"] == 1).then_some(())).is_some());
        id
    };
    let null = again(&world, "");
    world.done(&["queue", "cancel", &null]);
    empty(&world);
    assert_eq!(world.maildir("alice").files().len(), 1);
    // Without a server there is nobody who could tell.
    let id = again(&world, "alice@example.org");
    world.stop();
    let refused = world.restante(&["queue", "cancel", &id]);
    assert!(refused.code == 1 && refused.stderr.contains("--no-report"), "{refused:?}");
    assert_eq!(world.done(&["queue", "cancel", &id, "--no-report"]), "1 recipient removed\n");
    assert!(mx.taken().is_empty());
}

#[test]
fn metrics_tell_what_waits_for_whom() {
    let (world, _mx, _id) = waiting();
    let mut stream = std::net::TcpStream::connect(world.admin()).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    for line in [
        "restante_queue_recipients 1",
        "restante_queue_held_recipients 0",
        "restante_queue_destination_recipients{destination=\"example.com\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    for series in ["restante_queue_oldest_seconds ", "restante_queue_destination_oldest_seconds{destination=\"example.com\"} "] {
        assert!(text.lines().any(|line| line.starts_with(series)), "{series}:\n{text}");
    }
}
