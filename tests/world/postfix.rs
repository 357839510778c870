//! An instance of Postfix of one's own. Needs root, as Postfix itself does.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::folder;
use super::port::Port;
use super::process::{Process, until};
use super::program::done;

/// How long it may take until Postfix listens.
const READY: Duration = Duration::from_secs(60);

/// The services of Postfix that take part; none in a chroot.
const SERVICES: &str = "
pickup   unix       n - n 60 1 pickup
cleanup  unix       n - n - 0 cleanup
qmgr     unix       n - n 1 1 qmgr
rewrite  unix       - - n - - trivial-rewrite
bounce   unix       - - n - 0 bounce
defer    unix       - - n - 0 bounce
trace    unix       - - n - 0 bounce
flush    unix       n - n 1000? 0 flush
verify   unix       - - n - 1 verify
proxymap unix       - - n - - proxymap
smtp     unix       - - n - - smtp
lmtp     unix       - - n - - lmtp
virtual  unix       - n n - - virtual
error    unix       - - n - - error
discard  unix       - - n - - discard
retry    unix       - - n - - error
anvil    unix       - - n - 1 anvil
scache   unix       - - n - 1 scache
showq    unix       n - n - - showq
postlog  unix-dgram n - n - 1 postlogd
";

/// A Postfix with its folder, queue and log, which ends when this is dropped.
pub struct Postfix {
    folder: TempDir,
    port: Port,
    master: Process,
}

impl Postfix {
    /// Starts one that has the lines which `lines` makes for its folder in its `main.cf`.
    pub fn start(lines: impl FnOnce(&Path) -> String) -> Self {
        let folder = folder("restante-postfix-");
        let path = |part: &str| folder.path().join(part);
        for part in ["etc", "queue", "data"] {
            fs::create_dir(path(part)).expect("a folder");
        }
        done("chown", &["postfix", &path("data").display().to_string()], b"");
        let port = Port::new();
        let base = folder.path().display();
        let main = format!(
            "compatibility_level = 3.6\nqueue_directory = {base}/queue\ndata_directory = {base}/data\n\
             maillog_file = {base}/log\nmaillog_file_prefixes = {base}\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = front.test\nmydestination =\nalias_maps =\n\
             local_transport = error:there are no local mailboxes\nnotify_classes =\nsmtp_dns_support_level = disabled\n\
             mynetworks = 127.0.0.0/8\n"
        );
        // Before the lines are made: `postmap` wants to see a configuration.
        fs::write(path("etc/main.cf"), &main).expect("main.cf");
        fs::write(path("etc/main.cf"), main + &lines(folder.path())).expect("main.cf");
        fs::write(path("etc/master.cf"), format!("{} inet n - n - - smtpd{SERVICES}", port.address())).expect("master.cf");
        let config = path("etc").display().to_string();
        done("postfix", &["-c", &config, "check"], b"");
        let daemons = done("postconf", &["-c", &config, "-h", "daemon_directory"], b"");
        let master = Process::start(Command::new(format!("{}/master", daemons.trim())).args(["-c", &config, "-s"]), &path("master.log"))
            .with_children();
        let postfix = Self { folder, port, master };
        let up = until(READY, || TcpStream::connect(postfix.address()).ok());
        assert!(up.is_some(), "Postfix does not listen:\n{}", postfix.log());
        postfix
    }

    /// Where it takes mail.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The process that all its others are children of.
    pub fn pid(&self) -> u32 {
        self.master.id()
    }

    /// The folder of its configuration, as an argument.
    pub fn config(&self) -> String {
        self.folder.path().join("etc").display().to_string()
    }

    /// All that it has logged.
    pub fn log(&self) -> String {
        ["log", "master.log"].iter().filter_map(|file| fs::read_to_string(self.folder.path().join(file)).ok()).collect()
    }
}

/// Makes a map of this name and these lines in the configuration folder of an instance; how `main.cf` names it. The kind
/// is what this Postfix prefers.
pub fn map(folder: &Path, name: &str, lines: &str) -> String {
    let file = folder.join("etc").join(name);
    fs::write(&file, lines).expect("a map");
    let kind = done("postconf", &["-d", "-h", "default_database_type"], b"");
    let map = format!("{}:{}", kind.trim(), file.display());
    done("postmap", &["-c", &folder.join("etc").display().to_string(), &map], b"");
    map
}
