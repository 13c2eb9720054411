//! Any number of runs as one page that needs nothing else: no server, no network, no other file.
//!
//! The page is a table that is complete without a script, and the data of all cells, from which its script
//! makes the matrix. What is the same in many cells is written once. The same records make the same bytes.

use std::collections::BTreeMap;
use std::io::{self, Write};

use chrono::DateTime;
use harness::record::{CaseRecord, Run, Standing};
use harness::requirement::{Level, Requirement};
use serde::Serialize;

use crate::status::{Merit, SIGNS, Status};
use crate::summary::{Outcome, Summary};
use crate::target_line;
use crate::text::counted;

const PAGE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

/// How many lines of a console a cell shows: the record has them all.
const CONSOLE: usize = 200;

/// What a page is made of.
pub struct Page<'a> {
    /// The runs: each is a column, in this order.
    pub runs: &'a [Run],
    /// The requirements of the suite, in its order.
    pub requirements: &'a [Requirement],
    /// The text of the file of a case, if it is known.
    pub source: &'a dyn Fn(&str) -> Option<&'a str>,
}

/// The letter of a case that a run does not have.
const ABSENT: char = '.';

#[derive(Serialize)]
struct Data<'a> {
    statuses: Vec<Sign>,
    columns: Vec<Column>,
    cases: Vec<Row<'a>>,
    requirements: Vec<Required<'a>>,
    /// By row and by column; cells that say no more than their letter have none.
    details: BTreeMap<usize, BTreeMap<usize, Detail<'a>>>,
    texts: Vec<String>,
}

#[derive(Serialize)]
struct Sign {
    word: &'static str,
    counted: &'static str,
    sign: &'static str,
    letter: char,
    /// If it is to be looked at.
    bad: bool,
}

#[derive(Serialize)]
struct Column {
    /// What the fragments of links call it.
    key: String,
    name: String,
    line: String,
    command: String,
    /// The command that writes a case as a program for this target, but for the case.
    #[serde(skip_serializing_if = "Option::is_none")]
    export: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    id: &'a str,
    title: &'a str,
    file: &'a str,
    covers: &'a [String],
    source: Option<&'a str>,
    /// A letter for each column.
    cells: String,
}

#[derive(Serialize)]
struct Required<'a> {
    id: &'a str,
    level: Level,
    says: &'a str,
    from: &'a [String],
    /// The rows that cover it.
    cases: Vec<usize>,
}

#[derive(Serialize)]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<usize>,
    /// Line, text, if it was met, what was expected, what was observed.
    steps: Vec<(u32, &'a str, bool, String, String)>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    console: &'a [String],
}

/// Texts that are the same in many cells.
#[derive(Default)]
struct Texts {
    texts: Vec<String>,
    numbers: BTreeMap<String, usize>,
}

impl Texts {
    fn number(&mut self, text: &str) -> usize {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), self.texts.len() - 1);
        self.texts.len() - 1
    }
}

/// Writes the page.
pub fn write(mut out: impl Write, page: &Page) -> io::Result<()> {
    let data = serde_json::to_string(&data(page))?;
    // Within a script element nothing ends it but `</`, and nothing else has to be changed in JSON.
    let data = data.replace('<', "\\u003c");
    let mut rest = PAGE;
    // Pieces are put in from the left, so that none is looked for in what was put in.
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}").unwrap_or((after, ""));
        out.write_all(before.as_bytes())?;
        let piece = match name {
            "style" => STYLE.trim_end().to_owned(),
            "script" => SCRIPT.trim_end().to_owned(),
            "lead" => lead(page),
            "summary" => summary(page.runs),
            "legend" => legend(),
            "data" => data.clone(),
            _ => String::new(),
        };
        out.write_all(piece.as_bytes())?;
        rest = after;
    }
    out.write_all(rest.as_bytes())
}

fn data<'a>(page: &Page<'a>) -> Data<'a> {
    let rows = rows(page);
    let numbers: BTreeMap<&str, usize> = rows.iter().enumerate().map(|(at, row)| (row.id, at)).collect();
    let mut texts = Texts::default();
    let mut details: BTreeMap<usize, BTreeMap<usize, Detail>> = BTreeMap::new();
    for (column, run) in page.runs.iter().enumerate() {
        for record in &run.cases {
            let (Some(detail), Some(row)) =
                (detail(record, &mut texts), numbers.get(record.case.as_str()).copied())
            else {
                continue;
            };
            details.entry(row).or_default().insert(column, detail);
        }
    }
    let covering = |id: &str| {
        let covers = rows.iter().enumerate().filter(|(_, row)| row.covers.iter().any(|it| it == id));
        covers.map(|(at, _)| at).collect()
    };
    let requirements = page.requirements.iter().map(|it| Required {
        id: &it.id,
        level: it.level,
        says: &it.says,
        from: &it.from,
        cases: covering(&it.id),
    });
    let statuses = SIGNS.map(|(status, sign, letter)| {
        let words = status.words();
        let bad = matches!(words.merit, Merit::Bad | Merit::Unknown);
        Sign { word: words.word, counted: words.counted, sign, letter, bad }
    });
    Data {
        statuses: statuses.into(),
        columns: columns(page.runs),
        requirements: requirements.collect(),
        cases: rows,
        details,
        texts: texts.texts,
    }
}

/// Every case that one of the runs has, by id.
fn rows<'a>(page: &Page<'a>) -> Vec<Row<'a>> {
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for (column, run) in page.runs.iter().enumerate() {
        for record in &run.cases {
            let row = rows.entry(&record.case).or_insert_with(|| Row {
                id: &record.case,
                title: &record.title,
                file: &record.file,
                covers: &record.covers,
                source: (page.source)(&record.case),
                cells: String::new(),
            });
            let absent = column - row.cells.len().min(column);
            row.cells.extend(std::iter::repeat_n(ABSENT, absent));
            row.cells.push(letter(Status::of(record)));
        }
    }
    let mut rows: Vec<Row> = rows.into_values().collect();
    for row in &mut rows {
        let absent = page.runs.len() - row.cells.len();
        row.cells.extend(std::iter::repeat_n(ABSENT, absent));
    }
    rows
}

fn letter(status: Status) -> char {
    SIGNS.iter().find(|(it, _, _)| *it == status).map_or(ABSENT, |(_, _, letter)| *letter)
}

/// What a cell tells beside its letter. A plain pass says all with that.
fn detail<'a>(record: &'a CaseRecord, texts: &mut Texts) -> Option<Detail<'a>> {
    if Status::of(record) == Status::Pass {
        return None;
    }
    let recorded = match &record.standing {
        Standing::Plain => None,
        Standing::Deviates { because: text } | Standing::Unexpected { recorded: text } => {
            Some(texts.number(text.trim_end()))
        }
    };
    let steps = record.steps.iter().map(|step| {
        let value = |shown: &harness::record::Shown| match (&shown.variable, step.met) {
            // What was met needs no second look.
            (_, true) => String::new(),
            (Some((name, line)), false) => {
                format!("${} = {}   bound at line {line}", name.trim_start_matches('$'), shown.text)
            }
            (None, false) => shown.text.clone(),
        };
        (step.line, step.text.as_str(), step.met, value(&step.expected), value(&step.observed))
    });
    Some(Detail {
        reason: record.reason.as_deref().map(|reason| texts.number(reason.trim_end())),
        recorded,
        steps: steps.collect(),
        console: &record.console[..record.console.len().min(CONSOLE)],
    })
}

fn columns(runs: &[Run]) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    for run in runs {
        let target = &run.header.target;
        let version = target.implementation_version.as_deref().unwrap_or(&target.release);
        let name = match target.implementation.as_str() {
            "linux" => target.release.clone(),
            other => format!("{other} {version}"),
        };
        let legal =
            |char: char| if char.is_ascii_alphanumeric() || ".+-_".contains(char) { char } else { '-' };
        let key: String = format!("{name}-{}", target.place).chars().map(legal).collect();
        // Two runs of one target are told apart by their place in the page.
        let twins = columns.iter().filter(|column| column.key.split('~').next() == Some(&key)).count();
        let (key, name) = match twins {
            0 => (key, name),
            _ => (format!("{key}~{}", twins + 1), format!("{name} ({})", twins + 1)),
        };
        let command = run.header.command.clone().unwrap_or_else(|| "skc run".into());
        let export =
            (target.implementation == "linux").then(|| format!("skc export --for linux-{}", target.version));
        columns.push(Column { key, name, line: target_line(target), command, export });
    }
    columns
}

fn lead(page: &Page) -> String {
    let cases: std::collections::BTreeSet<&str> =
        page.runs.iter().flat_map(|run| &run.cases).map(|record| record.case.as_str()).collect();
    escape(&format!(
        "{} on {}, {} required",
        counted(cases.len(), "case"),
        counted(page.runs.len(), "target"),
        counted(page.requirements.len(), "behaviour")
    ))
}

/// The table that is there without a script.
fn summary(runs: &[Run]) -> String {
    let summaries: Vec<Summary> = runs.iter().map(Summary::of).collect();
    let shown: Vec<Status> = Status::ALL
        .into_iter()
        .filter(|status| {
            matches!(status, Status::Pass | Status::Fail)
                || summaries.iter().any(|summary| summary.count(*status) > 0)
        })
        .collect();
    let mut table = String::from("<thead><tr><th scope=\"col\">target</th><th scope=\"col\">began</th>");
    for status in &shown {
        table += &format!("<th scope=\"col\">{}</th>", status.words().counted);
    }
    table += "<th scope=\"col\">seconds</th><th scope=\"col\"></th></tr></thead>\n<tbody>\n";
    for (run, summary) in runs.iter().zip(&summaries) {
        let began = DateTime::from_timestamp(run.header.started as i64, 0)
            .map_or_else(String::new, |time| time.format("%Y-%m-%d %H:%M UTC").to_string());
        let target = target_line(&run.header.target);
        table += &format!("<tr><th scope=\"row\">{}</th><td>{began}</td>", escape(&target));
        for status in &shown {
            table += &format!("<td>{}</td>", summary.count(*status));
        }
        let seconds =
            summary.milliseconds.map_or_else(String::new, |it| format!("{:.1}", it as f64 / 1000.0));
        let (class, word) = match summary.outcome {
            Outcome::AsExpected => ("pass", "as expected"),
            Outcome::Failed => ("fail", "failed"),
            Outcome::Broken => ("broken", "broken"),
            Outcome::NothingRan => ("broken", "nothing ran"),
        };
        table += &format!("<td>{seconds}</td><td class=\"verdict {class}\">{word}</td></tr>\n");
    }
    table + "</tbody>"
}

fn legend() -> String {
    let signs = SIGNS.map(|(status, sign, _)| {
        let words = status.words();
        format!("<span class=\"{}\">{sign}</span> {}", words.word, words.counted)
    });
    format!("{}; an empty cell: not in that run.", signs.join(", "))
}

/// Text between tags, or in an attribute.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
