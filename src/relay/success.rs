//! Successes that are ours to report: a mailbox here has the message, or a list has taken it over (RFC 3461 §6.2). What a host elsewhere
//! does with it is reported by that host, or as *relayed* by [`super::notice`].

use jiff::Timestamp;

use super::report::{Action, Report, Reported, Returned, wanted};
use super::submit::{Addressee, Letter, Office};
use crate::mail::trace::Journey;
use crate::mail::{Envelope, ForwardPath, Mailbox, Recipient, ReversePath, Status};
use crate::spool::outgoing::Kind;
use crate::spool::{Results, Routed};

/// A message whose sender wants to hear of its success, until it is known to be one.
pub struct Success {
    envelope: Envelope,
    header: Vec<u8>,
    /// Places in the envelope, and what to say of them.
    ends: Vec<(usize, Action)>,
    arrival: Timestamp,
}

impl Success {
    /// The recipients of a message that end here, where their sender has asked for a report; `header` is its header section.
    pub fn awaited(envelope: &Envelope, routed: &[&Routed], header: &[u8], arrival: Timestamp) -> Option<Self> {
        let end = |(place, routed): (usize, &&Routed)| {
            let action = match (routed.destinations.is_empty(), routed.lists.is_empty()) {
                (false, _) => Action::Delivered,
                (true, false) => Action::Expanded,
                (true, true) => return None,
            };
            wanted(routed.recipient.notify, action, &envelope.sender).then_some((place, action))
        };
        let ends: Vec<_> = routed.iter().enumerate().filter_map(end).collect();
        (!ends.is_empty()).then(|| Self { envelope: envelope.clone(), header: header.to_vec(), ends, arrival })
    }

    /// Tells the sender of those that are where they should be. One that still waits is not.
    pub async fn tell(mut self, office: &Office, stored: &Results) {
        self.ends.retain(|(place, _)| matches!(stored.get(*place), Some(Ok(stored)) if stored.waiting() == 0));
        if let Some(letter) = self.letter(office.hostname()) {
            // Where nobody takes it the log says so; nobody is told of that.
            office.submit(letter).await;
        }
    }

    fn letter(&self, hostname: &str) -> Option<Letter> {
        let ReversePath::Mailbox(sender) = &self.envelope.sender else { return None };
        let recipients: Vec<Reported> = self.ends.iter().filter_map(|end| self.reported(*end, hostname)).collect();
        if recipients.is_empty() {
            return None;
        }
        let report = Report {
            hostname: hostname.to_owned(),
            id: format!("{:032x}", rand::random::<u128>()),
            at: Timestamp::now(),
            to: sender.clone(),
            arrival: self.arrival,
            envid: self.envelope.envid.clone(),
            message_id: Journey::read(&self.header).message_id,
            charset: self.envelope.charset,
            recipients,
            returned: Returned::Header(self.header.clone()),
        };
        let addressee = Addressee { recipient: Recipient::from(sender.clone()), sender: None };
        Some(Letter { kind: Kind::Report, sender: ReversePath::Null, recipients: vec![addressee], text: report.build().text })
    }

    /// A recipient under the name that the sender knows; where it ends is its own affair.
    fn reported(&self, (place, action): (usize, Action), hostname: &str) -> Option<Reported> {
        let recipient = self.envelope.recipients.get(place)?;
        let path = match &recipient.path {
            ForwardPath::Mailbox(mailbox) => mailbox.clone(),
            ForwardPath::Postmaster => Mailbox::parse(&format!("postmaster@{hostname}")).ok()?,
        };
        Some(Reported {
            path,
            original: recipient.original.clone(),
            action,
            status: Status::new(2, 0, 0),
            remote: None,
            diagnostic: None,
            last_attempt: Some(self.arrival),
            retry_until: None,
        })
    }
}
