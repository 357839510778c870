//! Bearer tokens: how programs log in to the HTTP API.

use jiff::Timestamp;
use rand::RngExt;
use ring::digest::{SHA256, digest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::context::Context;
use crate::admin::permission::Caller;
use crate::admin::problem::{Kind, Problem};
use crate::directory::{Change, Token, TokenHash, TokenId};
use crate::mail::Name;

/// What every token begins with, so that people and secret scanners know one when they see it.
pub const PREFIX: &str = "rst_";

/// A token as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Token")]
pub struct Shown {
    /// What it is called.
    pub id: TokenId,
    /// Whose rights it has.
    pub master: Name,
    /// What it is for.
    pub label: String,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing.
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used: Option<Timestamp>,
    /// The token itself, in the one answer that shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
}

/// A new token.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewToken")]
pub struct New {
    /// What it is for.
    #[schemars(length(min = 1, max = 100))]
    pub label: String,
    /// From when on it is to be worth nothing.
    pub expires: Option<Timestamp>,
    /// Whose rights it is to have; where it is not given, the caller's own.
    pub master: Option<Name>,
}

/// Whose tokens are meant.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Whose {
    /// The master; where it is not given, the caller itself.
    pub master: Option<Name>,
}

/// The tokens of a master. For admins, and itself.
pub fn list(context: &Context, caller: &Caller, whose: Whose) -> Result<Vec<Shown>, Problem> {
    let master = meant(caller, whose.master)?;
    let tokens = context.directory.snapshot().tokens_of(&master)?;
    Ok(tokens.into_iter().map(|(token, last_used)| shown(token, last_used, None)).collect())
}

/// Makes a token; this answer alone shows it. For admins, and the master itself.
pub fn add(context: &Context, caller: &Caller, new: New) -> Result<Shown, Problem> {
    let master = meant(caller, new.master)?;
    let now = Timestamp::now();
    if new.expires.is_some_and(|expires| expires <= now) {
        return Err(Problem::new(Kind::BadValue, "expires: give a time that is still to come".into()));
    }
    let octets: [u8; 32] = rand::rng().random();
    let text = octets.iter().fold(PREFIX.to_owned(), |text, octet| format!("{text}{octet:02x}"));
    let token = Token { hash: hash(&text), master, label: new.label.trim().to_owned(), created: now, expires: new.expires };
    context.change(caller, &Change::AddToken { token: token.clone() })?;
    Ok(shown(token, None, Some(text)))
}

/// Makes a token worthless. For admins, and the master itself.
pub fn remove(context: &Context, caller: &Caller, whose: Whose, id: TokenId) -> Result<Shown, Problem> {
    let master = meant(caller, whose.master)?;
    let known = list(context, caller, Whose { master: Some(master.clone()) })?.into_iter().find(|token| token.id == id);
    context.change(caller, &Change::RemoveToken { master: master.clone(), id })?;
    known.ok_or_else(|| Problem::new(Kind::NoSuchToken, format!("the master `{master}` has no token {id}")))
}

/// The master that a token speaks for, if it is worth anything. Its use is noted.
pub fn master_of(context: &Context, text: &str, now: Timestamp) -> Result<Option<Name>, Problem> {
    let token = context.directory.snapshot().token(&hash(text))?.filter(|token| token.is_valid(now));
    if let Some(token) = &token {
        context.directory.token_used(token, now)?;
    }
    Ok(token.map(|token| token.master))
}

fn hash(text: &str) -> TokenHash {
    let digest = digest(&SHA256, text.as_bytes());
    // SHA-256 has 32 octets: the zip fills all of them.
    let mut octets = [0; 32];
    octets.iter_mut().zip(digest.as_ref()).for_each(|(octet, found)| *octet = *found);
    TokenHash(octets)
}

fn meant(caller: &Caller, master: Option<Name>) -> Result<Name, Problem> {
    let master = master.or_else(|| caller.master().cloned());
    let master = master.ok_or_else(|| Problem::new(Kind::BadValue, "master: say whose token is meant".into()))?;
    caller.needs_admin_or(&master)?;
    Ok(master)
}

fn shown(token: Token, last_used: Option<Timestamp>, text: Option<String>) -> Shown {
    let Token { hash, master, label, created, expires } = token;
    Shown { id: hash.id(), master, label, created, expires, last_used, token: text }
}
