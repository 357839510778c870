//! The questions that can be put to a directory, wherever it is kept.

use super::model::{Alias, AliasKey, DomainRecord, Kind, List, Master, Pop, Revision, Target};
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
    /// An alias, hidden ones too.
    fn alias(&self, key: &AliasKey) -> Result<Option<Alias>, Unreadable>;
    /// Every alias with an entry that leads to `target`, hidden ones too, in key order.
    fn aliases_to(&self, target: &Target) -> Result<Vec<AliasKey>, Unreadable>;
}
