//! Golden transcripts: a small directory, then recipients (`> …`) with the trail that each must leave, word for word.
//!
//! `RESTANTE_BLESS=1 cargo test --test routing` writes what the router says into the files; read the difference before
//! committing it.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use restante::directory::{State, Switch, Target};
use restante::mail::{Domain, ForwardPath, Mailbox};
use restante::router::{Decision, Disabled, Limits, Lists, Relay, route};

use super::memory::{Memory, Outcome, limits};

/// The moment at which every transcript plays.
const NOW: &str = "2026-06-01T12:00:00Z";

fn arrange(line: &str, directory: &mut Memory, limits: &mut Limits) -> Outcome {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["domain", domain] => directory.domain(domain)?,
        ["pop", name, domain] => directory.pop(name, domain, State::Active)?,
        ["pop", name, domain, "suspended"] => directory.pop(name, domain, State::Suspended)?,
        ["list", name, domain] => directory.list(name, domain)?,
        ["reject", key, ..] => {
            let text = line.splitn(3, ' ').nth(2).unwrap_or_default();
            directory.put(key, vec![Target::Reject(text.into())])?;
        }
        ["alias", key, targets @ ..] => _ = directory.alias(key, targets)?,
        ["disable", key] => directory.edit(key)?.switch = Switch::Disabled,
        ["expire", key, at] => directory.edit(key)?.expires = Some(at.parse()?),
        ["broken", key] => directory.break_at(key)?,
        ["hostname", hostname] => limits.hostname = Some(Domain::parse(hostname)?),
        ["separators", separators] => limits.subaddress_separators = (*separators).into(),
        ["postmaster", target] => limits.postmaster = Some(Target::parse(target)?),
        ["relay", "on"] => limits.relay = Relay::On,
        ["lists", "on"] => limits.lists = Lists::On,
        ["disabled", "5.2.1"] => limits.disabled = Disabled::SwitchedOff,
        ["depth", bound] => limits.max_depth = bound.parse()?,
        ["fan-out", bound] => limits.max_fan_out = bound.parse()?,
        ["total", bound] => limits.max_total = bound.parse()?,
        _ => return Err(format!("not a line of a transcript: {line}").into()),
    }
    Ok(())
}

fn told(recipient: &str, directory: &Memory, limits: &Limits) -> Outcome<String> {
    let path = if recipient == "postmaster" { ForwardPath::Postmaster } else { ForwardPath::Mailbox(Mailbox::parse(recipient)?) };
    let route = route(directory, &path, limits, NOW.parse::<Timestamp>()?);
    let mut text = format!("{}\n", route.trail);
    if let Decision::Deliver { mailboxes, relays, lists } = &route.decision {
        let names = mailboxes.iter().map(|mailbox| mailbox.name.to_string());
        let names = names.chain(relays.iter().map(|mailbox| format!("relay {mailbox}")));
        let names: Vec<_> = names.chain(lists.iter().map(|list| format!("list {}", list.address))).collect();
        text.push_str(&format!("=> {}\n", if names.is_empty() { "nowhere".into() } else { names.join(", ") }));
    }
    Ok(text)
}

fn check(path: &Path) -> Outcome {
    let written = fs::read_to_string(path)?;
    let (mut directory, mut limits) = (Memory::default(), limits());
    let mut said = String::new();
    let mut in_trail = false;
    for line in written.lines() {
        if let Some(recipient) = line.strip_prefix("> ") {
            in_trail = true;
            said.push_str(&format!("{line}\n{}", told(recipient, &directory, &limits)?));
        } else if line.is_empty() || line.starts_with('#') {
            in_trail = false;
            said.push_str(&format!("{line}\n"));
        } else if !in_trail {
            arrange(line, &mut directory, &mut limits)?;
            said.push_str(&format!("{line}\n"));
        }
    }
    if std::env::var_os("RESTANTE_BLESS").is_some() {
        fs::write(path, said)?;
    } else {
        assert_eq!(said, written, "{}", path.display());
    }
    Ok(())
}

#[test]
fn every_trail_is_as_written() -> Outcome {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/routing");
    let mut transcripts = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            check(&path)?;
            transcripts += 1;
        }
    }
    assert!(transcripts >= 8, "found only {transcripts} transcripts");
    Ok(())
}
