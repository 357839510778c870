//! Keys. Text parts end in NUL, which no name, domain or local part can hold, so that a prefix never reaches into its neighbour.

use std::sync::Arc;

use crate::directory::model::{AccountId, AliasKey, Revision, Target};
use crate::mail::{Address, Domain, Name};

/// The column families: one for each kind of record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Domain → its record.
    Domains,
    /// Name → the kind that holds it (D1).
    Names,
    /// Account id → its name, also while it is in the trash.
    Ids,
    /// Name → master.
    Masters,
    /// Name → POP account.
    Pops,
    /// Name → list account.
    Lists,
    /// Domain, local part → alias.
    Aliases,
    /// Target, referrer → nothing: the reverse index.
    Targets,
    /// Name, id → deleted POP account.
    Trash,
    /// Domain, local part → how often the alias was used. Apart from the alias, so that counting never meets an edit.
    Uses,
    /// Account id → when its owner logged in last. Apart from the account for the same reason.
    Logins,
    /// Revision → audit entry.
    Audit,
    /// The revision, and the next account id.
    Meta,
    /// Digest → bearer token.
    Tokens,
    /// Digest → when the token was last used. Apart from the token, so that using it is no change.
    TokenUses,
    /// What records are found by beside their keys (see [`super::index()`]) → nothing.
    Index,
    /// List, member → the member. Accounts before addresses, each in the order of their folded spelling.
    Members,
    /// List, member → what came back from it. Apart from the member, so that counting never meets an edit.
    Bounces,
    /// Account id → what happens with its mail beside delivery.
    Handling,
    /// Account id, sender → when it was told that the owner is away.
    Replied,
    /// Name → second factor of a master. Apart from the master, which exports carry away.
    Seconds,
}

impl Family {
    /// The families whose records have an index.
    pub const INDEXED: [Self; 5] = [Self::Domains, Self::Pops, Self::Lists, Self::Aliases, Self::Tokens];

    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::Domains,
        Self::Names,
        Self::Ids,
        Self::Masters,
        Self::Pops,
        Self::Lists,
        Self::Aliases,
        Self::Targets,
        Self::Trash,
        Self::Uses,
        Self::Logins,
        Self::Audit,
        Self::Meta,
        Self::Tokens,
        Self::TokenUses,
        Self::Index,
        Self::Members,
        Self::Bounces,
        Self::Handling,
        Self::Replied,
        Self::Seconds,
    ];

    /// The name of the column family.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Domains => "domains",
            Self::Names => "names",
            Self::Ids => "ids",
            Self::Masters => "masters",
            Self::Pops => "pops",
            Self::Lists => "lists",
            Self::Aliases => "aliases",
            Self::Targets => "targets",
            Self::Trash => "trash",
            Self::Uses => "uses",
            Self::Logins => "logins",
            Self::Audit => "audit",
            Self::Meta => "meta",
            Self::Tokens => "tokens",
            Self::TokenUses => "token_uses",
            Self::Index => "index",
            Self::Members => "members",
            Self::Bounces => "bounces",
            Self::Handling => "handling",
            Self::Replied => "replied",
            Self::Seconds => "seconds",
        }
    }
}

/// Where one record lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The family.
    pub family: Family,
    /// Its place there. Shared, since read sets, write sets and overlays all hold it.
    pub bytes: Arc<[u8]>,
}

/// Keys that lie together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    /// The family.
    pub family: Family,
    /// What their bytes begin with.
    pub bytes: Arc<[u8]>,
}

/// Who leads to a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Referrer {
    /// An alias, by an entry.
    Alias(AliasKey),
    /// A list, by a member's seat.
    Seat(Name),
    /// A list, by its owner.
    Owner(Name),
    /// A POP account, by the copies of its mail.
    Copy(Name),
}

const END: u8 = 0;

impl Key {
    fn new(family: Family, bytes: impl Into<Arc<[u8]>>) -> Self {
        Self { family, bytes: bytes.into() }
    }
    /// Of a domain.
    pub fn domain(domain: &Domain) -> Self {
        Self::new(Family::Domains, domain.as_str().as_bytes())
    }
    /// Of the holder of a name.
    pub fn name(name: &Name) -> Self {
        Self::new(Family::Names, name.as_str().as_bytes())
    }
    /// Of the name of an account.
    pub fn id(id: AccountId) -> Self {
        Self::new(Family::Ids, id.0.to_be_bytes().as_slice())
    }
    /// Of a master.
    pub fn master(name: &Name) -> Self {
        Self::new(Family::Masters, name.as_str().as_bytes())
    }
    /// Of a master's second factor.
    pub fn second(name: &Name) -> Self {
        Self::new(Family::Seconds, name.as_str().as_bytes())
    }
    /// Of a POP account.
    pub fn pop(name: &Name) -> Self {
        Self::new(Family::Pops, name.as_str().as_bytes())
    }
    /// Of a list account.
    pub fn list(name: &Name) -> Self {
        Self::new(Family::Lists, name.as_str().as_bytes())
    }
    /// Of an alias.
    pub fn alias(key: &AliasKey) -> Self {
        Self::new(Family::Aliases, alias_bytes(key))
    }
    /// Of an alias's uses.
    pub fn uses(key: &AliasKey) -> Self {
        Self::new(Family::Uses, alias_bytes(key))
    }
    /// Of an account's last login.
    pub fn login(id: AccountId) -> Self {
        Self::new(Family::Logins, id.0.to_be_bytes().as_slice())
    }
    /// Of a member of a list.
    pub fn member(list: &Name, member: &Target) -> Self {
        Self::new(Family::Members, member_bytes(list, member))
    }
    /// Of what came back from a member of a list.
    pub fn bounces(list: &Name, member: &Target) -> Self {
        Self::new(Family::Bounces, member_bytes(list, member))
    }
    /// Of what happens with the mail of an account.
    pub fn handling(id: AccountId) -> Self {
        Self::new(Family::Handling, id.0.to_be_bytes().as_slice())
    }
    /// Of what a sender was told.
    pub fn replied(id: AccountId, sender: &str) -> Self {
        let mut bytes = id.0.to_be_bytes().to_vec();
        bytes.extend_from_slice(sender.as_bytes());
        Self::new(Family::Replied, bytes)
    }
    /// Of the mark that `referrer` leads to `target`.
    pub fn entry(target: &Target, referrer: &Referrer) -> Self {
        let mut bytes = target_bytes(target);
        match referrer {
            Referrer::Alias(key) => {
                bytes.push(b'a');
                push_alias(&mut bytes, key);
            }
            Referrer::Seat(list) => {
                bytes.push(b'm');
                bytes.extend_from_slice(list.as_str().as_bytes());
            }
            Referrer::Owner(list) => {
                bytes.push(b'o');
                bytes.extend_from_slice(list.as_str().as_bytes());
            }
            Referrer::Copy(pop) => {
                bytes.push(b'p');
                bytes.extend_from_slice(pop.as_str().as_bytes());
            }
        }
        Self::new(Family::Targets, bytes)
    }
    /// Of a deleted POP account.
    pub fn trash(name: &Name, id: AccountId) -> Self {
        let mut bytes = name.as_str().as_bytes().to_vec();
        bytes.push(END);
        bytes.extend_from_slice(&id.0.to_be_bytes());
        Self::new(Family::Trash, bytes)
    }
    /// Of an audit entry.
    pub fn audit(revision: Revision) -> Self {
        Self::new(Family::Audit, revision.0.to_be_bytes().as_slice())
    }
    /// Of the counters.
    pub fn counters() -> Self {
        Self::new(Family::Meta, b"counters".as_slice())
    }

    /// The alias that a key of [`Family::Aliases`] or [`Family::Uses`] names.
    pub fn to_alias(&self) -> Option<AliasKey> {
        read_alias(&self.bytes)
    }
    /// The name that a key of a family of names holds.
    pub fn to_name(&self) -> Option<Name> {
        Name::parse(std::str::from_utf8(&self.bytes).ok()?).ok()
    }
    /// The domain that a key of [`Family::Domains`] names.
    pub fn to_domain(&self) -> Option<Domain> {
        Domain::parse(std::str::from_utf8(&self.bytes).ok()?).ok()
    }
    /// The id in a key of [`Family::Ids`], [`Family::Trash`] or [`Family::Audit`]: its last eight octets.
    pub fn to_number(&self) -> Option<u64> {
        self.bytes.last_chunk().map(|last| u64::from_be_bytes(*last))
    }
    /// The list and the member, in folded spelling, of a key of [`Family::Members`] or [`Family::Bounces`].
    pub fn to_member(&self) -> Option<(Name, Target)> {
        let (list, rest) = read_text(&self.bytes)?;
        let (member, _) = read_target(rest.get(1..)?)?;
        Some((Name::parse(list).ok()?, member))
    }
    /// The target and referrer of a key of [`Family::Targets`].
    pub fn to_entry(&self) -> Option<(Target, Referrer)> {
        let (target, rest) = read_target(&self.bytes)?;
        let (tag, rest) = rest.split_first()?;
        let name = || Name::parse(std::str::from_utf8(rest).ok()?).ok();
        let referrer = match tag {
            b'a' => Referrer::Alias(read_alias(rest)?),
            b'm' => Referrer::Seat(name()?),
            b'o' => Referrer::Owner(name()?),
            b'p' => Referrer::Copy(name()?),
            _ => return None,
        };
        Some((target, referrer))
    }
}

impl Prefix {
    /// A whole family.
    pub fn all(family: Family) -> Self {
        Self { family, bytes: Arc::default() }
    }
    /// The aliases of a domain, its catch-all first.
    pub fn aliases(domain: &Domain) -> Self {
        Self { family: Family::Aliases, bytes: terminated(domain.as_str()).into() }
    }
    /// The aliases of a domain whose local part begins like this.
    pub fn aliases_beginning(domain: &Domain, local: &str) -> Self {
        Self { family: Family::Aliases, bytes: [terminated(domain.as_str()), local.as_bytes().to_vec()].concat().into() }
    }
    /// Whatever leads to a target.
    pub fn entries(target: &Target) -> Self {
        Self { family: Family::Targets, bytes: target_bytes(target).into() }
    }
    /// The aliases that lead to a target.
    pub fn aliases_to(target: &Target) -> Self {
        let mut bytes = target_bytes(target);
        bytes.push(b'a');
        Self { family: Family::Targets, bytes: bytes.into() }
    }
    /// Whatever leads to an address of a domain.
    pub fn into_domain(domain: &Domain) -> Self {
        let mut bytes = vec![b'a'];
        bytes.extend_from_slice(&terminated(domain.as_str()));
        Self { family: Family::Targets, bytes: bytes.into() }
    }
    /// Whatever leads to `address` with a `+detail`.
    pub fn details(address: &Address) -> Self {
        let mut bytes = Self::into_domain(address.domain()).bytes.to_vec();
        bytes.extend_from_slice(address.local().as_bytes());
        bytes.push(b'+');
        Self { family: Family::Targets, bytes: bytes.into() }
    }
    /// The deleted accounts of a name, the latest last.
    pub fn trash(name: &Name) -> Self {
        Self { family: Family::Trash, bytes: terminated(name.as_str()).into() }
    }
    /// Where its keys begin.
    pub fn start(&self) -> Key {
        Key { family: self.family, bytes: self.bytes.clone() }
    }
    /// The members of a list.
    pub fn members(list: &Name) -> Self {
        Self { family: Family::Members, bytes: terminated(list.as_str()).into() }
    }
    /// Whether a key lies here.
    pub fn holds(&self, key: &Key) -> bool {
        key.family == self.family && key.bytes.starts_with(&self.bytes)
    }
}

fn terminated(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.push(END);
    bytes
}

fn member_bytes(list: &Name, member: &Target) -> Vec<u8> {
    let mut bytes = terminated(list.as_str());
    // Accounts before addresses.
    bytes.push(if matches!(member, Target::Account(_)) { b'0' } else { b'1' });
    bytes.extend(target_bytes(member));
    bytes
}

fn alias_bytes(key: &AliasKey) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(48);
    push_alias(&mut bytes, key);
    bytes
}

fn push_alias(bytes: &mut Vec<u8>, key: &AliasKey) {
    bytes.extend_from_slice(key.domain().as_str().as_bytes());
    bytes.push(END);
    if let AliasKey::Exact(address) = key {
        bytes.extend_from_slice(address.local().as_bytes());
    }
}

fn read_alias(bytes: &[u8]) -> Option<AliasKey> {
    let (domain, local) = read_text(bytes)?;
    let domain = Domain::parse(domain).ok()?;
    match std::str::from_utf8(local).ok()? {
        "" => Some(AliasKey::CatchAll(domain)),
        local => Some(AliasKey::Exact(Address::new(local, domain))),
    }
}

/// A target as the index orders it. Addresses are folded, with their domain first.
fn target_bytes(target: &Target) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(96);
    let mut put = |tag: u8, parts: &[&str]| {
        bytes.push(tag);
        for part in parts {
            bytes.extend_from_slice(part.as_bytes());
            bytes.push(END);
        }
    };
    match target {
        Target::Account(name) => put(b'n', &[name.as_str()]),
        Target::Address(mailbox) => match mailbox.address() {
            Some(address) => put(b'a', &[address.domain().as_str(), address.local()]),
            // No record can hold one: the rules refuse an address literal as a target.
            None => put(b'l', &[mailbox.as_str()]),
        },
        Target::Domain(domain) => put(b'd', &[domain.as_str()]),
        Target::Reject(text) => put(b'r', &[text]),
        Target::Discard => put(b'x', &[]),
    }
    bytes
}

fn read_target(bytes: &[u8]) -> Option<(Target, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    if *tag == b'x' {
        return Some((Target::Discard, rest));
    }
    let (text, rest) = read_text(rest)?;
    let target = match tag {
        b'n' => Target::Account(Name::parse(text).ok()?),
        b'd' => Target::Domain(Domain::parse(text).ok()?),
        b'r' => Target::Reject(text.to_owned()),
        b'a' => {
            let (local, rest) = read_text(rest)?;
            let address = Address::new(local, Domain::parse(text).ok()?);
            return Some((Target::Address(crate::mail::Mailbox::parse(&address.to_string()).ok()?), rest));
        }
        _ => return None,
    };
    Some((target, rest))
}

fn read_text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let at = memchr::memchr(END, bytes)?;
    let (text, rest) = bytes.split_at_checked(at)?;
    Some((std::str::from_utf8(text).ok()?, rest.get(1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_keys_give_back_what_they_were_made_of() -> Result<(), Box<dyn std::error::Error>> {
        let list = Name::parse("team")?;
        let referrers = [
            Referrer::Alias(AliasKey::parse("\"a b\"@example.org")?),
            Referrer::Alias(AliasKey::parse("@example.org")?),
            Referrer::Seat(list.clone()),
            Referrer::Owner(list.clone()),
            Referrer::Copy(list),
        ];
        for text in ["alice", "info@example.org", "\"x y\"@example.org", "@example.com", "reject:no such thing", "discard"] {
            let target = Target::parse(text)?;
            for referrer in &referrers {
                let key = Key::entry(&target, referrer);
                assert_eq!(key.to_entry(), Some((target.clone(), referrer.clone())), "{text}");
                assert!(Prefix::entries(&target).holds(&key));
            }
        }
        Ok(())
    }

    #[test]
    fn a_catch_all_sorts_before_its_domain_and_a_prefix_keeps_to_its_domain() -> Result<(), Box<dyn std::error::Error>> {
        let [catch_all, exact, other] =
            [AliasKey::parse("@example.org")?, AliasKey::parse("!@example.org")?, AliasKey::parse("a@example.org.uk")?];
        let prefix = Prefix::aliases(catch_all.domain());
        let keys = [&catch_all, &exact, &other].map(Key::alias);
        assert!(keys.is_sorted());
        assert_eq!(keys.each_ref().map(|key| prefix.holds(key)), [true, true, false]);
        Ok(())
    }
}
