//! The program: builds the parts from a configuration, and owns what runs beside the sessions.
//!
//! Reading order: [`commands`] (arguments in, exit code out), [`serve`] (the server's life), [`tasks`] (what is done now
//! and then), [`run_file`] (where tools find the server).

pub mod commands;
mod demo;
mod run_file;
pub mod serve;
mod setup;
mod tasks;
