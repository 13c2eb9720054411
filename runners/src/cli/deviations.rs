//! `skc report --format deviations`: what is recorded of targets, for those who keep them.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use harness::case::{Case, Version};
use harness::deviation::On;
use harness::plan::{plan, programs};
use harness::target::{Feature, Ids, Target};
use reports::deviations::{Document, Options};
use vm_images::manifest::{self, Flavour};

use super::files::read_all;
use super::{Report, Terminal, Trouble};

pub(super) const HELP: &str = "\
`--format html` writes one page of all RECORDS: cases and requirements by target, with filters; a cell
opens the case with its steps, what it requires, and the command that repeats it.

`--format deviations` writes the entries of deviations.yaml as a document, a part for each target:
claims of pages that no kernel honours, kernels, and other implementations; each with the
requirements that it concerns, the case that shows it, and the command that repeats it. With
RECORDS those that were seen there, and where; without, all.

Examples:
  skc report out                           what a run came to
  skc report out1 out2 --format junit      two shards of a run as one document
  skc report out --format html > page.html all kernels of out/ in a browser
  skc report --format deviations           all that is recorded of all targets
  skc report out --format deviations       what of it was seen in out/

Exit codes: those of the run (see `skc run --help`); of html and deviations 0";

/// Writes the document.
pub(super) fn write(args: &Report, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.suite()?;
    let runs = read_all(&args.records)?;
    let document = match runs.as_slice() {
        [] => Document::whole(&suite),
        runs => Document::seen(&suite, runs),
    };
    if document.unexplained > 0 {
        let told = match document.unexplained {
            1 => "1 deviation of these records is".to_owned(),
            count => format!("{count} deviations of these records are"),
        };
        terminal.note(format_args!("{told} not told: no entry of this suite explains it any more"));
    }
    let folder = args.cases.as_deref();
    let repeat = |on: &On, cases: &[&Case]| repeat(folder, on, cases);
    let mut out = io::stdout().lock();
    document.write(&mut out, &Options { program: env!("CARGO_PKG_VERSION"), repeat: &repeat })?;
    out.flush()?;
    Ok(0)
}

/// How many cases a command names.
const FEW: usize = 3;

/// The command that shows a deviation again.
fn repeat(folder: Option<&Path>, on: &On, cases: &[&Case]) -> String {
    let mut words = vec!["skc".to_owned(), "run".into(), "--deviations".into(), "none".into()];
    if let Some(folder) = folder {
        words.extend(["--cases".into(), folder.display().to_string()]);
    }
    match (on.implementation.as_str(), on.place.as_deref()) {
        ("linux", None) => {
            let bounded = on.from.is_some() || on.until.is_some();
            let machine = bounded || cases.iter().any(|case| needs_machine(case));
            if let Some(kernel) = machine.then(|| kernel(on)).flatten() {
                words.extend(["--kernel".into(), kernel.to_owned()]);
            }
        }
        ("linux", Some(place)) => words.extend(["--kernel".into(), place.to_owned()]),
        ("gvisor", _) => words.extend(["--command".into(), "runsc --network=none do".into()]),
        (other, _) => words.extend(["--command", "COMMAND", "--implementation", other].map(str::to_owned)),
    }
    let mut files: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
    if files.len() > FEW {
        // The rows of a table are played together.
        files = files.iter().map(|id| id.split('[').next().unwrap_or(id)).collect();
        files.dedup();
    }
    words.extend(files.into_iter().take(FEW).map(str::to_owned));
    shell_words::join(words)
}

/// The newest kernel of the catalogue that is meant.
fn kernel(on: &On) -> Option<&'static str> {
    let is_meant = |version: Version| {
        on.from.is_none_or(|from| version >= from) && on.until.is_none_or(|until| version < until)
    };
    manifest::all()
        .filter(|entry| entry.flavour == Flavour::Cloud)
        .filter(|entry| Version::parse(&entry.series).is_some_and(is_meant))
        .last()
        .map(|entry| entry.name.as_str())
}

/// If a case is played in virtual machines alone.
fn needs_machine(case: &Case) -> bool {
    let mut target = Target {
        implementation: "linux".into(),
        implementation_version: None,
        release: String::new(),
        version: Version(u32::MAX, 0),
        machine: "x86_64".into(),
        place: String::new(),
        ids: Ids::Block,
        features: Feature::ALL.iter().copied().collect(),
        programs: programs(case),
    };
    target.features.remove(&Feature::Vm);
    plan(case, &target, Duration::from_secs(1)).is_err()
}
