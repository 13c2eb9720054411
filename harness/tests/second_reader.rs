//! Cases are read as events, for the sake of exact places. An independent reader must find the same in
//! every file: what a contributor's editor shows is what the suite runs.

use harness::case::{Act, Case, Step};
use harness::suite::Suite;
use serde_yaml::Value;

#[test]
fn another_reader_finds_the_same_cases() {
    let suite = Suite::embedded().expect("the suite is sound");
    assert!(!suite.cases().is_empty());
    for case in suite.cases() {
        let text = suite.source(case).expect("every case has its text");
        let value: Value = serde_yaml::from_str(&text.text).expect("every case is YAML to both readers");
        if value.get("table").is_none() {
            compare(case, &value);
        }
    }
}

fn compare(case: &Case, value: &Value) {
    assert_eq!(value["title"].as_str(), Some(case.title.as_str()), "{}", case.id);
    let covers: Vec<&str> = value["covers"].as_sequence().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(covers, case.covers, "{}", case.id);
    steps(case, &case.steps, &value["steps"]);
}

fn steps(case: &Case, read: &[Step], value: &Value) {
    let value = value.as_sequence().expect("steps are a list");
    assert_eq!(value.len(), read.len(), "{}", case.id);
    for (step, value) in read.iter().zip(value) {
        match &step.act {
            Act::Together(read) => {
                repeated(case, step, value);
                steps(case, read, &value["together"]);
            }
            Act::Check { .. } => same(case, step, "check", value),
            Act::Ends { .. } => same(case, step, "ends", value),
            Act::Call { actor, .. } => same(case, step, actor, value),
        }
    }
}

fn same(case: &Case, step: &Step, key: &str, value: &Value) {
    let text = value[key].as_str().unwrap_or_else(|| panic!("{}: line {} has no {key}", case.id, step.line));
    assert_eq!(step.text, format!("{key}: {text}"), "{}", case.id);
    assert_eq!(value.get("within").is_some(), step.within.is_some(), "{}", case.id);
    repeated(case, step, value);
}

fn repeated(case: &Case, step: &Step, value: &Value) {
    assert_eq!(value.get("times").and_then(Value::as_u64).unwrap_or(1), u64::from(step.times), "{}", case.id);
}
