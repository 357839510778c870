//! The transcripts that the pure sessions are tested with, over sockets.

use std::sync::Arc;
use std::time::Duration;

use restante::directory::Target;
use restante::protocol::smtp::{Dialect, Encryption, Trust};
use restante::router::Disabled;
use restante::server::Listen;

use crate::client::Client;
use crate::house::House;
use crate::transcript::{Setup, Transport, check};

/// How long silence is listened to where a transcript expects it, and a reply waited for where it does not.
const LINE: Duration = Duration::from_millis(1500);

struct Sockets {
    house: House,
    client: Client,
}

impl Sockets {
    fn connect(setup: &Setup) -> Self {
        let house = House::with(|config| {
            let session = Arc::make_mut(&mut config.session);
            session.max_message_size = setup.max_message_size;
            session.max_recipients = setup.max_recipients;
            session.max_errors = setup.max_errors;
            session.max_line = setup.max_line;
            session.bare_newline = setup.bare_newline;
            session.vrfy = setup.vrfy;
            session.min_rate = setup.min_rate;
            config.routing.disabled = Disabled::SwitchedOff;
            config.routing.postmaster = Some(Target::parse("alice").unwrap());
            if setup.trust == Trust::Proxy {
                config.server.xclient_from = vec!["127.0.0.0/8".parse().unwrap()];
            }
            // Without TLS on offer: that is a Unix socket.
            let path = config.spool.join("smtp.sock");
            config.server.smtp.push(Listen::Unix(path));
        });
        let unix = house.folder.path().join("spool/smtp.sock");
        let mut client = match (setup.dialect, setup.encryption) {
            (Dialect::Smtp, Encryption::Unavailable) => Client::unix(&unix),
            (Dialect::Smtp, Encryption::Offered) => house.smtp(),
            (Dialect::Smtp, Encryption::Active) => house.smtp_tls(),
            (Dialect::Lmtp, Encryption::Unavailable) => house.lmtp_unix(),
            (Dialect::Lmtp, _) => house.lmtp(),
        };
        client.set_patience(LINE);
        Self { house, client }
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
        Some(self.house.stored())
    }
}

/// A peer on a Unix socket has no address, so it is no proxy.
fn is_possible(setup: &Setup) -> bool {
    let unknown_proxy = setup.trust == Trust::Proxy && setup.encryption == Encryption::Unavailable;
    !(setup.pure || unknown_proxy)
}

#[test]
fn transcripts_are_played_as_written_over_sockets() {
    check(is_possible, Sockets::connect);
}
