//! Leaving a list, by mail and by the link: nobody can be taken off by a stranger.

use super::client::raw;
use super::house::*;
use super::world::World;
use super::world::process::until;

fn is_member(world: &World, member: &str) -> bool {
    world.done(&["list", "members", "team", "list"]).contains(member)
}

fn leaves(world: &World, member: &str) {
    assert!(until(PATIENCE, || (!is_member(world, member)).then_some(())).is_some(), "{member} is still there:\n{}", world.log());
}

fn request(world: &World, method: &str, path: &str) -> super::client::Answer {
    let body = "List-Unsubscribe=One-Click";
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(world.admin(), request.as_bytes())
}

#[test]
fn a_link_takes_its_member_off_and_nobody_else() {
    let world = house("[lists]\nurl = \"http://mail.test\"\n");
    list(&world, "team", "anyone", &["alice", "bob"]);
    write(&world, "carol@example.org", "team@example.org", "one");
    let copy = arrives(&world, "bob", "one");
    let unsubscribe = field(&copy, "List-Unsubscribe");
    let link = unsubscribe.strip_prefix("<http://mail.test").and_then(|rest| rest.split('>').next()).expect("a link").to_owned();
    for forged in [link.replace("bob@", "alice@"), link.replace("/team/", "/other/"), format!("{}x", &link[..link.len() - 1])] {
        for method in ["GET", "POST"] {
            assert_eq!(request(&world, method, &forged).status, 404, "{method} {forged}");
        }
    }
    let asked = request(&world, "GET", &link);
    assert!(asked.status == 200 && asked.words().contains("Leave the list"), "{asked:?}");
    assert!(is_member(&world, "bob"), "a look at the link does nothing");
    assert_eq!(request(&world, "POST", &link).status, 200);
    assert!(!is_member(&world, "bob") && is_member(&world, "alice"));
    assert_eq!(request(&world, "POST", &link).status, 404);
}

#[test]
fn a_request_by_mail_is_confirmed_first() {
    let world = house("");
    list(&world, "team", "anyone", &["alice", "bob"]);
    write(&world, "bob@example.org", "team-unsubscribe@example.org", "x");
    let question = arrives(&world, "bob", "confirm ");
    let subject = field(&question, "Subject");
    assert_eq!(field(&question, "Reply-To"), "<team-request@example.org>");
    assert!(is_member(&world, "bob"), "a sender can be forged");
    // Somebody else's word is worthless.
    post(&world, "alice@example.org", "team-request@example.org", &message("alice@example.org", "team-request@example.org", &subject));
    write(&world, "bob@example.org", "team-request@example.org", &format!("Re: {subject}"));
    leaves(&world, "bob");
    arrives(&world, "bob", "You have left");
    assert!(is_member(&world, "alice"));
    // A vacation reply to the question is no answer.
    write(&world, "carol@example.org", "team-request@example.org", "subscribe");
    let word = field(&arrives(&world, "carol", "confirm "), "Subject");
    let reply = format!("Auto-Submitted: auto-replied\n{}", message("carol@example.org", "team-request@example.org", &word));
    post(&world, "carol@example.org", "team-request@example.org", &reply);
    post(&world, "carol@example.org", "team-request@example.org", &message("carol@example.org", "team-request@example.org", &word));
    let wish = arrives(&world, "olga", "wishes to join");
    assert!(String::from_utf8_lossy(&wish.text).contains("list members team add carol@example.org"));
}
