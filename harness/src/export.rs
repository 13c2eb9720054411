//! A case on its own: one C file that plays it, for someone who has a kernel and a compiler and nothing else; and the
//! same as strace(1) would show it.
//!
//! What each operation is in system calls comes from [`crate::actor::perform`], so a new one needs nothing here.
//! The fixed part of the program is C below `runtime/`.

mod c;
mod deed;
mod head;
mod names;
mod paper;
mod runtime;
mod script;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::case::{Case, Prerequisite, Version};
use crate::plan::{Plan, plan, programs};
use crate::suite::Suite;
use crate::target::{Feature, Ids, Target};

/// How long a call may take.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Why a case cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// The plan of a case for Linux of a version, on a machine that has everything.
pub fn settled(case: &Case, version: Version) -> Result<Plan, Refusal> {
    let target = Target {
        implementation: "linux".into(),
        implementation_version: None,
        release: version.to_string(),
        version,
        machine: std::env::consts::ARCH.into(),
        place: "an exported program".into(),
        ids: Ids::Block,
        features: Feature::ALL.iter().copied().collect(),
        programs: programs(case),
    };
    let plan = plan(case, &target, TIME_LIMIT).map_err(|skip| Refusal(skip.0))?;
    if !case.files.is_empty() || !case.programs.is_empty() {
        return Err(Refusal("it brings files or runs programs of the machine's, which one file in C cannot".into()));
    }
    if plan.stage.programs {
        return Err(Refusal("it runs a program of the machine's, which one file in C cannot bring".into()));
    }
    let machine: BTreeSet<Prerequisite> = case.needs.iter().copied().collect();
    if plan.stage.initial_user
        || plan.stage.answers
        || plan.stage.marks
        || machine.contains(&Prerequisite::Vm)
    {
        return Err(Refusal("it needs a machine of its own: /sbin/request-key, limits or the initial namespaces".into()));
    }
    Ok(plan)
}

/// The C program that plays a case as it is planned.
pub fn program(suite: &Suite, case: &Case, plan: &Plan, version: Version) -> Result<String, Refusal> {
    let script = script::script(plan)?;
    let own = c::own(plan, &script)?;
    let needs = head::needs(case, plan);
    let words = format!("{}\n{}\n{}\n{needs}", own.constants, own.text, own.hints);
    let head = head::head(suite, case, version);
    let runtime = runtime::chosen(&words);
    // What the program asks of the machine stands before the runtime's main, which calls it.
    let main = runtime.rfind("static void play(void);").unwrap_or(runtime.len());
    let (before, after) = runtime.split_at(main);
    Ok(format!(
        "{head}{before}{needs}\n{after}\n/*\n * The case.\n */\n{}",
        own.text
    )
    .replacen("/* Exit statuses;", &format!("{}\n/* Exit statuses;", own.constants), 1))
}
