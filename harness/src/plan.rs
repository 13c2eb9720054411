//! Case × target → plan or skip: what is left of a case once the target is known.
//!
//! The only reader of `before` and `since`: in a plan every step has one outcome. Pure: it asks nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::case::load::LARGEST_ID;
use crate::case::{
    Abi, Act, Actor, Bound, Call, Case, Expr, File, Outcome, Prerequisite, Session, Step, Variant, Version,
};
use crate::ops::{Need, Op};
use crate::target::{Feature, HELPERS, Ids, Target};

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
    /// What the case finds in /etc, if it brings something.
    pub files: Vec<File>,
    /// The suite's own programs that the case runs.
    pub helpers: Vec<String>,
    /// Steps without variants.
    pub steps: Vec<Step>,
    /// What the stage has to provide beyond processes.
    pub stage: Resources,
    /// The longest that a call may take.
    pub step_limit: Duration,
    /// The longest that the whole case may take before its stage counts as dead.
    pub limit: Duration,
    /// The lie that is told meanwhile: see [`crate::lie`].
    pub lie: Option<String>,
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
    /// The machine is the run's own: nothing on it is anybody else's, and whatever runs may make the kernel start
    /// /sbin/request-key.
    pub own_machine: bool,
    /// What the case does stays with the machine, which is fit for another case only if it is put back.
    pub marks: bool,
    /// The case may make the kernel start /sbin/request-key, which is to find the actor that it becomes.
    pub answers: bool,
    /// /sbin/request-key is taken away first.
    pub no_request_key: bool,
    /// /sbin/request-key becomes that of keyutils first, and what the case brings the machine's own.
    pub request_key_program: bool,
    /// No user namespace: ids are the machine's own, and root is root.
    pub initial_user: bool,
    /// Actors have memory of their own. Else they share the stage's, which costs less: neither is there memory to copy,
    /// nor is it changed at each turn.
    pub own_memory: bool,
    /// The stage has memory of its own, wherever it is played. Else it shares the worker's where that can be: for that no
    /// task may outlive it, nor share memory with one that bears it, because nobody would give that back.
    pub apart: bool,
    /// No pid namespace: orphans are the children of the machine's init.
    pub initial_pid: bool,
    /// The actor's own program is executed by the path of a copy, because it cannot be by its descriptor.
    pub by_path: bool,
    /// The user and the group id to map where the target has only one of each.
    pub one: Option<(u32, u32)>,
}

impl Plan {
    /// For how long the case is likely to wait: its pauses and, if it awaits something, the second that keys take
    /// at least to expire.
    pub fn waits(&self) -> Duration {
        let awaits = self.steps.iter().any(|step| step.within.is_some());
        pauses(&self.steps) + if awaits { Duration::from_secs(1) } else { Duration::ZERO }
    }

    /// If actors of the case act at the same time, so that they need processors of their own.
    pub fn needs_processors(&self) -> bool {
        self.steps.iter().any(|step| step.starts.is_some() || matches!(step.act, Act::Together(_)))
    }
}

/// Why a case is not run: what is missing, and how to get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip(pub String);

/// Makes the plan of a case for a target.
pub fn plan(case: &Case, target: &Target, step_limit: Duration) -> Result<Plan, Skip> {
    let calls: Vec<(&Call, Abi)> = calls(&case.steps);
    let mut needs: BTreeSet<Need> =
        calls.iter().flat_map(|(call, _)| call.op.spec().needs).copied().collect();
    if case.files.iter().any(|file| file.path == "/etc/passwd") {
        // Whoever has users of its own wants programs to become them.
        needs.insert(Need::Ids);
    }

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
            Prerequisite::InitPidNamespace => {
                has(Feature::Vm, "needs children of the machine's own init: run it in a VM")
            }
            Prerequisite::NoRequestKey => {
                has(Feature::Vm, "takes /sbin/request-key from the whole machine: run it in a VM")
            }
            Prerequisite::RequestKeyProgram => {
                has(Feature::Vm, "has the machine's root run /sbin/request-key: run it in a VM")
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
    let answered = case.actors.iter().any(|actor| actor.upcall.is_some());
    if answered {
        has(
            Feature::Vm,
            "needs upcalls to /sbin/request-key, which the whole machine shares: run it in a VM",
        )?;
    }
    let asks_for_keys = answered || calls.iter().any(|(call, _)| goes_up(call));
    if asks_for_keys {
        has(
            Feature::Vm,
            "may start /sbin/request-key as the machine's root, by a callout to request_key: run it in a VM",
        )?;
    }
    if calls.iter().any(|(call, _)| matches!(call.op, Op::ExecSetuid | Op::ExecSetgid | Op::ExecFilecaps)) {
        has(
            Feature::NewPrivileges,
            "needs programs that gain privileges, and no_new_privs is set here: start skc without it (systemd's \
             NoNewPrivileges=, a container's no-new-privileges, setpriv --no-new-privs)",
        )?;
    }
    if needs.contains(&Need::Vm) {
        has(Feature::Vm, "changes a limit that the whole machine shares: run it in a VM")?;
    }
    if case.actors.iter().any(|actor| actor.session == Session::None) {
        has(
            Feature::NoSession,
            "needs a process that never had a session keyring, and whatever starts here has one: run it in a \
             VM, or start skc where no ancestor has joined one",
        )?;
    }
    if calls.iter().any(|(_, abi)| *abi == Abi::Compat32) {
        has(
            Feature::Compat32,
            "needs the 32-bit system call entry: an x86-64 kernel with CONFIG_IA32_EMULATION enabled",
        )?;
    }
    let wanted = programs(case);
    if let Some(missing) = wanted.iter().find(|name| !target.programs.contains(*name)) {
        return Err(Skip(match HELPERS.iter().find(|(helper, _)| helper == missing) {
            Some((helper, package)) => {
                format!(
                    "needs the suite's program `{helper}`: build it by `make helpers`, which takes {package}"
                )
            }
            None if missing.contains('/') => format!("needs the file {missing}: install it"),
            None => format!("needs the program `{missing}`: install it"),
        }));
    }

    let programs = needs.contains(&Need::Programs) || executes_a_program(&calls);
    if programs {
        has(
            Feature::Programs,
            "runs a foreign program, which cannot be kept from the machine's files here: that takes \
             mount_setattr(2), Linux 5.12",
        )?;
    }
    let takes = |prerequisite| case.needs.contains(&prerequisite);
    let initial_pid = takes(Prerequisite::InitPidNamespace);
    let no_request_key = takes(Prerequisite::NoRequestKey);
    let request_key_program = takes(Prerequisite::RequestKeyProgram);
    // The kernel tells /sbin/request-key the ids of the initial namespace as signed numbers, and the program
    // takes a negative one, which those of a case may be, for an option.
    let initial_user = initial_pid
        || request_key_program
        || takes(Prerequisite::InitUserNamespaceRoot)
        || needs.contains(&Need::Vm);
    let own_memory = calls.iter().any(|(call, _)| tells_of_memory(call));
    let own_machine = target.features.contains(&Feature::Vm);
    let stage = Resources {
        files: needs.contains(&Need::Files)
            || !case.files.is_empty()
            || calls.iter().any(|(call, _)| call.hosts_actor()),
        proc: programs
            || needs.contains(&Need::Proc)
            || case.actors.iter().any(|actor| actor.userns.is_some()),
        programs,
        own_machine,
        marks: initial_user || no_request_key,
        answers: asks_for_keys || (programs && own_machine),
        no_request_key,
        request_key_program,
        initial_user,
        own_memory,
        apart: own_memory || initial_pid || calls.iter().any(|(call, _)| may_bear_sharing(call.op)),
        initial_pid,
        by_path: !target.features.contains(&Feature::ExecByDescriptor),
        one: one_id(case, &calls, &needs, target)?,
    };
    if stage.files {
        has(
            Feature::Files,
            "needs files of its own, and no tmpfs can be mounted here in a new user namespace",
        )?;
    }
    if stage.proc || ends_unseen(&case.steps) {
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
        files: case.files.clone(),
        helpers: wanted.into_iter().filter(|name| HELPERS.iter().any(|(helper, _)| helper == name)).collect(),
        steps: case.steps.iter().map(|step| settle(step, version)).collect(),
        stage,
        step_limit,
        limit: limit(&case.steps, step_limit),
        lie: None,
    })
}

/// The path of keyutils' program for key requests.
pub const REQUEST_KEY: &str = "/usr/sbin/request-key";

/// The foreign programs and files that a case names, for a target to look for.
pub fn programs(case: &Case) -> BTreeSet<String> {
    let run = calls(&case.steps)
        .into_iter()
        .filter(|(call, _)| matches!(call.op, Op::Run | Op::RunStatus))
        .filter_map(|(call, _)| match call.args.first() {
            Some(Expr::Text(name)) => Some(String::from_utf8_lossy(&name.0).into_owned()),
            _ => None,
        });
    let taken = case.needs.contains(&Prerequisite::RequestKeyProgram).then(|| REQUEST_KEY.to_owned());
    let brought = |path: &String| case.files.iter().any(|file| file.path == *path);
    run.chain(case.programs.iter().cloned()).chain(taken).filter(|name| !brought(name)).collect()
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

/// If a call executes what may be a program of the machine. Files of /proc itself are none; its links
/// lead anywhere.
fn executes_a_program(calls: &[(&Call, Abi)]) -> bool {
    const LINKS: [&[u8]; 6] = [b"..", b"cwd", b"exe", b"fd", b"map_files", b"root"];
    let of_proc = |path: &[u8]| {
        let mut parts = path.split(|byte| *byte == b'/');
        (parts.next(), parts.next()) == (Some(b"".as_slice()), Some(b"proc".as_slice()))
            && parts.all(|part| !LINKS.contains(&part))
    };
    calls.iter().filter(|(call, _)| call.op == Op::Exec).any(|(call, _)| match call.args.first() {
        Some(Expr::Text(path)) => !of_proc(&path.0),
        Some(_) => true,
        None => false,
    })
}

/// If an actor ends for which its stage cannot wait: a process of which other threads may live on, or one
/// that its parent has made a child of another. Its end is seen in /proc.
fn ends_unseen(steps: &[Step]) -> bool {
    let mut unseen = BTreeSet::new();
    let flagged = |call: &Call| matches!(call.args.first(), Some(Expr::Number(flags)) if flags & i64::from(libc::CLONE_PARENT) != 0);
    steps.iter().any(|step| {
        let Act::Call { actor, call, outcome } = &step.act else { return false };
        match (call.op, outcome) {
            (Op::Thread, _) => drop(unseen.insert(actor)),
            (Op::Clone | Op::Clone3, Outcome::Born(child)) if flagged(call) => drop(unseen.insert(child)),
            _ => {}
        }
        call.op == Op::Exit && unseen.contains(actor)
    })
}

/// If the kernel may take a call for a request to construct a key, which it hands to /sbin/request-key:
/// a program that runs as the machine's root, outside of every namespace.
fn goes_up(call: &Call) -> bool {
    // The kernel takes no longer text and no pointer into the first page, and constructs no keyring.
    const TOO_LONG: u32 = 65_536;
    let refused = match call.args.get(2) {
        Some(Expr::Null | Expr::BadPointer) | None => true,
        Some(Expr::Filled(length)) => *length >= TOO_LONG,
        _ => false,
    };
    let keyring = matches!(call.args.first(), Some(Expr::Text(name)) if name.0 == b"keyring");
    call.op == Op::RequestKey && !refused && !keyring
}

/// The single ids of the case on a target that has no more, or the reason why that is not enough.
fn one_id(
    case: &Case,
    calls: &[(&Call, Abi)],
    needs: &BTreeSet<Need>,
    target: &Target,
) -> Result<Option<(u32, u32)>, Skip> {
    if target.ids == Ids::Block {
        return Ok(None);
    }
    // There a user namespace has neither user keyrings nor names of its own: a case would work on what
    // the machine's own user has.
    if target.implementation == "linux" && target.version < Version(5, 3) {
        return Err(Skip("before Linux 5.3 an unprivileged user's namespaces share the user keyrings of the machine: run it as root".into()));
    }
    let root = "an unprivileged user can map one of each: run it as root";
    // What counts a user's keys, or uses up a user's quota, must not meet those that the machine's own
    // user has.
    if needs.contains(&Need::Ids) || case.needs.contains(&Prerequisite::DefaultLimits) {
        return Err(Skip(format!("needs ids that nobody else has, or changes ids; {root}")));
    }
    let mut uids: BTreeSet<u32> = case.actors.iter().map(|actor| actor.uid).collect();
    let mut gids: BTreeSet<u32> =
        case.actors.iter().flat_map(|actor| actor.groups.iter().chain([&actor.gid])).copied().collect();
    for (call, _) in calls {
        uids.extend(mentioned(call, "uid"));
        gids.extend(mentioned(call, "gid"));
    }
    let groups = case.actors.iter().any(|actor| !actor.groups.is_empty());
    match (uids.len(), gids.len(), uids.first(), gids.first()) {
        (1, 1, Some(uid), Some(gid)) if !groups => Ok(Some((*uid, *gid))),
        _ => Err(Skip(format!("needs several user or group ids; {root}"))),
    }
}

/// The ids of the case's own that a call passes as this parameter.
fn mentioned(call: &Call, parameter: &str) -> impl Iterator<Item = u32> {
    let named = move |at| call.op.spec().param(at).is_some_and(|param| param.name == parameter);
    let args = call.args.iter().enumerate().filter(move |(at, _)| named(*at));
    args.filter_map(|(_, arg)| match arg {
        Expr::Number(number) => u32::try_from(*number).ok().filter(|id| *id <= LARGEST_ID),
        _ => None,
    })
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
    let mut limit = step_limit * 2 + Duration::from_secs(5) + pauses(steps);
    for step in steps {
        limit += step.within.unwrap_or_default();
        let calls = if let Act::Together(steps) = &step.act { steps.len() as u32 } else { 1 };
        limit += Duration::from_millis(20) * step.times.saturating_mul(calls);
    }
    limit
}

/// If a call comes out differently for a process that shares its memory: no process that does can leave its user
/// namespace; who may look into a process depends on what the owner of its memory has become; and before Linux 5.16 a
/// signal that dumps core kills all that share the memory.
fn tells_of_memory(call: &Call) -> bool {
    match call.op {
        Op::Unshare
        | Op::Setns
        | Op::PtraceSeize
        | Op::WriteUidMap
        | Op::WriteGidMap
        | Op::WriteSetgroups
        | Op::FileMode
        | Op::ProcStatus => true,
        Op::Kill => !matches!(call.args.get(1), Some(Expr::Number(signal)) if !DUMP_CORE.contains(signal)),
        _ => false,
    }
}

/// Signals that end a process with a core dump, unless it deals with them: signal(7).
const DUMP_CORE: [i64; 10] = [
    libc::SIGQUIT as i64,
    libc::SIGILL as i64,
    libc::SIGTRAP as i64,
    libc::SIGABRT as i64,
    libc::SIGBUS as i64,
    libc::SIGFPE as i64,
    libc::SIGSEGV as i64,
    libc::SIGXCPU as i64,
    libc::SIGXFSZ as i64,
    libc::SIGSYS as i64,
];

/// If the task that an operation bears may share memory with the one that bears it.
fn may_bear_sharing(op: Op) -> bool {
    matches!(op, Op::Vfork | Op::Thread | Op::Clone)
}

/// For how long the steps do nothing on purpose.
fn pauses(steps: &[Step]) -> Duration {
    let pause = |call: &Call| match (call.op, call.args.first()) {
        (Op::Nanosleep | Op::Spin, Some(Expr::Number(milliseconds))) => {
            Duration::from_millis((*milliseconds).clamp(0, crate::case::limits::PAUSE) as u64)
        }
        _ => Duration::ZERO,
    };
    calls(steps).into_iter().map(|(call, _)| pause(call)).sum()
}

#[cfg(test)]
mod tests;
