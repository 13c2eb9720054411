use harness::record::{CaseRecord, Run, Verdict};
use reports::compare::{self, Comparison, Kind};
use reports::summary::Outcome;
use rstest::rstest;

use crate::common::*;

/// The same step, and other permissions.
fn another_mask() -> CaseRecord {
    let mut record = mask();
    record.steps[0].observed = text("\"keyring;1000;1000;3f010000;_ses\"");
    record
}

fn shown(old: &Run, new: &Run) -> String {
    let mut out = Vec::new();
    compare::write(&mut out, &Comparison::of(old, new)).unwrap();
    String::from_utf8(out).unwrap()
}

/// Records of one case, so that each can become any other.
fn one(record: CaseRecord) -> Run {
    run(vec![CaseRecord { case: "a/b".into(), ..record }])
}

/// What could have become of everything a version later.
fn newer() -> Run {
    let mut newer = everything();
    newer.header.target.release = "6.12.1".into();
    newer.cases.retain(|record| record.case != "request/negate" && record.case != "join/anonymous");
    for record in &mut newer.cases {
        match record.case.as_str() {
            "join/plain" => *record = fail("join/plain", "alice: clear(@s) = 0", "0", "EACCES"),
            "link/read" => *record = case("link/read", Verdict::Pass),
            "request/upcall" => *record = case("request/upcall", Verdict::Pass),
            "exec/plain" => *record = CaseRecord { case: "exec/plain".into(), ..timeout() },
            "parent/single-threaded" => {
                let step = record.steps.last_mut().unwrap();
                step.observed = text("EKEYREVOKED");
                record.reason = Some("expected $new, observed EKEYREVOKED".into());
            }
            "search/loop" => *record = CaseRecord { case: "search/loop".into(), ..crash() },
            "parent/identity[egid]" => *record = skip("parent/identity[egid]", "needs more ids\nthan one"),
            _ => {}
        }
    }
    newer.cases.push(fail("quota/bytes", "alice: clear(@s) = 0", "0", "EDQUOT"));
    newer.cases.push(case("quota/keys", Verdict::Pass));
    newer
}

#[test]
fn two_tables_and_a_line() {
    insta::assert_snapshot!(shown(&everything(), &newer()));
}

#[test]
fn a_comment_in_markdown() {
    let mut old = everything();
    old.cases.retain(|record| record.case == hostile().case || record.case == "join/plain");
    let mut new = run(vec![CaseRecord { verdict: Verdict::Fail, ..hostile() }]);
    new.header.cases += 1;
    let mut out = Vec::new();
    compare::markdown(&mut out, &Comparison::of(&old, &new)).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn a_document_for_programs() {
    let mut out = Vec::new();
    compare::json(&mut out, &Comparison::of(&everything(), &newer())).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["outcome"], "failed");
    assert_eq!(document["unchanged"], 8);
    let find = |case: &str| {
        let changes = document["changed"].as_array().unwrap();
        changes.iter().find(|change| change["case"] == case).unwrap_or_else(|| panic!("{case}: {document}"))
    };
    assert_eq!((&find("link/read")["kind"], &find("link/read")["old"]), (&"fix".into(), &"fail".into()));
    let otherwise = find("parent/single-threaded");
    assert_eq!(otherwise["kind"], "otherwise");
    assert_eq!(otherwise["was"], "expected $new, observed $old");
    assert_eq!(otherwise["reason"], "expected $new, observed EKEYREVOKED");
}

#[test]
fn nothing_changed() {
    insta::assert_snapshot!(shown(&everything(), &everything()));
    assert!(!Comparison::of(&everything(), &everything()).is_regression());
}

#[rstest]
#[case::breaks(case("", Verdict::Pass), mask(), Kind::Regression, Outcome::Failed)]
#[case::was_skipped(skip("", "x"), mask(), Kind::Regression, Outcome::Failed)]
#[case::was_broken(broken(), timeout(), Kind::Regression, Outcome::Failed)]
#[case::stale_deviation(deviation(""), unexpected_pass(), Kind::Regression, Outcome::Failed)]
#[case::mended(mask(), case("", Verdict::Pass), Kind::Fix, Outcome::AsExpected)]
#[case::recorded(mask(), deviation(""), Kind::Fix, Outcome::AsExpected)]
#[case::another_step(mask(), members(), Kind::Otherwise, Outcome::Failed)]
#[case::another_value(mask(), another_mask(), Kind::Otherwise, Outcome::Failed)]
#[case::hangs_instead(mask(), timeout(), Kind::Otherwise, Outcome::Failed)]
#[case::crashes_instead(mask(), crash(), Kind::Otherwise, Outcome::Failed)]
#[case::skipped_now(case("", Verdict::Pass), skip("", "x"), Kind::Other, Outcome::NothingRan)]
#[case::broken_now(case("", Verdict::Pass), broken(), Kind::Other, Outcome::Broken)]
fn a_change_has_its_kind(
    #[case] old: CaseRecord,
    #[case] new: CaseRecord,
    #[case] kind: Kind,
    #[case] outcome: Outcome,
) {
    let comparison = Comparison::of(&one(old), &one(new));
    assert_eq!(comparison.changed.len(), 1);
    assert_eq!(comparison.changed[0].kind, kind);
    assert_eq!(comparison.is_regression(), matches!(kind, Kind::Regression | Kind::Otherwise));
    assert_eq!(comparison.outcome(), outcome);
}

#[test]
fn a_known_failure_with_other_serials_and_lines_is_no_change() {
    let mut later = other_variable();
    let last = later.steps.last_mut().unwrap();
    last.line += 2;
    last.observed = var("old", 8, "5");
    let comparison = Comparison::of(&run(vec![other_variable()]), &run(vec![later]));
    assert_eq!((comparison.unchanged, comparison.changed.len()), (1, 0));
    assert_eq!(comparison.outcome(), Outcome::AsExpected, "a baseline tolerates what it knows");
}

#[test]
fn a_new_case_that_fails_is_a_regression_and_a_vanished_one_is_not() {
    let (none, failing) = (run(Vec::new()), one(mask()));
    assert!(Comparison::of(&none, &failing).is_regression());
    assert!(!Comparison::of(&failing, &none).is_regression());
}

#[test]
fn a_new_run_that_was_cut_short_is_not_as_expected() {
    let pass = || case("a/b", Verdict::Pass);
    let comparison = Comparison::of(&run(vec![pass()]), &killed(vec![pass()], 1));
    assert!(!comparison.is_regression());
    assert_eq!(comparison.outcome(), Outcome::Broken);
}
