//! The command line: what can be asked, and how the program ends. What is done about it is in the
//! modules below.

mod bisect;
mod build;
mod check_config;
mod choose;
mod coverage;
mod deviations;
mod export;
mod files;
mod fetching;
mod format;
mod inspect;
mod kernels;
mod lava;
mod merge;
mod page;
mod progress;
mod reach;
mod render;
mod results;
mod rounds;
mod run;
mod selfcheck;
mod shard;
mod show;
mod targets;

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::{Args, Parser, Subcommand, ValueEnum};
use harness::case::Version;
use harness::case::diagnostic::Diagnostic;
use harness::case::step::duration;
use harness::suite::Suite;
use harness::worker;
use runners::guard;

use format::{Format, Rendering};
use reach::Targets;

use choose::Order;

/// A case failed, or passed where a deviation is recorded.
const FAILED: u8 = 1;
/// The command line or a file was wrong.
const USAGE: u8 = 2;
/// Something failed that is not under test.
const ENVIRONMENT: u8 = 3;
/// No case was chosen, or all were skipped.
const NOTHING_RAN: u8 = 4;
/// SIGINT or SIGTERM.
const INTERRUPTED: u8 = 130;
/// Whoever read the output has stopped; as if by SIGPIPE.
const BROKEN_PIPE: u8 = 141;

/// How many characters a line has where nobody knows, and where somebody asks for less than there is use for.
const WIDTH: usize = 110;
const NARROWEST: usize = 40;

const ABOUT: &str = "Conformance suite for Linux session keyrings";

const EXIT_CODES: &str = "\
Exit codes:
  0    everything that ran came out as expected
  1    a case failed, timed out, crashed the kernel, or passed where a deviation is recorded
  2    the command line or a case file is wrong
  3    the environment failed: a case is broken, or no case could begin
  4    nothing ran: no case was chosen, or all were skipped
  130  interrupted";

const FILTERS: &str = "\
A FILTER is
  a case          parent/multi-threaded, or with its row parent/parents-ids[egid]
  a chapter       parent: all cases in that folder
  a pattern       'join/*-denied': * stands for any characters
  a requirement   S2P-04: all cases that cover it
  a group         S2P: all cases that cover one of its requirements
Several filters choose what any of them means; none choose every case.";

const EXAMPLES: &str = "\
Examples:
  skc run                            every case, on this kernel
  skc run parent 'join/named-*'      some of them
  skc run S2P-04 --verbose           the cases of one requirement, each with its result
  skc run --kernel debian-6.12       every case, on a kernel of Debian's in virtual machines
  skc run --format ktap              for the consumers of kernel self-tests
  skc run --report out --shard 2/8   a part of the suite; files for CI in out/
  skc run --baseline last.jsonl      fail only for what is worse than it was
  skc show parent/multi-threaded     the case, and what it is for
  skc coverage out                   the requirements, their cases, and what came of them in out/";

#[derive(Parser)]
#[command(name = "skc", version, about = ABOUT, after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), max_term_width = 110)]
struct Cli {
    /// When to use colours; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Play cases and say what a kernel does
    #[command(after_help = format!("{FILTERS}\n\n{EXIT_CODES}"))]
    Run(Run),
    /// Check cases without playing them: everything that is wrong, with its place
    Check(Check),
    /// List cases
    #[command(after_help = FILTERS)]
    List(List),
    /// Show a case with the requirements that it covers
    Show(Show),
    /// Write a case as a program in C that needs nothing else, or as a trace of its system calls
    #[command(after_help = export::HELP)]
    Export(Export),
    /// Say for each requirement which cases cover it, and what came of them
    #[command(after_help = coverage::HELP, override_usage = "skc coverage [OPTIONS] [RECORDS]... [FILTER]...")]
    Coverage(coverage::Coverage),
    /// Render the records of runs
    #[command(after_help = deviations::HELP)]
    Report(Report),
    /// Compare two runs: what changed, what is new
    #[command(after_help = results::COMPARE_HELP)]
    Compare(Compare),
    /// Test one commit for `git bisect run`: good, bad, or not to be tested
    #[command(after_help = bisect::HELP)]
    BisectRun(bisect::Bisect),
    /// List, fetch, build and remove kernels
    #[command(after_help = kernels::HELP)]
    Kernels(kernels::Kernels),
    /// Say which cases a kernel's configuration rules out
    #[command(after_help = check_config::HELP)]
    CheckConfig(check_config::CheckConfig),
    /// Print the JSON Schema of what is written or read
    #[command(
        after_help = "A header of records has the format's version. It changes when a reader has to; within a version a line may\nget more keys."
    )]
    Schema {
        /// Of what
        #[arg(value_enum)]
        of: Schema,
    },
    /// Play the suite against kernels that are wrong on purpose, and say what it catches
    #[command(after_help = selfcheck::HELP)]
    Selfcheck(selfcheck::Selfcheck),
    /// Write a job for LAVA, and the files of a machine that plays the suite by itself
    #[command(after_help = lava::HELP)]
    LavaJob(lava::LavaJob),
    /// Take cases over standard input
    #[command(hide = true)]
    Worker {
        /// Let cases share this process's memory, as in machines of the run's own
        #[arg(long)]
        lend: bool,
    },
    /// Print standard input as lines of the kernel's log
    #[command(hide = true)]
    Print,
    /// Start a program that ends with whoever asked for it
    #[command(hide = true)]
    Guard {
        /// The descriptor that hangs up when the program has to end
        lifeline: i32,
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<OsString>,
    },
    /// Become a program that dies with its parent
    #[command(hide = true)]
    Guarded {
        /// The process id of the parent
        parent: i32,
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<OsString>,
    },
}

/// Where cases come from.
#[derive(Args)]
struct Source {
    /// A folder of cases; without it, those that are part of this program. What its cases cover is in
    /// its requirements.yaml, or without that in the one of this program
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
}

#[derive(Args)]
struct Run {
    /// Which cases to play; see below
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    #[command(flatten)]
    source: Source,
    /// How many cases to play at a time [default: 6 for each processor and 64 at most, because cases
    /// wait for the kernel to collect keys more than they compute; with a command 2 for each processor, and with virtual machines one more]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    jobs: Option<u16>,
    /// How long a call of a case may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
    /// What to write to standard output
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// Also write records.jsonl, junit.xml, report.ktap, report.json, kcidb.json, results.yaml (for tmt), summary.md,
    /// coverage.json, coverage.md and index.html to this folder, each whole or not at all; a run that is killed leaves
    /// its records in records.jsonl.part. Of several kernels each has a folder in it, and kcidb.json, summary.md,
    /// coverage.json, coverage.md and index.html of all stand beside these
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// Play only the I-th of N parts of the chosen cases; a case is always in the same part. `auto` takes I and N from
    /// the job array of Slurm (SLURM_ARRAY_TASK_ID and _COUNT), from an indexed job of Kubernetes
    /// (JOB_COMPLETION_INDEX and, set by you, JOB_COMPLETIONS) or from GitLab (CI_NODE_INDEX and _TOTAL).
    /// `skc report` puts the parts together again
    #[arg(long, value_name = "I/N")]
    shard: Option<shard::Wish>,
    /// The same for kernels: test only every N-th of those asked for, beginning with the I-th
    #[arg(long, value_name = "I/N", requires = "kernel", conflicts_with = "command")]
    shard_kernels: Option<shard::Wish>,
    /// Records of an earlier run, or the folder that it reported to: fail only for what is worse than
    /// it was there, or fails otherwise than it did
    #[arg(long, value_name = "RECORDS")]
    baseline: Option<PathBuf>,
    /// `longest` first, by `name`, or `random` with an optional seed as in random:7
    #[arg(long, value_name = "ORDER", default_value = "longest")]
    order: Order,
    /// Play everything N times; a case that does not come out the same each time is an error
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// A line for every case
    #[arg(long, short)]
    verbose: bool,
    /// Begin no further case after the first that is not as expected
    #[arg(long)]
    fail_fast: bool,
    /// Which recorded deviations to expect of the target
    #[arg(long, value_enum, default_value_t = Deviations::Recorded)]
    deviations: Deviations,
    #[command(flatten)]
    targets: Targets,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Deviations {
    /// Those in deviations.yaml
    Recorded,
    /// None: what deviates fails
    None,
}

/// What has a schema.
#[derive(Clone, Copy, ValueEnum)]
enum Schema {
    /// A line of records.jsonl
    Records,
    /// The document of `--format json`
    Report,
    /// A file with a case
    Case,
}

#[derive(Args)]
struct Check {
    /// Folders of cases, chapters of them, or single files; without any, the cases that are part of this
    /// program
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
}

#[derive(Args)]
struct List {
    /// Which cases to list; see below
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    #[command(flatten)]
    source: Source,
    /// Also say which cases would be skipped, and why: on this kernel, or on the one that is asked for
    #[arg(long)]
    why: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    targets: Targets,
}

#[derive(Args)]
struct Show {
    /// The id of the case, as in parent/multi-threaded
    #[arg(value_name = "CASE")]
    case: String,
    #[command(flatten)]
    source: Source,
    /// Records, or folders that `skc run --report` wrote, to take the case's results from
    #[arg(long, value_name = "RECORDS")]
    records: Vec<PathBuf>,
}

#[derive(Args)]
struct Export {
    /// The id of the case, as in parent/multi-threaded
    #[arg(value_name = "CASE")]
    case: String,
    #[command(flatten)]
    source: Source,
    /// What to write to standard output
    #[arg(long = "as", value_enum, value_name = "FORM", default_value_t = Form::C)]
    form: Form,
    /// Which Linux the expected outcomes are of [default: the running one, or that of the record]
    #[arg(long = "for", value_name = "VERSION", value_parser = version)]
    linux: Option<Version>,
    /// For `strace`: records, or a folder that `skc run --report` wrote, to take what was observed from; without
    /// it and without --for, the case is played now
    #[arg(long, value_name = "RECORDS")]
    record: Option<PathBuf>,
}

/// What a case can be exported as.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// One file in C without dependencies that plays the case, for the kernel's own people
    C,
    /// The system calls of each step, expected and observed, as strace(1) writes them
    Strace,
}

fn version(text: &str) -> Result<Version, String> {
    let number = text.strip_prefix("linux-").unwrap_or(text);
    Version::parse(number).ok_or_else(|| "a version is written linux-6.12 or 6.12".into())
}

#[derive(Args)]
struct Report {
    /// Files of records, folders that `skc run --report` wrote, or folders of such folders; parts of one run
    /// are put together
    #[arg(value_name = "RECORDS")]
    records: Vec<PathBuf>,
    /// What to write to standard output
    #[arg(long, value_enum, default_value_t = Rendering::Terminal)]
    format: Rendering,
    /// For `kcidb`: the name of the CI system that submits the results
    #[arg(long, value_name = "NAME", default_value = reports::kcidb::ORIGIN)]
    origin: String,
    /// For `kcidb`: the id of the build that was tested [default: the document has a checkout and a build of its own
    /// for each kernel]
    #[arg(long, value_name = "ORIGIN:NAME")]
    build: Option<String>,
    /// For `html` and `deviations`: the folder of cases that the records are of [default: those of this program]
    #[arg(long, value_name = "DIR")]
    cases: Option<PathBuf>,
    /// A line for every case
    #[arg(long, short)]
    verbose: bool,
}

impl Report {
    /// The cases that the records are taken to be of.
    fn suite(&self) -> Result<Suite, Trouble> {
        match &self.cases {
            Some(folder) => Suite::load(folder),
            None => Suite::embedded(),
        }
        .map_err(Trouble::Malformed)
    }
}

#[derive(Args)]
struct Compare {
    /// The records of the earlier run: a file, or the folder that `skc run --report` wrote, also for several kernels
    old: PathBuf,
    /// The records of the later run
    new: PathBuf,
    /// What to write to standard output
    #[arg(long, value_enum, default_value_t = results::Form::Terminal)]
    format: results::Form,
}

/// Why a command could not do what it was asked.
enum Trouble {
    /// The request is wrong.
    Usage(String),
    /// Files of cases are wrong.
    Malformed(Vec<Diagnostic>),
    /// Something that is needed failed.
    Environment(String),
    /// Standard output could not be written.
    Output(io::Error),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        Trouble::Output(error)
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Trouble::Usage(text) | Trouble::Environment(text) => f.write_str(text),
            Trouble::Output(error) => write!(f, "the output cannot be written: {error}"),
            Trouble::Malformed(found) => match found.len() {
                1 => f.write_str("one error in the cases"),
                count => write!(f, "{count} errors in the cases"),
            },
        }
    }
}

/// Something that is needed has failed.
fn environment(error: impl std::fmt::Display) -> Trouble {
    Trouble::Environment(error.to_string())
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        std::process::exit(bisect::code_of_usage(&error))
    });
    let terminal = Terminal { color: cli.color };
    let done = match cli.command {
        Command::Run(args) => run::run(&args, terminal),
        Command::Check(args) => inspect::check(&args, terminal),
        Command::List(args) => inspect::list(&args, terminal),
        Command::Show(args) => show::show(&args, terminal),
        Command::Export(args) => export::export(&args, terminal),
        Command::Coverage(args) => coverage::coverage(&args, terminal),
        Command::Report(args) => results::report(&args, terminal),
        Command::Compare(args) => results::compare(&args, terminal),
        Command::BisectRun(args) => Ok(bisect::bisect(args, terminal)),
        Command::Kernels(args) => kernels::kernels(&args, terminal),
        Command::CheckConfig(args) => check_config::check_config(&args, terminal),
        Command::Schema { of } => inspect::schema(of),
        Command::Selfcheck(args) => selfcheck::selfcheck(&args, terminal),
        Command::LavaJob(args) => lava::write(&args, terminal),
        Command::Worker { lend } => return work(lend),
        Command::Print => runners::alone::print(io::stdin().lock()).map(|()| 0).map_err(Trouble::Output),
        Command::Guard { lifeline, words } => return guard(guard::stand(lifeline, &words)),
        Command::Guarded { parent, words } => return guard(guard::follow(parent, &words)),
    };
    ExitCode::from(done.unwrap_or_else(|trouble| terminal.tell(&trouble)))
}

fn work(lend: bool) -> ExitCode {
    let stdin = io::stdin();
    let Ok(input) = stdin.as_fd().try_clone_to_owned() else { return ExitCode::from(ENVIRONMENT) };
    match worker::serve(input, io::stdout(), None, lend, |_, sound| sound) {
        Ok(()) => ExitCode::SUCCESS,
        Err(damage) => {
            let _ = writeln!(io::stderr(), "skc worker: {damage}");
            ExitCode::from(ENVIRONMENT)
        }
    }
}

fn guard(failed: io::Error) -> ExitCode {
    let _ = writeln!(io::stderr(), "skc: {failed}");
    ExitCode::from(guard::UNSTARTED)
}

impl Source {
    fn load(&self) -> Result<Suite, Trouble> {
        match &self.cases {
            Some(folder) => Suite::load(folder),
            None => Suite::embedded(),
        }
        .map_err(Trouble::Malformed)
    }
}

/// The streams that a person may look at, with or without colours.
#[derive(Clone, Copy)]
struct Terminal {
    color: Color,
}

impl Terminal {
    fn out(self) -> AutoStream<io::Stdout> {
        AutoStream::new(io::stdout(), self.choice(&io::stdout()))
    }

    fn err(self) -> AutoStream<io::Stderr> {
        AutoStream::new(io::stderr(), self.choice(&io::stderr()))
    }

    fn choice(self, stream: &impl anstream::stream::RawStream) -> ColorChoice {
        match self.color {
            Color::Auto => AutoStream::choice(stream),
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }

    /// How many characters a line of standard output has.
    fn width(self) -> usize {
        let asked = || std::env::var("COLUMNS").ok()?.parse().ok();
        let found = || Some(usize::from(terminal_size::terminal_size_of(io::stdout())?.0.0));
        found().or_else(asked).map_or(WIDTH, |width| width.max(NARROWEST))
    }

    /// A note beside the output.
    fn note(self, text: impl std::fmt::Display) {
        let _ = writeln!(self.err(), "skc: {text}");
    }

    /// Tells what went wrong, and gives the exit code for it.
    fn tell(self, trouble: &Trouble) -> u8 {
        const ERROR: Style = AnsiColor::Red.on_default().bold();
        let mut err = self.err();
        let code = match trouble {
            Trouble::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return BROKEN_PIPE,
            Trouble::Usage(_) => USAGE,
            Trouble::Environment(_) | Trouble::Output(_) => ENVIRONMENT,
            Trouble::Malformed(found) => {
                for diagnostic in found {
                    let _ = writeln!(err, "{}\n", diagnostic.render(true));
                }
                USAGE
            }
        };
        let _ = writeln!(err, "{ERROR}error{ERROR:#}: {trouble}");
        code
    }
}

fn timeout(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "a time is written 500ms or 10s, and is a minute at most".into())
}
