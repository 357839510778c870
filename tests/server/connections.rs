//! Who may connect, how many, how long.

use std::fs;
use std::time::{Duration, Instant};

use restante::server::Listen;
use serde_json::Value;

use crate::client::Client;
use crate::house::House;

#[test]
fn run_json_names_every_listener() {
    let house = House::new();
    let text = fs::read(house.folder.path().join("spool/run.json")).unwrap();
    let run: Value = serde_json::from_slice(&text).unwrap();
    let keys: Vec<_> = run.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys.len(), 7, "{keys:?}");
    for key in ["smtp", "smtp_tls", "lmtp", "pop3", "pop3_tls", "admin"] {
        assert!(run[key].as_array().unwrap().iter().all(Value::is_string), "{key}");
    }
    assert_eq!(run["pid"], std::process::id());
    assert_eq!(run["lmtp"][1], format!("unix:{}", house.folder.path().join("lmtp.sock").display()));
    assert_eq!(run["smtp"][0], house.running().addresses.smtp[0].as_str());
}

#[test]
fn connections_beyond_the_limit_hear_421_and_those_after_it_are_served() {
    let house = House::with(|config| config.server.max_connections = 2);
    let (one, two) = (house.smtp().greeted(), house.lmtp_unix().greeted());
    for mut refused in [house.smtp(), house.lmtp(), house.lmtp_unix()] {
        let reply = refused.reply();
        assert!(reply.starts_with("421 4.3.2"), "{reply}");
        assert!(refused.is_closed());
    }
    drop((one, two));
    house.is_left();
    house.smtp().greeted().expect("NOOP", "250");
}

#[test]
fn connections_of_one_client_beyond_its_limit_hear_421() {
    let house = House::with(|config| config.server.max_connections_per_client = 1);
    let one = house.smtp().greeted();
    let mut refused = house.lmtp();
    let reply = refused.reply();
    assert!(reply.starts_with("421 4.3.2") && reply.contains("from your address"), "{reply}");
    assert!(refused.is_closed());
    let _local = house.lmtp_unix().greeted();
    drop(one);
    let again = Instant::now();
    while !house.smtp().reply().starts_with("220") {
        assert!(again.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn the_silent_are_told_and_closed() {
    let house = House::with_sessions(|session| session.command_timeout = Duration::from_millis(300));
    let mut client = house.smtp().greeted();
    assert!(client.reply().starts_with("421 4.4.2"));
    assert!(client.is_closed());
}

#[test]
fn those_who_do_not_read_are_closed() {
    let house = House::with_sessions(|session| {
        session.command_timeout = Duration::from_millis(500);
        session.max_errors = u32::MAX;
    });
    let mut client = house.smtp().greeted();
    client.set_patience(Duration::from_millis(100));
    let writer = std::thread::spawn(move || {
        let block = "HELP\r\n".repeat(10_000);
        for _ in 0..1000 {
            client.send(&block);
        }
    });
    house.is_left();
    writer.join().unwrap();
}

#[test]
fn those_who_talk_first_are_found_out() {
    found_out(&House::new(), 20);
}

#[test]
fn those_who_have_always_waited_are_found_out_when_they_do_not() {
    let house = House::new();
    // More than it takes to be greeted without a pause.
    for _ in 0..80 {
        house.smtp().greeted();
    }
    // As many tests as in the other case: one comes at the latest with the 51st.
    found_out(&house, 20 * 51);
}

/// A busy machine may let the test end before the client has sent anything: that it is found out in one of several is enough.
fn found_out(house: &House, connections: usize) {
    let caught = (0..connections).any(|_| {
        let mut client = house.smtp();
        client.send("EHLO c\r\n");
        let is_caught = client.reply().starts_with("554 5.5.1");
        assert!(!is_caught || client.is_closed());
        is_caught
    });
    assert!(caught, "not one of {connections} was found out");
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let house = House::with(|config| config.server.lmtp = vec![Listen::Unix(path.clone())]);
    Client::unix(&path).greeted();
    let config = |path: &std::path::Path| {
        let other = tempfile::tempdir().unwrap();
        crate::house::furnish(other.path());
        let mut config = restante::config::parse(&crate::house::text(other.path())).unwrap();
        config.server.lmtp = vec![Listen::Unix(path.to_owned())];
        (other, config)
    };
    for (path, expected) in [(path.clone(), "answers"), (folder.path().join("file"), "not a socket")] {
        if !path.exists() {
            fs::write(&path, "precious").unwrap();
        }
        let (_folder, config) = config(&path);
        let refused = house.runtime.block_on(restante::app::start(config, restante::server::listeners::Inherited::none()));
        let why = refused.err().expect("refused").to_string();
        assert!(why.contains(expected), "{why}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("file")).unwrap(), "precious");
    Client::unix(&path).greeted();
}
