//! Logins: who shows a password, and whether it is right. For POP3, and for masters.
//!
//! Owns what a login costs: Argon2 on threads of its own ([`work`]), a short memory of what was verified ([`verified`]), counts
//! of failures ([`failures`]). Promises that a name that nobody has costs what a name with a wrong password costs, that a
//! changed password or a suspension holds from the next login on, and that failures wait and are bounded. A hash that costs
//! less than is asked for today is made anew when its password is shown. Refuses to know protocols: it is given a name, a
//! secret and an address, and says [`Denied`] or who it is.

pub mod failures;
pub mod verified;
pub mod work;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use tokio::{task, time};

use self::failures::{Failures, Keys, Limited};
use self::verified::{Verified, Whose};
use self::work::{Busy, Work};
use super::model::{AliasKey, Kind, Master, PasswordHash, Pop, Revision, Standing, State};
use super::password::{self, Cost};
use super::store::{Directory, Subject};
use super::view::{Unreadable, View};
use super::{Actor, Change};
use crate::mail::{Name, Network, Secret};
use crate::telemetry::{Event, meter};

/// How long a login that met a limit waits for its reply: asking again at once is of no use.
const LIMITED_PAUSE: Duration = Duration::from_secs(1);

/// Where a login comes from.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// What is logged in to, for the log.
    pub service: &'static str,
    /// The client's address, where it has one.
    pub client: Option<IpAddr>,
}

/// Why somebody is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// Name and password do not fit, or nobody has that name.
    Wrong,
    /// They fit, and the account is suspended.
    Suspended,
    /// Too many failures of that name or from that address.
    Limited {
        /// How long until it is worth trying again.
        wait: Duration,
    },
    /// Too many logins at a time.
    Busy,
    /// The directory cannot be read.
    Unreadable,
}

/// An account that somebody logs in to.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Account {
    Pop(Pop),
    Master(Master),
}

impl Account {
    fn whose(&self) -> Whose {
        match self {
            Self::Pop(pop) => (Kind::Pop, pop.name.clone()),
            Self::Master(master) => (Kind::Master, master.name.clone()),
        }
    }

    fn password(&self) -> &PasswordHash {
        match self {
            Self::Pop(pop) => &pop.password,
            Self::Master(master) => &master.password,
        }
    }

    fn admitted(self, shown: Shown) -> Result<(Self, Shown), Denied> {
        let suspended = matches!(self, Self::Pop(Pop { state: State::Suspended, .. }));
        if suspended { Err(Denied::Suspended) } else { Ok((self, shown)) }
    }
}

/// What was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The owner's password.
    Password,
    /// What the server issued to itself.
    Issued,
}

/// Everybody who may log in.
pub struct Logins {
    directory: Arc<Directory>,
    cost: ArcSwap<Cost>,
    work: Work,
    verified: Verified,
    failures: Failures,
    /// Stands in for the hash of a name that nobody has: of today's cost, and of no password.
    nobody: ArcSwap<PasswordHash>,
}

impl Logins {
    /// For the accounts of a directory; `cost` is that of hashes made today.
    pub fn new(directory: Arc<Directory>, cost: Cost) -> io::Result<Self> {
        Ok(Self {
            directory,
            cost: ArcSwap::from_pointee(cost),
            work: Work::begin()?,
            verified: Verified::new()?,
            failures: Failures::new(Instant::now()),
            nobody: ArcSwap::from_pointee(nobody(cost)),
        })
    }

    /// Takes another cost, for hashes made from now on.
    pub fn set_cost(&self, cost: Cost) {
        if **self.cost.load() != cost {
            self.cost.store(Arc::new(cost));
            self.nobody.store(Arc::new(nobody(cost)));
        }
    }

    /// The owner of a POP account, by its name or its own address `name@domain`.
    pub async fn pop(self: &Arc<Self>, name: &str, secret: &Secret, origin: Origin) -> Result<Pop, Denied> {
        match self.log_in(Kind::Pop, name, secret, origin).await? {
            (Account::Pop(pop), Shown::Password) => {
                meter().logged_in(origin.service);
                self.directory.logged_in(pop.id, Timestamp::now());
                Ok(pop)
            }
            (Account::Pop(pop), Shown::Issued) => Ok(pop),
            (Account::Master(_), _) => Err(Denied::Wrong),
        }
    }

    /// A master.
    pub async fn master(self: &Arc<Self>, name: &str, secret: &Secret, origin: Origin) -> Result<Master, Denied> {
        match self.log_in(Kind::Master, name, secret, origin).await? {
            (Account::Master(master), _) => {
                meter().logged_in(origin.service);
                Ok(master)
            }
            (Account::Pop(_), _) => Err(Denied::Wrong),
        }
    }

    /// A credential of the server's own, for one login to that POP account within a minute.
    pub fn issue(&self, name: &Name) -> Secret {
        self.verified.issue(name, Instant::now())
    }

    async fn log_in(self: &Arc<Self>, kind: Kind, name: &str, secret: &Secret, origin: Origin) -> Result<(Account, Shown), Denied> {
        let unreadable = |_: Unreadable| Denied::Unreadable;
        let account = self.find(kind, name).map_err(unreadable)?;
        // Both ways to write an account's name count as one.
        let whose = account.as_ref().map(Account::whose);
        let spelt = whose.as_ref().map_or_else(|| name.to_lowercase(), |(_, name)| name.to_string());
        let keys = self.failures.keys((kind == Kind::Master, spelt), origin.client);
        self.check_limits(keys, whose.as_ref(), origin).await?;
        if let (Some(account), Some(whose)) = (&account, &whose)
            && let Some(shown) = self.recognise(account, whose, secret)
        {
            return account.clone().admitted(shown);
        }
        let from = origin.client.map(Network::of);
        let hash = account.as_ref().map_or_else(|| PasswordHash::clone(&self.nobody.load()), |account| account.password().clone());
        let fits = self.verify(from, secret, hash).await.map_err(|Busy| Denied::Busy)?;
        // While the login waited for its turn, the password may have been changed, or the account suspended.
        match self.find(kind, name).map_err(unreadable)? {
            Some(now) if fits && account.as_ref().is_some_and(|account| account.password() == now.password()) => {
                self.verified.note(now.whose(), now.password(), secret, from, Instant::now());
                self.renew(&now, secret);
                now.admitted(Shown::Password)
            }
            _ => Err(self.fail(keys, name, origin).await),
        }
    }

    fn find(&self, kind: Kind, name: &str) -> Result<Option<Account>, Unreadable> {
        let view = self.directory.snapshot();
        let name = match Name::parse(name) {
            Ok(name) => name,
            Err(_) => match AliasKey::parse(name) {
                Ok(key @ AliasKey::Exact(_)) if kind == Kind::Pop => match view.alias(&key)?.map(|alias| alias.standing) {
                    Some(Standing::Hidden(name)) => name,
                    _ => return Ok(None),
                },
                _ => return Ok(None),
            },
        };
        Ok(match kind {
            Kind::Pop => view.pop(&name)?.map(Account::Pop),
            Kind::Master => view.master(&name)?.map(Account::Master),
            Kind::List => None,
        })
    }

    /// The limit of a name does not lock its owner out where the owner has logged in from a short while ago.
    async fn check_limits(&self, keys: Keys, whose: Option<&Whose>, origin: Origin) -> Result<(), Denied> {
        let now = Instant::now();
        let from = origin.client.map(Network::of);
        let wait = match self.failures.check(keys, now) {
            Ok(()) => return Ok(()),
            Err(Limited::Name(_)) if whose.is_some_and(|whose| self.verified.knows(whose, from, now)) => return Ok(()),
            Err(Limited::Name(wait) | Limited::Address(wait)) => wait,
        };
        time::sleep(LIMITED_PAUSE).await;
        Err(Denied::Limited { wait })
    }

    /// What costs no Argon2.
    fn recognise(&self, account: &Account, whose: &Whose, secret: &Secret) -> Option<Shown> {
        let now = Instant::now();
        if self.verified.holds(whose, account.password(), secret, now) {
            return Some(Shown::Password);
        }
        (whose.0 == Kind::Pop && self.verified.redeem(&whose.1, secret, now)).then_some(Shown::Issued)
    }

    async fn verify(&self, from: Option<Network>, secret: &Secret, hash: PasswordHash) -> Result<bool, Busy> {
        let secret = secret.clone();
        self.work.run(from, password::memory_kib(&hash), move || password::verify(&secret, &hash)).await
    }

    async fn fail(&self, keys: Keys, name: &str, origin: Origin) -> Denied {
        let failed = self.failures.note(keys, Instant::now());
        let client = origin.client.map_or_else(|| "local socket".to_owned(), |client| client.to_string());
        Event::LoginFailed { service: origin.service, client: &client, name }.say();
        if failed.name_limited {
            Event::LoginsLimited { service: origin.service, what: "name", whose: name }.say();
        }
        if failed.address_limited {
            Event::LoginsLimited { service: origin.service, what: "address", whose: &client }.say();
        }
        time::sleep(failed.pause).await;
        Denied::Wrong
    }

    /// Makes a hash anew that costs less than is asked for today. The login does not wait for it.
    fn renew(self: &Arc<Self>, account: &Account, secret: &Secret) {
        let cost = **self.cost.load();
        if !password::needs_rehash(account.password(), cost) {
            return;
        }
        let (logins, account, secret) = (Arc::clone(self), account.clone(), secret.clone());
        task::spawn(async move {
            let hashed = secret.clone();
            let made = logins.work.run(None, cost.memory_kib, move || password::hash(&hashed, cost)).await;
            // With too much to do, the next login is early enough.
            let Ok(hash) = made else { return };
            let (store, kept) = (Arc::clone(&logins), hash.clone());
            let whose = account.whose();
            let stored = task::spawn_blocking(move || store.store(&account, kept)).await;
            match stored.map_err(|error| error.to_string()).and_then(|stored| stored) {
                Ok(()) => {
                    logins.verified.note(whose.clone(), &hash, &secret, None, Instant::now());
                    Event::PasswordRenewed { name: whose.1.as_str() }.say();
                }
                Err(cause) => Event::TaskFailed { task: "making a password hash anew", cause: &cause }.say(),
            }
        });
    }

    /// Stores a hash, unless the account has changed since it was read: then the change comes first.
    fn store(&self, account: &Account, password: PasswordHash) -> Result<(), String> {
        let (kind, name) = account.whose();
        let (subject, change) = match kind {
            Kind::Master => (Subject::Master(name.clone()), Change::SetMasterPassword { name: name.clone(), password }),
            _ => (Subject::Pop(name.clone()), Change::SetPopPassword { name: name.clone(), password }),
        };
        let seen: Revision = self.directory.snapshot().revision_of(&subject).map_err(|error| error.to_string())?;
        let now = self.find(kind, name.as_str()).map_err(|error| error.to_string())?;
        if now.is_none_or(|now| now.password() != account.password()) {
            return Err(format!("the password of {name} has just been changed"));
        }
        self.directory.apply_if(&Actor::Server, &change, Timestamp::now(), &subject, seen).map(|_| ()).map_err(|error| error.to_string())
    }
}

fn nobody(cost: Cost) -> PasswordHash {
    password::hash(&password::generate(), cost)
}
