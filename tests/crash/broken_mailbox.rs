//! A Maildir that is none any more.

use std::fs;
use std::path::PathBuf;

use crate::client::{Protocol, Reply, Session, message};
use crate::world::World;

/// Accounts `alice` and `bob`, and a file where the Maildir of `bob` was.
fn broken() -> (World, PathBuf) {
    let world = World::new();
    world.domain("example.org").pop("alice").pop("bob").alias("team@example.org", &["alice", "bob"]);
    let aside = world.path().join("aside");
    let bob = world.maildir("bob").path().to_owned();
    if bob.exists() {
        fs::rename(&bob, &aside).expect("the Maildir moves");
    }
    fs::write(&bob, "in the way").expect("a file in its place");
    (world, aside)
}

fn repair(world: &World, aside: &PathBuf) {
    let bob = world.maildir("bob").path().to_owned();
    fs::remove_file(&bob).expect("the file goes");
    if aside.exists() {
        fs::rename(aside, &bob).expect("the Maildir is back");
    }
}

fn send(world: &World, protocol: Protocol, to: &[&str], id: &str) -> Vec<Reply> {
    let server = if protocol == Protocol::Smtp { world.smtp() } else { world.lmtp() };
    Session::open(server, protocol).and_then(|mut session| session.send(to, &message(id, 2_000))).expect("the server answers")
}

#[test]
fn a_file_in_place_of_the_maildir_defers() {
    let (world, aside) = broken();
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let replies = send(&world, protocol, &["bob@example.org"], "one");
        assert!(replies.len() == 1 && replies.iter().all(|reply| reply.code == 451), "{protocol:?}: {replies:?}");
        // The others' mail goes on.
        assert!(send(&world, protocol, &["alice@example.org"], "two").iter().all(Reply::taken));
    }
    world.maildir("alice").wait(2);
    repair(&world, &aside);
    assert!(send(&world, Protocol::Smtp, &["bob@example.org"], "three").iter().all(Reply::taken));
    assert_eq!(world.maildir("bob").one().sent(), message("three", 2_000));
}

/// Together in SMTP, each for itself in LMTP; either way a client that does what the replies say gives every mailbox
/// exactly one copy.
#[test]
fn a_client_that_tries_again_gives_each_mailbox_one_copy() {
    for protocol in [Protocol::Smtp, Protocol::Lmtp] {
        let (world, aside) = broken();
        let mut due = vec!["alice@example.org", "bob@example.org"];
        let retry = |due: &mut Vec<&str>| {
            let replies = send(&world, protocol, due, "shared");
            if replies.len() == due.len() {
                let mut replies = replies.into_iter();
                due.retain(|_| replies.next().is_some_and(|reply| reply.later()));
            } else if replies.iter().all(Reply::taken) {
                due.clear();
            }
        };
        retry(&mut due);
        repair(&world, &aside);
        if !due.is_empty() {
            retry(&mut due);
        }
        assert!(due.is_empty(), "{protocol:?}: {due:?} still refused");
        for name in ["alice", "bob"] {
            assert_eq!(world.maildir(name).one().sent(), message("shared", 2_000), "{protocol:?}");
        }
    }
}
