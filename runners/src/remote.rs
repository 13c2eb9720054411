//! One worker as its coordinator sees it: greeted, asked case by case, and lost at the first sign that
//! it cannot be relied on.

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use harness::case::{Act, Step};
use harness::plan::Plan;
use harness::record::{CaseRecord, Standing, Verdict};
use harness::run;
use harness::target::Target;
use harness::wire::shared::Slot;
use harness::wire::{Damage, Order, PROTOCOL, Receiver, Sender, Word};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::console::Complaint;
use crate::interrupt::Stop;
use crate::{Greeted, Life, Link, Runner};

/// How long a worker may take for its first word.
const GREETING: Duration = Duration::from_secs(30);
/// What the way to a worker and back may take beyond the time of the case.
const WAY: Duration = Duration::from_secs(5);
/// How long a worker may leave its orders unread.
const UNREAD: Duration = Duration::from_secs(5);
/// How long a worker that has ended its stream, or that is no longer needed, may take to end.
const FAREWELL: Duration = Duration::from_secs(2);

/// A worker that can be asked.
pub struct Remote {
    orders: Option<Sender<Orders>>,
    words: Receiver,
    life: Box<dyn Life>,
    /// If the worker has a machine of its own: its silence is then that of a kernel.
    machine: bool,
    /// If the worker has seen that what the last case left cannot be put back.
    spent: bool,
}

/// A worker that was greeted and waits for an order, to be copied.
pub struct Template {
    runner: Box<dyn Runner>,
    token: String,
}

impl Template {
    /// A worker that an earlier run has greeted, and what it is on.
    pub fn recalled(runner: Box<dyn Runner>, greeted: Greeted) -> (Template, Target) {
        (Template { runner, token: greeted.token }, greeted.target)
    }

    /// Keeps it for later runs where the runner can.
    pub fn keep(&self, target: &Target) -> io::Result<()> {
        self.runner.keep(&Greeted { token: self.token.clone(), target: target.clone() })
    }

    /// How many copies to let play at a time.
    pub fn jobs(&self) -> usize {
        self.runner.jobs()
    }
}

/// Why there is no worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unstarted {
    /// The worker says that no case can be played there.
    Refused(String),
    /// It could not be started, or did not greet.
    Failed(String),
    /// The run was stopped meanwhile.
    Stopped,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A record that can be relied on.
    Record(Box<CaseRecord>),
    /// The worker is lost and has been killed; the record says how.
    Lost(Box<CaseRecord>),
    /// The run was stopped meanwhile, and the worker has been killed.
    Stopped,
}

impl Remote {
    /// Starts a worker and greets it.
    pub fn start(
        runner: &dyn Runner,
        programs: &BTreeSet<String>,
        stop: &Stop,
    ) -> Result<(Remote, Target), Unstarted> {
        let failed = |what: String| Unstarted::Failed(what);
        let link = runner.start().map_err(|error| failed(format!("it could not be started: {error}")))?;
        let Link { orders, words, shared, life } = link;
        let token = token();
        let orders = Orders::new(orders, stop).map_err(|error| failed(error.to_string()))?;
        let mut remote = Remote {
            orders: Some(Sender::new(orders, token.clone()).sharing(shared.as_ref().map(Slot::of_orders))),
            words: Receiver::new(words, Some(token)).sharing(shared.as_ref().map(Slot::of_words)),
            life,
            machine: runner.has_machines(),
            spent: false,
        };
        let packed = runner.has_machines();
        let hello = Order::Hello { protocol: PROTOCOL, programs: programs.clone(), packed };
        match remote.exchange(&hello, GREETING, stop) {
            Ok(Word::Ready(target)) => {
                remote.pack_if(packed);
                let mut target = Target { place: runner.place(), ..*target };
                if let Some(implementation) = runner.implementation() {
                    target.implementation.clone_from(&implementation.name);
                    target.implementation_version.clone_from(&implementation.version);
                }
                Ok((remote, target))
            }
            Ok(Word::Refused(reason)) => Err(Unstarted::Refused(reason)),
            Ok(Word::Record { .. } | Word::Ended) => Err(failed("it does not answer the greeting".into())),
            Err(_) if stop.is_asked() => Err(Unstarted::Stopped),
            Err(damage) => {
                let how = remote.lose(&damage);
                let said = remote.console();
                let said = said.last().map(|line| format!(" ({})", legible(line))).unwrap_or_default();
                Err(failed(format!("{how}{said}")))
            }
        }
    }

    /// Ends a worker that was greeted, so that others can be copies of it, which need no greeting.
    pub fn freeze(self) -> io::Result<Template> {
        let token = self.words.token().unwrap_or_default().to_owned();
        Ok(Template { runner: self.life.freeze()?, token })
    }

    /// A copy of a worker that was greeted.
    pub fn copy(template: &Template, stop: &Stop) -> io::Result<Remote> {
        const GREETED: u64 = 1;
        let Template { runner, token } = template;
        let Link { orders, words, shared, life } = runner.start()?;
        let orders = Orders::new(orders, stop)?;
        let orders = Sender::new(orders, token.clone()).after(GREETED);
        let words = Receiver::new(words, Some(token.clone())).after(GREETED);
        let mut remote = Remote {
            orders: Some(orders.sharing(shared.as_ref().map(Slot::of_orders))),
            words: words.sharing(shared.as_ref().map(Slot::of_words)),
            life,
            machine: runner.has_machines(),
            spent: false,
        };
        remote.pack_if(remote.machine);
        Ok(remote)
    }

    fn pack_if(&mut self, packed: bool) {
        self.orders.iter_mut().filter(|_| packed).for_each(Sender::pack);
    }

    /// Plays a case. After anything but a record the worker is gone.
    pub fn play(&mut self, plan: &Plan, stop: &Stop) -> Answer {
        let answer = self.exchange(&Order::Play(Box::new(plan.clone())), plan.limit + WAY, stop);
        if stop.is_asked() && !matches!(answer, Ok(Word::Record { .. })) {
            self.life.kill();
            return Answer::Stopped;
        }
        let record = match answer {
            Ok(Word::Record { record, fit }) => match (self.life.complaint(), self.flaw(plan, &record)) {
                (Some(complaint), _) => crash(*record, complaint),
                (None, None) => {
                    self.spent = !fit;
                    return Answer::Record(Box::new(self.with_console(*record)));
                }
                (None, Some(flaw)) => run::blank(plan, Verdict::Broken, Some(flaw)),
            },
            Ok(Word::Ready(_) | Word::Refused(_)) => {
                run::blank(plan, Verdict::Broken, Some("the worker greeted for a second time".into()))
            }
            Ok(Word::Ended) => run::blank(plan, Verdict::Broken, Some("the worker took its leave".into())),
            Err(damage) => {
                let how = self.lose(&damage);
                let verdict = match damage {
                    // Nothing but its kernel stands between the case and the coordinator.
                    Damage::Silent(_) if self.machine => Verdict::Timeout,
                    _ => Verdict::Broken,
                };
                let record = run::blank(plan, verdict, Some(how));
                match self.life.complaint() {
                    Some(complaint) => crash(record, complaint),
                    None => record,
                }
            }
        };
        self.life.kill();
        Answer::Lost(Box::new(self.with_console(record)))
    }

    /// If it is not to play another case.
    pub fn is_spent(&self) -> bool {
        self.spent
    }

    /// Ends a worker in peace and, if it has a machine of its own, gives what the kernel said of itself
    /// until then and for a while after.
    pub fn settle(mut self, linger: Duration, stop: &Stop) -> Option<Complaint> {
        let answer = self.exchange(&Order::End { linger }, linger + WAY, stop);
        if stop.is_asked() {
            return None;
        }
        if !matches!(answer, Ok(Word::Ended)) {
            // How it ended belongs to what is known of it.
            let _ = self.life.ended(FAREWELL);
        }
        self.life.complaint()
    }

    /// Lets the worker end by itself, which it does when nobody can ask it any more.
    pub fn dismiss(mut self) {
        self.orders = None;
        if self.life.ended(FAREWELL).is_none() {
            self.life.kill();
        }
    }

    fn exchange(&mut self, order: &Order, limit: Duration, stop: &Stop) -> Result<Word, Damage> {
        let orders = self.orders.as_mut().ok_or(Damage::Ended)?;
        match orders.send(order) {
            // What it said before it stopped listening says more than that it did.
            Ok(()) | Err(Damage::Ended) => self.words.receive_unless_hung_up(limit, stop.watched()),
            Err(damage) => Err(damage),
        }
    }

    /// What is wrong with a record as the answer to a plan.
    fn flaw(&self, plan: &Plan, record: &CaseRecord) -> Option<String> {
        if record.case != plan.case {
            return Some(format!("the worker sent a record of {}, which it was not asked for", record.case));
        }
        let (told, asked) =
            ((&record.file, &record.title, &record.covers), (&plan.file, &plan.title, &plan.covers));
        if told != asked {
            return Some("the worker's record says of its case what the case does not".into());
        }
        if self.words.has_more() {
            return Some("the worker sent more than one record".into());
        }
        contradiction(plan, record).map(|what| format!("the worker's record contradicts itself: {what}"))
    }

    /// The record with what was printed meanwhile, unless it holds the part that matters already.
    fn with_console(&mut self, mut record: CaseRecord) -> CaseRecord {
        let console = self.console();
        if record.verdict != Verdict::Crash {
            record.console.extend(console);
        }
        record
    }

    fn console(&mut self) -> Vec<String> {
        let mut console = self.words.take_noise();
        console.extend(self.life.console());
        console
    }

    /// Kills the worker; says what had become of it.
    fn lose(&mut self, damage: &Damage) -> String {
        let how = match damage {
            Damage::Ended | Damage::Truncated => {
                let within = if *damage == Damage::Truncated { " within a frame" } else { "" };
                match self.life.ended(FAREWELL) {
                    Some(how) => format!("the worker died{within}: it {how}"),
                    None => format!("the worker closed its stream{within} and lived on"),
                }
            }
            Damage::Silent(limit) => {
                let who = if self.machine { "the machine" } else { "the worker" };
                format!("nothing was heard from {who} for {} s", limit.as_secs_f32())
            }
            damage => damage.to_string(),
        };
        self.life.kill();
        how
    }
}

/// The record of a case that ran when the kernel complained.
fn crash(record: CaseRecord, complaint: Complaint) -> CaseRecord {
    CaseRecord {
        verdict: Verdict::Crash,
        reason: Some(format!("the kernel said: {}", complaint.line)),
        console: complaint.excerpt,
        ..record
    }
}

/// The record of a case after which the kernel complained.
pub(crate) fn crashed_later(record: CaseRecord, complaint: Complaint) -> CaseRecord {
    let mut record = crash(record, complaint);
    if let Some(reason) = &mut record.reason {
        reason.push_str(", after the case had come to its end");
    }
    record
}

/// What a person can be shown of a line that may hold anything.
fn legible(line: &str) -> String {
    const LONGEST: usize = 200;
    let first = || line.chars().take(LONGEST);
    // Terminals are told colours and places by the others.
    let is_odd = |char: &char| {
        *char == char::REPLACEMENT_CHARACTER
            || char.is_control() && !matches!(char, '\t' | '\r' | '\u{8}' | '\u{1b}')
    };
    let odd = first().filter(is_odd).count();
    if odd * 8 > first().count() {
        return "what is no text in UTF-8".into();
    }
    let shown: String = first().flat_map(char::escape_debug).collect();
    if line.chars().nth(LONGEST).is_some() { shown + "..." } else { shown }
}

/// What in a record cannot be: a pass is believed only if every step was seen to have its outcome.
fn contradiction(plan: &Plan, record: &CaseRecord) -> Option<&'static str> {
    if record.standing != Standing::Plain {
        return Some("a worker does not know of deviations");
    }
    let unmet = record.steps.iter().position(|step| !step.met);
    match record.verdict {
        Verdict::Pass if unmet.is_some() => Some("it passed with a failed step"),
        Verdict::Pass if record.steps.len() != judged(&plan.steps) => {
            Some("it passed without all of its steps")
        }
        Verdict::Fail if unmet.is_none() => Some("it failed without a failed step"),
        Verdict::Skip => Some("what is to be skipped is not played"),
        Verdict::Crash => Some("it says that its own kernel is dead"),
        Verdict::Pass | Verdict::Fail | Verdict::Broken | Verdict::Timeout => None,
    }
}

/// How many steps a case has that come to an outcome.
fn judged(steps: &[Step]) -> usize {
    steps
        .iter()
        .map(|step| match &step.act {
            Act::Call { .. } if step.starts.is_some() => 0,
            Act::Together(steps) => steps.len(),
            Act::Call { .. } | Act::Check { .. } | Act::Ends { .. } => 1,
        })
        .sum()
}

/// What no other process can guess, so that frames are known to come from the worker.
///
/// From the standard library's source of random numbers, which never blocks: others wait for the
/// kernel's entropy, and a virtual machine that has just booted may wait for it for ever.
fn token() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

/// The stream to a worker. A write gives up when the worker reads nothing or the run is stopped.
struct Orders {
    out: File,
    stopped: OwnedFd,
}

impl Orders {
    fn new(out: OwnedFd, stop: &Stop) -> io::Result<Orders> {
        let flags = OFlag::from_bits_retain(fcntl(&out, FcntlArg::F_GETFL)?);
        fcntl(&out, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        Ok(Orders { out: File::from(out), stopped: stop.watched().try_clone_to_owned()? })
    }
}

impl Write for Orders {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let deadline = Instant::now() + UNREAD;
        loop {
            match self.out.write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done,
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let timeout = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            let mut fds = [
                PollFd::new(self.out.as_fd(), PollFlags::POLLOUT),
                PollFd::new(self.stopped.as_fd(), PollFlags::empty()),
            ];
            match poll(&mut fds, timeout) {
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) if fds[1].any() == Some(true) => {
                    return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the run was stopped"));
                }
                Ok(0) if left.is_zero() => {
                    let what = format!("the worker read no orders for {} s", UNREAD.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, what));
                }
                Ok(_) => {}
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
