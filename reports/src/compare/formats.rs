//! Two runs side by side, for a terminal, for a comment in Markdown, and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::{Change, Comparison, Kind};
use crate::markdown::prose;
use crate::status::Status;
use crate::summary::Outcome;
use crate::text::{counted, cut, escape};

/// How much of a reason a table has room for.
const REASON: usize = 120;
/// The two tables, and what they are called.
type Tables<'c> = [(&'static str, &'c [Change]); 2];

fn tables(comparison: &Comparison) -> Tables<'_> {
    [("Changed results", &comparison.changed), ("New and vanished cases", &comparison.unmatched)]
}

/// Writes the two tables and a line that sums them up.
pub fn write(out: &mut impl Write, comparison: &Comparison) -> io::Result<()> {
    let (old, new) = &comparison.targets;
    writeln!(out, "old  {old}\nnew  {new}\n")?;
    for (title, changes) in tables(comparison) {
        table(out, title, changes)?;
    }
    writeln!(out, "{}", sum(comparison))?;
    if let Some(note) = cut_short(comparison) {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

/// Writes the same as Markdown, as for a comment on a change.
pub fn markdown(out: &mut impl Write, comparison: &Comparison) -> io::Result<()> {
    let (old, new) = &comparison.targets;
    writeln!(out, "{}\n\n- old: {}\n- new: {}", sum(comparison), prose(old), prose(new))?;
    if let Some(note) = cut_short(comparison) {
        writeln!(out, "\n**{note}**")?;
    }
    for (title, changes) in tables(comparison).into_iter().filter(|(_, changes)| !changes.is_empty()) {
        writeln!(out, "\n### {title}\n\n| case | old | new | kind | reason |\n|---|---|---|---|---|")?;
        for change in changes {
            let cells = cells(change).map(|cell| prose(&cell).replace('|', "\\|"));
            writeln!(out, "| {} |", cells.join(" | "))?;
        }
    }
    Ok(())
}

#[derive(Serialize)]
pub(super) struct Document<'a> {
    outcome: Outcome,
    old: &'a str,
    new: &'a str,
    changed: &'a [Change],
    unmatched: &'a [Change],
    unchanged: usize,
    never_ran: usize,
}

impl Document<'_> {
    pub(super) fn of(comparison: &Comparison) -> Document<'_> {
        Document {
            outcome: comparison.outcome(),
            old: &comparison.targets.0,
            new: &comparison.targets.1,
            changed: &comparison.changed,
            unmatched: &comparison.unmatched,
            unchanged: comparison.unchanged,
            never_ran: comparison.incomplete,
        }
    }
}

/// Writes the same as one JSON document.
pub fn json(mut out: impl Write, comparison: &Comparison) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, &Document::of(comparison))?;
    writeln!(out)
}

fn sum(comparison: &Comparison) -> String {
    let count = |kind| comparison.changes().filter(|change| change.kind == kind).count();
    let fixes = match count(Kind::Fix) {
        1 => "1 fix".to_owned(),
        fixes => format!("{fixes} fixes"),
    };
    let verb = match count(Kind::Otherwise) {
        1 => "1 fails otherwise".to_owned(),
        several => format!("{several} fail otherwise"),
    };
    format!(
        "{}, {verb}, {fixes}, {}, {} unchanged",
        counted(count(Kind::Regression), "regression"),
        counted(count(Kind::Other), "other change"),
        counted(comparison.unchanged, "case")
    )
}

fn cut_short(comparison: &Comparison) -> Option<String> {
    let missing = comparison.incomplete;
    (missing > 0).then(|| format!("The new run was cut short: {} never ran.", counted(missing, "case")))
}

fn cells(change: &Change) -> [String; 5] {
    let word = |status: Option<Status>| status.map_or("-", |status| status.words().word).to_owned();
    let shown = |reason: &str| cut(&escape(reason), REASON);
    let reason = match (&change.reason, &change.was) {
        (Some(is), Some(was)) => format!("{}; was: {}", shown(is), shown(was)),
        (Some(is), None) => shown(is),
        (None, _) => String::new(),
    };
    [escape(&change.case), word(change.old), word(change.new), change.kind.word().to_owned(), reason]
}

fn table(out: &mut impl Write, title: &str, changes: &[Change]) -> io::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut rows = vec![["case", "old", "new", "kind", "reason"].map(str::to_owned)];
    rows.extend(changes.iter().map(cells));
    writeln!(out, "{title}")?;
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..4).map(width).collect();
    for row in &rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            line += &format!(" {cell:<width$} ");
        }
        line += &format!(" {}", row[4]);
        writeln!(out, "{}", line.trim_end())?;
    }
    writeln!(out)
}
