//! Which cases are played, and in which order.

use std::collections::BTreeSet;

use rstest::rstest;

use crate::fixture::{Suite, skc};

/// The cases that were played or skipped, in the order in which they ended.
fn played(suite: &Suite, args: &[&str]) -> Vec<String> {
    let output = suite.run(&[&["--format", "ktap", "--jobs", "1"], args].concat());
    let results = output.out.lines().filter(|line| line.starts_with("ok ") || line.starts_with("not ok "));
    let name = |line: &str| line.trim_start_matches("not ").split(' ').nth(2).unwrap().replace('.', "/");
    results.map(name).collect()
}

#[rstest]
#[case::id(&["good/one"], &["good/one"])]
#[case::chapter(&["good"], &["good/one", "good/two"])]
#[case::folder(&["good/"], &["good/one", "good/two"])]
#[case::pattern(&["*/one"], &["bad/one", "good/one", "machine/one"])]
#[case::requirement(&["A-01"], &["good/one", "good/two"])]
#[case::group(&["A"], &["bad/one", "good/one", "good/two", "known/deviates", "known/passes", "machine/one"])]
#[case::union(&["good/two", "bad"], &["bad/one", "good/two"])]
#[case::overlap(&["good", "good/two"], &["good/one", "good/two"])]
fn a_filter_means_what_the_help_says(#[case] filters: &[&str], #[case] cases: &[&str]) {
    let mut found = played(&Suite::new(), filters);
    found.sort();
    assert_eq!(found, cases);
}

#[rstest]
#[case("good/oen", "did you mean `good/one`?")]
#[case("goood", "did you mean `good`?")]
#[case("A-04", "did you mean `A-01`?")]
#[case("zebra-crossing", "`skc list` shows all cases")]
#[case("good/o", "did you mean `good/one`?")]
fn an_unknown_filter_says_what_is_near(#[case] filter: &str, #[case] help: &str) {
    let output = Suite::new().run(&["good/one", filter]);
    assert_eq!(output.code, 2);
    assert!(output.err.contains(help), "{}", output.err);
}

#[test]
fn a_chapter_cannot_be_shown_but_listed() {
    let output = skc(&["show", "parent"]);
    assert_eq!(output.code, 2);
    assert!(output.err.contains("`skc list parent`"), "{}", output.err);
}

#[test]
fn all_unknown_filters_are_told_at_once() {
    let output = Suite::new().run(&["good/oen", "good/one", "A-04"]);
    assert_eq!(output.code, 2);
    for part in ["`good/oen` is no", "`A-04` is no"] {
        assert!(output.err.contains(part), "{part}: {}", output.err);
    }
}

#[test]
fn a_row_is_named_with_its_brackets() {
    let suite = Suite::new();
    suite.write(
        "rows/uid.yaml",
        "title: Rows\ncovers: [A-01]\nactors:\n  a: {uid: 0}\ntable:\n  zero: {is: 0}\n  again: {is: 00}\nsteps:\n  - a: getuid() = <is>\n",
    );
    let listed = skc(&["list", "rows", "--cases", suite.path().to_str().unwrap()]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    let ids: Vec<&str> = listed.out.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(played(&suite, &[ids[0]]), [ids[0]]);
    assert_eq!(played(&suite, &["rows/uid"]).len(), 2);
}

#[test]
fn shards_are_a_partition() {
    let suite = Suite::new();
    let all: BTreeSet<String> = played(&suite, &[]).into_iter().collect();
    let parts: Vec<String> =
        (1..=3).flat_map(|index| played(&suite, &["--shard", &format!("{index}/3")])).collect();
    assert_eq!(parts.len(), all.len());
    assert_eq!(parts.into_iter().collect::<BTreeSet<String>>(), all);
}

#[test]
fn a_case_stays_in_its_shard() {
    // The hash of an id is a promise to whoever compares runs of a shard.
    let suite = Suite::new();
    let mut first = played(&suite, &["--shard", "1/2"]);
    first.sort();
    assert_eq!(first, ["good/one", "known/deviates", "machine/one"]);
}

#[test]
fn a_seed_gives_an_order() {
    let suite = Suite::new();
    let order = |seed: &str| played(&suite, &["good", "bad", "known", "--order", seed]);
    let first = order("random:1");
    assert_eq!(order("random:1"), first);
    assert!((2..12).any(|seed| order(&format!("random:{seed}")) != first));
    let output = suite.run(&["good", "--order", "random"]);
    assert!(output.err.contains("the order is random:"), "{}", output.err);
    let mut sorted = first.clone();
    sorted.sort();
    assert_eq!(order("name"), sorted);
}

#[test]
fn what_is_told_of_a_run_does_not_depend_on_its_order() {
    let suite = Suite::new();
    let folder = suite.beside("out");
    // The line of the totals has the seconds.
    let told = |seed: &str| {
        let all = suite.run(&["good", "known/deviates", "--order", seed, "--report", &folder]).out;
        let kept: Vec<&str> = all.lines().filter(|line| !line.contains(" s: ")).collect();
        let read = |name: &str| std::fs::read_to_string(std::path::Path::new(&folder).join(name)).unwrap();
        let report: serde_json::Value = serde_json::from_str(&read("report.json")).unwrap();
        let cases: Vec<String> =
            report["cases"].as_array().unwrap().iter().map(|it| it["case"].to_string()).collect();
        let records = read("records.jsonl");
        let mut order = ["good/one", "good/two", "known/deviates"];
        order.sort_by_key(|case| records.find(&format!("\"{case}\"")));
        (kept.join("\n"), cases, order)
    };
    let runs: Vec<_> = (1..12).map(|seed| told(&format!("random:{seed}"))).collect();
    assert!(runs[0].0.contains("known/deviates"), "{}", runs[0].0);
    assert_eq!(runs[0].1, [r#""good/one""#, r#""good/two""#, r#""known/deviates""#]);
    assert!(runs.iter().all(|run| (&run.0, &run.1) == (&runs[0].0, &runs[0].1)));
    // They did come in different orders.
    assert!(runs.iter().any(|run| run.2 != runs[0].2));
}

#[test]
fn nothing_begins_after_the_first_failure() {
    let suite = Suite::new();
    let cases = played(&suite, &["bad", "good", "slow", "--order", "name", "--fail-fast"]);
    assert!(cases.is_empty(), "`slow` is no chapter yet: {cases:?}");
    suite.add_slow();
    let output =
        suite.run(&["bad", "slow", "--order", "name", "--fail-fast", "--jobs", "1", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!((output.code, json["results"]["bad/one"].as_str()), (1, Some("fail")));
}
