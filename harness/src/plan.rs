//! Case × target → plan or skip: what is left of a case once the target is known.
//!
//! The only reader of `before` and `since`: in a plan every step has one outcome. Pure; nothing is
//! asked of the machine here.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::case::{
    Abi, Act, Actor, Bound, Call, Case, Expr, Outcome, Prerequisite, Session, Step, Variant, Version,
};
use crate::ops::{Need, Op};
use crate::target::{Feature, Ids, Target};

/// A case, ready to be played on one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The case's id.
    pub case: String,
    /// Its file.
    pub file: String,
    /// Its title.
    pub title: String,
    /// The requirements that it covers.
    pub covers: Vec<String>,
    /// The actors that exist before the first step.
    pub actors: Vec<Actor>,
    /// Steps without variants.
    pub steps: Vec<Step>,
    /// What the stage has to provide beyond processes.
    pub stage: Resources,
    /// The longest that a call may take.
    pub step_limit: Duration,
    /// The longest that the whole case may take before its stage counts as dead.
    pub limit: Duration,
}

/// What a stage provides only to cases that use it, because it costs time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// A private tmpfs with copies of the actor's program.
    pub files: bool,
    /// A /proc of the case's pid namespace.
    pub proc: bool,
    /// Foreign programs: the machine's files read-only, and no network.
    pub programs: bool,
    /// The user and the group id to map where the target has only one of each.
    pub one: Option<(u32, u32)>,
}

/// Why a case is not run: what is missing, and how to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip(pub String);

/// Makes the plan of a case for a target.
pub fn plan(case: &Case, target: &Target, step_limit: Duration) -> Result<Plan, Skip> {
    let calls: Vec<(&Call, Abi)> = calls(&case.steps);
    let needs: BTreeSet<Need> = calls.iter().flat_map(|(call, _)| call.op.spec().needs).copied().collect();

    let has = |feature, missing: &str| match target.features.contains(&feature) {
        true => Ok(()),
        false => Err(Skip(missing.into())),
    };
    has(Feature::Keys, "the target has no key facility (CONFIG_KEYS)")?;
    for prerequisite in &case.needs {
        match prerequisite {
            Prerequisite::InitUserNamespaceRoot => {
                has(Feature::Vm, "needs root in the initial user namespace: run it in a VM")
            }
            Prerequisite::Vm => has(Feature::Vm, "needs a VM"),
            Prerequisite::PersistentKeyrings => {
                has(Feature::PersistentKeyrings, "needs a kernel with CONFIG_PERSISTENT_KEYRINGS")
            }
            Prerequisite::KeyNotifications => {
                has(Feature::KeyNotifications, "needs a kernel with CONFIG_KEY_NOTIFICATIONS")
            }
            Prerequisite::DiffieHellman => {
                has(Feature::DiffieHellman, "needs a kernel with CONFIG_KEY_DH_OPERATIONS")
            }
            Prerequisite::BigKeys => has(Feature::BigKeys, "needs a kernel with CONFIG_BIG_KEYS"),
            Prerequisite::DefaultLimits => has(
                Feature::DefaultLimits,
                "needs the kernel's own limits: set kernel.keys.maxkeys to 200 and kernel.keys.maxbytes to 20000",
            ),
        }?;
    }
    if case.actors.iter().any(|actor| actor.upcall.is_some()) {
        has(
            Feature::Vm,
            "needs upcalls to /sbin/request-key, which the whole machine shares: run it in a VM",
        )?;
    }
    if needs.contains(&Need::Vm) {
        has(Feature::Vm, "changes a limit that the whole machine shares: run it in a VM")?;
    }
    if case.actors.iter().any(|actor| actor.session == Session::None) {
        has(
            Feature::NoSession,
            "needs a process that never had a session keyring, and this one inherited one: run it in a VM, \
             or start skc where no ancestor has joined one",
        )?;
    }
    if calls.iter().any(|(_, abi)| *abi == Abi::Compat32) {
        has(
            Feature::Compat32,
            "needs the 32-bit system call entry: an x86-64 kernel with CONFIG_IA32_EMULATION enabled",
        )?;
    }
    if needs.contains(&Need::Programs)
        && let Some(missing) = programs(&case.steps).into_iter().find(|name| !target.programs.contains(name))
    {
        return Err(Skip(format!("needs the program `{missing}`: install it")));
    }

    let stage = Resources {
        files: needs.contains(&Need::Files) || hosts_an_actor(&calls),
        proc: needs.contains(&Need::Proc) || case.actors.iter().any(|actor| actor.userns.is_some()),
        programs: needs.contains(&Need::Programs),
        one: one_id(case, &needs, target)?,
    };
    if stage.proc {
        has(Feature::Proc, "needs /proc, which cannot be mounted here for a new pid namespace")?;
    }

    // Other implementations have versions of their own: they are held to the newest kernel.
    let version = match target.implementation.as_str() {
        "linux" => target.version,
        _ => Version(u32::MAX, 0),
    };
    Ok(Plan {
        case: case.id.clone(),
        file: case.file.clone(),
        title: case.title.clone(),
        covers: case.covers.clone(),
        actors: case.actors.clone(),
        steps: case.steps.iter().map(|step| settle(step, version)).collect(),
        stage,
        step_limit,
        limit: limit(&case.steps, step_limit),
    })
}

/// The foreign programs that some steps name, for a target to look for.
pub fn programs(steps: &[Step]) -> BTreeSet<String> {
    calls(steps)
        .into_iter()
        .filter(|(call, _)| matches!(call.op, Op::Run | Op::RunStatus))
        .filter_map(|(call, _)| match call.args.first() {
            Some(Expr::Text(name)) => Some(String::from_utf8_lossy(&name.0).into_owned()),
            _ => None,
        })
        .collect()
}

fn calls(steps: &[Step]) -> Vec<(&Call, Abi)> {
    steps
        .iter()
        .flat_map(|step| match &step.act {
            Act::Call { call, .. } => vec![(call, step.abi)],
            Act::Together(steps) => calls(steps),
            Act::Check { .. } | Act::Ends { .. } => vec![],
        })
        .collect()
}

fn hosts_an_actor(calls: &[(&Call, Abi)]) -> bool {
    calls.iter().any(|(call, _)| call.op == Op::Run && call.args.contains(&Expr::Name("ACTOR".into())))
}

/// The single ids of the case on a target that has no more, or the reason why that is not enough.
fn one_id(case: &Case, needs: &BTreeSet<Need>, target: &Target) -> Result<Option<(u32, u32)>, Skip> {
    if target.ids == Ids::Block {
        return Ok(None);
    }
    let root = "an unprivileged user can map one of each: run it as root";
    if needs.contains(&Need::Ids) {
        return Err(Skip(format!("changes user or group ids; {root}")));
    }
    let uids: BTreeSet<u32> = case.actors.iter().map(|actor| actor.uid).collect();
    let gids: BTreeSet<u32> =
        case.actors.iter().flat_map(|actor| actor.groups.iter().chain([&actor.gid])).copied().collect();
    let groups = case.actors.iter().any(|actor| !actor.groups.is_empty());
    match (uids.len(), gids.len(), uids.first(), gids.first()) {
        (1, 1, Some(uid), Some(gid)) if !groups => Ok(Some((*uid, *gid))),
        _ => Err(Skip(format!("needs several user or group ids; {root}"))),
    }
}

/// The step with the outcome that holds in a version.
fn settle(step: &Step, version: Version) -> Step {
    let mut step = step.clone();
    let variants = std::mem::take(&mut step.variants);
    match &mut step.act {
        Act::Call { outcome, .. } | Act::Check { outcome, .. } | Act::Ends { outcome, .. } => {
            if let Some(variant) = choose(&variants, version) {
                *outcome = variant;
            }
        }
        Act::Together(steps) => *steps = steps.iter().map(|step| settle(step, version)).collect(),
    }
    step
}

/// Of several bounds that hold, the tightest counts: the lowest `before`, the highest `since`.
fn choose(variants: &[Variant], version: Version) -> Option<Outcome> {
    let before = variants
        .iter()
        .filter(|variant| variant.bound == Bound::Before && version < variant.version)
        .min_by_key(|variant| variant.version);
    let since = variants
        .iter()
        .filter(|variant| variant.bound == Bound::Since && version >= variant.version)
        .max_by_key(|variant| variant.version);
    before.or(since).map(|variant| variant.outcome.clone())
}

/// A case ends at its first timeout, so one step limit is enough for all of its calls; what takes
/// longer on purpose is added.
fn limit(steps: &[Step], step_limit: Duration) -> Duration {
    let mut limit = step_limit * 2 + Duration::from_secs(5);
    for step in steps {
        limit += step.within.unwrap_or_default();
        limit += Duration::from_millis(1) * step.times;
    }
    for (call, _) in calls(steps) {
        if let (Op::Nanosleep | Op::Spin, Some(Expr::Number(milliseconds))) = (call.op, call.args.first()) {
            limit += Duration::from_millis((*milliseconds).clamp(0, crate::case::limits::PAUSE) as u64);
        }
    }
    limit
}
