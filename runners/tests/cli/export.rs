//! `skc export`: what it writes, and what it refuses. What the programs do is in `tests/export`.

use std::fs;

use rstest::rstest;

use super::fixture::{Suite, skc};

#[rstest]
#[case::no_such_case(&["good/three"], "there is no case `good/three`")]
#[case::no_version(&["good/one", "--for", "new"], "a version is written linux-6.12 or 6.12")]
#[case::a_record_for_a_program(&["good/one", "--record", "x"], "--record goes with `--as strace`")]
#[case::no_record(&["good/one", "--as", "strace", "--record", "/nonexistent"], "/nonexistent")]
#[case::a_foreign_program(&["foreign/one"], "it runs a program of the machine's")]
fn what_cannot_be_exported_is_refused_with_the_reason(#[case] args: &[&str], #[case] told: &str) {
    let suite = Suite::new();
    suite.case("foreign/one", "A-01", "", "a: run(\"true\") = \"\"");
    let output = suite.skc(&[&["export"], args].concat());
    assert_eq!(output.code, 2, "{}{}", output.out, output.err);
    assert!(output.err.contains(told), "{}", output.err);
    assert_eq!(output.out, "");
}

#[test]
fn what_the_kernel_starts_is_a_program_for_a_machine_of_its_own() {
    let output = skc(&["export", "request/helper-arguments"]);
    assert_eq!(output.code, 0, "{}", output.err);
    for part in ["Run       as process 1 of a machine and not otherwise", ".upcall = \"user\"", "be_upcall("]
    {
        assert!(output.out.contains(part), "{part} is not in {}", output.out);
    }
    let output = skc(&["export", "request/helper-arguments", "--as", "strace", "--for", "linux-6.12"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("request_key("), "{}", output.out);
}

#[test]
fn what_leaves_marks_is_a_program_that_says_so() {
    let suite = Suite::new();
    let output = suite.skc(&["export", "machine/one"]);
    assert_eq!(output.code, 0, "{}", output.err);
    assert!(output.out.contains("--own-machine"), "{}", output.out);
}

#[test]
fn a_program_says_what_it_is_about_and_has_a_line_for_each_step() {
    let output = skc(&["export", "parent/single-threaded", "--for", "linux-5.10"]);
    assert_eq!(output.code, 0, "{}", output.err);
    for part in [
        " * A child gives its session keyring to a single-threaded parent.",
        "S2P-01: KEYCTL_SESSION_TO_PARENT returns 0",
        "Linux 5.10 should have",
        "\t// 10: child: session_to_parent() = 0\n\tcall(child, SYS_keyctl, KEYCTL_SESSION_TO_PARENT);\n",
        "\texpect(11, alice, SERIAL, IS(new));\n",
    ] {
        assert!(output.out.contains(part), "{part} is not in {}", output.out);
    }
    // What this case has no use for is not there.
    assert!(!output.out.contains("same_set("), "{}", output.out);
}

#[test]
fn outcomes_are_those_of_the_version_that_is_asked_for() {
    let suite = Suite::new();
    suite.case("good/changed", "A-01", "", "a: getuid() = 7\n    before 5.3: = 8");
    for (version, outcome) in [("5.2", "IS(8)"), ("5.3", "IS(7)")] {
        let output = suite.skc(&["export", "good/changed", "--for", version]);
        assert!(output.out.contains(&format!("NUMBER, {outcome}")), "{}{}", output.out, output.err);
    }
}

#[test]
fn a_trace_has_what_a_record_has_observed() {
    let suite = Suite::new();
    suite.case(
        "bad/key",
        "A-02",
        "",
        "a: join_session_keyring(NULL) -> $ring\n  - a: revoke(0) = 0\n  - a: revoke($ring) = 0",
    );
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    suite.run(&["bad/key", "--report", out]);
    let output = suite.skc(&["export", "--as", "strace", "--record", out, "bad/key"]);
    assert_eq!(output.code, 0, "{}", output.err);
    let records = fs::read_to_string(folder.path().join("records.jsonl")).unwrap();
    let told = output.out;
    assert!(told.contains("expected  a: keyctl(KEYCTL_REVOKE, 0) = 0\n"), "{told}");
    assert!(
        told.contains("observed  a: keyctl(KEYCTL_REVOKE, 0) = -1 EINVAL (Invalid argument)   <- differs\n"),
        "{told}"
    );
    assert!(told.contains("observed  nothing: the case had ended"), "{told}");
    let serial = told
        .lines()
        .find_map(|line| line.strip_prefix("      observed  a: keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0) = "))
        .unwrap();
    assert!(records.contains(&format!("\"{serial}\"")), "{serial} is not in {records}");
}

#[test]
fn a_trace_without_a_record_plays_the_case() {
    let suite = Suite::new();
    let output = suite.skc(&["export", "--as", "strace", "bad/one"]);
    assert!(output.out.contains("expected  a: getuid() = 1\n"), "{}{}", output.out, output.err);
    assert!(output.out.contains("observed  a: getuid() = 0   <- differs\n"), "{}", output.out);
}
