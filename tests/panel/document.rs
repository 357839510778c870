//! The OpenAPI document against the server: by a walk of our own, and by schemathesis where it can be had.

use std::process::Command;

use super::client::Program;
use super::house::House;
use super::world::process::until;
use super::world::program::run;
use serde_json::{Value, json};

fn references<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(reference) => found.push(reference),
                    None => references(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_document_is_whole() {
    let house = House::new();
    let nobody = Program { address: house.world.admin(), token: String::new() };
    let answer = nobody.ask("GET", "/api/openapi.json", &Value::Null);
    let document = answer.json();
    assert_eq!((answer.status, answer.header("content-type"), &document["openapi"]), (200, "application/json", &json!("3.1.0")));
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 50, "{}", found.len());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("within the document");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = std::collections::BTreeSet::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let what = format!("{method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{what}: its id is another's");
            assert!(operation["summary"].is_string() && operation["security"].is_array(), "{what}");
            assert!(operation["responses"]["default"]["content"]["application/problem+json"].is_object(), "{what}");
            // What has an entity tag can be changed under a condition.
            let tagged = operations.get("get").is_some_and(|get| get["responses"]["200"]["headers"]["ETag"].is_object());
            let conditional = operation["parameters"].as_array().is_some_and(|all| all.iter().any(|p| p["name"] == "If-Match"));
            assert!(!tagged || method == "get" || conditional, "{what}: it takes no If-Match");
            let named = operation["parameters"].as_array().map_or(0, |all| all.iter().filter(|p| p["in"] == "path").count());
            assert_eq!(named, path.matches('{').count(), "{what}: the parameters of its path");
        }
    }
}

/// Asks for each `GET` of the document with nonsense in place of its parameters: problems in their form, and no failure.
#[test]
fn nonsense_is_refused_in_the_form_of_a_problem() {
    let house = House::new();
    let admin = house.program("admin");
    let document = admin.ask("GET", "/api/openapi.json", &Value::Null).json();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for method in operations.as_object().expect("operations").keys() {
            for nonsense in ["%00", "..%2f", "%F0%9F%92%8C", "a%20b", "%22%3E", "nobody"] {
                let place = path.split('{').next().unwrap_or(path).to_owned() + if path.contains('{') { nonsense } else { "" };
                let place = format!("{place}?limit={nonsense}&after={nonsense}&address={nonsense}&domain={nonsense}");
                let body = if matches!(method.as_str(), "post" | "put" | "patch") { json!({"nonsense": nonsense}) } else { Value::Null };
                let answer = admin.ask(&method.to_uppercase(), &place, &body);
                assert!(answer.status < 500 && answer.status != 0, "{method} {place}: {answer:?}");
                let problem = answer.json();
                let shaped = answer.header("content-type") == "application/problem+json" && problem["status"] == json!(answer.status);
                assert!(answer.status < 400 || (shaped && problem["type"].is_string()), "{method} {place}: {answer:?}");
            }
        }
    }
}

/// The version that this test was written with.
const SCHEMATHESIS: &str = "schemathesis==4.32.5";

/// Answers that are refusals of things that have the right form: not there, taken, in use, or against the rules. A condition that
/// does not hold is a refusal of whatever has a wrong form as well.
const CHECKS: &str = "[checks]
positive_data_acceptance.expected-statuses = [\"2xx\", \"401\", \"403\", \"404\", \"405\", \"409\", \"412\", \"422\"]
negative_data_rejection.expected-statuses = [\"400\", \"401\", \"403\", \"404\", \"405\", \"406\", \"409\", \"412\", \"415\", \"422\", \"428\", \"429\", \"5xx\"]
";

#[test]
fn schemathesis_finds_nothing() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let program = folder.join("bin/schemathesis");
    if !program.exists() {
        let made = run("python3", &["-m", "venv", &folder.display().to_string()], b"");
        let installed = (made.code == 0).then(|| run(&folder.join("bin/pip").display().to_string(), &["install", "-q", SCHEMATHESIS], b""));
        if installed.is_none_or(|installed| installed.code != 0) {
            eprintln!("skipped: schemathesis cannot be installed here (python3-venv, and a way to pypi.org)");
            return;
        }
    }
    let house = House::new();
    let admin = house.program("admin");
    house.pop(&admin, "alice", "example.org");
    let settings = house.world.path().join("schemathesis.toml");
    std::fs::write(&settings, CHECKS).expect("it is written");
    let output = Command::new(&program)
        .arg("--config-file")
        .arg(&settings)
        .args(["run", &format!("http://{}/api/openapi.json", admin.address), "-H", &format!("Authorization: Bearer {}", admin.token)])
        // An import takes whole directories: what is generated for it would only be refused line by line.
        .args(["--phases", "examples,coverage,fuzzing", "-n", "15", "--seed", "1", "--exclude-path", "/api/v1/import"])
        .current_dir(house.world.path())
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", house.world.log());
    assert!(
        until(std::time::Duration::from_secs(5), || (admin.ask("GET", "/health/ready", &Value::Null).status == 200).then_some(()))
            .is_some()
    );
}
