//! Dovecot beside: IMAP over the same Maildirs, while mail goes on arriving.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use restante::directory::password::{self, Cost};
use restante::mail::Secret;

use crate::world::dovecot::Dovecot;
use crate::world::program::done;
use crate::world::{Settings, User, World, root_or_skip};
use crate::{crlf, same, tricky, without_last_line_end};

/// Dovecot over one folder of Maildirs.
struct Reader(Dovecot);

/// Everybody's password is `secret`.
const ANYBODY: &str = "driver = static\n args = password=secret";

impl Reader {
    fn over(world: &World) -> Self {
        Self::with_passwords(world, ANYBODY)
    }

    fn with_passwords(world: &World, passwords: &str) -> Self {
        let mail = world.maildir("%n").path().display().to_string();
        // Its own files (index, UIDs) stay out of the Maildir: only what every reader does is done there.
        Self(Dovecot::with(|_, address| {
            format!(
                "protocols = imap\nlisten = 127.0.0.1\nssl = no\ndisable_plaintext_auth = no\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n\
                 mail_location = maildir:{mail}:INDEX=MEMORY\npassdb {{\n {passwords}\n}}\n\
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

/// The passwd-file that `config/dovecot/users` makes of an export, used as `config/dovecot/dovecot.conf` says.
#[test]
fn dovecot_lets_owners_in_with_the_passwords_of_restante() {
    if !root_or_skip("Dovecot") {
        return;
    }
    let world = World::with(User::Mail, Settings::default());
    world.domain("example.org");
    let password = |name: &str| {
        let made = world.done(&["pop", "add", name, "--domain", "example.org", "--owner", "A test", "--generate", "--json"]);
        let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
        made["password"].as_str().expect("the password, shown once").to_owned()
    };
    let (alice, sam) = (password("alice"), password("sam"));
    world.done(&["pop", "suspend", "sam"]);
    let users = world.path().join("users");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/config/dovecot/users");
    fs::write(&users, done("python3", &[script], world.done(&["export"]).as_bytes())).expect("the users");
    fs::set_permissions(&users, fs::Permissions::from_mode(0o644)).expect("permissions");
    let conf = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/dovecot/dovecot.conf")).expect("the recipe");
    let recipe = conf.lines().map(str::trim).skip_while(|line| *line != "passdb {").skip(1).take_while(|line| *line != "}");
    let passwords = recipe.collect::<Vec<_>>().join("\n").replace("/etc/dovecot/restante.users", &users.display().to_string());
    assert!(passwords.contains("passwd-file"), "{passwords}");
    let dovecot = Reader::with_passwords(&world, &passwords);
    let log_in = |name: &str, password: &str| {
        let url = format!("imap://127.0.0.1:{}/", dovecot.0.address().port());
        let user = format!("{name}:{password}");
        crate::world::program::run("curl", &["-sS", "--max-time", "60", "--user", &user, &url], b"").code == 0
    };
    assert!(log_in("alice", &alice), "{}", dovecot.0.log());
    assert!(log_in("ALICE", &alice), "{}", dovecot.0.log());
    assert!(!log_in("alice", "wrong-password"));
    assert!(!log_in("sam", &sam), "a suspended account");
}

/// Messages that POP3 and IMAP look at together.
const SHARED: usize = 200;

/// Dovecot moves every message to `cur` and flags it, while POP3 sessions list and fetch the same ones.
#[test]
fn pop3_fetches_while_dovecot_flags() {
    if !root_or_skip("Dovecot") {
        return;
    }
    let world = World::with(User::Mail, Settings::default());
    world.domain("example.org");
    let made = world.done(&["pop", "add", "alice", "--domain", "example.org", "--owner", "A test", "--generate", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).expect("JSON");
    let password = made["password"].as_str().expect("the password, shown once").to_owned();
    let (server, count) = (world.smtp().to_string(), SHARED.to_string());
    let words = ["-s", "4", "-m", &count, "-f", "sender@client.test", "-t", "alice@example.org", "-S", "hello", &server];
    done("smtp-source", &words, b"");
    let before: std::collections::BTreeSet<_> = world.maildir("alice").wait(SHARED).into_iter().map(|message| message.text).collect();
    let dovecot = Reader::over(&world);
    let fetched = |round: usize| {
        let out = world.path().join(format!("fetched{round}"));
        fs::create_dir(&out).expect("a folder");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/fetcher.py");
        done("python3", &[script, &world.pop3().port().to_string(), "plain", &password, &out.display().to_string(), "keep"], b"");
        fs::read_dir(&out).expect("the folder").flatten().map(|file| fs::read(file.path()).expect("a text")).collect::<Vec<_>>()
    };
    std::thread::scope(|scope| {
        let flagging = scope.spawn(|| dovecot.reads("alice", SHARED));
        for round in 0.. {
            let last = flagging.is_finished();
            let texts = fetched(round);
            assert_eq!(texts.len(), SHARED, "round {round}");
            assert!(texts.iter().all(|text| before.contains(text)), "round {round}");
            if last {
                break;
            }
        }
    });
    assert!(world.maildir("alice").files().iter().all(|file| file.display().to_string().ends_with(":2,S")), "{}", dovecot.0.log());
}
