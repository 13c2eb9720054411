//! `skc export`: every case that can be a program in C is one, and says of this kernel what the suite says.
//!
//! The programs are compiled and run as root, each in namespaces of its own, and as process 1 of machines with other
//! kernels. What cannot be exported is counted by its reason.

mod booted;
mod booting;
mod compiled;
mod killed;
mod spoiled;
mod started;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::{Command, ExitCode};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use harness::case::{Case, Version};
use harness::export::{self, Refusal};
use harness::plan::{self, Plan};
use harness::record::{CaseRecord, Verdict};
use harness::suite::Suite;
use harness::target::Ids;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use runners::interrupt::Stop;
use runners::local::Local;
use runners::pool::Pool;

use compiled::{Program, Told};

/// How long a call of a case may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Cases that are not exported, by the reason. A number that grows is a step back: say why beside it.
const REFUSED: &[(&str, usize)] = &[
    ("it brings files or runs programs of the machine's, which one file in C cannot", 34),
    ("it runs a program of the machine's, which one file in C cannot bring", 53),
];

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let stand = Arc::new(Stand::default());
    let trial_with = |name: &str, missing: fn() -> Option<String>, test: fn(&Stand) -> Result<(), String>| {
        let stand = Arc::clone(&stand);
        Trial::ignorable_test(name, move || match stand.missing().or_else(missing) {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None => test(&stand).map(|()| Completion::Completed).map_err(Failed::from),
        })
    };
    let trial = |name: &str, test: fn(&Stand) -> Result<(), String>| trial_with(name, || None, test);
    let on_machine = |name: &str, missing: fn() -> Option<String>, test: fn(&Suite) -> Result<(), String>| {
        let stand = Arc::clone(&stand);
        Trial::ignorable_test(name, move || match compiled::compiler().err().or_else(missing) {
            Some(reason) => Ok(Completion::ignored_with(reason)),
            None => test(stand.suite()).map(|()| Completion::Completed).map_err(Failed::from),
        })
    };
    let trials = vec![
        Trial::test("what_is_alike_and_what_is_not", || compiled::known().map_err(Failed::from)),
        trial("every_program_says_what_the_suite_says", corpus),
        trial("a_broken_expectation_fails_at_its_line", spoiled::bites),
        trial("programs_compile_without_a_warning", strict),
        trial_with("programs_compile_with_musl", no_musl, with_musl),
        trial("a_program_that_is_killed_leaves_nothing", killed::leaves_nothing),
        trial("without_root_a_program_skips_and_says_so", killed::without_root),
        on_machine("programs_say_on_an_old_kernel_what_the_suite_says", booting::no_old, booted::old),
        on_machine("as_its_head_says_a_program_is_booted", started::no_cpio, started::as_its_head_says),
        on_machine("a_machine_is_given_up_only_if_it_is_said", booting::no_old, started::given_up),
        on_machine("programs_are_what_the_kernel_starts", booting::no_old, booted::upcalls),
        on_machine("what_leaves_marks_plays_on_a_machine_of_its_own", booting::no_old, booted::own_machine),
        on_machine(
            "a_faulty_kernel_fails_programs_where_it_fails_the_suite",
            booting::no_faults,
            booted::faulty,
        ),
    ];
    // One after the other: each has work for all processors.
    let args = Arguments { test_threads: Some(1), ..args };
    libtest_mimic::run(&args, trials).exit_code()
}

/// What the tests share.
#[derive(Default)]
struct Stand {
    suite: OnceLock<Suite>,
    pool: OnceLock<Result<Pool, String>>,
}

impl Stand {
    fn suite(&self) -> &Suite {
        self.suite.get_or_init(|| Suite::embedded().unwrap_or_else(|found| panic!("{found:?}")))
    }

    fn pool(&self) -> Result<&Pool, String> {
        let open = || {
            let runner = Box::new(Local::of(env!("CARGO_BIN_EXE_skc")));
            let programs = self.suite().cases().iter().flat_map(plan::programs).collect();
            let stop = Stop::new().map_err(|error| error.to_string())?;
            Pool::open(runner, programs, Arc::new(stop)).map_err(|unstarted| format!("{unstarted:?}"))
        };
        self.pool.get_or_init(open).as_ref().map_err(Clone::clone)
    }

    /// Why these tests cannot be made here.
    fn missing(&self) -> Option<String> {
        if let Err(why) = compiled::compiler() {
            return Some(why);
        }
        match self.pool() {
            Err(why) => Some(format!("no case can be played here: {why}")),
            Ok(pool) if pool.target().ids != Ids::Block => Some("only root has ids to give away".into()),
            Ok(_) => None,
        }
    }

    /// The program of a case and the plan by which the suite plays it.
    fn exported(&self, case: &Case) -> Result<(Plan, export::Program), Refusal> {
        let version = self.pool().map_err(Refusal)?.target().version;
        let plan = export::settled(case, version)?;
        let program = export::program(self.suite(), case, &plan, version)?;
        Ok((plan, program))
    }
}

fn corpus(stand: &Stand) -> Result<(), String> {
    let (suite, pool) = (stand.suite(), stand.pool()?);
    let mut refused: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    let (mut cases, mut programs) = (Vec::new(), Vec::new());
    for case in suite.cases() {
        match stand.exported(case) {
            Ok((_, program)) => {
                cases.push(case);
                programs.push(program);
            }
            Err(Refusal(why)) => refused.entry(why).or_default().push(&case.id),
        }
    }
    let told = compiled::run_bundled(&programs)?;
    let records = compiled::each(cases.len(), compiled::RUNNING, |at| {
        match plan::plan(cases[at], pool.target(), TIMEOUT) {
            Ok(plan) => pool.play(&plan),
            Err(skip) => Some(harness::run::skipped(cases[at], skip)),
        }
    });
    let mut wrong = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for ((case, told), record) in cases.iter().zip(&told).zip(records) {
        let record = record.ok_or("stopped")?;
        *counts.entry(record.verdict.word()).or_default() += 1;
        if let Err(why) = traced(case, &record, pool.target().version) {
            wrong.push(format!("{}: {why}", case.id));
        }
        if let Err(why) = agree(&record, told) {
            wrong.push(format!("{}: {why}\n{}", case.id, told.output));
        }
    }
    let mut out = io::stdout().lock();
    let exported = programs.len();
    let _ = writeln!(
        out,
        "{} cases: {exported} exported {counts:?}, {} disagree",
        suite.cases().len(),
        wrong.len()
    );
    for (why, cases) in &refused {
        let _ = writeln!(out, "{:>5} refused: {why}", cases.len());
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    let counted: Vec<(&str, usize)> =
        refused.iter().map(|(why, cases)| (why.as_str(), cases.len())).collect();
    if counted != REFUSED {
        return Err(format!("not the refusals that are known: {counted:#?}"));
    }
    Ok(())
}

/// If the trace of a record shows each step that was played, and what differs.
fn traced(case: &Case, record: &CaseRecord, version: Version) -> Result<(), String> {
    let plan = export::planned(case, version).map_err(|why| why.0)?;
    let trace = export::trace(&plan, Some(&record.steps)).map_err(|why| why.0)?;
    let observed = trace.lines().filter(|line| line.starts_with("      observed  "));
    let shown = observed.clone().filter(|line| !line.ends_with("nothing: the case had ended")).count();
    let differ = observed.filter(|line| line.ends_with("<- differs")).count();
    let failed = record.steps.iter().filter(|step| !step.met).count();
    match (shown, differ) == (record.steps.len(), failed) {
        true => Ok(()),
        false => Err(format!(
            "{} steps were played, {failed} differ, and the trace is\n{trace}",
            record.steps.len()
        )),
    }
}

/// If a program and the suite say the same of a case: the verdict, and of a failure the line and what was observed.
fn agree(record: &CaseRecord, told: &Told) -> Result<(), String> {
    let expected = match record.verdict {
        Verdict::Pass => 0,
        Verdict::Fail => 1,
        Verdict::Skip => 4,
        Verdict::Timeout => 124,
        Verdict::Broken | Verdict::Crash => 99,
    };
    let reason = record.reason.as_deref().unwrap_or_default();
    if told.status != expected {
        return Err(format!(
            "the suite says {} ({reason}), the program {}",
            record.verdict.word(),
            told.status
        ));
    }
    let Some(step) = record.steps.last().filter(|_| record.verdict == Verdict::Fail) else { return Ok(()) };
    let failed = told.output.lines().find(|line| line.starts_with("NOT OK")).unwrap_or_default();
    if !failed.starts_with(&format!("NOT OK line {}: ", step.line)) {
        return Err(format!("the suite fails at line {}, the program elsewhere", step.line));
    }
    let observed = failed.rsplit_once(", observed ").map_or("", |(_, observed)| observed);
    match compiled::alike(&step.observed.text, observed) {
        true => Ok(()),
        false => Err(format!("the suite observed {}, the program {observed}", step.observed.text)),
    }
}

/// Some of the cases, as a maintainer compiles them: each is a program of its own, with no more of the runtime than it
/// has a use for.
fn strict(stand: &Stand) -> Result<(), String> {
    warned_of(stand, "cc", &["-O0"], 23)?;
    warned_of(stand, "cc", &["-O2"], 61)?;
    warned_of(stand, "cc", &["-O2", "-static"], 83)
}

/// The same with a libc whose headers have what they must and nothing by the way.
fn with_musl(stand: &Stand) -> Result<(), String> {
    warned_of(stand, MUSL, &["-O2", "-static"], 31)
}

/// Compiles each one of so many programs, with all warnings as errors, and runs them.
fn warned_of(stand: &Stand, compiler: &str, flags: &[&str], every: usize) -> Result<(), String> {
    let cases = stand.suite().cases().iter().filter_map(|case| Some((case, stand.exported(case).ok()?.1)));
    let programs: Vec<Program> = cases
        .step_by(every)
        .map(|(case, program)| Program { name: case.id.clone(), text: program.to_string() })
        .collect();
    let sample: Vec<&Program> = programs.iter().collect();
    let told = compiled::run(compiler, &sample, &[flags, &["-Wall", "-Wextra", "-Werror"]].concat())?;
    for (program, told) in sample.iter().zip(told) {
        if ![0, 1, 4].contains(&told.status) {
            return Err(format!("{} ends with {}:\n{}", program.name, told.status, told.output));
        }
    }
    Ok(())
}

/// The compiler that Debian's musl brings.
const MUSL: &str = "musl-gcc";

fn no_musl() -> Option<String> {
    let there = Command::new(MUSL).arg("--version").output().is_ok();
    (!there).then(|| format!("{MUSL} is not installed (Debian's package musl-tools)"))
}
