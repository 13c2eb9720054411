//! Programs that are not ours, none of which outlives the coordinator: not by a fork, not by a `kill -9`.
//!
//! Between the coordinator and the program stands a process of `skc` itself, the guard. It inherits
//! whoever below it loses its parent, and holds one end of a pipe, its lifeline. When the other end is
//! closed, which the kernel does however the coordinator ends, or when the program has ended, the guard
//! ends all that is left below it, and then itself as the program did. Should the guard be killed, the
//! kernel kills the program. What the program is, and what it is for, is not known here.

use std::convert::Infallible;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use command_fds::{CommandFdExt, FdMapping};
use harness::actor::sys::default_signals;
use harness::stage::enclosure::close_all_but;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, close, dup2_stderr, getpid, getppid, pipe2};

/// The argument that makes a guard of `skc`.
const GUARD: &str = "guard";
/// The argument that makes `skc` the program that is guarded.
const GUARDED: &str = "guarded";
/// The exit status of a program that could not be started.
pub const UNSTARTED: u8 = 127;
/// How long a program may take to tidy up once it is told to end.
const GRACE: Duration = Duration::from_millis(500);
/// How long killed processes may take to be gone.
const DEATH: Duration = Duration::from_secs(5);

/// What a guarded program has for input, output and errors.
pub struct Streams {
    /// Its standard input.
    pub input: Stdio,
    /// Its standard output.
    pub output: Stdio,
    /// Its standard error.
    pub errors: Stdio,
}

/// A program under guard. Dropping it ends the program and all that it has started.
pub struct Guarded {
    guard: Child,
    /// Closed to end.
    lifeline: Option<OwnedFd>,
}

impl Guarded {
    /// Starts a program by its words, found as a shell finds it. It has the streams, and the descriptors
    /// under their numbers. `skc` is the file of this program.
    pub fn start(
        skc: &Path,
        words: &[OsString],
        streams: Streams,
        mut descriptors: Vec<FdMapping>,
    ) -> io::Result<Guarded> {
        let (watched, lifeline) = pipe2(OFlag::O_CLOEXEC)?;
        let number = descriptors.iter().map(|mapping| mapping.child_fd).max().unwrap_or(2) + 1;
        descriptors.push(FdMapping { parent_fd: watched, child_fd: number });
        let mut command = Command::new(skc);
        command
            .arg0("skc")
            .args([GUARD, &number.to_string(), "--"])
            .args(words)
            .stdin(streams.input)
            .stdout(streams.output)
            .stderr(streams.errors)
            // What a terminal sends to its foreground is for the coordinator to see to.
            .process_group(0);
        command.fd_mappings(descriptors).map_err(io::Error::other)?;
        let guard = command
            .spawn()
            .map_err(|error| io::Error::other(format!("{} cannot be executed: {error}", skc.display())))?;
        Ok(Guarded { guard, lifeline: Some(lifeline) })
    }

    /// Lets the guard end the program and all that it has started. Does not wait for that.
    pub fn kill(&mut self) {
        self.lifeline = None;
    }

    /// How the program ended, with nothing left of what it had started; `None` if it has not within the
    /// limit.
    pub fn ended(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        let mut pause = Duration::from_micros(100);
        loop {
            match self.guard.try_wait()? {
                None if Instant::now() < deadline => thread::sleep(pause),
                ended => return Ok(ended),
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill();
        if !matches!(self.ended(GRACE + 2 * DEATH), Ok(Some(_))) {
            // It has ended, or cannot end what is below it: a program of another user, say.
            let _ = self.guard.kill();
            let _ = self.guard.wait();
        }
    }
}

/// The guard: starts a program and ends as it does, with nothing left of it. Comes back only if there is
/// nothing to guard.
pub fn stand(lifeline: i32, words: &[OsString]) -> io::Error {
    match guard(lifeline, words) {
        Ok(how) => match how {},
        Err(error) => error,
    }
}

fn guard(lifeline: i32, words: &[OsString]) -> io::Result<Infallible> {
    // An ignored SIGCHLD would leave no child to be awaited.
    default_signals();
    // Opened anew, so that it is this process's alone, and the program does not get it.
    let watched = OwnedFd::from(File::open(format!("/proc/self/fd/{lifeline}"))?);
    close(lifeline)?;
    let signals = SigSet::from_iter([Signal::SIGCHLD, Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP]);
    signals.thread_block()?;
    let signalled = OwnedFd::from(SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC)?);
    prctl::set_child_subreaper(true)?;

    let program = Command::new("/proc/self/exe")
        .arg0("skc")
        .args([GUARDED, &getpid().to_string(), "--"])
        .args(words)
        .spawn()?;
    let program = Pid::from_raw(program.id() as i32);
    // Whoever reads from the program has to see when the program itself closes its end.
    close_all_but(&[watched.as_raw_fd(), signalled.as_raw_fd()]);
    dup2_stderr(File::options().write(true).open("/dev/null")?)?;

    let mut ended = None;
    while ended.is_none() && !is_over(&watched, &signalled)? {
        ended = reap(program).ended;
    }
    if ended.is_none() {
        let _ = kill(program, Signal::SIGTERM);
        ended = await_end(program, GRACE, |_| false);
    }
    // Once a process is dead, its children are this process's, and no number of a child is given to
    // another process before it is reaped: so nothing is killed but what is below.
    let rest = await_end(program, DEATH, |left| {
        for child in children() {
            let _ = kill(child, Signal::SIGKILL);
        }
        left
    });
    end_as(ended.or(rest))
}

/// Waits for a word, and says if it means the end: that nobody holds the lifeline, or a signal to end.
fn is_over(lifeline: &OwnedFd, signalled: &OwnedFd) -> io::Result<bool> {
    const SIGNAL: usize = size_of::<nix::sys::signalfd::siginfo>();
    let mut fds = [
        PollFd::new(lifeline.as_fd(), PollFlags::empty()),
        PollFd::new(signalled.as_fd(), PollFlags::POLLIN),
    ];
    match poll(&mut fds, PollTimeout::NONE) {
        Err(Errno::EINTR) => return Ok(false),
        result => result?,
    };
    if fds[0].any() == Some(true) {
        return Ok(true);
    }
    let mut signals = [0; 4 * SIGNAL];
    let count = nix::unistd::read(signalled, &mut signals)?;
    // The number of the signal comes first in each.
    let number = |signal: &[u8]| signal.first_chunk().map(|number| i32::from_ne_bytes(*number));
    Ok(signals[..count].chunks(SIGNAL).any(|signal| number(signal) != Some(Signal::SIGCHLD as i32)))
}

/// What came of looking for children that have ended.
struct Reaped {
    /// How the program ended, if it was among them.
    ended: Option<WaitStatus>,
    /// If there are others.
    left: bool,
}

fn reap(program: Pid) -> Reaped {
    let mut ended = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return Reaped { ended, left: true },
            Ok(status) if status.pid() == Some(program) => ended = Some(status),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return Reaped { ended, left: false },
        }
    }
}

/// Reaps until the program has ended, or as long as it is told that it is worth it, within a limit.
fn await_end(program: Pid, limit: Duration, mut goes_on: impl FnMut(bool) -> bool) -> Option<WaitStatus> {
    let deadline = Instant::now() + limit;
    let mut ended = None;
    loop {
        let reaped = reap(program);
        ended = ended.or(reaped.ended);
        let waits = goes_on(reaped.left) || ended.is_none() && reaped.left;
        if !waits || Instant::now() >= deadline {
            return ended;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// The children of this process, as /proc has them.
fn children() -> impl Iterator<Item = Pid> {
    let own = getpid();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    processes.filter(move |process| parent_of(*process) == Some(own.as_raw())).map(Pid::from_raw)
}

fn parent_of(process: i32) -> Option<i32> {
    let stat = fs::read(format!("/proc/{process}/stat")).ok()?;
    // The name may hold anything, and ends at the last of these.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    String::from_utf8_lossy(&stat[end + 1..]).split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Ends as the program did.
fn end_as(how: Option<WaitStatus>) -> ! {
    if let Some(WaitStatus::Signaled(_, signal, _)) = how {
        // Nothing below leaves a core, and nor does this.
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
        let _ = SigSet::empty().thread_set_mask();
        // The language's runtime handles some: its handler gives way to the default, which the next one meets.
        let _ = raise(signal).and_then(|()| raise(signal));
    }
    match how {
        Some(WaitStatus::Exited(_, status)) => std::process::exit(status),
        _ => std::process::exit(UNSTARTED.into()),
    }
}

/// Becomes the program, which the kernel kills when the guard ends. Comes back only if it cannot.
pub fn follow(guard: i32, words: &[OsString]) -> io::Error {
    match ready(guard) {
        Err(error) => error,
        Ok(()) => {
            let Some((name, arguments)) = words.split_first() else {
                return io::Error::other("no program is named");
            };
            let error = Command::new(name).args(arguments).exec();
            io::Error::other(format!("{} cannot be started: {error}", name.display()))
        }
    }
}

fn ready(guard: i32) -> io::Result<()> {
    // A core would be a file that stays.
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    // Had the guard died before that, no signal would ever come.
    if getppid().as_raw() != guard {
        return Err(io::Error::other("the guard is gone"));
    }
    Ok(SigSet::empty().thread_set_mask()?)
}
