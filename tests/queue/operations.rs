//! What operators do to the queue: on the command line, over the API, and what owners see.

use std::time::Duration;

use super::mx::{Mx, send};
use super::sending::{empty, sending, waits};
use super::world::World;
use super::world::process::until;

const TEXT: &str = "Subject: hello\n\nbody\n";

/// One message that waits, and its id.
fn waiting() -> (World, Mx, String) {
    let mx = Mx::new();
    mx.refuse("someone@example.com", "450 4.2.1 not today");
    let world = sending(&[("example.com", &mx)], "first_retry = \"10m\"");
    world.alias("away@example.org", &["someone@example.com"]);
    let replies = send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let id = replies[1].rsplit(' ').next().unwrap().to_owned();
    let tried = until(Duration::from_secs(30), || (waits(&world)[0]["recipients"][0]["tries"] == 1).then_some(()));
    assert!(tried.is_some(), "{}", world.log());
    (world, mx, id)
}

#[test]
fn a_message_is_shown_with_what_was_tried() {
    let (world, _mx, id) = waiting();
    let shown: serde_json::Value = serde_json::from_str(&world.done(&["queue", "show", &id, "--json"])).unwrap();
    assert_eq!((&shown["kind"], &shown["sender"], &shown["open"]), (&"relay".into(), &"alice@example.org".into(), &1.into()));
    let recipient = &shown["recipients"][0];
    assert_eq!((&recipient["address"], &recipient["original"]), (&"someone@example.com".into(), &"away@example.org".into()));
    assert_eq!((&recipient["destination"], &recipient["state"]), (&"example.com".into(), &"waiting".into()));
    assert_eq!(recipient["attempts"][0]["status"], "4.2.1");
    let text = world.done(&["queue", "show", &id]);
    assert!(text.contains("someone@example.com (for away@example.org)") && text.contains("not today"), "{text}");
    let table = world.done(&["queue", "list"]);
    assert!(table.contains(&id) && table.contains("someone@example.com"), "{table}");
    for (filter, found) in [
        (["--destination", "example.com"], 1),
        (["--destination", "example.net"], 0),
        (["--sender", "alice@example.org"], 1),
        (["--sender", "@example.org"], 1),
        (["--sender", "<>"], 0),
    ] {
        let listed: serde_json::Value = serde_json::from_str(&world.done(&["queue", "list", filter[0], filter[1], "--json"])).unwrap();
        assert_eq!(listed.as_array().map(Vec::len), Some(found), "{filter:?}");
    }
    assert_eq!(world.restante(&["queue", "show", "0000000000001"]).code, 3);
    assert_eq!(world.restante(&["queue", "show", "nonsense"]).code, 2);
}

#[test]
fn hold_release_retry_and_cancel_do_what_they_say() {
    let (world, mx, id) = waiting();
    mx.answer(|_| None);
    assert_eq!(world.done(&["queue", "hold", &id]), "1 recipient held\n");
    world.done(&["queue", "retry"]);
    world.done(&["queue", "retry", &id]);
    assert_eq!(waits(&world)[0]["recipients"][0]["state"], "held");
    let held: serde_json::Value = serde_json::from_str(&world.done(&["queue", "list", "--held", "--json"])).unwrap();
    assert_eq!(held.as_array().map(Vec::len), Some(1));
    assert!(mx.taken().is_empty());
    world.done(&["queue", "release", &id]);
    mx.wait(1);
    empty(&world);

    mx.refuse("someone@example.com", "450 4.2.1 not today");
    let replies = send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let id = replies[1].rsplit(' ').next().unwrap();
    assert!(until(Duration::from_secs(30), || (waits(&world)[0]["recipients"][0]["tries"] == 1).then_some(())).is_some());
    assert_eq!(world.done(&["queue", "cancel", id]), "1 recipient removed\n");
    empty(&world);
    assert_eq!(world.restante(&["queue", "cancel", id]).code, 3);

    let replies = send(world.smtp(), "alice@example.org", &["away@example.org"], TEXT);
    let id = replies[1].rsplit(' ').next().unwrap();
    assert!(until(Duration::from_secs(30), || (waits(&world)[0]["recipients"][0]["tries"] == 1).then_some(())).is_some());
    mx.answer(|_| None);
    world.done(&["queue", "retry", id]);
    mx.wait(2);
    empty(&world);
}
