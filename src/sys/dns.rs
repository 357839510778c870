//! Questions to the Domain Name System, asked of the resolvers that the operator names, or of those of this machine.

use std::io;
use std::net::SocketAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;

pub use hickory_resolver::net::{DnsError, NetError};
pub use hickory_resolver::proto::rr::{Name, RData, RecordType};

/// Asks these resolvers, each over UDP and TCP; those that this machine is configured for if there are none.
pub fn resolver(servers: &[SocketAddr]) -> io::Result<TokioResolver> {
    let builder = if servers.is_empty() {
        TokioResolver::builder_tokio().map_err(io::Error::other)?
    } else {
        let servers = servers.iter().map(server).collect();
        TokioResolver::builder_with_config(ResolverConfig::from_parts(None, Vec::new(), servers), TokioRuntimeProvider::default())
    };
    builder.build().map_err(io::Error::other)
}

fn server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}
