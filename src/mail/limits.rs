//! Bounds that belong to the vocabulary itself. Bounds that an operator may change are in the settings of the layer
//! that enforces them.

/// Octets of a domain, with room for the longest that DNS can hold (RFC 1035 §2.3.4, RFC 5321 §4.5.3.1.2).
pub const DOMAIN_OCTETS: usize = 255;

/// Octets of a mailbox as written in a command. RFC 5321 §4.5.3.1.3 asks for 256 in a path; quoted and UTF-8 local
/// parts in use are longer, so this is twice that.
pub const MAILBOX_OCTETS: usize = 512;

/// Octets of the local part of an address that the directory stores (RFC 5321 §4.5.3.1.1). Mail to longer ones is
/// still routed, since `user+long-detail` may end at a short address.
pub const STORED_LOCAL_OCTETS: usize = 64;

/// Octets of a password: enough for any pass phrase, too few to make hashing itself an attack.
pub const PASSWORD_OCTETS: usize = 1024;

/// Characters of a password, at least.
pub const PASSWORD_CHARACTERS: usize = 6;

/// Octets of a message that are held in memory; longer messages go to a file of the spool as they arrive.
pub const MESSAGE_IN_MEMORY: usize = 256 * 1024;

/// Octets of a message's header section. It is examined whole, so it has to fit in memory.
pub const HEADER_OCTETS: usize = MESSAGE_IN_MEMORY;

/// `Received` fields that a message may carry before it counts as looping (RFC 5321 §6.3).
pub const RECEIVED_HOPS: usize = 100;
