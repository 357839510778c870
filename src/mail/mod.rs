//! The vocabulary: what every other layer talks about.
//!
//! Owns the words of RFC 5598 as types that can only hold valid values: a [`Domain`], an [`Address`], a [`Name`],
//! an [`Envelope`]. Promises that two spellings of one address compare equal, because folding happens while parsing
//! (case, Unicode NFC, IDNA, trailing dot). Refuses to know sockets, clocks, disks, the directory, and replies.
//!
//! Reading order: [`domain`], [`address`], [`beside`], [`name`], [`secret`], [`status`], [`envelope`], [`trace`], [`id`], [`network`],
//! [`limits`].

pub mod address;
pub mod beside;
pub mod domain;
pub mod envelope;
pub mod id;
pub mod limits;
pub mod name;
pub mod network;
pub mod secret;
pub mod status;
pub mod trace;

pub use address::{Address, AddressError, Host, Mailbox};
pub use beside::Beside;
pub use domain::{Domain, DomainError};
pub use envelope::{BodyType, Envelope, ForwardPath, Notify, Recipient, Return, ReversePath};
pub use id::QueueId;
pub use name::{Name, NameError};
pub use network::Network;
pub use secret::{Secret, WeakPassword};
pub use status::Status;
