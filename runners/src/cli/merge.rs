//! Parts of one run, put together: what shards of a suite on the same target left.

use std::collections::HashSet;

use harness::record::{Footer, Run};

/// Puts runs together that are of one target and have no case in common.
pub(super) fn merge(runs: Vec<Run>) -> Vec<Run> {
    let mut merged: Vec<Run> = Vec::new();
    for run in runs {
        match merged.iter_mut().find(|whole| is_part(whole, &run)) {
            Some(whole) => add(whole, run),
            None => merged.push(run),
        }
    }
    merged
}

fn is_part(whole: &Run, part: &Run) -> bool {
    let cases: HashSet<&str> = whole.cases.iter().map(|record| record.case.as_str()).collect();
    whole.header.target == part.header.target
        && part.cases.iter().all(|record| !cases.contains(record.case.as_str()))
}

fn add(whole: &mut Run, part: Run) {
    whole.header.cases += part.header.cases;
    whole.header.started = whole.header.started.min(part.header.started);
    whole.cases.extend(part.cases);
    // A part that was killed leaves a whole without its end.
    whole.footer = match (whole.footer.take(), part.footer) {
        (Some(one), Some(other)) => Some(Footer {
            cases: one.cases + other.cases,
            milliseconds: one.milliseconds.max(other.milliseconds),
            interrupted: one.interrupted || other.interrupted,
        }),
        _ => None,
    };
}
