//! Any kernel: workers are virtual machines of QEMU that boot it, with `skc` as their process 1.
//!
//! A kernel is booted once, its guest is greeted and then saved; each worker is a copy of that. The copies share the memory that none of them has written to. Where QEMU
//! cannot do that, each worker is booted. A guest whose time is what it executes is also kept for later runs.

pub mod accelerator;
mod clock;
pub mod command;
pub mod kept;
mod monitor;
mod process;
mod snapshot;

use std::collections::BTreeSet;
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
use self::kept::{About, Kept, Origin};
use self::process::{Files, Process, QEMU};
use self::snapshot::{Snapshot, go_on};
use crate::interrupt::Stop;
use crate::machine::{self, Unready, in_memory, link};
use crate::remote::Unstarted;
use crate::{Greeted, Link, Runner};

/// What is wrong with KVM where it can be opened.
const HANGS: &str = "no guest gets ready with /dev/kvm here";
/// What comes of that.
const SLOW: &str = "so QEMU translates (TCG), which is slower";
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
    /// A guest of an earlier run instead, with what that greeted it with.
    recalled: Mutex<Option<(Copies, Greeted)>>,
    notes: Vec<String>,
}

/// How guests of earlier runs are used, and kept for later ones.
pub struct Keeping<'k> {
    /// Where they are.
    pub kept: Kept,
    /// What workers are greeted with.
    pub programs: &'k BTreeSet<String>,
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
    /// Where guests are kept, and under which key those that come of this plan.
    place: Option<(Kept, String)>,
}

impl Qemu {
    /// Boots the kernel up to where its guest waits for orders, which may take so long, unless a guest of an earlier run is
    /// kept. What is in its image is unpacked first unless it is given.
    pub fn boot(
        mut machine: Machine,
        given: Option<File>,
        wish: Wish,
        initramfs: &[u8],
        patience: Duration,
        stop: Arc<Stop>,
        keeping: Option<Keeping<'_>>,
    ) -> Result<Qemu, Unstarted> {
        let failed = |error: io::Error| Unstarted::Failed(error.to_string());
        let packed = initramfs;
        let initramfs = in_memory(packed).map_err(failed)?;
        let kernel = match given {
            None if wish != Wish::Kvm => unpacked(&machine.kernel).map_err(failed)?,
            given => given,
        };
        machine.unpacked = kernel.is_some();
        let mut plan = Plan { machine, initramfs, kernel, patience, stop, place: None };
        let mut notes = Vec::new();
        if let Some(keeping) = keeping {
            plan.place = plan.key(packed, keeping.programs).map(|key| (keeping.kept, key));
            if let Some((snapshot, about)) = plan.recall(wish, &mut notes) {
                let asked = plan.machine.clone();
                plan.machine.shares = about.has_device;
                match plan.restored(&snapshot) {
                    Ok(first) => return Ok(Qemu::recalled(plan, snapshot, first, about, notes)),
                    // What else there is to note is seen again in the boot that follows.
                    Err(why) => notes = vec![format!("the guest of an earlier run does not go on: {why}")],
                }
                plan.machine = asked;
            }
        }
        let booted = plan.boot_first(wish, &mut notes)?;
        plan.machine.shares = booted.shared.is_some();
        if !booted.process.machine.heard {
            notes.push(DEAF.into());
        }
        let first = Mutex::new(Some(booted));
        Ok(Qemu { plan: Arc::new(plan), first, recalled: Mutex::default(), notes })
    }

    /// With a guest of an earlier run.
    fn recalled(
        plan: Plan,
        snapshot: Snapshot,
        first: Restored,
        about: About,
        mut notes: Vec<String>,
    ) -> Qemu {
        if !about.heard {
            notes.push(DEAF.into());
        }
        let plan = Arc::new(plan);
        let About { greeted, shares, heard, .. } = about;
        let copies =
            Copies { plan: Arc::clone(&plan), snapshot, first: Mutex::new(Some(first)), shares, heard };
        let recalled = Mutex::new(Some((copies, greeted)));
        Qemu { plan, first: Mutex::default(), recalled, notes }
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
    /// The key of the guests that come of this plan where QEMU translates them. `None` where they depend on more than what is
    /// in it: on the clock of the machine that they were booted on.
    fn key(&self, initramfs: &[u8], programs: &BTreeSet<String>) -> Option<String> {
        let machine = Machine { accelerator: Accelerator::Tcg, ..self.machine.clone() };
        let words = [machine.arguments(Memory::Shared, false), machine.arguments(Memory::Copied, true)];
        let origin = Origin {
            kernel: &machine.kernel,
            initramfs,
            program: &QEMU.place()?,
            words: [&words[0], &words[1]],
            programs,
        };
        machine.leaps().then(|| origin.key().ok()).flatten()
    }

    /// A guest of an earlier run, if QEMU is to translate and one is kept.
    fn recall(&mut self, wish: Wish, notes: &mut Vec<String>) -> Option<(Snapshot, About)> {
        let (kept, key) = self.place.as_ref()?;
        let note = match (wish, accelerator::why_not_kvm()) {
            (Wish::Kvm, _) => return None,
            (Wish::Tcg, _) => None,
            (Wish::Auto, Some(why)) => Some(why),
            (Wish::Auto, None) if kept.is_without_kvm() => Some(HANGS.to_owned()),
            (Wish::Auto, None) => return None,
        };
        let found = kept.take(key)?;
        notes.extend(note.map(|why| format!("{why}, {SLOW}")));
        self.machine.accelerator = Accelerator::Tcg;
        Some(found)
    }

    /// A copy that stands still.
    fn restored(&self, snapshot: &Snapshot) -> io::Result<Restored> {
        let words = self.machine.arguments(Memory::Copied, true);
        let shared = self.machine.shares.then(shared_memory).transpose()?;
        let mut process = Process::start(&words, &self.files(&snapshot.memory, shared.as_ref()))?;
        snapshot.restore(&mut process)?;
        Ok(Restored { process, shared })
    }

    /// The first boot, which also finds out what can execute guests.
    fn boot_first(&mut self, wish: Wish, notes: &mut Vec<String>) -> Result<Booted, Unstarted> {
        self.machine.accelerator = if wish == Wish::Kvm { Accelerator::Kvm } else { Accelerator::Tcg };
        if wish != Wish::Auto {
            return self.boot_again(None);
        }
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
            notes.push(format!("{HANGS}, {SLOW}"));
            if let (Ok(_), Some((kept, _))) = (&booted, &self.place) {
                // Without that note each later run would have to boot to find it out.
                let _ = kept.note_without_kvm();
            }
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

/// A copy of a guest that stands still.
struct Restored {
    process: Process,
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
        let (plan, shares, heard) = (Arc::clone(&self.plan), machine.shares, machine.heard);
        let copier = move |machine| -> io::Result<Box<dyn Runner>> {
            let process = Process { machine, monitor };
            let snapshot = Snapshot::take(process, memory, plan.machine.leaps())?;
            Ok(Box::new(Copies { snapshot, plan, first: Mutex::default(), shares, heard }))
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

    fn recall(&self) -> Option<(Box<dyn Runner>, Greeted)> {
        let (copies, greeted) = self.recalled.lock().ok()?.take()?;
        Some((Box::new(copies), greeted))
    }
}

/// Copies of one machine.
struct Copies {
    plan: Arc<Plan>,
    snapshot: Snapshot,
    /// One of them, by which it was seen that QEMU takes a guest of an earlier run. It stands still: one that waited for an
    /// order would leap from timer to timer.
    first: Mutex<Option<Restored>>,
    /// If the guest has found the memory that it is to share.
    shares: bool,
    /// If what its kernel prints is known to be heard.
    heard: bool,
}

impl Runner for Copies {
    fn start(&self) -> io::Result<Link> {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        let Restored { mut process, shared } =
            first.map_or_else(|| self.plan.restored(&self.snapshot), Ok)?;
        go_on(&mut process)?;
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

    fn keep(&self, greeted: &Greeted) -> io::Result<()> {
        let Plan { machine, place, .. } = &*self.plan;
        let Some((kept, key)) = place.as_ref().filter(|_| machine.leaps()) else { return Ok(()) };
        let (greeted, has_device) = (greeted.clone(), machine.shares);
        let about = About { greeted, has_device, shares: self.shares, heard: self.heard };
        kept.put(key, &self.snapshot, &about)
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
