//! `restante init`: what a first run needs. What is there already is left as it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::commands::{ConfigFile, open};
use crate::admin::cli::connection::Refused;
use crate::admin::cli::failure::Failure;
use crate::admin::cli::output::{Output, STRONG, styled};
use crate::admin::operations::masters;
use crate::config;
use crate::directory::OpenError;
use crate::server::tls::Tls;

/// What was done.
#[derive(Debug, Serialize)]
struct Done {
    /// The configuration file.
    config: PathBuf,
    /// What was made: files, folders and accounts.
    made: Vec<String>,
    /// The password of the new master `admin`, shown once.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

pub(super) fn init(file: &ConfigFile, output: Output) -> Result<(), Failure> {
    let mut made = Vec::new();
    if write_new(&file.path, &config::reference())? {
        made.push(format!("configuration {}", file.path.display()));
    }
    let config = file.load()?;
    for folder in [&config.spool, &config.mail.root] {
        if make_folder(folder)? {
            made.push(format!("folder {}", folder.display()));
        }
    }
    Tls::load(&config.server.certificate, &config.hostname).map_err(|error| Failure::failed(error.to_string()))?;
    let password = match open(&config) {
        Ok(context) => masters::add_first(&context)?.and_then(|master| master.password),
        // A running server has made its own first master.
        Err(Refused::Directory(OpenError::InUse)) => None,
        Err(refused) => return Err(Failure::failed(refused.to_string())),
    };
    if password.is_some() {
        made.push("master admin".into());
    }
    tell(output, &Done { config: file.path.clone(), made, password })
}

fn tell(output: Output, done: &Done) -> Result<(), Failure> {
    if output == Output::Json {
        return output.json(done);
    }
    for made in &done.made {
        output.line(&format!("made {made}"))?;
    }
    if let Some(password) = &done.password {
        output.line(&format!("password of admin, shown this once: {}", styled(STRONG, password)))?;
    }
    if done.made.is_empty() {
        output.line("everything is there already; nothing was changed")
    } else {
        output.line("ready; next: restante serve")
    }
}

/// Writes a file that is not there yet; says whether it did.
fn write_new(path: &Path, text: &str) -> Result<bool, Failure> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| cannot(folder, &error))?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map(|()| true).map_err(|error| cannot(path, &error)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(cannot(path, &error)),
    }
}

fn make_folder(path: &Path) -> Result<bool, Failure> {
    if path.is_dir() {
        return Ok(false);
    }
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map(|()| true).map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("{} cannot be made: {error}; see to the permissions of its folder", path.display()))
}
