//! The rules: a change and a state make a transaction, or a refusal. Pure.
//!
//! Owns the invariants D1 to D10. Promises that whatever a decision rests on is in the read set, so that a commit which
//! finds the read set unchanged keeps every invariant, on whatever engine orders the commits. Refuses to know the
//! engine, the clock (the time is an argument), and randomness (ids are handed in).
//!
//! By noun: [`domain`], [`master`], [`pop`], [`list`], [`alias`], [`trash`]; [`graph`] knows where addresses lead,
//! [`cascade`] what goes with what, [`transaction`] how reads and writes are kept.

mod alias;
mod cascade;
mod domain;
mod draft;
mod graph;
mod handling;
mod import;
mod list;
mod master;
mod name;
mod pop;
mod token;
mod transaction;
mod trash;

use jiff::Timestamp;

pub use transaction::{Drafted, Found, Layer, Overlay, RangeRead, ReadSet, Recording, Records, SearchKeys, Transaction, WriteSet};

use self::transaction::Draft;
use super::change::{Change, ChangeError, Refusal};
use super::model::{AccountId, Revision, Roster, Style, Target};
use super::schema::Key;
use super::view::Unreadable;

/// What a decision needs beside the state.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// When the change is made.
    pub now: Timestamp,
    /// An account id that was never given.
    pub fresh: AccountId,
}

/// What a caller saw when it decided to change something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The record.
    pub key: Key,
    /// Its revision then.
    pub revision: Revision,
}

/// Decides on one change, with its read set.
pub fn transact(state: &dyn Records, change: &Change, expected: Option<&Expected>, context: Context) -> Result<Transaction, ChangeError> {
    let recording = Recording::new(state);
    let drafted = decide(&recording, change, expected, context)?;
    Ok(Transaction { reads: recording.into_reads(), drafted })
}

/// Why each of these cannot be a member of a list, if it cannot.
pub fn members_refused(state: &dyn Records, members: &[Target]) -> Result<Vec<Option<Refusal>>, Unreadable> {
    let draft = Draft::new(state);
    let refused = |member: &Target| match pop::receiving(&draft, member) {
        Ok(_) => Ok(None),
        Err(ChangeError::Refused(why)) => Ok(Some(why)),
        Err(ChangeError::Unreadable(failure)) => Err(failure),
    };
    members.iter().map(refused).collect()
}

/// Decides on one change.
pub fn decide(state: &dyn Records, change: &Change, expected: Option<&Expected>, context: Context) -> Result<Drafted, ChangeError> {
    let mut draft = Draft::new(state);
    if let Some(expected) = expected {
        let found = draft.revision_of(&expected.key)?;
        if found != expected.revision {
            return Err(Refusal::Changed { expected: expected.revision, found }.into());
        }
    }
    carry_out(&mut draft, change, context)?;
    draft.finish()
}

fn carry_out(draft: &mut Draft<'_>, change: &Change, context: Context) -> Result<(), ChangeError> {
    let Context { now, fresh } = context;
    match change {
        Change::AddDomain { domain, owner } => domain::add(draft, domain, owner.as_ref(), now),
        Change::EditDomain { domain, owner } => domain::edit(draft, domain, owner.as_ref()),
        Change::DeleteDomain { domain, cascade } => domain::delete(draft, domain, *cascade, now),
        Change::AddMaster { name, role, password } => master::add(draft, name, *role, password, now),
        Change::SetMasterPassword { name, password } => master::set_password(draft, name, password),
        Change::DeleteMaster { name } => master::delete(draft, name),
        Change::AddPop { name, domain, owner, password, quota, state }
        | Change::AddPopAndAlias { name, domain, owner, password, quota, state, .. } => {
            let (name, domain, owner, password) = (name.clone(), domain.clone(), owner.clone(), password.clone());
            pop::add(draft, pop::Given { name, domain, owner, password, quota: *quota, state: *state, id: fresh, created: now })?;
            if let Change::AddPopAndAlias { name, alias, .. } = change { alias::add_new(draft, alias, name, now) } else { Ok(()) }
        }
        Change::EditPop { name, domain, owner, quota } => {
            let (domain, owner) = (domain.as_ref(), owner.as_deref());
            pop::amend(draft, name, pop::Amendment { domain, owner, quota: *quota, ..pop::Amendment::default() })
        }
        Change::AmendPop { name, new, keep_alias, domain, owner, quota, state, password } => {
            let (new, domain, owner, password) = (new.as_ref(), domain.as_ref(), owner.as_deref(), password.as_ref());
            let (quota, state, keep_alias) = (*quota, *state, *keep_alias);
            pop::amend(draft, name, pop::Amendment { new, keep_alias, domain, owner, quota, state, password })
        }
        Change::SetPopPassword { name, password } => {
            pop::amend(draft, name, pop::Amendment { password: Some(password), ..pop::Amendment::default() })
        }
        Change::SetPopState { name, state } => pop::amend(draft, name, pop::Amendment { state: Some(*state), ..pop::Amendment::default() }),
        Change::RenamePop { name, new, keep_alias } => pop::rename(draft, name, new, *keep_alias),
        Change::DeletePop { name } => trash::delete_pop(draft, name, now),
        Change::RestorePop { name, id } => trash::restore(draft, name, *id, now),
        Change::PurgePop { id } => trash::purge(draft, *id),
        Change::AddList { name, domain, owner, posting, members } | Change::AddStyledList { name, domain, owner, posting, members, .. } => {
            let (name, domain, owner, members) = (name.clone(), domain.clone(), owner.clone(), members.clone());
            list::add(draft, Roster { id: fresh, name, domain, owner, posting: *posting, members, created: now }, now)?;
            match change {
                Change::AddStyledList { name, style, .. } if *style != Style::default() => list::restyle(draft, name, style),
                _ => Ok(()),
            }
        }
        Change::EditList { name, owner, posting, join, leave } | Change::AmendList { name, owner, posting, join, leave, .. } => {
            if let Change::AmendList { style: Some(style), .. } = change {
                list::restyle(draft, name, style)?;
            }
            list::edit(draft, name, list::Edit { owner: owner.as_ref(), posting: *posting, join, leave }, now)
        }
        Change::StyleList { name, style } => list::restyle(draft, name, style),
        Change::JoinList { name, members, .. } => list::join_many(draft, name, members, now),
        Change::SeatMember { list, member, seat } => list::seat(draft, list, member, seat),
        Change::SetCopies { name, copies } => handling::set_copies(draft, name, copies),
        Change::SetVacation { name, vacation } => handling::set_vacation(draft, name, vacation.as_ref()),
        Change::DeleteList { name } => list::delete(draft, name),
        Change::AddAlias { key, targets, note, expires } => alias::add(draft, key, targets, note.as_deref(), *expires, now),
        Change::RemoveAlias { key, targets } => alias::remove(draft, key, targets),
        Change::SwitchAlias { key, switch } => alias::switch(draft, key, *switch),
        Change::EditAlias { key, targets, note, expires, switch } => {
            alias::edit(draft, key, alias::Edit { targets: targets.as_deref(), note: note.as_deref(), expires: *expires, switch: *switch })
        }
        Change::AddToken { token } => token::add(draft, token),
        Change::RemoveToken { master, id } => token::remove(draft, master, *id),
        Change::SetSecondFactor { name, factor } => master::set_second(draft, name, factor.as_ref()),
        Change::UseRecoveryCode { name, code } => master::use_recovery_code(draft, name, code),
        Change::Import(record) => import::put(draft, record, fresh),
    }
}
