//! Machines that are processes here, whatever program runs them: each has a guest with a port and a console,
//! and is followed until the guest is ready. How such a program is told what to run is not known here.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use command_fds::FdMapping;
use harness::wire::shared::Memory;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::console::{Complaint, Console, complaint};
use crate::guard::{Guarded, Streams};
use crate::guest::{HEARD, READY, SHARES, UNFIT};
use crate::interrupt::Stop;
use crate::local::describe;
use crate::remote::Unstarted;
use crate::{Life, Link, Runner};

/// How often a boot is tried: a kernel that is emulated may well fail one in seven by itself.
const BOOTS: u32 = 3;
/// The program that guards the others: this one.
const SKC: &str = "/proc/self/exe";
/// How many last lines of a console tell why a boot failed.
const TAIL: usize = 8;
/// How long the rest of a program that has closed the port may take to end.
const END: Duration = Duration::from_secs(5);

/// Descriptors that every program inherits, by the numbers that its command line uses. Those from [`fd::FREE`]
/// on are its own.
pub(crate) mod fd {
    /// The guest's port to the coordinator: a socket.
    pub(crate) const PORT: i32 = 3;
    /// Where the guest's kernel prints: a file.
    pub(crate) const CONSOLE: i32 = 4;
    /// The initramfs: a file.
    pub(crate) const INITRAMFS: i32 = 5;
    /// The first that is not used.
    pub(crate) const FREE: i32 = 6;
}

/// A program that runs guests.
#[derive(Debug)]
pub(crate) struct Program {
    /// Its name, as a shell finds it.
    pub(crate) file: &'static str,
    /// Its name for people.
    pub(crate) name: &'static str,
    /// The package of Debian that holds it.
    pub(crate) package: &'static str,
    /// If it is the kernel itself: what it prints is the console's.
    pub(crate) is_kernel: bool,
    /// What to look at where a guest says nothing at all.
    pub(crate) silence: &'static str,
    /// What it may say itself though nothing is wrong with it.
    pub(crate) harmless: &'static [&'static str],
    /// What it or its console says where no boot can succeed, and why it cannot.
    pub(crate) hopeless: &'static [(&'static str, &'static str)],
}

impl Program {
    /// Where it is. Whoever guards it would only say that it could not be started.
    pub(crate) fn place(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).map(|folder| folder.join(self.file)).find(|file| file.is_file())
    }
}

/// Why a guest is not ready.
#[derive(Debug)]
pub(crate) enum Unready {
    /// The guest says why no case can be played in it.
    Unfit(String),
    /// The boot failed; another may not.
    Failed(String),
    /// The boot failed, and another would as well.
    Hopeless(String),
    /// The run was stopped meanwhile.
    Stopped,
}

impl From<io::Error> for Unready {
    fn from(error: io::Error) -> Unready {
        Unready::Hopeless(error.to_string())
    }
}

/// Boots until a guest waits for orders, or until it has failed too often. `failed` is what came of a first try.
pub(crate) fn boot<T>(
    failed: Option<Unready>,
    mut attempt: impl FnMut() -> Result<T, Unready>,
) -> Result<T, Unstarted> {
    let mut tries = u32::from(failed.is_some());
    let mut last = failed;
    loop {
        match last {
            Some(Unready::Stopped) => return Err(Unstarted::Stopped),
            Some(Unready::Unfit(why)) => return Err(Unstarted::Refused(why)),
            Some(Unready::Hopeless(why)) => return Err(Unstarted::Failed(why)),
            Some(Unready::Failed(why)) if tries >= BOOTS => {
                return Err(Unstarted::Failed(format!("{tries} boots failed; in the last one {why}")));
            }
            Some(Unready::Failed(_)) | None => {}
        }
        tries += 1;
        match attempt() {
            Ok(booted) => return Ok(booted),
            Err(unready) => last = Some(unready),
        }
    }
}

/// Why a runner has no worker to give.
pub(crate) fn unstarted(unstarted: Unstarted) -> io::Error {
    io::Error::other(match unstarted {
        Unstarted::Stopped => "the run was stopped".into(),
        Unstarted::Refused(why) | Unstarted::Failed(why) => why,
    })
}

/// A machine that waits costs no processor: more than there are processors, of which so many play meanwhile.
pub(crate) fn jobs() -> usize {
    2 * processors() + 1
}

/// How many processors there are for machines.
pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// A file in memory with this content.
pub(crate) fn in_memory(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"initramfs", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(content)?;
    Ok(file)
}

/// A process that runs one guest. Dropping it kills.
pub(crate) struct Process {
    about: &'static Program,
    program: Guarded,
    port: UnixStream,
    /// Where the guest's kernel prints.
    console: Console,
    /// Where the program itself does, if that is another place.
    words: Console,
    /// If what the guest's kernel prints is known to come here.
    pub(crate) heard: bool,
    /// If the guest has found the memory that it is to share.
    pub(crate) shares: bool,
}

impl Process {
    /// Starts a program, which gets the descriptors of [`fd`] and those given.
    pub(crate) fn start(
        about: &'static Program,
        arguments: &[OsString],
        initramfs: &File,
        mut descriptors: Vec<FdMapping>,
    ) -> io::Result<Process> {
        let Program { file, package, .. } = about;
        if about.place().is_none() {
            return Err(io::Error::other(format!(
                "{file} is not installed: it is in Debian's package {package}"
            )));
        }
        let (port, far_port) = UnixStream::pair()?;
        let console = Console::new()?;
        let words = Console::new()?;
        descriptors.extend([
            FdMapping { parent_fd: far_port.into(), child_fd: fd::PORT },
            FdMapping { parent_fd: console.descriptor().try_clone_to_owned()?, child_fd: fd::CONSOLE },
            FdMapping { parent_fd: initramfs.as_fd().try_clone_to_owned()?, child_fd: fd::INITRAMFS },
        ]);
        let said = if about.is_kernel { &console } else { &words };
        let streams = Streams {
            input: Stdio::null(),
            output: said.descriptor().try_clone_to_owned()?.into(),
            errors: said.descriptor().try_clone_to_owned()?.into(),
        };
        let mut command = vec![OsString::from(file)];
        command.extend_from_slice(arguments);
        let program = Guarded::start(Path::new(SKC), &command, streams, descriptors)?;
        Ok(Process { about, program, port, console, words, heard: false, shares: false })
    }

    /// Waits for the guest to say that it is ready.
    /// Any of the stops ends it early.
    pub(crate) fn await_ready(&mut self, deadline: Instant, stops: [&Stop; 2]) -> Result<(), Unready> {
        let mut heard = Vec::new();
        loop {
            while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = heard.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end();
                if line == READY || line == SHARES {
                    self.shares = line == SHARES;
                    // What was printed up to here is about the boot.
                    self.heard = self.console.news().iter().any(|line| line.contains(HEARD));
                    return Ok(());
                }
                if let Some(why) = line.strip_prefix(UNFIT) {
                    return Err(Unready::Unfit(why.to_owned()));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(self.slow());
            }
            let timeout = PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            let mut fds = [
                PollFd::new(self.port.as_fd(), PollFlags::POLLIN),
                PollFd::new(stops[0].watched(), PollFlags::empty()),
                PollFd::new(stops[1].watched(), PollFlags::empty()),
            ];
            match poll(&mut fds, timeout) {
                Err(nix::errno::Errno::EINTR) | Ok(0) => continue,
                Err(error) => return Err(io::Error::from(error).into()),
                Ok(_) if fds[1..].iter().any(|stop| stop.any() == Some(true)) => {
                    return Err(Unready::Stopped);
                }
                Ok(_) => {}
            }
            let mut chunk = [0; 4096];
            match self.port.read(&mut chunk) {
                Ok(count) if count > 0 => heard.extend_from_slice(&chunk[..count]),
                _ => return Err(self.gone()),
            }
        }
    }

    /// Why a guest that says nothing says nothing.
    fn slow(&mut self) -> Unready {
        self.kill();
        match tail(&self.console.news()) {
            // A second boot would be as silent, and cost as much time.
            None => Unready::Hopeless(format!("the guest said nothing at all: {}", self.about.silence)),
            Some(tail) => {
                Unready::Failed(format!("the guest did not get ready in time; its console ends:{tail}"))
            }
        }
    }

    /// Why a program that is gone is gone.
    fn gone(&mut self) -> Unready {
        let name = self.about.name;
        let how = match self.ended(END) {
            Some((_, how)) => format!("{name} {how} before the guest was ready"),
            None => format!("{name} closed the guest's port"),
        };
        let (words, lines) = (self.words(), self.console.news());
        let known = |(said, _): &&(&str, &str)| words.iter().chain(&lines).any(|line| line.contains(said));
        if let Some((_, why)) = self.about.hopeless.iter().find(known) {
            return Unready::Hopeless(format!("{how}: {why}"));
        }
        if let Some(line) = words.last() {
            return Unready::Hopeless(format!("{how}: {line}"));
        }
        match tail(&lines) {
            Some(tail) => Unready::Failed(format!("{how}; the console ends:{tail}")),
            None => Unready::Failed(format!("{how}, and the guest said nothing: {}", self.about.silence)),
        }
    }

    /// What the program has said itself that may tell why it is gone.
    fn words(&mut self) -> Vec<String> {
        let mut words = self.words.news();
        words.retain(|line| !self.about.harmless.iter().any(|harmless| line.contains(harmless)));
        words
    }

    fn kill(&mut self) {
        self.program.kill();
    }

    /// How it ended, if it has within the limit.
    pub(crate) fn ended(&mut self, limit: Duration) -> Option<(Option<ExitStatus>, String)> {
        match self.program.ended(limit) {
            Ok(None) => None,
            Ok(Some(status)) => Some((Some(status), describe(status))),
            Err(error) => Some((None, format!("is lost: {error}"))),
        }
    }
}

/// The end of a console, or what its kernel stumbled over: that says more than what came of it.
fn tail(lines: &[String]) -> Option<String> {
    let lines: Vec<String> = lines.iter().filter(|line| !line.is_empty()).cloned().collect();
    let tail = match complaint(&lines) {
        Some(complaint) => complaint.excerpt.into_iter().take(TAIL).collect(),
        None => lines[lines.len().saturating_sub(TAIL)..].to_vec(),
    };
    let advice = ADVICE.iter().find(|(said, _)| lines.iter().any(|line| line.contains(said)));
    let advice = advice.map(|(_, advice)| format!("\n  {advice}"));
    (!tail.is_empty()).then(|| tail.iter().map(|line| format!("\n    {line}")).chain(advice).collect())
}

/// What a kernel says that cannot boot, and what may be the reason.
const ADVICE: [(&str, &str); 4] = [
    ("System is deadlocked on memory", "It may have too little memory: --memory gives more"),
    ("Out of memory", "It may have too little memory: --memory gives more"),
    ("Initramfs unpacking failed", NO_INIT),
    ("Unable to mount root fs", NO_INIT),
];
const NO_INIT: &str = "It has not got its init: it may have too little memory (--memory gives more), be without \
                       CONFIG_BLK_DEV_INITRD, or be told of another init by --append";

/// Makes copies of the guest in a process, which waits for an order.
pub(crate) type Copier = Box<dyn FnOnce(Process) -> io::Result<Box<dyn Runner>> + Send>;

/// A worker in a guest that is ready, and the memory that both see.
pub(crate) fn link(
    process: Process,
    shared: Option<Arc<dyn Memory>>,
    copier: Option<Copier>,
) -> io::Result<Link> {
    let (orders, words) = (process.port.try_clone()?, process.port.try_clone()?);
    let life = Guest { process, copier, said: Vec::new(), told: 0, reset: false };
    Ok(Link { orders: OwnedFd::from(orders), words: OwnedFd::from(words), shared, life: Box::new(life) })
}

/// The life of one virtual machine.
struct Guest {
    process: Process,
    /// What it takes to copy it; copies are not copied.
    copier: Option<Copier>,
    /// What its kernel has printed since the machine was ready.
    said: Vec<String>,
    /// How many lines of that were told.
    told: usize,
    /// If it has reset itself.
    reset: bool,
}

impl Guest {
    fn listen(&mut self) {
        self.said.extend(self.process.console.news());
    }
}

impl Life for Guest {
    fn kill(&mut self) {
        self.process.kill();
    }

    fn ended(&mut self, limit: Duration) -> Option<String> {
        let (status, how) = self.process.ended(limit)?;
        self.reset = status.is_some_and(|status| status.success());
        let words = self.process.words();
        let words = words.last().map(|line| format!(" ({line})")).unwrap_or_default();
        Some(format!("{how}{words}"))
    }

    fn console(&mut self) -> Vec<String> {
        self.listen();
        let news = self.said[self.told..].to_vec();
        self.told = self.said.len();
        news
    }

    fn complaint(&mut self) -> Option<Complaint> {
        self.listen();
        complaint(&self.said).or_else(|| {
            // Nobody had told it to: that is how a processor ends that cannot even fault any more.
            let gone = self.said.iter().any(|line| line.contains("Attempted to kill init!"));
            (self.reset && !gone).then(|| Complaint {
                line: "nothing: it reset the machine".into(),
                excerpt: self.said.clone(),
            })
        })
    }

    fn freeze(self: Box<Self>) -> io::Result<Box<dyn Runner>> {
        let Guest { process, copier, .. } = *self;
        let unsupported = || io::Error::new(io::ErrorKind::Unsupported, "such a machine cannot be copied");
        copier.ok_or_else(unsupported)?(process)
    }
}
