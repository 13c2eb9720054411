//! tmt's results.yaml: what a test with `result: custom` leaves for tmt, a result for each case.
//!
//! Every text is written as JSON writes it, which YAML reads as a text whatever is in it.

use std::io::{self, Write};

use harness::record::{CaseRecord, Run};
use serde_json::json;

use crate::explanation::explain;
use crate::status::{Merit, Status, reason};
use crate::summary::Summary;
use crate::text::{cut, escape};

/// The result that stands for all that left none. No id of a case becomes this.
const MISSING: &str = "/(missing)";
/// How many characters of a reason stand in a note.
const REASON: usize = 400;

/// Writes a whole run.
pub fn write(mut out: impl Write, run: &Run) -> io::Result<()> {
    let missing = Summary::of(run).missing;
    if run.cases.is_empty() && missing == 0 {
        return writeln!(out, "[]");
    }
    for record in &run.cases {
        case(&mut out, record)?;
    }
    if missing > 0 {
        let chosen = run.header.cases;
        let note = format!("{missing} of {chosen} chosen cases never ran: the run was cut short");
        result(&mut out, MISSING, "error", 0, &[note])?;
    }
    Ok(())
}

fn case(out: &mut impl Write, record: &CaseRecord) -> io::Result<()> {
    let words = Status::of(record).words();
    let mut notes = Vec::new();
    if matches!(words.merit, Merit::Bad | Merit::Unknown) {
        notes.push(format!("{}: {}", words.heading, escape(&record.title)));
        notes.extend(explain(record).into_iter().map(|line| line.text));
    } else if let Some(reason) = reason(record) {
        notes.push(format!("{}: {}", words.word, cut(&escape(&reason), REASON)));
    }
    result(out, &name(&record.case), words.tmt, record.microseconds, &notes)
}

fn result(
    out: &mut impl Write,
    name: &str,
    result: &str,
    microseconds: u64,
    notes: &[String],
) -> io::Result<()> {
    let seconds = microseconds / 1_000_000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    writeln!(out, "- name: {}\n  result: {result}", json!(name))?;
    writeln!(out, "  duration: \"{hours:02}:{minutes:02}:{seconds:02}\"")?;
    if !notes.is_empty() {
        writeln!(out, "  note:")?;
    }
    notes.iter().try_for_each(|note| writeln!(out, "    - {}", json!(note)))
}

/// The name of a case: its id below the root, with a percent code for what is neither a letter nor a digit nor one of
/// the signs that ids have.
fn name(case: &str) -> String {
    let mut out = "/".to_owned();
    for byte in case.bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() || b"/-_.[]".contains(&byte) => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("parent/identity[egid]", "/parent/identity[egid]")]
    #[case("a b/c%\n", "/a%20b/c%25%0A")]
    #[case("(missing)", "/%28missing%29")]
    fn a_name_is_a_path_of_plain_signs(#[case] case: &str, #[case] shown: &str) {
        assert_eq!(name(case), shown);
    }

    #[rstest]
    #[case(1_999_999, "00:00:01")]
    #[case(3_723_000_000, "01:02:03")]
    #[case(360_000_000_000, "100:00:00")]
    fn a_time_is_hours_minutes_and_seconds(#[case] microseconds: u64, #[case] shown: &str) {
        let mut out = Vec::new();
        result(&mut out, "/x", "pass", microseconds, &[]).unwrap();
        assert!(String::from_utf8(out).unwrap().contains(&format!("duration: \"{shown}\"")));
    }
}
