//! Each format that is for programs, read by the program that it is for: kunit.py of the kernel, junitparser, kcidb-io, tmt,
//! jsonschema, cmark-gfm. What each of them counts is what we have, status by status, whatever stands in the texts.
//!
//! Where `make consumers` has not installed them, or the kernel's sources cannot be had, these tests are ignored with
//! the reason. That the results of tmt go through `tmt run`, and KTAP through kselftest, is for `runners` to show.

#[path = "../formats/common.rs"]
mod common;
mod kunit;
mod markdown;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use harness::record::{self, CaseRecord, Run, Verdict};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use reports::kcidb::Submission;
use reports::status::Status;
use reports::{json, junit, kcidb, tmt};

/// How many tests there are of each status, by the consumer's word.
type Counts = BTreeMap<String, usize>;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = kunit::trials();
    trials.extend(markdown::trials());
    for (name, run) in runs() {
        for (consumer, test) in READERS {
            let run = run.clone();
            trials.push(trial(&format!("{consumer}_reads_{name}"), move |python| test(python, &run)));
        }
    }
    trials.push(trial("kcidb_reads_several_runs", several_runs));
    trials.push(trial("jsonschema_refuses_what_is_no_record", no_record));
    libtest_mimic::run(&arguments, trials).exit_code()
}

type Reader = fn(&Python, &Run) -> Result<(), Failed>;
const READERS: [(&str, Reader); 5] = [
    ("junitparser", read_junit),
    ("kcidb", read_kcidb),
    ("tmt", read_tmt),
    ("jsonschema", read_records),
    ("jsonschema_report", read_report),
];

/// What is read. Every verdict with every standing is in the first.
fn runs() -> [(&'static str, Run); 4] {
    let mut hostile = common::everything();
    hostile.cases.extend(common::hostile_run().cases);
    // More than any format has room for.
    let console = vec!["é".repeat(3000); 20];
    hostile.cases.push(CaseRecord { console, ..common::case("join/loud", Verdict::Timeout) });
    hostile.header.cases = hostile.cases.len();
    hostile.header.target = common::hostile_run().header.target;
    if let Some(footer) = &mut hostile.footer {
        footer.cases = hostile.header.cases;
    }
    let cut_short = common::killed(vec![common::case("join/plain", Verdict::Pass), common::mask()], 3);
    [
        ("a_hostile_run", hostile),
        ("skips_only", common::all_skipped()),
        ("nothing", common::run(Vec::new())),
        ("a_run_that_was_killed", cut_short),
    ]
}

fn trial(name: &str, test: impl FnOnce(&Python) -> Result<(), Failed> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match Python::find() {
        Err(why) => Ok(Completion::ignored_with(why)),
        Ok(python) => test(&python).map(|()| Completion::Completed),
    })
}

/// The interpreter that has the consumers.
struct Python(PathBuf);

impl Python {
    fn find() -> Result<Python, String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/consumers");
        match folder.join("installed").exists() {
            true => Ok(Python(folder.join("bin/python"))),
            false => Err("the programs that read it are not installed: `make consumers` does that".into()),
        }
    }

    /// What a consumer takes a document for.
    fn read(
        &self,
        consumer: &str,
        document: &[u8],
        schema: Option<&Path>,
    ) -> Result<Vec<(String, String)>, Failed> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("document");
        fs::write(&path, document)?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/consumers/read.py");
        let output = Command::new(&self.0)
            .arg("-B")
            .arg(script)
            .arg(consumer)
            .arg(&path)
            .args(schema)
            // tmt makes a folder for itself.
            .env("HOME", folder.path())
            .env("PYTHONUTF8", "1")
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            return Err(format!("{consumer}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// Compares what a consumer found with what it has to find, by our status. A run that was cut short has one more, whose
/// word is told apart.
fn same(
    found: &[(String, String)],
    run: &Run,
    word: impl Fn(Status) -> &'static str,
    missing: Option<&str>,
) -> Result<(), Failed> {
    let mut wanted = Counts::new();
    for record in &run.cases {
        *wanted.entry(word(Status::of(record)).to_owned()).or_default() += 1;
    }
    if let Some(missing) = missing.filter(|_| run.header.cases > run.cases.len()) {
        *wanted.entry(missing.to_owned()).or_default() += 1;
    }
    let mut counts = Counts::new();
    for (_, word) in found {
        *counts.entry(word.clone()).or_default() += 1;
    }
    if counts != wanted {
        return Err(format!("it counts {counts:?}, and there are {wanted:?}").into());
    }
    let names: BTreeSet<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    match names.len() == found.len() {
        true => Ok(()),
        false => Err(format!("{} tests have {} names", found.len(), names.len()).into()),
    }
}

fn written<E: std::error::Error + 'static>(
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<Vec<u8>, Failed> {
    let mut out = Vec::new();
    write(&mut out)?;
    Ok(out)
}

fn read_junit(python: &Python, run: &Run) -> Result<(), Failed> {
    let found = python.read("junit", &written(|out| junit::write(out, run))?, None)?;
    let word = |status| match status {
        Status::Pass => "Success",
        Status::Fail | Status::UnexpectedPass => "Failure",
        Status::Timeout | Status::Crash | Status::Broken => "Error",
        Status::Deviation | Status::Skip => "Skipped",
    };
    same(&found, run, word, Some("Error"))
}

fn kcidb_word(status: Status) -> &'static str {
    match status {
        Status::Pass | Status::UnexpectedPass => "PASS",
        Status::Fail | Status::Timeout | Status::Crash | Status::Deviation => "FAIL",
        Status::Broken => "ERROR",
        Status::Skip => "SKIP",
    }
}

fn read_kcidb(python: &Python, run: &Run) -> Result<(), Failed> {
    let runs = std::slice::from_ref(run);
    let document = written(|out| kcidb::write(out, runs, &Submission::default()))?;
    same(&python.read("kcidb", &document, None)?, run, kcidb_word, Some("MISS"))
}

/// Two kernels in one document; the cases have the same paths on both.
fn several_runs(python: &Python) -> Result<(), Failed> {
    let [(_, hostile), ..] = runs();
    let mut other = hostile.clone();
    other.header.target.release = "6.12.1".into();
    let runs = [hostile.clone(), other];
    let document = written(|out| kcidb::write(out, &runs, &Submission::default()))?;
    let mut found = python.read("kcidb", &document, None)?;
    let second = found.split_off(hostile.cases.len());
    same(&found, &hostile, kcidb_word, None)?;
    same(&second, &hostile, kcidb_word, None)
}

fn read_tmt(python: &Python, run: &Run) -> Result<(), Failed> {
    let found = python.read("tmt", &written(|out| tmt::write(out, run))?, None)?;
    let word = |status| match status {
        Status::Pass => "pass",
        Status::Fail | Status::Timeout | Status::Crash => "fail",
        Status::UnexpectedPass => "warn",
        Status::Broken => "error",
        Status::Deviation => "info",
        Status::Skip => "skip",
    };
    same(&found, run, word, Some("error"))
}

/// A schema as it is published.
fn published(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema").join(name)
}

fn recorded(run: &Run) -> Result<Vec<u8>, Failed> {
    let mut writer = record::Writer::new(Vec::new(), &run.header)?;
    run.cases.iter().try_for_each(|record| writer.case(record))?;
    Ok(writer.finish(Duration::from_secs(1), false)?)
}

fn read_records(python: &Python, run: &Run) -> Result<(), Failed> {
    let found = python.read("records", &recorded(run)?, Some(&published("records.schema.json")))?;
    let wanted: Vec<(String, String)> =
        run.cases.iter().map(|record| (record.case.clone(), record.verdict.word().to_owned())).collect();
    match found == wanted {
        true => Ok(()),
        false => Err("the records are not what was written".into()),
    }
}

fn no_record(python: &Python) -> Result<(), Failed> {
    let [(_, run), ..] = runs();
    let text = String::from_utf8(recorded(&run)?)?;
    for (good, bad) in [
        ("\"format\":1", "\"format\":2"),
        ("\"verdict\":\"pass\"", "\"verdict\":\"passed\""),
        ("\"standing\":\"plain\"", "\"standing\":\"odd\""),
        ("\"microseconds\":1500", "\"microseconds\":-1"),
        ("\"covers\":[", "\"covering\":["),
        ("\"version\":\"6.1\"", "\"version\":\"six\""),
    ] {
        if !text.contains(good) {
            return Err(format!("no record has {good}").into());
        }
        let damaged = text.replacen(good, bad, 1);
        let read = python.read("records", damaged.as_bytes(), Some(&published("records.schema.json")));
        match read {
            Err(refused) if format!("{refused:?}").contains("ValidationError") => {}
            other => return Err(format!("{bad}: {other:?}").into()),
        }
    }
    Ok(())
}

fn read_report(python: &Python, run: &Run) -> Result<(), Failed> {
    let document = written(|out| json::write(out, run))?;
    let found = python.read("report", &document, Some(&published("report.schema.json")))?;
    same(&found, run, |status| status.words().word, None)
}
