//! Changes that can be asked for, what they answer, and why they are refused.

#![expect(missing_docs, reason = "the fields of a variant are explained by the variant")]

use std::net::IpAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::model::{
    AccountId, Alias, AliasKey, DomainRecord, Handling, Kind, Master, Member, PasswordHash, Pop, Posting, Revision, Role, Roster, Seat,
    SecondFactor, State, Style, Switch, Target, Token, TokenHash, TokenId, Trashed, Vacation,
};
use super::view::Unreadable;
use crate::mail::{Address, Domain, Name};

/// On whose behalf a change is made; written to the audit entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// A local user, known by the peer's uid on the administration socket or by the process's own.
    Uid(u32),
    /// A master.
    Master(Name),
    /// The server itself (first run, purge of the trash).
    Server,
}

/// Who makes a change, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// The address of the client that asked for it; none on this machine, over the socket or without a server.
    pub from: Option<IpAddr>,
}

impl From<Actor> for Author {
    fn from(actor: Actor) -> Self {
        Self { actor, from: None }
    }
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        actor.clone().into()
    }
}

impl From<&Self> for Author {
    fn from(author: &Self) -> Self {
        author.clone()
    }
}

/// One change. Each is carried out whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// Make a domain local.
    AddDomain { domain: Domain, owner: Option<Name> },
    /// Give a domain to another master, or to none.
    EditDomain { domain: Domain, owner: Option<Name> },
    /// Remove a domain; with `cascade`, and everything in it.
    DeleteDomain { domain: Domain, cascade: bool },
    /// Add an administrator's login.
    AddMaster { name: Name, role: Role, password: PasswordHash },
    /// Set a master's password.
    SetMasterPassword { name: Name, password: PasswordHash },
    /// Remove a master.
    DeleteMaster { name: Name },
    /// Add a POP account with its hidden alias.
    AddPop { name: Name, domain: Domain, owner: String, password: PasswordHash, quota: Option<u64>, state: State },
    /// Change what is given of a POP account. `quota: Some(None)` gives it the configuration's default.
    EditPop { name: Name, domain: Option<Domain>, owner: Option<String>, quota: Option<Option<u64>> },
    /// Set a POP account's password.
    SetPopPassword { name: Name, password: PasswordHash },
    /// Suspend or resume.
    SetPopState { name: Name, state: State },
    /// Rename, keeping id, mail, alias entries and list seats; with `keep_alias`, the old address stays as a plain alias.
    RenamePop { name: Name, new: Name, keep_alias: bool },
    /// Delete a POP account, its hidden alias, every entry that leads to it, and its list seats; it goes to the trash.
    DeletePop { name: Name },
    /// Bring back the account of that name that was deleted last, or the one with this id.
    RestorePop { name: Name, id: Option<AccountId> },
    /// Forget an account in the trash for good.
    PurgePop { id: AccountId },
    /// Add a list account with its hidden alias.
    AddList { name: Name, domain: Domain, owner: Target, posting: Posting, members: Vec<Target> },
    /// Change what is given of a list account: its owner, who may post, who joins and who leaves.
    EditList { name: Name, owner: Option<Target>, posting: Option<Posting>, join: Vec<Target>, leave: Vec<Target> },
    /// Delete a list account, its hidden alias, every entry that leads to it, and its seats on other lists.
    DeleteList { name: Name },
    /// Add targets to an alias, making it where there is none. A note and an expiry replace the old ones where given.
    AddAlias { key: AliasKey, targets: Vec<Target>, note: Option<String>, expires: Option<Timestamp> },
    /// Remove these targets, or the whole alias if none are named.
    RemoveAlias { key: AliasKey, targets: Vec<Target> },
    /// Switch an alias on or off.
    SwitchAlias { key: AliasKey, switch: Switch },
    /// Put a record of an export back, under the same rules.
    Import(Box<ExportRecord>),
    /// Add a POP account, and a new alias that leads to it, or neither. It stands last because audit entries tell variants by
    /// their places.
    AddPopAndAlias { name: Name, domain: Domain, owner: String, password: PasswordHash, quota: Option<u64>, state: State, alias: AliasKey },
    /// Replace what is given of an alias: all its targets, its note, its expiry (`Some(None)` ends it), its switch.
    EditAlias {
        key: AliasKey,
        targets: Option<Vec<Target>>,
        note: Option<String>,
        expires: Option<Option<Timestamp>>,
        switch: Option<Switch>,
    },
    /// Let a bearer token speak for its master.
    AddToken { token: Token },
    /// Make a master's token worthless.
    RemoveToken { master: Name, id: TokenId },
    /// Change how a list's postings look.
    StyleList { name: Name, style: Style },
    /// Give many members a seat at once, or none of them. The audit entry holds their number alone.
    JoinList { name: Name, members: Vec<Target>, count: u64 },
    /// Suspend a member of a list, or resume it.
    SeatMember { list: Name, member: Target, seat: Seat },
    /// Say who gets copies of a POP account's mail.
    SetCopies { name: Name, copies: Vec<Target> },
    /// Say what senders to a POP account are told while its owner is away, or nothing.
    SetVacation { name: Name, vacation: Option<Vacation> },
    /// Ask a master for a second factor from now on, or no more.
    SetSecondFactor { name: Name, factor: Option<SecondFactor> },
    /// Use one of a master's recovery codes up.
    UseRecoveryCode { name: Name, code: TokenHash },
    /// Change what is given of a POP account, all at once: with `new` its name too, and with `keep_alias` the old address stays as a
    /// plain alias. `quota: Some(None)` gives it the configuration's default.
    AmendPop {
        name: Name,
        new: Option<Name>,
        keep_alias: bool,
        domain: Option<Domain>,
        owner: Option<String>,
        quota: Option<Option<u64>>,
        state: Option<State>,
        password: Option<PasswordHash>,
    },
    /// Add a list account with its hidden alias, and say how its postings look.
    AddStyledList { name: Name, domain: Domain, owner: Target, posting: Posting, members: Vec<Target>, style: Style },
    /// Change what is given of a list account, all at once: what `EditList` and `StyleList` do one by one.
    AmendList { name: Name, owner: Option<Target>, posting: Option<Posting>, style: Option<Style>, join: Vec<Target>, leave: Vec<Target> },
}

/// A record as it leaves one directory and enters another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportRecord {
    Domain(DomainRecord),
    Master(Master),
    Pop(Pop),
    List(Roster),
    Alias(Alias),
    Trash(Trashed),
    Style { name: Name, style: Style },
    Member(Member),
    Handling { name: Name, handling: Handling },
}

/// What a change did (or, in a preview, would do), in the order it happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum Effect {
    /// A domain became local.
    DomainAdded { domain: Domain },
    /// A domain changed its owner.
    DomainEdited { domain: Domain },
    /// A domain is no longer local.
    DomainRemoved { domain: Domain },
    /// A master, or a list account, was added.
    AccountAdded { kind: Kind, name: Name },
    /// An account changed.
    AccountEdited { kind: Kind, name: Name },
    /// An account is gone for good (masters and lists).
    AccountRemoved { kind: Kind, name: Name },
    /// A POP account exists: its Maildir is to be made.
    PopAdded { id: AccountId, name: Name },
    /// A POP account has another name: its Maildir follows.
    PopRenamed { id: AccountId, from: Name, to: Name },
    /// A POP account is in the trash: its Maildir follows.
    PopTrashed { id: AccountId, name: Name },
    /// A POP account is back: its Maildir follows.
    PopRestored { id: AccountId, name: Name },
    /// A POP account in the trash is gone for good: its Maildir too.
    PopPurged { id: AccountId, name: Name },
    /// An alias exists, and leads here.
    EntryAdded { address: AliasKey, target: Target },
    /// An alias no longer leads here.
    EntryRemoved { address: AliasKey, target: Target },
    /// An alias is gone, having no targets left.
    AliasRemoved { address: AliasKey },
    /// An alias changed its note, expiry or switch.
    AliasEdited { address: AliasKey },
    /// A list lost a member.
    SeatRemoved { list: Name, member: Target },
    /// An entry of a restored account could not be brought back.
    EntryNotRestored { address: AliasKey, why: String },
    /// A list won a member.
    SeatAdded { list: Name, member: Target },
    /// A list won this many members.
    SeatsAdded { list: Name, count: u64 },
    /// A member of a list was suspended.
    SeatSuspended { list: Name, member: Target },
    /// A member of a list was resumed.
    SeatResumed { list: Name, member: Target },
    /// Copies of a POP account's mail go to one target more.
    CopyAdded { name: Name, target: Target },
    /// Copies of a POP account's mail go to one target less.
    CopyRemoved { name: Name, target: Target },
    /// A master has one more token.
    TokenAdded { master: Name, token: TokenId },
    /// A token is worthless.
    TokenRemoved { master: Name, token: TokenId },
}

/// A change that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The directory's revision from this change on.
    pub revision: Revision,
    /// What it did.
    pub effects: Vec<Effect>,
}

/// What to do about a taken name: a free, more unique name, and the alias that gives the wanted address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Suggestion {
    /// A name that is free.
    pub name: Name,
    /// The address that was wanted.
    pub alias: Address,
}

/// Why a change is refused: the wish is at fault, nothing was changed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// D1.
    #[error("the name `{name}` is taken by a {holder}{}", suggestion.as_ref().map(|s| format!("; create POP `{}` and alias `{}` -> `{}` instead", s.name, s.alias, s.name)).unwrap_or_default())]
    NameTaken { name: Name, holder: Kind, suggestion: Option<Suggestion> },
    /// D1: neither the name nor the address is to be had, so there is nothing to suggest.
    #[error("the name `{name}` is taken by a {holder}, and the address `{address}` is an alias already; choose another name")]
    NameAndAddressTaken { name: Name, holder: Kind, address: AliasKey },
    /// D2: the address exists as an alias already.
    #[error("the address `{address}` is an alias already; remove it first (`restante alias remove {address}`), or choose another name")]
    AddressTaken { address: AliasKey },
    /// The domain is local already.
    #[error("the domain `{0}` exists already")]
    DomainExists(Domain),
    /// No such domain.
    #[error("there is no domain `{0}`; add it with `restante domain add {0}`")]
    NoSuchDomain(Domain),
    /// No account of that kind and name.
    #[error("there is no {kind} `{name}`")]
    NoSuchAccount { kind: Kind, name: Name },
    /// No such alias.
    #[error("there is no alias `{0}`")]
    NoSuchAlias(AliasKey),
    /// The alias has no such entry.
    #[error("the alias `{address}` does not lead to `{target}`")]
    NoSuchEntry { address: AliasKey, target: Target },
    /// D5: a target that has to exist does not.
    #[error("the target `{target}` does not exist; create it first")]
    NoSuchTarget { target: Target },
    /// D5: the change would close a circle.
    #[error("the alias would lead back to itself: {}", path.iter().map(ToString::to_string).collect::<Vec<_>>().join(" -> "))]
    Cycle { path: Vec<AliasKey> },
    /// D3.
    #[error("`{address}` is the hidden alias of `{account}`; it changes only with its account")]
    HiddenAlias { address: AliasKey, account: Name },
    /// D8.
    #[error("the domain `{domain}` is in use ({accounts} accounts, {aliases} aliases); delete them first, or use --cascade")]
    DomainInUse { domain: Domain, accounts: usize, aliases: usize },
    /// Aliases lead to addresses of the new domain that do not exist in it (D5).
    #[error("`{address}` leads to `{target}`, which would become a local address that does not exist; remove that entry first")]
    WouldDangle { address: AliasKey, target: Target },
    /// The master still owns domains.
    #[error("the master `{name}` owns the domain `{domain}`; give it to another first")]
    MasterInUse { name: Name, domain: Domain },
    /// The last admin cannot go.
    #[error("`{0}` is the last master with the role admin; add another first")]
    LastAdmin(Name),
    /// No such account in the trash.
    #[error("there is no deleted POP account `{0}` in the trash")]
    NotInTrash(Name),
    /// The master has no such token.
    #[error("the master `{master}` has no token {id}")]
    NoSuchToken { master: Name, id: TokenId },
    /// A list would be left without an owner.
    #[error("`{target}` is the owner of the list `{list}`; give the list another owner first, or delete it")]
    OwnsList { target: Target, list: Name },
    /// Somebody else changed the record in between.
    #[error("the record was changed by somebody else in the meantime (revision {}, you saw {}); look at it again", found.0, expected.0)]
    Changed { expected: Revision, found: Revision },
    /// A value that makes no sense here.
    #[error("{0}")]
    BadValue(String),
}

/// Why a change did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The wish is at fault.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The engine is at fault.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}
