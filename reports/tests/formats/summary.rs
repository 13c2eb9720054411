use harness::record::{Run, Verdict};
use reports::status::Status;
use reports::summary::{Outcome, Summary};
use rstest::rstest;

use crate::common::*;

fn pass() -> harness::record::CaseRecord {
    case("join/plain", Verdict::Pass)
}

#[rstest]
#[case::pass(run(vec![pass()]), Outcome::AsExpected)]
#[case::pass_and_skip(run(vec![pass(), skip("a/b", "x")]), Outcome::AsExpected)]
#[case::deviation(run(vec![deviation("a/b")]), Outcome::AsExpected)]
#[case::fail(run(vec![pass(), mask()]), Outcome::Failed)]
#[case::timeout(run(vec![pass(), timeout()]), Outcome::Failed)]
#[case::unexpected_pass(run(vec![pass(), unexpected_pass()]), Outcome::Failed)]
#[case::another_fail(run(vec![pass(), another_fail()]), Outcome::Failed)]
#[case::broken(run(vec![pass(), broken()]), Outcome::Broken)]
#[case::broken_and_skip(run(vec![broken(), skip("a/b", "x")]), Outcome::Broken)]
#[case::fail_over_broken(run(vec![broken(), mask()]), Outcome::Failed)]
#[case::fail_over_missing(killed(vec![mask()], 3), Outcome::Failed)]
#[case::missing(killed(vec![pass()], 1), Outcome::Broken)]
#[case::all_missing(killed(Vec::new(), 1), Outcome::Broken)]
#[case::skip_and_missing(killed(vec![skip("a/b", "x")], 1), Outcome::Broken)]
#[case::killed_after_the_last_case(killed(vec![pass()], 0), Outcome::AsExpected)]
#[case::skips(all_skipped(), Outcome::NothingRan)]
#[case::no_case(run(Vec::new()), Outcome::NothingRan)]
fn a_run_has_one_outcome(#[case] run: Run, #[case] outcome: Outcome) {
    assert_eq!(Summary::of(&run).outcome, outcome);
}

#[test]
fn the_worst_of_several_runs_counts() {
    use Outcome::*;
    assert_eq!(Outcome::worst([AsExpected, NothingRan]), NothingRan);
    assert_eq!(Outcome::worst([Broken, NothingRan, AsExpected]), Broken);
    assert_eq!(Outcome::worst([Broken, Failed, AsExpected]), Failed);
    assert_eq!(Outcome::worst([]), NothingRan);
    assert_eq!([AsExpected, Failed, Broken, NothingRan].map(Outcome::exit_code), [0, 1, 3, 4]);
}

#[test]
fn each_case_is_counted_once() {
    let run = everything();
    let summary = Summary::of(&run);
    assert_eq!(summary.counts.values().sum::<usize>(), run.cases.len());
    assert_eq!(summary.count(Status::Deviation), 2);
    assert_eq!(summary.count(Status::Broken), 2);
    assert_eq!(summary.ran(), run.cases.len() - 3);
    assert_eq!(summary.skips.iter().map(|group| group.cases.len()).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(summary.concerns.len(), 10);
}
