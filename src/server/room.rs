//! Room in a mailbox, and what a client hears where there is none: asked by RCPT and by `restante trace` alike.

use super::transaction::storage_reply;
use crate::maildir::{Maildirs, NoRoom, Over, Reservation};
use crate::protocol::smtp::Reply;
use crate::router::Destination;
use crate::telemetry::Event;

/// Asks a mailbox to promise room for `octets` (0: unknown; then it is refused only if it is full already).
pub fn promise(maildirs: &Maildirs, over: Over, mailbox: &Destination, octets: u64) -> Result<Option<Reservation>, Reply> {
    maildirs.reserve(mailbox, octets).map_err(|no_room| match no_room {
        NoRoom::Full => full(over),
        NoRoom::Unreadable(error) => {
            Event::MailboxUnreadable { mailbox: mailbox.name.as_str(), cause: &error.to_string() }.say();
            storage_reply(&error)
        }
    })
}

/// What a client hears of a full mailbox.
pub fn full(over: Over) -> Reply {
    match over {
        Over::Defer => Reply::MailboxFull,
        Over::Reject => Reply::MailboxFullForGood,
    }
}
