//! Reading the trash: deleted POP accounts (D7), by the names they had.

use super::snapshot::{Page, Snapshot};
use crate::directory::model::{AccountId, Trashed};
use crate::directory::schema::{Family, Key, Prefix, Record};
use crate::directory::view::Unreadable;
use crate::mail::Name;

impl Snapshot<'_> {
    /// POP accounts in the trash, by id.
    pub fn trash(&self) -> Result<Vec<Trashed>, Unreadable> {
        let mut all = self.trash_below(&Prefix::all(Family::Trash))?;
        all.sort_by_key(|trashed| trashed.pop.id);
        Ok(all)
    }

    /// Those that had this name, the latest last.
    pub fn trash_of(&self, name: &Name) -> Result<Vec<Trashed>, Unreadable> {
        self.trash_below(&Prefix::trash(name))
    }

    fn trash_below(&self, prefix: &Prefix) -> Result<Vec<Trashed>, Unreadable> {
        let mut all = Vec::new();
        self.each(prefix, None, |_, record| {
            if let Record::Trash(trashed) = record {
                all.push(*trashed);
            }
            true
        })?;
        Ok(all)
    }

    /// POP accounts in the trash after `after`, by the name they had; the latest of a name last.
    pub fn trash_page(&self, after: Option<&str>, limit: usize) -> Result<Page<Trashed>, Unreadable> {
        let key = |(name, id): (&str, &str)| Some(Key::trash(&Name::parse(name).ok()?, AccountId(id.parse().ok()?)).bytes);
        let after = after.and_then(|after| key(after.split_once(' ')?));
        let record = |record| if let Record::Trash(trashed) = record { Some(*trashed) } else { None };
        self.page(&Prefix::all(Family::Trash), after, limit, record, |trashed| format!("{} {}", trashed.pop.name, trashed.pop.id.0))
    }
}
