//! Where a new password comes from: a prompt, standard input, or the server.

use std::io::{self, IsTerminal, Read};

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::args::PasswordSource;
use super::failure::Failure;
use crate::mail::limits::PASSWORD_OCTETS;

/// Octets that are read for a password: enough to see that it is too long.
const LINE_OCTETS: u64 = PASSWORD_OCTETS as u64 + 3;

/// Puts the password, or the wish for a generated one, into a request.
pub(super) fn ask(source: PasswordSource, request: &mut Map<String, Value>) -> Result<(), Failure> {
    if source.generate {
        request.insert("generate".into(), true.into());
        return Ok(());
    }
    let password = if source.password_stdin { from_stdin()? } else { from_terminal()? };
    request.insert("password".into(), password.as_str().into());
    Ok(())
}

fn from_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(Vec::new());
    io::stdin().lock().take(LINE_OCTETS).read_to_end(&mut text)?;
    let line = text.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = std::str::from_utf8(line).map_err(|_| Failure::failed("the password on standard input is not UTF-8"))?;
    if line.is_empty() {
        return Err(Failure::failed("standard input has no password in its first line"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

fn from_terminal() -> Result<Zeroizing<String>, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::usage("no terminal to ask for the password; give --password-stdin or --generate"));
    }
    let once = Zeroizing::new(rpassword::prompt_password("New password: ")?);
    let again = Zeroizing::new(rpassword::prompt_password("Again: ")?);
    if once == again { Ok(once) } else { Err(Failure::failed("the two passwords differ; nothing was changed")) }
}
