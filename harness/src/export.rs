//! A case on its own: one C file that plays it, for someone who has a kernel and a compiler and nothing else; and the
//! same as strace(1) would show it.
//!
//! What each operation is in system calls comes from [`crate::actor::perform`], so a new one needs nothing here.
//! The fixed part of the program is C below `runtime/`.

mod bundle;
mod c;
mod cast;
mod deed;
mod expected;
mod head;
mod names;
mod paper;
mod runtime;
mod script;
mod strace;

use std::fmt;
use std::time::Duration;

pub use self::bundle::bundles;
use crate::case::{Case, Version};
use crate::plan::{Plan, plan, programs};
use crate::record::StepRecord;
use crate::suite::Suite;
use crate::target::{Feature, Ids, Target};

/// How long a call of an exported case may take.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Why a case cannot be exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// The plan of a case that can be a program, for Linux of a version, on a machine that has everything.
pub fn settled(case: &Case, version: Version) -> Result<Plan, Refusal> {
    let plan = planned(case, version)?;
    can_be_exported(case, &plan)?;
    Ok(plan)
}

/// The plan of a case for Linux of a version, on a machine that has everything.
pub fn planned(case: &Case, version: Version) -> Result<Plan, Refusal> {
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
    plan(case, &target, TIME_LIMIT).map_err(|skip| Refusal(skip.0))
}

/// If a case needs nothing but system calls.
fn can_be_exported(case: &Case, plan: &Plan) -> Result<(), Refusal> {
    if !case.files.is_empty() || !case.programs.is_empty() {
        return Err(Refusal(
            "it brings files or runs programs of the machine's, which one file in C cannot".into(),
        ));
    }
    if plan.stage.programs {
        return Err(Refusal("it runs a program of the machine's, which one file in C cannot bring".into()));
    }
    Ok(())
}

/// If the kernel may start /sbin/request-key in a case, so that its program has to be process 1 of a machine.
pub fn starts_programs(plan: &Plan) -> bool {
    plan.stage.answers || plan.stage.no_request_key
}

/// A case as a program in C. Shown, it is the file.
#[derive(Clone, Debug)]
pub struct Program {
    case: String,
    head: String,
    own: c::Own,
    /// The function that skips the case where something is missing.
    needs: String,
}

/// The program that plays a case as it is planned for a version of Linux.
pub fn program(suite: &Suite, case: &Case, plan: &Plan, version: Version) -> Result<Program, Refusal> {
    let script = script::script(plan)?;
    Ok(Program {
        case: case.id.clone(),
        head: head::head(suite, case, plan, version),
        own: c::own(plan, &script)?,
        needs: head::needs(case, plan),
    })
}

/// A mark in the runtime, behind which the rest of it relies on what the case has.
const CAST: &str = "/* Actors that exist before the first step. */\n";

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = [self.own.text.as_str(), &self.needs, &self.own.hints.join(" ")].join("\n");
        let runtime = runtime::chosen(&words);
        let (first, last) = runtime.split_once(CAST).unwrap_or((&runtime, ""));
        let includes = first.find("/* Exit statuses;").unwrap_or(0);
        let (includes, first) = first.split_at(includes);
        f.write_str(&self.head)?;
        f.write_str(includes)?;
        let name = c::literal(self.case.as_bytes());
        head::constants(f, &name, &self.own.sizes, &self.own.constants)?;
        f.write_str(first)?;
        write!(f, "{}\n{CAST}{last}\n/*\n * The case.\n */\n{}", self.needs, self.own.text)
    }
}

/// The steps of a planned case as strace(1) would show them, with what they came to if a record says so.
pub fn trace(plan: &Plan, played: Option<&[StepRecord]>) -> Result<String, Refusal> {
    Ok(strace::steps(&script::script(plan)?, played))
}
