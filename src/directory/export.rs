//! The whole directory as text, one JSON object a line, and back again without loss.
//!
//! Owns the line format. The first line is a header with the format's version; then masters, domains, POP accounts,
//! lists, aliases (hidden ones for their counts), members of lists, what happens with mail beside its delivery, and the trash. Password hashes are in it: whoever holds an export holds
//! those. The audit trail is not: an import writes one of its own.

use std::io::{self, BufRead, Read as _, Write};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Author, Change, ChangeError, ExportRecord, Refusal};
use super::model::{Alias, DomainRecord, Handling, List, Master, Member, Pop, Roster, Style, Trashed};
use super::store::{Directory, Page, Snapshot};
use super::view::{Unreadable, View};
use crate::mail::Name;

/// The version of the line format.
const FORMAT: u32 = 1;

/// Records read at a time.
const PAGE: usize = 1000;

/// Lines carried out at a time.
const GROUP: usize = 4096;

/// Octets of one line: a deleted account with a hundred thousand entries fits.
const LINE_OCTETS: u64 = 64 << 20;

/// Refused lines that are told one by one; of the others, only the number.
const COMPLAINTS: usize = 1000;

/// A record with its kind beside its fields, as a line shows it.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ExportRecord", tag = "kind", rename_all = "lowercase")]
enum Tagged {
    Domain(DomainRecord),
    Master(Master),
    Pop(Pop),
    List(Roster),
    Alias(Alias),
    Trash(Trashed),
    Style { name: Name, style: Style },
    Member(Member),
    Handling { name: Name, handling: Handling },
}

#[derive(Serialize)]
struct Written<'a>(#[serde(with = "Tagged")] &'a ExportRecord);

#[derive(Deserialize)]
struct Given(#[serde(with = "Tagged")] ExportRecord);

#[derive(Serialize, Deserialize)]
struct Header {
    restante_export: u32,
}

impl Snapshot<'_> {
    /// Every record, in the order in which an import can take them.
    pub fn export_records(&self) -> impl Iterator<Item = Result<ExportRecord, Unreadable>> + '_ {
        paged(|after| self.masters(after, PAGE), ExportRecord::Master)
            .chain(paged(|after| self.domains(after, PAGE), ExportRecord::Domain))
            .chain(paged(|after| self.pops(after, PAGE), ExportRecord::Pop))
            .chain(paged(|after| self.lists(after, PAGE), |list| ExportRecord::List(roster(list))))
            .chain(paged(|after| self.aliases(after, PAGE), ExportRecord::Alias))
            .chain(self.styles())
            .chain(self.all_members())
            .chain(self.handlings())
            .chain(paged(|_| self.trash().map(|records| Page { records, next: None }), ExportRecord::Trash))
    }

    fn styles(&self) -> impl Iterator<Item = Result<ExportRecord, Unreadable>> + '_ {
        let styled = |list: List| (list.style != Style::default()).then_some(ExportRecord::Style { name: list.name, style: list.style });
        items(|after| self.lists(after, PAGE)).filter_map(move |list| list.map(styled).transpose())
    }

    fn all_members(&self) -> impl Iterator<Item = Result<ExportRecord, Unreadable>> + '_ {
        items(|after| self.lists(after, PAGE)).flat_map(move |list| {
            let (list, failure) = match list {
                Ok(list) => (Some(list.name), None),
                Err(failure) => (None, Some(Err(failure))),
            };
            let members = list.into_iter().flat_map(move |list| items(move |after| self.members(&list, after, PAGE)));
            failure.into_iter().chain(members.map(|member| member.map(ExportRecord::Member)))
        })
    }

    fn handlings(&self) -> impl Iterator<Item = Result<ExportRecord, Unreadable>> + '_ {
        items(|after| self.pops(after, PAGE)).filter_map(|pop| {
            let handled = |pop: Pop| Ok(self.handling(pop.id)?.map(|handling| ExportRecord::Handling { name: pop.name, handling }));
            pop.and_then(handled).transpose()
        })
    }

    /// Writes an export; gives the number of records.
    pub fn write_export(&self, out: &mut impl Write) -> io::Result<u64> {
        write_line(out, &Header { restante_export: FORMAT })?;
        let mut count = 0;
        for record in self.export_records() {
            write_line(out, &Written(&record.map_err(io::Error::other)?))?;
            count += 1;
        }
        Ok(count)
    }
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

fn roster(list: List) -> Roster {
    let List { id, name, domain, owner, posting, created, .. } = list;
    Roster { id, name, domain, owner, posting, members: Vec::new(), created }
}

/// All records of one kind, as lines tell them.
fn paged<T>(
    page: impl Fn(Option<&str>) -> Result<Page<T>, Unreadable>,
    record: impl Fn(T) -> ExportRecord,
) -> impl Iterator<Item = Result<ExportRecord, Unreadable>> {
    items(page).map(move |item| item.map(&record))
}

/// All records of one kind, a page at a time; a failure ends them.
fn items<T>(page: impl Fn(Option<&str>) -> Result<Page<T>, Unreadable>) -> impl Iterator<Item = Result<T, Unreadable>> {
    let mut next = Some(None);
    let pages = std::iter::from_fn(move || {
        let after: Option<String> = next.take()?;
        Some(page(after.as_deref()).map(|page| {
            next = page.next.map(Some);
            page.records
        }))
    });
    pages.flat_map(|page| match page {
        Ok(records) => records.into_iter().map(Ok).collect::<Vec<_>>(),
        Err(failure) => vec![Err(failure)],
    })
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is something else.
    #[error("this is not an export: its first line has to be {{\"restante_export\":{FORMAT}}}")]
    NotAnExport,
    /// The file was written by a newer program.
    #[error("the export has format {0}, this program knows {FORMAT}; use the newer program")]
    TooNew(u32),
    /// A line has no end in sight.
    #[error("line {0} is longer than {LINE_OCTETS} bytes; this cannot be an export")]
    LineTooLong(u64),
    /// The file cannot be read.
    #[error("the export cannot be read: {0}")]
    Input(#[from] io::Error),
    /// The engine failed.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
}

/// A line that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Complaint {
    /// Its number, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// What became of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct ImportReport {
    /// Records that are in the directory now.
    pub applied: u64,
    /// Lines that were refused.
    pub refused: u64,
    /// The first of those.
    pub complaints: Vec<Complaint>,
}

/// Reads an export into a directory, which may hold other things already. Lines may come in any order as long as
/// domains come before what leads into them: a line that needs another one is tried again after it. `progress` is told
/// the octets read so far.
pub fn import(
    directory: &Directory,
    author: impl Into<Author>,
    lines: &mut impl BufRead,
    now: Timestamp,
    progress: &mut dyn FnMut(u64),
) -> Result<ImportReport, ImportError> {
    let mut import = Import { directory, author: author.into(), now, report: ImportReport::default(), waiting: Vec::new() };
    let mut lines = Lines { input: lines, number: 0, octets: 0 };
    read_header(&mut lines)?;
    let mut group = Vec::with_capacity(GROUP);
    while let Some((number, text)) = lines.next()? {
        match serde_json::from_slice(&text) {
            Ok(Given(record)) => group.push((number, Change::Import(Box::new(record)))),
            Err(e) => import.complain(number, format!("this is not a record: {e}")),
        }
        if group.len() == GROUP {
            import.try_group(std::mem::take(&mut group))?;
            progress(lines.octets);
        }
    }
    import.try_group(group)?;
    import.settle()?;
    // Only memory is at stake: what was imported is on the disk, and an error here would deny it.
    let _ = directory.flush();
    progress(lines.octets);
    import.report.complaints.sort_by_key(|complaint| complaint.line);
    Ok(import.report)
}

fn read_header<R: BufRead>(lines: &mut Lines<'_, R>) -> Result<(), ImportError> {
    let (_, text) = lines.next()?.ok_or(ImportError::NotAnExport)?;
    let Header { restante_export: format } = serde_json::from_slice(&text).map_err(|_| ImportError::NotAnExport)?;
    if format == FORMAT { Ok(()) } else { Err(ImportError::TooNew(format)) }
}

/// The lines of a file that are not empty, with their numbers.
struct Lines<'r, R> {
    input: &'r mut R,
    number: u64,
    octets: u64,
}

impl<R: BufRead> Lines<'_, R> {
    fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>, ImportError> {
        loop {
            let mut text = Vec::new();
            let read = self.input.by_ref().take(LINE_OCTETS).read_until(b'\n', &mut text)? as u64;
            self.number += 1;
            self.octets += read;
            if read == 0 {
                return Ok(None);
            }
            if read == LINE_OCTETS && !text.ends_with(b"\n") {
                return Err(ImportError::LineTooLong(self.number));
            }
            if !text.trim_ascii().is_empty() {
                return Ok(Some((self.number, text)));
            }
        }
    }
}

/// A line, by its number, and why it has to wait.
type Waiting = ((u64, Change), Refusal);

struct Import<'a> {
    directory: &'a Directory,
    author: Author,
    now: Timestamp,
    report: ImportReport,
    waiting: Vec<Waiting>,
}

impl Import<'_> {
    fn try_group(&mut self, group: Vec<(u64, Change)>) -> Result<(), ImportError> {
        let (numbers, changes): (Vec<u64>, Vec<Change>) = group.into_iter().unzip();
        let outcomes = self.directory.apply_all(&self.author, &changes, self.now)?;
        for ((number, change), outcome) in numbers.into_iter().zip(changes).zip(outcomes) {
            match outcome {
                Ok(_) => self.report.applied += 1,
                Err(ChangeError::Refused(why)) if may_be_cured(&why) => self.waiting.push(((number, change), why)),
                Err(ChangeError::Refused(why)) => self.complain(number, why.to_string()),
                Err(ChangeError::Unreadable(failure)) => return Err(failure.into()),
            }
        }
        Ok(())
    }

    /// Tries what waits again, as long as that brings anything forward.
    fn settle(&mut self) -> Result<(), ImportError> {
        loop {
            let before = self.report.applied;
            let waiting = std::mem::take(&mut self.waiting);
            let (lines, reasons): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
            let numbers: Vec<u64> = lines.iter().map(|(number, _)| *number).collect();
            self.try_group(lines)?;
            if self.report.applied == before {
                self.waiting.clear();
                for (number, why) in numbers.into_iter().zip(reasons) {
                    self.complain(number, why.to_string());
                }
                return Ok(());
            }
        }
    }

    fn complain(&mut self, line: u64, why: String) {
        self.report.refused += 1;
        if self.report.complaints.len() < COMPLAINTS {
            self.report.complaints.push(Complaint { line, why });
        }
    }
}

/// Whether a later line may bring what this one lacks. A circle may be cured by an alias that takes an address out of
/// a catch-all.
fn may_be_cured(why: &Refusal) -> bool {
    matches!(
        why,
        Refusal::NoSuchDomain(_)
            | Refusal::NoSuchAccount { .. }
            | Refusal::NoSuchAlias(_)
            | Refusal::NoSuchTarget { .. }
            | Refusal::Cycle { .. }
    )
}
