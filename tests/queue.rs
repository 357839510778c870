//! The queue of mail that leaves: the store on a real disk, and mail on its way through a whole server.

#[path = "queue/store.rs"]
mod store;
