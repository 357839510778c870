//! Bad input: the form again with what was typed (never a password), the message beside its field, and nothing changed.

use super::client::{Browser, raw};
use super::house::{House, PASSWORD};

const SCRIPT: &str = "\"><script>alert(1)</script>";

#[test]
fn a_refused_form_comes_back_as_it_was_typed() {
    let house = House::new();
    let mut browser = house.admin();
    browser.get("/pops");
    let good = [("name", "alice"), ("domain", "example.org"), ("owner", "Alice"), ("password", PASSWORD), ("quota", "1 GiB")];
    let long = "x".repeat(10_000);
    for (field, value, words) in [
        ("name", SCRIPT, "cannot be a name"),
        ("name", "", "cannot be a name"),
        ("name", long.as_str(), "cannot be a name"),
        ("domain", SCRIPT, "is not a domain name"),
        ("domain", "nowhere.example", "there is no domain"),
        ("owner", "", "Say who owns it"),
        ("owner", long.as_str(), "the owner is a real name or a description"),
        ("password", "short", "too short"),
        ("password", "white space", "white space"),
        ("password", "", "Choose a password"),
        ("quota", SCRIPT, "Write a size"),
        ("quota", "0", "would refuse all mail"),
    ] {
        let fields: Vec<_> = good.iter().map(|(name, typed)| (*name, if *name == field { value } else { *typed })).collect();
        let refused = browser.post("/pops", &fields);
        assert_eq!(refused.status, 422, "{field}={value:.20}: {}", refused.words());
        assert!(refused.words().contains(words), "{field}={value:.20}: {}", refused.words());
        assert!(!refused.text.contains("<script>alert"), "{field}");
        assert!(refused.input("password").is_none() && !refused.text.contains(PASSWORD), "a password came back");
        for (name, typed) in fields.iter().filter(|(name, _)| ["name", "owner", "quota"].contains(name)) {
            assert_eq!(refused.input(name).as_deref(), Some(*typed), "{field}: {name}");
        }
        let described = format!("aria-describedby=\"about-{field}\"");
        let control = refused.text.split('<').find(|tag| tag.contains(&described)).expect("the field is there");
        assert!(control.contains("aria-invalid=\"true\""), "{field}: {control}");
    }
    assert!(!browser.get("/pops").words().contains("alice"), "nothing was changed");
}

#[test]
fn strange_characters_are_shown_as_they_are_and_do_no_harm() {
    let house = House::new();
    let mut browser = house.admin();
    browser.get("/pops");
    let owner = "\u{202e}evil\u{200b}<b>bold</b>&amp;'\"";
    let answer = browser.post("/pops", &[("name", "alice"), ("domain", "example.org"), ("owner", owner), ("password", PASSWORD)]);
    let page = browser.follow(&answer);
    assert!(
        page.text.contains("<bdi>\u{202e}evil\u{200b}&lt;b&gt;bold&lt;/b&gt;&amp;amp;'&quot;</bdi>"),
        "kept apart from what stands beside it"
    );
    for path in [
        "/pops?search=%3Cscript%3E",
        "/aliases?search=%00%0a",
        "/audit?about=%22%3E%3Cscript%3E",
        "/pops?done=added&about=%3Cscript%3E",
        "/pops?done=%3Cscript%3E&about=x",
    ] {
        let page = browser.get(path);
        assert!(page.status == 200 && !page.text.contains("<script>"), "{path}");
    }
}

#[test]
fn two_tabs_and_double_clicks() {
    let house = House::new();
    let mut browser = house.admin();
    browser.get("/pops");
    let fields = [("name", "alice"), ("domain", "example.org"), ("owner", "Alice"), ("password", PASSWORD)];
    assert_eq!(browser.post("/pops", &fields).status, 303);
    let twice = browser.post("/pops", &fields);
    assert_eq!(twice.status, 422);
    assert!(twice.words().contains("taken by a POP account"), "{}", twice.words());
    let revision = browser.get("/pops?edit=alice").input("revision").expect("a revision");
    let edit = |owner: &'static str| {
        [("revision", revision.clone()), ("name", "alice".into()), ("domain", "example.org".into()), ("owner", owner.to_owned())]
    };
    let (first, second) = (edit("First Tab"), edit("Second Tab"));
    let sent = |fields: &[(&'static str, String)]| -> Vec<(&'static str, String)> { fields.to_vec() };
    let send = |browser: &mut Browser, fields: Vec<(&'static str, String)>| {
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post("/pops/alice", &fields)
    };
    assert_eq!(send(&mut browser, sent(&first)).status, 303);
    let lost = send(&mut browser, sent(&second));
    assert_eq!(lost.status, 422);
    assert!(lost.words().contains("changed by somebody else"), "{}", lost.words());
    assert_eq!(lost.input("owner").as_deref(), Some("Second Tab"), "what was typed is kept");
    assert!(browser.get("/pops").words().contains("First Tab"));
    assert_eq!(browser.post("/pops/alice/delete", &[]).status, 303);
    assert_eq!(browser.post("/pops/alice/delete", &[]).status, 404, "deleting twice deletes once");
}

#[test]
fn requests_that_no_page_makes() {
    let house = House::new();
    let mut browser = house.admin();
    let csrf = browser.get("/pops").input("csrf").expect("a token");
    assert_eq!(browser.request("PUT", "/pops", "", b"").status, 405);
    assert_eq!(browser.request("DELETE", "/pops/nora", "", b"").status, 405);
    assert_eq!(browser.request("POST", "/pops", "Content-Type: application/json\r\n", b"{}").status, 415);
    assert_eq!(browser.request("POST", "/pops", "Content-Type: application/x-www-form-urlencoded\r\n", b"\xff%zz&&==").status, 403);
    for path in [
        "/../etc/passwd",
        "/assets/../../Cargo.toml",
        "/assets/%2e%2e%2fCargo.toml",
        "/pops/%00",
        "/pops/..%2f..",
        "//pops",
        "/pops/nora/delete/x",
        "/%ff",
    ] {
        let answer = browser.get(path);
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
    }
    // 100 MB: refused after what a form may have, not read to the end.
    let cookie = format!("restante={}", browser.cookies["restante"]);
    let head = format!(
        "POST /pops HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 104857600\r\n\r\n"
    );
    let big = raw(house.world.admin(), &[head.as_bytes(), &vec![b'a'; 600_000]].concat());
    assert_eq!(big.status, 413, "{big:?}");
    let owner = browser.post_with(
        "/pops",
        &csrf,
        &[("name", "alice"), ("domain", "example.org"), ("owner", &"x".repeat(300_000)), ("password", PASSWORD)],
    );
    assert_eq!(owner.status, 413);
    assert!(!browser.get("/pops").words().contains("alice"));
}
