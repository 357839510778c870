//! What a command prints: tables for people, JSON for programs.
//!
//! Text that others wrote (owners, notes, replies) is printed without control characters, so that no record can speak to
//! the reader's terminal.

use std::io::{self, IsTerminal, Write};

use anstyle::{AnsiColor, Style};
use comfy_table::presets::{NOTHING, UTF8_FULL_CONDENSED};
use comfy_table::{ContentArrangement, Table};
use serde::Serialize;

use super::super::operations::{Removal, Run};
use super::failure::Failure;
use crate::directory::Effect;

/// For whom to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Good news.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Bad news.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What matters on a line.
pub const STRONG: Style = Style::new().bold();

/// A record that can be a row of a table.
pub trait Row: Serialize {
    /// The headings.
    const HEADINGS: &'static [&'static str];

    /// The cells.
    fn cells(&self) -> Vec<String>;
}

impl Output {
    /// Prints one record.
    pub fn record<T: Row>(self, record: &T) -> Result<(), Failure> {
        match self {
            Self::Json => self.json(record),
            Self::Text => {
                let mut table = plain_table();
                for (heading, cell) in T::HEADINGS.iter().zip(record.cells()) {
                    table.add_row([(*heading).to_owned(), printable(&cell)]);
                }
                print(&table.trim_fmt())
            }
        }
    }

    /// Prints a value as JSON, whoever reads it.
    pub fn json(self, value: &impl Serialize) -> Result<(), Failure> {
        print(&serde_json::to_string_pretty(value)?)
    }

    /// Prints a line for people.
    pub fn line(self, text: &str) -> Result<(), Failure> {
        if self == Self::Text { print(text) } else { Ok(()) }
    }

    /// Prints what a removal took, or would take, with it.
    pub fn removal(self, removal: &Removal) -> Result<(), Failure> {
        if self == Self::Json {
            return self.json(removal);
        }
        let would = if removal.run == Run::Dry { "would be " } else { "" };
        removal.effects.iter().try_for_each(|effect| print(&describe(effect, would)))
    }
}

/// A listing that grows as pages come in.
pub struct Listing {
    output: Output,
    rows: usize,
}

impl Listing {
    /// An empty one.
    pub fn new(output: Output) -> Self {
        Self { output, rows: 0 }
    }

    /// Prints some more.
    pub fn add<T: Row>(&mut self, records: &[T]) -> Result<(), Failure> {
        match self.output {
            Output::Json => {
                for record in records {
                    let before = if self.rows == 0 { "[\n" } else { ",\n" };
                    write(&format!("{before}{}", serde_json::to_string(record)?))?;
                    self.rows += 1;
                }
                Ok(())
            }
            Output::Text if records.is_empty() => Ok(()),
            Output::Text => {
                let mut table = table();
                if self.rows == 0 || io::stdout().is_terminal() {
                    table.set_header(T::HEADINGS.iter().copied());
                }
                for record in records {
                    table.add_row(record.cells().iter().map(|cell| printable(cell)));
                }
                self.rows += records.len();
                print(&table.trim_fmt())
            }
        }
    }

    /// Ends it; `nothing` is said where there was no row.
    pub fn end(self, nothing: &str) -> Result<(), Failure> {
        match (self.output, self.rows) {
            (Output::Json, 0) => print("[]"),
            (Output::Json, _) => print("\n]"),
            (Output::Text, 0) => note(nothing),
            (Output::Text, _) => Ok(()),
        }
    }
}

/// Prints a line on standard output, in colour only on a terminal.
pub fn print(text: &str) -> Result<(), Failure> {
    write(&format!("{text}\n"))
}

/// Prints a line on standard error: what is said beside the result.
pub fn note(text: &str) -> Result<(), Failure> {
    writeln!(anstream::stderr(), "{text}").map_err(Failure::from)
}

fn write(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::from)
}

/// Text in a style.
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Text without control characters.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn table() -> Table {
    if !io::stdout().is_terminal() {
        return plain_table();
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// An effect as a sentence; `would` is empty, or `would be `.
pub fn describe(effect: &Effect, would: &str) -> String {
    match effect {
        Effect::DomainAdded { domain } => format!("domain {domain} {would}added"),
        Effect::DomainEdited { domain } => format!("domain {domain} {would}changed"),
        Effect::DomainRemoved { domain } => format!("domain {domain} {would}removed"),
        Effect::AccountAdded { kind, name } => format!("{kind} {name} {would}added"),
        Effect::AccountEdited { kind, name } => format!("{kind} {name} {would}changed"),
        Effect::AccountRemoved { kind, name } => format!("{kind} {name} {would}removed"),
        Effect::PopAdded { name, .. } => format!("POP account {name} {would}added"),
        Effect::PopRenamed { from, to, .. } => format!("POP account {from} {would}renamed to {to}"),
        Effect::PopTrashed { name, .. } => format!("POP account {name} {would}moved to the trash, with its mail"),
        Effect::PopRestored { name, .. } => format!("POP account {name} {would}restored, with its mail"),
        Effect::PopPurged { name, .. } => format!("POP account {name} {would}removed for good, with its mail"),
        Effect::EntryAdded { address, target } => format!("alias entry {address} -> {target} {would}added"),
        Effect::EntryRemoved { address, target } => format!("alias entry {address} -> {target} {would}removed"),
        Effect::AliasRemoved { address } => format!("alias {address} {would}removed"),
        Effect::AliasEdited { address } => format!("alias {address} {would}changed"),
        Effect::SeatAdded { list, member } => format!("{member} {would}added to the list {list}"),
        Effect::SeatRemoved { list, member } => format!("{member} {would}removed from the list {list}"),
        Effect::SeatsAdded { list, count } => format!("{count} members {would}added to the list {list}"),
        Effect::SeatSuspended { list, member } => format!("{member} {would}suspended on the list {list}"),
        Effect::SeatResumed { list, member } => format!("{member} {would}resumed on the list {list}"),
        Effect::CopyAdded { name, target } => format!("copies of mail to {name} {would}sent to {target}"),
        Effect::CopyRemoved { name, target } => format!("copies of mail to {name} no longer {would}sent to {target}"),
        Effect::TokenAdded { master, token } => format!("token {token} of {master} {would}added"),
        Effect::TokenRemoved { master, token } => format!("token {token} of {master} {would}removed"),
        Effect::EntryNotRestored { address, why } => format!("alias entry {address} not restored: {}", printable(why)),
    }
}
