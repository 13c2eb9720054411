use harness::record::{CaseRecord, Run, Verdict};
use reports::terminal::{self, Options};

use crate::common::*;

fn plain(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let styled = styled(write);
    anstream::adapter::strip_str(&styled).to_string()
}

fn styled(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn shown(record: &CaseRecord) -> String {
    plain(|out| terminal::case(out, &target(), record, &Options::default()))
}

fn summed(run: &Run, verbose: bool) -> String {
    plain(|out| terminal::summary(out, run, &Options { verbose, ..Options::default() }))
}

#[test]
fn a_fail_shows_the_variables_that_were_meant_and_met() {
    insta::assert_snapshot!(shown(&other_variable()));
}

#[test]
fn a_fail_names_the_fields_and_permission_bits_that_differ() {
    insta::assert_snapshot!(shown(&mask()));
}

#[test]
fn a_fail_names_the_members_that_differ() {
    insta::assert_snapshot!(shown(&members()));
}

#[test]
fn a_long_value_is_cut_to_where_it_differs() {
    insta::assert_snapshot!(shown(&long_value()));
}

#[test]
fn a_broken_case_says_why() {
    insta::assert_snapshot!(shown(&broken()));
}

#[test]
fn a_timeout_shows_the_end_of_the_console() {
    insta::assert_snapshot!(shown(&timeout()));
}

#[test]
fn a_crash_shows_the_start_of_what_the_kernel_said() {
    insta::assert_snapshot!(shown(&crash()));
}

#[test]
fn an_unexpected_pass_shows_what_was_recorded() {
    insta::assert_snapshot!(shown(&unexpected_pass()));
}

#[test]
fn another_fail_than_the_recorded_one_shows_both() {
    insta::assert_snapshot!(shown(&another_fail()));
}

#[test]
fn hostile_text_stays_text() {
    let styled = styled(|out| terminal::case(out, &target(), &hostile(), &Options::default()));
    let plain = anstream::adapter::strip_str(&styled).to_string();
    assert!(plain.chars().all(|char| char == '\n' || !char.is_control()), "{plain:?}");
    insta::assert_snapshot!(plain);
}

#[test]
fn a_failing_step_without_a_record_of_steps_still_has_its_reason() {
    let record = CaseRecord { reason: Some("the stage is gone".into()), ..case("a/b", Verdict::Fail) };
    assert!(shown(&record).contains("because   the stage is gone"), "{}", shown(&record));
}

#[test]
fn what_is_as_expected_is_silent_unless_asked_for() {
    let quiet = [case("join/plain", Verdict::Pass), deviation("a/b"), skip("c/d", "needs a VM")];
    for record in &quiet {
        assert_eq!(shown(record), "");
    }
    let options = Options { verbose: true, ..Options::default() };
    let lines: String =
        quiet.iter().map(|record| plain(|out| terminal::case(out, &target(), record, &options))).collect();
    insta::assert_snapshot!(lines);
}

#[test]
fn the_command_to_repeat_is_the_callers() {
    let options = Options { repeat: "skc run --kernel debian-6.1".into(), ..Options::default() };
    let record = CaseRecord { case: "parent/identity[egid]".into(), ..mask() };
    let shown = plain(|out| terminal::case(out, &target(), &record, &options));
    assert!(shown.contains("skc run --kernel debian-6.1 'parent/identity[egid]'\n"), "{shown}");
}

#[test]
fn styles_are_written_and_closed() {
    insta::assert_snapshot!(
        styled(|out| terminal::case(out, &target(), &mask(), &Options::default())).replace('\u{1b}', "␛")
    );
}

#[test]
fn the_summary_counts_everything_and_explains_every_skip() {
    insta::assert_snapshot!(summed(&everything(), false));
}

#[test]
fn a_verbose_summary_lists_the_cases() {
    insta::assert_snapshot!(summed(&everything(), true));
}

#[test]
fn three_hundred_skips_of_one_reason_are_one_line() {
    insta::assert_snapshot!(summed(&all_skipped(), false));
}

#[test]
fn a_run_of_no_case_says_so() {
    insta::assert_snapshot!(summed(&run(Vec::new()), false));
}

#[test]
fn a_killed_run_says_how_many_cases_never_ran() {
    insta::assert_snapshot!(summed(&killed(vec![case("join/plain", Verdict::Pass)], 9), false));
}

#[test]
fn an_interrupted_run_says_so() {
    let mut run = killed(vec![case("join/plain", Verdict::Pass)], 1);
    run.footer = Some(harness::record::Footer { cases: 1, milliseconds: 80, interrupted: true });
    insta::assert_snapshot!(summed(&run, false));
}
