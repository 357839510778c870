//! Dovecot beside: IMAP over the same Maildirs, while mail goes on arriving.

use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;

use restante::directory::password::{self, Cost};
use restante::mail::Secret;

use crate::world::dovecot::Dovecot;
use crate::world::program::done;
use crate::world::{Settings, User, World, root_or_skip};
use crate::{crlf, same, tricky, without_last_line_end};

/// Dovecot over one folder of Maildirs.
struct Reader(Dovecot);

impl Reader {
    fn over(world: &World) -> Self {
        let mail = world.maildir("%n").path().display().to_string();
        // Its own files (index, UIDs) stay out of the Maildir: only what every reader does is done there.
        Self(Dovecot::start(|_, address| {
            format!(
                "protocols = imap\nmail_location = maildir:{mail}:INDEX=MEMORY\n\
                 userdb {{\n driver = static\n args = uid=mail gid=mail home={mail}\n}}\n{}",
                imap_at(address.port())
            )
        }))
    }

    /// The configuration that comes with Restante, with this test's folders and user in place of an installed system's.
    fn as_shipped(world: &World) -> Self {
        let mail = world.maildir("%Ln").path().display().to_string();
        let hash = password::hash(&Secret::given("secret".to_owned()), Cost { memory_kib: 1024, passes: 2, lanes: 1 });
        Self(Dovecot::with(|folder, address| {
            let own = folder.join("own");
            fs::create_dir(&own).expect("a folder");
            chown(&own, Some(MAIL), Some(MAIL)).expect("the tests run as root");
            fs::write(folder.join("users"), format!("alice:{{ARGON2ID}}{}\n", hash.0)).expect("the passwords");
            let at = |path: &Path| path.display().to_string();
            let mut text = include_str!("../../config/dovecot/dovecot.conf").to_owned();
            for (shipped, here) in [
                ("base_dir = /run/dovecot\n", String::new()),
                ("/var/lib/restante/spool/mail/%Ln", mail),
                ("/var/lib/dovecot/restante", at(&own)),
                ("/etc/dovecot/restante.users", at(&folder.join("users"))),
                (
                    "mail_uid = restante\nmail_gid = restante\nfirst_valid_uid = 100",
                    "mail_uid = mail\nmail_gid = mail\nfirst_valid_uid = 1".into(),
                ),
                ("uid=restante gid=restante", "uid=mail gid=mail".into()),
            ] {
                assert!(text.contains(shipped), "the configuration has no `{shipped}` any more");
                text = text.replace(shipped, &here);
            }
            text + &imap_at(address.port())
        }))
    }

    /// Reads `count` messages of an account as they arrive, marks each as seen, and gives their texts, CRLF line ends.
    fn reads(&self, account: &str, count: usize) -> Vec<Vec<u8>> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/reader.py");
        let out = self.0.path().join("read");
        fs::create_dir(&out).expect("a folder");
        done("python3", &[script, &self.0.address().port().to_string(), account, &count.to_string(), &out.display().to_string()], b"");
        fs::read_dir(&out).expect("the folder").flatten().map(|file| fs::read(file.path()).expect("a text")).collect()
    }
}

/// IMAP at one port of this machine, and nothing else.
fn imap_at(port: u16) -> String {
    format!(
        "\nservice imap-login {{\n chroot =\n inet_listener imap {{\n port = {port}\n }}\n inet_listener imaps {{\n port = 0\n }}\n}}\n"
    )
}

/// Debian gives the user and the group `mail` this number on every machine.
const MAIL: u32 = 8;

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
    let dovecot = Reader::over(&world);
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
    assert!(read == on_disk, "Dovecot read {} messages that differ from the {} on disk\n{}", read.len(), on_disk.len(), dovecot.0.log());
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
    let texts = Reader::over(&world).reads("alice", 1);
    assert_eq!(texts.len(), 1);
    texts.iter().for_each(|text| same(text, &crlf(&message.text)));
}

#[test]
fn dovecot_as_shipped_serves_what_was_delivered() {
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
    let dovecot = Reader::as_shipped(&world);
    // Names are folded there as they are here.
    let texts = dovecot.reads("Alice", 1);
    assert_eq!(texts.len(), 1, "{}", dovecot.0.log());
    texts.iter().for_each(|text| same(text, &crlf(&message.text)));
    let own = fs::read_dir(world.maildir("alice").path()).expect("the Maildir").flatten().map(|entry| entry.file_name());
    let strangers: Vec<_> = own.filter(|name| name.to_string_lossy().starts_with("dovecot")).collect();
    assert_eq!(strangers, Vec::<std::ffi::OsString>::new(), "what is Dovecot's own lies elsewhere");
}
