//! The `cedargate` program: parse arguments, run the command, map the error to an exit code.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cedargate::cli::main().into()
}
