//! The human part: what happened, to whom, what the other side said, and what to do.

use std::fmt::Write as _;

use super::{Action, Report, Reported};
use crate::mail::trace::date;
use crate::relay::verdict::{Diagnostic, Status};

/// The subject, after the worst that is told.
pub(super) fn subject(worst: Option<Action>) -> &'static str {
    match worst {
        Some(Action::Failed) | None => "Undelivered mail returned to sender",
        Some(Action::Delayed) => "Mail delayed, and still being tried",
        Some(Action::Delivered | Action::Relayed | Action::Expanded) => "Mail delivered",
    }
}

/// The part.
pub(super) fn human(report: &Report) -> String {
    let mut text = format!("This is the mail system at {}.\n", report.hostname);
    for action in [Action::Failed, Action::Delayed, Action::Delivered, Action::Relayed, Action::Expanded] {
        let of_it: Vec<&Reported> = report.recipients.iter().filter(|recipient| recipient.action == action).collect();
        if !of_it.is_empty() {
            let _ = write!(text, "\n{}\n", opening(action, &of_it));
            of_it.into_iter().for_each(|recipient| self::recipient(&mut text, recipient));
        }
    }
    text
}

fn opening(action: Action, of_it: &[&Reported]) -> String {
    let until =
        || of_it.iter().filter_map(|recipient| recipient.retry_until).min().map_or_else(String::new, |at| format!(" until {}", date(at)));
    match action {
        Action::Failed => "Your message could not be delivered, and is not tried any more:".into(),
        Action::Delayed => format!("Your message has not been delivered yet. You need do nothing: it is tried on{}.", until()),
        Action::Delivered => "Your message is in the mailbox of:".into(),
        Action::Relayed => "Your message was handed to a server that sends no reports of its own:".into(),
        Action::Expanded => "Your message was passed on to everybody behind:".into(),
    }
}

fn recipient(text: &mut String, recipient: &Reported) {
    let _ = write!(text, "\n<{}>\n", recipient.path);
    let whose = recipient.remote.as_ref();
    match (&recipient.diagnostic, whose) {
        (Some(Diagnostic::Reply(said)), Some(remote)) => _ = writeln!(text, "    {remote} said: {said}"),
        (Some(Diagnostic::Ours(found)), Some(remote)) => _ = writeln!(text, "    {remote}: {found}"),
        (Some(diagnostic), None) => _ = writeln!(text, "    {}", diagnostic.text()),
        (None, Some(remote)) => _ = writeln!(text, "    by {remote}"),
        (None, None) => {}
    }
    if recipient.action == Action::Failed {
        let _ = writeln!(text, "    {}", advice(recipient.status));
    }
}

/// What the sender of a message that failed can do (RFC 3463 §3).
fn advice(status: Status) -> &'static str {
    match (status.class, status.subject, status.detail) {
        (5, 1, 0..=6 | 10) => "Please look for a mistake in the address.",
        (5, 1, _) => "The server does not accept your address as a sender; ask your provider.",
        (_, 2, 2) => "The mailbox is full. Tell its owner in another way.",
        (5, 2, _) => "The mailbox takes no mail. Tell its owner in another way.",
        (5, 3, 4) => "The message is too big. Send it in parts, or a link in place of a file.",
        (5, 4, 6) => "The mail systems on the way send the message round in circles; their operators have to mend that.",
        (5, 6, 3) => "The server is too old for the characters in the message; send it as plain text without accents.",
        (5, 6, 7 | 9) => "The server is too old for international addresses; write from and to addresses without accents.",
        (5, 7, _) => "The recipient's server refuses the message by a rule of its own. Ask the recipient in another way.",
        (4, ..) => "It was tried for as long as it is sensible. Try again later, or ask the recipient in another way.",
        _ => "The reason above is from the recipient's server. Its operator can tell more.",
    }
}
