//! What a case costs beyond what it waits for: `cargo bench -p runners`.
//!
//! In one run, turn by turn, so that a busy machine is busy for both: a bare clone into the namespaces
//! of a case, its exit and the wait for it; a case through one real worker; and cases through as many as
//! `skc run` has. Then the whole suite, waits included.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::actor::life::{self, Side};
use harness::case::{Act, Step};
use harness::ops::Op;
use harness::plan::Resources;
use harness::plan::{Plan, plan, programs};
use harness::record::Verdict;
use harness::stage::enclosure::namespaces;
use harness::suite::Suite;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use runners::interrupt::Stop;
use runners::local::{Local, default_jobs};
use runners::pool::Pool;

const ROUNDS: usize = 15;
const SUITES: usize = 5;
const SKC: &str = env!("CARGO_BIN_EXE_skc");

fn main() -> Outcome {
    let mut out = io::stdout().lock();
    let suite = Suite::embedded().map_err(|found| format!("{} errors in the cases", found.len()))?;
    let programs = suite.cases().iter().flat_map(programs).collect();
    let pool = Pool::open(Box::new(Local::of(SKC)), programs, Arc::new(Stop::new()?))
        .map_err(|unstarted| format!("{unstarted:?}"))?;
    let plans: Vec<Plan> = suite
        .cases()
        .iter()
        .filter(|case| !waits(&case.steps))
        .filter_map(|case| plan(case, pool.target(), Duration::from_secs(10)).ok())
        .collect();
    if plans.is_empty() {
        return Err("no case without a wait can be played here".into());
    }

    let (mut clones, mut cases, mut pooled) = (Vec::new(), Vec::new(), Vec::new());
    let (mut ratios, mut pooled_ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let clone = mean(plans.len(), |_| bare_clone())?;
        let case = mean(plans.len(), |at| match pool.play(&plans[at]) {
            Some(record) if record.verdict == Verdict::Broken => Err(format!("{record:?}").into()),
            _ => Ok(()),
        })?;
        let began = Instant::now();
        pool.run(plans.iter().cloned(), default_jobs(), |_| ControlFlow::Continue(()));
        let in_pool = began.elapsed() / plans.len() as u32;
        ratios.push(case.as_secs_f64() / clone.as_secs_f64());
        pooled_ratios.push(in_pool.as_secs_f64() / clone.as_secs_f64());
        clones.push(clone);
        cases.push(case);
        pooled.push(in_pool);
    }
    let mut walls = Vec::new();
    for _ in 0..SUITES {
        let began = Instant::now();
        Command::new(SKC).args(["run", "--format", "json"]).stdout(Stdio::null()).status()?;
        walls.push(began.elapsed());
    }

    writeln!(out, "{ROUNDS} rounds of {} cases that wait for nothing; minimum, median", plans.len())?;
    line(&mut out, "clone into fresh namespaces, exit, wait", &mut clones)?;
    line(&mut out, "a case, one worker", &mut cases)?;
    ratio(&mut out, "  ratio within a round", &mut ratios)?;
    line(&mut out, &format!("a case, {} workers", default_jobs()), &mut pooled)?;
    ratio(&mut out, "  ratio within a round", &mut pooled_ratios)?;
    line(&mut out, &format!("skc run, {} cases", suite.cases().len()), &mut walls)?;
    Ok(())
}

/// If a case asks for time to pass.
fn waits(steps: &[Step]) -> bool {
    steps.iter().any(|step| {
        step.within.is_some()
            || match &step.act {
                Act::Call { call, .. } => matches!(call.op, Op::Nanosleep | Op::Spin),
                Act::Together(steps) => waits(steps),
                Act::Check { .. } | Act::Ends { .. } => false,
            }
    })
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

fn mean(count: usize, mut act: impl FnMut(usize) -> Outcome) -> Outcome<Duration> {
    let began = Instant::now();
    (0..count).try_for_each(&mut act)?;
    Ok(began.elapsed() / count as u32)
}

fn bare_clone() -> Outcome {
    match life::fork(namespaces(Resources::default()))? {
        Side::Child => life::exit_process(0),
        Side::Parent(process) => waitpid(Pid::from_raw(process), None).map(drop).map_err(Into::into),
    }
}

fn ratio(out: &mut impl Write, what: &str, ratios: &mut [f64]) -> io::Result<()> {
    ratios.sort_by(f64::total_cmp);
    writeln!(out, "{what:<42} {:>9.2} × {:>9.2} ×", ratios[0], ratios[ratios.len() / 2])
}

fn line(out: &mut impl Write, what: &str, times: &mut [Duration]) -> io::Result<()> {
    times.sort();
    let shown = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1000.0);
    writeln!(out, "{what:<42} {:>11} {:>11}", shown(times[0]), shown(times[times.len() / 2]))
}
