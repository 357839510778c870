//! Walks a whole snapshot and holds it to every invariant, with code of its own: it shares nothing with the rules.

use std::collections::{BTreeMap, BTreeSet};

use restante::directory::*;
use restante::mail::{Address, Name};

/// Everything a snapshot holds, by ordinary maps.
pub struct Walked {
    domains: BTreeSet<String>,
    pops: BTreeMap<Name, Pop>,
    lists: BTreeMap<Name, Roster>,
    copies: BTreeMap<Name, Vec<Target>>,
    aliases: BTreeMap<AliasKey, Alias>,
    masters: BTreeMap<Name, Master>,
}

impl Walked {
    fn of(snapshot: &Snapshot<'_>) -> Self {
        let mut walked = Self {
            domains: BTreeSet::new(),
            pops: BTreeMap::new(),
            lists: BTreeMap::new(),
            copies: BTreeMap::new(),
            aliases: BTreeMap::new(),
            masters: BTreeMap::new(),
        };
        for record in snapshot.export_records() {
            match record.unwrap() {
                ExportRecord::Domain(domain) => assert!(walked.domains.insert(domain.domain.to_string())),
                ExportRecord::Pop(pop) => assert!(walked.pops.insert(pop.name.clone(), pop).is_none()),
                ExportRecord::List(list) => assert!(walked.lists.insert(list.name.clone(), list).is_none()),
                ExportRecord::Alias(alias) => assert!(walked.aliases.insert(alias.key.clone(), alias).is_none()),
                ExportRecord::Master(master) => assert!(walked.masters.insert(master.name.clone(), master).is_none()),
                ExportRecord::Trash(_) | ExportRecord::Style { .. } => {}
                ExportRecord::Member(member) => walked.lists.get_mut(&member.list).expect("a list").members.push(member.target),
                ExportRecord::Handling { name, handling } => assert!(walked.copies.insert(name, handling.copies).is_none()),
            }
        }
        for list in walked.lists.values() {
            let counted = snapshot.list(&list.name).unwrap().unwrap().members;
            assert_eq!(counted, list.members.len() as u64, "the members of {} are counted wrongly", list.name);
        }
        walked
    }

    /// What answers for an address: exact, without detail, catch-all.
    fn resolve(&self, address: &Address) -> Option<AliasKey> {
        let exact = AliasKey::Exact(address.clone());
        let base = address.local().split_once('+').filter(|(base, _)| !base.is_empty());
        let base = base.map(|(base, _)| AliasKey::Exact(Address::new(base, address.domain().clone())));
        let catch_all = AliasKey::CatchAll(address.domain().clone());
        [Some(exact), base, Some(catch_all)].into_iter().flatten().find(|key| self.aliases.contains_key(key))
    }

    fn exists(&self, target: &Target) -> bool {
        match target {
            Target::Account(name) => self.pops.contains_key(name) || self.lists.contains_key(name),
            Target::Domain(domain) => self.domains.contains(domain.as_str()),
            Target::Address(mailbox) => {
                let address = mailbox.address().expect("a target has a domain");
                !self.domains.contains(address.domain().as_str()) || self.resolve(&address).is_some()
            }
            Target::Reject(_) | Target::Discard => true,
        }
    }

    /// Follows mail to `address` through every branch; the way so far must not meet itself.
    fn follow(&self, address: &Address, way: &mut Vec<String>, done: &mut BTreeSet<String>) {
        if !self.domains.contains(address.domain().as_str()) {
            return;
        }
        let Some(key) = self.resolve(address) else { return };
        let place = match &key {
            AliasKey::Exact(_) => key.to_string(),
            AliasKey::CatchAll(_) => format!("{key} for {}", address.local()),
        };
        if self.enter(&place, way, done) {
            for target in &self.aliases[&key].targets {
                match target {
                    Target::Address(mailbox) => self.follow(&mailbox.address().unwrap(), way, done),
                    Target::Domain(domain) => self.follow(&Address::new(address.local(), domain.clone()), way, done),
                    Target::Account(name) => self.follow_list(name, way, done),
                    Target::Reject(_) | Target::Discard => {}
                }
            }
            way.pop();
        }
    }

    fn follow_list(&self, name: &Name, way: &mut Vec<String>, done: &mut BTreeSet<String>) {
        let Some(list) = self.lists.get(name) else { return };
        if self.enter(name.as_str(), way, done) {
            for target in list.members.iter().chain([&list.owner]) {
                match target {
                    Target::Address(mailbox) => self.follow(&mailbox.address().unwrap(), way, done),
                    Target::Account(name) => self.follow_list(name, way, done),
                    _ => {}
                }
            }
            way.pop();
        }
    }

    fn enter(&self, place: &str, way: &mut Vec<String>, done: &mut BTreeSet<String>) -> bool {
        assert!(!way.iter().any(|before| before == place), "D5: a circle: {way:?} -> {place}");
        if done.insert(place.to_owned()) {
            way.push(place.to_owned());
            return true;
        }
        false
    }
}

/// Holds a snapshot to D1 to D5, to its reverse index, its revision and its audit trail.
pub fn check(snapshot: &Snapshot<'_>) {
    let walked = Walked::of(snapshot);
    names(snapshot, &walked);
    hidden_aliases(&walked);
    targets(&walked);
    circles(&walked);
    reverse_index(snapshot, &walked);
    index(snapshot);
    audit(snapshot);
    trash(snapshot, &walked);
}

fn names(snapshot: &Snapshot<'_>, walked: &Walked) {
    let kinds = [
        (Kind::Master, walked.masters.keys().collect::<Vec<_>>()),
        (Kind::Pop, walked.pops.keys().collect()),
        (Kind::List, walked.lists.keys().collect()),
    ];
    let mut seen = BTreeSet::new();
    for (kind, names) in kinds {
        for name in names {
            assert!(seen.insert(name), "D1: `{name}` is held twice");
            assert_eq!(snapshot.holder(name).unwrap(), Some(kind), "D1: {name}");
        }
    }
    let ids: Vec<u64> = walked.pops.values().map(|pop| pop.id.0).chain(walked.lists.values().map(|list| list.id.0)).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id is held twice");
}

fn hidden_aliases(walked: &Walked) {
    let homes: BTreeMap<&Name, &restante::mail::Domain> = walked
        .pops
        .values()
        .map(|pop| (&pop.name, &pop.domain))
        .chain(walked.lists.values().map(|list| (&list.name, &list.domain)))
        .collect();
    for (name, home) in &homes {
        let key = AliasKey::Exact(Address::new(name.as_str(), (*home).clone()));
        let alias = walked.aliases.get(&key).unwrap_or_else(|| panic!("D2: {name} has no hidden alias"));
        assert_eq!(alias.standing, Standing::Hidden((*name).clone()), "D2");
        assert_eq!(alias.targets, [Target::Account((*name).clone())], "D3");
        assert!(walked.domains.contains(home.as_str()), "{name} lives nowhere");
    }
    let hidden = walked.aliases.values().filter(|alias| !alias.is_plain()).count();
    assert_eq!(hidden, homes.len(), "D3: a hidden alias without its account");
}

fn targets(walked: &Walked) {
    for alias in walked.aliases.values() {
        assert!(walked.domains.contains(alias.key.domain().as_str()), "{} is in no local domain", alias.key);
        assert!(!alias.targets.is_empty(), "D4: {} leads nowhere", alias.key);
        for target in &alias.targets {
            assert!(walked.exists(target), "D5: {} -> {target} dangles", alias.key);
            assert!(!matches!((target, &alias.key), (Target::Domain(_), AliasKey::Exact(_))));
        }
        let distinct: BTreeSet<String> = alias.targets.iter().map(|target| target.to_string().to_lowercase()).collect();
        assert_eq!(distinct.len(), alias.targets.len(), "{} leads somewhere twice", alias.key);
    }
    for list in walked.lists.values() {
        for target in list.members.iter().chain([&list.owner]) {
            assert!(walked.exists(target), "D5: list {} -> {target} dangles", list.name);
        }
    }
    for (name, copies) in &walked.copies {
        assert!(walked.pops.contains_key(name));
        for target in copies {
            assert!(walked.exists(target), "D5: copies of {name} -> {target} dangle");
        }
    }
}

fn circles(walked: &Walked) {
    let mut done = BTreeSet::new();
    let mut starts: BTreeSet<Address> = BTreeSet::new();
    for alias in walked.aliases.values() {
        match &alias.key {
            AliasKey::Exact(address) => starts.insert(address.clone()),
            AliasKey::CatchAll(domain) => starts.insert(Address::new("nobody-else", domain.clone())),
        };
        starts.extend(alias.targets.iter().filter_map(|target| if let Target::Address(m) = target { m.address() } else { None }));
    }
    // Each local part in use, in each domain: a catch-all may hand it on to another domain.
    let locals: BTreeSet<String> = starts.iter().map(|address| address.local().to_owned()).collect();
    for domain in &walked.domains {
        starts.extend(locals.iter().map(|local| Address::new(local, domain.parse().unwrap())));
    }
    for start in &starts {
        walked.follow(start, &mut Vec::new(), &mut done);
    }
}

fn reverse_index(snapshot: &Snapshot<'_>, walked: &Walked) {
    let mut forward: BTreeMap<String, BTreeSet<AliasKey>> = BTreeMap::new();
    for alias in walked.aliases.values() {
        for target in &alias.targets {
            forward.entry(target.to_string()).or_default().insert(alias.key.clone());
        }
    }
    for (text, keys) in &forward {
        let found = snapshot.aliases_to(&Target::parse(text).unwrap()).unwrap();
        assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), *keys, "the reverse index of {text}");
        assert_eq!(found.len(), keys.len());
    }
    let entries: usize = walked.aliases.values().map(|alias| alias.targets.len()).sum();
    let seats: usize = walked.lists.values().map(|list| list.members.len() + 1).sum();
    assert_eq!(
        restante_index_size(snapshot),
        entries + seats + walked.copies.values().map(Vec::len).sum::<usize>(),
        "the reverse index holds something else"
    );
}

/// The index holds what follows from the records, and nothing else.
fn index(snapshot: &Snapshot<'_>) {
    use restante::directory::rules::Records;
    use restante::directory::schema::{Family, Prefix, Record, index};
    let mut follows = BTreeSet::new();
    for record in snapshot.export_records() {
        follows.extend(match record.unwrap() {
            ExportRecord::Domain(domain) => index(&Record::Domain(domain)),
            ExportRecord::Pop(pop) => index(&Record::Pop(pop)),
            ExportRecord::Alias(alias) => index(&Record::Alias(alias)),
            ExportRecord::List(list) => index(&Record::List(snapshot.list(&list.name).unwrap().unwrap())),
            _ => Vec::new(),
        });
    }
    let found: BTreeSet<_> = snapshot.keys(&Prefix::all(Family::Index)).unwrap().into_iter().collect();
    assert_eq!(found, follows, "the index is not what follows from the records");
}

fn restante_index_size(snapshot: &Snapshot<'_>) -> usize {
    use restante::directory::rules::Records;
    use restante::directory::schema::{Family, Prefix};
    snapshot.keys(&Prefix::all(Family::Targets)).unwrap().len()
}

fn audit(snapshot: &Snapshot<'_>) {
    let entries = snapshot.audit(Revision(0), usize::MAX).unwrap();
    let revisions: Vec<u64> = entries.iter().map(|entry| entry.revision.0).collect();
    assert_eq!(revisions, (1..=View::revision(snapshot).0).collect::<Vec<_>>(), "the audit trail has gaps");
    for entry in entries {
        assert!(!serde_json::to_string(&entry).unwrap().contains("$argon2"), "D6: the audit trail holds a hash");
    }
}

fn trash(snapshot: &Snapshot<'_>, walked: &Walked) {
    let live: BTreeSet<u64> = walked.pops.values().map(|pop| pop.id.0).collect();
    for trashed in snapshot.trash().unwrap() {
        assert!(!live.contains(&trashed.pop.id.0), "D7: an account is both alive and in the trash");
    }
}
