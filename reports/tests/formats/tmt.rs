use harness::record::{Run, Verdict};
use reports::tmt;

use crate::common::*;

fn shown(run: &Run) -> String {
    let mut out = Vec::new();
    tmt::write(&mut out, run).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_of_case() {
    insta::assert_snapshot!(shown(&everything()));
}

#[test]
fn a_killed_run_has_an_error() {
    insta::assert_snapshot!(shown(&killed(vec![case("join/plain", Verdict::Pass)], 2)));
}

#[test]
fn a_run_of_no_case_is_an_empty_list() {
    assert_eq!(shown(&run(Vec::new())), "[]\n");
}
