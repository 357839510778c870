//! D1: one namespace.

use super::transaction::Draft;
use crate::directory::change::{ChangeError, Refusal, Suggestion};
use crate::directory::model::{AliasKey, Kind};
use crate::mail::{Address, Domain, Name};

/// How many numbered names are tried for a suggestion.
const TRIES: usize = 100;

/// Refuses a name that anybody holds.
pub fn refuse_taken(draft: &Draft<'_>, name: &Name) -> Result<(), ChangeError> {
    match draft.holder(name)? {
        None => Ok(()),
        Some(holder) => Err(Refusal::NameTaken { name: name.clone(), holder, suggestion: None }.into()),
    }
}

/// Refuses a name that anybody holds, saying how the address can be had all the same.
pub fn refuse_taken_in(draft: &Draft<'_>, name: &Name, domain: &Domain) -> Result<(), ChangeError> {
    let Some(holder) = draft.holder(name)? else { return Ok(()) };
    let address = AliasKey::Exact(hidden_address(name, domain));
    if draft.alias(&address)?.is_some() {
        return Err(Refusal::NameAndAddressTaken { name: name.clone(), holder, address }.into());
    }
    Err(Refusal::NameTaken { name: name.clone(), holder, suggestion: suggestion(draft, name, domain)? }.into())
}

/// The address of an account's hidden alias.
pub fn hidden_address(name: &Name, domain: &Domain) -> Address {
    Address::new(name.as_str(), domain.clone())
}

/// The hidden alias's key.
pub fn hidden_key(name: &Name, domain: &Domain) -> AliasKey {
    AliasKey::Exact(hidden_address(name, domain))
}

/// `info` in `example.org` becomes `info-example-org`, or that with a number. It is free, and so is its address.
fn suggestion(draft: &Draft<'_>, name: &Name, domain: &Domain) -> Result<Option<Suggestion>, ChangeError> {
    let alias = hidden_address(name, domain);
    let stem = format!("{name}-{}", domain.as_str().replace('.', "-"));
    for number in 1..=TRIES {
        let tail = if number == 1 { String::new() } else { format!("-{number}") };
        let Some(candidate) = shortened(&stem, &tail) else { return Ok(None) };
        if draft.holder(&candidate)?.is_none() && draft.alias(&hidden_key(&candidate, domain))?.is_none() {
            return Ok(Some(Suggestion { name: candidate, alias }));
        }
    }
    Ok(None)
}

fn shortened(stem: &str, tail: &str) -> Option<Name> {
    let room = Name::OCTETS.checked_sub(tail.len())?;
    let stem = stem.get(..stem.len().min(room))?.trim_end_matches(['-', '.', '_']);
    Name::parse(&format!("{stem}{tail}")).ok()
}

/// An account of this kind has to exist.
pub fn no_such(kind: Kind, name: &Name) -> ChangeError {
    Refusal::NoSuchAccount { kind, name: name.clone() }.into()
}
