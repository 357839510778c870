//! D1 to D10 by example, with the words that an admin reads.

use restante::directory::*;

use super::fixture::*;
use super::invariants::check;

fn effects(house: &House, change: &Change) -> String {
    let told: Vec<String> = house
        .must(change)
        .iter()
        .map(|effect| match effect {
            Effect::EntryRemoved { address, target } => format!("-{address}>{target}"),
            Effect::EntryAdded { address, target } => format!("+{address}>{target}"),
            Effect::AliasRemoved { address } => format!("-{address}"),
            Effect::SeatRemoved { list, member } => format!("-{list}:{member}"),
            Effect::SeatAdded { list, member } => format!("+{list}:{member}"),
            Effect::EntryNotRestored { address, .. } => format!("!{address}"),
            Effect::PopTrashed { name, .. } => format!("trashed {name}"),
            Effect::PopRestored { name, .. } => format!("restored {name}"),
            Effect::PopRenamed { from, to, .. } => format!("renamed {from} {to}"),
            other => format!("{other:?}"),
        })
        .collect();
    check(&house.directory.snapshot());
    told.join(" ")
}

#[test]
fn d1_a_taken_name_is_refused_with_a_free_one_and_the_alias_to_go_with_it() {
    let house = House::usual();
    house.must(&add_pop("info", "example.com"));
    let said = |change: &Change| house.refused(change).to_string();
    assert_eq!(
        said(&add_pop("INFO", "example.org")),
        "the name `info` is taken by a POP account; create POP `info-example-org` and alias `info@example.org` -> `info-example-org` instead"
    );
    house.must(&add_pop("info-example-org", "example.org"));
    let refusal = house.refused(&add_list("info", "example.org", "alice", &[]));
    let Refusal::NameTaken { holder: Kind::Pop, suggestion: Some(Suggestion { name: free, alias }), .. } = refusal else {
        panic!("{refusal}")
    };
    assert_eq!((free.as_str(), alias.to_string().as_str()), ("info-example-org-2", "info@example.org"));
    // What is suggested works.
    house.must(&add_pop("info-example-org-2", "example.org"));
    house.must(&add_alias("info@example.org", &["info-example-org-2"]));
    assert_eq!(
        said(&add_pop("info", "example.org")),
        "the name `info` is taken by a POP account, and the address `info@example.org` is an alias already; choose another name"
    );
    assert_eq!(said(&add_master("alice", Role::Admin)), "the name `alice` is taken by a POP account");
    house.must(&add_master("root", Role::Admin));
    assert!(said(&add_pop("root", "example.org")).starts_with("the name `root` is taken by a master; create POP `root-example-org`"));
    assert_eq!(house.directory.snapshot().holder(&name("root")).unwrap(), Some(Kind::Master));
}

#[test]
fn d1_a_suggestion_for_a_long_name_still_is_a_name() {
    let long = "x".repeat(64);
    let house = House::with(&[add_domain("example.org"), add_pop(&long, "example.org"), add_domain("other.example")]);
    match house.refused(&add_pop(&long, "other.example")) {
        Refusal::NameTaken { suggestion: Some(suggestion), .. } => assert_eq!(suggestion.name.as_str(), format!("{}-2", "x".repeat(62))),
        other => panic!("{other}"),
    }
}

#[test]
fn d2_an_account_comes_with_its_hidden_alias_or_not_at_all() {
    let house = House::usual();
    let alias = house.directory.snapshot().alias(&key("alice@example.org")).unwrap().unwrap();
    assert_eq!((alias.standing, alias.targets), (Standing::Hidden(name("alice")), targets(&["alice"])));
    house.must(&add_alias("carol@example.org", &["alice"]));
    for change in [add_pop("carol", "example.org"), add_list("carol", "example.org", "alice", &[])] {
        assert!(matches!(house.refused(&change), Refusal::AddressTaken { address } if address == key("carol@example.org")));
    }
    assert!(matches!(house.refused(&add_pop("carol", "nowhere.example")), Refusal::NoSuchDomain(_)));
}

#[test]
fn d3_a_hidden_alias_changes_only_with_its_account() {
    let house = House::usual();
    let switch = Change::SwitchAlias { key: key("alice@example.org"), switch: Switch::Disabled };
    for change in [
        add_alias("alice@example.org", &["bob"]),
        remove_alias("alice@example.org", &[]),
        remove_alias("ALICE@example.org", &["alice"]),
        switch,
    ] {
        let refusal = house.refused(&change);
        assert_eq!(refusal.to_string(), "`alice@example.org` is the hidden alias of `alice`; it changes only with its account");
    }
    house.must(&add_alias("boss@example.com", &["Alice@example.org", "alice+boss@example.org"]));
    let moved = effects(&house, &move_pop("alice", "example.com"));
    assert!(moved.contains("+alice@example.com>alice"), "{moved}");
    assert_eq!(house.leads("alice@example.org"), "");
    assert_eq!(house.leads("boss@example.com"), "alice@example.com,alice+boss@example.com");
}

#[test]
fn d4_deleting_a_pop_takes_everything_that_leads_to_it_and_no_more() {
    let house = House::usual();
    for change in [
        add_alias("one@example.com", &["alice"]),
        add_alias("two@example.org", &["alice", "bob"]),
        add_alias("three@example.com", &["one@example.com"]),
        add_alias("four@example.org", &["three@example.com", "Someone@elsewhere.example"]),
        add_alias("five@example.com", &["alice+x@example.org"]),
        add_alias("@example.com", &["five@example.com"]),
        add_alias("six@example.org", &["caught@example.com"]),
        add_list("team", "example.org", "bob", &["alice", "bob", "one@example.com"]),
    ] {
        house.must(&change);
    }
    let told = effects(&house, &delete_pop("alice"));
    for part in [
        "trashed alice",
        "-alice@example.org>alice -alice@example.org",
        "-one@example.com>alice -one@example.com",
        "-two@example.org>alice",
        "-three@example.com>one@example.com -three@example.com",
        "-four@example.org>three@example.com",
        "-five@example.com>alice+x@example.org -five@example.com",
        "-@example.com>five@example.com -@example.com",
        "-six@example.org>caught@example.com -six@example.org",
        "-team:alice",
        "-team:one@example.com",
    ] {
        assert!(told.contains(part), "{part} is not in {told}");
    }
    assert_eq!(house.leads("two@example.org"), "bob");
    assert_eq!(house.leads("four@example.org"), "Someone@elsewhere.example");
    assert_eq!(house.leads("bob@example.org"), "bob");
}

#[test]
fn d4_an_account_that_is_responsible_for_a_list_stays_until_another_is() {
    let house = House::usual();
    house.must(&add_alias("boss@example.org", &["alice"]));
    house.must(&add_list("team", "example.org", "boss@example.org", &["bob"]));
    let said = house.refused(&delete_pop("alice")).to_string();
    assert_eq!(said, "`boss@example.org` is the owner of the list `team`; give the list another owner first, or delete it");
    house.must(&Change::EditList { name: name("team"), owner: Some(target("bob")), posting: None, join: vec![], leave: vec![] });
    house.must(&delete_pop("alice"));
    check(&house.directory.snapshot());
}

#[test]
fn d4_with_the_alias_goes_what_reached_it_through_another_domain() {
    // Else x@example.org, left to the catch-all, would lead back to itself.
    let house = House::with(&[add_domain("example.org"), add_domain("old.example"), add_domain("b.example"), add_pop("x", "example.org")]);
    house.must(&add_alias("@old.example", &["@example.org"]));
    house.must(&add_alias("y@b.example", &["x@old.example"]));
    house.must(&add_alias("@example.org", &["y@b.example"]));
    effects(&house, &delete_pop("x"));
    assert_eq!((house.leads("y@b.example"), house.leads("@example.org")), (String::new(), String::new()));
}

#[test]
fn d5_targets_exist() {
    let house = House::usual();
    house.must(&add_master("root", Role::Admin));
    for missing in ["carol", "root", "carol@example.org", "@nowhere.example"] {
        let refusal = house.refused(&add_alias("@example.org", &[missing]));
        assert_eq!(refusal.to_string(), format!("the target `{missing}` does not exist; create it first"));
    }
    house.must(&add_alias("out@example.org", &["Carol@Elsewhere.example", "reject:gone", "discard"]));
    assert_eq!(house.leads("out@example.org"), "Carol@Elsewhere.example,reject:gone,discard");
    // Once there is a catch-all, every address of the domain exists; a domain keeps the local part, so only for a catch-all.
    house.must(&add_alias("@example.com", &["alice"]));
    house.must(&add_alias("all@example.org", &["carol@example.com", "bob+lists@example.org"]));
    assert!(matches!(house.refused(&add_alias("x@example.org", &["@example.com"])), Refusal::BadValue(_)));
    assert!(matches!(house.refused(&add_alias("x@example.org", &["a@[192.0.2.1]"][..0])), Refusal::BadValue(_)));
    // A domain that becomes local would make that address one that does not exist.
    let refusal = house.refused(&add_domain("elsewhere.example"));
    assert!(matches!(refusal, Refusal::WouldDangle { address, .. } if address == key("out@example.org")));
}

#[test]
fn d5_no_alias_leads_back_to_itself() {
    let house = House::usual();
    let cycle = |change: &Change| house.refused(change).to_string();
    house.must(&add_alias("a@example.org", &["alice"]));
    house.must(&add_alias("b@example.com", &["a@example.org"]));
    house.must(&add_alias("c@example.org", &["b@example.com", "bob"]));
    assert_eq!(
        cycle(&add_alias("a@example.org", &["c@example.org"])),
        "the alias would lead back to itself: a@example.org -> c@example.org -> b@example.com -> a@example.org"
    );
    assert!(cycle(&add_alias("new@example.org", &["NEW@example.org"])).contains("new@example.org -> new@example.org"));
    // Through its own detail, through a catch-all, from domain to domain.
    assert!(cycle(&add_alias("a@example.org", &["a+x@example.org"])).ends_with("a@example.org -> a@example.org"));
    assert!(cycle(&add_alias("@example.com", &["@example.com"])).contains("@example.com"));
    house.must(&add_alias("@example.com", &["@example.org"]));
    assert_eq!(
        cycle(&add_alias("@example.org", &["@example.com"])),
        "the alias would lead back to itself: @example.org -> @example.com -> @example.org"
    );
    assert!(cycle(&add_alias("a@example.org", &["a@example.com"])).contains("@example.com -> a@example.org"));
    // The same catch-all twice on one way is none, if another local part goes through it.
    house.must(&add_alias("d@example.org", &["alice@example.com"]));
    assert_eq!(house.leads("d@example.org"), "alice@example.com");
    check(&house.directory.snapshot());
}

#[test]
fn d5_a_domain_alias_is_held_against_the_local_parts_in_use() {
    let house = House::with(&[add_domain("a.example"), add_domain("b.example"), add_pop("pop", "a.example")]);
    house.must(&add_alias("@a.example", &["pop"]));
    house.must(&add_alias("x@b.example", &["x@a.example"]));
    // x@a.example would be handed on to x@b.example, and that leads to x@a.example.
    assert!(matches!(house.refused(&add_alias("@a.example", &["@b.example"])), Refusal::Cycle { .. }));
    house.must(&add_alias("x@a.example", &["pop"]));
    house.must(&add_alias("@a.example", &["@b.example"]));
    check(&house.directory.snapshot());
}

#[test]
fn d5_two_ways_to_one_place_are_no_circle() {
    let house = House::usual();
    house.must(&add_alias("left@example.org", &["alice"]));
    house.must(&add_alias("right@example.org", &["alice"]));
    house.must(&add_alias("top@example.org", &["left@example.org", "right@example.org"]));
    let mut last = "top@example.org".to_owned();
    for n in 0..2000 {
        let next = format!("chain{n}@example.org");
        house.must(&add_alias(&next, &[&last]));
        last = next;
    }
    assert!(matches!(house.refused(&add_alias("left@example.org", &[&last])), Refusal::Cycle { path } if path.len() == 2003));
}

#[test]
fn d5_a_list_is_part_of_the_way() {
    let house = House::usual();
    house.must(&add_list("team", "example.org", "alice", &["bob"]));
    house.must(&add_alias("all@example.org", &["team"]));
    let join = Change::EditList { name: name("team"), owner: None, posting: None, join: targets(&["all@example.org"]), leave: vec![] };
    assert!(matches!(house.refused(&join), Refusal::Cycle { .. }));
}

#[test]
fn d6_only_argon2id_hashes_are_stored() {
    let house = House::usual();
    let plain = Change::SetPopPassword { name: name("alice"), password: PasswordHash("hunter2".into()) };
    assert!(matches!(house.refused(&plain), Refusal::BadValue(why) if why.contains("Argon2id") && !why.contains("hunter2")));
    house.must(&Change::SetPopPassword { name: name("alice"), password: hash() });
    let entries = house.directory.snapshot().audit(Revision(4), 10).unwrap();
    assert_eq!(entries.len(), 1);
    assert!(matches!(&entries[0].change, Change::SetPopPassword { password, .. } if password.0.is_empty()));
}

#[test]
fn d7_restoring_brings_back_the_account_and_what_still_fits() {
    let house = House::usual();
    for change in [
        Change::AddAlias {
            key: key("one@example.com"),
            targets: targets(&["alice"]),
            note: Some("why".into()),
            expires: Some(at(5_000_000)),
        },
        add_alias("two@example.org", &["one@example.com"]),
        add_alias("three@example.org", &["alice"]),
        Change::SwitchAlias { key: key("one@example.com"), switch: Switch::Disabled },
        add_list("team", "example.org", "bob", &["alice"]),
    ] {
        house.must(&change);
    }
    house.directory.used(&key("one@example.com"), at(7));
    house.directory.write_uses().unwrap();
    let (id, before) = (house.pop("alice").unwrap().id, house.text());
    let alias = house.directory.snapshot().alias(&key("one@example.com")).unwrap();
    house.must(&delete_pop("alice"));
    assert_eq!(house.directory.snapshot().trash().unwrap().len(), 1);
    effects(&house, &restore_pop("alice"));
    assert_eq!(house.text(), before, "nothing stood in the way");
    assert_eq!(house.directory.snapshot().alias(&key("one@example.com")).unwrap(), alias);

    house.must(&delete_pop("alice"));
    house.must(&add_pop("three", "example.org"));
    let told = effects(&house, &restore_pop("alice"));
    assert!(told.contains("!three@example.org") && told.contains("+one@example.com>alice"), "{told}");
    assert_eq!(house.pop("alice").unwrap().id, id);
}

#[test]
fn d7_a_new_account_under_an_old_name_is_another() {
    let house = House::usual();
    let old = house.pop("alice").unwrap().id;
    house.must(&delete_pop("alice"));
    house.must(&add_pop("alice", "example.org"));
    let new = house.pop("alice").unwrap().id;
    assert!(new > old);
    assert!(matches!(house.refused(&restore_pop("alice")), Refusal::NameTaken { holder: Kind::Pop, .. }));
    house.must(&delete_pop("alice"));
    assert_eq!(house.directory.snapshot().trash().unwrap().iter().map(|t| t.pop.id).collect::<Vec<_>>(), [old, new]);
    house.must(&Change::RestorePop { name: name("alice"), id: Some(old) });
    assert_eq!(house.pop("alice").unwrap().id, old);
    assert_eq!(house.must(&Change::PurgePop { id: new }), [Effect::PopPurged { id: new, name: name("alice") }]);
    assert!(matches!(house.refused(&Change::PurgePop { id: new }), Refusal::BadValue(_)));
    assert!(matches!(house.refused(&Change::PurgePop { id: old }), Refusal::BadValue(_)), "a living account is not in the trash");
    assert!(matches!(house.refused(&restore_pop("bob")), Refusal::NotInTrash(_)));
    let house = house.reopened();
    house.must(&delete_pop("alice"));
    house.must(&Change::PurgePop { id: old });
    house.must(&add_pop("alice", "example.org"));
    assert!(house.pop("alice").unwrap().id > new, "an id is never given twice");
}

#[test]
fn a_star_is_told_what_a_catch_all_looks_like() {
    let house = House::usual();
    assert!(matches!(house.refused(&add_alias("*@example.org", &["alice"])), Refusal::BadValue(why) if why.contains("`@example.org`")));
    house.must(&add_alias("a*@example.org", &["alice"]));
    house.must(&add_alias("@example.org", &["alice"]));
}

#[test]
fn an_account_and_its_alias_come_together_or_not_at_all() {
    let house = House::usual();
    let add = |text: &str, alias: &str| {
        let Change::AddPop { name, domain, owner, password, quota, state } = add_pop(text, "example.org") else { unreachable!() };
        Change::AddPopAndAlias { name, domain, owner, password, quota, state, alias: key(alias) }
    };
    house.must(&add_alias("info@example.com", &["bob"]));
    let before = house.text();
    assert!(matches!(house.refused(&add("carol", "info@example.com")), Refusal::AddressTaken { .. }));
    assert!(matches!(house.refused(&add("carol", "carol@example.org")), Refusal::AddressTaken { .. }), "its own hidden alias");
    assert!(matches!(house.refused(&add("carol", "carol@nowhere.example")), Refusal::NoSuchDomain(_)));
    assert!(matches!(house.refused(&add("alice", "a@example.com")), Refusal::NameAndAddressTaken { .. }));
    assert_eq!(house.text(), before);
    let revision = house.directory.snapshot().revision();
    house.must(&add("carol", "front@example.com"));
    assert_eq!((house.leads("front@example.com"), house.pop("carol").is_some()), ("carol".into(), true));
    assert_eq!(house.directory.snapshot().revision().0, revision.0 + 1, "one change");
    let entries = house.directory.snapshot().audit(revision, 10).unwrap();
    assert!(matches!(&entries[..], [audit::Entry { change: Change::AddPopAndAlias { password, .. }, .. }] if password.0.is_empty()));
    check(&house.directory.snapshot());
}

#[test]
fn d8_a_domain_in_use_goes_only_with_what_is_in_it() {
    let house = House::usual();
    for change in [
        add_alias("info@example.org", &["alice"]),
        add_list("team", "example.org", "alice", &["bob"]),
        add_pop("carol", "example.com"),
        add_alias("fwd@example.com", &["info@example.org", "carol"]),
        add_alias("only@example.com", &["nobody@example.org"][..0]),
        add_alias("only@example.com", &["bob"]),
        add_alias("@example.com", &["@example.org"]),
    ] {
        let _ = house.apply(&change);
    }
    let plain = Change::DeleteDomain { domain: domain("example.org"), cascade: false };
    assert!(matches!(house.refused(&plain), Refusal::DomainInUse { accounts: 3, aliases: 1, .. }));
    let told = effects(&house, &delete_domain("example.org"));
    assert!(told.contains("trashed alice") && told.contains("trashed bob") && told.contains("-@example.com>@example.org"), "{told}");
    assert_eq!(house.leads("fwd@example.com"), "carol");
    assert_eq!((house.leads("only@example.com"), house.leads("@example.com")), (String::new(), String::new()));
    house.must(&add_domain("example.org"));
    house.must(&restore_pop("alice"));
    assert_eq!(house.leads("info@example.org"), "alice");
    house.must(&add_domain("empty.example"));
    house.must(&Change::DeleteDomain { domain: domain("empty.example"), cascade: false });
    check(&house.directory.snapshot());
}

#[test]
fn d9_a_renamed_pop_keeps_everything() {
    let house = House::usual();
    for change in [
        add_alias("info@example.com", &["bob", "alice", "discard"]),
        add_alias("fwd@example.com", &["alice@example.org", "alice+work@example.org"]),
        add_list("team", "example.org", "alice", &["alice", "bob"]),
    ] {
        house.must(&change);
    }
    let id = house.pop("alice").unwrap().id;
    effects(&house, &rename_pop("alice", "Alicia", false));
    assert_eq!(house.pop("alicia").unwrap().id, id);
    assert_eq!(house.pop("alice"), None);
    assert_eq!(house.leads("info@example.com"), "bob,alicia,discard");
    assert_eq!(house.leads("fwd@example.com"), "alicia@example.org,alicia+work@example.org");
    assert_eq!((house.leads("alice@example.org"), house.leads("alicia@example.org")), (String::new(), "alicia".into()));
    let list = house.directory.snapshot().list(&name("team")).unwrap().unwrap();
    assert_eq!((list.owner, list.members, house.seats("team")), (target("alicia"), 2, targets(&["alicia", "bob"])));

    effects(&house, &rename_pop("alicia", "alice", true));
    assert_eq!(
        (house.leads("alicia@example.org"), house.leads("fwd@example.com")),
        ("alice".into(), "alicia@example.org,alicia+work@example.org".into())
    );
    assert!(house.directory.snapshot().alias(&key("alicia@example.org")).unwrap().unwrap().is_plain());
    assert!(matches!(house.refused(&rename_pop("alice", "bob", false)), Refusal::NameTaken { .. }));
    assert!(matches!(house.refused(&rename_pop("alice", "alicia", false)), Refusal::AddressTaken { .. }));
}

#[test]
fn d10_two_spellings_never_become_two_records() {
    let house = House::usual();
    house.must(&add_domain("BÜCHER.example."));
    assert!(matches!(house.refused(&add_domain("xn--bcher-kva.example")), Refusal::DomainExists(_)));
    house.must(&add_alias("José@bücher.example", &["alice"]));
    house.must(&add_alias("JOSE\u{301}@XN--BCHER-KVA.example.", &["bob", "ALICE"]));
    assert_eq!(house.leads("josé@bücher.example"), "alice,bob");
    house.must(&add_alias("out@example.org", &["Carol@elsewhere.example"]));
    assert_eq!(house.must(&add_alias("OUT@example.org", &["carol@ELSEWHERE.example."])), []);
    house.must(&remove_alias("\"out\"@example.org", &["CAROL@elsewhere.example"]));
    assert_eq!(house.leads("out@example.org"), "");
    let long = format!("{}@example.org", "é".repeat(33));
    assert!(matches!(house.refused(&add_alias(&long, &["alice"])), Refusal::BadValue(why) if why.contains("66 octets")));
    check(&house.directory.snapshot());
}

#[test]
fn masters_that_are_needed_stay() {
    let house = House::with(&[add_master("root", Role::Admin), add_master("carol", Role::Owner)]);
    house.must(&Change::AddDomain { domain: domain("example.org"), owner: Some(name("carol")) });
    let delete = |text: &str| Change::DeleteMaster { name: name(text) };
    assert!(matches!(house.refused(&delete("carol")), Refusal::MasterInUse { .. }));
    assert!(matches!(house.refused(&delete("root")), Refusal::LastAdmin(_)));
    house.must(&Change::EditDomain { domain: domain("example.org"), owner: None });
    house.must(&delete("carol"));
    let stranger = Change::EditDomain { domain: domain("example.org"), owner: Some(name("carol")) };
    assert!(matches!(house.refused(&stranger), Refusal::NoSuchAccount { kind: Kind::Master, .. }));
}

#[test]
fn owners_are_named_in_readable_words() {
    let house = House::usual();
    let edit = |owner: &str| Change::EditPop { name: name("alice"), domain: None, owner: Some(owner.into()), quota: Some(Some(1)) };
    for owner in ["", "  ", "a\u{0}b", "line\nline", &"x".repeat(257)] {
        assert!(matches!(house.refused(&edit(owner)), Refusal::BadValue(_)), "{owner:?}");
    }
    house.must(&edit("  Alice Ærlig  "));
    assert_eq!(house.pop("alice").map(|pop| (pop.owner, pop.quota)), Some(("Alice Ærlig".into(), Some(1))));
}

#[test]
fn the_second_of_two_admins_is_told() {
    let house = House::usual();
    let subject = Subject::Pop(name("alice"));
    let seen = house.directory.snapshot().revision_of(&subject).unwrap();
    let suspend = Change::SetPopState { name: name("alice"), state: State::Suspended };
    let apply = |seen| house.directory.apply_if(Actor::Master(name("root")), &suspend, at(9), &subject, seen);
    let revision = apply(seen).unwrap().revision;
    assert!(
        matches!(apply(seen), Err(ChangeError::Refused(Refusal::Changed { expected, found })) if expected == seen && found == revision)
    );
    assert!(apply(revision).is_ok());
    let nothing = house.directory.snapshot().revision_of(&Subject::Alias(key("none@example.org"))).unwrap();
    assert_eq!(nothing, Revision(0));
}

#[test]
fn uses_are_counted_beside_edits_and_go_with_their_alias() {
    let house = House::usual();
    house.must(&add_alias("info@example.org", &["alice"]));
    let info = key("info@example.org");
    let seen = house.directory.snapshot().revision_of(&Subject::Alias(info.clone())).unwrap();
    for second in [30, 10, 20] {
        house.directory.used(&info, at(second));
    }
    house.directory.used(&key("gone@example.org"), at(1));
    house.directory.write_uses().unwrap();
    house.directory.write_uses().unwrap();
    let counted = || house.directory.snapshot().alias(&info).unwrap().map(|alias| (alias.last_used, alias.uses));
    assert_eq!(counted(), Some((Some(at(30)), 3)));
    assert_eq!(house.directory.snapshot().revision_of(&Subject::Alias(info.clone())).unwrap(), seen, "no edit was made");
    house.must(&add_alias("info@example.org", &["bob"]));
    assert_eq!(counted(), Some((Some(at(30)), 3)));
    house.must(&remove_alias("info@example.org", &[]));
    house.must(&add_alias("info@example.org", &["bob"]));
    assert_eq!(counted(), Some((None, 0)));
    check(&house.directory.snapshot());
}

#[test]
fn pages_go_through_everything_once() {
    let house = House::usual();
    for n in 0..10 {
        house.must(&add_alias(&format!("n{n}@example.com"), &["alice"]));
    }
    house.must(&add_alias("@example.com", &["alice"]));
    let snapshot = house.directory.snapshot();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = snapshot.aliases(after.as_deref(), 4).unwrap();
        assert!(page.records.len() <= 4);
        seen.extend(page.records.into_iter().map(|alias| alias.key.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 13);
    assert_eq!((seen[0].as_str(), seen[11].as_str()), ("@example.com", "alice@example.org"));
    let page = snapshot.aliases_in(&domain("example.org"), Some("alice@example.org"), 10).unwrap();
    assert_eq!(page.records.iter().map(|alias| alias.key.to_string()).collect::<Vec<_>>(), ["bob@example.org"]);
    assert_eq!(snapshot.pops(Some("alice"), 10).unwrap().records.len(), 1);
    assert_eq!(snapshot.pops(None, 2).unwrap().next, None);
}

#[test]
fn a_snapshot_shows_one_state_whatever_happens_beside_it() {
    let house = House::usual();
    let snapshot = house.directory.snapshot();
    house.must(&delete_pop("alice"));
    assert!(snapshot.pop(&name("alice")).unwrap().is_some());
    assert_eq!(View::revision(&snapshot), Revision(4));
    assert_eq!(View::revision(&house.directory.snapshot()), Revision(5));
}

#[test]
fn one_process_at_a_time() {
    let house = House::usual();
    assert!(matches!(Directory::open(house.folder.path()), Err(OpenError::InUse)));
    let file = tempfile::NamedTempFile::new().unwrap();
    assert!(matches!(Directory::open(file.path()), Err(OpenError::Engine(_))));
}
