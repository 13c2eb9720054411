use harness::record::{CaseRecord, Run, Verdict};
use harness::requirement::Requirement;
use harness::suite::Suite;
use reports::coverage::{Coverage, Options, Standing, json, markdown, terminal};
use rstest::rstest;

use crate::common::{broken, case, deviation, mask, run, skip, unexpected_pass};
use crate::suite::{gvisor, linux, load, suite};

fn all(suite: &Suite) -> Vec<&Requirement> {
    suite.requirements().iter().collect()
}

fn shown(runs: &[Run], width: usize, summary: bool) -> String {
    let suite = suite();
    let mut out = Vec::new();
    let coverage = Coverage::of(&suite, &all(&suite), runs);
    terminal(&mut out, &coverage, &Options { width, summary }).unwrap();
    anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string()
}

#[test]
fn without_records_it_is_told_what_covers_what() {
    insta::assert_snapshot!(shown(&[], 100, false));
}

#[test]
fn each_target_has_a_column() {
    insta::assert_snapshot!(shown(&[linux(), gvisor()], 100, false));
}

#[test]
fn a_summary_has_counts_and_gaps() {
    insta::assert_snapshot!(shown(&[linux(), gvisor()], 100, true));
}

#[test]
fn many_targets_have_room_in_a_narrow_terminal() {
    let runs: Vec<Run> = std::iter::repeat_n(linux(), 5).chain([gvisor()]).collect();
    let narrow = shown(&runs, 60, false);
    let long = narrow.lines().find(|line| line.chars().count() > 60);
    assert_eq!(long, None);
    insta::assert_snapshot!(narrow);
}

#[test]
fn a_document_in_markdown() {
    let suite = suite();
    let runs = [linux(), gvisor()];
    let mut out = Vec::new();
    markdown(&mut out, &Coverage::of(&suite, &all(&suite), &runs)).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn a_document_in_json() {
    let suite = suite();
    let runs = [linux()];
    let mut out = Vec::new();
    let some = [suite.requirement("A-02").unwrap(), suite.requirement("A-03").unwrap()];
    json(&mut out, &Coverage::of(&suite, &some, &runs)).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn what_has_no_case_is_a_gap_only_where_it_is_asked_for() {
    let suite = suite();
    let all = all(&suite);
    assert!(!Coverage::of(&suite, &all, &[]).is_complete());
    assert!(Coverage::of(&suite, &all[..2], &[]).is_complete());
}

#[rstest]
#[case::pass(vec![case("a", Verdict::Pass)], Standing::Holds)]
#[case::pass_and_unplayed(vec![case("a", Verdict::Pass)], Standing::Holds)]
#[case::pass_and_skip(vec![case("a", Verdict::Pass), skip("b", "x")], Standing::Holds)]
#[case::claim_alone(vec![deviation("claim")], Standing::Holds)]
#[case::deviation(vec![case("a", Verdict::Pass), deviation("b")], Standing::Differs)]
#[case::broken_outweighs_pass(vec![case("a", Verdict::Pass), CaseRecord { case: "b".into(), ..broken() }], Standing::Broken)]
#[case::fail_outweighs_all(vec![CaseRecord { case: "a".into(), ..mask() }, CaseRecord { case: "b".into(), ..broken() }], Standing::Fails)]
#[case::claim_that_holds(vec![CaseRecord { case: "claim".into(), ..unexpected_pass() }, case("a", Verdict::Pass)], Standing::Fails)]
#[case::skips(vec![skip("a", "x"), skip("b", "x"), skip("claim", "y")], Standing::Skipped)]
#[case::skip_and_unplayed(vec![skip("a", "x")], Standing::NotPlayed)]
#[case::unplayed(vec![case("elsewhere", Verdict::Pass)], Standing::NotPlayed)]
fn a_requirement_stands_by_all_of_its_cases(#[case] records: Vec<CaseRecord>, #[case] standing: Standing) {
    let text = |title: &str, more: &str| {
        format!(
            "title: {title}\ncovers: [X-1]\n{more}actors:\n  a: {{uid: 0}}\nsteps:\n  - a: getuid() = 0\n"
        )
    };
    let suite = load(&[
        ("requirements.yaml", "X-1: {tier: core, level: must, says: It is so., from: [page(7)]}\n"),
        (
            "deviations.yaml",
            "- {case: claim, on: {kernel: any}, step: 1, observed: '1', because: it is so}\n",
        ),
        ("a.yaml", &text("A", "")),
        ("b.yaml", &text("B", "")),
        ("claim.yaml", &text("C", "norm: documentation\n")),
    ]);
    let runs = [run(records)];
    let coverage = Coverage::of(&suite, &all(&suite), &runs);
    assert_eq!(coverage.requirements[0].standings, [standing]);
    let counted: Vec<Standing> =
        coverage.targets[0].standings.iter().filter(|(_, count)| **count > 0).map(|(it, _)| *it).collect();
    assert_eq!(counted, [standing]);
}

#[test]
fn targets_of_one_version_are_told_apart() {
    let other = Run {
        header: {
            let mut header = linux().header;
            header.target.place = "this kernel".into();
            header
        },
        ..linux()
    };
    let suite = suite();
    let runs = [linux(), other, linux(), gvisor()];
    let coverage = Coverage::of(&suite, &all(&suite), &runs);
    let names: Vec<&str> = coverage.targets.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["6.1.90 qemu", "6.1.90 this kernel", "6.1.90 qemu (2)", "gvisor 2024.2"]);
}
