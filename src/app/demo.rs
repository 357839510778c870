//! `restante demo`: the whole service in a throwaway folder, shown with real messages over real SMTP.
//!
//! The server is this very program as a child process with a configuration of its own, so what is shown is what an
//! operator gets. The folder goes when the demo ends.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hyper::Method;
use rustix::process::{Pid, kill_process};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::admin::cli::connection::{Connection, Refused, with_query};
use crate::admin::cli::failure::Failure;
use crate::admin::cli::output::{BAD, GOOD, Output, STRONG, print, styled};
use crate::admin::cli::probe::{self, Probe};
use crate::admin::cli::trace::{print_probe, print_trail};
use crate::admin::operations::trace;

/// How long the server may take to come up: a loaded machine, a cold disk.
const START: Duration = Duration::from_secs(60);

/// How long a message may take to its mailbox.
const DELIVERY: Duration = Duration::from_secs(30);

/// How long the server may take to stop.
const STOP: Duration = Duration::from_secs(30);

/// How often to look whether something has happened.
const INTERVAL: Duration = Duration::from_millis(20);

/// What is to become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// That many files.
    Files(usize),
    /// This reply code.
    Refused(u16),
}

/// One message of the demo: what it shows, whom it is for, what is to become of it.
type Scene = (&'static str, &'static str, Expected);

const SCENES: &[Scene] = &[
    ("an alias", "sales@demo.example", Expected::Files(1)),
    ("a chain of two aliases", "help@demo.example", Expected::Files(1)),
    ("a catch-all", "whatever@demo.example", Expected::Files(1)),
    ("a subaddress", "sales+spring@demo.example", Expected::Files(1)),
    ("a group of two", "team@demo.example", Expected::Files(2)),
    ("an alias that is switched off", "old@demo.example", Expected::Refused(550)),
    ("an address that nobody has", "nobody@other.example", Expected::Refused(550)),
];

/// What became of it.
#[derive(Serialize)]
struct Shown {
    shows: &'static str,
    address: &'static str,
    trace: trace::Shown,
    test: Probe,
    as_expected: bool,
}

pub(super) async fn run(output: Output, once: bool) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("restante-demo-").tempdir()?;
    let mut signals = Signals::new()?;
    let service = tokio::select! {
        service = show(output, folder.path()) => service?,
        () = signals.stop() => return Err(Failure::failed("the demo was stopped before its end")),
    };
    if !once {
        say_what_next(output, &service)?;
        signals.stop().await;
    }
    service.stop()
}

/// Plays all scenes; the server that they were played on is still up.
async fn show(output: Output, folder: &Path) -> Result<Service, Failure> {
    let service = Service::start(folder).await?;
    output.line(&format!("A server of its own, in {}", styled(STRONG, folder.display())))?;
    set_up(&service.connection).await?;
    let mut shown = Vec::new();
    for scene in SCENES {
        shown.push(play(output, &service, *scene).await?);
    }
    if output == Output::Json {
        output.json(&shown)?;
    }
    match shown.iter().filter(|shown| !shown.as_expected).count() {
        0 => output.line(&styled(GOOD, "\nEvery message ended where its trail said.")).map(|()| service),
        failed => Err(Failure::failed(format!("{failed} messages did not end where their trails said"))),
    }
}

async fn play(output: Output, service: &Service, (shows, address, expected): Scene) -> Result<Shown, Failure> {
    let trace: trace::Shown = service.connection.get(&with_query("/trace", &[("address", address.to_owned())])).await?;
    let test = probe::send(|id| probe::known(&service.connection, id), service.smtp, address, DELIVERY, |_| {}).await?;
    let on_disk = test.files.iter().filter(|file| fs::metadata(file).is_ok_and(|found| found.len() > 0)).count();
    let as_expected = match expected {
        Expected::Files(files) => test.delivered && on_disk == files && test.code() == 250,
        Expected::Refused(code) => !test.delivered && test.code() == code && trace.code == code,
    };
    if output == Output::Text {
        print(&format!("\n{} {}", styled(STRONG, format!("{shows}:")), address))?;
        print_trail(&trace)?;
        print_probe(&test)?;
        if !as_expected {
            print(&styled(BAD, format!("this is not what was expected: {expected:?}")))?;
        }
    }
    Ok(Shown { shows, address, trace, test, as_expected })
}

async fn set_up(connection: &Connection) -> Result<(), Failure> {
    let domains = ["demo.example", "other.example"].map(|domain| ("/domains", json!({ "domain": domain })));
    let pops = [("alice", "Alice Ashford"), ("bob", "Bob Birch")]
        .map(|(name, owner)| ("/pops", json!({ "name": name, "domain": "demo.example", "owner": owner, "generate": true })));
    let aliases = [
        ("sales@demo.example", vec!["alice"]),
        ("support@demo.example", vec!["bob"]),
        ("help@demo.example", vec!["support@demo.example"]),
        ("team@demo.example", vec!["alice", "bob"]),
        ("old@demo.example", vec!["bob"]),
        ("@demo.example", vec!["alice"]),
    ]
    .map(|(address, targets)| ("/aliases", json!({ "address": address, "targets": targets })));
    for (path, request) in domains.into_iter().chain(pops).chain(aliases).chain([("/aliases/old@demo.example/disable", json!({}))]) {
        let _: Value = connection.call(Method::POST, path, Some(&request)).await?;
    }
    Ok(())
}

/// A server of the demo's own.
struct Service {
    child: Child,
    config: PathBuf,
    smtp: std::net::SocketAddr,
    connection: Connection,
}

impl Service {
    async fn start(folder: &Path) -> Result<Self, Failure> {
        let config = folder.join("restante.toml");
        fs::write(&config, configuration(folder))?;
        let log = File::create(folder.join("server.log"))?;
        let child = Command::new(std::env::current_exe()?)
            .arg("serve")
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut starting = Starting(Some(child));
        let spool = folder.join("spool");
        starting.wait_for(&spool.join("run.json"), &folder.join("server.log")).await?;
        let smtp = probe::smtp_listener(&spool)?;
        let nobody = || Err(Refused::Other("the demo's server does not answer on its socket".into()));
        let connection = Connection::find(spool.join("admin.sock"), Box::new(nobody)).await?;
        let child = starting.0.take().ok_or_else(|| Failure::failed("the demo's server is gone"))?;
        Ok(Self { child, config, smtp, connection })
    }

    fn stop(mut self) -> Result<(), Failure> {
        let deadline = Instant::now() + STOP;
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may have gone by itself: the wait below tells.
            let _ = kill_process(pid, rustix::process::Signal::TERM);
        }
        while Instant::now() < deadline {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            std::thread::sleep(INTERVAL);
        }
        Err(Failure::failed("the demo's server did not stop in time; it was killed"))
    }
}

/// However the demo ends, its server ends with it.
impl Drop for Service {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A server that may not come up: it ends with the attempt.
struct Starting(Option<Child>);

impl Starting {
    async fn wait_for(&mut self, ready: &Path, log: &Path) -> Result<(), Failure> {
        let deadline = Instant::now() + START;
        while !ready.exists() {
            let gone = self.0.as_mut().map_or(Ok(None), Child::try_wait)?;
            if gone.is_some() || Instant::now() > deadline {
                let said = fs::read_to_string(log).unwrap_or_default();
                let last = said.lines().last().unwrap_or("nothing").to_owned();
                return Err(Failure::failed(format!("the demo's server did not come up; its last word: {last}")));
            }
            tokio::time::sleep(INTERVAL).await;
        }
        Ok(())
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(end);
    }
}

fn end(child: &mut Child) {
    if !matches!(child.try_wait(), Ok(Some(_))) {
        // Both fail only if it is gone already.
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn configuration(folder: &Path) -> String {
    let spool = folder.join("spool").display().to_string();
    let quoted = |text: String| Value::String(text).to_string();
    format!(
        "hostname = \"demo.example\"\n\n[spool]\ndir = {}\n\n[mail]\nroot = {}\n\n[smtp]\nlisten = [\"127.0.0.1:0\"]\n\n\
         [lmtp]\nlisten = [\"127.0.0.1:0\"]\n\n[pop3]\nlisten = [\"127.0.0.1:0\"]\nlisten_tls = []\n\n\
         [admin]\nlisten = \"127.0.0.1:0\"\nsocket = {}\n",
        quoted(spool.clone()),
        quoted(format!("{spool}/mail")),
        quoted(format!("{spool}/admin.sock")),
    )
}

fn say_what_next(output: Output, service: &Service) -> Result<(), Failure> {
    let config = service.config.display();
    let smtp = service.smtp;
    // After `make demo` the program is not installed yet: the commands name it by its path.
    let restante = env::current_exe()?.display().to_string();
    output.line(&format!(
        "\nIt stays up until Ctrl-C. In another terminal:\n\n  \
         export RESTANTE_CONFIG={config}\n  \
         {restante} pop list\n  \
         {restante} alias list --hidden\n  \
         {restante} trace help@demo.example\n  \
         {restante} test team@demo.example\n  \
         {restante} alias add info@demo.example bob\n  \
         {restante} pop delete bob --dry-run\n  \
         swaks --server {smtp} --from you@example.com --to sales@demo.example\n  \
         telnet {} {}\n",
        smtp.ip(),
        smtp.port()
    ))
}

/// What ends a demo: Ctrl-C, SIGTERM, or a terminal that is closed. Without them its server would be left behind.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self, Failure> {
        let (interrupt, terminate, hangup) = (SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)?, hangup: signal(hangup)? })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
