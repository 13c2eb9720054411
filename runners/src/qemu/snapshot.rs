//! A guest that waits for an order, saved so that copies of it can be started.
//!
//! Its memory is one file, which the copies map privately; its state is another, of some hundred KiB,
//! in the format of QEMU's migration. Both are files in memory without a name, which go with the last
//! process that holds them. How they come to a disk and back is in `kept`.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::clock::count_from_here;
use super::command::{SHARING, SHARING_SLOT};
use super::monitor::Monitor;
use super::process::Process;

/// The name by which QEMU knows the file of the state where it takes a descriptor.
const STATE: &str = "state";
/// Which of the device's base address registers (BAR) is that of its memory.
const SHARED_BAR: u32 = 2;
/// How long a QEMU that was told to quit may take.
const QUIT: Duration = Duration::from_secs(5);

/// A saved guest.
pub(super) struct Snapshot {
    pub(super) memory: File,
    pub(super) state: File,
    pub(super) way: Way,
}

/// What restoring takes beside the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Way {
    by: By,
    /// Where in the guest's physical memory that lies which it shares, if it has a device for that.
    shared: Option<u64>,
}

impl Snapshot {
    /// Saves a guest, and ends the process that it ran in. Where copies are to count what they execute, they do so from
    /// there on.
    pub(super) fn take(mut process: Process, memory: File, counts: bool) -> io::Result<Snapshot> {
        let mut state = File::from(memfd_create(c"state", MFdFlags::MFD_CLOEXEC)?);
        let monitor = &mut process.monitor;
        monitor.greet()?;
        monitor.execute("stop", json!({}))?;
        let shared = shared_address(&monitor.execute("query-pci", json!({}))?);
        leave_memory_alone(monitor)?;
        let by = save(monitor, &state)?;
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
        if counts {
            count_from_here(&mut state)?;
        }
        Ok(Snapshot { memory, state, way: Way { by, shared } })
    }

    /// Makes a process that waits for a state a copy of the guest, which stands still.
    pub(super) fn restore(&self, process: &mut Process) -> io::Result<()> {
        // Opened anew, because copies that are made at the same time each read it from its start.
        let state = File::open(format!("/proc/self/fd/{}", self.state.as_raw_fd()))?;
        let monitor = &mut process.monitor;
        monitor.greet()?;
        leave_memory_alone(monitor)?;
        if let Some(address) = self.way.shared {
            map_shared(monitor, address)?;
        }
        self.way.by.give(monitor, "migrate-incoming", &state)?;
        monitor.until("query-status", |answer| match answer["status"].as_str() {
            Some("paused" | "postmigrate" | "running") => Ok(true),
            Some("inmigrate") => Ok(false),
            other => Err(io::Error::other(format!("a copy of the machine is {other:?} and does not start"))),
        })
    }
}

/// Lets a copy run.
pub(super) fn go_on(process: &mut Process) -> io::Result<()> {
    process.monitor.execute("cont", json!({})).map(drop)
}

/// How QEMU takes the file of the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum By {
    /// As a descriptor, which those since 11 take for a socket or pipe alone.
    Descriptor,
    /// By a path, which those since 8.2 take: that of the descriptor.
    Path,
}

impl By {
    /// Tells QEMU to write the state there, or to read it.
    fn give(self, monitor: &mut Monitor, command: &str, state: &File) -> io::Result<()> {
        let uri = match self {
            By::Descriptor => {
                monitor.give("getfd", json!({ "fdname": STATE }), state.as_fd())?;
                format!("fd:{STATE}")
            }
            By::Path => {
                let given = monitor.give("add-fd", json!({}), state.as_fd())?;
                format!("file:/dev/fd/{}", given["fd"])
            }
        };
        monitor.execute(command, json!({ "uri": uri })).map(drop)
    }
}

/// Begins to save, in the way that this QEMU takes.
fn save(monitor: &mut Monitor, state: &File) -> io::Result<By> {
    let begin = |by: By, monitor: &mut Monitor| by.give(monitor, "migrate", state).map(|()| by);
    begin(By::Descriptor, monitor).or_else(|refused| begin(By::Path, monitor).map_err(|_| refused))
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
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;

    /// Saves to a QEMU that refuses these kinds of addresses; gives what came of it, and what it was told.
    fn saved(refused: &'static [&str]) -> (io::Result<By>, Vec<String>) {
        let (near, far) = UnixStream::pair().unwrap();
        let qemu = thread::spawn(move || {
            let mut told = Vec::new();
            for line in BufReader::new(&far).lines().map_while(Result::ok) {
                let command: Value = serde_json::from_str(&line).unwrap();
                let address = command["arguments"]["uri"].as_str().unwrap_or_default().to_owned();
                let kind = address.split(':').next().unwrap_or_default();
                let answer = match refused.contains(&kind) {
                    true => json!({ "error": { "desc": format!("no {kind}") } }),
                    false => json!({ "return": { "fdset-id": 3, "fd": 9 } }),
                };
                told.extend((!address.is_empty()).then_some(address));
                writeln!(&far, "{answer}").unwrap();
            }
            told
        });
        let state = tempfile::tempfile().unwrap();
        let by = save(&mut Monitor::new(near), &state);
        (by, qemu.join().unwrap())
    }

    #[test]
    fn the_state_goes_to_a_descriptor_or_else_to_its_path() {
        let (by, told) = saved(&[]);
        assert_eq!((by.unwrap(), told), (By::Descriptor, vec!["fd:state".to_owned()]));
        let (by, told) = saved(&["fd"]);
        assert_eq!((by.unwrap(), told), (By::Path, vec!["fd:state".to_owned(), "file:/dev/fd/9".to_owned()]));
        let (by, _) = saved(&["fd", "file"]);
        assert!(by.unwrap_err().to_string().contains("no fd"), "the way that most take is told of");
    }

    #[test]
    fn shared_memory_is_found_by_the_name_of_its_device() {
        let device = |id: &str, address: u64| json!({ "qdev_id": id, "regions": [{ "bar": 0, "address": 1 }, { "bar": 2, "address": address }] });
        let buses = json!([{ "devices": [device("", 7), device(SHARING, 0xfe00_0000), device("other", 9)] }]);
        assert_eq!(shared_address(&buses), Some(0xfe00_0000));
        assert_eq!(shared_address(&json!([{ "devices": [device("", 7)] }])), None);
        assert_eq!(shared_address(&json!({})), None);
    }
}
