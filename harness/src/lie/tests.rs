//! The table is well formed: what a lie breaks is known, and no rule waits for what it cannot know.

use std::collections::BTreeSet;
use std::time::Duration;

use super::rule::{Then, When};
use super::{Lie, all, find};
use crate::plan::{Plan, plan};
use crate::suite::Suite;
use crate::target::{Feature, Ids, Target};

#[test]
fn names_are_unique_and_found() {
    let names: BTreeSet<&str> = all().map(|lie| lie.name).collect();
    assert_eq!(names.len(), all().count());
    assert!(names.iter().all(|name| find(name).is_some_and(|lie| lie.name == *name)));
    let is_name = |name: &&str| {
        name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
    };
    assert!(names.iter().all(|name| is_name(name) && *name != "honest"), "{names:?}");
    assert!(find("honest").is_some_and(|lie| lie.breaks.is_empty()));
}

#[test]
fn a_lie_is_one_sentence_and_breaks_what_is_known() {
    let suite = Suite::embedded().unwrap();
    for lie in all() {
        assert!(lie.says.ends_with('.') && lie.says.len() < 160, "{}: {}", lie.name, lie.says);
        assert!(!lie.breaks.is_empty() && !lie.on.is_empty(), "{}", lie.name);
        for id in lie.breaks {
            assert!(suite.requirement(id).is_some(), "{}: no requirement {id}", lie.name);
        }
    }
}

#[test]
fn what_is_done_before_a_call_waits_for_no_answer() {
    let is_early = |lie: &&Lie| !matches!(lie.then, Then::Tells(_) | Then::Also(..));
    let wrong: Vec<&str> = all()
        .filter(is_early)
        .filter(|lie| !lie.when.iter().all(is_known_before))
        .map(|lie| lie.name)
        .collect();
    assert_eq!(wrong, Vec::<&str>::new());
}

#[test]
fn each_lie_concerns_a_case_that_covers_what_it_breaks() {
    let suite = Suite::embedded().unwrap();
    let target = Target {
        implementation: "linux".into(),
        implementation_version: None,
        release: "6.12.0".into(),
        version: crate::case::Version(6, 12),
        machine: "x86_64".into(),
        place: "a model".into(),
        ids: Ids::Block,
        features: Feature::ALL.iter().copied().collect(),
        programs: suite.cases().iter().flat_map(crate::plan::programs).collect(),
    };
    let plans: Vec<Plan> =
        suite.cases().iter().filter_map(|case| plan(case, &target, Duration::from_secs(1)).ok()).collect();
    let idle: Vec<&str> = all()
        .filter(|lie| !plans.iter().any(|plan| lie.is_against(&plan.covers) && lie.concerns(&plan.steps)))
        .map(|lie| lie.name)
        .collect();
    assert_eq!(idle, Vec::<&str>::new());
}

fn is_known_before(when: &When) -> bool {
    match when {
        When::Gives(_) | When::Works | When::Fails(_) => false,
        When::Not(when) | When::Parent(when) => is_known_before(when),
        _ => true,
    }
}
