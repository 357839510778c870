//! Logging in, staying in, and getting out.

use super::client::Browser;
use super::house::{House, PASSWORD};
use super::world::program::done;

#[test]
fn a_session_is_for_one_browser_and_ends_when_it_should() {
    let house = House::new();
    let address = house.world.admin();
    let mut browser = Browser::new(address);
    let outside = browser.get("/pops?search=x");
    assert_eq!((outside.status, outside.header("location")), (303, "/login?next=%2Fpops%3Fsearch%3Dx"));
    let wrong = browser.log_in("admin", "wrong-password");
    assert_eq!(wrong.status, 401);
    assert!(wrong.words().contains("The name or the password is wrong."));
    assert_eq!((wrong.input("name").as_deref(), wrong.input("password")), (Some("admin"), None));
    browser.get("/login?next=%2Fpops");
    let entered = browser.post("/login", &[("name", "admin"), ("password", PASSWORD), ("next", "/pops")]);
    assert_eq!(entered.header("location"), "/pops");
    let cookie = entered.header("set-cookie").to_owned();
    assert!(cookie.starts_with("restante=") && cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let page = browser.get("/pops");
    assert_eq!((page.status, page.header("cache-control"), page.header("x-content-type-options")), (200, "no-store", "nosniff"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text.contains("style=\"") && !page.text.contains("onclick"), "nothing inline");

    let before = browser.cookies["restante"].clone();
    assert_eq!(browser.clone().get("/logout").status, 405, "a link cannot log anybody out");
    assert_eq!(browser.get("/").status, 200);
    assert_eq!(browser.post("/logout", &[]).header("location"), "/login");
    browser.cookies.insert("restante".into(), before.clone());
    assert_eq!(browser.get("/pops").status, 303, "the session is over, whoever has its cookie");
    browser.log_in("admin", PASSWORD);
    assert_ne!(browser.cookies["restante"], before, "each login has a session of its own");
}

#[test]
fn logging_in_leads_to_our_own_pages_only() {
    let house = House::new();
    for place in ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "\r\n/x", ""] {
        let mut browser = Browser::new(house.world.admin());
        browser.get("/login");
        let entered = browser.post("/login", &[("name", "admin"), ("password", PASSWORD), ("next", place)]);
        assert_eq!(entered.header("location"), "/", "{place:?}");
    }
}

#[test]
fn another_password_ends_every_other_session() {
    let house = House::new();
    let (mut here, mut there) = (house.admin(), house.admin());
    let before = here.cookies["restante"].clone();
    here.get("/account");
    for (current, new, again, words) in [
        ("wrong-password", "another-one", "another-one", "This is not your present password."),
        (PASSWORD, "another-one", "another", "It is not the same."),
        (PASSWORD, "short", "short", "too short"),
    ] {
        let refused = here.post("/account/password", &[("current", current), ("password", new), ("again", again)]);
        assert_eq!(refused.status, 422);
        assert!(refused.words().contains(words), "{words}: {}", refused.words());
    }
    let changed = here.post("/account/password", &[("current", PASSWORD), ("password", "another-one"), ("again", "another-one")]);
    assert!(here.follow(&changed).words().contains("admin has a new password."));
    assert_ne!(here.cookies["restante"], before);
    assert_eq!(there.get("/pops").status, 303, "the other session is over");
    there.cookies.insert("restante".into(), before);
    assert_eq!(there.get("/pops").status, 303, "and so is the old one");
    // By the command line, too.
    house.world.done(&["master", "passwd", "admin", "--generate"]);
    assert_eq!(here.get("/pops").status, 303);
}

#[test]
fn a_form_needs_the_token_of_its_session() {
    let house = House::new();
    let (mut browser, mut other) = (house.admin(), house.owner());
    let theirs = other.get("/pops").input("csrf").expect("a token");
    let fields = [("name", "alice"), ("domain", "example.org"), ("owner", "x"), ("password", PASSWORD)];
    for csrf in ["", "x", &theirs] {
        let refused = browser.post_with("/pops", csrf, &fields);
        assert_eq!(refused.status, 403);
        assert!(refused.words().contains("Nothing was changed"), "{}", refused.words());
    }
    assert!(!browser.get("/pops").words().contains("alice"));
    let mut stranger = Browser::new(house.world.admin());
    let late = stranger.post("/pops", &fields);
    assert_eq!((late.status, late.header("location")), (303, "/login"), "a form that comes after its session");
    let refused = stranger.post_with("/login", "made-up", &[("name", "admin"), ("password", PASSWORD)]);
    assert_eq!(refused.status, 403, "no other site logs anybody in");
}

#[test]
fn guessing_is_limited() {
    let house = House::new();
    let address = house.world.admin();
    let guess = move || Browser::new(address).log_in("nobody-here", "wrong-password").status;
    // Side by side: each failure waits longer for its answer.
    let guesses: Vec<_> = (0..24).map(|_| std::thread::spawn(guess)).collect();
    let statuses: Vec<u16> = guesses.into_iter().map(|guess| guess.join().expect("it ends")).collect();
    assert!(statuses.contains(&401) && statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert_eq!(guess(), 429);
    house.admin();
}

#[test]
fn the_same_address_speaks_https() {
    let house = House::new();
    let jar = house.world.path().join("cookies");
    let address = house.world.admin();
    let page = done("curl", &["-sk", "-c", &jar.display().to_string(), "-i", &format!("https://{address}/login")], b"");
    assert!(page.starts_with("HTTP/1.1 200") && page.to_lowercase().contains("strict-transport-security"), "{page}");
    let csrf = page.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a token");
    let form = format!("csrf={csrf}&name=admin&password={PASSWORD}");
    let answer = done("curl", &["-sk", "-b", &jar.display().to_string(), "-i", "-d", &form, &format!("https://{address}/login")], b"");
    let cookie = answer.lines().find(|line| line.to_lowercase().starts_with("set-cookie")).expect("a cookie");
    assert!(cookie.contains("__Host-restante=") && cookie.contains("Secure") && cookie.contains("Path=/"), "{cookie}");
    assert_eq!(done("curl", &["-sk", &format!("https://{address}/health/ready")], b""), "ok\n");
    assert_eq!(done("curl", &["-s", &format!("http://{address}/health/live")], b""), "ok\n");
}
