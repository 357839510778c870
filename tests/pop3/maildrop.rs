//! Mailboxes as a session sees them, over real folders, with other programs at work in them.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use restante::directory::AccountId;
use restante::mail::Name;
use restante::maildir::{Maildirs, Maildrop, Over, Settings};
use restante::protocol::pop3::Maildrop as _;
use restante::sys::folder::Wait;
use tempfile::TempDir;

struct Box {
    folder: TempDir,
    maildirs: Maildirs,
    name: Name,
}

const ID: AccountId = AccountId(1);

impl Box {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            Settings { root: folder.path().join("mail"), hostname: "mx.example.org".into(), default_quota: None, over: Over::Defer };
        let new = Self { maildirs: Maildirs::new(settings).unwrap(), folder, name: Name::parse("alice").unwrap() };
        assert_eq!(new.open().listing().messages(), 0, "a mailbox that was never used is empty");
        new
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join("mail/alice").join(file)
    }

    fn put(&self, file: &str, text: &[u8]) {
        fs::write(self.path(file), text).unwrap();
    }

    fn open(&self) -> Maildrop {
        self.maildirs.maildrop(ID, &self.name).unwrap()
    }
}

fn uids(maildrop: &Maildrop) -> Vec<String> {
    let listing = maildrop.listing();
    let uid = |index| {
        let mut uid = Vec::new();
        listing.write_uid(index, &mut uid);
        String::from_utf8(uid).unwrap()
    };
    (0..listing.messages()).map(uid).collect()
}

fn sizes(maildrop: &Maildrop) -> Vec<u64> {
    let listing = maildrop.listing();
    (0..listing.messages()).map(|index| listing.octets(index)).collect()
}

fn text(maildrop: &mut Maildrop, index: usize) -> std::io::Result<Vec<u8>> {
    let mut source = maildrop.open(index)?;
    let (mut text, mut piece) = (Vec::new(), [0; 7]);
    loop {
        match source.read(&mut piece, Wait::Allowed)? {
            0 => return Ok(text),
            read => text.extend_from_slice(&piece[..read]),
        }
    }
}

#[test]
fn messages_come_in_order_of_arrival_whatever_folder_they_lie_in() {
    let mailbox = Box::new();
    mailbox.put("cur/1700000000.M9P1Q1.mx,S=2,W=3:2,S", b"b\n");
    mailbox.put("new/1700000000.M10P1Q2.mx,S=2,W=3", b"c\n");
    mailbox.put("new/1600000000.12_1.other", b"a\nno end");
    mailbox.put("new/.hidden", b"");
    mailbox.put("tmp/1700000001.M1P1Q1.mx,S=2,W=3", b"d\n");
    fs::create_dir_all(mailbox.path(".Sent/cur")).unwrap();
    mailbox.put(".Sent/cur/1700000000.M9P1Q7.mx", b"sent\n");
    fs::create_dir(mailbox.path("new/folder")).unwrap();
    mailbox.put("restante-note", b"");
    let maildrop = mailbox.open();
    assert_eq!(uids(&maildrop), ["1600000000.12_1.other", "1700000000.M9P1Q1.mx,S=2,W=3", "1700000000.M10P1Q2.mx,S=2,W=3"]);
    assert_eq!(sizes(&maildrop), [3 + 8, 3, 3], "read where the name does not tell");
}

#[test]
fn unique_ids_survive_moves_and_flags_and_are_fit_to_print() {
    let mailbox = Box::new();
    let long = format!("1700000000.M1P1Q1.{}", "x".repeat(100));
    for file in [&long, "1.a b", "2.ü", "3.ok"] {
        mailbox.put(&format!("new/{file}"), b"text\n");
    }
    let before = uids(&mailbox.open());
    for uid in &before {
        assert!((1..=70).contains(&uid.len()) && uid.bytes().all(|octet| octet.is_ascii_graphic()), "{uid}");
    }
    let mut distinct = before.clone();
    distinct.dedup();
    assert_eq!((distinct.len(), before[2].as_str()), (4, "3.ok"));
    for file in [&long, "1.a b", "2.ü", "3.ok"] {
        fs::rename(mailbox.path(&format!("new/{file}")), mailbox.path(&format!("cur/{file}:2,RS"))).unwrap();
    }
    assert_eq!(uids(&mailbox.open()), before);
}

#[test]
fn a_message_that_was_caught_on_its_way_is_one() {
    let mailbox = Box::new();
    mailbox.put("new/1.a,S=2,W=3", b"a\n");
    mailbox.put("cur/1.a,S=2,W=3:2,S", b"a\n");
    mailbox.put("cur/1.a,S=2,W=3,extra", b"b\n");
    assert_eq!(mailbox.open().listing().messages(), 2);
}

#[test]
fn what_another_program_moves_is_found_and_what_it_removes_is_gone() {
    let mailbox = Box::new();
    for file in ["1.a", "2.b", "3.c"] {
        mailbox.put(&format!("new/{file}"), file.as_bytes());
    }
    let mut maildrop = mailbox.open();
    mailbox.put("new/0.later", b"later");
    fs::rename(mailbox.path("new/1.a"), mailbox.path("cur/1.a:2,S")).unwrap();
    fs::remove_file(mailbox.path("new/2.b")).unwrap();
    assert_eq!(text(&mut maildrop, 0).unwrap(), b"1.a");
    assert_eq!(text(&mut maildrop, 1).unwrap_err().kind(), std::io::ErrorKind::NotFound);
    assert_eq!(text(&mut maildrop, 2).unwrap(), b"3.c");
    fs::rename(mailbox.path("cur/1.a:2,S"), mailbox.path("cur/1.a:2,FS")).unwrap();
    assert_eq!(text(&mut maildrop, 0).unwrap(), b"1.a", "moved once more");
    assert_eq!(uids(&maildrop), ["1.a", "2.b", "3.c"], "numbers stay, and mail that arrives meanwhile is for the next session");
    assert_eq!(uids(&mailbox.open()), ["0.later", "1.a", "3.c"]);
}

#[test]
fn deletions_follow_the_file_and_each_failure_is_told() {
    let mailbox = Box::new();
    for file in ["1.a", "2.b", "3.c", "4.d"] {
        mailbox.put(&format!("new/{file}"), b"text\n");
    }
    let mut maildrop = mailbox.open();
    fs::rename(mailbox.path("new/1.a"), mailbox.path("cur/1.a:2,S")).unwrap();
    fs::remove_file(mailbox.path("new/2.b")).unwrap();
    // A folder cannot be removed like a file, whoever runs the test.
    fs::remove_file(mailbox.path("new/4.d")).unwrap();
    fs::create_dir(mailbox.path("new/4.d")).unwrap();
    let failed = mailbox.maildirs.expunge(ID, &mut maildrop, &[0, 1, 3]);
    assert_eq!(failed.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [3], "{failed:?}");
    assert_eq!(uids(&mailbox.open()), ["3.c"]);
}

#[test]
fn a_message_that_cannot_be_read_spoils_no_other() {
    let mailbox = Box::new();
    mailbox.put("new/1.a", b"text\n");
    mailbox.put("new/2.b", b"text\n");
    fs::set_permissions(mailbox.path("new/1.a"), fs::Permissions::from_mode(0o000)).unwrap();
    let mut maildrop = mailbox.open();
    assert_eq!(maildrop.listing().messages(), 2);
    assert_eq!(text(&mut maildrop, 1).unwrap(), b"text\n");
    // Whether it can be read after all is a question of who runs the test.
    let direct = fs::File::open(mailbox.path("new/1.a")).and_then(|mut file| file.read_to_end(&mut Vec::new()));
    assert_eq!(text(&mut maildrop, 0).is_ok(), direct.is_ok());
}

#[test]
fn a_folder_that_cannot_be_listed_is_an_error_and_not_an_empty_mailbox() {
    let mailbox = Box::new();
    fs::remove_dir(mailbox.path("cur")).unwrap();
    fs::write(mailbox.path("cur"), b"").unwrap();
    assert!(mailbox.maildirs.maildrop(ID, &mailbox.name).is_err());
    assert!(Path::new(&mailbox.path("cur")).exists());
}
