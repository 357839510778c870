//! The delivery log: what a row costs, in time of whoever brings it, in time of the thread that writes it and on disk; and how long a search
//! takes. `cargo bench --profile release --bench ledger -- 1000000` for so many rows.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use restante::ledger::{Ledger, Query, Row, Settings, Status};
use restante::mail::QueueId;

const ROWS: u64 = 500_000;

/// Rows of one message.
const TOGETHER: u64 = 4;

fn row(count: u64, status: Status) -> Row {
    Row {
        number: 0,
        at: Timestamp::now(),
        id: Some(QueueId::new(1_700_000_000_000_000 + count / TOGETHER)),
        client: format!("192.0.2.{}", count % 200),
        protocol: "ESMTPS".into(),
        sender: format!("sender{}@example{}.com", count % 10_007, count % 503),
        recipient: format!("user{}@example{}.org", count % 100_003, count % 211),
        via: None,
        trail: format!("user{}@example{}.org", count % 100_003, count % 211),
        places: vec![format!("box{}", count % 100_003)],
        size: 4096,
        delay_ms: 3.217,
        status,
        reply: "250 2.0.0 Ok: queued as 001K0YJ7NHH0V".into(),
        message_id: Some(format!("{count}.{}@mail.example.com", count * 7919)),
        upstream_id: Some(format!("4bX{count}")),
    }
}

/// Time of all threads of this process: fields 14 and 15 of `/proc/self/stat`, in hundredths of a second.
fn processor() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11).take(2)).into_iter().flatten();
    Duration::from_millis(10 * fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>())
}

fn main() {
    let rows = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(ROWS);
    let folder = tempfile::tempdir().expect("a folder");
    let settings = Settings { folder: folder.path().join("ledger"), retention: Duration::from_secs(86_400), max_size: 1 << 40 };
    let ledger = Ledger::open(settings).expect("it opens");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let messages: Vec<Vec<Row>> =
        (0..rows / TOGETHER).map(|message| (0..TOGETHER).map(|one| row(message * TOGETHER + one, Status::Delivered)).collect()).collect();
    let (begun, before) = (Instant::now(), processor());
    let mut longest = Duration::ZERO;
    runtime.block_on(async {
        for message in messages {
            let noted = Instant::now();
            ledger.note(message).await;
            longest = longest.max(noted.elapsed());
        }
        ledger.flush().await;
    });
    let (took, spent) = (begun.elapsed(), processor() - before);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / rows as f64;
    println!("{rows} rows in {took:.2?}: {:.0} rows/s, {:.1} us of processor a row", rows as f64 / took.as_secs_f64(), each(spent));
    println!("longest wait of one message at that rate: {longest:.2?}; waits: {:?}", ledger.counts().waits);
    println!("{:.0} octets a row on disk, about", ledger.octets() as f64 / rows as f64);
    let ask = |what: &str, query: &Query| {
        let asked = Instant::now();
        let found = ledger.search(query, None, None, 50).expect("it can be read");
        println!("{what}: {} rows in {:.2?}", found.items.len(), asked.elapsed());
    };
    for again in ["cold", "warm"] {
        let text = |text: &str| Some(text.to_owned());
        ask(&format!("{again}: latest"), &Query::default());
        ask(&format!("{again}: by recipient"), &Query { to: text("user77@example77.org"), ..Query::default() });
        ask(&format!("{again}: by account"), &Query { to: text("box4711"), ..Query::default() });
        ask(&format!("{again}: by domain"), &Query { to: text("@example5.org"), ..Query::default() });
        ask(&format!("{again}: by Message-ID"), &Query { message_id: text("1000.7919000@mail.example.com"), ..Query::default() });
        ask(&format!("{again}: what is not there"), &Query { from: text("nobody@example.com"), ..Query::default() });
    }
}
