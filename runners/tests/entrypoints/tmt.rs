//! Run by tmt, on this machine. Its step `prepare` is left out, because it installs packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use libtest_mimic::{Failed, Trial};
use tempfile::TempDir;

use crate::fixture::Suite;
use crate::{copy, ends, installed, said, same, trial};

/// The name of our test.
const TEST: &str = "/tests/session-keyrings";

/// The tests of this file.
pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("tmt_finds_nothing_wrong_with_the_metadata", find, lint),
        trial("tmt_counts_what_we_count", find, counts),
        trial("tmt_takes_nothing_for_a_success_that_is_none", find, ends_of_runs),
    ]
}

/// The folder of programs in which tmt is.
fn find() -> Result<PathBuf, String> {
    installed("rsync", "rsync")?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/consumers");
    match folder.join("installed").exists() {
        true => Ok(folder.join("bin")),
        false => Err("tmt is not installed: `make consumers` does that".into()),
    }
}

/// The tree that is made for tmt, and a place for all that it writes.
struct Tree {
    folder: TempDir,
    bin: PathBuf,
}

impl Tree {
    fn of(bin: PathBuf) -> Result<Tree, Failed> {
        let folder = tempfile::tempdir()?;
        copy("tmt", &folder.path().join("tree"))?;
        fs::create_dir(folder.path().join("scripts"))?;
        Ok(Tree { folder, bin })
    }

    fn tmt(&self) -> Command {
        let mut command = Command::new(self.bin.join("tmt"));
        command.current_dir(self.folder.path().join("tree")).stdin(Stdio::null());
        command.env("HOME", self.folder.path()).env("NO_COLOR", "1");
        // Else they are put where the machine's programs are.
        command.env("TMT_SCRIPTS_DIR", self.folder.path().join("scripts"));
        command
    }

    /// Runs everything on this machine, with arguments for `skc run`.
    fn run(&self, args: &str) -> Result<Output, Failed> {
        let mut command = self.tmt();
        command.arg("--feeling-safe").arg("run").arg("--scratch").arg("--id").arg("one");
        command.arg("--workdir-root").arg(self.folder.path().join("runs"));
        command.arg("--environment").arg(format!("SKC_ARGS=\"{args}\""));
        command.args(["discover", "provision", "--how", "local", "execute", "report", "finish", "cleanup"]);
        Ok(command.output()?)
    }

    /// What tmt has in the end: the name of each result and what it is, by its name.
    fn results(&self) -> Result<Vec<(String, String)>, Failed> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/tests/consumers/read.py");
        let results = self.folder.path().join("runs/one/plans/all/execute/results.yaml");
        let mut read = Command::new(self.bin.join("python"));
        read.arg("-B").arg(script).arg("tmt_run").arg(results).env("HOME", self.folder.path());
        let mut found: Vec<(String, String)> = serde_json::from_slice(&ends(&mut read)?.stdout)?;
        found.sort();
        Ok(found)
    }
}

fn lint(bin: PathBuf) -> Result<(), Failed> {
    let told = said(&ends(Tree::of(bin)?.tmt().arg("lint"))?);
    let bad: Vec<&str> =
        told.lines().filter(|line| line.starts_with("fail") || line.starts_with("warn")).collect();
    same(bad, Vec::new(), &told)?;
    // Both were looked at.
    same(["/tests/session-keyrings", "/plans/all"].map(|name| told.contains(name)), [true, true], &told)
}

fn counts(bin: PathBuf) -> Result<(), Failed> {
    let (tree, suite) = (Tree::of(bin)?, Suite::new());
    suite.case("good/rows", "A-01", "table:\n  eg.id: {n: 0}\n  two_2: {n: 0}\n", "a: getuid() = <n>");
    let output = tree.run(&format!("--cases {}", suite.path().display()))?;
    let wanted = [
        ("bad/one", "fail"),
        ("good/one", "pass"),
        ("good/rows[eg.id]", "pass"),
        ("good/rows[two_2]", "pass"),
        ("good/two", "pass"),
        ("known/deviates", "info"),
        ("known/passes", "warn"),
        ("machine/one", "skip"),
    ];
    let wanted: Vec<_> =
        wanted.map(|(name, word)| (format!("{TEST}/{name}"), word.to_owned())).into_iter().collect();
    same(tree.results()?, wanted, &said(&output))?;
    same(output.status.code(), Some(1), &said(&output))?;
    let total = "total: 4 tests passed, 1 test failed, 1 test skipped, 1 info and 1 warn";
    let told = said(&output);
    same(told.lines().last(), Some(total), &told)
}

fn ends_of_runs(bin: PathBuf) -> Result<(), Failed> {
    let (tree, suite) = (Tree::of(bin)?, Suite::new());
    for (args, code) in [
        ("good", 0),
        ("known/deviates --deviations none", 1),
        // No case of that name, so there are no results.
        ("nonsense", 2),
        ("machine", 4),
    ] {
        let output = tree.run(&format!("--cases {} {args}", suite.path().display()))?;
        same(output.status.code(), Some(code), &format!("{args}: {}", said(&output)))?;
    }
    Ok(())
}
