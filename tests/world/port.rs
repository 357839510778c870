//! A port on loopback that stays a test's own, whether or not something listens on it.
//!
//! A port that was merely free a moment ago goes to whoever comes first: a server that is killed and started again finds
//! another test's connection on its port. So a socket is bound to it as long as the test runs, and never listens. Linux lets
//! a server bind beside it (both have `SO_REUSEADDR`), and gives the port to nobody who asks for any.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port that is kept until this is dropped.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _kept: Socket,
}

impl Port {
    /// A port that nobody has.
    pub fn new() -> Self {
        let kept = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        kept.set_reuse_address(true).expect("an option");
        kept.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).expect("a free port");
        let address = kept.local_addr().ok().and_then(|address| address.as_socket()).expect("it is bound");
        Self { address, _kept: kept }
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
