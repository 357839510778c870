//! lmtp
