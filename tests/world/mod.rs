//! A whole server for a test: the real binary, in a folder of its own, on free ports.
//!
//! Owns the processes that it starts: each ends when the value that stands for it is dropped, by its id. Nothing is
//! shared between worlds, so tests run side by side.
#![allow(dead_code, reason = "each test binary needs another part of the world")]

pub mod dovecot;
pub mod maildir;
pub mod port;
pub mod postfix;
pub mod process;
pub mod program;

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use maildir::Maildir;
use port::Port;
use process::{Process, until};

/// The binary under test.
pub const RESTANTE: &str = env!("CARGO_BIN_EXE_restante");

/// How long a server may take until all its listeners accept. Generous: the machine may be busy with other tests.
const READY: Duration = Duration::from_secs(60);

/// How long a server may take to end when it is asked to.
const STOPPED: Duration = Duration::from_secs(60);

/// Who runs the server and owns its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum User {
    /// Whoever runs the test.
    Same,
    /// The system user `mail` (Dovecot refuses mail that belongs to root). For tests that run as root.
    Mail,
}

/// Debian gives the user and the group `mail` this number on every machine.
const MAIL_ID: u32 = 8;

/// The addresses that the running server wrote to `run.json`.
#[derive(Debug, Clone, Default)]
pub struct Addresses {
    pub smtp: Option<SocketAddr>,
    pub lmtp: Option<SocketAddr>,
    pub pop3: Option<SocketAddr>,
    pub pop3_tls: Option<SocketAddr>,
    pub admin: Option<SocketAddr>,
}

/// A server with its folder.
pub struct World {
    folder: TempDir,
    user: User,
    settings: Settings,
    /// Where the server listens after every start, as an upstream MTA would have it: SMTP, LMTP, POP3, POP3 inside TLS.
    ports: [Port; 4],
    addresses: Addresses,
    server: Option<Process>,
}

/// What differs from the defaults of a world.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Further lines of `[smtp]`.
    pub smtp: String,
    /// Further tables.
    pub tables: String,
    /// Where the mailboxes and the spool lie, if not in the world's own folder.
    pub spool: Option<PathBuf>,
}

/// What a command printed, and how it ended.
#[derive(Debug, Clone)]
pub struct Printed {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl World {
    /// A server with default settings, running.
    pub fn new() -> Self {
        Self::with(User::Same, Settings::default())
    }

    /// A server, running.
    pub fn with(user: User, settings: Settings) -> Self {
        let mut world = Self::idle(user, settings);
        world.start();
        world
    }

    /// A server that has not been started yet.
    pub fn idle(user: User, settings: Settings) -> Self {
        let folder = folder("restante-test-");
        let ports = std::array::from_fn(|_| Port::new());
        let world = Self { folder, user, settings, ports, addresses: Addresses::default(), server: None };
        let sockets = world.path().join("lmtp");
        fs::create_dir(&sockets).expect("a folder");
        if user == User::Mail {
            for folder in [world.path(), &sockets] {
                chown(folder, Some(MAIL_ID), Some(MAIL_ID)).expect("the tests run as root");
            }
            // The build folder may lie where only its owner gets to.
            // A process of its own copies it: a test that starts a program at this moment would hand our open file on to
            // it, and a file that somebody may write to cannot be run.
            program::done("cp", &[RESTANTE, &world.program().display().to_string()], b"");
        }
        world.configure();
        world
    }

    /// The world's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn spool(&self) -> PathBuf {
        self.settings.spool.clone().unwrap_or_else(|| self.path().join("spool"))
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.path().join("restante.toml")
    }

    /// The LMTP socket in the file system.
    pub fn lmtp_socket(&self) -> PathBuf {
        self.path().join("lmtp/socket")
    }

    /// Where SMTP listens.
    pub fn smtp(&self) -> SocketAddr {
        self.addresses.smtp.expect("the server has run")
    }

    /// Where LMTP listens.
    pub fn lmtp(&self) -> SocketAddr {
        self.addresses.lmtp.expect("the server has run")
    }

    /// Where POP3 listens.
    pub fn pop3(&self) -> SocketAddr {
        self.addresses.pop3.expect("the server has run")
    }

    /// Where POP3 inside TLS listens.
    pub fn pop3_tls(&self) -> SocketAddr {
        self.addresses.pop3_tls.expect("the server has run")
    }

    /// Where panel and API listen.
    pub fn admin(&self) -> SocketAddr {
        self.addresses.admin.expect("the server has run")
    }

    /// The server's process id.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("the server runs").id()
    }

    /// All that the server has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("server.log")).unwrap_or_default()
    }

    fn configure(&self) {
        let [smtp, lmtp, pop3, pop3_tls] = self.ports.each_ref().map(Port::address);
        let mut text = String::new();
        write!(
            text,
            "hostname = \"mx.test\"\n\
             [spool]\ndir = {spool:?}\n\
             [mail]\nroot = {mail:?}\n\
             [smtp]\nlisten = [\"{smtp}\"]\n{more}\n\
             [lmtp]\nlisten = [\"{lmtp}\", \"unix:{socket}\"]\n\
             [pop3]\nlisten = [\"{pop3}\"]\nlisten_tls = [\"{pop3_tls}\"]\n\
             [admin]\nlisten = \"127.0.0.1:0\"\n{tables}\n",
            spool = self.spool(),
            mail = self.spool().join("mail"),
            more = self.settings.smtp,
            socket = self.lmtp_socket().display(),
            tables = self.settings.tables,
        )
        .expect("a string takes it");
        fs::write(self.config(), text).expect("the configuration is written");
    }

    fn program(&self) -> PathBuf {
        match self.user {
            User::Mail => self.path().join("restante"),
            _ => RESTANTE.into(),
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        command.current_dir(self.path()).env("HOME", self.path()).env_remove("RESTANTE_CONFIG").stdin(Stdio::null());
        if self.user == User::Mail {
            use std::os::unix::process::CommandExt;
            command.uid(MAIL_ID).gid(MAIL_ID);
        }
        command
    }

    /// Starts the server, and waits until it accepts.
    pub fn start(&mut self) {
        assert!(self.server.is_none(), "the server runs already");
        self.configure();
        let mut command = self.command();
        command.arg("serve").arg("--config").arg(self.config());
        let mut server = Process::start(&mut command, &self.path().join("server.log"));
        let run = self.spool().join("run.json");
        let pid = u64::from(server.id());
        self.addresses = until(READY, || {
            assert!(server.runs(), "the server ended by itself:\n{}", self.log());
            let run: Value = serde_json::from_slice(&fs::read(&run).ok()?).ok()?;
            // A file that a killed server left behind names another process.
            (run.get("pid")?.as_u64()? == pid).then(|| Addresses {
                smtp: first(&run, "smtp"),
                lmtp: first(&run, "lmtp"),
                pop3: first(&run, "pop3"),
                pop3_tls: first(&run, "pop3_tls"),
                admin: first(&run, "admin"),
            })
        })
        .unwrap_or_else(|| panic!("the server is not ready:\n{}", self.log()));
        self.server = Some(server);
    }

    /// Asks the server to end, and waits for it.
    pub fn stop(&mut self) {
        let status = self.server.take().expect("the server runs").stop(STOPPED);
        assert!(status.success(), "an orderly stop is a success, not {status}:\n{}", self.log());
    }

    /// `kill -9`, while others use the world; [`World::bury`] comes after.
    pub fn kill(&self) {
        self.server.as_ref().expect("the server runs").signal(rustix::process::Signal::KILL);
    }

    /// Waits for the end of a server that was killed.
    pub fn bury(&mut self) {
        drop(self.server.take());
    }

    /// Runs the command line.
    pub fn restante(&self, words: &[&str]) -> Printed {
        let output = self.command().args(words).arg("--config").arg(self.config()).output().expect("restante runs");
        Printed {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs the command line, which has to succeed; what it printed.
    pub fn done(&self, words: &[&str]) -> String {
        let printed = self.restante(words);
        assert_eq!(printed.code, 0, "restante {words:?}: {}\n{}", printed.stderr, self.log());
        printed.stdout
    }

    /// Adds a domain.
    pub fn domain(&self, domain: &str) -> &Self {
        self.done(&["domain", "add", domain]);
        self
    }

    /// Adds a POP account of `example.org` with a password of the server's making.
    pub fn pop(&self, name: &str) -> &Self {
        self.done(&["pop", "add", name, "--domain", "example.org", "--owner", "A test", "--generate"]);
        self
    }

    /// Adds an alias.
    pub fn alias(&self, address: &str, targets: &[&str]) -> &Self {
        self.done(&[["alias", "add", address].as_slice(), targets].concat());
        self
    }

    /// Many POP accounts, by import: each is `model` under another name, with the aliases that lead to it. A line of the
    /// export that names `model` is repeated with each name in its place.
    pub fn multiply(&self, model: &str, names: &[String]) {
        let export = self.done(&["export"]);
        let mut lines = heading(&export);
        for line in export.lines().filter(|line| line.contains(model)) {
            for (name, id) in names.iter().zip(1_000_000_u64..) {
                let mut record: Value = serde_json::from_str(&line.replace(model, name)).expect("a line of JSON");
                // An account's id must not be taken twice.
                replace(&mut record, "id", &Value::from(id));
                writeln!(lines, "{record}").expect("a string takes it");
            }
        }
        self.import(&lines);
    }

    /// Many aliases, by import: each is like the alias `model`, under another address and with another target.
    pub fn import_aliases(&self, model: &str, aliases: impl Iterator<Item = (String, String)>) {
        let export = self.done(&["export"]);
        let line = export.lines().find(|line| line.contains(model)).expect("the model is in the export");
        let mut lines = heading(&export);
        for (address, target) in aliases {
            let mut record: Value = serde_json::from_str(line).expect("a line of JSON");
            replace(&mut record, "key", &Value::from(address));
            replace(&mut record, "targets", &Value::from(vec![target]));
            writeln!(lines, "{record}").expect("a string takes it");
        }
        self.import(&lines);
    }

    fn import(&self, lines: &str) {
        let file = self.path().join("import.jsonl");
        fs::write(&file, lines).expect("the file is written");
        self.done(&["import", &file.display().to_string()]);
    }

    /// The Maildir of an account.
    pub fn maildir(&self, name: &str) -> Maildir {
        Maildir::new(self.spool().join("mail").join(name))
    }
}

/// The first line of an export says what it is.
fn heading(export: &str) -> String {
    export.lines().take(1).map(|line| format!("{line}\n")).collect()
}

/// Gives the field of that name, wherever it stands in the record, another value.
fn replace(record: &mut Value, field: &str, with: &Value) {
    match record {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == field { value.clone_from(with) } else { replace(value, field, with) }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| replace(value, field, with)),
        _ => {}
    }
}

/// A throwaway folder. Other programs, as other users, have to get through to sockets and mailboxes in it.
pub fn folder(prefix: &str) -> TempDir {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
    folder
}

fn first(run: &Value, protocol: &str) -> Option<SocketAddr> {
    run.get(protocol)?.as_array()?.iter().find_map(|address| address.as_str()?.parse().ok())
}

/// Whether the test may do what only root may. Says what is left out otherwise.
pub fn root_or_skip(what: &str) -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        eprintln!("skipped: {what} needs root");
    }
    root
}
