//! Being asked to stop: by Ctrl-C, by SIGTERM, or by the first failure of a run.
//!
//! A [`Stop`] wakes whoever waits for a worker, because the end of its pipe shows as a hang-up beside
//! the stream that is waited for.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::pipe2;

/// Something that can be stopped once, from any thread.
pub struct Stop {
    asked: AtomicBool,
    /// Closed to stop.
    held: Mutex<Option<OwnedFd>>,
    watched: OwnedFd,
}

impl Stop {
    /// Not stopped.
    pub fn new() -> io::Result<Stop> {
        let (watched, held) = pipe2(OFlag::O_CLOEXEC)?;
        Ok(Stop { asked: AtomicBool::new(false), held: Mutex::new(Some(held)), watched })
    }

    /// Stops.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::SeqCst);
        if let Ok(mut held) = self.held.lock() {
            *held = None;
        }
    }

    /// If it was stopped.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// A descriptor that hangs up on a stop.
    pub fn watched(&self) -> BorrowedFd<'_> {
        self.watched.as_fd()
    }
}

/// Stops on the first SIGINT or SIGTERM, and ends the process on the second. To be called while
/// the process has one thread, so that all later ones leave these signals to the one that waits here.
pub fn on_signals(stop: Arc<Stop>, exit_status: i32) -> io::Result<()> {
    let signals = SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM]);
    signals.thread_block()?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        while signals.wait().is_ok() {
            if stop.is_asked() {
                // Workers end when they find that nobody holds the other ends of their pipes.
                std::process::exit(exit_status);
            }
            stop.stop();
        }
    })?;
    Ok(())
}
