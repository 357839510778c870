//! The last day on the dashboard: how much came, how long it took, what was refused, and what fills the disk.

use maud::{Markup, html};

use super::super::chart::{Chart, Form, Series};
use super::super::layout::size;
use crate::telemetry::minutes::{Day, Minute};

/// Minutes of one column.
pub const PART: u64 = 10;

/// Mailboxes that are shown.
pub const TOP: usize = 8;

/// Reasons that are shown.
const REASONS: usize = 8;

/// The charts.
pub fn charts(day: &Day) -> Markup {
    html! {
        section aria-labelledby="day" {
            h2 #day { "The last 24 hours" }
            div.charts data-live {
                (rate(day))
                (latency(day))
                (queue(day))
                (disk(day))
                (reasons(day))
                (mailboxes(day))
            }
            p.hint { "Counted since the server started, at most a day; times are UTC." }
        }
    }
}

fn values(day: &Day, value: impl Fn(&Minute) -> Option<f64>) -> Vec<Option<f64>> {
    day.parts.iter().map(value).collect()
}

fn times(day: &Day) -> Vec<u64> {
    day.parts.iter().map(|part| part.at).collect()
}

fn rate(day: &Day) -> Markup {
    let a_minute = |count: u64| Some(count as f64 / PART as f64);
    let series = vec![
        Series { words: "Accepted", class: "accepted", values: values(day, |part| a_minute(part.accepted)) },
        Series { words: "Deferred", class: "deferred", values: values(day, |part| a_minute(part.deferred)) },
        Series { words: "Refused", class: "refused", values: values(day, |part| a_minute(part.refused)) },
    ];
    let Minute { accepted, deferred, refused, messages, octets, .. } = &day.whole;
    let words = format!(
        "Recipients accepted: {accepted}, deferred: {deferred}, refused: {refused}. Messages: {messages}, of {} in all.",
        size(*octets)
    );
    let unit = |value: f64| if value < 10.0 && value.fract() > 0.0 { format!("{value:.1}") } else { format!("{value:.0}") };
    Chart { id: "rate", title: "Recipients a minute", words, form: Form::Columns, series, times: times(day), least: 1.0, unit }.draw()
}

fn latency(day: &Day) -> Markup {
    let milliseconds = |share: f64| move |part: &Minute| part.latency(share).map(|seconds| seconds * 1000.0);
    let series = vec![
        Series { words: "Half (p50)", class: "accepted", values: values(day, milliseconds(0.5)) },
        Series { words: "99 of 100 (p99)", class: "refused", values: values(day, milliseconds(0.99)) },
    ];
    let of = |share: f64| day.whole.latency(share).map(|seconds| milli(seconds * 1000.0));
    let words = match (of(0.5), of(0.99)) {
        (Some(half), Some(most)) => {
            format!("From the end of a message to its reply: half took {half} at most, all but one in a hundred {most}.")
        }
        _ => "From the end of a message to its reply. No message has come yet.".to_owned(),
    };
    Chart { id: "latency", title: "Time to accept", words, form: Form::Lines, series, times: times(day), least: 1.0, unit: milli }.draw()
}

fn milli(value: f64) -> String {
    if value >= 1000.0 {
        format!("{:.1} s", value / 1000.0)
    } else if value < 10.0 && value > 0.0 {
        format!("{value:.1} ms")
    } else {
        format!("{value:.0} ms")
    }
}

fn queue(day: &Day) -> Markup {
    let series = vec![Series { words: "Waiting", class: "deferred", values: values(day, |part| part.queue.map(|count| count as f64)) }];
    let words = match day.whole.queue {
        Some(0) | None => "Nothing had to wait for its mailbox, or for a host elsewhere.".to_owned(),
        Some(most) => format!("At most {most} recipients waited for their mailbox, or for a host elsewhere."),
    };
    let unit = |value: f64| format!("{value:.0}");
    Chart { id: "queue", title: "Queue", words, form: Form::Lines, series, times: times(day), least: 10.0, unit }.draw()
}

fn disk(day: &Day) -> Markup {
    let share = |part: &Minute| part.disk.filter(|(_, size)| *size > 0).map(|(used, size)| used as f64 * 100.0 / size as f64);
    let series = vec![Series { words: "In use", class: "accepted", values: values(day, share) }];
    let words = match day.whole.disk {
        Some((used, all)) => format!("{} of {} are in use where the mailboxes lie.", size(used), size(all)),
        None => "It is looked at once a minute.".to_owned(),
    };
    let unit = |value: f64| format!("{value:.0} %");
    Chart { id: "disk", title: "Disk", words, form: Form::Lines, series, times: times(day), least: 100.0, unit }.draw()
}

fn reasons(day: &Day) -> Markup {
    let reasons = &day.whole.reasons;
    let most = reasons.first().map_or(1, |(_, count)| *count);
    html! {
        div.chart {
            h3 { "Refused, by reason" }
            @if reasons.is_empty() { p.empty { "Nobody was refused." } } @else {
                table.ranking {
                    thead { tr { th scope="col" { "Reason" } th scope="col" { "Recipients" } } }
                    tbody { @for (reason, count) in reasons.iter().take(REASONS) {
                        tr { th scope="row" { code { (reason) } " " span.faint { (meaning(reason)) } } td.number { (count) (bar(*count, most)) } }
                    } }
                }
                p.hint { a href="/log?status=refused" { "Refused recipients in the log" } }
            }
        }
    }
}

fn mailboxes(day: &Day) -> Markup {
    let most = day.mailboxes.first().map_or(1, |mailbox| mailbox.messages);
    html! {
        div.chart {
            h3 { "Busiest mailboxes" }
            @if day.mailboxes.is_empty() { p.empty { "No mail yet." } } @else {
                table.ranking {
                    thead { tr { th scope="col" { "POP account" } th scope="col" { "Messages" } th scope="col" { "Size" } } }
                    tbody { @for mailbox in &day.mailboxes {
                        tr {
                            th scope="row" { a.plain href={ "/log?to=" (mailbox.name) } { (mailbox.name) } }
                            td.number { (mailbox.messages) (bar(mailbox.messages, most)) }
                            td.number { (size(mailbox.octets)) }
                        }
                    } }
                }
            }
        }
    }
}

/// A bar beside its number, which says the same.
fn bar(count: u64, most: u64) -> Markup {
    let width = (count as f64 * 100.0 / most.max(1) as f64).max(1.0);
    html! { svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true" focusable="false" { rect width=(format!("{width:.1}")) height="6" rx="2" {} } }
}

/// A status code in words (RFC 3463, RFC 5248).
fn meaning(reason: &str) -> &'static str {
    match reason {
        "5.1.1" => "no such recipient",
        "5.2.1" => "switched off",
        "5.2.2" | "4.2.2" => "mailbox full",
        "5.3.4" => "too big",
        "5.4.6" => "going in circles",
        "5.6.11" => "bare line ends",
        "5.7.1" => "not ours, or an alias says no",
        "4.3.0" => "the server could not tell",
        "4.3.1" => "no room on the disk",
        "4.4.1" | "4.4.0" => "cannot be sent on",
        "4.5.3" => "too many recipients",
        "4.6.0" => "an alias leads too far",
        _ => "",
    }
}
