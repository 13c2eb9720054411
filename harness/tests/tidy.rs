//! The invariants of ARCHITECTURE.md, as far as the text of the sources shows them.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let mut found = Vec::new();
    let mut folders = vec![root];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The part of a file that is no test.
fn product(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// Lines of code that hold one of the words, with their places.
fn lines_with(folder: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(folder) {
        for (at, line) in product(&text).lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            if words.iter().any(|word| code.contains(word)) {
                found.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
            }
        }
    }
    found
}

#[test]
fn harness_prints_nothing() {
    let none: Vec<String> = Vec::new();
    assert_eq!(lines_with("harness/src", &["println!", "print!", "dbg!", "stdout()", "stderr()"]), none);
}

#[test]
fn harness_starts_no_thread_and_no_program_behind_the_cases() {
    let none: Vec<String> = Vec::new();
    assert_eq!(
        lines_with("harness/src", &["thread::spawn", "thread::scope", "thread::Builder", "process::Command"]),
        none
    );
}

#[test]
fn unsafe_stands_only_where_it_is_allowed() {
    const ALLOWED: [&str; 7] = [
        "actor/sys.rs",
        "actor/life.rs",
        "actor/mailbox.rs",
        "actor/turn.rs",
        "stage/files.rs",
        "guest/shared.rs",
        "runners/src/early.rs",
    ];
    let elsewhere: Vec<String> = ["harness/src", "runners/src", "reports/src"]
        .iter()
        .flat_map(|folder| lines_with(folder, &["unsafe {", "unsafe fn", "unsafe impl", "unsafe_code"]))
        .filter(|line| !ALLOWED.iter().any(|file| line.contains(file)))
        .collect();
    assert_eq!(elsewhere, Vec::<String>::new());
}

#[test]
fn modules_use_only_what_stands_before_them() {
    let library = sources("harness/src")
        .into_iter()
        .find(|(path, _)| path.ends_with("harness/src/lib.rs"))
        .map(|(_, text)| text)
        .unwrap();
    let order: Vec<&str> = library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')))
        .collect();
    let mut wrong = Vec::new();
    for (path, text) in sources("harness/src") {
        let name = path.to_string_lossy().split("harness/src/").nth(1).unwrap().to_owned();
        // Tests may look at what comes of a module later on.
        if name.ends_with("/tests.rs") {
            continue;
        }
        let module = name.split(['/', '.']).next().unwrap();
        let Some(place) = order.iter().position(|known| *known == module) else { continue };
        for later in &order[place + 1..] {
            let uses = |line: &str| {
                line.split("//").next().unwrap_or_default().contains(&format!("crate::{later}::"))
            };
            if product(&text).lines().any(uses) {
                wrong.push(format!("{name} uses {later}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_file_says_what_lives_there() {
    let silent: Vec<PathBuf> = ["harness/src", "runners/src", "reports/src"]
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(silent, Vec::<PathBuf>::new());
}

#[test]
fn the_readme_shows_the_published_results() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = |file: &str| fs::read_to_string(root.join(file)).unwrap();
    let readme = text("README.md");
    let (_, shown) = readme.split_once("<!-- results: `make results` writes this -->").unwrap();
    let (shown, _) = shown.split_once("<!-- end of results -->").unwrap();
    let rows = shown.lines().filter(|line| line.starts_with('|')).count();
    assert!(rows > 20, "{rows} rows");
    assert!(text("reports/results/README.md").contains(shown.trim()), "`make results` writes both");
}
