//! Ports to the world: disk, clock, random numbers, DNS. Each has the real thing, and a double where a test needs one.
