//! Values as people write them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::directory::{AliasKey, Target};
use crate::mail::{Domain, QueueId};

/// A quota as the API takes it: octets, `"unlimited"`, or none for the server's default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota(pub serde_json::Value);

/// A moment: a date (its start, in UTC), or date and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When(pub Timestamp);

pub(super) fn quota(text: &str) -> Result<Quota, String> {
    if text == "default" {
        return Ok(Quota(serde_json::Value::Null));
    }
    if text == "unlimited" {
        return Ok(Quota(text.into()));
    }
    match text.parse::<bytesize::ByteSize>() {
        Ok(size) if size.as_u64() > 0 => Ok(Quota(size.as_u64().into())),
        _ => Err("give a size above zero such as 500MiB or 1GiB, `unlimited`, or `default` for the server's default".into()),
    }
}

/// The id of a message.
pub(super) fn id(text: &str) -> Result<QueueId, String> {
    QueueId::parse(text).map_err(|error| error.to_string())
}

pub(super) fn when(text: &str) -> Result<When, String> {
    let date = || text.parse::<Date>().and_then(|date| date.to_zoned(TimeZone::UTC)).map(|zoned| zoned.timestamp());
    text.parse::<Timestamp>().or_else(|_| date()).map(When).map_err(|_| "give a date such as 2027-01-31, or 2027-01-31T12:00:00Z".into())
}

/// A moment, or how long ago it was.
pub(super) fn since(text: &str) -> Result<When, String> {
    let ago = |age: Duration| Timestamp::now().checked_sub(age).map(When).map_err(|error| error.to_string());
    match humantime::parse_duration(text) {
        Ok(age) => ago(age),
        Err(_) => when(text).map_err(|why| format!("{why}; or how long ago, such as 1h or 3days")),
    }
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; give a time such as 10s or 2m"))
}

pub(super) fn domain(text: &str) -> Result<Domain, String> {
    Domain::parse(text).map_err(|error| error.to_string())
}

pub(super) fn alias(text: &str) -> Result<AliasKey, String> {
    AliasKey::parse(text).map_err(|error| error.to_string())
}

pub(super) fn target(text: &str) -> Result<Target, String> {
    Target::parse(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_moments() {
        assert_eq!(quota("1GiB"), Ok(Quota((1u64 << 30).into())));
        assert_eq!(quota("unlimited"), Ok(Quota("unlimited".into())));
        assert_eq!(quota("default"), Ok(Quota(serde_json::Value::Null)));
        for wrong in ["", "0", "-1", "1 parsec"] {
            assert!(quota(wrong).is_err(), "{wrong}");
        }
        let midnight = "2027-01-31T00:00:00Z".parse().map(When).map_err(|_| String::new());
        assert_eq!(when("2027-01-31"), midnight);
        assert_eq!(when("2027-01-31T00:00:00Z"), midnight);
        assert!(when("tomorrow").is_err());
    }
}
