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

/// What no wait here is to last for: who waits is woken.
const LONG: Duration = Duration::from_secs(10);

/// Ends an actor when its test ends, however that does: cargo waits for whoever shares its memory.
struct Ends(i32);

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.0), Signal::SIGKILL);
        reap(self.0);
    }
}

/// Waits for a bell that somebody rings.
fn hear(bell: &Bell) {
    let start = Instant::now();
    bell.wait(LONG);
    assert!(start.elapsed() < LONG, "nobody was woken");
}

/// Gives an actor that lives in the arenas a text of this size, of which it takes a page into its buffer, and ends it. Gives what is in its buffer then.
fn ask(arenas: &mut Arenas, size: usize) -> Vec<u8> {
    let (mut near, far) = UnixStream::pair().unwrap();
    near.set_read_timeout(Some(LONG)).unwrap();
    let (from, to) = UnixStream::pair().unwrap();
    let mut request = Request::new(Kind::Calls);
    let text = request.place(&vec![b'x'; size]);
    let count = Arg::Number(size.min(4096) as i64);
    request.call(libc::SYS_write, &[Arg::Number(to.as_raw_fd().into()), Arg::Image(text), count]);
    request.call(libc::SYS_read, &[Arg::Number(from.as_raw_fd().into()), Arg::Out(0), count]);
    request.out(4096, Back::Whole);
    let request = request.encode(1, 0).unwrap();
    let actor = begin_sharing(far.as_raw_fd(), arenas, &request).unwrap();
    let _ends = Ends(actor.process);
    // The answer is there before the bell rings, so that who looks for it earlier would hear of it later once more.
    hear(&arenas.bell());
    let first = actor.mailbox.take().unwrap().unwrap();
    // Once more, to whoever sleeps on the channel and not on the bell.
    assert!(arenas.bell().begin_polling());
    actor.mailbox.ask(&request);
    let mut wakes = vec![0; size_of::<AnswerHead>()];
    near.read_exact(&mut wakes).unwrap();
    arenas.bell().end_polling();
    assert_eq!(Answer::take(&mut wakes).unwrap().unwrap().id, WAKE);
    let second = actor.mailbox.take().unwrap().unwrap();
    assert_eq!((second.id, &second.out), (1, &first.out));
    first.out
}

#[test]
fn who_sleeps_is_woken() {
    let mut arenas = Arenas::default();
    let (mut near, far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    // Long enough for the other side to fall asleep.
    let mut request = Request::new(Kind::Calls);
    let time = request.place(&[0i64, 50_000_000].map(i64::to_ne_bytes).concat());
    request.call(libc::SYS_nanosleep, &[Arg::Image(time), Arg::Number(0)]);
    let request = request.encode(7, 0).unwrap();
    let actor = begin_sharing(far.as_raw_fd(), &mut arenas, &request).unwrap();
    let _ends = Ends(actor.process);
    hear(&arenas.bell());
    assert_eq!(actor.mailbox.take().unwrap().unwrap().id, 7);
    // So is the actor; and who no longer sleeps on channels hears nothing by them.
    assert!(arenas.bell().begin_polling());
    arenas.bell().end_polling();
    let while_it_sleeps = Duration::from_millis(100);
    std::thread::sleep(while_it_sleeps);
    actor.mailbox.ask(&request);
    std::thread::sleep(while_it_sleeps);
    hear(&arenas.bell());
    assert_eq!(actor.mailbox.take().unwrap().unwrap().id, 7);
    assert!(near.read(&mut [0]).is_err());
}

#[test]
fn who_has_rung_before_is_heard_at_once() {
    let bell = Bell::default();
    bell.ring(-1);
    hear(&bell);
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
