//! Who changed what, when: one entry for each revision, written in the batch of the change itself.

mod altered;
mod undo;

use std::borrow::Cow;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::change::{Actor, Change, Effect, ExportRecord};
use super::model::{AccountId, AliasKey, Kind, PasswordHash, Revision, SecondFactor, Target, TokenHash, TokenId};
use crate::mail::{Domain, Name};

pub use altered::{Altered, Difference};
pub(in crate::directory) use altered::{KEPT, read, write};
pub use undo::inverse;

/// One change that was carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The revision it made.
    pub revision: Revision,
    /// On whose behalf.
    pub actor: Actor,
    /// When.
    pub at: Timestamp,
    /// What was asked for, without password hashes.
    pub change: Change,
    /// What it did.
    #[serde(with = "effects")]
    pub effects: Vec<Effect>,
    /// The records that it altered, before and after. They follow the entry in its record.
    #[serde(skip)]
    pub altered: Vec<Altered>,
    /// The address of the client that asked for it; none on this machine. It follows the records.
    #[serde(skip)]
    pub from: Option<IpAddr>,
}

/// The same, written from what is at hand.
#[derive(Serialize)]
pub(super) struct EntryRef<'a> {
    pub revision: Revision,
    pub actor: &'a Actor,
    pub at: Timestamp,
    pub change: Cow<'a, Change>,
    #[serde(serialize_with = "effects::serialize")]
    pub effects: &'a [Effect],
    #[serde(skip)]
    pub from: Option<IpAddr>,
}

/// The change without what an auditor must not see.
pub fn redacted(change: &Change) -> Cow<'_, Change> {
    let mut redacted = match change {
        Change::AddMaster { .. }
        | Change::SetMasterPassword { .. }
        | Change::AddPop { .. }
        | Change::AddPopAndAlias { .. }
        | Change::SetPopPassword { .. }
        | Change::AddToken { .. }
        | Change::SetSecondFactor { factor: Some(_), .. }
        | Change::UseRecoveryCode { .. }
        | Change::AmendPop { password: Some(_), .. }
        | Change::Import(_) => change.clone(),
        Change::JoinList { name, count, .. } => Change::JoinList { name: name.clone(), members: Vec::new(), count: *count },
        _ => return Cow::Borrowed(change),
    };
    match &mut redacted {
        Change::AddMaster { password, .. }
        | Change::SetMasterPassword { password, .. }
        | Change::AddPop { password, .. }
        | Change::AddPopAndAlias { password, .. }
        | Change::SetPopPassword { password, .. }
        | Change::AmendPop { password: Some(password), .. } => *password = PasswordHash(String::new()),
        Change::AddToken { token } => token.hash = TokenHash([0; 32]),
        Change::SetSecondFactor { factor: Some(factor), .. } => *factor = SecondFactor { secret: [0; 20], recovery: Vec::new() },
        Change::UseRecoveryCode { code, .. } => *code = TokenHash([0; 32]),
        Change::Import(record) => match &mut **record {
            ExportRecord::Master(master) => master.password = PasswordHash(String::new()),
            ExportRecord::Pop(pop) => pop.password = PasswordHash(String::new()),
            ExportRecord::Trash(trashed) => trashed.pop.password = PasswordHash(String::new()),
            ExportRecord::Domain(_) | ExportRecord::List(_) | ExportRecord::Alias(_) => {}
            ExportRecord::Style { .. } | ExportRecord::Member(_) | ExportRecord::Handling { .. } => {}
        },
        _ => {}
    }
    Cow::Owned(redacted)
}

/// Effects with numbered variants: the compact format cannot hold the tagged ones that programs read.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Effect")]
enum Numbered {
    DomainAdded { domain: Domain },
    DomainEdited { domain: Domain },
    DomainRemoved { domain: Domain },
    AccountAdded { kind: Kind, name: Name },
    AccountEdited { kind: Kind, name: Name },
    AccountRemoved { kind: Kind, name: Name },
    PopAdded { id: AccountId, name: Name },
    PopRenamed { id: AccountId, from: Name, to: Name },
    PopTrashed { id: AccountId, name: Name },
    PopRestored { id: AccountId, name: Name },
    PopPurged { id: AccountId, name: Name },
    EntryAdded { address: AliasKey, target: Target },
    EntryRemoved { address: AliasKey, target: Target },
    AliasRemoved { address: AliasKey },
    AliasEdited { address: AliasKey },
    SeatRemoved { list: Name, member: Target },
    EntryNotRestored { address: AliasKey, why: String },
    SeatAdded { list: Name, member: Target },
    TokenAdded { master: Name, token: TokenId },
    TokenRemoved { master: Name, token: TokenId },
    SeatsAdded { list: Name, count: u64 },
    SeatSuspended { list: Name, member: Target },
    SeatResumed { list: Name, member: Target },
    CopyAdded { name: Name, target: Target },
    CopyRemoved { name: Name, target: Target },
}

mod effects {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Effect, Numbered};

    #[derive(Serialize)]
    struct Borrowed<'a>(#[serde(with = "Numbered")] &'a Effect);

    #[derive(Deserialize)]
    struct Owned(#[serde(with = "Numbered")] Effect);

    pub fn serialize<S: Serializer>(effects: &[Effect], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(effects.iter().map(Borrowed))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Effect>, D::Error> {
        Ok(Vec::<Owned>::deserialize(deserializer)?.into_iter().map(|owned| owned.0).collect())
    }
}
