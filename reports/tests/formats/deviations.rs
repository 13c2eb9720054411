use harness::case::Case;
use harness::deviation::On;
use harness::record::{Run, Verdict};
use reports::deviations::{Document, Options};

use crate::common::{case, run};
use crate::suite::{gvisor, linux, load, suite};

fn shown(document: &Document<'_>) -> String {
    let repeat = |on: &On, cases: &[&Case]| {
        let ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        format!("repeat on {on}: {}", ids.join(" "))
    };
    let mut out = Vec::new();
    document.write(&mut out, &Options { program: "0.1.0", repeat: &repeat }).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn everything_that_is_recorded() {
    let suite = suite();
    insta::assert_snapshot!(shown(&Document::whole(&suite)));
}

#[test]
fn what_some_runs_showed() {
    let suite = suite();
    let runs = [linux(), gvisor(), Run { cases: vec![case("a/one", Verdict::Pass)], ..linux() }];
    let document = Document::seen(&suite, &runs);
    assert_eq!(document.unexplained, 1, "a claim that failed at another step");
    insta::assert_snapshot!(shown(&document));
}

#[test]
fn a_run_without_deviations_has_an_empty_document() {
    let suite = suite();
    let runs = [run(vec![case("a/one", Verdict::Pass)])];
    insta::assert_snapshot!(shown(&Document::seen(&suite, &runs)));
}

#[test]
fn text_of_the_suite_is_no_markup() {
    let hostile = "\u{1b}[2J<script>|# x ![a](b) _c_ ` \u{202e}";
    // The file itself may hold no invisible character.
    let quoted = serde_json::to_string(hostile).unwrap().replace('\u{202e}', "\\u202e");
    let suite = load(&[
        (
            "requirements.yaml",
            &format!("X-1: {{tier: core, level: must, says: {quoted}, from: [{quoted}]}}\n"),
        ),
        (
            "deviations.yaml",
            &format!(
                "- {{case: a, on: {{place: {quoted}}}, step: 1, observed: {quoted}, because: {quoted}, link: {quoted}}}\n"
            ),
        ),
        (
            "a.yaml",
            "title: '# <b>A* ![a](b)'\ncovers: [X-1]\nabout: '```'\nactors:\n  a: {uid: 0}\nsteps:\n  - a: getuid() = 0\n",
        ),
    ]);
    let shown = shown(&Document::whole(&suite));
    assert!(shown.chars().all(|char| char == '\n' || !char.is_control() && char != '\u{202e}'), "{shown:?}");
    insta::assert_snapshot!(shown);
}
