//! Commands that need the whole service: serve, test, demo.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::{Value, json};

use crate::place::Place;

#[test]
fn a_message_is_followed_to_its_file() {
    let mut place = Place::new();
    place.serve();
    place.peopled();
    place.done(&["alias", "add", "team@example.org", "alice", "bob"]);
    place.done(&["alias", "add", "void@example.org", "discard"]);
    let test = place.json(&["test", "team@example.org", "--timeout", "30s"]);
    assert_eq!(test["delivered"], json!(true));
    let reply = test["reply"].as_str().unwrap_or_default();
    assert_eq!(reply, format!("250 2.0.0 Ok: queued as {}", test["id"].as_str().unwrap_or_default()));
    let files: Vec<&str> = test["files"].as_array().into_iter().flatten().filter_map(|file| file.as_str()).collect();
    assert_eq!(files.len(), 2, "{test}");
    for file in files {
        let text = fs::read_to_string(place.path().join(file)).expect("the file is there");
        assert!(text.contains("X-Original-To: team@example.org\n"), "{text}");
    }
    let times: Vec<f64> = test["hops"].as_array().into_iter().flatten().filter_map(|hop| hop["ms"].as_f64()).collect();
    assert!(times.len() >= 5 && times.is_sorted(), "{test}");

    let discarded = place.json(&["test", "void@example.org"]);
    assert_eq!((&discarded["delivered"], &discarded["files"]), (&json!(true), &json!([])));
    let refused = place.run(&["test", "nobody@example.org", "--json"]);
    assert_eq!((refused.code, &refused.json()["delivered"]), (3, &json!(false)));
    assert!(refused.json()["reply"].as_str().is_some_and(|reply| reply.starts_with("550 5.1.1")), "{refused:?}");
    assert_eq!(place.json(&["alias", "list", "--target", "bob"])[0]["address"], "team@example.org");
    place.stop();
}

#[test]
fn a_message_is_called_for_without_its_owners_password() {
    let mut place = Place::new();
    place.serve();
    place.peopled();
    place.done(&["alias", "add", "team@example.org", "alice", "bob"]);
    let test = place.json(&["test", "team@example.org", "--fetch", "--timeout", "30s"]);
    let fetched = test["fetched"].as_array().expect("what was fetched");
    assert_eq!(fetched.len(), 2, "{test}");
    for (fetched, file) in fetched.iter().zip(test["files"].as_array().expect("files")) {
        let text = fs::read_to_string(place.path().join(file.as_str().expect("a path"))).expect("the file is still there");
        assert_eq!(fetched["octets"], json!(text.len() + text.lines().count()), "{test}");
    }
    let hop = test["hops"].as_array().and_then(|hops| hops.last()).expect("hops");
    assert!(hop["what"].as_str().is_some_and(|what| what.starts_with("fetched from bob over POP3: ")), "{hop}");
    assert_eq!(place.json(&["pop", "show", "alice"])["last_login"], Value::Null, "it was no login of hers");

    let password = place.json(&["pop", "passwd", "alice", "--generate"]);
    let run: Value = serde_json::from_slice(&fs::read(place.path().join("spool/run.json")).expect("it runs")).expect("JSON");
    let stream = TcpStream::connect(run["pop3"][0].as_str().expect("an address")).expect("POP3 listens");
    let mut lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
    let commands = format!("USER alice\r\nPASS {}\r\n", password["password"].as_str().expect("a password"));
    (&stream).write_all(commands.as_bytes()).expect("it listens");
    let replies: Vec<String> = lines.by_ref().take(3).collect();
    assert!(replies[2].starts_with("+OK 1 messages"), "{replies:?}");
    let shown = place.json(&["pop", "show", "alice"]);
    assert!(shown["last_login"].is_string() && shown["messages"] == json!(1), "{shown}");
    let refused = place.run(&["test", "alice@example.org", "--fetch"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("delivered, but not fetched from alice: -ERR [IN-USE]"), "{refused:?}");
    drop((stream, lines));
    place.stop();
}

#[test]
fn a_test_without_a_server_says_so() {
    let place = Place::new();
    place.peopled();
    let line = place.run(&["test", "alice@example.org"]).refused(1);
    assert!(line.contains("restante serve"), "{line}");
}

#[test]
fn a_second_server_is_refused_and_leaves_the_first_alone() {
    let mut place = Place::new();
    place.serve();
    let second = place.run(&["serve"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains("another server"), "{second:?}");
    place.peopled();
    place.stop();
}

#[test]
fn the_first_server_shows_its_admin_once() {
    let mut place = Place::new();
    place.serve();
    assert_eq!(place.json(&["master", "list"])[0]["name"], "admin");
    assert_eq!(place.log().matches("shown this once").count(), 1, "{}", place.log());
    place.stop();
    place.serve();
    assert_eq!(place.log().matches("shown this once").count(), 0, "{}", place.log());
    place.stop();
    assert!(!place.path().join("spool/run.json").exists());
}

#[test]
fn the_demo_shows_what_it_promises_and_cleans_up() {
    let place = Place::new();
    let printed = place.command(&["demo", "--once"]).env("TMPDIR", place.path()).output().expect("restante runs");
    let text = String::from_utf8_lossy(&printed.stdout);
    assert!(printed.status.success(), "{text}\n{}", String::from_utf8_lossy(&printed.stderr));
    for part in ["help@demo.example", "a catch-all", "250 2.0.0 Ok: queued as", "550 5.1.1", "file "] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let left: Vec<_> = fs::read_dir(place.path()).expect("a folder").flatten().filter(|entry| entry.file_name() != "config").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_demo_that_is_told_to_stop_leaves_nothing_behind() {
    let place = Place::new();
    let mut demo = place.command(&["demo"]);
    let mut demo = demo.env("TMPDIR", place.path()).stdout(Stdio::piped()).spawn().expect("restante runs");
    let pid = i32::try_from(demo.id()).ok().and_then(Pid::from_raw).expect("a process id");
    let mut told = BufReader::new(demo.stdout.take().expect("a pipe")).lines();
    let config =
        told.by_ref().map_while(Result::ok).find_map(|line| line.trim().strip_prefix("export RESTANTE_CONFIG=").map(str::to_owned));
    place.done(&["pop", "list", "--config", &config.expect("it says what to try next")]);
    let folder = fs::read_dir(place.path()).expect("a folder").flatten().find(|entry| entry.file_name() != "config").expect("its folder");
    let run: Value = serde_json::from_slice(&fs::read(folder.path().join("spool/run.json")).expect("it runs")).expect("JSON");
    let server = run["pid"].as_i64().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw).expect("a process id");
    kill_process(pid, Signal::HUP).expect("it is ours");
    assert!(demo.wait().expect("it ends").success());
    assert!(!folder.path().exists());
    assert!(test_kill_process(server).is_err(), "its server is gone");
}
