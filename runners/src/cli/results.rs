//! `skc report` and `skc compare`: what was recorded, read again.

use reports::compare::{self, Comparison};
use reports::summary::{Outcome, Summary};
use reports::{target_line, terminal};

use super::files::read;
use super::merge::merge;
use super::render::Render;
use super::{Compare, Format, Report, Terminal, Trouble};

/// Renders records.
pub(super) fn report(args: &Report, terminal: Terminal) -> Result<u8, Trouble> {
    let runs = args.records.iter().map(|path| read(path)).collect::<Result<Vec<_>, Trouble>>()?;
    let runs = merge(runs);
    if runs.len() > 1 && args.format != Format::Terminal {
        let targets: Vec<String> = runs.iter().map(|run| target_line(&run.header.target)).collect();
        return Err(Trouble::Usage(format!(
            "these records are of {} runs ({}), and a document of this format holds one",
            runs.len(),
            targets.join("; ")
        )));
    }
    let options = terminal::Options { verbose: args.verbose, ..terminal::Options::default() };
    for run in &runs {
        Render::whole(args.format, run, terminal, options.clone())?;
    }
    Ok(Outcome::worst(runs.iter().map(|run| Summary::of(run).outcome)).exit_code())
}

/// Compares two runs.
pub(super) fn compare(args: &Compare, terminal: Terminal) -> Result<u8, Trouble> {
    let comparison = Comparison::of(&read(&args.old)?, &read(&args.new)?);
    compare::write(&mut terminal.out().lock(), &comparison)?;
    Ok(comparison.outcome().exit_code())
}
