//! Installed and run by the kernel's own kselftest, and read as those read its output who look for the tests in it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use libtest_mimic::{Failed, Trial};
use nix::unistd::geteuid;
use tempfile::TempDir;
use vm_images::{Store, build, sources};

use crate::fixture::Suite;
use crate::{copy, ends, installed, said, same, trial};

/// The name of our collection and of the test in it.
const NAME: &str = "session_keyring";
const TEST: &str = "selftests: session_keyring: session-keyring.sh";

/// The tests of this file.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("kselftest_counts_what_we_count", find, counts),
        trial("kselftest_takes_nothing_for_a_success_that_is_none", find, ends_of_runs),
        trial("kselftest_ends_what_takes_too_long", find, too_long),
    ]
}

/// kselftest's own files in the kernel's sources.
fn find() -> Result<PathBuf, String> {
    for (program, package) in [("make", "make"), ("rsync", "rsync"), ("perl", "perl")] {
        installed(program, package)?;
    }
    Store::of_user()
        .and_then(|store| sources::tools(&store, build::SOURCE, &mut |_| ControlFlow::Continue(())))
        .map_err(|why| format!("the kernel's sources cannot be had: {why}"))
}

/// An installation of kselftest with our test in it.
struct Installed {
    folder: TempDir,
}

impl Installed {
    fn of(sources: &Path) -> Result<Installed, Failed> {
        let folder = tempfile::tempdir()?;
        let tree = folder.path().join("linux");
        ends(Command::new("cp").arg("-r").arg(sources).arg(&tree))?;
        let selftests = tree.join("tools/testing/selftests");
        copy("kselftest/session_keyring", &selftests.join(NAME))?;
        let mut make = Command::new("make");
        make.arg("-s").arg("-C").arg(&selftests).arg(format!("TARGETS={NAME}"));
        make.arg(format!("INSTALL_PATH={}", folder.path().join("installed").display())).arg("install");
        for variable in ["MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES"] {
            make.env_remove(variable);
        }
        ends(&mut make)?;
        Ok(Installed { folder })
    }

    /// What the runner prints, with arguments of its own and of `skc run`.
    fn run(&self, own: &[&str], args: &str) -> Result<String, Failed> {
        let folder = self.folder.path().join("installed");
        let mut words = vec!["./run_kselftest.sh", "-c", NAME];
        words.extend(own);
        if geteuid().is_root() {
            // It tells the kernel's log of its beginning, and that is the machine's.
            let quiet = "mount --bind /dev/null /dev/kmsg && exec \"$@\"";
            words.splice(..0, ["unshare", "--mount", "sh", "-c", quiet, "sh"]);
        }
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(&folder).stdin(Stdio::null());
        let output = command.env("KSELFTEST_SESSION_KEYRING_SH_ARGS", args).output()?;
        Ok(said(&output))
    }
}

/// The line of the test as a whole.
fn whole(text: &str) -> String {
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains(TEST) && !line.starts_with('#')).collect();
    lines.join("\n")
}

/// The cases in the output, as parsers take them out of it: a failure whatever else the line says, and otherwise a skip if it
/// says so.
fn cases(text: &str) -> BTreeMap<String, &'static str> {
    let mut found = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# ")) {
        let (word, rest) = match line.strip_prefix("not ok ") {
            Some(rest) => ("fail", rest),
            None => match line.strip_prefix("ok ") {
                Some(rest) if rest.contains(" # SKIP") => ("skip", rest),
                Some(rest) => ("pass", rest),
                None => continue,
            },
        };
        let name = rest.split(' ').nth(1).unwrap_or_default();
        found.insert(name.to_owned(), word);
    }
    found
}

fn counts(sources: PathBuf) -> Result<(), Failed> {
    let suite = Suite::new();
    let text = Installed::of(&sources)?.run(&[], &format!("--cases {}", suite.path().display()))?;
    let wanted = [
        ("bad.one", "fail"),
        ("good.one", "pass"),
        ("good.two", "pass"),
        // As recorded, and better than recorded.
        ("known.deviates", "pass"),
        ("known.passes", "fail"),
        ("machine.one", "skip"),
    ];
    let wanted = wanted.map(|(name, word)| (name.to_owned(), word)).into();
    same(cases(&text), wanted, &text)?;
    same(whole(&text), format!("not ok 1 {TEST} # exit=1"), &text)
}

fn ends_of_runs(sources: PathBuf) -> Result<(), Failed> {
    let suite = Suite::new();
    let installed = Installed::of(&sources)?;
    for (args, wanted) in [
        ("good", format!("ok 1 {TEST}")),
        ("known/deviates", format!("ok 1 {TEST}")),
        ("known/deviates --deviations none", format!("not ok 1 {TEST} # exit=1")),
        // Nothing ran.
        ("machine", format!("ok 1 {TEST} # SKIP")),
        // Wrong usage, and no folder for the report: neither is a verdict.
        ("nonsense", format!("not ok 1 {TEST} # exit=1")),
        ("good --report /dev/null/out", format!("not ok 1 {TEST} # exit=1")),
    ] {
        let text = installed.run(&[], &format!("--cases {} {args}", suite.path().display()))?;
        same(whole(&text), wanted, &format!("{args}: {text}"))?;
    }
    Ok(())
}

fn too_long(sources: PathBuf) -> Result<(), Failed> {
    let suite = Suite::new();
    // Half a minute, if it is let.
    suite.case("slow/one", "A-01", "", &["a: nanosleep(5000) = ok"; 6].join("\n  - "));
    let installed = Installed::of(&sources)?;
    let begun = Instant::now();
    let text = installed
        .run(&["-o", "1"], &format!("--cases {} good slow --jobs 1 --order name", suite.path().display()))?;
    same(whole(&text), format!("not ok 1 {TEST} # TIMEOUT 1 seconds"), &text)?;
    // What it has learnt before is there.
    same(cases(&text).get("good.one"), Some(&"pass"), &text)?;
    // The runner waits for whoever has its pipe.
    match begun.elapsed() {
        long if long > Duration::from_secs(20) => Err(format!("it took {long:?}").into()),
        _ => Ok(()),
    }
}
