//! Postfix's load generator: many sessions, many aliases, many mailboxes.

use std::collections::BTreeMap;

use crate::world::World;
use crate::world::program::done;
use crate::{same, tricky};

/// Messages that are sent.
const MESSAGES: usize = 5000;

/// Mailboxes that they are spread over.
const BOXES: usize = 50;

/// Each message goes to an address of its own: `smtp-source -N` puts a number from 1 on before the recipient.
#[test]
fn smtp_source_fills_the_right_maildirs() {
    let world = World::new();
    world.domain("example.org").pop("modelbox");
    let names: Vec<String> = (0..BOXES).map(|number| format!("box{number}")).collect();
    world.multiply("modelbox", &names);
    world.alias("model@example.org", &["modelbox"]);
    world.import_aliases(
        "model@example.org",
        (1..=MESSAGES).map(|number| (format!("{number}load@example.org"), format!("box{}", number % BOXES))),
    );

    let file = world.path().join("message");
    std::fs::write(&file, tricky()).expect("the message is written");
    let (file, server, count) = (file.display().to_string(), world.smtp().to_string(), MESSAGES.to_string());
    let words =
        ["-s", "20", "-m", &count, "-N", "-f", "sender@client.test", "-t", "load@example.org", "-M", "client.test", "-F", &file, &server];
    done("smtp-source", &words, b"");

    let mut seen = BTreeMap::new();
    for name in &names {
        for message in world.maildir(name).wait(MESSAGES / BOXES) {
            // smtp-source ends the message with an empty line of its own.
            same(message.sent().strip_suffix(b"\n").unwrap_or_default(), &tricky());
            let original = message.field("X-Original-To").expect("an X-Original-To field");
            assert_eq!(message.field("Delivered-To"), Some(format!("{name}@example.org")));
            assert!(seen.insert(original.clone(), name.clone()).is_none(), "{original} came twice");
        }
    }
    for number in 1..=MESSAGES {
        assert_eq!(seen.get(&format!("{number}load@example.org")), Some(&format!("box{}", number % BOXES)));
    }
}
