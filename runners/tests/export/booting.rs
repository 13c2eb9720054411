//! Machines whose process 1 is a program: how they are started, and what their consoles say.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::export;
use runners::guard::{Guarded, Streams};
use vm_images::initramfs::initramfs;

use super::compiled::{self, Told};

const QEMU: &str = "qemu-system-x86_64";
/// The oldest kernel of the catalogue.
pub(crate) const OLD: &str = "debian-5.10";
/// The kernel that tests/faults tells how to build.
pub(crate) const FAULTS: &str = "faults";
/// How long a machine may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why no machine with this kernel can be started here.
fn missing(kernel: &str) -> Option<String> {
    if Command::new(QEMU).arg("--version").output().is_err() {
        return Some(format!("{QEMU} is not installed (Debian's package qemu-system-x86)"));
    }
    match image(kernel) {
        Ok(_) => None,
        Err(_) if kernel == FAULTS => Some("there is no kernel called faults: tests/faults/README.md".into()),
        Err(why) => Some(format!("the kernel cannot be had: {why}")),
    }
}

/// Why no machine with the old kernel can be started here.
pub(crate) fn no_old() -> Option<String> {
    missing(OLD)
}

/// Why none with the faulty one can.
pub(crate) fn no_faults() -> Option<String> {
    missing(FAULTS)
}

/// The file of a kernel, which is fetched if it is not there.
pub(crate) fn image(kernel: &str) -> Result<String, String> {
    let skc = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_skc")).args(words).output();
        let output = output.map_err(|error| error.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
            false => {
                Err(String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default().to_owned())
            }
        }
    };
    if kernel != FAULTS {
        skc(&["kernels", "fetch", kernel])?;
    }
    skc(&["kernels", "path", kernel])
}

/// How often a boot is tried.
const BOOTS: u32 = 3;

/// What each program says as process 1 of machines that each play so many.
pub(crate) fn boot(
    kernel: &str,
    append: &str,
    programs: &[export::Program],
    most: usize,
) -> Result<Vec<Told>, String> {
    let bundles = match most {
        // As somebody has it who exports one case.
        1 => programs.iter().enumerate().map(|(at, program)| (vec![at], program.to_string())).collect(),
        most => export::bundles(programs, most),
    };
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let consoles = compiled::each(bundles.len(), compiled::processors(), |at| {
        let source = folder.path().join(format!("{at}.c"));
        fs::write(&source, &bundles[at].1).map_err(|error| error.to_string())?;
        compiled::compile(&source, &["-O0", "-w", "-static"])?;
        let program = fs::read(source.with_extension("")).map_err(|error| error.to_string())?;
        let packed = initramfs(&program, &[]).map_err(|error| error.to_string())?;
        fs::write(source.with_extension("cpio"), packed).map_err(|error| error.to_string())?;
        console(kernel, append, &source.with_extension("cpio"))
    });
    let mut told = vec![None; programs.len()];
    for ((cases, _), console) in bundles.iter().zip(consoles) {
        let console = console?;
        let heard = split(&console);
        if heard.len() != cases.len() {
            return Err(format!("of {} programs {} have begun:\n{console}", cases.len(), heard.len()));
        }
        cases.iter().zip(heard).for_each(|(at, heard)| told[*at] = Some(heard));
    }
    told.into_iter().map(|told| told.ok_or_else(|| "a program is in no machine".to_owned())).collect()
}

/// What a machine with this initramfs prints until it is off. A boot that fails before any program has begun says nothing of
/// one, and is tried again as it is in a run: on a loaded processor an old kernel may find that its timer does not work.
pub(crate) fn console(kernel: &str, append: &str, packed: &Path) -> Result<String, String> {
    // As the suite starts it, but for what the kernel prints: nothing but its death, so that it tears no line.
    let append = format!("console=ttyS0 loglevel=1 panic=-1 oops=panic cryptomgr.notests {append}");
    let words = "-nodefaults -no-user-config -display none -no-reboot -M pc -m 256 -accel tcg -cpu qemu64,-cx16 -serial stdio";
    let words = [QEMU].into_iter().chain(words.split(' ')).map(OsString::from).chain([
        "-kernel".into(),
        kernel.into(),
        "-initrd".into(),
        packed.into(),
        "-append".into(),
        append.into(),
    ]);
    let words: Vec<OsString> = words.collect();
    let boot = || printed(&words, &packed.with_extension("log"));
    for _ in 1..BOOTS {
        let console = boot()?;
        if !split(&console).is_empty() {
            return Ok(console);
        }
    }
    boot()
}

/// What a command prints, which turns a machine on, until that is off.
pub(crate) fn printed(words: &[OsString], log: &Path) -> Result<String, String> {
    let failed = |error: io::Error| error.to_string();
    let output = File::create(log).map_err(failed)?;
    let streams = Streams {
        input: Stdio::null(),
        errors: output.try_clone().map_err(failed)?.into(),
        output: output.into(),
    };
    let mut machine =
        Guarded::start(Path::new(env!("CARGO_BIN_EXE_skc")), words, streams, vec![]).map_err(failed)?;
    let ended = machine.ended(PATIENCE).map_err(failed)?;
    let text = String::from_utf8_lossy(&fs::read(log).map_err(failed)?).replace('\r', "");
    match ended {
        Some(status) if status.success() => Ok(text),
        Some(status) => Err(format!("{:?}: {status}:\n{text}", words.first())),
        None => Err(format!("the machine is not off after {} s:\n{text}", PATIENCE.as_secs())),
    }
}

/// Where no verdict was told.
pub(crate) const NO_VERDICT: i32 = -1;

/// A console cut where a program begins, which it does with the name of its case.
pub(crate) fn split(console: &str) -> Vec<Told> {
    let mut heard: Vec<Told> = Vec::new();
    for line in console.lines() {
        if line.starts_with("# ") {
            heard.push(Told { status: NO_VERDICT, output: String::new() });
        }
        let Some(told) = heard.last_mut() else { continue };
        told.output += line;
        told.output.push('\n');
        told.status = match line.split(' ').next() {
            Some("PASS") => 0,
            Some("FAIL") => 1,
            Some("SKIP") => 4,
            Some("TIMEOUT") => 124,
            Some("BROKEN") => 99,
            _ => told.status,
        };
    }
    heard
}
