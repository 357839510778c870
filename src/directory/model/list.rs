//! List accounts, their members, and what comes back from these.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AccountId, Posting, Switch, Target};
use crate::mail::{Domain, Name};

/// A list account. Its members are records of their own: a hundred thousand of them are not read to change one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Its identity.
    pub id: AccountId,
    /// Its name.
    pub name: Name,
    /// Its home domain.
    pub domain: Domain,
    /// Who is responsible: reached as `name-owner` and `name-request`.
    pub owner: Target,
    /// Who may post.
    pub posting: Posting,
    /// How its postings look.
    pub style: Style,
    /// How many members it has.
    pub members: u64,
    /// When it was made.
    pub created: Timestamp,
}

/// How the postings of a list look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Style {
    /// What it is for, in a few words; shown in `List-Id`. Empty: its name.
    pub description: String,
    /// Whether subjects begin with `[name]`.
    pub tag: Switch,
}

impl Default for Style {
    fn default() -> Self {
        Self { description: String::new(), tag: Switch::Disabled }
    }
}

/// A list account as a line of an export tells it. Older exports have the members in the same line, newer ones in lines of
/// their own. Audit entries hold it in this order of fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roster {
    /// Its identity.
    pub id: AccountId,
    /// Its name.
    pub name: Name,
    /// Its home domain.
    pub domain: Domain,
    /// Who is responsible.
    pub owner: Target,
    /// Who may post.
    pub posting: Posting,
    /// Where posts go.
    pub members: Vec<Target>,
    /// When it was made.
    pub created: Timestamp,
}

/// A member of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The list.
    pub list: Name,
    /// An account, or an address.
    pub target: Target,
    /// Whether postings reach it.
    pub seat: Seat,
    /// When it joined.
    pub joined: Timestamp,
}

/// Whether postings reach a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Seat {
    /// They do.
    Active,
    /// They do not, until somebody resumes it.
    Suspended {
        /// Since when.
        since: Timestamp,
        /// Why.
        why: String,
    },
}

/// How a message to a member came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BounceKind {
    /// For good (5.x.x).
    Hard,
    /// For now (4.x.x), or in words that nobody understands.
    Soft,
}

/// What came back from a member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Bounces {
    /// The days on which something came back for good, the latest last.
    pub days: Vec<Date>,
    /// How often something came back for now, since it joined or was resumed.
    pub soft: u32,
    /// When anything came back last.
    pub last: Option<Timestamp>,
    /// What was said then, such as `5.1.1`.
    pub status: String,
}

impl List {
    /// What `List-Id` and the sender of its notes are called.
    pub fn title(&self) -> &str {
        if self.style.description.is_empty() { self.name.as_str() } else { &self.style.description }
    }
}

impl Member {
    /// Whether postings reach it.
    pub fn is_active(&self) -> bool {
        self.seat == Seat::Active
    }
}

impl Bounces {
    /// Counts one more, and forgets days before `window` days ago.
    pub fn count(&mut self, kind: BounceKind, status: &str, at: Timestamp, window: u16) {
        let today = at.to_zoned(jiff::tz::TimeZone::UTC).date();
        match kind {
            BounceKind::Hard if !self.days.contains(&today) => self.days.push(today),
            BounceKind::Hard => {}
            BounceKind::Soft => self.soft = self.soft.saturating_add(1),
        }
        let oldest = today.saturating_sub(jiff::Span::new().days(i64::from(window)));
        self.days.retain(|day| *day > oldest);
        self.last = Some(at);
        self.status = status.chars().take(STATUS_CHARACTERS).collect();
    }
}

/// Characters of a status that are kept.
const STATUS_CHARACTERS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_once_and_forgotten_in_time() {
        let at = |day: i64| Timestamp::from_second(day * 86_400 + 7).unwrap_or_default();
        let mut bounces = Bounces::default();
        for (day, kept) in [(0, 1), (0, 1), (1, 2), (13, 3), (14, 3), (40, 1)] {
            bounces.count(BounceKind::Hard, "5.1.1", at(day), 14);
            assert_eq!(bounces.days.len(), kept, "day {day}");
        }
        bounces.count(BounceKind::Soft, "4.2.2", at(40), 14);
        assert_eq!((bounces.soft, bounces.days.len(), bounces.status.as_str()), (1, 1, "4.2.2"));
    }
}
