//! How the pages look: no violation that axe-core finds (WCAG 2.2 A and AA), and a picture of each.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::driver::{Driver, Script};
use super::house::{House, PASSWORD};
use super::world::program::run;
use serde_json::json;
use totp_rs::{Builder, Secret};

const PAGES: [(&str, &str); 22] = [
    ("dashboard", "/"),
    ("pops", "/pops"),
    ("pops-edit", "/pops?edit=alice"),
    ("pops-delete", "/pops/desk/delete"),
    ("pops-in-use", "/pops/alice/delete"),
    ("pops-none", "/pops?search=nobody-here"),
    ("aliases", "/aliases"),
    ("aliases-edit", "/aliases?edit=info%40example.org"),
    ("lists", "/lists"),
    ("members", "/lists/everyone/members"),
    ("held", "/lists/everyone/held"),
    ("handling", "/pops/alice/handling"),
    ("domains-delete", "/domains/example.org/delete"),
    ("domains", "/domains"),
    ("masters", "/masters"),
    ("trash", "/trash"),
    ("queue", "/queue"),
    ("log", "/log"),
    ("trace", "/trace?address=info%40example.org"),
    ("audit", "/audit"),
    ("account", "/account"),
    ("nothing", "/nothing"),
];

/// The version that this test was written with.
const AXE: &str = "axe-core@4.14.1";

/// axe-core's text, from npm, kept beside the other things that tests bring.
fn axe() -> Option<String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe");
    let file = folder.join("package/axe.min.js");
    if !file.exists() {
        std::fs::create_dir_all(&folder).ok()?;
        // npm may not be there at all.
        let packed =
            Command::new("npm").args(["pack", "--silent", AXE]).current_dir(&folder).output().ok().filter(|out| out.status.success())?;
        let name = String::from_utf8(packed.stdout).ok()?.trim().to_owned();
        let unpacked = run("tar", &["-xzf", &folder.join(name).display().to_string(), "-C", &folder.display().to_string()], b"");
        (unpacked.code == 0).then_some(())?;
    }
    std::fs::read_to_string(file).ok()
}

/// What axe-core finds on the page that is shown.
fn violations(driver: &Driver, axe: &str) -> Vec<String> {
    let script = format!(
        "{axe}; const done = arguments[0]; axe.run(document, {{runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}})\
         .then(found => done(found.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.map(n => n.html + ' ' + n.failureSummary).join(' | '))))\
         .catch(error => done(['axe failed: ' + error]));"
    );
    driver.run(&script).as_array().into_iter().flatten().filter_map(|found| found.as_str().map(str::to_owned)).collect()
}

fn furnished() -> House {
    let house = House::new();
    let admin = house.program("admin");
    for (name, owner) in [("alice", "Alice Ærlig"), ("desk", "Reception desk, ground floor"), ("sales.team", "Sales")] {
        admin.ask(
            "POST",
            "/api/v1/pops",
            &json!({"name": name, "domain": "example.org", "owner": owner, "quota": 1_u64 << 30, "generate": true}),
        );
    }
    for (address, target) in [("info@example.org", "alice"), ("hello@example.org", "desk"), ("@example.net", "nora")] {
        admin.ask(
            "POST",
            "/api/v1/aliases",
            &json!({"address": address, "targets": [target], "note": "On the web site", "expires": "2099-01-01T00:00:00Z"}),
        );
    }
    admin.ask(
        "POST",
        "/api/v1/lists",
        &json!({"name": "everyone", "domain": "example.org", "owner": "alice", "posting": "members", "members": ["alice", "desk"]}),
    );
    house.pop(&admin, "bob", "example.org");
    admin.ask("POST", "/api/v1/pops/desk/suspend", &serde_json::Value::Null);
    admin.ask("DELETE", "/api/v1/pops/bob", &serde_json::Value::Null);
    house.world.done(&["test", "info@example.org"]);
    house
}

fn screenshots() -> PathBuf {
    let folder =
        std::env::var_os("RESTANTE_SCREENSHOTS").map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots"), PathBuf::from);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn photograph(driver: &Driver, path: &Path) {
    let text = path.with_extension("txt");
    std::fs::write(&text, driver.screenshot()).expect("it is written");
    let picture = std::fs::File::create(path).expect("it is written");
    let decoded = Command::new("base64").arg("-d").arg(&text).stdout(picture).status().expect("coreutils are everywhere");
    assert!(decoded.success());
    std::fs::remove_file(&text).expect("it is there");
}

#[test]
fn every_page_is_open_to_everybody_and_fits_its_window() {
    let house = furnished();
    let axe = axe();
    if axe.is_none() {
        eprintln!("left out: axe-core cannot be had here (npm, and a way to registry.npmjs.org)");
    }
    let folder = screenshots();
    let driver = Driver::new(house.world.admin(), Script::Runs);
    driver.open("/login");
    look(&driver, axe.as_deref(), "login", &folder);
    driver.log_in("admin", PASSWORD);
    for (name, path) in PAGES {
        driver.open(path);
        look(&driver, axe.as_deref(), name, &folder);
    }
    second_factor(&driver, |name| look(&driver, axe.as_deref(), name, &folder));
    driver.resize(1360, 1000);
    driver.click("form[action='/logout'] button");
    driver.log_in("olivia", PASSWORD);
    look(&driver, axe.as_deref(), "dashboard-owner", &folder);
}

/// Sets one up, and logs in with it.
fn second_factor(driver: &Driver, look: impl Fn(&str)) {
    driver.resize(1360, 1000);
    driver.open("/account");
    driver.click("form[action='/account/second/new'] button");
    driver.see("Take the picture");
    look("second-new");
    let secret = Secret::try_from_base32(driver.value("input[name='secret']")).expect("base 32");
    let authenticator = Builder::new().with_secret(secret).build().expect("it is long enough");
    let code = |steps: i64| {
        let moment = jiff::Timestamp::now().as_second() + 30 * steps;
        authenticator.generate(u64::try_from(moment).expect("after 1970")).to_string()
    };
    driver.fill("#field-code", &code(0));
    driver.click("form[action='/account/second'] button.primary");
    driver.see("Recovery codes");
    look("second-codes");
    driver.open("/account");
    driver.see("Each login asks");
    look("account-second");
    driver.resize(1360, 1000);
    driver.click("form[action='/logout'] button");
    driver.fill("#field-name", "admin");
    driver.fill("#field-password", PASSWORD);
    driver.click("button.primary");
    driver.see("One more thing");
    look("login-code");
    driver.fill("#field-code", &code(1));
    driver.click("button.primary");
    driver.see("Good to see you");
}

/// A page in light and dark, on a desk and on a phone.
fn look(driver: &Driver, axe: Option<&str>, name: &str, folder: &Path) {
    for (device, width, height) in [("desk", 1360, 1000), ("phone", 400, 900)] {
        driver.resize(width, height);
        for theme in ["light", "dark"] {
            driver.run(&format!("document.documentElement.dataset.theme = '{theme}'; arguments[0]();"));
            let wide = driver.run("arguments[0](document.documentElement.scrollWidth - document.documentElement.clientWidth);");
            assert!(wide.as_i64().is_some_and(|over| over <= 0), "{name} is {wide} px wider than its window ({device})");
            if let Some(axe) = axe {
                let found = violations(driver, axe);
                assert!(found.is_empty(), "{name}, {theme}, {device}:\n{}", found.join("\n"));
            }
            photograph(driver, &folder.join(format!("{name}-{theme}-{device}.png")));
        }
    }
}
