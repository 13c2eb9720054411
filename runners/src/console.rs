//! What a kernel prints: kept as it comes, and watched for what a sound kernel does not say.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;

use nix::sys::memfd::{MFdFlags, memfd_create};

/// How much of the console is read at a time at most: of a flood, the start says most.
const MOST: u64 = 1 << 20;
/// How many lines of an excerpt are kept.
const LINES: usize = 120;

/// The console of one machine: a file in memory that takes whatever is written, so that a machine never
/// waits for a reader.
pub struct Console {
    file: File,
    read: u64,
}

/// What a kernel said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// Its first line without the time.
    pub line: String,
    /// That line and those after it.
    pub excerpt: Vec<String>,
}

impl Console {
    /// An empty console.
    pub fn new() -> io::Result<Console> {
        Ok(Console { file: File::from(memfd_create(c"console", MFdFlags::MFD_CLOEXEC)?), read: 0 })
    }

    /// What the machine is to write to.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// The lines since the last call. A line that has not come to its end counts as one.
    pub fn news(&mut self) -> Vec<String> {
        let size = self.file.metadata().map_or(self.read, |facts| facts.len());
        let mut text = vec![0; size.saturating_sub(self.read).min(MOST) as usize];
        let count = self.file.read_at(&mut text, self.read).unwrap_or(0);
        // What is left out of a flood is never looked at again.
        self.read = size.max(self.read + count as u64);
        String::from_utf8_lossy(&text[..count]).lines().map(|line| line.trim_end().to_owned()).collect()
    }
}

/// The first complaint among lines of a console.
pub fn complaint(lines: &[String]) -> Option<Complaint> {
    let at = lines.iter().position(|line| is_complaint(message(line)))?;
    // The kernel frames some of its reports by a line of its own.
    let start = match at.checked_sub(1) {
        Some(before) if message(&lines[before]).starts_with(CUT_HERE) => before,
        _ => at,
    };
    let excerpt = lines[start..].iter().take(LINES).cloned().collect();
    Some(Complaint { line: message(&lines[at]).to_owned(), excerpt })
}

const CUT_HERE: &str = "------------[ cut here ]";

/// A line without the time and the context that the kernel may put before it: `[   12.345678][   T1] `.
fn message(line: &str) -> &str {
    let mut rest = line.trim_start();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        rest = after.trim_start();
    }
    rest
}

/// What a guest has its kernel print when the kernel counts itself as tainted and has not said why:
/// Documentation/admin-guide/tainted-kernels.rst.
pub const TAINTED: &str = "skc guest: the kernel is tainted: ";

/// How reports of the kernel begin: kernel/panic.c, lib/bug.c, arch/x86/kernel/traps.c and
/// dumpstack.c, kernel/watchdog.c, kernel/hung_task.c, kernel/rcu/tree_stall.h, kernel/locking/lockdep.c,
/// mm/kasan/report.c, mm/kfence/report.c, lib/ubsan.c, mm/kmemleak.c.
const BEGINNINGS: [&str; 28] = [
    "Kernel panic - not syncing",
    "BUG: ",
    "watchdog: BUG: ",
    "kernel BUG at ",
    "WARNING: ",
    "Oops: ",
    "Oops - ",
    "general protection fault",
    "int3: ",
    "divide error: ",
    "invalid opcode: ",
    "stack segment: ",
    "traps: PANIC: ",
    "PANIC: ",
    "double fault: ",
    "unchecked MSR access error",
    "Unable to handle kernel ",
    "Internal error: ",
    "UBSAN: ",
    "KASAN: ",
    "KFENCE: ",
    "kmemleak: ",
    "rcu: INFO: ",
    "INFO: rcu",
    "INFO: task ",
    "INFO: trying to register non-static key",
    "DEBUG_LOCKS_WARN_ON",
    TAINTED,
];

/// Words that make a complaint wherever they stand in a message.
const PARTS: [&str; 6] = [
    "hard LOCKUP",
    "soft lockup",
    "unregister_netdevice: waiting",
    "inconsistent lock state",
    "self-detected stall",
    "detected stalls on CPUs",
];

/// What begins like a complaint and is none: kmemleak says when it starts and when it is switched off,
/// and a kernel whose process 1 is gone may have that from us.
const HARMLESS: [&str; 5] = [
    "Kernel panic - not syncing: Attempted to kill init!",
    "kmemleak: Kernel memory leak detector",
    "kmemleak: Automatic memory scanning",
    "kmemleak: Kernel memory leak detector disabled",
    "KASAN: KernelAddressSanitizer initialized",
];

fn is_complaint(message: &str) -> bool {
    !HARMLESS.iter().any(|harmless| message.starts_with(harmless))
        && (BEGINNINGS.iter().any(|beginning| message.starts_with(beginning))
            || PARTS.iter().any(|part| message.contains(part)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::panic("[    3.1] Kernel panic - not syncing: hung")]
    #[case::oops("[    3.141592] BUG: kernel NULL pointer dereference, address: 0000000000000008")]
    #[case::with_the_context("[    3.141592][   T77] BUG: KASAN: slab-use-after-free in key_put+0x1f/0x90")]
    #[case::without_a_time("BUG: unable to handle page fault for address: ffffffffdeadbeef")]
    #[case::bug("[ 1.0] kernel BUG at security/keys/keyring.c:77!")]
    #[case::fault("[ 1.0] general protection fault, probably for non-canonical address 0xdead")]
    #[case::number("[ 1.0] Oops: 0000 [#1] SMP NOPTI")]
    #[case::warning("[ 1.0] WARNING: CPU: 0 PID: 77 at security/keys/key.c:1 key_put+0x1/0x2")]
    #[case::newer_warning("[ 1.0] WARNING: security/keys/key.c:1 at key_put+0x1/0x2, CPU#0: skc/77")]
    #[case::lockdep("[ 1.0] WARNING: possible circular locking dependency detected")]
    #[case::rcu_misuse("[ 1.0] WARNING: suspicious RCU usage")]
    #[case::stall("[ 1.0] rcu: INFO: rcu_preempt self-detected stall on CPU")]
    #[case::older_stall("[ 1.0] INFO: rcu_sched detected stalls on CPUs/tasks:")]
    #[case::hung("[ 1.0] INFO: task skc:77 blocked for more than 120 seconds.")]
    #[case::lockup("[ 1.0] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [skc:77]")]
    #[case::hard("[ 1.0] NMI watchdog: Watchdog detected hard LOCKUP on cpu 0")]
    #[case::leak("[ 1.0] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)")]
    #[case::taint("[ 1.0] skc guest: the kernel is tainted: 512")]
    #[case::ubsan("[ 1.0] UBSAN: array-index-out-of-bounds in security/keys/key.c:1:2")]
    fn a_kernel_that_complains_is_heard(#[case] line: &str) {
        let lines = ["[ 0.5] calm".to_owned(), line.to_owned(), "[ 9.9] Call Trace:".to_owned()];
        let complaint = complaint(&lines).expect(line);
        assert_eq!(complaint.excerpt, lines[1..]);
        assert!(!complaint.line.starts_with('['), "{complaint:?}");
    }

    #[rstest]
    #[case("[    1.0] process '/tmp/skc' started with executable stack")]
    #[case("[    1.0] warning: `skc' uses 32-bit capabilities (legacy support in use)")]
    #[case("[    1.0] kmemleak: Kernel memory leak detector initialized (mem pool available: 15000)")]
    #[case("[    1.0] key type BUG: registered")]
    #[case("[    1.0] random: crng init done")]
    #[case("\u{1}skc 0 0 0 BUG: no")]
    #[case("[    1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100")]
    #[case("")]
    fn what_is_no_complaint_is_left_alone(#[case] line: &str) {
        assert_eq!(complaint(&[line.to_owned()]), None);
    }

    #[test]
    fn an_excerpt_begins_with_the_frame_and_is_bounded() {
        let mut lines =
            vec!["[ 1.0] ------------[ cut here ]------------".to_owned(), "[ 1.0] WARNING: x".into()];
        lines.extend((0..1000).map(|at| format!("[ 1.0] {at}")));
        let complaint = complaint(&lines).unwrap();
        assert_eq!(complaint.line, "WARNING: x");
        assert_eq!(complaint.excerpt, lines[..LINES]);
    }

    #[test]
    fn news_are_told_once_and_a_flood_is_cut() {
        let mut console = Console::new().unwrap();
        assert_eq!(console.news(), Vec::<String>::new());
        let mut file = console.file.try_clone().unwrap();
        file.write_all(b"one\r\ntwo").unwrap();
        assert_eq!(console.news(), ["one", "two"]);
        assert_eq!(console.news(), Vec::<String>::new());
        file.write_all(&vec![b'x'; MOST as usize + 100]).unwrap();
        file.write_all(b"\nlost\n").unwrap();
        assert_eq!(console.news().iter().map(String::len).sum::<usize>(), MOST as usize);
        file.write_all(b"three\n").unwrap();
        assert_eq!(console.news(), ["three"]);
    }
}
