//! What comes back counts against its member, and against nobody else.

use super::house::*;

fn report(status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@elsewhere.example\nSubject: failed\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
         --b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; elsewhere.example\n\n\
         Final-Recipient: rfc822; x@elsewhere.example\nAction: failed\nStatus: {status}\n\n--b--"
    )
}

#[test]
fn a_member_whose_mail_comes_back_is_suspended_and_its_owner_told() {
    let world = house("[lists]\nbounce_days = 1\n");
    list(&world, "team", "anyone", &["alice", "bob"]);
    write(&world, "carol@example.org", "team@example.org", "one");
    let copy = arrives(&world, "bob", "one");
    let path = field(&copy, "Return-Path");
    let sender = path.trim_matches(['<', '>']);
    let member = |world: &super::world::World| world.done(&["list", "members", "team", "list", "--search", "bob"]);
    post(&world, "", sender, &report("4.2.2"));
    let counted = super::world::process::until(PATIENCE, || member(&world).contains("4.2.2").then_some(()));
    assert!(counted.is_some(), "{}", member(&world));
    assert!(member(&world).contains("active"));
    // Broken structure counts for nothing worse than it says.
    post(&world, "", sender, "Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\n\u{fffd}\n");
    post(&world, "", sender, &report("5.1.1"));
    let note = arrives(&world, "olga", "bob was suspended on team");
    assert!(String::from_utf8_lossy(&note.text).contains("restante list members team resume bob"));
    assert!(member(&world).contains("suspended"));
    write(&world, "carol@example.org", "team@example.org", "two");
    arrives(&world, "alice", "two");
    assert_eq!(world.maildir("bob").files().len(), 1);
    world.done(&["list", "members", "team", "resume", "bob"]);
    write(&world, "carol@example.org", "team@example.org", "three");
    arrives(&world, "bob", "three");
}

#[test]
fn forged_bounces_are_refused() {
    let world = house("[lists]\nbounce_days = 1\n");
    list(&world, "team", "anyone", &["alice"]);
    for forged in ["team-bounces+alice=example.org+abcdefgh", "team-bounces+alice=example.org", "team-bounces+="] {
        assert_eq!(send(&world, "", &format!("{forged}@example.org"), ""), "550 5.1.1 No such recipient here", "{forged}");
    }
    post(&world, "", "team-bounces@example.org", &report("5.1.1"));
    assert!(world.done(&["list", "members", "team", "list"]).contains("active"));
}
