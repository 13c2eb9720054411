//! `skc report` and `skc compare`: what was recorded, read again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use clap::ValueEnum;
use harness::record::Run;
use reports::compare::several::{self, Kernel, Standing};
use reports::compare::{self, Comparison};
use reports::kcidb::{self, Submission};
use reports::matrix::Matrix;
use reports::summary::{Outcome, Summary};
use reports::{job_summary, target_line, terminal};

use super::deviations;
use super::files::{read, read_all, read_by_kernel};
use super::page::page;
use super::render::Render;
use super::{Compare, Format, Rendering, Report, Terminal, Trouble};

pub(super) const COMPARE_HELP: &str = "\
A case is a
  regression  it fails, times out or crashes the kernel now, and did not
  otherwise   it failed and still does, but at another step, by another observation, or by a crash; serials, times
              and addresses, which differ from run to run, do not count
  fix         it failed and does not any more
  other       all else: a skip, something broken, a case that is new and passes, or that has gone

Of two folders that `skc run` with several kernels wrote, each kernel is compared with the one of the same name. What
is wrong with one that is new is a regression.

Exit codes:
  0  nothing is worse
  1  a regression, or a case that fails otherwise
  2  a file cannot be read
  3  the new run is broken or was cut short, or a kernel has gone
  4  nothing ran in the new run";

/// How a comparison is written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Two tables and a line
    Terminal,
    /// The same as Markdown, for a comment on a change
    Markdown,
    /// One JSON document
    Json,
}

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
        let mut out = io::stdout().lock();
        match args.format {
            Rendering::Matrix => Matrix::of(&runs).markdown(&mut out)?,
            Rendering::MatrixJson => Matrix::of(&runs).json(&mut out)?,
            _ => page(&mut out, &args.suite()?, &runs)?,
        }
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

/// Compares two runs, or those of several kernels by their names.
pub(super) fn compare(args: &Compare, terminal: Terminal) -> Result<u8, Trouble> {
    let (old, new) = (read_by_kernel(&args.old)?, read_by_kernel(&args.new)?);
    match (old.is_empty(), new.is_empty()) {
        (true, true) => {}
        (false, false) => return compare_kernels(args.format, &old, &new, terminal),
        (old_is_one, _) => {
            let (one, several) = if old_is_one { (&args.old, &args.new) } else { (&args.new, &args.old) };
            return Err(Trouble::Usage(format!(
                "{} has the folders of several kernels, and {} the records of one: name one of these folders",
                several.display(),
                one.display()
            )));
        }
    }
    let comparison = Comparison::of(&read(&args.old)?, &read(&args.new)?);
    match args.format {
        Form::Terminal => compare::write(&mut terminal.out().lock(), &comparison)?,
        Form::Markdown => compare::markdown(&mut io::stdout().lock(), &comparison)?,
        Form::Json => compare::json(io::stdout().lock(), &comparison)?,
    }
    Ok(comparison.outcome().exit_code())
}

fn compare_kernels(
    form: Form,
    old: &BTreeMap<String, Run>,
    new: &BTreeMap<String, Run>,
    terminal: Terminal,
) -> Result<u8, Trouble> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let kernels: Vec<Kernel> = names
        .into_iter()
        .filter_map(|name| {
            let standing = Standing::of(old.get(name), new.get(name))?;
            Some(Kernel { name: name.clone(), standing })
        })
        .collect();
    match form {
        Form::Terminal => several::write(&mut terminal.out().lock(), &kernels)?,
        Form::Markdown => several::markdown(&mut io::stdout().lock(), &kernels)?,
        Form::Json => several::json(io::stdout().lock(), &kernels)?,
    }
    Ok(several::outcome(&kernels).exit_code())
}
