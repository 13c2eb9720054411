//! Two runs side by side: what changed, what is new, what is gone.
//!
//! A baseline is an old run: known failures are tolerated, new ones are not, nor is another failure of the same case.

mod failure;
mod formats;
pub mod several;

use std::collections::BTreeMap;

use harness::record::{CaseRecord, Run};
use serde::Serialize;

use crate::status::{Merit, Status, reason};
use crate::summary::{Outcome, Summary};
use crate::target_line;

pub use formats::{json, markdown, write};

/// What a change is for whoever keeps the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It is wrong now, and was not known to be.
    Regression,
    /// It was wrong and still is, but in another way: at another step, by another observation, by a crash. What
    /// excused the one does not excuse the other.
    Otherwise,
    /// It was wrong and is as expected now.
    Fix,
    /// Everything else: a skip, something broken, a case that is new and passes.
    Other,
}

impl Kind {
    /// The kind as one word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Regression => "regression",
            Kind::Otherwise => "otherwise",
            Kind::Fix => "fix",
            Kind::Other => "other",
        }
    }
}

/// One case that is not in both runs what it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What it is.
    pub kind: Kind,
    /// The case's id.
    pub case: String,
    /// Its status in the old run, if it was there.
    pub old: Option<Status>,
    /// Its status in the new run, if it is there.
    pub new: Option<Status>,
    /// Why it has the status that it has now.
    pub reason: Option<String>,
    /// Why it had the one that it had before, where it fails otherwise.
    pub was: Option<String>,
}

/// Two runs side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Cases of both runs that changed, regressions first.
    pub changed: Vec<Change>,
    /// Cases of one run only, regressions first.
    pub unmatched: Vec<Change>,
    /// How many cases are what they were.
    pub unchanged: usize,
    targets: (String, String),
    /// How many cases of the new run never ran, because it was cut short.
    incomplete: usize,
    nothing_ran: bool,
}

impl Comparison {
    /// Compares two runs.
    pub fn of(old: &Run, new: &Run) -> Comparison {
        let (before, after) = (by_case(old), by_case(new));
        let summary = Summary::of(new);
        let mut comparison = Comparison {
            changed: Vec::new(),
            unmatched: Vec::new(),
            unchanged: 0,
            targets: (target_line(&old.header.target), target_line(&new.header.target)),
            incomplete: summary.missing,
            nothing_ran: summary.outcome == Outcome::NothingRan,
        };
        for (case, new) in &after {
            match before.get(case) {
                Some(old) if is_same(old, new) => comparison.unchanged += 1,
                old => {
                    let change = change(case, old.copied(), Some(new));
                    let list =
                        if old.is_some() { &mut comparison.changed } else { &mut comparison.unmatched };
                    list.push(change);
                }
            }
        }
        for (case, old) in before.iter().filter(|(case, _)| !after.contains_key(*case)) {
            comparison.unmatched.push(change(case, Some(old), None));
        }
        for list in [&mut comparison.changed, &mut comparison.unmatched] {
            list.sort_by(|a, b| (a.kind, &a.case).cmp(&(b.kind, &b.case)));
        }
        comparison
    }

    /// A run of what was not tested before. What is right in it counts as unchanged: there is nothing to be said of it.
    fn with_nothing(new: &Run) -> Comparison {
        let nothing = Run { header: new.header.clone(), cases: Vec::new(), footer: None };
        let mut comparison = Comparison::of(&nothing, new);
        comparison.targets.0 = "nothing".into();
        let bad = |change: &Change| change.kind == Kind::Regression || change.new == Some(Status::Broken);
        let cases = comparison.unmatched.len();
        comparison.unmatched.retain(bad);
        comparison.unchanged = cases - comparison.unmatched.len();
        comparison
    }

    /// If something is wrong now that was not known to be: a case that changed so, a new one, or one that
    /// fails otherwise than before.
    pub fn is_regression(&self) -> bool {
        self.changes().any(|change| matches!(change.kind, Kind::Regression | Kind::Otherwise))
    }

    /// How the new run is to be taken with the old one as its baseline. What was broken before and
    /// is broken still does not count; a new run that was cut short does.
    pub fn outcome(&self) -> Outcome {
        let breaks = |change: &Change| change.new == Some(Status::Broken);
        if self.is_regression() {
            Outcome::Failed
        } else if self.incomplete > 0 || self.changes().any(breaks) {
            Outcome::Broken
        } else if self.nothing_ran {
            Outcome::NothingRan
        } else {
            Outcome::AsExpected
        }
    }

    fn changes(&self) -> impl Iterator<Item = &Change> {
        self.changed.iter().chain(&self.unmatched)
    }
}

fn by_case(run: &Run) -> BTreeMap<&str, &CaseRecord> {
    run.cases.iter().map(|record| (record.case.as_str(), record)).collect()
}

/// If nothing changed that somebody would look at. Only of what is wrong it is asked in which way.
fn is_same(old: &CaseRecord, new: &CaseRecord) -> bool {
    let status = Status::of(new);
    Status::of(old) == status && (status.words().merit != Merit::Bad || failure::is_same(old, new))
}

fn change(case: &str, old: Option<&CaseRecord>, new: Option<&CaseRecord>) -> Change {
    let merit = |status: Option<Status>| status.map(|status| status.words().merit);
    let (was, is) = (old.map(Status::of), new.map(Status::of));
    let kind = match (merit(was), merit(is)) {
        (Some(Merit::Bad), Some(Merit::Good)) => Kind::Fix,
        (Some(Merit::Bad), Some(Merit::Bad)) => Kind::Otherwise,
        (_, Some(Merit::Bad)) => Kind::Regression,
        _ => Kind::Other,
    };
    let mut change =
        Change { kind, case: case.to_owned(), old: was, new: is, reason: new.and_then(reason), was: None };
    if let (Kind::Otherwise, Some(old), Some(new)) = (kind, old, new) {
        let called =
            |record, other| Some(failure::called(record, other, &reason(record).unwrap_or_default()));
        change.reason = called(new, old);
        change.was = called(old, new);
    }
    change
}
