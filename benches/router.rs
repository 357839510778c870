//! What routing costs beside the lookups: recipients over a directory in memory.

#[path = "../tests/routing/memory.rs"]
#[allow(dead_code, reason = "shared with the tests, which use all of it")]
mod memory;

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use memory::{Memory, Outcome, limits};
use restante::directory::State;
use restante::mail::{ForwardPath, Mailbox};
use restante::router::route;

const RECIPIENTS: [(&str, &str); 6] = [
    ("hidden alias", "user500@example.org"),
    ("one link", "info500@example.org"),
    ("five links", "chain0@example.org"),
    ("detail", "user500+shop@example.org"),
    ("ten mailboxes", "team@example.org"),
    ("unknown", "nobody@example.org"),
];

fn town() -> Outcome<Memory> {
    let mut town = Memory::default();
    town.domain("example.org")?;
    for number in 0..1000 {
        let name = format!("user{number}");
        town.pop(&name, "example.org", State::Active)?;
        town.alias(&format!("info{number}@example.org"), &[&name])?;
    }
    for link in 0..4 {
        let next = format!("chain{}@example.org", link + 1);
        town.alias(&format!("chain{link}@example.org"), &[&next])?;
    }
    town.alias("chain4@example.org", &["user1"])?;
    let team: Vec<String> = (0..10).map(|number| format!("user{number}")).collect();
    town.alias("team@example.org", &team.iter().map(String::as_str).collect::<Vec<_>>())?;
    Ok(town)
}

fn routing(criterion: &mut Criterion) {
    let town = town().unwrap_or_else(|error| panic!("the town is fixed: {error}"));
    let limits = limits();
    let mut group = criterion.benchmark_group("route");
    for (name, recipient) in RECIPIENTS {
        let mailbox = Mailbox::parse(recipient).unwrap_or_else(|error| panic!("recipients are fixed: {error}"));
        let path = ForwardPath::Mailbox(mailbox);
        group.bench_function(name, |bencher| bencher.iter(|| route(black_box(&town), black_box(&path), &limits, Timestamp::UNIX_EPOCH)));
    }
    group.finish();
}

criterion_group!(benches, routing);
criterion_main!(benches);
