//! How fast the panel answers over a million accounts: listing, search and paging, as an admin and as an owner.
//!
//! `cargo bench --profile release --bench panel`, or with another number of accounts: `RESTANTE_ACCOUNTS=10000 cargo bench …`.
//! Prints a line for each page: p50, p99, and the octets of an answer. Not Criterion: the pages go through real sockets.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::Instant;

use hdrhistogram::Histogram;
use serde_json::json;

#[path = "../tests/panel/client.rs"]
#[allow(dead_code, reason = "a part of it is needed here")]
mod client;
#[path = "../tests/panel/house.rs"]
#[allow(dead_code, reason = "a part of it is needed here")]
mod house;
#[path = "../tests/world/mod.rs"]
mod world;

use client::Browser;
use house::House;

/// An Argon2id hash as cheap as the rules allow: nobody logs in to these accounts.
const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

const FIRST: [&str; 8] = ["Anna", "Bert", "Carla", "Dora", "Emil", "Frieda", "Gustav", "Helga"];
const LAST: [&str; 8] = ["Smith", "Bauer", "Conti", "Duval", "Eriksen", "Fischer", "Garcia", "Horvat"];

/// Accounts in a thousand domains; the last domain is the owner's.
fn furnish(house: &House, accounts: usize) {
    let path = house.world.path().join("accounts.jsonl");
    let mut out = BufWriter::new(File::create(&path).expect("a file"));
    let mut line = |value: serde_json::Value| writeln!(out, "{value}").expect("it is written");
    let created = "2026-01-01T00:00:00Z";
    line(json!({"restante_export": 1}));
    for number in 0..1000 {
        let owner = (number == 999).then_some("olivia");
        line(json!({"kind": "domain", "domain": format!("d{number}.example"), "owner": owner, "created": created}));
    }
    for number in 0..accounts {
        let owner = format!("{} {} {number}", FIRST[number % 8], LAST[number / 8 % 8]);
        line(
            json!({"kind": "pop", "id": 10_000_000 + number, "name": format!("user{number:07}"), "domain": format!("d{}.example", number % 1000),
            "owner": owner, "password": HASH, "quota": null, "state": "active", "created": created}),
        );
    }
    for number in 0..accounts {
        let (first, last) = (FIRST[number % 8].to_lowercase(), LAST[number / 8 % 8].to_lowercase());
        let (key, target) = (format!("{first}.{last}.desk{number}@d{}.example", number % 1000), format!("user{number:07}"));
        line(
            json!({"kind": "alias", "key": key, "standing": "Plain", "targets": [target], "switch": "enabled", "note": "", "expires": null,
            "created": created, "last_used": null, "uses": 0}),
        );
    }
    drop(out);
    let begun = Instant::now();
    house.world.done(&["import", &path.display().to_string()]);
    println!("{accounts} accounts, and an alias for each, imported in {:.1} s", begun.elapsed().as_secs_f64());
}

fn measure(browser: &mut Browser, what: &str, pages: &[String]) {
    let mut times = Histogram::<u64>::new(3).expect("a histogram");
    let (mut octets, rounds) = (0, 200usize.div_ceil(pages.len()));
    for page in pages.iter().cycle().take(rounds * pages.len()) {
        let begun = Instant::now();
        let answer = browser.get(page);
        times.record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX)).expect("it fits");
        assert_eq!(answer.status, 200, "{page}");
        octets = answer.text.len();
    }
    let ms = |quantile: f64| times.value_at_quantile(quantile) as f64 / 1000.0;
    println!("{what:<44} p50 {:>7.2} ms   p99 {:>7.2} ms   {octets:>7} octets", ms(0.5), ms(0.99));
}

fn main() {
    let accounts = std::env::var("RESTANTE_ACCOUNTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let house = House::new();
    furnish(&house, accounts);
    let (mut admin, mut owner) = (house.admin(), house.owner());
    let page = |query: &str| vec![format!("/pops{query}")];
    measure(&mut admin, "first page", &page(""));
    measure(&mut admin, "pages in the middle", &(1..20).map(|n| format!("/pops?after=user{:07}", n * accounts / 20)).collect::<Vec<_>>());
    measure(&mut admin, "search by a common word", &page("?search=smith"));
    measure(&mut admin, "search by two words", &page("?search=anna+smith"));
    measure(&mut admin, "search by a rare word", &page(&format!("?search={}", accounts / 2)));
    measure(&mut admin, "search by name", &page(&format!("?search=user{:07}", accounts / 3)));
    measure(&mut admin, "search by address", &page(&format!("?search=user{:07}@d{}.example", accounts / 3, accounts / 3 % 1000)));
    measure(&mut admin, "search for what is not there", &page("?search=zzz"));
    measure(&mut admin, "one domain", &page("?domain=d500.example"));
    measure(&mut admin, "aliases, first page", &["/aliases".to_owned()]);
    measure(&mut admin, "aliases by a common word", &["/aliases?search=smith".to_owned()]);
    measure(&mut admin, "aliases by two words", &["/aliases?search=smith+anna".to_owned()]);
    measure(&mut admin, "aliases by a rare word", &[format!("/aliases?search=desk{}", accounts / 3)]);
    measure(&mut admin, "aliases of one domain", &["/aliases?search=d500.example".to_owned()]);
    measure(&mut owner, "first page, as an owner of one domain", &page(""));
    measure(&mut owner, "search, as an owner of one domain", &page("?search=smith"));
    measure(&mut admin, "dashboard", &["/".to_owned()]);
}
