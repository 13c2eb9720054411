use harness::record::{Run, Verdict};
use reports::ktap;

use crate::common::*;

fn shown(run: &Run) -> String {
    let mut out = Vec::new();
    ktap::write(&mut out, run).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_of_case() {
    insta::assert_snapshot!(shown(&everything()));
}

#[test]
fn only_our_own_lines_can_be_read_as_results() {
    let shown = shown(&everything());
    let results = shown.lines().filter(|line| !line.starts_with('#')).skip(2);
    for (at, line) in results.enumerate() {
        let rest = line.strip_prefix("ok ").or(line.strip_prefix("not ok ")).expect(line);
        assert!(rest.starts_with(&format!("{} ", at + 1)), "{line}");
        assert!(line.matches(" # ").count() <= 1, "{line}");
        // The parser of LKFT looks for `not ok` before it looks for a directive.
        assert!(!line.starts_with("not ok ") || !line.contains(" # SKIP"), "{line}");
    }
    // What kunit.py looks for inside diagnostics.
    assert!(!shown.contains("# Subtest: "));
    assert!(!shown.contains("reboot: System halted") && !shown.contains("List of all partitions:"));
    assert_eq!(shown.lines().filter(|line| line.trim() == "KTAP version 1").count(), 1);
}

#[test]
fn names_are_unique() {
    let shown = shown(&everything());
    let results: Vec<&str> = shown.lines().filter(|line| !line.starts_with('#')).skip(2).collect();
    let name = |line: &&str| line.split(" # ").next().unwrap().rsplit(' ').next().unwrap().to_owned();
    let names: std::collections::HashSet<String> = results.iter().map(name).collect();
    assert_eq!(names.len(), results.len());
}

#[test]
fn a_killed_run_has_fewer_results_than_its_plan() {
    insta::assert_snapshot!(shown(&killed(vec![case("join/plain", Verdict::Pass)], 2)));
}

#[test]
fn a_run_of_no_case_is_an_empty_plan() {
    insta::assert_snapshot!(shown(&run(Vec::new())));
}
