//! One process of QEMU: a machine with a monitor.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use command_fds::FdMapping;

use super::command::fd;
use super::monitor::Monitor;
use crate::machine::{self, Program};

/// The program.
static QEMU: Program = Program {
    file: "qemu-system-x86_64",
    name: "QEMU",
    package: "qemu-system-x86",
    is_kernel: false,
    silence: "it may have too little memory, its kernel may have no serial port (CONFIG_SERIAL_8250, \
              CONFIG_SERIAL_8250_CONSOLE) or be no kernel for this machine",
    hopeless: &[],
};

/// A process of QEMU. Dropping it kills.
pub(super) struct Process {
    pub(super) machine: machine::Process,
    pub(super) monitor: Monitor,
}

impl Process {
    /// Starts QEMU. What it prints itself is kept apart from what the guest does.
    pub(super) fn start(
        words: &[OsString],
        initramfs: &File,
        memory: &File,
        shared: Option<&File>,
    ) -> io::Result<Process> {
        let (monitor, far_monitor) = UnixStream::pair()?;
        let mut descriptors = vec![
            FdMapping { parent_fd: far_monitor.into(), child_fd: fd::MONITOR },
            FdMapping { parent_fd: memory.as_fd().try_clone_to_owned()?, child_fd: fd::MEMORY },
        ];
        if let Some(shared) = shared {
            let parent_fd = shared.as_fd().try_clone_to_owned()?;
            descriptors.push(FdMapping { parent_fd, child_fd: fd::SHARED });
        }
        let machine = machine::Process::start(&QEMU, words, initramfs, descriptors)?;
        Ok(Process { machine, monitor: Monitor::new(monitor) })
    }
}
