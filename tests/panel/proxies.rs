//! Behind a proxy: whom it speaks for, and who may say so.

use super::client::{Browser, raw};
use super::house::{House, PASSWORD};
use serde_json::Value;

fn status(house: &House, headers: &str) -> u16 {
    raw(house.world.admin(), format!("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").as_bytes()).status
}

#[test]
fn a_trusted_proxy_names_the_client() {
    let house = House::behind("trusted_proxies = [\"127.0.0.1\"]\n");
    assert_eq!(status(&house, ""), 200, "the proxy's own machine");
    assert_eq!(status(&house, "X-Forwarded-For: 127.0.0.1\r\n"), 200, "a client of the proxy on this machine");
    assert_eq!(status(&house, "X-Forwarded-For: 127.0.0.1, 192.0.2.7\r\n"), 401);
    assert_eq!(status(&house, "Forwarded: for=192.0.2.7\r\n"), 401);
    // One is written by the proxy, the other handed through from outside: nobody can tell which.
    assert_eq!(status(&house, "Forwarded: for=127.0.0.1\r\nX-Forwarded-For: 192.0.2.7\r\n"), 401);
    // A change is noted with the client's address, and a cookie is for TLS where the client spoke it.
    let mut browser = Browser::new(house.world.admin());
    let headers = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let csrf = browser.get("/login").input("csrf").expect("a token");
    let form = format!("name=admin&password={PASSWORD}&csrf={csrf}");
    let inside = browser.request("POST", "/login", headers, form.as_bytes());
    let cookie = inside.headers.iter().find(|(name, value)| name == "set-cookie" && value.starts_with("__Host-")).expect("a cookie");
    assert!(cookie.1.contains("; Secure"), "{cookie:?}");
    let csrf = browser.request("GET", "/domains", headers, b"").input("csrf").expect("a token");
    let added = browser.request("POST", "/domains", headers, format!("domain=new.example&csrf={csrf}").as_bytes());
    assert_eq!(added.status, 303, "{}", added.words());
    let noted = house.get(&house.program("admin"), "/api/v1/audit?about=new.example");
    assert_eq!(noted["items"][0]["from"], Value::from("192.0.2.7"), "{noted}");
}

#[test]
fn logins_are_limited_by_the_client_that_a_proxy_names() {
    let house = House::behind("trusted_proxies = [\"127.0.0.1\"]\n");
    let address = house.world.admin();
    let guess = move |number: usize, from: &str| {
        let mut browser = Browser::new(address);
        let csrf = browser.get("/login").input("csrf").expect("a token");
        let headers = format!("X-Forwarded-For: {from}\r\nContent-Type: application/x-www-form-urlencoded\r\n");
        browser.request("POST", "/login", &headers, format!("name=nobody{number}&password=wrong-one&csrf={csrf}").as_bytes()).status
    };
    let guesses: Vec<_> = (0..130).map(|number| std::thread::spawn(move || guess(number, "192.0.2.7"))).collect();
    let statuses: Vec<u16> = guesses.into_iter().map(|guess| guess.join().expect("it ends")).collect();
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert_eq!(guess(99, "192.0.2.7"), 429, "{statuses:?}");
    assert_eq!(guess(99, "198.51.100.7"), 401, "another client of the same proxy");
}

#[test]
fn nobody_else_names_anybody() {
    let house = House::new();
    let headers = "X-Forwarded-For: 192.0.2.7\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let mut browser = house.admin();
    let csrf = browser.get("/domains").input("csrf").expect("a token");
    assert_eq!(browser.request("POST", "/domains", headers, format!("domain=new.example&csrf={csrf}").as_bytes()).status, 303);
    let noted = house.get(&house.program("admin"), "/api/v1/audit?about=new.example");
    assert_eq!(noted["items"][0]["from"], Value::from("127.0.0.1"), "{noted}");
}
