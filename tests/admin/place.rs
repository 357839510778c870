//! A folder with a configuration, the real binary in it, and a server where one is wanted.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How long a server may take to come up or to stop on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A cheap hash: these tests are not about its cost.
const CONFIGURATION: &str = "hostname = \"mx.test\"\n[spool]\ndir = \"spool\"\n[mail]\nroot = \"spool/mail\"\n\
    [smtp]\nlisten = [\"127.0.0.1:0\"]\n[lmtp]\nlisten = [\"127.0.0.1:0\"]\n[pop3]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = []\n\
    [admin]\nlisten = \"127.0.0.1:0\"\nsocket = \"spool/admin.sock\"\n";

pub struct Place {
    folder: TempDir,
    server: Option<Child>,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub struct Printed {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Printed {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The one line on stderr of a command that ended with `code`.
    pub fn refused(self, code: i32) -> String {
        assert_eq!(self.code, code, "{self:?}");
        let lines: Vec<&str> = self.stderr.lines().collect();
        assert_eq!(lines.len(), 1, "one line says what to do: {self:?}");
        lines[0].to_owned()
    }
}

/// Runs a test twice: the commands open the directory themselves, and they talk to a server.
pub fn both_ways(test: impl Fn(&Place)) {
    test(&Place::new());
    let mut place = Place::new();
    place.serve();
    test(&place);
    place.stop();
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("restante-admin-").tempdir().expect("a temporary folder");
        let place = Self { folder, server: None };
        fs::create_dir(place.path().join("config")).expect("a folder");
        fs::write(place.config(), CONFIGURATION).expect("the configuration is written");
        place
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn config(&self) -> PathBuf {
        self.path().join("config/restante.toml")
    }

    pub fn maildir(&self, name: &str) -> PathBuf {
        self.path().join("spool/mail").join(name)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path().join("server.log")).unwrap_or_default()
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restante"));
        command.args(words).current_dir(self.path()).env_remove("RESTANTE_CONFIG").stdin(Stdio::null());
        command
    }

    pub fn run(&self, words: &[&str]) -> Printed {
        printed(self.command(words).output().expect("restante runs"))
    }

    /// Runs a command that reads standard input.
    pub fn tell(&self, words: &[&str], input: &str) -> Printed {
        let mut command = self.command(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("restante runs");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A command that refuses early does not read it all.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        printed(child.wait_with_output().expect("restante ends"))
    }

    /// Runs a command that has to succeed, with `--json`.
    pub fn json(&self, words: &[&str]) -> Value {
        self.done(&[words, &["--json"]].concat()).json()
    }

    /// Runs a command that has to succeed.
    pub fn done(&self, words: &[&str]) -> Printed {
        let printed = self.run(words);
        assert_eq!(printed.code, 0, "{words:?}: {printed:?}\n{}", self.log());
        printed
    }

    /// `example.org` with alice and bob.
    pub fn peopled(&self) -> &Self {
        self.done(&["domain", "add", "example.org"]);
        for (name, owner) in [("alice", "Alice Ashford"), ("bob", "Bob Birch")] {
            self.done(&["pop", "add", name, "--domain", "example.org", "--owner", owner, "--generate"]);
        }
        self
    }

    /// Starts the server, and waits until it accepts.
    pub fn serve(&mut self) {
        let log = fs::File::create(self.path().join("server.log")).expect("a log");
        let mut command = self.command(&["serve"]);
        let child = command.stdout(log.try_clone().expect("a log")).stderr(log).spawn().expect("restante runs");
        let pid = u64::from(child.id());
        self.server = Some(child);
        let ready = until(|| {
            let gone = self.server.as_mut().is_some_and(|child| !matches!(child.try_wait(), Ok(None)));
            assert!(!gone, "the server ended by itself:\n{}", self.log());
            let run: Value = serde_json::from_slice(&fs::read(self.path().join("spool/run.json")).ok()?).ok()?;
            (run["pid"].as_u64()? == pid).then_some(())
        });
        assert!(ready.is_some(), "the server is not ready:\n{}", self.log());
    }

    /// Stops the server in an orderly way.
    pub fn stop(&mut self) {
        let mut child = self.server.take().expect("a server runs");
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::TERM).expect("it is ours");
        let status = until(|| child.try_wait().expect("it is ours")).expect("the server stops in time");
        assert!(status.success(), "an orderly stop is a success:\n{}", self.log());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut child) = self.server.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn printed(output: std::process::Output) -> Printed {
    Printed {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn until<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match probe() {
            Some(found) => return Some(found),
            None if Instant::now() > deadline => return None,
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}
