//! List accounts: the record, its name and hidden alias, and the seats of its members.

use jiff::Timestamp;

use super::cascade::Cascade;
use super::graph::{goes_on, refuse_list_cycle};
use super::name::{hidden_key, no_such, refuse_taken_in};
use super::pop::{free_id, put_hidden, receiving};
use super::transaction::Draft;
use super::{alias, domain};
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{Kind, List, Member, Posting, Roster, Seat, Style, Target};
use crate::directory::schema::{Key, Record, Referrer};
use crate::mail::Name;

/// Members of one list: a cycle is looked for among all of them when one joins that hands mail on.
const MEMBERS: u64 = 1_000_000;

/// Characters of a description.
const DESCRIPTION_CHARACTERS: usize = 100;

pub fn add(draft: &mut Draft<'_>, given: Roster, now: Timestamp) -> Result<(), ChangeError> {
    domain::existing(draft, &given.domain)?;
    refuse_taken_in(draft, &given.name, &given.domain)?;
    put_hidden(draft, &given.name, &given.domain, given.created)?;
    let id = free_id(draft, given.id)?;
    let owner = receiving(draft, &given.owner)?;
    let name = given.name;
    draft.put(Key::entry(&owner, &Referrer::Owner(name.clone())), Record::Entry);
    draft.put(Key::name(&name), Record::Holder(Kind::List));
    draft.put(Key::id(id), Record::Id(name.clone()));
    draft.tell(Effect::AccountAdded { kind: Kind::List, name: name.clone() });
    let Roster { domain, posting, created, members, .. } = given;
    let mut list = List { id, name, domain, owner, posting, style: Style::default(), members: 0, created };
    for member in &members {
        join_telling(draft, &mut list, member, now)?;
    }
    finish(draft, list)
}

/// What is to be changed of a list.
pub struct Edit<'a> {
    pub owner: Option<&'a Target>,
    pub posting: Option<Posting>,
    pub join: &'a [Target],
    pub leave: &'a [Target],
}

pub fn edit(draft: &mut Draft<'_>, name: &Name, edit: Edit<'_>, now: Timestamp) -> Result<(), ChangeError> {
    let mut list = existing(draft, name)?;
    list.posting = edit.posting.unwrap_or(list.posting);
    draft.tell(Effect::AccountEdited { kind: Kind::List, name: name.clone() });
    if let Some(owner) = edit.owner {
        let owner = receiving(draft, owner)?;
        set_owner(draft, &mut list, owner);
    }
    for member in edit.leave {
        let member = alias::spelled(draft, member)?;
        if leave(draft, &mut list, &member)?.is_none() {
            return Err(Refusal::NoSuchEntry { address: hidden_key(name, &list.domain), target: member }.into());
        }
    }
    let mut onward = edit.owner.is_some();
    for member in edit.join {
        onward |= join_telling(draft, &mut list, member, now)?;
    }
    if onward { finish(draft, list) } else { put(draft, list) }
}

/// Gives many members a seat.
pub fn join_many(draft: &mut Draft<'_>, name: &Name, members: &[Target], now: Timestamp) -> Result<(), ChangeError> {
    let mut list = existing(draft, name)?;
    let (before, mut onward) = (list.members, false);
    for member in members {
        let member = receiving(draft, member)?;
        onward |= join(draft, &mut list, &member, now)? && goes_on(draft, &member)?;
    }
    draft.tell(Effect::SeatsAdded { list: name.clone(), count: list.members - before });
    if onward { finish(draft, list) } else { put(draft, list) }
}

/// Changes how postings look.
pub fn restyle(draft: &mut Draft<'_>, name: &Name, style: &Style) -> Result<(), ChangeError> {
    let list = existing(draft, name)?;
    let description = style.description.trim().to_owned();
    if description.chars().count() > DESCRIPTION_CHARACTERS || description.chars().any(|c| c.is_control() || matches!(c, '<' | '>')) {
        let why =
            format!("a list's description has at most {DESCRIPTION_CHARACTERS} characters, none of them `<`, `>` or a control character");
        return Err(Refusal::BadValue(why).into());
    }
    draft.tell(Effect::AccountEdited { kind: Kind::List, name: name.clone() });
    put(draft, List { style: Style { description, tag: style.tag }, ..list })
}

/// Suspends a member, or resumes it: then what came back from it is forgotten.
pub fn seat(draft: &mut Draft<'_>, name: &Name, member: &Target, seat: &Seat) -> Result<(), ChangeError> {
    let list = existing(draft, name)?;
    let member = alias::spelled(draft, member)?;
    let missing = || Refusal::NoSuchEntry { address: hidden_key(name, &list.domain), target: member.clone() };
    let found = draft.member(name, &member)?.ok_or_else(missing)?;
    let (list, member) = (name.clone(), found.target.clone());
    if *seat == Seat::Active {
        draft.remove(Key::bounces(name, &member));
        draft.tell(Effect::SeatResumed { list, member });
    } else {
        draft.tell(Effect::SeatSuspended { list, member });
    }
    draft.put_member(Member { seat: seat.clone(), ..found });
    Ok(())
}

/// Puts a member of an export back as it was.
pub fn put_back(draft: &mut Draft<'_>, member: &Member) -> Result<(), ChangeError> {
    let mut list = existing(draft, &member.list)?;
    let target = receiving(draft, &member.target)?;
    let onward = join(draft, &mut list, &target, member.joined)? && goes_on(draft, &target)?;
    draft.tell(Effect::SeatAdded { list: member.list.clone(), member: target.clone() });
    draft.put_member(Member { target, ..member.clone() });
    if onward { finish(draft, list) } else { put(draft, list) }
}

pub fn delete(draft: &mut Draft<'_>, name: &Name) -> Result<(), ChangeError> {
    let list = existing(draft, name)?;
    draft.tell(Effect::AccountRemoved { kind: Kind::List, name: name.clone() });
    for member in draft.members(name)? {
        draft.remove_member(name, &member);
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

/// Gives a member a seat and says so, unless it has one. Whether it is new, and hands mail on.
fn join_telling(draft: &mut Draft<'_>, list: &mut List, member: &Target, now: Timestamp) -> Result<bool, ChangeError> {
    let member = receiving(draft, member)?;
    if !join(draft, list, &member, now)? {
        return Ok(false);
    }
    draft.tell(Effect::SeatAdded { list: list.name.clone(), member: member.clone() });
    goes_on(draft, &member)
}

/// Gives a member a seat, unless it has one.
pub fn join(draft: &mut Draft<'_>, list: &mut List, member: &Target, now: Timestamp) -> Result<bool, ChangeError> {
    if draft.member(&list.name, member)?.is_some() {
        return Ok(false);
    }
    draft.put_member(Member { list: list.name.clone(), target: member.clone(), seat: Seat::Active, joined: now });
    list.members += 1;
    Ok(true)
}

/// Takes a member's seat, where it has one.
pub fn leave(draft: &mut Draft<'_>, list: &mut List, member: &Target) -> Result<Option<Member>, ChangeError> {
    let Some(found) = draft.member(&list.name, member)? else { return Ok(None) };
    draft.remove_member(&list.name, member);
    list.members = list.members.saturating_sub(1);
    draft.tell(Effect::SeatRemoved { list: list.name.clone(), member: found.target.clone() });
    Ok(Some(found))
}

/// A member is called otherwise from now on; it keeps its seat as it is, unless it has two now.
pub fn redirect(draft: &mut Draft<'_>, name: &Name, from: &Target, to: Target) -> Result<(), ChangeError> {
    let Some(mut list) = draft.list(name)? else { return Ok(()) };
    let Some(found) = leave(draft, &mut list, from)? else { return Ok(()) };
    if draft.member(name, &to)?.is_none() {
        draft.tell(Effect::SeatAdded { list: name.clone(), member: to.clone() });
        draft.put_member(Member { target: to, ..found });
        list.members += 1;
    }
    draft.put_list(list);
    Ok(())
}

/// Makes another target responsible.
pub fn set_owner(draft: &mut Draft<'_>, list: &mut List, owner: Target) {
    draft.remove(Key::entry(&list.owner, &Referrer::Owner(list.name.clone())));
    draft.put(Key::entry(&owner, &Referrer::Owner(list.name.clone())), Record::Entry);
    list.owner = owner;
}

/// Writes a list whose members or owner changed, and may lead back to it now.
pub fn finish(draft: &mut Draft<'_>, list: List) -> Result<(), ChangeError> {
    let name = list.name.clone();
    put(draft, list)?;
    refuse_list_cycle(draft, &name)
}

fn put(draft: &mut Draft<'_>, list: List) -> Result<(), ChangeError> {
    if list.members > MEMBERS {
        return Err(Refusal::BadValue(format!("a list has at most {MEMBERS} members; make one a list of lists")).into());
    }
    draft.put_list(list);
    Ok(())
}
