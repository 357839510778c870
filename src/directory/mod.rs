//! The directory: domains, masters, POP accounts, list accounts and aliases, and the only code that may change them.
//!
//! Owns the invariants D1 to D10 of the design. Promises that a change is one atomic, synced batch (records, reverse
//! index, audit entry, revision), that a crash leaves all of it or nothing, and that readers never wait for a writer.
//! Refuses to know routing, Maildirs and protocols: a change answers with the [`Effect`]s that others carry out.
//!
//! Reading order: [`model`] (records), [`view`] (questions), [`change`] (what can be asked for, and refused),
//! [`rules`] (change + state → read set and write set; pure), [`schema`] (keys and formats on disk), [`store`] (the
//! engine), [`audit`] (who changed what), [`password`] (hashes), [`login`] (who may come in), [`export`] (everything as text, and back).

pub mod audit;
pub mod change;
pub mod export;
pub mod login;
pub mod model;
pub mod password;
pub mod rules;
pub mod schema;
pub mod store;
pub mod view;

pub use change::{Actor, Applied, Author, Change, ChangeError, Effect, ExportRecord, Refusal, Suggestion};
pub use model::{
    AccountId, Alias, AliasKey, BounceKind, Bounces, DomainRecord, Handling, Kind, List, Master, Member, PasswordHash, Pop, Posting,
    Revision, Role, Roster, Seat, SecondFactor, Standing, State, Style, Switch, Target, TargetError, Token, TokenHash, TokenId, Trashed,
    UNLIMITED, Vacation,
};
pub use store::{Directory, Imagined, OpenError, Page, Snapshot, Subject};
pub use view::{Unreadable, View};
