//! Exim and OpenSMTPD, of which there can be none beside an installed Postfix: `tests/install` unpacks them into a folder.
//!
//! Both have names of users, and OpenSMTPD has folders, built in. So each runs in a mount namespace, where `/etc/passwd` and some folders are its
//! own and the machine's are as they were.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::world::folder;
use crate::world::maildir::Maildir;
use crate::world::port::Port;
use crate::world::process::{Process, until};

/// The system user `mail`, who gets the mail.
const MAIL: u32 = 8;

/// A server that delivers to one Maildir.
pub struct Server {
    folder: TempDir,
    port: Port,
    _process: Process,
}

/// Where the servers are.
fn root() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache"));
    cache.join("restante/servers")
}

impl Server {
    /// An Exim that takes mail for all but `nobody`, if the machine allows it.
    pub fn exim() -> Option<Self> {
        // It runs itself anew as the user `mail`, who may not get to where it was unpacked.
        let script = "cp \"$ROOT/usr/sbin/exim4\" \"$HERE\"\nexec \"$HERE/exim4\" -C \"$HERE/conf\" -bdf -q1m -oP \"$HERE/pid\"";
        Self::start("usr/sbin/exim4", script, |here, address| {
            let here = here.display();
            format!(
                "primary_hostname = exim.test\nexim_path = {here}/exim4\nspool_directory = {here}/spool\nlog_file_path = {here}/spool/%s.log\n\
                 exim_user = {MAIL}\nexim_group = {MAIL}\nlocal_interfaces = 127.0.0.1\ndaemon_smtp_ports = {}\ntls_advertise_hosts =\n\
                 smtputf8_advertise_hosts = *\ndsn_advertise_hosts = *\nkeep_environment =\nhost_lookup =\nacl_smtp_rcpt = check\n\
                 begin acl\ncheck:\n  deny local_parts = nobody\n       message = no such user\n  accept\nbegin routers\nall:\n  driver = accept\n\
                 \x20 transport = file\nbegin transports\nfile:\n  driver = appendfile\n  directory = {here}/mail\n  maildir_format\n  user = {MAIL}\n\
                 \x20 group = {MAIL}\n",
                address.port()
            )
        })
    }

    /// An OpenSMTPD that takes mail for `someone@far.test`, if the machine allows it.
    pub fn opensmtpd() -> Option<Self> {
        let script = "for folder in /var/spool /var/lib /run /usr/libexec; do mount -t tmpfs own $folder; done\n\
            mkdir -p -m 711 /var/spool/smtpd\nmkdir -p /var/lib/opensmtpd/empty\ncp -a \"$ROOT/usr/libexec/opensmtpd\" /usr/libexec/\n\
            exec \"$ROOT/usr/sbin/smtpd\" -d -f \"$HERE/conf\"";
        Self::start("usr/sbin/smtpd", script, |here, address| {
            format!(
                "listen on 127.0.0.1 port {}\ntable known {{ \"someone@far.test\" = \"mail\" }}\naction \"file\" maildir \"{}/mail\" virtual <known>\n\
                 match from any for domain \"far.test\" action \"file\"\n",
                address.port(),
                here.display()
            )
        })
    }

    fn start(program: &str, script: &str, conf: impl FnOnce(&Path, SocketAddr) -> String) -> Option<Self> {
        if !root().join(program).exists() {
            eprintln!("skipped: there is no {program} in {}; `tests/install test` puts it there", root().display());
            return None;
        }
        let folder = folder("restante-server-");
        let (here, port) = (folder.path().to_owned(), Port::new());
        for part in ["spool", "mail"] {
            fs::create_dir(here.join(part)).expect("a folder");
            chown(here.join(part), Some(MAIL), Some(MAIL)).expect("the tests run as root");
        }
        fs::write(here.join("conf"), conf(&here, port.address())).expect("a configuration");
        fs::set_permissions(here.join("conf"), fs::Permissions::from_mode(0o644)).expect("our own file");
        let users = "Debian-exim:x:8:8::/nowhere:/bin/false\nopensmtpd:x:65001:65001::/nowhere:/bin/false\nopensmtpq:x:65002:65002::/nowhere:/bin/false\n";
        let groups = "Debian-exim:x:8:\nopensmtpd:x:65001:\nopensmtpq:x:65002:\n";
        for (file, more) in [("passwd", users), ("group", groups)] {
            let known = fs::read_to_string(Path::new("/etc").join(file)).expect("users and groups");
            fs::write(here.join(file), known + more).expect("a file");
        }
        let script = format!("set -e\nfor file in passwd group; do mount --bind \"$HERE/$file\" /etc/$file; done\n{script}");
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", &script]).env("HERE", &here).env("ROOT", root());
        let mut process = Process::start(&mut command, &here.join("log")).with_children();
        let up = until(Duration::from_secs(30), || (TcpStream::connect(port.address()).is_ok() || !process.runs()).then_some(()));
        if up.is_none() || !process.runs() {
            eprintln!("skipped: {program} does not run here:\n{}", fs::read_to_string(here.join("log")).unwrap_or_default());
            return None;
        }
        Some(Self { folder, port, _process: process })
    }

    /// Where it takes mail.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        let files = ["log", "spool/main.log", "spool/reject.log", "spool/panic.log"];
        files.iter().filter_map(|file| fs::read_to_string(self.folder.path().join(file)).ok()).collect()
    }

    /// Where it puts it.
    pub fn maildir(&self) -> Maildir {
        Maildir::new(self.folder.path().join("mail"))
    }
}
