//! What is noted beside changes: what came back from members of lists, and who was told that somebody is away.
//!
//! Neither is a change of the directory: it spends no revision, and makes no edit fail.

use jiff::{SignedDuration, Timestamp};
use rocksdb::IteratorMode;

use super::Directory;
use super::commit::Batch;
use super::engine::{Engine, unreadable};
use crate::directory::model::{AccountId, BounceKind, Bounces, Member, Revision, Seat, Target};
use crate::directory::schema::{self, Family, Key, Record, Referrer};
use crate::directory::view::Unreadable;
use crate::mail::Name;

/// Keys that are removed in one batch.
const BATCH: usize = 5000;

impl Directory {
    /// Counts what came back from a member, and gives all that did; none if there is no such member.
    pub fn bounced(
        &self,
        list: &Name,
        member: &Target,
        kind: BounceKind,
        status: &str,
        at: Timestamp,
        window: u16,
    ) -> Result<Option<Bounces>, Unreadable> {
        let state = self.lock();
        if self.engine.get(&Key::member(list, member))?.is_none() {
            return Ok(None);
        }
        let key = Key::bounces(list, member);
        let mut bounces = match self.engine.get(&key)?.map(|bytes| schema::decode(&key, &bytes)).transpose()? {
            Some((_, Record::Bounces(bounces))) => bounces,
            _ => Bounces::default(),
        };
        bounces.count(kind, status, at, window);
        let mut batch = Batch::new(&self.engine)?;
        batch.put(&key, &Record::Bounces(bounces.clone()), state.revision().max(Revision(1)))?;
        self.engine.write(batch.writes)?;
        Ok(Some(bounces))
    }

    /// Whether a sender is to be told that an account's owner is away: not if it was within `pause`. That it is told now is noted.
    pub fn reply_due(&self, account: AccountId, sender: &str, now: Timestamp, pause: SignedDuration) -> Result<bool, Unreadable> {
        let state = self.lock();
        let key = Key::replied(account, sender);
        let last = self.engine.get(&key)?.map(|bytes| schema::decode(&key, &bytes)).transpose()?;
        if matches!(last, Some((_, Record::Replied(last))) if now.duration_since(last) < pause) {
            return Ok(false);
        }
        let mut batch = Batch::new(&self.engine)?;
        batch.put(&key, &Record::Replied(now), state.revision().max(Revision(1)))?;
        self.engine.write(batch.writes)?;
        Ok(true)
    }

    /// Forgets who was told before a time.
    pub fn forget_replies(&self, before: Timestamp) -> Result<(), Unreadable> {
        let mut batch = Batch::new(&self.engine)?;
        for found in self.engine.database().iterator_cf(self.engine.family(Family::Replied)?, IteratorMode::Start) {
            let (bytes, value) = found.map_err(|e| unreadable(&e))?;
            let key = Key { family: Family::Replied, bytes: (*bytes).into() };
            if matches!(schema::decode(&key, &value)?, (_, Record::Replied(at)) if at < before) {
                batch.remove(&key);
            }
            if batch.writes.len() >= BATCH {
                self.engine.write(std::mem::replace(&mut batch, Batch::new(&self.engine)?).writes)?;
            }
        }
        self.engine.write(batch.writes)
    }
}

/// Gives the members that stand in records of lists, as older versions wrote them, records of their own. Each list at once,
/// so a start that is interrupted goes on.
pub fn take_members_out(engine: &Engine) -> Result<(), Unreadable> {
    for found in engine.database().iterator_cf(engine.family(Family::Lists)?, IteratorMode::Start) {
        let (bytes, value) = found.map_err(|e| unreadable(&e))?;
        let key = Key { family: Family::Lists, bytes: (*bytes).into() };
        let Some(members) = schema::members_within(&key, &value)? else { continue };
        let (revision, record) = schema::decode(&key, &value)?;
        let Record::List(list) = &record else { continue };
        let mut batch = Batch::new(engine)?;
        for target in members {
            batch.put(&Key::entry(&target, &Referrer::Seat(list.name.clone())), &Record::Entry, revision)?;
            let member = Member { list: list.name.clone(), target, seat: Seat::Active, joined: list.created };
            batch.put(&Key::member(&list.name, &member.target), &Record::Member(member), revision)?;
        }
        batch.put(&key, &record, revision)?;
        engine.write(batch.writes)?;
    }
    Ok(())
}
