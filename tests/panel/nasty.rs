//! Every text field of every form, with what nobody types by accident; and requests to the API that no program makes.

use super::client::{Answer, Browser, raw};
use super::house::{House, PASSWORD};
use serde_json::{Value, json};

const SCRIPT: &str = "\"><script>alert(1)</script>";

/// Turned around, invisible, and combined.
const STRANGE: &str = "\u{202e}\u{200b}\u{feff}a\u{301}\u{2066}x";

type Form = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Forms: where they are shown, where they are sent, and what would be accepted (or lacks one thing, so that nothing is).
const FORMS: [Form; 12] = [
    ("/pops", "/pops", &[("name", "new"), ("domain", "example.org"), ("owner", "New"), ("password", ""), ("quota", "1 GiB")]),
    ("/pops?edit=alice", "/pops/alice", &[("name", "alice"), ("domain", "example.org"), ("owner", "A"), ("quota", "0"), ("password", "")]),
    ("/aliases", "/aliases", &[("address", "new@example.org"), ("targets", "nobody"), ("note", "n"), ("expires", "2099-01-01")]),
    ("/aliases?edit=info@example.org", "/aliases/info@example.org", &[("targets", "nobody"), ("note", "n"), ("expires", "2099-01-01")]),
    (
        "/lists",
        "/lists",
        &[
            ("name", "new"),
            ("domain", "example.org"),
            ("owner", "nobody"),
            ("posting", "anyone"),
            ("description", "d"),
            ("targets", "alice"),
        ],
    ),
    ("/lists?edit=team", "/lists/team", &[("owner", "nobody"), ("posting", "anyone"), ("description", "d"), ("targets", "alice")]),
    ("/lists/team/members", "/lists/team/members", &[("lines", "nobody")]),
    ("/domains", "/domains", &[("domain", "new.example"), ("owner", "nobody")]),
    ("/masters", "/masters", &[("name", "new"), ("role", "owner"), ("password", "")]),
    ("/pops/alice/handling", "/pops/alice/handling", &[("targets", "nobody"), ("text", "t"), ("from", ""), ("until", "")]),
    ("/account", "/account/password", &[("old", "wrong"), ("new", "other-one"), ("again", "other-one")]),
    // A label may be anything, and is shown from then on.
    ("/account", "/account/tokens", &[("label", ""), ("life", "30")]),
];

fn furnished() -> House {
    let house = House::new();
    let admin = house.program("admin");
    house.pop(&admin, "alice", "example.org");
    admin.ask("POST", "/api/v1/aliases", &json!({"address": "info@example.org", "targets": ["alice"]}));
    admin.ask("POST", "/api/v1/lists", &json!({"name": "team", "domain": "example.org", "owner": "alice", "posting": "anyone"}));
    house
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Nothing of it runs; and where it was refused, it is there again, and nothing was changed.
fn hold_to_the_rules(what: &str, typed: &str, is_secret: bool, answer: &Answer, changed: bool) {
    assert!(matches!(answer.status, 200 | 303 | 422), "{what}: {} {}", answer.status, answer.words());
    assert!(!answer.text.contains("<script>alert"), "{what}: it would run");
    assert!(answer.status == 303 || !changed, "{what}: refused, and something was changed");
    let shown = answer.text.contains(&escaped(typed)) && !typed.is_empty();
    assert!(!is_secret || !shown, "{what}: a password came back");
    // A date that is none is no date to a browser either.
    let kept = shown || is_secret || answer.status == 303;
    assert!(kept, "{what}: what was typed is gone: {}", answer.words());
}

#[test]
fn every_text_field_of_every_form() {
    let house = furnished();
    let mut browser = house.admin();
    let long = "x".repeat(10_000);
    let state = |house: &House| house.world.done(&["export"]);
    let mut before = state(&house);
    for (page, place, fields) in FORMS {
        let shown = browser.get(page);
        assert_eq!(shown.status, 200, "{page}");
        let revision = shown.input("revision").unwrap_or_default();
        for (name, _) in fields.iter().filter(|(name, _)| !["posting", "role", "life"].contains(name)) {
            for typed in [SCRIPT, STRANGE, long.as_str()] {
                let sent = fields.iter().map(|(field, value)| (*field, if field == name { typed } else { *value }));
                let sent: Vec<_> = sent.chain([("revision", revision.as_str())]).collect();
                let answer = browser.post(place, &sent);
                let after = state(&house);
                let is_secret = ["password", "old", "new", "again"].contains(name);
                hold_to_the_rules(&format!("{place} {name}={typed:.24}"), typed, is_secret, &answer, before != after);
                before = after;
            }
        }
    }
    for path in
        ["/trace?address=", "/trace?from=a@b.example&address=x@example.org&without=", "/log?to=", "/queue?sender=", "/lists?search="]
    {
        for typed in [SCRIPT, STRANGE, long.as_str()] {
            let answer = browser.get(&format!("{path}{}", super::client::encoded(typed)));
            assert!(answer.status == 200 && !answer.text.contains("<script>alert"), "{path}{typed:.24}: {}", answer.status);
        }
    }
}

#[test]
fn one_domain_has_one_record_however_it_is_spelt() {
    let house = House::new();
    let mut browser = house.admin();
    browser.get("/domains");
    assert_eq!(browser.post("/domains", &[("domain", "Bücher.Example.")]).status, 303);
    for spelling in ["bücher.example", "XN--BCHER-KVA.example", "bu\u{308}cher.example", "bü\u{200b}cher.example", "ＢÜcher。example"]
    {
        let refused = browser.post("/domains", &[("domain", spelling)]);
        assert_eq!(refused.status, 422, "{spelling}");
        assert!(refused.words().contains("exists already"), "{spelling}: {}", refused.words());
    }
    browser.get("/pops");
    let fields = [("name", "anna"), ("domain", "BÜCHER.example"), ("owner", "Anna"), ("password", PASSWORD)];
    let answer = browser.post("/pops", &fields);
    assert!(browser.follow(&answer).words().contains("bücher.example"), "it is shown as it is read");
    browser.get("/aliases");
    assert_eq!(browser.post("/aliases", &[("address", "Post@Bücher.example"), ("targets", "anna@xn--bcher-kva.example")]).status, 303);
    assert!(browser.get("/trace?address=post%40b%C3%BCcher.example").words().contains("It ends in anna"));
    assert!(browser.get("/aliases?search=b%C3%BCcher.example").words().contains("post@xn--bcher-kva.example"));
}

#[test]
fn two_tabs_and_double_clicks_everywhere() {
    let house = furnished();
    let mut browser = house.admin();
    for (page, place, first, second) in [
        ("/aliases?edit=info@example.org", "/aliases/info@example.org", ("note", "first tab"), ("note", "second tab")),
        ("/lists?edit=team", "/lists/team", ("description", "first tab"), ("description", "second tab")),
        ("/domains?edit=example.org", "/domains/example.org", ("owner", ""), ("owner", "olivia")),
    ] {
        let revision = browser.get(page).input("revision").expect("a revision");
        let all = [("targets", "alice"), ("enabled", "yes"), ("posting", "anyone"), ("revision", revision.as_str())];
        let rest: Vec<_> = all.into_iter().chain((page.starts_with("/lists")).then_some(("owner", "alice"))).collect();
        assert_eq!(browser.post(place, &[&rest[..], &[first]].concat()).status, 303, "{page}");
        let lost = browser.post(place, &[&rest[..], &[second]].concat());
        assert_eq!(lost.status, 422, "{page}: {}", lost.words());
        assert!(lost.words().contains("changed by somebody else"), "{page}: {}", lost.words());
    }
    for (page, place, fields) in [
        ("/lists", "/lists", [("name", "twice"), ("domain", "example.org"), ("owner", "alice"), ("posting", "anyone")].as_slice()),
        ("/domains", "/domains", &[("domain", "twice.example")]),
        ("/masters", "/masters", &[("name", "double"), ("role", "owner"), ("password", PASSWORD)]),
    ] {
        browser.get(page);
        assert_eq!((browser.post(place, fields).status, browser.post(place, fields).status), (303, 422), "{place}");
    }
}

#[test]
fn a_session_that_ends_in_mid_form_loses_nothing_but_the_form() {
    let house = furnished();
    let mut browser = house.admin();
    let csrf = browser.get("/pops?edit=alice").input("csrf").expect("a token");
    browser.clone().post("/logout", &[]);
    let headers = "Content-Type: application/x-www-form-urlencoded\r\nReferer: http://x/pops?edit=alice\r\n";
    let late = browser.request("POST", "/pops/alice", headers, format!("name=alice&owner=Late&csrf={csrf}").as_bytes());
    assert_eq!((late.status, late.header("location")), (303, "/login?next=%2Fpops%3Fedit%3Dalice"));
    let door = browser.follow(&late);
    assert!(door.words().contains("nothing was changed yet"), "{}", door.words());
    let next = door.input("next").expect("where to go on");
    let inside = browser.post("/login", &[("name", "admin"), ("password", PASSWORD), ("next", &next)]);
    assert_eq!(inside.header("location"), "/pops?edit=alice");
    assert!(!browser.get("/pops").words().contains("Late"));
    // Another session's token is none.
    let mut other: Browser = house.admin();
    other.get("/pops");
    assert_eq!(other.post_with("/pops/alice/delete", &csrf, &[]).status, 403);
}

#[test]
fn requests_to_the_api_that_no_program_makes() {
    let house = furnished();
    let admin = house.program("admin");
    let before = house.world.done(&["export"]);
    let is_problem = |answer: &Answer, status: u16, what: &str| {
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
    };
    is_problem(&admin.ask("PUT", "/api/v1/pops", &json!({})), 405, "method");
    is_problem(&admin.ask("DELETE", "/api/v1/pops", &Value::Null), 405, "method");
    let send = |kind: &str, body: &[u8], length: usize| {
        let head = format!(
            "POST /api/v1/pops HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n",
            admin.token
        );
        raw(admin.address, &[head.as_bytes(), body].concat())
    };
    is_problem(&send("text/plain", b"{}", 2), 400, "content type");
    is_problem(&send("application/json", b"{", 1), 400, "half an object");
    is_problem(&send("application/json", b"[1]", 3), 422, "an array");
    is_problem(&send("application/json", b"\xff\xfe", 2), 400, "no text");
    let deep = format!("{{\"owner\": {}", "[".repeat(100_000));
    is_problem(&send("application/json", deep.as_bytes(), deep.len()), 400, "deep");
    is_problem(&send("application/json", &vec![b' '; 2_000_000], 104_857_600), 413, "100 MB");
    let long = "x".repeat(10_000);
    for (field, value) in
        [("name", long.as_str()), ("owner", &long), ("domain", &long), ("password", &long), ("owner", "a\u{0}b"), ("name", SCRIPT)]
    {
        let mut body = json!({"name": "new", "domain": "example.org", "owner": "x", "password": PASSWORD});
        body[field] = json!(value);
        let refused = admin.ask("POST", "/api/v1/pops", &body);
        is_problem(&refused, 422, field);
        assert_eq!(refused.json()["pointer"], json!(format!("/{field}")), "{refused:?}");
        assert!(field != "password" || !refused.text.contains(&long), "a password came back");
    }
    for path in
        ["/api/v1/pops/..%2f..%2fetc", "/api/v1/../../etc/passwd", "/api/v1/pops/%00", "/api/v1//pops", "/api/v1/pops/alice/../../masters"]
    {
        let answer = admin.ask("GET", path, &Value::Null);
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
    }
    assert_eq!(house.world.done(&["export"]), before);
}

#[test]
fn a_list_that_is_refused_in_part_is_refused_whole() {
    let house = furnished();
    let admin = house.program("admin");
    let before = house.world.done(&["export"]);
    let list = json!({"name": "new", "domain": "example.org", "owner": "alice", "posting": "anyone", "description": "<b>"});
    assert_eq!(admin.ask("POST", "/api/v1/lists", &list).status, 422);
    assert_eq!(admin.ask("PATCH", "/api/v1/lists/team", &json!({"description": "fine", "owner": "nobody"})).status, 422);
    assert_eq!(admin.ask("PATCH", "/api/v1/lists/team", &json!({"description": "<b>", "posting": "owner"})).status, 422);
    assert_eq!(house.world.done(&["export"]), before);
    let edit = json!({"description": "Our team", "tag": true, "posting": "owner", "join": ["nora"]});
    assert_eq!(admin.ask("PATCH", "/api/v1/lists/team", &edit).status, 200);
    let last = house.get(&admin, "/api/v1/audit?about=team&limit=1")["items"][0].clone();
    let undone = admin.ask("POST", &format!("/api/v1/audit/{}/undo", last["revision"]), &Value::Null);
    assert_eq!(undone.status, 200, "{undone:?}");
    let team = house.get(&admin, "/api/v1/lists/team");
    assert_eq!((&team["description"], &team["tag"], &team["posting"]), (&json!(""), &json!(false), &json!("anyone")), "{team}");
    assert_eq!(house.world.done(&["export"]), before, "one change, one undoing");
}
