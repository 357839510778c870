//! Mail to the addresses beside a list's own: bounces, commands, requests to leave. That to the owner has gone its way by then.

use std::io::{self, Read as _};

use jiff::Timestamp;
use mail_parser::MessageParser;

use super::address::Bounced;
use super::automatic::Origin;
use super::command::Command;
use super::notes::{self, Note};
use super::{Lists, Posting, bounce, command, identity, own_address};
use crate::directory::{Actor, BounceKind, Change, List, Seat, Target, View};
use crate::mail::{Address, Beside, Mailbox, ReversePath};
use crate::maildir::Text as _;
use crate::router::posting;
use crate::spool::outgoing::Message;
use crate::telemetry::Event;

/// Octets of a message that are looked at.
const EXAMINED: u64 = 1 << 20;

/// Members looked through at a time for one that has a digest.
const PAGE: usize = 1000;

impl Lists {
    pub(super) fn at_the_desk(&self, list: &List, address: &Address, message: &Message, posting: &Posting) -> io::Result<()> {
        let Some((_, role, detail)) = Beside::split(address) else { return Ok(()) };
        let mut text = Vec::new();
        posting.kept.read()?.take(EXAMINED).read_to_end(&mut text)?;
        if role == Beside::Bounces {
            return self.bounced(list, detail, &text);
        }
        let origin = Origin::read(&posting.header);
        let ReversePath::Mailbox(sender) = &message.sender else { return Ok(()) };
        if origin.bars_reply(&message.sender).is_some() {
            return Ok(());
        }
        let parsed = MessageParser::new().parse(&text);
        let subject = parsed.as_ref().and_then(|message| message.subject()).unwrap_or_default();
        let words = parsed.as_ref().and_then(|message| message.body_text(0)).unwrap_or_default();
        match (role, command::read(subject, &words)) {
            (_, Some(Command::Confirm(word))) => self.confirmed(list, sender, &word),
            (Beside::Unsubscribe, _) | (_, Some(Command::Unsubscribe)) => self.asks_to_leave(list, sender),
            (_, Some(Command::Subscribe)) => self.asks(list, sender, "subscribe"),
            (_, Some(Command::Help)) => {
                let help = notes::help(&own_address(list), list.title());
                self.note(list, sender, &format!("About the list {}", list.name), &help, "help");
                Ok(())
            }
            // A person wrote to a person.
            (_, None) => self.to_owner(list, &text, sender),
        }
    }

    /// Counts what came back, and suspends the member when it has come back for too long.
    fn bounced(&self, list: &List, detail: &str, text: &[u8]) -> io::Result<()> {
        let own = own_address(list);
        let Some(whom) = self.signer.bounced(&own, detail) else { return Ok(()) };
        let Some(found) = bounce::read(text) else { return Ok(()) };
        let snapshot = self.directory().snapshot();
        let member = match whom {
            Bounced::Member(Target::Address(mailbox)) => posting::member(&snapshot, list, &mailbox),
            Bounced::Member(target) => posting::member_of(&snapshot, list, &target).map(|member| member.map(|member| member.target)),
            Bounced::Digest(digest) => return self.by_digest(list, &digest, &found),
        };
        drop(snapshot);
        match member.map_err(io::Error::other)? {
            Some(member) => self.count(list, &member, &found),
            None => Ok(()),
        }
    }

    fn by_digest(&self, list: &List, digest: &str, found: &bounce::Bounce) -> io::Result<()> {
        let (own, mut after) = (own_address(list), None);
        loop {
            let snapshot = self.directory().snapshot();
            let page = snapshot.members(&list.name, after.as_deref(), PAGE).map_err(io::Error::other)?;
            for member in page.records {
                let Some(mailbox) = identity(&snapshot, &member.target).map_err(io::Error::other)? else { continue };
                if self.signer.digest(&own, &Target::Address(mailbox)) == digest {
                    return self.count(list, &member.target, found);
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }

    fn count(&self, list: &List, member: &Target, found: &bounce::Bounce) -> io::Result<()> {
        let (rules, now) = (self.rules.load(), Timestamp::now());
        let counted = self.directory().bounced(&list.name, member, found.kind, &found.status, now, rules.bounce_window);
        let Some(bounces) = counted.map_err(io::Error::other)? else { return Ok(()) };
        if found.kind != BounceKind::Hard || bounces.days.len() < usize::from(rules.bounce_days) {
            return Ok(());
        }
        let seated = self.directory().snapshot().member(&list.name, member).map_err(io::Error::other)?;
        if !seated.is_some_and(|member| member.is_active()) {
            return Ok(());
        }
        let why = format!("mail came back on {} days: {}", bounces.days.len(), bounces.status);
        let seat = Seat::Suspended { since: now, why };
        let change = Change::SeatMember { list: list.name.clone(), member: member.clone(), seat };
        self.directory().apply(&Actor::Server, &change, now).map_err(io::Error::other)?;
        Event::MemberSuspended { list: list.name.as_str(), member: &member.to_string() }.say();
        let words = notes::suspended(&own_address(list), &member.to_string(), bounces.days.len(), &bounces.status);
        self.note_owner(list, &format!("{member} was suspended on {}", list.name), &words, "suspended");
        Ok(())
    }

    /// A sender can be forged, so whoever reads the mail of the address is asked.
    fn asks_to_leave(&self, list: &List, sender: &Mailbox) -> io::Result<()> {
        let own = own_address(list);
        match posting::member(&self.directory().snapshot(), list, sender).map_err(io::Error::other)? {
            Some(_) => self.asks(list, sender, "unsubscribe"),
            None => {
                self.note(list, sender, &format!("You are not on the list {}", list.name), &notes::stranger(&own, sender), "stranger");
                Ok(())
            }
        }
    }

    fn asks(&self, list: &List, sender: &Mailbox, what: &str) -> io::Result<()> {
        let own = own_address(list);
        let word = self.signer.confirmation(&own, what, &sender.to_string());
        let words = notes::confirm(&own, what, sender, &word);
        self.note_from_request(list, sender, &format!("confirm {word}"), &words);
        Ok(())
    }

    fn confirmed(&self, list: &List, sender: &Mailbox, word: &str) -> io::Result<()> {
        let (own, text) = (own_address(list), sender.to_string());
        if self.signer.is_confirmed(&own, "unsubscribe", &text, word) {
            let member = posting::member(&self.directory().snapshot(), list, sender).map_err(io::Error::other)?;
            if let Some(member) = member {
                self.take_off(list, member)?;
                self.note(list, sender, &format!("You have left the list {}", list.name), &notes::left(&own, sender), "left");
            }
        } else if self.signer.is_confirmed(&own, "subscribe", &text, word) {
            let words = notes::wishes_to_join(&own, sender);
            self.note_owner(list, &format!("{sender} wishes to join {}", list.name), &words, "join");
        }
        Ok(())
    }

    /// Takes a member off, on its own behalf.
    pub fn take_off(&self, list: &List, member: Target) -> io::Result<()> {
        let shown = member.to_string();
        let change = Change::EditList { name: list.name.clone(), owner: None, posting: None, join: Vec::new(), leave: vec![member] };
        self.directory().apply(&Actor::Server, &change, Timestamp::now()).map_err(io::Error::other)?;
        Event::MemberLeft { list: list.name.as_str(), member: &shown }.say();
        Ok(())
    }

    fn to_owner(&self, list: &List, text: &[u8], sender: &Mailbox) -> io::Result<()> {
        if let Some(owner) = identity(&self.directory().snapshot(), &list.owner).map_err(io::Error::other)? {
            self.pass_on(&owner, sender, text.to_vec());
        }
        Ok(())
    }

    pub(super) fn note_owner(&self, list: &List, subject: &str, words: &str, id: &str) {
        if let Ok(Some(owner)) = identity(&self.directory().snapshot(), &list.owner) {
            self.note(list, &owner, subject, words, id);
        }
    }

    pub(super) fn note(&self, list: &List, to: &Mailbox, subject: &str, words: &str, id: &str) {
        let note = Note { list: &own_address(list), title: list.title(), to, subject, words, id, at: Timestamp::now() };
        self.write_to(to, note.text());
    }

    /// An answer to this goes to `name-request`.
    fn note_from_request(&self, list: &List, to: &Mailbox, subject: &str, words: &str) {
        let own = own_address(list);
        let note = Note { list: &own, title: list.title(), to, subject, words, id: "confirm", at: Timestamp::now() };
        let head = format!("Reply-To: <{}>\n", Beside::Request.of(&own));
        self.write_to(to, [head.into_bytes(), note.text()].concat());
    }
}
