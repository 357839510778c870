//! Many changes at a time: groups that are decided on together and synced together.
//!
//! While one group is written, the next is decided on as if that were done already. That holds only if nobody else
//! commits in between; if somebody does, the next group is decided on again.

use jiff::Timestamp;

use super::commit::Decided;
use super::{ATTEMPTS, Directory, Snapshot};
use crate::directory::change::{Applied, Author, Change, ChangeError};
use crate::directory::model::Revision;
use crate::directory::rules::{self, Context, Layer, Overlay, ReadSet, Recording};
use crate::directory::view::Unreadable;

/// Changes of one group: enough to make the sync cheap, few enough to decide again when another writer came between.
const GROUP: usize = 4096;

/// What became of each change, in order.
type Outcomes = Vec<Result<Applied, ChangeError>>;

/// A group that was decided on.
struct Group<'c> {
    decided: Vec<Decided<'c>>,
    refused: Vec<(usize, ChangeError)>,
    /// All writes, later ones over earlier ones.
    layer: Layer,
    rests_on: RestsOn,
}

/// What has to be so when a group is committed.
enum RestsOn {
    /// This still holds of the snapshot.
    Reads(ReadSet),
    /// Nothing at all was committed since.
    Stillness,
}

/// A group that was committed.
struct Committed {
    first: Revision,
    /// The engine's count of writes after it, if nothing came between snapshot and commit.
    still: Option<u64>,
}

impl Directory {
    pub(super) fn apply_groups(&self, author: &Author, changes: &[Change], now: Timestamp) -> Result<Outcomes, Unreadable> {
        let mut outcomes = Vec::with_capacity(changes.len());
        let mut groups = changes.chunks(GROUP).peekable();
        let mut ahead: Option<(u64, Group<'_>)> = None;
        while let Some(changes) = groups.next() {
            let snapshot = self.snapshot();
            let group = match ahead.take() {
                Some((sequence, group)) if sequence == snapshot.sequence() => group,
                _ => self.decide(&snapshot, None, changes, now)?,
            };
            let (committed, next) = std::thread::scope(|scope| {
                let next = groups.peek().map(|next| scope.spawn(|| self.decide(&snapshot, Some(&group.layer), next, now)));
                (self.commit_group(author, &snapshot, &group, now), next.map(|next| next.join()))
            });
            match committed? {
                Some(Committed { first, still }) => {
                    outcomes.extend(in_order(first, group, changes.len()));
                    // A decision that panicked is taken again, where the panic can be seen.
                    ahead = still.zip(next.and_then(Result::ok).transpose()?);
                }
                None => outcomes.extend(self.apply_group(author, changes, now)?),
            }
        }
        Ok(outcomes)
    }

    /// Carries out one group beside other writers.
    fn apply_group(&self, author: &Author, changes: &[Change], now: Timestamp) -> Result<Outcomes, Unreadable> {
        for _ in 0..ATTEMPTS {
            let snapshot = self.snapshot();
            let group = self.decide(&snapshot, None, changes, now)?;
            if let Some(Committed { first, .. }) = self.commit_group(author, &snapshot, &group, now)? {
                return Ok(in_order(first, group, changes.len()));
            }
        }
        let mut state = self.lock();
        let group = self.decide(&self.snapshot(), None, changes, now)?;
        let first = self.commit(&mut state, author, now, &group.decided)?;
        Ok(in_order(first, group, changes.len()))
    }

    /// Decides on a group, each change seeing those before it, and `earlier` ones that are not committed yet.
    fn decide<'c>(
        &self,
        snapshot: &Snapshot<'_>,
        earlier: Option<&Layer>,
        changes: &'c [Change],
        now: Timestamp,
    ) -> Result<Group<'c>, Unreadable> {
        let recording = Recording::new(snapshot);
        let mut overlay = Overlay::new(&recording, earlier);
        let (mut decided, mut refused) = (Vec::with_capacity(changes.len()), Vec::new());
        for (at, change) in changes.iter().enumerate() {
            let context: Context = self.context(change, now);
            match rules::decide(&overlay, change, None, context) {
                Ok(drafted) => {
                    overlay.add(&drafted.writes);
                    decided.push(Decided { change, drafted });
                }
                Err(ChangeError::Unreadable(failure)) => return Err(failure),
                Err(refusal) => refused.push((at, refusal)),
            }
        }
        let layer = overlay.into_layer();
        let rests_on = if earlier.is_none() { RestsOn::Reads(recording.into_reads()) } else { RestsOn::Stillness };
        Ok(Group { decided, refused, layer, rests_on })
    }

    /// Commits a group if what it rests on still holds.
    fn commit_group(
        &self,
        author: &Author,
        snapshot: &Snapshot<'_>,
        group: &Group<'_>,
        now: Timestamp,
    ) -> Result<Option<Committed>, Unreadable> {
        let mut state = self.lock();
        let still = self.sequence() == snapshot.sequence();
        let holds = match &group.rests_on {
            RestsOn::Reads(reads) => self.holds(snapshot, reads)?,
            RestsOn::Stillness => still,
        };
        if !holds {
            return Ok(None);
        }
        let first = self.commit(&mut state, author, now, &group.decided)?;
        Ok(Some(Committed { first, still: still.then(|| self.sequence()) }))
    }

    fn sequence(&self) -> u64 {
        self.engine.database().latest_sequence_number()
    }
}

/// The outcomes of a group in the order of its changes, the first carried out having made revision `first`.
fn in_order(first: Revision, group: Group<'_>, length: usize) -> Outcomes {
    let mut done =
        (first.0..).map(Revision).zip(group.decided).map(|(revision, decided)| Applied { revision, effects: decided.drafted.effects });
    let mut refused = group.refused.into_iter().peekable();
    let mut outcomes = Vec::with_capacity(length);
    for at in 0..length {
        match refused.next_if(|(place, _)| *place == at) {
            Some((_, refusal)) => outcomes.push(Err(refusal)),
            None => outcomes.extend(done.next().map(Ok)),
        }
    }
    outcomes
}
