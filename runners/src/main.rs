//! The `skc` program: command line, worker, process 1 of a virtual machine, and the actor
//! that a case executes, in one file.

mod cli;
mod early;

use std::process::ExitCode;

fn main() -> ExitCode {
    if runners::guest::is_guest() {
        runners::guest::main();
    }
    cli::main()
}
