//! List accounts: the record, its name and hidden alias, and the seats of its members.

use super::cascade::Cascade;
use super::draft::position;
use super::graph::refuse_list_cycle;
use super::name::{hidden_key, no_such, refuse_taken_in};
use super::pop::{free_id, put_hidden, receiving};
use super::transaction::Draft;
use super::{alias, domain};
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{Kind, List, Posting, Target};
use crate::directory::schema::{Key, Record, Referrer};
use crate::mail::Name;

/// What a new list is made of. Its id may turn out to be taken; then it gets the next that is not.
pub type Given = List;

/// Members of one list: its record is read and written whole.
const MEMBERS: usize = 10_000;

pub fn add(draft: &mut Draft<'_>, given: Given) -> Result<(), ChangeError> {
    domain::existing(draft, &given.domain)?;
    refuse_taken_in(draft, &given.name, &given.domain)?;
    put_hidden(draft, &given.name, &given.domain, given.created)?;
    let id = free_id(draft, given.id)?;
    let owner = receiving(draft, &given.owner)?;
    let name = given.name.clone();
    let mut list = List { id, owner: owner.clone(), members: Vec::new(), ..given.clone() };
    draft.put(Key::entry(&owner, &Referrer::Owner(name.clone())), Record::Entry);
    draft.put(Key::name(&name), Record::Holder(Kind::List));
    draft.put(Key::id(id), Record::Id(name.clone()));
    draft.tell(Effect::AccountAdded { kind: Kind::List, name: name.clone() });
    for member in &given.members {
        let member = receiving(draft, member)?;
        join(draft, &mut list, member);
    }
    finish(draft, list)
}

pub fn edit(
    draft: &mut Draft<'_>,
    name: &Name,
    owner: Option<&Target>,
    posting: Option<Posting>,
    joining: &[Target],
    leaving: &[Target],
) -> Result<(), ChangeError> {
    let mut list = existing(draft, name)?;
    list.posting = posting.unwrap_or(list.posting);
    draft.tell(Effect::AccountEdited { kind: Kind::List, name: name.clone() });
    if let Some(owner) = owner {
        let owner = receiving(draft, owner)?;
        set_owner(draft, &mut list, owner);
    }
    for member in leaving {
        let member = alias::spelled(draft, member)?;
        if !leave(draft, &mut list, &member) {
            return Err(Refusal::NoSuchEntry { address: hidden_key(name, &list.domain), target: member }.into());
        }
    }
    for member in joining {
        let member = receiving(draft, member)?;
        join(draft, &mut list, member);
    }
    finish(draft, list)
}

pub fn delete(draft: &mut Draft<'_>, name: &Name) -> Result<(), ChangeError> {
    let list = existing(draft, name)?;
    draft.tell(Effect::AccountRemoved { kind: Kind::List, name: name.clone() });
    for member in &list.members {
        draft.remove(Key::entry(member, &Referrer::Seat(name.clone())));
    }
    draft.remove(Key::entry(&list.owner, &Referrer::Owner(name.clone())));
    draft.remove(Key::list(name));
    draft.remove(Key::name(name));
    draft.remove(Key::id(list.id));
    let mut cascade = Cascade::default();
    if let Some(hidden) = draft.alias(&hidden_key(name, &list.domain))? {
        cascade.alias(draft, hidden)?;
    }
    cascade.account(draft, name)?;
    cascade.run(draft)
}

/// The record of a list that has to exist.
pub fn existing(draft: &Draft<'_>, name: &Name) -> Result<List, ChangeError> {
    draft.list(name)?.ok_or_else(|| no_such(Kind::List, name))
}

/// Gives a member a seat, unless it has one.
pub fn join(draft: &mut Draft<'_>, list: &mut List, member: Target) {
    if position(&list.members, &member).is_some() {
        return;
    }
    draft.seat(&list.name, &member);
    draft.tell(Effect::SeatAdded { list: list.name.clone(), member: member.clone() });
    list.members.push(member);
}

/// Takes a member's seat, where it has one.
pub fn leave(draft: &mut Draft<'_>, list: &mut List, member: &Target) -> bool {
    let Some(at) = position(&list.members, member) else { return false };
    let member = list.members.remove(at);
    draft.remove(Key::entry(&member, &Referrer::Seat(list.name.clone())));
    draft.tell(Effect::SeatRemoved { list: list.name.clone(), member });
    true
}

/// Makes another target responsible.
pub fn set_owner(draft: &mut Draft<'_>, list: &mut List, owner: Target) {
    draft.remove(Key::entry(&list.owner, &Referrer::Owner(list.name.clone())));
    draft.put(Key::entry(&owner, &Referrer::Owner(list.name.clone())), Record::Entry);
    list.owner = owner;
}

/// Writes a list whose members or owner changed.
pub fn finish(draft: &mut Draft<'_>, list: List) -> Result<(), ChangeError> {
    if list.members.len() > MEMBERS {
        return Err(Refusal::BadValue(format!("a list has at most {MEMBERS} members; make one a list of lists")).into());
    }
    let name = list.name.clone();
    draft.put_list(list);
    refuse_list_cycle(draft, &name)
}
