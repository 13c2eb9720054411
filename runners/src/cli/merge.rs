//! Parts of one run, put together: what shards of a suite on the same target left, and what was played there by and by.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use harness::record::{Footer, Run};
use harness::target::Target;
use reports::target_line;

/// Puts runs together, each of which was read from a file or folder. Shards become the run that they are of; one
/// alone stays what it is. Runs that are no shards become one if they are of one target and have no case in common.
/// `Err` says which shards are missing, are there twice, or do not belong together.
pub(super) fn merge(runs: Vec<(PathBuf, Run)>) -> Result<Vec<Run>, String> {
    let alone = runs.len() == 1;
    let mut merged: Vec<Run> = Vec::new();
    let mut shards: Vec<Vec<(PathBuf, Run)>> = Vec::new();
    for (path, run) in runs {
        if run.header.part.is_some() && !alone {
            match shards.iter_mut().find(|group| belong_together(&group[0].1, &run)) {
                Some(group) => group.push((path, run)),
                None => shards.push(vec![(path, run)]),
            }
            continue;
        }
        match merged.iter_mut().find(|whole| is_more_of(whole, &run)) {
            Some(whole) => add(whole, run),
            None => merged.push(run),
        }
    }
    let wrong: Vec<String> = shards.iter().filter_map(|group| flaw(group)).collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n       "));
    }
    merged.extend(shards.into_iter().filter_map(whole));
    Ok(merged)
}

/// If two shards are of one run.
fn belong_together(one: &Run, other: &Run) -> bool {
    let of = |run: &Run| run.header.part.as_ref().map(|part| (part.count, part.whole.clone()));
    of(one) == of(other)
        && one.header.program == other.header.program
        && is_same(&one.header.target, &other.header.target)
}

/// If targets are the same. Of the programs on it, a target tells those that its cases run.
fn is_same(one: &Target, other: &Target) -> bool {
    let without = |target: &Target| Target { programs: BTreeSet::new(), ..target.clone() };
    without(one) == without(other)
}

/// What keeps shards from being a whole run.
fn flaw(group: &[(PathBuf, Run)]) -> Option<String> {
    let first = &group[0].1.header;
    let part = first.part.as_ref()?;
    let count = part.count;
    let what = format!("{} ({} cases in {count} shards)", target_line(&first.target), part.whole.cases);
    let mut here: BTreeMap<u32, Vec<&Path>> = BTreeMap::new();
    for (path, run) in group {
        let index = run.header.part.as_ref().map_or(0, |part| part.index);
        here.entry(index).or_default().push(path);
    }
    if let Some((index, paths)) = here.iter().find(|(_, paths)| paths.len() > 1) {
        return Some(format!("shard {index}/{count} of {what} is there more than once: {}", list(paths)));
    }
    let missing: Vec<String> = (1..=count)
        .filter(|index| !here.contains_key(index))
        .map(|index| format!("{index}/{count}"))
        .collect();
    if !missing.is_empty() {
        let paths: Vec<&Path> = here.values().flatten().copied().collect();
        let missing = missing.join(", ");
        return Some(format!("shard {missing} of {what} is missing; here is {}", list(&paths)));
    }
    let mut places: HashMap<&str, &Path> = HashMap::new();
    for (path, run) in group {
        for record in &run.cases {
            if let Some(other) = places.insert(&record.case, path) {
                return Some(format!("{} is in two shards of {what}: {}", record.case, list(&[other, path])));
            }
        }
    }
    let planned: usize = group.iter().map(|(_, run)| run.header.cases).sum();
    (planned != part.whole.cases).then(|| format!("the shards of {what} have {planned} cases"))
}

fn list(paths: &[&Path]) -> String {
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    names.join(" and ")
}

/// The run that shards are of, in their order.
fn whole(mut group: Vec<(PathBuf, Run)>) -> Option<Run> {
    group.sort_by_key(|(_, run)| run.header.part.as_ref().map(|part| part.index));
    let mut runs = group.into_iter().map(|(_, run)| run);
    let mut whole = runs.next()?;
    runs.for_each(|run| add(&mut whole, run));
    whole.header.part = None;
    Some(whole)
}

fn is_more_of(whole: &Run, part: &Run) -> bool {
    let cases: HashSet<&str> = whole.cases.iter().map(|record| record.case.as_str()).collect();
    whole.header.part.is_none()
        && part.header.part.is_none()
        && is_same(&whole.header.target, &part.header.target)
        && part.cases.iter().all(|record| !cases.contains(record.case.as_str()))
}

fn add(whole: &mut Run, part: Run) {
    whole.header.cases += part.header.cases;
    whole.header.started = whole.header.started.min(part.header.started);
    whole.header.target.programs.extend(part.header.target.programs);
    whole.cases.extend(part.cases);
    whole.sort();
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
