//! `skc check-config`: which cases a kernel's configuration rules out, before that kernel is ever started.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use clap::Args;
use flate2::read::MultiGzDecoder;
use harness::case::Case;
use harness::kconfig::{Configuration, Setting, WANTED, Wanted};
use harness::plan::{Skip, plan};
use harness::target::Target;
use runners::interrupt::{Stop, on_signals};
use vm_images::fragment::FULL;
use vm_images::{Store, resolve};

use super::choose::choose;
use super::fetching::Fetching;
use super::run::all_programs;
use super::{FAILED, INTERRUPTED, Source, Terminal, Trouble, environment};

pub(super) const HELP: &str = "\
CONFIG is a .config, /proc/config.gz, a kernel's build tree, the name of a kernel of `skc kernels`, or - for standard
input. It is taken for granted that nothing else is in the way: a VM, root's ids, the programs that cases run.

Exit codes:
  0  it rules no case out
  1  it rules some cases out
  2  it is no configuration";

#[derive(Args)]
pub(super) struct CheckConfig {
    /// The configuration; see below
    #[arg(value_name = "CONFIG", required_unless_present = "print")]
    configuration: Option<String>,
    /// Name the cases that are ruled out
    #[arg(long, short)]
    verbose: bool,
    /// Print the fragment of a configuration that has all that cases want, and end
    #[arg(long, conflicts_with = "configuration")]
    print: bool,
    #[command(flatten)]
    source: Source,
}

/// No more than that is a configuration.
const LARGEST: u64 = 16 << 20;

/// Says what a configuration rules out.
pub(super) fn check_config(args: &CheckConfig, terminal: Terminal) -> Result<u8, Trouble> {
    let Some(name) = args.configuration.as_deref().filter(|_| !args.print) else {
        write!(terminal.out(), "{FULL}")?;
        return Ok(0);
    };
    let text = read(name, terminal)?;
    let configuration =
        Configuration::parse(&text).map_err(|why| Trouble::Usage(format!("{name}: {why}")))?;
    let suite = args.source.load()?;
    let cases = choose(&suite, &[]).map_err(Trouble::Usage)?;
    let verdict = Verdict::new(&configuration, &cases);
    verdict.write(name, &configuration, args.verbose, terminal)?;
    Ok(if verdict.ruled_out.is_empty() { 0 } else { FAILED })
}

/// What a configuration means for some cases.
struct Verdict<'c> {
    cases: usize,
    /// Each option, with the number of cases that cannot be played without it.
    options: Vec<(&'static Wanted, usize)>,
    /// Reasons, and the cases that are ruled out for them.
    ruled_out: BTreeMap<String, Vec<&'c str>>,
}

impl<'c> Verdict<'c> {
    fn new(configuration: &Configuration, cases: &[&'c Case]) -> Verdict<'c> {
        let programs = all_programs(cases);
        // The same question as that of a run, to the target that such a kernel would be.
        let why = |case: &Case, target: &Result<Target, Vec<&Wanted>>| match target {
            Ok(target) => plan(case, target, Duration::from_secs(1)).err().map(|Skip(why)| why),
            Err(blamed) => Some(format!("needs a kernel with {}", names(blamed))),
        };
        let whole = configuration.target_without(None, &programs);
        let options = WANTED.iter().map(|wanted| {
            let without = configuration.target_without(Some(wanted), &programs);
            let lost =
                cases.iter().filter(|case| why(case, &without).is_some() && why(case, &whole).is_none());
            (wanted, lost.count())
        });
        let target = configuration.target(&programs);
        let mut ruled_out: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for case in cases {
            if let Some(why) = why(case, &target) {
                ruled_out.entry(why).or_default().push(&case.id);
            }
        }
        Verdict { cases: cases.len(), options: options.collect(), ruled_out }
    }

    fn write(
        &self,
        name: &str,
        configuration: &Configuration,
        verbose: bool,
        terminal: Terminal,
    ) -> io::Result<()> {
        const MISSING: Style = AnsiColor::Red.on_default().bold();
        const FAINT: Style = Style::new().dimmed();
        let mut out = terminal.out().lock();
        writeln!(out, "{name}: linux {} {}\n", configuration.release(), configuration.machine())?;
        let width = WANTED.iter().map(|wanted| wanted.option.len()).max().unwrap_or_default() + 7;
        writeln!(out, "{FAINT}{:width$}  {:7}  ruled out by it{FAINT:#}", "option", "is")?;
        for (wanted, lost) in &self.options {
            let option = format!("CONFIG_{}", wanted.option);
            let value = configuration.value(wanted.option).unwrap_or("not set");
            match configuration.satisfies(wanted) {
                true => writeln!(out, "{option:width$}  {value}")?,
                false => writeln!(
                    out,
                    "{MISSING}{option:width$}{MISSING:#}  {value:7}  {}{}",
                    cases_of(*lost, self.cases),
                    match wanted.wanted {
                        Setting::BuiltIn if value == "m" => ", because nothing loads the module in a VM",
                        _ => "",
                    }
                )?,
            }
        }
        writeln!(out)?;
        for (why, cases) in &self.ruled_out {
            writeln!(out, "{}: {why}", cases_of(cases.len(), self.cases))?;
            if verbose {
                cases.iter().try_for_each(|case| writeln!(out, "  {case}"))?;
            }
        }
        let lost: usize = self.ruled_out.values().map(Vec::len).sum();
        match lost {
            0 => writeln!(out, "All {} cases can be played", self.cases),
            _ => writeln!(out, "{} of {} cases can be played", self.cases - lost, self.cases),
        }
    }
}

fn cases_of(count: usize, all: usize) -> String {
    match count {
        0 => "no case".into(),
        1 => "1 case".into(),
        count if count == all => "all cases".into(),
        count => format!("{count} cases"),
    }
}

fn names(options: &[&Wanted]) -> String {
    options.iter().map(|wanted| format!("CONFIG_{}", wanted.option)).collect::<Vec<_>>().join(", ")
}

/// The text of a configuration, wherever it is.
fn read(name: &str, terminal: Terminal) -> Result<String, Trouble> {
    let wrong = |error: io::Error| Trouble::Usage(format!("{name}: {error}"));
    let path = Path::new(name);
    let bytes = match name {
        "-" => all_of(io::stdin().lock()).map_err(wrong)?,
        // A pipe too, as in <(zcat config.gz).
        _ if path.exists() && !path.is_dir() => File::open(path).and_then(all_of).map_err(wrong)?,
        _ => {
            let found = of_kernel(name, terminal)?;
            File::open(&found).and_then(all_of).map_err(environment)?
        }
    };
    let bytes = match bytes.starts_with(b"\x1f\x8b") {
        true => all_of(MultiGzDecoder::new(bytes.as_slice())).map_err(wrong)?,
        false => bytes,
    };
    String::from_utf8(bytes).map_err(|_| Trouble::Usage(format!("{name}: no kernel configuration: no text")))
}

fn all_of(input: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The configuration that came with a kernel, or stands in its build tree.
fn of_kernel(name: &str, terminal: Terminal) -> Result<PathBuf, Trouble> {
    // A tree that is configured need not be built.
    let configured = Path::new(name).join(".config");
    if configured.is_file() {
        return Ok(configured);
    }
    let stop = Arc::new(Stop::new().map_err(environment)?);
    on_signals(stop.clone(), INTERRUPTED.into()).map_err(environment)?;
    let mut fetching = Fetching::new(terminal, stop);
    let kernel = resolve(name, &Store::of_user()?, &mut |progress| fetching.tell(progress));
    fetching.end();
    kernel?.config.ok_or_else(|| {
        Trouble::Environment(format!(
            "{name}: the configuration of this kernel is not to be had: give it as a file"
        ))
    })
}
