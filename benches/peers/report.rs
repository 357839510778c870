//! What was measured, in Markdown, with what a reader has to know to believe it.

use std::time::Duration;

use bytesize::ByteSize;

use crate::limits::{Limit, THREADS};
use crate::load::group::Memory;
use crate::load::latency::Waited;
use crate::load::scenario::{Run, Scenario};
use crate::load::{ALIASES, BOXES};
use crate::measure::{Entry, Measured};
use crate::table::{Spread, Table, cell, whole};

/// The columns that are compared with the better of the peers.
const OURS: [&str; 2] = ["Restante SMTP", "Restante LMTP"];

/// The peers.
const PEERS: [&str; 2] = ["Postfix", "Dovecot LMTP"];

/// Opens the report.
pub fn head(machine: &str, rounds: usize, time: Duration) -> String {
    let runs = if rounds == 1 { "one run".into() } else { format!("{rounds} runs in turn with the others'") };
    format!(
        "# Restante beside Postfix and Dovecot\n\n`make -s bench-peers` prints this page. The machine:\n\n{machine}\n\
         How it was measured: `smtp-source` sends, on the same processors, to instances on loopback that have {} Maildirs behind {} \
         aliases, on the same file system. Postfix is smtpd → virtual(8) with hashed maps, Dovecot its LMTP server with its index files and a user data base that leads each alias to its mailbox, both \
         with the defaults of their packages but for a process limit of 200 in place of 100, and Postfix without the pause \
         (`in_flow_delay`) that would slow it down here; Restante has its own defaults. \
         All answer `250` when the message is safe on disk. A figure is the middle one of {runs} of about {:.1} s, with the least and the greatest \
         beside it. A run counts from the start of the client until the last copy lies in its Maildir. Processor time \
         and flushes are counted until the server is idle again; the time is that of all its processes, of those that have ended too. Then the disk \
         is synced, so that the next run does not pay for this one; what has arrived stays in the mailboxes until it is more than 4 GiB, because ext4 without a journal \
         looks longer for free inodes when many were freed in the last minutes.\n",
        whole(BOXES as f64),
        whole(ALIASES as f64),
        time.as_secs_f64(),
    )
}

/// The tables of all scenarios.
pub fn scenarios(measured: &[Measured]) -> String {
    let rates = table(measured, |entry| spread(entry, |run| Some(run.rate())).map_or_else(|| "–".into(), |rate| rate.cell()), Columns::All);
    let cpu = table(measured, |entry| cell(median(entry, |run| Some(run.cpu_millis())), 3), Columns::Servers);
    let flushes = table(measured, |entry| cell(median(entry, Run::flushes_each), 2), Columns::Servers);
    let memory = table(measured, |entry| megabytes(entry.memory), Columns::Servers);
    format!(
        "## Delivered a second\n\nCopies that lie in mailboxes. `smtp-sink` throws messages away: the most that this client can send.\n\n{rates}\n\
         {}\
         ## Processor time a copy, in ms\n\n{cpu}\n\
         ## Flushes of the disk a copy\n\nAs the block device counts them, so those of everything else on the machine are among them.\n\n{flushes}\n\
         ## Memory at most, in MB\n\nPages that processes share counted once (in brackets: the resident sizes of all processes added up).\n\n{memory}",
        ratios(measured),
    )
}

/// Which doors a table is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Columns {
    /// Also the one that keeps nothing.
    All,
    Servers,
}

fn table(measured: &[Measured], cell: impl Fn(&Entry) -> String, columns: Columns) -> String {
    let shown = |entry: &&Entry| columns == Columns::All || OURS.iter().chain(&PEERS).any(|name| *name == entry.name);
    let Some(first) = measured.first() else { return String::new() };
    let names = first.entries.iter().filter(shown).map(|entry| entry.name);
    let mut table = Table::new(&["scenario"].into_iter().chain(names).collect::<Vec<_>>());
    for one in measured {
        let cells = one.entries.iter().filter(shown).map(&cell);
        table.row([one.scenario.to_string()].into_iter().chain(cells));
    }
    table.text().to_owned()
}

fn spread(entry: &Entry, figure: impl Fn(&Run) -> Option<f64>) -> Option<Spread> {
    Spread::of(entry.runs.iter().filter_map(figure))
}

fn median(entry: &Entry, figure: impl Fn(&Run) -> Option<f64>) -> Option<f64> {
    spread(entry, figure).map(|spread| spread.median)
}

/// Restante against the better of the peers; nothing where no peer was measured.
fn ratios(measured: &[Measured]) -> String {
    let rate = |one: &Measured, name: &str| {
        one.entries.iter().find(|entry| entry.name == name).and_then(|entry| median(entry, |run| Some(run.rate())))
    };
    let cpu = |one: &Measured, name: &str| {
        one.entries.iter().find(|entry| entry.name == name).and_then(|entry| median(entry, |run| Some(run.cpu_millis())))
    };
    let mut table = Table::new(&["scenario", "better peer", "SMTP ×", "LMTP ×", "SMTP of smtp-sink", "CPU of better peer / SMTP"]);
    for one in measured {
        let better = PEERS.into_iter().filter_map(|name| Some((name, rate(one, name)?))).max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((name, best)) = better else { continue };
        let [smtp, lmtp] = OURS.map(|ours| rate(one, ours));
        let thrifty = PEERS.into_iter().filter_map(|name| cpu(one, name)).min_by(f64::total_cmp);
        let sent = rate(one, "smtp-sink");
        table.row([
            one.scenario.to_string(),
            name.to_owned(),
            cell(smtp.map(|rate| rate / best), 1),
            cell(lmtp.map(|rate| rate / best), 1),
            smtp.zip(sent).map_or_else(|| "–".into(), |(rate, sent)| format!("{:.0}%", rate / sent * 100.0)),
            cell(thrifty.zip(cpu(one, OURS[0])).map(|(theirs, ours)| theirs / ours), 1),
        ]);
    }
    let any = measured.iter().any(|one| rate(one, PEERS[0]).is_some());
    if any { format!("How many times the better of the two peers that is:\n\n{}\n", table.text()) } else { String::new() }
}

/// What clients wait.
pub fn latency(waited: &[(&'static str, Waited)]) -> String {
    let mut table = Table::new(&["100 sessions, 4 KiB", "messages", "p50", "p99", "most"]);
    for (name, waited) in waited {
        let millis = [50.0, 99.0, 100.0].map(|percent| format!("{:.1}", waited.millis(percent)));
        table.row([(*name).to_owned(), whole(waited.count() as f64)].into_iter().chain(millis));
    }
    format!(
        "## From end of data to the answer, in ms\n\nA client that keeps 100 sessions busy, as fast as the server lets it. Postfix \
         answers when the message is in its queue, the others when it is in the mailbox.\n\n{}",
        table.text()
    )
}

/// What many sessions take.
pub fn multitude(scenario: &Scenario, memory: Memory) -> String {
    format!("Memory of Restante at most with {scenario}, all sending at once: {} MB.\n", megabytes(memory))
}

/// What the disk allows.
pub fn limits(limits: &[(&'static str, Vec<Limit>)]) -> String {
    let heads = THREADS.map(|threads| if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") });
    let mut table = Table::new(&["a second (CPU ms each)"].into_iter().chain(heads.iter().map(String::as_str)).collect::<Vec<_>>());
    for (name, limits) in limits {
        let cells = limits.iter().map(|limit| format!("{} ({:.3})", whole(limit.rate), limit.cpu_millis));
        table.row([(*name).to_owned()].into_iter().chain(cells));
    }
    format!("## What the disk and the kernel allow\n\nMessages of 4 KiB into {BOXES} Maildirs, without a server.\n\n{}", table.text())
}

fn megabytes(memory: Memory) -> String {
    let whole = |octets: u64| whole(octets as f64 / ByteSize::mb(1).as_u64() as f64);
    format!("{} ({})", whole(memory.proportional), whole(memory.added))
}
