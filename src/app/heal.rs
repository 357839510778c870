//! After a crash: Maildirs that have not followed the directory.
//!
//! A change is in the directory first, and then carried out in the Maildirs. A crash in between leaves a folder under a
//! name that its account no longer has, or an account in the trash whose folder is not. A missing folder needs no
//! healing: it is made at first use. Mail that no account claims is left where it is.

use std::collections::HashSet;

use crate::directory::Pop;
use crate::directory::{AccountId, Directory, Effect, Snapshot, Unreadable, View as _};
use crate::mail::{Address, Name};
use crate::maildir::Maildirs;
use crate::router::Destination;
use crate::telemetry::Event;

/// Accounts read at a time.
const PAGE: usize = 1000;

/// Lets the Maildirs follow. What fails is logged: it keeps nobody else from their mail.
pub(super) fn heal(directory: &Directory, maildirs: &Maildirs) {
    let failed = |cause: String| Event::TaskFailed { task: "comparing Maildirs with the directory", cause: &cause }.say();
    let snapshot = directory.snapshot();
    let effects = match missed(&snapshot, maildirs) {
        Ok(effects) => effects,
        Err(cause) => return failed(cause),
    };
    for effect in effects {
        if let Err(error) = maildirs.follow(std::slice::from_ref(&effect)) {
            failed(error.to_string());
        }
    }
}

/// The effects that folders under wrong names have missed.
fn missed(snapshot: &Snapshot<'_>, maildirs: &Maildirs) -> Result<Vec<Effect>, String> {
    let trashed: HashSet<AccountId> = snapshot.trash().map_err(|e| e.to_string())?.into_iter().map(|t| t.pop.id).collect();
    let mut effects = Vec::new();
    for (name, id) in maildirs.claimed().map_err(|e| e.to_string())? {
        if trashed.contains(&id) {
            effects.push(Effect::PopTrashed { id, name });
        } else if snapshot.pop(&name).map_err(|e| e.to_string())?.is_none_or(|pop| pop.id != id)
            && let Some(pop) = with_id(snapshot, id).map_err(|e| e.to_string())?
        {
            effects.push(Effect::PopRenamed { id, from: name, to: pop.name });
        }
    }
    Ok(effects)
}

/// Where an account's mail goes now: by its last known name, or, after a change of name, by its id.
pub(super) fn mailbox(snapshot: &Snapshot<'_>, id: AccountId, name: &Name) -> Option<Destination> {
    let by_name = snapshot.pop(name).ok()?.filter(|pop| pop.id == id);
    let pop = by_name.or_else(|| with_id(snapshot, id).ok().flatten())?;
    let address = Address::new(pop.name.as_str(), pop.domain);
    Some(Destination { id, name: pop.name, address, quota: pop.quota })
}

/// Reads all accounts: for what happens after a crash, or to mail of an account that was renamed while it waited.
fn with_id(snapshot: &Snapshot<'_>, id: AccountId) -> Result<Option<Pop>, Unreadable> {
    let mut after: Option<String> = None;
    loop {
        let page = snapshot.pops(after.as_deref(), PAGE)?;
        if let Some(pop) = page.records.into_iter().find(|pop| pop.id == id) {
            return Ok(Some(pop));
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(None),
        }
    }
}
