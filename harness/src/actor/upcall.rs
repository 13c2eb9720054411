//! /sbin/request-key, as the kernel starts it to construct a key: it becomes the actor that the case has
//! for keys of that type, or ends at once and leaves the kernel to make a negative key.
//!
//! The far end is `stage::upcalls`.

use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixStream};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::{life, sys};

/// The path by which the kernel knows the program.
pub const PATH: &str = "/sbin/request-key";
/// The abstract socket name on which a stage awaits upcalls.
pub const NAME: &[u8] = b"session-keyring-conformance upcalls";
/// The first word of an upcall: the type of the key, filled with NULs.
pub const TYPE: usize = 32;
/// The most descriptors that a stage hands over.
pub const DESCRIPTORS: usize = 200;

/// How long the stage may take to say who the upcall is.
const PATIENCE: Duration = Duration::from_secs(10);

/// Becomes an actor, or ends.
pub fn answer(key: Option<String>) -> ! {
    match key.and_then(|key| key.parse().ok()).and_then(introduce) {
        Some(channel) => life::begin(channel),
        None => life::exit_process(1),
    }
}

/// Tells a stage, if there is one, the key's type, and takes over the descriptors that every actor
/// inherits, each under its own number. Gives that of the channel.
fn introduce(key: i64) -> Option<RawFd> {
    let mut stream = UnixStream::connect_addr(&SocketAddr::from_abstract_name(NAME).ok()?).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(&sys::key_type(key)).ok()?;

    let mut first = [0; 4];
    let mut parts = [IoSliceMut::new(&mut first)];
    let mut space = nix::cmsg_space!([RawFd; DESCRIPTORS]);
    let message =
        recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_WAITALL).ok()?;
    let mut given: Vec<RawFd> = message
        .cmsgs()
        .ok()?
        .flat_map(|message| match message {
            ControlMessageOwned::ScmRights(fds) => fds,
            _ => Vec::new(),
        })
        .collect();
    given.insert(0, stream.as_raw_fd());
    if message.bytes != first.len() || u32::from_ne_bytes(first) as usize != given.len() {
        return None;
    }
    let mut numbers = vec![0; 4 * given.len()];
    stream.read_exact(&mut numbers).ok()?;
    let numbers: Vec<i64> =
        numbers.as_chunks().0.iter().map(|number| i32::from_ne_bytes(*number).into()).collect();

    // Out of the way of all numbers first: one that was given may be the place of another.
    let above = numbers.iter().chain([&i64::from(given.iter().max().copied()?)]).max()? + 1;
    let duplicate = |fd: RawFd| sys::plain(libc::SYS_fcntl, &[fd.into(), libc::F_DUPFD.into(), above]).ok();
    let moved: Vec<i64> = given.iter().map(|fd| duplicate(*fd)).collect::<Option<_>>()?;
    let close = |fd: i64| {
        let _ = sys::plain(libc::SYS_close, &[fd]);
    };
    given.iter().skip(1).for_each(|fd| close((*fd).into()));
    close(stream.into_raw_fd().into());
    for (from, to) in moved.iter().zip(&numbers) {
        sys::plain(libc::SYS_dup3, &[*from, *to, 0]).ok()?;
        close(*from);
    }
    numbers.first().map(|channel| *channel as RawFd)
}
