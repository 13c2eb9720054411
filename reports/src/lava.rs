//! LAVA's signals: lines on a console by which a job of LAVA learns of its test cases, written as the
//! cases come.
//!
//! All cases are one set of LAVA's. In a test shell its two marks do just that; a test with `monitors` can begin
//! and end with them. What explains a case that is to be looked at stands before its signal, for whoever reads
//! the log of the job.

use std::io::{self, Write};

use harness::record::{CaseRecord, Header, Run};

use crate::explanation::explain;
use crate::status::{Merit, Status, reason};
use crate::target_line;
use crate::text::{cut, escape};

/// The name of the set of all cases.
pub const SET: &str = "session-keyrings";
/// The test case that stands for all that left no result. No id of a case becomes this.
const MISSING: &str = "missing_";
/// How many characters of a reason stand on a line.
const REASON: usize = 200;

/// Writes signals as the cases come. A run that is killed does not end the set, and LAVA waits for its end until
/// the job's time is over.
pub struct Writer<W> {
    out: W,
    planned: usize,
    written: usize,
}

impl<W: Write> Writer<W> {
    /// Begins the set.
    pub fn new(mut out: W, header: &Header) -> io::Result<Writer<W>> {
        writeln!(out, "# target: {}", inert(&target_line(&header.target)))?;
        writeln!(out, "<LAVA_SIGNAL_TESTSET START {SET}>")?;
        out.flush()?;
        Ok(Writer { out, planned: header.cases, written: 0 })
    }

    /// Writes one case.
    pub fn case(&mut self, record: &CaseRecord) -> io::Result<()> {
        let status = Status::of(record);
        let words = status.words();
        if matches!(words.merit, Merit::Bad | Merit::Unknown) {
            writeln!(self.out, "# {}: {}", words.word, inert(&record.case))?;
            writeln!(self.out, "# title: {}", inert(&record.title))?;
            for line in explain(record) {
                writeln!(self.out, "# {}", inert(&line.text))?;
            }
        } else if let Some(reason) = reason(record) {
            writeln!(self.out, "# {}: {}", words.word, inert(&cut(&reason, REASON)))?;
        }
        self.written += 1;
        signal(&mut self.out, &name(&record.case), words.lava)
    }

    /// Ends the set. Cases that were planned and left nothing are told as one that is unknown.
    pub fn finish(mut self) -> io::Result<W> {
        if self.written < self.planned {
            writeln!(self.out, "# {} of {} planned cases left a result", self.written, self.planned)?;
            signal(&mut self.out, MISSING, "unknown")?;
        }
        writeln!(self.out, "<LAVA_SIGNAL_TESTSET STOP>")?;
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

fn signal(out: &mut impl Write, name: &str, result: &str) -> io::Result<()> {
    writeln!(out, "<LAVA_SIGNAL_TESTCASE TEST_CASE_ID={name} RESULT={result}>")?;
    out.flush()
}

/// Text that LAVA does not take for a signal, nor a pattern of `monitors` for a result.
fn inert(text: &str) -> String {
    escape(text).replace("LAVA_SIGNAL", "LAVA\\x5fSIGNAL").replace("TEST_CASE_ID=", "TEST_CASE_ID\\x3d")
}

/// The name of a case. LAVA makes all letters small and an underscore of everything that is not a letter or a digit,
/// in some places of whole runs of it. So a name has only what it leaves alone, and different ids have
/// different names.
///
/// `-` is one underscore, `/` two, and the `[` before a row three. Four and a number in base 16 are a byte that has no
/// such sign, or a sign where it could not be told from others: beside another or at an end. The `]` of a row goes.
fn name(case: &str) -> String {
    let (path, row) = match case.split_once('[').zip(case.strip_suffix(']')) {
        Some(((path, _), whole)) => (path, whole.get(path.len() + 1..)),
        None => (case, None),
    };
    let mut out = String::with_capacity(case.len() + 8);
    push(&mut out, path);
    if let Some(row) = row {
        out.push_str("___");
        push(&mut out, row);
    }
    out
}

fn push(out: &mut String, text: &str) {
    let bytes = text.as_bytes();
    let plain =
        |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    for (at, byte) in bytes.iter().enumerate() {
        // Behind a byte that is written as its number, a sign would be none: its digits are plain to a reader.
        let between = at > 0 && plain(at - 1) && plain(at + 1);
        match byte {
            _ if plain(at) => out.push(char::from(*byte)),
            b'-' if between => out.push('_'),
            b'/' if between => out.push_str("__"),
            byte => out.push_str(&format!("____{byte:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::collections::HashSet;

    #[rstest]
    #[case("parent/single-threaded", "parent__single_threaded")]
    #[case("parent/identity[egid]", "parent__identity___egid")]
    #[case("a/b[5.3]", "a__b___5____2e3")]
    #[case("a/B", "a____2f____42")]
    #[case("a--b/c", "a____2d____2db__c")]
    #[case("a/b[x", "a__b____5bx")]
    #[case("", "")]
    fn a_name_is_one_word(#[case] case: &str, #[case] shown: &str) {
        assert_eq!(name(case), shown);
    }

    /// What LAVA makes of the name of a test case, at worst.
    fn stored(name: &str) -> String {
        let mut out = String::new();
        for char in name.to_lowercase().chars() {
            match char {
                char if char.is_alphanumeric() || char == '_' => out.push(char),
                _ if out.ends_with('\u{0}') => {}
                _ => out.push('\u{0}'),
            }
        }
        out.replace('\u{0}', "_")
    }

    #[test]
    fn no_two_ids_have_one_name() {
        const SIGNS: [char; 10] = ['a', 'b', '2', 'A', '-', '/', '[', ']', '_', '.'];
        let mut ids = vec![String::new()];
        let mut seen = HashSet::new();
        for _ in 0..5 {
            ids = ids.iter().flat_map(|id| SIGNS.map(|sign| format!("{id}{sign}"))).collect();
            for id in &ids {
                let name = name(id);
                assert_eq!(stored(&name), name, "{id}");
                assert!(seen.insert(name), "{id}");
                assert_ne!(stored(MISSING), stored(&super::name(id)));
            }
        }
    }

    #[test]
    fn no_text_is_a_signal() {
        let text = inert("<LAVA_SIGNAL_TESTCASE TEST_CASE_ID=x RESULT=pass>\n");
        assert_eq!(text, "<LAVA\\x5fSIGNAL_TESTCASE TEST_CASE_ID\\x3dx RESULT=pass>\\n");
    }
}
