//! A directory in memory, which may hold what the rules of the real one forbid: circles, dangling targets.

use std::collections::BTreeMap;
use std::error::Error;

use jiff::Timestamp;
use restante::directory::{
    AccountId, Alias, AliasKey, DomainRecord, Handling, Kind, List, Master, Member, PasswordHash, Pop, Posting, Revision, Standing, State,
    Style, Switch, Target, Unreadable, View,
};
use restante::mail::{Domain, Name};
use restante::router::{Disabled, Limits, Lists, Relay};

/// The double of a directory snapshot.
#[derive(Default)]
pub struct Memory {
    domains: BTreeMap<Domain, DomainRecord>,
    pops: BTreeMap<Name, Pop>,
    lists: BTreeMap<Name, List>,
    aliases: BTreeMap<AliasKey, Alias>,
    /// What happens with mail beside its delivery.
    pub handling: BTreeMap<AccountId, Handling>,
    broken: Option<AliasKey>,
}

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// The limits of the reference configuration.
pub fn limits() -> Limits {
    Limits {
        hostname: None,
        subaddress_separators: "+".into(),
        postmaster: None,
        disabled: Disabled::Unknown,
        relay: Relay::Off,
        lists: Lists::Off,
        max_depth: 20,
        max_fan_out: 1000,
        max_total: 1000,
    }
}

impl Memory {
    /// Makes a domain local.
    pub fn domain(&mut self, domain: &str) -> Outcome {
        let domain = Domain::parse(domain)?;
        let record = DomainRecord { domain: domain.clone(), owner: None, created: Timestamp::UNIX_EPOCH };
        self.domains.insert(domain, record);
        Ok(())
    }

    /// Adds a POP account and its hidden alias.
    pub fn pop(&mut self, name: &str, domain: &str, state: State) -> Outcome {
        let name = Name::parse(name)?;
        let pop = Pop {
            id: AccountId(self.pops.len() as u64 + 1),
            name: name.clone(),
            domain: Domain::parse(domain)?,
            owner: String::new(),
            password: PasswordHash(String::new()),
            quota: None,
            state,
            created: Timestamp::UNIX_EPOCH,
        };
        self.hidden(&name, domain)?;
        self.pops.insert(name, pop);
        Ok(())
    }

    /// Adds a list account and its hidden alias.
    pub fn list(&mut self, name: &str, domain: &str) -> Outcome {
        let name = Name::parse(name)?;
        let list = List {
            id: AccountId(1_000_000 + self.lists.len() as u64),
            name: name.clone(),
            domain: Domain::parse(domain)?,
            owner: Target::Discard,
            posting: Posting::Anyone,
            style: Style::default(),
            members: 0,
            created: Timestamp::UNIX_EPOCH,
        };
        self.hidden(&name, domain)?;
        self.lists.insert(name, list);
        Ok(())
    }

    fn hidden(&mut self, name: &Name, domain: &str) -> Outcome {
        self.put(&format!("{name}@{domain}"), vec![Target::Account(name.clone())])?.standing = Standing::Hidden(name.clone());
        Ok(())
    }

    /// Adds an alias, in use and without expiry, and hands it out for changes.
    pub fn put(&mut self, key: &str, targets: Vec<Target>) -> Outcome<&mut Alias> {
        let key = AliasKey::parse(key)?;
        let alias = Alias {
            key: key.clone(),
            standing: Standing::Plain,
            targets,
            switch: Switch::Enabled,
            note: String::new(),
            expires: None,
            created: Timestamp::UNIX_EPOCH,
            last_used: None,
            uses: 0,
        };
        self.aliases.insert(key.clone(), alias);
        self.aliases.get_mut(&key).ok_or_else(|| "just inserted".into())
    }

    /// Adds an alias with its targets as text.
    pub fn alias(&mut self, key: &str, targets: &[&str]) -> Outcome<&mut Alias> {
        let targets = targets.iter().map(|target| Target::parse(target)).collect::<Result<_, _>>()?;
        self.put(key, targets)
    }

    /// Looks at an alias, for changes.
    pub fn edit(&mut self, key: &str) -> Outcome<&mut Alias> {
        self.aliases.get_mut(&AliasKey::parse(key)?).ok_or_else(|| format!("no alias {key}").into())
    }

    /// From now on a look at this alias fails.
    pub fn break_at(&mut self, key: &str) -> Outcome {
        self.broken = Some(AliasKey::parse(key)?);
        Ok(())
    }
}

impl View for Memory {
    fn revision(&self) -> Revision {
        Revision(1)
    }
    fn domain(&self, domain: &Domain) -> Result<Option<DomainRecord>, Unreadable> {
        Ok(self.domains.get(domain).cloned())
    }
    fn holder(&self, name: &Name) -> Result<Option<Kind>, Unreadable> {
        Ok(self.pops.get(name).map(|_| Kind::Pop).or_else(|| self.lists.get(name).map(|_| Kind::List)))
    }
    fn master(&self, _: &Name) -> Result<Option<Master>, Unreadable> {
        Ok(None)
    }
    fn pop(&self, name: &Name) -> Result<Option<Pop>, Unreadable> {
        Ok(self.pops.get(name).cloned())
    }
    fn list(&self, name: &Name) -> Result<Option<List>, Unreadable> {
        Ok(self.lists.get(name).cloned())
    }
    fn alias(&self, key: &AliasKey) -> Result<Option<Alias>, Unreadable> {
        match &self.broken {
            Some(broken) if broken == key => Err(Unreadable("block checksum mismatch".into())),
            _ => Ok(self.aliases.get(key).cloned()),
        }
    }
    fn handling(&self, id: AccountId) -> Result<Option<Handling>, Unreadable> {
        Ok(self.handling.get(&id).cloned())
    }
    fn member(&self, _: &Name, _: &Target) -> Result<Option<Member>, Unreadable> {
        Ok(None)
    }
    fn aliases_to(&self, target: &Target) -> Result<Vec<AliasKey>, Unreadable> {
        Ok(self.aliases.values().filter(|alias| alias.targets.contains(target)).map(|alias| alias.key.clone()).collect())
    }
}
