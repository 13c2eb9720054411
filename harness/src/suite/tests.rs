//! Whole folders: what holds together, and what is told of one that does not.

use std::os::unix::fs::symlink;

use rstest::rstest;
use tempfile::TempDir;

use super::*;

const REQUIREMENT: &str = "X-1: {tier: core, level: must, says: It is so., from: [keyctl(2)]}\n";

fn case(title: &str, covers: &str) -> String {
    format!("title: {title}\ncovers: [{covers}]\nactors:\n  a: {{uid: 0}}\nsteps:\n  - a: getuid() = 0\n")
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// The messages of a folder's errors with their files.
fn told(folder: &TempDir) -> Vec<String> {
    let root = format!("{}/", folder.path().display());
    let show = |error: Diagnostic| format!("{}: {}", error.file.trim_start_matches(&root), error.message);
    Suite::load(folder.path()).map_or_else(|errors| errors.into_iter().map(show).collect(), |_| Vec::new())
}

#[test]
fn the_cases_of_the_program_hold_together() {
    let suite = Suite::embedded().unwrap_or_else(|errors| {
        panic!("{}", errors.iter().map(|error| error.render(false)).collect::<Vec<_>>().join("\n\n"))
    });
    assert_eq!(suite.requirements().len(), 412);
    assert!(suite.cases().len() >= 9);
    let case = suite.case("join/anonymous").unwrap();
    assert_eq!(case.file, "cases/join/anonymous.yaml");
    assert!(suite.source(case).unwrap().text.contains(&case.title));
    assert!(suite.requirement(&case.covers[0]).unwrap().says.contains("keyring"));
}

#[test]
fn a_folder_gives_the_same_suite_every_time() {
    let texts: Vec<(String, String)> =
        (0..20).map(|n| (format!("c{}/x{n}.yaml", n % 3), case(&format!("T {n}"), "X-1"))).collect();
    let mut files: Vec<(&str, &str)> =
        texts.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    files.push((REQUIREMENTS, REQUIREMENT));
    let first = folder(&files);
    files.reverse();
    let second = folder(&files);
    let ids = |folder: &TempDir| -> Vec<String> {
        Suite::load(folder.path()).unwrap().cases().iter().map(|case| case.id.clone()).collect()
    };
    assert_eq!(ids(&first), ids(&second));
    assert!(ids(&first).is_sorted());
}

#[rstest]
#[case(&[("a.yaml", &*case("A", "X-2"))], "a.yaml: no requirement `X-2`")]
#[case(&[("a.yaml", &*case("A", "X-1")), ("b/c.yaml", &*case("A", "X-1"))], "b/c.yaml: two cases have this title")]
#[case(&[("a.yaml", "x: 1")], "a.yaml: a case has no key `x`")]
#[case(&[("a.yml", "")], "a.yml: this is no case")]
#[case(&[("A b.yaml", "")], "A b.yaml: this is no case")]
#[case(&[("notes.txt", "")], "notes.txt: this is no case")]
#[case(&[("a/b/c/d/e/f.yaml", "")], "a/b/c/d/e: folders stand more than 4 deep in each other")]
#[case(&[(DEVIATIONS, "- {case: z, on: {kernel: any}, step: 1, observed: x, because: y}")], "deviations.yaml: no case `z`")]
#[case(&[("a.yaml", &*case("A", "X-1")), (DEVIATIONS, "- {case: a, on: {kernel: any}, step: 2, observed: x, because: y}")], "deviations.yaml: a has no step 2")]
#[case(&[("a.yaml", &*case("A", "X-1")), (DEVIATIONS, "- {on: {implementation: gvisor}, calls: [read], observed: x, because: y}")], "deviations.yaml: no case that is meant makes the call `read`")]
#[case(&[("a.yaml", &*case("A", "X-1").replace("actors", "norm: documentation\nactors"))], "a.yaml: a claim that no kernel honours has no deviation")]
fn what_does_not_hold_together_is_told(#[case] files: &[(&str, &str)], #[case] message: &str) {
    let folder = folder(&[files, &[(REQUIREMENTS, REQUIREMENT)]].concat());
    assert_eq!(told(&folder).first().map(String::as_str), Some(message));
}

#[test]
fn a_folder_without_requirements_covers_those_of_the_program() {
    assert_eq!(told(&folder(&[("a.yaml", &case("A", "JOIN-ANON-01"))])), Vec::<String>::new());
    assert_eq!(told(&folder(&[("a.yaml", &case("A", "X-1"))])), ["a.yaml: no requirement `X-1`"]);
}

/// Whatever the folder has is built in: nothing is passed over on the way.
#[test]
fn the_program_has_every_case_of_the_folder() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cases");
    let ids = |suite: Suite| suite.cases.into_iter().map(|case| case.id).collect::<Vec<_>>();
    let of_folder = Suite::load(&folder).map(ids).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(Suite::embedded().map(ids).unwrap_or_default(), of_folder);
}

#[test]
fn the_errors_of_all_files_come_at_once() {
    let folder = folder(&[("a.yaml", "x: 1"), ("b.yaml", "[]"), (REQUIREMENTS, REQUIREMENT)]);
    let errors = told(&folder);
    assert!(errors.iter().any(|error| error.starts_with("a.yaml")), "{errors:?}");
    assert!(errors.iter().any(|error| error.starts_with("b.yaml")), "{errors:?}");
}

#[test]
fn links_and_devices_are_not_read() {
    let folder = folder(&[(REQUIREMENTS, REQUIREMENT)]);
    symlink("/etc/passwd", folder.path().join("a.yaml")).unwrap();
    symlink("/", folder.path().join("b")).unwrap();
    nix::unistd::mkfifo(&folder.path().join("c.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert_eq!(
        told(&folder),
        [
            "a.yaml: a link is no case; put the file itself here",
            "b: a link is no case; put the file itself here",
            "c.yaml: this is no plain file"
        ]
    );
}

#[test]
fn a_large_file_is_not_read() {
    let folder = folder(&[(REQUIREMENTS, REQUIREMENT)]);
    let file = std::fs::File::create(folder.path().join("a.yaml")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert_eq!(told(&folder), ["a.yaml: the file has 1099511627776 bytes; 131072 are the most"]);
}

#[test]
fn a_record_meets_its_deviation() {
    let deviation = "- {case: 'a*', on: {kernel: any}, step: 1, observed: x, because: y}";
    let folder =
        folder(&[("a.yaml", &case("A", "X-1")), (DEVIATIONS, deviation), (REQUIREMENTS, REQUIREMENT)]);
    let suite = Suite::load(folder.path()).unwrap();
    assert!(suite.deviations()[0].is_about(&suite.cases()[0]));
}

#[test]
fn a_file_that_is_no_case_hides_no_other_error() {
    let folder = folder(&[
        (REQUIREMENTS, REQUIREMENT),
        ("a.yaml", &case("A title", "X-2")),
        ("notes.txt", "to be done"),
    ]);
    assert_eq!(told(&folder), ["notes.txt: this is no case", "a.yaml: no requirement `X-2`"]);
}
