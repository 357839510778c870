//! The page that the project began from, step by step, without a script.

use super::house::{House, PASSWORD};
use super::world::process::until;
use super::world::program::done;
use std::time::Duration;

#[test]
fn pop_accounts_as_their_users_know_them() {
    let house = House::new();
    let mut browser = house.admin();
    for words in ["Email Management", "POP Accounts", "Aliases", "List Accounts", "Domains", "Masters", "Trash", "Test & Trace", "Audit"] {
        assert!(browser.get("/").words().contains(words), "the menu has {words}");
    }
    let page = browser.get("/pops");
    for words in ["POP account", "Owner", "Domain", "Aliases to POP", "Size / quota", "Last login", "Update POPs"] {
        assert!(page.words().contains(words), "the page has {words}");
    }
    // Steps 1 to 5.
    let fields = [("name", "alice"), ("domain", "example.org"), ("owner", "Alice Ærlig"), ("password", PASSWORD), ("quota", "1 GiB")];
    let answer = browser.post("/pops", &fields);
    let page = browser.follow(&answer).words();
    for words in ["alice was added.", "Alice Ærlig", "alice@example.org hidden", "0 B / 1.0 GiB"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // A real message through SMTP changes the size.
    let smtp = house.world.smtp().to_string();
    done("swaks", &["--server", &smtp, "--from", "bob@client.test", "--to", "alice@example.org", "--body", "hello"], b"");
    let arrived = until(Duration::from_secs(20), || browser.get("/pops").words().contains("1 message").then_some(()));
    assert!(arrived.is_some(), "the size changes");
    assert!(browser.get("/").words().contains("bob@client.test"), "the dashboard shows the message");

    edit_and_alias(&house);
    delete_and_restore(&house);
}

fn edit_and_alias(house: &House) {
    let mut browser = house.admin();
    let page = browser.get("/pops?edit=alice");
    assert!(page.words().contains("Hidden: it can only be changed or reset."));
    assert_eq!((page.input("owner"), page.input("password")), (Some("Alice Ærlig".into()), None));
    let revision = page.input("revision").expect("the form knows what it shows");
    let answer = browser.post(
        "/pops/alice",
        &[
            ("revision", &revision),
            ("name", "alice"),
            ("domain", "example.org"),
            ("owner", "Alice Two"),
            ("password", "new-password"),
            ("quota", ""),
        ],
    );
    assert!(browser.follow(&answer).words().contains("Alice Two"));
    let answer = browser.post(
        "/aliases",
        &[("address", "info@example.org"), ("targets", "alice\nbob@elsewhere.example"), ("note", "a note"), ("expires", "2099-12-31")],
    );
    let page = browser.follow(&answer).words();
    assert!(page.contains("info@example.org") && page.contains("2099-12-31") && page.contains("a note"), "{page}");
    assert!(!page.contains("alice@example.org"), "hidden aliases are not listed: {page}");
    assert!(browser.get("/pops").words().contains("info@example.org"), "it stands beside its account");
    let page = browser.get("/aliases?edit=info%40example.org");
    let revision = page.input("revision").expect("a revision");
    let answer = browser.post(
        "/aliases/info%40example.org",
        &[("revision", &revision), ("targets", "alice"), ("note", "other"), ("expires", ""), ("enabled", "yes")],
    );
    assert!(browser.follow(&answer).words().contains("for ever"));
}

fn delete_and_restore(house: &House) {
    let mut browser = house.admin();
    let page = browser.get("/pops/alice/delete").words();
    for words in ["POP account alice moved to the trash", "alias entry info@example.org -> alice removed", "alias info@example.org removed"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(browser.get("/pops").words().contains("Alice Two"), "asking deletes nothing");
    let answer = browser.post("/pops/alice/delete", &[]);
    assert!(!browser.follow(&answer).words().contains("Alice Two"));
    assert!(!browser.get("/aliases").words().contains("info@example.org"));
    let trash = browser.get("/trash");
    assert!(trash.words().contains("info@example.org → alice"), "{}", trash.words());
    let id = trash.input("id").expect("which one");
    let page = browser.post("/trash/alice", &[("id", &id)]).words();
    assert!(page.contains("alice is back, with its mail."), "{page}");
    assert!(browser.get("/pops").words().contains("1 message"));
    assert!(browser.get("/aliases").words().contains("info@example.org"));
    assert!(browser.get("/audit?about=alice").words().contains("POP account alice restored"));
}

#[test]
fn an_edit_is_one_change_or_none() {
    let house = House::new();
    let (mut browser, admin) = (house.admin(), house.program("admin"));
    house.pop(&admin, "alice", "example.org");
    let seen = house.get(&admin, "/api/v1/audit?limit=1")["items"][0]["revision"].clone();
    let revision = browser.get("/pops?edit=alice").input("revision").expect("a revision");
    let edit = |name: &'static str| {
        [
            ("revision", revision.as_str()),
            ("name", name),
            ("domain", "example.net"),
            ("owner", "Alicia"),
            ("password", "another-password"),
            ("quota", "2 GiB"),
            ("state", "suspended"),
            ("keep_alias", "yes"),
        ]
        .to_vec()
    };
    let before = house.get(&admin, "/api/v1/pops/alice");
    let refused = browser.post("/pops/alice", &edit("nora"));
    assert_eq!(refused.status, 422);
    assert!(refused.words().contains("the name `nora` is taken by a POP account"), "{}", refused.words());
    assert_eq!(house.get(&admin, "/api/v1/pops/alice"), before, "nothing of it was done");
    assert_eq!(browser.post("/pops/alice", &edit("alicia")).status, 303);
    let after = house.get(&admin, "/api/v1/pops/alicia");
    assert_eq!(
        (&after["address"], &after["owner"], &after["quota"], &after["state"], &after["aliases"]),
        (&"alicia@example.net".into(), &"Alicia".into(), &(2_u64 << 30).into(), &"suspended".into(), &vec!["alice@example.org"].into()),
        "{after}"
    );
    let changes = house.get(&admin, "/api/v1/audit?limit=2");
    assert_eq!(changes["items"][1]["revision"], seen, "one entry, and no other: {changes}");
    assert_eq!((&changes["items"][0]["actor"], &changes["items"][0]["from"]), (&"admin".into(), &"127.0.0.1".into()));
    assert!(!changes.to_string().contains("argon2"), "{changes}");
}

#[test]
fn a_taken_name_comes_with_a_button_that_takes_another() {
    let house = House::new();
    let mut browser = house.admin();
    let fields = [("name", "nora"), ("domain", "example.org"), ("owner", "Another Nora"), ("password", PASSWORD)];
    let refused = browser.post("/pops", &fields);
    assert_eq!(refused.status, 422);
    let words = refused.words();
    assert!(
        words.contains("the name `nora` is taken by a POP account") && words.contains("Create nora-example-org with that alias"),
        "{words}"
    );
    assert_eq!((refused.input("owner").as_deref(), refused.input("password")), (Some("Another Nora"), None));
    let answer = browser.post("/pops", &[fields.as_slice(), &[("suggest", "yes")]].concat());
    let page = browser.follow(&answer).words();
    assert!(
        page.contains("nora-example-org was added.") && page.contains("nora-example-org@example.org hidden nora@example.org"),
        "{page}"
    );
}

#[test]
fn lists_domains_and_masters() {
    let house = House::new();
    let mut browser = house.admin();
    let answer = browser.post("/domains", &[("domain", "Bücher.example"), ("owner", "olivia")]);
    assert!(browser.follow(&answer).words().contains("bücher.example xn--bcher-kva.example olivia"));
    let page = browser.get("/domains?edit=xn--bcher-kva.example");
    let revision = page.input("revision").expect("a revision");
    let answer = browser.post("/domains/xn--bcher-kva.example", &[("revision", &revision), ("owner", "")]);
    assert!(browser.follow(&answer).words().contains("admins only"));
    let answer = browser.post(
        "/lists",
        &[("name", "team"), ("domain", "example.net"), ("owner", "nora"), ("posting", "members"), ("targets", "nora, x@elsewhere.example")],
    );
    let page = browser.follow(&answer).words();
    assert!(page.contains("team@example.net nora Members 2 members"), "{page}");
    let revision = browser.get("/lists?edit=team").input("revision").expect("a revision");
    let answer = browser.post("/lists/team", &[("revision", &revision), ("owner", "nora"), ("posting", "owner"), ("targets", "nora")]);
    assert!(browser.follow(&answer).words().contains("The owner alone 1 member"));
    assert!(browser.get("/lists/team/delete").words().contains("list account team removed"));
    browser.post("/lists/team/delete", &[]);
    assert!(browser.get("/lists").words().contains("No list account here."));
    let page = browser.post("/masters", &[("name", "max"), ("role", "owner"), ("generate", "yes")]).words();
    assert!(page.contains("The password of max: It is shown this once"), "{page}");
    browser.post("/masters/max/delete", &[]);
    assert!(!browser.get("/masters").words().contains("max owner"));
    let page = browser.get("/domains/xn--bcher-kva.example/delete").words();
    assert!(page.contains("domain xn--bcher-kva.example removed"), "{page}");
    browser.post("/domains/xn--bcher-kva.example/delete", &[]);
    assert!(!browser.get("/domains").words().contains("bücher"));
}

#[test]
fn a_trace_shows_what_is_and_what_would_be_and_a_test_message_arrives() {
    let house = House::new();
    house.world.done(&["alias", "add", "info@example.net", "nora"]);
    let mut browser = house.admin();
    let page = browser.get("/trace?address=info%40example.net").words();
    assert!(page.contains("250") && page.contains("It ends in nora") && page.contains("spool/mail/nora"), "{page}");
    let page = browser.get("/trace?address=info%40example.net&without=nora").words();
    assert!(page.contains("550 5.1.1") && page.contains("if nora were deleted"), "{page}");
    let page = browser.post("/trace/test", &[("address", "info@example.net")]).words();
    assert!(page.contains("routed to nora") && page.contains("safe on disk") && page.contains("queued as"), "{page}");
    assert!(page.contains("spool/mail/nora/new/"), "{page}");
    assert!(browser.get("/trace?address=no-address").words().contains("is not an address"));
}
