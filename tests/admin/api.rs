//! The API itself: statuses, problems, conditions, pages, identity.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use restante::admin::{Context, Rules, api};
use restante::config;
use restante::directory::password::Cost;
use restante::directory::{Actor, Directory};
use restante::mail::Name;
use restante::maildir::Maildirs;
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;

/// The API over a directory of its own.
pub struct Api {
    router: axum::Router,
    _folder: TempDir,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub content: String,
    pub tag: Option<String>,
    pub body: Value,
}

impl Api {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("[spool]\ndir = {0:?}\n[mail]\nroot = {1:?}\n", folder.path(), folder.path().join("mail"));
        let config = config::parse(&text).expect("it is sound");
        let directory = Arc::new(Directory::open(&folder.path().join("directory")).expect("it opens"));
        let maildirs = Arc::new(Maildirs::new(config.mail.clone()).expect("a folder"));
        // The cheapest hash that there is: these tests are not about its cost.
        let password = Cost { memory_kib: 8, passes: 1, lanes: 1 };
        let rules = Rules {
            hostname: config.hostname,
            session: config.session,
            routing: config.routing,
            over: config.mail.over,
            password,
            proxies: Vec::new(),
        };
        Self { router: api::router(Arc::new(Context::new(directory, maildirs, None, rules))), _folder: folder }
    }

    /// Asks as an actor.
    pub async fn ask(&self, actor: Actor, method: &str, path: &str, body: Value) -> Answer {
        self.ask_if(actor, method, path, body, None).await
    }

    /// Asks as the server's own user.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Answer {
        self.ask(own(), method, path, body).await
    }

    pub async fn ask_if(&self, actor: Actor, method: &str, path: &str, body: Value, tag: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}")).header("content-type", "application/json");
        if let Some(tag) = tag {
            request = request.header("if-match", tag);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        answer(api::identified(self.router.clone(), actor), request.body(body).expect("a request")).await
    }

    /// A domain, an owner of it, and an account in it.
    pub async fn peopled() -> Self {
        let api = Self::new();
        for (path, body) in [
            ("/masters", json!({"name": "olivia", "role": "owner", "generate": true})),
            ("/domains", json!({"domain": "example.org", "owner": "olivia"})),
            ("/domains", json!({"domain": "example.net"})),
            ("/pops", json!({"name": "alice", "domain": "example.org", "owner": "Alice", "password": "correct-horse"})),
            ("/pops", json!({"name": "nora", "domain": "example.net", "owner": "Nora", "generate": true})),
        ] {
            let made = api.admin("POST", path, body).await;
            assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        }
        api
    }
}

/// The user that runs the tests.
pub fn own() -> Actor {
    Actor::Uid(rustix::process::geteuid().as_raw())
}

pub fn master(name: &str) -> Actor {
    Actor::Master(Name::parse(name).expect("a name"))
}

async fn answer(router: axum::Router, request: Request<Body>) -> Answer {
    let Ok(response) = router.oneshot(request).await;
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, content, tag) = (response.status(), header("content-type").unwrap_or_default(), header("etag"));
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    Answer { status, content, tag, body: serde_json::from_slice(&body).unwrap_or(Value::Null) }
}

#[tokio::test]
async fn problems_follow_rfc_9457() {
    let api = Api::peopled().await;
    let kinds = |method: &'static str, path: &'static str, body: Value| (method, path, body);
    let asked = [
        (kinds("POST", "/pops", json!({"name": "alice", "domain": "example.net", "owner": "x", "generate": true})), 409, "name-taken"),
        (kinds("POST", "/domains", json!({"domain": "Example.Org"})), 409, "domain-exists"),
        (kinds("GET", "/pops/zoe", Value::Null), 404, "no-such-account"),
        (kinds("GET", "/domains/nowhere.example", Value::Null), 404, "no-such-domain"),
        (kinds("GET", "/aliases/a@example.org", Value::Null), 404, "no-such-alias"),
        (kinds("POST", "/aliases", json!({"address": "a@example.org", "targets": ["zoe"]})), 422, "no-such-target"),
        (kinds("POST", "/aliases", json!({"address": "a@example.org", "targets": ["a@example.org"]})), 409, "cycle"),
        (kinds("DELETE", "/aliases/alice@example.org", Value::Null), 409, "hidden-alias"),
        (kinds("DELETE", "/domains/example.org", Value::Null), 409, "in-use"),
        (kinds("POST", "/pops/zoe/restore", json!({})), 404, "not-in-trash"),
        (kinds("PUT", "/pops/alice/password", json!({"password": "short"})), 422, "weak-password"),
        (kinds("PUT", "/pops/alice/password", json!({})), 422, "bad-value"),
        (kinds("PATCH", "/pops/alice", json!({"quota": 0})), 422, "bad-value"),
        (kinds("PATCH", "/pops/alice", json!({"nonsense": 1})), 422, "bad-value"),
        (kinds("POST", "/pops", json!({"name": "no name", "domain": "example.net", "owner": "x"})), 422, "bad-value"),
        (kinds("GET", "/pops/no%20name", Value::Null), 422, "bad-value"),
        (kinds("GET", "/pops?limit=0", Value::Null), 422, "bad-value"),
        (kinds("GET", "/deliveries/0000000000001", Value::Null), 404, "no-such-delivery"),
        (kinds("GET", "/nonsense", Value::Null), 404, "no-such-resource"),
        (kinds("DELETE", "/health", Value::Null), 405, "not-possible"),
        (kinds("POST", "/import", Value::Null), 422, "bad-import"),
    ];
    for ((method, path, body), status, kind) in asked {
        let answer = api.admin(method, path, body).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["type"]),
            (status, &json!(format!("urn:restante:problem:{kind}"))),
            "{method} {path}: {answer:?}"
        );
        assert_eq!((answer.content.as_str(), &answer.body["status"]), ("application/problem+json", &json!(status)));
        assert!(answer.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_taken_name_comes_with_a_suggestion_that_works() {
    let api = Api::peopled().await;
    let wish = |name: &str| json!({"name": name, "domain": "example.net", "owner": "x", "generate": true});
    let refused = api.admin("POST", "/pops", wish("alice")).await;
    assert_eq!(refused.body["suggestion"], json!({"name": "alice-example-net", "alias": "alice@example.net"}));
    assert_eq!(api.admin("GET", "/names/Alice", Value::Null).await.body, json!({"name": "alice", "free": false, "holder": "pop"}));
    assert_eq!(api.admin("GET", "/names/alice-example-net", Value::Null).await.body["free"], true);
    assert_eq!(api.admin("POST", "/pops", wish("alice-example-net")).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_edit_under_a_condition_sees_what_others_did() {
    let api = Api::peopled().await;
    let tag = api.admin("GET", "/pops/alice", Value::Null).await.tag.expect("a tag");
    let edit = |owner: &str| json!({ "owner": owner });
    let first = api.ask_if(own(), "PATCH", "/pops/alice", edit("first"), Some(&tag)).await;
    assert_eq!(first.status, StatusCode::OK, "{first:?}");
    let second = api.ask_if(own(), "PATCH", "/pops/alice", edit("second"), Some(&tag)).await;
    assert_eq!((second.status.as_u16(), &second.body["type"]), (412, &json!("urn:restante:problem:changed")));
    assert_eq!(api.admin("GET", "/pops/alice", Value::Null).await.body["owner"], "first");
    let again = api.ask_if(own(), "PATCH", "/pops/alice", edit("second"), first.tag.as_deref()).await;
    assert_eq!(again.body["owner"], "second");
    assert_eq!(api.ask_if(own(), "PATCH", "/pops/alice", edit("third"), Some("nonsense")).await.status.as_u16(), 400);
}

#[tokio::test]
async fn every_edited_resource_has_its_condition() {
    let api = Api::peopled().await;
    for (path, body) in [
        ("/lists", json!({"name": "team", "domain": "example.org", "owner": "alice", "posting": "members"})),
        ("/aliases", json!({"address": "info@example.org", "targets": ["alice"]})),
    ] {
        assert_eq!(api.admin("POST", path, body).await.status, StatusCode::CREATED);
    }
    for (shown, method, edited, body) in [
        ("/lists/team", "PATCH", "/lists/team", json!({"posting": "anyone"})),
        ("/domains/example.org", "PATCH", "/domains/example.org", json!({"owner": null})),
        ("/aliases/info@example.org", "POST", "/aliases/info@example.org/disable", Value::Null),
        ("/aliases/info@example.org", "POST", "/aliases/info@example.org/enable", Value::Null),
    ] {
        let seen = api.admin("GET", shown, Value::Null).await.tag.expect("a tag");
        let first = api.ask_if(own(), method, edited, body.clone(), Some(&seen)).await;
        assert_eq!(first.status, StatusCode::OK, "{first:?}");
        assert_eq!(first.tag, api.admin("GET", shown, Value::Null).await.tag, "the answer has the new tag");
        let second = api.ask_if(own(), method, edited, body, Some(&seen)).await;
        assert_eq!((second.status.as_u16(), &second.body["type"]), (412, &json!("urn:restante:problem:changed")), "{edited}");
    }
}

#[tokio::test]
async fn quotas_are_octets_or_a_word() {
    let api = Api::peopled().await;
    for (given, shown) in [(json!("unlimited"), json!("unlimited")), (json!(4096), json!(4096)), (Value::Null, Value::Null)] {
        let edited = api.admin("PATCH", "/pops/alice", json!({"quota": given})).await;
        assert_eq!((edited.status, &edited.body["quota"]), (StatusCode::OK, &shown), "{edited:?}");
    }
    let refused = api.admin("PATCH", "/pops/alice", json!({"quota": "much"})).await;
    assert_eq!(refused.status.as_u16(), 422);
    assert!(refused.body["detail"].as_str().is_some_and(|detail| detail.contains("unlimited")), "{refused:?}");
}

#[tokio::test]
async fn pages_join_without_gaps() {
    let api = Api::peopled().await;
    for number in 0..7 {
        let made = api.admin("POST", "/aliases", json!({"address": format!("a{number}@example.org"), "targets": ["alice"]})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    }
    let (mut seen, mut path) = (Vec::new(), "/aliases?limit=2&domain=example.org".to_owned());
    loop {
        let page = api.admin("GET", &path, Value::Null).await.body;
        let items = page["items"].as_array().cloned().unwrap_or_default();
        assert!(items.len() <= 2, "{page}");
        seen.extend(items.iter().filter_map(|item| item["address"].as_str().map(str::to_owned)));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/aliases?limit=2&domain=example.org&after={}", restante::admin::cli::connection::segment(next));
    }
    let expected: Vec<String> = (0..7).map(|number| format!("a{number}@example.org")).collect();
    assert_eq!(seen, expected, "hidden ones are left out");
}

#[tokio::test]
async fn nobody_and_strangers_get_nothing() {
    let api = Api::peopled().await;
    let stranger = api.ask(Actor::Uid(4_000_000), "GET", "/pops", Value::Null).await;
    let nobody = answer(api.router.clone(), Request::builder().uri("/api/v1/pops").body(Body::empty()).expect("a request")).await;
    let ghost = api.ask(master("ghost"), "GET", "/pops", Value::Null).await;
    for answer in [stranger, nobody, ghost] {
        assert_eq!((answer.status, &answer.body["type"]), (StatusCode::FORBIDDEN, &json!("urn:restante:problem:forbidden")), "{answer:?}");
    }
}

#[tokio::test]
async fn no_answer_holds_a_password_or_its_hash() {
    let api = Api::peopled().await;
    for path in ["/pops", "/pops/alice", "/masters", "/masters/olivia"] {
        let text = api.admin("GET", path, Value::Null).await.body.to_string();
        assert!(!text.contains("argon2") && !text.contains("correct-horse") && !text.contains("\"password\""), "{path}: {text}");
    }
}
