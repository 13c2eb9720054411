//! Several kernels, each beside what it was: a comparison for each, and a table of all.

use std::io::{self, Write};

use harness::record::Run;
use serde::Serialize;

use super::formats::{self, Document};
use super::{Change, Comparison, Kind};
use crate::markdown::prose;
use crate::summary::Outcome;
use crate::text::{counted, escape};

/// A kernel in the old runs, the new ones or both.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The name of its folder in both.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
}

/// How a kernel stands to what it was.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It was tested before.
    Compared(Comparison),
    /// It was not: what is wrong with it is a regression.
    New(Comparison),
    /// It was, and is not in the new runs.
    Gone,
}

impl Standing {
    /// How a kernel stands; `None` if neither has a run of it.
    pub fn of(old: Option<&Run>, new: Option<&Run>) -> Option<Standing> {
        Some(match (old, new) {
            (Some(old), Some(new)) => Standing::Compared(Comparison::of(old, new)),
            (None, Some(new)) => Standing::New(Comparison::with_nothing(new)),
            (Some(_), None) => Standing::Gone,
            (None, None) => return None,
        })
    }

    fn comparison(&self) -> Option<&Comparison> {
        match self {
            Standing::Compared(comparison) | Standing::New(comparison) => Some(comparison),
            Standing::Gone => None,
        }
    }

    /// Nothing is known any more of a kernel that has gone.
    fn outcome(&self) -> Outcome {
        self.comparison().map_or(Outcome::Broken, Comparison::outcome)
    }

    fn has_changed(&self) -> Option<&Comparison> {
        self.comparison()
            .filter(|comparison| comparison.changes().next().is_some() || comparison.incomplete > 0)
    }
}

/// The worst of the kernels' outcomes.
pub fn outcome(kernels: &[Kernel]) -> Outcome {
    Outcome::worst(kernels.iter().map(|kernel| kernel.standing.outcome()))
}

/// Writes what has changed for each kernel, and a table of all.
pub fn write(out: &mut impl Write, kernels: &[Kernel]) -> io::Result<()> {
    for (name, comparison) in changed(kernels) {
        writeln!(out, "{}", escape(name))?;
        formats::write(out, comparison)?;
        writeln!(out)?;
    }
    let rows = rows(kernels);
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let line: Vec<String> = cells
            .map(
                |(at, (cell, width))| {
                    if at == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
                },
            )
            .collect();
        writeln!(out, "{}", line.join("  ").trim_end())?;
    }
    Ok(())
}

/// Writes the same as Markdown, the table first.
pub fn markdown(out: &mut impl Write, kernels: &[Kernel]) -> io::Result<()> {
    for (at, row) in rows(kernels).iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| prose(cell).replace('|', "\\|")).collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
        if at == 0 {
            writeln!(out, "|---|{}", "---:|".repeat(HEAD.len() - 1))?;
        }
    }
    for (name, comparison) in changed(kernels) {
        writeln!(out, "\n## {}\n", prose(&escape(name)))?;
        formats::markdown(out, comparison)?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Documents<'a> {
    outcome: Outcome,
    kernels: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    name: &'a str,
    standing: &'static str,
    #[serde(flatten)]
    comparison: Option<Document<'a>>,
}

impl Entry<'_> {
    fn of(kernel: &Kernel) -> Entry<'_> {
        Entry {
            name: &kernel.name,
            standing: match kernel.standing {
                Standing::Compared(_) => "compared",
                Standing::New(_) => "new",
                Standing::Gone => "gone",
            },
            comparison: kernel.standing.comparison().map(Document::of),
        }
    }
}

/// Writes the same as one JSON document.
pub fn json(mut out: impl Write, kernels: &[Kernel]) -> io::Result<()> {
    let documents = Documents { outcome: outcome(kernels), kernels: kernels.iter().map(Entry::of).collect() };
    serde_json::to_writer_pretty(&mut out, &documents)?;
    writeln!(out)
}

fn changed(kernels: &[Kernel]) -> impl Iterator<Item = (&str, &Comparison)> {
    kernels.iter().filter_map(|kernel| Some((kernel.name.as_str(), kernel.standing.has_changed()?)))
}

const HEAD: [&str; 6] = ["kernel", "regressions", "fail otherwise", "fixes", "other changes", "unchanged"];

fn rows(kernels: &[Kernel]) -> Vec<[String; 6]> {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(kernels.iter().map(|kernel| {
        let name = escape(&kernel.name);
        let Some(comparison) = kernel.standing.comparison() else {
            return [name, "has gone".into(), String::new(), String::new(), String::new(), String::new()];
        };
        let count =
            |kind| comparison.changes().filter(|change: &&Change| change.kind == kind).count().to_string();
        let unchanged = match kernel.standing {
            Standing::New(_) => format!("new, {}", counted(comparison.unchanged, "case")),
            _ => comparison.unchanged.to_string(),
        };
        let kinds = [Kind::Regression, Kind::Otherwise, Kind::Fix, Kind::Other].map(count);
        let [regressions, otherwise, fixes, other] = kinds;
        [name, regressions, otherwise, fixes, other, unchanged]
    }));
    rows
}
