//! Any kernel: workers are virtual machines of QEMU that boot it, with `skc` as their process 1.
//!
//! A kernel is booted once, its guest is greeted and then saved; each worker is a copy of that. The copies share the memory that none of them has written to. Where QEMU
//! cannot do that, each worker is booted.

pub mod accelerator;
pub mod command;
mod monitor;
mod process;
mod snapshot;

use std::fs::File;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use nix::sys::memfd::{MFdFlags, memfd_create};

use self::accelerator::Accelerator;
use self::command::{Machine, Memory};
use self::process::{Process, Unready};
use self::snapshot::Snapshot;
use crate::console::{Complaint, complaint};
use crate::interrupt::Stop;
use crate::remote::Unstarted;
use crate::{Life, Link, Runner};

/// What is lost with a kernel whose console does not come here.
const DEAF: &str = "the kernel prints nothing on its serial console (CONFIG_SERIAL_8250_CONSOLE, console=): \
                    if it complains, that is not seen";
/// How often a boot is tried: a kernel that is emulated may well fail one in seven by itself.
const BOOTS: u32 = 3;

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
    /// How long a boot may take.
    patience: Duration,
    stop: Arc<Stop>,
}

impl Qemu {
    /// Boots the kernel up to where its guest waits for orders, which may take so long.
    pub fn boot(
        machine: Machine,
        wish: Wish,
        initramfs: &[u8],
        patience: Duration,
        stop: Arc<Stop>,
    ) -> Result<Qemu, Unstarted> {
        let failed = |error: io::Error| Unstarted::Failed(error.to_string());
        let initramfs = in_memory(initramfs).map_err(failed)?;
        let mut plan = Plan { machine, initramfs, patience, stop };
        let mut notes = Vec::new();
        let booted = plan.boot_first(wish, &mut notes)?;
        if !booted.process.heard {
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
            return self.boot_again(0, None);
        }
        const SLOW: &str = "so QEMU translates (TCG), which is slower";
        if let Some(why) = accelerator::why_not_kvm() {
            notes.push(format!("{why}, {SLOW}"));
            return self.boot_again(0, None);
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
            Err(unready) => self.boot_again(1, Some(unready)),
        }
    }

    /// Boots until a guest waits for orders, or until it has failed too often.
    fn boot_again(&self, mut tries: u32, mut last: Option<Unready>) -> Result<Booted, Unstarted> {
        loop {
            match last {
                Some(Unready::Stopped) => return Err(Unstarted::Stopped),
                Some(Unready::Unfit(why)) => return Err(Unstarted::Refused(why)),
                Some(Unready::Hopeless(why)) => return Err(Unstarted::Failed(why)),
                Some(Unready::Failed(why)) if tries >= BOOTS => {
                    return Err(Unstarted::Failed(format!("{tries} boots failed; in the last one {why}")));
                }
                Some(Unready::Failed(_)) | None => {}
            }
            tries += 1;
            match self.try_to_boot(&self.machine, self.patience, &self.stop) {
                Ok(booted) => return Ok(booted),
                Err(unready) => last = Some(unready),
            }
        }
    }

    fn try_to_boot(&self, machine: &Machine, limit: Duration, end: &Stop) -> Result<Booted, Unready> {
        let memory = File::from(memfd_create(c"guest", MFdFlags::MFD_CLOEXEC).map_err(io::Error::from)?);
        let words = machine.arguments(Memory::Shared, false);
        let mut process = Process::start(&words, &self.initramfs, &memory)?;
        process.await_ready(Instant::now() + limit, [&self.stop, end])?;
        Ok(Booted { process, memory })
    }
}

/// A guest that waits for orders, and the file that its memory is.
struct Booted {
    process: Process,
    memory: File,
}

impl Runner for Qemu {
    fn start(&self) -> io::Result<Link> {
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        let Booted { process, memory } = match first.map_or_else(|| self.plan.boot_again(0, None), Ok) {
            Ok(booted) => booted,
            Err(Unstarted::Stopped) => return Err(io::Error::other("the run was stopped")),
            Err(Unstarted::Refused(why) | Unstarted::Failed(why)) => return Err(io::Error::other(why)),
        };
        link(process, Some((Arc::clone(&self.plan), memory)))
    }

    fn place(&self) -> String {
        self.plan.place()
    }

    fn jobs(&self) -> usize {
        jobs()
    }

    fn has_machines(&self) -> bool {
        true
    }
}

/// Copies of one machine.
struct Copies {
    plan: Arc<Plan>,
    snapshot: Snapshot,
}

impl Runner for Copies {
    fn start(&self) -> io::Result<Link> {
        let words = self.plan.machine.arguments(Memory::Copied, true);
        let mut process = Process::start(&words, &self.plan.initramfs, self.snapshot.memory())?;
        self.snapshot.restore(&mut process)?;
        link(process, None)
    }

    fn place(&self) -> String {
        self.plan.place()
    }

    fn jobs(&self) -> usize {
        jobs()
    }

    fn has_machines(&self) -> bool {
        true
    }
}

impl Plan {
    fn place(&self) -> String {
        format!("qemu {}", self.machine.accelerator.name())
    }
}

/// A machine that waits costs no processor: a few more than there are processors.
fn jobs() -> usize {
    2 * thread::available_parallelism().map_or(1, usize::from)
}

fn link(process: Process, origin: Option<(Arc<Plan>, File)>) -> io::Result<Link> {
    let (orders, words) = process.port()?;
    let life = Guest { process, origin, said: Vec::new(), told: 0, reset: false };
    Ok(Link { orders, words, life: Box::new(life) })
}

/// The life of one virtual machine.
struct Guest {
    process: Process,
    /// What it takes to copy it; copies are not copied.
    origin: Option<(Arc<Plan>, File)>,
    /// What its kernel has printed since the machine was ready.
    said: Vec<String>,
    /// How many lines of that were told.
    told: usize,
    /// If it has reset itself.
    reset: bool,
}

impl Guest {
    fn listen(&mut self) {
        self.said.extend(self.process.console.news());
    }
}

impl Life for Guest {
    fn kill(&mut self) {
        self.process.kill();
    }

    fn ended(&mut self, limit: Duration) -> Option<String> {
        let (status, how) = self.process.ended(limit)?;
        self.reset = status.is_some_and(|status| status.success());
        let words = self.process.words();
        let words = words.last().map(|line| format!(" ({line})")).unwrap_or_default();
        Some(format!("{how}{words}"))
    }

    fn console(&mut self) -> Vec<String> {
        self.listen();
        let news = self.said[self.told..].to_vec();
        self.told = self.said.len();
        news
    }

    fn complaint(&mut self) -> Option<Complaint> {
        self.listen();
        complaint(&self.said).or_else(|| {
            // Nobody had told it to: that is how a processor ends that cannot even fault any more.
            let gone = self.said.iter().any(|line| line.contains("Attempted to kill init!"));
            (self.reset && !gone).then(|| Complaint {
                line: "nothing: it reset the machine".into(),
                excerpt: self.said.clone(),
            })
        })
    }

    fn freeze(self: Box<Self>) -> io::Result<Box<dyn Runner>> {
        let Guest { process, origin, .. } = *self;
        let (plan, memory) = origin.ok_or_else(|| io::Error::other("it is a copy itself"))?;
        Ok(Box::new(Copies { snapshot: Snapshot::take(process, memory)?, plan }))
    }
}

/// A file in memory with this content.
fn in_memory(content: &[u8]) -> io::Result<File> {
    let mut file = File::from(memfd_create(c"initramfs", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(content)?;
    Ok(file)
}
