//! POP accounts.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::password::{Clear, Wish};
use super::scope::{by_domain, in_domain};
use super::{Match, Page, Paging, Removal, Run, page, quota};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::schema::{words, words_of};
use crate::directory::{
    self, AccountId, AliasKey, Applied, Change, Effect, Pop, Refusal, Revision, Snapshot, State, Subject, Suggestion, Target, Unreadable,
    View,
};
use crate::mail::{Address, Domain, Mailbox, Name};

/// A POP account as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Pop")]
pub struct Shown {
    /// The name.
    pub name: Name,
    /// Its home domain.
    pub domain: Domain,
    /// The owner's real name, or what the account is for.
    pub owner: String,
    /// Where it is reached: the hidden alias.
    pub address: Address,
    /// Octets its Maildir may hold, or `"unlimited"`; none means the server's default.
    #[serde(with = "quota")]
    #[schemars(with = "Option<quota::Written>")]
    pub quota: Option<u64>,
    /// Whether logins work.
    pub state: State,
    /// The aliases that lead to it, without the hidden one.
    pub aliases: Vec<AliasKey>,
    /// The alias that belongs to it.
    pub hidden_alias: Address,
    /// Octets in its Maildir; none where it could not be read.
    pub size: Option<u64>,
    /// Messages in its Maildir; none where it could not be read.
    pub messages: Option<u64>,
    /// When its owner logged in last.
    #[serde(default)]
    pub last_login: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// The generated password, in the one answer that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// Which POP accounts are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PopFilter")]
pub struct Filter {
    /// Only those of this domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Only those with these words, or beginnings of words, in their name or owner; or of this address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
}

/// A new POP account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPop")]
pub struct New {
    /// The name.
    pub name: Name,
    /// Its home domain.
    pub domain: Domain,
    /// The owner's real name, or what the account is for.
    pub owner: String,
    /// Octets its Maildir may hold, or `"unlimited"`; none means the server's default.
    #[serde(default, with = "quota")]
    #[schemars(with = "Option<quota::Written>")]
    pub quota: Option<u64>,
    /// Its password.
    pub password: Option<Clear>,
    /// Or a new one, that the answer shows once.
    #[serde(default)]
    pub generate: bool,
    /// Where the name is taken: take the suggested one, and add the alias that gives the wanted address.
    #[serde(default)]
    pub suggest: bool,
}

/// A change of a POP account: what is given is changed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PopEdit")]
pub struct Edit {
    /// Another home domain; the hidden alias follows.
    pub domain: Option<Domain>,
    /// Another owner.
    pub owner: Option<String>,
    /// Another quota, or `"unlimited"`; `null` for the server's default.
    #[serde(default, deserialize_with = "quota::present")]
    #[schemars(with = "Option<quota::Written>")]
    pub quota: Option<Option<u64>>,
    /// Whether logins work from now on.
    pub state: Option<State>,
    /// Another name; id, mail, alias entries and list seats stay.
    pub name: Option<Name>,
    /// Where its address changes: whether the old one stays as a plain alias.
    #[serde(default)]
    pub keep_alias: bool,
    /// Another password.
    pub password: Option<Clear>,
    /// Or a new one, that the answer shows once.
    #[serde(default)]
    pub generate: bool,
}

/// Another name for a POP account.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewName")]
pub struct Rename {
    /// The name from now on.
    pub name: Name,
    /// Whether the old address stays as a plain alias.
    #[serde(default)]
    pub keep_alias: bool,
}

/// What to bring back from the trash.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichDeleted")]
pub struct Restore {
    /// The account, where several of that name were deleted; otherwise the last one.
    pub id: Option<AccountId>,
}

/// A restored account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "RestoredPop")]
pub struct Restored {
    /// The account.
    pub pop: Shown,
    /// What came back, and which alias entries could not.
    pub effects: Vec<Effect>,
}

/// The POP accounts that the caller may see and the filter lets through.
pub fn list(context: &Context, caller: &Caller, paging: &Paging, filter: &Filter) -> Result<Page<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    let sought = Sought::of(filter);
    let fetch = |after: Option<&str>, limit: usize| match (&sought.domain, sought.longest_word(), caller.confined_to()) {
        (Some(domain), ..) => in_domain(&snapshot, caller, domain, |domain| snapshot.pops_in(domain, after, limit)),
        (None, _, Some(_)) => by_domain(&snapshot, caller, after, limit, |domain, after, limit| snapshot.pops_in(domain, after, limit)),
        (None, Some(word), None) => by_word(&snapshot, word, after, limit),
        (None, None, None) => snapshot.pops(after, limit),
    };
    page(paging, fetch, |pop| sought.finds(&pop).then(|| shown(context, &snapshot, pop)).transpose())
}

/// What a filter comes to.
struct Sought {
    domain: Option<Domain>,
    words: Vec<String>,
}

impl Sought {
    /// An address is sought by its parts; whatever else is given, by words.
    fn of(filter: &Filter) -> Self {
        let text = filter.search.as_deref().unwrap_or_default();
        let address = text.rsplit_once('@').and_then(|(local, domain)| Some((local, Domain::parse(domain).ok()?)));
        match address {
            Some((local, domain)) if filter.domain.is_none() => Self { domain: Some(domain), words: words(local) },
            Some((local, _)) => Self { domain: filter.domain.clone(), words: words(local) },
            None => Self { domain: filter.domain.clone(), words: words(text) },
        }
    }

    fn longest_word(&self) -> Option<&str> {
        self.words.iter().max_by_key(|word| word.len()).map(String::as_str)
    }

    /// Whether each word begins one of the account's.
    fn finds(&self, pop: &Pop) -> bool {
        let have = if self.words.is_empty() { Vec::new() } else { words_of(pop) };
        self.words.iter().all(|word| have.iter().any(|have| have.starts_with(word)))
    }
}

fn by_word(snapshot: &Snapshot<'_>, word: &str, after: Option<&str>, limit: usize) -> Result<directory::Page<Pop>, Unreadable> {
    let found = snapshot.pops_by_word(word, after, limit)?;
    // One that has several such words is shown at the first of them.
    let first = |(at, pop): &(String, Pop)| words_of(pop).iter().find(|have| have.starts_with(word)) == Some(at);
    Ok(directory::Page { records: found.records.into_iter().filter(first).map(|(_, pop)| pop).collect(), next: found.next })
}

/// One POP account.
pub fn show(context: &Context, caller: &Caller, name: &Name) -> Result<Shown, Problem> {
    show_with_revision(context, caller, name).map(|(_, shown)| shown)
}

/// One POP account, and the revision that an edit may be made conditional on.
pub fn show_with_revision(context: &Context, caller: &Caller, name: &Name) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    let pop = visible(&snapshot, caller, name)?;
    Ok((snapshot.revision_of(&Subject::Pop(name.clone()))?, shown(context, &snapshot, pop)?))
}

/// Adds a POP account with its hidden alias and its Maildir.
pub fn add(context: &Context, caller: &Caller, new: New) -> Result<Shown, Problem> {
    caller.needs(&context.directory.snapshot(), &new.domain)?;
    quota_makes_sense(new.quota)?;
    let New { name, domain, owner, quota, password, generate, suggest } = new;
    let settled = Wish { password, generate }.settle(context.rules.load().password)?;
    let (password, state) = (settled.hash, State::Active);
    let wanted =
        Change::AddPop { name: name.clone(), domain: domain.clone(), owner: owner.clone(), password: password.clone(), quota, state };
    let name = match context.change(caller, &wanted) {
        Ok(_) => name,
        // Suggested by D1: the account under a free name, and the alias that gives the wanted address, or neither.
        Err(Problem { kind: Kind::NameTaken, suggestion: Some(suggestion), .. }) if suggest => {
            let Suggestion { name, alias } = *suggestion;
            let alias = AliasKey::Exact(alias);
            let change = Change::AddPopAndAlias { name: name.clone(), domain, owner, password, quota, state, alias };
            context.change(caller, &change)?;
            name
        }
        Err(problem) => return Err(problem),
    };
    Ok(Shown { password: settled.shown, ..show(context, caller, &name)? })
}

/// Changes a POP account: all of it at once, or nothing.
pub fn edit(context: &Context, caller: &Caller, name: &Name, edit: Edit, condition: Match) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    visible(&snapshot, caller, name)?;
    if let Some(domain) = &edit.domain {
        caller.needs(&snapshot, domain)?;
    }
    quota_makes_sense(edit.quota.flatten())?;
    let Edit { domain, owner, quota, state, name: new, keep_alias, password, generate } = edit;
    let wish = Some(Wish { password, generate }).filter(|wish| wish.password.is_some() || wish.generate);
    let settled = wish.map(|wish| wish.settle(context.rules.load().password)).transpose()?;
    let (password, shown) = settled.map(|settled| (settled.hash, settled.shown)).unzip();
    let called = new.clone().unwrap_or_else(|| name.clone());
    let change = Change::AmendPop { name: name.clone(), new, keep_alias, domain, owner, quota, state, password };
    context.change_if(caller, &change, &Subject::Pop(name.clone()), condition)?;
    let (revision, pop) = show_with_revision(context, caller, &called)?;
    Ok((revision, Shown { password: shown.flatten(), ..pop }))
}

/// Sets a POP account's password.
pub fn set_password(context: &Context, caller: &Caller, name: &Name, wish: Wish, condition: Match) -> Result<(Revision, Shown), Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    let settled = wish.settle(context.rules.load().password)?;
    let change = Change::SetPopPassword { name: name.clone(), password: settled.hash };
    context.change_if(caller, &change, &Subject::Pop(name.clone()), condition)?;
    let (revision, pop) = show_with_revision(context, caller, name)?;
    Ok((revision, Shown { password: settled.shown, ..pop }))
}

/// Suspends or resumes: logins are refused or work, mail is taken either way.
pub fn set_state(context: &Context, caller: &Caller, name: &Name, state: State, condition: Match) -> Result<(Revision, Shown), Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    context.change_if(caller, &Change::SetPopState { name: name.clone(), state }, &Subject::Pop(name.clone()), condition)?;
    show_with_revision(context, caller, name)
}

/// Renames a POP account; id, mail, alias entries and list seats stay.
pub fn rename(context: &Context, caller: &Caller, name: &Name, to: Rename, condition: Match) -> Result<(Revision, Shown), Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    let change = Change::RenamePop { name: name.clone(), new: to.name.clone(), keep_alias: to.keep_alias };
    context.change_if(caller, &change, &Subject::Pop(name.clone()), condition)?;
    show_with_revision(context, caller, &to.name)
}

/// Moves a POP account to the trash, with its mail; its hidden alias and every entry that leads to it go.
pub fn delete(context: &Context, caller: &Caller, name: &Name, run: Run, condition: Match) -> Result<Removal, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    context.remove_if(caller, &Change::DeletePop { name: name.clone() }, run, &Subject::Pop(name.clone()), condition)
}

/// Brings a POP account back from the trash.
pub fn restore(context: &Context, caller: &Caller, name: &Name, which: Restore) -> Result<Restored, Problem> {
    let snapshot = context.directory.snapshot();
    let mut seen = false;
    for trashed in snapshot.trash_of(name)? {
        seen |= which.id.is_none_or(|id| id == trashed.pop.id) && caller.sees(&snapshot, &trashed.pop.domain)?;
    }
    if !seen {
        return Err(Refusal::NotInTrash(name.clone()).into());
    }
    let Applied { effects, .. } = context.change(caller, &Change::RestorePop { name: name.clone(), id: which.id })?;
    Ok(Restored { pop: show(context, caller, name)?, effects })
}

/// The record of an account that exists for the caller.
pub(super) fn visible(snapshot: &Snapshot<'_>, caller: &Caller, name: &Name) -> Result<Pop, Problem> {
    let refused = || Refusal::NoSuchAccount { kind: directory::Kind::Pop, name: name.clone() };
    let pop = snapshot.pop(name)?.ok_or_else(refused)?;
    if caller.sees(snapshot, &pop.domain)? { Ok(pop) } else { Err(refused().into()) }
}

fn shown(context: &Context, snapshot: &Snapshot<'_>, pop: Pop) -> Result<Shown, Problem> {
    let address = Address::new(pop.name.as_str(), pop.domain.clone());
    // An unreadable Maildir is no reason to hide the account: its size is unknown, and says so.
    let usage = context.maildirs.usage(pop.id, &pop.name).ok();
    Ok(Shown {
        aliases: aliases_of(snapshot, &pop.name, &address)?,
        size: usage.map(|usage| usage.octets),
        messages: usage.map(|usage| usage.messages),
        last_login: context.directory.last_login(pop.id)?,
        hidden_alias: address.clone(),
        address,
        name: pop.name,
        domain: pop.domain,
        owner: pop.owner,
        quota: pop.quota,
        state: pop.state,
        created: pop.created,
        password: None,
    })
}

/// The plain aliases with an entry for the account, by its name or by its address.
fn aliases_of(snapshot: &Snapshot<'_>, name: &Name, address: &Address) -> Result<Vec<AliasKey>, Problem> {
    let mut keys = snapshot.aliases_to(&Target::Account(name.clone()))?;
    if let Ok(mailbox) = Mailbox::parse(&address.to_string()) {
        keys.extend(snapshot.aliases_to(&Target::Address(mailbox))?);
    }
    let hidden = AliasKey::Exact(address.clone());
    keys.retain(|key| *key != hidden);
    keys.sort();
    keys.dedup();
    Ok(keys)
}

fn quota_makes_sense(quota: Option<u64>) -> Result<(), Problem> {
    match quota {
        Some(0) => Err(Problem::new(
            Kind::BadValue,
            "quota: 0 would refuse all mail; give a size such as 1GiB, or leave it out for the server's default".into(),
        )),
        _ => Ok(()),
    }
}
