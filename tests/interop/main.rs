//! Restante beside real programs: clients that send to it, an MTA in front of it, servers that it sends to, readers of its Maildirs.
//!
//! The programs come with `tests/install test`. Each test has a server of its own, and its own instances of the others,
//! in throwaway folders and on free ports; nothing of the machine's own mail set-up is used or touched.

#[path = "../world/mod.rs"]
mod world;

mod clients;
mod dovecot;
mod load;
mod mutt;
mod pop3;
mod postfix;
mod relay;
mod servers;

/// A message in which every part has its trap: dots, empty lines, 8-bit text, a line longer than RFC 5322 allows.
/// LF line ends, as it lies on disk.
fn tricky() -> Vec<u8> {
    let long = "long ".repeat(1200);
    format!(
        "From: =?utf-8?q?J=C3=BCrgen?= <sender@client.test>\nTo: info@example.org\nSubject: traps\n\
         MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\
         .\n..\n.dot\n\nGrüße, \u{1f4ec}\n{long}\n\n\nFrom here on\n\ttabs and blanks  \n\n"
    )
    .into_bytes()
}

/// The same without what Postfix changes on its way: it folds long lines, and adds `Message-Id` and `Date`.
fn tidy() -> Vec<u8> {
    let text = String::from_utf8(tricky())
        .expect("UTF-8")
        .replace("Subject: traps\n", "Subject: traps\nMessage-Id: <1@client.test>\nDate: Mon, 1 Jun 2026 12:00:00 +0000\n");
    text.lines().filter(|line| line.len() < 900).map(|line| format!("{line}\n")).collect::<String>().into_bytes()
}

/// swaks puts a line end after all that it is given.
fn without_last_line_end(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\n").unwrap_or(text)
}

/// Compares texts that are too long to print.
#[track_caller]
fn same(found: &[u8], expected: &[u8]) {
    if found == expected {
        return;
    }
    let at = found.iter().zip(expected).take_while(|(one, other)| one == other).count();
    let part =
        |text: &[u8]| String::from_utf8_lossy(text.get(at.saturating_sub(20)..).unwrap_or_default()).chars().take(200).collect::<String>();
    panic!("octet {at} of {}, {} expected:\n{:?}\n{:?}", found.len(), expected.len(), part(found), part(expected));
}

/// The form that goes over the wire.
fn crlf(text: &[u8]) -> Vec<u8> {
    text.iter().flat_map(|octet| if *octet == b'\n' { b"\r\n".as_slice() } else { std::slice::from_ref(octet) }).copied().collect()
}
