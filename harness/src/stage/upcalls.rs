//! Upcalls: the kernel starts /sbin/request-key outside of every namespace, and what it becomes has to
//! find the stage, which knows for which actor it stands.
//!
//! The far end is [`crate::actor::upcall`].

use std::fs::File;
use std::io::{IoSlice, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use nix::fcntl::{OFlag, open, openat};
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, bind, listen, sendmsg,
    setsockopt, socket,
};
use nix::sys::stat::Mode;
use nix::sys::time::{TimeVal, TimeValLike};

use super::files;
use crate::actor::upcall::{NAME, TYPE};
use crate::run::Lost;

/// How long an upcall may take to say what it is for, in seconds.
const PATIENCE: i64 = 5;

/// Where upcalls report in.
pub struct Desk {
    listener: OwnedFd,
    /// The /proc of the initial pid namespace: a stage cannot see upcalls in its own.
    processes: OwnedFd,
}

/// An upcall that waits to be told who it is.
pub struct Caller {
    stream: OwnedFd,
    /// The type of the key that it is to construct.
    pub key_type: String,
}

impl Desk {
    /// Opens it. The caller is in the namespaces in which the kernel starts programs.
    pub fn open() -> Result<Desk, Lost> {
        let lost = |error: nix::errno::Errno| Lost(format!("upcalls cannot be awaited: {error}"));
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let listener = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(lost)?;
        bind(listener.as_raw_fd(), &UnixAddr::new_abstract(NAME).map_err(lost)?).map_err(lost)?;
        listen(&listener, Backlog::new(16).map_err(lost)?).map_err(lost)?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let processes = open("/proc", flags, Mode::empty()).map_err(lost)?;
        Ok(Desk { listener, processes })
    }

    /// What has to stay open in the process that will sit at the desk.
    pub fn descriptors(&self) -> [&OwnedFd; 2] {
        [&self.listener, &self.processes]
    }

    /// Where to listen for the next upcall.
    pub fn listener(&self) -> &OwnedFd {
        &self.listener
    }

    /// The next upcall, if there is one.
    pub fn next(&self) -> Result<Option<Caller>, Lost> {
        let Some((stream, _)) = files::accept(&self.listener)? else { return Ok(None) };
        let lost = |what: String| Lost(format!("an upcall does not say what it is for: {what}"));
        setsockopt(&stream, ReceiveTimeout, &TimeVal::seconds(PATIENCE))
            .map_err(|error| lost(error.to_string()))?;
        let mut stream = File::from(stream);
        let mut name = [0; TYPE];
        stream.read_exact(&mut name).map_err(|error| lost(error.to_string()))?;
        let name: Vec<u8> = name.into_iter().take_while(|byte| *byte != 0).collect();
        Ok(Some(Caller { stream: stream.into(), key_type: String::from_utf8_lossy(&name).into_owned() }))
    }

    /// The state letter of a process by its number in the initial pid namespace; `None` if it is gone.
    pub fn state(&self, process: i32) -> Option<char> {
        let path = format!("{process}/stat");
        let file = openat(&self.processes, path.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty());
        let mut stat = Vec::new();
        File::from(file.ok()?).read_to_end(&mut stat).ok()?;
        files::after_name(&stat)?.chars().next()
    }
}

impl Caller {
    /// Gives an upcall the descriptors that every actor has, by their numbers, and the number of its own
    /// channel. Gives the stage's end of that channel.
    pub fn welcome(self, channel: RawFd, others: &[RawFd]) -> Result<OwnedFd, Lost> {
        let numbers: Vec<u8> = [1 + others.len() as i32, channel]
            .iter()
            .chain(others)
            .flat_map(|number| number.to_ne_bytes())
            .collect();
        let rights = [ControlMessage::ScmRights(others)];
        let flags = MsgFlags::MSG_NOSIGNAL;
        let sent = sendmsg::<()>(self.stream.as_raw_fd(), &[IoSlice::new(&numbers)], &rights, flags, None);
        match sent {
            Ok(count) if count == numbers.len() => Ok(self.stream),
            Ok(_) => Err(Lost("an upcall took half of what it was given".into())),
            Err(error) => Err(Lost(format!("an upcall cannot be told who it is: {error}"))),
        }
    }
}
