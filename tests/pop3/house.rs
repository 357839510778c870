//! A server for a test, in this process, with the accounts that the transcripts expect.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use restante::app::{self, Running};
use restante::config::{self, Config};
use restante::directory::password::{self, Cost};
use restante::directory::{Actor, Change, Directory, Role, State};
use restante::mail::{Domain, Name, Secret};
use restante::server::listeners::Inherited;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::client::Client;
use crate::setup::PASSWORD;

/// How long anything may take that has to happen: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct House {
    pub folder: TempDir,
    pub runtime: Runtime,
    pub running: Option<Running>,
}

fn text(folder: &Path) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        "hostname = \"mx.example.org\"\n[spool]\ndir = {:?}\n[mail]\nroot = {:?}\n[smtp]\nlisten = [\"127.0.0.1:0\"]\n[lmtp]\nlisten = []\n\
         [pop3]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\nsocket = {:?}\n\
         [password]\nmemory = \"8KiB\"\npasses = 1\n",
        at("spool"),
        at("spool/mail"),
        at("spool/admin.sock"),
    )
}

fn furnish(folder: &Path) {
    fs::create_dir_all(folder.join("spool")).unwrap();
    let directory = Directory::open(&folder.join("spool/directory")).unwrap();
    let apply = |change: Change| directory.apply(&Actor::Server, &change, Timestamp::now()).unwrap();
    let domain = Domain::parse("example.org").unwrap();
    let password = || password::hash(&Secret::given(PASSWORD.to_owned()), Cost { memory_kib: 8, passes: 1, lanes: 1 });
    apply(Change::AddMaster { name: Name::parse("admin").unwrap(), role: Role::Admin, password: password() });
    apply(Change::AddDomain { domain: domain.clone(), owner: None });
    for (name, state) in [("alice", State::Active), ("bob", State::Active), ("sam", State::Suspended)] {
        let (name, owner) = (Name::parse(name).unwrap(), "A test".to_owned());
        apply(Change::AddPop { name, domain: domain.clone(), owner, password: password(), quota: None, state });
    }
}

impl House {
    pub fn new() -> Self {
        Self::with(&[], |_| {})
    }

    /// A server with messages in alice's mailbox, whose configuration is changed before it starts.
    pub fn with(messages: &[Vec<u8>], change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        furnish(folder.path());
        let maildir = folder.path().join("spool/mail/alice");
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(maildir.join(part)).unwrap();
        }
        for (number, text) in (1..).zip(messages) {
            fs::write(maildir.join(format!("new/m{number}")), text).unwrap();
        }
        let mut config = config::parse(&text(folder.path())).unwrap();
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let running = runtime.block_on(app::start(config, Inherited::none())).unwrap();
        Self { folder, runtime, running: Some(running) }
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    /// A client that has not read the greeting.
    pub fn pop3(&self) -> Client {
        Client::tcp(&self.running().addresses.pop3[0])
    }

    pub fn pop3_tls(&self) -> Client {
        Client::tcp(&self.running().addresses.pop3_tls[0]).secured(&self.certificate())
    }

    /// A client that has logged in as that account.
    pub fn logged_in(&self, name: &str) -> Client {
        let mut client = self.pop3();
        let reply = client.log_in(name);
        assert!(reply.starts_with("+OK "), "{reply}");
        client
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("spool/tls/certificate.pem")
    }

    /// The files of a mailbox.
    pub fn files(&self, name: &str) -> Vec<PathBuf> {
        let parts = ["new", "cur"].map(|part| self.folder.path().join("spool/mail").join(name).join(part));
        parts.iter().flat_map(fs::read_dir).flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits until nobody is connected.
    pub fn is_left(&self) {
        until("all connections have ended", || self.running().service.callers.total() == 0);
    }

    pub fn stop(&mut self) {
        let running = self.running.take().unwrap();
        self.runtime.block_on(running.stop());
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            running.service.rules.rcu(|rules| {
                let mut rules = restante::server::Rules::clone(rules);
                rules.server.shutdown_grace = Duration::from_millis(100);
                rules
            });
            self.runtime.block_on(running.stop());
        }
    }
}

impl Client {
    /// Reads the greeting, logs in, and gives the reply.
    pub fn log_in(&mut self, name: &str) -> String {
        let greeting = self.line().unwrap();
        assert!(greeting.starts_with("+OK mx.example.org"), "{greeting}");
        self.send(format!("USER {name}\r\nPASS {PASSWORD}\r\n").as_bytes());
        assert!(self.line().unwrap().starts_with("+OK "));
        self.line().unwrap()
    }

    /// Sends a command and gives its reply.
    pub fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes());
        self.line().unwrap_or_else(|| panic!("no reply to {command}"))
    }

    /// The lines up to the dot.
    pub fn lines(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.line().filter(|line| line != ".")).collect()
    }
}

/// Asks again and again.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Changes what sessions go by.
pub fn sessions(config: &mut Config, change: impl FnOnce(&mut restante::protocol::pop3::Settings)) {
    change(Arc::make_mut(&mut config.pop3));
}
