use reports::terminal::Options;
use reports::{compare, junit, ktap, terminal};

use crate::common::*;

fn assert_printable(text: &str) {
    let printable = |char: char| char == '\n' || !(char.is_control() || "\u{202e}\u{ffff}".contains(char));
    let bad = text.chars().position(|char| !printable(char));
    assert_eq!(bad, None, "{:?}", text.chars().skip(bad.unwrap_or(0)).take(40).collect::<String>());
}

#[test]
fn a_terminal_gets_no_control_character_but_its_styles() {
    let run = hostile_run();
    let mut out = Vec::new();
    for verbose in [false, true] {
        let options = Options { verbose, ..Options::default() };
        for record in &run.cases {
            terminal::case(&mut out, &run.header.target, record, &options).unwrap();
        }
        terminal::summary(&mut out, &run, &options).unwrap();
    }
    assert_printable(&anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string());
}

#[test]
fn a_comparison_is_two_tables_whatever_the_text() {
    let mut out = Vec::new();
    compare::write(&mut out, &compare::Comparison::of(&run(Vec::new()), &hostile_run())).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_printable(&text);
    // Two targets, the table's title and head, its rows, the totals, and the gaps between.
    assert_eq!(text.lines().count(), 2 + 1 + 2 + hostile_run().cases.len() + 1 + 1);
}

#[test]
fn ktap_has_one_result_for_each_case() {
    let mut out = Vec::new();
    ktap::write(&mut out, &hostile_run()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_printable(&text);
    let results = text.lines().skip(2).filter(|line| !line.starts_with('#'));
    let skipped = results.clone().filter(|line| line.contains(" # SKIP")).count();
    let failed = results.clone().filter(|line| line.starts_with("not ok ")).count();
    assert_eq!((results.count(), skipped), (18, 3));
    // The pass, its two stale deviations, and of fail and timeout those that are recorded.
    assert_eq!(failed, 18 - 3 - 1 - 2);
    assert!(!text.lines().any(|line| line.trim_start().starts_with("# Subtest: ")));
}

#[test]
fn junit_has_one_element_for_each_case() {
    let mut out = Vec::new();
    junit::write(&mut out, &hostile_run()).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_printable(&text);
    assert_eq!(text.matches("<testcase ").count(), 18);
    assert!(!text.contains("]]>"));
}
