//! Which targets an entry means, and how a record stands to it.

use std::collections::BTreeSet;

use rstest::rstest;

use super::*;
use crate::case::load::load;
use crate::record::{Shown, StepRecord};
use crate::target::Ids;

fn deviations(text: &str) -> Result<Vec<Deviation>, Vec<String>> {
    let mut problems = Problems::default();
    let read = read(&Source::new("deviations.yaml", text), &mut problems);
    let errors: Vec<String> = problems.finish().into_iter().map(|error| error.message).collect();
    if errors.is_empty() { Ok(read) } else { Err(errors) }
}

fn target(implementation: &str, release: &str) -> Target {
    Target {
        implementation: implementation.into(),
        implementation_version: None,
        release: release.into(),
        version: Version::parse(release).unwrap(),
        machine: "x86_64".into(),
        place: "this kernel".into(),
        ids: Ids::Block,
        programs: Default::default(),
        features: BTreeSet::new(),
    }
}

fn entry(on: &str) -> Deviation {
    let text = format!("- {{case: a/b, on: {{{on}}}, step: 2, observed: 'EPERM*', because: it does}}");
    deviations(&text).unwrap().remove(0)
}

#[rstest]
#[case("kernel: any", "linux", "6.1.90", true)]
#[case("kernel: any", "gvisor", "6.1.90", false)]
#[case("kernel: 6.1", "linux", "6.1.90", true)]
#[case("kernel: 6.1", "linux", "6.10.1", false)]
#[case("kernel: 5.10..6.1", "linux", "5.10.0", true)]
#[case("kernel: 5.10..6.1", "linux", "6.1.0", false)]
#[case("kernel: 5.10..6.1", "linux", "5.9.0", false)]
#[case("kernel: 5.10..", "linux", "6.18.0", true)]
#[case("kernel: ..5.10", "linux", "5.4.0", true)]
#[case("kernel: ..5.10", "linux", "5.10.0", false)]
#[case("implementation: gvisor", "gvisor", "4.4.0", true)]
#[case("implementation: gvisor", "linux", "4.4.0", false)]
#[case("release: '*.el9*'", "linux", "5.14.0-427.el9.x86_64", true)]
#[case("release: '*.el9*'", "linux", "5.14.0", false)]
fn an_entry_means_some_targets(
    #[case] on: &str,
    #[case] implementation: &str,
    #[case] release: &str,
    #[case] holds: bool,
) {
    assert_eq!(entry(on).on.holds(&target(implementation, release)), holds);
}

/// A case of three steps at the lines 6 to 8, and its record with a failure at one of them.
fn played(verdict: Verdict, failed: Option<(u32, &str)>) -> (Case, CaseRecord) {
    let text = "title: A\ncovers: [X-1]\nactors:\n  a: {uid: 0}\nsteps:\n  - a: getuid() = 0\n  - a: getuid() = 0\n  - a: getuid() = 0\n";
    let case = load("a/b.yaml", "a/b", text.as_bytes()).unwrap().remove(0);
    let shown = |text: &str| Shown { text: text.into(), variable: None };
    let step = |(line, text): (u32, &str)| StepRecord {
        line,
        text: String::new(),
        met: false,
        expected: shown("0"),
        observed: shown(text),
        microseconds: 1,
    };
    let record = CaseRecord {
        case: case.id.clone(),
        file: case.file.clone(),
        title: case.title.clone(),
        covers: case.covers.clone(),
        verdict,
        standing: Standing::Plain,
        reason: None,
        steps: failed.into_iter().map(step).collect(),
        microseconds: 1,
        console: Vec::new(),
    };
    (case, record)
}

#[rstest]
#[case(Verdict::Fail, Some((7, "EPERM")), "deviates")]
#[case(Verdict::Fail, Some((7, "EACCES")), "unexpected")]
#[case(Verdict::Fail, Some((6, "EPERM")), "unexpected")]
#[case(Verdict::Pass, None, "unexpected")]
#[case(Verdict::Skip, None, "plain")]
#[case(Verdict::Broken, Some((7, "EPERM")), "plain")]
#[case(Verdict::Timeout, None, "plain")]
#[case(Verdict::Crash, None, "plain")]
fn an_entry_is_strict(#[case] verdict: Verdict, #[case] failed: Option<(u32, &str)>, #[case] expected: &str) {
    let (case, record) = played(verdict, failed);
    let found = standing(&[entry("kernel: any")], &case, &record, &target("linux", "6.1.0"));
    let word = match &found {
        Standing::Plain => "plain",
        Standing::Deviates { because } => {
            assert_eq!(because, "it does");
            "deviates"
        }
        Standing::Unexpected { recorded } => {
            assert_eq!(recorded, "step 2: EPERM*");
            "unexpected"
        }
    };
    assert_eq!(word, expected);
}

#[rstest]
#[case(&[true], Verdict::Pass, None, "plain")]
#[case(&[true], Verdict::Fail, Some((7, "EPERM")), "deviates")]
#[case(&[true], Verdict::Fail, Some((7, "EACCES")), "unexpected")]
#[case(&[true], Verdict::Fail, Some((6, "EPERM")), "unexpected")]
#[case(&[true, true], Verdict::Pass, None, "plain")]
#[case(&[true, false], Verdict::Pass, None, "unexpected")]
#[case(&[false, true], Verdict::Pass, None, "unexpected")]
fn what_is_seen_sometimes_may_pass(
    #[case] sometimes: &[bool],
    #[case] verdict: Verdict,
    #[case] failed: Option<(u32, &str)>,
    #[case] expected: &str,
) {
    let (case, record) = played(verdict, failed);
    let entries: Vec<Deviation> =
        sometimes.iter().map(|&sometimes| Deviation { sometimes, ..entry("kernel: any") }).collect();
    let word = match standing(&entries, &case, &record, &target("linux", "6.1.0")) {
        Standing::Plain => "plain",
        Standing::Deviates { .. } => "deviates",
        Standing::Unexpected { .. } => "unexpected",
    };
    assert_eq!(word, expected);
}

#[rstest]
#[case("serial", "115682002", true)]
#[case("serial", "0", false)]
#[case("serial", "-3", false)]
#[case("serial", "EACCES", false)]
#[case("serial", "serial", false)]
#[case("E*", "EACCES", true)]
#[case("E*", "115682002", false)]
fn a_serial_is_no_error(#[case] recorded: &str, #[case] text: &str, #[case] expected: bool) {
    assert_eq!(is_observed(recorded, text), expected);
}

#[test]
fn an_entry_is_always_meant_unless_it_says_sometimes() {
    let read = |more: &str| {
        let text = format!("- {{case: a/b, on: {{kernel: any}}, step: 2, observed: x, because: y{more}}}");
        deviations(&text).unwrap()[0].sometimes
    };
    assert!(!read(""));
    assert!(read(", sometimes: true"));
}

fn gvisor(version: Option<&str>) -> Target {
    Target { implementation_version: version.map(str::to_owned), ..target("gvisor", "4.4.0") }
}

#[rstest]
#[case("20240729.0", Some("20240729.0"), true)]
#[case("20240729.0..", Some("20250101.0"), true)]
#[case("20240729.0..", Some("20221219.0"), false)]
#[case("..20240729.0", Some("20221219.0"), true)]
#[case("20240729.0..", None, false)]
#[case("any", None, true)]
fn an_implementation_has_versions_of_its_own(
    #[case] range: &str,
    #[case] version: Option<&str>,
    #[case] holds: bool,
) {
    let on = format!("implementation: gvisor, version: {range}");
    assert_eq!(entry(&on).on.holds(&gvisor(version)), holds);
}

fn lacking(calls: &str, observed: &str) -> Deviation {
    let text = format!(
        "- {{on: {{implementation: gvisor}}, calls: [{calls}], observed: {observed}, because: it does}}"
    );
    deviations(&text).unwrap().remove(0)
}

#[rstest]
#[case("getuid", "ENOSYS", Verdict::Fail, Some((6, "ENOSYS")), "deviates")]
#[case("getuid", "ENOSYS", Verdict::Fail, Some((6, "EPERM")), "unexpected")]
#[case("getuid", "ENOSYS", Verdict::Pass, None, "unexpected")]
#[case("getuid", "ENOSYS", Verdict::Broken, None, "plain")]
#[case("getgid", "ENOSYS", Verdict::Fail, Some((6, "ENOSYS")), "plain")]
#[case("get", "ENOSYS", Verdict::Fail, Some((6, "ENOSYS")), "plain")]
#[case("'getuid(*= 0'", "ENOSYS", Verdict::Fail, Some((6, "ENOSYS")), "deviates")]
#[case("'getuid(*= 1'", "ENOSYS", Verdict::Fail, Some((6, "ENOSYS")), "plain")]
fn a_call_that_is_lacking_fails_wherever_it_is_made(
    #[case] calls: &str,
    #[case] observed: &str,
    #[case] verdict: Verdict,
    #[case] failed: Option<(u32, &str)>,
    #[case] expected: &str,
) {
    let (case, mut record) = played(verdict, failed);
    record.steps.iter_mut().for_each(|step| step.text = "a: getuid() = 0".into());
    let word = match standing(&[lacking(calls, observed)], &case, &record, &gvisor(None)) {
        Standing::Plain => "plain",
        Standing::Deviates { .. } => "deviates",
        Standing::Unexpected { .. } => "unexpected",
    };
    assert_eq!(word, expected);
}

#[test]
fn a_step_that_asks_for_the_error_says_nothing_of_what_is_lacking() {
    let text = "title: A\ncovers: [X-1]\nactors:\n  a: {uid: 0}\nsteps:\n  - a: getuid() = 1 | ENOSYS\n";
    let case = load("a/b.yaml", "a/b", text.as_bytes()).unwrap().remove(0);
    assert!(!lacking("getuid", "ENOSYS").is_about(&case));
    assert!(lacking("getuid", "EPERM").is_about(&case));
}

#[test]
fn an_entry_for_another_target_says_nothing() {
    let (case, record) = played(Verdict::Fail, Some((7, "EPERM")));
    let found = standing(&[entry("kernel: 5.4")], &case, &record, &target("linux", "6.1.0"));
    assert_eq!(found, Standing::Plain);
}

#[rstest]
#[case("kernel: any", "linux")]
#[case("kernel: 6.1", "linux 6.1..6.2")]
#[case("kernel: ..6.1, place: uml", "linux ..6.1 uml")]
#[case("release: '*.el9*'", "linux *.el9*")]
#[case("implementation: gvisor, version: 20240729.0..", "gvisor 20240729.0..")]
fn targets_are_named(#[case] on: &str, #[case] shown: &str) {
    assert_eq!(entry(on).on.to_string(), shown);
    assert_eq!(entry(on).on.is_every_kernel(), on == "kernel: any");
}

#[rstest]
#[case("", "", true)]
#[case("", "x", false)]
#[case("*", "anything", true)]
#[case("a*c", "abc", true)]
#[case("a*c", "ac", true)]
#[case("a*c", "abcd", false)]
#[case("aa*aa", "aaa", false)]
#[case("*a*b*", "xxaxxbxx", true)]
#[case("*b*a*", "xxaxxbxx", false)]
#[case("a[1]", "a[1]", true)]
fn a_star_stands_for_any_characters(#[case] pattern: &str, #[case] text: &str, #[case] is_match: bool) {
    assert_eq!(matches(pattern, text), is_match);
}

#[rstest]
#[case("{on: {kernel: any}, step: 1, observed: x, because: y}", "`case` is missing")]
#[case("{case: a, step: 1, observed: x, because: y}", "`on` is missing")]
#[case("{case: a, on: {}, step: 1, observed: x, because: y}", "`on` names no target")]
#[case("{case: a, on: {kernel: 6}, step: 1, observed: x, because: y}", "`6` is no range of kernels")]
#[case(
    "{case: a, on: {kernel: 6.1..5.4}, step: 1, observed: x, because: y}",
    "`6.1..5.4` is no range of kernels"
)]
#[case(
    "{case: a, on: {kernl: any, kernel: any}, step: 1, observed: x, because: y}",
    "`on` has no key `kernl`"
)]
#[case("{case: a, on: {kernel: any}, observed: x, because: y}", "`step` is missing")]
#[case(
    "{case: a, on: {kernel: any}, step: 0, observed: x, because: y}",
    "`step` is the number of a step, from 1"
)]
#[case("{case: a, on: {kernel: any}, step: 1, because: y}", "`observed` is missing")]
#[case("{case: a, on: {kernel: any}, step: 1, observed: x}", "`because` is missing")]
#[case("{case: a, on: {kernel: any}, step: 1, observed: x, because: ''}", "`because` is empty")]
#[case(
    "{on: {kernel: any}, calls: [read], observed: x, because: y}",
    "`calls` is for implementations other than linux"
)]
#[case(
    "{on: {implementation: gvisor}, calls: [read], step: 1, observed: x, because: y}",
    "an entry has `step` or `calls`, not both"
)]
#[case("{on: {implementation: gvisor}, calls: [], observed: x, because: y}", "`calls` is empty")]
#[case(
    "{case: a, on: {kernel: any, version: 1.0}, step: 1, observed: x, because: y}",
    "`1.0` is no range of versions of an `implementation`"
)]
#[case(
    "{case: a, on: {kernel: any}, step: 1, observed: x, because: y, sometimes: 'no'}",
    "`sometimes` is `true`, or is left out"
)]
#[case(
    "{case: a, on: {kernel: any}, step: 1, observed: x, because: y, lnk: z}",
    "a deviation has no key `lnk`"
)]
fn a_wrong_entry_is_told(#[case] text: &str, #[case] message: &str) {
    assert_eq!(deviations(&format!("- {text}")), Err(vec![message.to_owned()]));
}
