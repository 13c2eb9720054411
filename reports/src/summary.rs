//! What a run came to, in numbers and in one word. Nothing is rendered here.

use std::collections::BTreeMap;

use harness::record::Run;
use schemars::JsonSchema;
use serde::Serialize;

use crate::status::{Merit, Status, reason};

/// What a whole run came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// At least one case ran, and all that ran came out as expected.
    AsExpected,
    /// A case failed, timed out, crashed the kernel or passed unexpectedly.
    Failed,
    /// Something that is not under test failed: a case is broken or never ran.
    Broken,
    /// No case was chosen, or all were skipped.
    NothingRan,
}

impl Outcome {
    /// The exit code of the program.
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::AsExpected => 0,
            Outcome::Failed => 1,
            Outcome::Broken => 3,
            Outcome::NothingRan => 4,
        }
    }

    /// The outcome of several runs together: a failure outweighs a broken environment, which
    /// outweighs a run of nothing. What is known of a kernel goes before what is not.
    pub fn worst(outcomes: impl IntoIterator<Item = Outcome>) -> Outcome {
        let rank = |outcome: &Outcome| match outcome {
            Outcome::AsExpected => 0,
            Outcome::NothingRan => 1,
            Outcome::Broken => 2,
            Outcome::Failed => 3,
        };
        outcomes.into_iter().max_by_key(rank).unwrap_or(Outcome::NothingRan)
    }
}

/// Cases that share a reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Group {
    /// The reason, as the records have it.
    pub reason: String,
    /// The cases, in the order of the records.
    pub cases: Vec<String>,
}

/// A run in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Summary {
    /// How the run is to be taken.
    pub outcome: Outcome,
    /// How many cases were chosen.
    pub chosen: usize,
    /// How many cases came to each status; every status is there.
    pub counts: BTreeMap<Status, usize>,
    /// How many chosen cases left no record, because the run was cut short.
    pub missing: usize,
    /// If the run says of itself that it was interrupted.
    pub interrupted: bool,
    /// Wall time, unless the run was killed.
    pub milliseconds: Option<u64>,
    /// The cases that are to be looked at, with their status, in the order of the records.
    pub concerns: Vec<(String, Status)>,
    /// Skipped cases by reason, the most frequent first.
    pub skips: Vec<Group>,
    /// Cases that deviate as recorded, by explanation, the most frequent first.
    pub deviations: Vec<Group>,
}

impl Summary {
    /// Counts a run.
    pub fn of(run: &Run) -> Summary {
        let mut counts: BTreeMap<Status, usize> = Status::ALL.map(|status| (status, 0)).into();
        let mut concerns = Vec::new();
        for record in &run.cases {
            let status = Status::of(record);
            *counts.entry(status).or_default() += 1;
            if matches!(status.words().merit, Merit::Bad | Merit::Unknown) {
                concerns.push((record.case.clone(), status));
            }
        }
        let missing = run.header.cases.saturating_sub(run.cases.len());
        Summary {
            outcome: outcome(&counts, missing),
            chosen: run.header.cases,
            counts,
            missing,
            interrupted: run.footer.as_ref().is_some_and(|footer| footer.interrupted),
            milliseconds: run.footer.as_ref().map(|footer| footer.milliseconds),
            concerns,
            skips: groups(run, Status::Skip),
            deviations: groups(run, Status::Deviation),
        }
    }

    /// How many cases came to this status.
    pub fn count(&self, status: Status) -> usize {
        self.counts.get(&status).copied().unwrap_or(0)
    }

    /// How many cases were played, whatever came of it.
    pub fn ran(&self) -> usize {
        self.counts.iter().filter(|(status, _)| **status != Status::Skip).map(|(_, count)| count).sum()
    }
}

fn outcome(counts: &BTreeMap<Status, usize>, missing: usize) -> Outcome {
    let has = |merit| counts.iter().any(|(status, count)| *count > 0 && status.words().merit == merit);
    if has(Merit::Bad) {
        Outcome::Failed
    } else if has(Merit::Unknown) || missing > 0 {
        Outcome::Broken
    } else if has(Merit::Good) {
        Outcome::AsExpected
    } else {
        Outcome::NothingRan
    }
}

fn groups(run: &Run, status: Status) -> Vec<Group> {
    let mut by_reason: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in run.cases.iter().filter(|record| Status::of(record) == status) {
        by_reason.entry(reason(record).unwrap_or_default()).or_default().push(record.case.clone());
    }
    let mut groups: Vec<Group> =
        by_reason.into_iter().map(|(reason, cases)| Group { reason, cases }).collect();
    // Stable: equally frequent reasons stay in the order of their text.
    groups.sort_by_key(|group| std::cmp::Reverse(group.cases.len()));
    groups
}
