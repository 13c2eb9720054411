//! What a run leaves on the disk, and what can be made of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::fixture::{Suite, skc};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_report_is_ten_whole_files() {
    let suite = Suite::new();
    let folder = suite.beside("new/out");
    // Twice: the second run replaces what the first left.
    for _ in 0..2 {
        let output = suite.run(&["--report", &folder, "--format", "json"]);
        assert_eq!(
            names(Path::new(&folder)),
            [
                "coverage.json",
                "coverage.md",
                "index.html",
                "junit.xml",
                "kcidb.json",
                "records.jsonl",
                "report.json",
                "report.ktap",
                "results.yaml",
                "summary.md"
            ]
        );
        assert_eq!(fs::read_to_string(Path::new(&folder).join("report.json")).unwrap(), output.out);
    }
    let read = |name: &str| fs::read_to_string(Path::new(&folder).join(name)).unwrap();
    for (format, name) in [
        ("ktap", "report.ktap"),
        ("junit", "junit.xml"),
        ("json", "report.json"),
        ("kcidb", "kcidb.json"),
        ("tmt", "results.yaml"),
        ("markdown", "summary.md"),
    ] {
        let rendered = skc(&["report", &folder, "--format", format]);
        assert_eq!(rendered.out, read(name));
        assert_eq!(rendered.code, 1);
    }
    // Not shown where it differs: it is long.
    let page = suite.skc(&["report", &folder, "--format", "html"]);
    assert!(page.code == 0 && page.out == read("index.html"), "{}", page.err);
    for (format, name) in [("json", "coverage.json"), ("markdown", "coverage.md")] {
        assert_eq!(suite.skc(&["coverage", &folder, "--format", format]).out, read(name));
    }
}

#[test]
fn several_kernels_have_a_folder_each_and_one_overview() {
    let suite = Suite::new();
    let folder = suite.beside("all");
    let output = suite.run(&["good", "--kernel", "host", "--kernel", "host", "--report", &folder]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
    assert_eq!(
        names(Path::new(&folder)),
        ["coverage.json", "coverage.md", "host", "host-2", "index.html", "kcidb.json", "summary.md"]
    );
    // Two runs of one kernel, each with the same two cases.
    let read = |name: &str| fs::read_to_string(Path::new(&folder).join(name)).unwrap();
    let kcidb: serde_json::Value = serde_json::from_str(&read("kcidb.json")).unwrap();
    let count = |what: &str| kcidb[what].as_array().unwrap().len();
    assert_eq!((count("builds"), count("tests")), (1, 4));
    assert_eq!(read("summary.md").matches("| passed | 2 |").count(), 2);
    for (format, name) in [("kcidb", "kcidb.json"), ("markdown", "summary.md")] {
        assert_eq!(skc(&["report", &folder, "--format", format]).out, read(name));
    }
    let refused = skc(&["report", &folder, "--format", "tmt"]);
    assert!(refused.code == 2 && refused.err.contains("of 2 runs"), "{}", refused.err);
    let json = fs::read_to_string(Path::new(&folder).join("coverage.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["targets"].as_array().unwrap().len(), 2);
    assert_eq!(json["requirements"][0]["standings"], serde_json::json!(["holds", "holds"]));
    // All of it can be rendered at once.
    assert_eq!(skc(&["report", &folder]).out.matches("OK: all that ran").count(), 2);
}

#[test]
fn runs_that_tell_the_same_are_two_in_a_database() {
    let suite = Suite::new();
    let (one, other) = (suite.beside("one"), suite.beside("other"));
    suite.run(&["good", "--report", &one]);
    let records = |folder: &str| Path::new(folder).join("records.jsonl");
    let text = fs::read_to_string(records(&one)).unwrap();
    let header: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let id = header["header"]["id"].as_str().unwrap();
    // As another run would have it that began in the same second and whose cases took as long.
    fs::create_dir(&other).unwrap();
    fs::write(records(&other), text.replace(id, "another")).unwrap();
    let ids = |folders: &[&str]| {
        let out = skc(&[&["report"], folders, &["--format", "kcidb"]].concat()).out;
        let kcidb: serde_json::Value = serde_json::from_str(&out).unwrap();
        let tests = kcidb["tests"].as_array().unwrap().iter();
        tests.map(|test| test["id"].to_string()).collect::<BTreeSet<String>>()
    };
    assert_eq!(ids(&[&one, &one]).len(), 2);
    assert_eq!(ids(&[&one, &other]).len(), 4);
}

#[test]
fn two_runs_do_not_write_to_one_folder() {
    let suite = Suite::new();
    suite.add_slow();
    let folder = suite.beside("out");
    let args = ["slow", "--report", &folder];
    let mut first = suite.command(&args).spawn().unwrap();
    while !Path::new(&folder).join("records.jsonl.part").exists() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let second = suite.run(&["good", "--report", &folder]);
    assert_eq!(second.code, 3);
    assert!(second.err.contains("another run is writing there"), "{}", second.err);
    assert_eq!(first.wait().unwrap().code(), Some(0));
}

#[test]
fn shards_are_put_together() {
    let suite = Suite::new();
    let folder = |index: u32| suite.beside(&format!("out{index}"));
    for index in 1..=2 {
        suite.run(&["--shard", &format!("{index}/2"), "--report", &folder(index)]);
    }
    let (one, two) = (folder(1), folder(2));
    let args = ["report", &one, &two, "--format", "json"];
    let whole: serde_json::Value = serde_json::from_str(&skc(&args).out).unwrap();
    assert_eq!(whole["summary"]["chosen"], 6);
    assert_eq!(whole["results"].as_object().unwrap().len(), 6);
    // The same run twice is two runs, and no document holds both.
    let twice = skc(&["report", &one, &one, "--format", "junit"]);
    assert_eq!(twice.code, 2, "{}", twice.err);
}

#[test]
fn a_baseline_tolerates_what_it_has() {
    let suite = Suite::new();
    let (old, new) = (suite.beside("old"), suite.beside("new"));
    assert_eq!(suite.run(&["--report", &old]).code, 1);
    assert_eq!(suite.run(&["--baseline", &old]).code, 0);
    let part = suite.run(&["good/one", "--baseline", &old]);
    assert!(!part.out.contains("vanished"), "what was not chosen is not missed: {}", part.out);
    suite.write(
        "bad/two.yaml",
        "title: Another\ncovers: [A-02]\nactors:\n  a: {uid: 0}\nsteps:\n  - a: getuid() = 1\n",
    );
    let worse = suite.run(&["--baseline", &old, "--report", &new]);
    assert_eq!(worse.code, 1);
    assert!(worse.out.contains("1 regression"), "{}", worse.out);
    let compared = skc(&["compare", &old, &new]);
    assert_eq!(compared.code, 1);
    assert!(compared.out.contains("bad/two"), "{}", compared.out);
    assert_eq!(skc(&["compare", &new, &old]).code, 0);
}

#[test]
fn what_are_no_records_is_said_to_be_none() {
    let suite = Suite::new();
    let file = suite.beside("text");
    fs::write(&file, "no records\n").unwrap();
    for path in [&file, suite.path().to_str().unwrap(), "/nonexistent"] {
        let output = skc(&["report", path]);
        assert_eq!(output.code, 2);
        assert!(output.err.contains(path), "{}", output.err);
    }
}

#[test]
fn results_are_submitted_by_whom_they_are_said_to_be() {
    let suite = Suite::new();
    let folder = suite.beside("mine");
    suite.run(&["good", "--report", &folder]);
    let render = |args: &[&str]| skc(&[&["report", &folder, "--format", "kcidb"], args].concat());
    let output = render(&["--origin", "my_ci", "--build", "other:17"]);
    let document: serde_json::Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(
        (&document["tests"][0]["origin"], &document["tests"][0]["build_id"]),
        (&"my_ci".into(), &"other:17".into())
    );
    for (args, told) in [(["--origin", "My CI"], "`My CI`"), (["--build", "17"], "ORIGIN:NAME")] {
        let refused = render(&args);
        assert!(refused.code == 2 && refused.err.contains(told), "{}", refused.err);
    }
}

#[test]
fn schemas_are_those_that_are_published() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (of, file) in [
        ("records", "reports/schema/records.schema.json"),
        ("report", "reports/schema/report.schema.json"),
        ("case", "cases/case.schema.json"),
    ] {
        let output = skc(&["schema", of]);
        let same = output.out == fs::read_to_string(root.join(file)).unwrap();
        assert!(output.code == 0 && same, "{file} is outdated: skc schema {of} > {file}");
    }
}
