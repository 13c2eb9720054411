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
use serde_json::{Value, json};

use super::command::{SHARING, SHARING_SLOT};
use super::monitor::Monitor;
use super::process::Process;

/// The name by which QEMU knows the file of the state.
const STATE: &str = "state";
/// Which of the device's base address registers (BAR) is that of its memory.
const SHARED_BAR: u32 = 2;
/// How long a QEMU that was told to quit may take.
const QUIT: Duration = Duration::from_secs(5);

/// A saved guest.
pub(super) struct Snapshot {
    memory: File,
    state: File,
    /// Where in the guest's physical memory that lies which it shares, if it has a device for that.
    shared: Option<u64>,
}

impl Snapshot {
    /// Saves a guest, and ends the process that it ran in.
    pub(super) fn take(mut process: Process, memory: File) -> io::Result<Snapshot> {
        let state = File::from(memfd_create(c"state", MFdFlags::MFD_CLOEXEC)?);
        let monitor = &mut process.monitor;
        monitor.greet()?;
        monitor.execute("stop", json!({}))?;
        let shared = shared_address(&monitor.execute("query-pci", json!({}))?);
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
        Ok(Snapshot { memory, state, shared })
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
        if let Some(address) = self.shared {
            map_shared(monitor, address)?;
        }
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
fn leave_memory_alone(monitor: &mut Monitor) -> io::Result<()> {
    let capabilities = json!({ "capabilities": [{ "capability": "x-ignore-shared", "state": true }] });
    monitor.execute("migrate-set-capabilities", capabilities).map(drop)
}

/// Where the firmware or the kernel has put the memory of the device that shares it.
fn shared_address(buses: &Value) -> Option<u64> {
    let entries = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let devices = entries(buses).into_iter().flat_map(|bus| entries(&bus["devices"]));
    let device = devices.into_iter().find(|device| device["qdev_id"] == SHARING)?;
    entries(&device["regions"]).iter().find(|region| region["bar"] == SHARED_BAR)?["address"].as_u64()
}

/// Puts the memory of that device there before the state comes: QEMU takes none for memory that is left alone and
/// lies elsewhere. What a guest does by ports, a monitor can do in its place.
fn map_shared(monitor: &mut Monitor, address: u64) -> io::Result<()> {
    /// The ports and registers of PCI configuration.
    const ADDRESS: u16 = 0xcf8;
    const DATA: u16 = 0xcfc;
    const COMMAND: u32 = 0x04;
    const FIRST_BAR: u32 = 0x10;
    /// In the register COMMAND: the device answers to its memory's addresses.
    const MEMORY: u32 = 2;
    let bar = FIRST_BAR + 4 * SHARED_BAR;
    let device = 1 << 31 | SHARING_SLOT << 11;
    for (register, value) in [(bar, address as u32), (bar + 4, (address >> 32) as u32), (COMMAND, MEMORY)] {
        for (port, value) in [(ADDRESS, device | register), (DATA, value)] {
            let line = format!("o/w {port:#x} {value:#x}");
            monitor.execute("human-monitor-command", json!({ "command-line": line }))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_is_found_by_the_name_of_its_device() {
        let device = |id: &str, address: u64| json!({ "qdev_id": id, "regions": [{ "bar": 0, "address": 1 }, { "bar": 2, "address": address }] });
        let buses = json!([{ "devices": [device("", 7), device(SHARING, 0xfe00_0000), device("other", 9)] }]);
        assert_eq!(shared_address(&buses), Some(0xfe00_0000));
        assert_eq!(shared_address(&json!([{ "devices": [device("", 7)] }])), None);
        assert_eq!(shared_address(&json!({})), None);
    }
}
