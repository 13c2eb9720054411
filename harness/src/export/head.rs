//! What stands at the top of an exported program: what it is about, where that is specified, how to compile and run it,
//! and what it says; and what it asks of the machine before it begins.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::c::Sizes;
use super::starts_programs;
use crate::case::{Abi, Act, Case, Prerequisite, Session, Step, Version};
use crate::deviation::Deviation;
use crate::ops::Op;
use crate::plan::Plan;
use crate::suite::Suite;

/// The comment at the top.
pub(super) fn head(suite: &Suite, case: &Case, plan: &Plan, version: Version) -> String {
    let mut lines = Vec::new();
    lines.extend(wrapped(&format!("{}.", case.title.trim_end_matches('.')), ""));
    lines.push(String::new());
    lines.extend(wrapped(
        &format!(
            "Case {} ({}) of skc, the conformance suite for session keyrings, as a program of its own.",
            case.id, case.file
        ),
        "",
    ));
    if let Some(about) = &case.about {
        lines.push(String::new());
        lines.extend(wrapped(about, ""));
    }
    lines.push(String::new());
    lines.push("It decides:".into());
    for id in &case.covers {
        let Some(requirement) = suite.requirement(id) else { continue };
        lines.extend(wrapped(&format!("{id}: {}", requirement.says), "  "));
        for from in &requirement.from {
            lines.extend(wrapped(&format!("see {from}"), "    "));
        }
    }
    lines.push(String::new());
    lines.push(
        "What it plays, an act and its outcome in a line; the same is at the end of this file, in C:".into(),
    );
    for step in &plan.steps {
        lines.extend(step_lines(step, "  "));
    }
    let name = case.id.rsplit('/').next().unwrap_or("case");
    let name: String =
        name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).collect();
    let name = name.trim_end_matches('-');
    lines.push(String::new());
    lines.push(format!(
        "Compile   cc -O2 -Wall -Wextra -o {name} {name}.c       (-static for a machine without libc)"
    ));
    if plan.stage.initial_pid || starts_programs(plan) {
        lines.push("Run       as process 1 of a machine and not otherwise".into());
    } else if needs_machine(case, plan) {
        lines.push(format!(
            "Run       ./{name} --own-machine       as root, on a machine that is fit for nothing else afterwards"
        ));
    } else {
        lines.push(format!(
            "Run       ./{name}       as root; nothing outside of its own namespaces is touched"
        ));
    }
    lines.push(format!(
        "Or boot   cp {name} init && echo init | cpio -o -H newc > {name}.cpio       (compiled with -static)"
    ));
    lines.push(format!(
        "          qemu-system-x86_64 -kernel bzImage -initrd {name}.cpio -append console=ttyS0 -nographic"
    ));
    lines.push(String::new());
    lines.extend(wrapped(
        &format!("The outcomes are those that Linux {version} should have. Each step is told with its line in {}, what was \
            expected and what was observed; the last line is the verdict. Exit status:", case.file),
        "",
    ));
    for line in [
        "  0    PASS: every step came out as expected",
        "  1    FAIL: a step did not: the kernel differs, at the line that is told",
        "  4    SKIP: not played here; the last line says what is missing",
        "  124  TIMEOUT: a call did not come back in its time",
        "  99   BROKEN: the program or the machine failed, and nothing is known of the kernel",
    ] {
        lines.push(line.into());
    }
    let linux = |entry: &&Deviation| entry.on.implementation == "linux" && entry.is_about(case);
    let known: Vec<_> = suite.deviations().iter().filter(linux).collect();
    if !known.is_empty() {
        lines.push(String::new());
        lines.push("Known to differ:".into());
        for entry in known {
            lines.extend(wrapped(
                &format!(
                    "{}: {} gives {}. {}",
                    entry.on,
                    entry.at,
                    entry.observed,
                    entry.because.replace('\n', " ")
                ),
                "  ",
            ));
        }
    }
    // What would begin or end a comment is kept apart.
    let body: Vec<String> = lines
        .iter()
        .map(|line| format!(" * {}", line.replace("*/", "* /").replace("/*", "/ *")).trim_end().to_owned())
        .collect();
    format!("// SPDX-License-Identifier: MIT OR Apache-2.0\n/*\n{}\n */\n", body.join("\n"))
}

/// A step as the case has it, with what qualifies it.
fn step_lines(step: &Step, indent: &str) -> Vec<String> {
    if let Act::Together(steps) = &step.act {
        let mut lines = vec![format!("{indent}{:>3}  together{}:", step.line, qualifiers(step))];
        lines.extend(steps.iter().flat_map(|step| step_lines(step, &format!("{indent}    "))));
        return lines;
    }
    vec![format!("{indent}{:>3}  {}{}", step.line, step.text.replace('\n', " "), qualifiers(step))]
}

/// What stands beside a step in its case.
pub(super) fn qualifiers(step: &Step) -> String {
    let mut text = String::new();
    if step.times > 1 {
        let _ = write!(text, ", {} times", step.times);
    }
    if let Some(within) = step.within {
        let _ = write!(text, ", within {} ms", within.as_millis());
    }
    if let Some(name) = &step.starts {
        let _ = write!(text, ", in the background as {name}");
    }
    if step.abi == Abi::Compat32 {
        text += ", by the 32-bit entry";
    }
    text
}

/// Sizes and constants of a case, which stand before the runtime.
pub(super) fn constants(
    out: &mut dyn Write,
    name: &str,
    sizes: &Sizes,
    constants: &BTreeMap<String, i64>,
) -> std::fmt::Result {
    writeln!(out, "#define CASE {name}")?;
    writeln!(out, "#define CAST {}\t/* actors before the first step */", sizes.cast)?;
    writeln!(
        out,
        "enum {{ ACTORS = {}, VARIABLES = {}, ARENA = {} }};",
        sizes.actors, sizes.variables, sizes.arena
    )?;
    writeln!(out, "#define TIME_LIMIT {}ULL\t/* of a call, in nanoseconds */", sizes.call)?;
    writeln!(out, "#define CASE_LIMIT {}ULL", sizes.case)?;
    if !constants.is_empty() {
        let list: Vec<String> = constants.iter().map(|(name, number)| format!("{name} = {number}")).collect();
        writeln!(out, "enum {{\t/* as linux/keyctl.h has them */\n\t{}\n}};", list.join(",\n\t"))?;
    }
    writeln!(out)
}

/// A text in lines of a page.
fn wrapped(text: &str, indent: &str) -> Vec<String> {
    const WIDTH: usize = 100;
    let mut lines = Vec::new();
    for paragraph in text.trim_end().split('\n') {
        let mut line = indent.to_owned();
        for word in paragraph.split_ascii_whitespace() {
            if line.len() + word.len() + 1 > WIDTH && !line.trim().is_empty() {
                lines.push(std::mem::replace(&mut line, indent.to_owned()));
            }
            if !line.trim().is_empty() {
                line.push(' ');
            }
            line += word;
        }
        lines.push(line);
    }
    lines
}

/// If the case leaves marks on its machine, or is about one that is nobody else's.
pub(super) fn needs_machine(case: &Case, plan: &Plan) -> bool {
    plan.stage.marks || case.needs.contains(&Prerequisite::Vm)
}

/// The function that skips the case where something is missing.
pub(super) fn needs(case: &Case, plan: &Plan) -> String {
    let mut text = String::from("static void check_needs(void)\n{\n");
    let mut need = |call: &str| {
        let _ = writeln!(text, "\t{call};");
    };
    if plan.stage.initial_pid {
        need("need_to_be_init(\"it is about children of the machine's init\")");
    } else if starts_programs(plan) {
        need(
            "need_to_be_init(\"the kernel may start /sbin/request-key in it, which the whole machine shares\")",
        );
    } else if needs_machine(case, plan) {
        need("need_own_machine()");
    }
    for prerequisite in &case.needs {
        match prerequisite {
            Prerequisite::PersistentKeyrings => need("need_capability(1, \"CONFIG_PERSISTENT_KEYRINGS\")"),
            Prerequisite::DiffieHellman => need("need_capability(2, \"CONFIG_KEY_DH_OPERATIONS\")"),
            Prerequisite::BigKeys => need("need_capability(4, \"CONFIG_BIG_KEYS\")"),
            Prerequisite::KeyNotifications => need("need_capability(10, \"CONFIG_KEY_NOTIFICATIONS\")"),
            Prerequisite::DefaultLimits => {
                need("need_limit(\"maxkeys\", 200)");
                need("need_limit(\"maxbytes\", 20000)");
            }
            Prerequisite::InitUserNamespaceRoot
            | Prerequisite::InitPidNamespace
            | Prerequisite::NoRequestKey
            | Prerequisite::RequestKeyProgram
            | Prerequisite::Vm => {}
        }
    }
    if starts_programs(plan) {
        need(if plan.stage.no_request_key { "set_request_key(0)" } else { "set_request_key(1)" });
    }
    if plan.actors.iter().any(|actor| actor.session == Session::None) {
        need("need_no_session()");
    }
    if any(&plan.steps, &|step| step.abi == Abi::Compat32) {
        need("need_call32()");
    }
    let gains = |step: &Step| match &step.act {
        Act::Call { call, .. } => matches!(call.op, Op::ExecSetuid | Op::ExecSetgid | Op::ExecFilecaps),
        _ => false,
    };
    if any(&plan.steps, &gains) {
        need("need_privileges()");
    }
    text + "}\n"
}

fn any(steps: &[Step], is: &dyn Fn(&Step) -> bool) -> bool {
    steps
        .iter()
        .any(|step| is(step) || if let Act::Together(steps) = &step.act { any(steps, is) } else { false })
}
