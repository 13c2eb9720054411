//! Kernels in virtual machines: each way in which one can be sound, wrong, dead or absent has its result.
//!
//! Kernels of the catalogue are fetched when they are not there. Without QEMU, or without them, tests are
//! ignored with the reason. Those with deliberate faults are played on the kernel that `tests/faults` tells
//! how to build: it is called `faults`, or what SKC_FAULTS says.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// The program that boots kernels.
const QEMU: &str = "qemu-system-x86_64";
/// Two series far apart.
const OLD: &str = "debian-5.10";
const NEW: &str = "debian-6.12";
/// A case that plays everywhere.
const CASE: &str = "join/anonymous";
/// One that joins a keyring by this name.
const NAMED: &str = "join/named-new";
/// How many cases have passed when something happens to a run of more than twice as many.
const AMID: usize = 20;
/// How long processes may take to end.
const ENDING: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // Each of them has machines of its own.
    arguments.test_threads.get_or_insert(1);
    let mut trials = vec![
        machine("the_suite_on_two_series", the_suite),
        machine("a_machine_for_each_case", || {
            run(&["--kernel", NEW, "--fresh-vm", "parent/single-threaded", "request", CASE]).ends(0, "qemu")
        }),
        machine("what_a_case_leaves_is_put_back", || what_is_left(LEFT, 1)),
        machine("what_a_case_brings_is_taken_away", || what_is_left(BROUGHT, 1)),
        machine("a_machine_goes_with_what_cannot_be_put_back", || what_is_left(LEFT_FOR_GOOD, 2)),
        machine("a_machine_goes_with_files_that_programs_change", || what_is_left(WRITTEN, 2)),
        machine("programs_of_this_system", || {
            // What is not installed is skipped.
            run(&["--kernel", NEW, CASE, "keyctl/show", "keyctl/request-debug", "pam/su"]).ends(0, "qemu")
        }),
        machine("too_little_memory", || {
            // Kernels say one thing or another of it, or nothing.
            [NEW, OLD].iter().try_for_each(|kernel| {
                let run = run(&["--kernel", kernel, "--memory", "64", "--boot-timeout", "30s", CASE]);
                run.ends(3, "t may have too little memory")
            })
        }),
        machine("too_little_memory_for_the_programs", || {
            let run = run(&["--kernel", NEW, "--memory", "16", "--boot-timeout", "30s", CASE]);
            run.ends(3, "too little memory for what is packed with it: --memory gives more")
        }),
        machine("no_process_1", || {
            // The kernel then looks for a disk, which there is none of.
            run(&["--kernel", NEW, "--append", "rdinit=/none", CASE])
                .ends(3, "or be told of another init by --append")
        }),
        machine("a_console_that_cannot_be_heard", || {
            run(&["--kernel", NEW, "--append", "loglevel=0", CASE])
                .ends(0, "if it complains, that is not seen")
        }),
        machine("a_kernel_that_prints_where_records_come", || {
            let run = run(&["--kernel", NEW, "--append", "console=ttyS1 ignore_loglevel", CASE, NAMED]);
            run.ends(0, "2 passed")
        }),
        machine("a_panic_is_the_verdict_of_its_case", a_panic),
        machine("a_boot_that_fails_once_is_tried_again", || {
            let wrapper = Wrapper::new(
                "if [ ! -e $HERE/again ]; then touch $HERE/again; echo 'kernel panic' >/dev/fd/4; exit 0; fi",
            )?;
            wrapper.run(&["--accel", "tcg", "--kernel", NEW, CASE]).ends(0, "1 passed")
        }),
        machine("boots_that_always_fail", || {
            let wrapper = Wrapper::new("echo 'Oops: no way' >/dev/fd/4; exit 0")?;
            let run = wrapper.run(&["--accel", "tcg", "--kernel", NEW, CASE]);
            run.ends(
                3,
                "3 boots failed; in the last one QEMU ended with exit status 0 before the guest was ready; \
                         the console ends:\n    Oops: no way",
            )
        }),
        machine("a_qemu_that_complains_itself", || {
            let wrapper = Wrapper::new("echo 'no such machine' >&2; exit 1")?;
            wrapper
                .run(&["--accel", "tcg", "--kernel", NEW, CASE])
                .ends(3, "exit status 1 before the guest was ready: no such machine")
        }),
        machine("a_guest_that_says_nothing", || {
            let wrapper = Wrapper::new("exec sleep 1000")?;
            let run = wrapper.run(&["--accel", "tcg", "--kernel", NEW, "--boot-timeout", "1s", CASE]);
            run.ends(3, "the guest said nothing at all")
        }),
        machine("a_kernel_that_cannot_be_had_stops_no_other", || {
            let wrapper = Wrapper::new("case \"$*\" in *debian-5.10*) echo 'not here' >&2; exit 1; esac")?;
            let run = wrapper.run(&["--accel", "tcg", "--kernel", OLD, "--kernel", NEW, CASE]);
            run.says("debian-5.10")?;
            run.says("not tested")?;
            run.ends(3, "1 of 2 kernels as expected, 1 not tested")
        }),
        machine("a_kernel_is_booted_once_for_all_runs", booted_once),
        machine("a_machine_that_cannot_be_saved", || {
            // A device whose state QEMU does not know how to save.
            let wrapper = Wrapper::new("MORE='-device nvme,serial=none'")?;
            let run = wrapper.run(&["--accel", "tcg", "--kernel", NEW, "--jobs", "2", CASE, NAMED]);
            run.says("each machine is booted, because none can be copied")?;
            run.ends(0, "2 passed")
        }),
        machine("a_qemu_that_cannot_share_memory", || {
            let wrapper = Wrapper::new(
                "case \"$*\" in *ivshmem*) echo \"'ivshmem-plain' is not a valid device model name\" >&2; exit 1; esac",
            )?;
            wrapper.run(&["--accel", "tcg", "--kernel", NEW, "--jobs", "2", CASE, NAMED]).ends(0, "2 passed")
        }),
        machine("a_kernel_that_finds_no_shared_memory", || {
            run(&["--kernel", NEW, "--append", "pci=off", "--jobs", "2", CASE, NAMED]).ends(0, "2 passed")
        }),
        machine("each_kernel_is_held_against_its_own_baseline", baselines),
        machine("machines_that_are_killed", machines_that_are_killed),
        machine("nothing_is_left_by_kill_9", nothing_is_left),
        Trial::test("a_file_that_is_no_kernel", || {
            run(&["--kernel", "/etc/passwd", CASE]).ends(2, "/etc/passwd")
        }),
        Trial::test("a_name_that_nothing_has", || {
            run(&["--kernel", "debain-6.12", CASE]).ends(2, "did you mean `debian-6.12`?")
        }),
        machine("without_qemu", || {
            let kernel = fetched().ok_or("a kernel that was fetched has no path")?;
            let mut command = skc(&["--kernel", &kernel, CASE]);
            Run::of(command.env("PATH", "/nonexistent")).ends(3, "qemu-system-x86_64 is not installed")
        }),
    ];
    for (fault, code, told) in [
        ("wrong-serial", 1, "FAIL"),
        ("oops", 1, "CRASH"),
        ("oops-later", 1, "CRASH"),
        ("bug", 1, "CRASH"),
        ("panic", 1, "Kernel panic - not syncing: keys"),
        ("warn", 1, "CRASH"),
        ("refcount", 1, "CRASH"),
        ("taint", 1, "skc guest: the kernel is tainted"),
        ("atomic-sleep", 1, "CRASH"),
        ("sleep", 1, "CRASH"),
        ("reboot", 1, "CRASH"),
        ("power-off", 1, "CRASH"),
        ("hang", 1, "TIMEOUT"),
        ("frame", 0, "2 passed"),
        ("noise", 0, "2 passed"),
        ("slow", 0, "2 passed"),
        ("frame-records", 3, "BROKEN"),
        ("torn-records", 3, "BROKEN"),
    ] {
        trials.push(faulty(fault, code, told));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A test that takes QEMU and kernels.
fn machine(name: &str, test: impl Fn() -> Result<(), Failed> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match missing() {
        Some(why) => Ok(Completion::ignored_with(why)),
        None => test().map(|()| Completion::Completed),
    })
}

/// Why no machine can be started here.
fn missing() -> Option<String> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    MISSING
        .get_or_init(|| {
            if Command::new(QEMU).arg("--version").output().is_err() {
                return Some(format!("{QEMU} is not installed (Debian's package qemu-system-x86)"));
            }
            let mut fetch = Command::new(env!("CARGO_BIN_EXE_skc"));
            let output = fetch.args(["kernels", "fetch", OLD, NEW]).output();
            match output {
                Ok(output) if output.status.success() => None,
                Ok(output) => {
                    let text = String::from_utf8_lossy(&output.stderr).into_owned();
                    Some(format!("the kernels cannot be had: {}", text.lines().last().unwrap_or_default()))
                }
                Err(error) => Some(error.to_string()),
            }
        })
        .clone()
}

/// The path of a kernel that is here already.
fn fetched() -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_skc")).args(["kernels", "path", NEW]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A test on the kernel with faults, in which this one strikes when a keyring is joined by name.
fn faulty(fault: &'static str, code: i32, told: &'static str) -> Trial {
    Trial::ignorable_test(format!("fault_{}", fault.replace('-', "_")), move || {
        let kernel = std::env::var("SKC_FAULTS").unwrap_or_else(|_| "faults".into());
        let known = Command::new(env!("CARGO_BIN_EXE_skc")).args(["kernels", "path", &kernel]).output()?;
        if !known.status.success() && !Path::new(&kernel).exists() {
            return Ok(Completion::ignored_with("there is no kernel called faults: tests/faults/README.md"));
        }
        if let Some(why) = missing() {
            return Ok(Completion::ignored_with(why));
        }
        let append = format!("keys_fault={fault}:web");
        let run = run(&[
            "--accel",
            "tcg",
            "--kernel",
            &kernel,
            "--append",
            &append,
            "--timeout",
            "3s",
            NAMED,
            CASE,
        ]);
        // What does not join by that name is not to blame.
        run.says(if code == 0 { "2 passed" } else { "1 passed" })?;
        run.ends(code, told).map(|()| Completion::Completed)
    })
}

fn skc(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
    command.arg("run").args(args).stdin(Stdio::null());
    command
}

/// What a run came to.
struct Run {
    code: Option<i32>,
    text: String,
}

fn run(args: &[&str]) -> Run {
    Run::of(&mut skc(args))
}

impl Run {
    fn of(command: &mut Command) -> Run {
        match command.output() {
            Ok(Output { status, stdout, stderr }) => {
                let text = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
                Run { code: status.code(), text }
            }
            Err(error) => Run { code: None, text: error.to_string() },
        }
    }

    fn says(&self, told: &str) -> Result<(), Failed> {
        match self.text.contains(told) {
            true => Ok(()),
            false => Err(format!("nothing is said of `{told}`:\n{}", self.text).into()),
        }
    }

    /// The exit code, and something that is said.
    fn ends(&self, code: i32, told: &str) -> Result<(), Failed> {
        if self.code != Some(code) {
            return Err(format!("exit code {:?}, and not {code}:\n{}", self.code, self.text).into());
        }
        self.says(told)
    }
}

/// A run to which something happens meanwhile, however fast it is.
struct Running {
    child: Child,
    output: BufReader<ChildStdout>,
    text: String,
}

impl Running {
    /// Starts a run that is verbose.
    fn start(mut command: Command) -> Result<Running, Failed> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("no output")?);
        Ok(Running { child, output, text: String::new() })
    }

    /// Waits until so many cases have passed.
    fn await_passes(&mut self, count: usize) -> Result<(), Failed> {
        let mut passes = 0;
        while passes < count {
            let before = self.text.len();
            if self.output.read_line(&mut self.text)? == 0 {
                return Err(format!("the run ended after {passes} passes:\n{}", self.text).into());
            }
            passes += usize::from(self.text[before..].starts_with("pass "));
        }
        Ok(())
    }

    fn wait(mut self) -> Result<Run, Failed> {
        self.output.read_to_string(&mut self.text)?;
        Ok(Run { code: self.child.wait()?.code(), text: self.text })
    }
}

/// A QEMU that does something else first.
struct Wrapper {
    folder: tempfile::TempDir,
}

impl Wrapper {
    /// What a shell does before it becomes QEMU; $HERE is a folder of the test's own.
    fn new(first: &str) -> Result<Wrapper, Failed> {
        let folder = tempfile::tempdir()?;
        let path = std::env::var("PATH")?;
        let here = folder.path().display();
        let script = format!("#!/bin/sh\nHERE={here}\nPATH={path}\n{first}\nexec {QEMU} \"$@\" $MORE\n");
        let file = folder.path().join(QEMU);
        fs::write(&file, script)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        Ok(Wrapper { folder })
    }

    fn command(&self, args: &[&str]) -> Command {
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap_or_default());
        // It comes to nobody else, so no guest of its is worth keeping.
        let mut command = skc(&[args, &["--cold-boot"]].concat());
        command.env("PATH", path);
        command
    }

    fn run(&self, args: &[&str]) -> Run {
        Run::of(&mut self.command(args))
    }
}

/// Every case passes, or is skipped for a reason that is no VM's, or deviates as recorded.
fn the_suite() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().display().to_string();
    run(&["--kernel", OLD, "--kernel", NEW, "--report", &report]).ends(0, "2 of 2 kernels as expected")?;
    for kernel in [OLD, NEW] {
        let report: Value =
            serde_json::from_str(&fs::read_to_string(folder.path().join(kernel).join("report.json"))?)?;
        let text = report.to_string();
        let series = kernel.trim_start_matches("debian-");
        if !text.contains(&format!("\"release\":\"{series}.")) || !text.contains("\"place\":\"qemu ") {
            return Err(format!("{kernel}: the report is of another target").into());
        }
        if text.contains("run it in a VM") {
            return Err(format!("{kernel}: a case that takes a VM was skipped in one").into());
        }
    }
    Ok(())
}

/// A limit, and keys in the user keyrings of root and of another user.
const LEFT: &str = "needs: [init-user-namespace-root]
actors: {root: {uid: 0}, alice: {uid: 1000}}
steps:
  - root: set_proc_sys_keys(\"maxkeys\", 7) = 0
  - root: add_key(\"user\", \"left\", \"v\", @u) = ok
  - alice: add_key(\"user\", \"left\", \"v\", @u) = ok
";
/// Rules for the whole machine, and what they have its root do.
const BROUGHT: &str = "needs: [request-key-program]
programs: [keyctl]
files: {/etc/request-key.conf: 'create user * * /bin/keyctl negate %k 7200 %S', /etc/left/new: ''}
actors: {alice: {uid: 1000}}
steps:
  - alice: run_status(\"keyctl\", \"request2\", \"user\", \"k\", \"callout\") = 1
  - alice: request_key(\"user\", \"k\", NULL, 0) = ENOKEY
";
/// A file of the machine.
const WRITTEN: &str = "needs: [init-user-namespace-root]
actors: {root: {uid: 0}}
steps:
  - root: run(\"sh\", \"-c\", \"true >/usr/left\") = \"\"
";
/// A persistent keyring, which is there for days.
const LEFT_FOR_GOOD: &str = "needs: [init-user-namespace-root, persistent-keyrings]
actors: {alice: {uid: 1000}}
steps:
  - alice: get_persistent(-1, @s) = ok
";

/// A case leaves this on its machine. Another, which finds that nothing is left, plays on the last of so many machines.
fn what_is_left(left: &str, machines: usize) -> Result<(), Failed> {
    const LOOKS: &str = "needs: [init-user-namespace-root]
actors: {root: {uid: 0}, alice: {uid: 1000}}
steps:
  - root: proc_sys_keys(\"maxkeys\") = 200
  - root: search(@u, \"user\", \"left\", 0) = ENOKEY
  - alice: search(@u, \"user\", \"left\", 0) = ENOKEY
";
    let cases = tempfile::tempdir()?;
    for (name, text) in [("leaves", left), ("looks", LOOKS)] {
        fs::write(
            cases.path().join(format!("{name}.yaml")),
            format!("title: It {name}\ncovers: [S2P-01]\n{text}"),
        )?;
    }
    let folder = cases.path().display().to_string();
    let wrapper = Wrapper::new("case \" $* \" in *' -incoming '*) echo >>$HERE/copies;; esac")?;
    let order = ["--jobs", "1", "--order", "name"];
    wrapper
        .run(&[&["--accel", "tcg", "--kernel", NEW, "--cases", &folder], &order[..]].concat())
        .ends(0, "2 passed")?;
    let copies = fs::read_to_string(wrapper.folder.path().join("copies"))?.lines().count();
    match copies == machines {
        true => Ok(()),
        false => Err(format!("{copies} machines played, and not {machines}").into()),
    }
}

/// A guest goes on in later runs, each of which has keys of its own; where it is damaged or not wanted, another is booted.
fn booted_once() -> Result<(), Failed> {
    let wrapper = Wrapper::new(
        "case \" $* \" in *' -incoming '*) ! rm $HERE/refuse 2>/dev/null || exit 1;; *) echo >>$HERE/boots;; esac",
    )?;
    let kernel = fetched().ok_or("a kernel that was fetched has no path")?;
    let here = wrapper.folder.path();
    let (cache, report) = (here.join("cache"), here.join("report"));
    let mut serials = BTreeSet::new();
    let mut boots_by = |more: &[&str]| -> Result<usize, Failed> {
        let before = fs::read_to_string(here.join("boots")).unwrap_or_default().lines().count();
        let args = ["--accel", "tcg", "--kernel", &kernel, CASE, "--report"];
        let mut command =
            skc(&[&args[..], &[report.to_str().ok_or("a path that is no text")?], more].concat());
        let path = format!("{}:{}", here.display(), std::env::var("PATH")?);
        Run::of(command.env("PATH", path).env("SKC_CACHE", &cache)).ends(0, "1 passed")?;
        let records = fs::read_to_string(report.join("records.jsonl"))?;
        let record: Value = serde_json::from_str(records.lines().nth(1).ok_or("no record")?)?;
        serials.insert(record["case"]["steps"][0]["observed"]["text"].to_string());
        fs::remove_dir_all(&report)?;
        Ok(fs::read_to_string(here.join("boots"))?.lines().count() - before)
    };
    let mut came = vec![boots_by(&[])?, boots_by(&[])?, boots_by(&["--cold-boot"])?];
    came.extend([boots_by(&["--append", "nosmp"])?, boots_by(&["--append", "nosmp"])?]);
    for guest in fs::read_dir(cache.join("guests"))? {
        let guest = fs::File::options().write(true).open(guest?.path())?;
        guest.set_len(guest.metadata()?.len() - 1)?;
    }
    came.extend([boots_by(&[])?, boots_by(&[])?]);
    fs::write(here.join("refuse"), "once")?;
    came.extend([boots_by(&[])?, boots_by(&[])?]);
    match (came.as_slice(), serials.len()) {
        ([1, 0, 1, 1, 0, 1, 0, 1, 0], 9) => Ok(()),
        (came, serials) => Err(format!("boots: {came:?}, and {serials} serial numbers of 9").into()),
    }
}

/// What one kernel did before says nothing of another.
fn baselines() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let old = folder.path().display().to_string();
    let kernels = ["--accel", "tcg", "--kernel", OLD, "--kernel", NEW];
    run(&[&kernels[..], &["--report", &old, CASE]].concat()).ends(0, "2 of 2 kernels as expected")?;
    let again = [&kernels[..], &["--baseline", &old, CASE, NAMED]].concat();
    run(&again).ends(0, NAMED)?;
    // A case that one of them has passed, and that cannot be played any more.
    let records = folder.path().join(OLD).join("records.jsonl");
    let text = fs::read_to_string(&records)?;
    fs::write(&records, text.replace("\"verdict\":\"pass\"", "\"verdict\":\"fail\""))?;
    let run = run(&again);
    run.says("1 fix, ")?;
    run.ends(0, OLD)
}

/// A kernel panics in a case that runs; the others play on other machines.
fn a_panic() -> Result<(), Failed> {
    // An interrupt that the kernel was told to panic of, when a machine has run for a while.
    let wrapper = Wrapper::new(
        "case \"$*\" in *incoming*) [ -e $HERE/once ] || { touch $HERE/once; MORE=\"-qmp unix:$HERE/qmp,server,nowait\"; }; esac",
    )?;
    // None of these cases takes a machine of its own: the first one plays them all.
    let args = [
        "--accel",
        "tcg",
        "--kernel",
        NEW,
        "--append",
        "unknown_nmi_panic",
        "--jobs",
        "1",
        "--order",
        "name",
        "--verbose",
        "link",
        "possession",
    ];
    let mut running = Running::start(wrapper.command(&args))?;
    running.await_passes(AMID)?;
    inject(&wrapper.folder.path().join("qmp"))?;
    let run = running.wait()?;
    // It does not panic again, and no case is lost.
    run.says("Kernel panic - not syncing: NMI")?;
    run.says("and not when the case was played again")?;
    run.ends(1, "1 crashed")?;
    match run.text.contains("never ran") || run.text.contains("broken") {
        true => Err(format!("cases were lost:\n{}", run.text).into()),
        false => Ok(()),
    }
}

fn inject(socket: &Path) -> Result<(), Failed> {
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    for command in ["qmp_capabilities", "inject-nmi"] {
        lines.next().ok_or("the monitor is silent")??;
        writeln!(stream, "{{\"execute\": \"{command}\"}}")?;
    }
    lines.next().ok_or("the monitor is silent")??;
    Ok(())
}

/// Machines that go away by no fault of the kernel: their cases are broken, and all others play.
fn machines_that_are_killed() -> Result<(), Failed> {
    let mark = tempfile::tempdir()?;
    let args = ["--accel", "tcg", "--kernel", NEW, "--jobs", "2", "--verbose", "join"];
    let mut command = skc(&args);
    command.env("SKC_TEST_MARK", mark.path());
    let mut running = Running::start(command)?;
    running.await_passes(AMID)?;
    await_that("two machines", ENDING, || copies(mark.path()).len() == 2)?;
    for process in copies(mark.path()) {
        kill(Pid::from_raw(process), Signal::SIGKILL)?;
    }
    let run = running.wait()?;
    run.says("the worker died: it was killed by SIGKILL")?;
    run.ends(3, "BROKEN")?;
    match run.text.contains("never ran") || run.text.contains("crashed") {
        true => Err(format!("cases were lost, or the kernel was blamed:\n{}", run.text).into()),
        false => Ok(()),
    }
}

fn nothing_is_left() -> Result<(), Failed> {
    let mark = tempfile::tempdir()?;
    let cold = [300, 1500, 6000].map(|wait| (wait, &["--cold-boot"][..]));
    let recalled = [300, 1500].map(|wait| (wait, &[][..]));
    for (wait, more) in cold.into_iter().chain(recalled) {
        let mut child = skc(&[&["--accel", "tcg", "--kernel", NEW], more].concat())
            .env("SKC_TEST_MARK", mark.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        thread::sleep(Duration::from_millis(wait));
        child.kill()?;
        child.wait()?;
        await_that("the end of all processes", ENDING, || marked(mark.path()).is_empty())?;
    }
    Ok(())
}

/// The processes with the mark in their environment, and their command lines.
fn marked(mark: &Path) -> Vec<(i32, String)> {
    let mark = mark.to_string_lossy().into_owned();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = entries.filter_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let words = fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&environment)
            .contains(&mark)
            .then(|| (process, String::from_utf8_lossy(&words).replace('\0', " ")))
    });
    found.collect()
}

/// The processes of QEMU that are copies of a machine.
fn copies(mark: &Path) -> Vec<i32> {
    let is_copy = |line: &str| line.starts_with(QEMU) && line.contains("-incoming");
    marked(mark).into_iter().filter(|(_, line)| is_copy(line)).map(|(process, _)| process).collect()
}

fn await_that(what: &str, limit: Duration, mut holds: impl FnMut() -> bool) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    while !holds() {
        if Instant::now() > deadline {
            return Err(format!("{what}: not within {} s", limit.as_secs()).into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
