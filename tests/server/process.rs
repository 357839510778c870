//! The program as an operator runs it: signals, a second server, too few files.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::client::Client;
use crate::house::{furnish, text, until};

const RESTANTE: &str = env!("CARGO_BIN_EXE_restante");

pub struct Program {
    pub folder: TempDir,
    child: Child,
}

impl Program {
    pub fn start(words: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        furnish(folder.path());
        fs::write(folder.path().join("restante.toml"), text(folder.path())).unwrap();
        Self::begin(folder, words)
    }

    /// Starts a server on what is in the folder.
    fn begin(folder: TempDir, words: &[&str]) -> Self {
        let child =
            serve(folder.path(), words).stdout(Stdio::null()).stderr(File::create(folder.path().join("log")).unwrap()).spawn().unwrap();
        let mut program = Self { folder, child };
        until("the server is ready", || {
            assert!(program.child.try_wait().unwrap().is_none(), "{}", program.log());
            let run = fs::read(program.folder.path().join("spool/run.json")).unwrap_or_default();
            // A server that crashed leaves one behind.
            serde_json::from_slice::<Value>(&run).is_ok_and(|run| run["pid"] == program.child.id())
        });
        program
    }

    /// Kills it, lets something happen to what it left, and starts it again.
    pub fn crash(mut self, meanwhile: impl FnOnce(&Path)) -> Self {
        self.signal(Signal::KILL);
        self.ended();
        let folder = std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap());
        meanwhile(folder.path());
        Self::begin(folder, &[])
    }

    fn run(&self) -> Value {
        serde_json::from_slice(&fs::read(self.folder.path().join("spool/run.json")).unwrap()).unwrap()
    }

    pub fn smtp(&self) -> Client {
        Client::tcp(self.run()["smtp"][0].as_str().unwrap())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    fn ended(&mut self) -> ExitStatus {
        let mut status = None;
        until("the server has ended", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The command, behind the words of another.
fn serve(folder: &Path, words: &[&str]) -> Command {
    let all: Vec<&str> = words.iter().copied().chain([RESTANTE, "serve", "--config"]).collect();
    let mut command = Command::new(all[0]);
    command.args(&all[1..]).arg(folder.join("restante.toml")).current_dir(folder).env_remove("RESTANTE_CONFIG").stdin(Stdio::null());
    command
}

#[test]
fn sighup_reads_configuration_and_certificate_again() {
    let program = Program::start(&[]);
    let certificate = program.folder.path().join("spool/tls/certificate.pem");
    let reloads = || program.log().matches("read again").count();
    let sizes = |client: &mut Client| {
        client.send("EHLO c\r\n");
        let mut lines = Vec::new();
        while let Some(line) = client.line() {
            lines.push(line.clone());
            if !line.starts_with("250-") {
                break;
            }
        }
        lines.into_iter().find_map(|line| line.split_once("SIZE ").map(|(_, size)| size.to_owned())).expect("SIZE is offered")
    };
    let mut before = program.smtp().greeted();
    assert_eq!(sizes(&mut before), "52428800");
    let old = fs::read(&certificate).unwrap();
    let changed = text(program.folder.path())
        .replace("[smtp]\n", "[smtp]\nmax_message_size = \"1MiB\"\n")
        .replace("[admin]\n", "[admin]\n# changed\n");
    fs::write(program.folder.path().join("restante.toml"), &changed).unwrap();
    fs::remove_file(&certificate).unwrap();
    program.signal(Signal::HUP);
    until("reloaded", || reloads() == 1);
    assert_eq!(sizes(&mut program.smtp().greeted()), "1048576");
    assert_eq!(sizes(&mut before), "52428800", "a session keeps what it began with");
    assert_ne!(fs::read(&certificate).unwrap(), old);
    Client::tcp(program.run()["smtp_tls"][0].as_str().unwrap()).secured(&certificate).greeted();

    fs::write(program.folder.path().join("restante.toml"), "nonsense").unwrap();
    program.signal(Signal::HUP);
    until("refused", || program.log().contains("reload refused"));
    assert_eq!(sizes(&mut program.smtp().greeted()), "1048576");

    fs::write(program.folder.path().join("restante.toml"), changed.replace("mx.example.org", "mx2.example.org")).unwrap();
    program.signal(Signal::HUP);
    until("told", || program.log().contains("restart=\"hostname\""));
}

#[test]
fn sigterm_lets_the_message_under_way_end() {
    let mut program = Program::start(&[]);
    let (mut idle, mut busy) = (program.smtp().greeted(), program.smtp().greeted());
    busy.expect("EHLO c", "250");
    busy.expect("MAIL FROM:<a@example.com>", "250");
    busy.expect("RCPT TO:<alice@example.org>", "250");
    busy.expect("DATA", "354");
    program.signal(Signal::TERM);
    assert!(idle.reply().starts_with("421 4.3.2"));
    busy.send("Subject: x\r\n\r\ny\r\n.\r\n");
    assert!(busy.reply().starts_with("250 2.0.0"));
    assert!(program.ended().success());
    assert!(!program.folder.path().join("spool/run.json").exists());
    let mail = program.folder.path().join("spool/mail/alice/new");
    assert_eq!(fs::read_dir(mail).unwrap().count(), 1);
    let log = program.log();
    let line = log.lines().find(|line| line.contains("to=\"alice@example.org\"")).expect("the outcome is logged");
    for field in [
        "delivered",
        "id=\"",
        "client=\"127.0.0.1\"",
        "from=\"a@example.com\"",
        "mailbox=\"alice\"",
        "size=14",
        "status=\"250 2.0.0",
        "tls=false",
    ] {
        assert!(line.contains(field), "{field} is not in {line}");
    }
}

#[test]
fn a_second_server_on_the_same_spool_is_refused() {
    let program = Program::start(&[]);
    let Output { status, stderr, .. } = serve(program.folder.path(), &[]).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains("another server runs on the spool"), "{said}");
    program.smtp().greeted().expect("NOOP", "250");
}

#[test]
fn accepting_survives_too_few_files() {
    let program = Program::start(&["prlimit", "--nofile=120:120"]);
    let mut clients: Vec<Client> = (0..200).map(|_| program.smtp()).collect();
    until("the server has met its limit", || program.log().contains("cannot accept"));
    clients.clear();
    let mut after = program.smtp().greeted();
    after.expect("EHLO c", "250");
    let replies = after.deliver("EHLO c", &["alice@example.org"], "Subject: x\r\n\r\ny");
    assert!(replies[0].starts_with("250"), "{replies:?}");
}

#[test]
fn the_default_quota_follows_a_reload_and_an_explicit_one_wins() {
    let program = Program::start(&[]);
    let set = |quota: &str| {
        let restante = Command::new(RESTANTE)
            .args(["pop", "edit", "bob", "--quota", quota, "--config"])
            .arg(program.folder.path().join("restante.toml"))
            .output()
            .unwrap();
        assert!(restante.status.success(), "{restante:?}");
    };
    let hears = |recipient: &str, size: u32, code: &str| {
        let mut client = program.smtp().greeted();
        client.expect("EHLO c", "250");
        client.expect(&format!("MAIL FROM:<a@example.com> SIZE={size}"), "250");
        client.expect(&format!("RCPT TO:<{recipient}@example.org>"), code);
    };
    hears("alice", 1000, "250");
    let file = program.folder.path().join("restante.toml");
    fs::write(&file, format!("{}[quota]\ndefault = \"500B\"\n", text(program.folder.path()))).unwrap();
    program.signal(Signal::HUP);
    until("reloaded", || program.log().contains("read again"));
    assert!(!program.log().contains("quota.default"), "no restart is asked for");
    hears("alice", 1000, "452 4.2.2");
    hears("alice", 100, "250");
    hears("bob", 1000, "452 4.2.2");
    set("unlimited");
    hears("bob", 1000, "250");
    set("default");
    hears("bob", 1000, "452 4.2.2");
}
