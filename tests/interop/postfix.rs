//! A real Postfix in front, as most installations have it: it takes mail from the world, queues it, and hands it on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::Value;

use crate::world::maildir::Message;
use crate::world::postfix::Postfix;
use crate::world::process::until;
use crate::world::program::{done, run};
use crate::world::{Settings, User, World, root_or_skip};
use crate::{same, tidy, without_last_line_end};

/// How long Postfix may take to try again. It is told to do so every second.
const TRIED_AGAIN: Duration = Duration::from_secs(60);

/// Postfix in front of Restante.
struct Front(Postfix);

impl Front {
    /// Relays the domain `example.org` to `transport`, and asks nobody about its recipients.
    fn before(transport: &str) -> Self {
        Self::with(&format!(
            "relay_domains = example.org\nrelay_recipient_maps =\nrelay_transport = {transport}\n\
             smtpd_relay_restrictions = permit_mynetworks, reject\n"
        ))
    }

    /// Does as one of the files in `config/postfix` says, but for the ports.
    fn by_recipe(recipe: &str, world: &World) -> Self {
        let path = format!("{}/config/postfix/{recipe}", env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let ported = text
            .replace("127.0.0.1:2424", &world.lmtp().to_string())
            .replace("[127.0.0.1]:2525", &format!("[127.0.0.1]:{}", world.smtp().port()));
        assert_ne!(text, ported, "{recipe} names the default port");
        Self::with(&ported)
    }

    /// One that tries again every second, and has these lines in its `main.cf`.
    fn with(lines: &str) -> Self {
        Self(Postfix::start(|_| {
            format!("queue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\ntransport_retry_time = 1s\n{lines}")
        }))
    }

    fn log(&self) -> String {
        self.0.log()
    }

    /// Hands Postfix a message, which it queues.
    fn takes(&self, to: &str) {
        let server = self.0.address().to_string();
        let words = ["--server", &server, "--ehlo", "client.test", "--from", "sender@example.org", "--to", to, "--data", "-"];
        done("swaks", &words, without_last_line_end(&tidy()));
    }

    /// The recipients that still wait, each with the reason.
    fn waiting(&self) -> Vec<(String, String)> {
        let config = self.0.config();
        let text = |value: &Value, field: &str| value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
        done("postqueue", &["-c", &config, "-j"], b"")
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .flat_map(|message| message.get("recipients").and_then(Value::as_array).cloned().unwrap_or_default())
            .map(|recipient| (text(&recipient, "address"), text(&recipient, "delay_reason")))
            .collect()
    }

    /// Waits until exactly these recipients are left in the queue, each for a reason that contains the words beside it.
    fn waits_for(&self, expected: &[(&str, &str)]) {
        let matches = |waiting: &[(String, String)]| {
            waiting.len() == expected.len()
                && expected.iter().all(|(to, why)| waiting.iter().any(|(address, reason)| address == to && reason.contains(why)))
        };
        let reached = until(TRIED_AGAIN, || matches(&self.waiting()).then_some(()));
        assert!(reached.is_some(), "expected {expected:?} in the queue, not {:?}:\n{}", self.waiting(), self.log());
    }
}

/// The text that came through Postfix, which puts a `Received` field of its own above it.
fn through_postfix(message: &Message) -> Vec<u8> {
    let text = String::from_utf8_lossy(message.sent()).into_owned();
    assert!(text.starts_with("Received: from client.test"), "{text}");
    let start = text.find("\nFrom: ").expect("the first field of the message");
    text.as_bytes().get(start + 1..).unwrap_or_default().to_vec()
}

fn accounts() -> World {
    let world = World::new();
    world.domain("example.org").pop("alice").pop("bob").pop("sender");
    world.alias("info@example.org", &["alice"]).alias("team@example.org", &["alice", "bob"]);
    world
}

/// Both protocols, as `relay_transport` names them.
fn transports(world: &World) -> [String; 2] {
    [format!("smtp:[127.0.0.1]:{}", world.smtp().port()), format!("lmtp:inet:127.0.0.1:{}", world.lmtp().port())]
}

#[test]
fn mail_passes_through_aliases() {
    if !root_or_skip("Postfix") {
        return;
    }
    let world = accounts();
    for (round, transport) in (1..).zip(transports(&world)) {
        let postfix = Front::before(&transport);
        postfix.takes("info@example.org,team@example.org");
        // Two recipients of one transaction that lead to the same mailbox: one copy.
        for (name, original) in [("alice", "info@example.org"), ("bob", "team@example.org")] {
            for message in world.maildir(name).wait(round) {
                same(&through_postfix(&message), &tidy());
                assert_eq!(message.field("Return-Path").as_deref(), Some("<sender@example.org>"));
                assert_eq!(message.field("X-Original-To").as_deref(), Some(original));
            }
        }
        postfix.waits_for(&[]);
    }
}

/// The files that `config/postfix` gives to administrators.
#[test]
fn the_recipes_refuse_unknown_recipients_at_the_door() {
    if !root_or_skip("Postfix") {
        return;
    }
    let world = accounts();
    for (round, recipe) in (1..).zip(["main.relay.cf", "main.lmtp.cf"]) {
        let postfix = Front::by_recipe(recipe, &world);
        postfix.takes("info@example.org");
        world.maildir("alice").wait(round);
        let server = postfix.0.address().to_string();
        for (to, reply) in [("nobody@example.org", "550 5.1.1"), ("someone@elsewhere.test", "550 5.1.1")] {
            let refused = run("swaks", &["--server", &server, "--from", "sender@example.org", "--to", to], b"");
            assert!(
                refused.code != 0 && refused.stdout.contains(&format!("<** {reply}")),
                "{recipe}: {}\n{}",
                refused.stdout,
                postfix.log()
            );
        }
    }
}

/// The folder of the socket as `config/postfix/main.lmtp.cf` has it: the socket takes the folder's group.
#[test]
fn postfix_reaches_a_unix_socket_in_its_group() {
    if !root_or_skip("Postfix") {
        return;
    }
    let mut world = World::idle(User::Same, Settings::default());
    let folder = world.lmtp_socket().parent().expect("a folder").to_owned();
    done("chgrp", &["postfix", &folder.display().to_string()], b"");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o2710)).expect("permissions");
    world.start();
    world.domain("example.org").pop("alice");
    let postfix = Front::before(&format!("lmtp:unix:{}", world.lmtp_socket().display()));
    postfix.takes("alice@example.org");
    same(&through_postfix(&world.maildir("alice").one()), &tidy());
    postfix.waits_for(&[]);
}

#[test]
fn an_unknown_alias_is_bounced_by_postfix() {
    if !root_or_skip("Postfix") {
        return;
    }
    let world = accounts();
    for (round, transport) in (1..).zip(transports(&world)) {
        let postfix = Front::before(&transport);
        postfix.takes("nobody@example.org,info@example.org");
        world.maildir("alice").wait(round);
        // The report comes back the same way, from the null sender, and quotes our reply.
        let reports = world.maildir("sender").wait(round);
        for report in &reports {
            let text = String::from_utf8_lossy(&report.text);
            assert_eq!(report.field("Return-Path").as_deref(), Some("<>"));
            assert!(text.contains("Final-Recipient: rfc822; nobody@example.org") && text.contains("Status: 5.1.1"), "{text}");
        }
        postfix.waits_for(&[]);
    }
}

#[test]
fn lmtp_tells_a_full_mailbox_from_the_others() {
    if !root_or_skip("Postfix") {
        return;
    }
    let world = accounts();
    world.done(&["pop", "edit", "bob", "--quota", "200B"]);
    let [_, lmtp] = transports(&world);
    let postfix = Front::before(&lmtp);
    postfix.takes("alice@example.org,bob@example.org");
    world.maildir("alice").wait(1);
    postfix.waits_for(&[("bob@example.org", "452 4.2.2")]);
    assert!(world.maildir("bob").files().is_empty());

    // With room made, the one that waited comes, and the other does not come again.
    world.done(&["pop", "edit", "bob", "--quota", "1MiB"]);
    world.maildir("bob").wait(1);
    postfix.waits_for(&[]);
    world.maildir("alice").wait(1);
}

#[test]
fn lmtp_tells_a_broken_mailbox_from_the_others() {
    if !root_or_skip("Postfix") {
        return;
    }
    let world = accounts();
    let bob = world.maildir("bob");
    let aside = world.path().join("aside");
    fs::rename(bob.path(), &aside).expect("the Maildir moves");
    fs::write(bob.path(), "in the way").expect("a file in its place");
    let [_, lmtp] = transports(&world);
    let postfix = Front::before(&lmtp);
    postfix.takes("alice@example.org,bob@example.org");
    world.maildir("alice").wait(1);
    postfix.waits_for(&[("bob@example.org", " 4")]);

    fs::remove_file(bob.path()).expect("the file goes");
    fs::rename(&aside, bob.path()).expect("the Maildir is back");
    bob.wait(1);
    postfix.waits_for(&[]);
    world.maildir("alice").wait(1);
}

#[test]
fn postfix_queues_while_the_server_is_stopped() {
    if !root_or_skip("Postfix") {
        return;
    }
    let mut world = accounts();
    let fronts = transports(&world).map(|transport| Front::before(&transport));
    world.stop();
    for postfix in &fronts {
        postfix.takes("info@example.org");
        postfix.waits_for(&[("info@example.org", "Connection refused")]);
    }
    assert!(world.maildir("alice").files().is_empty());
    world.start();
    for message in world.maildir("alice").wait(fronts.len()) {
        same(&through_postfix(&message), &tidy());
    }
    fronts.iter().for_each(|postfix| postfix.waits_for(&[]));
}
