use harness::record::{Run, Verdict};
use reports::job_summary::{LIMIT, write};

use crate::common::*;

fn shown(runs: &[Run]) -> String {
    let mut out = Vec::new();
    write(&mut out, runs).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_of_case() {
    insta::assert_snapshot!(shown(&[everything()]));
}

#[test]
fn several_runs_one_of_which_was_killed() {
    insta::assert_snapshot!(shown(&[all_skipped(), killed(vec![case("join/plain", Verdict::Pass)], 2)]));
}

#[test]
fn no_number_of_failures_is_more_than_is_shown() {
    let cases =
        (0..10_000).map(|at| harness::record::CaseRecord { case: format!("a/{at}"), ..timeout() }).collect();
    let shown = shown(&[run(cases)]);
    assert!(shown.len() <= LIMIT && shown.len() > LIMIT / 2, "{}", shown.len());
    let told = shown.matches("<details>").count();
    assert!(shown.contains(&format!("{} of 10000 cases to be looked at", 10_000 - told)), "{told}");
    assert!(shown.contains("| timed out | 10000 |"));
}
