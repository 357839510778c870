//! The delivery log: what is found, in which order, what is cut off, and what survives.

use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;
use restante::ledger::{Ledger, Query, Row, Settings, Status};
use restante::mail::{Domain, QueueId};
use tempfile::TempDir;

fn settings(folder: &TempDir) -> Settings {
    Settings { folder: folder.path().join("ledger"), retention: Duration::from_secs(14 * 24 * 3600), max_size: 1 << 30 }
}

fn row(count: u64) -> Row {
    Row {
        number: 0,
        at: Timestamp::from_microsecond(1_700_000_000_000_000 + i64::try_from(count).expect("small")).expect("a time"),
        id: Some(QueueId::new(count)),
        client: format!("192.0.2.{}", count % 3),
        protocol: "ESMTP".into(),
        sender: format!("Sender{}@Example.com", count % 5),
        recipient: format!("user{}@{}", count % 7, if count.is_multiple_of(2) { "example.org" } else { "Bücher.example" }),
        via: None,
        trail: "team@example.org".into(),
        places: vec![format!("box{}", count % 4)],
        size: count,
        delay_ms: 1.5,
        status: if count.is_multiple_of(10) { Status::Refused } else { Status::Delivered },
        reply: "250 2.0.0 Ok".into(),
        message_id: Some(format!("m{count}@example.com")),
        upstream_id: Some(format!("UP{count}")),
    }
}

async fn filled(folder: &TempDir, rows: u64) -> Ledger {
    let ledger = Ledger::open(settings(folder)).expect("it opens");
    ledger.note((0..rows).map(row).collect()).await;
    ledger.flush().await;
    ledger
}

/// Every page of a search.
fn all(ledger: &Ledger, query: &Query, domains: Option<&[Domain]>, limit: usize) -> Vec<u64> {
    let (mut sizes, mut before) = (Vec::new(), None);
    loop {
        let found = ledger.search(query, domains, before, limit).expect("it can be read");
        assert!(found.items.len() <= limit);
        sizes.extend(found.items.iter().map(|row| row.size));
        match found.next {
            Some(next) => before = Some(next),
            None => return sizes,
        }
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[tokio::test]
async fn every_question_finds_its_rows_newest_first_page_by_page() {
    const ROWS: u64 = 2000;
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = filled(&folder, ROWS).await;
    let none = Query::default;
    type Fits = fn(u64) -> bool;
    let cases: [(&str, Query, Fits); 16] = [
        ("all", none(), |_| true),
        ("to", Query { to: text("USER3@example.org"), ..none() }, |n| n % 7 == 3 && n % 2 == 0),
        ("to, as a U-label", Query { to: text("user3@bücher.example"), ..none() }, |n| n % 7 == 3 && n % 2 == 1),
        ("to, as an A-label", Query { to: text("@xn--bcher-kva.example"), ..none() }, |n| n % 2 == 1),
        ("to a domain", Query { to: text("@example.org"), ..none() }, |n| n % 2 == 0),
        ("to a domain, without @", Query { to: text("Example.ORG"), ..none() }, |n| n % 2 == 0),
        ("to an account", Query { to: text("box2"), ..none() }, |n| n % 4 == 2),
        ("from", Query { from: text("<sender4@example.COM>"), ..none() }, |n| n % 5 == 4),
        ("from a domain", Query { from: text("@example.com"), ..none() }, |_| true),
        ("from nobody", Query { from: text("<>"), ..none() }, |_| false),
        ("id", Query { id: text(&QueueId::new(77).to_string().to_lowercase()), ..none() }, |n| n == 77),
        ("the client's id", Query { id: text("UP78"), ..none() }, |n| n == 78),
        ("message-id", Query { message_id: text("<m79@example.com>"), ..none() }, |n| n == 79),
        ("client", Query { client: text("192.0.2.1"), ..none() }, |n| n % 3 == 1),
        ("status", Query { status: Some(Status::Refused), ..none() }, |n| n % 10 == 0),
        ("several", Query { to: text("@example.org"), from: text("sender0@example.com"), client: text("192.0.2.2"), ..none() }, |n| {
            n % 2 == 0 && n % 5 == 0 && n % 3 == 2
        }),
    ];
    for (what, query, fits) in cases {
        let expected: Vec<u64> = (0..ROWS).rev().filter(|count| fits(*count)).collect();
        for limit in [7, 1000] {
            assert_eq!(all(&ledger, &query, None, limit), expected, "{what}, {limit} at a time");
        }
    }
}

#[tokio::test]
async fn a_scope_hides_what_lies_elsewhere() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = filled(&folder, 300).await;
    let domain = |text: &str| Domain::parse(text).expect("a domain");
    let mine = [domain("example.org")];
    let count = |query: &Query, domains: &[Domain]| all(&ledger, query, Some(domains), 11).len();
    assert_eq!(count(&Query::default(), &mine), 150);
    assert_eq!(count(&Query::default(), &[domain("example.org"), domain("bücher.example")]), 300);
    assert_eq!(count(&Query::default(), &[]), 0);
    assert_eq!(count(&Query { id: text(&QueueId::new(77).to_string()), ..Query::default() }, &mine), 0);
    assert_eq!(count(&Query { id: text(&QueueId::new(78).to_string()), ..Query::default() }, &mine), 1);
    let newer = ledger.newer(&Query::default(), Some(&mine), 0, 1000).expect("it can be read");
    assert_eq!(newer.items.len(), 150);
}

#[tokio::test]
async fn what_is_new_comes_in_order_and_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = filled(&folder, 10).await;
    let latest = ledger.search(&Query::default(), None, None, 1).expect("it can be read").latest;
    let nothing = ledger.newer(&Query::default(), None, latest, 100).expect("it can be read");
    assert_eq!((nothing.items.len(), nothing.next), (0, Some(latest)));
    ledger.note((10..25).map(row).collect()).await;
    ledger.flush().await;
    let (mut sizes, mut after) = (Vec::new(), latest);
    for _ in 0..4 {
        let found = ledger.newer(&Query::default(), None, after, 4).expect("it can be read");
        sizes.extend(found.items.iter().map(|row| row.size));
        after = found.next.expect("always");
    }
    assert_eq!(sizes, (10..25).collect::<Vec<u64>>());
    // One that fits nothing is passed by all the same.
    let query = Query { to: text("nobody@example.org"), ..Query::default() };
    let found = ledger.newer(&query, None, latest, 4).expect("it can be read");
    assert_eq!((found.items.len(), found.next), (0, Some(found.latest)));
}

#[tokio::test]
async fn rows_outlive_the_process_and_go_on_after_the_last() {
    let folder = tempfile::tempdir().expect("a folder");
    let before = {
        let ledger = filled(&folder, 100).await;
        ledger.note((100..110).map(row).collect()).await;
        ledger.latest()
        // Dropped without a word: what it was given is written.
    };
    let unattended = Ledger::unattended(settings(&folder));
    assert_eq!(all(&unattended, &Query::default(), None, 1000).len(), 110);
    assert!(unattended.latest() > before);
    drop(unattended);
    let ledger = Ledger::open(settings(&folder)).expect("it opens");
    ledger.note(vec![row(110)]).await;
    ledger.flush().await;
    let found = ledger.search(&Query::default(), None, None, 1).expect("it can be read");
    assert_eq!(found.items.first().map(|row| row.size), Some(110));
    let whole = Row { number: found.items[0].number, ..row(110) };
    assert_eq!(found.items, [whole]);
}

#[tokio::test]
async fn what_is_too_old_is_cut_off_with_its_entries() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = filled(&folder, 500).await;
    let hours = |hours: i64| jiff::SignedDuration::from_hours(hours);
    let now = Timestamp::now();
    ledger.cut(now + hours(13 * 24)).expect("it is cut");
    assert_eq!(all(&ledger, &Query::default(), None, 1000).len(), 500);
    ledger.cut(now + hours(15 * 24)).expect("it is cut");
    assert!(all(&ledger, &Query::default(), None, 1000).is_empty());
    assert!(all(&ledger, &Query { to: text("@example.org"), ..Query::default() }, None, 1000).is_empty());
    ledger.note(vec![row(500)]).await;
    ledger.flush().await;
    assert_eq!(all(&ledger, &Query { to: text("@example.org"), ..Query::default() }, None, 1000), [500]);
}

#[tokio::test]
async fn what_is_too_much_is_cut_off_from_its_old_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(Settings { max_size: 1, ..settings(&folder) }).expect("it opens");
    ledger.note((0..1000).map(row).collect()).await;
    ledger.flush().await;
    ledger.cut(Timestamp::now()).expect("it is cut");
    assert_eq!(all(&ledger, &Query::default(), None, 1000).len(), 1000, "the hour that is being written stays");
    ledger.cut(Timestamp::now() + jiff::SignedDuration::from_hours(1)).expect("it is cut");
    assert!(all(&ledger, &Query::default(), None, 1000).is_empty());
}

#[tokio::test]
async fn a_flood_of_refusals_is_bounded_and_rows_of_messages_are_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let ledger = Ledger::open(settings(&folder)).expect("it opens");
    (0..100_000).for_each(|count| ledger.note_refused(|| Row { id: None, ..row(count) }));
    ledger.note((0..50_000).map(row).collect()).await;
    ledger.flush().await;
    let counts = ledger.counts();
    let [rows, omitted, lost] = [&counts.rows, &counts.omitted, &counts.lost].map(|count| count.load(Ordering::Relaxed));
    assert_eq!((rows + omitted, lost), (150_000, 0));
    assert!(omitted > 50_000, "{omitted} of 100,000 refusals were only counted");
    assert_eq!(all(&ledger, &Query { id: text(&QueueId::new(49_999).to_string()), ..Query::default() }, None, 10).first(), Some(&49_999));
}
