//! If two failures of a case are the same failure, though serials, times and places differ from run to run.
//!
//! What a status is worth is not asked here.

use harness::record::{CaseRecord, Shown, StepRecord};

/// If both records fail at the same step, and there with the same observation. A record without such a step is
/// known by its reason.
pub(super) fn is_same(old: &CaseRecord, new: &CaseRecord) -> bool {
    match (failed(old), failed(new)) {
        // The line is not asked: a comment moves it.
        (Some(old), Some(new)) => old.text == new.text && is_same_value(old, new),
        (None, None) => without_numbers(old) == without_numbers(new),
        _ => false,
    }
}

/// What a failure is called where another is told beside it: its step, if that differs, and its reason.
pub(super) fn called(record: &CaseRecord, other: &CaseRecord, reason: &str) -> String {
    let step = failed(record).map(|step| step.text.as_str());
    match step {
        Some(text) if step != failed(other).map(|step| step.text.as_str()) => format!("{reason} at {text}"),
        _ => reason.to_owned(),
    }
}

fn failed(record: &CaseRecord) -> Option<&StepRecord> {
    record.steps.iter().rfind(|step| !step.met)
}

fn is_same_value(old: &StepRecord, new: &StepRecord) -> bool {
    let name = |shown: &Shown| shown.variable.as_ref().map(|(name, _)| name.clone());
    match (name(&old.observed), name(&new.observed)) {
        (None, None) => steady(old) == steady(new),
        (old, new) => old == new,
    }
}

/// An observed text without what differs from run to run: words where any is expected, and serials.
fn steady(step: &StepRecord) -> String {
    let (expected, observed) = (&step.expected.text, &step.observed.text);
    // A description's parts are told by semicolons, those of a line of /proc by spaces. Each has a mask in one.
    let (between, mask) = if observed.starts_with('"') && observed.matches(';').count() >= 4 {
        (';', Some(3))
    } else if observed.starts_with('"') {
        (' ', Some(4))
    } else {
        (' ', None)
    };
    let wanted: Vec<&str> = split(expected, between);
    let found = split(observed, between);
    let aligned = wanted.len() == found.len();
    let parts = found.iter().enumerate().map(|(at, part)| match wanted.get(at) {
        Some(wanted) if aligned && wanted.contains('*') => "*".to_owned(),
        _ if mask == Some(at) => (*part).to_owned(),
        // The first word of a line of /proc/keys is the serial.
        _ if at == 0 && between == ' ' && found.len() > 4 && is_hexadecimal(part) => "N".to_owned(),
        _ => without_serials(part),
    });
    parts.collect::<Vec<_>>().join(&between.to_string())
}

fn split(text: &str, between: char) -> Vec<&str> {
    match between {
        ' ' => text.split_whitespace().collect(),
        // What the last field says may hold semicolons itself.
        between => text.splitn(5, between).collect(),
    }
}

fn is_hexadecimal(word: &str) -> bool {
    let digits = word.trim_start_matches('"');
    digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A text with its serials alike. The kernel draws them from 31 bits: in two thousand there is not one below a
/// million, and what else a case looks at is seldom above.
fn without_serials(text: &str) -> String {
    let is_serial = |digits: &str| {
        digits.len() > 6 && !digits.starts_with('0') && digits.parse::<i32>().is_ok_and(|serial| serial > 0)
    };
    each_number(text, |digits| if is_serial(digits) { "N" } else { digits })
}

/// A reason with all of its numbers alike: the kernel's complaints are full of addresses, times and process ids.
fn without_numbers(record: &CaseRecord) -> Option<String> {
    let words = record.reason.as_deref()?.split_whitespace().map(|word| {
        let digits = word.trim_start_matches("0x").trim_end_matches([',', ':', '.']);
        let is_address = digits.len() > 7 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_address { "N".to_owned() } else { each_number(word, |_| "N") }
    });
    Some(words.collect::<Vec<_>>().join(" "))
}

/// A text with each run of digits that is no part of a word replaced.
fn each_number<'t>(text: &'t str, replace: impl Fn(&'t str) -> &'t str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let is_digit = first.is_ascii_digit();
        let alike = |char: char| char.is_ascii_digit() == is_digit;
        let length = rest.find(|char| !alike(char)).unwrap_or(rest.len());
        let (run, after) = rest.split_at(length);
        let is_alone = !before.is_alphanumeric() && !after.starts_with(char::is_alphanumeric);
        out.push_str(if is_digit && is_alone { replace(run) } else { run });
        before = run.chars().last().unwrap_or(before);
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::record::{Standing, Verdict};
    use rstest::rstest;

    fn record(step: Option<(&str, &str, &str)>, reason: &str) -> CaseRecord {
        let shown = |text: &str| Shown { text: text.into(), variable: None };
        CaseRecord {
            case: "a/b".into(),
            file: "cases/a/b.yaml".into(),
            title: "A title".into(),
            covers: Vec::new(),
            verdict: Verdict::Fail,
            standing: Standing::Plain,
            reason: Some(reason.into()),
            steps: step
                .into_iter()
                .map(|(text, expected, observed)| StepRecord {
                    line: 4,
                    text: text.into(),
                    met: false,
                    expected: shown(expected),
                    observed: shown(observed),
                    microseconds: 1,
                })
                .collect(),
            microseconds: 1,
            console: Vec::new(),
        }
    }

    #[rstest]
    #[case::serial("0", "932995531", "1070784827", true)]
    #[case::small("0", "1", "2", false)]
    #[case::error("0", "EACCES", "ENOKEY", false)]
    #[case::value_for_error("EACCES", "0", "EPERM", false)]
    #[case::serial_for_error("EACCES", "932995531", "EPERM", false)]
    #[case::no_serial("0", "4294967295", "4294967294", false)]
    #[case::strangers_in_a_set("{}", "{932995531}", "{1070784827}", true)]
    #[case::more_strangers("{}", "{932995531}", "{1070784827, 932995531}", false)]
    #[case::names_in_a_set("{}", "{$a}", "{$b}", false)]
    #[case::mask(
        "\"keyring;0;0;3f130000;_ses\"",
        "\"keyring;0;0;3f010000;_ses\"",
        "\"keyring;0;0;3f030000;_ses\"",
        false
    )]
    #[case::mask_of_digits(
        "\"user;0;0;10000000;k\"",
        "\"user;0;0;11000000;k\"",
        "\"user;0;0;12000000;k\"",
        false
    )]
    #[case::field_of_no_interest(
        "\"user;*;0;3f010000;a\"",
        "\"user;7;0;3f010000;b\"",
        "\"user;9;0;3f010000;b\"",
        true
    )]
    #[case::name_of_a_serial(
        "\"user;0;0;3f010000;k\"",
        "\"user;0;0;3f010000;932995531\"",
        "\"user;0;0;3f010000;1070784827\"",
        true
    )]
    #[case::line_of_proc(
        "\"* I-* * perm 3f130000 0 0 keyring k: 1\"",
        "\"379c6b0b I--Q 1 perm 3f130000 0 0 keyring k: 2\"",
        "\"1fd2a93b I--Q 3 perm 3f130000 0 0 keyring k: 2\"",
        true
    )]
    #[case::line_that_should_not_be(
        "\"\"",
        "\"379c6b0b I--Q 1 perm 3f130000 0 0 keyring k: 2\"",
        "\"1fd2a93b I--Q 1 perm 3f130000 0 0 keyring k: 2\"",
        true
    )]
    #[case::mask_in_a_line(
        "\"\"",
        "\"379c6b0b I--Q 1 perm 3f130000 0 0 keyring k: 2\"",
        "\"1fd2a93b I--Q 1 perm 3f010000 0 0 keyring k: 2\"",
        false
    )]
    fn an_observation_is_known_again(
        #[case] expected: &str,
        #[case] one: &str,
        #[case] other: &str,
        #[case] same: bool,
    ) {
        let record = |observed| record(Some(("a: describe(@s) = ok", expected, observed)), "");
        assert_eq!(is_same(&record(one), &record(other)), same);
        assert_eq!(is_same(&record(other), &record(one)), same);
        assert!(is_same(&record(one), &record(one)));
    }

    #[rstest]
    #[case(
        "BUG: unable to handle, address: 0000000000000008",
        "BUG: unable to handle, address: ffff888004a3c010",
        true
    )]
    #[case("WARNING: CPU: 0 PID: 77 at keys/gc.c:12", "WARNING: CPU: 1 PID: 81 at keys/gc.c:15", true)]
    #[case("WARNING: CPU: 0 PID: 77 at keys/gc.c:12", "WARNING: CPU: 0 PID: 77 at keys/key.c:12", false)]
    #[case("KASAN: slab-use-after-free in key_put", "KASAN: slab-use-after-free in key_get", false)]
    fn a_complaint_is_known_again(#[case] one: &str, #[case] other: &str, #[case] same: bool) {
        assert_eq!(is_same(&record(None, one), &record(None, other)), same);
    }

    #[test]
    fn another_step_is_another_failure() {
        let at = |text| record(Some((text, "0", "EACCES")), "expected 0, observed EACCES");
        assert!(!is_same(&at("a: clear(@s) = 0"), &at("b: clear(@s) = 0")));
        assert!(!is_same(&at("a: clear(@s) = 0"), &record(None, "expected 0, observed EACCES")));
    }
}
