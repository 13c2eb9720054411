//! Parts that are played, that are not played, and that are not played in time.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;

use super::{Stack, Turn, lend, reap};
use crate::actor::life;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

/// Has a part played in a plain child, with nothing to prepare.
fn play<T>(limit: Duration, watched: BorrowedFd, part: impl FnOnce() -> T) -> Turn<T> {
    let mut stack = Stack::new().unwrap();
    let line = UnixStream::pair().unwrap();
    lend(0, &mut stack, line, limit, watched, |_| Ok::<(), Errno>(()), |_| part()).unwrap()
}

#[test]
fn a_part_is_played_by_another_process_in_the_same_memory() {
    let (_end, watched) = UnixStream::pair().unwrap();
    let (mut process, mut words) = (0, vec!["before".to_owned()]);
    let turn = play(LONG, watched.as_fd(), || {
        process = std::process::id();
        words.push("within".to_owned());
        words.len()
    });
    let Turn::Played(result, child) = turn else { panic!("it was not played") };
    assert_eq!(reap(child), WaitStatus::Exited(Pid::from_raw(child), 0));
    assert_eq!((result, words), (2, vec!["before".to_owned(), "within".to_owned()]));
    assert_eq!(process as i32, child);
    assert_ne!(process, std::process::id());
}

#[test]
fn what_is_prepared_is_there_when_the_part_begins() {
    let (_end, watched) = UnixStream::pair().unwrap();
    let prepared = std::cell::Cell::new(0);
    let prepare = |process| {
        std::thread::sleep(SHORT);
        prepared.set(process);
        Ok::<(), Errno>(())
    };
    let mut stack = Stack::new().unwrap();
    let part = |_: BorrowedFd| prepared.get();
    let turn =
        lend(0, &mut stack, UnixStream::pair().unwrap(), LONG, watched.as_fd(), prepare, part).unwrap();
    let Turn::Played(seen, child) = turn else { panic!("it was not played") };
    reap(child);
    assert_eq!(seen, child);
}

#[test]
fn without_what_it_needs_the_part_is_not_played() {
    let (_end, watched) = UnixStream::pair().unwrap();
    let mut stack = Stack::new().unwrap();
    let (mut process, mut played) = (0, false);
    let prepare = |child| {
        process = child;
        Err(Errno::EPERM)
    };
    let part = |_: BorrowedFd| played = true;
    let turn = lend(0, &mut stack, UnixStream::pair().unwrap(), LONG, watched.as_fd(), prepare, part);
    assert_eq!(turn.err(), Some(Errno::EPERM));
    assert!(!played);
    assert_eq!(kill(Pid::from_raw(process), None), Err(Errno::ESRCH), "the child is still there");
}

#[test]
fn a_child_that_ends_first_is_reaped_and_told_of() {
    let (_end, watched) = UnixStream::pair().unwrap();
    let turn = play(LONG, watched.as_fd(), || life::exit_process(7));
    assert!(matches!(turn, Turn::<()>::Ended(WaitStatus::Exited(_, 7))));
    let turn = play(LONG, watched.as_fd(), || {
        let _ = kill(Pid::this(), Signal::SIGKILL);
    });
    assert!(matches!(turn, Turn::Ended(WaitStatus::Signaled(_, Signal::SIGKILL, false))));
}

#[test]
fn nobody_waits_for_ever() {
    let (end, watched) = UnixStream::pair().unwrap();
    let process = AtomicU32::new(0);
    let turn = play(SHORT, watched.as_fd(), || {
        process.store(std::process::id(), Ordering::SeqCst);
        loop {
            nix::unistd::pause();
        }
    });
    assert!(matches!(turn, Turn::<()>::Late));
    let process = process.into_inner() as i32;
    assert_ne!(process, 0);
    assert_eq!(kill(Pid::from_raw(process), None), Err(Errno::ESRCH), "the child is still there");
    drop(end);
    let turn = play(LONG, watched.as_fd(), || {
        loop {
            nix::unistd::pause();
        }
    });
    assert!(matches!(turn, Turn::<()>::HungUp));
}
