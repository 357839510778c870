//! Who may do what: the one place where that is decided.
//!
//! Root, the server's own user and masters of the role admin may do everything. A master of the role owner sees and
//! changes its own domains and what lives in them; what lies elsewhere does not exist for it, so a refusal never tells
//! whether it does.

use std::net::IpAddr;

use crate::directory::{Actor, Author, Role, Unreadable, View};
use crate::mail::{Domain, Name};

use super::problem::{Kind, Problem};

/// Somebody whose rights are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    author: Author,
    reach: Reach,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reach {
    Everything,
    DomainsOf(Name),
}

impl Caller {
    /// Finds out what an actor may do.
    pub fn of<V: View + ?Sized>(view: &V, actor: Actor) -> Result<Self, Problem> {
        let reach = match &actor {
            Actor::Server => Reach::Everything,
            Actor::Uid(uid) if is_administrator(*uid) => Reach::Everything,
            Actor::Uid(uid) => {
                return Err(Problem::forbidden(format!("user id {uid} may not administer this server; use root or the server's own user")));
            }
            Actor::Master(name) => match view.master(name)?.map(|master| master.role) {
                Some(Role::Admin) => Reach::Everything,
                Some(Role::Owner) => Reach::DomainsOf(name.clone()),
                None => return Err(Problem::forbidden(format!("the master `{name}` does not exist any more; log in again"))),
            },
        };
        Ok(Self { author: actor.into(), reach })
    }

    /// The same, on behalf of a client with this address.
    pub fn coming_from(mut self, address: Option<IpAddr>) -> Self {
        self.author.from = address;
        self
    }

    /// The server itself.
    pub fn server() -> Self {
        Self { author: Actor::Server.into(), reach: Reach::Everything }
    }

    /// On whose behalf changes are made.
    pub fn actor(&self) -> &Actor {
        &self.author.actor
    }

    /// The same, and from where.
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// The master that the caller is; none for users of this machine.
    pub fn master(&self) -> Option<&Name> {
        match &self.author.actor {
            Actor::Master(name) => Some(name),
            Actor::Uid(_) | Actor::Server => None,
        }
    }

    /// The master whose domains are all that the caller sees; none for those who see everything.
    pub fn confined_to(&self) -> Option<&Name> {
        match &self.reach {
            Reach::Everything => None,
            Reach::DomainsOf(name) => Some(name),
        }
    }

    /// Refuses everybody who may not do everything.
    pub fn needs_admin(&self) -> Result<(), Problem> {
        match self.reach {
            Reach::Everything => Ok(()),
            Reach::DomainsOf(_) => Err(Problem::forbidden("this needs a master of the role admin".into())),
        }
    }

    /// Refuses everybody but admins and the master itself.
    pub fn needs_admin_or(&self, master: &Name) -> Result<(), Problem> {
        match &self.reach {
            Reach::DomainsOf(name) if name == master => Ok(()),
            _ => self.needs_admin(),
        }
    }

    /// Whether what lives in a domain exists for the caller.
    pub fn sees<V: View + ?Sized>(&self, view: &V, domain: &Domain) -> Result<bool, Unreadable> {
        match &self.reach {
            Reach::Everything => Ok(true),
            Reach::DomainsOf(name) => Ok(view.domain(domain)?.is_some_and(|record| record.owner.as_ref() == Some(name))),
        }
    }

    /// Refuses a domain that does not exist for the caller.
    pub fn needs<V: View + ?Sized>(&self, view: &V, domain: &Domain) -> Result<(), Problem> {
        if self.sees(view, domain)? {
            Ok(())
        } else {
            Err(Problem::new(Kind::NoSuchDomain, format!("there is no domain `{domain}` among yours")))
        }
    }
}

/// Root, and the user that the server runs as.
pub fn is_administrator(uid: u32) -> bool {
    uid == 0 || uid == rustix::process::geteuid().as_raw()
}
