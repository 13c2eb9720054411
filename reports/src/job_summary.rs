//! Runs as Markdown for the summary of a CI job: what they came to, what is to be looked at, and why something was
//! not played. What coverage says in Markdown is not here.

use std::fmt::Write as _;
use std::io::{self, Write};

use harness::record::{CaseRecord, Run};

use crate::explanation::explain;
use crate::markdown::{block, code, item, prose};
use crate::status::{Merit, Status};
use crate::summary::{Group, Outcome, Summary};
use crate::target_line;
use crate::text::{counted, cut, escape};

/// How many bytes GitHub shows of the summary of a step; of a longer one it shows nothing.
pub const LIMIT: usize = 1 << 20;
/// How many bytes are kept for saying what was left out.
const RESERVE: usize = 256;
/// How many characters of a text that is not ours stand in a line, and how many cases are named there.
const TEXT: usize = 400;
const NAMES: usize = 20;

/// Writes any number of runs in [`LIMIT`] bytes, each in its share of them.
pub fn write(out: &mut impl Write, runs: &[Run]) -> io::Result<()> {
    write_within(out, runs, LIMIT)
}

fn write_within(out: &mut impl Write, runs: &[Run], limit: usize) -> io::Result<()> {
    let share = limit / runs.len().max(1);
    runs.iter().try_for_each(|run| out.write_all(section(run, share).as_bytes()))
}

/// One run, in no more bytes than `limit`.
fn section(run: &Run, limit: usize) -> String {
    let summary = Summary::of(run);
    let mut page = Page { text: head(run, &summary), limit: limit.saturating_sub(RESERVE) };
    let concerns: Vec<&CaseRecord> = run
        .cases
        .iter()
        .filter(|record| matches!(Status::of(record).words().merit, Merit::Bad | Merit::Unknown))
        .collect();
    let mut left_out = Vec::new();
    page.part(
        "### To be looked at\n\n",
        concerns.iter().map(|record| concern(record)),
        "cases to be looked at",
        &mut left_out,
    );
    let named = [("Deviated as recorded", &summary.deviations), ("Skipped", &summary.skips)];
    for (title, groups) in named {
        let what = format!("reasons under \"{title}\"");
        page.part(&format!("### {title}\n\n"), groups.iter().map(group), &what, &mut left_out);
    }
    if !left_out.is_empty() {
        let _ = writeln!(page.text, "Left out here, for lack of room: {}.\n", left_out.join(", "));
    }
    page.text
}

/// A text that grows as long as there is room.
struct Page {
    text: String,
    limit: usize,
}

impl Page {
    /// Adds a title and what stands under it. From the first that has no room on, all are counted and left out.
    fn part(
        &mut self,
        title: &str,
        pieces: impl ExactSizeIterator<Item = String>,
        what: &str,
        left_out: &mut Vec<String>,
    ) {
        let all = pieces.len();
        let mut shown = 0;
        for piece in pieces {
            let before = if shown == 0 { title } else { "" };
            if self.text.len() + before.len() + piece.len() + 1 > self.limit {
                break;
            }
            self.text += before;
            self.text += &piece;
            shown += 1;
        }
        if shown > 0 {
            self.text.push('\n');
        }
        if shown < all {
            left_out.push(format!("{} of {all} {what}", all - shown));
        }
    }
}

fn head(run: &Run, summary: &Summary) -> String {
    let outcome = match summary.outcome {
        Outcome::AsExpected => "as expected",
        Outcome::Failed => "FAILED",
        Outcome::Broken => "BROKEN",
        Outcome::NothingRan => "nothing ran",
    };
    let mut text = format!("## {}: {outcome}\n\n", prose(&cut(&target_line(&run.header.target), TEXT)));
    let _ = write!(text, "{}", counted(summary.chosen, "case"));
    if let Some(milliseconds) = summary.milliseconds {
        let _ = write!(text, " in {:.1} s", milliseconds as f64 / 1000.0);
    }
    if summary.interrupted {
        text += ", interrupted";
    }
    text += "\n\n| | cases |\n| :- | -: |\n";
    for status in Status::ALL {
        let count = summary.count(status);
        if count > 0 || matches!(status, Status::Pass | Status::Fail) {
            let _ = writeln!(text, "| {} | {count} |", status.words().counted);
        }
    }
    if summary.missing > 0 {
        let _ = writeln!(text, "| never ran | {} |", summary.missing);
    }
    text.push('\n');
    text
}

fn concern(record: &CaseRecord) -> String {
    let words = Status::of(record).words();
    let covers =
        if record.covers.is_empty() { String::new() } else { format!(" [{}]", record.covers.join(" ")) };
    let explained: Vec<String> = explain(record).into_iter().map(|line| line.text).collect();
    // Where a line begins with a tag, a renderer reads no Markdown up to the next empty line.
    format!(
        "<details><summary><b>{}</b> <code>{}</code> {}</summary>\n\n{}\n\n</details>\n\n",
        words.heading,
        html(&cut(&escape(&record.case), TEXT)),
        html(&cut(&escape(&format!("{}{covers}", record.title)), TEXT)),
        block("text", &explained.join("\n")),
    )
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn group(group: &Group) -> String {
    let mut names: Vec<String> = group.cases.iter().take(NAMES).map(|case| code(&cut(case, TEXT))).collect();
    if group.cases.len() > NAMES {
        names.push(format!("and {} more", group.cases.len() - NAMES));
    }
    let reason = prose(&cut(&group.reason, TEXT));
    format!("{}\n", item(&format!("{}: {reason}: {}", counted(group.cases.len(), "case"), names.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::case::Version;
    use harness::record::{Footer, Header, Standing, Verdict};
    use harness::target::{Ids, Target};

    fn run(cases: usize) -> Run {
        let target = Target {
            programs: Default::default(),
            implementation: "linux".into(),
            implementation_version: None,
            release: "6.1.90".into(),
            version: Version(6, 1),
            machine: "x86_64".into(),
            place: "qemu".into(),
            ids: Ids::Block,
            features: Default::default(),
        };
        let record = |at: usize| CaseRecord {
            case: format!("a/é-{at}"),
            file: "cases/a.yaml".into(),
            title: "A title".into(),
            covers: vec!["A-01".into()],
            verdict: if at.is_multiple_of(2) { Verdict::Fail } else { Verdict::Skip },
            standing: Standing::Plain,
            reason: Some(format!("because {at}")),
            steps: Vec::new(),
            microseconds: 0,
            console: Vec::new(),
        };
        Run {
            header: Header {
                format: 1,
                program: "0".into(),
                id: String::new(),
                target,
                started: 0,
                cases,
                command: None,
                part: None,
            },
            cases: (0..cases).map(record).collect(),
            footer: Some(Footer { cases, milliseconds: 1, interrupted: false }),
        }
    }

    #[test]
    fn what_has_no_room_is_counted() {
        for (cases, runs, limit) in [(100, 1, 4000), (100, 3, 6000), (100, 1, 9000), (1, 1, 600)] {
            let runs = vec![run(cases); runs];
            let mut out = Vec::new();
            write_within(&mut out, &runs, limit).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(text.len() <= limit, "{} of {limit}", text.len());
            let shown = text.matches("<details>").count() + text.matches("1 case: ").count();
            let left: usize = text
                .lines()
                .filter_map(|line| line.strip_prefix("Left out here, for lack of room: "))
                .flat_map(|line| {
                    line.split(", ").filter_map(|part| part.split(' ').next()?.parse::<usize>().ok())
                })
                .sum();
            assert_eq!(shown + left, cases * runs.len(), "{text}");
            assert_eq!(left > 0, cases > 1, "{text}");
        }
    }
}
