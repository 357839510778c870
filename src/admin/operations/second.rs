//! The second factor of a master: a code of its authenticator at each login to the panel (TOTP, RFC 6238).
//!
//! Tokens of the API do not ask for it: they are a factor of their own.

use jiff::Timestamp;
use rand::RngExt;
use ring::digest::{SHA256, digest};
use totp_rs::{Builder, Totp};

use super::masters;
use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::{Change, ChangeError, Refusal, SecondFactor, TokenHash};
use crate::mail::Name;

/// Recovery codes of one master.
const CODES: usize = 10;

/// Letters and digits that nobody mistakes for each other.
const LETTERS: &[u8] = b"23456789abcdefghjkmnpqrstuvwxyz";

/// How a code proved itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// By the authenticator, in this step of thirty seconds: it must not be taken twice.
    Step(u64),
    /// By a recovery code, which is used up now.
    Recovery,
}

/// A new secret, as authenticators take it.
pub fn new_secret() -> String {
    let octets: [u8; 20] = rand::rng().random();
    totp_rs::Secret::from(octets).to_base32()
}

/// What an authenticator reads from the picture (the Key Uri Format of Google Authenticator, which all of them read).
pub fn address(context: &Context, name: &Name, secret: &str) -> String {
    let host = &context.rules.load().hostname;
    format!("otpauth://totp/Restante:{name}%40{host}?secret={secret}&issuer=Restante")
}

/// Whether a master has a second factor.
pub fn is_set(context: &Context, name: &Name) -> Result<bool, Problem> {
    Ok(context.directory.snapshot().second_factor(name)?.is_some())
}

/// Sets the caller's own up, if its authenticator knows the secret; the recovery codes, shown this once.
pub fn set_up(context: &Context, caller: &Caller, secret: &str, code: &str) -> Result<Vec<String>, Problem> {
    let name = own(caller)?;
    // Whoever finds a session open must not exchange the factor for one of its own.
    if is_set(context, &name)? {
        return Err(Problem::new(Kind::InUse, "There is a second factor already: do without it first.".into()).at("code"));
    }
    let parsed = totp_rs::Secret::try_from_base32(secret.trim()).ok().and_then(|secret| <[u8; 20]>::try_from(secret.as_ref()).ok());
    let secret = parsed.ok_or_else(|| Problem::new(Kind::BadValue, "the secret is not the one that was shown; begin again".into()))?;
    if step(&secret, code).is_none() {
        return Err(wrong());
    }
    let codes: Vec<String> = (0..CODES).map(|_| recovery_code()).collect();
    let factor = SecondFactor { secret, recovery: codes.iter().map(|code| hash(code)).collect() };
    context.change(caller, &Change::SetSecondFactor { name, factor: Some(factor) })?;
    Ok(codes)
}

/// Does without the caller's own, against a code.
pub fn give_up(context: &Context, caller: &Caller, code: &str) -> Result<(), Problem> {
    let name = own(caller)?;
    check(context, &name, code)?;
    context.change(caller, &Change::SetSecondFactor { name, factor: None }).map(drop)
}

/// Takes the second factor of a master away: for one that has lost its authenticator and its recovery codes. For admins.
pub fn reset(context: &Context, caller: &Caller, name: &Name) -> Result<masters::Shown, Problem> {
    caller.needs_admin()?;
    masters::show(context, caller, name)?;
    context.change(caller, &Change::SetSecondFactor { name: name.clone(), factor: None })?;
    masters::show(context, caller, name)
}

/// Whether a code is right for a master that has a second factor. A recovery code is used up by it.
pub fn check(context: &Context, name: &Name, code: &str) -> Result<Proof, Problem> {
    let factor = context.directory.snapshot().second_factor(name)?.ok_or_else(wrong)?;
    if let Some(step) = step(&factor.secret, code) {
        return Ok(Proof::Step(step));
    }
    let code = hash(&code.trim().to_lowercase());
    if !factor.recovery.contains(&code) {
        return Err(wrong());
    }
    let used = Change::UseRecoveryCode { name: name.clone(), code };
    match context.directory.apply(Caller::server().actor(), &used, Timestamp::now()) {
        Ok(_) => Ok(Proof::Recovery),
        // Somebody was faster with it.
        Err(ChangeError::Refused(Refusal::BadValue(_))) => Err(wrong()),
        Err(error) => Err(error.into()),
    }
}

fn own(caller: &Caller) -> Result<Name, Problem> {
    caller.master().cloned().ok_or_else(|| Problem::forbidden("only masters have a second factor".into()))
}

fn wrong() -> Problem {
    Problem::new(Kind::NotLoggedIn, "The code is wrong, or too old.".into()).at("code")
}

fn step(secret: &[u8; 20], code: &str) -> Option<u64> {
    let totp: Totp = Builder::new().with_secret(*secret).build().ok()?;
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    totp.check(&digits, u64::try_from(Timestamp::now().as_second()).ok()?)
}

/// 50 random bits, to be typed once.
fn recovery_code() -> String {
    let mut random = rand::rng();
    let mut part =
        || (0..5).filter_map(|_| LETTERS.get(random.random_range(0..LETTERS.len())).copied().map(char::from)).collect::<String>();
    format!("{}-{}", part(), part())
}

fn hash(code: &str) -> TokenHash {
    let mut hash = [0; 32];
    hash.iter_mut().zip(digest(&SHA256, code.as_bytes()).as_ref()).for_each(|(to, from)| *to = *from);
    TokenHash(hash)
}
