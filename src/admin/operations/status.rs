//! How the server is: counts, disk, and the latest messages.

use std::sync::Arc;

use rustix::fs::statvfs;

use super::scope::by_domain;
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::Problem;
use crate::telemetry::Delivery;

/// Records that are counted: beyond, the number says that there are more.
const COUNTED: usize = 1000;

/// Messages that are shown.
const LATEST: usize = 8;

/// How the server is, as far as the caller may know.
#[derive(Debug, Clone)]
pub struct Status {
    /// Its name.
    pub hostname: String,
    /// POP accounts that the caller sees.
    pub pops: Count,
    /// Domains that the caller sees.
    pub domains: Count,
    /// The disk of the Maildirs, for admins.
    pub disk: Option<Disk>,
    /// The latest messages, newest first, for admins.
    pub deliveries: Vec<Arc<Delivery>>,
}

/// A number of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// How many were counted.
    pub number: usize,
    /// Whether there are more.
    pub more: bool,
}

/// Room on a disk, in octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// In all.
    pub total: u64,
    /// For us.
    pub free: u64,
}

/// How the server is.
pub fn show(context: &Context, caller: &Caller) -> Result<Status, Problem> {
    let snapshot = context.directory.snapshot();
    let pops = match caller.confined_to() {
        Some(_) => by_domain(&snapshot, caller, None, COUNTED, |domain, after, limit| snapshot.pops_in(domain, after, limit))?,
        None => snapshot.pops(None, COUNTED)?,
    };
    let domains = match caller.confined_to() {
        Some(master) => snapshot.domains_of(master, None, COUNTED)?,
        None => snapshot.domains(None, COUNTED)?,
    };
    let counted = |number: usize, next: Option<String>| Count { number, more: next.is_some() };
    let admin = caller.needs_admin().is_ok();
    Ok(Status {
        hostname: context.rules.load().hostname.clone(),
        pops: counted(pops.records.len(), pops.next),
        domains: counted(domains.records.len(), domains.next),
        disk: if admin { disk(context) } else { None },
        deliveries: context.recent.as_ref().filter(|_| admin).map(|recent| recent.latest(LATEST)).unwrap_or_default(),
    })
}

/// A disk that cannot be asked is left out.
fn disk(context: &Context) -> Option<Disk> {
    let found = statvfs(context.maildirs.root()).ok()?;
    Some(Disk { total: found.f_blocks.saturating_mul(found.f_frsize), free: found.f_bavail.saturating_mul(found.f_frsize) })
}
