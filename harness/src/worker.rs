//! A worker: takes cases over a byte stream, gives each a fresh stage, streams records back.
//!
//! Single-threaded. It ends when its input ends, and whatever it has started ends with it.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::value::RawValue;

use crate::actor::life::{self, Side};
use crate::actor::{sys, upcall};
use crate::lie::{self, Liar};
use crate::plan::{Plan, REQUEST_KEY, Resources};
use crate::record::{CaseRecord, Verdict};
use crate::run::{self, Lost, Stage};
use crate::stage::Local;
use crate::stage::blocks::{self, Blocks};
use crate::stage::enclosure::{self, Mapping, Processors};
use crate::stage::files::{self, Helper};
use crate::stage::probe::{self, Found};
use crate::stage::upcalls::Desk;
use crate::target::Ids;
use crate::wire::shared::{Memory, Slot};
use crate::wire::{self, Damage, Order, PROTOCOL, Receiver, Sender};

/// What is said here: records stay text.
type Word = wire::Word<Box<RawValue>>;

/// How long the first look at a target may take.
const LOOK: Duration = Duration::from_secs(10);

/// Serves the coordinator at the other end of the streams until it hangs up. After each case, and before
/// its record is sent, `after` is called, and says if another case can be played here. Of a case that leaves
/// marks no process is left then. Where both see the same memory, what fits there goes that way.
pub fn serve(
    input: OwnedFd,
    output: impl Write,
    shared: Option<Arc<dyn Memory>>,
    mut after: impl FnMut(&Plan) -> bool,
) -> Result<(), Damage> {
    // A signal that whoever started the worker has blocked or ignored could not end an actor either.
    SigSet::empty().thread_set_mask().map_err(|error| Damage::Io(error.to_string()))?;
    sys::default_signals();
    let mut orders = Receiver::new(input, None).sharing(shared.as_ref().map(Slot::of_orders));
    let Order::Hello { protocol, programs, packed } = orders.receive(None)? else {
        return Err(Damage::Message("a case before the greeting".into()));
    };
    let mut words = Sender::new(output, orders.token().unwrap_or_default().to_owned())
        .sharing(shared.as_ref().map(Slot::of_words));
    let mut worker = match (protocol == PROTOCOL).then(|| Worker::new(orders.descriptor(), programs)) {
        None => {
            let reason = format!("the coordinator speaks protocol {protocol} and this worker {PROTOCOL}");
            return words.send(&Word::Refused(reason));
        }
        Some(Err(Lost(reason))) => return words.send(&Word::Refused(reason)),
        Some(Ok((worker, ready))) => {
            words.send(&ready)?;
            if packed {
                words.pack();
            }
            worker
        }
    };
    loop {
        match orders.receive(None) {
            Ok(Order::Play(plan)) => {
                let (record, stage) = worker.play(&plan, orders.descriptor())?;
                // Namespaces take longer to go than to come: neither the coordinator nor the next case
                // waits for them.
                worker.going.extend(stage);
                if plan.stage.marks {
                    worker.reap_all();
                }
                let fit = after(&plan);
                words.send(&Word::Record { record, fit })?;
                worker.reap_gone();
            }
            Ok(Order::End { linger }) => {
                worker.reap_all();
                std::thread::sleep(linger);
                return words.send(&Word::Ended);
            }
            Ok(Order::Hello { .. }) => return Err(Damage::Message("a second greeting".into())),
            Err(Damage::Ended) => {
                worker.reap_all();
                return Ok(());
            }
            Err(damage) => return Err(damage),
        }
    }
}

/// How many stages may still be on their way out when the next one comes.
const GOING: usize = 16;

struct Worker {
    /// Stages that have reported and are to be reaped.
    going: VecDeque<i32>,
    blocks: Option<Blocks>,
    processors: Option<Processors>,
    program: Rc<OwnedFd>,
}

impl Worker {
    /// Claims what cases need, and says what the target has.
    fn new(orders: &OwnedFd, programs: BTreeSet<String>) -> Result<(Worker, Word), Lost> {
        own_proc()?;
        let mut worker = Worker {
            going: VecDeque::new(),
            blocks: Blocks::claim()?,
            processors: Processors::of_this_process(),
            program: Rc::new(own_program()?),
        };
        let ids = if worker.blocks.is_some() { Ids::Block } else { Ids::One };
        let one = Mapping::One { uid: 0, gid: 0 };
        let program = Rc::clone(&worker.program);
        let single = (ids == Ids::One).then_some((0, 0));
        let owned = probe::owns_the_machine();
        let (stage, mut report) = worker.stage(Resources::default(), one, &[], |mut report, entered| {
            let found = match entered {
                Ok(()) => probe::look(&program, single, owned),
                Err(Lost(reason)) => Found::Refused(reason),
            };
            let _ = report.send(&found);
        })?;
        let found = report.receive_unless_hung_up(LOOK, orders.as_fd());
        let _ = kill(Pid::from_raw(stage), Signal::SIGKILL);
        reap(stage);
        match found {
            Ok(Found::Features(features)) => {
                Ok((worker, Word::Ready(Box::new(probe::target(features, ids, programs)))))
            }
            Ok(Found::Refused(reason)) => Err(Lost(reason)),
            Err(damage) => Err(Lost(format!("the first look at the target failed: {damage}"))),
        }
    }

    /// Plays one case on a stage of its own. Gives its record as text, as the stage has written it, and the stage's process
    /// id if it is still to be reaped.
    fn play(&mut self, plan: &Plan, orders: &OwnedFd) -> Result<(Box<RawValue>, Option<i32>), Damage> {
        let broken = |reason| Ok((text(&run::blank(plan, Verdict::Broken, Some(reason)))?, None));
        let (uid, gid) = plan.stage.one.unwrap_or((0, 0));
        let program = Rc::clone(&self.program);
        if let Some(processors) = &self.processors {
            processors.use_all(plan.needs_processors());
        }
        let desk = match self.prepare(plan) {
            Ok(desk) => desk.map(Rc::new),
            Err(Lost(reason)) => return broken(reason),
        };
        let kept: Vec<&OwnedFd> = desk.iter().flat_map(|desk| desk.descriptors()).collect();
        // Read here: a stage may not be let through the folders on the way.
        let helpers: Vec<Helper> = plan.helpers.iter().filter_map(|name| Helper::read(name)).collect();
        let started = self.stage(plan.stage, Mapping::One { uid, gid }, &kept, |mut report, entered| {
            let set = entered.and_then(|()| Local::set(plan, program, &helpers, desk.clone()));
            let record = match set {
                Ok(mut stage) => perform(plan, &mut stage),
                Err(Lost(reason)) => run::blank(plan, Verdict::Broken, Some(reason)),
            };
            let _ = report.send(&record);
        });
        let (stage, mut report) = match started {
            Ok(started) => started,
            Err(Lost(reason)) => return broken(reason),
        };
        match report.receive_unless_hung_up::<Box<RawValue>>(plan.limit, orders.as_fd()) {
            Ok(record) => Ok((with_console(record, report.take_noise())?, Some(stage))),
            Err(damage) => {
                let _ = kill(Pid::from_raw(stage), Signal::SIGKILL);
                let how = reap(stage);
                match damage {
                    Damage::HungUp => Err(Damage::HungUp),
                    Damage::Ended => broken(format!("the stage {how}")),
                    damage => broken(format!("the stage's record was lost: {damage}")),
                }
            }
        }
    }

    /// Makes ready what a case needs of the machine itself.
    fn prepare(&mut self, plan: &Plan) -> Result<Option<Desk>, Lost> {
        let resources = plan.stage;
        if (resources.no_request_key || resources.request_key_program)
            && let Err(error) = fs::remove_file(upcall::PATH)
            && error.kind() != ErrorKind::NotFound
        {
            return Err(Lost(format!("{} cannot be removed: {error}", upcall::PATH)));
        }
        if resources.request_key_program {
            let lost = |error| Lost(format!("{} cannot be replaced: {error}", upcall::PATH));
            symlink(REQUEST_KEY, upcall::PATH).map_err(lost)?;
            files::write(Path::new("/"), &plan.files)?;
        }
        if !resources.answers {
            return Ok(None);
        }
        // Upcalls look for one desk, and one that was meant for another case must not come to it.
        self.reap_all();
        Desk::open().map(Some)
    }

    /// Waits until all stages that have reported are gone.
    fn reap_all(&mut self) {
        self.going.drain(..).for_each(|stage| drop(reap(stage)));
    }

    /// Reaps the stages that are gone, and waits for the oldest if too many are not.
    fn reap_gone(&mut self) {
        self.going.retain(|stage| {
            matches!(waitpid(Pid::from_raw(*stage), Some(WaitPidFlag::WNOHANG)), Ok(WaitStatus::StillAlive))
        });
        if self.going.len() > GOING
            && let Some(oldest) = self.going.pop_front()
        {
            reap(oldest);
        }
    }

    /// Clones a process into fresh namespaces, maps ids for it, and lets it play a part there. Gives
    /// its process id and what it reports on.
    fn stage(
        &mut self,
        resources: Resources,
        one: Mapping,
        kept: &[&OwnedFd],
        part: impl FnOnce(Sender<File>, Result<(), Lost>),
    ) -> Result<(i32, Receiver), Lost> {
        let mapping = match &mut self.blocks {
            _ if resources.initial_user => Mapping::Initial,
            Some(blocks) => Mapping::Block(blocks.take()?),
            None => {
                blocks::await_room()?;
                one
            }
        };
        let token = format!("{:016x}", life::monotonic());
        let (near, far) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
            .map_err(|error| Lost(format!("no channel to the stage: {error}")))?;
        match life::fork(enclosure::namespaces(resources)) {
            Err(error) => Err(Lost(enclosure::why_refused(error))),
            Ok(Side::Parent(stage)) => {
                drop(far);
                let mut near = File::from(near);
                if let Err(lost) = enclosure::map(stage, mapping) {
                    let _ = kill(Pid::from_raw(stage), Signal::SIGKILL);
                    reap(stage);
                    return Err(lost);
                }
                let _ = near.write_all(b"!");
                Ok((stage, Receiver::new(near.into(), Some(token))))
            }
            Ok(Side::Child) => {
                drop(near);
                enclosure::close_all_but(&[&[&far, &*self.program], kept].concat());
                // Nothing may be done before the ids are mapped; and nothing at all if the worker is gone.
                let mut go = [0];
                if nix::unistd::read(&far, &mut go) == Ok(1) {
                    let entered = enclosure::enter(mapping, far.as_fd());
                    part(Sender::new(File::from(far), token), entered);
                }
                life::exit_process(0)
            }
        }
    }
}

/// Plays a plan on a stage, with the lie that it names.
fn perform(plan: &Plan, stage: &mut dyn Stage) -> CaseRecord {
    let Some(name) = &plan.lie else { return run::run(plan, stage) };
    let Some(lie) = lie::find(name) else {
        return run::blank(plan, Verdict::Broken, Some(format!("no lie is called {name}")));
    };
    let mut liar = Liar::new(lie, plan, stage);
    let record = run::run(plan, &mut liar);
    // Who looks for cases that notice nothing wants to know if there was anything to notice.
    let told = (record.verdict == Verdict::Pass && liar.told() > 0)
        .then(|| format!("the lie was told {} times", liar.told()));
    CaseRecord { reason: record.reason.or(told), ..record }
}

/// A record as text.
fn text(record: &CaseRecord) -> Result<Box<RawValue>, Damage> {
    serde_json::value::to_raw_value(record).map_err(|error| Damage::Message(error.to_string()))
}

/// The record with what was printed beside it, which is rare: nothing else needs to be read of it here.
fn with_console(record: Box<RawValue>, noise: Vec<String>) -> Result<Box<RawValue>, Damage> {
    if noise.is_empty() {
        return Ok(record);
    }
    let read = serde_json::from_str::<CaseRecord>(record.get());
    let record = read.map_err(|error| Damage::Message(error.to_string()))?;
    text(&CaseRecord { console: noise, ..record })
}

/// Waits for a stage that is about to end, and says how it did.
fn reap(stage: i32) -> String {
    loop {
        match waitpid(Pid::from_raw(stage), None) {
            Ok(WaitStatus::Exited(_, status)) => return format!("ended with exit status {status}"),
            Ok(WaitStatus::Signaled(_, signal, _)) => return format!("was killed by {signal}"),
            Err(nix::errno::Errno::EINTR) | Ok(_) => {}
            Err(error) => return format!("is lost: {error}"),
        }
    }
}

/// If process ids mean the same in /proc: id maps are written there, and must not be another's.
fn own_proc() -> Result<(), Lost> {
    match std::fs::read_link("/proc/self") {
        Ok(link) if link.as_os_str() == std::process::id().to_string().as_str() => Ok(()),
        Ok(_) => Err(Lost(
            "/proc is that of another pid namespace: mount this one's (unshare --mount-proc)".into(),
        )),
        Err(error) => Err(Lost(format!("/proc cannot be read, and is needed: mount it ({error})"))),
    }
}

/// A descriptor of this very program that anyone may execute: where its file is not for everyone, a
/// copy in memory.
fn own_program() -> Result<OwnedFd, Lost> {
    let lost = |error: std::io::Error| Lost(format!("the program's own file: {error}"));
    let mut file = File::open("/proc/self/exe").map_err(lost)?;
    const FOR_EVERYONE: u32 = 0o005;
    if file.metadata().map_err(lost)?.permissions().mode() & FOR_EVERYONE == FOR_EVERYONE {
        return inheritable(file);
    }
    let memory = nix::sys::memfd::memfd_create(c"skc", nix::sys::memfd::MFdFlags::empty())
        .map_err(|error| Lost(format!("no memory for a copy of the program: {error}")))?;
    let mut copy = File::from(memory);
    std::io::copy(&mut file, &mut copy).map_err(lost)?;
    // Open for writing it could not be executed.
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&copy));
    let reopened = File::open(path).map_err(lost)?;
    inheritable(reopened)
}

fn inheritable(file: File) -> Result<OwnedFd, Lost> {
    let fd = OwnedFd::from(file);
    nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))
        .map_err(|error| Lost(format!("the program's own file: {error}")))?;
    Ok(fd)
}
