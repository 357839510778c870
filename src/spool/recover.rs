//! What becomes of the log after a crash: [`action`] is the table of `spool/README.md`, the rest carries it out.

use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Core;
use super::log::record::CopyNote;
use super::log::{Left, Ticket};
use super::waiting::{Entry, Waiting};
use crate::directory::AccountId;
use crate::mail::{Name, QueueId};
use crate::maildir::{Copy, PublishError, Safety, Text};
use crate::router::Destination;
use crate::telemetry::Event;

/// What has happened since a record was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// Only the process has ended: all that it wrote is there, synced or not.
    Same,
    /// The machine was booted, perhaps after a power cut: what was not synced may be gone.
    Other,
}

/// What the mailbox has of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The file, with the octets that the log has.
    Whole,
    /// The file, with other octets: short, empty, or zeros.
    Damaged,
    /// No such file.
    Absent,
    /// It waits in the queue.
    Queued,
    /// The file, whole as far as it can be read; but a sync has failed since it was written, and what is read may be all there
    /// is of it.
    Doubtful,
}

/// What is done about a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Leave,
    /// The file is written.
    Deliver,
    /// The file is written anew, in its place.
    Replace,
}

/// What is done about a copy of which the log holds the record; `done` if the log also says that it was delivered.
pub fn action(boot: Boot, done: bool, found: Found) -> Action {
    match (boot, done, found) {
        (Boot::Same | Boot::Other, true | false, Found::Doubtful) => Action::Replace,
        (Boot::Same, true, Found::Whole | Found::Damaged | Found::Absent | Found::Queued) => Action::Leave,
        (Boot::Same, false, Found::Whole | Found::Queued) => Action::Leave,
        (Boot::Same, false, Found::Absent) => Action::Deliver,
        (Boot::Same, false, Found::Damaged) => Action::Replace,
        (Boot::Other, true | false, Found::Whole | Found::Queued) => Action::Leave,
        (Boot::Other, true | false, Found::Absent) => Action::Deliver,
        (Boot::Other, true | false, Found::Damaged) => Action::Replace,
    }
}

/// Copies that the log holds and that may not be anywhere else.
#[derive(Clone)]
pub(super) struct Owed {
    id: QueueId,
    ticket: Arc<Ticket>,
    /// One of its copies alone.
    account: Option<AccountId>,
    boot: Boot,
    done: bool,
    /// A sync of its mailboxes has failed.
    doubtful: bool,
}

impl Owed {
    /// Left by an earlier process; nothing where the table needs no look at the mailbox.
    pub(super) fn left(left: Left) -> Option<Self> {
        let boot = if left.same_boot { Boot::Same } else { Boot::Other };
        let idle = [Found::Whole, Found::Damaged, Found::Absent, Found::Queued]
            .into_iter()
            .all(|found| action(boot, left.done, found) == Action::Leave);
        (!idle).then(|| Self {
            id: QueueId::new(left.id),
            ticket: Arc::new(left.ticket),
            account: None,
            boot,
            done: left.done,
            doubtful: false,
        })
    }

    /// The copy of one account, which is in no mailbox.
    pub(super) fn to_one(id: QueueId, ticket: &Arc<Ticket>, account: AccountId) -> Self {
        Self { id, ticket: Arc::clone(ticket), account: Some(account), boot: Boot::Same, done: false, doubtful: false }
    }

    /// A message whose mailboxes could not be synced. A copy that is not there was removed by its reader.
    pub(super) fn doubtful(left: Left) -> Self {
        Self { id: QueueId::new(left.id), ticket: Arc::new(left.ticket), account: None, boot: Boot::Same, done: true, doubtful: true }
    }

    fn copies(&self) -> io::Result<(Vec<CopyNote>, Vec<u8>)> {
        let (mut accepted, text) = self.ticket.message()?;
        accepted.copies.retain(|copy| self.account.is_none_or(|account| account.0 == copy.account));
        Ok((accepted.copies, text))
    }
}

/// Finds the mailbox of an account by its id and its last known name.
pub(super) type Whereabouts<'a> = &'a dyn Fn(AccountId, &Name) -> Option<Destination>;

/// How often a long recovery tells how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

impl Core {
    /// Remembers a copy that the log has to keep.
    pub(super) fn owe(&self, owed: Owed) {
        self.owed().push(owed);
    }

    /// Others only add to it at its end while a recovery goes on.
    fn owed(&self) -> MutexGuard<'_, Vec<Owed>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings what the log holds alone to its mailboxes, or to the queue. What fails is kept for the next time.
    pub(super) fn recover(&self, whereabouts: Whereabouts<'_>) -> io::Result<()> {
        self.log.doubtful()?.into_iter().for_each(|left| self.owe(Owed::doubtful(left)));
        // What is owed stays in the list until it has been brought on: the log gives up what nobody lists.
        let owed = self.owed().clone();
        if owed.is_empty() {
            return Ok(());
        }
        let (total, begun) = (owed.len(), Instant::now());
        let mut told = begun;
        let (mut written, mut failed) = (0, 0);
        Event::Recovering { messages: total }.say();
        let queued = self.queued()?;
        let mut still = Vec::new();
        for (number, owed) in owed.iter().enumerate() {
            match self.bring(owed, &queued, whereabouts) {
                Ok(copies) => {
                    written += copies;
                    self.log.done(owed.id.number());
                }
                Err(error) => {
                    Event::RecoveryFailed { id: owed.id, cause: &error.to_string() }.say();
                    failed += 1;
                    still.push(owed.clone());
                }
            }
            if told.elapsed() > PROGRESS {
                told = Instant::now();
                Event::RecoveryProgress { messages: number + 1, of: total }.say();
            }
        }
        self.owed().splice(..total, still);
        Event::Recovered { messages: total, copies: written, failed, took: begun.elapsed() }.say();
        Ok(())
    }

    /// Copies that wait in the queue.
    fn queued(&self) -> io::Result<HashSet<(QueueId, AccountId)>> {
        let entries = self.disk.list(&self.queue)?.into_iter().map(|(file, _)| Entry::of(&file));
        Ok(entries
            .filter_map(|entry| if let Entry::Waiting(waiting) = entry { Some((waiting.id, waiting.account)) } else { None })
            .collect())
    }

    /// Acts on each copy of a message as the table says. How many had to be written.
    fn bring(&self, owed: &Owed, queued: &HashSet<(QueueId, AccountId)>, whereabouts: Whereabouts<'_>) -> io::Result<usize> {
        let (copies, text) = owed.copies()?;
        let mut written = 0;
        for note in copies {
            let account = AccountId(note.account);
            let name = Name::parse(&note.name).map_err(io::Error::other)?;
            let to = whereabouts(account, &name);
            let (found, at) = match &to {
                _ if queued.contains(&(owed.id, account)) => (Found::Queued, None),
                Some(to) => match self.look(to, &Waiting { id: owed.id, account, name: name.clone() }, &note, &text)? {
                    (Found::Whole, Some(at)) if owed.doubtful => (Found::Doubtful, Some(at)),
                    looked => looked,
                },
                None => (Found::Absent, None),
            };
            let brought = match (action(owed.boot, owed.done, found), &to) {
                (Action::Leave, _) => continue,
                (Action::Deliver | Action::Replace, Some(to)) => self.write(to, &note, &text, at, owed.doubtful),
                (Action::Deliver | Action::Replace, None) => Err(io::Error::from(io::ErrorKind::NotFound)),
            };
            if let Err(error) = brought {
                // The queue would leave the damaged file where it is.
                if matches!(found, Found::Damaged | Found::Doubtful) {
                    return Err(error);
                }
                self.hold(&Waiting { id: owed.id, account, name }, &mut Recorded { note: &note, text: &text }.read()?)?;
            }
            written += 1;
        }
        Ok(written)
    }

    /// Moves a copy whose mailbox failed from the log to the queue.
    pub(super) fn queue_up(&self, owed: &Owed) -> io::Result<()> {
        let (copies, text) = owed.copies()?;
        for note in copies {
            let name = Name::parse(&note.name).map_err(io::Error::other)?;
            let waiting = Waiting { id: owed.id, account: AccountId(note.account), name };
            self.hold(&waiting, &mut Recorded { note: &note, text: &text }.read()?)?;
        }
        Ok(())
    }

    fn look(
        &self,
        to: &Destination,
        waiting: &Waiting,
        note: &CopyNote,
        text: &[u8],
    ) -> io::Result<(Found, Option<(&'static str, String)>)> {
        let Some((part, file)) = self.maildirs.find(to, &note.file)? else {
            // The queue may have delivered it, and did so for good.
            let delivered = self.maildirs.holds(to, waiting.stamp())?;
            return Ok((if delivered { Found::Whole } else { Found::Absent }, None));
        };
        let mut content = Vec::new();
        self.maildirs.open(to, part, &file)?.read_to_end(&mut content)?;
        let whole =
            content.split_at_checked(note.fields.len()).is_some_and(|(fields, rest)| fields == note.fields.as_bytes() && rest == text);
        Ok((if whole { Found::Whole } else { Found::Damaged }, Some((part, file))))
    }

    fn write(&self, to: &Destination, note: &CopyNote, text: &[u8], at: Option<(&'static str, String)>, doubtful: bool) -> io::Result<()> {
        let text = Recorded { note, text };
        // A file system that has failed one sync for all is asked about each.
        let safety = if doubtful { Safety::Synced } else { Safety::Logged };
        let mut staged = self.maildirs.stage_as(to, Copy { fields: "", text: &text }, note.file.clone(), safety)?;
        match at {
            Some((part, file)) => staged.replace(part, &file),
            None => staged.publish().map(drop).map_err(|(PublishError::Hidden(error) | PublishError::Visible(error))| error),
        }
    }
}

/// A copy as the log has it.
struct Recorded<'a> {
    note: &'a CopyNote,
    text: &'a [u8],
}

impl Text for Recorded<'_> {
    fn len(&self) -> u64 {
        (self.note.fields.len() + self.text.len()) as u64
    }

    fn lines(&self) -> u64 {
        (memchr::memchr_iter(b'\n', self.note.fields.as_bytes()).count() + memchr::memchr_iter(b'\n', self.text).count()) as u64
    }

    fn read(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.note.fields.as_bytes().chain(self.text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_readme_is_this_match() {
        let table = include_str!("../../spool/README.md");
        for (boot, boot_word) in [(Boot::Same, "same"), (Boot::Other, "other")] {
            for (done, done_word) in [(true, "yes"), (false, "no")] {
                for (found, found_word) in [
                    (Found::Whole, "whole"),
                    (Found::Damaged, "damaged"),
                    (Found::Absent, "absent"),
                    (Found::Queued, "queued"),
                    (Found::Doubtful, "doubtful"),
                ] {
                    let words = match action(boot, done, found) {
                        Action::Leave => "left alone",
                        Action::Deliver => "delivered",
                        Action::Replace => "replaced",
                    };
                    let row = format!("| {boot_word} | {done_word} | {found_word} | {words} |");
                    assert!(table.lines().any(|line| line == row), "the table has no row {row}");
                }
            }
        }
    }
}
