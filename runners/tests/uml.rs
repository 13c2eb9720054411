//! The suite on User Mode Linux: it comes out as recorded, what cannot be booted is told, and nothing is left.
//! Ignored, with the reason, where linux.uml is not installed.

mod marked;

use std::fs;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use marked::await_processes;

/// A case that plays everywhere.
const CASE: &str = "join/anonymous";
/// How long machines may take to be there, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a test does.
type Test = fn() -> Result<(), Failed>;

fn main() -> ExitCode {
    let tests: [(&str, Test); 6] = [
        ("all_cases_come_out_as_expected", || ends(&[], 0, "uml: ")),
        ("a_machine_has_the_memory_that_is_asked_for", || {
            ends(&["--memory", "16", CASE], 3, "User Mode Linux")
        }),
        ("arguments_reach_the_kernel", || {
            ends(
                &["--append", "rdinit=/none1", CASE],
                3,
                "3 boots failed; in the last one User Mode Linux was killed by SIGABRT",
            )
        }),
        ("options_that_have_no_say_are_named", || {
            ends(&["--smp", "2", CASE], 0, "--smp and --accel have no say")
        }),
        ("every_case_may_have_a_machine", || ends(&["--fresh-vm", "join/anonymous*"], 0, "OK")),
        ("nothing_is_left_by_kill_9", nothing_is_left_by_kill_9),
    ];
    let mut trials: Vec<Trial> = tests
        .into_iter()
        .map(|(name, test)| Trial::ignorable_test(name, move || where_possible(test)))
        .collect();
    trials.push(Trial::test("a_missing_program_is_named_with_its_package", || {
        let Output { status, stderr, .. } = skc(&[CASE]).env("PATH", "/nowhere").output()?;
        let text = String::from_utf8_lossy(&stderr);
        let told = text.contains("linux.uml is not installed: it is in Debian's package user-mode-linux");
        if status.code() != Some(3) || !told {
            return Err(format!("{status}: {text}").into());
        }
        Ok(())
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn where_possible(test: Test) -> Result<Completion, Failed> {
    match missing() {
        Some(why) => Ok(Completion::ignored_with(why)),
        None => test().map(|()| Completion::Completed),
    }
}

/// Why no machine can be started here.
fn missing() -> Option<&'static str> {
    static MISSING: OnceLock<Option<&str>> = OnceLock::new();
    *MISSING.get_or_init(|| {
        if Command::new("linux.uml").arg("--version").stdout(Stdio::null()).status().is_err() {
            return Some("linux.uml is not here (Debian package user-mode-linux)");
        }
        // Any other failure is one of the tests.
        let output = skc(&[CASE]).output().ok()?;
        String::from_utf8_lossy(&output.stderr)
            .contains("as many registers as this one has")
            .then_some("linux.uml cannot run programs on a processor with AMX, as this one is")
    })
}

fn skc(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
    command.args(["run", "--kernel", "uml"]).args(args).stdin(Stdio::null());
    command
}

/// A run comes to this exit code, and says this.
fn ends(args: &[&str], code: i32, told: &str) -> Result<(), Failed> {
    let Output { status, stdout, stderr } = skc(args).output()?;
    let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    if status.code() != Some(code) || !text.contains(told) {
        return Err(format!("{status}, and not {code} with `{told}`:\n{text}").into());
    }
    Ok(())
}

/// The machines write wherever they may: so the run has a home and a place for files of its own.
fn nothing_is_left_by_kill_9() -> Result<(), Failed> {
    let place = tempfile::tempdir()?;
    let mut command = skc(&["--jobs", "2", "--repeat", "100000", CASE]);
    command.env("HOME", place.path()).env("TMPDIR", place.path()).current_dir(place.path());
    let mut run: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let machines = |found: &[String]| found.iter().filter(|line| line.starts_with("linux.uml")).count();
    let there = await_processes(place.path(), PATIENCE, |found| machines(found) >= 8);
    run.kill()?;
    run.wait()?;
    there?;
    await_processes(place.path(), PATIENCE, <[String]>::is_empty)?;
    let left: Vec<_> = fs::read_dir(place.path())?.flatten().map(|entry| entry.path()).collect();
    if !left.is_empty() {
        return Err(format!("there are {left:?}").into());
    }
    Ok(())
}
