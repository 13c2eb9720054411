//! `skc report` and `skc compare`: what was recorded, read again.

use std::io::{self, Write};

use harness::record::Run;
use reports::compare::{self, Comparison};
use reports::kcidb::{self, Submission};
use reports::summary::{Outcome, Summary};
use reports::{job_summary, target_line, terminal};

use super::deviations;
use super::files::{read, read_all};
use super::page::page;
use super::render::Render;
use super::{Compare, Format, Rendering, Report, Terminal, Trouble};

/// Renders records.
pub(super) fn report(args: &Report, terminal: Terminal) -> Result<u8, Trouble> {
    if args.format == Rendering::Deviations {
        return deviations::write(args, terminal);
    }
    if args.records.is_empty() {
        return Err(Trouble::Usage("only `--format deviations` does without RECORDS".into()));
    }
    let runs = read_all(&args.records)?;
    let Some(format) = args.format.of_run() else {
        let suite = args.suite()?;
        let mut out = io::stdout().lock();
        page(&mut out, &suite, &runs)?;
        out.flush()?;
        return Ok(0);
    };
    match format {
        Format::Kcidb => {
            let submission = Submission { origin: args.origin.clone(), build: args.build.clone() };
            submission.check().map_err(Trouble::Usage)?;
            kcidb::write(io::stdout().lock(), &runs, &submission)?;
            return Ok(outcome(&runs));
        }
        Format::Markdown => {
            job_summary::write(&mut io::stdout().lock(), &runs)?;
            return Ok(outcome(&runs));
        }
        _ => {}
    }
    if runs.len() > 1 && format != Format::Terminal {
        let targets: Vec<String> = runs.iter().map(|run| target_line(&run.header.target)).collect();
        return Err(Trouble::Usage(format!(
            "these records are of {} runs ({}), and a document of this format holds one",
            runs.len(),
            targets.join("; ")
        )));
    }
    let options = terminal::Options { verbose: args.verbose, ..terminal::Options::default() };
    for run in &runs {
        Render::whole(format, run, terminal, options.clone())?;
    }
    Ok(outcome(&runs))
}

fn outcome(runs: &[Run]) -> u8 {
    Outcome::worst(runs.iter().map(|run| Summary::of(run).outcome)).exit_code()
}

/// Compares two runs.
pub(super) fn compare(args: &Compare, terminal: Terminal) -> Result<u8, Trouble> {
    let comparison = Comparison::of(&read(&args.old)?, &read(&args.new)?);
    compare::write(&mut terminal.out().lock(), &comparison)?;
    Ok(comparison.outcome().exit_code())
}
