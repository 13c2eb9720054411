//! One process of QEMU: started with its descriptors, and followed until its guest is ready.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use command_fds::FdMapping;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::command::fd;
use super::monitor::Monitor;
use crate::console::Console;
use crate::guard::{Guarded, Streams};
use crate::guest::{HEARD, READY, UNFIT};
use crate::interrupt::Stop;
use crate::local::describe;

/// The program.
const QEMU: &str = "qemu-system-x86_64";
/// The program that guards it: this one.
const SKC: &str = "/proc/self/exe";
/// How many last lines of a console tell why a boot failed.
const TAIL: usize = 8;
/// How long the rest of a QEMU that has closed the port may take to end.
const END: Duration = Duration::from_secs(5);

/// A process of QEMU. Dropping it kills.
pub(super) struct Process {
    qemu: Guarded,
    port: UnixStream,
    /// Its monitor.
    pub(super) monitor: Monitor,
    /// Where the guest's kernel prints.
    pub(super) console: Console,
    /// Where QEMU itself does.
    words: Console,
    /// If what the guest's kernel prints is known to come here.
    pub(super) heard: bool,
}

/// If QEMU can be found. Whoever guards it would only say that it could not be started.
fn is_installed() -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(QEMU).is_file()))
}

/// Why a guest is not ready.
#[derive(Debug)]
pub(super) enum Unready {
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

impl Process {
    /// Starts QEMU. What it prints itself is kept apart from what the guest does.
    pub(super) fn start(words: &[OsString], initramfs: &File, memory: &File) -> io::Result<Process> {
        if !is_installed() {
            return Err(io::Error::other(format!(
                "{QEMU} is not installed: it is in Debian's package qemu-system-x86"
            )));
        }
        let (port, far_port) = UnixStream::pair()?;
        let (monitor, far_monitor) = UnixStream::pair()?;
        let console = Console::new()?;
        let said = Console::new()?;
        let mappings = vec![
            FdMapping { parent_fd: far_port.into(), child_fd: fd::PORT },
            FdMapping { parent_fd: console.descriptor().try_clone_to_owned()?, child_fd: fd::CONSOLE },
            FdMapping { parent_fd: far_monitor.into(), child_fd: fd::MONITOR },
            FdMapping { parent_fd: initramfs.as_fd().try_clone_to_owned()?, child_fd: fd::INITRAMFS },
            FdMapping { parent_fd: memory.as_fd().try_clone_to_owned()?, child_fd: fd::MEMORY },
        ];
        let streams = Streams {
            input: Stdio::null(),
            output: said.descriptor().try_clone_to_owned()?.into(),
            errors: said.descriptor().try_clone_to_owned()?.into(),
        };
        let mut command = vec![OsString::from(QEMU)];
        command.extend_from_slice(words);
        let qemu = Guarded::start(Path::new(SKC), &command, streams, mappings)?;
        Ok(Process { qemu, port, monitor: Monitor::new(monitor), console, words: said, heard: false })
    }

    /// The two directions of the port.
    pub(super) fn port(&self) -> io::Result<(OwnedFd, OwnedFd)> {
        Ok((self.port.try_clone()?.into(), self.port.try_clone()?.into()))
    }

    /// Waits for the guest to say that it is ready.
    /// Any of the stops ends it early.
    pub(super) fn await_ready(&mut self, deadline: Instant, stops: [&Stop; 2]) -> Result<(), Unready> {
        let mut heard = Vec::new();
        loop {
            while let Some(end) = heard.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = heard.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                let line = line.trim_end();
                if line == READY {
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
        match self.tail() {
            // A second boot would be as silent, and cost as much time.
            None => Unready::Hopeless(
                "the guest said nothing at all: its kernel may have no serial port \
                 (CONFIG_SERIAL_8250, CONFIG_SERIAL_8250_CONSOLE), or be no kernel for this machine"
                    .into(),
            ),
            Some(tail) => {
                Unready::Failed(format!("the guest did not get ready in time; its console ends:{tail}"))
            }
        }
    }

    /// Why a QEMU that is gone is gone.
    fn gone(&mut self) -> Unready {
        let how = match self.ended(END) {
            Some((_, how)) => format!("QEMU {how} before the guest was ready"),
            None => "QEMU closed the guest's port".into(),
        };
        if let Some(line) = self.words().last() {
            return Unready::Hopeless(format!("{how}: {line}"));
        }
        match self.tail() {
            Some(tail) => Unready::Failed(format!("{how}; the console ends:{tail}")),
            None => {
                Unready::Failed(format!("{how}, and the guest said nothing: it may have too little memory"))
            }
        }
    }

    fn tail(&mut self) -> Option<String> {
        let lines = self.console.news();
        let lines: Vec<&String> = lines.iter().filter(|line| !line.is_empty()).collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        (!tail.is_empty()).then(|| tail.iter().map(|line| format!("\n    {line}")).collect())
    }

    /// What QEMU has said itself.
    pub(super) fn words(&mut self) -> Vec<String> {
        self.words.news()
    }

    pub(super) fn kill(&mut self) {
        self.qemu.kill();
    }

    /// How it ended, if it has within the limit.
    pub(super) fn ended(&mut self, limit: Duration) -> Option<(Option<ExitStatus>, String)> {
        match self.qemu.ended(limit) {
            Ok(None) => None,
            Ok(Some(status)) => Some((Some(status), describe(status))),
            Err(error) => Some((None, format!("is lost: {error}"))),
        }
    }
}
