//! After a crash: Maildirs that have not followed the directory.
//!
//! A change is in the directory first, and then carried out in the Maildirs. A crash in between leaves a folder under a
//! name that its account no longer has, or an account in the trash whose folder is not. A missing folder needs no
//! healing: it is made at first use. Mail that no account claims is left where it is.

use crate::directory::{AccountId, Directory, Effect, Snapshot, Unreadable, View as _};
use crate::mail::{Address, Name};
use crate::maildir::Maildirs;
use crate::router::Destination;
use crate::telemetry::Event;

/// Lets the Maildirs follow, beside a server that serves already, until it is told to stop. What fails is logged: it keeps
/// nobody else from their mail.
pub(super) fn heal(directory: &Directory, maildirs: &Maildirs, stopped: impl Fn() -> bool) {
    let failed = |cause: String| Event::TaskFailed { task: "comparing Maildirs with the directory", cause: &cause }.say();
    let claimed = match maildirs.claimed() {
        Ok(claimed) => claimed,
        Err(error) => return failed(error.to_string()),
    };
    for (name, id) in claimed {
        if stopped() {
            return;
        }
        // Asked anew each time: an admin may be at work.
        match missed(&directory.snapshot(), name, id) {
            Ok(effect) => effect.map_or(Ok(()), |effect| maildirs.follow(&[effect])).unwrap_or_else(|error| failed(error.to_string())),
            Err(cause) => failed(cause.to_string()),
        }
    }
}

/// The effect that an account's folder, found under `name`, has missed.
fn missed(snapshot: &Snapshot<'_>, name: Name, id: AccountId) -> Result<Option<Effect>, Unreadable> {
    Ok(match snapshot.pop_with_id(id)? {
        Some(pop) if pop.name == name => None,
        Some(pop) => Some(Effect::PopRenamed { id, from: name, to: pop.name }),
        None => snapshot.is_trashed(id)?.then_some(Effect::PopTrashed { id, name }),
    })
}

/// Where an account's mail goes now: by its last known name, or, after a change of name, by its id.
pub(super) fn mailbox(snapshot: &Snapshot<'_>, id: AccountId, name: &Name) -> Option<Destination> {
    let by_name = snapshot.pop(name).ok()?.filter(|pop| pop.id == id);
    let pop = by_name.or_else(|| snapshot.pop_with_id(id).ok().flatten())?;
    let address = Address::new(pop.name.as_str(), pop.domain);
    Some(Destination { id, name: pop.name, address, quota: pop.quota })
}
