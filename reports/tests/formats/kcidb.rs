use harness::record::{Run, Verdict};
use reports::kcidb::{Submission, write};
use serde_json::Value;

use crate::common::*;

fn shown(runs: &[Run], submission: &Submission) -> String {
    let mut out = Vec::new();
    write(&mut out, runs, submission).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_of_case() {
    insta::assert_snapshot!(shown(&[everything()], &Submission::default()));
}

#[test]
fn a_killed_run_has_a_miss() {
    let run = killed(vec![case("join/plain", Verdict::Pass)], 2);
    insta::assert_snapshot!(shown(&[run], &Submission::default()));
}

#[test]
fn runs_of_one_kernel_share_it_and_nothing_stands_twice() {
    let mut other = everything();
    other.header.started += 1;
    let runs = [everything(), everything(), other];
    let document: Value = serde_json::from_str(&shown(&runs, &Submission::default())).unwrap();
    let count = |what: &str| document[what].as_array().unwrap().len();
    assert_eq!((count("checkouts"), count("builds"), count("tests")), (1, 1, 2 * everything().cases.len()));
}

#[test]
fn tests_belong_to_the_build_that_is_given() {
    let submission = Submission { origin: "my_ci".into(), build: Some("other:17".into()) };
    let document: Value = serde_json::from_str(&shown(&[run(vec![mask()])], &submission)).unwrap();
    assert_eq!((&document["checkouts"], &document["builds"]), (&Value::Null, &Value::Null));
    assert_eq!(document["tests"][0]["build_id"], "other:17");
    assert!(document["tests"][0]["id"].as_str().unwrap().starts_with("my_ci:"));
}

#[test]
fn a_log_has_room_in_the_database() {
    let mut record = timeout();
    record.console = vec!["é".repeat(3000); 100];
    let document: Value = serde_json::from_str(&shown(&[run(vec![record])], &Submission::default())).unwrap();
    assert_eq!(document["tests"][0]["log_excerpt"].as_str().unwrap().chars().count(), 16_384);
}

#[test]
fn a_run_of_no_case_has_no_tests() {
    let document: Value = serde_json::from_str(&shown(&[run(Vec::new())], &Submission::default())).unwrap();
    assert_eq!(document["tests"], Value::Null);
}
