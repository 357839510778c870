//! Vacation replies: once, to people who wrote to this person; and copies.

use super::house::*;

#[test]
fn a_person_is_told_once_and_programs_never() {
    let world = house("");
    world.alias("info@example.org", &["alice"]);
    let file = world.path().join("away.txt");
    std::fs::write(&file, "I am away.\n").unwrap();
    world.done(&["pop", "vacation", "alice", "--text-file", &file.display().to_string()]);
    let to_alice = |subject: &str| message("bob@example.org", "alice@example.org", subject);
    post(&world, "bob@example.org", "alice@example.org", &to_alice("one"));
    let reply = arrives(&world, "bob", "Auto: one");
    assert_eq!(field(&reply, "Return-Path"), "<>");
    assert_eq!(field(&reply, "Auto-Submitted"), "auto-replied");
    assert_eq!(field(&reply, "In-Reply-To"), "<one@client.test>");
    assert_eq!(field(&reply, "From"), "\"A test\" <alice@example.org>");
    assert!(reply.text.ends_with(b"\n\nI am away.\n"));
    // Not again, not to a list or a program, not where alice is in Bcc only.
    post(&world, "bob@example.org", "alice@example.org", &to_alice("two"));
    for (from, text) in [
        ("carol@example.org", format!("List-Id: <x.example>\n{}", message("carol@example.org", "alice@example.org", "list"))),
        ("carol@example.org", format!("Precedence: bulk\n{}", message("carol@example.org", "alice@example.org", "bulk"))),
        ("carol@example.org", format!("Auto-Submitted: auto-generated\n{}", message("carol@example.org", "alice@example.org", "auto"))),
        ("carol@example.org", message("carol@example.org", "others@elsewhere.example", "bcc")),
        ("", message("carol@example.org", "alice@example.org", "report")),
    ] {
        post(&world, from, "alice@example.org", &text);
    }
    // By an alias, which comes last: whatever was to come before it has come.
    write(&world, "olga@example.org", "info@example.org", "by alias");
    arrives(&world, "olga", "Auto: by alias");
    assert_eq!((world.maildir("bob").files().len(), world.maildir("carol").files().len()), (1, 0));
    world.done(&["pop", "vacation", "alice", "--off"]);
    let shown = world.done(&["pop", "handling", "alice", "--json"]);
    assert!(shown.contains("\"vacation\":null") || shown.contains("\"vacation\": null"), "{shown}");
}

#[test]
fn dates_are_kept() {
    let world = house("");
    let file = world.path().join("away.txt");
    std::fs::write(&file, "Away.\n").unwrap();
    let file = file.display().to_string();
    world.done(&["pop", "vacation", "alice", "--text-file", &file, "--from", "2100-01-01"]);
    world.done(&["pop", "vacation", "carol", "--text-file", &file, "--until", "2001-01-01"]);
    world.done(&["pop", "vacation", "olga", "--text-file", &file, "--from", "2001-01-01", "--until", "2100-01-01"]);
    for to in ["alice", "carol", "olga"] {
        write(&world, "bob@example.org", &format!("{to}@example.org"), to);
    }
    arrives(&world, "bob", "Auto: olga");
    assert_eq!(world.maildir("bob").files().len(), 1);
    let backwards = world.restante(&["pop", "vacation", "alice", "--text-file", &file, "--from", "2030-01-02", "--until", "2030-01-01"]);
    assert_eq!(backwards.code, 2, "{backwards:?}");
}

#[test]
fn copies_go_to_others_however_mail_came() {
    let world = house("");
    world.alias("info@example.org", &["alice"]);
    world.done(&["pop", "copies", "alice", "bob"]);
    world.done(&["pop", "copies", "bob", "alice", "carol"]);
    write(&world, "ann@elsewhere.example", "info@example.org", "one");
    for name in ["alice", "bob", "carol"] {
        arrives(&world, name, "one");
        assert_eq!(world.maildir(name).files().len(), 1, "{name}");
    }
    assert_eq!(world.restante(&["pop", "copies", "alice", "alice"]).code, 2);
    assert_eq!(world.restante(&["pop", "copies", "alice", "info@example.org"]).code, 2);
    world.done(&["pop", "delete", "bob", "--yes"]);
    assert!(!world.done(&["pop", "handling", "alice"]).contains("bob"));
    write(&world, "ann@elsewhere.example", "alice@example.org", "two");
    arrives(&world, "alice", "two");
    assert_eq!(world.maildir("carol").files().len(), 1);
    world.done(&["pop", "restore", "bob"]);
    assert!(world.done(&["pop", "handling", "bob"]).contains("alice, carol"));
}
