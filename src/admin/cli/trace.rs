//! `trace`, `test`.

use std::path::Path;
use std::time::Duration;

use super::connection::{Connection, with_query};
use super::failure::Failure;
use super::output::{BAD, GOOD, Output, STRONG, print, printable, styled};
use super::probe::{self, Hop, Probe};
use crate::admin::operations::trace;
use crate::admin::problem::Exit;
use crate::mail::Name;

/// Under which circumstances an address is routed.
pub(super) struct Circumstances {
    /// The sender.
    pub sender: Option<String>,
    /// A POP account that is thought away.
    pub without: Option<Name>,
}

pub(super) async fn trace(connection: &Connection, output: Output, address: &str, more: Circumstances) -> Result<(), Failure> {
    let Circumstances { sender, without } = more;
    let mut query = vec![("address", address.to_owned())];
    query.extend(sender.map(|sender| ("from", sender)));
    query.extend(without.map(|name| ("without", name.to_string())));
    let shown: trace::Shown = connection.get(&with_query("/trace", &query)).await?;
    match output {
        Output::Json => output.json(&shown)?,
        Output::Text => print_trail(&shown)?,
    }
    verdict(&shown.reply, shown.code)
}

/// Prints a trail, its reply, and the places where copies would go.
pub fn print_trail(shown: &trace::Shown) -> Result<(), Failure> {
    for step in &shown.steps {
        print(&format!("{} {}", printable(&step.question), printable(&step.answer)))?;
    }
    print(&reply(&shown.reply, shown.code))?;
    for mailbox in &shown.mailboxes {
        print(&format!("mailbox {}: {}", styled(STRONG, &mailbox.name), mailbox.path.display()))?;
    }
    shown.relays.iter().try_for_each(|relay| print(&format!("sent on to {}", printable(relay))))?;
    shown.lists.iter().try_for_each(|list| print(&format!("to the members of {}", printable(list))))
}

/// A reply in the colour of its class.
pub fn reply(text: &str, code: u16) -> String {
    styled(if code < 400 { GOOD } else { BAD }, printable(text))
}

/// What a reply means for the exit code: it has been printed, so the failure's own line is short.
fn verdict(reply: &str, code: u16) -> Result<(), Failure> {
    if code < 400 {
        return Ok(());
    }
    let exit = if reply.starts_with("550 5.1.1") { Exit::NoSuchThing } else { Exit::Failed };
    let line = if code < 500 { "refused for now; the sender would try again" } else { "refused" };
    Err(Failure { exit, line: line.into(), problem: None })
}

/// How far a test message is followed.
pub(super) struct Followed {
    /// For so long.
    pub timeout: Duration,
    /// Through a POP3 session too.
    pub fetch: bool,
}

pub(super) async fn test(connection: &Connection, output: Output, spool: &Path, address: &str, followed: Followed) -> Result<(), Failure> {
    let Followed { timeout, fetch } = followed;
    if !connection.is_server() {
        return Err(Failure::failed("no server runs, so there is nobody to send to; start it with `restante serve`"));
    }
    let smtp = probe::smtp_listener(spool)?;
    // People see each hop as it happens; programs get the whole.
    let tell = |hop: &Hop| drop((output == Output::Text).then(|| print_hop(hop)));
    let mut probe = probe::send(|id| probe::known(connection, id), smtp, address, timeout, tell).await?;
    let told = probe.hops.len();
    if fetch && probe.delivered {
        probe.fetch(connection).await?;
    }
    match output {
        Output::Json => output.json(&probe)?,
        Output::Text => {
            probe.hops.iter().skip(told).try_for_each(print_hop)?;
            print_landing(&probe)?;
        }
    }
    if let Some(missed) = probe.fetched.iter().find(|fetched| fetched.octets.is_none()) {
        return Err(Failure::failed(format!("delivered, but not fetched from {}: {}", missed.mailbox, missed.cause)));
    }
    match (probe.delivered, probe.code()) {
        (true, _) => Ok(()),
        (false, code) if code >= 400 => verdict(&probe.reply, code),
        (false, _) => Err(Failure::failed(format!(
            "accepted, but not in a mailbox after {}; it is safe in the spool: look at the server's log",
            humantime::format_duration(timeout)
        ))),
    }
}

/// Prints each hop with its time, the reply, and the files.
pub fn print_probe(probe: &Probe) -> Result<(), Failure> {
    probe.hops.iter().try_for_each(print_hop)?;
    print_landing(probe)
}

fn print_hop(hop: &Hop) -> Result<(), Failure> {
    print(&format!("{:>9.3} ms  {}", hop.ms, printable(&hop.what)))
}

fn print_landing(probe: &Probe) -> Result<(), Failure> {
    print(&reply(&probe.reply, probe.code()))?;
    for file in &probe.files {
        print(&format!("file {}", file.display()))?;
    }
    for onward in &probe.onward {
        print(&format!("in the queue for {}", printable(onward)))?;
    }
    if probe.delivered && probe.files.is_empty() && probe.onward.is_empty() {
        print("thrown away, as the alias says (discard)")
    } else {
        Ok(())
    }
}
