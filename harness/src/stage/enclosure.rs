//! Namespaces and ids: how a stage is shut off from the machine, and how a process becomes an actor.

use std::fs::{self, File};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::actor::life::{self, Side};
use crate::actor::message::{Arg, Kind, Request};
use crate::actor::sys;
use crate::case::{Actor, Session};
use crate::plan::Resources;
use crate::run::Lost;

/// The namespaces that a stage gets fresh: all, unless its case is about the initial ones. On a machine of the run's own there is
/// nobody else whose IPC and names have to be let alone, and cases have nothing to do with either: these two would only take time.
pub fn namespaces(resources: Resources) -> i32 {
    let mut flags = libc::CLONE_NEWNS;
    if !resources.own_machine {
        flags |= libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;
    }
    if !resources.initial_user {
        flags |= libc::CLONE_NEWUSER;
    }
    if !resources.initial_pid {
        flags |= libc::CLONE_NEWPID;
    }
    flags
}

/// How many ids a case has.
pub const BLOCK: u32 = 65_536;

/// The ids that the user namespace of a stage maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// Ids from 0 on stand for those from here on.
    Block(u32),
    /// There is no user namespace but the initial one.
    Initial,
    /// One user and one group id stand for the caller's own.
    One {
        /// As the case sees the user id.
        uid: u32,
        /// As the case sees the group id.
        gid: u32,
    },
}

/// Writes the id maps of a process that was cloned into a new user namespace by the caller.
pub fn map(process: i32, mapping: Mapping) -> Result<(), Lost> {
    let write = |file: &str, text: String| {
        fs::write(format!("/proc/{process}/{file}"), text)
            .map_err(|error| Lost(format!("the {file} of a new user namespace cannot be written: {error}")))
    };
    match mapping {
        Mapping::Initial => Ok(()),
        Mapping::Block(base) => {
            write("uid_map", format!("0 {base} {BLOCK}"))?;
            write("gid_map", format!("0 {base} {BLOCK}"))
        }
        Mapping::One { uid, gid } => {
            write("setgroups", "deny".into())?;
            write("uid_map", format!("{uid} {} 1", nix::unistd::geteuid()))?;
            write("gid_map", format!("{gid} {} 1", nix::unistd::getegid()))
        }
    }
}

/// Makes the calling process, freshly cloned and mapped, root of its namespaces, and lets it die with
/// the worker that cloned it and holds the other end of a socket.
pub fn enter(mapping: Mapping, worker: BorrowedFd) -> Result<(), Lost> {
    let call = |what: &str, number, args: &[i64]| {
        sys::plain(number, args).map_err(|error| Lost(format!("the stage's {what} failed: {error}")))
    };
    if let Mapping::Block(_) = mapping {
        call("setgroups", libc::SYS_setgroups, &[0, 0])?;
        call("setresgid", libc::SYS_setresgid, &[0, 0, 0])?;
        call("setresuid", libc::SYS_setresuid, &[0, 0, 0])?;
    }
    // A change of ids also makes the process undumpable, and its children's /proc files root's.
    call("prctl", libc::SYS_prctl, &[libc::PR_SET_DUMPABLE.into(), 1])?;
    // A change of ids clears the signal, so it is asked for after the last one.
    call("prctl", libc::SYS_prctl, &[libc::PR_SET_PDEATHSIG.into(), libc::SIGKILL.into()])?;
    // Had the worker died before that, no signal would ever come.
    let mut socket = [PollFd::new(worker, PollFlags::empty())];
    if poll(&mut socket, PollTimeout::ZERO) != Ok(0) {
        return Err(Lost("the worker is gone".into()));
    }
    call("umask", libc::SYS_umask, &[0o022])?;
    Ok(())
}

/// A user namespace below the stage's own that maps every id to itself.
pub fn nested(one: Option<(u32, u32)>) -> Result<OwnedFd, Lost> {
    let lost = |error: nix::errno::Errno| Lost(format!("a nested user namespace cannot be made: {error}"));
    let holder = match life::fork(libc::CLONE_NEWUSER).map_err(lost)? {
        Side::Child => loop {
            nix::unistd::pause();
        },
        Side::Parent(holder) => holder,
    };
    let result = (|| {
        let write = |file: &str, text: String| fs::write(format!("/proc/{holder}/{file}"), text);
        match one {
            None => {
                write("uid_map", format!("0 0 {BLOCK}"))?;
                write("gid_map", format!("0 0 {BLOCK}"))?;
            }
            Some((uid, gid)) => {
                write("setgroups", "deny".into())?;
                write("uid_map", format!("{uid} {uid} 1"))?;
                write("gid_map", format!("{gid} {gid} 1"))?;
            }
        }
        File::open(format!("/proc/{holder}/ns/user"))
    })();
    let _ = kill(Pid::from_raw(holder), Signal::SIGKILL);
    let _ = waitpid(Pid::from_raw(holder), None);
    result
        .map(OwnedFd::from)
        .map_err(|error| Lost(format!("a nested user namespace cannot be set up: {error}")))
}

/// The most calls that [`setup`] adds.
pub const SETUP: usize = 9;

/// What gives a process that the stage has just made what its actor is declared to have; after other calls, if it is given some.
pub fn setup(before: Option<Request>, actor: &Actor, namespace: Option<&OwnedFd>, one: bool) -> Request {
    let mut request = before.unwrap_or_else(|| Request::new(Kind::Calls));
    let mut call = |number, args: &[i64]| {
        request.call(number, &args.iter().map(|arg| Arg::Number(*arg)).collect::<Vec<_>>());
    };
    if let Some(namespace) = namespace {
        call(libc::SYS_setns, &[namespace.as_raw_fd().into(), libc::CLONE_NEWUSER.into()]);
    }
    let (uid, gid) = (i64::from(actor.uid), i64::from(actor.gid));
    call(libc::SYS_prctl, &[libc::PR_SET_KEEPCAPS.into(), 1]);
    if !one {
        let groups: Vec<u8> = actor.groups.iter().flat_map(|gid| gid.to_ne_bytes()).collect();
        let count = Arg::Number(actor.groups.len() as i64);
        let list = Arg::Image(request.place(&groups));
        request.call(libc::SYS_setgroups, &[count, list]);
        request.call(libc::SYS_setresgid, &[gid; 3].map(Arg::Number));
        request.call(libc::SYS_setresuid, &[uid; 3].map(Arg::Number));
    }
    request.call(libc::SYS_prctl, &[libc::PR_SET_KEEPCAPS.into(), 0].map(Arg::Number));
    let caps = if actor.caps == 0 { 0 } else { actor.caps & bounding() };
    let words: Vec<u8> = sys::capability_words(caps, 0).into_iter().flat_map(u32::to_ne_bytes).collect();
    let header = request.place(&words);
    request.call(libc::SYS_capset, &[Arg::Image(header), Arg::Image(header + sys::CAPABILITY_HEADER)]);
    // As a process of that user that was executed and not set up: its /proc files are its own.
    request.call(libc::SYS_prctl, &[libc::PR_SET_DUMPABLE.into(), 1].map(Arg::Number));
    if actor.session == Session::Fresh {
        request.call(libc::SYS_keyctl, &[libc::KEYCTL_JOIN_SESSION_KEYRING.into(), 0].map(Arg::Number));
    }
    request
}

/// The capabilities that the kernel knows.
fn bounding() -> u64 {
    let last = (0..64)
        .take_while(|cap| sys::plain(libc::SYS_prctl, &[libc::PR_CAPBSET_READ.into(), *cap]).is_ok())
        .count();
    if last >= 64 { u64::MAX } else { (1 << last) - 1 }
}

/// Keeps the calling process and its children to one processor, or gives them all that it had.
///
/// Stage and actors take turns: on one processor a turn costs a switch, on two it costs a wake-up,
/// which is ten times as much. Only calls that are made together need processors of their own.
pub struct Processors {
    all: CpuSet,
    one: CpuSet,
}

impl Processors {
    /// Chooses one of the processors that the process may use: by its number, so that workers that
    /// are started one after the other spread.
    pub fn of_this_process() -> Option<Processors> {
        let all = sched_getaffinity(Pid::from_raw(0)).ok()?;
        let usable: Vec<usize> = (0..CpuSet::count()).filter(|cpu| all.is_set(*cpu) == Ok(true)).collect();
        let chosen = *usable.get(std::process::id() as usize % usable.len().max(1))?;
        let mut one = CpuSet::new();
        one.set(chosen).ok()?;
        Some(Processors { all, one })
    }

    /// One processor, or all of them. Best effort: nothing but speed depends on it.
    pub fn use_all(&self, all: bool) {
        let _ = sched_setaffinity(Pid::from_raw(0), if all { &self.all } else { &self.one });
    }
}

/// Closes every descriptor but these, and leaves nothing but /dev/null as input and output.
pub fn close_all_but(kept: &[RawFd]) {
    let mut kept = kept.to_vec();
    kept.sort_unstable();
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        for standard in [0, 1] {
            let _ = sys::plain(libc::SYS_dup3, &[null.as_raw_fd().into(), standard, 0]);
        }
    }
    let mut from = 3;
    for fd in kept.into_iter().chain([i32::MAX]) {
        if from < fd {
            let _ = sys::plain(libc::SYS_close_range, &[from.into(), (fd - 1).into(), 0]);
        }
        from = fd.saturating_add(1);
    }
}

/// Why a new user namespace is refused here: the setting or policy that forbids it, for a person.
pub fn why_refused(error: nix::errno::Errno) -> String {
    let read = |path: &str| fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let root = nix::unistd::geteuid().is_root();
    let culprit = if read("/proc/sys/user/max_user_namespaces").as_deref() == Some("0") {
        "the sysctl user.max_user_namespaces is 0"
    } else if !root && read("/proc/sys/kernel/unprivileged_userns_clone").as_deref() == Some("0") {
        "the sysctl kernel.unprivileged_userns_clone is 0: set it to 1 or run as root"
    } else if !root && read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").as_deref() == Some("1")
    {
        "AppArmor forbids them to unprivileged users (the sysctl \
         kernel.apparmor_restrict_unprivileged_userns is 1): set it to 0 or run as root"
    } else if fs::metadata("/proc/self/ns/user").is_err() {
        "the kernel has none (CONFIG_USER_NS), or /proc is not mounted"
    } else if read("/proc/self/status").is_some_and(|status| status.contains("Seccomp:\t2")) {
        "a seccomp filter forbids them, as container engines set up: give the container more privileges"
    } else if error == nix::errno::Errno::EAGAIN {
        "the limit on processes is reached (ulimit -u)"
    } else if error == nix::errno::Errno::ENOSPC || error == nix::errno::Errno::EUSERS {
        "there are too many already, or they are nested too deeply"
    } else {
        "a security module or a chroot environment may forbid them"
    };
    format!("new namespaces are refused ({error}): {culprit}")
}
