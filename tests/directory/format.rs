//! The bytes on disk: a change of format has to be a new version beside the old one.

use restante::directory::schema::{Counters, Key, Prefix, Record, Referrer, Uses, decode, encode};
use restante::directory::*;

use super::fixture::*;

fn alias(standing: Standing) -> Alias {
    Alias {
        key: key("info@example.org"),
        standing,
        targets: targets(&["alice"]),
        switch: Switch::Disabled,
        note: "why".into(),
        expires: Some(at(2_000_000_000)),
        created: at(1_000_000_000),
        last_used: None,
        uses: 0,
    }
}

fn pop() -> Pop {
    Pop {
        id: AccountId(300),
        name: name("alice"),
        domain: domain("example.org"),
        owner: "Alice Ærlig".into(),
        password: PasswordHash("$h".into()),
        quota: Some(1 << 30),
        state: State::Suspended,
        created: at(1_000_000_000),
    }
}

fn entry() -> audit::Entry {
    audit::Entry {
        revision: Revision(7),
        actor: Actor::Master(name("root")),
        at: at(1_000_000_000),
        change: add_alias("info@example.org", &["alice"]),
        effects: vec![
            Effect::EntryAdded { address: key("info@example.org"), target: target("alice") },
            Effect::SeatAdded { list: name("team"), member: target("alice") },
        ],
    }
}

fn samples() -> Vec<(&'static str, Key, Record)> {
    let created = at(1_000_000_000);
    let hidden = Alias { targets: targets(&["alice"]), ..alias(Standing::Hidden(name("alice"))) };
    let used = Alias { last_used: Some(at(5)), uses: 9, ..alias(Standing::Plain) };
    let list = List {
        id: AccountId(2),
        name: name("team"),
        domain: domain("example.org"),
        owner: target("alice"),
        posting: Posting::Members,
        members: targets(&["alice", "Bob@elsewhere.example"]),
        created,
    };
    let trashed = Trashed {
        pop: pop(),
        deleted: at(1_500_000_000),
        entries: vec![(key("info@example.org"), target("alice"))],
        aliases: vec![used],
        seats: vec![(name("team"), target("alice"))],
    };
    let home = domain("example.org");
    let token =
        Token { hash: TokenHash([b'h'; 32]), master: name("root"), label: "backup".into(), created, expires: Some(at(2_000_000_000)) };
    vec![
        ("domain", Key::domain(&home), Record::Domain(DomainRecord { domain: home.clone(), owner: Some(name("root")), created })),
        ("name", Key::name(&name("alice")), Record::Holder(Kind::Pop)),
        ("id", Key::id(AccountId(300)), Record::Id(name("alice"))),
        (
            "master",
            Key::master(&name("root")),
            Record::Master(Master { name: name("root"), role: Role::Owner, password: PasswordHash("$h".into()), created }),
        ),
        ("pop", Key::pop(&name("alice")), Record::Pop(pop())),
        ("list", Key::list(&name("team")), Record::List(list)),
        ("alias", Key::alias(&key("info@example.org")), Record::Alias(alias(Standing::Plain))),
        ("hidden alias", Key::alias(&key("info@example.org")), Record::Alias(hidden)),
        ("entry", Key::entry(&target("x@example.org"), &Referrer::Alias(key("@example.org"))), Record::Entry),
        ("trash", Key::trash(&name("alice"), AccountId(300)), Record::Trash(Box::new(trashed))),
        ("uses", Key::uses(&key("info@example.org")), Record::Uses(Uses { last: at(5), times: 9 })),
        ("login", Key::login(AccountId(300)), Record::Login(at(5))),
        ("audit", Key::audit(Revision(7)), Record::Audit(Box::new(entry()))),
        ("counters", Key::counters(), Record::Counters(Counters { format: 1, revision: Revision(7), next_id: AccountId(301) })),
        ("token", Key::token(&token.hash), Record::Token(token.clone())),
        ("token use", Key::token_use(&token.hash), Record::TokenUse(at(5))),
        ("index", Prefix::pops_in(&home).key(b"alice"), Record::Indexed),
    ]
}

/// Version 1, for ever: key and value of each kind of record.
const GOLDEN: &str = include_str!("format_v1.txt");

#[test]
fn version_1_is_written_and_read_as_ever() {
    let mut written = String::new();
    for (kind, key, record) in samples() {
        let bytes = encode(&record, Revision(7)).unwrap();
        written += &format!("{kind}: {} = {}\n", key.bytes.escape_ascii(), bytes.escape_ascii());
        assert_eq!(decode(&key, &bytes).unwrap(), (Revision(7), record), "{kind}");
    }
    assert_eq!(written, GOLDEN);
}

#[test]
fn damage_is_told_from_absence() {
    for (kind, key, record) in samples() {
        let bytes = encode(&record, Revision(7)).unwrap();
        for damaged in [&[][..], &[9][..], bytes.get(..1).unwrap()] {
            assert!(decode(&key, damaged).is_err(), "{kind}");
        }
    }
}
