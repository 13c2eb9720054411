//! Programs as process 1 of machines with other kernels, faulty ones among them: they say what the suite says of the same
//! cases there, and fail at the same line.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Write};
use std::process::{Command, Stdio};

use harness::case::{Case, Version};
use harness::export;
use harness::plan::Plan;
use harness::record::{self, CaseRecord, Run, Verdict};
use harness::suite::Suite;

use super::agree;
use super::booting::{FAULTS, NO_VERDICT, OLD, boot, image};
use super::compiled::Told;
use super::spoiled::spoil;

/// How many of its cases are played: each one of so many.
const EVERY: usize = 15;
/// The most cases that one machine plays.
const TOGETHER: usize = 400;
/// What is put on a faulty kernel's command line, which cases are played there, and how many on one machine. Some pass
/// there, and some do not.
const FAULTY: &[(&str, &[&str], usize)] = &[
    ("wrong-serial", &["join/a*", "join/named-n*", "request/a*", "parent/authority*"], TOGETHER),
    ("no-parent", &["parent/a*", "parent/single-threaded", "parent/same-keyring"], TOGETHER),
    // What it counts it counts from the boot.
    ("flaky", &["join/named-new", "join/named-empty", "parent/single-threaded"], 1),
    ("oops:web", &["join/named-new", "join/anonymous"], 1),
];

pub(crate) fn old(suite: &Suite) -> Result<(), String> {
    let names: Vec<&str> = suite.cases().iter().step_by(EVERY).map(|case| case.id.as_str()).collect();
    let counts = counted(&compare(suite, OLD, "", &names, TOGETHER)?);
    match counts.get("pass") {
        Some(passed) if *passed > 70 => Ok(()),
        _ => Err(format!("so few have passed that nothing was compared: {counts:?}")),
    }
}

/// Every case in which the kernel starts /sbin/request-key, which is the program too; and every one that passes with
/// an expectation that is wrong on purpose.
pub(crate) fn upcalls(suite: &Suite) -> Result<(), String> {
    let names = those(suite, |plan| export::starts_programs(plan) && !plan.stage.marks);
    let played = compare(suite, OLD, "", &names, TOGETHER)?;
    let counts = counted(&played);
    if played.len() != names.len() || counts.get("pass") < Some(&140) {
        return Err(format!("of {} cases not all were played: {counts:?}", names.len()));
    }
    let mut spoiled = Vec::new();
    for (at, record) in played.iter().filter(|record| record.verdict == Verdict::Pass).enumerate() {
        let case = suite.case(&record.case).ok_or("a case that is not there")?;
        let plan = export::settled(case, Version(5, 10)).map_err(|why| why.0)?;
        let Some((plan, line)) = spoil(&plan, at) else { continue };
        let program = export::program(suite, case, &plan, Version(5, 10)).map_err(|why| why.0)?;
        spoiled.push((&case.id, line, program));
    }
    let programs: Vec<export::Program> = spoiled.iter().map(|(.., program)| program.clone()).collect();
    let told = boot(&image(OLD)?, "", &programs, TOGETHER)?;
    let good =
        |line, told: &Told| told.status == 1 && told.output.contains(&format!("\nNOT OK line {line}: "));
    let wrong: Vec<String> = spoiled
        .iter()
        .zip(&told)
        .filter(|((_, line, _), told)| !good(line, told))
        .map(|((id, line, _), told)| {
            format!("{id} with line {line} spoiled: {}\n{}", told.status, told.output)
        })
        .collect();
    let _ = writeln!(io::stdout(), "{} spoiled, {} do not fail there", told.len(), wrong.len());
    match wrong.is_empty() && told.len() > 140 {
        true => Ok(()),
        false => Err(format!("{} spoiled\n{}", told.len(), wrong.join("\n"))),
    }
}

/// Every case that leaves marks on its machine has one of its own, which the program is process 1 of.
pub(crate) fn own_machine(suite: &Suite) -> Result<(), String> {
    let names = those(suite, |plan| plan.stage.marks);
    let played = compare(suite, OLD, "", &names, 1)?;
    let counts = counted(&played);
    match played.len() == names.len() && counts.get("skip").is_none_or(|count| *count < 3) {
        true => Ok(()),
        false => Err(format!("not all were played: {counts:?}")),
    }
}

pub(crate) fn faulty(suite: &Suite) -> Result<(), String> {
    for (fault, chosen, most) in FAULTY {
        let counts = counted(&compare(suite, FAULTS, &format!("keys_fault={fault}"), chosen, *most)?);
        let bad = counts.get("fail").or_else(|| counts.get("crash"));
        if bad.is_none() || !counts.contains_key("pass") {
            return Err(format!("{fault}: some should pass, and some not: {counts:?}"));
        }
    }
    Ok(())
}

/// The cases that can be exported and whose plan is such.
fn those(suite: &Suite, is: impl Fn(&Plan) -> bool) -> Vec<&str> {
    let chosen = |case: &&Case| export::settled(case, Version(5, 10)).is_ok_and(|plan| is(&plan));
    suite.cases().iter().filter(chosen).map(|case| case.id.as_str()).collect()
}

/// How many cases came to each verdict.
fn counted(played: &[CaseRecord]) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    played.iter().for_each(|record| *counts.entry(record.verdict.word()).or_default() += 1);
    counts
}

/// Plays cases on a kernel by the suite and as programs, so many on one machine. Gives what the suite says of those
/// that were programs, if both say the same.
fn compare(
    suite: &Suite,
    kernel: &str,
    append: &str,
    chosen: &[&str],
    most: usize,
) -> Result<Vec<CaseRecord>, String> {
    let run = records(kernel, append, chosen, kernel == FAULTS && most == 1)?;
    let version = run.header.target.version;
    let mut played: Vec<CaseRecord> = Vec::new();
    let mut programs = Vec::new();
    for record in run.cases {
        let case = suite.case(&record.case).ok_or_else(|| format!("there is no case {}", record.case))?;
        // What cannot be exported is counted elsewhere.
        let Ok(plan) = export::settled(case, version) else { continue };
        // What acts at the same time may come out one way or the other; a helper and who waits for it take turns.
        if plan.needs_processors() && !export::starts_programs(&plan) {
            continue;
        }
        programs.push(export::program(suite, case, &plan, version).map_err(|why| why.0)?);
        played.push(record);
    }
    let told = boot(&image(kernel)?, append, &programs, most)?;
    let mut wrong = Vec::new();
    for (record, told) in played.iter().zip(&told) {
        let compared = match record.verdict {
            Verdict::Crash => died(told),
            _ => agree(record, told),
        };
        if let Err(why) = compared {
            wrong.push(format!("{}: {why}\n{}", record.case, told.output));
        }
    }
    let _ = writeln!(io::stdout(), "{kernel} {append}: {:?}, {} disagree", counted(&played), wrong.len());
    match wrong.is_empty() {
        true => Ok(played),
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
