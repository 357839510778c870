//! Rust sources as these tests see them.

use std::fs;
use std::path::{Path, PathBuf};

/// A file of `src`, with its code apart from comments, strings and test modules.
pub struct Source {
    /// Its path from `src` on, with `/` between the parts.
    pub path: String,
    /// Its lines as written.
    pub lines: Vec<String>,
    /// The same lines, with comments, the insides of strings and test modules blanked out.
    pub code: Vec<String>,
}

/// All files under `src`, in order of path.
pub fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    gather(&root, &mut paths);
    paths.sort();
    assert!(paths.len() > 20, "the sources are not where they were: {}", root.display());
    let read = |path: &PathBuf| Source::new(&path.strip_prefix(&root).unwrap().to_string_lossy(), &fs::read_to_string(path).unwrap());
    paths.iter().map(read).collect()
}

fn gather(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

impl Source {
    /// A source of that path and text.
    pub fn new(path: &str, text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut code: Vec<String> = blanked(text).lines().map(str::to_owned).collect();
        code.resize(lines.len(), String::new());
        blank_tests(&mut code);
        Self { path: path.to_owned(), lines, code }
    }

    /// The layer: the first folder, or the file itself at the top of `src`.
    pub fn layer(&self) -> &str {
        self.path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// The module path without the layer's `crate::`, as in `["mail", "address"]`.
    pub fn module(&self) -> Vec<&str> {
        let path = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        path.split('/').filter(|part| !matches!(*part, "lib" | "main")).collect()
    }

    /// `path:line`, counted from 1.
    pub fn at(&self, line: usize) -> String {
        format!("src/{}:{}", self.path, line + 1)
    }

    /// The lines of code with their numbers.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.iter().map(String::as_str).enumerate()
    }
}

/// The text with comments and the insides of strings and characters replaced by spaces; line ends stay.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = opaque(rest, out.chars().next_back());
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (hidden, after) = rest.split_at(length);
            out.extend(hidden.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
            rest = after;
        }
    }
    out
}

/// Octets of the comment, string or character that `text` begins with; 0 if it begins with code.
fn opaque(text: &str, before: Option<char>) -> usize {
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        text.find("*/").map_or(text.len(), |end| end + 2)
    } else if text.starts_with('"') {
        closed(text, 1, '"')
    } else if !in_word && (text.starts_with("r\"") || text.starts_with("r#\"") || text.starts_with("br\"") || text.starts_with("br#\"")) {
        let end = if text.contains("r#\"") && text.find("r#\"").is_some_and(|at| at < 2) { "\"#" } else { "\"" };
        let open = text.find('"').map_or(0, |at| at + 1);
        text[open..].find(end).map_or(text.len(), |at| open + at + end.len())
    } else if !in_word && text.starts_with('\'') {
        character(text)
    } else {
        0
    }
}

/// Octets up to the closing mark, past escapes.
fn closed(text: &str, from: usize, mark: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip_while(|(at, _)| *at < from) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == mark => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Octets of a character literal; 0 for a lifetime.
fn character(text: &str) -> usize {
    let mut rest = text.chars().skip(1);
    match (rest.next(), rest.next()) {
        (Some('\\'), _) => closed(text, 1, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 0,
    }
}

/// Blanks the item after each `#[cfg(test)]`: rustfmt closes it with a brace in the column where it began.
fn blank_tests(code: &mut [String]) {
    let mut inside: Option<String> = None;
    for line in code {
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        match &inside {
            Some(begun) => {
                let ends = *line == format!("{begun}}}") || (line.trim_end().ends_with(';') && indent == *begun);
                line.clear();
                if ends {
                    inside = None;
                }
            }
            None if line.trim_start().starts_with("#[cfg(test)]") => {
                inside = Some(indent);
                line.clear();
            }
            None => {}
        }
    }
}

#[test]
fn comments_strings_and_tests_are_no_code() {
    let text = "let a = \"panic!(\\\"\"; // panic!\nlet b = 'x'; let c: &'static str = r#\"a \"panic!\" b\"#;\n/* panic!\n*/ let d = '\\'';\n\
                #[cfg(test)]\nmod tests {\n    panic!();\n}\nafter();\n#[cfg(test)]\nuse panic;\nend();";
    let code = Source::new("mail/x.rs", text).code;
    assert!(!code.iter().any(|line| line.contains("panic")), "{code:#?}");
    for kept in ["let a =", "let c: &'static str =", "let d =", "after();", "end();"] {
        assert!(code.iter().any(|line| line.contains(kept)), "{kept}: {code:#?}");
    }
    assert_eq!(code.len(), 12);
}
