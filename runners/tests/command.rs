//! Workers at the other end of a command, whatever the command does: a result, or a reason why there is none.

mod gvisor;
mod marked;

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use gvisor::{GVISOR, WITH_KEYRINGS, fetched, installed, path_with, programs};
use marked::await_processes;

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
        failing(
            "a_command_that_prints_what_is_no_text",
            r"sh -c 'printf \\377\\376\\001\\000some\\377\\n'",
            "it ended with exit status 0 (what is no text in UTF-8)",
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
            let args = ["--command", "timeout -s KILL 0.3 {}", "--jobs", "1", "--repeat", "5000", CASE];
            ends(&args, 1, "the worker died: it was killed by SIGKILL")
        }),
        Trial::test("a_command_that_prints_without_end", || {
            let begun = Instant::now();
            let chatter = "sh -c 'while sleep 0.01; do echo and another thing; done'";
            ends(&["--command", chatter, CASE], 3, "nothing was heard from the worker for 30 s")?;
            // It is not asked again, as one would be that fails at once.
            match begun.elapsed() {
                long if long > Duration::from_secs(50) => Err(format!("it took {long:?}").into()),
                _ => Ok(()),
            }
        }),
        // ssh(1) hands its words to a shell as one, and sshd(8) gives that a fresh environment.
        Trial::test("a_shell_as_ssh_starts_one", || {
            let ssh = r#"env -i sh -c 'echo Welcome; exec sh -c "$*"' ssh {}"#;
            ends(&["--command", ssh, CASE], 0, "1 passed")
        }),
        Trial::test("without_new_privileges", || {
            let case = "exec/file-capabilities";
            ends(&["--command", "setpriv --no-new-privs", CASE, case], 0, "no_new_privs is set here")
        }),
        Trial::ignorable_test("a_kernel_that_is_emulated", || {
            let emulator = "qemu-x86_64-static";
            if Command::new(emulator).arg("--version").output().is_err() {
                return Ok(Completion::ignored_with(format!("{emulator} is not installed")));
            }
            // It makes no namespaces.
            ends(&["--command", emulator, CASE], 3, "new namespaces are refused (EINVAL")?;
            Ok(Completion::Completed)
        }),
        Trial::test("a_silent_command_is_stopped", stopped),
        Trial::test("nothing_is_left_by_kill_9", killed),
        in_a_root("a_root_without_proc", "chroot .", 3, "/proc cannot be read, and is needed"),
        // The kernel makes no user namespaces below chroot(2).
        in_a_root(
            "a_changed_root",
            "sh -c 'mount -t proc proc proc && exec chroot . {}'",
            3,
            "new namespaces are refused (EPERM",
        ),
        in_a_root(
            "a_root_of_its_own",
            "sh -c 'mount -t proc proc proc && pivot_root . old && exec {}'",
            0,
            "1 passed",
        ),
    ];
    trials.push(Trial::ignorable_test("an_implementation_without_keys", || {
        Ok(match installed() {
            Err(why) => Completion::ignored_with(why),
            Ok(version) if *version >= *WITH_KEYRINGS => {
                Completion::ignored_with(format!("runsc {version} has session keyrings"))
            }
            Ok(_) => {
                ends(&["--command", GVISOR], 4, "the target has no key facility")?;
                Completion::Completed
            }
        })
    }));
    trials.push(Trial::ignorable_test("gvisor_deviates_as_recorded", || {
        let folder = match installed() {
            Err(why) => return Ok(Completion::ignored_with(why)),
            Ok(version) if *version >= *WITH_KEYRINGS => None,
            Ok(_) => match fetched() {
                Ok(folder) => Some(folder),
                Err(why) => return Ok(Completion::ignored_with(why)),
            },
        };
        let mut run = skc(&["--command", GVISOR]);
        if let Some(folder) = &folder {
            run.env("PATH", path_with(&programs(folder))?);
        }
        comes_to(&mut run, 0, "\ngvisor ")?;
        Ok(Completion::Completed)
    }));
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A command in a root that holds `skc` and nothing else, in a mount namespace of its own.
fn in_a_root(name: &str, command: &'static str, code: i32, told: &'static str) -> Trial {
    Trial::ignorable_test(name, move || {
        if !nix::unistd::geteuid().is_root() {
            return Ok(Completion::ignored_with("another root takes root"));
        }
        let root = tempfile::tempdir()?;
        for folder in ["proc", "old"] {
            fs::create_dir(root.path().join(folder))?;
        }
        fs::copy(env!("CARGO_BIN_EXE_skc"), root.path().join("skc"))?;
        let root = root.path().display();
        let command = format!(
            "unshare --mount sh -c 'mount --bind {root} {root} && cd {root} && exec \"$@\"' sh {command}"
        );
        ends(&["--command", &command, "--program", "/skc", CASE], code, told)?;
        Ok(Completion::Completed)
    })
}

fn skc(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
    command.arg("run").args(args).stdin(Stdio::null());
    command
}

/// A run comes to this exit code, and says this.
fn ends(args: &[&str], code: i32, told: &str) -> Result<(), Failed> {
    comes_to(&mut skc(args), code, told)
}

fn comes_to(run: &mut Command, code: i32, told: &str) -> Result<(), Failed> {
    let Output { status, stdout, stderr } = run.output()?;
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

fn stopped() -> Result<(), Failed> {
    let mark = tempfile::tempdir()?;
    let mut run = marked(mark.path(), &["--command", "sh -c 'exec sleep 1000'", CASE])?;
    await_processes(mark.path(), ENDING, |found| found.iter().any(|line| line.starts_with("sleep")))?;
    kill(Pid::from_raw(run.id() as i32), Signal::SIGTERM)?;
    let status = run.wait()?;
    let mut text = String::new();
    run.stderr.take().map(|mut stderr| stderr.read_to_string(&mut text)).transpose()?;
    if status.code() != Some(130) {
        return Err(format!("{status}: {text}").into());
    }
    await_processes(mark.path(), ENDING, <[String]>::is_empty)
}

fn killed() -> Result<(), Failed> {
    let mark = tempfile::tempdir()?;
    let wrapper = "sh -c 'setsid sleep 1000 & exec env {}'";
    let args = ["--command", wrapper, "--jobs", "3", "--repeat", "100000", CASE];
    let mut run = marked(mark.path(), &args)?;
    let count = |found: &[String]| found.iter().filter(|line| line.starts_with("sleep")).count();
    await_processes(mark.path(), ENDING, |found| count(found) == 3)?;
    run.kill()?;
    run.wait()?;
    await_processes(mark.path(), ENDING, <[String]>::is_empty)
}
