//! A turn: a process that plays its part in the memory of the one that made it, while that one waits.
//!
//! As with vfork(2) there is no memory to copy and none to tear down, which under an emulator is a third of what a case
//! costs. Other than with vfork, the parent can give up waiting, and the child has a stack of its own.
#![expect(unsafe_code, reason = "two processes work on the same memory, one after the other")]

#[cfg(test)]
mod tests;

use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{life, sys};

/// Room for a part: serde and formatting, in builds for debugging too, stay far below.
const STACK: usize = 4 << 20;
/// The lowest bytes of a stack, which nobody can touch.
const GUARD: usize = 4096;

/// A stack for one process that shares its parent's memory. It can be lent again when that process is gone.
pub struct Stack(*mut u8);

impl Stack {
    /// A fresh one.
    pub fn new() -> Result<Stack, Errno> {
        let start = sys::map(STACK).ok_or(Errno::ENOMEM)?;
        sys::forbid(start, GUARD)?;
        Ok(Stack(start))
    }
}

/// What came of a part.
pub enum Turn<T> {
    /// It is played, and the process with this id about to end: it is to be reaped, and its stack let alone until then.
    Played(T, i32),
    /// The process ended before that, in this way.
    Ended(WaitStatus),
    /// It was killed, because it did not play in time.
    Late,
    /// It was killed, because whoever holds the other end of what was watched has hung up.
    HungUp,
}

/// What both processes see.
struct Shared<P, T> {
    /// The child's end of the line between them: open there by its number, and in the parent no more.
    line: RawFd,
    part: Option<P>,
    result: Option<T>,
}

/// Has a new process, in new namespaces as the flags say, play a part in the caller's memory. Before it begins, `prepare`
/// is called with its process id. Of the line, the part gets the far end, which tells when the caller has died.
///
/// What a part that is not played to its end has allocated is lost; and had the process just been in the allocator, that
/// is lost too. So who goes on after that should not go on for long.
///
/// # Errors
///
/// Of clone(2), or what `prepare` gives.
pub fn lend<T, P, E: From<Errno>>(
    flags: i32,
    stack: &mut Stack,
    (near, far): (UnixStream, UnixStream),
    limit: Duration,
    watched: BorrowedFd,
    prepare: impl FnOnce(i32) -> Result<(), E>,
    part: P,
) -> Result<Turn<T>, E>
where
    P: FnOnce(BorrowedFd) -> T,
{
    let mut shared = Shared { line: far.as_raw_fd(), part: Some(part), result: None };
    let shared = &raw mut shared;
    let flags = flags | libc::CLONE_VM | libc::SIGCHLD;
    // SAFETY: the stack is borrowed for as long as this call takes, and let alone for as long as the process lives. What
    // the child is given lives until it is dead or has given its result, which is the last time that it touches that;
    // and this function touches it before the child begins and after that alone.
    let process = unsafe {
        let top = stack.0.add(STACK);
        sys::checked(sys::clone_on_stack(flags as usize, top, play::<T, P>, shared.expose_provenance()))?
            as i32
    };
    drop(far);
    let end = || {
        let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
        reap(process)
    };
    if let Err(error) = prepare(process) {
        end();
        return Err(error);
    }
    // From here on until it is heard of, nothing may allocate here.
    let _ = (&near).write_all(b"!");
    let heard = hear(&near, limit, watched);
    Ok(match heard {
        Heard::Word => {
            // SAFETY: the child has said that it is through.
            match unsafe { (*shared).result.take() } {
                Some(result) => Turn::Played(result, process),
                None => Turn::Ended(end()),
            }
        }
        Heard::End => Turn::Ended(end()),
        Heard::Nothing => {
            end();
            Turn::Late
        }
        Heard::HangUp => {
            end();
            Turn::HungUp
        }
    })
}

/// The child, on its own stack.
extern "C" fn play<T, P: FnOnce(BorrowedFd) -> T>(shared: usize) -> ! {
    let shared: *mut Shared<P, T> = std::ptr::with_exposed_provenance_mut(shared);
    // SAFETY: the parent lets this process alone have what is shared, from the word by which it may begin until its own;
    // the line is open here under its number until this process ends.
    unsafe {
        let line = (*shared).line;
        let mut word = 0u8;
        life::receive(line, &raw mut word, 1);
        if let Some(part) = (*shared).part.take() {
            let result = part(BorrowedFd::borrow_raw(line));
            (*shared).result = Some(result);
        }
        life::send(line, &raw const word, 1);
    }
    life::exit_process(0)
}

/// What the parent hears while it waits.
enum Heard {
    Word,
    End,
    Nothing,
    HangUp,
}

/// Waits for the child's word, and allocates nothing.
fn hear(line: &UnixStream, limit: Duration, watched: BorrowedFd) -> Heard {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // Rounded up, so that the last wait does not become a busy loop.
        let timeout = match left {
            Duration::ZERO => PollTimeout::ZERO,
            left => PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX),
        };
        // A hang-up is told without being asked for.
        let mut fds =
            [PollFd::new(line.as_fd(), PollFlags::POLLIN), PollFd::new(watched, PollFlags::empty())];
        match poll(&mut fds, timeout) {
            Ok(0) if left.is_zero() => return Heard::Nothing,
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) if fds[0].any().unwrap_or(false) => {
                let mut word = [0];
                let mut line = line;
                return if matches!(line.read(&mut word), Ok(1)) { Heard::Word } else { Heard::End };
            }
            _ => return Heard::HangUp,
        }
    }
}

/// Waits for a child that is about to end, and gives how it did.
pub fn reap(process: i32) -> WaitStatus {
    loop {
        match waitpid(Pid::from_raw(process), None) {
            Ok(status @ (WaitStatus::Exited(..) | WaitStatus::Signaled(..))) => return status,
            Err(Errno::EINTR) | Ok(_) => {}
            Err(_) => return WaitStatus::StillAlive,
        }
    }
}
