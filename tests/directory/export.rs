//! An export read back gives the same directory.

use std::io::BufReader;

use restante::directory::export::{ImportError, ImportReport, import};
use restante::directory::*;

use super::fixture::*;
use super::invariants::check;

fn read(house: &House, text: &str) -> Result<ImportReport, ImportError> {
    import(&house.directory, &Actor::Server, &mut BufReader::new(text.as_bytes()), at(2_000_000), &mut |_| {})
}

fn full() -> House {
    let house = House::usual();
    for change in [
        add_master("root", Role::Admin),
        Change::EditDomain { domain: domain("example.com"), owner: Some(name("root")) },
        Change::AddAlias {
            key: key("z@example.com"),
            targets: targets(&["alice"]),
            note: Some("a \"note\"\nü".into()),
            expires: Some(at(77)),
        },
        add_alias("a@example.com", &["z@example.com", "Some.One@Elsewhere.example", "reject:no", "discard"]),
        add_alias("@example.org", &["@example.com"]),
        add_alias("\"two words\"@example.org", &["a@example.com", "bob"]),
        Change::SwitchAlias { key: key("a@example.com"), switch: Switch::Disabled },
        add_list("team", "example.org", "a@example.com", &["bob", "z+x@example.com", "else@elsewhere.example"]),
        add_alias("0@example.org", &["team"]),
        Change::SetPopState { name: name("bob"), state: State::Suspended },
        Change::EditPop { name: name("bob"), domain: None, owner: None, quota: Some(Some(1 << 40)) },
        add_pop("carol", "example.com"),
        add_alias("c@example.org", &["carol"]),
        delete_pop("carol"),
    ] {
        house.must(&change);
    }
    for alias in ["z@example.com", "alice@example.org"] {
        house.directory.used(&key(alias), at(123));
    }
    house.directory.write_uses().unwrap();
    house
}

#[test]
fn a_round_trip_loses_nothing() {
    let (house, copy) = (full(), House::empty());
    let text = house.text();
    let report = read(&copy, &text).unwrap();
    assert_eq!((report.refused, report.complaints.as_slice(), report.applied), (0, [].as_slice(), text.lines().count() as u64 - 1));
    assert_eq!(copy.text(), text);
    check(&copy.directory.snapshot());
    copy.must(&restore_pop("carol"));
    assert_eq!(copy.leads("c@example.org"), "carol");
    copy.must(&add_pop("dave", "example.org"));
    check(&copy.directory.snapshot());
}

#[test]
fn the_order_of_lines_does_not_matter_once_domains_are_there() {
    let (house, copy) = (full(), House::empty());
    let text = house.text();
    let (head, mut rest): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.contains("restante_export") || line.contains("\"kind\":\"domain\"") || line.contains("\"kind\":\"master\""));
    rest.reverse();
    let shuffled = head.into_iter().chain(rest).collect::<Vec<_>>().join("\r\n");
    let report = read(&copy, &shuffled).unwrap();
    assert_eq!((report.refused, report.complaints.as_slice()), (0, [].as_slice()));
    assert_eq!(copy.text(), text);
}

#[test]
fn refused_lines_are_told_by_number_and_the_others_stand() {
    let house = House::with(&[add_domain("example.org"), add_pop("alice", "example.org")]);
    let elsewhere = full().text().lines().filter(|line| line.contains("\"kind\":\"pop\"")).collect::<Vec<_>>().join("\n");
    let text = format!("{{\"restante_export\":1}}\n\nnonsense\n{elsewhere}\n{{\"kind\":\"pop\"}}\n");
    let report = read(&house, &text).unwrap();
    let told: Vec<(u64, &str)> = report.complaints.iter().map(|complaint| (complaint.line, complaint.why.as_str())).collect();
    assert_eq!((report.applied, report.refused), (1, 3));
    assert!(told[0].1.starts_with("this is not a record") && told[0].0 == 3, "{told:?}");
    assert!(told[1].1.contains("`alice` is taken") && told[1].0 == 4, "{told:?}");
    assert_eq!(told[2].0, 6);
    assert_eq!(house.pop("bob").map(|pop| pop.quota), Some(Some(1 << 40)));
    check(&house.directory.snapshot());
}

#[test]
fn what_is_no_export_is_refused_whole() {
    let house = House::empty();
    for text in ["", "hello", "{\"kind\":\"pop\"}"] {
        assert!(matches!(read(&house, text), Err(ImportError::NotAnExport)), "{text}");
    }
    assert!(matches!(read(&house, "{\"restante_export\":2}"), Err(ImportError::TooNew(2))));
}

#[test]
fn an_import_keeps_the_invariants() {
    let house = House::usual();
    house.must(&add_alias("mine@example.org", &["alice"]));
    let line = |address: &str, targets: &str, standing: &str| {
        format!(
            "{{\"kind\":\"alias\",\"key\":\"{address}\",\"standing\":{standing},\"targets\":[{targets}],\"switch\":\"enabled\",\"note\":\"\",\
             \"expires\":null,\"created\":\"2020-01-01T00:00:00Z\",\"last_used\":null,\"uses\":0}}"
        )
    };
    let lines = [
        line("x@example.org", "\"y@example.org\"", "\"Plain\""),
        line("y@example.org", "\"x@example.org\"", "\"Plain\""),
        line("mine@example.org", "\"bob\"", "\"Plain\""),
        line("alice@example.org", "\"bob\"", "\"Plain\""),
        line("bob@example.org", "\"alice\"", "{\"Hidden\":\"alice\"}"),
        line("none@example.org", "", "\"Plain\""),
    ];
    let before = house.text();
    let report = read(&house, &format!("{{\"restante_export\":1}}\n{}", lines.join("\n"))).unwrap();
    assert_eq!((report.applied, report.refused), (0, 6), "{report:?}");
    assert_eq!(house.text(), before);
}
