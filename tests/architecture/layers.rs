//! The order of the layers, and the purity of the pure ones.

use super::source::{Source, all};

/// The layers of the design's section 13: each uses only what stands above it.
const LAYERS: [&str; 14] = [
    "mail",
    "telemetry",
    "protocol",
    "sys",
    "ledger",
    "directory",
    "router",
    "maildir",
    "spool",
    "relay",
    "server",
    "admin",
    "config",
    "app",
];

/// Modules without socket, clock, thread, disk or store. A folder stands for all in it.
const PURE: [&str; 11] = [
    "mail",
    "protocol",
    "router",
    "directory/rules",
    "directory/change",
    "directory/view",
    "directory/model",
    "maildir/name",
    "relay/target",
    "relay/srs",
    "relay/report",
];

/// What a pure module may not name. `IpAddr` and `Instant` as values are welcome; time is passed in.
const IMPURE: [&str; 18] = [
    "std::fs",
    "std::thread",
    "std::process",
    "std::env",
    "std::os",
    "tokio",
    "rocksdb",
    "rustix",
    "socket2",
    "rand::",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
];

/// Every path into the crate that a file uses, with its line: the first folder after `crate::`, `super::` resolved.
fn used(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let text = source.code.join("\n");
    let line_of = |at: usize| text.bytes().take(at).filter(|octet| *octet == b'\n').count();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        // `$crate`, and names that end in `crate`, are something else.
        if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
            continue;
        }
        found.extend(heads(rest).into_iter().map(|head| (line_of(at), head)));
    }
    let depth = source.module().len();
    for (at, _) in text.match_indices("super::") {
        if text[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &text[at..];
        let mut up = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            (rest, up) = (after, up + 1);
        }
        // Up to the crate itself: what follows is another layer.
        if up == depth {
            found.extend(heads(rest).into_iter().map(|head| (line_of(at), head)));
        }
    }
    found
}

/// The first segments of a path or of a group of paths: `{a::b, c}` gives `a` and `c`.
fn heads(path: &str) -> Vec<String> {
    let word = |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let Some(group) = path.strip_prefix('{') else { return vec![word(path)] };
    let mut heads = vec![word(group)];
    let mut nested = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => nested += 1,
            '}' if nested == 0 => break,
            '}' => nested -= 1,
            ',' if nested == 0 => heads.push(word(&group[at + 1..])),
            _ => {}
        }
    }
    heads
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|known| *known == layer)
}

fn out_of_order(source: &Source) -> Vec<String> {
    let Some(own) = rank(source.layer()) else { return Vec::new() };
    let below = |(line, layer): (usize, String)| {
        let theirs = rank(&layer)?;
        (theirs > own).then(|| format!("{}: {} uses {layer}, which stands below it", source.at(line), source.layer()))
    };
    used(source).into_iter().filter_map(below).collect()
}

fn is_pure(source: &Source) -> bool {
    let path = source.path.trim_end_matches(".rs");
    PURE.iter().any(|pure| path.strip_prefix(pure).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '_'])))
}

fn impurities(source: &Source) -> Vec<String> {
    let grouped = |line: &str| {
        line.trim_start().starts_with("use std::{") && ["fs", "thread", "process", "env"].iter().any(|word| line.contains(word))
    };
    let offends = |(number, line): (usize, &str)| {
        let named = IMPURE.iter().find(|impure| line.contains(*impure)).copied();
        let what = named.or_else(|| grouped(line).then_some("a group of std with I/O in it"))?;
        Some(format!("{}: {what}", source.at(number)))
    };
    source.numbered().filter_map(offends).collect()
}

#[test]
fn every_module_is_a_layer() {
    let strangers: Vec<_> = all().into_iter().filter(|source| rank(source.layer()).is_none()).map(|source| source.path).collect();
    assert_eq!(strangers, ["lib.rs", "main.rs"], "a new folder under src needs a place among the layers");
}

#[test]
fn a_module_uses_only_what_stands_above_it() {
    let offenders: Vec<_> = all().iter().flat_map(out_of_order).collect();
    assert!(offenders.is_empty(), "\n{}\n", offenders.join("\n"));
}

#[test]
fn pure_modules_touch_nothing() {
    let sources = all();
    let pure: Vec<_> = sources.iter().filter(|source| is_pure(source)).collect();
    for folder in PURE.iter().filter(|folder| !["directory/rules", "maildir/name"].contains(folder)) {
        assert!(pure.iter().any(|source| source.path.starts_with(folder)), "there is no {folder}; correct the list");
    }
    let offenders: Vec<_> = pure.into_iter().flat_map(impurities).collect();
    assert!(offenders.is_empty(), "\n{}\n", offenders.join("\n"));
}

#[test]
fn the_checks_find_what_they_look_for() {
    let text = "use crate::{admin, mail::Name};\nuse super::super::config::Config;\nlet x = crate::spool::X;\nuse super::trail::Step;\n// crate::app";
    let source = Source::new("router/route.rs", text);
    let found: Vec<_> = out_of_order(&source);
    let expected = ["route.rs:1: router uses admin", "route.rs:3: router uses spool", "route.rs:2: router uses config"];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.contains(expected), "{found}");
    }
    let impure = Source::new("directory/rules/names.rs", "use std::{fs, io};\nlet now = Instant::now();\nlet a: std::net::IpAddr;");
    assert!(is_pure(&impure) && !is_pure(&Source::new("directory/store.rs", "")));
    assert_eq!(impurities(&impure).len(), 2);
}
