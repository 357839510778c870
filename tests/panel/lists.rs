//! Members, what waits for owners of lists, copies and vacations, as people see them.

use super::house::House;
use serde_json::json;

#[test]
fn members_are_added_searched_suspended_and_removed() {
    let house = House::new();
    let admin = house.program("admin");
    admin.ask("POST", "/api/v1/lists", &json!({"name": "team", "domain": "example.net", "owner": "nora", "posting": "members"}));
    let mut browser = house.admin();
    assert!(browser.get("/lists/team/members").words().contains("No member here."));
    let lines = "nora\nno body\nann@elsewhere.example\nnobody-here\n";
    let refused = browser.post("/lists/team/members", &[("lines", lines)]);
    assert_eq!(refused.status, 422);
    let words = refused.words();
    assert!(words.contains("2 bad lines: nobody joined.") && words.contains("Line 2: ") && words.contains("Line 4: "), "{words}");
    let skipped = browser.post("/lists/team/members", &[("lines", lines), ("skip", "yes")]);
    assert!(skipped.words().contains("2 others joined."), "{}", skipped.words());
    let answer = browser.post("/lists/team/members/seat", &[("member", "ann@elsewhere.example"), ("what", "suspend")]);
    assert!(browser.follow(&answer).words().contains("by an administrator"));
    let found = browser.get("/lists/team/members?suspended=yes").words();
    assert!(found.contains("ann@elsewhere.example") && !found.contains("nora Active"), "{found}");
    assert!(browser.get("/lists/team/members?search=NORA").words().contains("nora Active"));
    browser.post("/lists/team/members/seat", &[("member", "ann@elsewhere.example"), ("what", "resume")]);
    let answer = browser.post("/lists/team/members/seat", &[("member", "nora"), ("what", "remove")]);
    let left = browser.follow(&answer).words();
    assert!(left.contains("1 in all.") && left.contains("ann@elsewhere.example Active"), "{left}");
    assert_eq!(browser.get("/lists/none/members").status, 404);
}

#[test]
fn a_list_of_many_members_is_edited_without_them() {
    let house = House::new();
    let admin = house.program("admin");
    let members: Vec<String> = (0..300).map(|number| format!("m{number:03}@elsewhere.example")).collect();
    let new = json!({"name": "team", "domain": "example.net", "owner": "nora", "posting": "members", "members": members});
    admin.ask("POST", "/api/v1/lists", &new);
    let mut browser = house.admin();
    let page = browser.get("/lists?edit=team");
    assert_eq!(page.input("many").as_deref(), Some("yes"));
    let revision = page.input("revision").expect("a revision");
    let fields = [
        ("revision", revision.as_str()),
        ("owner", "nora"),
        ("posting", "moderated"),
        ("many", "yes"),
        ("tag", "yes"),
        ("description", "Ours"),
    ];
    let answer = browser.post("/lists/team", &fields);
    assert!(browser.follow(&answer).words().contains("300 members"));
    let shown = house.get(&admin, "/api/v1/lists/team");
    assert_eq!((&shown["tag"], &shown["description"], &shown["member_count"]), (&json!(true), &json!("Ours"), &json!(300)));
    assert!(browser.get("/lists/team/members").words().contains("Next page"));
    assert!(browser.get("/lists/team/held").words().contains("No message waits."));
    assert_eq!(browser.post("/lists/team/held", &[("id", "0000000000001"), ("what", "approve")]).status, 404);
}

#[test]
fn copies_and_vacations_are_set_and_ended() {
    let house = House::new();
    house.pop(&house.program("admin"), "max", "example.net");
    let mut browser = house.admin();
    let wrong = browser.post("/pops/nora/handling", &[("targets", "nora"), ("text", ""), ("from", "soon")]);
    assert_eq!(wrong.status, 422);
    let fields = [("targets", "max"), ("text", "Away <b>now</b>."), ("from", "2030-01-01"), ("until", "2030-02-01")];
    let answer = browser.post("/pops/nora/handling", &fields);
    let page = browser.follow(&answer);
    assert!(page.text.contains("Away &lt;b&gt;now") && page.input("until").as_deref() == Some("2030-02-01"), "{}", page.text);
    let shown = house.get(&house.program("admin"), "/api/v1/pops/nora/handling");
    assert_eq!((&shown["copies"], &shown["vacation"]["from"]), (&json!(["max"]), &json!("2030-01-01T00:00:00Z")));
    browser.get("/pops/nora/handling");
    browser.post("/pops/nora/handling", &[("targets", ""), ("text", "")]);
    let shown = house.get(&house.program("admin"), "/api/v1/pops/nora/handling");
    assert_eq!((&shown["copies"], &shown["vacation"]), (&json!([]), &json!(null)));
}
