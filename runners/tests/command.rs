//! Workers at the other end of a command, whatever the command does: a result, or a reason why there is none.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A case that plays everywhere.
const CASE: &str = "join/anonymous";
/// How long processes may take to end.
const ENDING: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let failing = |name: &str, command: &'static str, told: &'static str| {
        Trial::test(name, move || ends(&["--command", command, CASE], 3, told))
    };
    let mut trials = vec![
        failing("a_command_that_does_nothing", "true", "it ended with exit status 0"),
        failing(
            "a_command_that_fails",
            "sh -c 'echo no way >&2; exit 9'",
            "it ended with exit status 9 (no way)",
        ),
        failing("a_command_that_answers_with_the_question", "sh -c cat", "holds no message of this protocol"),
        failing(
            "a_forged_frame",
            r"sh -c 'printf \\001skc\ 00000000\ x\ 1\ y\\n; exec {}'",
            "a frame was damaged",
        ),
        failing(
            "a_missing_program",
            "no-such-program-1",
            "no-such-program-1 cannot be started: No such file",
        ),
        Trial::test("a_quote_without_its_end", || {
            ends(&["--command", "sh 'x", CASE], 2, "a quote without its end")
        }),
        Trial::test("a_wrapper_that_prints_first", || {
            let wrapper = "sh -c 'echo Welcome; echo to you >&2; exec {}'";
            ends(&["--command", wrapper, CASE, "--format", "json"], 0, wrapper)
        }),
        Trial::test("an_implementation_of_ones_own", || {
            ends(&["--command", "env", "--implementation", "mine=2.1", CASE], 0, "mine")
        }),
        Trial::test("a_command_that_dies_amid_cases", || {
            let args = ["--command", "timeout -s KILL 0.3 {}", "--jobs", "1", "--repeat", "300", CASE];
            ends(&args, 1, "the worker died: it was killed by SIGKILL")
        }),
        Trial::test("a_silent_command_is_stopped", stopped),
        Trial::test("nothing_is_left_by_kill_9", killed),
        Trial::ignorable_test("a_root_without_proc", || {
            if !nix::unistd::geteuid().is_root() {
                return Ok(Completion::ignored_with("chroot(8) takes root"));
            }
            let root = tempfile::tempdir()?;
            fs::copy(env!("CARGO_BIN_EXE_skc"), root.path().join("skc"))?;
            let command = format!("chroot {}", root.path().display());
            ends(
                &["--command", &command, "--program", "/skc", CASE],
                3,
                "/proc cannot be read, and is needed",
            )?;
            Ok(Completion::Completed)
        }),
    ];
    trials.push(Trial::ignorable_test("gvisor_deviates_as_recorded", || {
        if let Some(why) = no_gvisor() {
            return Ok(Completion::ignored_with(why));
        }
        ends(&["--command", "runsc --network=none do"], 0, "gvisor")?;
        Ok(Completion::Completed)
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Why the suite cannot be played on gVisor here.
fn no_gvisor() -> Option<String> {
    let Ok(output) = Command::new("runsc").arg("--version").output() else {
        return Some("runsc is not installed".into());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let date =
        text.split(|char: char| !char.is_ascii_digit()).find(|word| word.len() == 8).unwrap_or_default();
    if date < "20240729" {
        return Some(format!("runsc {date} has no session keyrings: 20240729 does"));
    }
    let works = Command::new("runsc").args(["--network=none", "do", "true"]).output();
    (!works.is_ok_and(|output| output.status.success())).then(|| "runsc does not work here".into())
}

fn skc(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
    command.arg("run").args(args).stdin(Stdio::null());
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

/// A run whose processes can be told by a text in their environment.
fn marked(mark: &Path, args: &[&str]) -> std::io::Result<Child> {
    skc(args).env("SKC_TEST_MARK", mark).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()
}

/// The processes that have the mark.
fn processes(mark: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = entries.filter(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&*mark.to_string_lossy())
    });
    marked.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok()).collect()
}

fn await_processes(mark: &Path, enough: impl Fn(&[String]) -> bool) -> Result<(), Failed> {
    let deadline = Instant::now() + ENDING;
    loop {
        let found = processes(mark);
        if enough(&found) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("there are {found:?}").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn stopped() -> Result<(), Failed> {
    let mark = tempfile::tempdir()?;
    let mut run = marked(mark.path(), &["--command", "sh -c 'exec sleep 1000'", CASE])?;
    await_processes(mark.path(), |found| found.iter().any(|line| line.starts_with("sleep")))?;
    kill(Pid::from_raw(run.id() as i32), Signal::SIGTERM)?;
    let status = run.wait()?;
    let mut text = String::new();
    run.stderr.take().map(|mut stderr| stderr.read_to_string(&mut text)).transpose()?;
    if status.code() != Some(130) {
        return Err(format!("{status}: {text}").into());
    }
    await_processes(mark.path(), <[String]>::is_empty)
}

fn killed() -> Result<(), Failed> {
    let mark = tempfile::tempdir()?;
    let wrapper = "sh -c 'setsid sleep 1000 & exec env {}'";
    let args = ["--command", wrapper, "--jobs", "3", "--repeat", "100000", CASE];
    let mut run = marked(mark.path(), &args)?;
    let count = |found: &[String]| found.iter().filter(|line| line.starts_with("sleep")).count();
    await_processes(mark.path(), |found| count(found) == 3)?;
    run.kill()?;
    run.wait()?;
    await_processes(mark.path(), <[String]>::is_empty)
}
