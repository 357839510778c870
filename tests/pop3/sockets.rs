//! The transcripts that the pure sessions are tested with, over sockets.

use std::time::Duration;

use restante::protocol::pop3::Clear;
use restante::protocol::smtp::Encryption;
use restante::server::pop3::Plaintext;

use crate::client::Client;
use crate::house::{House, sessions};
use crate::setup::{Setup, check};
use crate::transcript::Transport;

/// How long silence is listened to where a transcript expects it, and a reply waited for where it does not.
const LINE: Duration = Duration::from_secs(5);

struct Sockets {
    client: Client,
    _other: Option<Client>,
    house: House,
}

impl Sockets {
    fn connect(setup: &Setup) -> Self {
        let house = House::with(&setup.messages, |config| {
            sessions(config, |session| session.max_errors = setup.max_errors);
            if setup.clear == Clear::Refused {
                config.server.plaintext = Plaintext::Never;
            }
        });
        let other = setup.in_use.then(|| house.logged_in("alice"));
        let mut client = if setup.encryption == Encryption::Active { house.pop3_tls() } else { house.pop3() };
        client.set_patience(LINE);
        Self { client, _other: other, house }
    }
}

impl Transport for Sockets {
    fn send(&mut self, octets: &[u8]) {
        self.client.send(octets);
    }
    fn line(&mut self) -> Option<String> {
        self.client.line()
    }
    fn is_closed(&mut self) -> bool {
        self.client.is_closed()
    }
    fn handshake(&mut self) {
        self.client.secure(&self.house.certificate());
    }
    fn wait(&mut self, _: Duration) {
        unreachable!("time passes for pure sessions alone");
    }
    fn shut_down(&mut self) {
        unreachable!("a pure session alone is shut down");
    }
    fn stored(&mut self) -> Option<Vec<Vec<u8>>> {
        Some(self.house.files("alice").iter().map(|file| std::fs::read(file).unwrap()).collect())
    }
}

#[test]
fn transcripts_are_played_as_written_over_sockets() {
    check(|setup| !setup.pure, Sockets::connect);
}
