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
    list(&world, "team", "moderated", &["alice"]);
    write(&world, "bob@example.org", "team@example.org", "please");
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
    write(&world, "olga@example.org", "team@example.org", "from olga");
    arrives(&world, "alice", "from olga");
}

#[test]
fn a_refused_author_hears_of_it_only_if_a_reason_is_given() {
    let world = house("");
    list(&world, "team", "moderated", &["alice"]);
    for subject in ["first", "second"] {
        write(&world, "bob@example.org", "team@example.org", subject);
    }
    let ids: Vec<String> = waits(&world, 2).iter().map(|held| held["id"].as_str().expect("an id").to_owned()).collect();
    world.done(&["list", "refuse", &ids[0]]);
    world.done(&["list", "refuse", &ids[1], "--reason", "Not for this list."]);
    let told = arrives(&world, "bob", "was not accepted");
    assert!(String::from_utf8_lossy(&told.text).contains("Not for this list."));
    assert_eq!((world.maildir("bob").files().len(), world.maildir("alice").files().len()), (1, 0));
    waits(&world, 0);
}

#[test]
fn a_posting_under_a_name_that_may_not_post_waits_for_the_owner() {
    let world = house("");
    world.alias("al@example.org", &["alice"]);
    list(&world, "team", "members", &["alice", "bob"]);
    let as_author = |author: &str, subject: &str| message(author, "team@example.org", subject);
    // Each sent by alice, who may post.
    for text in [
        as_author("Alice+phone@example.org", "detail"),
        as_author("al@example.org", "alias"),
        format!("Sender: <alice@example.org>\n{}", as_author("boss@elsewhere.example", "secretary")),
        "Subject: nobody\n\nHello.".to_owned(),
    ] {
        post(&world, "alice@example.org", "team@example.org", &text);
    }
    for subject in ["detail", "alias", "secretary", "nobody"] {
        arrives(&world, "bob", subject);
    }
    post(&world, "alice@example.org", "team@example.org", &as_author("boss@elsewhere.example", "forged"));
    let id = waits(&world, 1)[0]["id"].as_str().expect("an id").to_owned();
    arrives(&world, "olga", "A message to team waits for you");
    assert_eq!(world.maildir("bob").files().len(), 4);
    world.done(&["list", "approve", &id]);
    arrives(&world, "bob", "forged");
    // The owner's envelope is not enough for a list that the owner alone posts to.
    world.done(&["list", "edit", "team", "--post", "owner"]);
    post(&world, "olga@example.org", "team@example.org", &as_author("carol@example.org", "not olga"));
    waits(&world, 1);
    post(&world, "olga@example.org", "team@example.org", &as_author("olga@example.org", "olga"));
    arrives(&world, "bob", "olga");
    assert_eq!(world.maildir("bob").files().len(), 6);
}
