use harness::record::{Run, Verdict};
use reports::matrix::Matrix;

use crate::common::*;

fn runs() -> Vec<Run> {
    vec![
        everything(),
        run(vec![case("join/plain", Verdict::Pass), case("a|b/c", Verdict::Skip)]),
        all_skipped(),
    ]
}

#[test]
fn chapters_and_targets() {
    let mut out = Vec::new();
    Matrix::of(&runs()).markdown(&mut out).unwrap();
    insta::assert_snapshot!(String::from_utf8(out).unwrap());
}

#[test]
fn json_counts_every_case() {
    let mut out = Vec::new();
    Matrix::of(&runs()).json(&mut out).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
    for (column, run) in json["targets"].as_array().unwrap().iter().zip(runs()) {
        let chapters = column["chapters"].as_object().unwrap().values();
        let counted: u64 = chapters
            .flat_map(|counts| counts.as_object().unwrap().values())
            .map(|it| it.as_u64().unwrap())
            .sum();
        assert_eq!(counted, run.cases.len() as u64);
    }
}
