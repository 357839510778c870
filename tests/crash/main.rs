//! What a `250` is worth: the real binary under `kill -9`, on a full disk, out of file descriptors, before a broken
//! Maildir. Nothing that was acknowledged may be missing afterwards, and the service goes on by itself.

#[path = "../world/mod.rs"]
mod world;

mod broken_mailbox;
mod client;
mod descriptors;
mod full_disk;
mod kill;
#[path = "../queue/mx.rs"]
#[allow(dead_code, reason = "another test binary needs the rest of it")]
mod mx;
mod relay;
