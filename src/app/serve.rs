//! The server's life: open, listen, reload on SIGHUP, drain and stop on SIGTERM or SIGINT.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::commands::rules;
use super::run_file::RunFile;
use super::tasks;
use crate::admin::operations::masters;
use crate::admin::{Context, socket};
use crate::config::{self, Config, LoadError};
use crate::directory::{Directory, OpenError};
use crate::maildir::Maildirs;
use crate::server::limits::Limits;
use crate::server::listeners::{self, Inherited, ListenError};
use crate::server::memory::{Memory, TEXT_IN_MEMORY};
use crate::server::names::Names;
use crate::server::tls::{Tls, TlsError};
use crate::server::{ReverseLookup, Rules, Service};
use crate::spool::{self, Spool};
use crate::telemetry::log::{Log, LogError};
use crate::telemetry::{Event, Recent};

/// Files a server has open beside its connections: the directory's, mailboxes being written, listeners.
const OTHER_FILES: u64 = 1024;

/// Why the server does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The spool.
    #[error(transparent)]
    Spool(#[from] spool::OpenError),
    /// The directory.
    #[error(transparent)]
    Directory(#[from] OpenError),
    /// The mailboxes.
    #[error("the mailboxes in {} cannot be used: {cause}; see to mail.root and its permissions", root.display())]
    Mailboxes {
        /// `mail.root`.
        root: PathBuf,
        /// What the file system says.
        cause: io::Error,
    },
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The administration socket, `run.json`, or a signal.
    #[error("{what} cannot be had: {cause}")]
    Io {
        /// What it is.
        what: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The first master could not be made.
    #[error("the first master cannot be made: {0}")]
    FirstMaster(String),
}

/// Serves until a signal says stop. `file` is read again on SIGHUP.
pub async fn serve(config: Config, file: PathBuf, inherited: Inherited) -> Result<(), ServeError> {
    let log = Log::start(&config.log)?;
    Event::Starting { version: env!("CARGO_PKG_VERSION"), hostname: &config.hostname }.say();
    let mut signals = Signals::new()?;
    raise_file_limit(config.server.max_connections);
    let service = build(&config)?;
    let context = Arc::new(Context::new(
        Arc::clone(&service.directory),
        Arc::clone(&service.maildirs),
        Some(Arc::clone(&service.recent)),
        rules(&config),
    ));
    tokio::task::block_in_place(|| first_master(&context))?;
    if RunFile::path(&config.spool).exists() {
        // The last server did not stop by itself.
        tokio::task::block_in_place(|| tasks::heal(&service)).unwrap_or_else(|cause| {
            Event::TaskFailed { task: "check of mail folders after a crash", cause: &cause.to_string() }.say();
        });
    }
    let open = listeners::open(&config.server, inherited)?;
    let admin = socket::bind(&config.admin.socket).map_err(|cause| unavailable(&config.admin.socket, cause))?;
    let mut stopping = service.stopping.subscribe();
    let stopped = async move {
        // The sender lives as long as the service; if it is gone, it is time to stop as well.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let administration = tokio::spawn(socket::serve_socket(admin, Arc::clone(&context), stopped));
    let run_file = RunFile::write(&config.spool, &open).map_err(|cause| unavailable(&RunFile::path(&config.spool), cause))?;
    for listener in open {
        Event::Listening { service: listener.door().name(), address: listener.address() }.say();
        tokio::spawn(listeners::run(listener, Arc::clone(&service)));
    }
    let periodic = tasks::start(&service, config.trash_days);
    Event::Ready { spool: &config.spool.display().to_string() }.say();
    tell_systemd(&[NotifyState::Ready]);
    let config = run(config, &file, &mut signals, &log, &service, &context).await;

    tell_systemd(&[NotifyState::Stopping]);
    drop(run_file);
    drain(&service, &config).await;
    drop(periodic);
    // Requests under way have their own grace; a task that panicked has nothing more to say.
    let _ = administration.await;
    let _ = std::fs::remove_file(&config.admin.socket);
    tokio::task::block_in_place(|| service.directory.write_uses()).unwrap_or_else(|cause| {
        Event::TaskFailed { task: "writing of use counts", cause: &cause.to_string() }.say();
    });
    Ok(())
}

fn build(config: &Config) -> Result<Arc<Service>, ServeError> {
    let mailboxes = |cause| ServeError::Mailboxes { root: config.mail.root.clone(), cause };
    std::fs::create_dir_all(&config.spool).map_err(|cause| unavailable(&config.spool, cause))?;
    let maildirs = Arc::new(Maildirs::new(config.mail.clone()).map_err(mailboxes)?);
    let spool = Spool::open(config.spool.clone(), config.hostname.clone(), Arc::clone(&maildirs))?;
    let directory = Directory::open(&config.spool.join("directory"))?;
    let names = match config.server.reverse_lookup {
        ReverseLookup::Background => Names::of_this_machine(),
        ReverseLookup::Off => None,
    };
    Ok(Arc::new(Service {
        directory: Arc::new(directory),
        maildirs,
        spool: Arc::new(spool),
        recent: Arc::new(Recent::default()),
        rules: ArcSwap::from_pointee(session_rules(config)),
        tls: Tls::load(&config.server.certificate, &config.hostname)?,
        limits: Limits::new(),
        memory: Memory::new(TEXT_IN_MEMORY),
        names,
        stopping: watch::Sender::new(false),
    }))
}

fn session_rules(config: &Config) -> Rules {
    Rules {
        session: Arc::clone(&config.session),
        routing: config.routing.clone(),
        mailboxes: config.mail.clone(),
        server: config.server.clone(),
    }
}

/// The first run makes a master; its password is told once, and not to the log.
fn first_master(context: &Context) -> Result<(), ServeError> {
    let made = masters::add_first(context).map_err(|problem| ServeError::FirstMaster(problem.to_string()))?;
    if let Some((name, password)) = made.and_then(|master| Some((master.name, master.password?))) {
        println!("first start: made the master `{name}`; its password, shown this once: {password}");
        Event::FirstMaster { name: name.as_str() }.say();
    }
    Ok(())
}

/// The kernel's default of 1,024 files would be the first limit to be met.
fn raise_file_limit(connections: usize) {
    let limit = getrlimit(Resource::Nofile);
    // Where it may not be raised, the check below says what that means.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    if let Some(allowed) = getrlimit(Resource::Nofile).current
        && allowed < connections as u64 + OTHER_FILES
    {
        Event::FewFiles { allowed, connections }.say();
    }
}

struct Signals {
    reload: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> Result<Self, ServeError> {
        let take = |kind| signal(kind).map_err(|cause| ServeError::Io { what: "signals".into(), cause });
        Ok(Self {
            reload: take(SignalKind::hangup())?,
            terminate: take(SignalKind::terminate())?,
            interrupt: take(SignalKind::interrupt())?,
        })
    }
}

/// Waits for signals; gives back the configuration in force at the end.
async fn run(mut config: Config, file: &Path, signals: &mut Signals, log: &Log, service: &Service, context: &Context) -> Config {
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => return config,
            _ = signals.interrupt.recv() => return config,
            _ = signals.reload.recv() => {
                if let Ok(now) = NotifyState::monotonic_usec_now() {
                    tell_systemd(&[NotifyState::Reloading, now]);
                }
                match tokio::task::block_in_place(|| reload(&config, file, log, service, context)) {
                    Ok(new) => {
                        Event::Reloaded { restart: &needs_restart(&config, &new) }.say();
                        config = new;
                    }
                    Err(cause) => Event::ReloadRefused { cause: &cause.to_string() }.say(),
                }
                tell_systemd(&[NotifyState::Ready]);
            }
        }
    }
}

/// Puts in force what can change while the server runs: all of it or, if any of it cannot be used, nothing.
fn reload(old: &Config, file: &Path, log: &Log, service: &Service, context: &Context) -> Result<Config, Box<dyn std::error::Error>> {
    let new = match config::load(file) {
        Err(LoadError::Missing { .. }) => old.clone(),
        other => other?,
    };
    service.tls.reload(&new.server.certificate, &new.hostname)?;
    log.set_level(&new.log.level)?;
    service.rules.store(Arc::new(session_rules(&new)));
    context.rules.store(Arc::new(rules(&new)));
    Ok(new)
}

/// The keys that differ and take effect at the next start only.
fn needs_restart(old: &Config, new: &Config) -> String {
    let changed = [
        ("spool.dir", old.spool != new.spool),
        ("mail.root", old.mail.root != new.mail.root),
        ("quota.default", old.mail.default_quota != new.mail.default_quota),
        ("mail.trash_days", old.trash_days != new.trash_days),
        ("smtp.listen", old.server.smtp != new.server.smtp),
        ("smtp.listen_tls", old.server.smtp_tls != new.server.smtp_tls),
        ("lmtp.listen", old.server.lmtp != new.server.lmtp),
        ("smtp.reverse_lookup", old.server.reverse_lookup != new.server.reverse_lookup),
        ("admin.socket", old.admin.socket != new.admin.socket),
        ("log.format", old.log.format != new.log.format),
    ];
    changed.iter().filter(|(_, differs)| *differs).map(|(key, _)| *key).collect::<Vec<_>>().join(" ")
}

/// Sessions finish their transaction, and no more; those that take too long are cut.
async fn drain(service: &Service, config: &Config) {
    Event::Stopping { connections: service.limits.total() }.say();
    service.stopping.send_replace(true);
    let finished = tokio::time::timeout(config.server.shutdown_grace, service.limits.empty()).await;
    let cut = if finished.is_ok() { 0 } else { service.limits.total() };
    Event::Stopped { cut }.say();
}

/// Without systemd this does nothing; with it, a message that is not taken changes nothing for us.
fn tell_systemd(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

fn unavailable(path: &Path, cause: io::Error) -> ServeError {
    ServeError::Io { what: path.display().to_string(), cause }
}
