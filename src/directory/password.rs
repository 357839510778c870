//! Argon2id hashes of passwords (D6, RFC 9106). Costs time and memory on purpose: callers keep it off the threads that
//! serve mail.
//!
//! Promises that a hash which came from elsewhere (an import) cannot make a login cost more than the bounds here.

use std::ops::RangeInclusive;

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::RngExt;

use super::change::Refusal;
use super::model::PasswordHash;
use crate::mail::Secret;

/// Argon2id's cost, as RFC 9106 names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// m, in KiB.
    pub memory_kib: u32,
    /// t.
    pub passes: u32,
    /// p.
    pub lanes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19_456, passes: 2, lanes: 1 }
    }
}

impl Cost {
    /// What a login may take in memory, in KiB: 256 MiB, four times what RFC 9106 §4 asks for where memory is scarce.
    pub const MEMORY_KIB: RangeInclusive<u32> = 8..=262_144;
    /// How often the memory may be gone over.
    pub const PASSES: RangeInclusive<u32> = 1..=16;
    /// How many threads' work it may be; we do it with one.
    pub const LANES: RangeInclusive<u32> = 1..=16;
    /// KiB times passes: about a second on a slow machine.
    const WORK: u64 = 1 << 20;

    fn of(hash: &phc::PasswordHash) -> Option<Self> {
        let params = Params::try_from(hash).ok()?;
        Some(Self { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() })
    }

    fn is_bearable(self) -> bool {
        Self::MEMORY_KIB.contains(&self.memory_kib)
            && Self::PASSES.contains(&self.passes)
            && Self::LANES.contains(&self.lanes)
            && u64::from(self.memory_kib) * u64::from(self.passes) <= Self::WORK
    }

    /// The nearest cost that a login can bear.
    fn bounded(self) -> Params {
        let lanes = self.lanes.clamp(*Self::LANES.start(), *Self::LANES.end());
        let passes = self.passes.clamp(*Self::PASSES.start(), *Self::PASSES.end());
        let most = u32::try_from(Self::WORK / u64::from(passes)).unwrap_or(u32::MAX).min(*Self::MEMORY_KIB.end());
        let memory_kib = self.memory_kib.clamp(Params::MIN_M_COST.max(8 * lanes), most);
        Params::new(memory_kib, passes, lanes, None).unwrap_or_default()
    }
}

/// Hashes a password with a fresh salt.
pub fn hash(secret: &Secret, cost: Cost) -> PasswordHash {
    let salt: [u8; phc::Salt::RECOMMENDED_LENGTH] = rand::rng().random();
    let hashed: Result<phc::PasswordHash, _> = argon2id(cost.bounded()).hash_password_with_salt(secret.expose().as_bytes(), &salt);
    // It fails for salts and costs out of bounds, and both are within; and for passwords above 4 GiB.
    #[expect(clippy::expect_used, reason = "no input can make it fail, and no password at all must never come of it")]
    let hashed = hashed.expect("salt and cost are within Argon2's bounds");
    PasswordHash(hashed.to_string())
}

/// Whether this is the password. A hash that cannot be read matches none.
pub fn verify(secret: &Secret, hash: &PasswordHash) -> bool {
    let Ok(parsed) = read(hash) else { return false };
    argon2id(Params::default()).verify_password(secret.expose().as_bytes(), &parsed).is_ok()
}

/// KiB of memory that [`verify`] takes for this hash.
pub fn memory_kib(hash: &PasswordHash) -> u32 {
    read(hash).ok().as_ref().and_then(Cost::of).map_or(0, |cost| cost.memory_kib)
}

/// Whether a hash that matched should be made anew, because it costs less than is asked for today.
pub fn needs_rehash(hash: &PasswordHash, cost: Cost) -> bool {
    let wanted = cost.bounded();
    let Some(had) = read(hash).ok().as_ref().and_then(Cost::of) else { return true };
    had.memory_kib < wanted.m_cost() || had.passes < wanted.t_cost()
}

/// Refuses whatever is no Argon2id hash, or would make a login cost too much.
pub fn check(hash: &PasswordHash) -> Result<(), Refusal> {
    read(hash).map(|_| ()).map_err(|why| Refusal::BadValue(format!("the password hash cannot be used: {why}")))
}

fn read(hash: &PasswordHash) -> Result<phc::PasswordHash, &'static str> {
    const FORM: &str = "give an Argon2id hash as a PHC string, $argon2id$v=19$m=...,t=...,p=...$salt$hash";
    let parsed = phc::PasswordHash::new(&hash.0).map_err(|_| FORM)?;
    let version = parsed.version.unwrap_or(u32::from(Version::V0x10));
    if parsed.algorithm.as_str() != Algorithm::Argon2id.as_str() || parsed.salt.is_none() || parsed.hash.is_none() {
        return Err(FORM);
    }
    if version != u32::from(Version::V0x13) {
        return Err("its version is not 19; set a new password instead");
    }
    let cost = Cost::of(&parsed).ok_or(FORM)?;
    if cost.is_bearable() { Ok(parsed) } else { Err("its cost is beyond what a login may take; set a new password instead") }
}

fn argon2id(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Letters and digits that nobody mistakes for others: no `0 O o`, no `1 I l`, no `u v` side by side in print.
const UNMISTAKABLE: &[u8] = b"abcdefghijkmnpqrstwxyzABCDEFGHJKLMNPQRSTWXYZ23456789";

/// Characters of a generated password: 20 of 52 are 114 bits.
const GENERATED: usize = 20;

/// A new password that fits the rules: for `--generate`.
pub fn generate() -> Secret {
    let mut random = rand::rng();
    let text = (0..GENERATED).filter_map(|_| UNMISTAKABLE.get(random.random_range(..UNMISTAKABLE.len()))).map(|octet| char::from(*octet));
    Secret::given(text.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    #[test]
    fn d6_a_password_is_kept_as_an_argon2id_string_and_only_it_matches() {
        let secret = Secret::given("correct-horse".into());
        let hashed = hash(&secret, CHEAP);
        assert!(hashed.0.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{}", hashed.0);
        assert_eq!(check(&hashed), Ok(()));
        assert!(verify(&secret, &hashed));
        assert!(!verify(&Secret::given("correct-horse ".into()), &hashed));
        assert_ne!(hash(&secret, CHEAP), hashed, "the salt is fresh");
        assert_eq!(format!("{hashed:?}"), "PasswordHash");
    }

    #[test]
    fn d6_the_default_cost_is_the_designs_and_a_raised_one_asks_for_a_new_hash() {
        let hashed = hash(&Secret::given("secret".into()), Cost::default());
        assert!(hashed.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(!needs_rehash(&hashed, Cost::default()));
        assert!(!needs_rehash(&hashed, CHEAP));
        assert!(needs_rehash(&hashed, Cost { passes: 3, ..Cost::default() }));
        assert!(needs_rehash(&PasswordHash("nonsense".into()), CHEAP));
    }

    #[test]
    fn d6_foreign_hashes_cannot_make_a_login_expensive() {
        let tail = "$c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let hash = |head: &str| PasswordHash(format!("{head}{tail}"));
        assert_eq!(check(&hash("$argon2id$v=19$m=65536,t=3,p=4")), Ok(()));
        for head in [
            "$argon2id$v=19$m=4194304,t=1,p=1",
            "$argon2id$v=19$m=65536,t=4294967295,p=1",
            "$argon2id$v=19$m=262144,t=16,p=1",
            "$argon2id$v=19$m=65536,t=3,p=1000",
            "$argon2id$v=16$m=65536,t=3,p=4",
            "$argon2i$v=19$m=65536,t=3,p=4",
            "$2b$12",
            "",
        ] {
            assert!(check(&hash(head)).is_err(), "{head}");
        }
        assert!(check(&PasswordHash("$argon2id$v=19$m=65536,t=3,p=4".into())).is_err());
    }

    #[test]
    fn generated_passwords_fit_the_rules() {
        let (a, b) = (generate(), generate());
        assert!(Secret::new(a.expose().to_owned()).is_ok());
        assert_eq!(a.expose().len(), GENERATED);
        assert_ne!(a.expose(), b.expose());
    }
}
