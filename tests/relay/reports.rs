//! Reports as other programs read them: Python's `email`, and mail-parser.

use std::io::Write as _;
use std::process::{Command, Stdio};

use jiff::Timestamp;
use mail_parser::{MessageParser, MimeHeaders};
use restante::mail::envelope::Charset;
use restante::mail::{Mailbox, Status};
use restante::relay::verdict::{Diagnostic, Remote, Security, Trouble};
use restante::relay::{Action, Report, Reported, Returned};

fn report(charset: Charset, recipient: &str, returned: Returned) -> Vec<u8> {
    let remote = Remote { name: "mx.there.example".into(), address: Some([192, 0, 2, 1].into()), security: Security::Clear };
    let diagnostic = Diagnostic::Reply(format!("550 5.1.1 {}", "no such user, sorry ".repeat(20)));
    let trouble = Trouble { status: Status::new(5, 1, 1), diagnostic, remote: Some(remote) };
    let first = Reported {
        original: Some("rfc822;info+2Bx@here.example".into()),
        last_attempt: Some(Timestamp::UNIX_EPOCH),
        ..Reported::troubled(Mailbox::parse(recipient).unwrap(), Action::Failed, &trouble)
    };
    let second = Reported { action: Action::Delayed, retry_until: Some(Timestamp::UNIX_EPOCH), ..first.clone() };
    let report = Report {
        hostname: "mx.here.example".into(),
        id: "R1".into(),
        at: Timestamp::UNIX_EPOCH,
        to: Mailbox::parse("s@here.example").unwrap(),
        arrival: Timestamp::UNIX_EPOCH,
        envid: Some("Q+2B1".into()),
        message_id: Some("m@here.example".into()),
        charset,
        recipients: vec![first, second],
        returned,
    };
    report.build().text
}

/// What Python makes of it: the type of the whole, then of each part, then the fields of the machine part.
const READER: &str = r#"
import email, email.policy, sys
message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
print(message.get_content_type(), message.get_param("report-type"), message["Auto-Submitted"], [d for d in message.defects])
for part in message.iter_parts():
    print(part.get_content_type())
status = list(message.iter_parts())[1]
for block in status.get_payload():
    for name, value in block.items():
        print(f"{name}: {value}")
third = list(message.iter_parts())[2]
inner = third.get_payload()[0] if third.is_multipart() else email.message_from_string(third.get_content())
print("gives back", inner["Subject"])
"#;

fn python(text: &[u8]) -> String {
    let mut child = Command::new("python3").args(["-c", READER]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python3");
    child.stdin.take().unwrap().write_all(text).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn python_reads_every_field() {
    for returned in [Returned::Header(b"Subject: x\n".to_vec()), Returned::Whole(b"Subject: x\n\nbody\n".to_vec())] {
        let read = python(&report(Charset::Ascii, "b@there.example", returned.clone()));
        let third = if matches!(returned, Returned::Whole(_)) { "message/rfc822" } else { "text/rfc822-headers" };
        let date = "Thu, 1 Jan 1970 00:00:00 +0000";
        let said = format!("smtp; 550 5.1.1 {}", "no such user, sorry ".repeat(20));
        let recipient = |action: &str, until: &str| {
            format!(
                "Original-Recipient: rfc822; info+x@here.example\nFinal-Recipient: rfc822; b@there.example\nAction: {action}\nStatus: 5.1.1\n\
                 Remote-MTA: dns; mx.there.example\nDiagnostic-Code: {}\nLast-Attempt-Date: {date}\n{until}",
                said.trim()
            )
        };
        let expected = format!(
            "multipart/report delivery-status auto-replied []\ntext/plain\nmessage/delivery-status\n{third}\nReporting-MTA: dns; mx.here.example\n\
             Original-Envelope-Id: Q+1\nArrival-Date: {date}\n{}{}gives back x\n",
            recipient("failed", ""),
            recipient("delayed", &format!("Will-Retry-Until: {date}\n"))
        );
        assert_eq!(read, expected);
    }
}

#[test]
fn another_parser_sees_the_same_parts() {
    for (charset, to, kinds) in [
        (Charset::Ascii, "b@there.example", ["plain", "delivery-status", "rfc822"]),
        (Charset::Utf8, "ä@there.example", ["plain", "global-delivery-status", "global"]),
    ] {
        let text = report(charset, to, Returned::Whole("Subject: ä\n\nbody\n".into()));
        let message = MessageParser::default().parse(&text).unwrap();
        let content = message.content_type().unwrap();
        assert_eq!((content.ctype(), content.attribute("report-type")), ("multipart", Some("delivery-status")));
        let found: Vec<_> = message.parts.iter().skip(1).filter_map(|part| part.content_type()?.subtype()).collect();
        assert_eq!(found[..3], kinds, "{}", String::from_utf8_lossy(&text));
    }
}
