//! The queue of mail that leaves: the store on a real disk, and mail on its way through a whole server.

mod world;

#[path = "queue/mx.rs"]
mod mx;
#[path = "queue/operations.rs"]
mod operations;
#[path = "delivery/power.rs"]
#[allow(dead_code, reason = "the tests of delivery need more of it")]
mod power;
#[path = "queue/power_cuts.rs"]
mod power_cuts;
#[path = "queue/sending.rs"]
mod sending;
#[path = "queue/store.rs"]
mod store;
