//! WebDriver (W3C), as much of it as these tests need: JSON over HTTP to chromedriver.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use super::client::raw;
use super::world::port::Port;
use super::world::process::{Process, until};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long a page may take to become what is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The key of an element's id in WebDriver's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Whether pages run their script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    Runs,
    Off,
}

/// A browser with its driver; both end with the value.
pub struct Driver {
    port: Port,
    session: String,
    site: SocketAddr,
    _process: Process,
    _folder: TempDir,
}

impl Driver {
    /// A browser for the site at `site`.
    pub fn new(site: SocketAddr, script: Script) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = Port::new();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={}", port.address().port())).env("HOME", folder.path());
        let process = Process::start(&mut command, &folder.path().join("driver.log")).with_children();
        let mut driver = Self { port, session: String::new(), site, _process: process, _folder: folder };
        let ready = until(PATIENCE, || (driver.try_send("GET", "/status", &Value::Null)?["ready"] == true).then_some(()));
        assert!(ready.is_some(), "chromedriver does not start; `tests/install test` installs what is missing");
        let javascript = if script == Script::Runs { 1 } else { 2 };
        let wishes = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": {
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--force-prefers-reduced-motion"],
            "prefs": {"profile.managed_default_content_settings.javascript": javascript}
        }}}});
        let made = driver.send("POST", "/session", &wishes);
        driver.session = made["sessionId"].as_str().expect("a session").to_owned();
        driver.resize(1360, 1000);
        driver
    }

    fn try_send(&self, method: &str, path: &str, body: &Value) -> Option<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port.address(),
            body.len()
        );
        std::net::TcpStream::connect(self.port.address()).ok()?;
        raw(self.port.address(), request.as_bytes()).json().get("value").cloned()
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Value {
        let value = self.try_send(method, path, body).unwrap_or_else(|| panic!("{method} {path}: no answer"));
        assert!(value["error"].is_null(), "{method} {path} {body}: {value}");
        value
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        self.send(method, &format!("/session/{}{path}", self.session), body)
    }

    pub fn open(&self, path: &str) {
        self.ask("POST", "/url", &json!({ "url": format!("http://{}{path}", self.site) }));
    }

    /// The path of the page that is shown.
    pub fn place(&self) -> String {
        let address = self.ask("GET", "/url", &Value::Null);
        address.as_str().and_then(|text| text.split_once("://")?.1.split_once('/')).map(|(_, path)| format!("/{path}")).unwrap_or_default()
    }

    /// The path of the first element that fits, once there is one.
    fn element(&self, css: &str) -> String {
        let found = until(PATIENCE, || {
            let path = format!("/session/{}/element", self.session);
            let value = self.try_send("POST", &path, &json!({ "using": "css selector", "value": css }))?;
            value[ELEMENT].as_str().map(|id| format!("/element/{id}"))
        });
        found.unwrap_or_else(|| panic!("{css} is not on {}: {}", self.place(), self.text()))
    }

    pub fn click(&self, css: &str) {
        let element = self.element(css);
        self.ask("POST", &format!("{element}/click"), &json!({}));
    }

    /// Empties a field, and types into it.
    pub fn fill(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.ask("POST", &format!("{element}/clear"), &json!({}));
        self.ask("POST", &format!("{element}/value"), &json!({ "text": text }));
    }

    /// Chooses an option by its value.
    pub fn choose(&self, css: &str, value: &str) {
        self.click(&format!("{css} option[value=\"{value}\"]"));
    }

    /// What is in a field.
    pub fn value(&self, css: &str) -> String {
        let element = self.element(css);
        self.ask("GET", &format!("{element}/property/value"), &Value::Null).as_str().unwrap_or_default().to_owned()
    }

    /// The text that the page shows.
    pub fn text(&self) -> String {
        let path = format!("/session/{}{}/text", self.session, self.element("body"));
        // A page that is just being left has none: whoever waits for words asks again.
        let text = self.try_send("GET", &path, &Value::Null).unwrap_or_default();
        text.as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until the page shows these words.
    pub fn see(&self, words: &str) {
        let seen = until(PATIENCE, || self.text().contains(words).then_some(()));
        assert!(seen.is_some(), "`{words}` is not on {}: {}", self.place(), self.text());
    }

    /// Waits until the page does not show these words any more.
    pub fn miss(&self, words: &str) {
        let missed = until(PATIENCE, || (!self.text().contains(words)).then_some(()));
        assert!(missed.is_some(), "`{words}` is still on {}: {}", self.place(), self.text());
    }

    /// Runs a script of the test's own; the policy of the page does not hold for it.
    pub fn run(&self, script: &str) -> Value {
        self.ask("POST", "/execute/async", &json!({ "script": script, "args": [] }))
    }

    pub fn resize(&self, width: u32, height: u32) {
        self.ask("POST", "/window/rect", &json!({ "width": width, "height": height }));
    }

    /// The window as PNG, in base 64.
    pub fn screenshot(&self) -> String {
        self.ask("GET", "/screenshot", &Value::Null).as_str().unwrap_or_default().to_owned()
    }

    pub fn log_in(&self, name: &str, password: &str) {
        self.open("/login");
        self.fill("[name=name]", name);
        self.fill("[name=password]", password);
        self.click("button.primary");
        self.see("Good to see you");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ends the browser; the driver itself is ended after it.
        let _ = self.try_send("DELETE", &format!("/session/{}", self.session), &Value::Null);
    }
}
