//! The bytes on disk: a change of format has to be a new version beside the old one.

use jiff::civil::date;
use restante::directory::schema::{Counters, Key, Prefix, Record, Referrer, Uses, decode, encode, members_within};
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
        altered: Vec::new(),
        from: None,
    }
}

#[test]
fn nobody_else_looks_into_its_folder() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    Directory::open(&path).unwrap();
    assert_eq!(mode(), 0o700);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    Directory::open(&path).unwrap();
    assert_eq!(mode(), 0o700, "one that an older version, or somebody, has made");
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
        style: Style { description: "Our team".into(), tag: Switch::Enabled },
        members: 2,
        created,
    };
    let suspended = Seat::Suspended { since: at(1_200_000_000), why: "5.1.1".into() };
    let member = Member { list: name("team"), target: target("Bob@elsewhere.example"), seat: suspended, joined: created };
    let bounces = Bounces { days: vec![date(2024, 2, 29)], soft: 3, last: Some(at(1_300_000_000)), status: "5.1.1".into() };
    let vacation = Vacation { text: "Away.".into(), from: None, until: Some(at(2_000_000_000)) };
    let handling = Handling { copies: targets(&["bob"]), vacation: Some(vacation) };
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
        ("member", Key::member(&name("team"), &member.target), Record::Member(member.clone())),
        ("bounces", Key::bounces(&name("team"), &member.target), Record::Bounces(bounces)),
        ("handling", Key::handling(AccountId(300)), Record::Handling(handling)),
        ("replied", Key::replied(AccountId(300), "x@elsewhere.example"), Record::Replied(at(5))),
        ("list", Key::list(&name("team")), Record::List(list)),
    ]
}

/// For ever: key and value of each kind of record, in the format that it is written in.
const GOLDEN: &str = include_str!("formats.txt");

/// A list as version 1 wrote it, its members in its own record.
const LIST_V1: &[u8] = b"\x01\x07\x02\x0bexample.org\x05alice\x01\x02\x05alice\x15Bob@elsewhere.example\x80\xa8\xd6\xb9\x07\x00";

#[test]
fn a_list_of_version_1_is_read_with_the_members_it_holds() {
    let key = Key::list(&name("team"));
    let (revision, record) = decode(&key, LIST_V1).unwrap();
    let Record::List(list) = record else { panic!("{record:?}") };
    assert_eq!((revision, list.owner, list.posting, list.members), (Revision(7), target("alice"), Posting::Members, 2));
    assert_eq!(members_within(&key, LIST_V1).unwrap(), Some(targets(&["alice", "Bob@elsewhere.example"])));
}

#[test]
fn records_are_written_and_read_as_ever() {
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
