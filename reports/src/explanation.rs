//! What happened in a case, as lines: the same in a terminal, in KTAP's diagnostics and in JUnit.
//!
//! Every line begins with two spaces at least and is printable; colour is the terminal's business.

use std::collections::HashMap;

use harness::record::{CaseRecord, Shown, Standing, StepRecord, Verdict};

use crate::difference;
use crate::text::{cut, escape, window};

/// How much weight a line has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// What it is about.
    Plain,
    /// What stands around it.
    Faint,
    /// What was right.
    Right,
    /// What was wrong.
    Wrong,
}

/// One line without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

/// How many characters of a value, of a reason and of a console line are shown.
const VALUE: usize = 100;
const REASON: usize = 400;
const CONSOLE: usize = 160;

/// How many steps before the one that ended the case, and how many last lines of the console.
const STEPS: usize = 3;
const CONSOLE_LINES: usize = 12;

/// Explains a case that did not simply pass.
pub(crate) fn explain(record: &CaseRecord) -> Vec<Line> {
    let mut lines = Lines(Vec::new());
    let end = last_step(record);
    match end {
        Some(at) => {
            lines.add(Tone::Plain, format!("  {}:{}", escape(&record.file), record.steps[at].line));
            lines.steps(&record.steps[at.saturating_sub(STEPS)..=at]);
        }
        None => lines.add(Tone::Plain, format!("  {}", escape(&record.file))),
    }
    let failed = end.map(|at| &record.steps[at]).filter(|step| !step.met && record.verdict == Verdict::Fail);
    if let Some(step) = failed {
        lines.values(step, &variables(record));
    }
    let said = failed.map_or("", |step| match &step.observed {
        Shown { variable: Some((name, _)), .. } => name,
        Shown { text, .. } => text,
    });
    // A reason that repeats what was observed says nothing that its line does not.
    if let Some(reason) = record.reason.as_ref().filter(|reason| said.is_empty() || !reason.contains(said)) {
        lines.fact(Tone::Wrong, "because", &cut(&escape(reason), REASON));
    }
    if let Standing::Unexpected { recorded } | Standing::Deviates { because: recorded } = &record.standing {
        lines.fact(
            Tone::Plain,
            "recorded",
            &format!("{}   in deviations.yaml", cut(&escape(recorded), REASON)),
        );
    }
    match record.verdict {
        // There it begins with what the kernel said first, which tells most.
        Verdict::Crash => lines.console_from_its_start(&record.console),
        _ => lines.console(&record.console),
    }
    lines.0
}

/// Every step that was played and what it came to.
pub(crate) fn play(record: &CaseRecord) -> String {
    let gutter = gutter(&record.steps);
    let mut out = String::new();
    for step in &record.steps {
        let sign = if step.met { "=" } else { "≠" };
        let observed = cut(&shown(&step.observed), VALUE);
        out += &format!("{:>gutter$} | {}\n", step.line, cut(&escape(&step.text), REASON));
        out += &format!("{:>gutter$} {sign} {observed}   {} µs\n", "", step.microseconds);
    }
    out
}

/// The step that ended the case: the one that was not met, or else the last. A pass has none.
fn last_step(record: &CaseRecord) -> Option<usize> {
    if record.verdict == Verdict::Pass {
        return None;
    }
    record.steps.iter().rposition(|step| !step.met).or(record.steps.len().checked_sub(1))
}

/// The variables of the case by their values.
fn variables(record: &CaseRecord) -> HashMap<&str, &str> {
    let shown = record.steps.iter().flat_map(|step| [&step.expected, &step.observed]);
    shown.filter_map(|shown| Some((shown.text.as_str(), shown.variable.as_ref()?.0.as_str()))).collect()
}

fn dollar(name: &str) -> String {
    escape(&format!("${}", name.trim_start_matches('$')))
}

/// A value behind the variable that holds it: `$ring = 932995531`.
fn shown(value: &Shown) -> String {
    match &value.variable {
        Some((name, _)) => format!("{} = {}", dollar(name), escape(&value.text)),
        None => escape(&value.text),
    }
}

fn gutter(steps: &[StepRecord]) -> usize {
    steps.iter().map(|step| step.line.to_string().len()).max().unwrap_or(1).max(4)
}

struct Lines(Vec<Line>);

impl Lines {
    fn add(&mut self, tone: Tone, text: String) {
        self.0.push(Line { tone, text });
    }

    fn fact(&mut self, tone: Tone, label: &str, text: &str) {
        self.add(tone, format!("     {label:<8}  {text}"));
    }

    /// The last of `steps` and, fainter, what led there.
    fn steps(&mut self, steps: &[StepRecord]) {
        let gutter = gutter(steps);
        for (at, step) in steps.iter().enumerate() {
            let tone = if at + 1 == steps.len() { Tone::Plain } else { Tone::Faint };
            self.add(tone, format!("{:>gutter$} | {}", step.line, cut(&escape(&step.text), REASON)));
        }
    }

    fn values(&mut self, step: &StepRecord, variables: &HashMap<&str, &str>) {
        let name = |value: &str| variables.get(value).map(|name| dollar(name));
        let (expected, observed) = (escape(&step.expected.text), escape(&step.observed.text));
        let mut difference = difference::between(&expected, &observed, name);
        // Both are cut at the same place, so that what differs is in sight in both.
        let expected = window(&expected, VALUE, &mut difference.marks.clone());
        let observed = window(&observed, VALUE, &mut difference.marks);
        let front = |shown: &Shown| {
            shown.variable.as_ref().map_or(String::new(), |(name, _)| format!("{} = ", dollar(name)))
        };
        let rows = [
            (Tone::Right, "expected", front(&step.expected) + &expected, &step.expected),
            (Tone::Wrong, "observed", front(&step.observed) + &observed, &step.observed),
        ];
        let width = rows.iter().map(|(_, _, text, _)| text.chars().count()).max().unwrap_or(0);
        for (tone, label, text, shown) in rows {
            match &shown.variable {
                Some((_, line)) => self.fact(tone, label, &format!("{text:<width$}   bound at line {line}")),
                None => self.fact(tone, label, &text),
            }
        }
        if !difference.marks.is_empty() {
            let mut carets = " ".repeat(front(&step.observed).chars().count());
            let indent = carets.len();
            for mark in &difference.marks {
                let start = indent + mark.start;
                carets += &" ".repeat(start.saturating_sub(carets.len()));
                carets += &"^".repeat(mark.len());
            }
            self.fact(Tone::Wrong, "", carets.trim_end());
        }
        for note in difference.notes {
            self.fact(Tone::Plain, "", &cut(&note, REASON));
        }
    }

    fn console_from_its_start(&mut self, console: &[String]) {
        let (shown, hidden) = console.split_at(console.len().min(CONSOLE_LINES));
        for line in shown {
            self.fact(Tone::Faint, "console", &cut(&escape(line.trim_end()), CONSOLE));
        }
        if !hidden.is_empty() {
            self.fact(
                Tone::Faint,
                "console",
                &format!("… {} lines after these are in the record", hidden.len()),
            );
        }
    }

    fn console(&mut self, console: &[String]) {
        let hidden = console.len().saturating_sub(CONSOLE_LINES);
        if hidden > 0 {
            self.fact(Tone::Faint, "console", &format!("… {hidden} lines before these are in the record"));
        }
        for line in &console[hidden..] {
            self.fact(Tone::Faint, "console", &cut(&escape(line.trim_end()), CONSOLE));
        }
    }
}
