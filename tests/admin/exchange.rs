//! Export and import: nothing is lost, and what is refused is told by its line.

use std::fmt::Write as _;
use std::fs;

use serde_json::{Value, json};

use crate::place::{Place, both_ways};

/// A directory with something of every kind.
fn rich(place: &Place) {
    place.peopled().done(&["domain", "add", "bücher.example"]);
    place.done(&["master", "add", "olivia", "--role", "owner", "--generate"]);
    place.done(&["domain", "edit", "bücher.example", "--owner", "olivia"]);
    place.done(&["pop", "edit", "bob", "--quota", "1GiB"]);
    place.done(&["pop", "suspend", "bob"]);
    place.done(&["alias", "add", "zulu@example.org", "alice", "bob", "x@example.com", "--note", "näh", "--expires", "2100-01-01"]);
    place.done(&["alias", "add", "alpha@example.org", "zulu@example.org"]);
    place.done(&["alias", "add", "@bücher.example", "@example.org"]);
    place.done(&["alias", "disable", "alpha@example.org"]);
    place.done(&["list", "add", "staff", "--domain", "example.org", "--owner", "alice", "alice", "alpha@example.org"]);
    place.done(&["pop", "add", "carol", "--domain", "example.org", "--owner", "Carol", "--generate"]);
    place.done(&["alias", "add", "gone@example.org", "carol"]);
    place.done(&["pop", "delete", "carol", "--yes"]);
}

#[test]
fn export_and_import_lose_nothing() {
    both_ways(|place| {
        rich(place);
        let export = place.done(&["export"]).stdout;
        let (first, second) = (Place::new(), place.path().join("export.jsonl"));
        fs::write(&second, &export).expect("it is written");
        let report = first.json(&["import", &second.display().to_string()]);
        assert_eq!((&report["refused"], &report["complaints"]), (&json!(0), &json!([])));
        assert_eq!(first.done(&["export"]).stdout, export, "byte for byte");
        let told = Place::new().tell(&["import", "-"], &export);
        assert_eq!(told.code, 0, "{told:?}");
    });
}

#[test]
fn refused_lines_are_told_by_number() {
    both_ways(|place| {
        place.peopled();
        let mut export = place.done(&["export"]).stdout;
        export.push_str("not json\n\n{\"kind\":\"pop\"}\n");
        let wrong = export.lines().count();
        let file = place.path().join("export.jsonl");
        fs::write(&file, &export).expect("it is written");
        let fresh = Place::new();
        let printed = fresh.run(&["import", &file.display().to_string()]);
        assert_eq!(printed.code, 1, "{printed:?}");
        for line in [wrong - 2, wrong] {
            assert!(printed.stderr.contains(&format!("line {line}: ")), "{printed:?}");
        }
        assert_eq!(fresh.json(&["pop", "list"]).as_array().map(Vec::len), Some(2), "the rest is in");
    });
}

#[test]
fn what_is_no_export_is_refused() {
    let place = Place::new();
    let line = place.tell(&["import", "-"], "{\"name\":\"alice\"}\n").refused(1);
    assert!(line.contains("not an export"), "{line}");
}

#[test]
fn many_accounts_are_listed_page_by_page() {
    both_ways(|place| {
        place.peopled();
        let export = place.done(&["export"]).stdout;
        let model = export.lines().find(|line| line.contains("\"kind\":\"pop\"")).expect("an account");
        let mut lines = format!("{}\n", export.lines().next().unwrap_or_default());
        for number in 0..2500 {
            let mut record: Value = serde_json::from_str(model).expect("JSON");
            record["name"] = json!(format!("user{number:04}"));
            record["id"] = json!(1000 + number);
            writeln!(lines, "{record}").expect("a string takes it");
        }
        assert_eq!(place.tell(&["import", "-"], &lines).code, 0);
        let listed = place.json(&["pop", "list"]);
        assert_eq!(listed.as_array().map(Vec::len), Some(2502));
        assert_eq!(listed[2501]["name"], "user2499");
        assert_eq!(place.done(&["pop", "list"]).stdout.lines().count(), 2503, "one heading, and one line for each");
    });
}
