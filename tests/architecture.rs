//! The rules of the house that a reader can rely on, each with all of its offenders: the order of the layers, the purity of
//! the pure ones, the length of files, how they open, and where the program may give up.
//!
//! The sources are read as lines, with comments, strings and test modules blanked out: enough for these questions, and
//! quick. What a line cannot show (a socket reached through another crate) is for the reviewer.

#[path = "architecture/layers.rs"]
mod layers;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/surface.rs"]
mod surface;
