//! Why an operation did not happen, in the form of RFC 9457, and what that means for HTTP and for the exit code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::directory::{ChangeError, Refusal, Suggestion, Unreadable};
use crate::mail::WeakPassword;

/// A problem as the API answers it (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, thiserror::Error, JsonSchema)]
#[error("{detail}")]
pub struct Problem {
    /// What kind of problem: stable, for programs.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, and what to do about it.
    pub detail: String,
    /// For a taken name: a free one, and the alias that gives the wanted address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Box<Suggestion>>,
    /// The field of the request that is at fault, as a JSON pointer (RFC 6901).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
}

/// What the command line's exit code says (design, section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0.
    Done,
    /// 1.
    Failed,
    /// 2.
    Usage,
    /// 3.
    NoSuchThing,
    /// 4.
    Conflict,
}

impl Exit {
    /// The number.
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoSuchThing => 3,
            Self::Conflict => 4,
        }
    }
}

/// Declares the kinds: identifier, words, HTTP status and exit code stand side by side, once.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $urn:literal, $title:literal, $status:literal, $exit:ident;)*) => {
        /// The kinds of problems.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[schemars(rename = "ProblemType")]
        pub enum Kind {
            $($(#[$doc])* #[serde(rename = $urn)] $kind,)*
        }

        impl Kind {
            /// The kind in words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }

            /// The HTTP status.
            pub const fn status(self) -> u16 {
                match self { $(Self::$kind => $status,)* }
            }

            /// The exit code of the command line.
            pub const fn exit(self) -> Exit {
                match self { $(Self::$kind => Exit::$exit,)* }
            }
        }
    };
}

kinds! {
    /// D1.
    NameTaken = "urn:restante:problem:name-taken", "The name is taken", 409, Conflict;
    /// D2.
    AddressTaken = "urn:restante:problem:address-taken", "The address is taken", 409, Conflict;
    /// The domain is local already.
    DomainExists = "urn:restante:problem:domain-exists", "The domain exists already", 409, Conflict;
    /// No such domain.
    NoSuchDomain = "urn:restante:problem:no-such-domain", "No such domain", 404, NoSuchThing;
    /// No such account.
    NoSuchAccount = "urn:restante:problem:no-such-account", "No such account", 404, NoSuchThing;
    /// No such alias, or it has no such entry.
    NoSuchAlias = "urn:restante:problem:no-such-alias", "No such alias", 404, NoSuchThing;
    /// D5: a target that has to exist does not.
    NoSuchTarget = "urn:restante:problem:no-such-target", "No such target", 422, NoSuchThing;
    /// D5: a circle.
    Cycle = "urn:restante:problem:cycle", "An alias would lead back to itself", 409, Conflict;
    /// D3.
    HiddenAlias = "urn:restante:problem:hidden-alias", "A hidden alias changes only with its account", 409, Conflict;
    /// D8, or something else that others still need.
    InUse = "urn:restante:problem:in-use", "Still in use", 409, Conflict;
    /// Not in the trash.
    NotInTrash = "urn:restante:problem:not-in-trash", "Not in the trash", 404, NoSuchThing;
    /// No such token of that master.
    NoSuchToken = "urn:restante:problem:no-such-token", "No such token", 404, NoSuchThing;
    /// Unknown to the notes about recent messages.
    NoSuchDelivery = "urn:restante:problem:no-such-delivery", "No such delivery", 404, NoSuchThing;
    /// Not in the queue, or not any more.
    NoSuchMessage = "urn:restante:problem:no-such-message", "No such message", 404, NoSuchThing;
    /// D6.
    WeakPassword = "urn:restante:problem:weak-password", "The password does not fit the rules", 422, Failed;
    /// A value that makes no sense.
    BadValue = "urn:restante:problem:bad-value", "A value makes no sense here", 422, Usage;
    /// What was given is no export.
    BadImport = "urn:restante:problem:bad-import", "Not an export", 422, Failed;
    /// The request is not what the API expects.
    BadRequest = "urn:restante:problem:bad-request", "The request is malformed", 400, Usage;
    /// No such resource.
    NoSuchResource = "urn:restante:problem:no-such-resource", "No such resource", 404, NoSuchThing;
    /// The resource does not know the method.
    NotPossible = "urn:restante:problem:not-possible", "Not possible here", 405, Usage;
    /// No such change, or none that the caller could see.
    NoSuchChange = "urn:restante:problem:no-such-change", "No such change", 404, NoSuchThing;
    /// There is no change that takes this one back.
    CannotUndo = "urn:restante:problem:cannot-undo", "This cannot be undone", 409, Conflict;
    /// The resource has changed since it was read.
    Changed = "urn:restante:problem:changed", "Changed by somebody else meanwhile", 412, Conflict;
    /// The body is too long.
    TooLong = "urn:restante:problem:too-long", "The request is too long", 413, Failed;
    /// Nobody is logged in, or what was given proves nobody.
    NotLoggedIn = "urn:restante:problem:not-logged-in", "Not logged in", 401, Failed;
    /// Too many attempts to log in.
    TooManyLogins = "urn:restante:problem:too-many-logins", "Too many attempts to log in", 429, Failed;
    /// Not allowed.
    Forbidden = "urn:restante:problem:forbidden", "Not allowed", 403, Failed;
    /// The directory cannot be read or written.
    Directory = "urn:restante:problem:directory", "The directory failed", 500, Failed;
    /// The delivery log cannot be read.
    Log = "urn:restante:problem:log", "The delivery log failed", 500, Failed;
    /// The directory changed, and a Maildir could not follow.
    Maildir = "urn:restante:problem:maildir", "A Maildir failed", 500, Failed;
    /// The queue cannot be read or written.
    Queue = "urn:restante:problem:queue", "The queue failed", 500, Failed;
    /// Anything else, with the cause.
    Internal = "urn:restante:problem:internal", "The server failed", 500, Failed;
}

impl Problem {
    /// A problem of a kind, in these words.
    pub fn new(kind: Kind, detail: String) -> Self {
        Self { kind, title: kind.title().to_owned(), status: kind.status(), detail, suggestion: None, pointer: None }
    }

    /// The same, about a field of the request.
    pub fn at(mut self, field: &str) -> Self {
        self.pointer = Some(format!("/{field}"));
        self
    }

    /// The field that is at fault.
    pub fn field(&self) -> Option<&str> {
        self.pointer.as_deref()?.strip_prefix('/')
    }

    /// Not allowed.
    pub fn forbidden(detail: String) -> Self {
        Self::new(Kind::Forbidden, detail)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let kind = match &refusal {
            Refusal::NameTaken { .. } | Refusal::NameAndAddressTaken { .. } => Kind::NameTaken,
            Refusal::AddressTaken { .. } => Kind::AddressTaken,
            Refusal::DomainExists(_) => Kind::DomainExists,
            Refusal::NoSuchDomain(_) => Kind::NoSuchDomain,
            Refusal::NoSuchAccount { .. } => Kind::NoSuchAccount,
            Refusal::NoSuchAlias(_) | Refusal::NoSuchEntry { .. } => Kind::NoSuchAlias,
            Refusal::NoSuchTarget { .. } => Kind::NoSuchTarget,
            Refusal::Cycle { .. } => Kind::Cycle,
            Refusal::HiddenAlias { .. } => Kind::HiddenAlias,
            Refusal::DomainInUse { .. }
            | Refusal::WouldDangle { .. }
            | Refusal::MasterInUse { .. }
            | Refusal::OwnsList { .. }
            | Refusal::LastAdmin(_) => Kind::InUse,
            Refusal::Changed { .. } => Kind::Changed,
            Refusal::NoSuchToken { .. } => Kind::NoSuchToken,
            Refusal::NotInTrash(_) => Kind::NotInTrash,
            Refusal::BadValue(_) => Kind::BadValue,
        };
        let mut problem = Self::new(kind, refusal.to_string());
        let field = match &refusal {
            Refusal::NameTaken { .. } | Refusal::NameAndAddressTaken { .. } | Refusal::AddressTaken { .. } => Some("name"),
            Refusal::DomainExists(_) | Refusal::NoSuchDomain(_) => Some("domain"),
            Refusal::NoSuchTarget { .. } | Refusal::Cycle { .. } => Some("targets"),
            // These say what they are about with their first words.
            Refusal::BadValue(why) if why.starts_with("the owner") => Some("owner"),
            Refusal::BadValue(why) if why.starts_with("a note") => Some("note"),
            Refusal::BadValue(why) if why.starts_with("label:") => Some("label"),
            _ => None,
        };
        problem.pointer = field.map(|field| format!("/{field}"));
        if let Refusal::NameTaken { suggestion, .. } = refusal {
            problem.suggestion = suggestion.map(Box::new);
        }
        problem
    }
}

impl From<Unreadable> for Problem {
    fn from(error: Unreadable) -> Self {
        Self::new(Kind::Directory, error.to_string())
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Unreadable(error) => error.into(),
        }
    }
}

impl From<WeakPassword> for Problem {
    fn from(error: WeakPassword) -> Self {
        Self::new(Kind::WeakPassword, error.to_string()).at("password")
    }
}
