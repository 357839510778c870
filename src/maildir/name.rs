//! Names of message files: `<secs>.M<µs>P<pid>Q<seq>.<host>,S=<octets>,W=<octets with CRLF>`, and whatever other
//! programs make of them (`:2,` and flags in `cur`).

use std::fmt;

use jiff::Timestamp;

/// What makes a name unlike all others of its host: `<secs>.M<µs>P<pid>Q<seq>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// When the file was made.
    pub at: Timestamp,
    /// The process.
    pub process: u32,
    /// How many files this process had made before.
    pub sequence: u64,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.M{}P{}Q{}", self.at.as_second(), self.at.subsec_microsecond(), self.process, self.sequence)
    }
}

impl Stamp {
    /// Whether a file name carries this stamp, whatever host, sizes and flags follow.
    pub fn marks(&self, name: &str) -> bool {
        name.strip_prefix(&self.to_string()).is_some_and(|rest| rest.starts_with('.'))
    }
}

/// A message file's name, as we give it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName {
    /// What makes it unique.
    pub stamp: Stamp,
    /// The host, escaped by [`escaped`].
    pub host: String,
    /// Octets on disk.
    pub size: u64,
    /// Octets with CRLF line ends.
    pub wire_size: u64,
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{},S={},W={}", self.stamp, self.host, self.size, self.wire_size)
    }
}

/// A host name without what would end the name or the folder: `/`, `:` and `,`.
pub fn escaped(host: &str) -> String {
    host.replace('/', "\\057").replace(':', "\\072").replace(',', "\\054")
}

/// The part of any name that stays when flags change: everything before the `:`.
pub fn unique(name: &str) -> &str {
    name.split_once(':').map_or(name, |(unique, _)| unique)
}

/// The octets on disk, where the name tells (`,S=`).
pub fn size(name: &str) -> Option<u64> {
    field(name, "S=")
}

/// The octets with CRLF line ends, where the name tells (`,W=`).
pub fn wire_size(name: &str) -> Option<u64> {
    field(name, "W=")
}

fn field(name: &str, key: &str) -> Option<u64> {
    unique(name).split(',').skip(1).find_map(|field| field.strip_prefix(key)?.parse().ok())
}

/// When a file was made, in microseconds, as its name tells: what messages are put in order by. 0 where it does not.
pub fn made(name: &str) -> u64 {
    let mut parts = name.split('.');
    let seconds: u64 = parts.next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    let micros = parts.next().and_then(|rest| rest.strip_prefix('M')?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok());
    seconds.saturating_mul(1_000_000).saturating_add(micros.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_size_and_keeps_its_unique_part() {
        let at = Timestamp::from_microsecond(1_700_000_000_000_042).unwrap_or(Timestamp::UNIX_EPOCH);
        let stamp = Stamp { at, process: 7, sequence: 3 };
        let name = FileName { stamp, host: escaped("mx/1:a,b"), size: 120, wire_size: 125 }.to_string();
        assert_eq!(name, "1700000000.M42P7Q3.mx\\0571\\072a\\054b,S=120,W=125");
        let flagged = format!("{name}:2,FS");
        assert_eq!((unique(&flagged), size(&flagged), wire_size(&flagged)), (name.as_str(), Some(120), Some(125)));
        assert_eq!(made(&flagged), 1_700_000_000_000_042);
        assert!(stamp.marks(&flagged) && !Stamp { sequence: 30, ..stamp }.marks(&name) && !stamp.marks("1700000000.M42P7Q31.mx"));
    }

    #[test]
    fn foreign_names_tell_when_they_were_made_if_they_begin_with_a_number() {
        for (given, micros) in
            [("1204680122.27c448.host:2,S", 1_204_680_122_000_000), ("7", 7_000_000), ("7.M5.x", 7_000_005), ("a.M5", 5), ("", 0)]
        {
            assert_eq!(made(given), micros, "{given}");
        }
        assert_eq!(made("99999999999999999999.M1"), 1);
        assert_eq!(made("18446744073709551615.M1"), u64::MAX);
    }

    #[test]
    fn foreign_names_have_no_size_unless_they_say_so() {
        for (given, octets) in [
            ("1204680122.27c448.host:2,S", None),
            ("S=5", None),
            ("1.x,S=9,W=10:2,", Some(9)),
            ("1.x,W=10", None),
            ("1.x,S=a", None),
            ("", None),
        ] {
            assert_eq!(size(given), octets, "{given}");
        }
    }
}
