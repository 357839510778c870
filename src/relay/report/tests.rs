//! Reports as they are written, and who gets them.

use super::*;
use crate::mail::AddressError;
use crate::relay::verdict::Security;

struct Memory(Vec<u8>);

impl Text for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn lines(&self) -> u64 {
        self.0.iter().filter(|octet| **octet == b'\n').count() as u64
    }
    fn read(&self) -> io::Result<Box<dyn io::Read + '_>> {
        Ok(Box::new(self.0.as_slice()))
    }
}

fn failed(to: &str, said: &str) -> Result<Reported, AddressError> {
    let remote = Remote { name: "mx.there.example".into(), address: Some([192, 0, 2, 1].into()), security: Security::Clear };
    let trouble = Trouble { status: Status::new(5, 1, 1), diagnostic: Diagnostic::Reply(said.into()), remote: Some(remote) };
    let last_attempt = Some(Timestamp::UNIX_EPOCH);
    Ok(Reported { last_attempt, ..Reported::troubled(Mailbox::parse(to)?, Action::Failed, &trouble) })
}

fn report(recipients: Vec<Reported>) -> Result<Report, AddressError> {
    Ok(Report {
        hostname: "mx.here.example".into(),
        id: "R1".into(),
        at: Timestamp::UNIX_EPOCH,
        to: Mailbox::parse("s@here.example")?,
        arrival: Timestamp::UNIX_EPOCH,
        envid: Some("Q+2B1".into()),
        message_id: Some("m@here.example".into()),
        charset: Charset::Ascii,
        recipients,
        returned: Returned::Header(b"Subject: x\n".to_vec()),
    })
}

fn text(built: &Built) -> String {
    String::from_utf8_lossy(&built.text).into_owned()
}

#[test]
fn a_failure_is_told_as_the_rfc_writes_it() -> Result<(), AddressError> {
    let original = Some("rfc822;info+2Bx@here.example".to_owned());
    let report = report(vec![Reported { original, ..failed("b@there.example", "550 5.1.1 no such user")? }])?;
    let built = report.build();
    let expected = "\
Date: Thu, 1 Jan 1970 00:00:00 +0000
From: Mail Delivery System <MAILER-DAEMON@mx.here.example>
To: <s@here.example>
Subject: Undelivered mail returned to sender
Message-ID: <R1@mx.here.example>
In-Reply-To: <m@here.example>
References: <m@here.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary=\"report-R1\"

This is a report about a message, in the form of RFC 3464.

--report-R1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 7bit

This is the mail system at mx.here.example.

Your message could not be delivered, and is not tried any more:

<b@there.example>
    mx.there.example[192.0.2.1] said: 550 5.1.1 no such user
    Please look for a mistake in the address.

--report-R1
Content-Type: message/delivery-status
Content-Transfer-Encoding: 7bit

Reporting-MTA: dns; mx.here.example
Original-Envelope-Id: Q+1
Arrival-Date: Thu, 1 Jan 1970 00:00:00 +0000

Original-Recipient: rfc822; info+x@here.example
Final-Recipient: rfc822; b@there.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.there.example
Diagnostic-Code: smtp; 550 5.1.1 no such user
Last-Attempt-Date: Thu, 1 Jan 1970 00:00:00 +0000

--report-R1
Content-Type: text/rfc822-headers; charset=utf-8
Content-Transfer-Encoding: 7bit

Subject: x

--report-R1--
";
    assert_eq!(text(&built), expected);
    assert_eq!((built.body, built.charset), (BodyType::SevenBit, Charset::Ascii));
    Ok(())
}

#[test]
fn the_subject_and_the_opening_follow_what_happened() -> Result<(), AddressError> {
    for (action, subject, opening) in [
        (Action::Delayed, "Mail delayed", "it is tried on until Thu, 1 Jan 1970"),
        (Action::Delivered, "Mail delivered", "is in the mailbox of"),
        (Action::Relayed, "Mail delivered", "sends no reports"),
        (Action::Expanded, "Mail delivered", "everybody behind"),
    ] {
        let retry_until = Some(Timestamp::UNIX_EPOCH);
        let text = text(&report(vec![Reported { action, retry_until, ..failed("b@there.example", "x")? }])?.build());
        assert!(text.contains(&format!("Subject: {subject}")) && text.contains(opening), "{text}");
        assert_eq!(text.contains("Will-Retry-Until"), action == Action::Delayed);
        assert!(!text.contains("Please look"), "advice is for those who failed");
    }
    let mixed = report(vec![Reported { action: Action::Relayed, ..failed("a@x.example", "ok")? }, failed("b@x.example", "no")?])?;
    assert!(text(&mixed.build()).contains("Subject: Undelivered"));
    Ok(())
}

#[test]
fn what_a_peer_says_stays_in_its_field() -> Result<(), AddressError> {
    let long = format!("550 {} \u{e4} a\nSubject: b\r\n\r\n--report-R1", "word ".repeat(100));
    let built = report(vec![failed("b@there.example", &long)?])?.build();
    let text = text(&built);
    let machine = text.split("delivery-status\n").nth(1).unwrap_or_default().split("--report").next().unwrap_or_default();
    assert!(machine.is_ascii() && machine.lines().all(|line| line.len() <= LINE_OCTETS), "{machine}");
    assert!(!machine.contains("\nSubject"), "{machine}");
    Ok(())
}

const LINE_OCTETS: usize = 78;

#[test]
fn addresses_beyond_ascii_have_forms_for_both_worlds() -> Result<(), AddressError> {
    let plain = report(vec![failed("ä@there.example", "550 no")?])?;
    let built = plain.build();
    assert_eq!(built.charset, Charset::Ascii);
    assert!(text(&built).contains("Final-Recipient: utf-8; \\x{E4}@there.example"), "{}", text(&built));
    let built = Report { charset: Charset::Utf8, ..plain }.build();
    assert_eq!((built.charset, built.body), (Charset::Utf8, BodyType::EightBitMime));
    let text = text(&built);
    assert!(text.contains("message/global-delivery-status") && text.contains("Final-Recipient: utf-8; ä@there.example"), "{text}");
    assert!(text.contains("message/global-headers"), "{text}");
    Ok(())
}

#[test]
fn as_much_comes_back_as_was_asked_for() -> io::Result<()> {
    let message = Memory(b"Subject: x\nTo: y\n\nbody\n".to_vec());
    let returned = |ret, action, most| Returned::of(&message, ret, action, most);
    let (whole, header) = (Returned::Whole(message.0.clone()), Returned::Header(b"Subject: x\nTo: y\n".to_vec()));
    assert_eq!(returned(None, Action::Failed, 100)?, whole);
    assert_eq!(returned(Some(Return::Full), Action::Failed, 100)?, whole);
    assert_eq!(returned(Some(Return::Headers), Action::Failed, 100)?, header);
    assert_eq!(returned(Some(Return::Full), Action::Failed, 10)?, header);
    assert_eq!(returned(Some(Return::Full), Action::Delayed, 100)?, header);
    let endless = Memory(b"X: y\n".repeat(100_000));
    assert!(
        matches!(Returned::of(&endless, None, Action::Delayed, 0)?, Returned::Header(h) if h.len() as u64 <= HEADER_OCTETS && h.ends_with(b"\n"))
    );
    Ok(())
}

#[test]
fn a_boundary_in_the_message_is_evaded() -> Result<(), AddressError> {
    let returned = Returned::Whole(b"Subject: x\n\n--report-R1\n--report-R1x--\n".to_vec());
    let text = text(&Report { returned, ..report(vec![failed("b@there.example", "550 no")?])? }.build());
    assert!(text.contains("boundary=\"report-R1xx\"") && text.ends_with("--report-R1xx--\n"), "{text}");
    Ok(())
}

#[test]
fn who_is_told_of_what() -> Result<(), AddressError> {
    let sender = ReversePath::Mailbox(Mailbox::parse("s@here.example")?);
    let actions = [Action::Failed, Action::Delayed, Action::Delivered, Action::Relayed, Action::Expanded];
    let told = |notify, sender: &ReversePath| actions.map(|action| wanted(notify, action, sender));
    assert_eq!(told(None, &sender), [true, true, false, false, false]);
    assert_eq!(told(Some(Notify::NEVER), &sender), [false; 5]);
    assert_eq!(told(Some(Notify { success: true, failure: false, delay: false }), &sender), [false, false, true, true, true]);
    assert_eq!(told(Some(Notify { success: false, failure: true, delay: true }), &sender), [true, true, false, false, false]);
    for notify in [None, Some(Notify { success: true, failure: true, delay: true })] {
        assert_eq!(told(notify, &ReversePath::Null), [false; 5]);
    }
    Ok(())
}

#[test]
fn xtext_is_read_where_it_is_xtext() {
    for (given, found) in [("Q+2B1", "Q+1"), ("a+3Db", "a=b"), ("a+", "a+"), ("a+zz", "a+zz"), ("a+0Ab", "a+0Ab"), ("", "")] {
        assert_eq!(fields::plain(given), found);
    }
}
