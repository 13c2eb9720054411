//! User Mode Linux: workers are kernels that are processes here, with `skc` as their process 1.
//!
//! Such a kernel is a program, so nothing executes it but the processor, and it boots in a second. It
//! cannot be saved: each worker is booted.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::guest::PORT;
use crate::interrupt::Stop;
use crate::machine::{self, Process, Program, Unready, fd, in_memory};
use crate::{Link, Runner};

/// The program, which is the kernel as well.
static UML: Program = Program {
    file: "linux.uml",
    name: "User Mode Linux",
    package: "user-mode-linux",
    is_kernel: true,
    silence: "it may have too little memory",
    // ptrace(2) takes a processor's registers as a whole, and a kernel of that age has room for those of AVX-512.
    harmless: &[],
    hopeless: &[(
        "ptrace set fp regs failed",
        "this linux.uml cannot run a program on a processor with as many registers as this one has (AMX): \
         take a machine without, or --kernel with another kernel",
    )],
};

/// Machines of User Mode Linux, each of them booted.
pub struct Uml {
    arguments: Vec<OsString>,
    initramfs: File,
    patience: Duration,
    stop: Arc<Stop>,
}

impl Uml {
    /// Machines with so many MiB of memory, and arguments for the kernel after our own. A boot may take so
    /// long.
    pub fn new(
        memory: u32,
        append: &str,
        initramfs: &[u8],
        patience: Duration,
        stop: Arc<Stop>,
    ) -> io::Result<Uml> {
        let initramfs = in_memory(initramfs)?;
        Ok(Uml { arguments: arguments(memory, append), initramfs, patience, stop })
    }

    fn try_to_boot(&self) -> Result<Process, Unready> {
        let mut process = Process::start(&UML, &self.arguments, &self.initramfs, Vec::new())?;
        process.await_ready(Instant::now() + self.patience, [&self.stop, &self.stop])?;
        Ok(process)
    }
}

impl Runner for Uml {
    fn start(&self) -> io::Result<Link> {
        let process = machine::boot(None, || self.try_to_boot()).map_err(machine::unstarted)?;
        machine::link(process, None, None)
    }

    fn place(&self) -> String {
        "uml".into()
    }

    fn jobs(&self) -> usize {
        machine::jobs()
    }

    fn has_machines(&self) -> bool {
        true
    }
}

/// The kernel prints warnings and worse, and ends when it stumbles or is to start again. It has no folder
/// for the socket by which others could find it, since that would outlive a `kill -9`; its memory is a file
/// that never had a name.
fn arguments(memory: u32, append: &str) -> Vec<OsString> {
    let own = [
        format!("mem={memory}M"),
        format!("initrd=/proc/self/fd/{}", fd::INITRAMFS),
        "uml_dir=/dev/null/".into(),
        "noreboot".into(),
        format!("con0=null,fd:{}", fd::CONSOLE),
        "con=null".into(),
        format!("ssl0=fd:{0},fd:{0}", fd::PORT),
        "ssl=null".into(),
        format!("{PORT}ttyS0"),
        // What comes before the console goes to the standard output, unless it is quiet.
        "quiet".into(),
        "loglevel=5".into(),
        "console=tty0".into(),
        "panic=-1".into(),
        "oops=panic".into(),
    ];
    own.into_iter().chain(append.split_whitespace().map(str::to_owned)).map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_ones_own_come_last_and_apart() {
        let words = arguments(96, " keys.debug=1  b ");
        assert_eq!(words[0], "mem=96M");
        assert_eq!(words[words.len() - 2..], ["keys.debug=1", "b"]);
    }
}
