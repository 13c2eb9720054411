//! A guest that waits for an order, saved so that copies of it can be started.
//!
//! Its memory is one file, which the copies map privately; its state is another, of some hundred KiB,
//! in the format of QEMU's migration. Both are files in memory without a name, which go with the last
//! process that holds them.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde_json::json;

use super::process::Process;

/// The name by which QEMU knows the file of the state.
const STATE: &str = "state";
/// How long a QEMU that was told to quit may take.
const QUIT: Duration = Duration::from_secs(5);

/// A saved guest.
pub(super) struct Snapshot {
    memory: File,
    state: File,
}

impl Snapshot {
    /// Saves a guest, and ends the process that it ran in.
    pub(super) fn take(mut process: Process, memory: File) -> io::Result<Snapshot> {
        let state = File::from(memfd_create(c"state", MFdFlags::MFD_CLOEXEC)?);
        let monitor = &mut process.monitor;
        monitor.greet()?;
        monitor.execute("stop", json!({}))?;
        leave_memory_alone(monitor)?;
        monitor.give(STATE, state.as_fd())?;
        monitor.execute("migrate", json!({ "uri": format!("fd:{STATE}") }))?;
        monitor.until("query-migrate", |answer| match answer["status"].as_str() {
            Some("completed") => Ok(true),
            Some("failed" | "cancelled") => {
                Err(io::Error::other(format!("the machine cannot be saved: {}", answer["error-desc"])))
            }
            _ => Ok(false),
        })?;
        // It may be gone before it answers.
        let _ = monitor.execute("quit", json!({}));
        process.machine.ended(QUIT);
        Ok(Snapshot { memory, state })
    }

    /// The memory, for a process that is to be a copy.
    pub(super) fn memory(&self) -> &File {
        &self.memory
    }

    /// Makes a process that waits for a state a copy of the guest, and lets it run.
    pub(super) fn restore(&self, process: &mut Process) -> io::Result<()> {
        // Opened anew, because copies that are made at the same time each read it from its start.
        let state = File::open(format!("/proc/self/fd/{}", self.state.as_raw_fd()))?;
        let monitor = &mut process.monitor;
        monitor.greet()?;
        leave_memory_alone(monitor)?;
        monitor.give(STATE, state.as_fd())?;
        monitor.execute("migrate-incoming", json!({ "uri": format!("fd:{STATE}") }))?;
        monitor.until("query-status", |answer| match answer["status"].as_str() {
            Some("paused" | "postmigrate" | "running") => Ok(true),
            Some("inmigrate") => Ok(false),
            other => Err(io::Error::other(format!("a copy of the machine is {other:?} and does not start"))),
        })?;
        monitor.execute("cont", json!({})).map(drop)
    }
}

/// The state without the memory: that is in a file which both sides have.
fn leave_memory_alone(monitor: &mut super::monitor::Monitor) -> io::Result<()> {
    let capabilities = json!({ "capabilities": [{ "capability": "x-ignore-shared", "state": true }] });
    monitor.execute("migrate-set-capabilities", capabilities).map(drop)
}
