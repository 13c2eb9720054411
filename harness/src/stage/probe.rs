//! Finding out what a target has, in namespaces like those of a case, so that nothing is touched that
//! a case would not touch.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::files;
use crate::actor::life::{self, Side};
use crate::actor::sys;
use crate::case::Version;
use crate::plan::Resources;
use crate::target::{Feature, Ids, Target};
use crate::value::constant;

/// What can be seen from inside a stage.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// These features.
    Features(BTreeSet<Feature>),
    /// Something that rules out every case.
    Refused(String),
}

/// Looks from inside: the caller is a fresh stage that has not joined a session keyring.
/// If the machine is the run's own, foreign programs need not be kept from it.
pub fn look(program: &OwnedFd, one: Option<(u32, u32)>, owned: bool) -> Found {
    let mut features = BTreeSet::new();
    let keyctl = |args: &[i64]| sys::plain(libc::SYS_keyctl, args);
    let thread = keyctl(&[libc::KEYCTL_GET_KEYRING_ID as i64, libc::KEY_SPEC_THREAD_KEYRING.into(), 0]);
    // A look-up without creation attaches the user-session keyring of this very namespace to a process
    // that has no session keyring; whoever inherited one keeps it. A kernel that gets that wrong is still to
    // be asked: one that gives each process a keyring of its own, or none, had none to inherit. An exit
    // status has room for a byte of the serial, so that several children make sure.
    let bytes: Vec<_> = (0..4)
        .map(|_| {
            in_a_child(|| {
                let id = libc::KEY_SPEC_SESSION_KEYRING.into();
                keyctl(&[libc::KEYCTL_GET_KEYRING_ID as i64, id, 0])
                    .map_or(0, |serial| (serial & 0xff) as i32)
            })
        })
        .collect();
    let apart = bytes.iter().any(|byte| *byte != bytes[0]);
    let session = keyctl(&[libc::KEYCTL_GET_KEYRING_ID as i64, libc::KEY_SPEC_SESSION_KEYRING.into(), 0]);
    match thread {
        // An implementation may have session keyrings and no others. No kernel denies access to a thread
        // keyring that is not there: that is an implementation without any.
        Err(Errno::ENOSYS | Errno::EACCES) if session.is_err() => {}
        Err(Errno::EPERM) => {
            return Found::Refused(
                "keyctl is refused (EPERM) before the kernel looks at it: a seccomp filter, as container engines \
                 set up, forbids the key calls"
                    .into(),
            );
        }
        _ => {
            features.insert(Feature::Keys);
        }
    }
    let fallback =
        keyctl(&[libc::KEYCTL_GET_KEYRING_ID as i64, libc::KEY_SPEC_USER_SESSION_KEYRING.into(), 0]);
    if session.is_ok() && session == fallback || !sys::is_gvisor() && (apart || session == Err(Errno::ENOKEY))
    {
        features.insert(Feature::NoSession);
    }
    if sys::plain(libc::SYS_prctl, &[libc::PR_GET_NO_NEW_PRIVS.into()]) != Ok(1) {
        features.insert(Feature::NewPrivileges);
    }
    if in_a_child(|| sys::execute_as_actor(program)) == Some(life::NO_CHANNEL) {
        features.insert(Feature::ExecByDescriptor);
    }
    if in_a_child(|| i32::from(!sys::has_compat32())) == Some(0) {
        features.insert(Feature::Compat32);
    }
    for (feature, name) in [
        (Feature::PersistentKeyrings, "CAPS_PERSISTENT_KEYRINGS"),
        (Feature::DiffieHellman, "CAPS_DIFFIE_HELLMAN"),
        (Feature::BigKeys, "CAPS_BIG_KEY"),
        (Feature::KeyNotifications, "CAPS_NOTIFICATIONS"),
    ] {
        if constant(name).is_some_and(|(bit, _)| sys::key_capability(bit as usize)) {
            features.insert(feature);
        }
    }
    let mounts = |resources| files::Files::new(resources, &[], &[]).is_ok();
    if mounts(Resources { files: true, ..Resources::default() }) {
        features.insert(Feature::Files);
    }
    if mounts(Resources { proc: true, ..Resources::default() }) {
        features.insert(Feature::Proc);
        let limit = |name| std::fs::read_to_string(format!("/proc/sys/kernel/keys/{name}"));
        let is = |name, number: &str| limit(name).is_ok_and(|text| text.trim() == number);
        if is("maxkeys", "200") && is("maxbytes", "20000") {
            features.insert(Feature::DefaultLimits);
        }
    }
    // Last, because it shuts this process off as it would a foreign program.
    if mounts(Resources { programs: true, own_machine: owned, one, ..Resources::default() }) {
        features.insert(Feature::Programs);
    }
    Found::Features(features)
}

/// The exit status of a child that answers a question by it: the answer may kill who asks.
fn in_a_child(question: impl FnOnce() -> i32) -> Option<i32> {
    match life::fork(0) {
        Ok(Side::Child) => life::exit(question()),
        Ok(Side::Parent(child)) => match waitpid(Pid::from_raw(child), None) {
            Ok(WaitStatus::Exited(_, status)) => Some(status),
            _ => None,
        },
        Err(_) => None,
    }
}

/// If the whole machine is the run's own: this process is its init, in the namespaces that the kernel
/// made when it booted.
pub fn owns_the_machine() -> bool {
    // The numbers that the kernel gives to the first pid and user namespace, in every version.
    const INITIAL: [(&str, &str); 2] = [("pid", "pid:[4026531836]"), ("user", "user:[4026531837]")];
    std::process::id() == 1
        && INITIAL.iter().all(|(kind, initial)| {
            // A kernel without user namespaces has no file for them, and one user namespace.
            std::fs::read_link(format!("/proc/self/ns/{kind}"))
                .map_or(*kind == "user", |link| link.as_os_str() == *initial)
        })
}

/// The target with what was found, and what can be seen from outside.
pub fn target(mut features: BTreeSet<Feature>, ids: Ids, programs: BTreeSet<String>) -> Target {
    let name = nix::sys::utsname::uname().ok();
    let text = |part: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        name.as_ref().map_or_else(|| "unknown".into(), |name| part(name).to_string_lossy().into_owned())
    };
    let release = text(nix::sys::utsname::UtsName::release);
    if owns_the_machine() {
        features.insert(Feature::Vm);
        // The kernel starts its first process without one, and a worker asks for none. A kernel that was asked and is
        // wrong in just this would have the cases skipped that show it.
        if !sys::is_gvisor() && features.contains(&Feature::Keys) {
            features.insert(Feature::NoSession);
        }
    }
    Target {
        implementation: if sys::is_gvisor() { "gvisor" } else { "linux" }.into(),
        implementation_version: None,
        version: Version::parse(&release).unwrap_or(Version(0, 0)),
        release,
        machine: text(nix::sys::utsname::UtsName::machine),
        place: "this kernel".into(),
        ids,
        features,
        programs: programs.into_iter().filter(|name| files::find(name).is_some()).collect(),
    }
}
