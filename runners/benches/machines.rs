//! What virtual machines cost where QEMU translates: `cargo bench -p runners --bench machines [-- KERNEL]`.
//!
//! The baseline is the time in which QEMU boots the same kernel with an initramfs of busybox that powers off at once.
//! All times are taken in turn, so that a busy machine is busy for all, and are told as multiples of it too: how many
//! seconds something takes is up to the machine, how many boots it takes much less so.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::suite::Suite;
use tempfile::NamedTempFile;
use vm_images::initramfs::{Extra, initramfs};
use vm_images::{Store, resolve};

const ROUNDS: usize = 3;
const SKC: &str = env!("CARGO_BIN_EXE_skc");
const KERNEL: &str = "debian-6.12";
const BUSYBOX: &str = "/bin/busybox";
const CASE: &str = "join/anonymous";
/// Cases of which none takes long: what is counted is what their machines cost.
const CHAPTER: &str = "join";

fn main() -> Outcome {
    // Cargo adds an argument of its own.
    let kernel = std::env::args().skip(1).find(|word| !word.starts_with('-'));
    let kernel = kernel.as_deref().unwrap_or(KERNEL);
    let image = resolve(kernel, &Store::of_user()?, &mut |_| ControlFlow::Continue(()))?.image;
    let idle = idle_initramfs()?;
    let cases = Suite::embedded().map_err(|found| format!("{} errors in the cases", found.len()))?;
    let cases = cases.cases().iter().filter(|case| case.id.starts_with(&format!("{CHAPTER}/"))).count();

    let skc = |args: &[&str]| {
        timed(Command::new(SKC).args(["run", "--accel", "tcg", "--kernel", kernel]).args(args))
    };
    // From here on there are guests that were kept: cases that start programs want other guests.
    skc(&[CASE])?;
    skc(&[])?;
    let mut measures = [
        Measure::new("busybox that powers off"),
        Measure::new("skc run --cold-boot, one case"),
        Measure::new("skc run, one case, by a guest that was kept"),
        Measure::new("skc run --fresh-vm, each case"),
        Measure::new("skc run --cold-boot, the suite"),
        Measure::new("skc run, the suite, by a guest that was kept"),
    ];
    for round in 1..=ROUNDS {
        writeln!(io::stderr(), "round {round} of {ROUNDS}")?;
        let times = [
            timed_to(&mut idle_machine(&image, idle.path()), "Power down")?,
            skc(&["--cold-boot", CASE])?,
            skc(&[CASE])?,
            skc(&["--fresh-vm", CHAPTER])? / cases as u32,
            skc(&["--cold-boot"])?,
            skc(&[])?,
        ];
        for (measure, time) in measures.iter_mut().zip(times) {
            measure.add(time, times[0]);
        }
    }
    let mut out = io::stdout().lock();
    writeln!(out, "{ROUNDS} rounds with {kernel}; the least and the median, and as multiples of the first")?;
    measures.iter_mut().try_for_each(|measure| measure.tell(&mut out))?;
    Ok(())
}

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// An initramfs that does nothing.
fn idle_initramfs() -> Outcome<NamedTempFile> {
    let busybox = std::fs::read(BUSYBOX).map_err(|error| format!("{BUSYBOX} (busybox-static): {error}"))?;
    let extra = [Extra { path: "bin/busybox", bytes: &busybox, mode: 0o755 }];
    let mut file = NamedTempFile::new()?;
    file.write_all(&initramfs(b"#!/bin/busybox sh\n/bin/busybox poweroff -f\n", &extra)?)?;
    Ok(file)
}

/// A machine as anybody would start it.
fn idle_machine(kernel: &Path, initramfs: &Path) -> Command {
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args(
        "-M pc -accel tcg -m 256 -nodefaults -no-user-config -display none -no-reboot -serial stdio"
            .split(' '),
    )
    .args(["-append", "console=ttyS0 quiet panic=-1"])
    .args([OsStr::new("-kernel"), kernel.as_ref(), OsStr::new("-initrd"), initramfs.as_ref()]);
    qemu
}

/// How long a command takes that is to succeed.
fn timed(command: &mut Command) -> Outcome<Duration> {
    timed_to(command, "")
}

/// How long a command takes that is to succeed and to say something.
fn timed_to(command: &mut Command, says: &str) -> Outcome<Duration> {
    let began = Instant::now();
    let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output()?;
    let time = began.elapsed();
    let said = String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned();
    match status.success() && said.contains(says) {
        true => Ok(time),
        false => Err(format!("{command:?}: {status}\n{said}").into()),
    }
}

/// What is measured, with its times and what multiple of the baseline each is.
struct Measure {
    name: &'static str,
    times: Vec<Duration>,
    multiples: Vec<f64>,
}

impl Measure {
    fn new(name: &'static str) -> Measure {
        Measure { name, times: Vec::new(), multiples: Vec::new() }
    }

    fn add(&mut self, time: Duration, baseline: Duration) {
        self.times.push(time);
        self.multiples.push(time.as_secs_f64() / baseline.as_secs_f64());
    }

    fn tell(&mut self, out: &mut impl Write) -> io::Result<()> {
        self.times.sort();
        self.multiples.sort_by(f64::total_cmp);
        let middle = self.times.len() / 2;
        let [least, median] = [0, middle].map(|at| self.times[at].as_secs_f64());
        let [few, many] = [0, middle].map(|at| self.multiples[at]);
        writeln!(out, "{:<46} {least:>8.2} s {median:>8.2} s {few:>8.2} × {many:>8.2} ×", self.name)
    }
}
