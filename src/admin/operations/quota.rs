//! Quotas as requests and answers have them: octets, or `"unlimited"`. `null` is the server's default.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::directory::UNLIMITED;

/// A quota as it is written.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Quota")]
#[serde(untagged, expecting = "quota: give a number of octets, \"unlimited\", or null for the server's default")]
pub(super) enum Written {
    Octets(u64),
    Word(Word),
}

/// The one word that is a quota.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(inline)]
#[serde(rename_all = "lowercase")]
pub(super) enum Word {
    Unlimited,
}

pub(super) fn serialize<S: Serializer>(quota: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    let written = quota.map(|octets| if octets == UNLIMITED { Written::Word(Word::Unlimited) } else { Written::Octets(octets) });
    written.serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let written = Option::<Written>::deserialize(deserializer)?;
    Ok(written.map(|written| match written {
        Written::Octets(octets) => octets,
        Written::Word(Word::Unlimited) => UNLIMITED,
    }))
}

/// Tells `null` from a missing key: `Some(None)` is an explicit `null`.
pub(super) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u64>>, D::Error> {
    deserialize(deserializer).map(Some)
}
