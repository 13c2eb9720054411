//! Where workers run, and how cases get to them and records back.
//!
//! A [`Runner`] knows how to start a worker and reach it; nothing about cases. What a case is and what
//! came of it is `harness`; how it looks is `reports`. The `skc` program is made of these.

pub mod guard;
pub mod local;
pub mod remote;
pub mod pool;
pub mod interrupt;

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

/// A way to place workers.
pub trait Runner: Send + Sync {
    /// Starts a worker.
    fn start(&self) -> io::Result<Link>;
}

/// A worker that was started: the streams of [`harness::wire`], and its life.
pub struct Link {
    /// What the worker reads. It ends when this is closed.
    pub orders: OwnedFd,
    /// What the worker writes.
    pub words: OwnedFd,
    /// Its process, machine or command.
    pub life: Box<dyn Life>,
}

/// The life of a worker. Dropping it kills.
pub trait Life: Send {
    /// Ends the worker now, whatever it does.
    fn kill(&mut self);

    /// How the worker ended (`was killed by SIGKILL`), or `None` if it has not within the limit.
    fn ended(&mut self, limit: Duration) -> Option<String>;

    /// What the target has printed beside the stream since the last call.
    fn console(&mut self) -> Vec<String>;
}
