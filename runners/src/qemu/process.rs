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
pub(super) static QEMU: Program = Program {
    file: "qemu-system-x86_64",
    name: "QEMU",
    package: "qemu-system-x86",
    is_kernel: false,
    silence: "it may have too little memory, its kernel may have no serial port (CONFIG_SERIAL_8250, \
              CONFIG_SERIAL_8250_CONSOLE) or be no kernel for this machine",
    // So it says of a guest that will never wake, as one is whose kernel has given up.
    harmless: &["warning: icount sleep disabled and no active timers"],
    hopeless: &[(
        "initrd is too large",
        "the guest has too little memory for what is packed with it: --memory gives more",
    )],
};

/// The files that a machine is made of.
pub(super) struct Files<'a> {
    pub(super) initramfs: &'a File,
    pub(super) memory: &'a File,
    /// The kernel, if it was unpacked.
    pub(super) kernel: Option<&'a File>,
    /// What it shares with its coordinator.
    pub(super) shared: Option<&'a File>,
}

/// A process of QEMU. Dropping it kills.
pub(super) struct Process {
    pub(super) machine: machine::Process,
    pub(super) monitor: Monitor,
}

impl Process {
    /// Starts QEMU. What it prints itself is kept apart from what the guest does.
    pub(super) fn start(words: &[OsString], files: &Files<'_>) -> io::Result<Process> {
        let (monitor, far_monitor) = UnixStream::pair()?;
        let mut descriptors = vec![FdMapping { parent_fd: far_monitor.into(), child_fd: fd::MONITOR }];
        let given =
            [(Some(files.memory), fd::MEMORY), (files.kernel, fd::KERNEL), (files.shared, fd::SHARED)];
        for (file, child_fd) in given {
            let Some(file) = file else { continue };
            descriptors.push(FdMapping { parent_fd: file.as_fd().try_clone_to_owned()?, child_fd });
        }
        let machine = machine::Process::start(&QEMU, words, files.initramfs, descriptors)?;
        Ok(Process { machine, monitor: Monitor::new(monitor) })
    }
}
