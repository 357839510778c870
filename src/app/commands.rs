//! The commands: arguments and configuration in, exit code out.

use std::env;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::CommandFactory;
use tokio::runtime::{Builder, Runtime};

use super::{demo, setup};
use crate::admin::cli::args::{Cli, Command};
use crate::admin::cli::connection::{Place, Refused};
use crate::admin::cli::failure::Failure;
use crate::admin::cli::output::{Output, note, print};
use crate::admin::problem::Exit;
use crate::admin::{Context, Rules, cli};
use crate::config::{self, Config, LoadError};
use crate::directory::Directory;
use crate::ledger::Ledger;
use crate::maildir::Maildirs;
use crate::spool::Queue;
use crate::sys::Real;

/// The configuration file where nobody names another.
const DEFAULT_FILE: &str = "config/restante.toml";

/// Names the configuration file, where `--config` does not.
const VARIABLE: &str = "RESTANTE_CONFIG";

/// The whole program.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::read(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures; nobody is left to be told that printing failed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code()));
        }
    };
    match carry_out(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.line.is_empty() {
                let _ = note(&format!("restante: {failure}"));
            }
            ExitCode::from(failure.exit.code())
        }
    }
}

fn carry_out(cli: Cli) -> Result<(), Failure> {
    let output = if cli.json { Output::Json } else { Output::Text };
    let file = ConfigFile::choose(cli.config);
    match cli.command {
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "restante", &mut text);
            pour(&text)
        }
        Command::Man => pour(&manual()?),
        Command::Check => check(&file),
        Command::Init => setup::init(&file, output),
        Command::Serve => {
            let config = file.load_or_default()?;
            if file.is_absent() {
                note(&format!("no {} here: the defaults hold (`restante init` writes it)", file.path.display()))?;
            }
            super::serve(config, file.path).map_err(|error| Failure::failed(error.to_string()))
        }
        Command::Demo { once } => client_runtime()?.block_on(demo::run(output, once)),
        Command::Administer(command) => {
            let config = file.load_or_default()?;
            client_runtime()?.block_on(cli::run(command, output, place(config)))
        }
    }
}

/// Which configuration file is meant.
pub(super) struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether somebody named it: then it has to be there.
    named: bool,
}

impl ConfigFile {
    fn choose(argument: Option<PathBuf>) -> Self {
        let named = argument.or_else(|| env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from));
        Self { named: named.is_some(), path: named.unwrap_or_else(|| DEFAULT_FILE.into()) }
    }

    /// Reads it.
    pub fn load(&self) -> Result<Config, Failure> {
        config::load(&self.path).map_err(told)
    }

    /// Reads it; if it is not there and nobody named it, the defaults hold.
    pub fn load_or_default(&self) -> Result<Config, Failure> {
        if self.is_absent() { config::parse("").map_err(|errors| told(errors.into())) } else { self.load() }
    }

    /// Whether it is not there, and nobody said that it should be.
    fn is_absent(&self) -> bool {
        !self.named && !self.path.exists()
    }
}

fn told(error: LoadError) -> Failure {
    Failure::failed(error.to_string())
}

fn check(file: &ConfigFile) -> Result<(), Failure> {
    file.load()?;
    print("ok")
}

/// Where the commands of this process find the directory.
fn place(config: Config) -> Place {
    let (socket, spool) = (config.admin.socket.clone(), config.spool.clone());
    Place { socket, spool, open: Box::new(move || open(&config)) }
}

/// Opens the directory and the mailboxes without a server, making them where there are none.
pub(super) fn open(config: &Config) -> Result<Arc<Context>, Refused> {
    let cannot =
        |what: &Path, error: std::io::Error| Refused::Other(format!("{} cannot be used: {error}; see to its permissions", what.display()));
    std::fs::create_dir_all(&config.spool).map_err(|error| cannot(&config.spool, error))?;
    let directory = Arc::new(Directory::open(&config.spool.join("directory"))?);
    let maildirs = Maildirs::new(config.mail.clone()).map_err(|error| cannot(&config.mail.root, error))?;
    let ledger = Arc::new(Ledger::unattended(config.ledger.clone()));
    let path = config.spool.join("outgoing");
    let queue = Queue::open(&path, Arc::new(Real)).map_err(|error| cannot(&path, error))?;
    let context = Context::new(directory, Arc::new(maildirs), None, rules(config)).with_ledger(ledger);
    Ok(Arc::new(context.with_queue(Arc::new(queue), &config.spool)))
}

/// What of the configuration the operations go by.
pub fn rules(config: &Config) -> Rules {
    Rules {
        hostname: config.hostname.clone(),
        session: Arc::clone(&config.session),
        routing: config.routing.clone(),
        over: config.mail.over,
        password: config.password,
        proxies: config.admin.trusted_proxies.clone(),
    }
}

fn manual() -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for group in command.get_subcommands().filter(|group| group.get_name() != "help") {
        subcommands(group, &mut page)?;
    }
    Ok(page)
}

/// The manual has one page, so every subcommand is a section of it.
fn subcommands(command: &clap::Command, page: &mut Vec<u8>) -> Result<(), Failure> {
    let name = command.get_display_name().unwrap_or(command.get_name()).replace('-', " ");
    writeln!(page, ".SH \"{}\"", name.to_uppercase())?;
    let man = clap_mangen::Man::new(command.clone());
    man.render_description_section(page)?;
    man.render_synopsis_section(page)?;
    man.render_options_section(page)?;
    for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
        subcommands(inner, page)?;
    }
    Ok(())
}

fn pour(text: &[u8]) -> Result<(), Failure> {
    Ok(std::io::stdout().lock().write_all(text)?)
}

/// One thread is enough to talk to the server.
fn client_runtime() -> Result<Runtime, Failure> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
