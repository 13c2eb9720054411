//! What was observed: the only thing that reports read.
//!
//! A file of records is JSON Lines: a [`Header`], any number of [`CaseRecord`]s, a [`Footer`]. A file
//! without its footer is a run that was killed, and can still be read. [`schema`] is what a line may be.

use std::collections::HashSet;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Serialize};

use crate::target::Target;

/// The version of the format, in every header. It changes when a reader has to: when something goes, gets another name,
/// kind or meaning, or a verdict or standing is new. Within a version a line may get more keys, and its reader passes over
/// what it does not know. The document that `report.json` is has the same version.
pub const FORMAT: u32 = 1;

/// What a case came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
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
    /// The kernel died, or said of itself that something is wrong, while the case ran.
    Crash,
}

impl Verdict {
    /// Every verdict, in the order of summaries.
    pub const ALL: [Verdict; 6] =
        [Verdict::Pass, Verdict::Fail, Verdict::Timeout, Verdict::Crash, Verdict::Broken, Verdict::Skip];

    /// The verdict as one word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Skip => "skip",
            Verdict::Broken => "broken",
            Verdict::Timeout => "timeout",
            Verdict::Crash => "crash",
        }
    }
}

/// How a verdict stands to what was expected of this target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// The version of the format.
    #[schemars(extend("const" = FORMAT))]
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// A random number of 128 bits, in hexadecimal, by which the run is told from others. Files that were written
    /// before runs had one have none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// What was tested.
    pub target: Target,
    /// Seconds since the epoch at the start.
    pub started: u64,
    /// How many cases were chosen; of a part, how many it has.
    pub cases: usize,
    /// Which part it is of a larger choice of cases that several runs share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// The command that plays a case on this target again, but for the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// One of several parts into which the chosen cases were divided.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Part {
    /// Which one, from 1.
    pub index: u32,
    /// How many there are.
    pub count: u32,
    /// What was divided.
    pub whole: Whole,
}

/// A choice of cases that was divided: parts of different ones do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Whole {
    /// How many cases there are in all parts.
    pub cases: usize,
    /// A checksum of their ids.
    pub ids: u32,
}

/// The last line of a file of records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Footer {
    /// How many case records stand before it.
    pub cases: usize,
    /// Wall time of the run in milliseconds.
    pub milliseconds: u64,
    /// If the run was interrupted.
    pub interrupted: bool,
}

/// One case on one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Time in microseconds, by the clock of the machine that played it.
    pub microseconds: u64,
    /// Text that the target printed beside its records while this case ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub console: Vec<String>,
}

/// One step that was played.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    /// Time in microseconds, by the clock of the machine that played it.
    pub microseconds: u64,
}

/// A value or an error as a person reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The records, in the order of their names once the run is over: see [`Run::sort`].
    pub cases: Vec<CaseRecord>,
    /// The footer; a run that was killed has none.
    pub footer: Option<Footer>,
}

impl Run {
    /// Brings the records into the order of their names. They came as cases ended, and that is another order each time: what is
    /// made of two runs with the same verdicts is to be the same.
    pub fn sort(&mut self) {
        self.cases.sort_by(|one, other| one.case.cmp(&other.case));
    }
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

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// The first line.
    Header(Box<Header>),
    /// Any number of lines after it.
    Case(Box<CaseRecord>),
    /// The last line, unless the run was killed.
    Footer(Footer),
}

/// The JSON Schema of a line of a file of records.
pub fn schema() -> serde_json::Value {
    let schema =
        SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Line>();
    let mut schema = schema.to_value();
    schema["title"] =
        format!("A line of records of the session keyring conformance suite, format {FORMAT}").into();
    schema
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
        writer.line(&Line::Header(Box::new(header.clone())))?;
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

/// Reads a file of records, and sorts them. A last line that was cut short by a kill is dropped.
pub fn read(mut input: impl BufRead) -> Result<Run, Flaw> {
    let mut line = Vec::new();
    next(&mut input, &mut line)?;
    let mut run = Run { header: header(&line)?, cases: Vec::new(), footer: None };
    let mut seen = HashSet::new();
    for number in 2.. {
        if next(&mut input, &mut line)? == 0 {
            break;
        }
        let parsed = match serde_json::from_slice::<Line>(&line) {
            Ok(parsed) => parsed,
            // Only a line without its end can have been cut: anything else is damage.
            Err(error) if error.is_eof() && line.last() != Some(&b'\n') => break,
            Err(error) => return Err(Flaw::Line(number, explain(&error))),
        };
        match parsed {
            _ if run.footer.is_some() => return Err(Flaw::Line(number, "a line after the footer".into())),
            Line::Header(_) => return Err(Flaw::Line(number, "a second header".into())),
            Line::Case(record) => {
                if !seen.insert(record.case.clone()) {
                    return Err(Flaw::Duplicate(record.case));
                }
                if run.cases.len() == run.header.cases {
                    let what = format!("more cases than the {} that the header announces", run.header.cases);
                    return Err(Flaw::Line(number, what));
                }
                run.cases.push(*record);
            }
            Line::Footer(footer) if footer.cases != run.cases.len() => {
                return Err(Flaw::Count { said: footer.cases, found: run.cases.len() });
            }
            Line::Footer(footer) => run.footer = Some(footer),
        }
    }
    run.sort();
    Ok(run)
}

/// Replaces `line` by the next one with its end; the length is 0 after the last.
fn next(input: &mut impl BufRead, line: &mut Vec<u8>) -> Result<usize, Flaw> {
    line.clear();
    input.read_until(b'\n', line).map_err(|error| Flaw::Io(error.to_string()))
}

fn header(line: &[u8]) -> Result<Header, Flaw> {
    // The format is asked before anything that another format may lack.
    #[derive(Deserialize)]
    struct Any {
        header: Formatted,
    }
    #[derive(Deserialize)]
    struct Formatted {
        format: u32,
    }
    let any: Any = serde_json::from_slice(line).map_err(|_| Flaw::Empty)?;
    if any.header.format != FORMAT {
        return Err(Flaw::Format(any.header.format));
    }
    match serde_json::from_slice(line) {
        Ok(Line::Header(header)) => Ok(*header),
        Ok(_) => Err(Flaw::Empty),
        Err(error) => Err(Flaw::Line(1, explain(&error))),
    }
}

/// The error without the line, which is always the first: each line is a document of its own.
fn explain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    match text.strip_suffix(&place) {
        Some(what) => format!("{what} at column {}", error.column()),
        None => text,
    }
}

#[cfg(test)]
mod tests;
