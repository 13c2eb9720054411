//! A cluster of one node plays two kernels in two shards each, which come to what each kernel comes to in one run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::common::{Cases, NEW, OLD, SKC, engine, no_engines, no_machine, run, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("slurm_comes_to_what_one_run_does", || no_engines().or_else(no_machine), the_array),
        trial("slurm_array_of_another_size", || None, another_size),
    ]
}

fn the_array() -> Result<(), Failed> {
    let out = tempfile::tempdir()?;
    let cases = Cases::within(out.path())?;
    for at in 0..6 {
        cases.add(&format!("passes/more-{at}"), "", "a: getuid() = 0")?;
    }
    cases.add("fails/one", "", "a: getuid() = 1")?;
    cases.add("skips/one", "needs: [key-notifications]\n", "a: getuid() = 0")?;
    fs::copy(SKC, out.path().join("skc"))?;
    let script = format!(
        "export SKC_CACHE=/skc-cache SKC=/out/skc KERNELS='{OLD} {NEW}' SHARDS=2\n\
         batch=/skc/runners/entrypoints/slurm/session-keyrings.sbatch\n\
         sbatch --array=1-4 --output=/out/%a.log $batch /out/report --cases /out/cases || exit\n\
         until [ \"$(wc -l </out/jobcomp.txt)\" = 4 ]; do sleep 0.2; done"
    );
    let cluster = "/skc/runners/tests/engines/cluster.sh";
    engine(out.path(), &["sh", cluster, "sh", "-c", &script], Duration::from_secs(300))?.ends(0)?;
    // What a task says is in a file of its own.
    for task in 1..=4 {
        let said = fs::read_to_string(out.path().join(format!("{task}.log")))?;
        if !said.contains(" cases in ") {
            return Err(format!("task {task} came to no result:\n{said}").into());
        }
    }

    let mut skc = Command::new(SKC);
    skc.args(["run", "--kernel", OLD, "--kernel", NEW, "--cases"]).arg(cases.path());
    run(skc.arg("--report").arg(out.path().join("whole"))).ends(1)?;
    for kernel in [OLD, NEW] {
        let shards = (1..=2).map(|shard| out.path().join(format!("report/{kernel}-{shard}-2")));
        let merged = document(&shards.collect::<Vec<_>>())?;
        let whole = document(&[out.path().join("whole").join(kernel)])?;
        let results = whole["results"].as_object().ok_or("a report has results")?;
        if merged["results"] != whole["results"] || merged["header"]["target"] != whole["header"]["target"] {
            return Err(format!("{merged}\nis not\n{whole}").into());
        }
        let is = |case: &str| results[case].as_str();
        if (results.len(), is("fails/one"), is("skips/one")) != (9, Some("fail"), Some("skip")) {
            return Err(format!("{results:?}").into());
        }
    }
    // Slurm knows which tasks failed: for each kernel the shard that has the case which does.
    let ended = fs::read_to_string(out.path().join("jobcomp.txt"))?;
    let count =
        |code: &str| ended.lines().filter(|line| line.contains(&format!(" ExitCode={code} "))).count();
    let counts = ["0:0", "1:0"].map(count);
    match counts == [2, 2] {
        true => Ok(()),
        false => Err(format!("exit codes 0 and 1: {counts:?}\n{ended}").into()),
    }
}

/// An array of another size would leave shards out, or play them twice.
fn another_size() -> Result<(), Failed> {
    let batch = concat!(env!("CARGO_MANIFEST_DIR"), "/entrypoints/slurm/session-keyrings.sbatch");
    let mut task = Command::new("sh");
    task.args([batch, "/dev/null/out"]).envs([("KERNELS", "debian-5.10 debian-6.12"), ("SHARDS", "2")]);
    for (name, value) in [("ID", "1"), ("MIN", "1"), ("MAX", "3"), ("COUNT", "3")] {
        task.env(format!("SLURM_ARRAY_TASK_{name}"), value);
    }
    let refused = run(&mut task);
    refused.ends(2)?;
    refused.says("in 2 shards are 4 tasks, and the array has 3: sbatch --array=1-4")
}

/// A report of records, as a document.
fn document(records: &[PathBuf]) -> Result<Value, Failed> {
    let records: Vec<&Path> = records.iter().map(PathBuf::as_path).collect();
    let report = run(Command::new(SKC).args(["report", "--format", "json"]).args(&records));
    serde_json::from_str(&report.out).map_err(|_| report.err.into())
}
