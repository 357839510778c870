//! What is asked of a list by mail: `help`, `subscribe`, `unsubscribe`, each in the subject or the first line.

/// A command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// How the list is used.
    Help,
    /// To join.
    Subscribe,
    /// To leave.
    Unsubscribe,
    /// Yes, it was me: the word that we sent.
    Confirm(String),
}

/// The command of a subject, or else of the first line of a text that is none of a quotation. None: a person wrote to a person.
pub fn read(subject: &str, text: &str) -> Option<Command> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('>')).take(1);
    std::iter::once(subject).chain(lines).find_map(command)
}

fn command(line: &str) -> Option<Command> {
    let mut line = line.trim();
    while let Some(rest) = ["re:", "aw:", "fwd:"].iter().find_map(|mark| strip(line, mark)) {
        line = rest.trim_start();
    }
    let mut words = line.split_whitespace();
    match words.next()?.to_ascii_lowercase().as_str() {
        "help" | "info" => Some(Command::Help),
        "subscribe" | "join" => Some(Command::Subscribe),
        "unsubscribe" | "leave" | "signoff" => Some(Command::Unsubscribe),
        "confirm" => words.next().map(|word| Command::Confirm(word.to_owned())),
        _ => None,
    }
}

fn strip<'t>(line: &'t str, mark: &str) -> Option<&'t str> {
    line.get(..mark.len()).filter(|begin| begin.eq_ignore_ascii_case(mark)).and_then(|_| line.get(mark.len()..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_in_the_subject_or_in_the_first_line() {
        assert_eq!(read("unsubscribe", ""), Some(Command::Unsubscribe));
        assert_eq!(read("Re: RE: confirm abc12", "unsubscribe"), Some(Command::Confirm("abc12".into())));
        assert_eq!(read("", "> quoted\n\n  Subscribe me please\n"), Some(Command::Subscribe));
        assert_eq!(read("Hello", "How do I leave?\nunsubscribe\n"), None);
        assert_eq!(read("héllo: ", ""), None);
    }
}
