//! Requirements × cases × verdicts: what each requirement rests on, and what came of it on each target.
//!
//! Made of a suite and of records. A case counts wherever it is covered, so a requirement is never
//! told to rest on less than it does because somebody looks at a part of the suite.

mod markdown;
mod terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use harness::case::{Case, Norm};
use harness::record::{CaseRecord, Run};
use harness::requirement::{Level, Requirement};
use harness::suite::Suite;
use harness::target::Target;
use serde::Serialize;

use crate::status::{Merit, Status, reason};
use crate::text::words;

pub use markdown::write as markdown;
pub use terminal::{Options, write as terminal};

/// What requirements rest on.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage<'a> {
    /// The targets, a column each, in the order of the records.
    pub targets: Vec<Column<'a>>,
    /// The requirements, in the order of their file.
    pub requirements: Vec<Row<'a>>,
    /// How many there are in each group of ids, in the order of the file.
    pub groups: Vec<Tally>,
    /// How many there are of each level.
    pub levels: Vec<Tally>,
    /// How many there are in all.
    pub total: Tally,
    /// The requirements that no case covers.
    pub uncovered: Vec<&'a str>,
}

/// The ids of requirements by the reason for which all of their cases were skipped.
pub type Skips<'a> = BTreeMap<String, Vec<&'a str>>;

/// A target.
#[derive(Clone, Debug, Serialize)]
pub struct Column<'a> {
    /// A short name, which no other column has.
    pub name: String,
    /// The target.
    pub target: &'a Target,
    /// Requirements whose cases were all skipped there, by reason.
    pub skipped: Skips<'a>,
    /// How many requirements there are of each standing; every standing is there.
    pub standings: BTreeMap<Standing, usize>,
    /// How many records are of cases that the suite does not have.
    pub strange: usize,
}

/// A requirement with its cases.
#[derive(Clone, Debug, Serialize)]
pub struct Row<'a> {
    /// The requirement.
    #[serde(flatten)]
    pub requirement: &'a Requirement,
    /// The cases that cover it, in the order of the suite; each row of a table is one.
    pub cases: Vec<Covering<'a>>,
    /// How it stands on each target; nothing where no case covers it.
    pub standings: Vec<Standing>,
}

/// A case that covers a requirement.
#[derive(Clone, Debug, Serialize)]
pub struct Covering<'a> {
    /// The case's id.
    pub case: &'a str,
    /// What it says of a kernel.
    pub title: &'a str,
    /// Whose claim it states.
    pub norm: Norm,
    /// What it came to on each target; nothing where there is no record of it.
    pub statuses: Vec<Option<Status>>,
}

/// How a requirement stands on a target, by what its cases came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// A case is not as expected.
    Fails,
    /// A case is broken: what it would have shown is not known.
    Broken,
    /// A case that is no claim of a page differs as recorded.
    Differs,
    /// At least one case was played, and all are as expected.
    Holds,
    /// Every case was skipped.
    Skipped,
    /// Some cases have no record, and the others were skipped.
    NotPlayed,
}

impl Standing {
    /// Every standing, the weightiest first.
    pub const ALL: [Standing; 6] = [
        Standing::Fails,
        Standing::Broken,
        Standing::Differs,
        Standing::Holds,
        Standing::Skipped,
        Standing::NotPlayed,
    ];

    /// The standing as one word or two.
    pub fn word(self) -> &'static str {
        match self {
            Standing::Fails => "fails",
            Standing::Broken => "broken",
            Standing::Differs => "differs",
            Standing::Holds => "holds",
            Standing::Skipped => "skipped",
            Standing::NotPlayed => "not played",
        }
    }

    /// What it means, for a list of all.
    pub fn meaning(self) -> &'static str {
        match self {
            Standing::Fails => "a case is not as expected",
            Standing::Broken => "a case is broken: nothing is known of it",
            Standing::Differs => "a case differs, as recorded",
            Standing::Holds => "what was played is as expected",
            Standing::Skipped => "every case was skipped",
            Standing::NotPlayed => "there is no record of its cases",
        }
    }

    /// If a case came to a verdict about the target.
    pub fn is_decided(self) -> bool {
        matches!(self, Standing::Fails | Standing::Differs | Standing::Holds)
    }

    fn of(cases: &[Covering<'_>], column: usize) -> Standing {
        let statuses = || cases.iter().map(|case| (case.norm, case.statuses[column]));
        let merit = |status: Option<Status>| status.map(|status| status.words().merit);
        if statuses().any(|(_, status)| merit(status) == Some(Merit::Bad)) {
            Standing::Fails
        } else if statuses().any(|(_, status)| merit(status) == Some(Merit::Unknown)) {
            Standing::Broken
        } else if statuses().any(|it| it == (Norm::Kernel, Some(Status::Deviation))) {
            Standing::Differs
        } else if statuses().any(|(_, status)| merit(status) == Some(Merit::Good)) {
            Standing::Holds
        } else if statuses().all(|(_, status)| status == Some(Status::Skip)) {
            Standing::Skipped
        } else {
            Standing::NotPlayed
        }
    }
}

/// Some requirements in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// What they have in common.
    pub name: String,
    /// How many there are.
    pub requirements: usize,
    /// How many of them a case covers.
    pub covered: usize,
    /// How many cases cover them.
    pub cases: usize,
    /// For how many of them a case came to a verdict, for each target.
    pub decided: Vec<usize>,
}

impl Tally {
    fn of<'r>(name: &str, columns: usize, rows: impl Iterator<Item = &'r Row<'r>> + Clone) -> Tally {
        let cases: BTreeSet<&str> =
            rows.clone().flat_map(|row| row.cases.iter().map(|case| case.case)).collect();
        let decided = |column: usize| {
            let standings = rows.clone().filter_map(move |row| row.standings.get(column));
            standings.filter(|standing| standing.is_decided()).count()
        };
        Tally {
            name: name.to_owned(),
            requirements: rows.clone().count(),
            covered: rows.clone().filter(|row| !row.cases.is_empty()).count(),
            cases: cases.len(),
            decided: (0..columns).map(decided).collect(),
        }
    }
}

impl<'a> Coverage<'a> {
    /// Looks at some requirements of a suite, and at what its cases came to in some runs.
    pub fn of(suite: &'a Suite, requirements: &[&'a Requirement], runs: &'a [Run]) -> Coverage<'a> {
        let records: Vec<BTreeMap<&str, &CaseRecord>> = runs
            .iter()
            .map(|run| run.cases.iter().map(|record| (record.case.as_str(), record)).collect())
            .collect();
        let covering = |case: &'a Case| Covering {
            case: &case.id,
            title: &case.title,
            norm: case.norm,
            statuses: records.iter().map(|of| of.get(case.id.as_str()).map(|it| Status::of(it))).collect(),
        };
        let rows: Vec<Row<'_>> = requirements
            .iter()
            .map(|requirement| {
                let covers = |case: &&Case| case.covers.contains(&requirement.id);
                let cases: Vec<_> = suite.cases().iter().filter(covers).map(covering).collect();
                let columns = if cases.is_empty() { 0 } else { runs.len() };
                let standings = (0..columns).map(|column| Standing::of(&cases, column)).collect();
                Row { requirement, cases, standings }
            })
            .collect();
        let mut groups: Vec<&str> = Vec::new();
        for row in &rows {
            if !groups.contains(&row.requirement.group()) {
                groups.push(row.requirement.group());
            }
        }
        let tally = |name: &str, takes: &dyn Fn(&Requirement) -> bool| {
            Tally::of(name, runs.len(), rows.iter().filter(|row| takes(row.requirement)))
        };
        Coverage {
            targets: columns(suite, &rows, runs, &records),
            groups: groups.iter().map(|group| tally(group, &|it| it.group() == *group)).collect(),
            levels: Level::ALL
                .iter()
                .map(|level| tally(level.word(), &|it| it.level == *level))
                .filter(|tally| tally.requirements > 0)
                .collect(),
            total: tally("all", &|_| true),
            uncovered: rows
                .iter()
                .filter(|row| row.cases.is_empty())
                .map(|row| row.requirement.id.as_str())
                .collect(),
            requirements: rows,
        }
    }

    /// What rests on skipped cases alone; the names of several targets of which the same holds stand together.
    fn skips(&self) -> Vec<(Vec<&str>, &Skips<'a>)> {
        let mut skips: Vec<(Vec<&str>, &Skips<'_>)> = Vec::new();
        for column in self.targets.iter().filter(|column| !column.skipped.is_empty()) {
            match skips.iter_mut().find(|(_, skipped)| **skipped == column.skipped) {
                Some((names, _)) => names.push(&column.name),
                None => skips.push((vec![&column.name], &column.skipped)),
            }
        }
        skips
    }

    /// If each requirement has a case.
    pub fn is_complete(&self) -> bool {
        self.uncovered.is_empty()
    }
}

fn columns<'a>(
    suite: &Suite,
    rows: &[Row<'a>],
    runs: &'a [Run],
    records: &[BTreeMap<&str, &CaseRecord>],
) -> Vec<Column<'a>> {
    let names = names(runs);
    let column = |(at, (run, name)): (usize, (&'a Run, String))| {
        let mut standings = BTreeMap::from(Standing::ALL.map(|standing| (standing, 0)));
        let mut skipped = Skips::new();
        for row in rows {
            let Some(standing) = row.standings.get(at) else { continue };
            *standings.entry(*standing).or_default() += 1;
            if *standing == Standing::Skipped {
                let of = |case: &Covering<'_>| records[at].get(case.case).and_then(|record| reason(record));
                let reasons: BTreeSet<String> = row.cases.iter().filter_map(of).collect();
                let reasons: Vec<String> = reasons.iter().map(|reason| words(reason)).collect();
                skipped.entry(reasons.join("; or ")).or_default().push(&row.requirement.id);
            }
        }
        let strange = run.cases.iter().filter(|record| suite.case(&record.case).is_none()).count();
        Column { name, target: &run.header.target, skipped, standings, strange }
    };
    runs.iter().zip(names).enumerate().map(column).collect()
}

/// Short names of targets: the version; with the place, and at last with a number, where several have it.
fn names(runs: &[Run]) -> Vec<String> {
    let targets: Vec<&Target> = runs.iter().map(|run| &run.header.target).collect();
    let version = |target: &Target| match target.implementation.as_str() {
        "linux" => {
            let numbers = |char: char| char.is_ascii_digit() || char == '.';
            target.release.split(|char| !numbers(char)).next().unwrap_or_default().to_owned()
        }
        other => [Some(other), target.implementation_version.as_deref()]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" "),
    };
    let placed = |target: &Target| format!("{} {}", version(target), target.place);
    let count = |name: &str, of: &dyn Fn(&Target) -> String| {
        targets.iter().filter(|target| of(target) == name).count()
    };
    let mut names: Vec<String> = Vec::new();
    for target in &targets {
        let (short, long) = (version(target), placed(target));
        let base = if count(&short, &version) == 1 { short } else { long.clone() };
        let base = words(&base);
        let mut numbered = std::iter::once(base.clone()).chain((2..).map(|at| format!("{base} ({at})")));
        names.extend(numbered.find(|name| !names.contains(name)));
    }
    names
}

/// Several cases of one file with what they came to on one target, in a few words.
fn cell<'s>(statuses: impl Iterator<Item = &'s Option<Status>> + Clone) -> (Option<Status>, String) {
    let all = statuses.clone().count();
    // What is to be looked at goes before what is well, and that before what was not asked.
    let order = Status::ALL.into_iter().filter(|status| *status != Status::Pass && *status != Status::Skip);
    let order = order.chain([Status::Pass, Status::Skip]);
    let count = |status: Status| statuses.clone().filter(|it| **it == Some(status)).count();
    match order.map(|status| (status, count(status))).find(|(_, count)| *count > 0) {
        None => (None, "-".to_owned()),
        Some((status, count)) if count == all => (Some(status), status.words().word.to_owned()),
        Some((status, count)) => (Some(status), format!("{} {count}/{all}", status.words().word)),
    }
}

/// The cases of a requirement by file: the id of the file, its rows.
fn files<'r, 'a>(row: &'r Row<'a>) -> Vec<(&'a str, Vec<&'r Covering<'a>>)> {
    let mut files: Vec<(&str, Vec<&Covering<'_>>)> = Vec::new();
    for case in &row.cases {
        let file = case.case.split('[').next().unwrap_or(case.case);
        match files.last_mut() {
            Some((last, rows)) if *last == file => rows.push(case),
            _ => files.push((file, vec![case])),
        }
    }
    files
}

/// Writes it as one JSON document.
pub fn json(mut out: impl Write, coverage: &Coverage<'_>) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut out, coverage)?;
    writeln!(out)
}
