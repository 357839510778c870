//! The directory at full size: 1,000,000 POP accounts and 10,000,000 aliases (one hidden and nine plain each).
//!
//! `cargo bench --bench directory` builds them in a throwaway folder and prints what the design sets bounds for.
//! `RESTANTE_BENCH_ACCOUNTS=10000` makes it smaller.

use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use jiff::Timestamp;
use restante::directory::{Actor, AliasKey, Change, Directory, PasswordHash, State, Target, View};
use restante::mail::{Address, Domain, Name};

/// Domains that the accounts live in.
const DOMAINS: u64 = 1000;

/// Plain aliases of each account.
const ALIASES: u64 = 9;

/// Changes handed over at a time, as an import would.
const BATCH: usize = 40_960;

/// The program's.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let accounts: u64 = std::env::var("RESTANTE_BENCH_ACCOUNTS").ok().map_or(Ok(1_000_000), |text| text.parse())?;
    let folder = tempfile::tempdir()?;
    let directory = Directory::open(folder.path())?;
    println!("{accounts} POP accounts, {} aliases; an empty directory takes {} MB of memory", accounts * (ALIASES + 1), memory());
    let domains = (0..DOMAINS).map(|n| Ok(Change::AddDomain { domain: home(n)?, owner: None })).collect::<Result<Vec<_>, Failure>>()?;
    put(&directory, &domains)?;
    let (taken, rate) = import(&directory, accounts, |n| Ok(vec![pop(n)?]))?;
    println!("POP accounts: {taken:.1?}, {rate:.0}/s (each: record, name, id, hidden alias, index entry, audit entry)");
    let (taken, rate) = import(&directory, accounts, aliases)?;
    println!("plain aliases: {taken:.1?}, {:.0}/s; accounts with their ten aliases: see both", rate * ALIASES as f64);
    println!("memory after the import: {} MB", memory());
    println!("on disk: {} MB", octets(folder.path())? >> 20);
    drop(directory);
    let start = Instant::now();
    let directory = Directory::open(folder.path())?;
    println!("open: {:.0?}, memory {} MB", start.elapsed(), memory());
    for round in ["cold", "warm"] {
        lookups(&directory, accounts, round)?;
    }
    println!("memory after lookups: {} MB", memory());
    deletions(&directory, accounts)?;
    println!("on disk at the end: {} MB", octets(folder.path())? >> 20);
    Ok(())
}

/// Spreads numbers, so that neither names nor lookups come in the order of keys.
fn spread(n: u64) -> u64 {
    let mut x = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn home(n: u64) -> Result<Domain, Failure> {
    Ok(Domain::parse(&format!("customer{}.example", n % DOMAINS))?)
}

fn user(n: u64) -> Result<Name, Failure> {
    Ok(Name::parse(&format!("{:06x}.user{n}", spread(n) & 0xff_ffff))?)
}

fn pop(n: u64) -> Result<Change, Failure> {
    // As long, and as hard to compress, as a real hash.
    let [a, b, c, d] = [1, 2, 3, 4].map(|part| spread(n.wrapping_mul(8) + part));
    let (salt, digest) = (format!("{a:016x}{:05x}A", b & 0xf_ffff), format!("{c:016x}{d:016x}{:010x}0", b >> 24));
    let password = PasswordHash(format!("$argon2id$v=19$m=19456,t=2,p=1${salt}${digest}"));
    let (name, domain, owner) = (user(n)?, home(n)?, format!("Owner Number {n}"));
    Ok(Change::AddPop { name, domain, owner, password, quota: None, state: State::Active })
}

fn alias_key(n: u64, which: u64) -> Result<AliasKey, Failure> {
    let local = format!("alias{which}.{:05x}.{n}", spread(n) & 0xf_ffff);
    Ok(AliasKey::Exact(Address::new(&local, home(n + which)?)))
}

fn aliases(n: u64) -> Result<Vec<Change>, Failure> {
    let target = Target::Account(user(n)?);
    let add = |which| {
        let targets = vec![target.clone()];
        Ok(Change::AddAlias { key: alias_key(n, which)?, targets, note: None, expires: None })
    };
    (0..ALIASES).map(add).collect()
}

fn put(directory: &Directory, changes: &[Change]) -> Result<(), Failure> {
    for outcome in directory.apply_all(&Actor::Server, changes, Timestamp::now())? {
        outcome?;
    }
    Ok(())
}

/// Carries out what `changes` makes of each account. Only the directory's time counts.
fn import(directory: &Directory, accounts: u64, changes: impl Fn(u64) -> Result<Vec<Change>, Failure>) -> Result<(Duration, f64), Failure> {
    let (mut taken, mut ran, mut batch) = (Duration::ZERO, Duration::ZERO, Vec::with_capacity(BATCH));
    for n in 0..accounts {
        batch.extend(changes(n)?);
        if batch.len() >= BATCH || n + 1 == accounts {
            let (start, before) = (Instant::now(), running());
            put(directory, &batch)?;
            taken += start.elapsed();
            ran += running().saturating_sub(before);
            batch.clear();
        }
    }
    println!("  (processor time in all threads: {ran:.1?})");
    Ok((taken, accounts as f64 / taken.as_secs_f64()))
}

/// What a RCPT asks: a snapshot, the domain, the alias, the account it leads to.
fn lookups(directory: &Directory, accounts: u64, round: &str) -> Result<(), Failure> {
    let (mut known, mut unknown) =
        (Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3)?, Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3)?);
    for n in 0..200_000 {
        let account = spread(n) % accounts;
        let key = alias_key(account, n % ALIASES)?;
        let start = Instant::now();
        let snapshot = directory.snapshot();
        snapshot.domain(key.domain())?.ok_or("a domain is missing")?;
        let alias = snapshot.alias(&key)?.ok_or("an alias is missing")?;
        let Some(Target::Account(name)) = alias.targets.first() else { return Err("a target is missing".into()) };
        snapshot.pop(name)?.ok_or("an account is missing")?;
        known.saturating_record(start.elapsed().as_nanos() as u64);

        let nobody = AliasKey::Exact(Address::new(&format!("nobody.{n}"), home(n)?));
        let catch_all = AliasKey::CatchAll(home(n)?);
        let start = Instant::now();
        let snapshot = directory.snapshot();
        snapshot.domain(nobody.domain())?.ok_or("a domain is missing")?;
        let found = snapshot.alias(&nobody)?.is_some() || snapshot.alias(&catch_all)?.is_some();
        unknown.saturating_record(start.elapsed().as_nanos() as u64);
        if found {
            return Err("an alias too many".into());
        }
    }
    for (what, times) in [("known", known), ("unknown", unknown)] {
        let at = |quantile| times.value_at_quantile(quantile) as f64 / 1000.0;
        println!("lookup, {round}, {what} address: p50 {:.1} µs, p99 {:.1} µs, p99.9 {:.1} µs", at(0.5), at(0.99), at(0.999));
    }
    Ok(())
}

/// Deletes accounts with their ten aliases, each in a synced batch of its own.
fn deletions(directory: &Directory, accounts: u64) -> Result<(), Failure> {
    let mut times = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3)?;
    for n in 0..500.min(accounts / 2) {
        let change = Change::DeletePop { name: user(spread(n) % accounts)? };
        let start = Instant::now();
        let outcome = directory.apply(&Actor::Server, &change, Timestamp::now());
        if outcome.is_ok() {
            times.saturating_record(start.elapsed().as_nanos() as u64);
        }
    }
    let at = |quantile| times.value_at_quantile(quantile) as f64 / 1e6;
    println!(
        "deletion of a POP with ten aliases ({} of them): p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms",
        times.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    Ok(())
}

/// Resident memory in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) >> 10
}

/// What this process has had of the processors, compaction included: tells a slow directory from a busy machine.
fn running() -> Duration {
    let status = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses: state is the 3rd field, user and system time are the 14th and 15th, in hundredths.
    let fields = status.rsplit(')').next().unwrap_or_default().split_whitespace();
    Duration::from_millis(fields.skip(11).take(2).filter_map(|text| text.parse::<u64>().ok()).sum::<u64>() * 10)
}

fn octets(folder: &Path) -> Result<u64, Failure> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        sum += entry?.metadata()?.len();
    }
    Ok(sum)
}
