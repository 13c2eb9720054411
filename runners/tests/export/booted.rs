//! Programs as process 1 of machines with other kernels, faulty ones among them: they say what the suite says of the same
//! cases there, and fail at the same line.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::case::Version;
use harness::export;
use harness::record::{self, CaseRecord, Run, Verdict};
use harness::suite::Suite;
use runners::guard::{Guarded, Streams};
use vm_images::initramfs::initramfs;

use super::agree;
use super::compiled::{self, Told};

const QEMU: &str = "qemu-system-x86_64";
/// The oldest kernel of the catalogue.
const OLD: &str = "debian-5.10";
/// How many of its cases are played: each one of so many.
const EVERY: usize = 15;
/// The kernel that tests/faults tells how to build.
const FAULTS: &str = "faults";
/// The most cases that one machine plays.
const TOGETHER: usize = 400;
/// How long a machine may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is put on a faulty kernel's command line, which cases are played there, and how many on one machine. Some pass
/// there, and some do not.
const FAULTY: &[(&str, &[&str], usize)] = &[
    ("wrong-serial", &["join/a*", "join/named-n*"], TOGETHER),
    ("no-parent", &["parent/a*", "parent/single-threaded", "parent/same-keyring"], TOGETHER),
    // What it counts it counts from the boot.
    ("flaky", &["join/named-new", "join/named-empty", "parent/single-threaded"], 1),
    ("oops:web", &["join/named-new", "join/anonymous"], 1),
];

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

pub(crate) fn old(suite: &Suite) -> Result<(), String> {
    let names: Vec<&str> = suite.cases().iter().step_by(EVERY).map(|case| case.id.as_str()).collect();
    let counts = compare(suite, OLD, "", &names, TOGETHER)?;
    match counts.get("pass") {
        Some(passed) if *passed > 70 => Ok(()),
        _ => Err(format!("so few have passed that nothing was compared: {counts:?}")),
    }
}

/// Every case that leaves marks on its machine has one of its own, which the program is process 1 of.
pub(crate) fn own_machine(suite: &Suite) -> Result<(), String> {
    let marks = |id: &str| {
        let plan = suite.case(id).and_then(|case| export::settled(case, Version(5, 10)).ok());
        plan.is_some_and(|plan| plan.stage.marks)
    };
    let names: Vec<&str> = suite.cases().iter().map(|case| case.id.as_str()).filter(|id| marks(id)).collect();
    let counts = compare(suite, OLD, "", &names, 1)?;
    match counts.values().sum::<usize>() == names.len() && counts.get("skip").is_none_or(|count| *count < 3) {
        true => Ok(()),
        false => Err(format!("not all were played: {counts:?}")),
    }
}

pub(crate) fn faulty(suite: &Suite) -> Result<(), String> {
    for (fault, chosen, most) in FAULTY {
        let counts = compare(suite, FAULTS, &format!("keys_fault={fault}"), chosen, *most)?;
        let bad = counts.get("fail").or_else(|| counts.get("crash"));
        if bad.is_none() || !counts.contains_key("pass") {
            return Err(format!("{fault}: some should pass, and some not: {counts:?}"));
        }
    }
    Ok(())
}

/// Plays cases on a kernel by the suite and as programs, so many on one machine, and counts the verdicts.
fn compare(
    suite: &Suite,
    kernel: &str,
    append: &str,
    chosen: &[&str],
    most: usize,
) -> Result<BTreeMap<&'static str, usize>, String> {
    let run = records(kernel, append, chosen, kernel == FAULTS && most == 1)?;
    let version = run.header.target.version;
    let mut played: Vec<&CaseRecord> = Vec::new();
    let mut programs = Vec::new();
    for record in &run.cases {
        let case = suite.case(&record.case).ok_or_else(|| format!("there is no case {}", record.case))?;
        // What cannot be exported is counted elsewhere.
        let Ok(plan) = export::settled(case, version) else { continue };
        // What acts at the same time may come out one way or the other.
        if plan.needs_processors() {
            continue;
        }
        programs.push(export::program(suite, case, &plan, version).map_err(|why| why.0)?);
        played.push(record);
    }
    let told = boot(&image(kernel)?, append, &programs, most)?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (record, told) in played.iter().zip(&told) {
        *counts.entry(record.verdict.word()).or_default() += 1;
        let compared = match record.verdict {
            Verdict::Crash => died(told),
            _ => agree(record, told),
        };
        if let Err(why) = compared {
            wrong.push(format!("{}: {why}\n{}", record.case, told.output));
        }
    }
    let _ = writeln!(io::stdout(), "{kernel} {append}: {counts:?}, {} disagree", wrong.len());
    match wrong.is_empty() {
        true => Ok(counts),
        false => Err(wrong.join("\n")),
    }
}

/// If the kernel has died and the program has said no verdict.
fn died(told: &Told) -> Result<(), String> {
    match told.status == NO_VERDICT && told.output.contains("Kernel panic") {
        true => Ok(()),
        false => Err(format!("the kernel should have died, and the program says {}", told.status)),
    }
}

/// What the suite says of cases on a kernel.
fn records(kernel: &str, append: &str, chosen: &[&str], fresh: bool) -> Result<Run, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut skc = Command::new(env!("CARGO_BIN_EXE_skc"));
    skc.args(["run", "--accel", "tcg", "--kernel", kernel, "--append", append, "--report"])
        .arg(folder.path());
    if fresh {
        skc.arg("--fresh-vm");
    }
    let output = skc.args(chosen).stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let file = File::open(folder.path().join("records.jsonl")).map_err(|error| {
        format!("{error}: {}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()))
    })?;
    record::read(BufReader::new(file)).map_err(|flaw| format!("{flaw:?}"))
}

/// The file of a kernel, which is fetched if it is not there.
fn image(kernel: &str) -> Result<String, String> {
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

/// What each program says as process 1 of machines that each play so many.
fn boot(kernel: &str, append: &str, programs: &[export::Program], most: usize) -> Result<Vec<Told>, String> {
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
        console(kernel, append, &source.with_extension(""))
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

/// What a machine with this program as its init prints until it is off.
fn console(kernel: &str, append: &str, program: &Path) -> Result<String, String> {
    let failed = |error: io::Error| error.to_string();
    let packed = program.with_extension("cpio");
    let log = program.with_extension("log");
    fs::write(&packed, initramfs(&fs::read(program).map_err(failed)?, &[]).map_err(failed)?)
        .map_err(failed)?;
    // As the suite starts it, but for what the kernel prints: nothing but its death, so that it tears no line.
    let append = format!("console=ttyS0 loglevel=1 panic=-1 oops=panic cryptomgr.notests {append}");
    let words = "-nodefaults -no-user-config -display none -no-reboot -M pc -m 256 -accel tcg -cpu qemu64,-cx16 -serial stdio";
    let words = [QEMU].into_iter().chain(words.split(' ')).map(OsString::from).chain([
        "-kernel".into(),
        kernel.into(),
        "-initrd".into(),
        packed.into_os_string(),
        "-append".into(),
        append.into(),
    ]);
    let output = File::create(&log).map_err(failed)?;
    let streams = Streams {
        input: Stdio::null(),
        errors: output.try_clone().map_err(failed)?.into(),
        output: output.into(),
    };
    let words: Vec<OsString> = words.collect();
    let mut machine =
        Guarded::start(Path::new(env!("CARGO_BIN_EXE_skc")), &words, streams, vec![]).map_err(failed)?;
    let ended = machine.ended(PATIENCE).map_err(failed)?;
    let text = String::from_utf8_lossy(&fs::read(&log).map_err(failed)?).replace('\r', "");
    match ended {
        Some(status) if status.success() => Ok(text),
        Some(status) => Err(format!("QEMU: {status}:\n{text}")),
        None => Err(format!("the machine is not off after {} s:\n{text}", PATIENCE.as_secs())),
    }
}

/// Where no verdict was told.
const NO_VERDICT: i32 = -1;

/// A console cut where a program begins, which it does with the name of its case.
fn split(console: &str) -> Vec<Told> {
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
