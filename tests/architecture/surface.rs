//! How files look: their length, their first line, and the places where the program may give up.

use super::source::{Source, all};

/// Lines of a file, tests included. The aim is 250.
const LINES: usize = 500;

/// What ends the program, and needs a comment that says why it cannot happen.
const GIVING_UP: [&str; 6] = [".unwrap()", ".expect(", "panic!(", "todo!(", "unimplemented!(", "unreachable!("];

/// Places that give up without a comment, or an attribute with its reason, on the same line or the one before.
fn unreasoned(source: &Source) -> Vec<String> {
    let stated = |line: &String| line.trim_start().starts_with("// ") || line.contains("reason = \"");
    let reasoned = |number: usize| {
        let beside = source.lines.get(number).is_some_and(|line| line.contains("// "));
        let above = number.checked_sub(1).and_then(|above| source.lines.get(above)).is_some_and(stated);
        beside || above
    };
    let offends = |(number, line): (usize, &str)| {
        let what = GIVING_UP.iter().find(|what| line.contains(*what))?;
        (!reasoned(number)).then(|| format!("{}: {what} without a reason", source.at(number)))
    };
    source.numbered().filter_map(offends).collect()
}

#[test]
fn nothing_gives_up_without_a_reason() {
    let offenders: Vec<_> = all().iter().flat_map(unreasoned).collect();
    assert!(offenders.is_empty(), "\n{}\n", offenders.join("\n"));
}

#[test]
fn files_stay_short() {
    let sources = all();
    let long = sources.iter().filter(|source| source.lines.len() > LINES);
    let offenders: Vec<_> = long.map(|source| format!("src/{}:{}: over {LINES} lines", source.path, source.lines.len())).collect();
    assert!(offenders.is_empty(), "\n{}\n", offenders.join("\n"));
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    let sources = all();
    let silent = sources.iter().filter(|source| !source.lines.first().is_some_and(|line| line.starts_with("//! ")));
    let offenders: Vec<_> = silent.map(|source| format!("{}: no //! line", source.at(0))).collect();
    assert!(offenders.is_empty(), "\n{}\n", offenders.join("\n"));
}

#[test]
fn the_checks_find_what_they_look_for() {
    let text = "let a = b.unwrap();\n// The list is fixed.\nlet c = d.expect(\"fixed\");\nlet e = f.unwrap(); // never empty\nlet g = \"panic!(\";\n\
                #[expect(x, reason = \"y\")]\nlet h = i.unwrap();\n#[cfg(test)]\nmod tests {\n    a.unwrap();\n}\ntodo!()";
    let found = unreasoned(&Source::new("mail/x.rs", text));
    assert_eq!(found, ["src/mail/x.rs:1: .unwrap() without a reason", "src/mail/x.rs:12: todo!( without a reason"]);
}
