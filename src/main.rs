//! Arguments → app → exit code.

use std::process::ExitCode;

/// glibc keeps what a burst has freed: 19 MiB for each thread that ever hashed a password, and pieces of bodies. This one
/// gives it back within seconds (`benches/memory.rs`).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    restante::app::commands::run(std::env::args_os())
}
