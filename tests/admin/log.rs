//! The delivery log on the command line: what SMTP said is what the log says.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::place::Place;

fn rows(place: &Place, words: &[&str]) -> Vec<Value> {
    place.json(&[&["log"], words].concat()).as_array().cloned().unwrap_or_default()
}

/// Waits until a question has as many rows.
fn until(place: &Place, words: &[&str], count: usize) -> Vec<Value> {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let found = rows(place, words);
        if found.len() >= count {
            return found;
        }
        assert!(std::time::Instant::now() < deadline, "{words:?}: {found:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn what_became_of_a_message_is_found_by_everything_that_is_known_of_it() {
    let mut place = Place::new();
    place.serve();
    place.peopled();
    place.done(&["alias", "add", "team@example.org", "alice", "bob"]);
    let test = place.json(&["test", "Team@example.org", "--timeout", "30s"]);
    let id = test["id"].as_str().expect("an id");
    place.run(&["test", "nobody@example.org"]);
    let row = &until(&place, &["--id", id], 1)[0];
    assert_eq!(row["reply"], test["reply"], "the reply and the log carry the same id");
    assert_eq!((&row["id"], &row["recipient"], &row["sender"]), (&json!(id), &json!("Team@example.org"), &json!("")));
    assert_eq!((&row["status"], &row["places"]), (&json!("delivered"), &json!(["alice", "bob"])));
    assert_eq!((&row["client"], &row["trail"]), (&json!("127.0.0.1"), &json!("team@example.org")));
    assert!(row["delay_ms"].as_f64().is_some_and(|delay| delay > 0.0) && row["size"].as_u64().is_some_and(|size| size > 0), "{row}");
    let message_id = row["message_id"].as_str().expect("a Message-ID");
    for words in [
        ["--to", "team@example.org"].as_slice(),
        &["--to", "alice"],
        &["--message-id", message_id],
        &["--client", "127.0.0.1", "--status", "delivered"],
        &["--from", "<>", "--since", "1h", "--to", "bob"],
    ] {
        assert_eq!(rows(&place, words), std::slice::from_ref(row), "{words:?}");
    }
    let refused = until(&place, &["--status", "refused"], 1);
    assert_eq!((&refused[0]["recipient"], &refused[0]["id"]), (&json!("nobody@example.org"), &Value::Null));
    assert!(refused[0]["reply"].as_str().is_some_and(|reply| reply.starts_with("550 5.1.1")), "{refused:?}");
    assert!(refused[0]["trail"].as_str().is_some_and(|trail| !trail.is_empty()), "{refused:?}");
    let printed = place.done(&["log", "--to", "@example.org"]);
    assert!(printed.stdout.contains("nobody@example.org") && printed.stdout.contains(id), "{printed:?}");
    assert_eq!(place.run(&["log", "--status", "lost"]).code, 2);
    place.stop();
    // Without a server the log can still be read.
    assert_eq!(rows(&place, &["--id", id]), std::slice::from_ref(row));
    let line = place.run(&["log", "--follow"]).refused(1);
    assert!(line.contains("restante serve"), "{line}");
}

#[test]
fn who_follows_sees_what_comes() {
    let mut place = Place::new();
    place.serve();
    place.peopled();
    place.done(&["test", "alice@example.org"]);
    until(&place, &["--to", "alice@example.org"], 1);
    let mut child = place.command(&["log", "--follow", "--json", "--to", "@example.org"]).stdout(Stdio::piped()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    let mut next = || serde_json::from_str::<Value>(&lines.next().expect("a line")).expect("JSON");
    assert_eq!(next()["recipient"], "alice@example.org");
    place.done(&["test", "bob@example.org"]);
    assert_eq!(next()["recipient"], "bob@example.org");
    child.kill().expect("it is ours");
    child.wait().expect("it ends");
    place.stop();
}
