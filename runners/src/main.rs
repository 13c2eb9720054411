//! The `skc` program: command line, worker, process 1 of a virtual machine, and the actor
//! that a case executes, in one file.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // An actor must be nothing else: whatever happened before this would be seen in a case.
    harness::actor::invoked(std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()));
    if runners::guest::is_guest() {
        runners::guest::main();
    }
    cli::main()
}
