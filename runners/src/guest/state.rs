//! What cases change of a machine itself, and how it is put back: the limits of the key facility, /sbin/request-key, the
//! keys of the machine's own users, and where programs of others were its root, its files.
//!
//! What cannot be put back is seen and told. What becomes of the machine then is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::actor::life::{self, Side};
use harness::actor::{sys, upcall};
use harness::plan::{Plan, Resources};
use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::tree::Tree;

/// The pause between two looks at them.
const GLANCE: Duration = Duration::from_millis(2);
/// The file of this program in the machine.
const INIT: &str = "/init";
/// The ids of cases that have a user namespace are not below this.
const OWN_USERS: u32 = 65_536;

/// How a machine was before its first case.
pub(crate) struct State {
    limits: Vec<(PathBuf, String)>,
    keys: Keys,
    files: Tree,
    mounts: Option<String>,
}

/// The keys of the machine's own users.
#[derive(Debug, PartialEq, Eq)]
struct Keys {
    /// How many each of them has.
    counts: BTreeMap<u32, String>,
    /// The user keyrings of root, which is who asks, as /proc/keys shows them.
    of_root: Vec<String>,
}

impl State {
    /// How it is now, with user keyrings for root: on most kernels something has asked for them while it booted, and they
    /// would stay once a case has.
    pub(crate) fn of_machine() -> State {
        as_user(0, make);
        let files = fs::read_dir("/proc/sys/kernel/keys").into_iter().flatten().flatten();
        let limits = files.filter_map(|file| {
            let path = file.path();
            let value = fs::read_to_string(&path).ok()?;
            Some((path, value))
        });
        State {
            limits: limits.collect(),
            keys: Keys::of_machine(),
            files: Tree::of(Path::new("/")),
            mounts: mounts(),
        }
    }

    /// Puts back what a case has changed, and gives if all is as it was. The kernel collects keys some time after the last
    /// process that could use them: that is waited for, no longer than so. What is left then counts as the machine's own
    /// from now on, so that no later case waits for it.
    pub(crate) fn restore(&mut self, plan: &Plan, patience: Duration) -> bool {
        for (path, value) in &self.limits {
            if fs::read_to_string(path).is_ok_and(|now| now != *value) {
                let _ = fs::write(path, value);
            }
        }
        let is_own = || fs::read_link(upcall::PATH).is_ok_and(|program| program == Path::new(INIT));
        if !is_own() {
            let _ = fs::remove_file(upcall::PATH);
            let _ = symlink(INIT, upcall::PATH);
        }
        let limited =
            self.limits.iter().all(|(path, value)| fs::read_to_string(path).is_ok_and(|now| now == *value));
        let as_before = limited && is_own() && (is_confined(plan.stage) || self.files_are_as_before(plan));
        // Both: keys have to be gone whatever else is not as it was.
        self.await_keys(patience) & as_before
    }

    /// Takes away the files that a case has brought for the whole machine, and gives if no others are not as they were.
    fn files_are_as_before(&mut self, plan: &Plan) -> bool {
        let brought = match plan.stage.request_key_program {
            true => plan.files.iter().map(|file| PathBuf::from(&file.path)).collect(),
            false => Vec::new(),
        };
        // What it should be has been seen already.
        let free = [PathBuf::from(upcall::PATH)];
        self.files.restore(&brought, &free) & (mounts() == self.mounts)
    }

    /// Waits until the machine's own users have the keys that they had. User keyrings would stay for good, and so would
    /// what was put into those of root, which the kernel makes by itself.
    fn await_keys(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut asked = BTreeSet::new();
        loop {
            let now = Keys::of_machine();
            if now == self.keys {
                return true;
            }
            if Instant::now() >= deadline {
                self.keys = now;
                return false;
            }
            for uid in now.counts.keys() {
                if asked.insert(*uid) {
                    as_user(*uid, if self.keys.counts.contains_key(uid) { empty } else { invalidate });
                }
            }
            std::thread::sleep(GLANCE);
        }
    }
}

/// If all that a case can change of the machine itself is known: programs of others that are the machine's root can change
/// its files too.
fn is_confined(stage: Resources) -> bool {
    !(stage.request_key_program || stage.programs && stage.initial_user)
}

/// What is mounted where.
fn mounts() -> Option<String> {
    fs::read_to_string("/proc/self/mounts").ok()
}

impl Keys {
    fn of_machine() -> Keys {
        let users = fs::read_to_string("/proc/key-users").unwrap_or_default();
        let keys = fs::read_to_string("/proc/keys").unwrap_or_default();
        let is_user_keyring = |line: &&str| line.contains(" _uid.") || line.contains(" _uid_ses.");
        Keys {
            counts: users.lines().filter_map(count).filter(|(uid, _)| *uid < OWN_USERS).collect(),
            of_root: keys.lines().filter(is_user_keyring).map(str::to_owned).collect(),
        }
    }
}

/// The user of a line of /proc/key-users, and how many keys that has. Not how many bytes: a keyring that the kernel's
/// collector has emptied still counts what it held, and the one in which a user namespace has its user keyrings cannot be
/// cleared by anybody.
fn count(line: &str) -> Option<(u32, String)> {
    let (uid, rest) = line.split_once(':')?;
    // What comes first is how much refers to the user.
    let numbers = rest.split_whitespace().skip(1).take(2);
    let counts: Vec<&str> = numbers.map(|word| word.split('/').next().unwrap_or(word)).collect();
    Some((uid.trim().parse().ok()?, counts.join(" ")))
}

/// Has a process of that user do something about its user keyrings.
fn as_user(uid: u32, what: fn(u32)) {
    match life::fork(0) {
        Ok(Side::Child) => {
            let id = i64::from(uid);
            let become_user = [(libc::SYS_setresgid, [id; 3]), (libc::SYS_setresuid, [id; 3])];
            if become_user.iter().all(|(number, ids)| sys::plain(*number, ids).is_ok()) {
                what(uid);
            }
            life::exit_process(0)
        }
        Ok(Side::Parent(child)) => {
            let _ = waitpid(Pid::from_raw(child), None);
        }
        Err(_) => {}
    }
}

/// Makes both, where there are none.
fn make(_: u32) {
    let _ = keyctl(&[libc::KEYCTL_GET_KEYRING_ID.into(), libc::KEY_SPEC_USER_KEYRING.into(), 1]);
}

/// Invalidates both.
fn invalidate(uid: u32) {
    for keyring in ["_uid", "_uid_ses"].iter().filter_map(|name| user_keyring(name, uid)) {
        let _ = keyctl(&[libc::KEYCTL_INVALIDATE.into(), keyring]);
    }
}

/// Empties the user keyring.
fn empty(uid: u32) {
    let _ = user_keyring("_uid", uid).map(|keyring| keyctl(&[libc::KEYCTL_CLEAR.into(), keyring]));
}

fn keyctl(words: &[i64]) -> nix::Result<i64> {
    sys::plain(libc::SYS_keyctl, words)
}

/// The serial of a keyring of that user, if there is one. Not by its special id: to name one of them makes both.
fn user_keyring(name: &str, uid: u32) -> Option<i64> {
    let name = format!("{name}.{uid}:");
    let keys = fs::read_to_string("/proc/keys").ok()?;
    let line = keys.lines().find(|line| line.split_whitespace().any(|word| word == name))?;
    i64::from_str_radix(line.split_whitespace().next()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("    0:    51 50/49 46/1000000 1029/25000000", Some((0, "50 46")))]
    #[case(" 1000:     1 1/1 1/200 9/20000", Some((1000, "1 1")))]
    #[case("nonsense", None)]
    fn keys_of_users_are_counted(#[case] line: &str, #[case] counted: Option<(u32, &str)>) {
        assert_eq!(count(line), counted.map(|(uid, keys)| (uid, keys.to_owned())));
    }
}
