//! A change is there whole, or not at all, wherever the disk stops.

use restante::directory::*;

use super::fixture::*;
use super::invariants::check;

fn sequence() -> Vec<Change> {
    vec![
        add_domain("example.org"),
        add_domain("example.com"),
        add_pop("alice", "example.org"),
        add_alias("info@example.com", &["alice"]),
        add_alias("@example.com", &["info@example.com"]),
        add_list("team", "example.org", "alice", &["info@example.com"]),
        rename_pop("alice", "alicia", true),
        Change::DeleteList { name: name("team") },
        delete_pop("alicia"),
        restore_pop("alicia"),
        delete_domain("example.com"),
    ]
}

/// Opens what a crash left behind, and finds one of the states that were.
fn survives(folder: &std::path::Path, states: &[String]) -> usize {
    let directory = Directory::open(folder).unwrap();
    let snapshot = directory.snapshot();
    check(&snapshot);
    let revision = usize::try_from(View::revision(&snapshot).0).unwrap();
    assert_eq!(text(&directory), states[revision]);
    revision
}

#[test]
fn after_every_change_a_copy_of_the_files_is_the_state_just_committed() {
    let house = House::empty();
    let mut states = vec![house.text()];
    for change in sequence() {
        house.must(&change);
        states.push(house.text());
        // Power is lost now: the process never closes anything.
        let crashed = tempfile::tempdir().unwrap();
        copy(house.folder.path(), crashed.path());
        assert_eq!(survives(crashed.path(), &states), states.len() - 1, "an acknowledged change is lost");
    }
}

#[test]
fn a_log_torn_anywhere_leaves_a_prefix_of_the_changes() {
    let house = House::empty();
    let mut states = vec![house.text()];
    for change in sequence() {
        house.must(&change);
        states.push(house.text());
    }
    let whole = tempfile::tempdir().unwrap();
    copy(house.folder.path(), whole.path());
    let log = std::fs::read_dir(whole.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max_by_key(|path| std::fs::metadata(path).unwrap().len())
        .unwrap();
    let octets = std::fs::read(&log).unwrap();
    let mut reached = std::collections::BTreeSet::new();
    for cut in (0..=octets.len()).rev().step_by(97) {
        let torn = tempfile::tempdir().unwrap();
        copy(whole.path(), torn.path());
        std::fs::write(torn.path().join(log.file_name().unwrap()), &octets[..cut]).unwrap();
        reached.insert(survives(torn.path(), &states));
    }
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), (0..states.len()).collect::<Vec<_>>(), "every state was met");
}
