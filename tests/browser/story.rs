//! The page that the project began from, in a browser: with its script, and without.

use super::driver::{Driver, Script};
use super::house::{House, PASSWORD};
use super::world::program::done;

fn story(script: Script) {
    let house = House::new();
    let driver = Driver::new(house.world.admin(), script);
    driver.log_in("admin", PASSWORD);
    driver.click("a[href='/pops']");
    driver.see("Aliases to POP");
    create(&driver);
    let smtp = house.world.smtp().to_string();
    done("swaks", &["--server", &smtp, "--from", "bob@client.test", "--to", "alice@example.org", "--body", "hello"], b"");
    match script {
        // The rows follow by themselves.
        Script::Runs => driver.see("1 message"),
        Script::Off => {
            driver.open("/pops");
            driver.see("1 message");
        }
    }
    driver.open("/");
    driver.see("bob@client.test");
    driver.see("Recipients accepted: 1, deferred: 0, refused: 0.");
    driver.open("/log?to=alice");
    driver.see("bob@client.test");
    driver.see("Delivered");
    edit(&driver);
    alias(&driver);
    delete_and_restore(&driver, script);
    driver.click("button[aria-label='Log out']");
    driver.see("Mail that is held until it is called for.");
    driver.open("/pops");
    driver.see("Log in to go on.");
}

fn create(driver: &Driver) {
    driver.fill("[name=name]", "alice");
    driver.choose("[name=domain]", "example.org");
    driver.fill("[name=owner]", "Alice Ærlig");
    driver.fill("[name=password]", PASSWORD);
    driver.click("button.primary");
    driver.see("alice was added.");
    driver.see("alice@example.org hidden");
    // A taken name, and the button that takes another.
    driver.fill("[name=name]", "nora");
    driver.choose("[name=domain]", "example.org");
    driver.fill("[name=owner]", "Other");
    driver.fill("[name=password]", PASSWORD);
    driver.click("button.primary");
    driver.see("is taken by a POP account");
    assert_eq!((driver.value("[name=owner]"), driver.value("[name=password]")), ("Other".into(), String::new()));
    driver.fill("[name=password]", PASSWORD);
    driver.click("[name=suggest]");
    driver.see("nora-example-org was added.");
}

fn edit(driver: &Driver) {
    driver.open("/pops");
    driver.click("a[aria-label='Edit alice']");
    driver.see("Hidden: it can only be changed or reset.");
    assert_eq!((driver.value("[name=owner]"), driver.value("[name=password]")), ("Alice Ærlig".into(), String::new()));
    driver.fill("[name=owner]", "Alice Two");
    driver.fill("[name=password]", "another-password");
    driver.click("button.primary");
    driver.see("alice was changed.");
    driver.see("Alice Two");
}

fn alias(driver: &Driver) {
    driver.open("/aliases");
    driver.fill("[name=address]", "info@example.org");
    driver.fill("[name=targets]", "alice");
    driver.click("button.primary");
    driver.see("info@example.org was added.");
    driver.open("/pops");
    driver.see("info@example.org");
    driver.open("/trace?address=info%40example.org");
    driver.see("250 2.1.5 Ok");
    driver.click("form[action='/trace/test'] button");
    driver.see("safe on disk");
    driver.see("fetched from alice over POP3");
    driver.see("This message in the log");
}

fn delete_and_restore(driver: &Driver, script: Script) {
    driver.open("/pops");
    driver.click("a[aria-label='Delete alice']");
    driver.see("alias info@example.org removed");
    // With its script, the page asks in place; without, on a page of its own.
    assert_eq!(driver.place().ends_with("/delete"), script == Script::Off, "{}", driver.place());
    driver.click(".confirm button.danger");
    driver.see("alice was deleted.");
    driver.open("/aliases");
    driver.miss("info@example.org");
    driver.open("/trash");
    driver.click("button[aria-label='Restore alice']");
    driver.see("alice is back, with its mail.");
    driver.open("/aliases");
    driver.see("info@example.org");
}

#[test]
fn with_its_script() {
    story(Script::Runs);
}

#[test]
fn without_a_script() {
    story(Script::Off);
}

#[test]
fn a_name_is_checked_while_it_is_typed() {
    let house = House::new();
    let driver = Driver::new(house.world.admin(), Script::Runs);
    driver.log_in("admin", PASSWORD);
    driver.open("/pops");
    driver.fill("[name=name]", "nora");
    driver.see("`nora` is taken by a POP account.");
    driver.fill("[name=name]", "norma");
    driver.see("`norma` is free.");
}
