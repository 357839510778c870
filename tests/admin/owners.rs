//! A master of the role owner: its own domains, and nothing else.

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::api::{Api, master};

#[tokio::test]
async fn an_owner_sees_its_own_domains_only() {
    let api = Api::peopled().await;
    let see = async |path: &str| api.ask(master("olivia"), "GET", path, Value::Null).await;
    let listed = |page: &Value, key: &str| -> Vec<Value> {
        page["items"].as_array().map(|items| items.iter().map(|item| item[key].clone()).collect()).unwrap_or_default()
    };
    assert_eq!(listed(&see("/domains").await.body, "domain"), [json!("example.org")]);
    assert_eq!(listed(&see("/pops").await.body, "name"), [json!("alice")]);
    assert_eq!(listed(&see("/pops?limit=1").await.body, "name"), [json!("alice")]);
    assert_eq!(listed(&see("/aliases?hidden=true").await.body, "address"), [json!("alice@example.org")]);
    assert_eq!(see("/trace?address=alice@example.org").await.status, StatusCode::OK);
    for path in ["/pops/nora", "/domains/example.net", "/aliases/nora@example.net", "/trace?address=nora@example.net"] {
        assert_eq!(see(path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/masters", "/export", "/trace?address=postmaster", "/deliveries/0000000000001"] {
        assert_eq!(see(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    assert_eq!(see("/masters/olivia").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_owner_changes_its_own_domains_only() {
    let api = Api::peopled().await;
    let act = async |method: &str, path: &str, body: Value| api.ask(master("olivia"), method, path, body).await;
    let pop = |name: &str, domain: &str| json!({"name": name, "domain": domain, "owner": "x", "generate": true});
    assert_eq!(act("POST", "/pops", pop("otto", "example.org")).await.status, StatusCode::CREATED);
    assert_eq!(act("POST", "/aliases", json!({"address": "info@example.org", "targets": ["otto"]})).await.status, StatusCode::CREATED);
    assert_eq!(act("PUT", "/masters/olivia/password", json!({"generate": true})).await.status, StatusCode::OK);

    let alias = |address: &str, target: &str| json!({"address": address, "targets": [target]});
    for (method, path, body, status) in [
        ("POST", "/pops", pop("nina", "example.net"), 404),
        ("POST", "/aliases", alias("info@example.net", "otto"), 404),
        ("POST", "/aliases", alias("nora@example.org", "nora"), 422),
        ("PATCH", "/pops/alice", json!({"domain": "example.net"}), 404),
        ("PATCH", "/pops/nora", json!({"owner": "x"}), 404),
        ("PUT", "/pops/nora/password", json!({"generate": true}), 404),
        ("POST", "/pops/nora/suspend", Value::Null, 404),
        ("DELETE", "/pops/nora", Value::Null, 404),
        ("DELETE", "/aliases/nora@example.net", Value::Null, 404),
        ("POST", "/lists", json!({"name": "all", "domain": "example.org", "owner": "alice", "posting": "owner", "members": ["nora"]}), 422),
        ("POST", "/domains", json!({"domain": "example.com"}), 403),
        ("PATCH", "/domains/example.net", json!({"owner": "olivia"}), 403),
        ("DELETE", "/domains/example.org?cascade=true", Value::Null, 403),
        ("POST", "/masters", json!({"name": "max", "role": "admin", "generate": true}), 403),
        ("DELETE", "/masters/olivia", Value::Null, 403),
        ("POST", "/import", Value::Null, 403),
    ] {
        let answer = act(method, path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path}: {answer:?}");
    }
    assert_eq!(api.admin("GET", "/pops/nora", Value::Null).await.body["owner"], "Nora", "nothing was changed");
}
