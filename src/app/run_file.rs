//! `run.json` in the spool folder: where this server listens, for tools. It is there while every listener accepts.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::server::connection::Door;
use crate::server::listeners::Listener;

const FILE: &str = "run.json";

/// What the file says. Addresses are `127.0.0.1:2525`, or `unix:/path`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Addresses {
    /// SMTP with STARTTLS.
    pub smtp: Vec<String>,
    /// LMTP.
    pub lmtp: Vec<String>,
    /// POP3 with STLS.
    pub pop3: Vec<String>,
    /// POP3 inside TLS.
    pub pop3_tls: Vec<String>,
    /// SMTP inside TLS.
    pub smtp_tls: Vec<String>,
    /// The panel.
    pub admin: Vec<String>,
    /// The process.
    pub pid: u32,
}

impl Addresses {
    /// Of these listeners, in this process.
    pub fn of(listeners: &[Listener]) -> Self {
        let at = |door: Door| listeners.iter().filter(|l| l.door() == door).map(|l| l.address().to_owned()).collect();
        Self {
            smtp: at(Door::Smtp),
            lmtp: at(Door::Lmtp),
            pop3: at(Door::Pop3),
            pop3_tls: at(Door::Pop3Tls),
            smtp_tls: at(Door::SmtpTls),
            pid: std::process::id(),
            ..Self::default()
        }
    }
}

/// The file of a running server; it goes with the value.
#[derive(Debug)]
pub struct RunFile {
    path: PathBuf,
}

impl RunFile {
    /// Removes what a crashed server left, so that no tool believes it; says whether there was anything.
    pub fn remove_stale(spool: &Path) -> io::Result<bool> {
        match fs::remove_file(spool.join(FILE)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Writes it: whole, or not at all.
    pub fn write(spool: &Path, addresses: &Addresses) -> io::Result<Self> {
        let path = spool.join(FILE);
        let mut file = tempfile::NamedTempFile::new_in(spool)?;
        serde_json::to_writer(&mut file, addresses)?;
        file.write_all(b"\n")?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(Self { path })
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_there_as_long_as_its_value() {
        let spool = tempfile::tempdir().unwrap();
        let addresses = Addresses { smtp: vec!["127.0.0.1:40123".into()], pid: 4711, ..Addresses::default() };
        let file = RunFile::write(spool.path(), &addresses).unwrap();
        let text = fs::read_to_string(spool.path().join("run.json")).unwrap();
        let expected = r#"{"smtp":["127.0.0.1:40123"],"lmtp":[],"pop3":[],"pop3_tls":[],"smtp_tls":[],"admin":[],"pid":4711}"#;
        assert_eq!(text.trim_end(), expected);
        drop(file);
        assert_eq!(fs::read_dir(spool.path()).unwrap().count(), 0);
        fs::write(spool.path().join("run.json"), "{}").unwrap();
        assert!(RunFile::remove_stale(spool.path()).unwrap());
        assert!(!RunFile::remove_stale(spool.path()).unwrap());
    }
}
