//! A server with an admin, an owner, and two domains of which one is the owner's.

use std::io::Write;
use std::process::{Command, Stdio};

use super::client::{Browser, Program};
use super::world::{RESTANTE, Settings, User, World};
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct-horse";

pub struct House {
    pub world: World,
}

impl House {
    pub fn new() -> Self {
        Self::behind("")
    }

    /// With further lines of the table `[admin]`.
    pub fn behind(lines: &str) -> Self {
        // The cheapest hash that there is: these tests are not about its cost.
        let tables = format!("{lines}[password]\nmemory = \"8KiB\"\npasses = 1\n");
        let house = Self { world: World::with(User::Same, Settings { tables, ..Settings::default() }) };
        house.secretly(&["master", "passwd", "admin", "--password-stdin"]);
        house.secretly(&["master", "add", "olivia", "--role", "owner", "--password-stdin"]);
        house.world.done(&["domain", "add", "example.org", "--owner", "olivia"]);
        house.world.done(&["domain", "add", "example.net"]);
        house.world.done(&["pop", "add", "nora", "--domain", "example.net", "--owner", "Nora Net", "--generate"]);
        house
    }

    fn secretly(&self, words: &[&str]) {
        let mut child = Command::new(RESTANTE)
            .args(words)
            .arg("--config")
            .arg(self.world.config())
            .current_dir(self.world.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("it runs");
        child.stdin.take().expect("piped").write_all(format!("{PASSWORD}\n").as_bytes()).expect("it reads");
        assert!(child.wait().expect("it ends").success(), "{words:?}");
    }

    pub fn admin(&self) -> Browser {
        Browser::inside(self.world.admin(), "admin", PASSWORD)
    }

    pub fn owner(&self) -> Browser {
        Browser::inside(self.world.admin(), "olivia", PASSWORD)
    }

    /// A program that speaks for a master.
    pub fn program(&self, master: &str) -> Program {
        let mut browser = Browser::inside(self.world.admin(), master, PASSWORD);
        browser.get("/account");
        let answer = browser.post("/account/tokens", &[("label", "a test"), ("life", "30")]);
        let token = answer.text.split("rst_").nth(1).and_then(|rest| rest.split(['<', '"']).next()).expect("a token is shown");
        Program { address: self.world.admin(), token: format!("rst_{token}") }
    }

    /// A POP account, by the API.
    pub fn pop(&self, program: &Program, name: &str, domain: &str) {
        let made = program.ask(
            "POST",
            "/api/v1/pops",
            &json!({"name": name, "domain": domain, "owner": format!("Owner of {name}"), "password": PASSWORD}),
        );
        assert_eq!(made.status, 201, "{made:?}");
    }

    pub fn get(&self, program: &Program, path: &str) -> Value {
        program.ask("GET", path, &Value::Null).json()
    }
}
