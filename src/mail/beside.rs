//! The addresses beside a list's own: `name-owner`, `name-request`, `name-bounces`, `name-unsubscribe`.

use super::{Address, Name};

/// What an address beside a list's own is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beside {
    /// Whoever is responsible.
    Owner,
    /// Commands.
    Request,
    /// What came back.
    Bounces,
    /// Mail that takes its sender off the list.
    Unsubscribe,
}

impl Beside {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Request, Self::Bounces, Self::Unsubscribe];

    /// What follows the list's name.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::Owner => "-owner",
            Self::Request => "-request",
            Self::Bounces => "-bounces",
            Self::Unsubscribe => "-unsubscribe",
        }
    }

    /// The address of this role beside a list's own.
    pub fn of(self, list: &Address) -> Address {
        Address::new(&format!("{}{}", list.local(), self.suffix()), list.domain().clone())
    }

    /// The list, the role, and what stands behind `+`, that an address may be of. Whether there is such a list is not known here.
    pub fn split(address: &Address) -> Option<(Name, Self, &str)> {
        Self::ALL.into_iter().find_map(|role| {
            let (base, detail) = address.local().split_once('+').unwrap_or((address.local(), ""));
            let name = base.strip_suffix(role.suffix())?;
            Some((Name::parse(name).ok()?, role, detail))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_are_told_from_addresses() {
        let split =
            |text: &str| Beside::split(&Address::parse(text).unwrap()).map(|(name, role, rest)| (name.to_string(), role, rest.to_owned()));
        assert_eq!(split("team-owner@a.example"), Some(("team".into(), Beside::Owner, String::new())));
        assert_eq!(split("my-team-request@a.example"), Some(("my-team".into(), Beside::Request, String::new())));
        assert_eq!(split("team-bounces+a=b.example+xyz@a.example"), Some(("team".into(), Beside::Bounces, "a=b.example+xyz".into())));
        assert_eq!(split("team@a.example"), None);
        assert_eq!(split("-owner@a.example"), None);
        assert_eq!(Beside::Unsubscribe.of(&Address::parse("team@lists.example").unwrap()).to_string(), "team-unsubscribe@lists.example");
    }
}
