//! Chapters × targets: what the cases of each chapter came to on each target, as Markdown and as JSON. What became of
//! a single case is on the page of runs.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::DateTime;
use harness::record::Run;
use harness::target::Target;
use serde::Serialize;

use crate::markdown::{cell, prose};
use crate::status::{SIGNS, Status};
use crate::target_line;
use crate::text::counted;

/// The version of the JSON. It changes when a reader has to.
const FORMAT: u32 = 1;

/// How many cases came to each status.
type Counts = BTreeMap<Status, usize>;

/// What any number of runs came to, chapter by chapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matrix {
    format: u32,
    targets: Vec<Column>,
}

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Column {
    /// A short name, not the same for any two runs.
    name: String,
    /// All of it.
    target: String,
    /// The day on which the run began, in UTC.
    date: String,
    /// The version of the program that ran it.
    program: String,
    /// By chapter.
    chapters: BTreeMap<String, Counts>,
}

impl Matrix {
    /// Counts the cases of runs, which keep their order.
    pub fn of(runs: &[Run]) -> Matrix {
        let mut targets: Vec<Column> = Vec::new();
        for run in runs {
            let target = &run.header.target;
            let is_twin = |other: &&Run| version(&other.header.target) == version(target);
            let alone = runs.iter().filter(is_twin).count() == 1;
            let short = if alone { version(target) } else { short(target) };
            let twins =
                targets.iter().filter(|column| column.name.split(" (").next() == Some(&short)).count();
            let mut chapters: BTreeMap<String, Counts> = BTreeMap::new();
            for record in &run.cases {
                let chapter = record.case.split('/').next().unwrap_or_default();
                let counts = chapters.entry(chapter.to_owned()).or_default();
                *counts.entry(Status::of(record)).or_default() += 1;
            }
            targets.push(Column {
                name: if twins == 0 { short } else { format!("{short} ({})", twins + 1) },
                target: target_line(&run.header.target),
                date: DateTime::from_timestamp(run.header.started as i64, 0)
                    .map_or_else(String::new, |time| time.format("%Y-%m-%d").to_string()),
                program: run.header.program.clone(),
                chapters,
            });
        }
        Matrix { format: FORMAT, targets }
    }

    /// Writes one JSON document.
    pub fn json(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        writeln!(out)
    }

    /// Writes two tables of Markdown: the matrix, and what its columns are.
    pub fn markdown(&self, out: &mut impl Write) -> io::Result<()> {
        let mut chapters: Vec<&String> =
            self.targets.iter().flat_map(|column| column.chapters.keys()).collect();
        chapters.sort();
        chapters.dedup();
        write!(out, "| chapter |")?;
        for column in &self.targets {
            write!(out, " {} |", shown(&column.name))?;
        }
        writeln!(out, "\n| :- |{}", " :-: |".repeat(self.targets.len()))?;
        for chapter in chapters {
            write!(out, "| {} |", shown(chapter))?;
            for column in &self.targets {
                write!(out, " {} |", column.chapters.get(chapter).map(signs).unwrap_or_default())?;
            }
            writeln!(out)?;
        }
        writeln!(out, "\n{}\n", legend())?;
        writeln!(out, "| column | target | date | cases |\n| :- | :- | :- | :- |")?;
        for column in &self.targets {
            let Column { name, target, date, .. } = column;
            writeln!(out, "| {} | {} | {date} | {} |", shown(name), shown(target), totals(column))?;
        }
        Ok(())
    }
}

/// The name of a target among others: `6.12`, `gvisor 20240729`.
fn version(target: &Target) -> String {
    match target.implementation.as_str() {
        "linux" => target.version.to_string(),
        other => {
            format!("{other} {}", target.implementation_version.as_deref().unwrap_or(&target.release))
        }
    }
}

/// Its name among others of its version: `6.12 rt`.
fn short(target: &Target) -> String {
    if target.implementation != "linux" {
        return version(target);
    }
    // The words of a release that are no numbers are what it was built for, and last the machine.
    let built_for = target.release.split(['-', '+']).skip(1).filter(|word| {
        !["amd64", "arm64", "generic"].contains(word)
            && *word != target.machine
            && word.chars().all(|char| char.is_ascii_alphabetic())
    });
    [version(target)].into_iter().chain(built_for.map(str::to_owned)).collect::<Vec<_>>().join(" ")
}

fn shown(text: &str) -> String {
    cell(&prose(text))
}

/// All that passed is one sign; whatever else there is, is counted.
fn signs(counts: &Counts) -> String {
    let others: Vec<String> = SIGNS
        .iter()
        .filter(|(status, _, _)| *status != Status::Pass)
        .filter_map(|(status, sign, _)| counts.get(status).map(|count| format!("{sign}{count}")))
        .collect();
    match others.is_empty() {
        true => {
            SIGNS.iter().find(|(it, _, _)| *it == Status::Pass).map_or("", |(_, sign, _)| sign).to_owned()
        }
        false => others.join(" "),
    }
}

fn legend() -> String {
    let others = SIGNS.iter().filter(|(status, _, _)| *status != Status::Pass);
    let words: Vec<String> =
        others.map(|(status, sign, _)| format!("{sign} {}", status.words().counted)).collect();
    format!("✓ all passed; of others how many: {}. An empty cell: not played.", words.join(", "))
}

fn totals(column: &Column) -> String {
    let mut sums = Counts::new();
    for (status, count) in column.chapters.values().flatten() {
        *sums.entry(*status).or_default() += count;
    }
    let words = sums.iter().map(|(status, count)| format!("{count} {}", status.words().counted));
    format!("{}: {}", counted(sums.values().sum(), "case"), words.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::case::Version;
    use harness::target::Ids;
    use rstest::rstest;

    #[rstest]
    #[case("linux", "6.12.117+deb13-cloud-amd64", "6.12 cloud")]
    #[case("linux", "6.12.117+deb13-amd64", "6.12")]
    #[case("linux", "5.10.0-32-rt-amd64", "6.12 rt")]
    #[case("linux", "6.12.117-skc", "6.12 skc")]
    #[case("linux", "6.12.1-x86_64", "6.12")]
    #[case("gvisor", "4.4.0", "gvisor 4.4.0")]
    fn a_short_name_says_what_it_was_built_for(
        #[case] implementation: &str,
        #[case] release: &str,
        #[case] name: &str,
    ) {
        let target = Target {
            programs: Default::default(),
            implementation: implementation.into(),
            implementation_version: None,
            release: release.into(),
            version: Version(6, 12),
            machine: "x86_64".into(),
            place: "qemu".into(),
            ids: Ids::Block,
            features: Default::default(),
        };
        assert_eq!(short(&target), name);
    }

    #[test]
    fn nothing_but_a_pass_hides_in_the_sign_of_a_pass() {
        for status in Status::ALL {
            let cell = signs(&Counts::from([(Status::Pass, 7), (status, 2)]));
            assert_eq!(cell == "✓", status == Status::Pass, "{cell}");
            assert!(status == Status::Pass || cell.ends_with('2'), "{cell}");
        }
        assert_eq!(signs(&Counts::from([(Status::Skip, 3)])), "–3");
    }
}
