//! A whole run as one JSON document, for programs that do not want to read records line by line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use harness::record::{CaseRecord, Footer, Header, Run};
use serde::Serialize;

use crate::status::Status;
use crate::summary::Summary;

#[derive(Serialize)]
struct Document<'a> {
    header: &'a Header,
    summary: Summary,
    /// The status of each case: a column of a matrix.
    results: BTreeMap<&'a str, Status>,
    cases: &'a [CaseRecord],
    footer: &'a Option<Footer>,
}

/// Writes a whole run.
pub fn write(mut out: impl Write, run: &Run) -> io::Result<()> {
    let document = Document {
        header: &run.header,
        summary: Summary::of(run),
        results: run.cases.iter().map(|record| (record.case.as_str(), Status::of(record))).collect(),
        cases: &run.cases,
        footer: &run.footer,
    };
    serde_json::to_writer_pretty(&mut out, &document)?;
    writeln!(out)
}
