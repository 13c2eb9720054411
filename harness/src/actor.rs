//! An actor: a process or thread that performs operations of a case.
//!
//! On the stage's side [`perform`] turns operations into [`message`]s and answers into observations. On
//! the actor's side [`life`] is a loop that takes a message, makes its system calls and answers. The
//! loop allocates nothing and touches no thread-local storage, because an actor may be born by vfork or
//! by clone with shared memory, where it has no such storage of its own.

pub(crate) mod arguments;
pub mod life;
pub mod mailbox;
pub mod message;
pub mod perform;
pub mod reading;
pub mod sys;
pub mod turn;
pub mod upcall;

use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;

/// Becomes an actor if the program was executed as one, and never returns then. To be called before
/// anything else, with the program's arguments.
pub fn invoked(args: impl IntoIterator<Item = String>) {
    let mut args = args.into_iter();
    let program = args.next();
    if program.as_deref() == Some(upcall::PATH) {
        // The path, what to do, the key, and who asks for it.
        upcall::answer(args.nth(1));
    }
    let Some(first) = args.next() else { return };
    if let Some(channel) = first.strip_prefix(life::ACTOR_FLAG) {
        match channel.parse() {
            Ok(channel) => life::begin(channel),
            Err(_) => life::exit_process(105),
        }
    }
    if let Some(path) = first.strip_prefix(life::CONNECT_FLAG) {
        match UnixStream::connect(path) {
            Ok(stream) => life::begin(stream.into_raw_fd()),
            Err(_) => life::exit_process(106),
        }
    }
}
