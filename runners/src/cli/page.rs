//! The page of any number of runs, with what the suite says of their cases.

use std::io::{self, Write};

use harness::record::Run;
use harness::suite::Suite;
use reports::html::{Page, write};

/// Writes the page.
pub(super) fn page(out: impl Write, suite: &Suite, runs: &[Run]) -> io::Result<()> {
    let source = |id: &str| suite.source(suite.case(id)?).map(|source| source.text.as_str());
    write(out, &Page { runs, requirements: suite.requirements(), source: &source })
}
