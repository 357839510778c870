//! Room for a message: the question that follows a route.

use jiff::Timestamp;
use restante::directory::State;
use restante::mail::{ForwardPath, Mailbox};
use restante::protocol::smtp::Reply;
use restante::router::{Decision, admit, route};

use super::memory::{Memory, Outcome, limits};

fn village() -> Outcome<Memory> {
    let mut village = Memory::default();
    village.domain("example.org")?;
    for name in ["alice", "bob", "carol"] {
        village.pop(name, "example.org", State::Active)?;
    }
    village.alias("all@example.org", &["alice", "bob", "carol"])?;
    village.alias("off@example.org", &["reject:gone"])?;
    Ok(village)
}

fn recipient(text: &str) -> Outcome<ForwardPath> {
    Ok(ForwardPath::Mailbox(Mailbox::parse(text)?))
}

#[test]
fn a_full_mailbox_refuses_the_recipient_and_says_which() -> Outcome {
    let routed = route(&village()?, &recipient("all@example.org")?, &limits(), Timestamp::UNIX_EPOCH);
    let mut asked = Vec::new();
    let admitted = admit(routed, |mailbox| {
        asked.push(mailbox.name.to_string());
        if mailbox.name.as_str() == "bob" { Err(Reply::MailboxFull) } else { Ok(()) }
    });
    assert_eq!(admitted.decision, Decision::Refuse(Reply::MailboxFull));
    assert_eq!(asked, ["alice", "bob"]);
    let trail = admitted.trail.to_string();
    let end = "Is there room in alice? Yes.\nIs there room in bob? No.\n452 4.2.2 Mailbox full; try again later";
    assert!(trail.ends_with(end), "{trail}");
    assert_eq!(admitted.trail.reply(), &Reply::MailboxFull);
    Ok(())
}

#[test]
fn room_everywhere_changes_nothing_but_the_trail() -> Outcome {
    let routed = route(&village()?, &recipient("all@example.org")?, &limits(), Timestamp::UNIX_EPOCH);
    let admitted = admit(routed.clone(), |_| Ok(()));
    assert_eq!((admitted.decision, admitted.followed), (routed.decision, routed.followed));
    assert!(admitted.trail.to_string().ends_with("Is there room in carol? Yes.\n250 2.1.5 Ok"));
    Ok(())
}

#[test]
fn a_refusal_asks_nobody_for_room() -> Outcome {
    let routed = route(&village()?, &recipient("off@example.org")?, &limits(), Timestamp::UNIX_EPOCH);
    let admitted = admit(routed.clone(), |mailbox| panic!("{} was asked", mailbox.name));
    assert_eq!(admitted, routed);
    Ok(())
}

#[test]
fn a_trail_is_json_for_programs() -> Outcome {
    let routed = route(&village()?, &recipient("alice@example.net")?, &limits(), Timestamp::UNIX_EPOCH);
    assert_eq!(
        serde_json::to_value(&routed.trail)?,
        serde_json::json!({
            "steps": [{"question": "Is example.net a local domain?", "answer": "No."}],
            "reply": "550 5.7.1 Relaying denied: not a domain of this server",
        })
    );
    Ok(())
}
