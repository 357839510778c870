//! The directory against its invariants D1 to D10: by example, by random sequences, beside other writers, across
//! reopening and crashes.

#[path = "directory/crash.rs"]
mod crash;
#[path = "directory/examples.rs"]
mod examples;
#[path = "directory/export.rs"]
mod export;
#[path = "directory/fixture.rs"]
mod fixture;
#[path = "directory/format.rs"]
mod format;
#[path = "directory/index.rs"]
mod index;
#[path = "directory/invariants.rs"]
mod invariants;
#[path = "directory/logins.rs"]
mod logins;
#[path = "directory/random.rs"]
mod random;
