//! Several targets in one table: a row for each, and what its run came to.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use harness::record::Run;

use crate::status::Status;
use crate::summary::{Outcome, Summary};
use crate::text::{counted, escape};

/// One target.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name by which it was asked for.
    pub name: String,
    /// Its run, or why there is none.
    pub came_to: Result<Run, String>,
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const UNKNOWN: Style = AnsiColor::Magenta.on_default().bold();
const HEAD: Style = Style::new().dimmed();

/// Writes the table. A count that is zero everywhere has no column.
pub fn write(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    let summaries: Vec<Option<Summary>> =
        rows.iter().map(|row| row.came_to.as_ref().ok().map(Summary::of)).collect();
    let count =
        |status: Status| summaries.iter().flatten().map(|summary| summary.count(status)).sum::<usize>();
    let shown: Vec<Status> = Status::ALL
        .into_iter()
        .filter(|status| matches!(status, Status::Pass | Status::Fail) || count(*status) > 0)
        .collect();
    let release = |row: &Row| {
        row.came_to.as_ref().map_or_else(|_| String::new(), |run| escape(&run.header.target.release))
    };
    let width =
        |texts: &mut dyn Iterator<Item = String>| texts.map(|text| text.chars().count()).max().unwrap_or(0);
    let names = width(&mut rows.iter().map(|row| escape(&row.name))).max("kernel".len());
    let releases = width(&mut rows.iter().map(release)).max("release".len());

    write!(out, "\n{HEAD}{:names$}  {:releases$}", "kernel", "release")?;
    for status in &shown {
        write!(out, "  {}", status.words().counted)?;
    }
    writeln!(out, "  seconds{HEAD:#}")?;
    for (row, summary) in rows.iter().zip(&summaries) {
        write!(out, "{:names$}  {:releases$}", escape(&row.name), release(row))?;
        let (Some(summary), Ok(_)) = (summary, &row.came_to) else {
            let why = row.came_to.as_ref().err().map(|why| escape(why)).unwrap_or_default();
            writeln!(out, "  {UNKNOWN}not tested{UNKNOWN:#}: {why}")?;
            continue;
        };
        for status in &shown {
            write!(out, "  {:>1$}", summary.count(*status), status.words().counted.len())?;
        }
        let seconds = summary.milliseconds.unwrap_or(0) as f64 / 1000.0;
        let (style, word) = match summary.outcome {
            Outcome::AsExpected => (GOOD, "OK"),
            Outcome::Failed => (BAD, "FAILED"),
            Outcome::Broken => (UNKNOWN, "BROKEN"),
            Outcome::NothingRan => (UNKNOWN, "NOTHING RAN"),
        };
        writeln!(out, "  {seconds:>7.1}  {style}{word}{style:#}")?;
    }
    let untested = rows.iter().filter(|row| row.came_to.is_err()).count();
    let good = summaries.iter().flatten().filter(|summary| summary.outcome == Outcome::AsExpected).count();
    write!(out, "{} of {} as expected", good, counted(rows.len(), "kernel"))?;
    match untested {
        0 => writeln!(out),
        untested => writeln!(out, ", {untested} not tested"),
    }
}
