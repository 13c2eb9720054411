//! JUnit XML: a test suite for each chapter, a test case for each case.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use chrono::DateTime;
use harness::record::{CaseRecord, Run};
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use crate::explanation::{explain, play};
use crate::status::{Element, Merit, Status, reason};
use crate::summary::Summary;
use crate::target_line;
use crate::text::{cut, escape};

/// How many characters of a reason an attribute holds, and of the console its element.
const REASON: usize = 400;
const CONSOLE: usize = 4000;

/// Writes a whole run.
pub fn write(out: impl Write, run: &Run) -> Result<(), SerializeError> {
    report(run).serialize(out)
}

fn report(run: &Run) -> Report {
    let mut chapters: BTreeMap<String, Vec<&CaseRecord>> = BTreeMap::new();
    for record in &run.cases {
        chapters.entry(split(&record.case).0).or_default().push(record);
    }
    let mut report = Report::new(format!("session keyrings: {}", target_line(&run.header.target)));
    if let Some(footer) = &run.footer {
        report.set_time(Duration::from_millis(footer.milliseconds));
    }
    if let Some(started) =
        i64::try_from(run.header.started).ok().and_then(|at| DateTime::from_timestamp(at, 0))
    {
        report.set_timestamp(started);
    }
    for (chapter, records) in chapters {
        let mut suite = suite(run, &chapter);
        suite.set_time(records.iter().map(|record| Duration::from_micros(record.microseconds)).sum());
        suite.add_test_cases(records.into_iter().map(test_case));
        report.add_test_suite(suite);
    }
    let missing = Summary::of(run).missing;
    if missing > 0 {
        // Their names are not known; without this the rest would look complete.
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("missing").set_message(format!(
            "{missing} of {} chosen cases never ran: the run was cut short",
            run.header.cases
        ));
        // No chapter has a space in its name.
        let mut suite = suite(run, "the run");
        let mut case = TestCase::new("complete", status);
        case.set_classname("the run");
        suite.add_test_case(case);
        report.add_test_suite(suite);
    }
    report
}

fn suite(run: &Run, chapter: &str) -> TestSuite {
    let target = &run.header.target;
    let mut suite = TestSuite::new(chapter);
    for (name, value) in [
        ("target.implementation", &target.implementation),
        ("target.release", &target.release),
        ("target.machine", &target.machine),
        ("target.place", &target.place),
        ("program", &run.header.program),
    ] {
        suite.add_property((name, escape(value).as_str()));
    }
    suite
}

fn test_case(record: &CaseRecord) -> TestCase {
    let status = Status::of(record);
    let words = status.words();
    let mut element = match words.element {
        Element::Success => TestCaseStatus::success(),
        Element::Failure => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Element::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Element::Skipped => TestCaseStatus::skipped(),
    };
    if let Some(reason) = reason(record) {
        element.set_type(words.word).set_message(cut(&escape(&reason), REASON));
    }
    if matches!(words.merit, Merit::Bad | Merit::Unknown) {
        let mut text = escape(&record.title);
        for line in explain(record) {
            text += &format!("\n{}", line.text);
        }
        element.set_description(text);
    }
    let (chapter, name) = split(&record.case);
    let mut case = TestCase::new(name, element);
    case.set_classname(chapter);
    case.set_time(Duration::from_micros(record.microseconds));
    case.add_property(("title", escape(&record.title).as_str()));
    for requirement in &record.covers {
        case.add_property(("requirement", escape(requirement).as_str()));
    }
    if !record.steps.is_empty() {
        case.set_system_out(play(record));
    }
    if !record.console.is_empty() {
        let lines = record.console.iter().map(|line| cut(&escape(line.trim_end()), CONSOLE));
        case.set_system_err(lines.collect::<Vec<_>>().join("\n"));
    }
    case.extra.insert("file".into(), escape(&record.file).into());
    case
}

/// The chapter and the rest of an id.
fn split(case: &str) -> (String, String) {
    let path = case.find('[').unwrap_or(case.len());
    match case[..path].rsplit_once('/') {
        Some((chapter, _)) => (escape(chapter), escape(&case[chapter.len() + 1..])),
        None => ("cases".into(), escape(case)),
    }
}
