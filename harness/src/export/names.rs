//! Numbers of system calls and their arguments by the names that people know them by. What is not known here is
//! written as a number.

use super::deed::{SysCall, Word};
use crate::value::{CONSTANTS, FLAGS};

macro_rules! calls {
    ($($number:ident)+) => { &[$((libc::$number, stringify!($number))),+] };
}

const CALLS: &[(i64, &str)] = calls! {
    SYS_keyctl SYS_add_key SYS_request_key SYS_openat SYS_read SYS_write SYS_close SYS_lseek SYS_pread64 SYS_wait4
    SYS_kill SYS_nanosleep SYS_setuid SYS_setgid SYS_setreuid SYS_setregid SYS_setresuid SYS_setresgid
    SYS_setfsuid SYS_setfsgid SYS_setgroups SYS_getuid SYS_geteuid SYS_getgid SYS_getegid SYS_prctl SYS_capset
    SYS_capget SYS_unshare SYS_setns SYS_setsid SYS_setpgid SYS_chdir SYS_chroot SYS_ptrace SYS_statx
    SYS_execveat
};

/// The same by the 32-bit entry.
const CALLS_32: &[(i64, &str)] = &[(286, "SYS32_add_key"), (287, "SYS32_request_key"), (288, "SYS32_keyctl")];

/// The `SYS_` name of a call, if it is known.
pub(super) fn call(call: &SysCall) -> Option<&'static str> {
    let list = if call.compat { CALLS_32 } else { CALLS };
    list.iter().find(|(number, _)| *number == call.number).map(|(_, name)| *name)
}

/// The name of an argument that is a number, if it has one in this place.
pub(super) fn argument(call: &SysCall, at: usize) -> Option<String> {
    let Some(Word::Number(number)) = call.args.get(at) else { return None };
    let first = match call.args.first() {
        Some(Word::Number(first)) => *first,
        _ => -1,
    };
    let name = self::call(call)?;
    let name = if name == "SYS32_keyctl" { "SYS_keyctl" } else { name };
    match (name, at) {
        ("SYS_keyctl", 0) => constant("KEYCTL_", *number).filter(|name| *name != "KEYCTL_MOVE_EXCL"),
        ("SYS_prctl", 0) => constant("PR_", *number),
        ("SYS_prctl", 1) if first == i64::from(libc::PR_CAP_AMBIENT) => constant("PR_CAP_AMBIENT_", *number),
        ("SYS_kill", 1) => constant("SIG", *number),
        ("SYS_openat", 0) | ("SYS_statx", 0) if *number == i64::from(libc::AT_FDCWD) => Some("AT_FDCWD"),
        ("SYS_openat", 2) if *number == i64::from(libc::O_RDONLY) => Some("O_RDONLY"),
        ("SYS_openat", 2) if *number == i64::from(libc::O_WRONLY) => Some("O_WRONLY"),
        ("SYS_lseek", 2) if *number == 0 => Some("SEEK_SET"),
        ("SYS_ptrace", 0) if *number == i64::from(libc::PTRACE_SEIZE) => Some("PTRACE_SEIZE"),
        ("SYS_wait4", 2) if *number == i64::from(libc::__WALL) => Some("__WALL"),
        ("SYS_unshare", 0) | ("SYS_setns", 1) => return clone_flags(*number),
        ("SYS_keyctl", 2) if first == 5 => return Some(format!("{number:#x}")),
        _ => None,
    }
    .map(str::to_owned)
}

/// Flags of clone(2) by their names, all or none.
pub(super) fn clone_flags(number: i64) -> Option<String> {
    let mut rest = number;
    let mut names = Vec::new();
    let others = [
        ("CLONE_SIGHAND", libc::CLONE_SIGHAND),
        ("CLONE_THREAD", libc::CLONE_THREAD),
        ("CLONE_SYSVSEM", libc::CLONE_SYSVSEM),
    ];
    let known = FLAGS.iter().filter(|(name, _)| name.starts_with("CLONE_")).copied();
    for (name, bit) in known.chain(others.map(|(name, bit)| (name, i64::from(bit)))) {
        if rest & bit == bit {
            names.push(name);
            rest &= !bit;
        }
    }
    if rest & 0xff == i64::from(libc::SIGCHLD) {
        names.push("SIGCHLD");
        rest &= !0xff;
    }
    (rest == 0 && !names.is_empty()).then(|| names.join(" | "))
}

fn constant(prefix: &str, number: i64) -> Option<&'static str> {
    CONSTANTS.iter().find(|(name, known)| *known == number && name.starts_with(prefix)).map(|(name, _)| *name)
}

/// A special key as linux/keyctl.h names it.
pub(super) fn special(name: &str) -> &'static str {
    match name {
        "@t" => "KEY_SPEC_THREAD_KEYRING",
        "@p" => "KEY_SPEC_PROCESS_KEYRING",
        "@s" => "KEY_SPEC_SESSION_KEYRING",
        "@u" => "KEY_SPEC_USER_KEYRING",
        "@us" => "KEY_SPEC_USER_SESSION_KEYRING",
        "@g" => "KEY_SPEC_GROUP_KEYRING",
        _ => "KEY_SPEC_REQKEY_AUTH_KEY",
    }
}
