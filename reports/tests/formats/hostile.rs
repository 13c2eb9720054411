use harness::record::{CaseRecord, Run, Shown, Standing, StepRecord, Verdict};
use reports::terminal::Options;
use reports::{compare, junit, ktap, terminal};

use crate::common::*;

const HOSTILE: &str =
    "\u{1b}[2J\u{9b}31m\r\n\nnot ok 1 x # SKIP\nKTAP version 1\n# Subtest: y\n]]>\u{202e}\u{ffff}\u{0}é";

/// Every text of a record is hostile, with every verdict and standing.
fn records() -> Vec<CaseRecord> {
    let text = || HOSTILE.to_owned();
    let shown = |more: &str| Shown { text: format!("\"{HOSTILE}{more}\""), variable: Some((text(), 3)) };
    let standings =
        [Standing::Plain, Standing::Deviates { because: text() }, Standing::Unexpected { recorded: text() }];
    let mut records = Vec::new();
    for verdict in Verdict::ALL {
        for standing in &standings {
            records.push(CaseRecord {
                case: format!("{HOSTILE}/{}[{HOSTILE}]", records.len()),
                file: text(),
                title: text(),
                covers: vec![text()],
                verdict,
                standing: standing.clone(),
                reason: Some(text()),
                steps: vec![StepRecord {
                    line: 3,
                    text: text(),
                    met: verdict == Verdict::Pass,
                    expected: shown(""),
                    observed: shown(HOSTILE),
                    microseconds: 1,
                }],
                microseconds: 1,
                console: vec![text()],
            });
        }
    }
    records
}

fn hostile_run() -> Run {
    let mut run = run(records());
    run.header.target.release = HOSTILE.into();
    run.header.target.place = HOSTILE.into();
    run.header.program = HOSTILE.into();
    run
}

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
    assert_eq!(text.lines().count(), 2 + 1 + 2 + records().len() + 1 + 1);
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
