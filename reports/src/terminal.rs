//! What a person sees of a run in a terminal.
//!
//! Styles are always written; the caller wraps its stream with `anstream`, which takes them out
//! where nobody wants them. Each thing that colour says is said by a word, too.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use harness::record::{CaseRecord, Run};
use harness::target::Target;

use crate::explanation::{Tone, explain};
use crate::status::{Merit, Status, reason};
use crate::summary::{Group, Outcome, Summary};
use crate::target_line;
use crate::text::{counted, cut, escape, shell_word};

/// What the reader asked for.
#[derive(Clone, Debug)]
pub struct Options {
    /// A line for every case, and the cases behind every number of the summary.
    pub verbose: bool,
    /// The command that plays a case again on the same target when the case's id follows it.
    pub repeat: String,
}

impl Default for Options {
    fn default() -> Options {
        Options { verbose: false, repeat: "skc run".into() }
    }
}

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default();
pub(crate) const UNKNOWN: Style = AnsiColor::Magenta.on_default();
pub(crate) const UNASKED: Style = AnsiColor::Yellow.on_default();
pub(crate) const FAINT: Style = Style::new().dimmed();

pub(crate) fn style_of(merit: Merit) -> Style {
    match merit {
        Merit::Good => GOOD,
        Merit::Bad => BAD,
        Merit::Unknown => UNKNOWN,
        Merit::Unasked => UNASKED,
    }
}

/// How many characters of a reason stand on its line.
const REASON: usize = 200;

/// How many skipped cases of one reason are named without being asked for.
const FEW: usize = 3;

/// Writes one case as it comes. What is as expected or was not asked is silent unless `verbose`.
pub fn case(out: &mut impl Write, target: &Target, record: &CaseRecord, options: &Options) -> io::Result<()> {
    let status = Status::of(record);
    match status.words().merit {
        Merit::Bad | Merit::Unknown => concern(out, target, record, options),
        Merit::Good | Merit::Unasked if options.verbose => one_line(out, record),
        Merit::Good | Merit::Unasked => Ok(()),
    }
}

fn one_line(out: &mut impl Write, record: &CaseRecord) -> io::Result<()> {
    let words = Status::of(record).words();
    let style = style_of(words.merit);
    let said = match reason(record) {
        Some(reason) => cut(&escape(&reason), REASON),
        None => format!("{:.1} ms", record.microseconds as f64 / 1000.0),
    };
    let (heading, id) = (words.heading, escape(&record.case));
    writeln!(out, "{style}{heading:<9}{style:#} {id}   {FAINT}{said}{FAINT:#}")
}

fn concern(out: &mut impl Write, target: &Target, record: &CaseRecord, options: &Options) -> io::Result<()> {
    let words = Status::of(record).words();
    let (bold, target) = (style_of(words.merit).bold(), target_line(target));
    let (heading, id) = (words.heading, escape(&record.case));
    let pad = 35usize.saturating_sub(heading.len() + 1 + id.chars().count());
    writeln!(out, "{bold}{heading}{bold:#} {id}{:pad$}   {FAINT}{target}{FAINT:#}", "")?;
    let title = escape(&record.title);
    if record.covers.is_empty() {
        writeln!(out, "     {title}")?;
    } else {
        writeln!(out, "     {title}   {FAINT}[{}]{FAINT:#}", escape(&record.covers.join(" ")))?;
    }
    for line in explain(record) {
        let style = match line.tone {
            Tone::Plain => Style::new(),
            Tone::Faint => FAINT,
            Tone::Right => GOOD,
            Tone::Wrong => BAD,
        };
        writeln!(out, "{style}{}{style:#}", line.text)?;
    }
    if Status::of(record) == Status::UnexpectedPass {
        writeln!(out, "     advice    the deviation no longer holds for this target: take it out")?;
    }
    writeln!(out, "     repeat    {} {}\n", escape(&options.repeat), shell_word(&escape(&record.case)))
}

/// Writes what a whole run came to.
pub fn summary(out: &mut impl Write, run: &Run, options: &Options) -> io::Result<()> {
    let summary = Summary::of(run);
    skips(out, &summary.skips, if options.verbose { usize::MAX } else { FEW })?;
    deviations(out, run, options.verbose)?;
    if !summary.concerns.is_empty() {
        writeln!(out, "To be looked at")?;
        for (case, status) in &summary.concerns {
            let words = status.words();
            let style = style_of(words.merit);
            writeln!(out, "  {style}{:<15}{style:#} {}", words.heading, escape(case))?;
        }
        writeln!(out)?;
    }
    counts(out, run, &summary)?;
    verdict(out, &summary)
}

/// Writes the reasons of skips, and the cases of those that have `most` at most.
fn skips(out: &mut impl Write, groups: &[Group], most: usize) -> io::Result<()> {
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "Skipped")?;
    for group in groups {
        writeln!(out, "  {:>4}  {}", group.cases.len(), cut(&escape(&group.reason), REASON))?;
        if group.cases.len() <= most {
            for case in &group.cases {
                writeln!(out, "        {FAINT}{}{FAINT:#}", escape(case))?;
            }
        }
    }
    writeln!(out)
}

/// Deviations are few, and a person wants to know which: all are named, with what does not hold, and
/// with why only if `reasons`.
fn deviations(out: &mut impl Write, run: &Run, reasons: bool) -> io::Result<()> {
    let mut deviating = run.cases.iter().filter(|record| Status::of(record) == Status::Deviation).peekable();
    if deviating.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "Deviations of this target, as recorded: what does not hold")?;
    for record in deviating {
        writeln!(out, "  {}", escape(&record.case))?;
        writeln!(out, "        {FAINT}{}{FAINT:#}", escape(&record.title))?;
        if let Some(reason) = reason(record).filter(|_| reasons) {
            // Explanations are written in paragraphs; here each is a line.
            let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(out, "        {}", escape(&reason))?;
        }
    }
    writeln!(out)
}

fn counts(out: &mut impl Write, run: &Run, summary: &Summary) -> io::Result<()> {
    write!(out, "{}: {}", target_line(&run.header.target), counted(summary.chosen, "case"))?;
    if let Some(milliseconds) = summary.milliseconds {
        write!(out, " in {:.1} s", milliseconds as f64 / 1000.0)?;
    }
    let mut separator = ": ";
    for status in Status::ALL {
        let count = summary.count(status);
        // That nothing failed is worth saying; that nothing was odd is not.
        if count > 0 || matches!(status, Status::Pass | Status::Fail) {
            let words = status.words();
            let style = if count > 0 { style_of(words.merit) } else { Style::new() };
            write!(out, "{separator}{style}{count} {}{style:#}", words.counted)?;
            separator = ", ";
        }
    }
    if summary.missing > 0 {
        write!(out, "{separator}{UNKNOWN}{} never ran{UNKNOWN:#}", summary.missing)?;
    }
    writeln!(out)
}

fn verdict(out: &mut impl Write, summary: &Summary) -> io::Result<()> {
    if summary.interrupted {
        writeln!(out, "The run was interrupted.")?;
    } else if summary.missing > 0 {
        writeln!(out, "The run was cut short.")?;
    }
    let (style, word) = match summary.outcome {
        Outcome::AsExpected => (GOOD, "OK"),
        Outcome::Failed => (BAD, "FAILED"),
        Outcome::Broken => (UNKNOWN, "BROKEN"),
        Outcome::NothingRan => (UNASKED, "NOTHING RAN"),
    };
    let of_merit = |merit| {
        let of = Status::ALL.into_iter().filter(|status| status.words().merit == merit);
        of.map(|status| summary.count(status)).sum::<usize>()
    };
    let says = match summary.outcome {
        Outcome::AsExpected => "all that ran is as expected".to_owned(),
        Outcome::Failed => format!("{} not as expected", counted(of_merit(Merit::Bad), "case")),
        Outcome::Broken => format!(
            "nothing is known of {}, because the harness or its environment failed",
            counted(of_merit(Merit::Unknown) + summary.missing, "case")
        ),
        Outcome::NothingRan if summary.chosen == 0 => "no case was chosen".to_owned(),
        Outcome::NothingRan => "every case was skipped".to_owned(),
    };
    let style = style.bold();
    writeln!(out, "{style}{word}{style:#}: {says}")
}
