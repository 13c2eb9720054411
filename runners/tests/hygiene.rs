//! Whatever ends a run, and whenever: nothing of it is left on the host, and nothing of the host changed.
//!
//! `SKC_KILLS` says how often something is killed; without it 20 times. It says most as root.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Ids from here on are given to cases and belong to nobody else.
const CASES: u32 = 0x8000_0000;
/// How many of them a worker has: 64 blocks of 65,536.
const SLOT: u32 = 64 << 16;
/// The name by which a worker claims them, before their number.
const CLAIM: &str = "@session-keyring-conformance ids ";
/// How long processes may take to end once they are told to.
const ENDING: Duration = Duration::from_secs(5);
/// How long the kernel may take to collect keys.
const COLLECTION: Duration = Duration::from_secs(15);

// One test and not several: it looks after all descendants of its process.
#[test]
fn nothing_is_left_whatever_is_killed() {
    // Whoever loses its parent becomes a child of this process: so no process can hide.
    set_child_subreaper(true).unwrap();
    let kills: u32 = std::env::var("SKC_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let folder = tempfile::tempdir().unwrap();
    let before = calm();
    let mut blocks = BTreeSet::new();

    let mut run = start(folder.path(), 1);
    assert!(run.wait().unwrap().success(), "the suite does not pass: nothing can be said of its ends");
    assert_eq!(descendants(), [], "after a run that came to its end by itself");

    let mut chance = fastrand::Rng::new();
    for turn in 0..kills {
        let seed = chance.get_seed();
        let victim = [Victim::Coordinator, Victim::Worker, Victim::Stage][turn as usize % 3];
        let run = start(folder.path(), 100_000);
        thread::sleep(Duration::from_millis(chance.u64(10..150)));
        let told = format!("turn {turn}, {victim:?}, seed {seed}");
        blocks.extend(claimed(&children(run.id() as i32)));
        end(run, victim, &mut chance, &told);
        let deadline = Instant::now() + ENDING;
        while !descendants().is_empty() {
            assert!(Instant::now() < deadline, "{told}: {:?} live on", descendants());
            reap();
            thread::sleep(Duration::from_millis(1));
        }
    }

    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a file was left");
    let deadline = Instant::now() + COLLECTION;
    while let Some(difference) = Host::look().difference(&before, &blocks) {
        assert!(Instant::now() < deadline, "{difference}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The host before anything is done, if possible at a moment when nothing is left of earlier runs.
fn calm() -> Host {
    let deadline = Instant::now() + COLLECTION;
    loop {
        let host = Host::look();
        if host.quiet || Instant::now() > deadline {
            return host;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[derive(Clone, Copy, Debug)]
enum Victim {
    Coordinator,
    Worker,
    Stage,
}

fn start(folder: &Path, rounds: u32) -> Child {
    Command::new(env!("CARGO_BIN_EXE_skc"))
        .args(["run", "--jobs", "4", "--repeat", &rounds.to_string()])
        .current_dir(folder)
        .env("TMPDIR", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills the victim, and then ends what has survived that.
fn end(mut run: Child, victim: Victim, chance: &mut fastrand::Rng, told: &str) {
    let coordinator = run.id() as i32;
    let one_of = |mut processes: Vec<i32>, chance: &mut fastrand::Rng| {
        chance.shuffle(&mut processes);
        processes.pop()
    };
    let found = match victim {
        Victim::Coordinator => Some(coordinator),
        Victim::Worker => one_of(children(coordinator), chance),
        Victim::Stage => one_of(children(coordinator).into_iter().flat_map(children).collect(), chance),
    };
    if let Some(process) = found {
        // It may have ended by itself meanwhile.
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
    }
    if let Victim::Coordinator = victim {
        run.wait().unwrap();
        return;
    }
    thread::sleep(Duration::from_millis(chance.u64(0..50)));
    // Not SIGINT, which a shell lets its background jobs ignore: it would be lost on a run that has only just
    // begun and does not wait for it yet. SIGTERM then ends it as it ends any program.
    kill(Pid::from_raw(coordinator), Signal::SIGTERM).unwrap();
    let ended = run.wait().unwrap();
    let interrupted = ended.code() == Some(130) || ended.signal() == Some(Signal::SIGTERM as i32);
    // The first stage finds out what the target is: a run that loses it says so, and is over.
    let lost = matches!(victim, Victim::Stage) && ended.code() == Some(3);
    assert!(interrupted || lost, "{told}: {ended}");
}

fn reap() {
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if status == WaitStatus::StillAlive {
            break;
        }
    }
}

/// The parent of every process.
fn parents() -> BTreeMap<i32, i32> {
    let entries = fs::read_dir("/proc").unwrap();
    let processes = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let parent = |process: i32| {
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
        Some((process, line.trim().parse().ok()?))
    };
    processes.filter_map(parent).collect()
}

fn children(parent: i32) -> Vec<i32> {
    parents().into_iter().filter(|(_, of)| *of == parent).map(|(process, _)| process).collect()
}

fn descendants() -> Vec<i32> {
    let parents = parents();
    let mut found = vec![std::process::id() as i32];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(process, _)| process));
        next += 1;
    }
    found.split_off(1)
}

/// The first ids of the blocks that workers have claimed.
fn claimed(workers: &[i32]) -> Vec<u32> {
    let sockets = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let descriptors = workers.iter().flat_map(|worker| fs::read_dir(format!("/proc/{worker}/fd")));
    let inodes: BTreeSet<String> = descriptors
        .flatten()
        .filter_map(|entry| {
            let link = fs::read_link(entry.ok()?.path()).ok()?;
            Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let slot = |line: &str| {
        let (rest, slot) = line.split_once(CLAIM)?;
        let inode = rest.split_ascii_whitespace().last()?;
        inodes.contains(inode).then(|| slot.trim().parse::<u32>().ok())?
    };
    sockets.lines().filter_map(slot).map(|slot| CASES + slot * SLOT).collect()
}

/// What of the host a run must not change. Everything is read as text: asking the kernel for a keyring
/// might make one.
#[derive(Debug)]
struct Host {
    mounts: String,
    /// If nothing is there of any run.
    quiet: bool,
    /// Keys and bytes of each user, those of cases included.
    users: BTreeMap<u32, Vec<String>>,
    /// The keys of other users that this process may see.
    keys: BTreeSet<String>,
}

impl Host {
    fn look() -> Host {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let users: BTreeMap<u32, Vec<String>> = read("/proc/key-users").lines().filter_map(user).collect();
        Host {
            mounts: read("/proc/self/mounts"),
            quiet: !read("/proc/net/unix").contains(CLAIM) && users.keys().all(|uid| *uid < CASES),
            users,
            keys: read("/proc/keys").lines().filter_map(key).collect(),
        }
    }

    /// What is not as it was. Where there are other runs, their keys are to be told from what is left of
    /// this test's: then only the ids that were this test's are looked at, and the keys of people.
    fn difference(&self, before: &Host, blocks: &BTreeSet<u32>) -> Option<String> {
        if self.mounts != before.mounts {
            return Some(format!("mounts: before {}\nafter {}", before.mounts, self.mounts));
        }
        let ours = |uid: &u32| blocks.range(..=uid).next_back().is_some_and(|first| uid - first < SLOT);
        let left: Vec<_> = self.users.iter().filter(|(uid, _)| ours(uid)).collect();
        if !left.is_empty() {
            return Some(format!("keys are left: {left:?}"));
        }
        if self.quiet && before.quiet {
            let same = self.keys == before.keys && self.users == before.users;
            return (!same).then(|| format!("before {before:#?}\nafter {self:#?}"));
        }
        // Each user namespace has registers of its own, which belong to the global root.
        let lasting = |host: &Host| -> BTreeSet<String> {
            host.keys.iter().filter(|key| !key.contains("keyring .")).cloned().collect()
        };
        (lasting(self) != lasting(before))
            .then(|| format!("before {:#?}\nafter {:#?}", lasting(before), lasting(self)))
    }
}

/// Serial, mask, owner, type and description of a line of /proc/keys.
fn key(line: &str) -> Option<String> {
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let (serial, mask, owner) = (words.first()?, words.get(4)?, words.get(5)?);
    let uid: u32 = owner.parse().ok()?;
    (uid < CASES).then(|| format!("{serial} {mask} {owner} {}", words[7..].join(" ")))
}

/// The user of a line of /proc/key-users, and what it holds.
fn user(line: &str) -> Option<(u32, Vec<String>)> {
    let (uid, counts) = line.split_once(':')?;
    // The first number counts references, which come and go.
    let counts = counts.split_ascii_whitespace().skip(1).map(str::to_owned).collect();
    Some((uid.trim().parse().ok()?, counts))
}
