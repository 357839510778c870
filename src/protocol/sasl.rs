//! SASL mechanisms of passwords: PLAIN (RFC 4616), and LOGIN, which never became more than a draft and is still what
//! some mail programs speak.
//!
//! Owns the exchange between the command that names a mechanism and the credentials that come of it, base64 included
//! (RFC 4954 and RFC 5034 write it alike). Promises that a client that cancels, or says what cannot be read, has given
//! no credentials, and that passwords are wiped from memory. Refuses to know whether a password is right, and what
//! the protocol around it calls its replies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::mail::Secret;

/// A way to show who one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// `authorization identity NUL name NUL password`, in one message.
    Plain,
    /// Name and password, each asked for.
    Login,
}

/// What a client says it is, and the password that is to show it.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The name as it was given.
    pub name: String,
    /// The password.
    pub secret: Secret,
}

/// What an exchange waits for.
#[derive(Debug, Clone)]
pub enum Exchange {
    /// PLAIN's one message.
    Plain,
    /// LOGIN's name.
    Name,
    /// LOGIN's password.
    Password {
        /// The name that came before it.
        name: String,
    },
}

/// How an exchange goes on.
#[derive(Debug)]
pub enum Turn {
    /// The client is to answer this; it stands here as it travels, in base64.
    Challenge(&'static str, Exchange),
    /// It has said all.
    Done(Credentials),
}

/// Why an exchange came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client sent `*`.
    Cancelled,
    /// What it sent is no base64, or not what the mechanism says.
    Malformed,
    /// It wants to act for somebody else.
    OtherIdentity,
}

/// `Username:`.
const ASK_NAME: &str = "VXNlcm5hbWU6";

/// `Password:`.
const ASK_PASSWORD: &str = "UGFzc3dvcmQ6";

impl Mechanism {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// Its registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The mechanism of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Begins, with what the client sent along with the command: `=` stands for an empty message (RFC 5034 §4).
    pub fn begin(self, initial: Option<&[u8]>) -> Result<Turn, Fault> {
        let first = match self {
            Self::Plain => Turn::Challenge("", Exchange::Plain),
            Self::Login => Turn::Challenge(ASK_NAME, Exchange::Name),
        };
        match (first, initial) {
            (first, None) => Ok(first),
            (Turn::Challenge(_, exchange), Some(b"=")) => exchange.respond(b""),
            (Turn::Challenge(_, exchange), Some(initial)) => exchange.respond(initial),
            (done, Some(_)) => Ok(done),
        }
    }
}

impl Exchange {
    /// Takes a line of the client.
    pub fn respond(self, line: &[u8]) -> Result<Turn, Fault> {
        if line == b"*" {
            return Err(Fault::Cancelled);
        }
        let message = Zeroizing::new(STANDARD.decode(line).map_err(|_| Fault::Malformed)?);
        match self {
            Self::Plain => plain(&message).map(Turn::Done),
            Self::Name => Ok(Turn::Challenge(ASK_PASSWORD, Self::Password { name: text(&message)? })),
            Self::Password { name } => Ok(Turn::Done(Credentials { name, secret: secret(&message) })),
        }
    }
}

/// A password as it came. One that is no UTF-8 is nobody's: it becomes the empty one, which nobody can have.
pub fn secret(octets: &[u8]) -> Secret {
    Secret::given(std::str::from_utf8(octets).unwrap_or_default().to_owned())
}

fn plain(message: &[u8]) -> Result<Credentials, Fault> {
    let mut parts = message.split(|octet| *octet == 0);
    let (Some(wanted), Some(name), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Fault::Malformed);
    };
    if !(wanted.is_empty() || wanted.eq_ignore_ascii_case(name)) {
        return Err(Fault::OtherIdentity);
    }
    Ok(Credentials { name: text(name)?, secret: secret(password) })
}

fn text(octets: &[u8]) -> Result<String, Fault> {
    std::str::from_utf8(octets).map(str::to_owned).map_err(|_| Fault::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a client, from the one behind the command on; the name and password that come of them.
    fn told(mechanism: Mechanism, initial: Option<&str>, lines: &[&str]) -> Result<(String, String), Fault> {
        let mut turn = mechanism.begin(initial.map(str::as_bytes))?;
        for line in lines {
            turn = match turn {
                Turn::Challenge(_, exchange) => exchange.respond(line.as_bytes())?,
                Turn::Done(_) => panic!("`{line}` is one too many"),
            };
        }
        match turn {
            Turn::Done(Credentials { name, secret }) => Ok((name, secret.expose().to_owned())),
            Turn::Challenge(challenge, _) => panic!("`{challenge}` is not answered"),
        }
    }

    fn coded(text: &str) -> String {
        STANDARD.encode(text)
    }

    #[test]
    fn both_mechanisms_give_name_and_password() {
        let alice = Ok(("alice".to_owned(), "pässwort".to_owned()));
        assert_eq!(told(Mechanism::Plain, Some(&coded("\0alice\0pässwort")), &[]), alice);
        assert_eq!(told(Mechanism::Plain, None, &[&coded("alice\0alice\0pässwort")]), alice);
        assert_eq!(told(Mechanism::Login, None, &[&coded("alice"), &coded("pässwort")]), alice);
        assert_eq!(told(Mechanism::Login, Some(&coded("alice")), &[&coded("pässwort")]), alice);
        assert_eq!(told(Mechanism::Login, Some("="), &[""]), Ok((String::new(), String::new())));
    }

    #[test]
    fn what_is_no_exchange_gives_nothing() {
        for (mechanism, initial, lines, fault) in [
            (Mechanism::Plain, None, vec!["*".to_owned()], Fault::Cancelled),
            (Mechanism::Plain, Some("!"), vec![], Fault::Malformed),
            (Mechanism::Plain, Some("="), vec![], Fault::Malformed),
            (Mechanism::Plain, None, vec![coded("alice\0secret")], Fault::Malformed),
            (Mechanism::Plain, None, vec![coded("\0a\0b\0c")], Fault::Malformed),
            (Mechanism::Plain, None, vec![coded("bob\0alice\0secret")], Fault::OtherIdentity),
            (Mechanism::Login, None, vec![coded("alice"), "*".to_owned()], Fault::Cancelled),
            (Mechanism::Login, None, vec!["=".to_owned()], Fault::Malformed),
            (Mechanism::Login, None, vec!["/w==".to_owned()], Fault::Malformed),
        ] {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            assert_eq!(told(mechanism, initial, &lines), Err(fault), "{mechanism:?} {initial:?} {lines:?}");
        }
    }

    #[test]
    fn a_password_that_is_no_text_is_nobodys() {
        assert_eq!(told(Mechanism::Login, None, &[&coded("alice"), "/w=="]), Ok(("alice".to_owned(), String::new())));
        assert_eq!(Mechanism::named("plain"), Some(Mechanism::Plain));
        assert_eq!(Mechanism::named("CRAM-MD5"), None);
    }
}
