//! Format version 2: lists whose members are records of their own. Never changed: a new format is a new file beside this one.

use serde::{Deserialize, Serialize};

use super::record::Record;
use super::v1::{Moment, moment, take, timestamp};
use super::{Family, Key};
use crate::directory::model::{AccountId, List, Posting, Revision, Style, Switch, Target};
use crate::mail::Domain;

/// The first byte.
pub const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct ListV2<'a> {
    id: u64,
    domain: &'a str,
    owner: String,
    posting: u8,
    description: &'a str,
    tag: u8,
    members: u64,
    created: Moment,
}

/// Appends revision and list to `bytes`.
pub fn write_list(list: &List, revision: Revision, bytes: Vec<u8>) -> postcard::Result<Vec<u8>> {
    let bytes = postcard::to_extend(&revision.0, bytes)?;
    let list = ListV2 {
        id: list.id.0,
        domain: list.domain.as_str(),
        owner: list.owner.to_string(),
        posting: match list.posting {
            Posting::Anyone => 0,
            Posting::Members => 1,
            Posting::Owner => 2,
            Posting::Moderated => 3,
        },
        description: &list.style.description,
        tag: match list.style.tag {
            Switch::Disabled => 0,
            Switch::Enabled => 1,
        },
        members: list.members,
        created: moment(list.created),
    };
    postcard::to_extend(&list, bytes)
}

/// Reads the record of `key` from `body`.
pub fn read(key: &Key, body: &[u8]) -> Option<Record> {
    if key.family != Family::Lists {
        return None;
    }
    let list: ListV2 = take(body)?;
    Some(Record::List(List {
        id: AccountId(list.id),
        name: key.to_name()?,
        domain: Domain::parse(list.domain).ok()?,
        owner: Target::parse(&list.owner).ok()?,
        posting: match list.posting {
            0 => Posting::Anyone,
            1 => Posting::Members,
            2 => Posting::Owner,
            3 => Posting::Moderated,
            _ => return None,
        },
        style: Style {
            description: list.description.to_owned(),
            tag: match list.tag {
                0 => Switch::Disabled,
                1 => Switch::Enabled,
                _ => return None,
            },
        },
        members: list.members,
        created: timestamp(list.created)?,
    }))
}
