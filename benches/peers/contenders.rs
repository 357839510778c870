//! The peers, each as its administrators get it: with its defaults, mail in Maildirs, and the same mailboxes and aliases as
//! Restante. What differs from a default is said beside it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::load::client::Protocol;
use crate::load::group::Group;
use crate::load::server::{Door, Server};
use crate::load::{aliases, boxes};
use crate::world::dovecot::Dovecot;
use crate::world::folder;
use crate::world::port::Port;
use crate::world::postfix::{Postfix, map};
use crate::world::process::{Process, until};

/// Debian gives the user and the group `mail` this number on every machine.
const MAIL_ID: u32 = 8;

/// Both peers stop at 100 processes of a kind by default. A hundred sessions are to find room, and some to spare.
const PROCESSES: usize = 200;

/// A folder for Maildirs that belongs to the user `mail`.
fn mailboxes(folder: &Path) -> PathBuf {
    let mail = folder.join("mail");
    fs::create_dir(&mail).and_then(|()| chown(&mail, Some(MAIL_ID), Some(MAIL_ID))).expect("a folder");
    mail
}

/// Postfix: smtpd → cleanup → qmgr → virtual(8), which writes Maildirs.
///
/// Without `in_flow_delay`, by default a pause of a second for senders while they are faster than the deliveries: with a
/// hundred sessions Postfix delivers about a quarter more without.
pub fn postfix() -> Server {
    let mut mail = PathBuf::new();
    let start = || {
        Postfix::start(|folder| {
            mail = mailboxes(folder);
            let lines = |pairs: &mut dyn Iterator<Item = (String, String)>| {
                pairs.fold(String::new(), |mut lines, (key, value)| {
                    writeln!(lines, "{key} {value}").expect("a string takes it");
                    lines
                })
            };
            let aliases = lines(&mut aliases().map(|(alias, name)| (alias, format!("{name}@example.org"))));
            let boxes = lines(&mut boxes().map(|name| (format!("{name}@example.org"), format!("{name}/"))));
            format!(
                "default_process_limit = {PROCESSES}\nin_flow_delay = 0s\nvirtual_mailbox_domains = example.org\nvirtual_mailbox_base = {}\n\
                 virtual_minimum_uid = {MAIL_ID}\nvirtual_uid_maps = static:{MAIL_ID}\nvirtual_gid_maps = static:{MAIL_ID}\n\
                 virtual_alias_maps = {}\nvirtual_mailbox_maps = {}\n",
                mail.display(),
                map(folder, "aliases", &aliases),
                map(folder, "boxes", &boxes),
            )
        })
    };
    let started = Group::start("postfix", start, Postfix::pid);
    let door = Door { name: "Postfix", address: started.0.address(), protocol: Protocol::Smtp };
    Server::new(started, vec![door], Some(mail))
}

/// Dovecot's LMTP server. It knows no aliases: its user data base leads each of them to the home of its mailbox, which
/// is the same look-up.
pub fn dovecot() -> Server {
    let mut mail = PathBuf::new();
    let start = || {
        Dovecot::start(|folder, address| {
            mail = mailboxes(folder);
            let users = folder.join("users");
            let home = |name: &str| mail.join(name).display().to_string();
            // user:password:uid:gid:(gecos):home:(shell):extra
            let lines: String = aliases().map(|(alias, name)| format!("{alias}:::::{}::\n", home(&name))).collect();
            fs::write(&users, lines).expect("the users");
            format!(
                "protocols = lmtp\ndefault_process_limit = {PROCESSES}\nmail_location = maildir:~\n\
                 userdb {{\n driver = passwd-file\n args = {}\n default_fields = uid=mail gid=mail\n}}\n\
                 service lmtp {{\n inet_listener lmtp {{\n port = {}\n }}\n}}\n",
                users.display(),
                address.port()
            )
        })
    };
    let started = Group::start("dovecot", start, Dovecot::pid);
    let door = Door { name: "Dovecot LMTP", address: started.0.address(), protocol: Protocol::Lmtp };
    Server::new(started, vec![door], Some(mail))
}

/// `smtp-sink` throws everything away: the most that the client can send.
pub fn sink() -> Server {
    let port = Port::new();
    let address = port.address();
    let start = move || {
        let folder = folder("restante-sink-");
        let mut command = Command::new("/usr/sbin/smtp-sink");
        command.args(["-u", "postfix", &address.to_string(), "1000"]);
        let process = Process::start(&mut command, &folder.path().join("log"));
        let up = until(Duration::from_secs(10), || std::net::TcpStream::connect(address).ok());
        assert!(up.is_some(), "smtp-sink does not listen: {}", fs::read_to_string(folder.path().join("log")).unwrap_or_default());
        (process, folder, port)
    };
    let started = Group::start("sink", start, |(process, ..)| process.id());
    let door = Door { name: "smtp-sink", address, protocol: Protocol::Smtp };
    Server::new(started, vec![door], None)
}
