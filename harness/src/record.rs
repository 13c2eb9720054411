//! What was observed: the only thing that reports read.
//!
//! A file of records is JSON Lines: a [`Header`], any number of [`CaseRecord`]s, a [`Footer`]. A file
//! without its footer is a run that was killed, and can still be read.

use std::io::{self, BufRead, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::target::Target;

/// The version of the format, in every header. It changes when a reader has to.
pub const FORMAT: u32 = 1;

/// What a case came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every step had its outcome.
    Pass,
    /// A step had another outcome: the kernel differs.
    Fail,
    /// Not run, for the reason given.
    Skip,
    /// The harness or the environment failed: nothing is known of the kernel.
    Broken,
    /// A step did not end in its time.
    Timeout,
}

impl Verdict {
    /// Every verdict, in the order of summaries.
    pub const ALL: [Verdict; 5] =
        [Verdict::Pass, Verdict::Fail, Verdict::Timeout, Verdict::Broken, Verdict::Skip];

    /// The verdict as one word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
            Verdict::Broken => "broken",
            Verdict::Timeout => "timeout",
        }
    }
}

/// How a verdict stands to what was expected of this target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// No deviation is recorded.
    Plain,
    /// A fail that a deviation records: as expected.
    Deviates {
        /// The deviation's explanation.
        because: String,
    },
    /// A pass, or another fail, where a deviation is recorded: an error, until the entry goes.
    Unexpected {
        /// What the deviation had said.
        recorded: String,
    },
}

/// The first line of a file of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// What was tested.
    pub target: Target,
    /// Seconds since the epoch at the start.
    pub started: u64,
    /// How many cases were chosen.
    pub cases: usize,
}

/// The last line of a file of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Footer {
    /// How many case records stand before it.
    pub cases: usize,
    /// Wall time of the run in milliseconds.
    pub milliseconds: u64,
    /// If the run was interrupted.
    pub interrupted: bool,
}

/// One case on one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CaseRecord {
    /// The case's id.
    pub case: String,
    /// Its file.
    pub file: String,
    /// Its title.
    pub title: String,
    /// The requirements that it covers.
    pub covers: Vec<String>,
    /// What it came to.
    pub verdict: Verdict,
    /// How that stands to the deviations.
    pub standing: Standing,
    /// Why, for every verdict other than pass.
    pub reason: Option<String>,
    /// The steps that were played, the failed one last.
    pub steps: Vec<StepRecord>,
    /// Wall time in microseconds.
    pub microseconds: u64,
    /// Text that the target printed beside its records while this case ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub console: Vec<String>,
}

/// One step that was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepRecord {
    /// Line in the case's file, from 1.
    pub line: u32,
    /// The step as the case has it.
    pub text: String,
    /// If its outcome was met.
    pub met: bool,
    /// What it had to come to.
    pub expected: Shown,
    /// What it came to.
    pub observed: Shown,
    /// Wall time in microseconds.
    pub microseconds: u64,
}

/// A value or an error as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The value, error name or alternatives: `"keyring;…"`, `EACCES`, `932995531`.
    pub text: String,
    /// The variable that has this value, and the line that bound it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<(String, u32)>,
}

/// A whole run, as read back from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The header.
    pub header: Header,
    /// The records, in the order in which they came.
    pub cases: Vec<CaseRecord>,
    /// The footer; a run that was killed has none.
    pub footer: Option<Footer>,
}

/// What is wrong with a file of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// No header.
    Empty,
    /// A line that is no record, with its number and the reason.
    Line(usize, String),
    /// A format that this program does not read.
    Format(u32),
    /// A case that stands twice.
    Duplicate(String),
    /// The footer counts other than the file has.
    Count {
        /// The footer's count.
        said: usize,
        /// The file's.
        found: usize,
    },
    /// Reading failed.
    Io(String),
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Flaw::Empty => write!(f, "the file holds no header: it is no file of records"),
            Flaw::Line(line, what) => write!(f, "line {line}: {what}"),
            Flaw::Format(found) => write!(f, "format {found}: this program reads format {FORMAT}"),
            Flaw::Duplicate(case) => write!(f, "the case {case} stands twice"),
            Flaw::Count { said, found } => {
                write!(f, "the footer counts {said} cases and the file has {found}")
            }
            Flaw::Io(what) => write!(f, "{what}"),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Header(Header),
    Case(Box<CaseRecord>),
    Footer(Footer),
}

/// Writes records as they come, a line each.
pub struct Writer<W> {
    out: W,
    cases: usize,
}

impl<W: Write> Writer<W> {
    /// Begins with the header.
    pub fn new(out: W, header: &Header) -> io::Result<Writer<W>> {
        let mut writer = Writer { out, cases: 0 };
        writer.line(&Line::Header(header.clone()))?;
        Ok(writer)
    }

    /// Appends a case.
    pub fn case(&mut self, record: &CaseRecord) -> io::Result<()> {
        self.cases += 1;
        self.line(&Line::Case(Box::new(record.clone())))
    }

    /// Ends with the footer.
    pub fn finish(mut self, duration: Duration, interrupted: bool) -> io::Result<W> {
        let milliseconds = duration.as_millis() as u64;
        self.line(&Line::Footer(Footer { cases: self.cases, milliseconds, interrupted }))?;
        Ok(self.out)
    }

    fn line(&mut self, line: &Line) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        self.out.write_all(&text)?;
        self.out.flush()
    }
}

/// Reads a file of records. A last line that was cut short by a kill is dropped.
pub fn read(input: impl BufRead) -> Result<Run, Flaw> {
    let mut lines = Vec::new();
    for line in input.split(b'\n') {
        lines.push(line.map_err(|error| Flaw::Io(error.to_string()))?);
    }
    let last = lines.len();
    let mut run: Option<Run> = None;
    for (at, line) in lines.iter().enumerate() {
        let parsed = match serde_json::from_slice::<Line>(line) {
            Ok(parsed) => parsed,
            // Only the end of a file can be cut: anything else is damage.
            Err(error) if at + 1 == last && error.is_eof() && run.is_some() => break,
            Err(error) => return Err(Flaw::Line(at + 1, error.to_string())),
        };
        match (parsed, &mut run) {
            (Line::Header(header), None) if header.format != FORMAT => {
                return Err(Flaw::Format(header.format));
            }
            (Line::Header(header), None) => run = Some(Run { header, cases: Vec::new(), footer: None }),
            (_, None) => return Err(Flaw::Empty),
            (Line::Header(_), Some(_)) => return Err(Flaw::Line(at + 1, "a second header".into())),
            (_, Some(Run { footer: Some(_), .. })) => {
                return Err(Flaw::Line(at + 1, "a line after the footer".into()));
            }
            (Line::Case(record), Some(run)) => {
                if run.cases.iter().any(|other| other.case == record.case) {
                    return Err(Flaw::Duplicate(record.case));
                }
                run.cases.push(*record);
            }
            (Line::Footer(footer), Some(run)) => {
                if footer.cases != run.cases.len() {
                    return Err(Flaw::Count { said: footer.cases, found: run.cases.len() });
                }
                run.footer = Some(footer);
            }
        }
    }
    run.ok_or(Flaw::Empty)
}
