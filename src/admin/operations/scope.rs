//! Walks through what a caller may see, domain by domain, so that an owner of three accounts among a million waits for three.

use crate::admin::permission::Caller;
use crate::directory::{Page, Snapshot, Unreadable, View};
use crate::mail::Domain;

/// Domains that one request walks through: most of them may hold nothing that is wanted.
const DOMAINS: usize = 1000;

/// Where a walk stands: in a domain after a record, or behind it. As text: `domain record`, or `domain`.
struct Place {
    domain: Domain,
    record: Option<String>,
}

impl Place {
    fn read(after: &str) -> Option<Self> {
        let (domain, record) = after.split_once(' ').map_or((after, None), |(domain, record)| (domain, Some(record.to_owned())));
        Some(Self { domain: Domain::parse(domain).ok()?, record })
    }
}

/// The records of all domains that the caller sees, in order of domain. `fetch` gives those of one.
pub(super) fn by_domain<R>(
    snapshot: &Snapshot<'_>,
    caller: &Caller,
    after: Option<&str>,
    limit: usize,
    fetch: impl Fn(&Domain, Option<&str>, usize) -> Result<Page<R>, Unreadable>,
) -> Result<Page<R>, Unreadable> {
    let mut place = after.and_then(Place::read);
    let mut records = Vec::new();
    for _ in 0..DOMAINS {
        let (domain, record) = match place {
            // One that was given away since the page before is left alone.
            Some(Place { domain, record: Some(record) }) if caller.sees(snapshot, &domain)? => (domain, Some(record)),
            place => match next_domain(snapshot, caller, place.map(|place| place.domain))? {
                Some(domain) => (domain, None),
                None => return Ok(Page { records, next: None }),
            },
        };
        let found = fetch(&domain, record.as_deref(), limit - records.len())?;
        records.extend(found.records);
        if let Some(next) = found.next {
            return Ok(Page { records, next: Some(format!("{domain} {next}")) });
        }
        if records.len() >= limit {
            return Ok(Page { records, next: Some(domain.to_string()) });
        }
        place = Some(Place { domain, record: None });
    }
    Ok(Page { records, next: place.map(|place| place.domain.to_string()) })
}

fn next_domain(snapshot: &Snapshot<'_>, caller: &Caller, after: Option<Domain>) -> Result<Option<Domain>, Unreadable> {
    let after = after.as_ref().map(Domain::as_str);
    let page = match caller.confined_to() {
        Some(master) => snapshot.domains_of(master, after, 1)?,
        None => snapshot.domains(after, 1)?,
    };
    Ok(page.records.into_iter().next().map(|record| record.domain))
}

/// The records of one domain, if the caller sees it.
pub(super) fn in_domain<R>(
    snapshot: &Snapshot<'_>,
    caller: &Caller,
    domain: &Domain,
    fetch: impl FnOnce(&Domain) -> Result<Page<R>, Unreadable>,
) -> Result<Page<R>, Unreadable> {
    if snapshot.domain(domain)?.is_some() && caller.sees(snapshot, domain)? {
        fetch(domain)
    } else {
        Ok(Page { records: Vec::new(), next: None })
    }
}
