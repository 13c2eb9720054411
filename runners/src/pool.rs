//! Plans to workers: several at a time, each lost worker replaced.
//!
//! A thread for each worker, which only waits for it: with a worker a process of its own, that is all
//! the concurrency that a run needs, and the simplest. All results pass through one channel to the
//! caller's thread, the only one that writes anything.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::ops::ControlFlow;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use harness::plan::Plan;
use harness::record::{CaseRecord, Verdict};
use harness::run;
use harness::target::Target;

use crate::Runner;
use crate::interrupt::Stop;
use crate::remote::{Answer, Remote, Unstarted};

/// How many starts in a row may fail before no further one is tried.
const STARTS: u32 = 3;
/// How often the caller is woken when nothing happens.
const TICK: Duration = Duration::from_millis(100);

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
    /// Greeted workers that nobody uses now.
    idle: Mutex<Vec<Remote>>,
    /// Starts that failed since the last that did not, and why the last one did.
    failures: Mutex<(u32, String)>,
    /// How many threads of a run hold a worker.
    holding: Mutex<usize>,
}

impl Pool {
    /// Starts the first worker, which tells what the target is.
    pub fn open(
        runner: Box<dyn Runner>,
        programs: BTreeSet<String>,
        stop: Arc<Stop>,
    ) -> Result<Pool, Unstarted> {
        let mut failures = 0;
        let (first, target) = loop {
            match Remote::start(&*runner, &programs, &stop) {
                Ok(started) => break started,
                Err(Unstarted::Failed(_)) if failures + 1 < STARTS => failures += 1,
                Err(unstarted) => return Err(unstarted),
            }
        };
        let (idle, failures) = (Mutex::new(vec![first]), Mutex::new((0, String::new())));
        Ok(Pool { runner, programs, stop, target, idle, failures, holding: Mutex::new(0) })
    }

    /// How many cases to play at a time unless somebody knows better.
    pub fn jobs(&self) -> usize {
        self.runner.jobs()
    }

    /// What the workers test.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Plays one case on a worker of the pool. `None` if the run was stopped.
    pub fn play(&self, plan: &Plan) -> Option<CaseRecord> {
        let mut held = None;
        let record = self.play_on(&mut held, plan);
        locked(&self.idle).extend(held);
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

    /// Plays cases in their order, so many at a time, and tells the caller what happens. When the caller
    /// breaks off, what has begun by then comes to its end and nothing else begins.
    pub fn run(
        &self,
        plans: impl Iterator<Item = Plan> + Send,
        jobs: usize,
        mut told: impl FnMut(Event) -> ControlFlow<()>,
    ) {
        let queue = Mutex::new(Some(plans.peekable()));
        let (events, happened) = channel();
        thread::scope(|scope| {
            let started = (0..jobs.max(1)).take_while(|_| {
                let (queue, events) = (&queue, events.clone());
                thread::Builder::new().spawn_scoped(scope, move || self.serve(queue, &events)).is_ok()
            });
            // Where no thread is to be had, the caller's does the work before it looks at what came of it.
            if started.count() == 0 {
                self.serve(&queue, &events);
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

    fn serve(&self, queue: &Mutex<Option<Peekable<impl Iterator<Item = Plan>>>>, events: &Sender<Event>) {
        let mut held = None;
        // Each use of the queue is a statement of its own: the lock must be free while a case is played.
        while !self.stop.is_asked() {
            let more = locked(queue).as_mut().is_some_and(|plans| plans.peek().is_some());
            if more && held.is_none() {
                held = self.take().ok();
                let mut holding = locked(&self.holding);
                match held {
                    Some(_) => *holding += 1,
                    // There is room for fewer than were wanted: they play what this thread cannot.
                    None if *holding > 0 => return,
                    None => {}
                }
            }
            let Some(plan) = locked(queue).as_mut().and_then(Iterator::next) else { break };
            // The receiver lives until all of these threads have ended.
            let _ = events.send(Event::Began(plan.case.clone()));
            let held_before = held.is_some();
            let record = self.play_on(&mut held, &plan);
            if held_before != held.is_some() {
                let mut holding = locked(&self.holding);
                *holding = if held_before { *holding - 1 } else { *holding + 1 };
            }
            let Some(record) = record else { break };
            let _ = events.send(Event::Ended(Box::new(record)));
        }
        if held.is_some() {
            *locked(&self.holding) -= 1;
        }
        locked(&self.idle).extend(held);
    }

    /// A worker: an idle one, or a new one.
    fn take(&self) -> Result<Remote, Unstarted> {
        let idle = locked(&self.idle).pop();
        if let Some(remote) = idle {
            return Ok(remote);
        }
        loop {
            if self.stop.is_asked() {
                return Err(Unstarted::Stopped);
            }
            let (failed, why) = locked(&self.failures).clone();
            if failed >= STARTS {
                return Err(Unstarted::Failed(why));
            }
            let why = match Remote::start(&*self.runner, &self.programs, &self.stop) {
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
