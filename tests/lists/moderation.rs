//! Moderated lists: what waits, is shown, approved, refused.

use serde_json::Value;

use super::house::*;
use super::world::World;
use super::world::process::until;

fn held(world: &World) -> Vec<Value> {
    let shown = world.done(&["list", "held", "team", "--json"]);
    serde_json::from_str::<Value>(&shown).ok().and_then(|value| value.as_array().cloned()).unwrap_or_default()
}

fn waits(world: &World, count: usize) -> Vec<Value> {
    until(PATIENCE, || Some(held(world)).filter(|held| held.len() == count)).unwrap_or_else(|| panic!("{:?}\n{}", held(world), world.log()))
}

#[test]
fn a_posting_waits_for_the_owner_also_over_a_restart() {
    let mut world = house("");
    world.done(&["list", "add", "team", "--domain", "example.org", "--owner", "olga", "--post", "moderated", "alice"]);
    post(&world, "bob@example.org", "team@example.org", &message("bob@example.org", "team@example.org", "please"));
    waits(&world, 1);
    let note = arrives(&world, "olga", "A message to team waits for you");
    world.stop();
    world.start();
    let found = waits(&world, 1);
    let id = found[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!((found[0]["subject"].as_str(), found[0]["sender"].as_str()), (Some("please"), Some("bob@example.org")));
    assert!(String::from_utf8_lossy(&note.text).contains(&format!("restante list approve {id}")));
    assert_eq!(world.maildir("alice").files().len(), 0);
    world.done(&["list", "approve", &id]);
    arrives(&world, "alice", "please");
    waits(&world, 0);
    assert_eq!(world.restante(&["list", "approve", &id]).code, 3);
    // The owner's own messages wait for nobody.
    post(&world, "olga@example.org", "team@example.org", &message("olga@example.org", "team@example.org", "from olga"));
    arrives(&world, "alice", "from olga");
}

#[test]
fn a_refused_author_hears_of_it_only_if_a_reason_is_given() {
    let world = house("");
    world.done(&["list", "add", "team", "--domain", "example.org", "--owner", "olga", "--post", "moderated", "alice"]);
    for subject in ["first", "second"] {
        post(&world, "bob@example.org", "team@example.org", &message("bob@example.org", "team@example.org", subject));
    }
    let ids: Vec<String> = waits(&world, 2).iter().map(|held| held["id"].as_str().expect("an id").to_owned()).collect();
    world.done(&["list", "refuse", &ids[0]]);
    world.done(&["list", "refuse", &ids[1], "--reason", "Not for this list."]);
    let told = arrives(&world, "bob", "was not accepted");
    assert!(String::from_utf8_lossy(&told.text).contains("Not for this list."));
    assert_eq!((world.maildir("bob").files().len(), world.maildir("alice").files().len()), (1, 0));
    waits(&world, 0);
}
