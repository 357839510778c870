//! What records are found by beside their keys: where an account lives, whose a domain is, words of a search.
//!
//! Everything here follows from the records and is written with them, so it can be made anew at any time.

use super::{Family, Key, Prefix, Record};
use crate::directory::model::{AliasKey, Pop, Standing, TokenHash};
use crate::mail::{Domain, Name};

/// Written when the index of a directory is whole; another number here has it made anew at the next start.
pub const INDEX: u8 = 2;

/// Words by which one account can be found.
const WORDS: usize = 16;

/// Characters of a word that count.
const WORD_CHARACTERS: usize = 32;

const END: u8 = 0;

/// The index keys of a record; most kinds have none.
pub fn index(record: &Record) -> Vec<Key> {
    match record {
        Record::Domain(domain) => {
            domain.owner.iter().map(|owner| Prefix::domains_of(owner).key(domain.domain.as_str().as_bytes())).collect()
        }
        Record::Pop(pop) => {
            let (name, mut bytes) = (pop.name.as_str().as_bytes(), Vec::with_capacity(96));
            let by_word = |word: String| {
                bytes.clear();
                put_word(&mut bytes, &word, name);
                Key { family: Family::Index, bytes: bytes.as_slice().into() }
            };
            std::iter::once(Prefix::pops_in(&pop.domain).key(name)).chain(words_of(pop).into_iter().map(by_word)).collect()
        }
        // A hidden alias is found by its account.
        Record::Alias(alias) if alias.standing == Standing::Plain => words_of_alias(&alias.key)
            .iter()
            .map(|word| Prefix::alias_words(word).key(&[&[END], &*Key::alias(&alias.key).bytes].concat()))
            .collect(),
        Record::List(list) => vec![Prefix::lists_in(&list.domain).key(list.name.as_str().as_bytes())],
        Record::Token(token) => vec![Prefix::tokens_of(&token.master).key(&token.hash.0)],
        _ => Vec::new(),
    }
}

/// The words by which an account can be found: of its name, and of its owner.
pub fn words_of(pop: &Pop) -> Vec<String> {
    let mut words = words(pop.name.as_str());
    words.extend(self::words(&pop.owner));
    words.sort_unstable();
    words.dedup();
    words.truncate(WORDS);
    words
}

/// The words by which a plain alias can be found: of the part before the `@`.
pub fn words_of_alias(key: &AliasKey) -> Vec<String> {
    let mut words = match key {
        AliasKey::Exact(address) => words(address.local()),
        AliasKey::CatchAll(_) => Vec::new(),
    };
    words.sort_unstable();
    words.dedup();
    words.truncate(WORDS);
    words
}

/// The words of a text, folded.
pub fn words(text: &str) -> Vec<String> {
    let folded = text.to_lowercase();
    let words = folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(|word| word.chars().take(WORD_CHARACTERS).collect()).collect()
}

fn put_word(bytes: &mut Vec<u8>, word: &str, name: &[u8]) {
    bytes.push(b'w');
    bytes.extend_from_slice(word.as_bytes());
    bytes.push(END);
    bytes.extend_from_slice(name);
}

impl Key {
    /// Whether it is of an index that only a search reads: every one but that of a master's tokens, which are counted.
    pub fn is_for_search(&self) -> bool {
        self.family == Family::Index && self.bytes.first() != Some(&TOKENS)
    }
}

/// Begins the keys of a master's tokens.
const TOKENS: u8 = b't';

/// Begins the keys of the words of aliases.
const ALIASES: u8 = b'a';

impl Prefix {
    fn index(tag: u8, text: &str) -> Self {
        let mut bytes = vec![tag];
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(END);
        Self { family: Family::Index, bytes: bytes.into() }
    }

    /// The domains of a master.
    pub fn domains_of(master: &Name) -> Self {
        Self::index(b'd', master.as_str())
    }

    /// The POP accounts that live in a domain.
    pub fn pops_in(domain: &Domain) -> Self {
        Self::index(b'p', domain.as_str())
    }

    /// The list accounts that live in a domain.
    pub fn lists_in(domain: &Domain) -> Self {
        Self::index(b'l', domain.as_str())
    }

    /// The tokens of a master.
    pub fn tokens_of(master: &Name) -> Self {
        Self::index(TOKENS, master.as_str())
    }

    /// The POP accounts that have a word which begins like this.
    pub fn words(beginning: &str) -> Self {
        let mut bytes = vec![b'w'];
        bytes.extend_from_slice(beginning.as_bytes());
        Self { family: Family::Index, bytes: bytes.into() }
    }

    /// The plain aliases that have a word which begins like this.
    pub fn alias_words(beginning: &str) -> Self {
        let mut bytes = vec![ALIASES];
        bytes.extend_from_slice(beginning.as_bytes());
        Self { family: Family::Index, bytes: bytes.into() }
    }

    /// A key of an index, of what follows the prefix.
    pub fn key(&self, rest: &[u8]) -> Key {
        Key { family: self.family, bytes: [&self.bytes, rest].concat().into() }
    }

    /// What follows the prefix in a key that lies here.
    pub fn rest<'k>(&self, key: &'k Key) -> Option<&'k str> {
        std::str::from_utf8(key.bytes.strip_prefix(&*self.bytes)?).ok()
    }
}

impl Key {
    /// That the index of this directory is whole.
    pub fn indexed() -> Self {
        Self { family: Family::Meta, bytes: b"index".as_slice().into() }
    }

    /// Of a token.
    pub fn token(hash: &TokenHash) -> Self {
        Self { family: Family::Tokens, bytes: hash.0.as_slice().into() }
    }

    /// Of the last use of a token.
    pub fn token_use(hash: &TokenHash) -> Self {
        Self { family: Family::TokenUses, bytes: hash.0.as_slice().into() }
    }

    /// The word and the account that a key of the words holds.
    pub fn to_word(&self) -> Option<(&str, Name)> {
        let (word, name) = std::str::from_utf8(self.bytes.strip_prefix(b"w")?).ok()?.split_once('\0')?;
        Some((word, Name::parse(name).ok()?))
    }

    /// The word and the alias that a key of the words of aliases holds.
    pub fn to_alias_word(&self) -> Option<(&str, AliasKey)> {
        let rest = self.bytes.strip_prefix(&[ALIASES])?;
        let end = rest.iter().position(|byte| *byte == END)?;
        let alias = Self { family: Family::Aliases, bytes: rest.get(end + 1..)?.into() };
        Some((std::str::from_utf8(rest.get(..end)?).ok()?, alias.to_alias()?))
    }

    /// The digest in a key of [`Family::Tokens`], or of the index of tokens: its last octets.
    pub fn to_token(&self) -> Option<TokenHash> {
        self.bytes.last_chunk().map(|hash| TokenHash(*hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_have_no_marks() {
        assert_eq!(words("Åsa O'Neill-Smith (Büro), 2nd  floor"), ["åsa", "o", "neill", "smith", "büro", "2nd", "floor"]);
        assert_eq!(words("a\0b"), ["a", "b"]);
        assert_eq!(words(&"x".repeat(100)), ["x".repeat(32)]);
        assert!(words(" .-_ ").is_empty());
    }
}
