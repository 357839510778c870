//! The second factor: set up, asked for, good once, and lost.

use super::client::{Answer, Browser};
use super::house::{House, PASSWORD};
use totp_rs::{Builder, Secret, Totp};

/// An authenticator.
struct Authenticator(Totp);

impl Authenticator {
    fn knowing(secret: &str) -> Self {
        Self(Builder::new().with_secret(Secret::try_from_base32(secret).expect("base 32")).build().expect("it is long enough"))
    }

    /// The code of the moment that is `steps` away.
    fn code(&self, steps: i64) -> String {
        let now = jiff::Timestamp::now().as_second() + 30 * steps;
        self.0.generate(u64::try_from(now).expect("after 1970")).to_string()
    }
}

/// Turns a master's second factor on; its authenticator, and the recovery codes.
fn set_up(browser: &mut Browser) -> (Authenticator, Vec<String>) {
    browser.get("/account");
    let shown = browser.post("/account/second/new", &[]);
    let secret = shown.input("secret").expect("a secret is shown");
    assert!(shown.text.contains("<svg") && !shown.text.contains("style="), "{}", shown.text);
    let authenticator = Authenticator::knowing(&secret);
    let wrong = browser.post("/account/second", &[("secret", &secret), ("code", "000000")]);
    assert_eq!(wrong.status, 422);
    let kept = browser.post("/account/second", &[("secret", &secret), ("code", &authenticator.code(0))]);
    assert_eq!(kept.status, 200, "{}", kept.words());
    let codes = kept.text.split("<li><code>").skip(1).filter_map(|rest| rest.split('<').next()).map(str::to_owned).collect();
    (authenticator, codes)
}

/// Name and password; the form that asks for the code.
fn password(browser: &mut Browser) -> Answer {
    let asked = browser.log_in("admin", PASSWORD);
    assert_eq!(asked.status, 200, "{}", asked.words());
    assert!(asked.words().contains("One more thing") && browser.get("/pops").status == 303, "nobody is inside yet");
    asked
}

fn code(browser: &mut Browser, asked: &Answer, code: &str) -> Answer {
    let (csrf, token) = (asked.input("csrf").expect("a token"), asked.input("token").expect("a token"));
    browser.post_with("/login/code", &csrf, &[("token", &token), ("code", code), ("next", "/pops")])
}

#[test]
fn a_login_asks_for_a_code_and_takes_each_once() {
    let house = House::new();
    let program = house.program("admin");
    let (authenticator, codes) = set_up(&mut house.admin());
    assert_eq!(codes.len(), 10);
    let mut browser = Browser::new(house.world.admin());
    let asked = password(&mut browser);
    let wrong = code(&mut browser, &asked, "000000");
    assert_eq!(wrong.status, 401);
    assert!(wrong.words().contains("The code is wrong"), "{}", wrong.words());
    let used = authenticator.code(0);
    let inside = code(&mut browser, &asked, &used);
    assert_eq!((inside.status, inside.header("location")), (303, "/pops"), "{}", inside.words());
    assert_eq!(browser.get("/pops").status, 200);
    // Neither the code nor the form is good twice.
    assert_eq!(code(&mut browser.clone(), &asked, &authenticator.code(1)).status, 401);
    let mut other = Browser::new(house.world.admin());
    let asked = password(&mut other);
    let again = code(&mut other, &asked, &used);
    assert_eq!(again.status, 401);
    assert!(again.words().contains("used already"), "{}", again.words());
    // A recovery code is good once.
    assert_eq!(code(&mut other, &asked, &codes[3].to_uppercase()).status, 303);
    let mut third = Browser::new(house.world.admin());
    let asked = password(&mut third);
    assert_eq!(code(&mut third, &asked, &codes[3]).status, 401);
    // Programs are not asked.
    assert_eq!(house.get(&program, "/api/v1/masters/admin")["second_factor"], true);
    let told = house.world.log() + &house.world.done(&["audit", "list", "--json"]) + &house.world.done(&["export"]);
    assert!(!codes.iter().any(|code| told.contains(code.as_str())), "a recovery code was told");
}

#[test]
fn it_is_given_up_with_a_code_and_taken_away_by_an_admin() {
    let house = House::new();
    let mut browser = house.admin();
    let (_, codes) = set_up(&mut browser);
    browser.get("/account");
    assert_eq!(browser.post("/account/second/off", &[("code", "123456")]).status, 422);
    assert_eq!(browser.post("/account/second/off", &[("code", &codes[0])]).status, 303);
    Browser::inside(house.world.admin(), "admin", PASSWORD);
    let _ = set_up(&mut browser);
    password(&mut Browser::new(house.world.admin()));
    // An open session is not enough to exchange it for another.
    let secret = browser.post("/account/second/new", &[]).input("secret").expect("a secret is shown");
    let other = browser.post("/account/second", &[("secret", &secret), ("code", &Authenticator::knowing(&secret).code(0))]);
    assert!(other.status == 422 && other.words().contains("already"), "{}", other.words());
    assert!(house.world.done(&["master", "totp", "admin"]).contains("yes"));
    house.world.done(&["master", "totp", "admin", "--reset"]);
    Browser::inside(house.world.admin(), "admin", PASSWORD);
    assert_eq!(house.world.restante(&["master", "totp", "admin", "--reset"]).code, 2);
}

#[test]
fn codes_are_not_for_guessing() {
    let house = House::new();
    let (authenticator, _) = set_up(&mut house.admin());
    let mut browser = Browser::new(house.world.admin());
    let asked = password(&mut browser);
    let statuses: Vec<u16> = (0..12).map(|guess| code(&mut browser, &asked, &format!("{guess:06}")).status).collect();
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert_eq!(code(&mut browser, &asked, &authenticator.code(0)).status, 429, "not even the right one");
}
