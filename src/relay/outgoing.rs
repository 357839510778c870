//! What is sent: one text, one sender, and those of its recipients that share a next hop.

use std::fmt;
use std::sync::Arc;

use crate::mail::envelope::Charset;
use crate::mail::{BodyType, Mailbox, Notify, QueueId, Return, ReversePath};
use crate::maildir::Text;

/// One recipient of an [`Outgoing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct To {
    /// Whoever sends knows it by this; here it is only handed back by position.
    pub index: u32,
    /// Where it goes.
    pub path: Mailbox,
    /// `NOTIFY`, where given.
    pub notify: Option<Notify>,
    /// `ORCPT`, where given: `addr-type;xtext`, as it came.
    pub original: Option<String>,
}

/// A message for one next hop. The text has LF line ends, as on disk; it is opened anew for each attempt and never held in memory
/// whole, unless it lies there already.
#[derive(Clone)]
pub struct Outgoing {
    /// The message's name in the log.
    pub id: QueueId,
    /// The envelope's sender, rewritten already where it has to be.
    pub sender: ReversePath,
    /// What the sender said of the body.
    pub body: BodyType,
    /// Whether addresses or header fields may hold UTF-8.
    pub charset: Charset,
    /// `RET`.
    pub ret: Option<Return>,
    /// `ENVID`: the xtext as it came.
    pub envid: Option<String>,
    /// Whom it is for.
    pub recipients: Vec<To>,
    /// The text.
    pub text: Arc<dyn Text + Send + Sync>,
}

impl Outgoing {
    /// Octets as they travel (RFC 1870 §5): every line end is two of them.
    pub fn size(&self) -> u64 {
        self.text.len() + self.text.lines()
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("id", &self.id).field("sender", &self.sender).field("recipients", &self.recipients).finish()
    }
}
