//! This kernel: workers are child processes that execute the program's own file.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::Signal;

use crate::{Life, Link, Runner};

/// The argument that makes a worker of the program.
pub const WORKER: &str = "worker";

/// How much of what a worker writes to its standard error is kept.
pub(crate) const CONSOLE: usize = 64 << 10;

/// How many cases to play at a time on this kernel unless somebody knows better. A case mostly waits for
/// the kernel to collect keys: with two processors the whole suite took least time with 12 to 16 at a
/// time. Ids are given to a limited number of workers, and other runs may want some.
pub fn default_jobs() -> usize {
    const FOR_EACH_PROCESSOR: usize = 6;
    const MOST: usize = 64;
    let processors = thread::available_parallelism().map_or(1, usize::from);
    (FOR_EACH_PROCESSOR * processors).min(MOST)
}

/// Workers on this kernel.
pub struct Local {
    program: PathBuf,
}

impl Local {
    /// Workers that execute this very program.
    pub fn new() -> Local {
        Local::of("/proc/self/exe")
    }

    /// Workers that execute another program file.
    pub fn of(program: impl AsRef<Path>) -> Local {
        Local { program: program.as_ref().to_owned() }
    }
}

impl Default for Local {
    fn default() -> Local {
        Local::new()
    }
}

impl Runner for Local {
    fn place(&self) -> String {
        "this kernel".into()
    }

    fn jobs(&self) -> usize {
        default_jobs()
    }

    fn start(&self) -> io::Result<Link> {
        if !self.program.exists() {
            return Err(io::Error::other(format!(
                "{} is not there: is /proc mounted?",
                self.program.display()
            )));
        }
        // A file takes whatever is written, so a worker can never wait for someone to read it.
        let console = File::from(memfd_create(c"console", MFdFlags::MFD_CLOEXEC)?);
        let mut child = Command::new(&self.program)
            .arg0("skc")
            .arg(WORKER)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(console.try_clone()?)
            // What a terminal sends to its foreground must not end a worker before the coordinator
            // knows why.
            .process_group(0)
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(orders), Some(words)) => Ok(Link {
                orders: OwnedFd::from(orders),
                words: OwnedFd::from(words),
                shared: None,
                life: Box::new(Process { child, console, read: 0 }),
            }),
            _ => Err(io::Error::other("a worker without its pipes")),
        }
    }
}

struct Process {
    child: Child,
    console: File,
    read: u64,
}

impl Life for Process {
    fn kill(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
    }

    fn ended(&mut self, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        let mut pause = Duration::from_micros(100);
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(describe(status)),
                Ok(None) if Instant::now() >= deadline => return None,
                Ok(None) => thread::sleep(pause),
                Err(error) => return Some(format!("is lost: {error}")),
            }
            pause = (pause * 2).min(Duration::from_millis(10));
        }
    }

    fn console(&mut self) -> Vec<String> {
        let mut text = vec![0; CONSOLE];
        let size = self.console.metadata().map_or(self.read, |facts| facts.len());
        // Of too much, the end says most.
        let from = self.read.max(size.saturating_sub(CONSOLE as u64));
        let count = self.console.read_at(&mut text, from).unwrap_or(0);
        self.read = from + count as u64;
        String::from_utf8_lossy(&text[..count]).lines().map(str::to_owned).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        let _ = self.child.wait();
    }
}

/// How a process ended, as in `it was killed by SIGKILL`.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit status {code}"),
        (None, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("was killed by {signal}"),
            Err(_) => format!("was killed by signal {signal}"),
        },
        (None, None) => "ended".into(),
    }
}
