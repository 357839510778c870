//! Mail on its way through a whole server: in over SMTP, through the queue, and out to mail servers of the test's own.

use std::time::Duration;

use serde_json::Value;

use super::mx::{Mx, send};
use super::world::process::until;
use super::world::{Settings, User, World};

const TEXT: &str = "From: a@example.net\nTo: away@example.org\nSubject: hello\nMessage-ID: <1@example.net>\n\nbody\n.dots\n";

/// A server that sends mail for each of these domains to one of these servers, and tries soon again.
pub fn sending(to: &[(&str, &Mx)], more: &str) -> World {
    let smtp = "postmaster = \"alice\"".to_owned();
    let destinations: Vec<String> = to.iter().map(|(domain, mx)| format!("\"{domain} via={}\"", mx.address())).collect();
    let retry = if more.contains("first_retry") { "" } else { "first_retry = \"1s\"\nmax_retry = \"2s\"\n" };
    let tables = format!("[relay]\nmode = \"direct\"\ndestinations = [{}]\n{retry}{more}\n", destinations.join(", "));
    let world = World::with(User::Same, Settings { smtp, tables, ..Settings::default() });
    world.domain("example.org").pop("alice");
    world
}

pub fn waits(world: &World) -> Value {
    serde_json::from_str(&world.done(&["queue", "list", "--json"])).unwrap()
}

/// Waits until nothing waits.
pub fn empty(world: &World) {
    let empty = until(Duration::from_secs(60), || (waits(world) == Value::Array(Vec::new())).then_some(()));
    assert!(empty.is_some(), "{}\n{}", waits(world), world.log());
}

#[test]
fn mail_for_elsewhere_is_sent_on_with_its_trace() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "srs = false");
    world.alias("away@example.org", &["someone@example.com", "Other@Example.COM"]);
    let replies = send(world.smtp(), "a@example.net", &["Away@example.org"], TEXT);
    assert!(replies[0] == "250 2.1.5 Ok" && replies[1].starts_with("250 2.0.0 Ok: queued as "), "{replies:?}");
    let taken = mx.wait(1).remove(0);
    assert_eq!(
        (taken.sender.as_str(), taken.recipients.as_slice()),
        ("a@example.net", &["someone@example.com".to_owned(), "Other@example.com".into()][..])
    );
    let lines: Vec<&str> = taken.text.lines().collect();
    assert_eq!(lines[0], "Delivered-To: away@example.org");
    assert!(lines[1].starts_with("Received: from client.test (") && lines[3].contains("for <Away@example.org>"), "{lines:?}");
    assert!(taken.text.ends_with(&TEXT[TEXT.find("From").unwrap()..]), "{}", taken.text);
    empty(&world);
}

#[test]
fn what_is_put_off_is_tried_again() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "");
    world.alias("away@example.org", &["someone@example.com"]);
    mx.refuse("someone@example.com", "450 4.2.1 busy, later");
    send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let tried =
        until(Duration::from_secs(30), || Some(waits(&world)).filter(|waits| waits[0]["recipients"][0]["tries"].as_u64() >= Some(2)));
    let tried = tried.unwrap_or_else(|| panic!("{}", world.log()));
    assert!(tried[0]["recipients"][0]["attempts"][0]["reply"].as_str().unwrap().contains("busy, later"), "{tried}");
    mx.answer(|_| None);
    mx.wait(1);
    empty(&world);
    let told = until(Duration::from_secs(30), || Some(outcomes(&world, "someone@example.com")).filter(|told| told[0] == "relayed"));
    assert!(told.is_some_and(|told| told.len() >= 3 && told[1..].iter().all(|status| status == "deferred")));
    // Whose mail it is finds the attempts as well.
    let told = outcomes(&world, "away@example.org");
    assert!(told.len() >= 4 && told[0] == "relayed" && told.last().is_some_and(|status| status == "waiting"), "{told:?}");
    let rows: Value = serde_json::from_str(&world.done(&["log", "--to", "@example.org", "--status", "relayed", "--json"])).unwrap();
    assert_eq!((&rows[0]["recipient"], &rows[0]["via"]), (&"someone@example.com".into(), &"away@example.org".into()), "{rows}");
}

/// What the delivery log says of a recipient, newest first.
fn outcomes(world: &World, recipient: &str) -> Vec<String> {
    let rows: Value = serde_json::from_str(&world.done(&["log", "--to", recipient, "--json"])).unwrap();
    rows.as_array().unwrap().iter().map(|row| row["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_mailbox_and_an_address_elsewhere_both_get_it() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "");
    world.alias("both@example.org", &["alice", "someone@example.com"]);
    send(world.smtp(), "alice@example.org", &["both@example.org", "alice@example.org"], TEXT);
    mx.wait(1);
    world.maildir("alice").wait(1);
    empty(&world);
    // What comes back by way of the alias is going in circles.
    let text = mx.taken()[0].text.clone();
    let replies = send(world.smtp(), "alice@example.org", &["both@example.org"], &text);
    assert_eq!(replies[1], "554 5.4.6 Message is going in circles");
    assert_eq!((mx.taken().len(), world.maildir("alice").files().len()), (1, 1));
}

#[test]
fn a_large_message_goes_through_a_file() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "");
    world.alias("away@example.org", &["someone@example.com"]);
    let text = format!("Subject: large\n\n{}", "0123456789 large enough to be a file\n".repeat(30_000));
    send(world.smtp(), "alice@example.org", &["away@example.org"], &text);
    assert!(mx.wait(1)[0].text.ends_with(&text));
    empty(&world);
    assert_eq!(std::fs::read_dir(world.path().join("spool/outgoing/texts")).unwrap().count(), 0);
}

#[test]
fn one_dead_destination_holds_up_no_other_and_is_not_hammered() {
    let (live, dead) = (Mx::new(), Mx::new());
    dead.answer(|line| (line == "GREETING").then(|| "421 4.3.2 closed".to_owned()));
    let world = sending(&[("live.example", &live), ("dead.example", &dead)], "first_retry = \"10m\"");
    world.alias("dead@example.org", &["someone@dead.example"]).alias("live@example.org", &["someone@live.example"]);
    for _ in 0..20 {
        send(world.smtp(), "alice@example.org", &["dead@example.org"], TEXT);
        send(world.smtp(), "alice@example.org", &["live@example.org"], TEXT);
    }
    live.wait(20);
    let waiting = until(Duration::from_secs(30), || Some(waits(&world)).filter(|waits| waits.as_array().unwrap().len() == 20));
    assert!(waiting.is_some(), "{}", waits(&world));
    assert!(dead.connections() <= 3, "{} connections", dead.connections());
    dead.answer(|_| None);
    world.done(&["queue", "retry"]);
    dead.wait(20);
    empty(&world);
}

#[test]
fn a_restart_keeps_everything_and_sends_it() {
    let mx = Mx::new();
    let mut world = sending(&[("example.com", &mx)], "");
    world.alias("away@example.org", &["someone@example.com"]);
    mx.answer(|line| line.starts_with("MAIL").then(|| "451 4.3.0 not now".to_owned()));
    for _ in 0..10 {
        send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    }
    world.stop();
    assert_eq!(waits(&world).as_array().map(Vec::len), Some(10), "without a server, the queue can be looked at too\n{}", world.log());
    world.start();
    mx.answer(|_| None);
    mx.wait(10);
    empty(&world);
    // And an end that was not orderly.
    mx.answer(|line| line.starts_with("MAIL").then(|| "451 4.3.0 not now".to_owned()));
    send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    world.kill();
    world.bury();
    mx.answer(|_| None);
    world.start();
    mx.wait(11);
    empty(&world);
}

#[test]
fn mode_off_leaves_mail_with_its_sender() {
    let world = World::with(User::Same, Settings { tables: "[relay]\nmode = \"off\"\n".into(), ..Settings::default() });
    world.domain("example.org").pop("alice").alias("away@example.org", &["someone@example.com"]);
    let replies = send(world.smtp(), "alice@example.org", &["away@example.org", "alice@example.org"], TEXT);
    assert_eq!(replies[0], "451 4.3.0 Recipient is elsewhere and the relay is off; try again later");
    assert!(replies[2].starts_with("250"), "{replies:?}");
}

#[test]
fn an_alias_for_a_thousand_addresses_goes_out_in_few_transactions() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "");
    let targets: Vec<String> = (0..1000).map(|number| format!("m{number}@example.com")).collect();
    let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
    world.alias("many@example.org", &targets);
    send(world.smtp(), "alice@example.org", &["many@example.org"], TEXT);
    let all = until(Duration::from_secs(60), || {
        let recipients: std::collections::BTreeSet<_> = mx.taken().into_iter().flat_map(|message| message.recipients).collect();
        (recipients.len() == 1000).then_some(())
    });
    assert!(all.is_some(), "{}", mx.taken().len());
    empty(&world);
    assert!(mx.taken().len() <= 20, "{} transactions", mx.taken().len());
}

#[test]
fn what_nobody_takes_comes_back_to_its_sender() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "");
    world.alias("away@example.org", &["someone@example.com", "other@example.com"]);
    mx.refuse("someone@example.com", "550 5.1.1 nobody of that name");
    send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let report = String::from_utf8(world.maildir("alice").one().text).unwrap();
    assert!(report.starts_with("Return-Path: <>\nDelivered-To: alice@example.org\n"), "{report}");
    for part in [
        "Content-Type: multipart/report; report-type=delivery-status;",
        "Original-Recipient: rfc822; away@example.org",
        "Final-Recipient: rfc822; someone@example.com",
        "Action: failed",
        "Status: 5.1.1",
        "nobody of that name",
        "Subject: hello",
    ] {
        assert!(report.contains(part), "{part}\n{report}");
    }
    assert!(!report.contains("other@example.com"), "the other one has it: {report}");
    assert_eq!(mx.wait(1)[0].recipients, ["other@example.com"]);
    empty(&world);
}

#[test]
fn a_null_sender_is_told_nothing_and_never_means_nothing() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "");
    world.alias("away@example.org", &["someone@example.com"]);
    mx.refuse("someone@example.com", "550 5.1.1 nobody of that name");
    send(world.smtp(), "", &["away@example.org"], TEXT);
    send(world.smtp(), "alice@example.org", &["away@example.org NOTIFY=NEVER"], TEXT);
    empty(&world);
    assert_eq!(world.maildir("alice").files().len(), 0);
}

#[test]
fn its_sender_is_told_that_it_takes_longer_and_at_last_that_it_is_given_up() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "delay_notice = \"2s\"\nlife = \"8s\"");
    world.alias("away@example.org", &["someone@example.com"]);
    mx.refuse("someone@example.com", "450 4.2.1 not today");
    send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let reports = world.maildir("alice").wait(2);
    let texts: Vec<String> = reports.into_iter().map(|report| String::from_utf8(report.text).unwrap()).collect();
    assert!(texts[0].contains("Action: delayed") && texts[0].contains("Will-Retry-Until: "), "{}", texts[0]);
    assert!(texts[1].contains("Action: failed") && texts[1].contains("not today"), "{}", texts[1]);
    empty(&world);
}

#[test]
fn a_success_is_reported_where_that_was_asked_for() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "");
    world.alias("away@example.org", &["someone@example.com"]);
    send(world.smtp(), "alice@example.org", &["away@example.org NOTIFY=SUCCESS"], TEXT);
    let report = String::from_utf8(world.maildir("alice").one().text).unwrap();
    assert!(report.contains("Action: relayed") && report.contains("Final-Recipient: rfc822; someone@example.com"), "{report}");
    mx.wait(1);
    empty(&world);
}

#[test]
fn what_ends_in_a_mailbox_here_is_reported_here() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "");
    world.pop("bob").pop("carol").alias("info@example.org", &["bob"]);
    let replies = send(
        world.smtp(),
        "alice@example.org",
        &["Info@example.org NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;first@example.net", "carol@example.org NOTIFY=FAILURE"],
        TEXT,
    );
    assert!(replies.iter().all(|reply| reply.starts_with("250")), "{replies:?}");
    let message = world.maildir("alice").one();
    let report = String::from_utf8(message.text.clone()).unwrap();
    for line in [
        "Action: delivered",
        "Final-Recipient: rfc822; Info@example.org",
        "Original-Recipient: rfc822; first@example.net",
        "Subject: hello",
    ] {
        assert!(report.contains(&format!("\n{line}\n")), "{line}:\n{report}");
    }
    assert_eq!(message.field("Return-Path").as_deref(), Some("<>"));
    assert!(!report.contains("carol") && !report.contains("bob"), "{report}");
    // A null sender wants no report, whatever it says.
    send(world.smtp(), "", &["bob@example.org NOTIFY=SUCCESS"], TEXT);
    world.maildir("bob").wait(2);
    assert_eq!(world.maildir("alice").files().len(), 1);
}

#[test]
fn a_stranger_who_is_forwarded_hears_of_a_bounce_from_elsewhere() {
    let (out, home) = (Mx::new(), Mx::new());
    let world = sending(&[("example.com", &out), ("example.net", &home)], "");
    world.alias("away@example.org", &["someone@example.com"]);
    send(world.smtp(), "Bob@example.net", &["away@example.org"], TEXT);
    let sender = out.wait(1)[0].sender.clone();
    assert!(sender.starts_with("SRS0=") && sender.ends_with("=example.net=Bob@example.org"), "{sender}");
    // The host elsewhere sends a bounce to what it knows as the sender.
    let replies = send(world.smtp(), "", &[&sender], "Subject: failed\n\nno\n");
    assert!(replies[1].starts_with("250"), "{replies:?}");
    let bounce = home.wait(1).remove(0);
    assert_eq!((bounce.sender.as_str(), bounce.recipients.as_slice()), ("", &["Bob@example.net".to_owned()][..]));
    let trace = world.done(&["trace", &sender]);
    assert!(trace.contains("Yes, Bob@example.net."), "{trace}");
    let forged = sender.replace("Bob", "Eve");
    assert_eq!(send(world.smtp(), "", &[&forged], TEXT), ["550 5.1.1 Return address is not valid here, or not any more"]);
    empty(&world);
}

#[test]
fn a_report_that_nobody_takes_goes_to_the_postmaster_once() {
    let mx = Mx::new();
    mx.answer(|line| line.starts_with("RCPT").then(|| "550 5.1.1 nobody of that name".to_owned()));
    let world = sending(&[("example.com", &mx), ("example.net", &mx)], "");
    world.alias("away@example.org", &["someone@example.com"]);
    send(world.smtp(), "bob@example.net", &["away@example.org"], TEXT);
    empty(&world);
    let told = String::from_utf8(world.maildir("alice").one().text).unwrap();
    assert!(told.contains("Final-Recipient: rfc822; bob@example.net"), "{told}");
    assert!(mx.taken().is_empty());
}

#[test]
fn a_text_that_is_lost_holds_up_no_other_and_its_sender_hears_of_it() {
    let mx = Mx::new();
    let world = sending(&[("example.com", &mx)], "life = \"6s\"");
    world.alias("away@example.org", &["someone@example.com"]);
    mx.answer(|line| line.starts_with("MAIL").then(|| "451 4.3.0 not now".to_owned()));
    let large = format!("Subject: large\n\n{}", "0123456789 large enough to be a file\n".repeat(30_000));
    send(world.smtp(), "alice@example.org", &["away@example.org"], &large);
    until(Duration::from_secs(30), || (waits(&world)[0]["recipients"][0]["tries"].as_u64() >= Some(1)).then_some(())).unwrap();
    for text in std::fs::read_dir(world.path().join("spool/outgoing/texts")).unwrap() {
        std::fs::remove_file(text.unwrap().path()).unwrap();
    }
    mx.answer(|_| None);
    send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    assert!(mx.wait(1)[0].text.ends_with("body\n.dots\n"));
    let report = String::from_utf8(world.maildir("alice").one().text).unwrap();
    assert!(report.contains("Action: failed") && report.contains("cannot be read from the spool"), "{report}");
    assert!(world.log().contains("the text of a message in the queue is damaged or gone"));
    empty(&world);
}

/// Sixty messages for one destination, that all are due at once.
fn sixty(mx: &Mx, settings: &str) -> World {
    let world = sending(&[("example.com", mx)], settings);
    world.alias("away@example.org", &["someone@example.com"]);
    mx.answer(|line| line.starts_with("MAIL").then(|| "451 4.3.0 not now".to_owned()));
    for _ in 0..60 {
        send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    }
    mx.answer(|_| None);
    world.done(&["queue", "retry"]);
    mx.wait(60);
    empty(&world);
    world
}

#[test]
fn a_destination_gets_no_more_connections_than_it_may() {
    let mx = Mx::new();
    let _world = sixty(&mx, "connections = 3");
    assert!((1..=3).contains(&mx.most_open()), "{} connections at a time", mx.most_open());
}

#[test]
fn a_connection_carries_no_more_messages_than_it_may() {
    let mx = Mx::new();
    let _world = sixty(&mx, "messages_per_connection = 5");
    assert!(mx.connections() >= 60 / 5, "{} connections for 60 messages", mx.connections());
}

#[test]
fn a_destination_with_a_rate_gets_no_more_than_that() {
    let mx = Mx::new();
    // One in 300 ms.
    let world = sending(&[("example.com", &mx)], "rate = 200");
    world.alias("away@example.org", &["someone@example.com"]);
    for _ in 0..5 {
        send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    }
    mx.wait(5);
    let arrivals = mx.arrivals();
    // From the first to the last there are four pauses; some of the first may have gone by before the first message was there.
    let between = arrivals[4].duration_since(arrivals[0]);
    assert!(between >= Duration::from_millis(900), "{between:?}");
    empty(&world);
}
