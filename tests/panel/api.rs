//! The API over TCP: tokens, conditions, pages and filters.

use super::house::House;
use serde_json::{Value, json};

#[test]
fn a_token_speaks_for_its_master_until_it_is_removed() {
    let house = House::new();
    let admin = house.program("admin");
    assert_eq!(admin.ask("GET", "/api/v1/pops", &Value::Null).status, 200);
    let made = admin.ask("POST", "/api/v1/tokens", &json!({"label": "a script", "master": "olivia", "expires": "2099-01-01T00:00:00Z"}));
    assert_eq!(made.status, 201, "{made:?}");
    let shown = made.json();
    let theirs = super::client::Program { token: shown["token"].as_str().expect("shown once").to_owned(), ..admin.clone() };
    assert_eq!(theirs.ask("GET", "/api/v1/masters", &Value::Null).status, 403, "an owner's token is an owner");
    let listed = house.get(&admin, "/api/v1/tokens?master=olivia");
    assert!(
        listed.as_array().is_some_and(|tokens| tokens.iter().all(|token| token["token"].is_null() && !token["last_used"].is_null())),
        "{listed}"
    );
    let path = format!("/api/v1/tokens/{}?master=olivia", shown["id"].as_str().expect("an id"));
    assert_eq!(admin.ask("DELETE", &path, &Value::Null).status, 200);
    assert_eq!(admin.ask("DELETE", &path, &Value::Null).status, 404);
    let gone = theirs.ask("GET", "/api/v1/pops", &Value::Null);
    assert_eq!((gone.status, gone.header("www-authenticate"), gone.header("content-type")), (401, "Bearer", "application/problem+json"));
    let past = admin.ask("POST", "/api/v1/tokens", &json!({"label": "too late", "expires": "2001-01-01T00:00:00Z"}));
    assert_eq!(past.status, 422);
    for token in ["", "x", "rst_", "Bearer"] {
        let nobody = super::client::Program { token: token.to_owned(), ..admin.clone() };
        assert_eq!(nobody.ask("GET", "/api/v1/pops", &Value::Null).status, 401, "{token:?}");
    }
}

#[test]
fn a_lost_update_is_refused_wherever_there_is_one() {
    let house = House::new();
    let admin = house.program("admin");
    house.pop(&admin, "alice", "example.org");
    admin.ask("POST", "/api/v1/aliases", &json!({"address": "info@example.org", "targets": ["alice"]}));
    admin.ask("POST", "/api/v1/lists", &json!({"name": "team", "domain": "example.org", "owner": "alice", "posting": "anyone"}));
    for (path, first, second) in [
        ("/api/v1/pops/alice", json!({"owner": "first"}), json!({"owner": "second"})),
        ("/api/v1/aliases/info@example.org", json!({"note": "first"}), json!({"note": "second"})),
        ("/api/v1/lists/team", json!({"posting": "members"}), json!({"posting": "owner"})),
        ("/api/v1/domains/example.org", json!({"owner": "olivia"}), json!({"owner": null})),
    ] {
        let seen = admin.ask("GET", path, &Value::Null).header("etag").to_owned();
        let condition = format!("If-Match: {seen}\r\n");
        let done = admin.ask_if("PATCH", path, &first, &condition);
        assert_eq!(done.status, 200, "{path}: {done:?}");
        let lost = admin.ask_if("PATCH", path, &second, &condition);
        assert_eq!((lost.status, &lost.json()["type"]), (412, &json!("urn:restante:problem:changed")), "{path}");
        let again = format!("If-Match: {}\r\n", done.header("etag"));
        assert_eq!(admin.ask_if("PATCH", path, &second, &again).status, 200, "{path}");
    }
}

#[test]
fn whatever_changes_a_record_can_be_made_conditional() {
    let house = House::new();
    let admin = house.program("admin");
    house.pop(&admin, "alice", "example.org");
    admin.ask("POST", "/api/v1/aliases", &json!({"address": "info@example.org", "targets": ["alice", "nora"]}));
    admin.ask("POST", "/api/v1/lists", &json!({"name": "team", "domain": "example.org", "owner": "nora", "posting": "anyone"}));
    admin.ask("POST", "/api/v1/domains", &json!({"domain": "empty.example"}));
    for (read, method, place, body) in [
        ("/pops/alice", "PUT", "/pops/alice/password", json!({"generate": true})),
        ("/pops/alice", "POST", "/pops/alice/suspend", json!({})),
        ("/pops/alice", "POST", "/pops/alice/resume", json!({})),
        ("/pops/alice", "PATCH", "/pops/alice", json!({"owner": "another"})),
        ("/pops/alice", "POST", "/pops/alice/rename", json!({"name": "alicia"})),
        ("/aliases/info@example.org", "POST", "/aliases/info@example.org/disable", json!({})),
        ("/aliases/info@example.org", "POST", "/aliases/info@example.org/remove", json!({"targets": ["nora"]})),
        ("/aliases/info@example.org", "DELETE", "/aliases/info@example.org", Value::Null),
        ("/pops/alicia", "DELETE", "/pops/alicia", Value::Null),
        ("/lists/team", "DELETE", "/lists/team", Value::Null),
        ("/domains/empty.example", "DELETE", "/domains/empty.example", Value::Null),
    ] {
        let what = format!("{method} {place}");
        let read = format!("/api/v1{read}");
        let seen = admin.ask("GET", &read, &Value::Null);
        let asked = |path: &str, condition: &str| admin.ask_if(method, path, &body, &format!("If-Match: {condition}\r\n"));
        let place = format!("/api/v1{place}");
        let lost = asked(&place, "\"1\"");
        assert_eq!((lost.status, &lost.json()["type"]), (412, &json!("urn:restante:problem:changed")), "{what}: {lost:?}");
        if method == "DELETE" {
            assert_eq!(asked(&format!("{place}?dry_run=true"), "\"1\"").status, 412, "{what}, rehearsed");
            assert_eq!(asked(&format!("{place}?dry_run=true"), seen.header("etag")).status, 200, "{what}, rehearsed");
        }
        assert_eq!(admin.ask("GET", &read, &Value::Null).text, seen.text, "{what} did something all the same");
        let done = asked(&place, seen.header("etag"));
        assert_eq!(done.status, 200, "{what}: {done:?}");
    }
}

#[test]
fn a_problem_points_to_its_field() {
    let house = House::new();
    let admin = house.program("admin");
    let pop = |name: &str, domain: &str, password: &str| json!({"name": name, "domain": domain, "owner": "x", "password": password});
    for (path, body, pointer) in [
        ("/api/v1/pops", pop("nora", "example.org", "long-enough"), "/name"),
        ("/api/v1/pops", pop("new", "nowhere.example", "long-enough"), "/domain"),
        ("/api/v1/pops", pop("new", "example.org", "short"), "/password"),
        ("/api/v1/pops", pop("no name", "example.org", "long-enough"), "/name"),
        ("/api/v1/pops", json!({"name": "new", "domain": "example.org", "owner": 5}), "/owner"),
        ("/api/v1/aliases", json!({"address": "a@example.org", "targets": ["nobody"]}), "/targets"),
    ] {
        let refused = admin.ask("POST", path, &body);
        assert_eq!(refused.json()["pointer"], json!(pointer), "{body}: {refused:?}");
    }
}

fn walked(house: &House, program: &super::client::Program, path: &str, key: &str) -> Vec<String> {
    let (mut found, mut place) = (Vec::new(), path.to_owned());
    loop {
        let page = house.get(program, &place);
        let items = page["items"].as_array().unwrap_or_else(|| panic!("{place}: {page}"));
        assert!(items.len() <= 2, "{page}");
        found.extend(items.iter().filter_map(|item| item[key].as_str().map(str::to_owned)));
        let Some(next) = page["next"].as_str() else { return found };
        place = format!("{path}&after={}", super::client::encoded(next));
    }
}

#[test]
fn the_trash_is_paged_by_the_store_and_seen_by_domain() {
    let house = House::new();
    let (admin, owner) = (house.program("admin"), house.program("olivia"));
    for (name, domain) in [("anna", "example.org"), ("bert", "example.net"), ("anna", "example.org"), ("carl", "example.org")] {
        house.pop(&admin, name, domain);
        let gone = admin.ask("DELETE", &format!("/api/v1/pops/{name}"), &json!(null));
        assert_eq!(gone.status, 200, "{gone:?}");
    }
    assert_eq!(walked(&house, &admin, "/api/v1/trash?limit=2", "name"), ["anna", "anna", "bert", "carl"]);
    assert_eq!(walked(&house, &owner, "/api/v1/trash?limit=2", "name"), ["anna", "anna", "carl"]);
    assert_eq!(owner.ask("POST", "/api/v1/pops/bert/restore", &json!({})).status, 404, "it is another owner's");
    assert_eq!(owner.ask("POST", "/api/v1/pops/carl/restore", &json!({})).status, 200);
    assert_eq!(walked(&house, &owner, "/api/v1/trash?limit=2", "name"), ["anna", "anna"]);
}

#[test]
fn listings_are_searched_and_paged_by_the_store() {
    let house = House::new();
    let (admin, owner) = (house.program("admin"), house.program("olivia"));
    admin.ask("POST", "/api/v1/domains", &json!({"domain": "a.example", "owner": "olivia"}));
    for name in ["anna.smith", "bert", "carl", "dora.smith", "emil"] {
        house.pop(&admin, name, if name == "carl" { "example.net" } else { "example.org" });
    }
    house.pop(&admin, "zoe", "a.example");
    admin.ask("POST", "/api/v1/aliases", &json!({"address": "sales@example.org", "targets": ["bert"]}));
    admin.ask("POST", "/api/v1/aliases", &json!({"address": "sales@example.net", "targets": ["carl"]}));
    let all = ["anna.smith", "bert", "carl", "dora.smith", "emil", "nora", "zoe"];
    assert_eq!(walked(&house, &admin, "/api/v1/pops?limit=2", "name"), all);
    assert_eq!(walked(&house, &admin, "/api/v1/pops?limit=2&domain=example.net", "name"), ["carl", "nora"]);
    assert_eq!(walked(&house, &admin, "/api/v1/pops?limit=2&search=smi", "name"), ["anna.smith", "dora.smith"]);
    assert_eq!(walked(&house, &admin, "/api/v1/pops?limit=2&search=owner%20bert", "name"), ["bert"]);
    assert_eq!(walked(&house, &admin, "/api/v1/pops?limit=2&search=carl@example.net", "name"), ["carl"]);
    assert_eq!(walked(&house, &owner, "/api/v1/pops?limit=2", "name"), ["zoe", "anna.smith", "bert", "dora.smith", "emil"]);
    assert_eq!(walked(&house, &owner, "/api/v1/pops?limit=2&search=smith", "name"), ["anna.smith", "dora.smith"]);
    assert_eq!(walked(&house, &owner, "/api/v1/pops?limit=2&domain=example.net", "name"), [""; 0]);
    assert_eq!(walked(&house, &admin, "/api/v1/aliases?limit=2&search=sal", "address"), ["sales@example.net", "sales@example.org"]);
    assert_eq!(walked(&house, &owner, "/api/v1/aliases?limit=2&search=sal", "address"), ["sales@example.org"]);
    assert_eq!(walked(&house, &owner, "/api/v1/aliases?limit=2&search=sales@example.org", "address"), ["sales@example.org"]);
    for address in ["first.sales@example.org", "pre-sales.team@example.net", "unrelated@example.org"] {
        admin.ask("POST", "/api/v1/aliases", &json!({"address": address, "targets": ["bert", "carl"]}));
    }
    let sales = ["sales@example.net", "pre-sales.team@example.net", "first.sales@example.org", "sales@example.org"];
    let sorted = |mut found: Vec<String>| {
        found.sort();
        found
    };
    assert_eq!(
        sorted(walked(&house, &admin, "/api/v1/aliases?limit=2&search=sales", "address")),
        sorted(sales.map(str::to_owned).to_vec())
    );
    assert_eq!(walked(&house, &admin, "/api/v1/aliases?limit=1&search=team%20sal", "address"), ["pre-sales.team@example.net"]);
    assert_eq!(walked(&house, &owner, "/api/v1/aliases?limit=1&search=sales", "address"), ["first.sales@example.org", "sales@example.org"]);
    assert_eq!(walked(&house, &owner, "/api/v1/aliases?limit=2&search=example.net", "address"), [""; 0]);
    assert_eq!(
        walked(&house, &admin, "/api/v1/aliases?limit=2&search=Example.NET", "address"),
        ["pre-sales.team@example.net", "sales@example.net"]
    );
    admin.ask("POST", "/api/v1/pops/bert/rename", &json!({"name": "bertold"}));
    admin.ask("DELETE", "/api/v1/aliases/first.sales@example.org", &Value::Null);
    assert_eq!(walked(&house, &owner, "/api/v1/aliases?limit=1&search=sales", "address"), ["sales@example.org"]);
    assert_eq!(walked(&house, &owner, "/api/v1/domains?limit=1", "domain"), ["a.example", "example.org"]);
    assert_eq!(walked(&house, &admin, "/api/v1/audit?limit=2&about=zoe", "actor"), ["admin"]);
}
