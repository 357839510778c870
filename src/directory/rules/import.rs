//! A record of an export, put back as it was: under the same invariants, with its dates, notes, counts and, where it
//! is free, its id.

use super::transaction::Draft;
use super::{alias, domain, handling, list, master, pop, trash};
use crate::directory::change::{ChangeError, Effect, ExportRecord, Refusal};
use crate::directory::model::{AccountId, Alias, Pop, Roster, Standing, Trashed};
use crate::directory::password;
use crate::directory::schema::{Key, Record, Uses};

pub fn put(draft: &mut Draft<'_>, record: &ExportRecord, fresh: AccountId) -> Result<(), ChangeError> {
    match record {
        ExportRecord::Domain(record) => domain::add(draft, &record.domain, record.owner.as_ref(), record.created),
        ExportRecord::Master(record) => master::put_new(draft, record.clone()),
        ExportRecord::Pop(record) => pop::add(draft, Pop { id: kept(draft, record.id, fresh)?, ..record.clone() }),
        ExportRecord::List(record) => list::add(draft, Roster { id: kept(draft, record.id, fresh)?, ..record.clone() }, record.created),
        ExportRecord::Alias(record) => match record.standing {
            Standing::Plain => put_plain(draft, record),
            Standing::Hidden(_) => put_hidden(draft, record),
        },
        ExportRecord::Trash(record) => put_trash(draft, record, fresh),
        ExportRecord::Style { name, style } => list::restyle(draft, name, style),
        ExportRecord::Member(member) => list::put_back(draft, member),
        ExportRecord::Handling { name, handling } => {
            handling::set_copies(draft, name, &handling.copies)?;
            handling::set_vacation(draft, name, handling.vacation.as_ref())
        }
    }
}

/// The id it had, unless another account has it by now.
fn kept(draft: &Draft<'_>, id: AccountId, fresh: AccountId) -> Result<AccountId, ChangeError> {
    let free = id.0 > 0 && draft.get(&Key::id(id))?.is_none();
    Ok(if free { id } else { fresh })
}

fn put_plain(draft: &mut Draft<'_>, record: &Alias) -> Result<(), ChangeError> {
    alias::refuse_form(draft, &record.key)?;
    if draft.alias(&record.key)?.is_some() {
        return Err(Refusal::AddressTaken { address: record.key.clone() }.into());
    }
    if record.targets.is_empty() {
        return Err(Refusal::BadValue(format!("the alias `{}` has no targets", record.key)).into());
    }
    let note = alias::note_text(&record.note)?;
    let bare = Alias { targets: Vec::new(), note, last_used: None, uses: 0, ..record.clone() };
    alias::extend(draft, bare, &record.targets)?;
    put_uses(draft, record);
    Ok(())
}

/// A hidden alias comes with its account; only its counts are its own.
fn put_hidden(draft: &mut Draft<'_>, record: &Alias) -> Result<(), ChangeError> {
    let Some(alias) = draft.alias(&record.key)? else { return Err(Refusal::NoSuchAlias(record.key.clone()).into()) };
    if alias.standing != record.standing {
        return Err(Refusal::AddressTaken { address: record.key.clone() }.into());
    }
    put_uses(draft, record);
    if record.created != alias.created {
        draft.put_alias(Alias { created: record.created, ..alias });
    }
    draft.tell(Effect::AliasEdited { address: record.key.clone() });
    Ok(())
}

fn put_uses(draft: &mut Draft<'_>, record: &Alias) {
    if let Some(last) = record.last_used {
        draft.put(Key::uses(&record.key), Record::Uses(Uses { last, times: record.uses }));
    }
}

fn put_trash(draft: &mut Draft<'_>, record: &Trashed, fresh: AccountId) -> Result<(), ChangeError> {
    password::check(&record.pop.password)?;
    let id = pop::free_id(draft, kept(draft, record.pop.id, fresh)?)?;
    let pop = Pop { id, ..record.pop.clone() };
    draft.tell(Effect::PopTrashed { id, name: pop.name.clone() });
    trash::put(draft, Trashed { pop, ..record.clone() });
    Ok(())
}
