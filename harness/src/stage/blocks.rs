//! Blocks of ids: no two cases that run at the same time, in this run or another, map the same ids,
//! so that quotas and user keyrings of theirs cannot meet.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};

use super::enclosure::BLOCK;
use crate::run::Lost;

/// Ids from here on belong to no user of any distribution.
const FIRST: u32 = 0x8000_0000;
/// How many workers can have ids at the same time.
const SLOTS: u32 = 256;
/// How many blocks each has: what a case leaves to the collector may stay for a while.
const BLOCKS: u32 = 64;

/// The blocks of one worker.
pub struct Blocks {
    slot: u32,
    next: u32,
    busy: BTreeSet<u32>,
    /// Bound to the slot's name. The kernel gives the name back however this process ends.
    _claim: OwnedFd,
}

impl Blocks {
    /// Claims blocks that nobody else has; `None` if this process has no ids to give away.
    pub fn claim() -> Result<Option<Blocks>, Lost> {
        if !nix::unistd::geteuid().is_root() || !covers("/proc/self/uid_map") || !covers("/proc/self/gid_map")
        {
            return Ok(None);
        }
        // Network namespaces have separate names: starting anywhere keeps containers apart as well.
        let start = std::process::id() % SLOTS;
        for slot in (0..SLOTS).map(|offset| (start + offset) % SLOTS) {
            let claim = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)
                .map_err(|error| Lost(format!("no socket for a claim of ids: {error}")))?;
            let name = format!("session-keyring-conformance ids {slot}");
            let address = UnixAddr::new_abstract(name.as_bytes())
                .map_err(|error| Lost(format!("no name for a claim of ids: {error}")))?;
            if bind(claim.as_raw_fd(), &address).is_ok() {
                return Ok(Some(Blocks { slot, next: 0, busy: owners(), _claim: claim }));
            }
        }
        Err(Lost(format!("all {SLOTS} claims of ids are taken: are that many runs going on?")))
    }

    /// The first id of a block whose ids own no key.
    pub fn take(&mut self) -> Result<u32, Lost> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            while self.next < BLOCKS {
                let base = FIRST + (self.slot * BLOCKS + self.next) * BLOCK;
                self.next += 1;
                if !self.busy.contains(&(base / BLOCK)) {
                    return Ok(base);
                }
            }
            // All were used once: see which of them the collector has freed.
            (self.next, self.busy) = (0, owners());
            let own = FIRST / BLOCK + self.slot * BLOCKS;
            if (own..own + BLOCKS).all(|block| self.busy.contains(&block)) {
                if Instant::now() > deadline {
                    return Err(Lost("the kernel does not free the keys of cases that have ended".into()));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// Waits until the calling user, who has no ids to give away, has room for the keys of a case in its
/// own quota: what earlier cases left goes only when the kernel's collector comes to it.
pub fn await_room() -> Result<(), Lost> {
    const KEYS: u64 = 60;
    const BYTES: u64 = 6000;
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Some((keys, bytes)) = room(nix::unistd::getuid().as_raw()) {
        if keys >= KEYS && bytes >= BYTES {
            break;
        }
        if Instant::now() > deadline {
            return Err(Lost("this user's quota of keys is used up: see /proc/key-users".into()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// How many keys and bytes a user may still have, as /proc/key-users says; `None` for one without keys.
fn room(uid: u32) -> Option<(u64, u64)> {
    let users = fs::read_to_string("/proc/key-users").ok()?;
    let (_, counts) = users
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(user, _)| user.trim().parse() == Ok(uid))?;
    let mut rooms = counts.split_ascii_whitespace().skip(2).filter_map(|count| {
        let (used, limit) = count.split_once('/')?;
        Some(limit.parse::<u64>().ok()?.saturating_sub(used.parse().ok()?))
    });
    Some((rooms.next()?, rooms.next()?))
}

/// The numbers of the blocks whose ids own keys, as /proc/key-users says.
fn owners() -> BTreeSet<u32> {
    let users = fs::read_to_string("/proc/key-users").unwrap_or_default();
    users
        .lines()
        .filter_map(|line| line.split(':').next()?.trim().parse::<u32>().ok())
        .map(|uid| uid / BLOCK)
        .collect()
}

/// If a map of the own user namespace covers all ids that may be given away.
fn covers(map: &str) -> bool {
    let text = fs::read_to_string(map).unwrap_or_default();
    text.lines().any(|line| {
        let mut words = line.split_ascii_whitespace().map(|word| word.parse::<u64>().unwrap_or(0));
        let (first, _, count) = (words.next(), words.next(), words.next());
        let end = u64::from(FIRST) + u64::from(SLOTS * BLOCKS) * u64::from(BLOCK);
        first.unwrap_or(u64::MAX) <= FIRST.into() && first.unwrap_or(0) + count.unwrap_or(0) >= end
    })
}
