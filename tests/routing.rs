//! Routing: golden transcripts of trails, and properties over arbitrary graphs of aliases.

#[path = "routing/admission.rs"]
mod admission;
#[path = "routing/memory.rs"]
mod memory;
#[path = "routing/properties.rs"]
mod properties;
#[path = "routing/transcripts.rs"]
mod transcripts;
