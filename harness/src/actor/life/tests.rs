//! Actors that share memory, one after the other.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Arenas, begin_sharing};
use crate::actor::message::{Answer, Arg, Back, FILL, Kind, Request};
use crate::actor::turn::reap;

/// Gives an actor that lives in the arenas a text of this size, of which it takes a page into its buffer, and ends it. Gives what is in its buffer then.
fn ask(arenas: &mut Arenas, size: usize) -> Vec<u8> {
    let (mut near, far) = UnixStream::pair().unwrap();
    let (from, to) = UnixStream::pair().unwrap();
    let actor = begin_sharing(far.as_raw_fd(), arenas).unwrap();
    let mut request = Request::new(Kind::Calls);
    let text = request.place(&vec![b'x'; size]);
    let count = Arg::Number(size.min(4096) as i64);
    request.call(libc::SYS_write, &[Arg::Number(to.as_raw_fd().into()), Arg::Image(text), count]);
    request.call(libc::SYS_read, &[Arg::Number(from.as_raw_fd().into()), Arg::Out(0), count]);
    request.out(4096, Back::Whole);
    near.write_all(&request.encode(1, 0).unwrap()).unwrap();
    let (mut bytes, mut answers) = (Vec::new(), Vec::new());
    while answers.len() < 2 {
        let mut chunk = [0; 8192];
        let count = near.read(&mut chunk).unwrap();
        bytes.extend_from_slice(&chunk[..count]);
        while let Some(answer) = Answer::take(&mut bytes).unwrap() {
            answers.push(answer);
        }
    }
    let _ = kill(Pid::from_raw(actor), Signal::SIGKILL);
    reap(actor);
    answers.pop().unwrap().out
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
