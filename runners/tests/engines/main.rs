//! Programs of others that drive `skc`: git, and the engines of CI and distributions. Each is the real one.
//!
//! Engines that want a system of their own have one (`make engines`), in which they are started and with which they
//! end. What is not installed is not tested, and the test says so.

mod bisect;
mod common;
mod distributions;
mod lava;
mod slurm;

use std::process::ExitCode;

use libtest_mimic::Arguments;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // They are machines and clusters: each has the processors for itself.
    arguments.test_threads.get_or_insert(1);
    let trials = [bisect::trials(), lava::trials(), slurm::trials(), distributions::trials()]
        .into_iter()
        .flatten()
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
