//! The s3stack program.

use std::process::ExitCode;

fn main() -> ExitCode {
    s3stack::cli::run(std::env::args_os())
}
