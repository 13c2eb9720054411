//! Known differences of targets: `cases/deviations.yaml`, and how a record stands to it.
//!
//! An entry is strict: it names the step that fails and what is observed there. A pass, or another
//! failure, is unexpected until the entry goes. What kernels rightly did in their time is no deviation;
//! `before` and `since` in the case say that.

use crate::case::diagnostic::{Problems, Source, shown};
use crate::case::fields::Fields;
use crate::case::yaml::{self, Data, Node};
use crate::case::{Act, Case, Step, Version};
use crate::record::{CaseRecord, Standing, Verdict};
use crate::target::Target;
use std::ops::Range;

/// One known difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deviation {
    /// The id of the case, or of several with `*` for any characters.
    pub case: String,
    /// Where it is seen.
    pub on: On,
    /// The step that fails, from 1; the steps of a `together` count as one.
    pub step: usize,
    /// What is observed there, with `*` for any characters.
    pub observed: String,
    /// Why.
    pub because: String,
    /// Where it was reported.
    pub link: Option<String>,
    /// Its place in the file.
    pub place: Range<usize>,
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
    /// The release that uname(2) gives, with `*` for any characters: a vendor's kernels.
    pub release: Option<String>,
}

impl On {
    /// If a target is meant.
    pub fn holds(&self, target: &Target) -> bool {
        self.implementation == target.implementation
            && self.from.is_none_or(|from| target.version >= from)
            && self.until.is_none_or(|until| target.version < until)
            && self.release.as_ref().is_none_or(|release| matches(release, &target.release))
    }
}

impl Deviation {
    /// If a case is meant.
    pub fn is_about(&self, case: &str) -> bool {
        matches(&self.case, case)
    }
}

/// How a record stands to the deviations. Only a case that ran to a verdict about the target can
/// deviate: a skip, a timeout, a crash or a broken harness stays what it is.
pub fn standing(deviations: &[Deviation], case: &Case, record: &CaseRecord, target: &Target) -> Standing {
    let mut recorded = deviations.iter().filter(|entry| entry.is_about(&case.id) && entry.on.holds(target));
    let Some(first) = recorded.clone().next() else { return Standing::Plain };
    let unexpected = || Standing::Unexpected { recorded: format!("step {}: {}", first.step, first.observed) };
    match record.verdict {
        Verdict::Pass => unexpected(),
        Verdict::Fail => match recorded.find(|entry| entry.is_seen(case, record)) {
            Some(seen) => Standing::Deviates { because: seen.because.clone() },
            None => unexpected(),
        },
        Verdict::Skip | Verdict::Broken | Verdict::Timeout | Verdict::Crash => Standing::Plain,
    }
}

impl Deviation {
    fn is_seen(&self, case: &Case, record: &CaseRecord) -> bool {
        let failed = record.steps.iter().find(|step| !step.met);
        failed.is_some_and(|step| {
            step_number(case, step.line) == Some(self.step) && matches(&self.observed, &step.observed.text)
        })
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

const KEYS: &[&str] = &["case", "on", "step", "observed", "because", "link"];
const ON_KEYS: &[&str] = &["kernel", "implementation", "release"];

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
    let case = required_text(fields, node, "case");
    let on = fields.required(node, "on").and_then(|node| on(fields, node));
    let step = fields.required(node, "step").and_then(|node| step(fields, node));
    let observed = required_text(fields, node, "observed");
    let because = required_text(fields, node, "because");
    let link = node.get("link").and_then(|node| fields.text(node, "link")).map(|link| link.text.clone());
    let place = node.get("case").unwrap_or(node).place.clone();
    Some(Deviation { case: case?, on: on?, step: step?, observed: observed?, because: because?, link, place })
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
    let (implementation, release, kernel) = (word("implementation"), word("release"), word("kernel"));
    let range = match (&kernel, &implementation, &release) {
        (None, None, None) => {
            let error = fields.source.error(node.place.clone(), "`on` names no target");
            fields.push(error.help("`{kernel: any}` means every Linux"));
            return None;
        }
        (None, ..) => Some((None, None)),
        (Some(text), ..) => versions(text),
    };
    let Some((from, until)) = range else {
        let place = node.get("kernel").unwrap_or(node).place.clone();
        let error = fields.source.error(place, format!("`{}` is no range of kernels", shown(&kernel?)));
        fields.push(
            error.help("write any, X.Y, X.Y.., ..X.Z or X.Y..X.Z, where X.Z is the first one without it"),
        );
        return None;
    };
    Some(On { implementation: implementation.unwrap_or_else(|| "linux".into()), from, until, release })
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
