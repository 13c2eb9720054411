//! Known differences of targets: `cases/deviations.yaml`, and how a record stands to it.
//!
//! An entry is strict: it names the step that fails and what is observed there. A pass, or another
//! failure, is unexpected until the entry goes; only where a target does now the one and now the other,
//! and the entry says so, may the case pass as well. What kernels rightly did in their time is no
//! deviation; `before` and `since` in the case say that.

use crate::case::diagnostic::{Problems, Source, shown};
use crate::case::fields::Fields;
use crate::case::yaml::{self, Data, Node};
use crate::case::{Act, Alternative, Bound, Case, Outcome, Step, Version};
use crate::record::{CaseRecord, Standing, Verdict};
use crate::target::Target;
use std::ops::Range;

/// One known difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The ids of the cases, with `*` for any characters.
    pub cases: Vec<String>,
    /// Where it is seen.
    pub on: On,
    /// The step that fails.
    pub at: At,
    /// What is observed there, with `*` for any characters, or `serial` for a positive number.
    pub observed: String,
    /// If the target differs in some runs and not in others, so that a pass is expected as well.
    pub sometimes: bool,
    /// Why.
    pub because: String,
    /// Where it was reported.
    pub link: Option<String>,
    /// Its place in the file.
    pub place: Range<usize>,
}

/// Which step of a case fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At {
    /// The one of this number, from 1; the steps of a `together` count as one.
    Step(usize),
    /// The first that makes one of these calls and may not come to what is observed: names of operations,
    /// or calls as a step has them with `*` for any characters. What an implementation lacks as a whole
    /// is so recorded once, and every case that has such a step is held to it.
    Calls(Vec<String>),
}

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            At::Step(number) => write!(f, "step {number}"),
            At::Calls(calls) => write!(f, "{}", calls.join(", ")),
        }
    }
}

/// Where a difference is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct On {
    /// The implementation; `linux` unless the entry says otherwise.
    pub implementation: String,
    /// The first version.
    pub from: Option<Version>,
    /// The first version that no longer shows it.
    pub until: Option<Version>,
    /// The implementation's own first version.
    pub own_from: Option<Version>,
    /// The implementation's own first version that no longer shows it.
    pub own_until: Option<Version>,
    /// The release that uname(2) gives, with `*` for any characters: a vendor's kernels.
    pub release: Option<String>,
    /// How the target is reached, as reports say it, with `*` for any characters: kernels for a machine that
    /// uname(2) does not tell from others.
    pub place: Option<String>,
}

impl std::fmt::Display for On {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.implementation)?;
        for (from, until) in [(self.own_from, self.own_until), (self.from, self.until)] {
            let bound = |version: Option<Version>| version.map(|it| it.to_string()).unwrap_or_default();
            if from.is_some() || until.is_some() {
                write!(f, " {}..{}", bound(from), bound(until))?;
            }
        }
        [&self.release, &self.place].into_iter().flatten().try_for_each(|part| write!(f, " {part}"))
    }
}

impl On {
    /// If every Linux kernel is meant, wherever it runs.
    pub fn is_every_kernel(&self) -> bool {
        every_kernel([self])
    }

    /// If a target is meant.
    pub fn holds(&self, target: &Target) -> bool {
        let own = target.implementation_version.as_deref().and_then(Version::parse);
        self.implementation == target.implementation
            && self.own_from.is_none_or(|from| own.is_some_and(|own| own >= from))
            && self.own_until.is_none_or(|until| own.is_some_and(|own| own < until))
            && self.from.is_none_or(|from| target.version >= from)
            && self.until.is_none_or(|until| target.version < until)
            && self.release.as_ref().is_none_or(|release| matches(release, &target.release))
            && self.place.as_ref().is_none_or(|place| matches(place, &target.place))
    }
}

/// The newest version that there will ever be.
const LAST: Version = Version(u32::MAX, u32::MAX);

/// If each Linux kernel, wherever it runs, is meant by one of several at least.
pub fn every_kernel<'a>(several: impl IntoIterator<Item = &'a On>) -> bool {
    let plain = |on: &&On| {
        let own = on.own_from.or(on.own_until);
        on.implementation == "linux" && own.is_none() && on.release.is_none() && on.place.is_none()
    };
    let range = |on: &On| (on.from.unwrap_or(Version(0, 0)), on.until.unwrap_or(LAST));
    let mut ranges: Vec<_> = several.into_iter().filter(plain).map(range).collect();
    ranges.sort_unstable();
    let reach = |reached: Version, (from, until)| if from <= reached { reached.max(until) } else { reached };
    ranges.into_iter().fold(Version(0, 0), reach) == LAST
}

impl Deviation {
    /// If a case is meant.
    pub fn is_about(&self, case: &Case) -> bool {
        self.cases.iter().any(|pattern| matches(pattern, &case.id))
            && (matches!(self.at, At::Step(_)) || !self.steps(case).is_empty())
    }

    /// The steps of a case at which it may fail as the entry says.
    pub fn steps<'c>(&self, case: &'c Case) -> Vec<&'c Step> {
        match &self.at {
            At::Step(number) => case.steps.get(number - 1).into_iter().collect(),
            At::Calls(calls) => {
                let made = |step: &&Step| calls.iter().any(|call| is_call(call, &step.text));
                flat(&case.steps).filter(made).filter(|step| !allows(step, &self.observed)).collect()
            }
        }
    }
}

/// The entry that says what a record of a failure shows.
pub fn seen<'d>(
    deviations: &'d [Deviation],
    case: &Case,
    record: &CaseRecord,
    target: &Target,
) -> Option<&'d Deviation> {
    let meant = |entry: &&Deviation| entry.is_about(case) && entry.on.holds(target);
    deviations.iter().filter(meant).find(|entry| entry.is_seen(case, record))
}

/// How a record stands to the deviations. Only a case that ran to a verdict about the target can
/// deviate: a skip, a timeout, a crash or a broken harness stays what it is.
pub fn standing(deviations: &[Deviation], case: &Case, record: &CaseRecord, target: &Target) -> Standing {
    let mut recorded = deviations.iter().filter(|entry| entry.is_about(case) && entry.on.holds(target));
    let Some(first) = recorded.clone().next() else { return Standing::Plain };
    let unexpected = || Standing::Unexpected { recorded: format!("{}: {}", first.at, first.observed) };
    match record.verdict {
        // One entry that is always seen is enough for a pass to be wrong.
        Verdict::Pass if recorded.all(|entry| entry.sometimes) => Standing::Plain,
        Verdict::Pass => unexpected(),
        Verdict::Fail => match seen(deviations, case, record, target) {
            Some(seen) => Standing::Deviates { because: seen.because.clone() },
            None => unexpected(),
        },
        Verdict::Skip | Verdict::Broken | Verdict::Timeout | Verdict::Crash => Standing::Plain,
    }
}

impl Deviation {
    /// The calls that fail.
    pub fn calls(&self) -> &[String] {
        match &self.at {
            At::Calls(calls) => calls,
            At::Step(_) => &[],
        }
    }

    fn is_seen(&self, case: &Case, record: &CaseRecord) -> bool {
        let failed = record.steps.iter().find(|step| !step.met);
        failed.is_some_and(|step| {
            let there = match &self.at {
                At::Step(number) => step_number(case, step.line) == Some(*number),
                At::Calls(calls) => calls.iter().any(|call| is_call(call, &step.text)),
            };
            there && is_observed(&self.observed, &step.observed.text)
        })
    }
}

/// What stands for any serial of a key in `observed`, so that no error is taken for one.
const SERIAL: &str = "serial";

/// If what was observed is what an entry says.
fn is_observed(recorded: &str, text: &str) -> bool {
    match recorded {
        SERIAL => text.parse::<i32>().is_ok_and(|number| number > 0),
        pattern => matches(pattern, text),
    }
}

/// The steps, with those of a `together` each for itself.
fn flat(steps: &[Step]) -> impl Iterator<Item = &Step> {
    steps.iter().flat_map(|step| match &step.act {
        Act::Together(inner) => inner.iter().collect(),
        _ => vec![step],
    })
}

/// If the text of a step makes a call: one of that name, or one that is what a pattern says.
pub fn is_call(call: &str, step: &str) -> bool {
    let made = step.split_once(": ").map_or(step, |(_, made)| made);
    match call.contains('(') {
        true => matches(call, made),
        false => made.strip_prefix(call).is_some_and(|rest| rest.starts_with('(')),
    }
}

/// If a step may come to an error of that name: then it says nothing of a call that always fails so. Other
/// implementations are held to the newest kernel.
fn allows(step: &Step, observed: &str) -> bool {
    let (Act::Call { outcome, .. } | Act::Check { outcome, .. } | Act::Ends { outcome, .. }) = &step.act
    else {
        return false;
    };
    let since = step.variants.iter().filter(|variant| variant.bound == Bound::Since);
    let outcome = since.max_by_key(|variant| variant.version).map_or(outcome, |variant| &variant.outcome);
    match outcome {
        Outcome::OneOf(alternatives) => alternatives
            .iter()
            .any(|one| matches!(one, Alternative::Fails(error) if error.to_string() == observed)),
        _ => false,
    }
}

/// The number, from 1, of the step at a line, or of the `together` around it.
fn step_number(case: &Case, line: u32) -> Option<usize> {
    let covers = |step: &Step| match &step.act {
        Act::Together(inner) => step.line == line || inner.iter().any(|step| step.line == line),
        _ => step.line == line,
    };
    case.steps.iter().position(covers).map(|at| at + 1)
}

/// If a text is what a pattern says: `*` stands for any characters, all else for itself.
pub fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

const KEYS: &[&str] = &["case", "on", "step", "calls", "observed", "sometimes", "because", "link"];
const ON_KEYS: &[&str] = &["kernel", "implementation", "version", "release", "place"];

/// Reads the deviations.
pub fn read(source: &Source, problems: &mut Problems) -> Vec<Deviation> {
    let Some(root) = yaml::parse(source, problems) else { return Vec::new() };
    let mut fields = Fields { source, problems };
    let items = fields.list(&root, "deviations.yaml").unwrap_or_default();
    items.iter().filter_map(|node| deviation(&mut fields, node)).collect()
}

fn deviation(fields: &mut Fields<'_, '_>, node: &Node) -> Option<Deviation> {
    let entries = fields.map(node, "a deviation")?;
    fields.unknown_keys(entries, KEYS, "a deviation");
    let calls = node.get("calls").map(|node| texts(fields, node, "calls"));
    let cases = match (node.get("case"), &calls) {
        (None, Some(_)) => Some(vec!["*".into()]),
        (Some(list), _) if matches!(list.data, Data::List(_)) => Some(texts(fields, list, "case")),
        _ => required_text(fields, node, "case").map(|case| vec![case]),
    };
    let on = fields.required(node, "on").and_then(|node| on(fields, node));
    let at = match calls {
        Some(calls) => {
            if let Some(step) = node.get("step") {
                fields.error(step.place.clone(), "an entry has `step` or `calls`, not both");
            }
            if on.as_ref().is_some_and(|on| on.implementation == "linux") {
                fields.error(node.place.clone(), "`calls` is for implementations other than linux");
            }
            Some(At::Calls(calls))
        }
        None => fields.required(node, "step").and_then(|node| step(fields, node)).map(At::Step),
    };
    let observed = required_text(fields, node, "observed");
    let sometimes = node.get("sometimes").is_some_and(|node| sometimes(fields, node));
    let because = required_text(fields, node, "because");
    let link = node.get("link").and_then(|node| fields.text(node, "link")).map(|link| link.text.clone());
    let place = node.get("case").or(node.get("calls")).unwrap_or(node).place.clone();
    Some(Deviation {
        cases: cases?,
        on: on?,
        at: at?,
        observed: observed?,
        sometimes,
        because: because?,
        link,
        place,
    })
}

fn sometimes(fields: &mut Fields<'_, '_>, node: &Node) -> bool {
    let is_true = matches!(&node.data, Data::Scalar(scalar) if scalar.text == "true");
    if !is_true {
        fields.error(node.place.clone(), "`sometimes` is `true`, or is left out");
    }
    is_true
}

fn required_text(fields: &mut Fields<'_, '_>, node: &Node, key: &str) -> Option<String> {
    let node = fields.required(node, key)?;
    // What is observed may well be a number: any scalar is its own text here.
    let text = match &node.data {
        Data::Scalar(scalar) if !scalar.is_null() => scalar.text.trim().to_owned(),
        _ => {
            fields.error(node.place.clone(), format!("`{key}` is a text, and here is {}", node.kind()));
            return None;
        }
    };
    if text.is_empty() {
        fields.error(node.place.clone(), format!("`{key}` is empty"));
    }
    Some(text)
}

/// One text or more.
fn texts(fields: &mut Fields<'_, '_>, node: &Node, key: &str) -> Vec<String> {
    let items = fields.list(node, key).unwrap_or_default();
    if items.is_empty() {
        fields.error(node.place.clone(), format!("`{key}` is empty"));
    }
    items.iter().filter_map(|item| fields.text(item, key)).map(|text| text.text.clone()).collect()
}

fn step(fields: &mut Fields<'_, '_>, node: &Node) -> Option<usize> {
    let number = match &node.data {
        Data::Scalar(scalar) => scalar.text.parse().ok().filter(|number| *number > 0),
        _ => None,
    };
    if number.is_none() {
        fields.error(node.place.clone(), "`step` is the number of a step, from 1");
    }
    number
}

fn on(fields: &mut Fields<'_, '_>, node: &Node) -> Option<On> {
    let entries = fields.map(node, "on")?;
    fields.unknown_keys(entries, ON_KEYS, "`on`");
    let mut word = |key: &str| match node.get(key).map(|node| &node.data) {
        Some(Data::Scalar(scalar)) => Some(scalar.text.clone()),
        Some(_) => {
            fields.error(node.place.clone(), format!("`{key}` is a text"));
            None
        }
        None => None,
    };
    let own = word("version");
    let (implementation, release, kernel) = (word("implementation"), word("release"), word("kernel"));
    let place = word("place");
    let range = match (&kernel, &implementation, &release, &place) {
        (None, None, None, None) => {
            let error = fields.source.error(node.place.clone(), "`on` names no target");
            fields.push(error.help("`{kernel: any}` means every Linux"));
            return None;
        }
        (None, ..) => Some((None, None)),
        (Some(text), ..) => versions(text),
    };
    let Some((from, until)) = range else {
        let at = node.get("kernel").unwrap_or(node).place.clone();
        let error = fields.source.error(at, format!("`{}` is no range of kernels", shown(&kernel?)));
        fields.push(
            error.help("write any, X.Y, X.Y.., ..X.Z or X.Y..X.Z, where X.Z is the first one without it"),
        );
        return None;
    };
    let (own_from, own_until) = match &own {
        None => (None, None),
        Some(text) => {
            let range = versions(text).filter(|_| implementation.is_some());
            if range.is_none() {
                let at = node.get("version").unwrap_or(node).place.clone();
                let error = format!("`{}` is no range of versions of an `implementation`", shown(text));
                fields.error(at, error);
            }
            range?
        }
    };
    let implementation = implementation.unwrap_or_else(|| "linux".into());
    Some(On { implementation, from, until, own_from, own_until, release, place })
}

/// `any`, `X.Y`, `X.Y..`, `..X.Z`, `X.Y..X.Z`: the first version and the first that is beyond.
fn versions(text: &str) -> Option<(Option<Version>, Option<Version>)> {
    let bound = |text: &str| match text {
        "" => Some(None),
        text => Version::parse(text).filter(|version| version.to_string() == text).map(Some),
    };
    match text.split_once("..") {
        _ if text == "any" => Some((None, None)),
        Some(("", "")) => None,
        Some((from, until)) => {
            let (from, until) = (bound(from)?, bound(until)?);
            (from.is_none() || until.is_none() || from < until).then_some((from, until))
        }
        None => {
            let version = bound(text)??;
            Some((Some(version), Some(Version(version.0, version.1 + 1))))
        }
    }
}

#[cfg(test)]
mod tests;
