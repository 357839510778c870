//! Logins: who is let in, from when on a change holds, and what is remembered.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use restante::directory::login::{Denied, Logins, Origin};
use restante::directory::password::{self, Cost};
use restante::directory::*;
use restante::mail::Secret;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::fixture::{add_domain, add_master, at, delete_pop, name};

const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

struct World {
    folder: TempDir,
    directory: Arc<Directory>,
    logins: Arc<Logins>,
    runtime: Runtime,
}

fn secret(text: &str) -> Secret {
    Secret::given(text.to_owned())
}

fn hash(text: &str) -> PasswordHash {
    password::hash(&secret(text), CHEAP)
}

fn from(last: u8) -> Origin {
    Origin { service: "pop3", client: Some(IpAddr::from([192, 0, 2, last])) }
}

impl World {
    /// `alice` and `sam` with the password `wonderland`, `sam` suspended; the master `root` with `masterful`.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let directory = Arc::new(Directory::open(folder.path()).unwrap());
        let logins = Arc::new(Logins::new(Arc::clone(&directory), CHEAP).unwrap());
        let world = Self { folder, directory, logins, runtime: Runtime::new().unwrap() };
        world.apply(&add_domain("example.org"));
        world.apply(&add_master("root", Role::Admin));
        world.apply(&Change::SetMasterPassword { name: name("root"), password: hash("masterful") });
        for (account, state) in [("alice", State::Active), ("sam", State::Suspended)] {
            let (domain, password) = (super::fixture::domain("example.org"), hash("wonderland"));
            world.apply(&Change::AddPop { name: name(account), domain, owner: "A test".into(), password, quota: None, state });
        }
        world
    }

    fn apply(&self, change: &Change) {
        self.directory.apply(&Actor::Server, change, at(1_000_000_000)).unwrap();
    }

    fn pop(&self, account: &str, password: &str) -> Result<String, Denied> {
        self.runtime.block_on(self.logins.pop(account, &secret(password), from(1))).map(|pop| pop.name.to_string())
    }

    fn master(&self, account: &str, password: &str) -> Result<String, Denied> {
        self.runtime.block_on(self.logins.master(account, &secret(password), from(1))).map(|master| master.name.to_string())
    }

    fn stored(&self, account: &str) -> PasswordHash {
        self.directory.snapshot().pop(&name(account)).unwrap().unwrap().password
    }
}

#[test]
fn an_owner_comes_in_by_name_or_own_address_and_a_master_by_name() {
    let world = World::new();
    world.apply(&super::fixture::add_alias("info@example.org", &["alice"]));
    for account in ["alice", "ALICE", "alice@example.org", "Alice@Example.Org."] {
        assert_eq!(world.pop(account, "wonderland"), Ok("alice".into()), "{account}");
    }
    for account in ["info@example.org", "alice@elsewhere.org", "alice@", "@example.org", "root", "nobody", "", "a b"] {
        assert_eq!(world.pop(account, "wonderland"), Err(Denied::Wrong), "{account}");
    }
    assert_eq!(world.pop("alice", "Wonderland"), Err(Denied::Wrong));
    assert_eq!(world.master("root", "masterful"), Ok("root".into()));
    assert_eq!(world.master("alice", "wonderland"), Err(Denied::Wrong), "no POP account is a master");
}

#[test]
fn only_who_knows_the_password_hears_of_a_suspension() {
    let world = World::new();
    assert_eq!(world.pop("sam", "wrong"), Err(Denied::Wrong));
    assert_eq!(world.pop("sam", "wonderland"), Err(Denied::Suspended));
}

#[test]
fn a_change_holds_from_the_next_login_on_whatever_was_verified_before() {
    let world = World::new();
    assert!(world.pop("alice", "wonderland").is_ok());
    world.apply(&Change::SetPopPassword { name: name("alice"), password: hash("looking-glass") });
    assert_eq!(world.pop("alice", "wonderland"), Err(Denied::Wrong));
    assert!(world.pop("alice", "looking-glass").is_ok());
    world.apply(&Change::SetPopState { name: name("alice"), state: State::Suspended });
    assert_eq!(world.pop("alice", "looking-glass"), Err(Denied::Suspended));
    world.apply(&Change::SetPopState { name: name("alice"), state: State::Active });
    assert!(world.pop("alice", "looking-glass").is_ok());
    world.apply(&delete_pop("alice"));
    assert_eq!(world.pop("alice", "looking-glass"), Err(Denied::Wrong));
}

#[test]
fn a_hash_follows_a_raised_cost_at_the_next_login() {
    let world = World::new();
    assert!(world.pop("alice", "wonderland").is_ok());
    world.logins.set_cost(Cost { passes: 2, ..CHEAP });
    // What was verified already is not hashed anew; a wrong password never is.
    assert_eq!(world.pop("alice", "wrong"), Err(Denied::Wrong));
    assert!(world.stored("alice").0.contains("t=1"));
    world.apply(&Change::SetPopPassword { name: name("alice"), password: hash("looking-glass") });
    assert!(world.pop("alice", "looking-glass").is_ok());
    let renewed = (0..600).any(|_| {
        let renewed = world.stored("alice").0.contains("t=2");
        if !renewed {
            std::thread::sleep(Duration::from_millis(50));
        }
        renewed
    });
    assert!(renewed, "the hash was not made anew");
    assert!(world.pop("alice", "looking-glass").is_ok());
    assert_eq!(world.pop("alice", "wonderland"), Err(Denied::Wrong));
}

#[test]
fn the_last_login_is_kept_and_goes_with_the_account() {
    let world = World::new();
    let id = world.directory.snapshot().pop(&name("alice")).unwrap().unwrap().id;
    assert_eq!(world.directory.last_login(id).unwrap(), None);
    assert!(world.pop("alice", "wrong").is_err());
    assert_eq!(world.directory.last_login(id).unwrap(), None, "a failure is no login");
    assert!(world.pop("alice", "wonderland").is_ok());
    let last = world.directory.last_login(id).unwrap().unwrap();
    assert_eq!(world.directory.snapshot().last_login(id).unwrap(), None, "not written at each login");
    world.directory.write_uses().unwrap();
    let World { folder, directory, logins, runtime } = world;
    drop((directory, logins, runtime));
    let directory = Directory::open(folder.path()).unwrap();
    assert_eq!(directory.last_login(id).unwrap(), Some(last));
    directory.apply(&Actor::Server, &delete_pop("alice"), at(2_000_000_000)).unwrap();
    assert_eq!(directory.last_login(id).unwrap(), Some(last), "it can be restored");
    directory.apply(&Actor::Server, &Change::PurgePop { id }, at(2_000_000_000)).unwrap();
    assert_eq!(directory.last_login(id).unwrap(), None);
}

#[test]
fn a_name_under_attack_is_refused_except_where_its_owner_was_before() {
    let world = World::new();
    assert!(world.pop("alice", "wonderland").is_ok());
    let guess = |last: u8| {
        let logins = Arc::clone(&world.logins);
        world.runtime.spawn(async move { logins.pop("alice", &secret("guess"), from(last)).await.is_ok() })
    };
    let guesses: Vec<_> = (100..130).map(guess).collect();
    let elsewhere = || world.runtime.block_on(world.logins.pop("alice", &secret("wonderland"), from(2)));
    let limited = (0..60).any(|_| {
        let limited = matches!(elsewhere(), Err(Denied::Limited { .. }));
        if !limited {
            std::thread::sleep(Duration::from_millis(100));
        }
        limited
    });
    assert!(limited, "no limit was met");
    guesses.iter().for_each(tokio::task::JoinHandle::abort);
    assert_eq!(world.pop("alice@example.org", "wonderland"), Ok("alice".into()), "where the owner was before");
    assert_eq!(world.pop("sam", "wonderland"), Err(Denied::Suspended), "others are not concerned");
}

#[test]
fn what_the_server_issues_to_itself_holds_once_and_is_no_login_of_the_owner() {
    let world = World::new();
    let issued = world.logins.issue(&name("alice")).expose().to_owned();
    assert_eq!(world.master("root", &issued), Err(Denied::Wrong));
    assert_eq!(world.pop("alice", &issued), Ok("alice".into()));
    assert_eq!(world.pop("alice", &issued), Err(Denied::Wrong));
    let id = world.directory.snapshot().pop(&name("alice")).unwrap().unwrap().id;
    assert_eq!(world.directory.last_login(id).unwrap(), None);
}
