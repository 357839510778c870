//! Programs that owners fetch their mail with: in clear, with STLS, inside TLS; leaving the mail there, and not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::world::World;
use crate::world::program::done;
use crate::{same, tricky, without_last_line_end};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Security {
    Clear,
    Stls,
    Tls,
}

use Security::{Clear, Stls, Tls};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Keep,
    Delete,
}

/// What a program is told.
struct Order<'a> {
    world: &'a World,
    password: &'a str,
    security: Security,
    after: After,
    /// Where it may leave what it needs.
    folder: PathBuf,
    /// Where the messages go, a file each.
    out: PathBuf,
}

impl Order<'_> {
    fn port(&self) -> u16 {
        if self.security == Tls { self.world.pop3_tls().port() } else { self.world.pop3().port() }
    }

    /// A program that puts each message that it is given into a file of its own.
    fn agent(&self) -> String {
        let path = self.folder.join("agent");
        fs::write(&path, format!("#!/bin/sh\ncat > \"$(mktemp {}/XXXXXX)\"\n", self.out.display())).expect("a script");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("permissions");
        path.display().to_string()
    }

    /// A private file.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
        path.display().to_string()
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn out(&self) -> String {
        self.out.display().to_string()
    }

    fn delete(&self) -> bool {
        self.after == After::Delete
    }
}

/// Two messages for alice, who has a password; each way of each program fetches both.
fn fetched_by(ways: &[Security], fetch: impl Fn(&Order<'_>), fit: impl Fn(&[u8]) -> Vec<u8>) {
    let world = World::new();
    world.domain("example.org");
    let made = world.done(&["pop", "add", "alice", "--domain", "example.org", "--owner", "A test", "--generate", "--json"]);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    let password = made["password"].as_str().expect("the password, shown once");
    let server = world.smtp().to_string();
    let send = || {
        for _ in 0..2 {
            let words = ["--server", &server, "--from", "sender@client.test", "--to", "alice@example.org", "--data", "-"];
            done("swaks", &words, without_last_line_end(&tricky()));
        }
    };
    let mut sent = Vec::new();
    for (number, (security, after)) in ways.iter().flat_map(|way| [(*way, After::Keep), (*way, After::Delete)]).enumerate() {
        if after == After::Keep {
            send();
            sent = world.maildir("alice").wait(2);
        }
        let folder = world.path().join(format!("fetch{number}"));
        let out = folder.join("out");
        fs::create_dir_all(&out).expect("a folder");
        fetch(&Order { world: &world, password, security, after, folder, out: out.clone() });
        compare(&out, &sent.iter().map(|message| fit(&message.text)).collect::<Vec<_>>(), &fit);
        let left = world.maildir("alice").files().len();
        assert_eq!(left, if after == After::Delete { 0 } else { 2 }, "{security:?} {after:?}");
    }
}

fn compare(out: &Path, expected: &[Vec<u8>], fit: &impl Fn(&[u8]) -> Vec<u8>) {
    let mut found: Vec<Vec<u8>> = walk(out).iter().map(|file| fit(&fs::read(file).expect("a message"))).collect();
    let mut expected = expected.to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found.len(), expected.len());
    found.iter().zip(&expected).for_each(|(found, expected)| same(found, expected));
}

/// The files below a folder.
fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.into_iter().flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

/// As it was sent.
fn whole(text: &[u8]) -> Vec<u8> {
    text.to_vec()
}

#[test]
fn poplib_fetches() {
    let fetch = |order: &Order<'_>| {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/fetcher.py");
        let security = match order.security {
            Clear => "plain",
            Stls => "stls",
            Tls => "tls",
        };
        let after = if order.delete() { "delete" } else { "keep" };
        done("python3", &[script, &order.port().to_string(), security, order.password, &order.out(), after], b"");
    };
    fetched_by(&[Clear, Stls, Tls], fetch, whole);
}

#[test]
fn curl_fetches() {
    let fetch = |order: &Order<'_>| {
        let scheme = if order.security == Tls { "pop3s" } else { "pop3" };
        let user = format!("alice:{}", order.password);
        let url = |path: &str| format!("{scheme}://127.0.0.1:{}/{path}", order.port());
        let mut fixed = vec!["-sS", "--insecure", "--max-time", "60", "--user", &user];
        if order.security == Stls {
            fixed.push("--ssl-reqd");
        }
        for number in ["1", "2"] {
            let path = order.path(number);
            done("curl", &[fixed.as_slice(), &["--output", &path, &url(number)]].concat(), b"");
            let text = fs::read(&path).expect("a message");
            let text: Vec<u8> = text.into_iter().filter(|octet| *octet != b'\r').collect();
            fs::write(order.out.join(number), text).expect("a file");
        }
        if order.delete() {
            for _ in 0..2 {
                done("curl", &[fixed.as_slice(), &["--head", "--request", "DELE 1", &url("")]].concat(), b"");
            }
        }
    };
    fetched_by(&[Clear, Stls, Tls], fetch, whole);
}

#[test]
fn fetchmail_fetches() {
    let fetch = |order: &Order<'_>| {
        let (security, keep) = (
            match order.security {
                Clear => "sslproto ''",
                Stls => "sslproto 'auto' no sslcertck",
                Tls => "ssl no sslcertck",
            },
            if order.delete() { "nokeep" } else { "keep" },
        );
        let rules = format!(
            "set invisible\npoll 127.0.0.1 service {} protocol pop3 uidl\n username \"alice\" password \"{}\" {security} fetchall {keep} \
             no rewrite mda \"{}\"\n",
            order.port(),
            order.password,
            order.agent()
        );
        let (rules, pid, ids) = (order.file("rules", &rules), order.path("pid"), order.path("ids"));
        done("fetchmail", &["-f", &rules, "--nodetach", "--nosyslog", "--pidfile", &pid, "--idfile", &ids], b"");
    };
    fetched_by(&[Clear, Stls, Tls], fetch, whole);
}

#[test]
fn getmail_fetches() {
    let fetch = |order: &Order<'_>| {
        let kind = if order.security == Tls { "SimplePOP3SSLRetriever" } else { "SimplePOP3Retriever" };
        let rules = format!(
            "[retriever]\ntype = {kind}\nserver = 127.0.0.1\nport = {}\nusername = alice\npassword = {}\n\
             [destination]\ntype = MDA_external\npath = {}\nallow_root_commands = true\n\
             [options]\ndelete = {}\ndelivered_to = false\nreceived = false\n",
            order.port(),
            order.password,
            order.agent(),
            order.delete()
        );
        let (rules, folder) = (order.file("rules", &rules), order.folder.display().to_string());
        done("getmail", &["--getmaildir", &folder, "--rcfile", &rules], b"");
    };
    // It writes the field that stands for the envelope's sender anew.
    let without_return_path = |text: &[u8]| {
        let end = text.iter().position(|octet| *octet == b'\n').map_or(0, |end| end + 1);
        if text.starts_with(b"Return-Path:") { text.get(end..).unwrap_or_default().to_vec() } else { text.to_vec() }
    };
    fetched_by(&[Clear, Tls], fetch, without_return_path);
}

#[test]
fn mpop_fetches() {
    let fetch = |order: &Order<'_>| {
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(order.out.join(part)).expect("a folder");
        }
        let on = |on: bool| if on { "on" } else { "off" };
        let rules = format!(
            "account default\nhost 127.0.0.1\nport {}\nuser alice\npassword {}\nauth {}\ntls {}\ntls_starttls {}\n{}\
             delivery maildir {}\nkeep {}\nuidls_file {}\nreceived_header off\n",
            order.port(),
            order.password,
            if order.security == Clear { "user" } else { "plain" },
            on(order.security != Clear),
            on(order.security == Stls),
            if order.security == Clear { "" } else { "tls_certcheck off\n" },
            order.out(),
            on(!order.delete()),
            order.path("uids"),
        );
        let rules = order.file("rules", &rules);
        done("mpop", &["-C", &rules, "-q"], b"");
    };
    fetched_by(&[Clear, Stls, Tls], fetch, whole);
}

#[test]
fn mutt_fetches() {
    let fetch = |order: &Order<'_>| {
        for part in ["new", "cur", "tmp"] {
            fs::create_dir_all(order.out.join(part)).expect("a folder");
        }
        let yes = |yes: bool| if yes { "yes" } else { "no" };
        let scheme = if order.security == Tls { "pops" } else { "pop" };
        let certificate = order.world.path().join("spool/tls/certificate.pem");
        let settings = format!(
            "set folder={} mbox_type=Maildir spoolfile={out} pop_host={scheme}://alice@127.0.0.1:{} pop_pass={} pop_delete={} quit=yes \
             ssl_verify_host=no certificate_file={} ssl_starttls={} ssl_force_tls={}",
            order.folder.display(),
            order.port(),
            order.password,
            yes(order.delete()),
            certificate.display(),
            yes(order.security == Stls),
            yes(order.security != Clear),
            out = order.out(),
        );
        // mutt wants a terminal, which script(1) gives it.
        let mutt = format!("mutt -n -F /dev/null -f {} -e \"{settings}\" -e 'push \"<fetch-mail><quit>\"'", order.out());
        let home = format!("HOME={}", order.folder.display());
        done("timeout", &["60", "env", "TERM=xterm", &home, "script", "-qec", &mutt, "/dev/null"], b"");
    };
    fetched_by(&[Clear, Stls, Tls], fetch, whole);
}
