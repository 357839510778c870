//! A server for a test, in this process: its folder, its accounts, and what lies in its mailboxes.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use restante::app::{self, Running};
use restante::config::{self, Config};
use restante::directory::password::{self, Cost};
use restante::directory::{Actor, AliasKey, Change, Directory, Role, State, Switch, Target};
use restante::mail::{Domain, Name, Secret};
use restante::protocol::smtp;
use restante::server::listeners::Inherited;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::client::Client;

/// How long anything may take that has to happen: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct House {
    pub folder: TempDir,
    pub runtime: Runtime,
    pub running: Option<Running>,
}

/// The configuration of a server in `folder`, on free ports.
pub fn text(folder: &Path) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!(
        "hostname = \"mx.example.org\"\n[spool]\ndir = {:?}\n[mail]\nroot = {:?}\n\
         [smtp]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\n\
         [lmtp]\nlisten = [\"127.0.0.1:0\", {:?}]\n\
         [pop3]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]\n\
         [admin]\nlisten = \"127.0.0.1:0\"\nsocket = {:?}\n",
        at("spool"),
        at("spool/mail"),
        format!("unix:{}", at("lmtp.sock")),
        at("spool/admin.sock"),
    )
}

/// The accounts that the transcripts expect, and a master, so that no password is made and printed.
pub fn furnish(folder: &Path) {
    fs::create_dir_all(folder.join("spool")).unwrap();
    let directory = Directory::open(&folder.join("spool/directory")).unwrap();
    let apply = |change: Change| directory.apply(&Actor::Server, &change, Timestamp::now()).unwrap();
    let domain = Domain::parse("example.org").unwrap();
    let password = || password::hash(&Secret::given("secret".to_owned()), Cost { memory_kib: 8, passes: 1, lanes: 1 });
    apply(Change::AddMaster { name: Name::parse("admin").unwrap(), role: Role::Admin, password: password() });
    apply(Change::AddDomain { domain: domain.clone(), owner: None });
    for (name, quota) in [("alice", None), ("bob", None), ("carol", None), ("full", Some(0)), ("brim", Some(10)), ("narrow", Some(10_000))]
    {
        let name = Name::parse(name).unwrap();
        apply(Change::AddPop {
            name,
            domain: domain.clone(),
            owner: "A test".to_owned(),
            password: password(),
            quota,
            state: State::Active,
        });
    }
    for (address, target) in [
        ("postmaster@example.org", "alice"),
        ("josé@example.org", "alice"),
        ("\"two words\"@example.org", "bob"),
        ("moved@example.org", "reject:Moved away"),
        ("off@example.org", "alice"),
        ("void@example.org", "discard"),
    ] {
        let key = AliasKey::parse(address).unwrap();
        apply(Change::AddAlias { key, targets: vec![Target::parse(target).unwrap()], note: None, expires: None });
    }
    apply(Change::SwitchAlias { key: AliasKey::parse("off@example.org").unwrap(), switch: Switch::Disabled });
}

impl House {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// A server whose configuration is changed before it starts.
    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        furnish(folder.path());
        let mut config = config::parse(&text(folder.path())).unwrap();
        change(&mut config);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let running = runtime.block_on(app::start(config, Inherited::none())).unwrap();
        Self { folder, runtime, running: Some(running) }
    }

    /// A server with other session settings.
    pub fn with_sessions(change: impl FnOnce(&mut smtp::Settings)) -> Self {
        Self::with(|config| change(Arc::make_mut(&mut config.session)))
    }

    pub fn running(&self) -> &Running {
        self.running.as_ref().unwrap()
    }

    pub fn smtp(&self) -> Client {
        Client::tcp(&self.running().addresses.smtp[0])
    }

    pub fn smtp_tls(&self) -> Client {
        Client::tcp(&self.running().addresses.smtp_tls[0]).secured(&self.certificate())
    }

    pub fn lmtp(&self) -> Client {
        Client::tcp(&self.running().addresses.lmtp[0])
    }

    pub fn lmtp_unix(&self) -> Client {
        Client::unix(&self.folder.path().join("lmtp.sock"))
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("spool/tls/certificate.pem")
    }

    /// Waits until nobody is connected.
    pub fn is_left(&self) {
        until("all connections have ended", || self.running().service.limits.total() == 0);
    }

    fn files(&self, below: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.folder.path().join("spool").join(below)];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { found.push(path) }
            }
        }
        found
    }

    /// What lies in a mailbox, whole files.
    pub fn mailbox(&self, name: &str) -> Vec<String> {
        let files = self.files(&format!("mail/{name}/new"));
        files.iter().map(|file| String::from_utf8(fs::read(file).unwrap()).unwrap()).collect()
    }

    /// The text of every message that lies anywhere, in the order of arrival, without the fields that delivery adds.
    pub fn stored(&self) -> Vec<Vec<u8>> {
        let mut messages = BTreeMap::new();
        for file in self.files("mail").iter().filter(|file| file.parent().is_some_and(|folder| folder.ends_with("new"))) {
            let text = fs::read(file).unwrap();
            let received = find(&text, b"\nReceived: ") + 1;
            let mut end = received;
            while end == received || text.get(end) == Some(&b'\t') {
                end += find(&text[end..], b"\n") + 1;
            }
            let id = find(&text[received..], b" id ") + received + 4;
            messages.insert(text[id..id + 13].to_vec(), text[end..].to_vec());
        }
        messages.into_values().collect()
    }

    /// Nothing is under way, and nothing was left: no body, no draft, no waiting copy, no message.
    pub fn is_empty(&self) {
        for folder in ["incoming", "queue"] {
            assert_eq!(self.files(folder), Vec::<PathBuf>::new());
        }
        let mail: Vec<_> =
            self.files("mail").into_iter().filter(|file| file.parent().is_some_and(|f| f.ends_with("new") || f.ends_with("tmp"))).collect();
        assert_eq!(mail, Vec::<PathBuf>::new());
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

fn find(text: &[u8], wanted: &[u8]) -> usize {
    text.windows(wanted.len()).position(|window| window == wanted).expect("the fields of delivery")
}

/// Asks again and again.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
