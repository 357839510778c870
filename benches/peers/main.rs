//! Restante beside Postfix and Dovecot, side by side in the same minutes: what each delivers a second, and what it costs.
//!
//! `make bench-peers` runs it and prints Markdown: `docs/benchmarks.md` is such a run. `make bench-e2e` measures Restante alone.
//! Every server is an instance of its own on loopback, in a throwaway folder.

#[path = "../load/mod.rs"]
mod load;
#[path = "../../tests/world/mod.rs"]
mod world;

mod contenders;
mod limits;
mod machine;
mod measure;
mod report;
mod table;

use std::time::Duration;

use clap::Parser;
use rustix::process::{Resource, Rlimit, geteuid, getrlimit, setrlimit};

use load::interrupt;
use load::scenario::{Connection, Scenario, USUAL};
use load::server::Server;

/// Measures Restante, Postfix and Dovecot side by side.
#[derive(Parser)]
struct Options {
    /// A minute instead of a quarter of an hour, for figures that only show that everything works.
    #[arg(long)]
    quick: bool,
    /// Only the scenarios whose name contains this, as in `4KiB`, `100sessions`, `recipients`.
    #[arg(long, value_name = "TEXT")]
    scenario: Option<String>,
    /// Without Postfix and Dovecot.
    #[arg(long)]
    alone: bool,
    /// Runs of each kind.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long one run takes, about.
    #[arg(long, default_value_t = 2.5)]
    seconds: f64,
    /// What cargo adds.
    #[arg(long, hide = true)]
    bench: bool,
}

/// One axis at a time: sessions, recipients, connections, size. The many sessions come last: the processes that the peers
/// start for them stay for a while, and would count as memory of what follows.
const SCENARIOS: [Scenario; 10] = [
    Scenario { sessions: 1, ..USUAL },
    USUAL,
    Scenario { connection: Connection::Closed, ..USUAL },
    Scenario { recipients: 10, ..USUAL },
    Scenario { octets: 1024, ..USUAL },
    Scenario { octets: 100 << 10, ..USUAL },
    Scenario { octets: 100 << 10, recipients: 10, ..USUAL },
    Scenario { octets: 1 << 20, ..USUAL },
    CROWD,
    Scenario { connection: Connection::Closed, ..CROWD },
];

/// What the tables beside the scenarios are measured with.
const CROWD: Scenario = Scenario { sessions: 100, ..USUAL };

/// Many sessions that all send, for the memory of Restante.
const MULTITUDE: Scenario = Scenario { sessions: 2000, ..USUAL };

impl Options {
    fn wants(&self, scenario: &Scenario) -> bool {
        let packed = |text: &str| text.replace(' ', "").to_lowercase();
        self.scenario.as_ref().is_none_or(|text| packed(&scenario.to_string()).contains(&packed(text)))
    }

    fn rounds(&self) -> usize {
        if self.quick { 1 } else { self.rounds.max(1) }
    }

    fn time(&self) -> Duration {
        if self.quick { Duration::from_millis(300) } else { Duration::from_secs_f64(self.seconds) }
    }
}

fn main() {
    let options = Options::parse();
    assert!(options.alone || geteuid().is_root(), "Postfix and Dovecot need root; `--alone` measures Restante without them");
    interrupt::watch();
    println!("{}", report::head(&machine::describe(), options.rounds(), options.time()));
    eprintln!("starting the servers");
    let mut servers = vec![Server::restante()];
    if !options.alone {
        servers.extend([contenders::postfix(), contenders::dovecot()]);
    }
    let sink = contenders::sink();
    descriptors();
    servers.iter().for_each(measure::first_mail);

    let scenarios: Vec<Scenario> = SCENARIOS.into_iter().filter(|scenario| options.wants(scenario)).collect();
    let everybody: Vec<&Server> = servers.iter().chain([&sink]).collect();
    let measured = measure::scenarios(&scenarios, &everybody, options.rounds(), options.time());
    println!("{}", report::scenarios(&measured));
    println!("{}", report::latency(&measure::latency(&CROWD, &servers, options.rounds(), options.time())));
    if let Some(restante) = servers.first() {
        let memory = measure::memory(&MULTITUDE, restante);
        println!("{}", report::multitude(&MULTITUDE, memory));
    }
    println!("{}", report::limits(&measure::limits(options.rounds(), options.time())));
}

/// Lets the clients, which are started from here on, have as many connections as the system allows.
fn descriptors() {
    let limit = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit }).expect("a soft limit may rise to the hard one");
}
