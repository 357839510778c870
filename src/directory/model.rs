//! What the directory records (design: one namespace for all names; addresses map to targets).

mod handling;
mod list;
mod second;
mod token;

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::mail::{Address, AddressError, Domain, Host, Mailbox, Name};

pub use handling::{Handling, Vacation};
pub use list::{BounceKind, Bounces, List, Member, Roster, Seat, Style};
pub use second::SecondFactor;
pub use token::{Token, TokenHash, TokenId, TokenIdError};

/// A number that grows by one with each change of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Revision(pub u64);

/// What an account is called for ever, whatever its name: a new account under an old name has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AccountId(pub u64);

/// The kinds that share the one namespace of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An administrator's login.
    Master,
    /// A mailbox.
    Pop,
    /// A distributing name.
    List,
}

/// What a master may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// Its own domains, and what lives in them.
    Owner,
}

/// Whether a POP account may log in. Mail is taken either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Logins work.
    Active,
    /// Logins are refused.
    Suspended,
}

/// Who may post to a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Posting {
    /// Everybody.
    Anyone,
    /// Members.
    Members,
    /// The owner.
    Owner,
    /// Everybody, once the owner has approved of the message. It stands last because audit entries tell variants by their places.
    Moderated,
}

/// Whether an alias is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// In use.
    Enabled,
    /// Switched off by an admin.
    Disabled,
}

/// An Argon2id hash in PHC string form. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordHash(pub String);

/// A local mail domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainRecord {
    /// The domain.
    pub domain: Domain,
    /// The master that owns it; none means that only admins see it.
    pub owner: Option<Name>,
    /// When it was made.
    pub created: Timestamp,
}

/// An administrator's login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Master {
    /// The name.
    pub name: Name,
    /// What it may do.
    pub role: Role,
    /// Its password.
    pub password: PasswordHash,
    /// When it was made.
    pub created: Timestamp,
}

/// The quota of an account that has none whatever the configuration says: no disk is larger.
pub const UNLIMITED: u64 = u64::MAX;

/// A POP account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pop {
    /// Its identity.
    pub id: AccountId,
    /// Its name.
    pub name: Name,
    /// Its home domain: the hidden alias is `name@domain`.
    pub domain: Domain,
    /// The owner's real name, or what the account is for.
    pub owner: String,
    /// Its password.
    pub password: PasswordHash,
    /// Octets its Maildir may hold; none means what the configuration says, [`UNLIMITED`] that there is no limit.
    pub quota: Option<u64>,
    /// Whether logins work.
    pub state: State,
    /// When it was made.
    pub created: Timestamp,
}

/// What an alias is found by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum AliasKey {
    /// `local@domain`.
    Exact(Address),
    /// `@domain`: every address of the domain that has no alias of its own.
    CatchAll(Domain),
}

/// Whether an alias belongs to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Standing {
    /// It was added as an alias.
    Plain,
    /// It is the default alias of this POP or list account, and lives and dies with it.
    Hidden(Name),
}

/// Where an alias leads.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// A POP or list account.
    Account(Name),
    /// An address: of another alias if its domain is local, else elsewhere. Which of the two is decided by the
    /// directory at the time of the question, so a domain may become local later.
    Address(Mailbox),
    /// The same local part in another local domain; only for a catch-all.
    Domain(Domain),
    /// A refusal in these words.
    Reject(String),
    /// Accept, and throw away.
    Discard,
}

/// An alias and its entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// What it is found by.
    pub key: AliasKey,
    /// Whether it belongs to an account.
    pub standing: Standing,
    /// Where it leads, in the order given, each once.
    pub targets: Vec<Target>,
    /// Whether it is in use.
    pub switch: Switch,
    /// What an admin wrote beside it.
    pub note: String,
    /// From when on it counts as switched off.
    pub expires: Option<Timestamp>,
    /// When it was made.
    pub created: Timestamp,
    /// When mail last came through it, as far as it has been written down.
    pub last_used: Option<Timestamp>,
    /// How often mail came through it, as far as it has been written down.
    pub uses: u64,
}

/// A deleted POP account that can be brought back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trashed {
    /// The account as it was.
    pub pop: Pop,
    /// When it was deleted.
    pub deleted: Timestamp,
    /// The alias entries that led to it, and those removed with them.
    pub entries: Vec<(AliasKey, Target)>,
    /// The aliases that went with their last entry: their notes, dates, switches and counts.
    pub aliases: Vec<Alias>,
    /// Its seats on lists, and those of aliases removed with it.
    pub seats: Vec<(Name, Target)>,
}

/// Why a text is not a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a target: give an account's name, an address, @domain, reject:TEXT or discard ({why})")]
pub struct TargetError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl AliasKey {
    /// Reads `local@domain` or `@domain`.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix('@') {
            Some(domain) => Ok(Self::CatchAll(Domain::parse(domain)?)),
            None => Ok(Self::Exact(Address::parse(text)?)),
        }
    }

    /// The domain it belongs to.
    pub fn domain(&self) -> &Domain {
        match self {
            Self::Exact(address) => address.domain(),
            Self::CatchAll(domain) => domain,
        }
    }
}

impl Alias {
    /// Whether it was added as an alias, and belongs to no account.
    pub fn is_plain(&self) -> bool {
        self.standing == Standing::Plain
    }
}

impl Target {
    /// Octets of a `reject:` text: it has to fit into one reply line (RFC 5321 §4.5.3.1.5).
    pub const REJECT_OCTETS: usize = 400;

    /// Reads a target as people write it. `discard` is the word, `"discard"@domain` an address.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let refused = |why: String| TargetError { text: text.chars().take(80).collect(), why };
        if let Some(words) = text.strip_prefix("reject:") {
            let words = words.trim();
            let printable = !words.is_empty() && words.len() <= Self::REJECT_OCTETS && words.bytes().all(|b| matches!(b, b' '..=b'~'));
            let why = || refused(format!("the text has 1 to {} printable ASCII characters", Self::REJECT_OCTETS));
            return if printable { Ok(Self::Reject(words.to_owned())) } else { Err(why()) };
        }
        if text == "discard" {
            return Ok(Self::Discard);
        }
        if let Some(domain) = text.strip_prefix('@') {
            return Domain::parse(domain).map(Self::Domain).map_err(|e| refused(e.to_string()));
        }
        if !text.contains('@') {
            return Name::parse(text).map(Self::Account).map_err(|e| refused(e.to_string()));
        }
        let mailbox = Mailbox::parse(text).map_err(|e| refused(e.to_string()))?;
        match mailbox.host() {
            Host::Domain(_) => Ok(Self::Address(mailbox)),
            Host::Literal(_) => Err(refused("an address literal cannot be a target".into())),
        }
    }
}

impl fmt::Display for AliasKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(address) => address.fmt(f),
            Self::CatchAll(domain) => write!(f, "@{domain}"),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(name) => name.fmt(f),
            Self::Address(mailbox) => mailbox.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
            Self::Reject(text) => write!(f, "reject:{text}"),
            Self::Discard => f.write_str("discard"),
        }
    }
}

impl fmt::Debug for AliasKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash")
    }
}

impl TryFrom<String> for AliasKey {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<AliasKey> for String {
    fn from(key: AliasKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for Target {
    type Error = TargetError;
    fn try_from(text: String) -> Result<Self, TargetError> {
        Self::parse(&text)
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "master",
            Self::Pop => "POP account",
            Self::List => "list account",
        })
    }
}
