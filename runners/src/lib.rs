//! Where workers run, and how cases get to them and records back.
//!
//! A [`Runner`] knows how to start a worker and reach it; nothing about cases. What a case is and what
//! came of it is `harness`; how it looks is `reports`. The `skc` program is made of these.

pub mod guard;
pub mod console;
pub mod guest;
pub mod alone;
pub mod command;
pub mod local;
pub(crate) mod machine;
pub mod qemu;
pub mod uml;
pub mod remote;
pub mod pool;
pub mod interrupt;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use harness::case::Version;
use harness::target::Target;
use harness::wire::shared::Memory;
use serde::{Deserialize, Serialize};

use console::Complaint;

/// A way to place workers.
pub trait Runner: Send + Sync {
    /// Starts a worker.
    fn start(&self) -> io::Result<Link>;

    /// How the target is reached, as reports say it: `this kernel`.
    fn place(&self) -> String;

    /// How many workers are worth having at a time unless somebody knows better.
    fn jobs(&self) -> usize;

    /// If each worker has a machine of its own, which costs little to replace, and which a case may kill
    /// or leave unfit for the next.
    fn has_machines(&self) -> bool {
        false
    }

    /// If there is one machine and no other in its place: what a case leaves on it stays there.
    fn is_one_machine(&self) -> bool {
        false
    }

    /// If a worker can be copied, as [`Life::freeze`] does it.
    fn can_copy(&self) -> bool {
        false
    }

    /// A worker that an earlier run has greeted, if one was kept, as the runner of its copies.
    fn recall(&self) -> Option<(Box<dyn Runner>, Greeted)> {
        None
    }

    /// Keeps for later runs what workers are copies of, if that can be.
    fn keep(&self, _greeted: &Greeted) -> io::Result<()> {
        Ok(())
    }

    /// What the target implements, if somebody knows better than the worker can.
    fn implementation(&self) -> Option<&Implementation> {
        None
    }
}

/// What is known of a worker that was greeted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Greeted {
    /// The mark of its frames.
    pub token: String,
    /// What it has said of its target.
    pub target: Target,
}

/// What a target implements: the name, and a version where there is one to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Implementation {
    /// As in `gvisor`.
    pub name: String,
    /// As in `20240729.0`.
    pub version: Option<String>,
}

impl FromStr for Implementation {
    type Err = String;

    fn from_str(text: &str) -> Result<Implementation, String> {
        let (name, version) = match text.split_once('=') {
            Some((name, version)) => (name, Some(version)),
            None => (text, None),
        };
        let is_name = |name: &str| {
            name.starts_with(|char: char| char.is_ascii_lowercase())
                && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-')
        };
        if !is_name(name) {
            return Err("an implementation has a name of a-z, 0-9 and `-`, as in gvisor=20240729.0".into());
        }
        if version.is_some_and(|version| Version::parse(version).is_none()) {
            return Err("a version begins with two numbers, as in 20240729.0".into());
        }
        Ok(Implementation { name: name.into(), version: version.map(str::to_owned) })
    }
}

impl fmt::Display for Implementation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "={version}"))
    }
}

/// A worker that was started: the streams of [`harness::wire`], and its life.
pub struct Link {
    /// What the worker reads. It ends when this is closed.
    pub orders: OwnedFd,
    /// What the worker writes.
    pub words: OwnedFd,
    /// Memory that the worker sees too.
    pub shared: Option<Arc<dyn Memory>>,
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

    /// What the worker's own kernel has said of itself that a sound one does not say. It stays said.
    fn complaint(&mut self) -> Option<Complaint> {
        None
    }

    /// Ends the worker, which waits for an order, and gives a runner whose workers are copies of it: they
    /// go on where it ended.
    fn freeze(self: Box<Self>) -> io::Result<Box<dyn Runner>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "such a worker cannot be copied"))
    }
}
