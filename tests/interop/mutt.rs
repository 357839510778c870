//! mutt reading a Maildir directly.

use std::fs;

use crate::world::World;
use crate::world::program::done;
use crate::{tricky, without_last_line_end};

#[test]
fn mutt_reads_the_maildir() {
    let world = World::new();
    world.domain("example.org").pop("alice").alias("@example.org", &["alice"]);
    let server = world.smtp().to_string();
    for to in ["one@example.org", "two@example.org"] {
        done("swaks", &["--server", &server, "--from", "sender@client.test", "--to", to, "--data", "-"], without_last_line_end(&tricky()));
    }
    let before = world.maildir("alice").wait(2);

    // mutt wants a terminal, which script(1) gives it. It prints each message unchanged, and leaves.
    let (maildir, out) = (world.maildir("alice").path().display().to_string(), world.path().join("out"));
    let keys = format!("<tag-pattern>~A<enter><tag-prefix><pipe-message>cat >>{}<enter><quit>", out.display());
    // Without a folder of its own it would ask whether to make one.
    let settings = "set folder=/tmp pipe_decode=no pipe_split=yes pipe_sep='' wait_key=no sort=mailbox-order quit=yes";
    let mutt = format!("mutt -n -F /dev/null -f {maildir} -e \"{settings}\" -e 'push \"{keys}\"'");
    done("timeout", &["60", "env", "TERM=xterm", "script", "-qec", &mutt, "/dev/null"], b"");

    let printed = fs::read(&out).expect("mutt printed the messages");
    assert_eq!(printed.len(), before.iter().map(|message| message.text.len()).sum::<usize>());
    for message in &before {
        assert!(printed.windows(message.text.len()).any(|window| window == message.text), "{}", message.path.display());
    }
    // It has moved them to `cur`, as readers do, and they are still the same two.
    for (message, moved) in before.iter().zip(world.maildir("alice").wait(2)) {
        assert_eq!(message.text, moved.text);
        assert!(moved.path.display().to_string().contains("/cur/"), "{}", moved.path.display());
    }
}
