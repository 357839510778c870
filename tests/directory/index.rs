//! What accounts are found by: where they live, whose their domain is, words; and tokens.

use restante::directory::schema::{Family, Key};
use restante::directory::*;

use super::fixture::*;
use super::invariants::check;

fn found(house: &House, word: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = house.directory.snapshot().pops_by_word(word, after.as_deref(), 2).unwrap();
        names.extend(page.records.into_iter().map(|(_, pop)| pop.name.to_string()));
        let Some(next) = page.next else { return names };
        after = Some(next);
    }
}

fn lives_in(house: &House, home: &str) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = house.directory.snapshot().pops_in(&domain(home), after.as_deref(), 1).unwrap();
        names.extend(page.records.into_iter().map(|pop| pop.name.to_string()));
        let Some(next) = page.next else { return names };
        after = Some(next);
    }
}

fn edit(name_: &str, owner: &str) -> Change {
    Change::EditPop { name: name(name_), domain: None, owner: Some(owner.into()), quota: None }
}

#[test]
fn accounts_are_found_by_words_and_by_home() {
    let house = House::usual();
    house.must(&edit("alice", "Åsa Ærlig (sales)"));
    house.must(&add_pop("sal.smith", "example.com"));
    assert_eq!(found(&house, "sal"), ["sal.smith", "alice"], "words in order: sal, sales");
    assert_eq!(found(&house, "ærl"), ["alice"]);
    assert_eq!(found(&house, "smith"), ["sal.smith"]);
    assert_eq!(lives_in(&house, "example.org"), ["alice", "bob"]);
    house.must(&move_pop("alice", "example.com"));
    house.must(&rename_pop("sal.smith", "zoe", false));
    house.must(&edit("alice", "nobody"));
    house.must(&edit("zoe", "nobody"));
    assert_eq!(
        (lives_in(&house, "example.org"), lives_in(&house, "example.com")),
        (vec!["bob".into()], vec!["alice".into(), "zoe".into()])
    );
    assert!(found(&house, "sal").is_empty() && found(&house, "smith").is_empty());
    house.must(&delete_pop("alice"));
    assert_eq!(lives_in(&house, "example.com"), ["zoe"]);
}

#[test]
fn an_old_directory_gets_its_index_when_it_is_opened() {
    let house = House::usual();
    house.must(&add_master("olivia", Role::Owner));
    house.must(&Change::EditDomain { domain: domain("example.org"), owner: Some(name("olivia")) });
    let House { folder, directory } = house;
    drop(directory);
    let families = Family::ALL.map(Family::name);
    let database = rocksdb::DB::open_cf(&rocksdb::Options::default(), folder.path(), families).unwrap();
    database.drop_cf(Family::Index.name()).unwrap();
    let meta = database.cf_handle(Family::Meta.name()).unwrap();
    database.delete_cf(&meta, &Key::indexed().bytes).unwrap();
    drop(meta);
    drop(database);
    let house = House { directory: Directory::open(folder.path()).unwrap(), folder };
    check(&house.directory.snapshot());
    assert_eq!(lives_in(&house, "example.org"), ["alice", "bob"]);
    let domains = house.directory.snapshot().domains_of(&name("olivia"), None, 9).unwrap().records;
    assert_eq!(domains.iter().map(|record| record.domain.as_str()).collect::<Vec<_>>(), ["example.org"]);
}

#[test]
fn an_old_list_gets_members_of_their_own_when_it_is_opened() {
    let house = House::usual();
    house.must(&add_list("team", "example.org", "alice", &["alice", "Bob@elsewhere.example"]));
    let id = house.directory.snapshot().list(&name("team")).unwrap().unwrap().id.0;
    let House { folder, directory } = house;
    drop(directory);
    let families = Family::ALL.map(Family::name);
    let database = rocksdb::DB::open_cf(&rocksdb::Options::default(), folder.path(), families).unwrap();
    database.drop_cf(Family::Members.name()).unwrap();
    // As version 1 wrote it: its members in its own record.
    let mut old = vec![1, 7, u8::try_from(id).unwrap()];
    old.extend(b"\x0bexample.org\x05alice\x00\x02\x05alice\x15Bob@elsewhere.example\x80\xa8\xd6\xb9\x07\x00");
    let lists = database.cf_handle(Family::Lists.name()).unwrap();
    database.put_cf(&lists, &Key::list(&name("team")).bytes, old).unwrap();
    drop(lists);
    drop(database);
    for _ in 0..2 {
        let directory = Directory::open(folder.path()).unwrap();
        let snapshot = directory.snapshot();
        check(&snapshot);
        let members = snapshot.members(&name("team"), None, 9).unwrap().records;
        let seats: Vec<String> = members.iter().map(|member| member.target.to_string()).collect();
        assert_eq!(seats, ["alice", "Bob@elsewhere.example"]);
        assert_eq!(snapshot.list(&name("team")).unwrap().unwrap().members, 2);
    }
}

fn token(octet: u8, expires: Option<i64>) -> Token {
    let expires = expires.map(at);
    Token { hash: TokenHash([octet; 32]), master: name("olivia"), label: format!("number {octet}"), created: at(1), expires }
}

#[test]
fn tokens_live_and_die_with_their_master() {
    let house = House::with(&[add_master("root", Role::Admin), add_master("olivia", Role::Owner)]);
    for token in [token(1, None), token(2, Some(100))] {
        house.must(&Change::AddToken { token });
    }
    assert!(token(2, Some(100)).is_valid(at(99)) && !token(2, Some(100)).is_valid(at(100)));
    house.directory.token_used(&token(1, None), at(50)).unwrap();
    house.directory.token_used(&token(1, None), at(51)).unwrap();
    house.directory.token_used(&token(9, None), at(51)).unwrap();
    let tokens = house.directory.snapshot().tokens_of(&name("olivia")).unwrap();
    assert_eq!(tokens, [(token(1, None), Some(at(50))), (token(2, Some(100)), None)]);
    let hash = format!("{:?}", house.directory.snapshot().audit(Revision(0), 99).unwrap());
    assert!(!hash.contains("TokenHash(0101010101010101)"), "{hash}");
    house.must(&Change::RemoveToken { master: name("olivia"), id: token(2, None).id() });
    assert!(house.directory.snapshot().token(&token(2, None).hash).unwrap().is_none());
    house.refused(&Change::RemoveToken { master: name("root"), id: token(1, None).id() });
    house.must(&Change::DeleteMaster { name: name("olivia") });
    assert!(house.directory.snapshot().token(&token(1, None).hash).unwrap().is_none());
    house.refused(&Change::AddToken { token: token(3, None) });
}

#[test]
fn an_alias_is_edited_whole() {
    let house = House::usual();
    house.must(&add_alias("info@example.org", &["alice", "x@elsewhere.example"]));
    let change = |targets: Option<&[&str]>, expires| Change::EditAlias {
        key: key("info@example.org"),
        targets: targets.map(self::targets),
        note: Some(" why ".into()),
        expires,
        switch: Some(Switch::Disabled),
    };
    house.must(&change(Some(&["bob", "alice"]), Some(Some(at(2_000_000)))));
    assert_eq!(house.leads("info@example.org"), "alice,bob");
    let alias = house.directory.snapshot().alias(&key("info@example.org")).unwrap().unwrap();
    assert_eq!((alias.note.as_str(), alias.switch, alias.expires), ("why", Switch::Disabled, Some(at(2_000_000))));
    house.must(&change(None, Some(None)));
    assert_eq!(house.directory.snapshot().alias(&key("info@example.org")).unwrap().unwrap().expires, None);
    house.refused(&change(Some(&[]), None));
    house.refused(&change(Some(&["nobody"]), None));
    house.refused(&change(Some(&["info@example.org"]), None));
    house.refused(&Change::EditAlias { key: key("alice@example.org"), targets: None, note: None, expires: None, switch: None });
    check(&house.directory.snapshot());
}
