//! What distributions start the suite with: kirk, LTP's runner, and autopkgtest.

use std::fs;
use std::process::Command;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;

use crate::common::{Cases, SKC, engine, no_engines, run, trial};

const ENTRYPOINTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/entrypoints");
const KIRK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/consumers/bin/kirk");

pub(crate) fn trials() -> Vec<Trial> {
    let no_kirk = || {
        (run(Command::new(KIRK).arg("--version")).code != 0)
            .then(|| "kirk is not there: `make consumers`".to_owned())
    };
    vec![
        trial("ltp_has_each_case_as_a_test", no_kirk, ltp),
        trial("autopkgtest_passes_fails_and_skips", no_engines, autopkgtest),
    ]
}

fn ltp() -> Result<(), Failed> {
    let out = tempfile::tempdir()?;
    let cases = Cases::within(out.path())?;
    cases.add("fails/one", "", "a: getuid() = 1")?;
    cases.add("skips/one", "needs: [vm]\n", "a: getuid() = 0")?;
    // Strict seccomp: the actor may do nothing more.
    cases.add("breaks/one", "", "a: prctl(22, 1) = 0\n  - a: getuid() = 0")?;
    let rows = "table:\n  first: {is: 0}\n  other: {is: 00}\n";
    cases.add("passes/rows", rows, "a: getuid() = <is>")?;
    let (root, folder) = (out.path().join("root"), cases.path().display().to_string());
    let mut generate = Command::new(format!("{ENTRYPOINTS}/ltp/generate"));
    run(generate
        .env("SKC", SKC)
        .env("SKC_ARGS", format!("--cases {folder}"))
        .arg(&root)
        .args(["--cases", &folder]))
    .ends(0)?;
    let report = out.path().join("report.json");
    let mut kirk = Command::new(KIRK);
    kirk.args(["--run-suite", "session-keyrings", "--tmp-dir"])
        .arg(out.path())
        .arg("--json-report")
        .arg(&report);
    let played = run(kirk.env("LTPROOT", &root));
    let text = fs::read_to_string(&report).map_err(|error| format!("{error}: {played:?}"))?;
    let report: Value = serde_json::from_str(&text)?;
    let count = |what: &str| report["stats"][what].as_u64();
    let counts = ["passed", "failed", "broken", "skipped"].map(count);
    match counts == [Some(3), Some(1), Some(1), Some(1)] {
        true => Ok(()),
        false => Err(format!("passed, failed, broken, skipped: {counts:?}\n{text}").into()),
    }
}

fn autopkgtest() -> Result<(), Failed> {
    let out = tempfile::tempdir()?;
    let cases = Cases::within(out.path())?;
    cases.add("fails/one", "", "a: getuid() = 1")?;
    cases.add("skips/one", "needs: [vm]\n", "a: getuid() = 0")?;
    fs::copy(SKC, out.path().join("skc"))?;
    for (filters, code, word, counts) in [
        ("passes skips", 0, "PASS", Some([1, 0, 1])),
        ("passes fails skips", 4, "FAIL", Some([1, 1, 1])),
        ("skips", 2, "SKIP", Some([0, 0, 1])),
        ("nonsense", 4, "FAIL", None),
    ] {
        let arguments = format!("--env=SKC_ARGS=--cases /out/cases {filters}");
        let folder = format!("/out/{}", filters.replace(' ', "-"));
        let tree = "/skc/runners/entrypoints/autopkgtest";
        let words = [
            "autopkgtest",
            "-B",
            "--env=SKC=/out/skc",
            &arguments,
            "--output-dir",
            &folder,
            tree,
            "--",
            "null",
        ];
        let played = engine(out.path(), &words, Duration::from_secs(60))?;
        if !matches!((played.code, code), (8, 2)) {
            played.ends(code)?;
        }
        let place = out.path().join(folder.trim_start_matches("/out/"));
        let summary = fs::read_to_string(place.join("summary"))?;
        if !summary.lines().any(|line| line.split_whitespace().take(2).eq(["session-keyrings", word])) {
            return Err(format!("{filters}: {summary}").into());
        }
        let Some(counts) = counts else { continue };
        let report = fs::read_to_string(place.join("artifacts/session-keyrings/report.json"))?;
        let report: Value = serde_json::from_str(&report)?;
        let found = ["pass", "fail", "skip"].map(|word| report["summary"]["counts"][word].as_u64());
        if found != counts.map(Some) {
            return Err(format!("{filters}: {found:?}").into());
        }
    }
    Ok(())
}
