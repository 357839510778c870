//! The counters and histograms of this process, as Prometheus reads them.
//!
//! Most are counted where an [`Event`] is said: what is worth a line is worth a number. What happens too often for a line (a
//! sync, a routing decision) is told to the [`Meter`] itself. There is one for each process, as there is one log.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::minutes::{Became, Minutes};
use super::{Event, Fate, Outcome};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Service {
    service: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Login {
    service: String,
    outcome: &'static str,
}

/// What is measured.
pub struct Meter {
    /// The last day, minute by minute.
    pub minutes: Minutes,
    registry: Registry,
    messages: Counter,
    octets: Counter,
    recipients: Family<Ended, Counter>,
    refusals: Family<Reason, Counter>,
    deferrals: Family<Reason, Counter>,
    held: Counter,
    onward: Family<Ended, Counter>,
    sessions: Family<Service, Counter>,
    open: Family<Service, Gauge>,
    turned_away: Family<Service, Counter>,
    tls_failures: Counter,
    logins: Family<Login, Counter>,
    fetched: Counter,
    fetched_octets: Counter,
    expunged: Counter,
    tasks: Counter,
    accepting: Histogram,
    routing: Histogram,
    syncing: Histogram,
}

static METER: LazyLock<Meter> = LazyLock::new(Meter::new);

/// The one of this process.
pub fn meter() -> &'static Meter {
    &METER
}

/// A session that goes on; dropped, it has ended.
pub struct Session(Gauge);

impl Drop for Session {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// From so many seconds on, doubling so often.
fn doubling(from: f64, times: u16) -> Histogram {
    Histogram::new(exponential_buckets(from, 2.0, times))
}

impl Meter {
    fn new() -> Self {
        let mut meter = Self {
            minutes: Minutes::default(),
            registry: Registry::with_prefix("restante"),
            messages: Counter::default(),
            octets: Counter::default(),
            recipients: Family::default(),
            refusals: Family::default(),
            deferrals: Family::default(),
            held: Counter::default(),
            onward: Family::default(),
            sessions: Family::default(),
            open: Family::default(),
            turned_away: Family::default(),
            tls_failures: Counter::default(),
            logins: Family::default(),
            fetched: Counter::default(),
            fetched_octets: Counter::default(),
            expunged: Counter::default(),
            tasks: Counter::default(),
            accepting: doubling(0.000_5, 18),
            routing: doubling(0.000_002, 18),
            syncing: doubling(0.000_1, 18),
        };
        // A series that begins with its first refusal would hide that one from `rate()`.
        drop(meter.refusals.get_or_create(&Reason { reason: "5.1.1".to_owned() }));
        drop(meter.deferrals.get_or_create(&Reason { reason: "4.3.0".to_owned() }));
        meter.register_mail();
        meter.register_service();
        meter
    }

    fn register_mail(&mut self) {
        let Self { registry, .. } = self;
        registry.register("messages", "Messages whose data was read", self.messages.clone());
        registry.register("received_bytes", "Octets of their text", self.octets.clone());
        registry.register("recipients", "Recipients of these messages, by what became of them", self.recipients.clone());
        registry.register("refusals", "Recipients refused for good, at RCPT or after the data, by status code", self.refusals.clone());
        registry.register("deferrals", "Recipients refused for now, by status code", self.deferrals.clone());
        registry.register("copies_held", "Accepted copies whose mailbox failed at the last step", self.held.clone());
        registry.register("onward", "Attempts for recipients elsewhere, by what came of them", self.onward.clone());
        registry.register("accept_duration_seconds", "From the end of data to the reply", self.accepting.clone());
        registry.register("route_duration_seconds", "The routing of one recipient", self.routing.clone());
        registry.register("sync_duration_seconds", "One write to the spool's log with its sync", self.syncing.clone());
    }

    fn register_service(&mut self) {
        let Self { registry, .. } = self;
        registry.register("sessions", "Sessions begun", self.sessions.clone());
        registry.register("sessions_open", "Sessions going on", self.open.clone());
        registry.register("connections_refused", "Connections over a limit", self.turned_away.clone());
        registry.register("tls_failures", "TLS handshakes that failed", self.tls_failures.clone());
        registry.register("logins", "Logins of owners and masters", self.logins.clone());
        registry.register("pop3_messages_fetched", "Messages fetched by their owners", self.fetched.clone());
        registry.register("pop3_fetched_bytes", "Octets read for that", self.fetched_octets.clone());
        registry.register("pop3_messages_deleted", "Messages deleted by their owners", self.expunged.clone());
        registry.register("task_failures", "Tasks of the server that failed, and are tried again; the log says which", self.tasks.clone());
    }

    /// A session begins.
    pub fn session(&self, service: &'static str) -> Session {
        let label = Service { service: service.to_owned() };
        self.sessions.get_or_create(&label).inc();
        let open = self.open.get_or_create(&label).clone();
        open.inc();
        Session(open)
    }

    /// A message was decided on so long after its end of data.
    pub fn message(&self, octets: u64, took: Duration) {
        self.messages.inc();
        self.octets.inc_by(octets);
        self.accepting.observe(took.as_secs_f64());
        self.minutes.message(octets, took);
    }

    /// A recipient was routed.
    pub fn routed(&self, took: Duration) {
        self.routing.observe(took.as_secs_f64());
    }

    /// A group of messages was written and synced.
    pub fn synced(&self, took: Duration) {
        self.syncing.observe(took.as_secs_f64());
    }

    /// Somebody came in.
    pub fn logged_in(&self, service: &str) {
        self.login(service, "ok");
    }

    fn login(&self, service: &str, outcome: &'static str) {
        self.logins.get_or_create(&Login { service: service.to_owned(), outcome }).inc();
    }

    /// Counts an event.
    pub(super) fn count(&self, event: &Event<'_>) {
        let service = |service: &str| Service { service: service.to_owned() };
        match *event {
            Event::Message(outcome) => self.outcome(&outcome),
            Event::RecipientRefused(refusal) => self.refused(refusal.status),
            Event::CopyHeld { .. } => _ = self.held.inc(),
            Event::Onward(onward) => _ = self.onward.get_or_create(&Ended { outcome: onward.stage.word() }).inc(),
            Event::ConnectionRefused { service: name, .. } => _ = self.turned_away.get_or_create(&service(name)).inc(),
            Event::TlsFailed { .. } => _ = self.tls_failures.inc(),
            Event::LoginFailed { service, .. } => self.login(service, "failed"),
            Event::LoginsLimited { service, .. } => self.login(service, "limited"),
            Event::MailboxVisited(visit) => {
                self.fetched.inc_by(visit.retrieved);
                self.fetched_octets.inc_by(visit.octets);
                self.expunged.inc_by(visit.deleted);
            }
            Event::TaskFailed { .. } => _ = self.tasks.inc(),
            _ => {}
        }
    }

    fn outcome(&self, outcome: &Outcome<'_>) {
        let became = match outcome.fate {
            Fate::Delivered => Became::Delivered,
            Fate::Waiting | Fate::Queued => Became::Waiting,
            Fate::Discarded => Became::Discarded,
            Fate::Refused => Became::refused(outcome.status),
        };
        self.recipients.get_or_create(&Ended { outcome: became.word() }).inc();
        if outcome.fate == Fate::Refused {
            return self.refused(outcome.status);
        }
        self.minutes.recipient(became, "");
        outcome.mailboxes.split(',').filter(|name| !name.is_empty()).for_each(|name| self.minutes.mailbox(name, outcome.size));
    }

    /// Recipients that were refused and not told of one by one.
    pub fn refused_unsaid(&self, status: &str) {
        self.refused(status);
    }

    fn refused(&self, status: &str) {
        let (became, reason) = (Became::refused(status), reason(status));
        let family = if became == Became::Deferred { &self.deferrals } else { &self.refusals };
        family.get_or_create(&Reason { reason: reason.to_owned() }).inc();
        self.minutes.recipient(became, reason);
    }

    /// The text that Prometheus reads, with what `more` adds to it: what has a value only when it is looked at.
    pub fn text(&self, more: &Registry) -> String {
        let mut written = String::new();
        // A String takes whatever is written to it.
        let _ = text::encode_registry(&mut written, &self.registry);
        let _ = text::encode_registry(&mut written, more);
        classic(&written)
    }
}

/// The status code of a reply: of RFC 3463 where it has one, else of RFC 5321. There are few of them, whoever asks.
fn reason(status: &str) -> &str {
    let (code, rest) = status.split_once([' ', '-']).unwrap_or((status, ""));
    let enhanced = rest.split(' ').next().unwrap_or_default();
    let numbers = || enhanced.split('.');
    let digits = |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|octet| octet.is_ascii_digit());
    if numbers().count() == 3 && numbers().all(digits) { enhanced } else { code }
}

/// From OpenMetrics to the text format 0.0.4, which everything reads: there a counter is described under the name that its samples
/// have.
fn classic(openmetrics: &str) -> String {
    let counters: Vec<&str> = openmetrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    let mut text = String::with_capacity(openmetrics.len() + 1024);
    for line in openmetrics.lines().filter(|line| !line.starts_with("# EOF")) {
        let described = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE ")).and_then(|rest| rest.split_once(' '));
        match described.filter(|(name, _)| counters.contains(name)) {
            Some((name, _)) => text.push_str(&line.replacen(name, &format!("{name}_total"), 1)),
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_refusal_is_its_code() {
        for (status, expected) in [
            ("550 5.1.1 No such recipient", "5.1.1"),
            ("452 4.2.2 Mailbox full", "4.2.2"),
            ("554 Gone", "554"),
            ("550 5.7.1.9 Gone", "550"),
            ("550 we.have.moved", "550"),
            ("", ""),
        ] {
            assert_eq!(reason(status), expected, "{status}");
        }
    }

    #[test]
    fn counters_are_described_under_the_name_of_their_samples() {
        let open = "# HELP a_b Words.\n# TYPE a_b counter\na_b_total{x=\"y\"} 1\n# HELP c Words.\n# TYPE c gauge\nc 2\n# EOF\n";
        let text = "# HELP a_b_total Words.\n# TYPE a_b_total counter\na_b_total{x=\"y\"} 1\n# HELP c Words.\n# TYPE c gauge\nc 2\n";
        assert_eq!(classic(open), text);
    }
}
