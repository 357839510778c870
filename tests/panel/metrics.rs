//! `/metrics`: who may read it, that it is what Prometheus reads, that it counts what happens, and that the dashboard for
//! Grafana asks for names that are there.

use std::collections::{BTreeMap, BTreeSet};

use super::client::{Browser, Program, raw};
use super::house::{House, PASSWORD};
use serde_json::Value;

/// The samples, by name with labels. What is no line of the format, or a sample without description, is an error.
fn read(text: &str) -> BTreeMap<String, f64> {
    let (mut kinds, mut helped, mut samples) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, words) = rest.split_once(' ').expect("a name and words");
            assert!(!words.is_empty() && helped.insert(name.to_owned()), "{name} is described twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a kind");
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            kinds.insert(name.to_owned(), kind.to_owned());
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line:?} is no sample"));
            let name = sample.split('{').next().expect("a name");
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).filter(|base| kinds.contains_key(*base));
            let base = base.unwrap_or(name);
            let kind = kinds.get(base).unwrap_or_else(|| panic!("{name} has no type"));
            assert!(helped.contains(base), "{name} has no words");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            assert!(samples.insert(sample.to_owned(), value.parse().expect("a number")).is_none(), "{sample} stands twice");
        }
    }
    samples
}

fn ask(house: &House, headers: &str) -> super::client::Answer {
    raw(house.world.admin(), format!("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").as_bytes())
}

fn samples(house: &House) -> BTreeMap<String, f64> {
    let answer = ask(house, "");
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"), "{answer:?}");
    read(&answer.text)
}

#[test]
fn it_counts_what_happens() {
    let house = House::new();
    let admin = house.program("admin");
    house.pop(&admin, "alice", "example.org");
    let before = samples(&house);
    house.world.done(&["test", "alice@example.org", "--fetch"]);
    house.world.restante(&["test", "nobody@example.org"]);
    let answer = Browser::new(house.world.admin()).log_in("admin", "wrong-password");
    assert_eq!(answer.status, 401);
    let after = samples(&house);
    let grown = |name: &str| after.get(name).unwrap_or_else(|| panic!("{name} is not there")) - before.get(name).unwrap_or(&0.0);
    for (name, by) in [
        ("restante_messages_total", 1.0),
        ("restante_recipients_total{outcome=\"delivered\"}", 1.0),
        ("restante_refusals_total{reason=\"5.1.1\"}", 1.0),
        ("restante_accept_duration_seconds_count", 1.0),
        ("restante_route_duration_seconds_count", 2.0),
        ("restante_sessions_total{service=\"smtp\"}", 2.0),
        ("restante_sessions_total{service=\"pop3\"}", 1.0),
        ("restante_logins_total{service=\"admin\",outcome=\"failed\"}", 1.0),
        ("restante_directory_revision", 0.0),
        ("restante_queue_waiting", 0.0),
    ] {
        assert!((grown(name) - by).abs() < 1e-9, "{name} grew by {}", grown(name));
    }
    assert!(grown("restante_received_bytes_total") > 100.0 && grown("restante_sync_duration_seconds_count") >= 1.0);
    assert!(after["restante_logins_total{service=\"admin\",outcome=\"ok\"}"] >= 1.0);
    assert!(after["restante_spool_log_limit_bytes"] >= after["restante_spool_log_bytes"] && after["restante_disk_free_bytes"] > 0.0);
    assert!(after["restante_directory_records{kind=\"pop\"}"] >= 2.0);
}

#[test]
fn it_is_for_this_machine_and_for_admins() {
    let house = House::new();
    let (admin, owner) = (house.program("admin"), house.program("olivia"));
    for brought in ["X-Forwarded-For: 192.0.2.1\r\n", "Forwarded: for=192.0.2.1\r\n"] {
        let bearing = |program: &Program| format!("{brought}Authorization: Bearer {}\r\n", program.token);
        assert_eq!(ask(&house, brought).status, 401, "{brought}");
        assert_eq!(ask(&house, &format!("{brought}Authorization: Bearer rst_wrong\r\n")).status, 401);
        assert_eq!(ask(&house, &bearing(&owner)).status, 403);
        assert_eq!(ask(&house, &bearing(&admin)).status, 200);
    }
}

/// The names in a query of PromQL: whole words that begin with ours.
fn names(query: &str) -> Vec<String> {
    let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("restante_")).map(str::to_owned).collect()
}

#[test]
fn the_dashboard_for_grafana_asks_for_what_is_there() {
    let house = House::new();
    let admin = house.program("admin");
    house.pop(&admin, "alice", "example.org");
    house.world.done(&["test", "alice@example.org", "--fetch"]);
    let answer = ask(&house, "");
    // A counter with labels has a type before it has its first sample.
    let typed = answer.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).map(str::to_owned);
    let sampled = samples(&house).into_keys().map(|sample| sample.split('{').next().unwrap_or_default().to_owned());
    let known: BTreeSet<String> = typed.chain(sampled).collect();
    let dashboard: Value = serde_json::from_str(include_str!("../../config/grafana/restante.json")).expect("JSON");
    let mut asked = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(panel["title"].is_string() && panel["description"].is_string(), "{panel}");
        for target in panel["targets"].as_array().expect("targets") {
            let found = names(target["expr"].as_str().expect("a query"));
            assert!(!found.is_empty(), "{target}");
            asked.extend(found);
        }
    }
    let missing: Vec<_> = asked.difference(&known).collect();
    assert!(missing.is_empty(), "the server does not answer {missing:?}");
    assert!(asked.len() > 15, "{asked:?}");
    assert!(names("label_values(restante_build_info, job)").iter().all(|name| known.contains(name)));
    // The page of the panel draws the same day.
    let page = Browser::inside(house.world.admin(), "admin", PASSWORD).get("/");
    assert!(page.words().contains("Recipients accepted: 1, deferred: 0, refused: 0."), "{}", page.words());
    assert!(page.text.contains("<svg") && !page.text.contains("style="));
    let owner = house.owner().get("/");
    assert!(!owner.words().contains("Recipients a minute"));
}
