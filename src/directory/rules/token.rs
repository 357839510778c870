//! Bearer tokens: each belongs to a master, and goes with it.

use super::master;
use super::transaction::Draft;
use crate::directory::change::{ChangeError, Effect, Refusal};
use crate::directory::model::{Token, TokenHash, TokenId};
use crate::directory::schema::{Key, Prefix, Record};
use crate::mail::Name;

/// Tokens of one master: whoever needs more has forgotten old ones.
const TOKENS: usize = 100;

/// Characters of a label.
const LABEL_CHARACTERS: usize = 100;

pub fn add(draft: &mut Draft<'_>, token: &Token) -> Result<(), ChangeError> {
    master::existing(draft, &token.master)?;
    let label = token.label.trim();
    if label.is_empty() || label.chars().count() > LABEL_CHARACTERS || label.chars().any(char::is_control) {
        let why = format!("label: say in 1 to {LABEL_CHARACTERS} characters what the token is for");
        return Err(Refusal::BadValue(why).into());
    }
    if draft.keys(&Prefix::tokens_of(&token.master))?.len() >= TOKENS {
        return Err(Refusal::BadValue(format!("a master has at most {TOKENS} tokens; remove old ones first")).into());
    }
    draft.put(Key::token(&token.hash), Record::Token(Token { label: label.to_owned(), ..token.clone() }));
    draft.tell(Effect::TokenAdded { master: token.master.clone(), token: token.id() });
    Ok(())
}

pub fn remove(draft: &mut Draft<'_>, master: &Name, id: TokenId) -> Result<(), ChangeError> {
    let found = of(draft, master)?.into_iter().find(|hash| hash.id() == id);
    forget(draft, master, &found.ok_or_else(|| Refusal::NoSuchToken { master: master.clone(), id })?);
    Ok(())
}

/// Removes all tokens of a master that goes.
pub fn remove_all(draft: &mut Draft<'_>, master: &Name) -> Result<(), ChangeError> {
    for hash in of(draft, master)? {
        forget(draft, master, &hash);
    }
    Ok(())
}

fn of(draft: &Draft<'_>, master: &Name) -> Result<Vec<TokenHash>, ChangeError> {
    Ok(draft.keys(&Prefix::tokens_of(master))?.iter().filter_map(Key::to_token).collect())
}

fn forget(draft: &mut Draft<'_>, master: &Name, hash: &TokenHash) {
    draft.remove(Key::token(hash));
    draft.remove(Key::token_use(hash));
    draft.tell(Effect::TokenRemoved { master: master.clone(), token: hash.id() });
}
