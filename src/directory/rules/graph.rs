//! Where addresses lead (D5): what a target resolves to, and whether a chain comes back to itself.
//!
//! Follows what the router follows: exact alias, else without `+detail`, else catch-all; `@domain` keeps the local part.
//! A list leads to its members and its owner, though the router ends there: distribution goes on from it.

use std::collections::{BTreeSet, HashMap};

use super::name::hidden_key;
use super::transaction::Draft;
use crate::directory::change::{ChangeError, Refusal};
use crate::directory::model::{AliasKey, Kind, Target};
use crate::directory::schema::{Prefix, Referrer};
use crate::mail::{Address, Domain, Mailbox, Name};

/// Places that one check may visit: far beyond any table that people keep, near enough to end soon.
const PLACES: usize = 100_000;

/// A local part that no mailbox can have: it stands for any that has no alias of its own.
const ANY_LOCAL: &str = "\0";

/// The default subaddress separator. Targets are held to it whatever routing is configured to: a target that only
/// another separator could resolve would dangle when the configuration changes back.
const DETAIL: char = '+';

/// The address without its detail.
fn base(address: &Address) -> Option<Address> {
    let (base, _) = address.local().split_once(DETAIL)?;
    if base.is_empty() { None } else { Some(Address::new(base, address.domain().clone())) }
}

/// The alias that answers for an address of a local domain.
pub fn resolve(draft: &Draft<'_>, address: &Address) -> Result<Option<AliasKey>, ChangeError> {
    let exact = AliasKey::Exact(address.clone());
    if draft.alias(&exact)?.is_some() {
        return Ok(Some(exact));
    }
    if let Some(base) = base(address).map(AliasKey::Exact)
        && draft.alias(&base)?.is_some()
    {
        return Ok(Some(base));
    }
    let catch_all = AliasKey::CatchAll(address.domain().clone());
    Ok(draft.alias(&catch_all)?.map(|alias| alias.key))
}

/// Whether a target may be stored, in the spelling to be stored: local addresses folded.
pub fn settled(draft: &Draft<'_>, target: &Target) -> Result<Target, ChangeError> {
    let missing = || ChangeError::from(Refusal::NoSuchTarget { target: target.clone() });
    match target {
        Target::Account(name) => match draft.holder(name)? {
            Some(Kind::Pop | Kind::List) => Ok(target.clone()),
            Some(Kind::Master) | None => Err(missing()),
        },
        Target::Address(mailbox) => {
            let literal = || Refusal::BadValue(format!("`{mailbox}` has an address literal; give a domain name"));
            let address = mailbox.address().ok_or_else(literal)?;
            if !draft.is_local(address.domain())? {
                return Ok(target.clone());
            }
            resolve(draft, &address)?.ok_or_else(missing)?;
            folded(&address)
        }
        Target::Domain(domain) if draft.is_local(domain)? => Ok(target.clone()),
        Target::Domain(_) => Err(missing()),
        Target::Reject(_) | Target::Discard => Ok(target.clone()),
    }
}

/// An address as a target, in its folded spelling.
pub fn folded(address: &Address) -> Result<Target, ChangeError> {
    let refused = |e: crate::mail::AddressError| Refusal::BadValue(e.to_string());
    Ok(Target::Address(Mailbox::parse(&address.to_string()).map_err(refused)?))
}

/// The local domains whose catch-all hands its mail on to `domain`, near or far, `domain` itself first.
fn upstream(draft: &Draft<'_>, domain: &Domain) -> Result<Vec<Domain>, ChangeError> {
    let mut found = vec![domain.clone()];
    let mut seen: BTreeSet<Domain> = found.iter().cloned().collect();
    let mut next = 0;
    while let Some(domain) = found.get(next).cloned() {
        next += 1;
        for (_, referrer) in draft.entries(&Prefix::entries(&Target::Domain(domain)))? {
            if let Referrer::Alias(AliasKey::CatchAll(from)) = referrer
                && seen.insert(from.clone())
            {
                found.push(from);
            }
        }
    }
    Ok(found)
}

/// Every entry, seat and owner that leads to this alias: by its address, by its address with a detail, and through
/// domains whose catch-all hands its mail on. Asked while the alias still exists.
pub fn referrers(draft: &Draft<'_>, key: &AliasKey) -> Result<Vec<(Target, Referrer)>, ChangeError> {
    let mut found = Vec::new();
    match key {
        AliasKey::CatchAll(domain) => found.extend(draft.entries(&Prefix::into_domain(domain))?),
        AliasKey::Exact(address) => {
            for domain in upstream(draft, address.domain())? {
                let here = Address::new(address.local(), domain);
                found.extend(draft.entries(&Prefix::entries(&folded(&here)?))?);
                if !address.local().contains(DETAIL) {
                    found.extend(draft.entries(&Prefix::details(&here))?);
                }
            }
        }
    }
    let mut leading = Vec::with_capacity(found.len());
    for (target, referrer) in found {
        let Target::Address(mailbox) = &target else { continue };
        if let Some(address) = mailbox.address()
            && lands_on(draft, &address, key)?
        {
            leading.push((target, referrer));
        }
    }
    Ok(leading)
}

/// Whether an address resolves to `key`, itself or handed on from domain to domain.
fn lands_on(draft: &Draft<'_>, address: &Address, key: &AliasKey) -> Result<bool, ChangeError> {
    let mut todo = vec![address.domain().clone()];
    let mut seen = BTreeSet::new();
    while let Some(domain) = todo.pop() {
        if !seen.insert(domain.clone()) {
            continue;
        }
        let Some(found) = resolve(draft, &Address::new(address.local(), domain))? else { continue };
        if found == *key {
            return Ok(true);
        }
        if let AliasKey::CatchAll(_) = found
            && let Some(alias) = draft.alias(&found)?
        {
            todo.extend(alias.targets.into_iter().filter_map(|target| if let Target::Domain(next) = target { Some(next) } else { None }));
        }
    }
    Ok(false)
}

/// A step on the way of a message. At a catch-all the local part belongs to it, since `@domain` keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Place {
    Exact(AliasKey),
    CatchAll(Address),
    List(Name),
}

/// Refuses an alias that leads back to itself, now that `draft` holds it.
pub fn refuse_cycle(draft: &Draft<'_>, key: &AliasKey) -> Result<(), ChangeError> {
    let mut walk = Walk::default();
    match key {
        AliasKey::Exact(_) => walk.from(draft, Place::Exact(key.clone())),
        AliasKey::CatchAll(domain) => {
            walk.from(draft, Place::CatchAll(Address::new(ANY_LOCAL, domain.clone())))?;
            // With `@domain` among its targets, each local part goes a way of its own: look at those in use.
            let Some(alias) = draft.alias(key)? else { return Ok(()) };
            if !alias.targets.iter().any(|target| matches!(target, Target::Domain(_))) {
                return Ok(());
            }
            for domain in upstream(draft, domain)? {
                for (target, _) in draft.entries(&Prefix::into_domain(&domain))? {
                    if let Some(place) = place(draft, &target, None)? {
                        walk.from(draft, place)?;
                    }
                }
            }
            Ok(())
        }
    }
}

/// Refuses a list that leads back to itself, now that `draft` holds it.
pub fn refuse_list_cycle(draft: &Draft<'_>, name: &Name) -> Result<(), ChangeError> {
    Walk::default().from(draft, Place::List(name.clone()))
}

/// Whether mail goes on from a target to other targets.
pub fn goes_on(draft: &Draft<'_>, target: &Target) -> Result<bool, ChangeError> {
    match target {
        Target::Account(name) => Ok(draft.holder(name)? == Some(Kind::List)),
        Target::Address(mailbox) => mailbox.domain().map_or(Ok(false), |domain| draft.is_local(domain)),
        Target::Domain(_) => Ok(true),
        Target::Reject(_) | Target::Discard => Ok(false),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    OnTheWay,
    Left,
}

/// A walk in depth with its marks: a place met again while still on the way closes a circle.
#[derive(Default)]
struct Walk {
    marks: HashMap<Place, Mark>,
}

impl Walk {
    fn from(&mut self, draft: &Draft<'_>, start: Place) -> Result<(), ChangeError> {
        if self.marks.contains_key(&start) {
            return Ok(());
        }
        let mut way: Vec<(Place, Vec<Place>)> = Vec::new();
        let mut next = Some(start);
        loop {
            if let Some(place) = next.take() {
                match self.marks.get(&place) {
                    Some(Mark::OnTheWay) => return Err(Refusal::Cycle { path: circle(draft, &way, &place)? }.into()),
                    Some(Mark::Left) => {}
                    None => {
                        self.marks.insert(place.clone(), Mark::OnTheWay);
                        if self.marks.len() > PLACES {
                            let why = format!("more than {PLACES} places lie behind this target; split the aliases up");
                            return Err(Refusal::BadValue(why).into());
                        }
                        let ahead = ahead(draft, &place)?;
                        way.push((place, ahead));
                    }
                }
            }
            let Some((place, ahead)) = way.last_mut() else { return Ok(()) };
            next = ahead.pop();
            if next.is_none() {
                self.marks.insert(place.clone(), Mark::Left);
                way.pop();
            }
        }
    }
}

/// Where mail goes on from a place, the first target last.
fn ahead(draft: &Draft<'_>, from: &Place) -> Result<Vec<Place>, ChangeError> {
    let (targets, local) = match from {
        Place::Exact(key) => (draft.alias(key)?.map(|alias| alias.targets), None),
        Place::CatchAll(address) => {
            (draft.alias(&AliasKey::CatchAll(address.domain().clone()))?.map(|alias| alias.targets), Some(address.local()))
        }
        Place::List(name) => {
            let mut targets = draft.members(name)?;
            targets.extend(draft.list(name)?.map(|list| list.owner));
            (Some(targets), None)
        }
    };
    let mut places = Vec::new();
    for target in targets.unwrap_or_default().iter().rev() {
        places.extend(place(draft, target, local)?);
    }
    Ok(places)
}

/// The place a target leads to, unless mail ends there.
fn place(draft: &Draft<'_>, target: &Target, local: Option<&str>) -> Result<Option<Place>, ChangeError> {
    let address = match (target, local) {
        (Target::Account(name), _) => return Ok(if goes_on(draft, target)? { Some(Place::List(name.clone())) } else { None }),
        (Target::Address(mailbox), _) => mailbox.address(),
        (Target::Domain(domain), Some(local)) => Some(Address::new(local, domain.clone())),
        (Target::Domain(_), None) | (Target::Reject(_) | Target::Discard, _) => None,
    };
    let Some(address) = address else { return Ok(None) };
    if !draft.is_local(address.domain())? {
        return Ok(None);
    }
    Ok(resolve(draft, &address)?.map(|key| match key {
        AliasKey::Exact(_) => Place::Exact(key),
        AliasKey::CatchAll(_) => Place::CatchAll(address),
    }))
}

/// The keys from the place that was met again, to itself.
fn circle(draft: &Draft<'_>, way: &[(Place, Vec<Place>)], again: &Place) -> Result<Vec<AliasKey>, ChangeError> {
    let on_circle = way.iter().map(|(place, _)| place).skip_while(|place| *place != again).chain([again]);
    let mut keys = Vec::new();
    for place in on_circle {
        match place {
            Place::Exact(key) => keys.push(key.clone()),
            Place::CatchAll(address) => keys.push(AliasKey::CatchAll(address.domain().clone())),
            Place::List(name) => keys.extend(draft.list(name)?.map(|list| hidden_key(&list.name, &list.domain))),
        }
    }
    Ok(keys)
}
