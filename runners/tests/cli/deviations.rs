//! `skc report --format deviations`: what is recorded of targets, as a document.

use crate::fixture::{Suite, skc};

#[test]
fn all_that_is_recorded_is_told_without_records() {
    let suite = Suite::new();
    let output = suite.skc(&["report", "--format", "deviations"]);
    assert_eq!(output.code, 0, "{}", output.err);
    let command =
        format!("    skc run --deviations none --cases {} known/deviates\n", suite.path().display());
    for part in
        ["## Documentation of Linux", "### 2. Case known/passes", "it always was so", "A-02: ", &command]
    {
        assert!(output.out.contains(part), "{part}: {}", output.out);
    }
}

#[test]
fn with_records_it_is_what_was_seen() {
    let suite = Suite::new();
    let folder = suite.beside("out");
    suite.run(&["--report", &folder]);
    let output = suite.skc(&["report", &folder, "--format", "deviations"]);
    assert_eq!((output.code, output.err.as_str()), (0, ""));
    assert!(output.out.contains("### 1. Case known/deviates") && output.out.contains("Seen on: linux"));
    assert!(!output.out.contains("known/passes"), "{}", output.out);
}

#[test]
fn records_that_no_entry_explains_are_counted() {
    let suite = Suite::new();
    let folder = suite.beside("out");
    suite.run(&["--report", &folder]);
    suite.case("known/deviates", "A-02", "", "a: getuid() = 1");
    suite.write("deviations.yaml", "[]\n");
    suite.case("known/passes", "A-02", "", "a: getuid() = 0");
    let output = suite.skc(&["report", &folder, "--format", "deviations"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.err.contains("1 deviation of these records is not told"), "{}", output.err);
}

#[test]
fn other_formats_want_records() {
    let output = skc(&["report", "--format", "junit"]);
    assert_eq!(output.code, 2);
    assert!(output.err.contains("RECORDS"), "{}", output.err);
}

/// What is mailed to those who keep pages and other implementations is to be complete.
#[test]
fn each_entry_of_the_program_is_told_with_its_requirements_and_a_command() {
    let output = skc(&["report", "--format", "deviations"]);
    assert_eq!(output.code, 0, "{}", output.err);
    let entries: Vec<&str> = output.out.split("\n### ").skip(1).collect();
    assert!(entries.len() > 30);
    for entry in entries {
        // A line may end anywhere. Of several cases it is told which they are.
        let words = entry.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!([" comes to ", "It concerns "].iter().any(|told| words.contains(told)), "{entry}");
        for part in ["\n- ", "To repeat it:\n\n    skc run --deviations none "] {
            assert!(entry.contains(part), "{part}: {entry}");
        }
    }
    for part in ["## gVisor\n", "--command 'runsc --network=none do'", "--kernel uml", "--kernel debian-"] {
        assert!(output.out.contains(part), "{part}");
    }
}
