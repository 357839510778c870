//! Who may post, what members get, and what is never distributed.

use super::house::*;

const ALICE: &str = "alice@example.org";

#[test]
fn a_posting_goes_to_each_member_once_under_a_sender_of_its_own() {
    let world = house("[lists]\nurl = \"https://mail.test\"\n");
    world.alias("twin@example.org", &["bob"]);
    world.done(&[
        "list",
        "add",
        "team",
        "--domain",
        "example.org",
        "--owner",
        "olga",
        "--post",
        "members",
        "alice",
        "bob",
        "twin@example.org",
    ]);
    world.done(&["list", "edit", "team", "--tag", "on", "--description", "Our Team"]);
    post(&world, ALICE, "team@example.org", &format!("List-Id: <other.example>\n{}", message(ALICE, "team@example.org", "first")));
    for name in ["alice", "bob"] {
        let copy = world.maildir(name).one();
        assert_eq!(field(&copy, "Subject"), "[team] first");
        assert_eq!(fields(&copy, "List-Id"), ["\"Our Team\" <team.example.org>"]);
        assert_eq!(field(&copy, "List-Post"), "<mailto:team@example.org>");
        assert_eq!(field(&copy, "List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
        assert!(field(&copy, "List-Unsubscribe").starts_with(&format!("<https://mail.test/leave/team/{name}@example.org/")), "{name}");
        assert_eq!(field(&copy, "Precedence"), "list");
        assert!(field(&copy, "Return-Path").starts_with(&format!("<team-bounces+{name}=example.org+")), "{}", field(&copy, "Return-Path"));
        assert_eq!(field(&copy, "Delivered-To"), format!("{name}@example.org"));
        assert!(copy.text.ends_with(b"\n\nHello.\n"));
    }
    told(&world, "bob@example.org", "delivered");
    told(&world, "team@example.org", "delivered");
    // The same mailbox by two members: one copy, and none comes later.
    post(&world, ALICE, "team@example.org", &message(ALICE, "team@example.org", "second"));
    arrives(&world, "bob", "second");
    logged(&world, &["posting distributed", "team"]);
    assert_eq!(world.maildir("bob").files().len(), 2);
    let refused = send(&world, "stranger@elsewhere.example", "team@example.org", "");
    assert_eq!(refused, "550 5.7.1 You may not post to this list");
    let traced = world.restante(&["trace", "team@example.org", "--from", "stranger@elsewhere.example"]);
    assert!(traced.stdout.contains("Does the list team take mail from this sender?") && traced.stdout.contains("550 5.7.1"), "{traced:?}");
}

#[test]
fn policies_are_kept_and_programs_and_loops_are_not_distributed() {
    let world = house("");
    world.done(&["list", "add", "open", "--domain", "example.org", "--owner", "olga", "--post", "anyone", "alice"]);
    world.done(&["list", "add", "news", "--domain", "example.org", "--owner", "olga", "--post", "owner", "alice"]);
    assert!(send(&world, ALICE, "news@example.org", "").starts_with("550 5.7.1"));
    post(&world, "olga@example.org", "news@example.org", &message("olga@example.org", "news@example.org", "from the owner"));
    arrives(&world, "alice", "from the owner");
    assert!(send(&world, "", "open@example.org", "").starts_with("550 5.7.1"), "a report is no posting");
    let stranger = "ann@elsewhere.example";
    for (header, why) in [
        ("Auto-Submitted: auto-replied\n", "a program wrote it"),
        ("Precedence: bulk\n", "a program wrote it"),
        ("List-Id: <open.example.org>\n", "it has come through this list before"),
    ] {
        let text = format!("{header}{}", message(stranger, "open@example.org", "not for people"));
        post(&world, stranger, "open@example.org", &text);
        logged(&world, &["posting not distributed", why]);
    }
    told(&world, "open@example.org", "discarded");
    post(&world, stranger, "open@example.org", &message(stranger, "open@example.org", "for people"));
    arrives(&world, "alice", "for people");
    assert_eq!(world.maildir("alice").files().len(), 2);
}

#[test]
fn one_bad_member_keeps_nobody_waiting_and_lists_may_have_lists() {
    let world = house("[quota]\ndefault = \"1MiB\"\n");
    world.done(&["pop", "add", "brim", "--domain", "example.org", "--owner", "Full", "--quota", "1B", "--generate"]);
    world.alias("off@example.org", &["carol"]);
    world.done(&["list", "add", "inner", "--domain", "example.org", "--owner", "olga", "--post", "owner", "carol"]);
    world.done(&[
        "list",
        "add",
        "outer",
        "--domain",
        "example.org",
        "--owner",
        "olga",
        "--post",
        "anyone",
        "off@example.org",
        "brim",
        "alice",
        "inner",
    ]);
    world.done(&["alias", "disable", "off@example.org"]);
    let circle = world.restante(&["list", "members", "inner", "add", "outer"]);
    assert_eq!(circle.code, 4, "{circle:?}");
    post(&world, ALICE, "outer@example.org", &message(ALICE, "outer@example.org", "to all"));
    arrives(&world, "alice", "to all");
    let copy = arrives(&world, "carol", "to all");
    assert_eq!(field(&copy, "List-Id"), "\"inner\" <inner.example.org>");
    logged(&world, &["a member of a list gets no copy", "off@example.org"]);
    told(&world, "off@example.org", "refused");
    assert_eq!(world.maildir("brim").files().len(), 0);
}

#[test]
fn addresses_beside_a_list_are_its_own_unless_somebody_has_them() {
    let world = house("");
    world.done(&["list", "add", "team", "--domain", "example.org", "--owner", "olga", "alice"]);
    post(
        &world,
        "ann@elsewhere.example",
        "team-owner@example.org",
        &message("ann@elsewhere.example", "team-owner@example.org", "a question"),
    );
    arrives(&world, "olga", "a question");
    // What is no command is for a person.
    post(
        &world,
        "bob@example.org",
        "team-request@example.org",
        &message("bob@example.org", "team-request@example.org", "another question"),
    );
    arrives(&world, "olga", "another question");
    post(&world, "bob@example.org", "team-request@example.org", &message("bob@example.org", "team-request@example.org", "help"));
    let help = arrives(&world, "bob", "About the list team");
    assert_eq!((field(&help, "Return-Path").as_str(), field(&help, "Auto-Submitted").as_str()), ("<>", "auto-replied"));
    assert!(send(&world, "ann@elsewhere.example", "other-owner@example.org", "").starts_with("550 5.1.1"));
    world.alias("team-owner@example.org", &["carol"]);
    post(
        &world,
        "ann@elsewhere.example",
        "team-owner@example.org",
        &message("ann@elsewhere.example", "team-owner@example.org", "to carol"),
    );
    arrives(&world, "carol", "to carol");
}

#[test]
fn a_kill_in_the_middle_leaves_no_member_out() {
    let mut world = house("");
    let names: Vec<String> = (0..1500).map(|number| format!("m{number:04}")).collect();
    world.pop("model");
    world.multiply("model", &names);
    let file = world.path().join("members.txt");
    std::fs::write(&file, names.join("\n")).expect("the file is written");
    world.done(&["list", "add", "many", "--domain", "example.org", "--owner", "olga", "--post", "anyone"]);
    world.done(&["list", "members", "many", "import", &file.display().to_string()]);
    post(&world, ALICE, "many@example.org", &message(ALICE, "many@example.org", "to many"));
    arrives(&world, "m0000", "to many");
    world.kill();
    world.bury();
    world.start();
    logged(&world, &["posting distributed", "many"]);
    let mut copies = 0;
    for name in &names {
        let found = world.maildir(name).files().len();
        assert!(found > 0, "{name} was left out");
        copies += found;
    }
    assert!(copies <= names.len() + 500, "more than a page was sent twice: {copies}");
}

/// A mail server elsewhere that takes what comes; each message with the command that named its sender.
fn elsewhere(messages: std::sync::mpsc::Sender<(String, String)>) -> std::net::SocketAddr {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it listens");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let messages = messages.clone();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
                let mut writer = stream;
                let (mut sender, mut text, mut in_data) = (String::new(), String::new(), false);
                let _ = writer.write_all(b"220 elsewhere.example ESMTP\r\n");
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        return;
                    }
                    let reply: &[u8] = match line.get(..4).unwrap_or_default().to_uppercase().as_str() {
                        _ if in_data && line != ".\r\n" => {
                            text += line.trim_end_matches("\r\n");
                            text.push('\n');
                            continue;
                        }
                        _ if in_data => {
                            in_data = false;
                            let _ = messages.send((std::mem::take(&mut sender), std::mem::take(&mut text)));
                            b"250 2.0.0 taken\r\n"
                        }
                        "EHLO" => b"250 elsewhere.example\r\n",
                        "MAIL" => {
                            sender = line.trim_end().to_owned();
                            b"250 ok\r\n"
                        }
                        "RCPT" if line.contains("gone@") => b"550 5.1.1 nobody\r\n",
                        "DATA" => {
                            in_data = true;
                            b"354 go on\r\n"
                        }
                        _ => b"250 ok\r\n",
                    };
                    let _ = writer.write_all(reply);
                }
            });
        }
    });
    address
}

#[test]
fn members_elsewhere_get_theirs_by_the_queue_and_their_bounces_come_back() {
    let (sender, messages) = std::sync::mpsc::channel();
    let sink = elsewhere(sender);
    let tables = format!(
        "[lists]\nurl = \"https://mail.test\"\nbounce_days = 1\n[relay]\ntls = \"off\"\ndestinations = [\"elsewhere.example via={sink}\"]\n"
    );
    let world = house(&tables);
    world.done(&["list", "add", "team", "--domain", "example.org", "--owner", "olga", "--post", "anyone"]);
    world.done(&["list", "members", "team", "add", "ann@elsewhere.example", "ben@elsewhere.example", "gone@elsewhere.example"]);
    post(&world, ALICE, "team@example.org", &format!("List-Id: <other.example>\n{}", message(ALICE, "team@example.org", "far")));
    let mut found: Vec<(String, String)> = (0..2).map(|_| messages.recv_timeout(PATIENCE).expect("a message arrives")).collect();
    found.sort();
    for ((sender, text), member) in found.iter().zip(["ann", "ben"]) {
        assert!(sender.starts_with(&format!("MAIL FROM:<team-bounces+{member}=elsewhere.example+")), "{sender}");
        assert!(text.contains("\nDelivered-To: team@example.org\n") || text.starts_with("Delivered-To: team@example.org\n"), "{text}");
        assert_eq!(text.matches("List-Id: ").count(), 1, "{text}");
        assert!(text.contains(&format!("List-Unsubscribe: <https://mail.test/leave/team/{member}@elsewhere.example/")), "{text}");
        assert!(text.contains("List-Id: \"team\" <team.example.org>\n") && text.ends_with("\n\nHello.\n"), "{text}");
    }
    let note = arrives(&world, "olga", "gone@elsewhere.example was suspended on team");
    assert!(String::from_utf8_lossy(&note.text).contains("5.1.1"));
    assert!(world.maildir("alice").files().is_empty(), "the author hears nothing of members' bounces");
}
