//! The fuzz properties on a stable compiler: the corpus replayed, and a short random run of each.

#![allow(missing_docs, reason = "tests")]

#[path = "../fuzz/properties.rs"]
mod properties;

use proptest::prelude::*;

/// Replays what lies in `fuzz/corpus/<target>`.
fn replay(target: &str, property: fn(&[u8])) {
    let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut seeds = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus") {
        property(&std::fs::read(entry.expect("an entry").path()).expect("a seed"));
        seeds += 1;
    }
    assert!(seeds > 0, "{folder} is empty");
}

#[test]
fn corpus_holds() {
    replay("line", properties::line);
    replay("data", properties::data);
    replay("smtp", properties::smtp);
    replay("lmtp", properties::lmtp);
    replay("pop3", properties::pop3);
    replay("address", properties::address);
    replay("config", properties::config);
}

/// The reference configuration with pieces cut out and others put in.
fn configuration() -> impl Strategy<Value = Vec<u8>> {
    let reference = include_str!("../config/restante.toml");
    let lines: Vec<&str> = reference.lines().filter(|line| !line.starts_with("# ")).collect();
    let line = prop_oneof![
        6 => proptest::sample::select(lines).prop_map(str::to_owned),
        1 => "(\\[?[a-z._]{1,12}\\]?)? ?=? ?(-?[0-9]{1,20}|\"\\PC{0,8}\"|\\[\\]|true)?",
        1 => "\\PC{0,12}",
    ];
    proptest::collection::vec(line, 0..12).prop_map(|lines| lines.join("\n").into_bytes())
}

/// Pieces of dialogue, whole and broken, with octets of any kind between them.
fn dialogue() -> impl Strategy<Value = Vec<u8>> {
    let commands = [
        "EHLO c\r\n",
        "LHLO c\r\n",
        "HELO c\n",
        "MAIL FROM:<>\r\n",
        "MAIL FROM:<a@b.example> SIZE=1999 BODY=8BITMIME\r\n",
        "MAIL FROM:<é@b> SMTPUTF8\r\n",
        "RCPT TO:<a@example.org>\r\n",
        "RCPT TO:<ab@example.org> NOTIFY=NEVER\r\n",
        "RCPT TO:<Postmaster>\r\n",
        "rcpt to: <@a:b@c>\r\n",
        "DATA\r\n",
        ".\r\n",
        "\r\n.\r\n",
        "\n.\n",
        "\r\n.\n",
        "..text\r\n",
        "text\r\n",
        "BDAT 4\r\ntext",
        "BDAT 4 LAST\r\ntext",
        "BDAT 0 LAST\r\n",
        "BDAT 1500\r\n",
        "BDAT 99999999\r\n",
        "BDAT x\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "QUIT\r\n",
        "VRFY a\r\n",
        "EXPN a\r\n",
        "HELP\r\n",
        "HELP MAIL\r\n",
        "STARTTLS\r\n",
        "XCLIENT ADDR=192.0.2.7 HELO=x\r\n",
        "AUTH PLAIN\r\n",
        "\r",
        "\n",
        "\0",
        " ",
        "<",
        ">",
        "\"",
    ];
    let piece = prop_oneof![
        12 => proptest::sample::select(commands.map(|command| command.as_bytes().to_vec()).to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
        1 => (0usize..3000).prop_map(|length| vec![b'x'; length]),
    ];
    (any::<u8>(), proptest::collection::vec(piece, 0..40)).prop_map(|(size, pieces)| [vec![size], pieces.concat()].concat())
}

/// The same for POP3.
fn visit() -> impl Strategy<Value = Vec<u8>> {
    let commands = [
        "USER alice\r\n",
        "PASS secret\r\n",
        "PASS wrong\r\n",
        "AUTH PLAIN\r\n",
        "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
        "AUTH LOGIN YWxpY2U=\r\n",
        "c2VjcmV0\r\n",
        "*\r\n",
        "AUTH\r\n",
        "CAPA\r\n",
        "STLS\r\n",
        "UTF8\r\n",
        "APOP alice 0\r\n",
        "STAT\r\n",
        "LIST\r\n",
        "LIST 2\r\n",
        "UIDL\r\n",
        "UIDL 3\r\n",
        "RETR 1\r\n",
        "RETR 2\r\n",
        "RETR 3\r\n",
        "RETR 0\r\n",
        "TOP 2 1\r\n",
        "TOP 3 99999\r\n",
        "DELE 1\r\n",
        "DELE 2\r\n",
        "DELE 3\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        "NOOP\n",
        "QUIT\r\n",
        "\r",
        "\n",
        "\0",
        " ",
    ];
    let piece = prop_oneof![
        12 => proptest::sample::select(commands.map(|command| command.as_bytes().to_vec()).to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..8),
        1 => (0usize..5000).prop_map(|length| vec![b'x'; length]),
    ];
    (any::<u8>(), proptest::collection::vec(piece, 0..30)).prop_map(|(size, pieces)| [vec![size], pieces.concat()].concat())
}

/// Octets among which those with a meaning in text are frequent.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let octet = prop_oneof![3 => Just(b'\r'), 3 => Just(b'\n'), 2 => Just(b'.'), 2 => Just(b'a'), 1 => any::<u8>()];
    (0u8..6, proptest::collection::vec(octet, 0..80)).prop_map(|(size, text)| [vec![size], text].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn line_holds(input in prop_oneof![text(), dialogue()]) {
        properties::line(&input);
    }

    #[test]
    fn data_holds(input in prop_oneof![text(), dialogue()]) {
        properties::data(&input);
    }

    #[test]
    fn smtp_holds(input in dialogue()) {
        properties::smtp(&[&input[..1], b"HELO c\r\n", &input[1..]].concat());
        properties::smtp(&input);
    }

    #[test]
    fn lmtp_holds(input in dialogue()) {
        properties::lmtp(&[&input[..1], b"LHLO c\r\n", &input[1..]].concat());
        properties::lmtp(&input);
    }

    #[test]
    fn pop3_holds(input in visit()) {
        properties::pop3(&[&input[..1], b"USER alice\r\nPASS secret\r\n", &input[1..]].concat());
        properties::pop3(&input);
    }

    #[test]
    fn config_holds(input in configuration()) {
        properties::config(&input);
    }

    #[test]
    fn address_holds(input in "(\"?[\\PC.\\\\\"+-]{0,12}\"?@)?[\\PC.-]{0,12}|\\PC{0,8}@\\[[0-9a-fIPv6:.]{0,16}\\]?") {
        properties::address(input.as_bytes());
    }
}
