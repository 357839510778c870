//! Aliases.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::scope::{by_domain, in_domain};
use super::{Match, Page, Paging, Removal, Run, page};
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::schema::{words, words_of_alias};
use crate::directory::{self, Alias, AliasKey, Change, Refusal, Revision, Snapshot, Standing, Subject, Switch, Target, Unreadable, View};
use crate::mail::Domain;

/// An alias as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Alias")]
pub struct Shown {
    /// `local@domain`, or `@domain`.
    pub address: AliasKey,
    /// Where it leads.
    pub targets: Vec<Target>,
    /// Whether it belongs to an account.
    pub hidden: bool,
    /// Whether an admin left it in use (an expiry may still have ended it).
    pub enabled: bool,
    /// What an admin wrote beside it.
    pub note: String,
    /// From when on it counts as switched off.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When mail last came through it.
    pub last_used: Option<Timestamp>,
    /// How often mail came through it.
    pub uses: u64,
}

/// Targets for an alias, new or old.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewAlias")]
pub struct New {
    /// `local@domain`, or `@domain`.
    pub address: AliasKey,
    /// Where it leads, too.
    pub targets: Vec<Target>,
    /// What to write beside it.
    pub note: Option<String>,
    /// From when on it counts as switched off.
    pub expires: Option<Timestamp>,
}

/// A change of an alias: what is given is replaced.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AliasEdit")]
pub struct Edit {
    /// All its targets from now on.
    pub targets: Option<Vec<Target>>,
    /// What stands beside it.
    pub note: Option<String>,
    /// From when on it counts as switched off; `null` for never.
    #[serde(default, deserialize_with = "present")]
    pub expires: Option<Option<Timestamp>>,
    /// Whether it is in use.
    pub enabled: Option<bool>,
}

/// Which aliases are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Filter {
    /// Hidden ones too.
    #[serde(default)]
    pub hidden: bool,
    /// Only those of this domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// Only those that lead to this target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// Only those with these words, or beginnings of words, before their `@`; or of this domain; or whose address is `local@domain`
    /// or begins like that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
}

impl From<Alias> for Shown {
    fn from(alias: Alias) -> Self {
        Self {
            address: alias.key,
            targets: alias.targets,
            hidden: matches!(alias.standing, Standing::Hidden(_)),
            enabled: alias.switch == Switch::Enabled,
            note: alias.note,
            expires: alias.expires,
            created: alias.created,
            last_used: alias.last_used,
            uses: alias.uses,
        }
    }
}

/// The aliases that the caller may see and the filter lets through.
pub fn list(context: &Context, caller: &Caller, paging: &Paging, filter: &Filter) -> Result<Page<Shown>, Problem> {
    let snapshot = context.directory.snapshot();
    let sought = Sought::of(&snapshot, caller, filter)?;
    let wanted = |alias: Alias| -> Result<Option<Shown>, Problem> {
        let fits = (filter.hidden || alias.standing == Standing::Plain)
            && filter.domain.as_ref().is_none_or(|domain| domain == alias.key.domain())
            && sought.finds(&alias.key)
            && caller.sees(&snapshot, alias.key.domain())?;
        Ok(fits.then(|| alias.into()))
    };
    let beginning =
        |domain: &Domain, after: Option<&str>, limit: usize| snapshot.aliases_beginning(domain, &sought.beginning, after, limit);
    match &filter.target {
        None => {
            let fetch = |after: Option<&str>, limit: usize| match (&sought.domain, sought.leading_word(), caller.confined_to()) {
                (Some(domain), ..) => in_domain(&snapshot, caller, domain, |domain| beginning(domain, after, limit)),
                (None, None, None) => snapshot.aliases(after, limit),
                (None, Some(word), None) if !filter.hidden => by_word(&snapshot, word, after, limit),
                (None, ..) => by_domain(&snapshot, caller, after, limit, beginning),
            };
            page(paging, fetch, wanted)
        }
        // The reverse index knows them all at once: no walk through the whole table, and no further page.
        Some(target) => {
            let keys = snapshot.aliases_to(target)?;
            let aliases = keys.iter().filter_map(|key| snapshot.alias(key).transpose());
            let items = aliases.filter_map(|alias| alias.map_err(Problem::from).and_then(wanted).transpose()).collect::<Result<_, _>>()?;
            Ok(Page { items, next: None })
        }
    }
}

/// What a filter comes to.
struct Sought {
    domain: Option<Domain>,
    /// Within a domain: how the local part begins.
    beginning: String,
    words: Vec<String>,
}

impl Sought {
    /// `local@domain` is sought by its parts, a domain of the caller's by itself, and whatever else is given by words.
    fn of(snapshot: &Snapshot<'_>, caller: &Caller, filter: &Filter) -> Result<Self, Problem> {
        let text = filter.search.as_deref().unwrap_or_default().trim().to_lowercase();
        let (local, domain) = match text.rsplit_once('@') {
            Some((local, domain)) => (local.to_owned(), Domain::parse(domain).ok()),
            None => {
                let domain = if text.contains('.') { Domain::parse(&text).ok() } else { None };
                let known = domain.as_ref().map_or(Ok(false), |domain| caller.sees(snapshot, domain))?;
                let domain = match domain {
                    Some(domain) if known && snapshot.domain(&domain)?.is_some() => Some(domain),
                    _ => None,
                };
                if domain.is_some() { (String::new(), domain) } else { (text, None) }
            }
        };
        let (words, domain) = (words(&local), filter.domain.clone().or(domain));
        let beginning = if domain.is_some() && text_is_address(filter) { local } else { String::new() };
        Ok(Self { domain, beginning, words })
    }

    fn leading_word(&self) -> Option<&str> {
        self.words.iter().max_by_key(|word| word.len()).map(String::as_str)
    }

    /// Whether each word begins one of the alias's.
    fn finds(&self, key: &AliasKey) -> bool {
        let have = if self.words.is_empty() { Vec::new() } else { words_of_alias(key) };
        self.words.iter().all(|word| have.iter().any(|have| have.starts_with(word)))
    }
}

fn text_is_address(filter: &Filter) -> bool {
    filter.search.as_deref().is_some_and(|text| text.contains('@'))
}

fn by_word(snapshot: &Snapshot<'_>, word: &str, after: Option<&str>, limit: usize) -> Result<directory::Page<Alias>, Unreadable> {
    let found = snapshot.aliases_by_word(word, after, limit)?;
    // One that has several such words is shown at the first of them.
    let first = |(at, alias): &(String, Alias)| words_of_alias(&alias.key).iter().find(|have| have.starts_with(word)) == Some(at);
    Ok(directory::Page { records: found.records.into_iter().filter(first).map(|(_, alias)| alias).collect(), next: found.next })
}

/// One alias, hidden or not.
pub fn show(context: &Context, caller: &Caller, key: &AliasKey) -> Result<Shown, Problem> {
    show_with_revision(context, caller, key).map(|(_, shown)| shown)
}

/// One alias, and the revision that an edit may be made conditional on.
pub fn show_with_revision(context: &Context, caller: &Caller, key: &AliasKey) -> Result<(Revision, Shown), Problem> {
    let snapshot = context.directory.snapshot();
    let refused = || Refusal::NoSuchAlias(key.clone());
    let alias = snapshot.alias(key)?.ok_or_else(refused)?;
    let revision = snapshot.revision_of(&Subject::Alias(key.clone()))?;
    if caller.sees(&snapshot, key.domain())? { Ok((revision, alias.into())) } else { Err(refused().into()) }
}

/// Replaces what is given of an alias.
pub fn edit(context: &Context, caller: &Caller, key: &AliasKey, edit: Edit, condition: Match) -> Result<(Revision, Shown), Problem> {
    let before = show(context, caller, key)?;
    let Edit { targets, note, expires, enabled } = edit;
    if let Some(targets) = &targets {
        // What leads elsewhere already may stay.
        let new = targets.iter().filter(|target| !before.targets.contains(target));
        known_targets(&context.directory.snapshot(), caller, new)?;
    }
    let switch = enabled.map(|enabled| if enabled { Switch::Enabled } else { Switch::Disabled });
    let change = Change::EditAlias { key: key.clone(), targets, note, expires, switch };
    context.change_if(caller, &change, &Subject::Alias(key.clone()), condition)?;
    show_with_revision(context, caller, key)
}

/// Adds targets to an alias, making it where there is none.
pub fn add(context: &Context, caller: &Caller, new: New) -> Result<Shown, Problem> {
    let snapshot = context.directory.snapshot();
    caller.needs(&snapshot, new.address.domain())?;
    known_targets(&snapshot, caller, &new.targets)?;
    let New { address: key, targets, note, expires } = new;
    context.change(caller, &Change::AddAlias { key: key.clone(), targets, note, expires })?;
    show(context, caller, &key)
}

/// Removes the whole alias.
pub fn remove(context: &Context, caller: &Caller, key: &AliasKey, run: Run, condition: Match) -> Result<Removal, Problem> {
    show(context, caller, key)?;
    let change = Change::RemoveAlias { key: key.clone(), targets: Vec::new() };
    context.remove_if(caller, &change, run, &Subject::Alias(key.clone()), condition)
}

/// Removes these entries of an alias; the last one takes the alias with it.
pub fn remove_entries(
    context: &Context,
    caller: &Caller,
    key: &AliasKey,
    targets: Vec<Target>,
    run: Run,
    condition: Match,
) -> Result<Removal, Problem> {
    if targets.is_empty() {
        return Err(Problem::new(Kind::BadValue, "targets: name at least one; to remove the whole alias, delete it".into()));
    }
    show(context, caller, key)?;
    context.remove_if(caller, &Change::RemoveAlias { key: key.clone(), targets }, run, &Subject::Alias(key.clone()), condition)
}

/// Switches an alias on or off.
pub fn switch(context: &Context, caller: &Caller, key: &AliasKey, switch: Switch, condition: Match) -> Result<(Revision, Shown), Problem> {
    show(context, caller, key)?;
    context.change_if(caller, &Change::SwitchAlias { key: key.clone(), switch }, &Subject::Alias(key.clone()), condition)?;
    show_with_revision(context, caller, key)
}

/// Refuses accounts that do not exist for the caller. (What does not exist at all, the directory refuses.)
pub(super) fn known_targets<'a>(
    snapshot: &Snapshot<'_>,
    caller: &Caller,
    targets: impl IntoIterator<Item = &'a Target>,
) -> Result<(), Problem> {
    for target in targets {
        let Target::Account(name) = target else { continue };
        let home = match snapshot.pop(name)? {
            Some(pop) => Some(pop.domain),
            None => snapshot.list(name)?.map(|list| list.domain),
        };
        if let Some(domain) = home
            && !caller.sees(snapshot, &domain)?
        {
            return Err(Refusal::NoSuchTarget { target: target.clone() }.into());
        }
    }
    Ok(())
}

/// Tells `null` from a missing key: `Some(None)` is an explicit `null`.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}
