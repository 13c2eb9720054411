//! KTAP version 1, for the consumers of kernel self-tests, written as the cases come.
//!
//! The list is flat and each name is a whole dotted id, because some consumers drop the names of
//! parents. Diagnostics stand before the line that they explain, as KTAP has them.

use std::io::{self, Write};

use harness::record::{CaseRecord, Header, Run};

use crate::explanation::explain;
use crate::status::{Merit, Status, reason};
use crate::target_line;
use crate::text::{cut, escape};

/// How many characters of a reason stand on a result's line.
const REASON: usize = 200;

/// Writes results as they come. A run that is cut short leaves fewer than the plan says, which
/// every parser reports as a failure.
pub struct Writer<W> {
    out: W,
    planned: usize,
    counts: [usize; Status::ALL.len()],
    written: usize,
}

impl<W: Write> Writer<W> {
    /// Begins with the version, the plan and the target.
    pub fn new(mut out: W, header: &Header) -> io::Result<Writer<W>> {
        writeln!(out, "KTAP version 1")?;
        match header.cases {
            0 => writeln!(out, "1..0 # SKIP no case was chosen")?,
            cases => writeln!(out, "1..{cases}")?,
        }
        writeln!(out, "# target: {}", inert(&target_line(&header.target)))?;
        out.flush()?;
        Ok(Writer { out, planned: header.cases, counts: [0; Status::ALL.len()], written: 0 })
    }

    /// Writes one case.
    pub fn case(&mut self, record: &CaseRecord) -> io::Result<()> {
        let status = Status::of(record);
        let words = status.words();
        if matches!(words.merit, Merit::Bad | Merit::Unknown) {
            writeln!(self.out, "# title: {}", inert(&record.title))?;
            if !record.covers.is_empty() {
                writeln!(self.out, "# covers: {}", inert(&record.covers.join(" ")))?;
            }
            for line in explain(record) {
                writeln!(self.out, "# {}", inert(&line.text))?;
            }
        }
        self.written += 1;
        self.counts[status as usize] += 1;
        let ok = if words.ok { "ok" } else { "not ok" };
        write!(self.out, "{ok} {} {}", self.written, name(&record.case))?;
        if let Some(directive) = words.directive {
            let reason = reason(record).unwrap_or_default();
            // A second ` # SKIP` on the line would be taken for the first.
            write!(self.out, " # {directive} {}", inert(&cut(&reason, REASON)).replace('#', "\\#"))?;
        }
        writeln!(self.out)?;
        self.out.flush()
    }

    /// Ends with the totals, in the form of the kernel's self-tests.
    pub fn finish(mut self) -> io::Result<W> {
        if self.written != self.planned {
            writeln!(self.out, "# {} of {} planned cases left a result", self.written, self.planned)?;
        }
        let count = |status: Status| self.counts[status as usize];
        writeln!(
            self.out,
            "# Totals: pass:{} fail:{} xfail:{} xpass:{} skip:{} error:{}",
            count(Status::Pass),
            count(Status::Fail) + count(Status::Timeout) + count(Status::Crash),
            count(Status::Deviation),
            count(Status::UnexpectedPass),
            count(Status::Skip),
            count(Status::Broken),
        )?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Writes a whole run.
pub fn write(out: impl Write, run: &Run) -> io::Result<()> {
    let mut writer = Writer::new(out, &run.header)?;
    for record in &run.cases {
        writer.case(record)?;
    }
    writer.finish().map(drop)
}

/// Text that no parser takes for more than text.
fn inert(text: &str) -> String {
    // Three console messages by which kunit.py takes the output for ended, wherever they stand.
    const ENDS: [&str; 3] =
        ["List of all partitions:", "Kernel panic - not syncing: VFS:", "reboot: System halted"];
    ENDS.iter().fold(escape(text), |text, end| text.replace(end, &end.replacen(' ', "\\x20", 1)))
}

/// The name of a case: dots for slashes, and a percent code for what would make a name ambiguous or
/// unreadable, so that two cases never share one.
fn name(case: &str) -> String {
    let (path, row) = case.split_at(case.find('[').unwrap_or(case.len()));
    let mut out = String::with_capacity(case.len());
    let mut push = |char: char, stands: bool| match char {
        char if stands || char.is_ascii_alphanumeric() || "-_".contains(char) => out.push(char),
        char => {
            for byte in char.encode_utf8(&mut [0; 4]).bytes() {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    };
    for char in path.chars() {
        if char == '/' { push('.', true) } else { push(char, false) }
    }
    for char in row.chars() {
        push(char, "[].,=+@:".contains(char));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("parent/single-threaded", "parent.single-threaded")]
    #[case("parent/identity[egid]", "parent.identity[egid]")]
    #[case("a/b[since 5.3/x]", "a.b[since%205.3%2Fx]")]
    #[case("a.b/c", "a%2Eb.c")]
    #[case("x # SKIP\nok 1", "x%20%23%20SKIP%0Aok%201")]
    fn names_are_unique_and_hold_nothing_that_a_parser_reads(#[case] case: &str, #[case] shown: &str) {
        assert_eq!(name(case), shown);
    }

    #[test]
    fn messages_that_end_a_parse_are_made_inert() {
        assert_eq!(inert("[1.0] reboot: System halted"), "[1.0] reboot:\\x20System halted");
    }

    #[test]
    fn the_counts_have_a_place_for_each_status() {
        for (at, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, at);
        }
    }
}
