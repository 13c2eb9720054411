//! Coverage for a person at a terminal, as wide as that is.
//!
//! Columns say their words where these fit, and else a letter each: a narrow terminal shows as many targets
//! as a wide one.

use std::io::{self, Write};

use anstyle::Style;
use harness::case::Norm;

use super::{Column, Coverage, Covering, Row, Standing, Tally, cell, files};
use crate::status::{Merit, Status};
use crate::target_line;
use crate::terminal::{BAD, FAINT, GOOD, UNASKED, style_of};
use crate::text::{counted, escape, shorten, words, wrap};

/// What the reader asked for.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many characters a line has.
    pub width: usize,
    /// Numbers alone, not each requirement.
    pub summary: bool,
}

const HEAD: Style = Style::new().bold();
/// Between columns.
const GAP: usize = 2;
/// What is left for names however many columns there are.
const LEAST: usize = 24;

/// Writes everything.
pub fn write(out: &mut impl Write, coverage: &Coverage<'_>, options: &Options) -> io::Result<()> {
    let table = Table::of(coverage, options);
    legend(out, coverage, &table)?;
    if !options.summary {
        table.head(out, coverage)?;
        coverage.requirements.iter().try_for_each(|row| table.row(out, row))?;
        writeln!(out)?;
    }
    tallies(out, coverage, &table)?;
    standings(out, coverage, &table)?;
    skips(out, coverage, options)?;
    uncovered(out, coverage, options)?;
    verdict(out, coverage)
}

/// What the names of the columns stand for, and the letters if there are any.
fn legend(out: &mut impl Write, coverage: &Coverage<'_>, table: &Table) -> io::Result<()> {
    if coverage.targets.is_empty() {
        return Ok(());
    }
    for (label, column) in table.labels.iter().zip(&coverage.targets) {
        let strange = match column.strange {
            0 => String::new(),
            count => format!("; {} that this suite does not have", counted(count, "case")),
        };
        let (width, target) = (table.label_width(), target_line(column.target));
        write!(out, "{HEAD}{label:<width$}{HEAD:#}")?;
        for (at, line) in
            wrap(&(target + &strange), table.width.saturating_sub(width + GAP)).iter().enumerate()
        {
            let indent = if at == 0 { GAP } else { width + GAP };
            writeln!(out, "{:indent$}{line}", "")?;
        }
    }
    if table.letters {
        let letters = Status::ALL.map(|status| (letter(Some(status)), status.words().word));
        let letters = letters.iter().map(|(letter, word)| format!("{letter} {word}"));
        for line in packed(letters.chain(["- no record".to_owned()]), table.width) {
            writeln!(out, "{FAINT}{line}{FAINT:#}")?;
        }
    }
    writeln!(out)
}

/// The columns, laid out.
struct Table {
    width: usize,
    name: usize,
    letters: bool,
    labels: Vec<String>,
    widths: Vec<usize>,
}

impl Table {
    fn of(coverage: &Coverage<'_>, options: &Options) -> Table {
        let rows = || coverage.requirements.iter();
        let names = rows().flat_map(|row| {
            let files = files(row).into_iter().map(|(file, rows)| 2 + file_name(file, &rows).chars().count());
            files.chain([heading(row).chars().count()])
        });
        let name = names.max().unwrap_or_default();
        let words = |at: usize, column: &Column<'_>| {
            let standings = rows().filter_map(move |row| row.standings.get(at));
            let cells = rows().flat_map(|row| {
                files(row).into_iter().map(|(_, rows)| cell(rows.iter().map(|case| &case.statuses[at])).1)
            });
            let words = standings.map(|standing| standing.word().len()).chain(cells.map(|cell| cell.len()));
            words.chain([escape(&column.name).chars().count()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> =
            coverage.targets.iter().enumerate().map(|(at, column)| words(at, column)).collect();
        let sum = |widths: &[usize]| widths.iter().map(|width| width + GAP).sum::<usize>();
        let letters = LEAST.max(name.min(40)) + sum(&widths) > options.width;
        let labels: Vec<String> = match letters {
            true => (1..=widths.len()).map(|at| at.to_string()).collect(),
            false => coverage.targets.iter().map(|column| escape(&column.name)).collect(),
        };
        let widths = if letters { labels.iter().map(|label| label.len()).collect() } else { widths };
        let name = name.min(options.width.saturating_sub(sum(&widths)).max(LEAST));
        Table { width: options.width, name, letters, labels, widths }
    }

    fn label_width(&self) -> usize {
        self.labels.iter().map(|label| label.chars().count()).max().unwrap_or_default()
    }

    fn head(&self, out: &mut impl Write, coverage: &Coverage<'_>) -> io::Result<()> {
        if coverage.targets.is_empty() {
            return Ok(());
        }
        let cells = self.labels.iter().map(|label| (Style::new(), label.clone()));
        self.line(out, HEAD, "", cells)
    }

    /// A requirement: how it stands, what it says, its cases and what came of them.
    fn row(&self, out: &mut impl Write, row: &Row<'_>) -> io::Result<()> {
        let cells = row.standings.iter().map(|standing| {
            let word = if self.letters { standing_letter(*standing) } else { standing.word().to_owned() };
            (style(*standing), word)
        });
        self.line(out, HEAD, &heading(row), cells)?;
        for line in wrap(&words(&row.requirement.says), self.width.saturating_sub(2)) {
            writeln!(out, "  {FAINT}{line}{FAINT:#}")?;
        }
        if row.cases.is_empty() {
            return writeln!(out, "  {BAD}no case{BAD:#}");
        }
        for (file, rows) in files(row) {
            let cells = (0..self.widths.len()).map(|at| {
                let (status, said) = cell(rows.iter().map(|case| &case.statuses[at]));
                let style = status.map_or(FAINT, |status| style_of(status.words().merit));
                (style, if self.letters { letter(status) } else { said })
            });
            self.line(out, Style::new(), &format!("  {}", file_name(file, &rows)), cells)?;
        }
        Ok(())
    }

    fn line(
        &self,
        out: &mut impl Write,
        style: Style,
        name: &str,
        cells: impl Iterator<Item = (Style, String)>,
    ) -> io::Result<()> {
        let mut line = format!("{style}{}{style:#}", shorten(name, self.name));
        let mut gap = self.name.saturating_sub(name.chars().count()) + GAP;
        for ((style, cell), width) in cells.zip(&self.widths) {
            line += &format!("{:gap$}{style}{cell}{style:#}", "");
            gap = width.saturating_sub(cell.chars().count()) + GAP;
        }
        writeln!(out, "{line}")
    }
}

fn heading(row: &Row<'_>) -> String {
    format!("{}  {}", row.requirement.id, row.requirement.level.word())
}

/// A file with how many of its cases cover the requirement, and that it only states a claim.
fn file_name(file: &str, rows: &[&Covering<'_>]) -> String {
    let mut name = escape(file);
    if rows.len() > 1 || rows[0].case != file {
        name += &format!(" ({})", counted(rows.len(), "row"));
    }
    if rows[0].norm == Norm::Documentation {
        name += " (claim)";
    }
    name
}

fn letter(status: Option<Status>) -> String {
    status.map_or('-', |status| status.words().letter).to_string()
}

fn standing_letter(standing: Standing) -> String {
    letter(match standing {
        Standing::Fails => Some(Status::Fail),
        Standing::Broken => Some(Status::Broken),
        Standing::Differs => Some(Status::Deviation),
        Standing::Holds => Some(Status::Pass),
        Standing::Skipped => Some(Status::Skip),
        Standing::NotPlayed => None,
    })
}

fn style(standing: Standing) -> Style {
    match standing {
        Standing::Fails => style_of(Merit::Bad),
        Standing::Broken => style_of(Merit::Unknown),
        Standing::Differs | Standing::Holds => style_of(Merit::Good),
        Standing::Skipped | Standing::NotPlayed => style_of(Merit::Unasked),
    }
}

/// Things in lines of a width, none of them broken.
fn packed(things: impl Iterator<Item = String>, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for thing in things {
        match lines.last_mut() {
            Some(line) if line.chars().count() + GAP + thing.chars().count() <= width => {
                *line += &format!("{:GAP$}{thing}", "");
            }
            _ => lines.push(thing),
        }
    }
    lines
}

/// A column of numbers.
struct Numbers {
    label: String,
    cells: Vec<(Style, usize)>,
}

/// Writes numbers behind names; columns for which a line has no room stand below the others.
fn numbers(
    out: &mut impl Write,
    first: &str,
    names: &[&str],
    columns: &[Numbers],
    width: usize,
) -> io::Result<()> {
    let name = names.iter().map(|name| name.len()).chain([first.len()]).max().unwrap_or_default();
    let of = |column: &Numbers| column.label.chars().count().max(4);
    let mut rest = columns;
    while !rest.is_empty() {
        let mut room = width.saturating_sub(name);
        let fits = |column: &&Numbers| {
            let fits = room >= of(column) + GAP;
            room = room.saturating_sub(of(column) + GAP);
            fits
        };
        // One at least, whatever the width.
        let (now, later) = rest.split_at(rest.iter().take_while(fits).count().max(1));
        write!(out, "{HEAD}{first:name$}")?;
        for column in now {
            let (label, width) = (&column.label, of(column));
            write!(out, "{:GAP$}{label:>width$}", "")?;
        }
        writeln!(out, "{HEAD:#}")?;
        for (at, said) in names.iter().enumerate() {
            write!(out, "{said:name$}")?;
            for column in now {
                let (style, number) = column.cells[at];
                let width = of(column);
                write!(out, "{:GAP$}{style}{number:>width$}{style:#}", "")?;
            }
            writeln!(out)?;
        }
        writeln!(out)?;
        rest = later;
    }
    Ok(())
}

/// The counts of groups, of levels and of all.
fn tallies(out: &mut impl Write, coverage: &Coverage<'_>, table: &Table) -> io::Result<()> {
    if !table.labels.is_empty() {
        let says = "Under a target: for how many requirements a case came to a verdict there";
        for line in wrap(says, table.width) {
            writeln!(out, "{FAINT}{line}{FAINT:#}")?;
        }
    }
    let levels: Vec<Tally> = coverage.levels.iter().chain([&coverage.total]).cloned().collect();
    for (first, all) in [("group", &coverage.groups), ("level", &levels)] {
        let column = |label: &str, number: &dyn Fn(&Tally) -> usize, missing: bool| {
            let style = |tally: &Tally| match missing && tally.covered < tally.requirements {
                true => BAD,
                false => Style::new(),
            };
            Numbers { label: label.to_owned(), cells: all.iter().map(|it| (style(it), number(it))).collect() }
        };
        let mut columns = vec![
            column("requirements", &|tally| tally.requirements, false),
            column("covered", &|tally| tally.covered, true),
            column("cases", &|tally| tally.cases, false),
        ];
        let targets = table.labels.iter().enumerate();
        columns.extend(targets.map(|(at, label)| column(label, &|tally| tally.decided[at], false)));
        let names: Vec<&str> = all.iter().map(|tally| tally.name.as_str()).collect();
        numbers(out, first, &names, &columns, table.width)?;
    }
    Ok(())
}

/// How many requirements there are of each standing on each target.
fn standings(out: &mut impl Write, coverage: &Coverage<'_>, table: &Table) -> io::Result<()> {
    let count = |column: &Column<'_>, standing| column.standings.get(&standing).copied().unwrap_or_default();
    // That none fails is worth saying; that none is odd is not.
    let is_told = |standing: &Standing| {
        matches!(standing, Standing::Fails | Standing::Holds)
            || coverage.targets.iter().any(|column| count(column, *standing) > 0)
    };
    let told: Vec<Standing> = Standing::ALL.into_iter().filter(is_told).collect();
    let columns = table.labels.iter().zip(&coverage.targets).map(|(label, column)| {
        let cell = |standing: &Standing| match count(column, *standing) {
            0 => (Style::new(), 0),
            count => (style(*standing), count),
        };
        Numbers { label: label.clone(), cells: told.iter().map(cell).collect() }
    });
    let names: Vec<&str> = told.iter().map(|standing| standing.meaning()).collect();
    numbers(out, "requirements of which", &names, &columns.collect::<Vec<_>>(), table.width)
}

/// What rests on skipped cases alone, and why they were skipped.
fn skips(out: &mut impl Write, coverage: &Coverage<'_>, options: &Options) -> io::Result<()> {
    for (names, skipped) in coverage.skips() {
        let says = format!("Covered only by skipped cases on {}", escape(&names.join(", ")));
        for line in wrap(&says, options.width) {
            writeln!(out, "{HEAD}{line}{HEAD:#}")?;
        }
        for (reason, requirements) in skipped {
            for line in wrap(reason, options.width.saturating_sub(2)) {
                writeln!(out, "  {line}")?;
            }
            for line in wrap(&requirements.join(" "), options.width.saturating_sub(4)) {
                writeln!(out, "    {UNASKED}{line}{UNASKED:#}")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn uncovered(out: &mut impl Write, coverage: &Coverage<'_>, options: &Options) -> io::Result<()> {
    if coverage.uncovered.is_empty() {
        return Ok(());
    }
    writeln!(out, "{HEAD}Covered by no case{HEAD:#}")?;
    for line in wrap(&coverage.uncovered.join(" "), options.width.saturating_sub(2)) {
        writeln!(out, "  {BAD}{line}{BAD:#}")?;
    }
    writeln!(out)
}

fn verdict(out: &mut impl Write, coverage: &Coverage<'_>) -> io::Result<()> {
    let Tally { requirements, covered, cases, .. } = coverage.total;
    let (style, word) = if coverage.is_complete() { (GOOD, "COVERED") } else { (BAD, "GAPS") };
    let style = style.bold();
    let (requirements, cases) = (counted(requirements, "requirement"), counted(cases, "case"));
    writeln!(out, "{style}{word}{style:#}: {covered} of {requirements} covered, by {cases}")
}
