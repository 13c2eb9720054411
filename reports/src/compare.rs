//! Two runs side by side: what changed, what is new, what is gone.
//!
//! A baseline is an old run: known failures are tolerated, new ones are not.

use std::collections::BTreeMap;
use std::io::{self, Write};

use harness::record::{CaseRecord, Run};

use crate::status::{Merit, Status, reason};
use crate::summary::{Outcome, Summary};
use crate::target_line;
use crate::text::{counted, cut, escape};

/// What a change is for whoever keeps the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is wrong now, and was not known to be.
    Regression,
    /// It was wrong and is as expected now.
    Fix,
    /// Everything else: another failure, a skip, something broken.
    Other,
}

impl Kind {
    /// The kind as one word.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Regression => "regression",
            Kind::Fix => "fix",
            Kind::Other => "other",
        }
    }
}

/// One case that is not in both runs what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// If something is wrong now that was not known to be: a case that changed so, or a new one.
    pub fn is_regression(&self) -> bool {
        self.changes().any(|change| change.kind == Kind::Regression)
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

/// Two failures are the same if the same step failed. Values are not compared, because serials
/// differ from run to run, nor lines, because a comment moves them.
fn is_same(old: &CaseRecord, new: &CaseRecord) -> bool {
    let failed =
        |record: &CaseRecord| record.steps.iter().rfind(|step| !step.met).map(|step| step.text.clone());
    let status = Status::of(new);
    Status::of(old) == status && (status.words().merit != Merit::Bad || failed(old) == failed(new))
}

fn change(case: &str, old: Option<&CaseRecord>, new: Option<&CaseRecord>) -> Change {
    let merit = |status: Option<Status>| status.map(|status| status.words().merit);
    let (was, is) = (old.map(Status::of), new.map(Status::of));
    let kind = match (merit(was), merit(is)) {
        (Some(Merit::Bad), Some(Merit::Good)) => Kind::Fix,
        (Some(Merit::Bad), Some(Merit::Bad)) => Kind::Other,
        (_, Some(Merit::Bad)) => Kind::Regression,
        _ => Kind::Other,
    };
    Change { kind, case: case.to_owned(), old: was, new: is, reason: new.and_then(reason) }
}

/// Writes the two tables and a line that sums them up.
pub fn write(out: &mut impl Write, comparison: &Comparison) -> io::Result<()> {
    let (old, new) = &comparison.targets;
    writeln!(out, "old  {old}\nnew  {new}\n")?;
    table(out, "Changed results", &comparison.changed)?;
    table(out, "New and vanished cases", &comparison.unmatched)?;
    let count = |kind| comparison.changes().filter(|change| change.kind == kind).count();
    let (regressions, others) = (count(Kind::Regression), count(Kind::Other));
    let fixes = match count(Kind::Fix) {
        1 => "1 fix".to_owned(),
        fixes => format!("{fixes} fixes"),
    };
    let regressions = counted(regressions, "regression");
    write!(out, "{regressions}, {fixes}, {}, ", counted(others, "other change"))?;
    writeln!(out, "{} unchanged", counted(comparison.unchanged, "case"))?;
    if comparison.incomplete > 0 {
        writeln!(out, "The new run was cut short: {} never ran.", counted(comparison.incomplete, "case"))?;
    }
    Ok(())
}

fn table(out: &mut impl Write, title: &str, changes: &[Change]) -> io::Result<()> {
    const REASON: usize = 120;
    if changes.is_empty() {
        return Ok(());
    }
    let word = |status: Option<Status>| status.map_or("-", |status| status.words().word).to_owned();
    let mut rows = vec![["case", "old", "new", "kind", "reason"].map(str::to_owned)];
    rows.extend(changes.iter().map(|change| {
        let reason = change.reason.as_deref().map_or(String::new(), |reason| cut(&escape(reason), REASON));
        [escape(&change.case), word(change.old), word(change.new), change.kind.word().to_owned(), reason]
    }));
    writeln!(out, "{title}")?;
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..4).map(width).collect();
    for row in &rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            line += &format!(" {cell:<width$} ");
        }
        line += &format!(" {}", row[4]);
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}
