//! `skc selfcheck`: the suite against kernels that lie.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use clap::{Args, ValueEnum};
use harness::case::Case;
use harness::lie::{self, HONEST, Lie};
use harness::plan::{Plan, Skip, plan};
use harness::record::{CaseRecord, Verdict};
use harness::suite::Suite;
use reports::status::{Merit, Status};
use runners::interrupt::{Stop, on_signals};
use runners::pool::{Event, Pool};
use serde_json::{Value, json};

use super::run::all_programs;
use super::targets::{self, Opener, Unopened};
use super::{
    ENVIRONMENT, FAILED, INTERRUPTED, NOTHING_RAN, Source, Targets, Terminal, Trouble, environment, timeout,
};

pub(super) const HELP: &str = "\
A suite is worth what it catches. Here it is played against kernels that are wrong on purpose: each is the target itself,
except for one lie, told where questions and answers pass between a case and its actors. An answer is altered, a call is
not made, or made with something changed, or more calls are made than were asked for. `skc selfcheck --list` says what
the lies are and which requirements each breaks.

First everything is played without a lie, and has to come out as expected. Then, for every lie, the cases that pass are
played until one fails, beginning with those that cover what the lie breaks. Only a fail counts, and neither a case that
breaks nor one that takes too long: such a verdict does not blame the kernel.

  caught     a case failed; the line says which, and the step
  MISSED     no case noticed: one is missing
  not asked  no case noticed, and one that covers what the lie breaks is skipped on this target, with the reason

A FILTER is the name of a lie, a pattern ('join-*'), a requirement that is broken (S2P-04) or a group of them (S2P).

Examples:
  skc selfcheck                            every lie, on this kernel
  skc selfcheck LIFETIME 'revoked-*'       some of them
  skc selfcheck --list S2P                 what they are
  skc selfcheck --kernel debian-6.12       also those about /sbin/request-key and the limits in /proc/sys

Exit codes:
  0    every lie that was told was caught
  1    a lie was missed, or a case failed without one
  2    the command line or a case file is wrong
  3    the environment failed: without a lie a case is broken, or no case could begin
  4    no lie could be told
  130  interrupted";

#[derive(Args)]
pub(super) struct Selfcheck {
    /// Which lies to tell; see below
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    #[command(flatten)]
    source: Source,
    /// List the lies, and tell none
    #[arg(long)]
    list: bool,
    /// What to write to standard output
    #[arg(long, value_enum, default_value_t = Format::Terminal)]
    format: Format,
    /// A line for every lie, and not only for those that were missed
    #[arg(long, short)]
    verbose: bool,
    /// How many lies to tell at a time [default: as many as `skc run` plays cases; 4 for an ordinary
    /// user, whose quota of keys they share]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=200))]
    jobs: Option<u16>,
    /// How long a call of a case may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
    #[command(flatten)]
    targets: Targets,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Lines for people
    Terminal,
    /// One JSON document
    Json,
}

const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();
const NAME: Style = Style::new().bold();

/// Tells lies.
pub(super) fn selfcheck(args: &Selfcheck, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.source.load()?;
    let lies = choose(&suite, &args.filters).map_err(Trouble::Usage)?;
    if args.list {
        return list(&lies, args.format, terminal);
    }
    let stop = Arc::new(Stop::new().map_err(environment)?);
    on_signals(Arc::clone(&stop), INTERRUPTED.into()).map_err(environment)?;
    let wanted = targets::find(&args.targets, terminal, &stop)?;
    let [wanted] = wanted.as_slice() else {
        return Err(Trouble::Usage("lies are told about one target at a time".into()));
    };
    let cases: Vec<&Case> = suite.cases().iter().collect();
    let opener = Opener::new(&args.targets, all_programs(&cases), Arc::clone(&stop), terminal);
    let pool = match opener.open(wanted) {
        Ok(pool) => pool,
        Err(Unopened::Stopped) => return Ok(INTERRUPTED),
        Err(Unopened::Trouble(why)) => return Err(Trouble::Environment(why)),
    };
    let jobs = args.jobs.map_or_else(|| pool.jobs(), usize::from);
    let Some(honest) = honest(args, &suite, &pool, jobs, terminal) else { return Ok(INTERRUPTED) };
    if !honest.odd.is_empty() {
        return honest.tell(terminal);
    }
    let began = Instant::now();
    let tested = tell_all(args, &lies, &honest, &pool, jobs, terminal)?;
    let place =
        format!("{} {}, {}", pool.target().implementation, pool.target().release, pool.target().place);
    drop(pool);
    if stop.is_asked() {
        return Ok(INTERRUPTED);
    }
    let sum = Sum::of(&tested);
    match args.format {
        Format::Json => write_json(&tested, &sum, &place)?,
        Format::Terminal => write_end(&tested, &sum, &place, began.elapsed(), terminal)?,
    }
    Ok(match sum {
        Sum { missed: 1.., .. } => FAILED,
        Sum { caught: 0, .. } => NOTHING_RAN,
        _ => 0,
    })
}

/// The lies that filters mean.
fn choose(suite: &Suite, filters: &[String]) -> Result<Vec<&'static Lie>, String> {
    let group =
        |id: &str| suite.requirement(id).is_some_and(|found| filters.iter().any(|one| one == found.group()));
    let means = |filter: &str, lie: &Lie| {
        harness::deviation::matches(filter, lie.name)
            || lie.breaks.contains(&filter)
            || lie.breaks.iter().any(|id| suite.requirement(id).is_some_and(|found| found.group() == filter))
    };
    for filter in filters {
        if !lie::all().any(|lie| means(filter, lie)) {
            return Err(format!(
                "`{filter}` is no lie, and none breaks such a requirement; `skc selfcheck --list` shows all"
            ));
        }
    }
    let chosen = |lie: &&Lie| {
        filters.is_empty()
            || filters.iter().any(|filter| means(filter, lie))
            || lie.breaks.iter().any(|id| group(id))
    };
    Ok(lie::all().filter(chosen).collect())
}

fn list(lies: &[&Lie], format: Format, terminal: Terminal) -> Result<u8, Trouble> {
    let mut out = terminal.out().lock();
    if format == Format::Json {
        let entries: Vec<Value> = lies.iter().map(|lie| described(lie)).collect();
        writeln!(out, "{:#}", Value::from(entries))?;
        return Ok(0);
    }
    let width = lies.iter().map(|lie| lie.name.len()).max().unwrap_or(0);
    for lie in lies {
        let (name, breaks) = (lie.name, lie.breaks.join(" "));
        let pad = width - name.len();
        writeln!(out, "{NAME}{name}{NAME:#}{:pad$}  {}  {FAINT}[{breaks}]{FAINT:#}", "", lie.says)?;
    }
    Ok(0)
}

fn described(lie: &Lie) -> Value {
    json!({"name": lie.name, "says": lie.says, "breaks": lie.breaks})
}

/// What came of the suite without a lie.
struct Honest<'s> {
    /// What passes, in the order of the suite.
    plans: Vec<Plan>,
    /// What is skipped, and why.
    skipped: Vec<(&'s Case, String)>,
    /// What did not come out as expected.
    odd: Vec<CaseRecord>,
}

/// Plays everything without a lie, but by way of the liar.
fn honest<'s>(
    args: &Selfcheck,
    suite: &'s Suite,
    pool: &Pool,
    jobs: usize,
    terminal: Terminal,
) -> Option<Honest<'s>> {
    let mut honest = Honest { plans: Vec::new(), skipped: Vec::new(), odd: Vec::new() };
    let mut plans = Vec::new();
    for case in suite.cases() {
        match plan(case, pool.target(), args.timeout) {
            Ok(plan) => plans.push(Plan { lie: Some(HONEST.name.into()), ..plan }),
            Err(Skip(why)) => honest.skipped.push((case, why)),
        }
    }
    terminal.note(format_args!("{} cases are played without a lie", plans.len()));
    plans.sort_by_key(|plan| std::cmp::Reverse(plan.limit));
    let mut passed = Vec::new();
    let mut played = 0;
    pool.run(plans.iter().cloned(), jobs, |event| {
        if let Event::Ended(mut record) = event {
            played += 1;
            record.standing = suite.standing(&record, pool.target());
            match Status::of(&record).words().merit {
                Merit::Good if record.verdict == Verdict::Pass => passed.push(record.case),
                Merit::Good => {}
                _ => honest.odd.push(*record),
            }
        }
        ControlFlow::Continue(())
    });
    let all = plans.len();
    // What comes out as expected when it is played again, alone, was in somebody's way: it is told no lies,
    // because its fail would prove nothing.
    honest.odd.retain(|record| {
        let again = plans.iter().find(|plan| plan.case == record.case).and_then(|plan| pool.play(plan));
        again.is_none_or(|mut record| {
            record.standing = suite.standing(&record, pool.target());
            Status::of(&record).words().merit != Merit::Good
        })
    });
    honest.plans = plans.into_iter().filter(|plan| passed.contains(&plan.case)).collect();
    // The quickest first: what is played most is what is over soonest.
    honest.plans.sort_by(|one, other| one.limit.cmp(&other.limit).then_with(|| one.case.cmp(&other.case)));
    (played == all).then_some(honest)
}

impl Honest<'_> {
    /// Tells what is wrong without a lie, which has to be seen to first.
    fn tell(&self, terminal: Terminal) -> Result<u8, Trouble> {
        let mut out = terminal.out().lock();
        for record in &self.odd {
            let (word, reason) = (record.verdict.word(), record.reason.as_deref().unwrap_or_default());
            writeln!(out, "{BAD}{word}{BAD:#} {}: {reason}", record.case)?;
        }
        writeln!(
            out,
            "Without a lie {} cases did not come out as expected: no lie was told",
            self.odd.len()
        )?;
        let blames = self.odd.iter().any(|record| record.verdict != Verdict::Broken);
        Ok(if blames { FAILED } else { ENVIRONMENT })
    }

    /// The reason why a lie cannot be told here: nothing that covers what it breaks can be played.
    fn unasked(&self, lie: &Lie) -> Option<&str> {
        if self.plans.iter().any(|plan| lie.is_against(&plan.covers)) {
            return None;
        }
        self.skipped_for(lie)
    }

    /// Why a case is skipped that might catch a lie.
    fn skipped_for(&self, lie: &Lie) -> Option<&str> {
        let might = |case: &Case| lie.is_against(&case.covers) && lie.concerns(&case.steps);
        self.skipped.iter().find(|(case, _)| might(case)).map(|(_, why)| why.as_str())
    }
}

/// What a lie came to.
enum CameTo {
    Caught(Box<CaseRecord>),
    /// The cases that passed though the lie was told in them, and those that neither passed nor failed.
    Missed {
        deaf: Vec<String>,
        lost: Vec<String>,
    },
    Unasked(String),
}

/// A lie, and what came of it.
struct Tested {
    lie: &'static Lie,
    came_to: CameTo,
    took: Duration,
}

/// Tells all lies, so many at a time; gives them in their order.
fn tell_all(
    args: &Selfcheck,
    lies: &[&'static Lie],
    honest: &Honest,
    pool: &Pool,
    jobs: usize,
    terminal: Terminal,
) -> Result<Vec<Tested>, Trouble> {
    let queue: Mutex<VecDeque<&'static Lie>> = Mutex::new(lies.iter().copied().collect());
    let over = AtomicBool::new(false);
    let (results, told) = channel();
    let mut tested: Vec<Tested> = Vec::new();
    let written = thread::scope(|scope| {
        let mut written = Ok(());
        for _ in 0..jobs.min(lies.len()).max(1) {
            let (results, queue, over) = (results.clone(), &queue, &over);
            scope.spawn(move || {
                loop {
                    // A statement of its own: the lock must be free while a lie is told.
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(lie) = next else { break };
                    let began = Instant::now();
                    let Some(came_to) = tell(lie, honest, pool) else { break };
                    let tested = Tested { lie, came_to, took: began.elapsed() };
                    if over.load(Ordering::Relaxed) || results.send(tested).is_err() {
                        break;
                    }
                }
            });
        }
        drop(results);
        let mut noted = Instant::now();
        for one in told {
            let shown = args.verbose || matches!(one.came_to, CameTo::Missed { .. });
            if written.is_ok() && shown && args.format == Format::Terminal {
                written = write_one(&one, terminal);
                over.store(written.is_err(), Ordering::Relaxed);
            }
            tested.push(one);
            if noted.elapsed() >= Duration::from_secs(5) {
                noted = Instant::now();
                terminal.note(format_args!("{}/{} lies", tested.len(), lies.len()));
            }
        }
        written
    });
    written?;
    let place = |lie: &Lie| lies.iter().position(|known| known.name == lie.name);
    tested.sort_by_key(|tested| place(tested.lie));
    Ok(tested)
}

/// Tells one lie, until a case fails. `None` if the run was stopped.
fn tell(lie: &'static Lie, honest: &Honest, pool: &Pool) -> Option<CameTo> {
    if let Some(why) = honest.unasked(lie) {
        return Some(CameTo::Unasked(why.to_owned()));
    }
    let mut plans: Vec<&Plan> = honest.plans.iter().filter(|plan| lie.concerns(&plan.steps)).collect();
    plans.sort_by_key(|plan| !lie.is_against(&plan.covers));
    let (mut deaf, mut lost) = (Vec::new(), Vec::new());
    for plan in plans {
        let record = pool.play(&Plan { lie: Some(lie.name.into()), ..plan.clone() })?;
        match record.verdict {
            Verdict::Fail => return Some(CameTo::Caught(Box::new(record))),
            Verdict::Pass if record.reason.is_some() => deaf.push(record.case),
            Verdict::Pass | Verdict::Skip => {}
            Verdict::Broken | Verdict::Timeout | Verdict::Crash => {
                lost.push(format!("{}: {}", record.case, record.reason.unwrap_or_default()));
            }
        }
    }
    match honest.skipped_for(lie) {
        Some(why) => Some(CameTo::Unasked(why.to_owned())),
        None => Some(CameTo::Missed { deaf, lost }),
    }
}

/// The step at which a case failed.
fn step(record: &CaseRecord) -> String {
    let last = record.steps.last();
    last.map_or_else(String::new, |step| format!("{}:{}: {}", record.file, step.line, step.text))
}

fn write_one(tested: &Tested, terminal: Terminal) -> io::Result<()> {
    let Tested { lie, came_to, .. } = tested;
    let mut out = terminal.out().lock();
    let name = lie.name;
    match came_to {
        CameTo::Caught(record) => {
            let beside = if lie.is_against(&record.covers) { "" } else { ", which is about something else" };
            writeln!(out, "{GOOD}caught{GOOD:#} {NAME}{name}{NAME:#} by {}{beside}", record.case)?;
            writeln!(out, "       {FAINT}{}{FAINT:#}", step(record))
        }
        CameTo::Unasked(why) => {
            writeln!(out, "{FAINT}not asked{FAINT:#} {NAME}{name}{NAME:#}")?;
            writeln!(out, "       {FAINT}{why}{FAINT:#}")
        }
        CameTo::Missed { deaf, lost } => {
            writeln!(out, "{BAD}MISSED{BAD:#} {NAME}{name}{NAME:#}  [{}]", lie.breaks.join(" "))?;
            writeln!(out, "       {}", lie.says)?;
            match deaf.as_slice() {
                [] => writeln!(out, "       no case has a step at which it could be told")?,
                deaf => {
                    let some: Vec<&str> = deaf.iter().take(6).map(String::as_str).collect();
                    writeln!(
                        out,
                        "       told and not noticed in {} cases: {}",
                        deaf.len(),
                        some.join(", ")
                    )?;
                }
            }
            lost.iter().take(3).try_for_each(|lost| writeln!(out, "       came to nothing: {lost}"))
        }
    }
}

/// How many lies came to what.
struct Sum {
    caught: usize,
    /// Of these, by cases that do not cover what the lie breaks.
    beside: usize,
    missed: usize,
    unasked: usize,
}

impl Sum {
    fn of(tested: &[Tested]) -> Sum {
        let mut sum = Sum { caught: 0, beside: 0, missed: 0, unasked: 0 };
        for Tested { lie, came_to, .. } in tested {
            match came_to {
                CameTo::Caught(record) => {
                    sum.caught += 1;
                    sum.beside += usize::from(!lie.is_against(&record.covers));
                }
                CameTo::Missed { .. } => sum.missed += 1,
                CameTo::Unasked(_) => sum.unasked += 1,
            }
        }
        sum
    }
}

fn write_end(
    tested: &[Tested],
    sum: &Sum,
    place: &str,
    took: Duration,
    terminal: Terminal,
) -> io::Result<()> {
    let mut out = terminal.out().lock();
    let Sum { caught, beside, missed, unasked } = sum;
    let told = caught + missed;
    // Rounded down: all is said only of all.
    let share = (caught * 100).checked_div(told).unwrap_or(0);
    let style = if *missed == 0 { GOOD } else { BAD };
    writeln!(
        out,
        "{place}: {style}{caught} of {told} lies caught ({share} %){style:#} in {:.1} s",
        took.as_secs_f32()
    )?;
    if *beside > 0 {
        writeln!(out, "{beside} of these only by cases that do not cover what the lie breaks")?;
    }
    if *unasked > 0 {
        let why = tested.iter().find_map(|tested| match &tested.came_to {
            CameTo::Unasked(why) => Some(why.as_str()),
            _ => None,
        });
        writeln!(out, "{unasked} could not be told here, as in: {}", why.unwrap_or_default())?;
    }
    Ok(())
}

fn write_json(tested: &[Tested], sum: &Sum, place: &str) -> io::Result<()> {
    let entries: Vec<Value> = tested
        .iter()
        .map(|Tested { lie, came_to, took }| {
            let mut entry = described(lie);
            entry["milliseconds"] = json!(took.as_millis() as u64);
            match came_to {
                CameTo::Caught(record) => {
                    entry["came_to"] = json!("caught");
                    entry["by"] = json!({
                        "case": record.case,
                        "covers_it": lie.is_against(&record.covers),
                        "line": record.steps.last().map(|step| step.line),
                        "step": record.steps.last().map(|step| &step.text),
                        "reason": record.reason,
                    });
                }
                CameTo::Missed { deaf, lost } => {
                    entry["came_to"] = json!("missed");
                    entry["told_in"] = json!(deaf);
                    entry["lost"] = json!(lost);
                }
                CameTo::Unasked(why) => {
                    entry["came_to"] = json!("not-asked");
                    entry["because"] = json!(why);
                }
            }
            entry
        })
        .collect();
    let Sum { caught, beside, missed, unasked } = sum;
    let document = json!({
        "target": place, "caught": caught, "beside": beside, "missed": missed, "not_asked": unasked, "lies": entries,
    });
    writeln!(io::stdout().lock(), "{document:#}")
}
