//! What a verdict amounts to beside what was expected of the target, and its word in each format.
//!
//! This is the one table of the mapping; a format that needs another word gets a column here.

use harness::record::{CaseRecord, Standing, Verdict};
use schemars::JsonSchema;
use serde::Serialize;

/// Verdict and standing in one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A pass where none of the target's deviations says otherwise.
    Pass,
    /// A fail that no deviation records.
    Fail,
    /// A step did not end in its time, and no deviation records that.
    Timeout,
    /// The kernel died or complained while the case ran.
    Crash,
    /// A pass where a deviation records a fail: its entry has to go.
    UnexpectedPass,
    /// The harness or the environment failed.
    Broken,
    /// A fail that a deviation records.
    Deviation,
    /// Not run.
    Skip,
}

/// What a status means for whoever waits for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merit {
    /// As expected.
    Good,
    /// The kernel, or what is recorded of it, is wrong.
    Bad,
    /// Nothing was learnt because something failed that is not under test.
    Unknown,
    /// Nothing was asked.
    Unasked,
}

/// The element of a JUnit test case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// None: success.
    Success,
    /// `<failure>`
    Failure,
    /// `<error>`
    Error,
    /// `<skipped>`
    Skipped,
}

/// The row of a status in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Words {
    /// In JSON and in tables.
    pub word: &'static str,
    /// Before a case on a terminal.
    pub heading: &'static str,
    /// After a number of cases.
    pub counted: &'static str,
    /// Where there is room for no word.
    pub letter: char,
    /// If KTAP's line says `ok`.
    pub ok: bool,
    /// What stands behind the `#` of KTAP's line, before the reason.
    pub directive: Option<&'static str>,
    /// The element in JUnit; its `type` is `word`.
    pub element: Element,
    /// KCIDB's status. It says what the kernel did; what was expected of it stands beside it.
    pub kcidb: &'static str,
    /// tmt's result.
    pub tmt: &'static str,
    /// LAVA's result.
    pub lava: &'static str,
    /// What it means.
    pub merit: Merit,
}

impl Status {
    /// Every status, in the order of summaries.
    pub const ALL: [Status; 8] = [
        Status::Pass,
        Status::Fail,
        Status::Timeout,
        Status::Crash,
        Status::UnexpectedPass,
        Status::Broken,
        Status::Deviation,
        Status::Skip,
    ];

    /// The status of a record.
    pub fn of(record: &CaseRecord) -> Status {
        match (record.verdict, &record.standing) {
            (Verdict::Skip, _) => Status::Skip,
            // A deviation cannot excuse what was never observed.
            (Verdict::Broken, _) => Status::Broken,
            // Nor a kernel that does more than differ.
            (Verdict::Crash, _) => Status::Crash,
            (Verdict::Pass, Standing::Plain) => Status::Pass,
            (Verdict::Pass, Standing::Deviates { .. } | Standing::Unexpected { .. }) => {
                Status::UnexpectedPass
            }
            (Verdict::Fail | Verdict::Timeout, Standing::Deviates { .. }) => Status::Deviation,
            (Verdict::Fail, Standing::Plain | Standing::Unexpected { .. }) => Status::Fail,
            (Verdict::Timeout, Standing::Plain | Standing::Unexpected { .. }) => Status::Timeout,
        }
    }

    /// Its words.
    pub const fn words(self) -> Words {
        use Element::{Error, Failure, Skipped, Success};
        use Merit::{Bad, Good, Unasked, Unknown};
        #[rustfmt::skip]
        let (word, heading, counted, letter, ok, directive, element, kcidb, tmt, lava, merit) = match self {
            Status::Pass => ("pass", "pass", "passed", '.', true, None, Success, "PASS", "pass", "pass", Good),
            Status::Fail => ("fail", "FAIL", "failed", 'F', false, None, Failure, "FAIL", "fail", "fail", Bad),
            Status::Timeout => ("timeout", "TIMEOUT", "timed out", 'T', false, Some("TIMEOUT"), Error, "FAIL", "fail", "fail", Bad),
            Status::Crash => ("crash", "CRASH", "crashed", 'C', false, Some("CRASH"), Error, "FAIL", "fail", "fail", Bad),
            // KTAP has no word for it: `ok` would hide it, so it is a fail that says why.
            Status::UnexpectedPass => ("unexpected-pass", "UNEXPECTED PASS", "passed unexpectedly", 'U', false, Some("unexpected pass:"), Failure, "PASS", "warn", "fail", Bad),
            Status::Broken => ("broken", "BROKEN", "broken", 'B', false, Some("ERROR"), Error, "ERROR", "error", "unknown", Unknown),
            Status::Deviation => ("deviation", "deviation", "deviated as recorded", 'd', true, Some("XFAIL"), Skipped, "FAIL", "info", "pass", Good),
            Status::Skip => ("skip", "skip", "skipped", 's', true, Some("SKIP"), Skipped, "SKIP", "skip", "skip", Unasked),
        };
        Words { word, heading, counted, letter, ok, directive, element, kcidb, tmt, lava, merit }
    }
}

/// In tables of many cells: the sign and the letter of each status, the worst first. What stands for several cases
/// shows the first of these that one of them came to.
pub(crate) const SIGNS: [(Status, &str, char); 8] = [
    (Status::Crash, "☠", 'c'),
    (Status::Fail, "✗", 'f'),
    (Status::Timeout, "◷", 't'),
    (Status::UnexpectedPass, "!", 'u'),
    (Status::Broken, "?", 'b'),
    (Status::Deviation, "≠", 'd'),
    (Status::Pass, "✓", 'p'),
    (Status::Skip, "–", 's'),
];

/// Why a record came to its status, for the formats that have one line for it; a plain pass has no
/// reason. The text is as the record has it.
pub fn reason(record: &CaseRecord) -> Option<String> {
    let own = record.reason.as_deref();
    match (Status::of(record), &record.standing) {
        (Status::Pass, _) => None,
        (Status::Deviation, Standing::Deviates { because }) => Some(because.clone()),
        (
            Status::UnexpectedPass,
            Standing::Deviates { because: recorded } | Standing::Unexpected { recorded },
        ) => Some(format!("a deviation is recorded: {recorded}")),
        (_, Standing::Unexpected { recorded }) => {
            Some(format!("{}; a deviation records something else: {recorded}", own.unwrap_or(NO_REASON)))
        }
        (_, _) => Some(own.unwrap_or(NO_REASON).to_owned()),
    }
}

const NO_REASON: &str = "no reason was recorded";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn record(verdict: Verdict, standing: Standing) -> CaseRecord {
        CaseRecord {
            case: "a/b".into(),
            file: "cases/a/b.yaml".into(),
            title: "A title".into(),
            covers: Vec::new(),
            verdict,
            standing,
            reason: Some("own".into()),
            steps: Vec::new(),
            microseconds: 0,
            console: Vec::new(),
        }
    }

    #[test]
    fn every_verdict_with_every_standing_has_its_status_and_reason() {
        use Status::*;
        let deviates = || Standing::Deviates { because: "known".into() };
        let unexpected = || Standing::Unexpected { recorded: "known".into() };
        let stale = "a deviation is recorded: known";
        let other = "own; a deviation records something else: known";
        #[rustfmt::skip]
        let table = [
            (Verdict::Pass, Standing::Plain, Pass, None),
            (Verdict::Pass, deviates(), UnexpectedPass, Some(stale)),
            (Verdict::Pass, unexpected(), UnexpectedPass, Some(stale)),
            (Verdict::Fail, Standing::Plain, Fail, Some("own")),
            (Verdict::Fail, deviates(), Deviation, Some("known")),
            (Verdict::Fail, unexpected(), Fail, Some(other)),
            (Verdict::Timeout, Standing::Plain, Timeout, Some("own")),
            (Verdict::Timeout, deviates(), Deviation, Some("known")),
            (Verdict::Timeout, unexpected(), Timeout, Some(other)),
            (Verdict::Crash, Standing::Plain, Crash, Some("own")),
            (Verdict::Crash, deviates(), Crash, Some("own")),
            (Verdict::Crash, unexpected(), Crash, Some(other)),
            (Verdict::Broken, Standing::Plain, Broken, Some("own")),
            (Verdict::Broken, deviates(), Broken, Some("own")),
            (Verdict::Broken, unexpected(), Broken, Some(other)),
            (Verdict::Skip, Standing::Plain, Skip, Some("own")),
            (Verdict::Skip, deviates(), Skip, Some("own")),
            (Verdict::Skip, unexpected(), Skip, Some(other)),
        ];
        for (verdict, standing, status, why) in table {
            let record = record(verdict, standing);
            assert_eq!(Status::of(&record), status, "{record:?}");
            assert_eq!(reason(&record).as_deref(), why, "{record:?}");
        }
    }

    #[test]
    fn words_are_distinct_and_agree_with_serde() {
        let words: HashSet<&str> = Status::ALL.iter().map(|status| status.words().word).collect();
        assert_eq!(words.len(), Status::ALL.len());
        let letters: HashSet<char> = Status::ALL.iter().map(|status| status.words().letter).collect();
        assert_eq!(letters.len(), Status::ALL.len());
        for status in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), status.words().word);
        }
    }

    #[test]
    fn what_goes_to_kcidb_is_what_the_kernel_did() {
        let deviates = || Standing::Deviates { because: "known".into() };
        for standing in [Standing::Plain, deviates()] {
            for (verdict, word) in
                [(Verdict::Pass, "PASS"), (Verdict::Fail, "FAIL"), (Verdict::Broken, "ERROR")]
            {
                assert_eq!(Status::of(&record(verdict, standing.clone())).words().kcidb, word);
            }
        }
    }

    #[test]
    fn no_format_calls_anything_but_a_good_or_unasked_case_ok() {
        for status in Status::ALL {
            let words = status.words();
            let calm = matches!(words.merit, Merit::Good | Merit::Unasked);
            assert_eq!(words.ok, calm, "{status:?}");
            assert_eq!(matches!(words.element, Element::Success | Element::Skipped), calm, "{status:?}");
            assert_eq!(["pass", "info", "skip"].contains(&words.tmt), calm, "{status:?}");
            assert_eq!(["pass", "skip"].contains(&words.lava), calm, "{status:?}");
        }
    }
}
