//! The first stage: text to values under known keys, each of the kind that its key takes.
//!
//! Goes on after every error, so that one run shows all of them.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key, Kind, SECTIONS};
use super::problem::Problem;

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// A string.
    Text(String),
    /// Several strings, each with its line.
    Texts(Vec<(String, Option<usize>)>),
    /// A whole number.
    Whole(u64),
    /// `true` or `false`.
    Switch(bool),
}

/// The values of a configuration, and what is wrong with them so far.
pub(super) struct Written {
    values: BTreeMap<String, (Value, Option<usize>)>,
    /// What is wrong so far.
    pub problems: Vec<Problem>,
}

impl Written {
    /// The value under a key, or its default, with the line it was given in.
    pub fn value(&self, path: &str) -> Option<(Value, Option<usize>)> {
        self.values.get(path).cloned().or_else(|| Some((default(Key::find(path)?)?, None)))
    }

    /// Whether the key stands in the file.
    pub fn given(&self, path: &str) -> bool {
        self.values.contains_key(path)
    }

    /// The line of a key that stands in the file.
    pub fn line(&self, path: &str) -> Option<usize> {
        self.values.get(path).and_then(|(_, line)| *line)
    }

    /// Notes that something is wrong with a key.
    pub fn wrong(&mut self, path: &str, line: Option<usize>, what: impl Into<String>) {
        self.problems.push(Problem { line, key: path.to_owned(), what: what.into() });
    }
}

/// Reads a whole file.
pub(super) fn read(text: &str) -> Written {
    let mut written = Written { values: BTreeMap::new(), problems: Vec::new() };
    let lines = Lines(text);
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map(|span| lines.of(span.start));
        written.wrong("", line, format!("not TOML here: {}", error.message()));
    }
    for (name, value) in document.get_ref() {
        let line = lines.of(name.span().start);
        match (name.get_ref().as_ref(), value.get_ref()) {
            (name, DeValue::Table(table)) if is_section(name) => section(&mut written, &lines, name, table),
            (name, _) if is_section(name) => written.wrong(name, Some(line), format!("is a section: write [{name}]")),
            (name, DeValue::Table(_)) if Key::find(name).is_none() => {
                let known = nearest(name, SECTIONS.iter().map(|(section, _)| *section)).map(|near| format!("[{near}]"));
                written.wrong(name, Some(line), unknown("section", known));
            }
            (name, _) => entry(&mut written, &lines, name.to_owned(), line, value),
        }
    }
    written
}

fn is_section(name: &str) -> bool {
    !name.is_empty() && SECTIONS.iter().any(|(section, _)| *section == name)
}

fn section(written: &mut Written, lines: &Lines<'_>, section: &str, table: &DeTable<'_>) {
    for (name, value) in table {
        entry(written, lines, format!("{section}.{}", name.get_ref()), lines.of(name.span().start), value);
    }
}

fn entry(written: &mut Written, lines: &Lines<'_>, path: String, line: usize, value: &Spanned<DeValue<'_>>) {
    let Some(key) = Key::find(&path) else {
        written.wrong(&path, Some(line), unknown("key", meant(&path).map(|key| format!("`{}`", key.path()))));
        return;
    };
    match shaped(key, lines, value) {
        Some(value) => _ = written.values.insert(path, (value, Some(line))),
        None => {
            let what = format!(
                "is {} {}: write {}, as in `{} = {}`",
                article(value.get_ref()),
                value.get_ref().type_str(),
                form(key),
                key.name,
                key.default
            );
            written.wrong(&path, Some(line), what);
        }
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Integer(_) | DeValue::Array(_) => "an",
        _ => "a",
    }
}

/// What may stand behind a key, in words.
fn form(key: &Key) -> String {
    match key.kind {
        Kind::Text => "a string".into(),
        Kind::Texts => "a list of strings".into(),
        Kind::Count(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Size => "a string with a size".into(),
        Kind::Choice(words) => format!("\"{}\"", words.join("\" or \"")),
        Kind::Switch => "true or false".into(),
    }
}

fn shaped(key: &Key, lines: &Lines<'_>, value: &Spanned<DeValue<'_>>) -> Option<Value> {
    match (key.kind, value.get_ref()) {
        (Kind::Text | Kind::Size | Kind::Choice(_), DeValue::String(text)) => Some(Value::Text(text.to_string())),
        (Kind::Count(..) | Kind::Size, DeValue::Integer(number)) => {
            u64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::Whole)
        }
        (Kind::Switch, DeValue::Boolean(on)) => Some(Value::Switch(*on)),
        (Kind::Texts, DeValue::Array(items)) => {
            let text = |item: &Spanned<DeValue<'_>>| Some((item.get_ref().as_str()?.to_owned(), Some(lines.of(item.span().start))));
            items.iter().map(text).collect::<Option<_>>().map(Value::Texts)
        }
        _ => None,
    }
}

fn default(key: &Key) -> Option<Value> {
    let value = DeValue::parse(key.default).ok()?;
    let shaped = shaped(key, &Lines(key.default), &value)?;
    Some(match shaped {
        Value::Texts(texts) => Value::Texts(texts.into_iter().map(|(text, _)| (text, None)).collect()),
        other => other,
    })
}

fn unknown(what: &str, near: Option<String>) -> String {
    near.map_or_else(
        || format!("there is no such {what}; config/restante.toml lists them all"),
        |near| format!("there is no such {what}; {near} is the nearest"),
    )
}

/// The key that was probably meant: one spelled like it in its section, else the same name elsewhere.
fn meant(path: &str) -> Option<&'static Key> {
    let (section, name) = path.rsplit_once('.').unwrap_or(("", path));
    let siblings = KEYS.iter().filter(|key| key.section == section).map(|key| key.name);
    let near = nearest(name, siblings).and_then(|near| KEYS.iter().find(|key| key.section == section && key.name == near));
    near.or_else(|| KEYS.iter().find(|key| key.name == name))
}

/// The nearest of some words, unless none is near: a third of the letters may differ, two always.
fn nearest<'a>(word: &str, words: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let bound = (word.chars().count() / 3).max(2);
    let measured = words.filter(|known| !known.is_empty()).map(|known| (strsim::damerau_levenshtein(word, known), known));
    measured.filter(|(distance, known)| *distance <= bound && *distance < known.len()).min().map(|(_, known)| known)
}

struct Lines<'a>(&'a str);

impl Lines<'_> {
    /// The line of an offset, counted from 1.
    fn of(&self, offset: usize) -> usize {
        self.0.bytes().take(offset).filter(|octet| *octet == b'\n').count() + 1
    }
}
