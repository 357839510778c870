//! Mail that leaves: to real servers, and through a chain of them and back.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::servers::Server;
use crate::world::maildir::{Maildir, Message};
use crate::world::port::Port;
use crate::world::postfix::{Postfix, map};
use crate::world::process::{Process, until};
use crate::world::program::done;
use crate::world::{Settings, User, World, folder, root_or_skip};
use crate::{same, tidy, without_last_line_end};

/// How long mail may take through several servers.
const ARRIVED: Duration = Duration::from_secs(60);

/// A server that sends mail for each of these domains to one of these ports.
fn sending(to: &[(&str, u16)]) -> World {
    let destinations: Vec<String> = to.iter().map(|(domain, port)| format!("\"{domain} via=127.0.0.1:{port}\"")).collect();
    let tables = format!("[relay]\ndestinations = [{}]\nfirst_retry = \"1s\"\nmax_retry = \"2s\"\n", destinations.join(", "));
    let world = World::with(User::Same, Settings { tables, ..Settings::default() });
    world.domain("example.org").pop("alice");
    world
}

/// Hands a message to a server.
fn hand(server: &str, from: &str, to: &str, text: &[u8]) {
    let words = ["--server", server, "--ehlo", "client.test", "--from", from, "--to", to, "--data", "-"];
    done("swaks", &words, without_last_line_end(text));
}

fn waiting(world: &World) -> Vec<Value> {
    serde_json::from_str(&world.done(&["queue", "list", "--json"])).expect("a list")
}

fn wait_until_empty(world: &World) {
    let empty = until(ARRIVED, || waiting(world).is_empty().then_some(()));
    assert!(empty.is_some(), "{:?}\n{}", waiting(world), world.log());
}

/// The message from its first own field on: what was sent, if nobody on the way has touched it.
fn own(message: &Message) -> Vec<u8> {
    let text = String::from_utf8_lossy(&message.text).into_owned();
    let start = text.find("\nFrom: ").unwrap_or_else(|| panic!("{text}"));
    message.text.get(start + 1..).unwrap_or_default().to_vec()
}

/// A Postfix whose mail for one domain ends in Maildirs, and that sends the rest by a map which can be written later.
struct Site {
    postfix: Postfix,
    folder: PathBuf,
}

impl Site {
    fn new(domain: &str, users: &[&str], more: impl FnOnce(&std::path::Path) -> String) -> Self {
        let mut folder = PathBuf::new();
        let postfix = Postfix::start(|here| {
            folder = here.to_owned();
            let mail = here.join("mail");
            fs::create_dir(&mail).expect("a folder");
            chown(&mail, Some(8), Some(8)).expect("the tests run as root");
            let mailboxes: String = users.iter().map(|user| format!("{user}@{domain} {user}/\n")).collect();
            format!(
                "virtual_mailbox_domains = {domain}\nvirtual_mailbox_base = {}\nvirtual_minimum_uid = 8\nvirtual_uid_maps = static:8\n\
                 virtual_gid_maps = static:8\nvirtual_mailbox_maps = {}\nrelay_domains =\nsmtpd_relay_restrictions = permit_mynetworks, reject\n\
                 queue_run_delay = 1s\nminimal_backoff_time = 1s\nmaximal_backoff_time = 1s\ntransport_maps = texthash:{}/etc/transport\n{}",
                mail.display(),
                map(here, "mailboxes", &mailboxes),
                here.display(),
                more(here)
            )
        });
        Self { postfix, folder }
    }

    fn sends(&self, domain: &str, port: u16) {
        fs::write(self.folder.join("etc/transport"), format!("{domain} smtp:[127.0.0.1]:{port}\n")).expect("a map");
    }

    fn maildir(&self, user: &str) -> Maildir {
        Maildir::new(self.folder.join("mail").join(user))
    }
}

#[test]
fn a_forward_arrives_and_its_bounce_finds_the_way_back() {
    if !root_or_skip("Postfix") {
        return;
    }
    let origin = Site::new("origin.test", &["sender"], |_| String::new());
    // Takes mail for `late`, and finds out afterwards that there is nobody: a bounce of its own making.
    let far = Site::new("far.test", &["someone"], |here| {
        format!("virtual_alias_maps = {}\n", map(here, "aliases", "late@far.test nobody@gone.test\n"))
    });
    let world = sending(&[("origin.test", origin.postfix.address().port()), ("far.test", far.postfix.address().port())]);
    world.alias("away@example.org", &["someone@far.test"]).alias("late@example.org", &["late@far.test"]);
    origin.sends("example.org", world.smtp().port());
    fs::write(
        far.folder.join("etc/transport"),
        format!("example.org smtp:[127.0.0.1]:{}\ngone.test error:5.1.1 there is nobody here\n", world.smtp().port()),
    )
    .expect("a map");

    hand(&origin.postfix.address().to_string(), "sender@origin.test", "away@example.org", &tidy());
    let arrived = far.maildir("someone").one();
    let sender = arrived.field("Return-Path").expect("a sender");
    assert!(sender.starts_with("<SRS0=") && sender.ends_with("=origin.test=sender@example.org>"), "{sender}");
    same(&own(&arrived), &tidy());

    hand(&origin.postfix.address().to_string(), "sender@origin.test", "late@example.org", &tidy());
    let bounce = origin.maildir("sender").one();
    let text = String::from_utf8_lossy(&bounce.text).into_owned();
    assert_eq!(bounce.field("Return-Path").as_deref(), Some("<>"));
    assert!(text.contains("there is nobody here") && text.contains("report-type=delivery-status"), "{text}");
    wait_until_empty(&world);

    // What is refused at once is reported by us, and comes back the same way.
    world.alias("wrong@example.org", &["no-such-user@far.test"]);
    hand(&origin.postfix.address().to_string(), "sender@origin.test", "wrong@example.org", &tidy());
    let reports = origin.maildir("sender").wait(2);
    let ours: Vec<_> = reports.iter().filter(|message| String::from_utf8_lossy(&message.text).contains("MAILER-DAEMON@mx.test")).collect();
    assert_eq!(ours.len(), 1, "one report is ours");
    let text = String::from_utf8_lossy(&ours[0].text).into_owned();
    for line in [
        "Final-Recipient: rfc822; no-such-user@far.test",
        "Original-Recipient: rfc822; wrong@example.org",
        "Action: failed",
        "Status: 5.1.1",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}:\n{text}");
    }

    // A sender address that nobody here has written leads nowhere.
    let forged = [
        "--server",
        &world.smtp().to_string(),
        "--from",
        "<>",
        "--to",
        "SRS0=AAAAAA=AA=origin.test=sender@example.org",
        "--quit-after",
        "RCPT",
    ];
    let refused = crate::world::program::run("swaks", &forged, b"");
    assert!(refused.stdout.contains("<** 550 5."), "{}", refused.stdout);
}

#[test]
fn servers_of_other_makes_take_what_we_send() {
    if !root_or_skip("Exim and OpenSMTPD") {
        return;
    }
    for (make, server) in [("Exim", Server::exim()), ("OpenSMTPD", Server::opensmtpd())] {
        let Some(server) = server else { continue };
        let world = sending(&[("far.test", server.address().port())]);
        world.alias("away@example.org", &["someone@far.test"]).alias("wrong@example.org", &["nobody@far.test"]);
        hand(&world.smtp().to_string(), "alice@example.org", "away@example.org,wrong@example.org", &tidy());
        let arrived =
            until(ARRIVED, || server.maildir().messages().pop()).unwrap_or_else(|| panic!("{make}:\n{}\n{}", server.log(), world.log()));
        same(&own(&arrived), &tidy());
        // The recipient that it does not know comes back to the sender, who lives here.
        let report = String::from_utf8_lossy(&world.maildir("alice").one().text).into_owned();
        assert!(report.contains("Final-Recipient: rfc822; nobody@far.test") && report.contains("Action: failed"), "{make}: {report}");
        wait_until_empty(&world);
    }
}

#[test]
fn many_messages_reach_a_sink_each_once() {
    const MESSAGES: &str = "500";
    let (place, port) = (folder("restante-sink-"), Port::new());
    let log = place.path().join("log");
    let mut command = Command::new("/usr/sbin/smtp-sink");
    command.args(["-u", "root", "-c", "-8", &port.address().to_string(), "100"]);
    if !root_or_skip("smtp-sink") {
        return;
    }
    let _sink = Process::start(&mut command, &log);
    until(ARRIVED, || std::net::TcpStream::connect(port.address()).ok()).expect("smtp-sink listens");
    let world = sending(&[("far.test", port.address().port())]);
    world.alias("away@example.org", &["someone@far.test"]);
    let to = world.smtp().to_string();
    done("smtp-source", &["-s", "10", "-m", MESSAGES, "-f", "sender@example.org", "-t", "away@example.org", &to], b"");
    wait_until_empty(&world);
    let sent = world.log().lines().filter(|line| line.contains("someone@far.test") && line.contains("sent")).count();
    assert!(sent.to_string() == MESSAGES, "{sent} of {MESSAGES}");
}
