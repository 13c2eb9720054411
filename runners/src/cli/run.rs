//! `skc run`: from filters to an exit code.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use harness::case::Case;
use harness::plan::{Plan, plan, programs};
use harness::record::Run as Records;
use harness::record::{CaseRecord, FORMAT, Footer, Header, Part, Standing};
use harness::run::skipped;
use harness::suite::Suite;
use reports::compare::{self, Comparison};
use reports::status::{Merit, Status};
use reports::summary::Summary;
use reports::terminal;
use runners::interrupt::{Stop, on_signals};
use runners::pool::{Event, Pool};

use super::choose::{Order, choose};
use super::files::{self, Folder};
use super::progress::Progress;
use super::render::Render;
use super::rounds::Rounds;
use super::shard::{self, Shard};
use super::targets::{self, Opener, Unopened, Wanted};
use super::{
    Deviations, ENVIRONMENT, FAILED, Format, INTERRUPTED, NOTHING_RAN, Run, Terminal, Trouble, USAGE,
    environment,
};

/// Plays the chosen cases.
pub(super) fn run(args: &Run, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.source.load()?;
    let mut cases = choose(&suite, &args.filters).map_err(Trouble::Usage)?;
    let shard = args.shard.map(|wish| settled(wish, terminal)).transpose()?;
    let part = shard.map(|shard| shard.part(&cases));
    cases.retain(|case| shard.is_none_or(|shard| shard.has(case)));
    let shard_kernels = args.shard_kernels.map(|wish| settled(wish, terminal)).transpose()?;

    let stop = Arc::new(Stop::new().map_err(environment)?);
    on_signals(Arc::clone(&stop), INTERRUPTED.into()).map_err(environment)?;
    let order = args.order.settled();
    if let Order::Random(Some(seed)) = order {
        terminal.note(format_args!("the order is random:{seed}"));
    }
    let wanted = targets::find_some(&args.targets, shard_kernels, terminal, &stop)?;
    let opener = Opener::new(&args.targets, all_programs(&cases), Arc::clone(&stop), terminal);
    let session = Session { order, part, ..Session::new(args, &suite, &cases, &stop, terminal) };
    match wanted.as_slice() {
        [] if shard_kernels.is_none() || stop.is_asked() => Ok(INTERRUPTED),
        [] => {
            terminal.note("there are fewer kernels than shards: this one has none");
            Ok(NOTHING_RAN)
        }
        // One of many has its folder however many fall to this machine.
        [one] if shard_kernels.is_none() => {
            let pool = match opener.open(one) {
                Ok(pool) => pool,
                Err(Unopened::Stopped) => return Ok(INTERRUPTED),
                Err(Unopened::Trouble(why)) => return Err(Trouble::Environment(why)),
            };
            let baseline = session.baseline(args.baseline.as_deref())?;
            let (_, code) = session.test(one, pool, args.report.as_deref(), baseline.as_ref())?;
            Ok(code)
        }
        several => session.test_all(several, &opener),
    }
}

/// The part that is wanted; where nobody has named it, that is said.
fn settled(wish: shard::Wish, terminal: Terminal) -> Result<Shard, Trouble> {
    let (shard, from) = wish.settled()?;
    if let Some(from) = from {
        terminal.note(format_args!("this is shard {shard}, by {from}"));
    }
    Ok(shard)
}

/// One call of `skc run`, whatever it tests.
pub(super) struct Session<'a> {
    args: &'a Run,
    suite: &'a Suite,
    cases: &'a [&'a Case],
    order: Order,
    part: Option<Part>,
    stop: &'a Stop,
    terminal: Terminal,
}

impl<'a> Session<'a> {
    /// Of these cases.
    pub(super) fn new(
        args: &'a Run,
        suite: &'a Suite,
        cases: &'a [&'a Case],
        stop: &'a Stop,
        terminal: Terminal,
    ) -> Session<'a> {
        Session { args, suite, cases, order: args.order, part: None, stop, terminal }
    }

    /// The records that a run is held against.
    fn baseline(&self, path: Option<&Path>) -> Result<Option<Records>, Trouble> {
        let mut baseline = path.map(files::read).transpose()?;
        if let Some(baseline) = &mut baseline {
            // What was not chosen this time has not vanished.
            baseline.cases.retain(|record| {
                self.suite.case(&record.case).is_none_or(|case| self.cases.iter().any(|it| it.id == case.id))
            });
        }
        Ok(baseline)
    }

    /// Plays everything on one target, and gives what came of it and the exit code.
    pub(super) fn test(
        &self,
        wanted: &Wanted,
        pool: Pool,
        report: Option<&Path>,
        baseline: Option<&Records>,
    ) -> Result<(Records, u8), Trouble> {
        let mut book = Book::open(self, wanted, &pool, report)?;
        let plans = book.plan(self.cases)?;
        let result = play(self.args, &pool, &plans, self.order, &mut book);
        // The workers end before anything is said of the run: nothing of it is left when it has an end.
        drop(pool);
        result?;
        book.close(baseline, self.stop.is_asked())
    }

    /// Plays everything on one target after the other. While one is tested, the next is made ready.
    fn test_all(&self, wanted: &[Wanted], opener: &Opener) -> Result<u8, Trouble> {
        if self.args.format != Format::Terminal {
            let advice = "several kernels have no common document: write one for each with --report DIR";
            return Err(Trouble::Usage(advice.into()));
        }
        let mut rows = Vec::new();
        let mut codes = Vec::new();
        let (ready, next) = sync_channel(0);
        thread::scope(|scope| {
            // Nobody takes the next one any more: then there is no need for another.
            scope.spawn(move || {
                wanted.iter().take_while(|wanted| ready.send(opener.open(wanted)).is_ok()).count()
            });
            for (wanted, opened) in wanted.iter().zip(&next) {
                let tested = match opened {
                    Ok(pool) => self.test_one(wanted, pool),
                    Err(Unopened::Stopped) => break,
                    Err(Unopened::Trouble(why)) => Err(Trouble::Environment(why)),
                };
                let came_to = match tested {
                    Ok((records, code)) => {
                        codes.push(code);
                        Ok(records)
                    }
                    Err(Trouble::Output(error)) => return Err(Trouble::Output(error)),
                    Err(trouble) => {
                        let why = trouble.to_string();
                        self.terminal.note(format_args!("{}: {why}", wanted.name));
                        codes.push(ENVIRONMENT);
                        Err(why)
                    }
                };
                rows.push(reports::targets::Row { name: wanted.name.clone(), came_to });
                if self.stop.is_asked() {
                    break;
                }
            }
            // Whoever makes the next one ready finds that nobody waits for it.
            drop(next);
            Ok(())
        })?;
        reports::targets::write(&mut self.terminal.out().lock(), &rows)?;
        let runs: Vec<Records> = rows.into_iter().filter_map(|row| row.came_to.ok()).collect();
        if let Some(folder) = self.args.report.as_ref().filter(|_| !runs.is_empty()) {
            files::finish_all(folder, self.suite, &runs)?;
        }
        Ok(if self.stop.is_asked() { INTERRUPTED } else { worst(&codes) })
    }

    fn test_one(&self, wanted: &Wanted, pool: Pool) -> Result<(Records, u8), Trouble> {
        let below = |path: &PathBuf| path.join(&wanted.name);
        let baseline = self.baseline(self.args.baseline.as_ref().map(below).as_deref())?;
        self.test(wanted, pool, self.args.report.as_ref().map(below).as_deref(), baseline.as_ref())
    }
}

/// The exit code of several runs: a failure is worth more than trouble, and that more than nothing.
fn worst(codes: &[u8]) -> u8 {
    [FAILED, ENVIRONMENT, USAGE, NOTHING_RAN].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
}

/// The foreign programs that cases want to run.
pub(super) fn all_programs(cases: &[&Case]) -> BTreeSet<String> {
    cases.iter().flat_map(|case| programs(case)).collect()
}

fn play(args: &Run, pool: &Pool, plans: &[Plan], order: Order, book: &mut Book) -> Result<(), Trouble> {
    let jobs = args.jobs.map_or_else(|| pool.jobs(), usize::from);
    let all = plans.len() * args.repeat as usize;
    let rounds = (0..args.repeat).flat_map(|round| {
        let mut plans = plans.to_vec();
        order.sort(&mut plans, round);
        if pool.keeps_marks() {
            plans.sort_by_key(|plan| plan.stage.marks);
        }
        plans
    });
    let mut progress = Progress::new(book.terminal, all);
    let mut result = Ok(());
    pool.run(rounds, order.jobs(jobs.min(all)), |event| {
        match event {
            Event::Began(case) => progress.began(case),
            Event::Ended(mut record) => {
                record.standing = book.standing(&record);
                progress.ended(&record);
                let as_expected = !matches!(Status::of(&record).words().merit, Merit::Bad | Merit::Unknown);
                if let Err(trouble) = book.take(record, &progress) {
                    result = Err(trouble);
                    return ControlFlow::Break(());
                }
                if args.fail_fast && !as_expected {
                    return ControlFlow::Break(());
                }
            }
            Event::Tick => {}
        }
        progress.tick();
        ControlFlow::Continue(())
    });
    progress.end();
    result
}

/// Where everything that is learnt of a run goes.
struct Book<'a> {
    suite: &'a Suite,
    deviations: Deviations,
    terminal: Terminal,
    format: Format,
    timeout: std::time::Duration,
    records: Records,
    started: Instant,
    rounds: Rounds,
    render: Render,
    folder: Option<Folder>,
}

impl<'a> Book<'a> {
    fn open(
        session: &Session<'a>,
        wanted: &Wanted,
        pool: &Pool,
        report: Option<&Path>,
    ) -> Result<Book<'a>, Trouble> {
        let Session { args, suite, terminal, .. } = *session;
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let program = env!("CARGO_PKG_VERSION").into();
        let header = Header {
            format: FORMAT,
            program,
            // Not by getrandom(2), for which a machine that has just been booted may have to wait.
            id: format!("{:032x}", fastrand::u128(..)),
            target: pool.target().clone(),
            started,
            cases: session.cases.len(),
            part: session.part.clone(),
            command: Some(repeat(args, wanted)),
        };
        let options = terminal::Options { verbose: args.verbose, repeat: repeat(args, wanted) };
        Ok(Book {
            suite,
            deviations: args.deviations,
            terminal,
            format: args.format,
            timeout: args.timeout,
            folder: report.map(|path| Folder::begin(path, &header)).transpose()?,
            render: Render::begin(args.format, &header, terminal, options)?,
            records: Records { header, cases: Vec::new(), footer: None },
            started: Instant::now(),
            rounds: Rounds::new(args.repeat),
        })
    }

    /// Plans all cases; those that are not to be played are recorded at once.
    fn plan(&mut self, cases: &[&Case]) -> Result<Vec<Plan>, Trouble> {
        let mut plans = Vec::new();
        for case in cases {
            match plan(case, &self.records.header.target, self.timeout) {
                Ok(plan) => plans.push(plan),
                Err(skip) => self.write(skipped(case, skip))?,
            }
        }
        Ok(plans)
    }

    fn standing(&self, record: &CaseRecord) -> Standing {
        match self.deviations {
            Deviations::Recorded => self.suite.standing(record, &self.records.header.target),
            Deviations::None => Standing::Plain,
        }
    }

    fn take(&mut self, record: Box<CaseRecord>, progress: &Progress) -> Result<(), Trouble> {
        match self.rounds.take(record) {
            Some(record) if self.render.shows(&record) => progress.aside(|| self.write(record)),
            Some(record) => self.write(record),
            None => Ok(()),
        }
    }

    fn write(&mut self, record: CaseRecord) -> Result<(), Trouble> {
        if let Some(folder) = &mut self.folder {
            folder.case(&record)?;
        }
        self.render.case(&record)?;
        self.records.cases.push(record);
        Ok(())
    }

    /// Ends all that is written, and gives the records and the exit code.
    fn close(mut self, baseline: Option<&Records>, interrupted: bool) -> Result<(Records, u8), Trouble> {
        let duration = self.started.elapsed();
        let (cases, milliseconds) = (self.records.cases.len(), duration.as_millis() as u64);
        self.records.footer = Some(Footer { cases, milliseconds, interrupted });
        self.records.sort();
        if let Some(folder) = self.folder {
            folder.finish(&self.records, self.suite, duration, interrupted)?;
        }
        self.render.finish(&self.records)?;
        let mut code = Summary::of(&self.records).outcome.exit_code();
        if let Some(baseline) = baseline {
            let comparison = Comparison::of(baseline, &self.records);
            match self.format {
                Format::Terminal => compare::write(&mut self.terminal.out().lock(), &comparison)?,
                _ => compare::write(&mut self.terminal.err().lock(), &comparison)?,
            }
            code = comparison.outcome().exit_code();
        }
        for (case, counts) in self.rounds.changes() {
            self.terminal.note(format_args!("{case} did not come out the same each time: {counts}"));
            code = FAILED;
        }
        Ok((self.records, if interrupted { INTERRUPTED } else { code }))
    }
}

/// The command that plays a case again as it was played here.
fn repeat(args: &Run, wanted: &Wanted) -> String {
    let mut command = "skc run".to_owned();
    if let Some(folder) = &args.source.cases {
        command += &format!(" --cases {}", folder.display());
    }
    if let Some(option) = &wanted.option {
        command += &format!(" {option}");
    }
    if let Some(arguments) = &args.targets.append {
        command += &format!(" --append '{}'", arguments.replace('\'', "'\\''"));
    }
    command
}
