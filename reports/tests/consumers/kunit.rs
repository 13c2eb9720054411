//! KTAP, read by the kernel's own kunit.py. Its exit status says little, because it fails a run of skips as well; what
//! counts is its JSON.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::record::Run;
use libtest_mimic::{Completion, Failed, Trial};
use reports::ktap;
use reports::status::Status;
use serde_json::Value;
use vm_images::{Store, build, sources};

use crate::{runs, same, written};

/// The tests of this file.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, run) in runs() {
        for (how, noise) in
            [("", (|line| format!("{line}\n")) as fn(&str) -> String), ("_amid_noise", amid_noise)]
        {
            let run = run.clone();
            trials.push(Trial::ignorable_test(format!("kunit_reads_{name}{how}"), move || match tool() {
                Err(why) => Ok(Completion::ignored_with(why)),
                Ok(tool) => read(&tool, &run, noise).map(|()| Completion::Completed),
            }));
        }
    }
    trials
}

/// kunit.py, from the sources that `skc kernels build` takes too.
fn tool() -> Result<PathBuf, String> {
    let started =
        Command::new("python3").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !started.is_ok_and(|status| status.success()) {
        return Err("python3 is not installed".into());
    }
    let tools = Store::of_user()
        .and_then(|store| sources::tools(&store, build::SOURCE, &mut |_| ControlFlow::Continue(())))
        .map_err(|why| format!("the kernel's sources cannot be had: {why}"))?;
    Ok(tools.join("tools/testing/kunit/kunit.py"))
}

/// A line as it comes over a serial console, on which the kernel speaks as well.
fn amid_noise(line: &str) -> String {
    format!("[   12.345678] random: crng init done\r\n{line}\r\n")
}

fn read(tool: &Path, run: &Run, line: fn(&str) -> String) -> Result<(), Failed> {
    let text = String::from_utf8(written(|out| ktap::write(out, run))?)?;
    let folder = tempfile::tempdir()?;
    let (input, output) = (folder.path().join("report.ktap"), folder.path().join("report.json"));
    fs::write(&input, text.lines().map(line).collect::<String>())?;
    let parsed = Command::new("python3")
        .arg("-B")
        .arg(tool)
        .arg("parse")
        .arg(format!("--json={}", output.display()))
        .arg(&input)
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::null())
        .output()?;
    let said =
        String::from_utf8_lossy(&parsed.stdout).into_owned() + &String::from_utf8_lossy(&parsed.stderr);
    let document: Value =
        serde_json::from_slice(&fs::read(&output).map_err(|error| format!("{error}: {said}"))?)?;
    let mut found = Vec::new();
    tests(&document, &mut found);
    // A result that the plan announces and nothing gives.
    let (nameless, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|(name, status)| name.is_empty() && status == "ERROR");
    let word = |status| match status {
        // It has no word for what fails as expected.
        Status::Pass | Status::Deviation => "PASS",
        Status::Skip => "SKIP",
        Status::Fail | Status::Timeout | Status::Crash | Status::UnexpectedPass | Status::Broken => "FAIL",
    };
    // It takes any name, but others that read KTAP end one at a space.
    if let Some((name, _)) = found.iter().find(|(name, _)| name.contains([' ', '#'])) {
        return Err(format!("a name is no word: {name}").into());
    }
    same(&found, run, word, None).map_err(|failed| format!("{failed:?}\n{said}"))?;
    match (nameless.len(), parsed.status.success()) {
        (count, _) if count != run.header.cases - run.cases.len() => {
            Err(format!("{count} tests have no name\n{said}").into())
        }
        (1.., true) => Err(format!("missing cases are no error to it\n{said}").into()),
        _ => Ok(()),
    }
}

/// The names and statuses in a group and in those below it.
fn tests(group: &Value, found: &mut Vec<(String, String)>) {
    for test in group["test_cases"].as_array().into_iter().flatten() {
        let text = |key: &str| test[key].as_str().unwrap_or_default().to_owned();
        found.push((text("name"), text("status")));
    }
    group["sub_groups"].as_array().into_iter().flatten().for_each(|group| tests(group, found));
}
