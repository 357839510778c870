//! `/metrics`: the numbers of this server, as Prometheus reads them.
//!
//! They tell how much mail there is and who fails to log in how often, so they are for this machine, or for a token of an
//! admin. A request that a proxy brought is nobody on this machine, whatever the connection says.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use rustix::fs::statvfs;

use super::forwarded;
use super::http::Client;
use super::login::{Login, blocking};
use super::permission::Caller;
use super::problem::{Kind, Problem};
use crate::directory::View as _;
use crate::server::Service;
use crate::spool::outgoing::Hop;
use crate::telemetry::meter;

/// The text format of Prometheus.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Destinations that have series of their own: strangers choose their names, so there are not many.
const DESTINATIONS: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Sort {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Place {
    destination: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: &'static str,
}

/// Answers with all of them, or says who may ask.
pub(super) async fn show(login: &Login, service: Arc<Service>, client: Option<Client>, headers: &HeaderMap) -> Response {
    if let Err(problem) = may_read(login, client, headers).await {
        return ([(WWW_AUTHENTICATE, "Bearer")], problem).into_response();
    }
    match blocking(move || Ok(text(&service))).await {
        Ok(text) => ([(CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn may_read(login: &Login, client: Option<Client>, headers: &HeaderMap) -> Result<(), Problem> {
    // A mark that no proxy of ours explains is one of somebody elsewhere.
    let is_here = |client: Client| client.address.is_loopback() && (client.through.is_some() || !forwarded::is_marked(headers));
    if client.is_some_and(is_here) {
        return Ok(());
    }
    let given = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.split_once(' '));
    let Some((_, token)) = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")) else {
        let detail = "metrics are for this machine, or for a token of an admin: `Authorization: Bearer TOKEN`";
        return Err(Problem::new(Kind::NotLoggedIn, detail.into()));
    };
    let actor = login.by_token(token.trim().to_owned()).await?;
    let context = Arc::clone(login.context());
    blocking(move || Caller::of(&context.directory.snapshot(), actor)?.needs_admin()).await
}

fn text(service: &Service) -> String {
    let mut registry = Registry::with_prefix("restante");
    let mut gauge = |name: &str, help: &str, value: u64| {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    };
    let (used, bound) = service.spool.log_fill();
    gauge("spool_log_bytes", "Octets of the spool's log in use", used);
    gauge("spool_log_limit_bytes", "Octets that it may take (spool.max_log)", bound);
    if let Ok(waiting) = service.spool.waiting() {
        gauge("queue_waiting", "Accepted copies that wait for their mailbox", waiting as u64);
    }
    if let Ok(counts) = service.spool.outgoing().counts() {
        let age = counts.oldest.map_or(0, |oldest| Timestamp::now().duration_since(oldest).as_secs().max(0));
        gauge("queue_recipients", "Recipients elsewhere that wait to be sent to", counts.waiting);
        gauge("queue_held_recipients", "Recipients that an administrator holds", counts.held);
        gauge("queue_oldest_seconds", "Age of the oldest message that waits for one of them", u64::try_from(age).unwrap_or_default());
    }
    if let Ok(disk) = statvfs(service.maildirs.root()) {
        gauge("disk_size_bytes", "Size of the file system of the mailboxes", disk.f_blocks.saturating_mul(disk.f_frsize));
        gauge("disk_free_bytes", "What is free of it", disk.f_bavail.saturating_mul(disk.f_frsize));
    }
    gauge("directory_revision", "Changes of the directory so far", service.directory.snapshot().revision().0);
    gauge("ledger_pending_rows", "Rows of the delivery log that wait to be written", service.ledger.waiting() as u64);
    gauge("ledger_bytes", "Octets of the delivery log on disk, about", service.ledger.octets());
    // What cannot be read is left out.
    let _ = destinations(service, &mut registry);
    records(service, &mut registry);
    ledger(service, &mut registry);
    let build: Family<Build, Gauge> = Family::default();
    build.get_or_create(&Build { version: env!("CARGO_PKG_VERSION") }).set(1);
    registry.register("build_info", "The version that runs", build);
    meter().text(&registry)
}

/// What waits for the destinations with most recipients.
fn destinations(service: &Service, registry: &mut Registry) -> io::Result<()> {
    let (recipients, oldest): (Family<Place, Gauge>, Family<Place, Gauge>) = Default::default();
    let (queue, now) = (service.spool.outgoing(), Timestamp::now());
    for (destination, count) in queue.largest_hops(DESTINATIONS)? {
        let since = queue.oldest_at(&Hop::named(&destination))?;
        let place = Place { destination };
        recipients.get_or_create(&place).set(i64::try_from(count).unwrap_or(i64::MAX));
        oldest.get_or_create(&place).set(since.map_or(0, |since| now.duration_since(since).as_secs().max(0)));
    }
    registry.register("queue_destination_recipients", "Recipients that wait, for each of the destinations with most", recipients);
    registry.register("queue_destination_oldest_seconds", "Age of the oldest message of each, among its next 1,000 recipients", oldest);
    Ok(())
}

fn records(service: &Service, registry: &mut Registry) {
    let family: Family<Sort, Gauge> = Family::default();
    for (kind, count) in service.directory.about() {
        family.get_or_create(&Sort { kind }).set(i64::try_from(count).unwrap_or(i64::MAX));
    }
    registry.register("directory_records", "Records of the directory, as the engine estimates them", family);
}

fn ledger(service: &Service, registry: &mut Registry) {
    let counts = service.ledger.counts();
    let mut counter = |name: &str, help: &str, value: &AtomicU64| {
        let counter: Counter = Counter::default();
        counter.inc_by(value.load(Ordering::Relaxed));
        registry.register(name, help, counter);
    };
    counter("ledger_rows", "Rows of the delivery log written", &counts.rows);
    counter("ledger_waits", "Rows that had to wait for a place", &counts.waits);
    counter("ledger_wait_microseconds", "How long they waited", &counts.waited);
    counter("ledger_lost_rows", "Rows lost to a disk that did not answer", &counts.lost);
    counter("ledger_omitted_refusals", "Refusals at RCPT over the bound of the delivery log, counted only", &counts.omitted);
}
