//! The protocols, without I/O: bytes, answers and deadlines in; replies, questions and "start TLS" out.
//!
//! Owns the grammar and the state machines of SMTP, LMTP and POP3. Promises that nothing a peer sends can make it allocate
//! without bound, and that an illegal command changes no state. Refuses to know sockets, clocks, threads and stores:
//! time is an argument, and what it cannot decide it asks (see [`smtp::Question`]).

pub mod data;
pub mod line;
pub mod lmtp;
pub mod pop3;
pub mod sasl;
pub mod smtp;
