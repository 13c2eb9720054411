//! `skc coverage`: which cases decide which requirement, and what came of them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use reports::coverage;

use super::choose::requirements;
use super::files::{is_recorded, read_all};
use super::{FAILED, Source, Terminal, Trouble};

pub(super) const HELP: &str = "\
A requirement is one behaviour, with where it is written down; a case covers those that it
decides. Without RECORDS it is told which cases cover which requirement. With RECORDS there is a
column for each target, which says how the requirement stands there:
  holds        what was played of its cases is as expected, or fails as a claim that no kernel
               honours is recorded to
  differs      a case fails as recorded for this target
  fails        a case fails, times out, crashes the kernel, or passes where a deviation is recorded
  broken       a case is broken: nothing is known of it
  skipped      every case was skipped: on this target nothing decides it
  not played   some of its cases have no record, and the others were skipped
Behind a case stands what came of it, and where it has several rows, of how many, as in pass 9/12.

RECORDS are files or folders that `skc run --report` wrote, or a folder of such folders.

A FILTER is
  a requirement   S2P-04, or a pattern: 'CVE-*'
  a group         S2P: all requirements of that name
  cases           parent/multi-threaded, a chapter or a pattern: all requirements that they cover
Several filters choose what any of them means; none choose every requirement.

Examples:
  skc coverage                   every requirement with its cases, counts, and gaps
  skc coverage --summary         the counts and gaps alone
  skc coverage S2P-04            one requirement
  skc coverage out               with what came of the cases in the run that reported to out/
  skc coverage out 'CVE-*'       both
  skc coverage out --format markdown
                                 as a document; a run reports one to out/coverage.md by itself

Exit codes:
  0  each requirement has a case
  1  a requirement has none
  2  there are no such records or requirements";

#[derive(Args)]
pub(super) struct Coverage {
    /// Records of runs, and which requirements to tell; see below
    #[arg(value_name = "RECORDS and FILTERS", hide = true)]
    given: Vec<String>,
    #[command(flatten)]
    source: Source,
    /// What to write to standard output
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// Leave out the requirements and cases, and write counts and gaps alone
    #[arg(long)]
    summary: bool,
}

/// The formats of a coverage.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table as wide as the terminal
    Terminal,
    /// One JSON document
    Json,
    /// One document in Markdown
    Markdown,
}

/// Tells which cases cover which requirement.
pub(super) fn coverage(args: &Coverage, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.source.load()?;
    let (records, filters): (Vec<&String>, Vec<&String>) =
        args.given.iter().partition(|word| is_records(word, |filter| requirements(&suite, filter).is_ok()));
    let filters: Vec<String> = filters.into_iter().cloned().collect();
    let chosen = requirements(&suite, &filters).map_err(Trouble::Usage)?;
    let records: Vec<PathBuf> = records.into_iter().map(PathBuf::from).collect();
    let runs = read_all(&records)?;
    let found = coverage::Coverage::of(&suite, &chosen, &runs);
    match args.format {
        Format::Terminal => {
            let options = coverage::Options { width: terminal.width(), summary: args.summary };
            coverage::terminal(&mut terminal.out().lock(), &found, &options)?;
        }
        Format::Json => coverage::json(io::stdout().lock(), &found)?,
        Format::Markdown => coverage::markdown(&mut io::stdout().lock(), &found)?,
    }
    io::stdout().flush()?;
    Ok(if found.is_complete() { 0 } else { FAILED })
}

/// If a word names records: there are some, or it is a path and no filter. A chapter may well have the name of a
/// folder that is here.
fn is_records(word: &str, is_filter: impl Fn(&[String]) -> bool) -> bool {
    let path = Path::new(word);
    is_recorded(path) || (path.exists() && !is_filter(&[word.to_owned()]))
}
