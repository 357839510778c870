//! Dovecot beside: IMAP over the same Maildirs, while mail goes on arriving.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::world::process::{Process, until};
use crate::world::program::done;
use crate::world::{Settings, User, World, root_or_skip};
use crate::{crlf, free_port, same, tricky, without_last_line_end};

/// An instance of Dovecot over one folder of Maildirs.
struct Dovecot {
    folder: TempDir,
    port: u16,
    _master: Process,
}

impl Dovecot {
    fn over(world: &World) -> Self {
        let folder = tempfile::Builder::new().prefix("restante-dovecot-").tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let port = free_port();
        let base = folder.path().display();
        let mail = world.maildir("%n").path().display().to_string();
        // Its own files (index, UIDs) stay out of the Maildir: only what every reader does is done there.
        let text = format!(
            "base_dir = {base}/run\nstate_dir = {base}/state\nlog_path = {base}/log\nprotocols = imap\nlisten = 127.0.0.1\nssl = no\n\
             disable_plaintext_auth = no\nfirst_valid_uid = 1\nfirst_valid_gid = 1\nmail_location = maildir:{mail}:INDEX=MEMORY\n\
             passdb {{\n driver = static\n args = password=secret\n}}\n\
             userdb {{\n driver = static\n args = uid=mail gid=mail home={mail}\n}}\n\
             service imap-login {{\n chroot =\n inet_listener imap {{\n port = {port}\n }}\n inet_listener imaps {{\n port = 0\n }}\n}}\n\
             service anvil {{\n chroot =\n}}\n"
        );
        let config = folder.path().join("dovecot.conf");
        fs::write(&config, text).expect("dovecot.conf");
        let command = &mut Command::new("/usr/sbin/dovecot");
        let master = Process::start(command.arg("-F").arg("-c").arg(&config), &folder.path().join("output")).with_children();
        let dovecot = Self { folder, port, _master: master };
        let up = until(Duration::from_secs(30), || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        assert!(up.is_some(), "Dovecot does not listen:\n{}", dovecot.log());
        dovecot
    }

    fn log(&self) -> String {
        ["log", "output"].iter().filter_map(|file| fs::read_to_string(self.folder.path().join(file)).ok()).collect()
    }

    /// Reads `count` messages of an account as they arrive, marks each as seen, and gives their texts, CRLF line ends.
    fn reads(&self, account: &str, count: usize) -> Vec<Vec<u8>> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/reader.py");
        let out = self.folder.path().join("read");
        fs::create_dir(&out).expect("a folder");
        done("python3", &[script, &self.port.to_string(), account, &count.to_string(), &out.display().to_string()], b"");
        fs::read_dir(&out).expect("the folder").flatten().map(|file| fs::read(file.path()).expect("a text")).collect()
    }
}

/// Messages that arrive while Dovecot reads.
const MESSAGES: usize = 500;

#[test]
fn dovecot_reads_and_flags_while_mail_arrives() {
    if !root_or_skip("Dovecot") {
        return;
    }
    // Dovecot refuses mail that belongs to root.
    let world = World::with(User::Mail, Settings::default());
    world.domain("example.org").pop("alice").alias("info@example.org", &["alice"]);
    let dovecot = Dovecot::over(&world);
    let read = std::thread::scope(|scope| {
        scope.spawn(|| {
            let (server, count) = (world.smtp().to_string(), MESSAGES.to_string());
            let words = ["-s", "4", "-m", &count, "-f", "sender@client.test", "-t", "info@example.org", "-S", "hello", &server];
            done("smtp-source", &words, b"");
        });
        dovecot.reads("alice", MESSAGES)
    });
    let mut read: Vec<String> = read.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    let messages = world.maildir("alice").wait(MESSAGES);
    let mut on_disk: Vec<String> = messages.iter().map(|message| String::from_utf8_lossy(&crlf(&message.text)).into_owned()).collect();
    read.sort_unstable();
    on_disk.sort_unstable();
    assert!(read == on_disk, "Dovecot read {} messages that differ from the {} on disk\n{}", read.len(), on_disk.len(), dovecot.log());
    for message in &messages {
        let path = message.path.display().to_string();
        assert!(path.contains("/cur/") && path.ends_with(":2,S"), "{path}");
    }
}

#[test]
fn dovecot_believes_the_sizes_in_file_names() {
    if !root_or_skip("Dovecot") {
        return;
    }
    let world = World::with(User::Mail, Settings::default());
    world.domain("example.org").pop("alice");
    let server = world.smtp().to_string();
    done(
        "swaks",
        &["--server", &server, "--from", "sender@client.test", "--to", "alice@example.org", "--data", "-"],
        without_last_line_end(&tricky()),
    );
    let message = world.maildir("alice").one();
    let name = message.path.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(name.ends_with(&format!(",S={},W={}", message.text.len(), crlf(&message.text).len())), "{name}");
    let texts = Dovecot::over(&world).reads("alice", 1);
    assert_eq!(texts.len(), 1);
    texts.iter().for_each(|text| same(text, &crlf(&message.text)));
}
