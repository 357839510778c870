//! A mailbox as one POP3 session sees it: what lay there when it was opened, in order of arrival.
//!
//! Opened from the names in `new` and `cur` alone; a file is read only where its name does not tell its size. Sizes and
//! unique ids stay for the session; where a file lies does not: another program may move it or change its flags, and it is
//! looked for once more. A message costs its name and [`Entry`] in memory.
//!
//! Removing does not wait for the disk: a power cut may bring a message back, and its unique id tells that it is the same.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ring::digest;

use super::{Maildirs, name};
use crate::directory::AccountId;
use crate::mail::Name;
use crate::protocol::pop3;
use crate::protocol::pop3::text::Measure;
use crate::sys::folder::{Source, Wait, each_file, file_in};

/// Octets read at a time where a file has to be measured.
const PIECE: usize = 64 * 1024;

/// Octets of a unique id (RFC 1939 §7).
const UID_OCTETS: usize = 70;

/// Octets of a digest that stand for a name that cannot be a unique id.
const DIGEST_OCTETS: usize = 16;

/// The folder that a message lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    New,
    Cur,
}

/// One message.
#[derive(Debug, Clone, Copy)]
struct Entry {
    octets: u64,
    /// Where its name begins in the names of all.
    start: u32,
    /// Octets of the name. No file system allows more than 255.
    length: u16,
    /// Octets of the part that stays when flags change.
    unique: u16,
    part: Part,
}

/// What a mailbox holds.
#[derive(Debug, Default)]
pub struct Listing {
    names: Vec<u8>,
    entries: Vec<Entry>,
}

impl Listing {
    fn unique(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        self.names.get(start..start + usize::from(entry.unique)).unwrap_or_default()
    }

    fn name(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        self.names.get(start..start + usize::from(entry.length)).unwrap_or_default()
    }

    /// Takes a name; its size is 0 until it is known.
    fn push(&mut self, part: Part, file: &[u8]) -> io::Result<()> {
        let text = std::str::from_utf8(file).ok();
        let unique = unique_part(file).len();
        let many = |_| io::Error::other("the mailbox has too many messages");
        let entry = Entry {
            octets: text.and_then(name::wire_size).unwrap_or(UNKNOWN),
            start: u32::try_from(self.names.len()).map_err(many)?,
            length: u16::try_from(file.len()).map_err(many)?,
            unique: u16::try_from(unique).map_err(many)?,
            part,
        };
        self.names.extend_from_slice(file);
        self.entries.push(entry);
        Ok(())
    }

    /// Puts the messages in order. One that was seen twice, on its way from `new` to `cur`, is one.
    fn sort(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        let made = |entry: &Entry| std::str::from_utf8(self.unique(entry)).map_or(0, name::made);
        let mut keyed: Vec<(u64, Entry)> = entries.drain(..).map(|entry| (made(&entry), entry)).collect();
        keyed.sort_unstable_by(|(a_made, a), (b_made, b)| a_made.cmp(b_made).then_with(|| self.unique(a).cmp(self.unique(b))));
        keyed.dedup_by(|(_, later), (_, earlier)| self.unique(later) == self.unique(earlier));
        self.entries = keyed.into_iter().map(|(_, entry)| entry).collect();
    }
}

/// Stands for a size that no name told.
const UNKNOWN: u64 = u64::MAX;

impl pop3::Maildrop for Listing {
    fn messages(&self) -> usize {
        self.entries.len()
    }

    fn octets(&self, index: usize) -> u64 {
        self.entries.get(index).map_or(0, |entry| entry.octets)
    }

    /// The unique part of the file's name, or a digest of it where that is too long or not printable.
    fn write_uid(&self, index: usize, out: &mut Vec<u8>) {
        write_uid_of(self.entries.get(index).map_or(&[], |entry| self.unique(entry)), out);
    }
}

fn write_uid_of(unique: &[u8], out: &mut Vec<u8>) {
    if unique.len() <= UID_OCTETS && unique.iter().all(u8::is_ascii_graphic) {
        return out.extend_from_slice(unique);
    }
    let digest = digest::digest(&digest::SHA256, unique);
    for octet in digest.as_ref().iter().take(DIGEST_OCTETS) {
        out.extend_from_slice(format!("{octet:02x}").as_bytes());
    }
}

/// The unique id of a file of this name, wherever it lies.
pub fn uid(file: &[u8]) -> String {
    let mut uid = Vec::new();
    write_uid_of(unique_part(file), &mut uid);
    String::from_utf8_lossy(&uid).into_owned()
}

/// The part of a name that stays when flags change.
fn unique_part(file: &[u8]) -> &[u8] {
    file.get(..memchr::memchr(b':', file).unwrap_or(file.len())).unwrap_or_default()
}

/// An open mailbox.
pub struct Maildrop {
    new: PathBuf,
    cur: PathBuf,
    listing: Arc<Listing>,
    /// Files that lie elsewhere than the listing says.
    moved: HashMap<usize, (Part, Box<[u8]>)>,
    /// Files that were missing when all were looked for.
    gone: HashSet<usize>,
}

impl Maildirs {
    /// Opens an account's mailbox.
    pub fn maildrop(&self, id: AccountId, name: &Name) -> io::Result<Maildrop> {
        let folder = self.folder(id, name)?;
        let (new, cur) = (folder.join("new"), folder.join("cur"));
        let mut listing = Listing::default();
        // In this order: what moves meanwhile goes from `new` to `cur`, and is seen once at least.
        for (part, path) in [(Part::New, &new), (Part::Cur, &cur)] {
            let mut taken = Ok(());
            each_file(path, &mut |file| {
                if taken.is_ok() {
                    taken = listing.push(part, file);
                }
            })?;
            taken?;
        }
        listing.sort();
        let mut maildrop = Maildrop { new, cur, listing: Arc::default(), moved: HashMap::new(), gone: HashSet::new() };
        maildrop.measure(&mut listing);
        maildrop.listing = Arc::new(listing);
        Ok(maildrop)
    }

    /// Removes messages of an open mailbox; those that could not be removed, each with the reason.
    pub fn expunge(&self, id: AccountId, maildrop: &mut Maildrop, indexes: &[usize]) -> Vec<(usize, io::Error)> {
        let mut failed = Vec::new();
        for index in indexes {
            match maildrop.finding(*index, |path| self.disk.remove(path)) {
                Ok(()) => {}
                // Somebody else has removed it, which is what was wanted.
                Err(error) if error.kind() == io::ErrorKind::NotFound && maildrop.gone.contains(index) => {}
                Err(error) => failed.push((*index, error)),
            }
        }
        self.accounts.recount(id);
        failed
    }
}

impl Maildrop {
    /// What it holds.
    pub fn listing(&self) -> Arc<Listing> {
        Arc::clone(&self.listing)
    }

    /// Opens a message, wherever it lies by now.
    pub fn open(&mut self, index: usize) -> io::Result<Source> {
        self.finding(index, |path| Source::open(path, Wait::Allowed))
    }

    /// Opens a message if that takes no look at the disk.
    pub fn open_cached(&self, index: usize) -> io::Result<Source> {
        self.place(index).and_then(|path| Source::open(&path, Wait::Never))
    }

    /// Acts on the file of a message; if it is not where it was, all files are looked for, and it is tried once more.
    fn finding<T>(&mut self, index: usize, act: impl Fn(&std::path::Path) -> io::Result<T>) -> io::Result<T> {
        let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
        match self.place(index).and_then(|path| act(&path)) {
            Err(error) if missing(&error) && !self.gone.contains(&index) => {
                self.look_around()?;
                self.place(index).and_then(|path| act(&path)).inspect_err(|error| {
                    if missing(error) {
                        self.gone.insert(index);
                    }
                })
            }
            done => done,
        }
    }

    fn place(&self, index: usize) -> io::Result<PathBuf> {
        let entry = self.listing.entries.get(index).ok_or(io::ErrorKind::NotFound)?;
        let (part, name) = self.moved.get(&index).map_or_else(|| (entry.part, self.listing.name(entry)), |(part, name)| (*part, name));
        Ok(file_in(self.folder(part), name))
    }

    fn folder(&self, part: Part) -> &PathBuf {
        match part {
            Part::New => &self.new,
            Part::Cur => &self.cur,
        }
    }

    /// Finds out where each file lies now.
    fn look_around(&mut self) -> io::Result<()> {
        let listing = Arc::clone(&self.listing);
        let known: HashMap<&[u8], usize> =
            listing.entries.iter().enumerate().map(|(index, entry)| (listing.unique(entry), index)).collect();
        for part in [Part::New, Part::Cur] {
            let path = self.folder(part).clone();
            each_file(&path, &mut |file| {
                if let Some(index) = known.get(unique_part(file)) {
                    self.moved.insert(*index, (part, file.into()));
                }
            })?;
        }
        Ok(())
    }

    /// Reads the files whose names do not tell their size. One that vanishes meanwhile is none of this session's; one that
    /// cannot be read is, and says so when it is asked for.
    fn measure(&self, listing: &mut Listing) {
        let mut entries = std::mem::take(&mut listing.entries);
        let mut piece = Vec::new();
        entries.retain_mut(|entry| {
            if entry.octets != UNKNOWN {
                return true;
            }
            piece.resize(PIECE, 0);
            let mut measure = Measure::default();
            let path = file_in(self.folder(entry.part), listing.name(entry));
            let measured = Source::open(&path, Wait::Allowed).and_then(|source| source.each_piece(&mut piece, |text| measure.take(text)));
            entry.octets = measure.end();
            measured.map_or_else(|error| error.kind() != io::ErrorKind::NotFound, |()| true)
        });
        listing.entries = entries;
    }
}
