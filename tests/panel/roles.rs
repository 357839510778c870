//! Every operation of the document, as everybody: nobody, an owner, an admin. An owner meets nothing of others' domains.

use super::client::Program;
use super::house::House;
use serde_json::{Value, json};

/// What an operation needs to be well formed: the path with foreign things in it, and a body.
fn foreign(path: &str) -> String {
    path.replace("/pops/{name}", "/pops/nora")
        .replace("/lists/{name}", "/lists/staff")
        .replace("/masters/{name}", "/masters/admin")
        .replace("/names/{name}", "/names/free-name")
        .replace("{domain}", "example.net")
        .replace("{revision}", "1")
        .replace("{address}", "sales@example.net")
        .replace("/tokens/{id}", "/tokens/0000000000000000?master=admin")
        .replace("/queue/{id}", "/queue/0000000000001")
        .replace("/held/{id}", "/held/0000000000001")
        .replace("/deliveries/{id}", "/deliveries/0000000000001")
        + match path {
            "/api/v1/trace" => "?address=nora@example.net",
            "/api/v1/tokens" => "?master=admin",
            _ => "",
        }
}

fn body(method: &str, path: &str) -> Value {
    match (method, path) {
        ("post", "/api/v1/pops") => json!({"name": "mallory", "domain": "example.net", "owner": "x", "generate": true}),
        ("patch", "/api/v1/pops/{name}") => json!({"owner": "mallory"}),
        ("put", "/api/v1/pops/{name}/password" | "/api/v1/masters/{name}/password") => json!({"generate": true}),
        ("post", "/api/v1/pops/{name}/rename") => json!({"name": "mallory"}),
        ("post", "/api/v1/pops/{name}/restore") => json!({}),
        ("post", "/api/v1/lists") => json!({"name": "mallory", "domain": "example.net", "owner": "nora", "posting": "anyone"}),
        ("post", "/api/v1/lists/{name}/members/suspend" | "/api/v1/lists/{name}/members/resume") => json!({"member": "nora"}),
        ("put", "/api/v1/pops/{name}/copies") => json!({"copies": ["mine"]}),
        ("put", "/api/v1/pops/{name}/vacation") => json!({"text": "mallory"}),
        ("post", "/api/v1/held/{id}/refuse") => json!({"reason": "mallory"}),
        ("patch", "/api/v1/lists/{name}") => json!({"posting": "anyone"}),
        ("post", "/api/v1/aliases") => json!({"address": "mallory@example.net", "targets": ["nora"]}),
        ("patch", "/api/v1/aliases/{address}") => json!({"note": "mallory"}),
        ("post", "/api/v1/aliases/{address}/remove") => json!({"targets": ["nora"]}),
        ("post", "/api/v1/domains") => json!({"domain": "mallory.example", "owner": "olivia"}),
        ("patch", "/api/v1/domains/{domain}") => json!({"owner": "olivia"}),
        ("post", "/api/v1/masters") => json!({"name": "mallory", "role": "admin", "generate": true}),
        ("post", "/api/v1/tokens") => json!({"label": "mallory", "master": "admin"}),
        _ => Value::Null,
    }
}

/// Everything that the admin's export holds, as it is now.
fn state(house: &House) -> String {
    house.world.done(&["export"])
}

#[test]
fn every_operation_as_every_role() {
    let house = House::new();
    let (admin, owner) = (house.program("admin"), house.program("olivia"));
    let nobody = Program { token: String::new(), ..admin.clone() };
    admin.ask("POST", "/api/v1/aliases", &json!({"address": "sales@example.net", "targets": ["nora"]}));
    admin.ask("POST", "/api/v1/lists", &json!({"name": "staff", "domain": "example.net", "owner": "nora", "posting": "owner"}));
    house.pop(&admin, "mine", "example.org");
    let document = nobody.ask("GET", "/api/openapi.json", &Value::Null).json();
    let paths = document["paths"].as_object().expect("paths");
    let before = state(&house);
    let mut walked = 0;
    for (path, operations) in paths {
        for method in operations.as_object().expect("operations").keys() {
            walked += 1;
            let (place, body) = (foreign(path), body(method, path));
            let what = format!("{method} {place}");
            assert_eq!(nobody.ask(&method.to_uppercase(), &place, &body).status, 401, "{what}");
            let answer = owner.ask(&method.to_uppercase(), &place, &body);
            let harmless = ["/api/v1/health", "/api/v1/names/{name}"].contains(&path.as_str());
            let listing = method == "get" && !path.contains('{') && answer.status == 200;
            assert!(harmless || listing || matches!(answer.status, 403 | 404), "{what}: {answer:?}");
            let told = answer.text.contains("Nora Net") || answer.text.contains("\"nora\"") || answer.text.contains("\"example.net\"");
            assert!(!(answer.status == 200 && told), "{what} tells of another's domain: {answer:?}");
        }
    }
    assert!(walked > 35, "the document names {walked} operations");
    assert_eq!(state(&house), before, "an owner changed something that is not its own");
}

#[test]
fn an_owner_meets_only_its_own_in_the_panel() {
    let house = House::new();
    let admin = house.program("admin");
    admin.ask("POST", "/api/v1/aliases", &json!({"address": "sales@example.net", "targets": ["nora"]}));
    admin.ask("POST", "/api/v1/lists", &json!({"name": "staff", "domain": "example.net", "owner": "nora", "posting": "owner"}));
    house.pop(&admin, "mine", "example.org");
    let mut browser = house.owner();
    for path in [
        "/",
        "/pops",
        "/pops?domain=example.net",
        "/pops?search=nora",
        "/aliases",
        "/aliases?target=nora",
        "/lists",
        "/domains",
        "/trash",
        "/log",
        "/queue",
        "/audit",
    ] {
        let page = browser.get(path);
        assert_eq!(page.status, 200, "{path}");
        let words = page.words();
        assert!(!words.contains("Nora Net") && !words.contains("sales@example.net") && !words.contains("Masters"), "{path}: {words}");
    }
    for path in [
        "/pops?edit=nora",
        "/pops/nora/delete",
        "/pops/nora/handling",
        "/lists/staff/members",
        "/lists/staff/held",
        "/aliases?edit=sales%40example.net",
        "/domains?edit=example.net",
        "/masters",
        "/account?master=admin",
    ] {
        assert!(matches!(browser.get(path).status, 403 | 404), "{path}");
    }
    assert!(browser.get("/trace?address=nora%40example.net").words().contains("there is no domain `example.net` among yours"));
    let before = state(&house);
    let refused =
        |answer: super::client::Answer, what: &str| assert!(matches!(answer.status, 403 | 404 | 422), "{what}: {}", answer.words());
    browser.get("/pops");
    refused(browser.post("/pops/nora", &[("revision", "1"), ("name", "nora"), ("domain", "example.org"), ("owner", "x")]), "edit");
    refused(browser.post("/pops/nora/delete", &[]), "delete");
    refused(browser.post("/pops", &[("name", "x"), ("domain", "example.net"), ("owner", "x"), ("password", "secret-enough")]), "add");
    refused(browser.post("/pops/nora/handling", &[("targets", "mine"), ("text", "x")]), "copies");
    refused(browser.post("/lists/staff/members", &[("lines", "mine")]), "members");
    refused(browser.post("/lists/staff/members/seat", &[("member", "nora"), ("what", "remove")]), "seat");
    refused(browser.post("/lists/staff/held", &[("id", "0000000000001"), ("what", "approve")]), "held");
    refused(browser.post("/domains", &[("domain", "x.example")]), "domain");
    refused(browser.post("/masters", &[("name", "x"), ("role", "admin"), ("generate", "yes")]), "master");
    refused(browser.post("/account/tokens", &[("label", "x"), ("master", "admin")]), "token");
    assert_eq!(state(&house), before);
}
