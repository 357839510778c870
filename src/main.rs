//! Arguments → app → exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    restante::app::commands::run(std::env::args_os())
}
