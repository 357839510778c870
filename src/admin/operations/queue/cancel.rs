//! A message that an operator removes: its sender is told first, and the delivery log.

use std::io;
use std::time::Duration;

use jiff::Timestamp;
use tokio::runtime::Handle;

use super::{Changed, failed, seen};
use crate::admin::context::{Context, Waits};
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::ledger::Row;
use crate::mail::{QueueId, ReversePath};
use crate::relay::{Office, notice};
use crate::spool::outgoing::{self, Recipient};
use crate::telemetry::event::{Onward, Stage};

/// Recipients of a message that are told of together.
const TOGETHER: usize = 500;

/// What a cancellation says where nobody can be told of it.
const NO_OFFICE: &str = "no server runs, so the sender cannot be told; start it, or cancel with --no-report";

/// Who hears of a message that is cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// Its sender, unless that is the null path: a report as for any other failure.
    Sender,
    /// Nobody.
    Nobody,
}

/// Removes a message. Its sender hears of it first: a message that was accepted does not vanish.
pub fn cancel(context: &Context, caller: &Caller, id: QueueId, report: Report) -> Result<Changed, Problem> {
    let waits = seen(context, caller, id)?;
    if let Some(message) = waits.queue.message(id).map_err(failed)? {
        if report == Report::Sender && message.sender != ReversePath::Null {
            let office = context.office.get().ok_or_else(|| Problem::new(Kind::Queue, NO_OFFICE.into()))?;
            // Nobody is to begin with it meanwhile.
            waits.queue.hold(id).map_err(failed)?;
            tell(waits, office, id, &message).map_err(failed)?;
        }
        note(context, waits, id, &message).map_err(failed)?;
    }
    Ok(Changed { recipients: waits.queue.cancel(id).map_err(failed)?.into() })
}

/// Tells the sender.
fn tell(waits: &Waits, office: &Office, id: QueueId, message: &outgoing::Message) -> io::Result<()> {
    let text = waits.queue.text(id, message)?;
    each(waits, id, |recipients| {
        let recipients = recipients.into_iter().map(|(_, recipient)| recipient).collect();
        Handle::current().block_on(notice::cancelled(office, id, message, &text, recipients))
    })
}

/// Tells the delivery log.
fn note(context: &Context, waits: &Waits, id: QueueId, message: &outgoing::Message) -> io::Result<()> {
    let Some(ledger) = &context.ledger else { return Ok(()) };
    let now = Timestamp::now();
    let row = |recipient: &Recipient| {
        let onward = Onward {
            id,
            sender: recipient.sender.as_ref().unwrap_or(&message.sender),
            recipient: &recipient.address(),
            hop: recipient.hop.as_str(),
            remote: "",
            delay: Duration::try_from(now.duration_since(message.arrived)).unwrap_or_default(),
            tries: recipient.tries,
            stage: Stage::Failed,
            status: notice::CANCELLED_WORDS,
        };
        Row::of_onward(&onward, recipient.via.as_ref().map(ToString::to_string), message.octets, now)
    };
    each(waits, id, |recipients| {
        Handle::current().block_on(ledger.note(recipients.iter().map(|(_, recipient)| row(recipient)).collect()));
        Ok(())
    })
}

/// All open recipients, some at a time.
fn each(waits: &Waits, id: QueueId, mut act: impl FnMut(Vec<(u32, Recipient)>) -> io::Result<()>) -> io::Result<()> {
    let mut from = 0;
    loop {
        let recipients = waits.queue.recipients(id, from, TOGETHER)?;
        let Some((last, _)) = recipients.last() else { return Ok(()) };
        from = last.saturating_add(1);
        act(recipients)?;
    }
}
