//! `git bisect run` over histories whose kernels are right, wrong, dead or not built.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::common::{Cases, NEW, OLD, Output, SKC, is_installed, kernel, no_machine, run, trial};

pub(crate) fn trials() -> Vec<Trial> {
    let without_git = || (!is_installed("git")).then(|| "git is not installed".to_owned());
    vec![
        trial("bisect_finds_the_commit_that_broke_it", without_git, the_first_bad_commit),
        trial(
            "bisect_finds_the_commit_that_mended_it",
            move || without_git().or_else(no_machine),
            the_mending,
        ),
        trial("bisect_stops_at_a_mistake_of_the_command_line", without_git, a_mistake),
        trial("bisect_says_what_cannot_be_tested", without_git, what_cannot_be_tested),
    ]
}

/// A repository with a commit for each state of its files.
struct History {
    folder: TempDir,
    commits: Vec<String>,
}

impl History {
    fn new() -> Result<History, Failed> {
        let history = History { folder: tempfile::tempdir()?, commits: Vec::new() };
        history.git(&["init", "--quiet", "."])?;
        Ok(history)
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, args: &[&str]) -> Output {
        let mut git = Command::new("git");
        git.args(args).current_dir(self.path());
        // Nobody's settings, hooks or names.
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("LC_ALL", "C");
        for who in ["AUTHOR", "COMMITTER"] {
            git.env(format!("GIT_{who}_NAME"), "nobody").env(format!("GIT_{who}_EMAIL"), "nobody@invalid");
        }
        run(&mut git)
    }

    fn git(&self, args: &[&str]) -> Result<String, Failed> {
        let output = self.command(args);
        output.ends(0).map(|()| output.out)
    }

    fn commit(&mut self, says: &str) -> Result<(), Failed> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", says])?;
        self.commits.push(self.git(&["rev-parse", "HEAD"])?.trim().to_owned());
        Ok(())
    }

    /// Runs the bisection between the last commit and the first, and holds it to its result.
    fn is_first(&self, terms: [&str; 2], command: &[&str], commit: usize) -> Result<Output, Failed> {
        let (last, first) = (self.commits.last().ok_or("no commit")?, &self.commits[0]);
        let [old, new] = terms;
        self.git(&["bisect", "start", "--term-old", old, "--term-new", new, last, first])?;
        let found = self.command(&[&["bisect", "run", SKC, "bisect-run"], command].concat());
        found.ends(0)?;
        found.says(&format!("{} is the first {new} commit", self.commits[commit]))?;
        Ok(found)
    }

    fn log(&self) -> Result<String, Failed> {
        self.git(&["bisect", "log"])
    }
}

/// A "kernel" to lead workers to: no worker that it starts may gain privileges, if it is wrong.
fn wrapper(history: &History, script: &str) -> Result<(), Failed> {
    let file = history.path().join("kernel");
    fs::write(&file, format!("#!/bin/sh\n{script}\n"))?;
    Ok(fs::set_permissions(file, fs::Permissions::from_mode(0o755))?)
}

const RIGHT: &str = "exec \"$@\"";
const WRONG: &str = "exec setpriv --no-new-privs \"$@\"";
const DEAD: &str = "echo 'Kernel panic - not syncing' >&2; exit 1";

fn the_first_bad_commit() -> Result<(), Failed> {
    let cases = Cases::new()?;
    // PR_GET_NO_NEW_PRIVS
    cases.add("privileges/not-refused", "", "a: prctl(39, 0, 0, 0, 0) = 0")?;
    let mut history = History::new()?;
    for (at, script) in [RIGHT, RIGHT, RIGHT, RIGHT, DEAD, DEAD, RIGHT, WRONG, DEAD, WRONG].iter().enumerate()
    {
        wrapper(&history, script)?;
        history.commit(&format!("state {at}"))?;
    }
    let folder = cases.path().display().to_string();
    let command = ["--cases", &folder, "--command", "./kernel", "privileges/not-refused", "passes"];
    history.is_first(["good", "bad"], &command, 7)?;
    let log = history.log()?;
    // git asks of the middle first.
    for part in [format!("# skip: [{}", history.commits[4]), format!("# bad: [{}", history.commits[7])] {
        if !log.contains(&part) {
            return Err(format!("git was not told `{part}`:\n{log}").into());
        }
    }
    Ok(())
}

/// Images of kernels in the place where a build leaves them; one boots never, and one is not there.
fn the_mending() -> Result<(), Failed> {
    let cases = Cases::new()?;
    // A sysctl that came with Linux 6.6, and that can be read below /proc as keys can.
    let step = "a: file_mode(\"/proc/sys/kernel/io_uring_disabled\") = 0o644";
    cases.add("age/newer", "", step)?;
    let mut history = History::new()?;
    let image = history.path().join("arch/x86/boot/bzImage");
    fs::create_dir_all(image.parent().ok_or("a file has a folder")?)?;
    fs::write(history.path().join("Kbuild"), "")?;
    fs::write(history.path().join(".config"), "")?;
    let (old, new) = (fs::read(kernel(OLD)?)?, fs::read(kernel(NEW)?)?);
    // Its header is right, and what it leads to is not.
    let mut dead = new.clone();
    let body = dead.len() / 64;
    dead[body..].fill(0xf4);
    for (at, state) in
        [Some(&old), Some(&old), None, Some(&old), Some(&new), Some(&dead), Some(&new)].iter().enumerate()
    {
        match state {
            Some(bytes) => fs::write(&image, bytes)?,
            None => fs::remove_file(&image)?,
        }
        history.commit(&format!("state {at}"))?;
    }
    let folder = cases.path().display().to_string();
    let options =
        ["--mended", "--accel", "tcg", "--boot-timeout", "20s", "--cases", &folder, "--kernel", ".", "age"];
    history.is_first(["broken", "mended"], &options, 4)?;
    for (at, why) in
        [(2, "there is no arch/x86/boot/bzImage yet"), (5, "cannot be tested: no worker can be started")]
    {
        history.git(&["checkout", "--quiet", &history.commits[at]])?;
        let mut skc = Command::new(SKC);
        let options = [
            "bisect-run",
            "--accel",
            "tcg",
            "--boot-timeout",
            "1s",
            "--cases",
            &folder,
            "--kernel",
            ".",
            "age",
        ];
        let output = run(skc.args(options).current_dir(history.path()));
        output.ends(125)?;
        output.says(why)?;
    }
    Ok(())
}

/// What is wrong with the command line is wrong with no commit.
fn a_mistake() -> Result<(), Failed> {
    let mut history = History::new()?;
    (0..3).try_for_each(|at| history.commit(&format!("state {at}")))?;
    for mistake in
        [&["join/anonymus"][..], &["--nonsense", "join/anonymous"], &["--kernel", "debain-6.12", "join"], &[]]
    {
        history.git(&["bisect", "start", &history.commits[2], &history.commits[0]])?;
        let stopped = history.command(&[&["bisect", "run", SKC, "bisect-run"], mistake].concat());
        if stopped.code == 0 || stopped.out.contains("first bad commit\n") {
            return Err(format!("{mistake:?} was taken for a result: {stopped:?}").into());
        }
        stopped.says("128")?;
        history.git(&["bisect", "reset"])?;
    }
    Ok(())
}

fn what_cannot_be_tested() -> Result<(), Failed> {
    let cases = Cases::new()?;
    cases.add("machine/one", "needs: [vm]\n", "a: getuid() = 0")?;
    cases.add("fails/one", "", "a: getuid() = 1")?;
    let folder = cases.path().display().to_string();
    let word = |args: &[&str]| run(Command::new(SKC).arg("bisect-run").args(args).args(["--cases", &folder]));
    for (args, code, says) in [
        (&["passes"][..], 0, "good: every case passed"),
        (&["fails"], 1, "bad: fails/one (fail: "),
        (&["machine", "passes"], 125, "cannot be tested: machine/one (skip: needs a VM"),
        (&["machine", "fails"], 1, "bad: fails/one (fail: "),
        (&["passes", "--mended"], 1, "mended: every case passed"),
        (&["fails", "--mended"], 0, "still broken: fails/one (fail: "),
        (&["machine", "passes", "--mended"], 125, "cannot be tested: machine/one"),
        (&["gone/case"], 125, "`gone/case` is no case"),
        (&["passes", "--command", "false"], 125, "cannot be tested: no worker can be started"),
    ] {
        let output = word(args);
        output.ends(code)?;
        output.says(says)?;
    }
    // A deviation that is recorded is one that is looked for.
    let deviation =
        "- {case: fails/one, on: {kernel: any}, step: 1, observed: '0', because: it always was so}\n";
    cases.add("fails/one", "norm: documentation\n", "a: getuid() = 1")?;
    fs::write(cases.path().join("deviations.yaml"), deviation)?;
    run(Command::new(SKC).args(["run", "fails", "--cases", &folder])).ends(0)?;
    word(&["fails"]).ends(1)
}
