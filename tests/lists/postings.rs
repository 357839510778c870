//! Who may post, what members get, and what is never distributed.

use hickory_resolver::proto::rr::RecordType;

use super::house::*;
use super::mx::{Message, Mx};
use super::name_server::{NameServer, Says, txt};

const ALICE: &str = "alice@example.org";

#[test]
fn a_posting_goes_to_each_member_once_under_a_sender_of_its_own() {
    let world = house("[lists]\nurl = \"https://mail.test\"\n");
    world.alias("twin@example.org", &["bob"]);
    list(&world, "team", "members", &["alice", "bob", "twin@example.org"]);
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
    write(&world, ALICE, "team@example.org", "second");
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
    list(&world, "open", "anyone", &["alice"]);
    list(&world, "news", "owner", &["alice"]);
    assert!(send(&world, ALICE, "news@example.org", "").starts_with("550 5.7.1"));
    write(&world, "olga@example.org", "news@example.org", "from the owner");
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
    write(&world, stranger, "open@example.org", "for people");
    arrives(&world, "alice", "for people");
    assert_eq!(world.maildir("alice").files().len(), 2);
}

#[test]
fn one_bad_member_keeps_nobody_waiting_and_lists_may_have_lists() {
    let world = house("[quota]\ndefault = \"1MiB\"\n");
    world.done(&["pop", "add", "brim", "--domain", "example.org", "--owner", "Full", "--quota", "1B", "--generate"]);
    world.alias("off@example.org", &["carol"]);
    list(&world, "inner", "owner", &["carol"]);
    list(&world, "outer", "anyone", &["off@example.org", "brim", "alice", "inner"]);
    world.done(&["alias", "disable", "off@example.org"]);
    let circle = world.restante(&["list", "members", "inner", "add", "outer"]);
    assert_eq!(circle.code, 4, "{circle:?}");
    write(&world, ALICE, "outer@example.org", "to all");
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
    write(&world, "ann@elsewhere.example", "team-owner@example.org", "a question");
    arrives(&world, "olga", "a question");
    // What is no command is for a person.
    write(&world, "bob@example.org", "team-request@example.org", "another question");
    arrives(&world, "olga", "another question");
    write(&world, "bob@example.org", "team-request@example.org", "help");
    let help = arrives(&world, "bob", "About the list team");
    assert_eq!((field(&help, "Return-Path").as_str(), field(&help, "Auto-Submitted").as_str()), ("<>", "auto-replied"));
    assert!(send(&world, "ann@elsewhere.example", "other-owner@example.org", "").starts_with("550 5.1.1"));
    world.alias("team-owner@example.org", &["carol"]);
    write(&world, "ann@elsewhere.example", "team-owner@example.org", "to carol");
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
    list(&world, "many", "anyone", &[]);
    world.done(&["list", "members", "many", "import", &file.display().to_string()]);
    write(&world, ALICE, "many@example.org", "to many");
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

#[test]
fn members_elsewhere_get_theirs_by_the_queue_and_their_bounces_come_back() {
    let mx = Mx::new();
    mx.refuse("gone@elsewhere.example", "550 5.1.1 nobody");
    let tables = format!(
        "[lists]\nurl = \"https://mail.test\"\nbounce_days = 1\n[relay]\ntls = \"off\"\ndestinations = [\"elsewhere.example via={}\"]\n",
        mx.address()
    );
    let world = house(&tables);
    list(&world, "team", "anyone", &[]);
    world.done(&["list", "members", "team", "add", "ann@elsewhere.example", "ben@elsewhere.example", "gone@elsewhere.example"]);
    post(&world, ALICE, "team@example.org", &format!("List-Id: <other.example>\n{}", message(ALICE, "team@example.org", "far")));
    let mut found = mx.wait(2);
    found.sort_by(|a, b| a.sender.cmp(&b.sender));
    for (Message { sender, text, .. }, member) in found.iter().zip(["ann", "ben"]) {
        assert!(sender.starts_with(&format!("team-bounces+{member}=elsewhere.example+")), "{sender}");
        assert!(text.contains("\nDelivered-To: team@example.org\n") || text.starts_with("Delivered-To: team@example.org\n"), "{text}");
        assert_eq!(text.matches("List-Id: ").count(), 1, "{text}");
        assert!(text.contains(&format!("List-Unsubscribe: <https://mail.test/leave/team/{member}@elsewhere.example/")), "{text}");
        assert!(text.contains("List-Id: \"team\" <team.example.org>\n") && text.ends_with("\n\nHello.\n"), "{text}");
    }
    let note = arrives(&world, "olga", "gone@elsewhere.example was suspended on team");
    assert!(String::from_utf8_lossy(&note.text).contains("5.1.1"));
    assert!(world.maildir("alice").files().is_empty(), "the author hears nothing of members' bounces");
}

#[test]
fn many_mailboxes_here_get_one_copy_each_however_often_they_are_named() {
    let world = house("");
    let names: Vec<String> = (0..1200).map(|number| format!("m{number:04}")).collect();
    world.pop("model");
    world.multiply("model", &names);
    // Members under other addresses, on other pages of the list than the accounts they lead to.
    let twins: Vec<String> = names.iter().step_by(100).map(|name| format!("a-{name}@example.org")).collect();
    for (twin, name) in twins.iter().zip(names.iter().step_by(100)) {
        world.alias(twin, &[name]);
    }
    let file = world.path().join("members.txt");
    std::fs::write(&file, names.iter().chain(&twins).cloned().collect::<Vec<_>>().join("\n")).expect("the file is written");
    list(&world, "many", "anyone", &[]);
    world.done(&["list", "members", "many", "import", &file.display().to_string()]);
    write(&world, ALICE, "many@example.org", "to many");
    logged(&world, &["posting distributed", "many"]);
    let wrong: Vec<&String> = names.iter().filter(|name| world.maildir(name).files().len() != 1).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn an_author_is_renamed_only_where_its_domain_would_have_the_posting_refused() {
    let (asked, address) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        runtime.block_on(async move {
            let zone = |name: &str, kind| match (name, kind) {
                ("_dmarc.strict.example", RecordType::TXT) => Says::Records(vec![txt("v=DMARC1; p=reject; sp=none")]),
                ("_dmarc.lax.example", RecordType::TXT) => Says::Records(vec![txt("v=DMARC1; p=none")]),
                ("_dmarc.broken.example", _) => Says::Failure,
                _ => Says::NoSuchName,
            };
            let server = NameServer::start(zone).await;
            asked.send(server.address).expect("the test waits");
            std::future::pending::<()>().await;
        });
    });
    let dns = address.recv().expect("the name server starts");
    let world = house(&format!("[dns]\nservers = [\"{dns}\"]\n"));
    list(&world, "team", "anyone", &["alice"]);
    world.done(&["list", "edit", "team", "--tag", "on"]);
    for (author, from, reply_to) in [
        ("ann@strict.example", "\"ann@strict.example via team\" <team@example.org>", "<ann@strict.example>"),
        ("ann@sub.strict.example", "<ann@sub.strict.example>", ""),
        ("ann@lax.example", "<ann@lax.example>", ""),
        ("ann@broken.example", "<ann@broken.example>", ""),
        ("ann@unknown.example", "<ann@unknown.example>", ""),
    ] {
        write(&world, author, "team@example.org", author);
        let copy = arrives(&world, "alice", author);
        assert_eq!((field(&copy, "From").as_str(), field(&copy, "Reply-To").as_str()), (from, reply_to));
    }
    // What is not touched keeps its signature, so nobody is renamed.
    world.done(&["list", "edit", "team", "--tag", "off"]);
    write(&world, "ann@strict.example", "team@example.org", "untouched");
    assert_eq!(field(&arrives(&world, "alice", "untouched"), "From"), "<ann@strict.example>");
}
