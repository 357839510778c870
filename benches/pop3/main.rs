//! Owners calling for their mail: opening large mailboxes, fetching, polling, idle sessions; beside Dovecot's pop3, where that
//! is installed, over the same Maildir on the same machine.
//!
//! The client shares the processors with the server. CPU and memory are those of the server alone. Each figure is the
//! middle one of [`RUNS`], unless it says otherwise.

#[path = "../../tests/world/mod.rs"]
mod world;

mod client;

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::{Client, Door, fetch_each, fetch_pipelined, open, poll};
use serde_json::Value;
use world::port::Port;
use world::process::{Process, until};
use world::program::done;
use world::{Settings, User, World};

/// Messages of the mailbox that is fetched.
const MESSAGES: usize = 10_000;

/// Messages of the large one, which is opened alone.
const LARGE: usize = 100_000;

/// Mailboxes that are polled, and that idle sessions have.
const BOXES: usize = 1000;

/// Clients that poll at a time.
const POLLERS: usize = 8;

/// How long there is polling.
const POLLING: Duration = Duration::from_secs(5);

/// Runs of each kind; the middle one counts.
const RUNS: usize = 3;

/// Messages that come in while others guess passwords.
const DELIVERED: usize = 5000;

/// Clients that guess passwords at a time.
const GUESSERS: usize = 64;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> Outcome {
    let root = rustix::process::geteuid().is_root();
    // Dovecot refuses mail that belongs to root.
    let world = World::with(if root { User::Mail } else { User::Same }, Settings::default());
    world.domain("example.org");
    let password = account(&world, "modelbox")?;
    let names: Vec<String> = (0..BOXES).map(|number| format!("box{number}")).chain(["many".into(), "large".into()]).collect();
    world.multiply("modelbox", &names);
    fill(&world, "many", MESSAGES)?;
    fill(&world, "large", LARGE)?;
    println!("{} processors; messages of 10 KiB", thread::available_parallelism().map_or(1, usize::from));
    let pid = world.pid();
    println!("Restante, POP3 in clear");
    let ours = Server { door: Door::clear(world.pop3()), pid: Some(pid), password: &password };
    ours.idles(&names)?;
    ours.polls(&names)?;
    ours.opens("many", MESSAGES)?;
    ours.opens("large", LARGE)?;
    ours.fetches("many", MESSAGES)?;
    println!("Restante, POP3 inside TLS");
    let certificate = world.path().join("spool/tls/certificate.pem");
    Server { door: Door::tls(world.pop3_tls(), &certificate)?, ..ours }.fetches("many", MESSAGES)?;
    floods(&world)?;
    if root && Path::new("/usr/lib/dovecot/pop3").exists() {
        println!("Dovecot, the same Maildirs");
        let dovecot = Dovecot::over(&world, &password)?;
        let theirs = Server { door: Door::clear(dovecot.port.address()), pid: None, password: &password };
        theirs.opens("many", MESSAGES)?;
        theirs.fetches("many", MESSAGES)?;
    }
    Ok(())
}

/// A POP account; its password.
fn account(world: &World, name: &str) -> Result<String, Box<dyn Error>> {
    let made = world.done(&["pop", "add", name, "--domain", "example.org", "--owner", "A bench", "--generate", "--json"]);
    let made: Value = serde_json::from_str(&made)?;
    Ok(made["password"].as_str().ok_or("no password")?.to_owned())
}

/// Puts messages into a mailbox, as delivery names them. Each is one of a few texts, linked: only one has to be written.
fn fill(world: &World, name: &str, messages: usize) -> Outcome {
    let text = format!("From: a@client.test\nSubject: bench\n\n{}", format!("{}\n", "x".repeat(69)).repeat(146));
    let wire = text.len() + text.lines().count();
    let folder = world.maildir(name).path().to_owned();
    for part in ["new", "cur", "tmp"] {
        fs::create_dir_all(folder.join(part))?;
    }
    let mut source = None;
    for number in 0..messages {
        let path = folder.join(format!("new/{}.M{number}P1Q{number}.mx.test,S={},W={wire}", 1_700_000_000 + number / 7, text.len()));
        // Ext4 allows 65,000 links to a file.
        match source.as_ref().filter(|_| number % 1000 != 0) {
            Some(source) => fs::hard_link(source, &path)?,
            None => {
                fs::write(&path, &text)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
                source = Some(path);
            }
        }
    }
    if rustix::process::geteuid().is_root() {
        let done = Command::new("chown").arg("-R").arg("mail:mail").arg(&folder).status()?;
        assert!(done.success());
    }
    Ok(())
}

/// A server under measurement.
struct Server<'a> {
    door: Door,
    /// None where it is made of many processes.
    pid: Option<u32>,
    password: &'a str,
}

impl Server<'_> {
    fn opens(&self, name: &str, messages: usize) -> Outcome {
        let mut times = Vec::new();
        for run in 0..=RUNS {
            let (time, found) = open(&self.door, name, self.password)?;
            assert_eq!(found, messages);
            if run == 0 {
                println!("  {messages:>6} messages, first open: {:>8.1} ms", time.as_secs_f64() * 1e3);
            } else {
                times.push(time);
            }
        }
        println!("  {messages:>6} messages, warm open:  {:>8.1} ms (login, STAT, LIST, UIDL)", middle(times).as_secs_f64() * 1e3);
        Ok(())
    }

    fn fetches(&self, name: &str, messages: usize) -> Outcome {
        type Fetch = fn(&Door, &str, &str, usize) -> std::io::Result<(Duration, usize)>;
        for (kind, fetch) in [("one at a time", fetch_each as Fetch), ("pipelined", fetch_pipelined as Fetch)] {
            let (mut times, mut octets, before) = (Vec::new(), 0, self.cpu());
            for _ in 0..RUNS {
                let time;
                (time, octets) = fetch(&self.door, name, self.password, messages)?;
                times.push(time);
            }
            let seconds = middle(times).as_secs_f64();
            let cpu = (self.cpu() - before) * 1e6 / (RUNS * messages) as f64;
            println!(
                "  RETR {kind:<14} {:>7.0}/s {:>6.0} MB/s{}",
                messages as f64 / seconds,
                octets as f64 / seconds / 1e6,
                self.pid.map(|_| format!(", {cpu:.1} µs CPU a message")).unwrap_or_default()
            );
        }
        Ok(())
    }

    /// Connect, login from memory, `STAT`, `QUIT`; each client has mailboxes of its own.
    fn polls(&self, names: &[String]) -> Outcome {
        let own = |poller: usize| names.iter().skip(poller * 10).take(10);
        for name in (0..POLLERS).flat_map(own) {
            poll(&self.door, name, self.password)?;
        }
        let (count, begin, before) = (AtomicUsize::new(0), Instant::now(), self.cpu());
        thread::scope(|scope| {
            for poller in 0..POLLERS {
                let count = &count;
                scope.spawn(move || {
                    for name in own(poller).cycle().take_while(|_| begin.elapsed() < POLLING) {
                        poll(&self.door, name, self.password).expect("a poll");
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let polls = count.into_inner() as f64;
        println!("  polls: {:>6.0}/s, {:.0} µs CPU each", polls / begin.elapsed().as_secs_f64(), (self.cpu() - before) * 1e6 / polls);
        Ok(())
    }

    fn idles(&self, names: &[String]) -> Outcome {
        let before = self.resident();
        let begin = Instant::now();
        let clients: Vec<Client> =
            names.iter().take(BOXES).map(|name| Client::log_in(&self.door, name, self.password)).collect::<Result<_, _>>()?;
        println!(
            "  {BOXES} sessions on {BOXES} mailboxes: {:.0} MB resident, {:.0} MB before; {:.0} first logins/s (Argon2, one at a time)",
            self.resident(),
            before,
            BOXES as f64 / begin.elapsed().as_secs_f64()
        );
        drop(clients);
        Ok(())
    }

    /// Processor time so far, in seconds.
    fn cpu(&self) -> f64 {
        let Some(pid) = self.pid else { return 0.0 };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the server runs");
        // After the name, which may hold blanks: state is field 3, utime 14, stime 15 (proc_pid_stat(5)), in 1/100 s.
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
        fields.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
    }

    /// Megabytes in memory.
    fn resident(&self) -> f64 {
        let Some(pid) = self.pid else { return 0.0 };
        let pages = fs::read_to_string(format!("/proc/{pid}/statm")).expect("the server runs");
        pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or_default() * 4096.0 / 1e6
    }
}

/// Mail comes in, alone and while guessers keep every processor that they can get at Argon2.
fn floods(world: &World) -> Outcome {
    let deliver = || {
        let (server, count, begin) = (world.smtp().to_string(), DELIVERED.to_string(), Instant::now());
        let words = ["-s", "20", "-d", "-l", "4096", "-m", &count, "-f", "sender@client.test", "-t", "box1@example.org", &server];
        done("smtp-source", &words, b"");
        DELIVERED as f64 / begin.elapsed().as_secs_f64()
    };
    let alone = deliver();
    let (over, tried, door) = (AtomicBool::new(false), AtomicUsize::new(0), Door::clear(world.pop3()));
    let (beside, logins) = thread::scope(|scope| {
        for guesser in 0..GUESSERS {
            let (over, tried, door) = (&over, &tried, &door);
            scope.spawn(move || {
                // A name of its own each time, so that no limit is met.
                for guess in (0..).take_while(|_| !over.load(Ordering::Relaxed)) {
                    if Client::log_in(door, &format!("nobody{guesser}x{guess}"), "a guess").is_err() {
                        tried.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let begin = Instant::now();
        let beside = deliver();
        over.store(true, Ordering::Relaxed);
        (beside, tried.load(Ordering::Relaxed) as f64 / begin.elapsed().as_secs_f64())
    });
    println!("SMTP: {alone:.0} delivered/s alone, {beside:.0}/s beside {GUESSERS} guessers ({logins:.0} failed logins/s)");
    Ok(())
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Dovecot's POP3 over the Maildirs of a world, with an index of its own, as it is by default.
struct Dovecot {
    port: Port,
    _folder: tempfile::TempDir,
    _master: Process,
}

impl Dovecot {
    fn over(world: &World, password: &str) -> Result<Self, Box<dyn Error>> {
        let folder = tempfile::Builder::new().prefix("restante-dovecot-").tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        let index = folder.path().join("index");
        fs::create_dir(&index)?;
        fs::set_permissions(&index, fs::Permissions::from_mode(0o777))?;
        let own = Port::new();
        let (base, port) = (folder.path().display(), own.address().port());
        let mail = world.maildir("%n").path().display().to_string();
        let text = format!(
            "base_dir = {base}/run\nstate_dir = {base}/state\nlog_path = {base}/log\nprotocols = pop3\nlisten = 127.0.0.1\nssl = no\n\
             disable_plaintext_auth = no\nfirst_valid_uid = 1\nfirst_valid_gid = 1\n\
             mail_location = maildir:{mail}:INDEX={base}/index/%n:CONTROL={base}/index/%n\n\
             passdb {{\n driver = static\n args = password={password}\n}}\n\
             userdb {{\n driver = static\n args = uid=mail gid=mail home={mail}\n}}\n\
             service pop3-login {{\n chroot =\n inet_listener pop3 {{\n port = {port}\n }}\n inet_listener pop3s {{\n port = 0\n }}\n}}\n\
             service anvil {{\n chroot =\n}}\n"
        );
        let config = folder.path().join("dovecot.conf");
        fs::write(&config, text)?;
        let mut command = Command::new("/usr/sbin/dovecot");
        let master = Process::start(command.arg("-F").arg("-c").arg(&config), &folder.path().join("output")).with_children();
        until(Duration::from_secs(30), || std::net::TcpStream::connect(own.address()).ok()).ok_or("Dovecot does not listen")?;
        Ok(Self { port: own, _folder: folder, _master: master })
    }
}
