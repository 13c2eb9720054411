//! `skc coverage`: requirements, their cases, and what came of them.

use std::process::Command;

use rstest::rstest;

use crate::fixture::{self, Suite, skc};

#[rstest]
#[case::all(&[], 1)]
#[case::covered(&["A-01"], 0)]
#[case::uncovered(&["A-03"], 1)]
#[case::pattern(&["A-*"], 1)]
#[case::chapter(&["good"], 0)]
#[case::one_case(&["bad/one"], 0)]
#[case::group(&["A"], 1)]
#[case::nonsense(&["nonsense"], 2)]
#[case::no_records(&["/dev"], 2)]
fn a_gap_is_a_failure(#[case] filters: &[&str], #[case] code: i32) {
    let output = Suite::new().skc(&[&["coverage"], filters].concat());
    assert_eq!(output.code, code, "{}{}", output.out, output.err);
}

/// The requirements that are told in JSON.
fn told(suite: &Suite, args: &[&str]) -> Vec<String> {
    let output = suite.skc(&[&["coverage", "--format", "json"], args].concat());
    let json: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    let requirements = json["requirements"].as_array().unwrap();
    requirements.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[rstest]
#[case::all(&[], &["A-01", "A-02", "A-03"])]
#[case::requirement(&["A-02"], &["A-02"])]
#[case::several(&["A-03", "A-01"], &["A-01", "A-03"])]
#[case::chapter(&["good"], &["A-01"])]
#[case::pattern_of_cases(&["*/one"], &["A-01", "A-02"])]
fn a_filter_means_requirements(#[case] filters: &[&str], #[case] requirements: &[&str]) {
    assert_eq!(told(&Suite::new(), filters), requirements);
}

#[test]
fn an_unknown_filter_says_what_is_near() {
    let output = Suite::new().skc(&["coverage", "A-04"]);
    assert_eq!(output.code, 2);
    assert!(output.err.contains("did you mean `A-01`?"), "{}", output.err);
}

#[test]
fn records_give_a_column_each() {
    let suite = Suite::new();
    let (one, two) = (suite.beside("all/one"), suite.beside("all/two"));
    suite.run(&["--report", &one]);
    suite.run(&["good/one", "--report", &two]);
    // Parts of a run that have cases in common are two runs.
    let output = suite.skc(&["coverage", &one, &two, "A-01", "A-02"]);
    assert_eq!(output.code, 0, "{}", output.err);
    for part in ["known/deviates (claim)", "deviation", "fails", "not played", "A case", "COVERED: 2 of 2"] {
        assert!(output.out.to_lowercase().contains(&part.to_lowercase()), "{part}: {}", output.out);
    }
    // A folder of folders is all that is in them.
    let whole = suite.skc(&["coverage", &suite.beside("all"), "A-01", "A-02"]);
    assert_eq!(whole.out, output.out);
}

#[test]
fn a_folder_beside_that_is_named_as_a_chapter_is_no_record() {
    let suite = Suite::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
    command.current_dir(suite.path()).args(["coverage", "good", "--cases", "."]);
    let output = fixture::output(&mut command);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("good/two"), "{}", output.out);
}

#[test]
fn a_table_is_as_wide_as_is_asked_for() {
    let suite = Suite::new();
    let out = suite.beside("out");
    suite.run(&["--report", &out]);
    for (columns, letters) in [("45", true), ("200", false)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
        command.args(["coverage", &out, &out, &out, "--cases"]).arg(suite.path()).env("COLUMNS", columns);
        let output = fixture::output(&mut command);
        assert_eq!(output.out.contains("F fail"), letters, "{}", output.out);
        assert!(!output.out.contains('\u{1b}'), "a pipe has no colours");
        let width = output.out.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        assert!(width <= columns.parse().unwrap(), "{width}: {}", output.out);
    }
}

#[test]
fn a_summary_names_no_case() {
    let output = Suite::new().skc(&["coverage", "--summary"]);
    assert!(!output.out.contains("good/one"), "{}", output.out);
    assert!(output.out.contains("GAPS: 2 of 3 requirements covered, by 6 cases"), "{}", output.out);
}

#[test]
fn the_suite_of_the_program_can_be_told() {
    let output = skc(&["coverage", "S2P-01"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("parent/single-threaded"), "{}", output.out);
}
