//! What the server does now and then, beside the sessions. Each task blocks on the disk, so it runs off their threads.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::{JoinHandle, JoinSet};

use crate::directory::{AccountId, Actor, Change, Directory, Effect, Pop, Unreadable, View};
use crate::mail::{Address, Name};
use crate::router::Destination;
use crate::server::Service;
use crate::telemetry::Event;

/// How often copies that wait for their mailbox are tried.
const DELIVER: Duration = Duration::from_secs(60);
/// How often the use counts of aliases are written.
const COUNT: Duration = Duration::from_secs(30);
/// How often the trash is looked through.
const PURGE: Duration = Duration::from_secs(3600);
/// Accounts read at a time when one is looked for by its id.
const PAGE: usize = 1000;

/// Why a task failed; for the log alone.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Starts them all; they end when the set is dropped.
pub(super) fn start(service: &Arc<Service>, trash_days: u32) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    every(&mut tasks, service, DELIVER, "delivery of waiting copies", |service| {
        let count = service.spool.deliver_waiting(|id, name| whereabouts(&service.directory, id, name))?;
        if count > 0 {
            Event::CopiesWaiting { count }.say();
        }
        Ok(())
    });
    every(&mut tasks, service, COUNT, "writing of use counts", |service| Ok(service.directory.write_uses()?));
    every(&mut tasks, service, PURGE, "purge of the trash", move |service| purge(service, trash_days));
    tasks
}

fn every(
    tasks: &mut JoinSet<()>,
    service: &Arc<Service>,
    pause: Duration,
    task: &'static str,
    work: impl Fn(&Service) -> Result<(), Failed> + Send + Sync + 'static,
) {
    let (service, work) = (Arc::clone(service), Arc::new(work));
    tasks.spawn(async move {
        let mut ticks = tokio::time::interval(pause);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let (service, work) = (Arc::clone(&service), Arc::clone(&work));
            let done: JoinHandle<Result<(), Failed>> = tokio::task::spawn_blocking(move || work(&service));
            if let Ok(Err(cause)) = done.await {
                Event::TaskFailed { task, cause: &cause.to_string() }.say();
            }
        }
    });
}

/// Removes for good what has been in the trash for longer than `days`.
fn purge(service: &Service, days: u32) -> Result<(), Failed> {
    let now = Timestamp::now();
    let kept = SignedDuration::from_hours(24 * i64::from(days));
    for trashed in service.directory.snapshot().trash()? {
        if now.duration_since(trashed.deleted) > kept {
            let applied = service.directory.apply(&Actor::Server, &Change::PurgePop { id: trashed.pop.id }, now)?;
            service.maildirs.follow(&applied.effects)?;
            Event::Purged { name: trashed.pop.name.as_str() }.say();
        }
    }
    Ok(())
}

/// Moves folders to where the directory says they belong. A crash between a change and the folder's move needs it.
pub(super) fn heal(service: &Service) -> Result<(), Failed> {
    let snapshot = service.directory.snapshot();
    let trash = snapshot.trash()?;
    for (name, id) in service.maildirs.claimed()? {
        if snapshot.pop(&name)?.is_some_and(|pop| pop.id == id) {
            continue;
        }
        let effect = if trash.iter().any(|trashed| trashed.pop.id == id) {
            Effect::PopTrashed { id, name }
        } else if let Some(pop) = by_id(&service.directory, id)? {
            Effect::PopRenamed { id, from: name, to: pop.name }
        } else {
            continue;
        };
        service.maildirs.follow(&[effect])?;
    }
    Ok(())
}

/// Where the mailbox of an account is now. Nowhere, if the directory cannot say.
fn whereabouts(directory: &Directory, id: AccountId, name: &Name) -> Option<Destination> {
    let named = directory.snapshot().pop(name).ok()?.filter(|pop| pop.id == id);
    let pop = match named {
        Some(pop) => pop,
        None => by_id(directory, id).ok()??,
    };
    Some(Destination { id, address: Address::new(pop.name.as_str(), pop.domain), name: pop.name, quota: pop.quota })
}

/// An account by its id: a walk over all of them, for the rare cases that a crash leaves behind.
fn by_id(directory: &Directory, id: AccountId) -> Result<Option<Pop>, Unreadable> {
    let snapshot = directory.snapshot();
    let mut after: Option<String> = None;
    loop {
        let page = snapshot.pops(after.as_deref(), PAGE)?;
        if let Some(found) = page.records.into_iter().find(|pop| pop.id == id) {
            return Ok(Some(found));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(None),
        }
    }
}
