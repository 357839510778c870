//! The panel and the API on TCP: the real server, spoken to as a browser without a script does.

#[path = "panel/api.rs"]
mod api;
#[path = "panel/bad_input.rs"]
mod bad_input;
#[path = "panel/client.rs"]
mod client;
#[path = "panel/document.rs"]
mod document;
#[path = "panel/house.rs"]
mod house;
#[path = "panel/later.rs"]
mod later;
#[path = "panel/lists.rs"]
mod lists;
#[path = "panel/metrics.rs"]
mod metrics;
#[path = "panel/nasty.rs"]
mod nasty;
#[path = "panel/proxies.rs"]
mod proxies;
#[path = "panel/roles.rs"]
mod roles;
#[path = "panel/second.rs"]
mod second;
#[path = "panel/sessions.rs"]
mod sessions;
#[path = "panel/story.rs"]
mod story;
#[path = "world/mod.rs"]
mod world;
