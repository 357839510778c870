//! Restante: mail that is held until it is called for.

fn main() {}
