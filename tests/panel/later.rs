//! The second row of the delivery log: mail that waited for its mailbox, and is there.

use std::fs;
use std::time::Duration;

use super::house::House;
use super::world::process::until;
use jiff::Timestamp;
use restante::ledger::{Ledger, Row, Settings, Status};
use restante::mail::QueueId;
use serde_json::{Value, json};

fn rows(house: &House, query: &str) -> Vec<Value> {
    let page = house.get(&house.program("olivia"), &format!("/api/v1/log?{query}"));
    page["items"].as_array().cloned().unwrap_or_else(|| panic!("{page}"))
}

/// A message of which the copy for alice waits, as a server leaves it that could not reach her mailbox.
fn waits(house: &House, account: u64) -> QueueId {
    let at = Timestamp::now();
    let id = QueueId::new(u64::try_from(at.as_microsecond()).expect("after 1970"));
    let spool = house.world.path().join("spool");
    let row = Row {
        number: 0,
        at,
        id: Some(id),
        client: "192.0.2.1".into(),
        protocol: "ESMTP".into(),
        sender: "carol@client.test".into(),
        recipient: "team@example.org".into(),
        via: None,
        trail: "team@example.org".into(),
        places: vec!["alice".into(), "bob".into()],
        size: 5,
        delay_ms: 1.0,
        status: Status::Waiting,
        reply: format!("250 2.0.0 Ok: queued as {id}"),
        message_id: None,
        upstream_id: None,
    };
    let settings = Settings { folder: spool.join("ledger"), retention: Duration::from_secs(3600), max_size: 1 << 30 };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let ledger = Ledger::open(settings).expect("the log opens");
    runtime.block_on(ledger.note(vec![row]));
    drop(ledger);
    fs::write(spool.join("queue").join(format!("{id}.{account}.alice")), "Subject: late\n\nhello\n").expect("it is written");
    id
}

#[test]
fn mail_that_waited_for_its_mailbox_is_told_of_when_it_is_there() {
    let mut house = House::new();
    let admin = house.program("admin");
    house.pop(&admin, "alice", "example.org");
    let added = house.get(&admin, "/api/v1/audit?about=alice&limit=1");
    let account = added["items"][0]["effects"][0]["id"].as_u64().unwrap_or_else(|| panic!("{added}"));
    house.world.stop();
    let id = waits(&house, account).to_string();
    house.world.start();
    let second = until(Duration::from_secs(60), || Some(rows(&house, &format!("id={id}"))).filter(|rows| rows.len() == 2));
    let second = second.unwrap_or_else(|| panic!("{}", house.world.log()));
    let told = |row: &Value| ["status", "places", "trail", "recipient"].map(|field| row[field].clone());
    assert_eq!(told(&second[0]), [json!("delivered"), json!(["alice"]), json!("delivered later"), json!("team@example.org")]);
    assert_eq!(told(&second[1]), [json!("waiting"), json!(["alice", "bob"]), json!("team@example.org"), json!("team@example.org")]);
    assert_eq!(house.world.maildir("alice").files().len(), 1);
}
