//! What the directory would hold after a change that nobody makes.

use jiff::Timestamp;

use super::snapshot::Snapshot;
use crate::directory::change::{Change, ChangeError};
use crate::directory::model::{AccountId, Alias, AliasKey, DomainRecord, Handling, Kind, List, Master, Member, Pop, Revision, Target};
use crate::directory::rules::{self, Context, Layer, Overlay, Records};
use crate::directory::schema::{Key, Prefix, Record, Referrer};
use crate::directory::view::{Unreadable, View};
use crate::mail::{Domain, Name};

/// A state with a change on top.
pub struct Imagined<'a> {
    snapshot: &'a Snapshot<'a>,
    layer: Layer,
}

impl<'a> Imagined<'a> {
    /// The state after `change`, which adds no account.
    pub fn after(snapshot: &'a Snapshot<'a>, change: &Change, now: Timestamp) -> Result<Self, ChangeError> {
        let mut layer = Layer::default();
        layer.add(&rules::decide(snapshot, change, None, Context { now, fresh: AccountId(0) })?.writes);
        Ok(Self { snapshot, layer })
    }

    /// The record under a key, if the change touched it.
    fn written(&self, key: &Key) -> Option<Option<&Record>> {
        self.layer.get(key).map(Option::as_deref)
    }
}

/// What the change wrote, where it did; else what is there.
macro_rules! seen {
    ($self:ident, $key:expr, $variant:ident, $below:expr) => {
        match $self.written(&$key) {
            Some(Some(Record::$variant(record))) => Ok(Some(record.clone())),
            Some(_) => Ok(None),
            None => $below,
        }
    };
}

impl View for Imagined<'_> {
    fn revision(&self) -> Revision {
        View::revision(self.snapshot)
    }

    fn domain(&self, domain: &Domain) -> Result<Option<DomainRecord>, Unreadable> {
        seen!(self, Key::domain(domain), Domain, self.snapshot.domain(domain))
    }

    fn holder(&self, name: &Name) -> Result<Option<Kind>, Unreadable> {
        seen!(self, Key::name(name), Holder, self.snapshot.holder(name))
    }

    fn master(&self, name: &Name) -> Result<Option<Master>, Unreadable> {
        seen!(self, Key::master(name), Master, self.snapshot.master(name))
    }

    fn pop(&self, name: &Name) -> Result<Option<Pop>, Unreadable> {
        seen!(self, Key::pop(name), Pop, self.snapshot.pop(name))
    }

    fn list(&self, name: &Name) -> Result<Option<List>, Unreadable> {
        seen!(self, Key::list(name), List, self.snapshot.list(name))
    }

    fn alias(&self, key: &AliasKey) -> Result<Option<Alias>, Unreadable> {
        seen!(self, Key::alias(key), Alias, self.snapshot.alias(key))
    }

    fn handling(&self, id: AccountId) -> Result<Option<Handling>, Unreadable> {
        seen!(self, Key::handling(id), Handling, self.snapshot.handling(id))
    }

    fn member(&self, list: &Name, member: &Target) -> Result<Option<Member>, Unreadable> {
        seen!(self, Key::member(list, member), Member, self.snapshot.member(list, member))
    }

    fn aliases_to(&self, target: &Target) -> Result<Vec<AliasKey>, Unreadable> {
        let keys = Overlay::new(self.snapshot, Some(&self.layer)).keys(&Prefix::aliases_to(target))?;
        let alias = |key: &Key| match key.to_entry() {
            Some((_, Referrer::Alias(alias))) => Some(alias),
            _ => None,
        };
        Ok(keys.iter().filter_map(alias).collect())
    }
}
