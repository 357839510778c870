//! Random sequences of changes, alone, in groups, and beside other writers.

use proptest::prelude::*;
use proptest::sample::select;
use restante::directory::*;

use super::fixture::*;
use super::invariants::check;

const NAMES: [&str; 5] = ["alice", "bob", "carol", "info", "team"];
const DOMAINS: [&str; 3] = ["a.example", "b.example", "c.example"];

fn a_name() -> impl Strategy<Value = &'static str> {
    select(&NAMES[..])
}

fn a_domain() -> impl Strategy<Value = &'static str> {
    select(&DOMAINS[..])
}

fn an_address() -> impl Strategy<Value = String> {
    let local = prop_oneof![4 => a_name().prop_map(str::to_owned), 1 => a_name().prop_map(|n| format!("{n}+x"))];
    (local, a_domain()).prop_map(|(local, domain)| format!("{local}@{domain}"))
}

fn a_key() -> impl Strategy<Value = String> {
    prop_oneof![3 => an_address(), 1 => a_domain().prop_map(|domain| format!("@{domain}"))]
}

fn a_target() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => a_name().prop_map(str::to_owned),
        4 => an_address(),
        2 => a_domain().prop_map(|domain| format!("@{domain}")),
        1 => Just("Someone@elsewhere.example".to_owned()),
        1 => Just("discard".to_owned()),
    ]
}

fn some_targets() -> impl Strategy<Value = Vec<Target>> {
    prop::collection::vec(a_target().prop_map(|text| target(&text)), 0..3)
}

fn a_change() -> impl Strategy<Value = Change> {
    let add_alias = (a_key(), some_targets()).prop_map(|(address, targets)| Change::AddAlias {
        key: key(&address),
        targets,
        note: None,
        expires: None,
    });
    let add_list = (a_name(), a_domain(), a_target(), some_targets()).prop_map(|(list, home, owner, members)| Change::AddList {
        name: name(list),
        domain: domain(home),
        owner: target(&owner),
        posting: Posting::Anyone,
        members,
    });
    let edit_list = (a_name(), prop::option::of(a_target()), some_targets(), some_targets()).prop_map(|(list, owner, join, leave)| {
        Change::EditList { name: name(list), owner: owner.as_deref().map(target), posting: None, join, leave }
    });
    prop_oneof![
        3 => a_domain().prop_map(add_domain),
        1 => (a_domain(), any::<bool>()).prop_map(|(d, cascade)| Change::DeleteDomain { domain: domain(d), cascade }),
        1 => (a_name(), any::<bool>()).prop_map(|(n, admin)| add_master(n, if admin { Role::Admin } else { Role::Owner })),
        1 => a_name().prop_map(|n| Change::DeleteMaster { name: name(n) }),
        1 => (a_domain(), prop::option::of(a_name())).prop_map(|(d, owner)| Change::EditDomain { domain: domain(d), owner: owner.map(name) }),
        6 => (a_name(), a_domain()).prop_map(|(n, d)| add_pop(n, d)),
        2 => a_name().prop_map(delete_pop),
        2 => a_name().prop_map(restore_pop),
        2 => (a_name(), a_name(), any::<bool>()).prop_map(|(old, new, keep)| rename_pop(old, new, keep)),
        2 => (a_name(), a_domain()).prop_map(|(n, d)| move_pop(n, d)),
        2 => (a_name(), prop::option::of(a_name()), prop::option::of(a_domain()), any::<bool>()).prop_map(|(old, new, home, keep_alias)| {
            Change::AmendPop {
                name: name(old),
                new: new.map(name),
                keep_alias,
                domain: home.map(domain),
                owner: Some("amended".into()),
                quota: None,
                state: Some(State::Suspended),
                password: None,
            }
        }),
        1 => a_name().prop_map(|n| Change::SetPopState { name: name(n), state: State::Suspended }),
        1 => (1u64..9).prop_map(|id| Change::PurgePop { id: AccountId(id) }),
        2 => add_list,
        2 => edit_list,
        1 => (a_name(), prop::option::of(a_target()), some_targets(), "[a-z<]{0,4}").prop_map(|(list, owner, join, description)| {
            let style = Some(Style { description, tag: Switch::Enabled });
            Change::AmendList { name: name(list), owner: owner.as_deref().map(target), posting: None, style, join, leave: Vec::new() }
        }),
        1 => a_name().prop_map(|n| Change::DeleteList { name: name(n) }),
        12 => add_alias,
        2 => (a_key(), some_targets()).prop_map(|(address, targets)| Change::RemoveAlias { key: key(&address), targets }),
        3 => (a_key(), prop::option::of(some_targets())).prop_map(|(address, targets)| Change::EditAlias {
            key: key(&address),
            targets,
            note: Some("edited".into()),
            expires: None,
            switch: None,
        }),
        2 => (a_name(), some_targets()).prop_map(|(list, members)| Change::JoinList { name: name(list), count: members.len() as u64, members }),
        1 => (a_name(), a_target()).prop_map(|(list, member)| Change::SeatMember {
            list: name(list),
            member: target(&member),
            seat: Seat::Suspended { since: at(5), why: "5.1.1".into() },
        }),
        3 => (a_name(), some_targets()).prop_map(|(pop, copies)| Change::SetCopies { name: name(pop), copies }),
        1 => a_key().prop_map(|address| Change::SwitchAlias { key: key(&address), switch: Switch::Disabled }),
    ]
}

fn changes(most: usize) -> impl Strategy<Value = Vec<Change>> {
    prop::collection::vec(a_change(), 1..most)
}

/// A preview says what the change then does, ids aside: those are given when it is carried out.
fn agrees(preview: &Result<Vec<Effect>, ChangeError>, done: &Result<Applied, ChangeError>) -> bool {
    match (preview, done) {
        (Ok(preview), Ok(done)) => *preview == done.effects,
        (Err(ChangeError::Refused(a)), Err(ChangeError::Refused(b))) => a == b,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// D1 to D10 after each of many changes, and after a reopening in between.
    #[test]
    fn d1_to_d10_hold_after_every_change(first in changes(60), second in changes(30)) {
        let mut house = House::empty();
        for changes in [first, second] {
            for change in &changes {
                let preview = house.directory.preview(change, at(1_000_000));
                let done = house.apply(change);
                prop_assert!(agrees(&preview, &done), "{:?}: {:?} but {:?}", change, preview, done);
                check(&house.directory.snapshot());
            }
            let before = house.text();
            house = house.reopened();
            prop_assert_eq!(house.text(), before);
            check(&house.directory.snapshot());
        }
    }

    /// A group gives what its changes give one by one.
    #[test]
    fn a_group_is_its_changes_one_by_one(changes in changes(80)) {
        let (one_by_one, together) = (House::empty(), House::empty());
        let single: Vec<_> = changes.iter().map(|change| one_by_one.apply(change)).collect();
        let grouped = together.directory.apply_all(Actor::Uid(1000), &changes, at(1_000_000)).unwrap();
        let outcomes = |all: &[Result<Applied, ChangeError>]| -> Vec<Result<u64, String>> {
            all.iter().map(|one| one.as_ref().map(|applied| applied.revision.0).map_err(ToString::to_string)).collect()
        };
        prop_assert_eq!(outcomes(&single), outcomes(&grouped));
        check(&together.directory.snapshot());
        let without_ids = |text: String| text.lines().map(|line| line.split(",\"name\"").last().unwrap_or_default().to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(without_ids(one_by_one.text()), without_ids(together.text()));
    }

    /// D1 to D10 with four writers at once, one of them importing groups.
    #[test]
    fn d1_to_d10_hold_with_concurrent_writers(a in changes(40), b in changes(40), c in changes(40), group in changes(40)) {
        let house = House::with(&[add_domain("a.example"), add_domain("b.example")]);
        let done: usize = std::thread::scope(|scope| {
            let directory = &house;
            let writers = [a, b, c].map(|changes| scope.spawn(move || changes.iter().filter(|change| directory.apply(change).is_ok()).count()));
            let grouped = directory.directory.apply_all(&Actor::Server, &group, at(1_000_000)).unwrap();
            writers.into_iter().map(|writer| writer.join().unwrap()).sum::<usize>() + grouped.iter().filter(|one| one.is_ok()).count()
        });
        let house = house.reopened();
        check(&house.directory.snapshot());
        prop_assert_eq!(View::revision(&house.directory.snapshot()).0, done as u64 + 2);
    }
}

/// Both increment what they read: with the read set checked, none of the increments is lost.
#[test]
fn edits_of_one_alias_by_several_writers_are_all_kept() {
    let house = House::usual();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let house = &house;
            scope.spawn(move || {
                for n in 0..25 {
                    house.must(&add_alias("all@example.org", &[&format!("w{writer}n{n}@elsewhere.example")]));
                }
            });
        }
    });
    assert_eq!(house.leads("all@example.org").split(',').count(), 100);
    check(&house.directory.snapshot());
}

/// One name, many writers: one of them gets it, the others are told who holds it.
#[test]
fn d1_a_race_for_a_name_has_one_winner() {
    let house = House::with(&[add_domain("example.org"), add_domain("example.com")]);
    let wins: usize = std::thread::scope(|scope| {
        let racers: Vec<_> = (0..8)
            .map(|racer| {
                let house = &house;
                let change = match racer % 3 {
                    0 => add_pop("prize", "example.org"),
                    1 => add_pop("prize", "example.com"),
                    _ => add_master("prize", Role::Owner),
                };
                scope.spawn(move || match house.apply(&change) {
                    Ok(_) => 1,
                    Err(ChangeError::Refused(Refusal::NameTaken { .. } | Refusal::NameAndAddressTaken { .. })) => 0,
                    Err(e) => panic!("{e}"),
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(wins, 1);
    check(&house.directory.snapshot());
}

/// Each deletes or adopts a domain on the strength of what it found there: the range that was read has to hold.
#[test]
fn d8_what_is_read_as_a_range_is_held_to_it() {
    let house = House::with(&[add_domain("home.example"), add_pop("alice", "home.example")]);
    for round in 0..60 {
        let place = format!("place{round}.example");
        house.must(&add_domain(&place));
        let other = format!("other{round}.example");
        let empty = Change::DeleteDomain { domain: domain(&place), cascade: false };
        std::thread::scope(|scope| {
            let house = &house;
            scope.spawn(move || house.apply(&empty).is_ok());
            scope.spawn(move || house.apply(&add_pop(&format!("pop{round}"), &format!("place{round}.example"))).is_ok());
            scope.spawn(move || house.apply(&add_alias(&format!("out{round}@home.example"), &[&format!("x@{other}")])).is_ok());
            scope.spawn(move || house.apply(&add_domain(&format!("other{round}.example"))).is_ok());
        });
    }
    check(&house.directory.snapshot());
}

/// Accounts and aliases to them, in more groups than one; at the end, accounts that the first group made already.
fn large_import() -> Vec<Change> {
    let mut changes = vec![add_domain("big.example")];
    for n in 0..3000 {
        changes.push(add_pop(&format!("p{n}"), "big.example"));
        changes.push(add_alias(&format!("a{n}@big.example"), &[&format!("p{n}"), &format!("p{}", n / 2)]));
    }
    changes.extend((0..50).map(|n| add_pop(&format!("p{n}"), "big.example")));
    changes
}

#[test]
fn every_group_sees_the_groups_before_it() {
    let house = House::empty();
    let changes = large_import();
    let outcomes = house.directory.apply_all(&Actor::Server, &changes, at(1)).unwrap();
    let (done, refused) = outcomes.split_at(6001);
    let revisions: Vec<u64> = done.iter().map(|one| one.as_ref().unwrap().revision.0).collect();
    assert_eq!(revisions, (1..=6001).collect::<Vec<_>>());
    assert!(
        refused.iter().all(|one| matches!(one, Err(ChangeError::Refused(Refusal::NameTaken { .. } | Refusal::NameAndAddressTaken { .. }))))
    );
    check(&house.directory.snapshot());
}

#[test]
fn groups_stand_beside_other_writers() {
    let house = House::with(&[add_domain("big.example"), add_domain("small.example")]);
    let (won, outcomes) = std::thread::scope(|scope| {
        let house = &house;
        let writer =
            scope.spawn(move || (0..300).rev().filter(|n| house.apply(&add_pop(&format!("p{}", n * 10), "small.example")).is_ok()).count());
        let outcomes = house.directory.apply_all(&Actor::Server, &large_import(), at(1)).unwrap();
        (writer.join().unwrap(), outcomes)
    });
    let done = outcomes.iter().filter(|one| one.is_ok()).count();
    assert_eq!(View::revision(&house.directory.snapshot()).0, (2 + won + done) as u64);
    check(&house.directory.snapshot());
}
