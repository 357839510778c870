//! The engine: RocksDB, one instance, column families by record kind.
//!
//! Owns the commit: decide on a snapshot, then, under one short lock, check that the read set still holds, and write
//! records, reverse index, audit entry and revision in one synced batch. Readers take no lock and see whole commits only.
//! Refuses to decide anything: that is for the rules.

mod commit;
mod engine;
mod group;
mod imagined;
mod index;
mod lists;
mod snapshot;
mod trash;
mod uses;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::{SignedDuration, Timestamp};

use self::commit::{Batch, Decided, State};
use self::engine::Engine;
use self::uses::Counted;
use super::change::{Applied, Author, Change, ChangeError, Effect};
use super::model::{AccountId, AliasKey, Revision, Token};
use super::rules::{self, Context, Expected};
use super::schema::{self, Family, Key, Record};
use super::view::Unreadable;

pub use self::imagined::Imagined;
pub use self::snapshot::{Page, Snapshot, Subject};
pub use super::model::Trashed;

/// Attempts beside other writers before one goes on under the lock, so that a large change cannot starve.
const ATTEMPTS: usize = 8;

/// Uses of a token that are not told apart.
const TOKEN_USE: SignedDuration = SignedDuration::from_secs(60);

/// The directory on disk. Shared by reference between all readers and writers of the process.
pub struct Directory {
    engine: Engine,
    state: Mutex<State>,
    next_id: AtomicU64,
    uses: Mutex<Counted>,
}

/// Why a directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error("the directory is in use by another process; stop it, or use its socket")]
    InUse,
    /// The engine refused.
    #[error("the directory cannot be opened: {0}")]
    Engine(String),
}

impl Directory {
    /// Opens the directory in `path`, making it where there is none.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let engine = Engine::open(path)?;
        let state = State::load(&engine)?;
        index::make(&engine).and_then(|()| lists::take_members_out(&engine)).map_err(|Unreadable(why)| OpenError::Engine(why))?;
        let next_id = AtomicU64::new(state.next_id().0);
        Ok(Self { engine, state: Mutex::new(state), next_id, uses: Mutex::default() })
    }

    /// What the directory holds now.
    pub fn snapshot(&self) -> Snapshot<'_> {
        Snapshot::new(&self.engine)
    }

    /// Carries out a change: when this returns, the disk has it.
    pub fn apply(&self, author: impl Into<Author>, change: &Change, now: Timestamp) -> Result<Applied, ChangeError> {
        self.apply_expecting(&author.into(), change, now, None)
    }

    /// Carries out a change if `subject` is still at the revision that the caller saw (0 for: not there).
    pub fn apply_if(
        &self,
        author: impl Into<Author>,
        change: &Change,
        now: Timestamp,
        subject: &Subject,
        seen: Revision,
    ) -> Result<Applied, ChangeError> {
        self.apply_expecting(&author.into(), change, now, Some(&Expected { key: subject.key(), revision: seen }))
    }

    fn apply_expecting(
        &self,
        author: &Author,
        change: &Change,
        now: Timestamp,
        expected: Option<&Expected>,
    ) -> Result<Applied, ChangeError> {
        let context = self.context(change, now);
        for attempt in 1.. {
            let mut early = if attempt > ATTEMPTS { Some(self.lock()) } else { None };
            let snapshot = self.snapshot();
            let transaction = rules::transact(&snapshot, change, expected, context)?;
            let decided = Decided { change, drafted: transaction.drafted };
            let mut late;
            let state = match &mut early {
                Some(state) => state,
                None => {
                    late = self.lock();
                    &mut late
                }
            };
            let holds = self.holds(&snapshot, &transaction.reads)?;
            if holds {
                let revision = self.commit(state, author, now, std::slice::from_ref(&decided))?;
                return Ok(Applied { revision, effects: decided.drafted.effects });
            }
        }
        Err(Unreadable("no attempt to commit was left".into()).into())
    }

    /// Carries out many changes, in groups that are synced together; each stands or falls alone.
    pub fn apply_all(
        &self,
        author: impl Into<Author>,
        changes: &[Change],
        now: Timestamp,
    ) -> Result<Vec<Result<Applied, ChangeError>>, Unreadable> {
        self.apply_groups(&author.into(), changes, now)
    }

    /// What a change would do.
    pub fn preview(&self, change: &Change, now: Timestamp) -> Result<Vec<Effect>, ChangeError> {
        self.preview_expecting(change, now, None)
    }

    /// What a change would do if `subject` is still at the revision that the caller saw.
    pub fn preview_if(&self, change: &Change, now: Timestamp, subject: &Subject, seen: Revision) -> Result<Vec<Effect>, ChangeError> {
        self.preview_expecting(change, now, Some(&Expected { key: subject.key(), revision: seen }))
    }

    fn preview_expecting(&self, change: &Change, now: Timestamp, expected: Option<&Expected>) -> Result<Vec<Effect>, ChangeError> {
        let fresh = AccountId(self.next_id.load(Ordering::Relaxed));
        let snapshot = self.snapshot();
        Ok(rules::decide(&snapshot, change, expected, Context { now, fresh })?.effects)
    }

    /// How many records there are of each kind, about: what the engine can tell without counting.
    pub fn about(&self) -> Vec<(&'static str, u64)> {
        let kinds = [
            ("domain", Family::Domains),
            ("master", Family::Masters),
            ("pop", Family::Pops),
            ("list", Family::Lists),
            ("alias", Family::Aliases),
            ("trashed", Family::Trash),
        ];
        kinds.into_iter().map(|(kind, family)| (kind, self.engine.about(family))).collect()
    }

    /// Notes that mail came through an alias: counted in memory, written now and then by [`Directory::write_uses`].
    pub fn used(&self, alias: &AliasKey, at: Timestamp) {
        self.counted().note(alias, at);
    }

    /// Notes that the owner of an account logged in; written along with the counts.
    pub fn logged_in(&self, account: AccountId, at: Timestamp) {
        self.counted().logged_in(account, at);
    }

    /// When the owner of an account logged in last.
    pub fn last_login(&self, account: AccountId) -> Result<Option<Timestamp>, Unreadable> {
        let noted = self.counted().login(account);
        if noted.is_some() { Ok(noted) } else { self.snapshot().last_login(account) }
    }

    /// Frees the memory that changes wait in until there are more of them: after an import there may be no others for a long time.
    pub fn flush(&self) -> Result<(), Unreadable> {
        self.engine.flush()
    }

    /// Writes the counts and logins noted since the last time.
    pub fn write_uses(&self) -> Result<(), Unreadable> {
        let mut counted = self.counted().take();
        let mut logins = self.counted().take_logins();
        let written = self.write_counts(&mut counted).and_then(|()| self.write_logins(&mut logins));
        // What could not be written is counted on.
        let mut held = self.counted();
        held.put_back(counted);
        logins.into_iter().for_each(|(account, at)| held.logged_in(account, at));
        written
    }

    /// Notes that a token was used; written at most once a minute for each.
    pub fn token_used(&self, token: &Token, at: Timestamp) -> Result<(), Unreadable> {
        let key = Key::token_use(&token.hash);
        let last = self.engine.get(&key)?.map(|bytes| schema::decode(&key, &bytes)).transpose()?;
        if matches!(last, Some((_, Record::TokenUse(last))) if at.duration_since(last) < TOKEN_USE) {
            return Ok(());
        }
        let state = self.lock();
        // One that was removed meanwhile must not leave its use behind.
        if self.engine.get(&Key::token(&token.hash))?.is_none() {
            return Ok(());
        }
        let mut batch = Batch::new(&self.engine)?;
        batch.put(&key, &Record::TokenUse(at), state.revision().max(Revision(1)))?;
        self.engine.write(batch.writes)
    }

    fn context(&self, change: &Change, now: Timestamp) -> Context {
        let makes_account = matches!(
            change,
            Change::AddPop { .. }
                | Change::AddPopAndAlias { .. }
                | Change::AddList { .. }
                | Change::AddStyledList { .. }
                | Change::Import(_)
        );
        let step = u64::from(makes_account);
        Context { now, fresh: AccountId(self.next_id.fetch_add(step, Ordering::Relaxed)) }
    }
}
