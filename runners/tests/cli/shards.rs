//! Shards of a run, and what becomes of them when they are put together.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use rstest::rstest;
use serde_json::Value;

use crate::fixture::{Output, Suite, output, skc};

/// Cases of every kind, and one that runs a program: what a target is said to have depends on what is asked of it.
fn suite() -> Suite {
    let suite = Suite::new();
    suite.case("good/program", "A-03", "", "a: run_status(\"true\") = 0");
    for at in 0..6 {
        suite.case(&format!("more/case-{at}"), "A-03", "", "a: getuid() = 0");
    }
    suite
}

fn shard(suite: &Suite, shard: &str, to: &str, more: &[&str]) -> Output {
    suite.run(&[&["--shard", shard, "--report", to], more].concat())
}

/// All shards of a run.
fn shards(suite: &Suite, count: usize) -> Vec<String> {
    let one = |index: usize| {
        let folder = suite.beside(&format!("{index}-of-{count}"));
        shard(suite, &format!("{index}/{count}"), &folder, &[]);
        folder
    };
    (1..=count).map(one).collect()
}

fn report(folders: &[&str]) -> Output {
    skc(&[&["report", "--format", "json"], folders].concat())
}

/// A report without times and with its cases in order.
fn plain(report: &Output) -> Value {
    let mut document: Value = serde_json::from_str(&report.out).unwrap_or_else(|_| panic!("{}", report.err));
    forget_times(&mut document);
    sort(&mut document["cases"]);
    sort(&mut document["summary"]);
    document
}

/// Puts the members of lists in order, but for those of cases: their steps have one.
fn sort(value: &mut Value) {
    match value {
        Value::Object(map) if !map.contains_key("steps") => map.values_mut().for_each(sort),
        Value::Array(list) => {
            list.iter_mut().for_each(sort);
            list.sort_by_key(Value::to_string);
        }
        _ => {}
    }
}

fn forget_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !["microseconds", "milliseconds", "started", "id"].contains(&key.as_str()));
            map.values_mut().for_each(forget_times);
        }
        Value::Array(list) => list.iter_mut().for_each(forget_times),
        _ => {}
    }
}

#[test]
fn shards_put_together_are_the_run_that_they_are_of() {
    let suite = suite();
    let all = suite.beside("all");
    assert_eq!(suite.run(&["--report", &all]).code, 1);
    let whole = report(&[&all]);
    for count in 1..=5 {
        let folders = shards(&suite, count);
        // In any order.
        let folders: Vec<&str> = folders.iter().rev().map(String::as_str).collect();
        let merged = report(&folders);
        assert_eq!(merged.code, whole.code, "{count}: {}", merged.err);
        let (merged, whole) = (plain(&merged), plain(&whole));
        assert_eq!(merged["cases"].as_array().unwrap().len(), 13);
        if count > 1 {
            assert_eq!(merged, whole, "{count}");
        }
    }
}

#[test]
fn a_shard_alone_is_reported_as_what_it_is() {
    let suite = suite();
    let folders = shards(&suite, 3);
    let one = plain(&report(&[&folders[1]]));
    assert_eq!(
        (one["header"]["part"]["index"].as_u64(), one["header"]["part"]["count"].as_u64()),
        (Some(2), Some(3))
    );
    assert_eq!(one["header"]["part"]["whole"]["cases"], 13);
}

#[test]
fn a_killed_shard_leaves_a_run_that_was_cut_short() {
    let suite = suite();
    let folders = shards(&suite, 2);
    let records = Path::new(&folders[0]).join("records.jsonl");
    let text = fs::read_to_string(&records).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&records, lines[..lines.len() - 2].join("\n") + "\n").unwrap();
    let merged = report(&[&folders[0], &folders[1]]);
    let document = plain(&merged);
    assert_eq!(document["footer"], Value::Null);
    assert_eq!(document["summary"]["missing"], 1, "{}", document["summary"]);
}

#[test]
fn what_does_not_belong_together_is_named() {
    let suite = suite();
    let folders = shards(&suite, 3);
    let [one, two, three] = [&folders[0], &folders[1], &folders[2]].map(String::as_str);
    // Of fewer cases, of other targets, of another division.
    let fewer = suite.beside("fewer");
    shard(&suite, "3/3", &fewer, &["good", "more"]);
    let elsewhere = suite.beside("elsewhere");
    shard(&suite, "3/3", &elsewhere, &["--command", "env"]);
    let fourth = suite.beside("fourth");
    shard(&suite, "3/4", &fourth, &[]);
    for (folders, parts) in [
        (vec![one, three], vec!["shard 2/3 of linux", "(13 cases in 3 shards) is missing", one, three]),
        (vec![one], vec![]),
        (vec![one, two, three, two], vec!["shard 2/3 of linux", "is there more than once", two]),
        (vec![one, two, &fewer], vec!["shard 3/3 of linux", "is missing", "(9 cases in 3 shards)", &fewer]),
        (
            vec![one, two, &elsewhere],
            vec!["shard 3/3 of linux", "shard 1/3, 2/3 of linux", ", env", &elsewhere],
        ),
        (vec![one, two, &fourth], vec!["shard 3/3 of linux", "shard 1/4, 2/4, 4/4 of linux", &fourth]),
        (vec![one, two, three, &fourth], vec!["shard 1/4, 2/4, 4/4 of linux"]),
    ] {
        let merged = report(&folders);
        assert_eq!(merged.code == 2, !parts.is_empty(), "{}{}", merged.out, merged.err);
        for part in parts {
            assert!(merged.err.contains(part), "{part}: {}", merged.err);
        }
    }
}

#[test]
fn a_case_in_two_shards_is_named() {
    let suite = suite();
    let folders = shards(&suite, 2);
    let file = |folder: &str| Path::new(folder).join("records.jsonl");
    let (first, second) = (file(&folders[0]), file(&folders[1]));
    let text = fs::read_to_string(&second).unwrap();
    let moved: Value =
        serde_json::from_str(fs::read_to_string(&first).unwrap().lines().nth(1).unwrap()).unwrap();
    let case = moved["case"]["case"].as_str().unwrap();
    let other: Value = serde_json::from_str(text.lines().nth(1).unwrap()).unwrap();
    let other = other["case"]["case"].as_str().unwrap();
    fs::write(&second, text.replace(&format!("\"case\":\"{other}\""), &format!("\"case\":\"{case}\"")))
        .unwrap();
    let merged = report(&[&folders[0], &folders[1]]);
    assert_eq!(merged.code, 2);
    assert!(merged.err.contains(&format!("{case} is in two shards of linux")), "{}", merged.err);
}

#[test]
fn new_cases_leave_the_others_where_they_are() {
    let suite = suite();
    let cases = |folder: &str| -> BTreeSet<String> {
        let document = plain(&report(&[folder]));
        document["results"].as_object().unwrap().keys().cloned().collect()
    };
    let before: Vec<BTreeSet<String>> = shards(&suite, 3).iter().map(|folder| cases(folder)).collect();
    for at in 0..20 {
        suite.case(&format!("new/case-{at}"), "A-01", "", "a: getuid() = 0");
    }
    for (before, folder) in before.iter().zip(shards(&suite, 3)) {
        let after: BTreeSet<String> =
            cases(&folder).into_iter().filter(|case| !case.starts_with("new/")).collect();
        assert_eq!(*before, after);
    }
}

#[rstest]
#[case::slurm(&[("SLURM_ARRAY_TASK_ID", "2"), ("SLURM_ARRAY_TASK_MIN", "1"), ("SLURM_ARRAY_TASK_MAX", "3"), ("SLURM_ARRAY_TASK_COUNT", "3")], "2/3")]
#[case::kubernetes(&[("JOB_COMPLETION_INDEX", "1"), ("JOB_COMPLETIONS", "3")], "2/3")]
#[case::gitlab(&[("CI_NODE_INDEX", "2"), ("CI_NODE_TOTAL", "3")], "2/3")]
#[case::none(&[], "")]
#[case::half(&[("JOB_COMPLETION_INDEX", "1")], "")]
fn an_engine_is_asked_only_on_demand(#[case] variables: &[(&str, &str)], #[case] part: &str) {
    let suite = suite();
    let run = |args: &[&str]| {
        let mut command = suite.command(&[args, &["--format", "json"]].concat());
        for (name, _) in std::env::vars() {
            if ["SLURM_", "JOB_", "CI_"].iter().any(|engine| name.starts_with(engine)) {
                command.env_remove(name);
            }
        }
        output(command.envs(variables.iter().copied()))
    };
    assert_eq!(plain(&run(&[]))["summary"]["chosen"], 13);
    let auto = run(&["--shard", "auto"]);
    if part.is_empty() {
        assert_eq!(auto.code, 2);
        assert!(auto.err.contains("--shard auto: ") && auto.err.contains("JOB_COMPLETIONS"), "{}", auto.err);
    } else {
        assert!(auto.err.contains(&format!("this is shard {part}, by ")), "{}", auto.err);
        assert_eq!(plain(&auto), plain(&run(&["--shard", part])));
    }
}

#[test]
fn a_shard_without_a_kernel_tests_none() {
    let suite = suite();
    let none = suite.run(&["--kernel", "host", "--shard-kernels", "2/2", "good"]);
    assert_eq!(none.code, 4, "{}{}", none.out, none.err);
    assert!(none.err.contains("this one has none"), "{}", none.err);
    let out = suite.beside("kernels");
    let one = suite.run(&["--kernel", "host", "--shard-kernels", "1/2", "good/one", "--report", &out]);
    assert_eq!(one.code, 0, "{}{}", one.out, one.err);
    assert!(Path::new(&out).join("host/records.jsonl").exists(), "each kernel has its folder");
}
