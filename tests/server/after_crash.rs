//! What a server finds that another left in the middle of something.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use restante::directory::{AccountId, Actor, Change, Directory, View};
use restante::mail::Name;

use crate::house::{text, until};
use crate::process::Program;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn directory(folder: &Path) -> Directory {
    Directory::open(&folder.join("spool/directory")).unwrap()
}

/// A change that the Maildirs have not followed.
fn changed(folder: &Path, change: &Change) {
    directory(folder).apply(&Actor::Server, change, Timestamp::now()).unwrap();
}

fn id(folder: &Path, of: &str) -> AccountId {
    directory(folder).snapshot().pop(&name(of)).unwrap().unwrap().id
}

fn delivered(program: &Program, to: &str) {
    let replies = program.smtp().greeted().deliver("EHLO c", &[to], "Subject: x\r\n\r\ny");
    assert!(replies[0].starts_with("250"), "{replies:?}");
}

fn messages(folder: &Path) -> usize {
    fs::read_dir(folder.join("new")).map_or(0, Iterator::count)
}

#[test]
fn maildirs_follow_what_the_directory_had_committed() {
    let program = Program::start(&[]);
    delivered(&program, "alice@example.org");
    delivered(&program, "bob@example.org");
    let mut bob = None;
    let program = program.crash(|folder| {
        bob = Some(id(folder, "bob"));
        changed(folder, &Change::RenamePop { name: name("alice"), new: name("alicia"), keep_alias: false });
        changed(folder, &Change::DeletePop { name: name("bob") });
    });
    let mail = program.folder.path().join("spool/mail");
    let trash = mail.join(".trash").join(bob.unwrap().0.to_string());
    until("both have followed", || messages(&mail.join("alicia")) == 1 && messages(&trash) == 1);
    assert!(!mail.join("alice").exists() && !mail.join("bob").exists());
    delivered(&program, "alicia@example.org");
    assert_eq!(messages(&mail.join("alicia")), 2);
}

#[test]
fn a_new_account_never_finds_the_mail_of_a_crashed_deletion() {
    let program = Program::start(&[]);
    delivered(&program, "bob@example.org");
    let mut old = None;
    let program = program.crash(|folder| {
        old = Some(id(folder, "bob"));
        let found = directory(folder).snapshot().pop(&name("bob")).unwrap().unwrap();
        let (owner, password, state) = (found.owner, found.password, found.state);
        changed(folder, &Change::DeletePop { name: name("bob") });
        changed(folder, &Change::AddPop { name: name("bob"), domain: found.domain, owner, password, quota: None, state });
    });
    delivered(&program, "bob@example.org");
    let mail = program.folder.path().join("spool/mail");
    let trash = mail.join(".trash").join(old.unwrap().0.to_string());
    until("the old mail is put away", || messages(&trash) == 1);
    assert_eq!(messages(&mail.join("bob")), 1);
}

#[test]
fn the_trash_is_emptied_after_its_days_and_nothing_waits_for_who_is_gone() {
    let program = Program::start(&[]);
    delivered(&program, "bob@example.org");
    let mut waiting = None;
    let program = program.crash(|folder| {
        let (bob, carol) = (id(folder, "bob"), id(folder, "carol"));
        changed(folder, &Change::DeletePop { name: name("bob") });
        let text = text(folder).replace("[mail]\n", "[mail]\ntrash_days = 0\n");
        fs::write(folder.join("restante.toml"), text).unwrap();
        let queue = folder.join("spool/queue");
        let copies = [(bob, "bob"), (carol, "carol")].map(|(id, name)| queue.join(format!("0000000000001.{}.{name}", id.0)));
        copies.iter().for_each(|copy| fs::write(copy, "Subject: waits\n\nx\n").unwrap());
        waiting = Some(copies);
    });
    let mail = program.folder.path().join("spool/mail");
    let [bob, carol] = waiting.unwrap();
    until("bob is gone, and carol has her copy", || !bob.exists() && !carol.exists() && messages(&mail.join("carol")) == 1);
    // First it moves to the trash, then it goes from there.
    until("the mail is gone", || !mail.join("bob").exists() && fs::read_dir(mail.join(".trash")).unwrap().count() == 0);
    let log = program.log();
    assert!(log.contains("mailbox=\"bob\"") && log.contains("purged"), "{log}");
}

#[test]
fn files_that_a_kill_left_in_tmp_go_when_they_are_old() {
    let program = Program::start(&[]);
    delivered(&program, "alice@example.org");
    let tmp = program.folder.path().join("spool/mail/alice/tmp");
    let program = program.crash(|folder| {
        let tmp = folder.join("spool/mail/alice/tmp");
        for (file, age) in [("old", "37 hours ago"), ("young", "35 hours ago")] {
            fs::write(tmp.join(file), "half a mess").unwrap();
            assert!(Command::new("touch").args(["-d", age]).arg(tmp.join(file)).status().unwrap().success());
        }
    });
    delivered(&program, "alice@example.org");
    let left: Vec<String> = fs::read_dir(tmp).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    assert_eq!(left, ["young"], "the Maildir format gives 36 hours");
}

#[test]
fn ids_grow_although_the_clock_has_gone_back() {
    let id = |program: &Program| {
        let replies = program.smtp().greeted().deliver("EHLO c", &["alice@example.org"], "Subject: x\r\n\r\ny");
        replies[0].strip_prefix("250 2.0.0 Ok: queued as ").expect("it is accepted").to_owned()
    };
    let file = |folder: &Path| fs::read_to_string(folder.join("spool/last-id")).unwrap().trim().to_owned();
    let program = Program::start(&[]);
    let first = id(&program);
    assert!(first < file(program.folder.path()), "what is on the disk is ahead");
    // A server before this one whose clock was years ahead.
    let program = program.crash(|folder| fs::write(folder.join("spool/last-id"), "0020000000000\n").unwrap());
    let (second, third) = (id(&program), id(&program));
    assert!("0020000000000" < second.as_str() && second < third, "{second}, {third}");
    assert!(third < file(program.folder.path()));
    let program = program.crash(|folder| fs::write(folder.join("spool/last-id"), "damaged").unwrap());
    assert!(id(&program) > first, "then the clock is believed");
}
