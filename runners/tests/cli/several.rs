//! `skc compare` of several kernels: each with the one of the same name.

use std::fs;
use std::path::Path;

use crate::fixture::{Output, Suite, skc};

/// The folders of two runs on two kernels, and what is compared.
struct Runs {
    suite: Suite,
}

impl Runs {
    fn new() -> Runs {
        let suite = Suite::new();
        for folder in ["old", "new"] {
            let args = ["good", "--kernel", "host", "--kernel", "host", "--report", &suite.beside(folder)];
            assert_eq!(suite.run(&args).code, 0);
        }
        Runs { suite }
    }

    fn folder(&self, of: &str) -> String {
        self.suite.beside(of)
    }

    /// Lets a run on a kernel have other records.
    fn change(&self, of: &str, change: impl Fn(&str) -> String) {
        let records = Path::new(&self.folder(of)).join("records.jsonl");
        fs::write(&records, change(&fs::read_to_string(&records).unwrap())).unwrap();
    }

    fn compare(&self, options: &[&str]) -> Output {
        skc(&[&["compare", &self.folder("old"), &self.folder("new")], options].concat())
    }
}

fn failed(records: &str) -> String {
    records.replacen("\"verdict\":\"pass\"", "\"verdict\":\"fail\"", 1)
}

#[test]
fn each_kernel_is_compared_with_itself() {
    let runs = Runs::new();
    let same = runs.compare(&[]);
    assert_eq!(same.code, 0, "{}{}", same.out, same.err);
    let rows = |output: &Output| {
        let rows = output.out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        rows.collect::<Vec<String>>()
    };
    assert_eq!(rows(&same)[1..], ["host 0 0 0 0 2", "host-2 0 0 0 0 2"]);

    runs.change("new/host-2", failed);
    let worse = runs.compare(&[]);
    assert_eq!(worse.code, 1, "{}", worse.out);
    assert_eq!(rows(&worse)[0], "host-2");
    assert!(rows(&worse).ends_with(&["host 0 0 0 0 2".into(), "host-2 1 0 0 0 1".into()]), "{}", worse.out);
    let markdown = runs.compare(&["--format", "markdown"]);
    assert_eq!(markdown.code, 1);
    assert!(markdown.out.contains("| host-2 | 1 | 0 | 0 | 0 | 1 |"), "{}", markdown.out);
    assert!(markdown.out.contains("\n## host-2\n"), "{}", markdown.out);
    let json: serde_json::Value = serde_json::from_str(&runs.compare(&["--format", "json"]).out).unwrap();
    assert_eq!(json["outcome"], "failed");
    assert_eq!(json["kernels"][0]["outcome"], "as-expected");
    assert_eq!(json["kernels"][1]["changed"][0]["kind"], "regression");
}

#[test]
fn what_is_wrong_on_a_new_kernel_is_a_regression() {
    let runs = Runs::new();
    fs::remove_dir_all(runs.folder("old/host-2")).unwrap();
    let new = runs.compare(&[]);
    assert_eq!(new.code, 0, "{}{}", new.out, new.err);
    assert!(new.out.contains("new, 2 cases"), "{}", new.out);
    runs.change("new/host-2", failed);
    let wrong = runs.compare(&[]);
    assert_eq!(wrong.code, 1, "{}", wrong.out);
    assert!(wrong.out.contains("old  nothing"), "{}", wrong.out);
}

#[test]
fn of_a_kernel_that_has_gone_nothing_is_known() {
    let runs = Runs::new();
    fs::remove_dir_all(runs.folder("new/host-2")).unwrap();
    let gone = runs.compare(&[]);
    assert_eq!(gone.code, 3, "{}{}", gone.out, gone.err);
    assert!(gone.out.contains("has gone"), "{}", gone.out);
}

#[test]
fn several_kernels_are_not_compared_with_one() {
    let runs = Runs::new();
    let (one, several) = (runs.folder("old/host"), runs.folder("new"));
    for (old, new) in [(&one, &several), (&several, &one)] {
        let refused = skc(&["compare", old, new]);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""));
        let told = format!("{several} has the folders of several kernels, and {one} the records of one");
        assert!(refused.err.contains(&told), "{}", refused.err);
    }
}
