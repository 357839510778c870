//! The keys of the queue's rows. Numbers are written with their highest octet first, so that rows lie in their order.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::directory::AccountId;
use crate::mail::address::Host;
use crate::mail::{Mailbox, QueueId};

/// Whoever is spoken to on behalf of a recipient: what waits for the same hop is sent together, and backed off together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Hop(Box<str>);

/// How recipients are divided into hops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filing {
    /// By their domains.
    Domains,
    /// All of them under one: the smarthost.
    One,
}

/// What begins the hop of a list; no domain has a colon.
const LIST: &str = "list:";

/// The same for mail that waits for a list's owner.
const HELD: &str = "held:";

impl Hop {
    /// The hop of mail to that address.
    pub fn of(address: &Mailbox, filing: Filing) -> Self {
        match (filing, address.host()) {
            (Filing::One, _) => Self::one(),
            (Filing::Domains, Host::Domain(domain)) => Self(domain.as_str().into()),
            (Filing::Domains, Host::Literal(literal)) => Self(literal.to_ascii_lowercase().into()),
        }
    }

    /// The only one there is with a smarthost.
    pub(super) fn one() -> Self {
        Self("*".into())
    }

    /// Where mail waits until a list's members are known.
    pub fn of_list(list: AccountId) -> Self {
        Self(format!("{LIST}{}", list.0).into())
    }

    /// Where mail waits until a list's owner has approved of it. It is due when the owner has taken too long.
    pub fn of_held(list: AccountId) -> Self {
        Self(format!("{HELD}{}", list.0).into())
    }

    /// The hop of that name.
    pub fn named(name: &str) -> Self {
        Self(name.to_ascii_lowercase().into())
    }

    /// Whether it is a list: nobody is spoken to.
    pub fn is_list(&self) -> bool {
        self.0.starts_with(LIST) || self.is_held()
    }

    /// Whether it is where mail waits for a list's owner.
    pub fn is_held(&self) -> bool {
        self.0.starts_with(HELD)
    }

    /// Its name: a domain, an address literal, or `*` for the smarthost.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One recipient of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seat {
    /// The message.
    pub id: QueueId,
    /// Its number among the message's recipients.
    pub number: u32,
}

impl Seat {
    pub(super) fn key(self) -> [u8; 12] {
        let mut key = [0; 12];
        let (id, number) = key.split_at_mut(8);
        id.copy_from_slice(&self.id.number().to_be_bytes());
        number.copy_from_slice(&self.number.to_be_bytes());
        key
    }

    pub(super) fn read(key: &[u8]) -> Option<Self> {
        let (id, number) = key.split_at_checked(8)?;
        Some(Self { id: QueueId::new(u64_of(id)?), number: u32::from_be_bytes(number.try_into().ok()?) })
    }
}

/// A waiting recipient and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub seat: Seat,
}

/// Ends a hop's name: no name holds it.
const END: u8 = 0;

/// The keys in `due` of all mail for lists, that which waits for owners aside; and of that.
pub(super) const LISTS: [(&[u8], &[u8]); 2] = [(b"held:", b"held;"), (b"list:", b"list;")];

/// Octets of a [`Due`] behind the hop's name.
const DUE: usize = 8 + 12;

impl Due {
    pub(super) fn key(&self, hop: &Hop) -> Vec<u8> {
        let mut key = prefix(hop);
        key.extend_from_slice(&micros(self.at).to_be_bytes());
        key.extend_from_slice(&self.seat.key());
        key
    }

    pub(super) fn read(key: &[u8]) -> Option<Self> {
        let (_, rest) = key.split_at_checked(key.len().checked_sub(DUE)?)?;
        let (at, seat) = rest.split_at_checked(8)?;
        Some(Self { at: moment(u64_of(at)?), seat: Seat::read(seat)? })
    }
}

/// What the keys of all that waits for a hop begin with.
pub(super) fn prefix(hop: &Hop) -> Vec<u8> {
    let mut key = Vec::with_capacity(hop.0.len() + 1 + DUE);
    key.extend_from_slice(hop.0.as_bytes());
    key.push(END);
    key
}

/// The hop that a key in `due` begins with.
pub(super) fn hop_of(key: &[u8]) -> Option<Hop> {
    let name = key.split(|octet| *octet == END).next()?;
    Some(Hop(std::str::from_utf8(name).ok()?.into()))
}

/// When a hop is to be looked at; `id` tells apart those that different messages asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Turn {
    /// When.
    pub at: Timestamp,
    /// The message that asked for it; 0 for the queue itself.
    pub id: QueueId,
    /// Which hop.
    pub hop: Hop,
}

impl Turn {
    pub(super) fn key(&self) -> Vec<u8> {
        let mut key = Vec::with_capacity(16 + self.hop.0.len());
        key.extend_from_slice(&micros(self.at).to_be_bytes());
        key.extend_from_slice(&self.id.number().to_be_bytes());
        key.extend_from_slice(self.hop.0.as_bytes());
        key
    }

    pub(super) fn read(key: &[u8]) -> Option<Self> {
        let (at, rest) = key.split_at_checked(8)?;
        let (id, hop) = rest.split_at_checked(8)?;
        let hop = Hop(std::str::from_utf8(hop).ok()?.into());
        Some(Self { at: moment(u64_of(at)?), id: QueueId::new(u64_of(id)?), hop })
    }
}

/// Microseconds since the epoch, as [`moment`] reads them; times before it do not come up.
pub(super) fn micros(at: Timestamp) -> u64 {
    u64::try_from(at.as_microsecond()).unwrap_or(0)
}

fn moment(micros: u64) -> Timestamp {
    i64::try_from(micros).ok().and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or(Timestamp::MAX)
}

pub(super) fn u64_of(octets: &[u8]) -> Option<u64> {
    octets.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back_and_lie_in_their_order() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let seat = |id, number| Seat { id: QueueId::new(id), number };
        let hop = Hop::of(&Mailbox::parse("A@Example.COM").unwrap(), Filing::Domains);
        assert_eq!(hop.as_str(), "example.com");
        let dues = [(1, seat(9, 9)), (2, seat(1, 0)), (2, seat(1, 1)), (300, seat(0, 0))].map(|(s, seat)| Due { at: at(s), seat });
        let keys: Vec<_> = dues.iter().map(|due| due.key(&hop)).collect();
        assert!(keys.is_sorted());
        for (due, key) in dues.iter().zip(&keys) {
            assert_eq!((Due::read(key), hop_of(key)), (Some(*due), Some(hop.clone())));
        }
        let longer = Hop::named("example.com.au");
        assert!(keys.iter().all(|key| !key.starts_with(&prefix(&longer)) && key.starts_with(&prefix(&hop))));
        let turn = Turn { at: at(7), id: QueueId::new(3), hop };
        assert_eq!(Turn::read(&turn.key()), Some(turn));
    }
}
