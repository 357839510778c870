//! The expansion of a recipient: a worklist, a visited set, and bounds.
//!
//! Breadth first, so that the depth of an address is its shortest distance and no outcome depends on the order of an
//! alias's entries. What is found is gathered as [`Ends`]; [`Ends::decide`] ranks it as the module's doc says.

use std::collections::{BTreeSet, VecDeque};

use jiff::Timestamp;

use super::trail::{Account, Alias as Found, Bound, Step};
use super::{Decision, Destination, Limits, ListDestination, Lists, Relay};
use crate::directory::{AccountId, Alias, AliasKey, Switch, Target, Unreadable, View};
use crate::mail::{Address, Beside, Mailbox, Name};
use crate::protocol::smtp::Reply;

/// How an address came up, which says what it means if nothing is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Via {
    /// It is the recipient, or its local part in the other domain of a domain alias: nobody promised that it exists.
    Asked,
    /// An entry names it: it has to exist (D5).
    Entry,
}

/// What is to be looked at.
enum Lead {
    /// The recipient itself, in a local domain.
    Recipient(Address),
    /// The same local part in the other domain of a domain alias.
    Counterpart(Address),
    /// An entry of an alias, other than `@domain`.
    Entry(Target),
}

/// What a look at an alias's key gave.
enum Look {
    Missing,
    Off,
    Found(Alias),
}

/// Everything the branches led to.
#[derive(Default)]
pub(super) struct Ends {
    mailboxes: Vec<Destination>,
    relays: Vec<Mailbox>,
    rejected: Option<String>,
    discarded: bool,
    lists: Vec<ListDestination>,
    dangling: bool,
    off: bool,
    unknown: bool,
}

/// Why an expansion was broken off.
pub(super) enum Stop {
    Bound(Bound),
    Unreadable(Unreadable),
}

impl From<Unreadable> for Stop {
    fn from(error: Unreadable) -> Self {
        Self::Unreadable(error)
    }
}

/// One recipient's expansion under way.
pub(super) struct Expansion<'a, V: ?Sized> {
    pub view: &'a V,
    pub limits: &'a Limits,
    now: Timestamp,
    pub steps: Vec<Step>,
    pub followed: Vec<AliasKey>,
    pub ends: Ends,
    leads: VecDeque<(Lead, usize)>,
    visited: BTreeSet<(Address, Via)>,
    expanded: BTreeSet<Address>,
    accounts: BTreeSet<AccountId>,
    outside: BTreeSet<Mailbox>,
    entries: usize,
}

impl<'a, V: View + ?Sized> Expansion<'a, V> {
    pub fn new(view: &'a V, limits: &'a Limits, now: Timestamp) -> Self {
        Self {
            view,
            limits,
            now,
            steps: Vec::with_capacity(4),
            followed: Vec::new(),
            ends: Ends::default(),
            leads: VecDeque::new(),
            visited: BTreeSet::new(),
            expanded: BTreeSet::new(),
            accounts: BTreeSet::new(),
            outside: BTreeSet::new(),
            entries: 0,
        }
    }

    /// Follows an address, and all that it leads to.
    pub fn address(&mut self, address: Address) -> Result<(), Stop> {
        self.leads.push_back((Lead::Recipient(address), 1));
        self.run()
    }

    /// Follows a target that stands in the configuration.
    pub fn target(&mut self, target: Target) -> Result<(), Stop> {
        self.leads.push_back((Lead::Entry(target), 1));
        self.run()
    }

    /// Follows `address` through the alias under `key` alone.
    pub fn alias(&mut self, key: AliasKey, address: &Address) -> Result<(), Stop> {
        match self.look(&key)? {
            Look::Missing => Ok(()),
            Look::Off => {
                self.ends.off = true;
                Ok(())
            }
            Look::Found(alias) => {
                self.expand(alias, address, 1)?;
                self.run()
            }
        }
    }

    fn run(&mut self) -> Result<(), Stop> {
        while let Some((lead, depth)) = self.leads.pop_front() {
            match lead {
                Lead::Recipient(address) => self.follow_address(address, Via::Asked, depth)?,
                Lead::Counterpart(address) if self.is_local(&address)? => self.follow_address(address, Via::Asked, depth)?,
                Lead::Counterpart(_) => self.ends.dangling = true,
                Lead::Entry(target) => self.follow_entry(target, depth)?,
            }
        }
        Ok(())
    }

    fn follow_entry(&mut self, target: Target, depth: usize) -> Result<(), Stop> {
        match target {
            Target::Account(name) => self.follow_account(name, depth)?,
            Target::Address(mailbox) => return self.follow_mailbox(mailbox, depth),
            Target::Reject(text) => {
                self.steps.push(Step::Reject { text: text.clone() });
                self.ends.rejected.get_or_insert(text);
            }
            Target::Discard => {
                self.steps.push(Step::Discard);
                self.ends.discarded = true;
            }
            // Only an alias gives it a local part to keep, and `expand` has turned those into counterparts.
            Target::Domain(_) => self.ends.dangling = true,
        }
        Ok(())
    }

    fn follow_account(&mut self, name: Name, depth: usize) -> Result<(), Stop> {
        let mut copies = Vec::new();
        let is = if let Some(pop) = self.view.pop(&name)? {
            let address = Address::new(pop.name.as_str(), pop.domain);
            if self.accounts.insert(pop.id) {
                copies = self.view.handling(pop.id)?.map(|handling| handling.copies).unwrap_or_default();
                self.ends.mailboxes.push(Destination { id: pop.id, name: pop.name, address: address.clone(), quota: pop.quota });
            }
            Account::Pop { address, state: pop.state }
        } else if let Some(list) = self.view.list(&name)? {
            let address = Address::new(list.name.as_str(), list.domain);
            if self.accounts.insert(list.id) {
                self.ends.lists.push(ListDestination { id: list.id, name: list.name, address: address.clone() });
            }
            Account::List { address, lists: self.limits.lists }
        } else {
            self.ends.dangling = true;
            Account::Missing
        };
        self.steps.push(Step::Account { name: name.clone(), is });
        if !copies.is_empty() {
            self.steps.push(Step::Copies { name, to: copies.clone() });
            self.leads.extend(copies.into_iter().map(|copy| (Lead::Entry(copy), depth + 1)));
        }
        Ok(())
    }

    /// An entry's address: in a local domain another alias, else elsewhere.
    fn follow_mailbox(&mut self, mailbox: Mailbox, depth: usize) -> Result<(), Stop> {
        let local = match mailbox.address() {
            Some(address) if self.is_local(&address)? => Some(address),
            _ => None,
        };
        if let Some(address) = local {
            return self.follow_address(address, Via::Entry, depth);
        }
        self.leave(&mailbox);
        Ok(())
    }

    /// An address elsewhere.
    pub fn leave(&mut self, mailbox: &Mailbox) {
        let mailbox = mailbox.with_folded_domain();
        if self.outside.insert(mailbox.clone()) {
            self.steps.push(Step::Leave { mailbox: mailbox.clone(), relay: self.limits.relay });
            self.ends.relays.push(mailbox);
        }
    }

    /// Whether the address is in a domain of ours; the question joins the trail.
    pub fn is_local(&mut self, address: &Address) -> Result<bool, Unreadable> {
        let local = self.view.domain(address.domain())?.is_some();
        self.steps.push(Step::Domain { domain: address.domain().clone(), local });
        Ok(local)
    }

    /// Exact alias; else without its detail; else catch-all.
    fn follow_address(&mut self, address: Address, via: Via, depth: usize) -> Result<(), Stop> {
        if !self.visited.insert((address.clone(), via)) {
            self.steps.push(Step::Again { address });
            return Ok(());
        }
        if depth > self.limits.max_depth {
            return Err(self.over(&address, Bound::Depth(self.limits.max_depth)));
        }
        let base = self.without_detail(&address);
        let catch_all = AliasKey::CatchAll(address.domain().clone());
        for key in [Some(AliasKey::Exact(address.clone())), base.map(AliasKey::Exact), Some(catch_all)].into_iter().flatten() {
            if matches!(key, AliasKey::CatchAll(_)) && self.follow_beside(&address, depth)? {
                return Ok(());
            }
            match self.look(&key)? {
                Look::Missing => {}
                Look::Off if via == Via::Asked && matches!(key, AliasKey::CatchAll(_)) => {}
                Look::Off => {
                    self.ends.off = true;
                    return Ok(());
                }
                Look::Found(alias) => return self.expand(alias, &address, depth),
            }
        }
        match via {
            Via::Asked => self.ends.unknown = true,
            Via::Entry => self.ends.dangling = true,
        }
        Ok(())
    }

    /// An address beside a list's own, if it is one: to the owner, or to the list itself, which knows what to do about it.
    fn follow_beside(&mut self, address: &Address, depth: usize) -> Result<bool, Stop> {
        let Some((name, role, _)) = Beside::split(address) else { return Ok(false) };
        let list = self.view.list(&name)?.filter(|list| list.domain == *address.domain());
        self.steps.push(Step::Beside { address: address.clone(), list: list.as_ref().map(|list| list.name.clone()) });
        let Some(list) = list else { return Ok(false) };
        if role == Beside::Owner {
            self.leads.push_back((Lead::Entry(list.owner), depth + 1));
        } else {
            self.ends.lists.push(ListDestination { id: list.id, name: list.name, address: address.clone() });
        }
        Ok(true)
    }

    /// The address without its detail, which begins at the first separator; none if there is nothing before it.
    fn without_detail(&self, address: &Address) -> Option<Address> {
        let at = address.local().find(|c| self.limits.subaddress_separators.contains(c))?;
        let base = address.local().get(..at).filter(|base| !base.is_empty())?;
        Some(Address::new(base, address.domain().clone()))
    }

    fn look(&mut self, key: &AliasKey) -> Result<Look, Unreadable> {
        let alias = self.view.alias(key)?;
        let (found, look) = match alias {
            None => (Found::Missing, Look::Missing),
            Some(alias) if alias.switch == Switch::Disabled => (Found::SwitchedOff, Look::Off),
            Some(Alias { expires: Some(at), .. }) if at <= self.now => (Found::Expired { at }, Look::Off),
            Some(alias) => (Found::Leads { to: alias.targets.clone() }, Look::Found(alias)),
        };
        self.steps.push(Step::Alias { key: key.clone(), found });
        Ok(look)
    }

    /// Puts the entries of an alias on the worklist, once. A catch-all is looked at again for each address that comes to
    /// it, because a domain alias keeps the local part.
    fn expand(&mut self, alias: Alias, asked: &Address, depth: usize) -> Result<(), Stop> {
        if let AliasKey::Exact(address) = &alias.key
            && !self.expanded.insert(address.clone())
        {
            self.steps.push(Step::Again { address: address.clone() });
            return Ok(());
        }
        if alias.targets.len() > self.limits.max_fan_out {
            return Err(self.over(asked, Bound::FanOut(self.limits.max_fan_out)));
        }
        self.entries = self.entries.saturating_add(alias.targets.len());
        if self.entries > self.limits.max_total {
            return Err(self.over(asked, Bound::Total(self.limits.max_total)));
        }
        let catch_all = matches!(alias.key, AliasKey::CatchAll(_));
        if !(catch_all && self.followed.contains(&alias.key)) {
            self.followed.push(alias.key);
        }
        for target in alias.targets {
            let lead = match target {
                Target::Domain(domain) => Lead::Counterpart(Address::new(asked.local(), domain)),
                other => Lead::Entry(other),
            };
            self.leads.push_back((lead, depth + 1));
        }
        Ok(())
    }

    fn over(&mut self, address: &Address, bound: Bound) -> Stop {
        self.steps.push(Step::Bound { address: address.clone(), bound });
        Stop::Bound(bound)
    }
}

impl Ends {
    /// Whether nothing here is an end that somebody chose: no mailbox, no relay, no list, no refusal, no `discard`.
    pub fn nowhere(&self) -> bool {
        self.mailboxes.is_empty() && self.relays.is_empty() && self.lists.is_empty() && self.rejected.is_none() && !self.discarded
    }

    /// One decision for all ends; the order is that of the module's doc.
    pub fn decide(self, limits: &Limits) -> Decision {
        let nowhere = self.nowhere();
        let refusal = match self {
            Self { rejected: Some(text), .. } => Reply::RejectedByAlias { text },
            Self { dangling: true, .. } => Reply::DanglingTarget,
            Self { ref lists, .. } if limits.lists == Lists::Off && !lists.is_empty() => Reply::ListOff,
            Self { ref relays, .. } if limits.relay == Relay::Off && !relays.is_empty() => Reply::RelayOff,
            Self { mailboxes, relays, lists, .. } if !nowhere => return Decision::Deliver { mailboxes, relays, lists },
            Self { off: true, .. } => limits.disabled.reply(),
            Self { unknown: true, .. } => Reply::UnknownRecipient,
            // A circle, or an alias without entries: the rules of the directory forbid both.
            _ => Reply::DanglingTarget,
        };
        Decision::Refuse(refusal)
    }
}
