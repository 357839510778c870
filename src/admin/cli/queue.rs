//! `queue`.

use hyper::Method;

use super::accounts::moment;
use super::args::QueueCommand;
use super::connection::{Connection, NOTHING};
use super::failure::Failure;
use super::output::{Listing, Output, Row, STRONG, print, printable, styled};
use crate::admin::operations::queue::{Changed, Shown, Tried, Waiting, Why};
use crate::mail::QueueId;

/// Recipients that a row of the list names.
const NAMED: usize = 3;

pub(super) async fn queue(connection: &Connection, output: Output, command: QueueCommand) -> Result<(), Failure> {
    match command {
        QueueCommand::List { destination, sender, recipient, held } => {
            let mut filter = vec![("held", held.to_string())];
            filter.extend(destination.map(|destination| ("destination", destination)));
            filter.extend(sender.map(|sender| ("sender", sender)));
            filter.extend(recipient.map(|recipient| ("recipient", recipient)));
            let mut listing = Listing::new(output);
            connection.pages("/queue", &filter, |page: Vec<Shown>| listing.add(&page)).await?;
            listing.end("nothing of that kind waits")
        }
        QueueCommand::Show { id } => {
            let shown: Shown = connection.get(&format!("/queue/{id}")).await?;
            if output == Output::Json { output.json(&shown) } else { print_message(&shown) }
        }
        QueueCommand::Retry { id: None } => {
            let changed = connection.call(Method::POST, "/queue/retry", NOTHING).await?;
            told(output, changed, "tried now")
        }
        QueueCommand::Retry { id: Some(id) } => act(connection, output, id, "retry", "tried now").await,
        QueueCommand::Hold { id } => act(connection, output, id, "hold", "held").await,
        QueueCommand::Release { id } => act(connection, output, id, "release", "released").await,
        QueueCommand::Cancel { id, no_report } => {
            let query = if no_report { "?report=false" } else { "" };
            let changed = connection.call(Method::DELETE, &format!("/queue/{id}{query}"), NOTHING).await?;
            told(output, changed, "removed")
        }
    }
}

async fn act(connection: &Connection, output: Output, id: QueueId, what: &str, done: &str) -> Result<(), Failure> {
    told(output, connection.call(Method::POST, &format!("/queue/{id}/{what}"), NOTHING).await?, done)
}

fn told(output: Output, changed: Changed, done: &str) -> Result<(), Failure> {
    match output {
        Output::Json => output.json(&changed),
        Output::Text => print(&format!("{} {done}", recipients(changed.recipients))),
    }
}

fn recipients(count: u64) -> String {
    if count == 1 { "1 recipient".into() } else { format!("{count} recipients") }
}

fn print_message(shown: &Shown) -> Result<(), Failure> {
    print(&format!("{} from <{}>", styled(STRONG, shown.id), printable(&shown.sender)))?;
    print(&format!("{}, {} octets, arrived {}", word(shown.kind), shown.size, moment(shown.arrived)))?;
    print(&format!("{} of {} open", recipients(shown.open.into()), shown.total))?;
    shown.recipients.iter().try_for_each(print_recipient)
}

fn print_recipient(waiting: &Waiting) -> Result<(), Failure> {
    let original = waiting.original.as_ref().map(|original| format!(" (for {})", printable(original))).unwrap_or_default();
    print(&format!("\n{}{original}", styled(STRONG, printable(&waiting.address))))?;
    let next = waiting.next.map(|next| format!(", next attempt {}", moment(next))).unwrap_or_default();
    print(&format!("  {} at {}, {} attempts{next}", state(waiting.state), waiting.destination, waiting.tries))?;
    waiting.attempts.iter().try_for_each(|attempt| {
        print(&format!("  {} {} {} {}", moment(attempt.at), printable(&attempt.remote), attempt.status, printable(&attempt.reply)))
    })
}

fn word(kind: Why) -> &'static str {
    match kind {
        Why::Relay => "relay",
        Why::List => "list",
        Why::Report => "report",
        Why::Made => "made here",
        Why::Mailbox => "mailbox",
    }
}

fn state(state: Tried) -> &'static str {
    match state {
        Tried::Waiting => "waiting",
        Tried::Held => "held",
    }
}

impl Row for Shown {
    const HEADINGS: &'static [&'static str] = &["ID", "KIND", "ARRIVED", "SIZE", "FROM", "TO", "STATE", "TRIES", "NEXT", "LAST REPLY"];

    fn cells(&self) -> Vec<String> {
        let named = self.recipients.iter().take(NAMED).map(|recipient| recipient.address.as_str());
        let mut to = named.collect::<Vec<_>>().join(", ");
        let more = usize::try_from(self.open).unwrap_or(usize::MAX).saturating_sub(NAMED);
        if more > 0 {
            to.push_str(&format!(" and {more} more"));
        }
        let held = self.recipients.iter().any(|recipient| recipient.state == Tried::Held);
        let last = self.recipients.iter().filter_map(|recipient| recipient.attempts.last()).max_by_key(|attempt| attempt.at);
        vec![
            self.id.to_string(),
            word(self.kind).into(),
            moment(self.arrived),
            self.size.to_string(),
            format!("<{}>", self.sender),
            to,
            state(if held { Tried::Held } else { Tried::Waiting }).into(),
            self.recipients.iter().map(|recipient| recipient.tries).max().unwrap_or_default().to_string(),
            self.recipients.iter().filter_map(|recipient| recipient.next).min().map(moment).unwrap_or_default(),
            last.map(|attempt| attempt.reply.clone()).unwrap_or_default(),
        ]
    }
}
