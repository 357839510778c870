//! Builds the parts.
