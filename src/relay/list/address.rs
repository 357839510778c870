//! The addresses beside a list's own: `name-owner`, `name-request`, `name-bounces`, `name-unsubscribe`, and, with a signature, the
//! sender that each member's copy has.
//!
//! A sender of its own for each member (VERP) tells a bounce by its recipient alone, whatever is written in it. The signature keeps
//! strangers from having others suspended, or taken off the list.

use ring::hmac;

use crate::directory::Target;
use crate::mail::{Address, Beside, Mailbox};
use crate::router::ListDestination;

/// Octets of a signature in an address: 40 bits. Whoever guesses sends a million bounces for one hit.
const SHORT: usize = 8;

/// Octets of a signature in a link.
const LONG: usize = 26;

/// Octets of a local part (RFC 5321 §4.5.3.1.1).
const LOCAL: usize = 64;

/// Octets of what stands for a member whose address is too long to be written out.
const DIGEST: usize = 16;

/// What a signature is for: one for a bounce is worthless in a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Bounce,
    Unsubscribe,
    Confirm,
    Digest,
}

/// Signs, and knows its own signatures. Whoever has the key can have members suspended, so it never leaves the spool.
#[derive(Clone)]
pub struct Signer {
    key: hmac::Key,
}

/// Whom a sender address names, its signature being right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bounced {
    /// This member.
    Member(Target),
    /// The member that has this digest ([`Signer::digest`]).
    Digest(String),
}

impl Signer {
    /// With a key.
    pub fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// The sender of a member's copies: `name-bounces+local=domain+signature@domain`. Where that would be longer than a local part may be,
    /// or would need quotes, a digest stands for the member.
    pub fn sender(&self, list: &Address, member: &Target) -> Address {
        let stem = format!("{}{}", list.local(), Beside::Bounces.suffix());
        let written = self.bounces_local(&stem, list, &spelled(member));
        let plain = written.len() <= LOCAL && written.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b));
        let local = if plain && plain_member(member) {
            written
        } else {
            self.bounces_local(&stem, list, &format!("={}", self.digest(list, member)))
        };
        Address::new(&local, list.domain().clone())
    }

    fn bounces_local(&self, stem: &str, list: &Address, who: &str) -> String {
        format!("{stem}+{who}+{}", self.signature(Purpose::Bounce, list, who, SHORT))
    }

    /// Whom the detail of a `name-bounces` address names; none if we did not write it.
    pub fn bounced(&self, list: &Address, detail: &str) -> Option<Bounced> {
        let (who, signature) = detail.rsplit_once('+')?;
        if !self.is_right(Purpose::Bounce, list, who, signature, SHORT) {
            return None;
        }
        if let Some(digest) = who.strip_prefix('=') {
            return Some(Bounced::Digest(digest.to_owned()));
        }
        let member = match who.rsplit_once('=') {
            Some((local, domain)) => Target::parse(&format!("{local}@{domain}")),
            None => Target::parse(who),
        };
        member.ok().map(Bounced::Member)
    }

    /// Whether an address beside a list's own is one that we gave out for bounces.
    pub fn is_bounce(&self, to: &ListDestination) -> bool {
        let Some((name, Beside::Bounces, detail)) = Beside::split(&to.address) else { return false };
        let list = Address::new(name.as_str(), to.address.domain().clone());
        self.bounced(&list, detail).is_some()
    }

    /// What stands for a member whose address is too long.
    pub fn digest(&self, list: &Address, member: &Target) -> String {
        self.signature(Purpose::Digest, list, &member.to_string().to_lowercase(), DIGEST)
    }

    /// The signature of a link that takes a member off the list.
    pub fn unsubscribing(&self, list: &Address, member: &Target) -> String {
        self.signature(Purpose::Unsubscribe, list, &member.to_string().to_lowercase(), LONG)
    }

    /// Whether such a signature is ours.
    pub fn may_unsubscribe(&self, list: &Address, member: &Target, signature: &str) -> bool {
        self.is_right(Purpose::Unsubscribe, list, &member.to_string().to_lowercase(), signature, LONG)
    }

    /// The word by which somebody confirms a command that came by mail: only whoever reads the member's mail has it.
    pub fn confirmation(&self, list: &Address, what: &str, member: &str) -> String {
        self.signature(Purpose::Confirm, list, &format!("{what} {}", member.to_lowercase()), LONG)
    }

    /// Whether such a word is ours.
    pub fn is_confirmed(&self, list: &Address, what: &str, member: &str, word: &str) -> bool {
        self.is_right(Purpose::Confirm, list, &format!("{what} {}", member.to_lowercase()), word, LONG)
    }

    fn signature(&self, purpose: Purpose, list: &Address, text: &str, octets: usize) -> String {
        let tag = hmac::sign(&self.key, &message(purpose, list, text));
        base32(tag.as_ref()).chars().take(octets).collect()
    }

    /// Compared in the same time wherever they differ: by a digest of both.
    fn is_right(&self, purpose: Purpose, list: &Address, text: &str, signature: &str, octets: usize) -> bool {
        let ours = self.signature(purpose, list, text, octets);
        let given = signature.to_ascii_lowercase();
        given.len() == ours.len() && hmac::verify(&self.key, given.as_bytes(), hmac::sign(&self.key, ours.as_bytes()).as_ref()).is_ok()
    }
}

fn message(purpose: Purpose, list: &Address, text: &str) -> Vec<u8> {
    let purpose = match purpose {
        Purpose::Bounce => "bounce",
        Purpose::Unsubscribe => "unsubscribe",
        Purpose::Confirm => "confirm",
        Purpose::Digest => "digest",
    };
    // Folded: an address comes back in whatever case others left it. NUL is in none of the parts.
    format!("{purpose}\0{list}\0{}", text.to_lowercase()).into_bytes()
}

/// A member as it stands in a sender's address.
fn spelled(member: &Target) -> String {
    match member {
        Target::Address(mailbox) => format!("{}={}", mailbox.local(), mailbox.domain().map(ToString::to_string).unwrap_or_default()),
        other => other.to_string(),
    }
}

/// Whether a member can be read back from [`spelled`] after any change of case on the way.
fn plain_member(member: &Target) -> bool {
    match member {
        Target::Account(_) => true,
        Target::Address(mailbox) => is_dot_atom(mailbox) && !mailbox.local().starts_with('='),
        _ => false,
    }
}

fn is_dot_atom(mailbox: &Mailbox) -> bool {
    mailbox.is_ascii() && !mailbox.as_str().starts_with('"') && mailbox.domain().is_some()
}

/// RFC 4648 §6, lower case and without padding: addresses keep neither case nor much else.
fn base32(octets: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let (mut out, mut bits, mut held) = (String::new(), 0u32, 0u32);
    for octet in octets {
        held = (held << 8 | u32::from(*octet)) & 0xffff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let at = usize::try_from(held >> bits & 31).unwrap_or_default();
            out.extend(LETTERS.get(at).map(|letter| char::from(*letter)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list() -> Address {
        Address::parse("team@lists.example").unwrap()
    }

    #[test]
    fn base32_is_that_of_the_rfc() {
        assert_eq!(base32(b"fooba"), "mzxw6ytb");
    }

    proptest! {
        #[test]
        fn a_sender_comes_back_as_the_member_it_was_made_of(local in "[a-zA-Z0-9.!=_+-]{1,60}", domain in "[a-z]{1,9}\\.example", upper: bool) {
            let Ok(member) = Target::parse(&format!("{local}@{domain}")) else { return Ok(()) };
            let signer = Signer::new(b"key");
            let sender = signer.sender(&list(), &member);
            prop_assert!(sender.local().len() <= LOCAL, "{sender}");
            let came = if upper { sender.local().to_uppercase() } else { sender.local().to_owned() };
            let came = Address::new(&came.to_lowercase(), sender.domain().clone());
            let (name, role, detail) = Beside::split(&came).unwrap();
            prop_assert_eq!((name.as_str(), role), ("team", Beside::Bounces));
            match signer.bounced(&list(), detail).unwrap() {
                Bounced::Member(found) => prop_assert_eq!(found.to_string().to_lowercase(), member.to_string().to_lowercase()),
                Bounced::Digest(digest) => prop_assert_eq!(digest, signer.digest(&list(), &member)),
            }
        }

        #[test]
        fn a_forged_sender_names_nobody(detail in "[a-z0-9=.+]{1,40}") {
            prop_assert_eq!(Signer::new(b"key").bounced(&list(), &detail), None);
        }

        #[test]
        fn signatures_are_for_one_list_one_member_and_one_purpose(member in "[a-z]{1,9}@[a-z]{1,9}\\.example", other in "[A-Z]{2,9}@x\\.example") {
            let (signer, member) = (Signer::new(b"key"), Target::parse(&member).unwrap());
            let signature = signer.unsubscribing(&list(), &member);
            prop_assert!(signer.may_unsubscribe(&list(), &member, &signature));
            prop_assert!(!signer.may_unsubscribe(&Address::parse("more@lists.example").unwrap(), &member, &signature));
            prop_assert!(!signer.may_unsubscribe(&list(), &Target::parse(&other).unwrap(), &signature));
            prop_assert!(!signer.is_confirmed(&list(), "unsubscribe", &member.to_string(), &signature));
            prop_assert!(!Signer::new(b"other").may_unsubscribe(&list(), &member, &signature));
        }
    }
}
