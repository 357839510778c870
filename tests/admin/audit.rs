//! Before and after, and taking a change back.

use serde_json::{Value, json};

use crate::api::{Api, own};
use crate::place::Place;
use restante::directory::Actor;
use restante::mail::Name;

/// The revision of the last change about something.
fn last(place: &Place, about: &str) -> Value {
    place.json(&["audit", "list", "--about", about, "--limit", "1"])[0].clone()
}

fn undo(place: &Place, change: &Value) -> Value {
    place.json(&["audit", "undo", &change["revision"].to_string()])
}

#[test]
fn what_was_changed_is_told_and_can_be_taken_back() {
    let place = Place::new();
    place.peopled();
    place.done(&["pop", "edit", "alice", "--owner", "Alice Two", "--quota", "1GiB"]);
    let edited = last(&place, "alice");
    let told = edited["differences"].as_array().expect("differences");
    assert_eq!(
        *told,
        [
            json!({"record": "POP account alice", "field": "owner", "before": "Alice Ashford", "after": "Alice Two"}),
            json!({"record": "POP account alice", "field": "quota", "before": "the server's default", "after": "1.0 GiB"}),
        ]
    );
    assert_eq!(edited["can_be_undone"], json!(true));
    let undone = undo(&place, &edited);
    let shown = place.json(&["pop", "show", "alice"]);
    assert_eq!((&shown["owner"], &shown["quota"]), (&json!("Alice Ashford"), &Value::Null), "{shown}");
    // Once is enough; and the undoing can be undone.
    let line = place.run(&["audit", "undo", &edited["revision"].to_string()]).refused(4);
    assert!(line.contains("changed again since"), "{line}");
    undo(&place, &undone);
    assert_eq!(place.json(&["pop", "show", "alice"])["owner"], "Alice Two");
}

#[test]
fn every_kind_of_change_that_can_be_taken_back_leaves_what_was() {
    let place = Place::new();
    place.peopled();
    place.done(&["alias", "add", "info@example.org", "alice", "bob", "--note", "the desk", "--expires", "2099-01-31"]);
    place.done(&["list", "add", "team", "--domain", "example.org", "--post", "anyone", "--owner", "alice"]);
    place.done(&["list", "members", "team", "add", "bob"]);
    let export = || {
        let text = place.done(&["export"]).stdout;
        // What a record knows beside its content changes with each change.
        let mut records: Vec<Value> = text.lines().skip(1).map(|line| serde_json::from_str(line).expect("JSON")).collect();
        // A member that comes back has joined anew.
        records.iter_mut().filter_map(Value::as_object_mut).for_each(|record| drop(record.remove("joined")));
        records
    };
    let before = export();
    for (change, about) in [
        (["alias", "add", "sales@example.org", "alice"].as_slice(), "sales@example.org"),
        (&["alias", "add", "info@example.org", "team"], "info@example.org"),
        (&["alias", "remove", "info@example.org", "bob"], "info@example.org"),
        (&["alias", "disable", "info@example.org"], "info@example.org"),
        (&["pop", "suspend", "bob"], "bob"),
        (&["pop", "rename", "bob", "robert"], "robert"),
        (&["pop", "delete", "bob", "--yes"], "bob"),
        (&["list", "members", "team", "add", "alice"], "team"),
        (&["list", "members", "team", "remove", "bob"], "team"),
        (&["domain", "add", "example.com"], "example.com"),
        (&["list", "edit", "team", "--description", "Our team", "--tag", "on"], "team"),
        (&["list", "members", "team", "suspend", "bob"], "team"),
        (&["pop", "copies", "alice", "bob"], "alice"),
        (&["pop", "edit", "bob", "--owner", "Robert", "--quota", "1GiB"], "bob"),
    ] {
        place.done(change);
        let entry = last(&place, about);
        assert_eq!(entry["can_be_undone"], json!(true), "{change:?}: {entry}");
        undo(&place, &entry);
        assert_eq!(export(), before, "{change:?}");
    }
    for (change, about, why) in [
        (["pop", "passwd", "alice", "--generate"].as_slice(), "alice", "passwords are not kept"),
        (&["pop", "rename", "bob", "robert", "--keep-alias"], "robert", "an alias of its own"),
        (&["list", "delete", "team"], "team", "add it anew"),
    ] {
        place.done(change);
        let entry = last(&place, about);
        assert_eq!(entry["can_be_undone"], json!(false), "{change:?}");
        assert!(entry["stays_because"].as_str().is_some_and(|told| told.contains(why)), "{entry}");
        let line = place.run(&["audit", "undo", &entry["revision"].to_string()]).refused(4);
        assert!(line.contains(why), "{line}");
    }
    place.run(&["audit", "undo", "999999"]).refused(3);
    let all = place.done(&["audit", "list", "--json", "--limit", "1000"]).stdout;
    assert!(!all.contains("$argon2"), "no password leaves with the audit trail");
}

#[tokio::test]
async fn owners_see_and_undo_what_concerns_their_domains_alone() {
    let api = Api::peopled().await;
    let owner = || Actor::Master(Name::parse("olivia").expect("a name"));
    for (path, owner_of) in [("/pops/alice", "by an admin"), ("/pops/nora", "elsewhere")] {
        assert_eq!(api.ask(own(), "PATCH", path, json!({"owner": owner_of})).await.status, 200);
    }
    let mine = api.ask(owner(), "GET", "/audit", Value::Null).await.body;
    let text = mine.to_string();
    assert!(text.contains("by an admin") && !text.contains("elsewhere") && !text.contains("nora"), "{text}");
    let all = api.admin("GET", "/audit?about=nora", Value::Null).await.body;
    let theirs = &all["items"][0]["revision"];
    let refused = api.ask(owner(), "POST", &format!("/audit/{theirs}/undo"), Value::Null).await;
    assert_eq!((refused.status.as_u16(), &refused.body["type"]), (404, &json!("urn:restante:problem:no-such-change")));
    let edited = &mine["items"][0];
    let undone = api.ask(owner(), "POST", &format!("/audit/{}/undo", edited["revision"]), Value::Null).await;
    assert_eq!((undone.status.as_u16(), &undone.body["actor"]), (200, &json!("olivia")), "{undone:?}");
    assert_eq!(api.admin("GET", "/pops/alice", Value::Null).await.body["owner"], "Alice");
    // The domain was given to her by an admin: that is not hers to take back.
    let given = api.admin("GET", "/audit?about=example.org", Value::Null).await.body;
    let refused = api.ask(owner(), "POST", &format!("/audit/{}/undo", given["items"][0]["revision"]), Value::Null).await;
    assert!(refused.status.is_client_error(), "{refused:?}");
}
