//! A worker: takes cases over a byte stream, gives each a fresh stage, streams records back.
//!
//! Single-threaded. It ends when its input ends, and whatever it has started ends with it.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::actor::life::{self, Arenas, Side};
use crate::actor::turn::{self, Stack, Turn};
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
/// its record is sent, `after` is called with the case's plan and if this worker is still sound, and says if another
/// case can be played here. Of a case that leaves marks no process is left then. Where both see the same memory, what
/// fits there goes that way. If it `lends` its own memory to stages, cases cost a good part less; but whoever a case lets
/// look into an actor may look into the worker then. So that is for machines of the run's own.
pub fn serve(
    input: OwnedFd,
    output: impl Write,
    shared: Option<Arc<dyn Memory>>,
    lends: bool,
    mut after: impl FnMut(&Plan, bool) -> bool,
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
    let mut worker = match (protocol == PROTOCOL).then(|| Worker::new(orders.descriptor(), programs, lends)) {
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
    let mut has_played = false;
    loop {
        match orders.receive(None) {
            Ok(Order::Play(plan)) => {
                if lends && !mem::replace(&mut has_played, true) {
                    reseed();
                }
                // Namespaces take longer to go than to come: neither the coordinator nor the next case waits for
                // those of a stage that has reported.
                let Played { record, sound } = worker.play(&plan, orders.descriptor())?;
                if plan.stage.marks {
                    worker.reap_all();
                }
                let fit = after(&plan, sound);
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

/// Has the kernel make random numbers of its own: of machines that are copies, all would have the same serial numbers of
/// keys. Before Linux 4.14 they do.
fn reseed() {
    /// Of linux/random.h.
    const RNDRESEEDCRNG: i64 = 0x5207;
    if let Ok(random) = File::open("/dev/urandom") {
        let _ = sys::plain(libc::SYS_ioctl, &[random.as_raw_fd().into(), RNDRESEEDCRNG]);
    }
}

/// How many stages may still be on their way out when the next one comes.
const GOING: usize = 16;

struct Worker {
    /// Stages that have reported and are to be reaped.
    going: VecDeque<Going>,
    /// Memory for stages that share the worker's: none, if none does here.
    grounds: Option<Vec<Ground>>,
    blocks: Option<Blocks>,
    processors: Option<Processors>,
    program: Rc<OwnedFd>,
}

/// Memory for a stage that shares the worker's.
struct Ground {
    stack: Stack,
    /// For its actors.
    arenas: Arenas,
}

impl Ground {
    fn new() -> Result<Ground, Lost> {
        let stack = Stack::new().map_err(|error| Lost(format!("no memory for a stage: {error}")))?;
        Ok(Ground { stack, arenas: Arenas::default() })
    }
}

/// A stage on its way out.
struct Going {
    process: i32,
    /// What it plays on, if that is the worker's memory.
    ground: Option<Ground>,
}

/// Why nothing was heard from a stage, which is reaped.
enum Silence {
    /// For this reason.
    Lost(String),
    /// For this reason, and it has shared the worker's memory, which is not to be relied on any more.
    Torn(String),
    /// The coordinator has hung up.
    HungUp,
}

impl From<Lost> for Silence {
    fn from(Lost(reason): Lost) -> Silence {
        Silence::Lost(reason)
    }
}

impl From<Errno> for Silence {
    fn from(error: Errno) -> Silence {
        Silence::Lost(enclosure::why_refused(error))
    }
}

/// What came of a case.
struct Played {
    /// Its record as text, as the stage has written it.
    record: Box<RawValue>,
    /// If another case can be played by this worker.
    sound: bool,
}

impl Worker {
    /// Claims what cases need, and says what the target has.
    fn new(orders: &OwnedFd, programs: BTreeSet<String>, lends: bool) -> Result<(Worker, Word), Lost> {
        own_proc()?;
        let owned = probe::owns_the_machine();
        let mut worker = Worker {
            going: VecDeque::new(),
            grounds: None,
            blocks: Blocks::claim()?,
            processors: Processors::of_this_process(),
            program: Rc::new(own_program()?),
        };
        let ids = if worker.blocks.is_some() { Ids::Block } else { Ids::One };
        let single = (ids == Ids::One).then_some((0, 0));
        let mut look = |grounds: Option<Vec<Ground>>| {
            worker.grounds = grounds;
            let one = Mapping::One { uid: 0, gid: 0 };
            let program = Rc::clone(&worker.program);
            let look = |_: &mut Arenas, entered| match entered {
                Ok(()) => probe::look(&program, single, owned),
                Err(Lost(reason)) => Found::Refused(reason),
            };
            worker.stage(Resources::default(), one, &[], LOOK, orders.as_fd(), look)
        };
        // Not every kernel makes processes that share memory and are no threads.
        let found = match look(lends.then(Vec::new)) {
            Err(Silence::Lost(_)) if lends => look(None),
            found => found,
        };
        worker.reap_all();
        match found {
            Ok((Found::Features(features), _)) => {
                Ok((worker, Word::Ready(Box::new(probe::target(features, ids, programs)))))
            }
            Ok((Found::Refused(reason), _)) => Err(Lost(reason)),
            Err(Silence::Lost(reason) | Silence::Torn(reason)) => {
                Err(Lost(format!("the first look at the target failed: {reason}")))
            }
            Err(Silence::HungUp) => Err(Lost(Damage::HungUp.to_string())),
        }
    }

    /// Plays one case on a stage of its own.
    fn play(&mut self, plan: &Plan, orders: &OwnedFd) -> Result<Played, Damage> {
        let broken = |reason, sound| {
            Ok(Played { record: text(&run::blank(plan, Verdict::Broken, Some(reason)))?, sound })
        };
        let (uid, gid) = plan.stage.one.unwrap_or((0, 0));
        let program = Rc::clone(&self.program);
        if let Some(processors) = &self.processors {
            processors.use_all(plan.needs_processors());
        }
        let desk = match self.prepare(plan) {
            Ok(desk) => desk.map(Rc::new),
            Err(Lost(reason)) => return broken(reason, true),
        };
        let kept: Vec<&OwnedFd> = desk.iter().flat_map(|desk| desk.descriptors()).collect();
        // Read here: a stage may not be let through the folders on the way.
        let helpers: Vec<Helper> = plan.helpers.iter().filter_map(|name| Helper::read(name)).collect();
        let one = Mapping::One { uid, gid };
        let part = |arenas: &mut Arenas, entered: Result<(), Lost>| {
            let set = entered.and_then(|()| Local::set(plan, program, &helpers, desk.clone(), arenas));
            let record = match set {
                Ok(mut stage) => perform(plan, &mut stage),
                Err(Lost(reason)) => run::blank(plan, Verdict::Broken, Some(reason)),
            };
            text(&record).map_err(|damage| damage.to_string())
        };
        match self.stage(plan.stage, one, &kept, plan.limit, orders.as_fd(), part) {
            Ok((Ok(record), noise)) => Ok(Played { record: with_console(record, noise)?, sound: true }),
            Ok((Err(reason), _)) | Err(Silence::Lost(reason)) => broken(reason, true),
            Err(Silence::Torn(reason)) => broken(reason, false),
            Err(Silence::HungUp) => Err(Damage::HungUp),
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
        while let Some(going) = self.going.pop_front() {
            turn::reap(going.process);
            self.give_back(going.ground);
        }
    }

    /// Reaps the stages that are gone, and waits for the oldest if too many are not.
    fn reap_gone(&mut self) {
        let still = |going: &Going| {
            let gone = waitpid(Pid::from_raw(going.process), Some(WaitPidFlag::WNOHANG));
            matches!(gone, Ok(WaitStatus::StillAlive))
        };
        let (still, gone): (Vec<Going>, Vec<Going>) = self.going.drain(..).partition(still);
        self.going = still.into();
        gone.into_iter().for_each(|going| self.give_back(going.ground));
        if self.going.len() > GOING
            && let Some(oldest) = self.going.pop_front()
        {
            turn::reap(oldest.process);
            self.give_back(oldest.ground);
        }
    }

    /// A stage is reaped, and with it its pid namespace is gone: nobody uses its ground.
    fn give_back(&mut self, ground: Option<Ground>) {
        if let (Some(grounds), Some(mut ground)) = (&mut self.grounds, ground) {
            ground.arenas.clear();
            grounds.push(ground);
        }
    }

    /// Clones a process into fresh namespaces, maps ids for it, and lets it play a part there. Gives what came of that,
    /// and what was printed beside it.
    fn stage<T: Serialize + DeserializeOwned>(
        &mut self,
        resources: Resources,
        one: Mapping,
        kept: &[&OwnedFd],
        limit: Duration,
        watched: BorrowedFd,
        part: impl FnOnce(&mut Arenas, Result<(), Lost>) -> T,
    ) -> Result<(T, Vec<String>), Silence> {
        let mapping = match &mut self.blocks {
            _ if resources.initial_user => Mapping::Initial,
            Some(blocks) => Mapping::Block(blocks.take()?),
            None => {
                blocks::await_room()?;
                one
            }
        };
        let flags = enclosure::namespaces(resources);
        let kept: Vec<RawFd> =
            [&[&*self.program], kept].concat().into_iter().map(AsRawFd::as_raw_fd).collect();
        let ground = match &mut self.grounds {
            Some(grounds) if !resources.apart => Some(match grounds.pop() {
                Some(ground) => ground,
                None => Ground::new()?,
            }),
            _ => None,
        };
        let Some(mut ground) = ground else {
            let (result, noise, process) = apart(flags, mapping, &kept, limit, watched, part)?;
            self.going.push_back(Going { process, ground: None });
            return Ok((result, noise));
        };
        let line = UnixStream::pair().map_err(|error| Lost(format!("no channel to the stage: {error}")))?;
        let Ground { stack, arenas } = &mut ground;
        let played = turn::lend(
            flags,
            stack,
            line,
            limit,
            watched,
            |stage| enclosure::map(stage, mapping).map_err(Silence::from),
            |line| {
                enclosure::close_all_but(&[&[line.as_raw_fd()], kept.as_slice()].concat());
                part(arenas, enclosure::enter(mapping, line))
            },
        );
        let silence = match played {
            Ok(Turn::Played(result, process)) => {
                self.going.push_back(Going { process, ground: Some(ground) });
                return Ok((result, Vec::new()));
            }
            Ok(Turn::Ended(how)) => Silence::Torn(format!("the stage {}", told(how))),
            Ok(Turn::Late) => Silence::Torn(lost_record(Damage::Silent(limit))),
            Ok(Turn::HungUp) => Silence::HungUp,
            Err(silence) => silence,
        };
        self.give_back(Some(ground));
        Err(silence)
    }
}

/// A stage with memory of its own, its report and what was printed beside it. It is still to be reaped.
fn apart<T: Serialize + DeserializeOwned>(
    flags: i32,
    mapping: Mapping,
    kept: &[RawFd],
    limit: Duration,
    watched: BorrowedFd,
    part: impl FnOnce(&mut Arenas, Result<(), Lost>) -> T,
) -> Result<(T, Vec<String>, i32), Silence> {
    let token = format!("{:016x}", life::monotonic());
    let (near, far) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)
        .map_err(|error| Lost(format!("no channel to the stage: {error}")))?;
    let stage = match life::fork(flags)? {
        Side::Parent(stage) => stage,
        Side::Child => {
            drop(near);
            enclosure::close_all_but(&[&[far.as_raw_fd()], kept].concat());
            // Nothing may be done before the ids are mapped; and nothing at all if the worker is gone.
            let mut go = [0];
            if nix::unistd::read(&far, &mut go) == Ok(1) {
                let entered = enclosure::enter(mapping, far.as_fd());
                // Never given back: actors in it may outlive the part.
                let mut arenas = Arenas::default();
                let result = part(&mut arenas, entered);
                let _ = Sender::new(File::from(far), token).send(&result);
            }
            life::exit_process(0)
        }
    };
    drop(far);
    let end = || {
        let _ = kill(Pid::from_raw(stage), Signal::SIGKILL);
        turn::reap(stage)
    };
    let mut near = File::from(near);
    if let Err(lost) = enclosure::map(stage, mapping) {
        end();
        return Err(lost.into());
    }
    let _ = near.write_all(b"!");
    let mut report = Receiver::new(near.into(), Some(token));
    match report.receive_unless_hung_up(limit, watched) {
        Ok(result) => Ok((result, report.take_noise(), stage)),
        Err(damage) => {
            let how = end();
            Err(match damage {
                Damage::HungUp => Silence::HungUp,
                Damage::Ended => Silence::Lost(format!("the stage {}", told(how))),
                damage => Silence::Lost(lost_record(damage)),
            })
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

fn lost_record(damage: Damage) -> String {
    format!("the stage's record was lost: {damage}")
}

/// How a stage has ended, after its name.
fn told(how: WaitStatus) -> String {
    match how {
        WaitStatus::Exited(_, status) => format!("ended with exit status {status}"),
        WaitStatus::Signaled(_, signal, _) => format!("was killed by {signal}"),
        other => format!("is lost: {other:?}"),
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
    let path = format!("/proc/self/fd/{}", copy.as_raw_fd());
    let reopened = File::open(path).map_err(lost)?;
    inheritable(reopened)
}

fn inheritable(file: File) -> Result<OwnedFd, Lost> {
    let fd = OwnedFd::from(file);
    nix::fcntl::fcntl(&fd, nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty()))
        .map_err(|error| Lost(format!("the program's own file: {error}")))?;
    Ok(fd)
}
