//! Administration: every command of the real binary, with a server and without one, and the API beneath it.

#[path = "admin/api.rs"]
mod api;
#[path = "admin/audit.rs"]
mod audit;
#[path = "admin/commands.rs"]
mod commands;
#[path = "admin/exchange.rs"]
mod exchange;
#[path = "admin/log.rs"]
mod log;
#[path = "admin/owners.rs"]
mod owners;
#[path = "admin/place.rs"]
mod place;
#[path = "admin/refusals.rs"]
mod refusals;
#[path = "admin/service.rs"]
mod service;
