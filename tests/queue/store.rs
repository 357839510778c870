//! The store: in whole, out one by one, found by a seek, and there again after the process has ended.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use restante::directory::AccountId;
use restante::mail::{Envelope, Mailbox, Name, QueueId, ReversePath};
use restante::maildir::Text;
use restante::spool::outgoing::{
    Attempt, Down, Entry, Filing, Hop, Kind, Message, Outcome, Place, Progress, Queue, Recipient, Seat, State, To, listing::Counts,
};
use restante::sys::Real;

type Tested = Result<(), Box<dyn std::error::Error>>;

/// A text in memory.
pub struct Plain(pub Vec<u8>);

impl Text for Plain {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn lines(&self) -> u64 {
        self.0.iter().filter(|octet| **octet == b'\n').count() as u64
    }
    fn read(&self) -> std::io::Result<Box<dyn std::io::Read + '_>> {
        Ok(Box::new(self.0.as_slice()))
    }
}

fn open(folder: &Path) -> std::io::Result<Arc<Queue>> {
    Queue::open(&folder.join("outgoing"), Arc::new(Real)).map(Arc::new)
}

pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + second).unwrap()
}

pub fn to(address: &str, second: i64) -> Recipient {
    let mailbox = Mailbox::parse(address).unwrap();
    let hop = Hop::of(&mailbox, Filing::Domains);
    Recipient::new(To::Mailbox(mailbox), hop, at(second))
}

pub fn message(second: i64) -> Message {
    let Envelope { sender, body, charset, ret, envid, .. } =
        Envelope::from_sender(ReversePath::Mailbox(Mailbox::parse("sender@example.net").unwrap()));
    let (octets, lines, total, open) = (0, 0, 0, 0);
    Message { sender, body, charset, ret, envid, arrived: at(second), octets, lines, place: Place::Row, kind: Kind::Forwarded, total, open }
}

fn entry(queue: &Queue, id: u64, recipients: Vec<Recipient>, text: &str) -> std::io::Result<Entry> {
    queue.prepare(QueueId::new(id), message(0), recipients, "Received: here\n", &Plain(text.into()))
}

fn enter(queue: &Arc<Queue>, id: u64, recipients: Vec<Recipient>) -> std::io::Result<()> {
    let entry = entry(queue, id, recipients, "Subject: x\n\nbody\n")?;
    queue.write(vec![entry])?.into_iter().for_each(|entered| entered.confirm(&[]));
    Ok(())
}

pub fn attempt(second: i64, reply: &str) -> Attempt {
    Attempt { at: at(second), remote: Some(("mx.example.com".into(), None)), status: (4, 2, 0), reply: reply.into(), by_peer: true }
}

fn later(second: i64) -> Outcome {
    Outcome::Later { next: at(second), attempt: attempt(0, "450 busy"), delay_told: false }
}

pub fn seat(id: u64, number: u32) -> Seat {
    Seat { id: QueueId::new(id), number }
}

fn seats(queue: &Queue, hop: &str, second: i64) -> Vec<Seat> {
    queue.due(&Hop::named(hop), None, at(second), 100).unwrap().into_iter().map(|due| due.seat).collect()
}

pub fn whole(text: &dyn Text) -> String {
    let mut read = String::new();
    text.read().unwrap().read_to_string(&mut read).unwrap();
    assert_eq!((read.len() as u64, read.matches('\n').count() as u64), (text.len(), text.lines()));
    read
}

#[test]
fn what_entered_is_there_again_and_leaves_with_its_last_recipient() -> Tested {
    let folder = tempfile::tempdir()?;
    let queue = open(folder.path())?;
    enter(&queue, 1, vec![to("a@example.com", 0), to("b@Example.com", 0), to("c@example.org", 0)])?;
    drop(queue);
    let queue = open(folder.path())?;
    let id = QueueId::new(1);
    let kept = queue.message(id)?.ok_or("the message is gone")?;
    assert_eq!((kept.total, kept.open, queue.newest()?), (3, 3, Some(id)));
    assert_eq!(whole(&queue.text(id, &kept)?), "Received: here\nSubject: x\n\nbody\n");
    assert_eq!(whole(&queue.text(id, &kept)?.below("Delivered-To: info@example.net\n".into())).lines().count(), 5);
    assert_eq!(seats(&queue, "example.com", 0), [seat(1, 0), seat(1, 1)]);
    let turns: Vec<String> = queue.turns(Timestamp::UNIX_EPOCH, at(0), 10)?.into_iter().map(|turn| turn.hop.to_string()).collect();
    assert_eq!(turns, ["example.com", "example.org"]);
    queue.settle(id, vec![(0, Outcome::Done), (1, later(60))])?;
    assert_eq!((seats(&queue, "example.com", 59), seats(&queue, "example.com", 60)), (vec![], vec![seat(1, 1)]));
    let tried = queue.recipient(seat(1, 1))?.ok_or("the recipient is gone")?;
    assert_eq!((tried.tries, tried.attempts), (1, vec![attempt(0, "450 busy")]));
    assert_eq!(queue.counts()?, Counts { waiting: 2, held: 0, oldest: Some(at(0)) });
    queue.settle(id, vec![(1, Outcome::Done), (2, Outcome::Done)])?;
    drop(queue);
    let queue = open(folder.path())?;
    assert_eq!((queue.message(id)?, queue.counts()?), (None, Counts::default()));
    assert!(queue.text(id, &kept)?.read().is_err(), "the text went with the message");
    assert_eq!(queue.largest_hops(10)?, []);
    Ok(())
}

#[test]
fn large_texts_are_files_and_those_of_nobody_are_removed_at_start() -> Tested {
    let folder = tempfile::tempdir()?;
    let texts = folder.path().join("outgoing/texts");
    let queue = open(folder.path())?;
    let large = "x".repeat(300 * 1024) + "\n";
    let entered = queue.write(vec![entry(&queue, 1, vec![to("a@example.com", 0)], &large)?])?;
    entered.into_iter().for_each(|entered| entered.confirm(&[]));
    // Prepared, and then the process ended.
    drop(entry(&queue, 2, vec![to("a@example.com", 0)], &large)?);
    std::fs::write(texts.join("notes.txt"), "not ours")?;
    drop(queue);
    let queue = open(folder.path())?;
    let mut names: Vec<_> = std::fs::read_dir(&texts)?.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["0000000000001", "notes.txt"]);
    let kept = queue.message(QueueId::new(1))?.ok_or("the message is gone")?;
    assert_eq!((kept.place, whole(&queue.text(QueueId::new(1), &kept)?).len()), (Place::File, large.len() + 15));
    queue.settle(QueueId::new(1), vec![(0, Outcome::Done)])?;
    assert!(!texts.join("0000000000001").exists());
    Ok(())
}

#[test]
fn what_is_not_confirmed_is_taken_back_and_nobody_sees_it_before() -> Tested {
    let folder = tempfile::tempdir()?;
    let queue = open(folder.path())?;
    let mut undecided = entry(&queue, 1, vec![to("a@example.com", 0), to("b@example.com", 0)], "x\n")?;
    undecided.undecided = true;
    let entered = queue.write(vec![undecided])?;
    assert_eq!(seats(&queue, "example.com", 9), []);
    drop(entered);
    assert_eq!((queue.message(QueueId::new(1))?, seats(&queue, "example.com", 9)), (None, vec![]));
    let mut undecided = entry(&queue, 2, vec![to("a@example.com", 0), to("b@example.com", 0)], "x\n")?;
    undecided.undecided = true;
    queue.write(vec![undecided])?.into_iter().for_each(|entered| entered.confirm(&[0]));
    assert_eq!(seats(&queue, "example.com", 9), [seat(2, 1)]);
    assert_eq!(queue.counts()?.waiting, 1);
    Ok(())
}

#[test]
fn held_recipients_are_not_due_until_they_are_released() -> Tested {
    let folder = tempfile::tempdir()?;
    let queue = open(folder.path())?;
    let id = QueueId::new(1);
    enter(&queue, 1, vec![to("a@example.com", 50), to("b@example.org", 50)])?;
    assert_eq!((queue.hold(id)?, queue.hold(id)?), (2, 0));
    assert_eq!((seats(&queue, "example.com", 99), queue.counts()?.held), (vec![], 2));
    assert!(queue.recipients(id, 0, 9)?.iter().all(|(_, recipient)| recipient.state == State::Held));
    assert_eq!(queue.release(id, at(10))?, 2);
    assert_eq!((seats(&queue, "example.com", 10), seats(&queue, "example.org", 10)), (vec![seat(1, 0)], vec![seat(1, 1)]));
    queue.settle(id, vec![(0, later(500)), (1, later(900))])?;
    assert_eq!((queue.retry(id, at(20))?, seats(&queue, "example.org", 20)), (2, vec![seat(1, 1)]));
    assert_eq!((queue.cancel(id)?, queue.message(id)?), (2, None));
    assert_eq!(queue.counts()?, Counts::default());
    Ok(())
}

#[test]
fn everything_can_be_tried_at_once_whoever_is_down() -> Tested {
    let folder = tempfile::tempdir()?;
    let queue = open(folder.path())?;
    for id in 1..=30 {
        enter(&queue, id, vec![to(&format!("a@h{}.example", id % 3), 1000)])?;
    }
    let down = Down { failures: 3, until: at(2000), last: attempt(0, "nobody answers") };
    queue.set_down(&Hop::named("h1.example"), Some(&down))?;
    assert_eq!(queue.down(&Hop::named("h1.example"))?, Some(down));
    assert_eq!(queue.retry_all(at(5))?, 30);
    assert_eq!(queue.down(&Hop::named("h1.example"))?, None);
    assert!((0..3).all(|hop| seats(&queue, &format!("h{hop}.example"), 5).len() == 10));
    let hops: std::collections::BTreeSet<_> = queue.turns(Timestamp::UNIX_EPOCH, at(5), 100)?.into_iter().map(|turn| turn.hop).collect();
    assert_eq!(hops.len(), 3);
    Ok(())
}

#[test]
fn a_message_takes_more_recipients_and_lists_wait_apart() -> Tested {
    let folder = tempfile::tempdir()?;
    let queue = open(folder.path())?;
    let list = To::List { id: AccountId(7), name: Name::parse("team")?, address: "team@example.org".parse()?, progress: Progress::Fresh };
    enter(&queue, 1, vec![Recipient::new(list, Hop::of_list(AccountId(7)), at(0))])?;
    assert_eq!(queue.turns(Timestamp::UNIX_EPOCH, at(9), 9)?, [], "nobody is spoken to about a list");
    assert_eq!(queue.due(&Hop::of_list(AccountId(7)), None, at(9), 9)?.len(), 1);
    let members: Vec<Recipient> = (0..2500).map(|member| to(&format!("m{member}@example.com"), 0)).collect();
    for members in members.chunks(1000) {
        queue.extend(QueueId::new(1), members)?;
    }
    assert_eq!(queue.extend(QueueId::new(2), &members)?, None, "there is no such message");
    queue.settle(QueueId::new(1), vec![(0, Outcome::Done)])?;
    let kept = queue.message(QueueId::new(1))?.ok_or("the message is gone")?;
    assert_eq!((kept.total, kept.open, queue.counts()?.waiting), (2501, 2500, 2500));
    assert_eq!(queue.cancel(QueueId::new(1))?, 2500);
    Ok(())
}

#[test]
fn a_hop_that_changes_takes_what_waits_with_it() -> Tested {
    let folder = tempfile::tempdir()?;
    let queue = open(folder.path())?;
    enter(&queue, 1, vec![to("a@example.com", 0)])?;
    assert!(!queue.file_anew(seat(1, 0))?);
    queue.file_by(Filing::One);
    assert!(queue.file_anew(seat(1, 0))?);
    assert_eq!((seats(&queue, "example.com", 9), seats(&queue, "*", 9)), (vec![], vec![seat(1, 0)]));
    assert_eq!(queue.largest_hops(3)?, [("*".to_owned(), 1)]);
    Ok(())
}

#[test]
fn history_and_replies_are_bounded() {
    let mut recipient = to("a@example.com", 0);
    (0..25).for_each(|number| recipient.tried(attempt(number, &"é".repeat(5_000_000 / 25))));
    assert_eq!((recipient.tries, recipient.attempts.len()), (25, 10));
    assert!(recipient.attempts.iter().all(|attempt| attempt.reply.chars().count() == 400));
    assert_eq!(recipient.attempts.last().map(|attempt| attempt.at), Some(at(24)));
}

#[test]
fn pages_go_on_where_the_last_one_ended() -> Tested {
    let folder = tempfile::tempdir()?;
    let queue = open(folder.path())?;
    for id in 1..=25 {
        enter(&queue, id, vec![to(if id % 2 == 0 { "a@even.example" } else { "a@odd.example" }, 0)])?;
    }
    let even =
        |listed: &restante::spool::outgoing::listing::Listed| listed.recipients.iter().any(|(_, to)| to.hop == Hop::named("even.example"));
    let expected: Vec<u64> = (1..=12).map(|half| half * 2).collect();
    let all = |at: Option<&Hop>| -> std::io::Result<Vec<u64>> {
        let (mut from, mut found) = (QueueId::new(0), Vec::new());
        loop {
            let page = match at {
                Some(hop) => queue.page_at(hop, from, 5, |_| true, even)?,
                None => queue.page(from, 5, |_| true, even)?,
            };
            found.extend(page.messages.iter().map(|listed| listed.id.number()));
            match page.next {
                Some(next) => from = next,
                None => return Ok(found),
            }
        }
    };
    let hop = Hop::named("even.example");
    assert_eq!((all(None)?, all(Some(&hop))?), (expected.clone(), expected.clone()));
    // What is held is not in the index of what waits.
    queue.hold(QueueId::new(2))?;
    assert_eq!(all(Some(&hop))?, expected);
    queue.release(QueueId::new(2), at(0))?;
    assert_eq!(queue.largest_hops(1)?, [("odd.example".to_owned(), 13)]);
    assert!(SignedDuration::ZERO == at(0).duration_since(queue.counts()?.oldest.ok_or("nothing is there")?));
    Ok(())
}

#[test]
fn a_posting_becomes_mail_for_members_step_by_step() -> Tested {
    let folder = tempfile::tempdir()?;
    let queue = open(folder.path())?;
    let at_list = |progress: Progress| -> Result<Recipient, Box<dyn std::error::Error>> {
        let to = To::List { id: AccountId(7), name: Name::parse("team")?, address: "team@example.org".parse()?, progress };
        Ok(Recipient::new(to, Hop::of_list(AccountId(7)), at(0)))
    };
    enter(&queue, 1, vec![at_list(Progress::Fresh)?])?;
    assert_eq!((queue.postings_due(at(0), 10)?, queue.next_turn(Timestamp::UNIX_EPOCH)?), (vec![seat(1, 0)], None));
    let fresh = queue.recipient(seat(1, 0))?.ok_or("it is gone")?;
    let held = Recipient { hop: Hop::of_held(AccountId(7)), next: at(900), ..at_list(Progress::Held(at(1)))? };
    assert!(queue.advance(seat(1, 0), &fresh, Some(&held), &[])?);
    assert!(!queue.advance(seat(1, 0), &fresh, Some(&held), &[])?, "somebody else was faster");
    drop(queue);
    let queue = open(folder.path())?;
    assert_eq!((queue.postings_due(at(899), 10)?, queue.postings_due(at(900), 10)?), (vec![], vec![seat(1, 0)]));
    let waiting = queue.postings_held(&Hop::of_held(AccountId(7)), None, 10)?;
    assert_eq!(waiting, [(seat(1, 0), held.clone())]);
    assert_eq!(queue.postings_held(&Hop::of_held(AccountId(7)), Some(seat(1, 0)), 10)?, []);
    queue.retry(QueueId::new(1), at(5))?;
    assert_eq!(queue.postings_due(at(899), 10)?, [], "a retry does not throw away what waits for somebody");
    let after = at_list(Progress::After("b@example.com".into()))?;
    assert!(queue.advance(seat(1, 0), &held, Some(&after), &[to("a@example.com", 0), to("b@example.com", 0)])?);
    assert_eq!((seats(&queue, "example.com", 0), queue.postings_due(at(0), 10)?), (vec![seat(1, 1), seat(1, 2)], vec![seat(1, 0)]));
    assert!(queue.advance(seat(1, 0), &after, None, &[to("c@example.com", 0)])?);
    let message = queue.message(QueueId::new(1))?.ok_or("it is gone")?;
    assert_eq!((message.total, message.open, queue.postings_due(at(9), 10)?), (4, 3, vec![]));
    let own = b"Received: here\nSubject: x\n\n";
    let text = queue.text(QueueId::new(1), &message)?.headed(b"Subject: [x]\n\n", own);
    assert_eq!(whole(&text), "Subject: [x]\n\nbody\n");
    assert_eq!(whole(&text.below("Delivered-To: a@b\n".into())), "Delivered-To: a@b\nSubject: [x]\n\nbody\n");
    queue.settle(QueueId::new(1), (1..4).map(|number| (number, Outcome::Done)).collect())?;
    assert_eq!(queue.message(QueueId::new(1))?, None);
    enter(&queue, 2, vec![at_list(Progress::Fresh)?])?;
    let fresh = queue.recipient(seat(2, 0))?.ok_or("it is gone")?;
    assert!(queue.advance(seat(2, 0), &fresh, None, &[])?);
    assert_eq!((queue.message(QueueId::new(2))?, queue.counts()?), (None, Counts::default()));
    Ok(())
}
