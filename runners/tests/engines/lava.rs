//! `lava-run` boots a kernel that plays by itself, and comes to what `skc run` comes to on that kernel.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::common::{NEW, Output, SKC, engine, no_engines, no_machine, run, trial};

/// How long a job may take, beside other work.
const JOB: Duration = Duration::from_secs(300);

pub(crate) fn trials() -> Vec<Trial> {
    let missing = || no_engines().or_else(no_machine);
    vec![
        trial("lava_records_what_a_run_does", missing, || comes_to_the_same(NEW)),
        trial("lava_of_a_kernel_that_does_not_boot", missing, no_boot),
        trial("lava_jobs_that_cannot_be_written", || None, refused),
    ]
}

/// Cases of the suite that leave marks on the machine, run programs and have rows, and beside them one for each other
/// way in which a case can end.
fn cases() -> Result<tempfile::TempDir, Failed> {
    const OF_THE_SUITE: [&str; 10] = [
        "join/anonymous",
        "parent/single-threaded",
        "identity/group-rights",
        "keyctl/show",
        "quota/chown",
        "quota/lowered-bytes",
        "quota/root",
        "request/no-helper",
        "request/helper-arguments",
        "permission/root-of-the-machine",
    ];
    const BROKEN: &str =
        "actors: {alice: {uid: 1000}}\nsteps:\n  - alice: prctl(22, 1) = 0\n  - alice: getuid() = 1000\n";
    const WRONG: &str = "actors: {alice: {uid: 1000}}\nsteps:\n  - alice: getuid() = 7\n";
    const NEVER: &str = "needs: [key-notifications]\nactors: {a: {uid: 0}}\nsteps:\n  - a: getuid() = 0\n";
    const SLOW: &str = "actors: {a: {uid: 0}}\nsteps:\n  - a: nanosleep(3000) = ok\n";
    let folder = tempfile::tempdir()?;
    let write = |id: &str, text: &str| -> Result<(), Failed> {
        let file = folder.path().join(format!("{id}.yaml"));
        fs::create_dir_all(file.parent().ok_or("an id has a chapter")?)?;
        Ok(fs::write(file, text)?)
    };
    for id in OF_THE_SUITE {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../cases/{id}.yaml"));
        write(id, &fs::read_to_string(file)?)?;
    }
    for (id, steps) in [
        ("ends/broken-one", BROKEN),
        ("ends/wrong", WRONG),
        ("ends/never", NEVER),
        ("ends/slow", SLOW),
        ("ends/known", WRONG),
        // LAVA would make one of these two, and of the row in the suite.
        ("ends/broken-two", WRONG),
        ("ends-broken/two", WRONG),
    ] {
        let norm = if id == "ends/known" { "norm: documentation\n" } else { "" };
        write(id, &format!("title: How {id} ends\ncovers: [THREAD-01]\n{norm}{steps}"))?;
    }
    let known =
        "- {case: ends/known, on: {kernel: any}, step: 1, observed: '1000', because: it always was so}\n";
    fs::write(folder.path().join("deviations.yaml"), known)?;
    Ok(folder)
}

fn write_job(kernel: &str, cases: &Path, out: &Path, filters: &[&str]) -> Result<(), Failed> {
    let mut skc = Command::new(SKC);
    skc.args(["lava-job", "--kernel", kernel, "--timeout", "2s", "--url", "file:///out/job"]);
    skc.arg("--cases").arg(cases).arg("--output").arg(out.join("job")).args(filters);
    run(&mut skc).ends(0)
}

fn lava_run(out: &Path) -> Result<Output, Failed> {
    const HERE: &str = "/skc/runners/entrypoints/lava";
    let (device, dispatcher) = (format!("{HERE}/device.yaml"), format!("{HERE}/dispatcher.yaml"));
    let words =
        ["lava-run", "--job-id", "1", "--output-dir", "/out/lava", "--device", &device, "--dispatcher"];
    engine(out, &[&words[..], &[&dispatcher, "/out/job/job.yaml"]].concat(), JOB)
}

/// The results that LAVA has recorded of the suite's cases, and of the job as a whole.
fn recorded(log: &str) -> Result<(BTreeMap<String, String>, Option<String>), Failed> {
    let mut results = BTreeMap::new();
    let mut job = None;
    let is_ours = |line: &&str| {
        // Of LAVA's own, some hold a number that JSON does not have.
        line.contains("\"lvl\": \"results\"")
            && ["\"definition\": \"session-keyrings\"", "\"case\": \"job\""]
                .iter()
                .any(|it| line.contains(it))
    };
    for line in log.lines().filter(is_ours) {
        let line: Value = serde_json::from_str(line)?;
        let text = |key: &str| line["msg"][key].as_str().unwrap_or_default().to_owned();
        if text("definition") == "session-keyrings" && results.insert(text("case"), text("result")).is_some()
        {
            return Err(format!("{} has two results", text("case")).into());
        }
        if text("definition") == "lava" && text("case") == "job" {
            job = Some(text("result"));
        }
    }
    Ok((results, job))
}

/// The signals of a report.
fn told(report: &str) -> BTreeMap<String, String> {
    let signals =
        report.lines().filter_map(|line| line.split_once("TEST_CASE_ID=")?.1.split_once(" RESULT="));
    signals.map(|(name, rest)| (name.to_owned(), rest.trim_end_matches('>').to_owned())).collect()
}

fn comes_to_the_same(kernel: &str) -> Result<(), Failed> {
    let (cases, out) = (cases()?, tempfile::tempdir()?);
    let (report, folder) = (out.path().join("report"), cases.path());
    let mut skc = Command::new(SKC);
    skc.args(["run", "--kernel", kernel, "--timeout", "2s", "--cases"])
        .arg(folder)
        .arg("--report")
        .arg(&report);
    run(&mut skc).ends(1)?;
    let expected = run(Command::new(SKC).args(["report", "--format", "lava"]).arg(&report));
    let expected = told(&expected.out);
    write_job(kernel, folder, out.path(), &[])?;
    let played = lava_run(out.path())?;
    played.ends(0)?;
    let (results, job) = recorded(&(played.out.clone() + &played.err))?;
    if results != expected {
        let differ: Vec<_> =
            expected.iter().filter(|(name, result)| results.get(*name) != Some(*result)).collect();
        return Err(format!("{differ:?} differ from {results:?}\n{}{}", played.out, played.err).into());
    }
    let count = |result: &str| results.values().filter(|it| *it == result).count();
    let counts = ["pass", "fail", "skip", "unknown"].map(count);
    let [passed, others @ ..] = counts;
    // The three that are wrong and the one that takes too long; what is deviated from as recorded passes.
    if passed < 12 || others != [4, 1, 1] || job.as_deref() != Some("pass") {
        return Err(format!("pass, fail, skip, unknown: {counts:?}; the job: {job:?}").into());
    }
    Ok(())
}

/// A kernel that does not come to the cases has no results, and a job that failed.
fn no_boot() -> Result<(), Failed> {
    let (cases, out) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let case = |id: &str, step: &str| {
        let text = "covers: [THREAD-01]\nneeds: [vm]\nactors: {a: {uid: 0}}\nsteps:";
        fs::write(cases.path().join(format!("a/{id}.yaml")), format!("title: A {id}\n{text}\n  - {step}\n"))
    };
    fs::create_dir(cases.path().join("a"))?;
    case("calm", "a: getuid() = 0")?;
    write_job(NEW, cases.path(), out.path(), &[])?;
    // The kernel has no room for its init.
    let job = out.path().join("job/job.yaml");
    let text = fs::read_to_string(&job)?;
    fs::write(&job, text.replace("panic=-1", "panic=-1 rdinit=/none"))?;
    let played = lava_run(out.path())?;
    let (results, job) = recorded(&(played.out.clone() + &played.err))?;
    if played.code == 0 || !results.is_empty() || job.as_deref() != Some("fail") {
        return Err(format!(
            "exit code {}, {results:?}, the job: {job:?}\n{}{}",
            played.code, played.out, played.err
        )
        .into());
    }
    Ok(())
}

fn refused() -> Result<(), Failed> {
    let out = tempfile::tempdir()?;
    let folder = out.path().join("job").display().to_string();
    for (args, says) in [
        (&["--kernel", "host"][..], "only a kernel's image"),
        (&["--kernel", "debain-6.12"], "did you mean `debian-6.12`?"),
        (&["--kernel", NEW, "join/anonymus"], "did you mean `join/anonymous`?"),
        (&["--kernel", NEW, "--append", "x=\"y z\""], "quotes"),
        (&[], "--kernel"),
    ] {
        let output = run(Command::new(SKC).args(["lava-job", "--output", &folder]).args(args));
        output.ends(2)?;
        output.says(says)?;
    }
    // Where there is no such machine, nobody leads its worker.
    let output = run(Command::new(SKC).args(["run", "--alone", "join/anonymous"]));
    output.ends(3)?;
    output.says("machine that plays by itself")?;
    Ok(())
}
