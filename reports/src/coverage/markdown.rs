//! Coverage as a document in Markdown.

use std::io::{self, Write};

use harness::case::Norm;

use super::{Coverage, Row, Standing, Tally, cell, files};
use crate::markdown::{cell as escaped, code, item, paragraph, prose};
use crate::target_line;
use crate::text::counted;

/// Writes everything.
pub fn write(out: &mut impl Write, coverage: &Coverage<'_>) -> io::Result<()> {
    let Tally { requirements, covered, cases, .. } = coverage.total;
    let (requirements, cases) = (counted(requirements, "requirement"), counted(cases, "case"));
    writeln!(out, "# Coverage\n\n{covered} of {requirements} covered, by {cases}.\n")?;
    targets(out, coverage)?;
    tallies(out, coverage, "level", &coverage.levels)?;
    tallies(out, coverage, "group", &coverage.groups)?;
    uncovered(out, coverage)?;
    skips(out, coverage)?;
    for group in &coverage.groups {
        writeln!(out, "## {}\n", group.name)?;
        head(out, "requirement, and its cases", coverage, ":-")?;
        let rows = coverage.requirements.iter();
        rows.filter(|row| row.requirement.group() == group.name).try_for_each(|it| row(out, it))?;
        writeln!(out)?;
    }
    Ok(())
}

fn names<'c>(coverage: &'c Coverage<'_>) -> impl Iterator<Item = String> + 'c {
    coverage.targets.iter().map(|column| escaped(&prose(&column.name)))
}

/// The head of a table, with a column for each target.
fn head(out: &mut impl Write, first: &str, coverage: &Coverage<'_>, align: &str) -> io::Result<()> {
    write!(out, "| {first} |")?;
    names(coverage).try_for_each(|name| write!(out, " {name} |"))?;
    let columns = first.matches('|').count();
    let numbers = if columns > 0 { " -: |".repeat(columns) } else { String::new() };
    writeln!(out, "\n| :- |{numbers}{}", format!(" {align} |").repeat(coverage.targets.len()))
}

/// The targets, and how many requirements there are of each standing.
fn targets(out: &mut impl Write, coverage: &Coverage<'_>) -> io::Result<()> {
    if coverage.targets.is_empty() {
        return Ok(());
    }
    for (name, column) in names(coverage).zip(&coverage.targets) {
        writeln!(out, "- {name}: {}", prose(&target_line(column.target)))?;
    }
    writeln!(out)?;
    head(out, "requirements of which", coverage, "-:")?;
    for standing in Standing::ALL {
        write!(out, "| {} ({}) |", standing.meaning(), standing.word())?;
        for column in &coverage.targets {
            write!(out, " {} |", column.standings.get(&standing).copied().unwrap_or_default())?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

fn tallies(out: &mut impl Write, coverage: &Coverage<'_>, word: &str, all: &[Tally]) -> io::Result<()> {
    writeln!(out, "## By {word}\n")?;
    if !coverage.targets.is_empty() {
        writeln!(out, "Under a target: for how many requirements a case came to a verdict there.\n")?;
    }
    head(out, &format!("{word} | requirements | covered | cases"), coverage, "-:")?;
    for Tally { name, requirements, covered, cases, decided } in all {
        write!(out, "| {name} | {requirements} | {covered} | {cases} |")?;
        decided.iter().try_for_each(|decided| write!(out, " {decided} |"))?;
        writeln!(out)?;
    }
    writeln!(out)
}

fn uncovered(out: &mut impl Write, coverage: &Coverage<'_>) -> io::Result<()> {
    match coverage.is_complete() {
        true => Ok(()),
        false => writeln!(out, "## Covered by no case\n\n{}\n", paragraph(&coverage.uncovered.join(" "))),
    }
}

fn skips(out: &mut impl Write, coverage: &Coverage<'_>) -> io::Result<()> {
    for (names, skipped) in coverage.skips() {
        writeln!(out, "## Covered only by skipped cases on {}\n", prose(&names.join(", ")))?;
        for (reason, requirements) in skipped {
            writeln!(out, "{}", item(&format!("{}: {}", prose(reason), requirements.join(" "))))?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn row(out: &mut impl Write, row: &Row<'_>) -> io::Result<()> {
    let requirement = row.requirement;
    let says = escaped(&prose(&requirement.says));
    write!(out, "| **{}** ({}): {says}", requirement.id, requirement.level.word())?;
    if row.cases.is_empty() {
        return writeln!(out, " **No case.** |");
    }
    write!(out, " |")?;
    row.standings.iter().try_for_each(|standing| write!(out, " **{}** |", standing.word()))?;
    writeln!(out)?;
    for (file, rows) in files(row) {
        let claim = if rows[0].norm == Norm::Documentation { "; a claim" } else { "" };
        let count = match rows.len() {
            1 if rows[0].case == file => String::new(),
            count => format!("; {}", counted(count, "row")),
        };
        let title = escaped(&prose(rows[0].title));
        write!(out, "| {}: {title}{count}{claim} |", escaped(&code(file)))?;
        for at in 0..row.standings.len() {
            write!(out, " {} |", cell(rows.iter().map(|case| &case.statuses[at])).1)?;
        }
        writeln!(out)?;
    }
    Ok(())
}
