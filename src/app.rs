//! Builds the parts, owns the tasks, and sees to an orderly end.
//!
//! Owns the process: its signals, its log, its runtime, `run.json`, and what it tells systemd. Promises that tools that
//! wait for `run.json` find every listener accepting, and that a server that was told to stop ends the transactions
//! under way first. Refuses to know how anything is done: it hands the parts to each other.
//!
//! Reading order: [`commands`] (arguments to exit code), [`mod@start`] (the parts), [`running`] (reload and stop), [`chores`]
//! (periodic tasks), [`heal`] (after a crash), [`run_file`], `numbering`, [`setup`] and [`demo`] (commands that are not operations).

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{self, Config};
use crate::server::listeners::Inherited;
use crate::telemetry::{Event, Log};

pub mod chores;
pub mod commands;
pub mod demo;
pub mod heal;
mod numbering;
pub mod run_file;
pub mod running;
pub mod setup;
pub mod start;

pub use running::Running;
pub use start::{StartError, start};

/// Threads that may wait for the disk. As many messages can share one sync; more threads would only queue deeper.
const DISK_THREADS: usize = 64;

/// Files that are not connections: the directory's tables, bodies, mailboxes.
const OTHER_FILES: u64 = 1024;

/// How long work on the disk may still take when everything else has ended.
const LAST_WRITES: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT. `file` is read again at SIGHUP.
pub fn serve(config: Config, file: PathBuf) -> Result<(), StartError> {
    let inherited = Inherited::take();
    let log = Log::start(&config.log)?;
    Event::Starting { version: env!("CARGO_PKG_VERSION"), hostname: &config.hostname }.say();
    allow_files(config.server.max_connections.saturating_add(config.server.max_callers));
    let runtime = runtime().map_err(StartError::Runtime)?;
    let outcome = runtime.block_on(until_told(config, &file, inherited, &log));
    runtime.shutdown_timeout(LAST_WRITES);
    outcome
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().thread_name("restante").max_blocking_threads(DISK_THREADS).enable_all().build()
}

/// Raises the soft limit of open files to the hard one: each connection is one.
fn allow_files(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    // If it cannot be raised, the comparison below is with what there is.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Some(allowed) = getrlimit(Resource::Nofile).current
        && allowed < (connections as u64).saturating_add(OTHER_FILES)
    {
        Event::FewFiles { allowed, connections }.say();
    }
}

async fn until_told(config: Config, file: &Path, inherited: Inherited, log: &Log) -> Result<(), StartError> {
    // Before anything can take long: a signal during the start is not lost, and does not kill.
    let mut signals = Signals::new().map_err(StartError::Runtime)?;
    let running = start(config, inherited).await?;
    notify(&[NotifyState::Ready]);
    while let Told::Reload = signals.next().await {
        notify(&reloading());
        reload(&running, file, log);
        notify(&[NotifyState::Ready]);
    }
    notify(&[NotifyState::Stopping]);
    running.stop().await;
    Ok(())
}

fn reload(running: &Running, file: &Path, log: &Log) {
    let outcome = config::load(file).map_err(|error| error.to_string()).and_then(|config| {
        log.set_level(&config.log.level).map_err(|error| error.to_string())?;
        running.reload(config).map_err(|error| error.to_string())
    });
    match outcome {
        Ok(restart) => Event::Reloaded { restart: &restart.join(", ") }.say(),
        Err(cause) => Event::ReloadRefused { cause: &cause }.say(),
    }
}

enum Told {
    Reload,
    Stop,
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (hangup, interrupt, terminate) = (SignalKind::hangup(), SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { hangup: signal(hangup)?, interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }
}

/// systemd.service(5), `Type=notify-reload`: the time tells which reload is meant.
fn reloading() -> Vec<NotifyState<'static>> {
    std::iter::once(NotifyState::Reloading).chain(NotifyState::monotonic_usec_now()).collect()
}

/// Nothing depends on whether systemd hears it; without systemd nobody does.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        Event::TaskFailed { task: "telling systemd", cause: &error.to_string() }.say();
    }
}
