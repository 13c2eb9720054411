//! Which cases, and in which order: filters and orders. Pure.

use std::cmp::Reverse;
use std::str::FromStr;
use std::thread;

use harness::case::Case;
use harness::case::diagnostic::did_you_mean;
use harness::deviation::matches;
use harness::plan::Plan;
use harness::requirement::Requirement;
use harness::suite::Suite;
use runners::pool::Jobs;

/// The cases that filters mean, in the order of the suite; without filters, all. A filter that means
/// nothing the suite knows of is an error, which says what may have been meant.
pub(super) fn choose<'s>(suite: &'s Suite, filters: &[String]) -> Result<Vec<&'s Case>, String> {
    let means_something =
        |filter: &str| suite.cases().iter().any(|case| means(filter, case)) || is_requirement(suite, filter);
    let wrong: Vec<String> = filters
        .iter()
        .filter(|filter| !means_something(filter))
        .map(|filter| unknown(suite, filter))
        .collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n       "));
    }
    let chosen = |case: &&Case| filters.is_empty() || filters.iter().any(|filter| means(filter, case));
    Ok(suite.cases().iter().filter(chosen).collect())
}

/// The requirements that filters mean, in the order of the suite: those of that name, and those that the
/// cases of that name cover; without filters, all.
pub(super) fn requirements<'s>(suite: &'s Suite, filters: &[String]) -> Result<Vec<&'s Requirement>, String> {
    let is_meant = |filter: &str, requirement: &Requirement| {
        requirement.id == filter
            || requirement.group() == filter
            || (filter.contains('*') && matches(filter, &requirement.id))
            || suite
                .cases()
                .iter()
                .any(|case| is_named(filter, case) && case.covers.contains(&requirement.id))
    };
    let nothing = |filter: &&String| !suite.requirements().iter().any(|it| is_meant(filter, it));
    let wrong: Vec<String> = filters.iter().filter(nothing).map(|filter| unknown(suite, filter)).collect();
    if !wrong.is_empty() {
        return Err(wrong.join("\n       "));
    }
    let chosen = |requirement: &&Requirement| {
        filters.is_empty() || filters.iter().any(|filter| is_meant(filter, requirement))
    };
    Ok(suite.requirements().iter().filter(chosen).collect())
}

/// If a filter means a case.
fn means(filter: &str, case: &Case) -> bool {
    is_named(filter, case) || case.covers.iter().any(|id| id == filter || group(id) == filter)
}

/// If a filter is the name of a case, of a chapter or of several.
fn is_named(filter: &str, case: &Case) -> bool {
    let chapter = filter.trim_end_matches('/');
    let below = |id: &str| {
        id.strip_prefix(chapter).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
    };
    below(&case.id) || (filter.contains('*') && matches(filter, &case.id))
}

/// A requirement's id without its number.
fn group(id: &str) -> &str {
    id.rsplit_once('-').map_or(id, |(group, _)| group)
}

/// If a filter is a requirement or a group of them, though no case may cover it yet.
fn is_requirement(suite: &Suite, filter: &str) -> bool {
    suite.requirements().iter().any(|requirement| requirement.id == filter || requirement.group() == filter)
}

fn unknown(suite: &Suite, filter: &str) -> String {
    let cases = suite.cases().iter().map(|case| case.id.as_str());
    let chapters = suite.cases().iter().filter_map(|case| Some(case.id.split_once('/')?.0));
    let requirements =
        suite.requirements().iter().flat_map(|requirement| [requirement.id.as_str(), requirement.group()]);
    let help = match did_you_mean(filter, cases.chain(chapters).chain(requirements)) {
        Some(near) => format!(": did you mean `{near}`?"),
        None => "; `skc list` shows all cases".into(),
    };
    format!("`{filter}` is no case, chapter or requirement{help}")
}

/// The order in which cases begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Those that may wait longest first, so that nobody waits for them in the end.
    Longest,
    /// By id.
    Name,
    /// Anyhow, with this seed or any.
    Random(Option<u64>),
}

impl FromStr for Order {
    type Err = String;
    fn from_str(text: &str) -> Result<Order, String> {
        match text.split_once(':') {
            None if text == "longest" => Ok(Order::Longest),
            None if text == "name" => Ok(Order::Name),
            None if text == "random" => Ok(Order::Random(None)),
            Some(("random", seed)) => {
                seed.parse().map(|seed| Order::Random(Some(seed))).map_err(|_| "a seed is a number".into())
            }
            _ => Err("an order is longest, name, random or random:SEED".into()),
        }
    }
}

impl Order {
    /// The order with its seed chosen.
    pub(super) fn settled(self) -> Order {
        match self {
            Order::Random(None) => Order::Random(Some(fastrand::u64(..1 << 32))),
            order => order,
        }
    }

    /// How so many are to take plans that are in this order. Where those come first that wait, as many as there are
    /// processors play the others meanwhile.
    pub(super) fn jobs(self, count: usize) -> Jobs {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        match self {
            Order::Longest => {
                let back = processors.min(count / 2);
                Jobs { front: count - back, back }
            }
            Order::Name | Order::Random(_) => count.into(),
        }
    }

    /// Puts plans into the order, for one of several rounds.
    pub(super) fn sort(self, plans: &mut [Plan], round: u32) {
        match self {
            // A machine is at its best when it has played many cases, and those that leave marks may end it: they come
            // last, and so to others than most.
            Order::Longest => plans.sort_by_cached_key(|plan| {
                (plan.stage.marks, Reverse((plan.waits(), plan.limit)), plan.case.clone())
            }),
            Order::Name => plans.sort_by(|one, other| one.case.cmp(&other.case)),
            Order::Random(seed) => {
                fastrand::Rng::with_seed(seed.unwrap_or_default().wrapping_add(round.into())).shuffle(plans);
            }
        }
    }
}
