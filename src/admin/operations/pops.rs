//! POP accounts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::password::{Clear, Wish};
use super::{Match, Page, Paging, Removal, Run, page, quota};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::{
    self, AccountId, AliasKey, Applied, Change, Effect, Pop, Refusal, Revision, Snapshot, State, Subject, Suggestion, Target, View,
};
use crate::mail::{Address, Domain, Mailbox, Name};

/// A POP account as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

/// A new POP account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// The name.
    pub name: Name,
    /// Its home domain.
    pub domain: Domain,
    /// The owner's real name, or what the account is for.
    pub owner: String,
    /// Octets its Maildir may hold, or `"unlimited"`; none means the server's default.
    #[serde(default, with = "quota")]
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
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Another home domain; the hidden alias follows.
    pub domain: Option<Domain>,
    /// Another owner.
    pub owner: Option<String>,
    /// Another quota, or `"unlimited"`; `null` for the server's default.
    #[serde(default, deserialize_with = "quota::present")]
    pub quota: Option<Option<u64>>,
}

/// Another name for a POP account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// The name from now on.
    pub name: Name,
    /// Whether the old address stays as a plain alias.
    #[serde(default)]
    pub keep_alias: bool,
}

/// What to bring back from the trash.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restore {
    /// The account, where several of that name were deleted; otherwise the last one.
    pub id: Option<AccountId>,
}

/// A restored account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// The account.
    pub pop: Shown,
    /// What came back, and which alias entries could not.
    pub effects: Vec<Effect>,
}

/// The POP accounts that the caller may see; of one domain, where one is given.
pub fn list(context: &Context, caller: &Caller, paging: &Paging, domain: Option<&Domain>) -> Result<Page<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    page(
        paging,
        |after, limit| snapshot.pops(after, limit),
        |pop| {
            let wanted = domain.is_none_or(|domain| *domain == pop.domain) && caller.sees(&snapshot, &pop.domain)?;
            wanted.then(|| shown(context, &snapshot, pop)).transpose()
        },
    )
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

/// Changes a POP account.
pub fn edit(context: &Context, caller: &Caller, name: &Name, edit: Edit, condition: Match) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    visible(&snapshot, caller, name)?;
    if let Some(domain) = &edit.domain {
        caller.needs(&snapshot, domain)?;
    }
    quota_makes_sense(edit.quota.flatten())?;
    let Edit { domain, owner, quota } = edit;
    let change = Change::EditPop { name: name.clone(), domain, owner, quota };
    context.change_if(caller, &change, &Subject::Pop(name.clone()), condition)?;
    show_with_revision(context, caller, name)
}

/// Sets a POP account's password.
pub fn set_password(context: &Context, caller: &Caller, name: &Name, wish: Wish) -> Result<Shown, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    let settled = wish.settle(context.rules.load().password)?;
    context.change(caller, &Change::SetPopPassword { name: name.clone(), password: settled.hash })?;
    Ok(Shown { password: settled.shown, ..show(context, caller, name)? })
}

/// Suspends or resumes: logins are refused or work, mail is taken either way.
pub fn set_state(context: &Context, caller: &Caller, name: &Name, state: State) -> Result<Shown, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    context.change(caller, &Change::SetPopState { name: name.clone(), state })?;
    show(context, caller, name)
}

/// Renames a POP account; id, mail, alias entries and list seats stay.
pub fn rename(context: &Context, caller: &Caller, name: &Name, to: Rename) -> Result<Shown, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    context.change(caller, &Change::RenamePop { name: name.clone(), new: to.name.clone(), keep_alias: to.keep_alias })?;
    show(context, caller, &to.name)
}

/// Moves a POP account to the trash, with its mail; its hidden alias and every entry that leads to it go.
pub fn delete(context: &Context, caller: &Caller, name: &Name, run: Run) -> Result<Removal, Problem> {
    visible(&context.directory.snapshot(), caller, name)?;
    context.remove(caller, &Change::DeletePop { name: name.clone() }, run)
}

/// Brings a POP account back from the trash.
pub fn restore(context: &Context, caller: &Caller, name: &Name, which: Restore) -> Result<Restored, Problem> {
    let seen = super::trash::list(context, caller)?;
    let wanted = |entry: &super::trash::Shown| entry.name == *name && which.id.is_none_or(|id| id == entry.id);
    if !seen.iter().any(wanted) {
        return Err(Refusal::NotInTrash(name.clone()).into());
    }
    let Applied { effects, .. } = context.change(caller, &Change::RestorePop { name: name.clone(), id: which.id })?;
    Ok(Restored { pop: show(context, caller, name)?, effects })
}

fn visible(snapshot: &Snapshot<'_>, caller: &Caller, name: &Name) -> Result<Pop, Problem> {
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
