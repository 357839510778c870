//! An instance of Dovecot of one's own. Needs root, as Dovecot itself does.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::folder;
use super::port::Port;
use super::process::{Process, until};

/// How long it may take until Dovecot listens.
const READY: Duration = Duration::from_secs(30);

/// A Dovecot with its folder, which ends when this is dropped.
pub struct Dovecot {
    folder: TempDir,
    port: Port,
    master: Process,
}

impl Dovecot {
    /// Starts one that has the lines which `lines` makes in its configuration: they are given its folder and the address
    /// at which they let it listen. Any password is right, and is `secret`.
    pub fn start(lines: impl FnOnce(&Path, SocketAddr) -> String) -> Self {
        Self::with(|folder, address| {
            format!(
                "listen = {}\nssl = no\ndisable_plaintext_auth = no\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n\
                 passdb {{\n driver = static\n args = password=secret\n}}\n{}",
                address.ip(),
                lines(folder, address)
            )
        })
    }

    /// Starts one with the configuration that `text` makes, but for its folders.
    pub fn with(text: impl FnOnce(&Path, SocketAddr) -> String) -> Self {
        let folder = folder("restante-dovecot-");
        let (base, port) = (folder.path().display(), Port::new());
        let text = format!(
            "{}\nbase_dir = {base}/run\nstate_dir = {base}/state\nlog_path = {base}/log\nservice anvil {{\n chroot =\n}}\n",
            text(folder.path(), port.address())
        );
        let config = folder.path().join("dovecot.conf");
        fs::write(&config, text).expect("dovecot.conf");
        let command = &mut Command::new("/usr/sbin/dovecot");
        let master = Process::start(command.arg("-F").arg("-c").arg(&config), &folder.path().join("output")).with_children();
        let dovecot = Self { folder, port, master };
        let up = until(READY, || TcpStream::connect(dovecot.address()).ok());
        assert!(up.is_some(), "Dovecot does not listen:\n{}", dovecot.log());
        dovecot
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The process that all its others are children of.
    pub fn pid(&self) -> u32 {
        self.master.id()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        ["log", "output"].iter().filter_map(|file| fs::read_to_string(self.folder.path().join(file)).ok()).collect()
    }
}
