//! A whole run as one JSON document, for programs that do not want to read records line by line.

use std::collections::BTreeMap;
use std::io::{self, Write};

use harness::record::{CaseRecord, FORMAT, Footer, Header, Run};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::status::Status;
use crate::summary::Summary;

#[derive(Serialize, JsonSchema)]
struct Document<'a> {
    /// Of what, when, and in which version of the format.
    header: &'a Header,
    /// What it came to, in numbers.
    summary: Summary,
    /// The status of each case: a column of a matrix.
    results: BTreeMap<&'a str, Status>,
    /// What was seen in each case, in the order of their names.
    cases: &'a [CaseRecord],
    /// None if the run was killed.
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

/// The JSON Schema of the document.
pub fn schema() -> serde_json::Value {
    let schema = SchemaSettings::draft2020_12()
        .for_serialize()
        .into_generator()
        .into_root_schema_for::<Document<'_>>();
    let mut schema = schema.to_value();
    schema["title"] = format!("A run of the session keyring conformance suite, format {FORMAT}").into();
    schema
}
