//! What a client is counted by.

use std::net::{IpAddr, Ipv6Addr};

/// An IPv4 address or an IPv6 /64: a single host commands a whole /64 (RFC 6177), so counting addresses would count
/// nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// That of a client.
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)))),
            v4 => Self(v4),
        }
    }
}
