//! `run.json` in the spool folder: the addresses that were chosen, for tools. It is there while every listener accepts.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::server::connection::Door;
use crate::server::listeners::Listener;

/// The file's shape. Protocols that this version does not serve have no addresses.
#[derive(Debug, Default, Serialize)]
struct Addresses {
    smtp: Vec<String>,
    smtp_tls: Vec<String>,
    lmtp: Vec<String>,
    pop3: Vec<String>,
    pop3_tls: Vec<String>,
    admin: Vec<String>,
    pid: u32,
}

/// The file; removed when dropped.
pub(super) struct RunFile(PathBuf);

impl RunFile {
    /// Where it is.
    pub(super) fn path(spool: &Path) -> PathBuf {
        spool.join("run.json")
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(spool: &Path, listeners: &[Listener]) -> io::Result<Self> {
        let mut addresses = Addresses { pid: std::process::id(), ..Addresses::default() };
        for listener in listeners {
            let of_door = match listener.door() {
                Door::Smtp => &mut addresses.smtp,
                Door::SmtpTls => &mut addresses.smtp_tls,
                Door::Lmtp => &mut addresses.lmtp,
            };
            of_door.push(listener.address().to_owned());
        }
        let path = Self::path(spool);
        let draft = spool.join("run.json~part");
        std::fs::write(&draft, serde_json::to_vec_pretty(&addresses)?)?;
        std::fs::rename(&draft, &path)?;
        Ok(Self(path))
    }
}

impl Drop for RunFile {
    fn drop(&mut self) {
        // A tool that finds it all the same finds nobody at the addresses.
        let _ = std::fs::remove_file(&self.0);
    }
}
