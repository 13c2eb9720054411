//! The suite as others run it: by their own programs, from the folders that `make entrypoints` makes. What these make of a run
//! is what it was, failures included.

#[path = "../cli/fixture.rs"]
#[expect(dead_code, reason = "the tests of the command line use more of it")]
mod fixture;
mod kselftest;
mod tmt;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = [kselftest::trials(), tmt::trials()].into_iter().flatten().collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test of something that may not be here.
fn trial<T: 'static>(
    name: &str,
    find: fn() -> Result<T, String>,
    test: fn(T) -> Result<(), Failed>,
) -> Trial {
    Trial::ignorable_test(name, move || match find() {
        Err(why) => Ok(Completion::ignored_with(why)),
        Ok(found) => test(found).map(|()| Completion::Completed),
    })
}

/// If a program is on the path, or else why nothing can be tested.
fn installed(program: &str, package: &str) -> Result<(), String> {
    let mut version = Command::new(program);
    version.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match version.status().is_ok_and(|status| status.success()) {
        true => Ok(()),
        false => Err(format!("{program} is not installed (Debian's package {package})")),
    }
}

/// Copies a folder of ours, and the program into it.
fn copy(from: &str, to: &Path) -> Result<(), Failed> {
    let from: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("entrypoints").join(from);
    ends(Command::new("cp").arg("-r").arg(from).arg(to))?;
    fs::copy(env!("CARGO_BIN_EXE_skc"), to.join("skc"))?;
    Ok(())
}

/// Runs a program that has to succeed.
fn ends(command: &mut Command) -> Result<Output, Failed> {
    let output = command.stdin(Stdio::null()).output()?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("{command:?}: {}: {}", output.status, said(&output)).into()),
    }
}

/// All that a program printed.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn same<T: PartialEq + std::fmt::Debug>(found: T, wanted: T, told: &str) -> Result<(), Failed> {
    match found == wanted {
        true => Ok(()),
        false => Err(format!("found  {found:?}\nwanted {wanted:?}\n{told}").into()),
    }
}
