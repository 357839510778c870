//! The real program for a bench: a process of its own, in a throwaway folder, on free ports.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use restante::app::run_file::Addresses;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_restante");

/// A server that accepts.
pub struct Program {
    folder: TempDir,
    child: Child,
    pub addresses: Addresses,
}

/// What a process has of the machine's memory, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Resident {
    pub now: i64,
    pub most: i64,
}

impl Program {
    pub fn start() -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let spool = folder.path().join("spool").display().to_string();
        let text = format!(
            "hostname = \"mx.example.org\"\n[spool]\ndir = {spool:?}\n[mail]\nroot = {:?}\n[smtp]\nlisten = [\"127.0.0.1:0\"]\n\
             [lmtp]\nlisten = []\n[pop3]\nlisten = []\nlisten_tls = []\n[admin]\nlisten = \"127.0.0.1:0\"\nsocket = {:?}\n",
            format!("{spool}/mail"),
            format!("{spool}/admin.sock"),
        );
        fs::write(folder.path().join("restante.toml"), text)?;
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--config"]).arg(folder.path().join("restante.toml")).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn()?;
        let addresses = ready(folder.path(), &mut child)?;
        Ok(Self { folder, child, addresses })
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("restante.toml")
    }

    pub fn resident(&self) -> Outcome<Resident> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| -> Outcome<i64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such field")?;
            Ok(line.trim().trim_end_matches(" kB").parse()?)
        };
        Ok(Resident { now: field("VmRSS:")?, most: field("VmHWM:")? })
    }

    pub fn stop(mut self) -> Outcome<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }
}

fn ready(folder: &Path, server: &mut Child) -> Outcome<Addresses> {
    loop {
        if let Ok(text) = fs::read(folder.join("spool/run.json")) {
            return Ok(serde_json::from_slice(&text)?);
        }
        if let Some(status) = server.try_wait()? {
            return Err(format!("the server ended: {status}").into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
