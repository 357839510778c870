//! From a configuration to a running server.
//!
//! The order is the promise: the directory's lock first, so that a second server on the same spool ends before it has touched
//! anything; recovery before anybody can connect; `run.json` after every listener accepts.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, future::Future};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task;

use super::numbering::LastId;
use super::run_file::{Addresses, RunFile};
use super::{Running, chores, commands, heal};
use crate::admin::context::Calling;
use crate::admin::operations::masters;
use crate::admin::{self, Context};
use crate::config::Config;
use crate::directory::login::Logins;
use crate::directory::{self, Directory};
use crate::ledger::{self, Ledger};
use crate::maildir::Maildirs;
use crate::relay::list::dmarc::Dmarc;
use crate::relay::list::{self, Lists};
use crate::relay::schedule::Dispatch;
use crate::relay::vacation::Vacations;
use crate::relay::{Office, Srs, keys};
use crate::server::limits::Limits;
use crate::server::listeners::{self, Inherited, ListenError};
use crate::server::memory::{Memory, TEXT_IN_MEMORY};
use crate::server::names::Names;
use crate::server::tls::{Tls, TlsError};
use crate::server::{ReverseLookup, Rules, Service};
use crate::spool::{self, Spool};
use crate::telemetry::{Event, LogError, Recent};

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Threads or signals are not to be had.
    #[error("the system refuses threads or signals: {0}; see to the limits of this user")]
    Runtime(io::Error),
    /// Another server has the directory.
    #[error("another server runs on the spool {0}; stop it, or give this one a spool of its own (spool.dir)")]
    SecondServer(PathBuf),
    /// The directory cannot be opened.
    #[error("{path}: {cause}")]
    Directory {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        cause: directory::OpenError,
    },
    /// The spool cannot be opened.
    #[error(transparent)]
    Spool(#[from] spool::OpenError),
    /// The delivery log cannot be opened.
    #[error("{0}; move its folder away to begin a new one")]
    Ledger(#[from] ledger::Unreadable),
    /// A folder or a file cannot be used.
    #[error("{path} cannot be used: {cause}; see that it belongs to this user")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A listener.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The socket of administration.
    #[error("the administration socket {path} cannot be had: {cause}; see to its folder, or change admin.socket")]
    AdminSocket {
        /// Where.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The address of the panel.
    #[error("cannot listen on {address} for the panel: {cause}; see that nothing else uses it, or change admin.listen")]
    AdminAddress {
        /// Which.
        address: SocketAddr,
        /// Why not.
        cause: io::Error,
    },
    /// What mail is sent with.
    #[error("mail cannot be sent: {0}; see that the certificates of this machine can be read")]
    Relay(io::Error),
    /// The first master could not be made.
    #[error("the first master could not be made: {0}")]
    FirstMaster(String),
}

/// Builds the parts and starts the tasks. When this returns, every listener accepts.
pub async fn start(config: Config, inherited: Inherited) -> Result<Running, StartError> {
    let Opened { service, context, config, last_id, crashed } =
        task::spawn_blocking(move || open(config)).await.map_err(|error| StartError::Runtime(io::Error::other(error)))??;
    let listeners = listeners::open(&config.server, inherited)?;
    let socket = config.admin.socket.clone();
    let admin = admin::socket::bind(&socket).map_err(|cause| StartError::AdminSocket { path: socket.clone(), cause })?;
    let (panel, panel_address) =
        admin::http::bind(config.admin.listen).await.map_err(|cause| StartError::AdminAddress { address: config.admin.listen, cause })?;
    let addresses = Addresses { admin: vec![panel_address.to_string()], ..Addresses::of(&listeners) };
    let listener = addresses.pop3.iter().find_map(|address| address.parse().ok());
    // It is set once: here.
    let _ = context.calling.set(Calling { logins: Arc::clone(&service.logins), listener });
    let stop = watch::Sender::new(false);
    let mut tasks = Vec::new();
    for listener in listeners {
        Event::Listening { service: listener.door().name(), address: listener.address() }.say();
        tasks.push(task::spawn(listeners::run(listener, Arc::clone(&service))));
    }
    Event::Listening { service: "admin", address: &format!("unix:{}", socket.display()) }.say();
    tasks.push(task::spawn(admin::socket::serve_socket(admin, Arc::clone(&context), told(&stop))));
    Event::Listening { service: "admin", address: &panel_address.to_string() }.say();
    let smtp = addresses.smtp.iter().find_map(|address| address.parse().ok());
    let site = admin::http::site(Arc::clone(&context), Arc::clone(&service), smtp);
    tasks.push(task::spawn(admin::http::serve(panel, site, Arc::clone(&service), told(&stop))));
    let spool = config.spool.clone();
    let config = Arc::new(ArcSwap::from_pointee(config));
    tasks.extend(chores::begin(&service, &config, last_id, &stop));
    let dispatch = dispatch(&service, &config.load(), &addresses).await?;
    let grace = service.rules.load().server.shutdown_grace;
    tasks.push(task::spawn(Arc::clone(&dispatch).run(told(&stop), grace)));
    tasks.push(task::spawn(chores::distribute(Arc::clone(&service.lists), &stop)));
    if crashed {
        // It reads a file of each mailbox: nobody has to wait for that.
        let (directory, maildirs, stopped) = (Arc::clone(&service.directory), Arc::clone(&service.maildirs), stop.subscribe());
        tasks.push(task::spawn_blocking(move || heal::heal(&directory, &maildirs, || *stopped.borrow())));
    }
    let run_file = RunFile::write(&spool, &addresses).map_err(|cause| StartError::Folder { path: spool.clone(), cause })?;
    Event::Ready { spool: &spool.to_string_lossy() }.say();
    Ok(Running { service, context, dispatch, config, addresses, run_file, socket, stop, tasks })
}

/// What empties the queue. It knows where this server listens itself: mail that would come back is not sent.
async fn dispatch(service: &Arc<Service>, config: &Config, addresses: &Addresses) -> Result<Arc<Dispatch>, StartError> {
    let listening = addresses.smtp.iter().chain(&addresses.smtp_tls).filter_map(|address| address.parse().ok()).collect();
    let (office, lists, settings) = (Arc::clone(&service.office), Arc::clone(&service.lists), Arc::clone(&config.relay));
    let ledger = Arc::clone(&service.ledger);
    let made = task::spawn_blocking(move || Dispatch::new(office, lists, settings, listening, ledger)).await;
    made.map_err(io::Error::other).and_then(|made| made).map(Arc::new).map_err(StartError::Relay)
}

/// Ends when the server is told to stop.
pub(super) fn told(stop: &watch::Sender<bool>) -> impl Future<Output = ()> + Send + use<> {
    let mut stop = stop.subscribe();
    async move {
        // An error means that the server is gone.
        let _ = stop.wait_for(|stop| *stop).await;
    }
}

/// The parts that live on the disk, and what is built on them.
struct Opened {
    service: Arc<Service>,
    context: Arc<Context>,
    config: Config,
    last_id: LastId,
    /// The server before this one did not stop by itself.
    crashed: bool,
}

fn open(config: Config) -> Result<Opened, StartError> {
    let folder = |path: &Path| {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
        made.map_err(|cause| StartError::Folder { path: path.to_owned(), cause })
    };
    folder(&config.spool)?;
    let path = config.spool.join("directory");
    let directory = Directory::open(&path).map_err(|cause| match cause {
        directory::OpenError::InUse => StartError::SecondServer(config.spool.clone()),
        cause => StartError::Directory { path, cause },
    })?;
    let directory = Arc::new(directory);
    folder(&config.mail.root)?;
    let root = config.mail.root.clone();
    let maildirs = Maildirs::new(config.mail.clone()).map_err(|cause| StartError::Folder { path: root, cause })?;
    let maildirs = Arc::new(maildirs);
    let crashed = RunFile::remove_stale(&config.spool).map_err(|cause| StartError::Folder { path: config.spool.clone(), cause })?;
    let spool = Arc::new(Spool::open(spool_settings(&config), Arc::clone(&maildirs))?);
    let last_id = LastId::resume(&config.spool, &spool).map_err(|cause| StartError::Folder { path: config.spool.clone(), cause })?;
    let recent = Arc::new(Recent::default());
    let ledger = Arc::new(Ledger::open(config.ledger.clone())?);
    let context = Context::new(Arc::clone(&directory), Arc::clone(&maildirs), Some(Arc::clone(&recent)), commands::rules(&config))
        .with_ledger(Arc::clone(&ledger))
        .with_queue(Arc::clone(spool.outgoing()), &config.spool);
    first_master(&context)?;
    let office = Office::new(Arc::clone(&directory), Arc::clone(&spool), config.routing.clone(), config.hostname.clone());
    office.set_srs(srs(&config).map_err(|cause| StartError::Folder { path: config.spool.join(SRS), cause })?);
    let office = Arc::new(office);
    let signer = list::key::load(&config.spool).map_err(|cause| StartError::Folder { path: config.spool.clone(), cause })?;
    let dmarc = Dmarc::asking(&config.server.resolvers);
    let lists = Arc::new(Lists::new(Arc::clone(&office), signer, dmarc, config.lists.clone()).with_ledger(Arc::clone(&ledger)));
    let logins = Logins::new(Arc::clone(&directory), config.password).map_err(StartError::Runtime)?;
    let service = Service {
        office: Arc::clone(&office),
        directory,
        maildirs,
        spool,
        lists,
        vacations: Arc::new(Vacations::new(office)),
        recent,
        ledger,
        rules: ArcSwap::from_pointee(rules(&config)),
        tls: Tls::load(&config.server.certificate, &config.hostname)?,
        limits: Limits::new(),
        callers: Limits::new(),
        patience: Default::default(),
        logins: Arc::new(logins),
        mailboxes: Arc::default(),
        memory: Memory::new(TEXT_IN_MEMORY),
        names: names(&config),
        stopping: watch::Sender::new(false),
    };
    // They are set once: here.
    let _ = context.office.set(Arc::clone(&service.office));
    let _ = context.lists.set(Arc::clone(&service.lists));
    Ok(Opened { service: Arc::new(service), context: Arc::new(context), config, last_id, crashed })
}

fn spool_settings(config: &Config) -> spool::Settings {
    spool::Settings { dir: config.spool.clone(), hostname: config.hostname.clone(), log: config.spool_log }
}

/// The secrets of rewritten senders, in the spool folder.
const SRS: &str = "srs.keys";

/// Reads them, or makes them.
pub(super) fn srs(config: &Config) -> io::Result<Srs> {
    keys::open(&config.spool.join(SRS), Timestamp::now())
}

/// A reload may switch lookups on, so only a server that began without them goes without.
fn names(config: &Config) -> Option<Names> {
    match config.server.reverse_lookup {
        ReverseLookup::Background => Names::asking(&config.server.resolvers),
        ReverseLookup::Off => None,
    }
}

/// What sessions go by.
pub(super) fn rules(config: &Config) -> Rules {
    Rules {
        session: Arc::clone(&config.session),
        pop3: Arc::clone(&config.pop3),
        routing: config.routing.clone(),
        mailboxes: config.mail.clone(),
        server: config.server.clone(),
    }
}

/// On an empty directory: somebody has to be able to log in. The password is shown once, and never in the log.
fn first_master(context: &Context) -> Result<(), StartError> {
    let made = masters::add_first(context).map_err(|problem| StartError::FirstMaster(problem.to_string()))?;
    let Some(password) = made.and_then(|master| master.password) else { return Ok(()) };
    Event::FirstMaster { name: "admin" }.say();
    let mut out = io::stdout().lock();
    writeln!(out, "master `admin` was made; its password, shown this once: {password}").and_then(|()| out.flush()).map_err(|error| {
        StartError::FirstMaster(format!("its password could not be printed ({error}); set one with `restante master passwd admin`"))
    })
}
