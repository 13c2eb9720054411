//! /sbin/request-key, started by hand: the kernel of this machine must not be asked to.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::actor::message::{Answer, Arg, Kind, Request};
use harness::stage::upcalls::{Caller, Desk};

const PATIENCE: Duration = Duration::from_secs(20);

/// As the kernel does it, for a key that cannot be: its type cannot be found out.
fn helper() -> Child {
    Command::new(env!("CARGO_BIN_EXE_skc"))
        .arg0("/sbin/request-key")
        .args(["create", "2147483647", "0", "0", "0", "0", "1"])
        .spawn()
        .unwrap()
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline);
        sleep(Duration::from_millis(5));
    }
}

fn answer(channel: &mut File) -> Answer {
    let (mut incoming, mut chunk) = (Vec::new(), [0; 4096]);
    until(|| {
        let count = channel.read(&mut chunk).unwrap();
        incoming.extend_from_slice(&chunk[..count]);
        Answer::take(&mut incoming).unwrap()
    })
}

#[test]
fn an_upcall_becomes_an_actor_where_it_is_awaited_and_ends_elsewhere() {
    // The name is the machine's: another run of these tests may have it.
    let desk = until(|| Desk::open().ok());

    // Turned away, and hung up on.
    let mut refused = helper();
    let caller = until(|| desk.next().unwrap());
    assert_eq!(caller.key_type, "");
    drop(caller);
    assert_eq!(refused.wait().unwrap().code(), Some(1));

    // Welcome, with a file under a number that was taken in the helper, and its channel under another.
    let mut welcome = helper();
    let caller: Caller = until(|| desk.next().unwrap());
    let file = tempfile::tempfile().unwrap();
    let (own, shared): (i32, OwnedFd) = (250, file.into());
    let channel = caller.welcome(own, &[shared.as_raw_fd()]).unwrap();
    let mut channel = File::from(channel);
    let report = answer(&mut channel);
    assert_eq!((report.id, report.result), (0, i64::from(welcome.id())));
    assert!(matches!(desk.state(welcome.id() as i32), Some('R' | 'S')));
    for (number, there) in [(own, true), (shared.as_raw_fd(), true), (900, false)] {
        let mut request = Request::new(Kind::Calls);
        request
            .call(nix::libc::SYS_fcntl, &[number, nix::libc::F_GETFD].map(|word| Arg::Number(word.into())));
        channel.write_all(&request.encode(7, 0).unwrap()).unwrap();
        let answer = answer(&mut channel);
        assert_eq!((answer.id, answer.result >= 0), (7, there), "descriptor {number}");
    }
    drop(channel);
    assert!(welcome.wait().is_ok());
    assert_eq!(desk.state(welcome.id() as i32), None);

    drop(desk);
    assert_eq!(helper().wait().unwrap().code(), Some(1));
}
