//! Plans to workers: several at a time, each lost worker replaced.
//!
//! A thread for each worker, which only waits for it: with a worker a process of its own, that is all
//! the concurrency that a run needs, and the simplest. All results pass through one channel to the
//! caller's thread, the only one that writes anything.

use std::collections::BTreeSet;
use std::iter::{Peekable, repeat_n};
use std::mem;
use std::ops::ControlFlow;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use harness::plan::Plan;
use harness::record::{CaseRecord, Verdict};
use harness::run;
use harness::target::{Ids, Target};

use crate::Runner;
use crate::console::Complaint;
use crate::interrupt::Stop;
use crate::remote::{Answer, Remote, Template, Unstarted, crashed_later};

/// How many starts in a row may fail before no further one is tried.
const STARTS: u32 = 3;
/// For how long a start is tried again: less than a worker has for its first word, so that what was silent
/// for all of that time is not asked a second time.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a machine goes on after its last case, so that what the kernel does late is seen; and how
/// long if it has played just one.
const LINGER: Duration = Duration::from_millis(200);
const BRIEF_LINGER: Duration = Duration::from_millis(20);
/// How often the caller is woken when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// How many cases are played at a time, and which of those that are left are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jobs {
    /// So many take the first one.
    pub front: usize,
    /// So many the last one: where the first ones are those that mostly wait, somebody has work meanwhile.
    pub back: usize,
}

impl From<usize> for Jobs {
    /// All cases in their order.
    fn from(front: usize) -> Jobs {
        Jobs { front, back: 0 }
    }
}

/// An end of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Front,
    Back,
}

/// The plans that nobody has taken yet; `None` when nobody is to take any more.
type Queue<I> = Mutex<Option<Peekable<I>>>;

/// What happens in a run.
#[derive(Debug)]
pub enum Event {
    /// A case begins.
    Began(String),
    /// A case has come to its record.
    Ended(Box<CaseRecord>),
    /// Time goes by.
    Tick,
}

/// Workers of one runner, all on the same target.
pub struct Pool {
    runner: Box<dyn Runner>,
    programs: BTreeSet<String>,
    stop: Arc<Stop>,
    target: Target,
    /// The greeted worker that all are copies of, where workers can be copied.
    template: Option<Template>,
    /// Greeted workers that nobody uses now.
    idle: Mutex<Vec<Remote>>,
    /// Starts that failed since the last that did not, and why the last one did.
    failures: Mutex<(u32, String)>,
    /// How many threads of a run hold a worker.
    holding: Mutex<usize>,
    /// If every case gets a worker of its own.
    fresh: bool,
    notes: Vec<String>,
}

impl Pool {
    /// Starts the first worker, which tells what the target is.
    pub fn open(
        runner: Box<dyn Runner>,
        programs: BTreeSet<String>,
        stop: Arc<Stop>,
    ) -> Result<Pool, Unstarted> {
        if let Some((copies, greeted)) = runner.recall() {
            let (template, target) = Template::recalled(copies, greeted);
            let mut pool = Pool::of(runner, programs, stop, target);
            pool.template = Some(template);
            return Ok(pool);
        }
        let (begun, mut failures) = (Instant::now(), 0);
        let (first, target) = loop {
            match Remote::start(&*runner, &programs, &stop) {
                Ok(started) => break started,
                Err(Unstarted::Failed(_)) if failures + 1 < STARTS && begun.elapsed() < PATIENCE => {
                    failures += 1
                }
                Err(unstarted) => return Err(unstarted),
            }
        };
        let mut pool = Pool::of(runner, programs, stop, target);
        match pool.runner.can_copy() {
            true => match first.freeze() {
                Ok(frozen) => {
                    if let Err(why) = frozen.keep(&pool.target) {
                        pool.notes.push(format!("later runs will have to boot again: {why}"));
                    }
                    pool.template = Some(frozen);
                }
                Err(why) => {
                    pool.notes.push(format!("each machine is booted, because none can be copied: {why}"));
                }
            },
            false => locked(&pool.idle).push(first),
        }
        Ok(pool)
    }

    /// Without any worker.
    fn of(runner: Box<dyn Runner>, programs: BTreeSet<String>, stop: Arc<Stop>, target: Target) -> Pool {
        Pool {
            runner,
            programs,
            stop,
            target,
            template: None,
            idle: Mutex::default(),
            failures: Mutex::default(),
            holding: Mutex::new(0),
            fresh: false,
            notes: Vec::new(),
        }
    }

    /// What should be known about how workers are made here.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Gives every case a worker of its own: where workers have machines, a machine.
    pub fn fresh(mut self, fresh: bool) -> Pool {
        self.fresh = fresh;
        self
    }

    /// How many cases to play at a time unless somebody knows better. The cases of an ordinary user, who has
    /// no ids to give away, share one quota of keys.
    pub fn jobs(&self) -> usize {
        const OF_ONE_QUOTA: usize = 4;
        let jobs = self.template.as_ref().map_or_else(|| self.runner.jobs(), Template::jobs);
        match self.target.ids {
            Ids::Block => jobs,
            Ids::One => jobs.min(OF_ONE_QUOTA),
        }
    }

    /// If what a case leaves on the machine stays there for the next, because there is no other machine.
    pub fn keeps_marks(&self) -> bool {
        self.runner.is_one_machine()
    }

    /// What the workers test.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Plays one case on a worker of the pool. `None` if the run was stopped.
    pub fn play(&self, plan: &Plan) -> Option<CaseRecord> {
        let mut held = None;
        let record = self.play_on(&mut held, plan);
        locked(&self.idle).extend(held.filter(|remote| !remote.is_spent()));
        record
    }

    /// Plays a case on the worker that is held, or else on one that is held from now on.
    fn play_on(&self, held: &mut Option<Remote>, plan: &Plan) -> Option<CaseRecord> {
        let mut remote = match held.take().map_or_else(|| self.take(), Ok) {
            Ok(remote) => remote,
            Err(Unstarted::Stopped) => return None,
            Err(Unstarted::Refused(why) | Unstarted::Failed(why)) => {
                let reason = format!("no worker can be started: {why}");
                return Some(run::blank(plan, Verdict::Broken, Some(reason)));
            }
        };
        match remote.play(plan, &self.stop) {
            Answer::Record(record) => {
                *held = Some(remote);
                Some(*record)
            }
            Answer::Lost(record) => Some(*record),
            Answer::Stopped => None,
        }
    }

    /// Plays cases, so many at a time, and tells the caller what happens. When the caller
    /// breaks off, what has begun by then comes to its end and nothing else begins.
    pub fn run(
        &self,
        plans: impl DoubleEndedIterator<Item = Plan> + Send,
        jobs: impl Into<Jobs>,
        mut told: impl FnMut(Event) -> ControlFlow<()>,
    ) {
        let queue = Mutex::new(Some(plans.peekable()));
        let (events, happened) = channel();
        let Jobs { front, back } = jobs.into();
        thread::scope(|scope| {
            let ends = repeat_n(End::Front, front).chain(repeat_n(End::Back, back));
            let started = ends.take_while(|end| {
                let (queue, end, events) = (&queue, *end, events.clone());
                thread::Builder::new()
                    .spawn_scoped(scope, move || self.serve(queue, end, events, scope))
                    .is_ok()
            });
            // Where no thread is to be had, the caller's does the work before it looks at what came of it.
            if started.count() == 0 {
                self.serve(&queue, End::Front, events.clone(), scope);
            }
            drop(events);
            loop {
                let event = match happened.recv_timeout(TICK) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout) => Event::Tick,
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                if told(event).is_break() {
                    *locked(&queue) = None;
                }
            }
        });
    }

    fn serve<'scope>(
        &'scope self,
        queue: &Queue<impl DoubleEndedIterator<Item = Plan>>,
        end: End,
        events: Sender<Event>,
        scope: &'scope Scope<'scope, '_>,
    ) {
        let mut held = None;
        let mut tale = Tale { pool: self, events: events.clone(), last: None };
        let mut lingering: Option<ScopedJoinHandle<()>> = None;
        // Each use of the queue is a statement of its own: the lock must be free while a case is played.
        while !self.stop.is_asked() {
            let more = locked(queue).as_mut().is_some_and(|plans| plans.peek().is_some());
            if more && held.is_none() && !self.fresh {
                held = self.take().ok();
                let mut holding = locked(&self.holding);
                match held {
                    Some(_) => *holding += 1,
                    // There is room for fewer than were wanted: they play what this thread cannot.
                    None if *holding > 0 => return,
                    None => {}
                }
            }
            let plan = locked(queue).as_mut().and_then(|plans| match end {
                End::Front => plans.next(),
                End::Back => plans.next_back(),
            });
            let Some(plan) = plan else { break };
            // The receiver lives until all of these threads have ended.
            let _ = events.send(Event::Began(plan.case.clone()));
            if self.fresh {
                match self.play_alone(&plan) {
                    Some(record) => tale.tell(record),
                    None => break,
                }
                continue;
            }
            let held_before = held.is_some();
            let record = self.play_on(&mut held, &plan);
            if held_before != held.is_some() {
                let mut holding = locked(&self.holding);
                *holding = if held_before { *holding - 1 } else { *holding + 1 };
            }
            let Some(record) = record else { break };
            if !self.runner.has_machines() {
                tale.tell(record);
                continue;
            }
            tale.machine_played(plan, record);
            if let Some(remote) = held.take_if(|remote| remote.is_spent() || tale.is_over()) {
                *locked(&self.holding) -= 1;
                // No more than one machine of a thread lingers while the next one plays.
                lingering.take().map(ScopedJoinHandle::join);
                let over = mem::replace(&mut tale, Tale { pool: self, events: events.clone(), last: None });
                lingering = over.linger(remote, scope);
            }
        }
        if let Some(remote) = held {
            *locked(&self.holding) -= 1;
            match self.runner.has_machines() {
                true => tale.machine_ended(remote.settle(LINGER, &self.stop)),
                false => locked(&self.idle).push(remote),
            }
        }
        tale.end();
    }

    /// Plays one case on a worker that plays no other. `None` if the run was stopped.
    fn play_alone(&self, plan: &Plan) -> Option<CaseRecord> {
        let mut held = None;
        let record = self.play_on(&mut held, plan)?;
        match held.and_then(|remote| remote.settle(BRIEF_LINGER, &self.stop)) {
            Some(complaint) => Some(crashed_later(record, complaint)),
            None => Some(record),
        }
    }

    /// A worker: an idle one, or a new one.
    fn take(&self) -> Result<Remote, Unstarted> {
        let idle = locked(&self.idle).pop();
        if let Some(remote) = idle {
            return Ok(remote);
        }
        let begun = Instant::now();
        loop {
            if self.stop.is_asked() {
                return Err(Unstarted::Stopped);
            }
            let (failed, why) = locked(&self.failures).clone();
            if failed >= STARTS || failed > 0 && begun.elapsed() >= PATIENCE {
                return Err(Unstarted::Failed(why));
            }
            let why = match self.make() {
                Ok((remote, target)) if target == self.target => {
                    locked(&self.failures).0 = 0;
                    return Ok(remote);
                }
                Ok((_, target)) => {
                    format!("it is on another target, {} {}", target.implementation, target.release)
                }
                Err(Unstarted::Stopped) => return Err(Unstarted::Stopped),
                Err(Unstarted::Refused(why) | Unstarted::Failed(why)) => why,
            };
            let mut failures = locked(&self.failures);
            *failures = (failures.0 + 1, why);
        }
    }
}

/// What one thread has to tell. A kernel may stumble over a case only when the next one runs, so a record
/// from a machine is told when the machine has come that much further.
struct Tale<'a> {
    pool: &'a Pool,
    events: Sender<Event>,
    /// What the machine has played last, and is not told yet.
    last: Option<(Plan, CaseRecord)>,
}

impl<'a> Tale<'a> {
    fn tell(&self, record: CaseRecord) {
        let _ = self.events.send(Event::Ended(Box::new(record)));
    }

    /// Tells the end of a machine that has played its last case, while its thread goes on with another.
    fn linger<'scope>(
        mut self,
        remote: Remote,
        scope: &'scope Scope<'scope, '_>,
    ) -> Option<ScopedJoinHandle<'scope, ()>>
    where
        'a: 'scope,
    {
        let (sender, receiver) = channel::<(Tale, Remote)>();
        let started = thread::Builder::new().spawn_scoped(scope, move || {
            if let Ok((mut tale, remote)) = receiver.recv() {
                tale.machine_ended(remote.settle(LINGER, &tale.pool.stop));
            }
        });
        match started {
            Ok(thread) => {
                let _ = sender.send((self, remote));
                Some(thread)
            }
            Err(_) => {
                self.machine_ended(remote.settle(LINGER, &self.pool.stop));
                None
            }
        }
    }

    fn end(&mut self) {
        if let Some((_, record)) = self.last.take() {
            self.tell(record);
        }
    }

    /// If the machine is not to play another case.
    fn is_over(&self) -> bool {
        self.last.as_ref().is_some_and(|(_, record)| record.verdict == Verdict::Timeout)
    }

    /// A machine has played a case, or has died of it.
    fn machine_played(&mut self, plan: Plan, record: CaseRecord) {
        match record.verdict {
            Verdict::Crash => self.machine_died(plan, record),
            // A machine that was silent is gone; one that was not has said which step took too long.
            Verdict::Timeout if record.steps.is_empty() => self.machine_died(plan, record),
            _ => {
                self.end();
                self.last = Some((plan, record));
            }
        }
    }

    /// A machine has ended after its last case, in peace or not.
    fn machine_ended(&mut self, complaint: Option<Complaint>) {
        if let Some(complaint) = complaint
            && let Some((plan, record)) = self.last.take()
        {
            self.machine_died(plan, crashed_later(record, complaint));
        }
        self.end();
    }

    /// Finds out which case a machine has died of: the last one, or the one before it. Each plays again
    /// on a machine of its own.
    fn machine_died(&mut self, plan: Plan, died: CaseRecord) {
        let mut found = false;
        if let Some((before, record)) = self.last.take() {
            match self.pool.play_alone(&before) {
                Some(again) if again.verdict == died.verdict => {
                    found = true;
                    self.tell(again);
                }
                _ => self.tell(record),
            }
        }
        let again = self.pool.play_alone(&plan);
        self.tell(match again {
            Some(again) if found || again.verdict == died.verdict => again,
            _ => unconfirmed(died),
        });
    }
}

/// The record of a case that a machine has died of once, and not a second time.
fn unconfirmed(died: CaseRecord) -> CaseRecord {
    let reason = died.reason.unwrap_or_default();
    let reason = Some(format!("{reason} (and not when the case was played again, on a machine of its own)"));
    // What a kernel says of itself it has said; silence may have been the host's.
    let verdict = if died.verdict == Verdict::Crash { Verdict::Crash } else { Verdict::Broken };
    CaseRecord { verdict, reason, ..died }
}

impl Pool {
    /// A new worker that was greeted, or a copy of one.
    fn make(&self) -> Result<(Remote, Target), Unstarted> {
        match &self.template {
            Some(template) => Remote::copy(template, &self.stop)
                .map(|remote| (remote, self.target.clone()))
                .map_err(|error| Unstarted::Failed(format!("a machine could not be copied: {error}"))),
            None => Remote::start(&*self.runner, &self.programs, &self.stop),
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // They end at the same time.
        let idle = std::mem::take(&mut *locked(&self.idle));
        thread::scope(|scope| {
            for remote in idle {
                // Where no thread is to be had, the worker is dropped and so killed.
                let _ = thread::Builder::new().spawn_scoped(scope, || remote.dismiss());
            }
        });
    }
}

/// What a mutex holds. Nothing can panic while one of these is held, and if it did, the value would
/// still be whole.
fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
