use std::collections::HashSet;

use harness::record::{Run, Verdict};
use reports::lava;

use crate::common::*;

fn shown(run: &Run) -> String {
    let mut out = Vec::new();
    lava::write(&mut out, run).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_of_case() {
    insta::assert_snapshot!(shown(&everything()));
}

#[test]
fn each_case_has_one_signal_and_a_name_of_its_own() {
    let run = everything();
    let shown = shown(&run);
    assert_eq!(shown.matches("LAVA_SIGNAL_TESTCASE").count(), run.cases.len());
    assert_eq!(shown.matches("TEST_CASE_ID=").count(), run.cases.len());
    let names: HashSet<&str> = shown
        .lines()
        .filter_map(|line| line.split_once("TEST_CASE_ID=")?.1.split_once(" RESULT="))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names.len(), run.cases.len());
}

#[test]
fn a_killed_run_has_an_unknown() {
    insta::assert_snapshot!(shown(&killed(vec![case("join/plain", Verdict::Pass)], 2)));
}

#[test]
fn a_run_of_no_case_is_an_empty_set() {
    insta::assert_snapshot!(shown(&run(Vec::new())));
}
