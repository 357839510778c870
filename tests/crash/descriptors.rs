//! Out of file descriptors: the server defers or turns away, and goes on when there are some again.

use std::fs;
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::client::{Protocol, Session, message};
use crate::world::World;
use crate::world::process::until;

/// Connections that are opened: more than there are descriptors left.
const CONNECTIONS: usize = 60;

/// Messages that are sent meanwhile, each big enough to need a file of the spool.
const MESSAGES: usize = 20;

/// Descriptors that are left to the server.
const LEFT: u64 = 12;

#[test]
fn a_server_out_of_descriptors_goes_on() {
    let world = World::new();
    world.domain("example.org").pop("alice").alias("info@example.org", &["alice"]);
    let mut early = Session::open(world.smtp(), Protocol::Smtp).expect("a session");
    let pid = Pid::from_raw(i32::try_from(world.pid()).expect("a process id"));
    let used = fs::read_dir(format!("/proc/{}/fd", world.pid())).expect("the server's descriptors").count() as u64;
    // The server has inherited our own upper bound; only the one below is lowered.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let limit = prlimit(pid, Resource::Nofile, Rlimit { current: Some(used + LEFT), maximum });
    let before = limit.expect("the limit can be lowered");

    let crowd: Vec<_> = (0..CONNECTIONS).filter_map(|_| TcpStream::connect(world.smtp()).ok()).collect();
    let mut taken = 0;
    for number in 0..MESSAGES {
        match early.send(&["info@example.org"], &message(&format!("early{number}"), 400_000)) {
            Ok(replies) if replies.iter().all(|reply| reply.taken()) => taken += 1,
            Ok(replies) => assert!(replies.iter().all(|reply| reply.later()), "{replies:?}"),
            Err(error) => panic!("a session under way was dropped: {error}\n{}", world.log()),
        }
    }
    assert!(taken < MESSAGES, "the descriptors did not run out");
    drop(crowd);
    let late = until(Duration::from_secs(60), || {
        let replies = Session::open(world.smtp(), Protocol::Smtp)
            .and_then(|mut session| session.send(&["info@example.org"], &message("late", 2_000)));
        replies.ok().filter(|replies| replies.iter().all(|reply| reply.taken()))
    });
    assert!(late.is_some(), "the server does not come back:\n{}", world.log());
    world.maildir("alice").wait(taken + 1);
    prlimit(pid, Resource::Nofile, before).expect("the limit can be raised");
}
