//! The Sender Rewriting Scheme: forwarded mail gets an envelope sender in a domain of ours, which SPF lets us use, and from which a bounce
//! finds its way back (draft-mengwong-sender-rewrite; the form is that of Mail::SRS).
//!
//! `SRS0=hash=day=domain=local@ours` for a sender as it is; `SRS1=hash=host==…@ours` for one that another forwarder has rewritten already.
//! Without the hash this would be an open relay for bounces; the day keeps an address that was once seen from being used forever.
//! Pure: keys and time come in. Hashes are compared without case, since there are servers that fold local parts.

use jiff::Timestamp;
use ring::hmac;

use crate::mail::address::Host;
use crate::mail::{Domain, Mailbox, ReversePath};

/// Days that a rewritten address leads back: longer than any queue keeps a message.
pub const VALID_DAYS: u16 = 21;

/// Letters of the hash: 30 bits.
const HASH_LETTERS: usize = 6;

/// Days after which the day of two letters comes again.
const CYCLE: u16 = 1024;

/// RFC 4648 base 32: it survives a change of case.
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Octets of a secret.
pub const SECRET_OCTETS: usize = 32;

/// Why a rewritten address leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The hash is not ours.
    #[error("this sender address was not written here")]
    Forged,
    /// The day is too long ago, or yet to come.
    #[error("this sender address is no longer valid")]
    Expired,
    /// It begins like one, and goes on unlike one.
    #[error("this is no rewritten sender address")]
    Malformed,
}

/// Rewrites senders, and finds them again.
pub struct Srs {
    keys: Vec<hmac::Key>,
}

impl Srs {
    /// With these secrets: the first is written with, all are read with.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a [u8; SECRET_OCTETS]>) -> Self {
        Self { keys: secrets.into_iter().map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret)).collect() }
    }

    /// The sender of a message that is forwarded from a domain of ours. A null sender stays what it is; so does one that `is_local`, and
    /// one that would become too long.
    pub fn forward(&self, sender: &ReversePath, ours: &Domain, now: Timestamp, is_local: impl Fn(&Domain) -> bool) -> ReversePath {
        let rewritten = match sender {
            ReversePath::Mailbox(mailbox) if !mailbox.domain().is_some_and(is_local) => self.rewritten(mailbox, ours, now),
            _ => None,
        };
        rewritten.map_or_else(|| sender.clone(), ReversePath::Mailbox)
    }

    fn rewritten(&self, sender: &Mailbox, ours: &Domain, now: Timestamp) -> Option<Mailbox> {
        let key = self.keys.first()?;
        let local = match Form::of(sender.local()) {
            Form::Plain => {
                let (day, host) = (letters_of_day(day(now)), sender.host());
                format!("SRS0={}={day}={host}={}", hash(key, &format!("{day}{host}{}", sender.local())), sender.local())
            }
            Form::Zero(rest) => again(key, &sender.host().to_string(), rest),
            Form::One(rest) => match one(rest) {
                Some((_, host, rest)) => again(key, host, rest),
                None => again(key, &sender.host().to_string(), rest),
            },
        };
        Mailbox::compose(&local, &Host::Domain(ours.clone())).ok()
    }

    /// The address that a rewritten one stands for; none if it is not a rewritten one.
    pub fn reverse(&self, to: &Mailbox, now: Timestamp) -> Option<Result<Mailbox, Refusal>> {
        match Form::of(to.local()) {
            Form::Plain => None,
            Form::Zero(rest) => Some(self.zero(rest, now)),
            Form::One(rest) => Some(self.first_forwarder(rest)),
        }
    }

    fn zero(&self, rest: &str, now: Timestamp) -> Result<Mailbox, Refusal> {
        let mut parts = rest.get(1..).ok_or(Refusal::Malformed)?.splitn(4, '=');
        let mut part = || parts.next().filter(|part| !part.is_empty()).ok_or(Refusal::Malformed);
        let (given, day_letters, host, local) = (part()?, part()?, part()?, part()?);
        self.check(given, &format!("{day_letters}{host}{local}"))?;
        let written = day_of_letters(day_letters).ok_or(Refusal::Malformed)?;
        if (day(now) + CYCLE - written) % CYCLE > VALID_DAYS {
            return Err(Refusal::Expired);
        }
        composed(local, host)
    }

    /// A bounce goes to the first forwarder, who knows the sender.
    fn first_forwarder(&self, rest: &str) -> Result<Mailbox, Refusal> {
        let (given, host, rest) = one(rest).ok_or(Refusal::Malformed)?;
        self.check(given, &format!("{host}{rest}"))?;
        composed(&format!("SRS0{rest}"), host)
    }

    fn check(&self, given: &str, text: &str) -> Result<(), Refusal> {
        let fits = |key: &hmac::Key| {
            let own = hash(key, text);
            // Looks at every letter, so that time tells nothing.
            let differences = own.bytes().zip(given.bytes()).fold(0, |all, (a, b)| all | (a ^ b.to_ascii_uppercase()));
            own.len() == given.len() && differences == 0
        };
        if self.keys.iter().any(fits) { Ok(()) } else { Err(Refusal::Forged) }
    }
}

/// What a local part looks like; what follows the tag begins with a separator.
enum Form<'a> {
    Plain,
    Zero(&'a str),
    One(&'a str),
}

impl<'a> Form<'a> {
    fn of(local: &'a str) -> Self {
        let Some((tag, rest)) = local.split_at_checked(4).filter(|(_, rest)| rest.starts_with(['=', '+', '-'])) else { return Self::Plain };
        match () {
            () if tag.eq_ignore_ascii_case("SRS0") => Self::Zero(rest),
            () if tag.eq_ignore_ascii_case("SRS1") => Self::One(rest),
            () => Self::Plain,
        }
    }
}

/// `=hash=host=REST`, where the rest begins with the separator of the SRS0 address that it is of.
fn one(rest: &str) -> Option<(&str, &str, &str)> {
    let (given, rest) = rest.get(1..)?.split_once('=')?;
    let (host, rest) = rest.split_once('=')?;
    (rest.starts_with(['=', '+', '-']) && !host.is_empty() && !given.is_empty()).then_some((given, host, rest))
}

fn again(key: &hmac::Key, host: &str, rest: &str) -> String {
    format!("SRS1={}={host}={rest}", hash(key, &format!("{host}{rest}")))
}

fn composed(local: &str, host: &str) -> Result<Mailbox, Refusal> {
    let host = match Domain::parse(host) {
        Ok(domain) => Host::Domain(domain),
        Err(_) => Host::Literal(host.to_owned()),
    };
    Mailbox::compose(local, &host).map_err(|_| Refusal::Malformed)
}

fn hash(key: &hmac::Key, text: &str) -> String {
    let tag = hmac::sign(key, text.to_lowercase().as_bytes());
    tag.as_ref().iter().take(HASH_LETTERS).map(|octet| letter(u16::from(*octet))).collect()
}

fn letter(number: u16) -> char {
    LETTERS.get(usize::from(number % 32)).copied().map_or('A', char::from)
}

fn day(now: Timestamp) -> u16 {
    let days = now.as_second().div_euclid(24 * 3600).rem_euclid(i64::from(CYCLE));
    u16::try_from(days).unwrap_or_default()
}

fn letters_of_day(day: u16) -> String {
    [letter(day / 32), letter(day)].iter().collect()
}

fn day_of_letters(letters: &str) -> Option<u16> {
    let value = |octet: u8| LETTERS.iter().position(|letter| *letter == octet.to_ascii_uppercase()).and_then(|at| u16::try_from(at).ok());
    match letters.as_bytes() {
        [high, low] => Some(value(*high)? * 32 + value(*low)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail::AddressError;
    use proptest::prelude::*;

    const SECRET: [u8; SECRET_OCTETS] = [7; SECRET_OCTETS];
    const OLDER: [u8; SECRET_OCTETS] = [8; SECRET_OCTETS];

    fn at(days: i64) -> Timestamp {
        Timestamp::from_second(days * 24 * 3600 + 5).unwrap_or_default()
    }

    fn forwarded(srs: &Srs, sender: &str, ours: &str, now: Timestamp) -> Result<String, AddressError> {
        let ours = Domain::parse(ours)?;
        Ok(srs.forward(&ReversePath::Mailbox(Mailbox::parse(sender)?), &ours, now, |domain| domain.as_str() == "local.example").to_string())
    }

    fn reversed(srs: &Srs, to: &str, now: Timestamp) -> Result<Option<Result<String, Refusal>>, AddressError> {
        Ok(srs.reverse(&Mailbox::parse(to)?, now).map(|found| found.map(|mailbox| mailbox.to_string())))
    }

    #[test]
    fn a_sender_is_rewritten_and_found_again() -> Result<(), AddressError> {
        let srs = Srs::new([&SECRET, &OLDER]);
        let rewritten = forwarded(&srs, "Alice.B@Example.com", "ours.example", at(20_000))?;
        assert!(rewritten.starts_with("SRS0=") && rewritten.ends_with("=RA=example.com=Alice.B@ours.example"), "{rewritten}");
        assert_eq!(reversed(&srs, &rewritten, at(20_001))?, Some(Ok("Alice.B@example.com".into())));
        assert_eq!(reversed(&srs, &rewritten.to_lowercase(), at(20_021))?, Some(Ok("alice.b@example.com".into())));
        assert_eq!(reversed(&srs, &rewritten, at(20_022))?, Some(Err(Refusal::Expired)));
        assert_eq!(reversed(&srs, &rewritten, at(19_999))?, Some(Err(Refusal::Expired)), "of tomorrow");
        let older = forwarded(&Srs::new([&OLDER]), "a@example.com", "ours.example", at(20_000))?;
        assert_eq!(reversed(&srs, &older, at(20_000))?, Some(Ok("a@example.com".into())), "a key that was replaced still reads");
        assert_eq!(reversed(&Srs::new([&SECRET]), &older, at(20_000))?, Some(Err(Refusal::Forged)));
        Ok(())
    }

    #[test]
    fn some_senders_stay_as_they_are() -> Result<(), AddressError> {
        let srs = Srs::new([&SECRET]);
        let ours = Domain::parse("ours.example")?;
        assert_eq!(srs.forward(&ReversePath::Null, &ours, at(1), |_| false), ReversePath::Null);
        assert_eq!(forwarded(&srs, "a@local.example", "ours.example", at(1))?, "a@local.example");
        let long = format!("{}@example.com", "x".repeat(490));
        assert_eq!(forwarded(&srs, &long, "ours.example", at(1))?, long);
        assert_eq!(forwarded(&Srs::new([]), "a@example.com", "ours.example", at(1))?, "a@example.com");
        Ok(())
    }

    #[test]
    fn chains_of_forwarders_do_not_grow() -> Result<(), AddressError> {
        let [first, second, third] = [[1; SECRET_OCTETS], [2; SECRET_OCTETS], [3; SECRET_OCTETS]];
        let [first, second, third] = [&first, &second, &third].map(|secret| Srs::new([secret]));
        let zero = forwarded(&first, "alice@example.com", "one.example", at(1))?;
        let one = forwarded(&second, &zero, "two.example", at(1))?;
        let two = forwarded(&third, &one, "three.example", at(1))?;
        assert!(one.starts_with("SRS1=") && one.contains("=one.example==") && one.ends_with("=example.com=alice@two.example"), "{one}");
        assert_eq!(two.len(), one.len() + "three".len() - "two".len());
        // A bounce goes to the first forwarder at once, and home from there.
        assert_eq!(reversed(&third, &two, at(2))?, Some(Ok(zero.clone())));
        assert_eq!(reversed(&second, &one, at(2))?, Some(Ok(zero.clone())));
        assert_eq!(reversed(&first, &zero, at(2))?, Some(Ok("alice@example.com".into())));
        assert_eq!(reversed(&second, &two, at(2))?, Some(Err(Refusal::Forged)));
        // Another implementation's separators.
        let plus = forwarded(&second, "SRS0+hash=TT=example.com=alice@one.example", "two.example", at(1))?;
        assert_eq!(reversed(&second, &plus, at(1))?, Some(Ok("SRS0+hash=TT=example.com=alice@one.example".into())));
        Ok(())
    }

    #[test]
    fn forgeries_and_fragments_are_refused() -> Result<(), AddressError> {
        let srs = Srs::new([&SECRET]);
        let rewritten = forwarded(&srs, "alice@example.com", "ours.example", at(1))?;
        for (forged, why) in [
            (rewritten.replace("alice", "bob"), Refusal::Forged),
            (rewritten.replace("example.com", "example.net"), Refusal::Forged),
            ("SRS0=AAAAAA=AB=example.com=alice@ours.example".into(), Refusal::Forged),
            ("SRS0=A=AB=example.com=alice@ours.example".into(), Refusal::Forged),
            ("SRS0=x@ours.example".into(), Refusal::Malformed),
            ("SRS0====@ours.example".into(), Refusal::Malformed),
            ("SRS1=x=y@ours.example".into(), Refusal::Malformed),
            ("SRS1=AAAAAA=one.example==x=y@ours.example".into(), Refusal::Forged),
        ] {
            assert_eq!(reversed(&srs, &forged, at(1))?, Some(Err(why)), "{forged}");
        }
        for other in ["alice@ours.example", "SRS0@ours.example", "SRS0x=y@ours.example", "SRS2=y@ours.example", "äöü@ours.example"] {
            assert_eq!(reversed(&srs, other, at(1))?, None, "{other}");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn whatever_the_sender_it_comes_back(
            local in "[a-z0-9=+.é \"\\\\-]{1,30}",
            host in prop_oneof![Just("example.com"), Just("b\u{fc}cher.example"), Just("[192.0.2.1]"), Just("x_y.example")],
            days in 0i64..100_000,
            later in 0i64..=21,
            forwarders in 1usize..4,
        ) {
            let host = if host.starts_with('[') { Some(Host::Literal(host.into())) } else { Domain::parse(host).ok().map(Host::Domain) };
            let sender = host.and_then(|host| Mailbox::compose(&local, &host).ok());
            prop_assume!(sender.is_some());
            let Some(sender) = sender else { return Ok(()) };
            let all: Vec<Srs> = (0..forwarders).map(|n| Srs::new([&[n as u8; SECRET_OCTETS]])).collect();
            let mut path = ReversePath::Mailbox(sender.clone());
            for (n, srs) in all.iter().enumerate() {
                let ours = Domain::parse(&format!("f{n}.example")).map_err(|e| TestCaseError::fail(e.to_string()))?;
                path = srs.forward(&path, &ours, at(days), |_| false);
            }
            let mut found = path.mailbox().cloned();
            while let Some(mailbox) = found.clone().filter(|mailbox| *mailbox != sender) {
                let n = mailbox.domain().and_then(|domain| domain.as_str().strip_prefix('f')?.strip_suffix(".example")?.parse::<usize>().ok());
                let srs = n.and_then(|n| all.get(n));
                prop_assume!(srs.is_some());
                found = srs.and_then(|srs| srs.reverse(&mailbox, at(days + later))).and_then(Result::ok);
            }
            let found = found.map(|mailbox| (mailbox.local().to_owned(), mailbox.host().clone()));
            // A sender that looks rewritten already cannot be told from one that is.
            prop_assume!(!local.to_lowercase().starts_with("srs"));
            prop_assert_eq!(found, Some((sender.local().to_owned(), sender.host().clone())));
        }

        #[test]
        fn nothing_makes_it_panic(local in "(?i)SRS[01][=+-].{0,60}") {
            let srs = Srs::new([&SECRET]);
            let Ok(to) = Mailbox::compose(&local, &Host::Literal("[192.0.2.1]".into())) else { return Ok(()) };
            if let Some(found) = srs.reverse(&to, at(5)) {
                prop_assert!(found.is_err());
            }
            let Ok(ours) = Domain::parse("ours.example") else { return Ok(()) };
            srs.forward(&ReversePath::Mailbox(to), &ours, at(5), |_| false);
        }
    }
}
