//! Actors that share memory, one after the other.

use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Arenas, Bell, begin_sharing};
use crate::actor::message::{Answer, AnswerHead, Arg, Back, FILL, Kind, Request, WAKE};
use crate::actor::turn::reap;

/// Gives an actor that lives in the arenas a text of this size, of which it takes a page into its buffer, and ends it. Gives what is in its buffer then.
fn ask(arenas: &mut Arenas, size: usize) -> Vec<u8> {
    let (mut near, far) = UnixStream::pair().unwrap();
    let (from, to) = UnixStream::pair().unwrap();
    let mut request = Request::new(Kind::Calls);
    let text = request.place(&vec![b'x'; size]);
    let count = Arg::Number(size.min(4096) as i64);
    request.call(libc::SYS_write, &[Arg::Number(to.as_raw_fd().into()), Arg::Image(text), count]);
    request.call(libc::SYS_read, &[Arg::Number(from.as_raw_fd().into()), Arg::Out(0), count]);
    request.out(4096, Back::Whole);
    let request = request.encode(1, 0).unwrap();
    let actor = begin_sharing(far.as_raw_fd(), arenas, &request).unwrap();
    let answer = |read: &mut dyn FnMut() -> Option<Answer>| loop {
        match read() {
            Some(answer) => return answer,
            None => arenas.bell().wait(Duration::from_secs(10)),
        }
    };
    let first = answer(&mut || actor.mailbox.take().unwrap());
    // Once more, to whoever sleeps on the channel and not on the bell.
    assert!(arenas.bell().begin_polling());
    actor.mailbox.ask(&request);
    let mut wakes = vec![0; size_of::<AnswerHead>()];
    near.read_exact(&mut wakes).unwrap();
    arenas.bell().end_polling();
    assert_eq!(Answer::take(&mut wakes).unwrap().unwrap().id, WAKE);
    let second = actor.mailbox.take().unwrap().unwrap();
    assert_eq!((second.id, &second.out), (1, &first.out));
    let _ = kill(Pid::from_raw(actor.process), Signal::SIGKILL);
    reap(actor.process);
    first.out
}

#[test]
fn who_has_rung_before_is_heard_at_once() {
    let bell = Bell::default();
    bell.ring(-1);
    assert!(!bell.begin_polling());
    // Nobody rings: these last as long as they are to last.
    let start = Instant::now();
    bell.wait(Duration::from_millis(20));
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert!(bell.begin_polling());
}

#[test]
fn an_actor_finds_nothing_of_the_one_before_it() {
    let mut arenas = Arenas::default();
    for size in [4000, 10] {
        let out = ask(&mut arenas, size);
        assert!(out[..size].iter().all(|byte| *byte == b'x'));
        assert!(out[size..].iter().all(|byte| *byte == FILL), "after {size} bytes");
        arenas.clear();
    }
}

#[test]
fn what_is_cleared_is_used_again_unless_it_has_grown() {
    let mut arenas = Arenas::default();
    ask(&mut arenas, 10);
    let first = arenas.taken.clone();
    arenas.clear();
    ask(&mut arenas, 1 << 20);
    assert_eq!((&arenas.taken, arenas.free.len()), (&first, 0), "another place was taken");
    arenas.clear();
    assert_eq!((arenas.taken.len(), arenas.free.len()), (0, 0), "what has grown was kept");
}
