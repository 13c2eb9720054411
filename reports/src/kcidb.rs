//! KCIDB's JSON, version 5.3 of its schema, for the database of kernel tests: runs as tests of builds of checkouts.
//!
//! The status of a test says what the kernel did; what was expected of it is in `misc`. So a recorded deviation is a
//! FAIL with `"expected": true`, and a pass where one is recorded a PASS with `"expected": false`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::DateTime;
use harness::record::{CaseRecord, Header, Run, Standing};
use harness::target::Target;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::explanation::explain;
use crate::status::{Merit, Status, reason};
use crate::summary::Summary;
use crate::target_line;
use crate::text::{escape, shell_word};

/// Who is said to have run the tests, if nobody says so.
pub const ORIGIN: &str = "skc";
/// What the path of every test begins with.
pub const SUITE: &str = "session_keyring";
/// How many characters of a log the schema allows.
const LOG: usize = 16_384;

/// On whose behalf tests are submitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// The name of the CI system: small letters, digits and underscores.
    pub origin: String,
    /// The id of the build that was tested, if it is in the database or goes there by other ways. Without it the
    /// document has a build and a checkout of its own for each kernel.
    pub build: Option<String>,
}

impl Default for Submission {
    fn default() -> Submission {
        Submission { origin: ORIGIN.into(), build: None }
    }
}

impl Submission {
    /// Looks whether the schema takes the names; the error says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let name = |text: &str| {
            !text.is_empty()
                && text.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
        };
        if !name(&self.origin) {
            return Err(format!(
                "an origin has small letters, digits and underscores only: `{}`",
                escape(&self.origin)
            ));
        }
        match &self.build {
            Some(id)
                if !id.split_once(':').is_some_and(|(origin, rest)| name(origin) && !rest.contains('\0')) =>
            {
                Err(format!("the id of a build is ORIGIN:NAME: `{}`", escape(id)))
            }
            _ => Ok(()),
        }
    }
}

/// Writes any number of runs as one document. What two of them have in common is there once.
pub fn write(mut out: impl Write, runs: &[Run], submission: &Submission) -> io::Result<()> {
    let (mut checkouts, mut builds, mut tests) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let mut order = Vec::new();
    for run in runs {
        let build = submission.build.clone().unwrap_or_else(|| {
            let (checkout, build) = origins(&run.header.target, &submission.origin);
            let id = build["id"].as_str().unwrap_or_default().to_owned();
            checkouts.insert(checkout["id"].to_string(), checkout);
            builds.insert(id.clone(), build);
            id
        });
        let missing = Summary::of(run).missing;
        let all = run.cases.iter().map(|record| test(run, record, submission, &build));
        for test in all.chain((missing > 0).then(|| missed(run, missing, submission, &build))) {
            let id = test["id"].to_string();
            if tests.insert(id.clone(), test).is_none() {
                order.push(id);
            }
        }
    }
    let tests: Vec<Value> = order.iter().filter_map(|id| tests.remove(id)).collect();
    let mut document = json!({ "version": { "major": 5, "minor": 3 } });
    let parts: [(&str, Vec<Value>); 3] = [
        ("checkouts", checkouts.into_values().collect()),
        ("builds", builds.into_values().collect()),
        ("tests", tests),
    ];
    for (name, part) in parts {
        if !part.is_empty() {
            document[name] = part.into();
        }
    }
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)
}

/// A checkout and a build that stand for a target. Its release is all that is known of its sources.
fn origins(target: &Target, origin: &str) -> (Value, Value) {
    let version =
        target.implementation_version.as_ref().map(|version| format!("-{version}")).unwrap_or_default();
    let kernel = escape(&format!("{}{version}-{}", target.implementation, target.release));
    let machine = escape(&target.machine);
    let checkout = format!("{origin}:{kernel}");
    let architecture: String = target
        .machine
        .to_ascii_lowercase()
        .chars()
        .filter(|char| char.is_ascii_alphanumeric() || *char == '_')
        .collect();
    (
        json!({ "id": checkout, "origin": origin, "comment": kernel, "valid": true }),
        json!({
            "id": format!("{checkout}-{machine}"),
            "origin": origin,
            "checkout_id": checkout,
            "architecture": architecture,
            "comment": format!("{kernel} {machine}"),
        }),
    )
}

fn test(run: &Run, record: &CaseRecord, submission: &Submission, build: &str) -> Value {
    let status = Status::of(record);
    let words = status.words();
    let path = path(&record.case);
    let mut misc = json!({
        "case": escape(&record.case),
        "file": escape(&record.file),
        "requirements": record.covers.iter().map(|id| escape(id)).collect::<Vec<_>>(),
        "status": words.word,
    });
    if words.merit != Merit::Unasked {
        misc["expected"] = (words.merit == Merit::Good).into();
    }
    if let Some(reason) = reason(record) {
        misc["reason"] = escape(&reason).into();
    }
    if let Standing::Deviates { because: recorded } | Standing::Unexpected { recorded } = &record.standing {
        misc["recorded"] = escape(recorded).into();
    }
    if let Some(command) = &run.header.command {
        misc["repeat"] = format!("{} {}", escape(command), escape(&shell_word(&record.case))).into();
    }
    let mut test = common(run, submission, build, &path, &record_id(run, record));
    test["status"] = words.kcidb.into();
    test["comment"] = escape(&record.title).into();
    test["duration"] = (record.microseconds as f64 / 1e6).into();
    test["misc"] = misc;
    if !matches!(status, Status::Pass | Status::Skip) {
        test["log_excerpt"] = log(record).into();
    }
    test
}

/// What stands for the cases of which a run that was cut short left nothing.
fn missed(run: &Run, missing: usize, submission: &Submission, build: &str) -> Value {
    let chosen = run.header.cases;
    let mut test = common(run, submission, build, SUITE, &digest(&run_id(run)));
    test["status"] = "MISS".into();
    test["comment"] = format!("{missing} of {chosen} chosen cases never ran: the run was cut short").into();
    test["misc"] = json!({ "missing": missing, "chosen": chosen });
    test
}

fn common(run: &Run, submission: &Submission, build: &str, path: &str, id: &str) -> Value {
    let origin = &submission.origin;
    let mut test = json!({
        "id": format!("{origin}:{path}-{id}"),
        "origin": origin,
        "build_id": build,
        "path": path,
        "environment": {
            "comment": target_line(&run.header.target),
            "misc": { "place": escape(&run.header.target.place), "suite_version": escape(&run.header.program) },
        },
    });
    // Cases have no time of their own in the records.
    let started = i64::try_from(run.header.started).ok().and_then(|at| DateTime::from_timestamp(at, 0));
    if let Some(started) = started {
        test["start_time"] = started.to_rfc3339().into();
    }
    test
}

/// What tells a run from others: the database knows the tests of all of them.
fn run_id(run: &Run) -> String {
    let Header { target, started, id, .. } = &run.header;
    format!("{}\n{started}\n{id}", json!(target))
}

/// The same for the same record of a run, whenever it is submitted.
fn record_id(run: &Run, record: &CaseRecord) -> String {
    digest(&format!("{}\n{}", run_id(run), json!(record)))
}

fn digest(text: &str) -> String {
    Sha256::digest(text).iter().take(10).map(|byte| format!("{byte:02x}")).collect()
}

/// What happened, as people read it, and then what the kernel said.
fn log(record: &CaseRecord) -> String {
    let explained = explain(record).into_iter().map(|line| line.text);
    let console = record.console.iter().map(|line| escape(line.trim_end()));
    let mut text = explained.chain(console).collect::<Vec<_>>().join("\n");
    if let Some((end, _)) = text.char_indices().nth(LOG) {
        text.truncate(end);
    }
    text
}

/// The path of a case: dots for slashes, a component that begins with `__` for a row, and `_` with a number in base 16
/// for each byte that a path cannot have.
fn path(case: &str) -> String {
    let (path, row) = match case.split_once('[').zip(case.strip_suffix(']')) {
        Some(((path, _), whole)) => (path, whole.get(path.len() + 1..)),
        None => (case, None),
    };
    let mut out = SUITE.to_owned();
    for part in path.split('/') {
        out.push('.');
        push(&mut out, part);
        // A path has no empty component.
        if part.is_empty() {
            out.push('_');
        }
    }
    if let Some(row) = row {
        out.push_str(".__");
        push(&mut out, row);
    }
    out
}

fn push(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'-' => out.push('-'),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => out.push_str(&format!("_{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::HashSet;

    #[rstest]
    #[case("parent/single-threaded", "session_keyring.parent.single-threaded")]
    #[case("parent/identity[egid]", "session_keyring.parent.identity.__egid")]
    #[case("a/b[5.3]", "session_keyring.a.b.__5_2E3")]
    #[case("a.b/c_d", "session_keyring.a_2Eb.c_5Fd")]
    #[case("//", "session_keyring._._._")]
    #[case("é\n", "session_keyring._C3_A9_0A")]
    fn a_path_has_what_paths_may_have(#[case] case: &str, #[case] shown: &str) {
        assert_eq!(path(case), shown);
    }

    #[test]
    fn no_two_ids_have_one_path() {
        const SIGNS: [char; 9] = ['a', '2', 'E', '-', '/', '[', ']', '_', '.'];
        let mut ids = vec![String::new()];
        let mut seen = HashSet::new();
        for _ in 0..5 {
            ids = ids.iter().flat_map(|id| SIGNS.map(|sign| format!("{id}{sign}"))).collect();
            ids.iter().for_each(|id| assert!(seen.insert(path(id)), "{id}"));
        }
    }

    #[rstest]
    #[case("skc", None, true)]
    #[case("my_ci2", Some("maestro:abc"), true)]
    #[case("", None, false)]
    #[case("My-CI", None, false)]
    #[case("skc", Some("abc"), false)]
    #[case("skc", Some(":abc"), false)]
    fn names_are_those_that_the_schema_takes(
        #[case] origin: &str,
        #[case] build: Option<&str>,
        #[case] good: bool,
    ) {
        let submission = Submission { origin: origin.into(), build: build.map(str::to_owned) };
        assert_eq!(submission.check().is_ok(), good);
    }
}
