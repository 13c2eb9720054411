use harness::record::{Run, Verdict};
use reports::junit;

use crate::common::*;

fn shown(run: &Run) -> String {
    let mut out = Vec::new();
    junit::write(&mut out, run).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn every_kind_of_case() {
    insta::assert_snapshot!(shown(&everything()));
}

#[test]
fn no_character_is_one_that_xml_forbids() {
    let shown = shown(&everything());
    let allowed =
        |char: char| matches!(char, '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    assert!(shown.chars().all(allowed));
    assert!(shown.contains("\\x1b[2J]]&gt;&lt;/failure&gt;"), "the hostile title is shown, not dropped");
}

#[test]
fn a_killed_run_has_an_error() {
    insta::assert_snapshot!(shown(&killed(vec![case("join/plain", Verdict::Pass)], 2)));
}

#[test]
fn a_run_of_no_case_is_an_empty_document() {
    insta::assert_snapshot!(shown(&run(Vec::new())));
}
