//! The questions that can be put to a directory, wherever it is kept.

use super::model::{AccountId, Alias, AliasKey, DomainRecord, Handling, Kind, List, Master, Member, Pop, Revision, Target};
use crate::mail::{Domain, Name};

/// The engine failed: the answer is not "no such thing" but unknown.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the directory cannot be read: {0}")]
pub struct Unreadable(pub String);

/// One consistent state of the directory.
pub trait View {
    /// The revision that this view shows.
    fn revision(&self) -> Revision;
    /// The record of a local domain.
    fn domain(&self, domain: &Domain) -> Result<Option<DomainRecord>, Unreadable>;
    /// Who holds a name: the check that refuses a clash, asked beforehand.
    fn holder(&self, name: &Name) -> Result<Option<Kind>, Unreadable>;
    /// A master.
    fn master(&self, name: &Name) -> Result<Option<Master>, Unreadable>;
    /// A POP account.
    fn pop(&self, name: &Name) -> Result<Option<Pop>, Unreadable>;
    /// A list account.
    fn list(&self, name: &Name) -> Result<Option<List>, Unreadable>;
    /// What happens with a POP account's mail beside its delivery, where anybody said so.
    fn handling(&self, id: AccountId) -> Result<Option<Handling>, Unreadable>;
    /// A member of a list.
    fn member(&self, list: &Name, member: &Target) -> Result<Option<Member>, Unreadable>;
    /// An alias, hidden ones too.
    fn alias(&self, key: &AliasKey) -> Result<Option<Alias>, Unreadable>;
    /// Every alias with an entry that leads to `target`, hidden ones too, in key order.
    fn aliases_to(&self, target: &Target) -> Result<Vec<AliasKey>, Unreadable>;
}
