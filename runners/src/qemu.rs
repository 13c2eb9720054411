//! Any kernel: workers are virtual machines of QEMU that boot it, with `skc` as their process 1.
//!
//! A kernel is booted once, its guest is greeted and then saved; each worker is a copy of that. The copies share the memory that none of them has written to. Where QEMU
//! cannot do that, each worker is booted.

pub mod accelerator;
mod clock;
pub mod command;
mod monitor;
mod process;
mod snapshot;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use harness::wire::shared;
use nix::sys::memfd::{MFdFlags, memfd_create};
use vm_images::unpack::unpack;

use self::accelerator::Accelerator;
use self::command::{Machine, Memory, SHARING};
use self::process::{Files, Process};
use self::snapshot::Snapshot;
use crate::interrupt::Stop;
use crate::machine::{self, Unready, in_memory, link};
use crate::remote::Unstarted;
use crate::{Link, Runner};

/// What is lost with a kernel whose console does not come here.
const DEAF: &str = "the kernel prints nothing on its serial console (CONFIG_SERIAL_8250_CONSOLE, console=): \
                    if it complains, that is not seen";

/// What is asked for to execute guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wish {
    /// KVM if a guest boots with it, and else QEMU's translator
    Auto,
    /// The machine's own processor: /dev/kvm
    Kvm,
    /// QEMU's translator, which needs nothing
    Tcg,
}

/// Virtual machines of one kernel, each of them booted.
pub struct Qemu {
    plan: Arc<Plan>,
    /// The first of them, which was booted to see what can execute guests.
    first: Mutex<Option<Booted>>,
    notes: Vec<String>,
}

/// How machines are made.
struct Plan {
    machine: Machine,
    initramfs: File,
    /// The kernel, if it was unpacked.
    kernel: Option<File>,
    /// How long a boot may take.
    patience: Duration,
    stop: Arc<Stop>,
}

impl Qemu {
    /// Boots the kernel up to where its guest waits for orders, which may take so long. What is in its image is unpacked
    /// first unless it is given.
    pub fn boot(
        mut machine: Machine,
        given: Option<File>,
        wish: Wish,
        initramfs: &[u8],
        patience: Duration,
        stop: Arc<Stop>,
    ) -> Result<Qemu, Unstarted> {
        let failed = |error: io::Error| Unstarted::Failed(error.to_string());
        let initramfs = in_memory(initramfs).map_err(failed)?;
        let kernel = match given {
            None if wish != Wish::Kvm => unpacked(&machine.kernel).map_err(failed)?,
            given => given,
        };
        machine.unpacked = kernel.is_some();
        let mut plan = Plan { machine, initramfs, kernel, patience, stop };
        let mut notes = Vec::new();
        let booted = plan.boot_first(wish, &mut notes)?;
        plan.machine.shares = booted.shared.is_some();
        if !booted.process.machine.heard {
            notes.push(DEAF.into());
        }
        Ok(Qemu { plan: Arc::new(plan), first: Mutex::new(Some(booted)), notes })
    }

    /// What executes the guests.
    pub fn accelerator(&self) -> Accelerator {
        self.plan.machine.accelerator
    }

    /// What should be known about how guests run here.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Plan {
    /// The first boot, which also finds out what can execute guests.
    fn boot_first(&mut self, wish: Wish, notes: &mut Vec<String>) -> Result<Booted, Unstarted> {
        self.machine.accelerator = if wish == Wish::Kvm { Accelerator::Kvm } else { Accelerator::Tcg };
        if wish != Wish::Auto {
            return self.boot_again(None);
        }
        const SLOW: &str = "so QEMU translates (TCG), which is slower";
        if let Some(why) = accelerator::why_not_kvm() {
            notes.push(format!("{why}, {SLOW}"));
            return self.boot_again(None);
        }
        let (winner, booted) = accelerator::race(|accelerator, limit, end| {
            let machine = Machine { accelerator, ..self.machine.clone() };
            self.try_to_boot(&machine, limit.unwrap_or(self.patience), end)
        });
        self.machine.accelerator = winner;
        if winner == Accelerator::Tcg {
            notes.push(format!("no guest gets ready with /dev/kvm here, {SLOW}"));
        }
        match booted {
            Ok(booted) => Ok(booted),
            Err(unready) => self.boot_again(Some(unready)),
        }
    }

    fn boot_again(&self, failed: Option<Unready>) -> Result<Booted, Unstarted> {
        machine::boot(failed, || self.try_to_boot(&self.machine, self.patience, &self.stop))
    }

    /// Boots the machine, or, where QEMU has no device for the memory that it would share, one that shares none.
    fn try_to_boot(&self, machine: &Machine, limit: Duration, end: &Stop) -> Result<Booted, Unready> {
        match self.try_to_boot_this(machine, limit, end) {
            Err(Unready::Hopeless(why)) if machine.shares && why.contains(SHARING) => {
                self.try_to_boot_this(&Machine { shares: false, ..machine.clone() }, limit, end)
            }
            done => done,
        }
    }

    fn try_to_boot_this(&self, machine: &Machine, limit: Duration, end: &Stop) -> Result<Booted, Unready> {
        let memory = File::from(memfd_create(c"guest", MFdFlags::MFD_CLOEXEC).map_err(io::Error::from)?);
        let shared = machine.shares.then(shared_memory).transpose()?;
        let words = machine.arguments(Memory::Shared, false);
        let mut process = Process::start(&words, &self.files(&memory, shared.as_ref()))?;
        process.machine.await_ready(Instant::now() + limit, [&self.stop, end])?;
        Ok(Booted { process, memory, shared })
    }
}

/// A guest that waits for orders, and the file that its memory is.
struct Booted {
    process: Process,
    memory: File,
    /// What it shares with its coordinator.
    shared: Option<File>,
}

/// What is shared, as the coordinator sees it.
fn sharing(shared: Option<File>) -> Option<Arc<dyn shared::Memory>> {
    shared.map(|file| Arc::new(file) as _)
}

/// The kernel in an image, if it can be had and started.
fn unpacked(image: &Path) -> io::Result<Option<File>> {
    let mut file = File::from(memfd_create(c"kernel", MFdFlags::MFD_CLOEXEC)?);
    Ok(unpack(image, &mut file)?.then_some(file))
}

/// A file for what a machine shares.
fn shared_memory() -> io::Result<File> {
    let file = File::from(memfd_create(c"shared", MFdFlags::MFD_CLOEXEC)?);
    file.set_len(shared::SIZE as u64)?;
    Ok(file)
}

impl Runner for Qemu {
    fn start(&self) -> io::Result<Link> {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        let booted = first.map_or_else(|| self.plan.boot_again(None), Ok).map_err(machine::unstarted)?;
        let Booted { process: Process { machine, monitor }, memory, shared } = booted;
        let (plan, shares) = (Arc::clone(&self.plan), machine.shares);
        let copier = move |machine| -> io::Result<Box<dyn Runner>> {
            let process = Process { machine, monitor };
            let snapshot = Snapshot::take(process, memory, plan.machine.leaps())?;
            Ok(Box::new(Copies { snapshot, plan, shares }))
        };
        link(machine, sharing(shared.filter(|_| shares)), Some(Box::new(copier)))
    }

    fn place(&self) -> String {
        self.plan.place()
    }

    fn jobs(&self) -> usize {
        machine::jobs()
    }

    fn has_machines(&self) -> bool {
        true
    }

    fn can_copy(&self) -> bool {
        true
    }
}

/// Copies of one machine.
struct Copies {
    plan: Arc<Plan>,
    snapshot: Snapshot,
    /// If the guest has found the memory that it is to share.
    shares: bool,
}

impl Runner for Copies {
    fn start(&self) -> io::Result<Link> {
        let words = self.plan.machine.arguments(Memory::Copied, true);
        let shared = self.plan.machine.shares.then(shared_memory).transpose()?;
        let files = self.plan.files(self.snapshot.memory(), shared.as_ref());
        let mut process = Process::start(&words, &files)?;
        self.snapshot.restore(&mut process)?;
        link(process.machine, sharing(shared.filter(|_| self.shares)), None)
    }

    fn place(&self) -> String {
        self.plan.place()
    }

    fn jobs(&self) -> usize {
        if self.plan.machine.leaps() { machine::processors() } else { machine::jobs() }
    }

    fn has_machines(&self) -> bool {
        true
    }
}

impl Plan {
    fn place(&self) -> String {
        format!("qemu {}", self.machine.accelerator.name())
    }

    fn files<'a>(&'a self, memory: &'a File, shared: Option<&'a File>) -> Files<'a> {
        Files { initramfs: &self.initramfs, memory, kernel: self.kernel.as_ref(), shared }
    }
}
