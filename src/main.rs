//! The `cedargate` program: parse arguments, run the command, map the error to an exit code.

fn main() {}
