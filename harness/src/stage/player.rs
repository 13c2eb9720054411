//! One actor as the stage sees it: its channel, what it is doing, what became of it.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd, RawFd};
use std::rc::Rc;
use std::time::Instant;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};

use crate::actor::mailbox::Mailbox;
use crate::actor::message::{Answer, WAKE};
use crate::actor::reading::Reading;
use crate::run::Lost;

/// An actor.
pub(super) struct Player {
    /// The stage's end of the channel.
    pub(super) channel: OwnedFd,
    /// Its mailbox, as long as it has one: then it answers there, and its channel only wakes a stage that listens to channels.
    pub(super) mailbox: Option<Mailbox>,
    /// The number of the other end in the actor, which all actors inherit from the stage.
    pub(super) remote: RawFd,
    pub(super) life: Life,
    pub(super) pending: Option<Pending>,
    /// Process and thread id in the stage's pid namespace, or else in the parent's.
    pub(super) process: i32,
    pub(super) thread: i32,
    /// If those numbers are the parent's and not the stage's, because the parent is `inside`.
    pub(super) foreign: bool,
    /// If it lives in a pid namespace below the stage's.
    pub(super) inside: bool,
    /// If it has asked for its children to be born in such a namespace.
    pub(super) moves: bool,
    /// The actor that is the first thread of the process.
    pub(super) leader: String,
    /// The actor whose child it is; the stage's, if none.
    pub(super) parent: Option<String>,
    /// The type of the keys whose construction it is started for.
    pub(super) upcall: Option<String>,
    /// If it is a child of the kernel: its number is that of the initial pid namespace.
    pub(super) kernels: bool,
    /// The foreign program that hosts it.
    pub(super) host: Option<i32>,
    /// How far its last buffer was written to.
    pub(super) touched: u32,
    /// What the last program that it ran has printed.
    pub(super) printed: Option<Vec<u8>>,
    incoming: Vec<u8>,
    /// Requests that wait until it has answered the one before.
    outgoing: VecDeque<Vec<u8>>,
}

/// What became of an actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Unborn,
    Alive,
    /// Ended, and not yet reaped.
    Zombie,
    /// Gone, and how.
    Dead(String),
}

/// What an actor was asked and has not answered.
#[derive(Clone, Debug)]
pub(super) enum Pending {
    /// To become what it is declared to be.
    Setup,
    /// A plain call, how to read its answer, and the size of its buffer.
    Answer { id: u32, reading: Reading, out: usize },
    /// A birth: neither the parent has answered, nor perhaps the child reported.
    Birth { id: u32, child: String, suspends: bool, reported: bool },
    /// A birth of which only the child's report is missing.
    Newborn { id: u32, child: String },
    /// The execution of a program, which reports in or fails.
    Exec { id: u32 },
    /// The start of a foreign program that hosts an actor.
    Host { id: u32, child: String, socket: Rc<OwnedFd> },
    /// The foreign program runs; its actor has yet to connect.
    Connection { id: u32, child: String, socket: Rc<OwnedFd>, program: i32 },
    /// Its own end.
    Exit { id: u32, reap: bool, stage: Exit, deadline: Instant },
    /// A signal to another actor.
    Signal { id: u32, target: String, deadly: bool },
    /// The death of another actor by that signal.
    Death { id: u32, target: String },
    /// A wait that the case asked for.
    Wait { id: u32, child: String },
    /// A wait that the stage asked for, because this child was told to exit.
    Reap { child: String },
}

/// How far an exit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Ending,
    Reaping,
}

impl Pending {
    pub(super) fn id(&self) -> u32 {
        match self {
            Pending::Answer { id, .. }
            | Pending::Birth { id, .. }
            | Pending::Newborn { id, .. }
            | Pending::Exec { id }
            | Pending::Host { id, .. }
            | Pending::Connection { id, .. }
            | Pending::Exit { id, .. }
            | Pending::Signal { id, .. }
            | Pending::Death { id, .. }
            | Pending::Wait { id, .. } => *id,
            Pending::Reap { .. } => Player::REAP,
            Pending::Setup => Player::SETUP,
        }
    }
}

impl Life {
    pub(super) fn is_alive(&self) -> bool {
        *self == Life::Alive
    }

    /// If there is still something of it.
    pub(super) fn is_there(&self) -> bool {
        matches!(self, Life::Alive | Life::Zombie)
    }

    /// Why it cannot be asked.
    pub(super) fn why(&self) -> &str {
        match self {
            Life::Unborn => "it is not born",
            Life::Alive => "it is busy",
            Life::Zombie => "it has ended and was not reaped",
            Life::Dead(how) => how,
        }
    }
}

impl Player {
    /// The numbers of the stage's own questions.
    pub(super) const REAP: u32 = u32::MAX;
    pub(super) const SETUP: u32 = u32::MAX - 1;
    pub(super) const LEAVE: u32 = u32::MAX - 2;

    pub(super) fn new() -> Result<Player, Lost> {
        let (channel, remote) = socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::empty())
            .map_err(|error| Lost(format!("no channel: {error}")))?;
        Ok(Player {
            channel,
            // Open for as long as the stage lives: whoever is born later inherits it.
            remote: remote.into_raw_fd(),
            life: Life::Unborn,
            pending: None,
            process: 0,
            thread: 0,
            foreign: false,
            inside: false,
            moves: false,
            leader: String::new(),
            parent: None,
            upcall: None,
            kernels: false,
            host: None,
            touched: 0,
            printed: None,
            mailbox: None,
            incoming: Vec::new(),
            outgoing: VecDeque::new(),
        })
    }

    /// If a child of its has still to report in.
    pub(super) fn expects_a_child(&self) -> bool {
        matches!(
            self.pending,
            Some(
                Pending::Birth { .. }
                    | Pending::Newborn { .. }
                    | Pending::Host { .. }
                    | Pending::Connection { .. }
            )
        )
    }

    /// If it is about to become another program, which reports in by its channel.
    pub(super) fn executes(&self) -> bool {
        matches!(self.pending, Some(Pending::Exec { .. }))
    }

    /// If it owes the stage a word.
    pub(super) fn owes(&self) -> bool {
        !matches!(
            self.pending,
            None | Some(
                Pending::Exit { .. }
                    | Pending::Death { .. }
                    | Pending::Newborn { .. }
                    | Pending::Connection { .. }
            )
        )
    }

    pub(super) fn say(&mut self, bytes: Vec<u8>) -> Result<(), Errno> {
        if let Some(mailbox) = &self.mailbox {
            match mailbox.is_idle() {
                true => mailbox.ask(&bytes),
                false => self.outgoing.push_back(bytes),
            }
            return Ok(());
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            match send(self.channel.as_raw_fd(), rest, MsgFlags::MSG_NOSIGNAL) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes in what has arrived.
    pub(super) fn hear(&mut self) -> Result<(), Lost> {
        let mut chunk = [0; 4 << 10];
        loop {
            match recv(self.channel.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT) {
                Ok(0) | Err(Errno::EAGAIN | Errno::ECONNRESET) => return Ok(()),
                Ok(count) => {
                    self.incoming.extend_from_slice(&chunk[..count]);
                    // What comes later will be polled for.
                    if count < chunk.len() {
                        return Ok(());
                    }
                }
                Err(Errno::EINTR) => {}
                Err(error) => return Err(Lost(format!("a channel failed: {error}"))),
            }
        }
    }

    /// The next whole answer of those that have arrived; of its mailbox only as long as it lives.
    pub(super) fn take(&mut self) -> Result<Option<Answer>, Lost> {
        let nonsense = |what| Lost(format!("an actor spoke nonsense: {what}"));
        while let Some(answer) = Answer::take(&mut self.incoming).map_err(nonsense)? {
            if answer.id != WAKE {
                return Ok(Some(answer));
            }
        }
        // Who was killed with an answer on its lips has not given it.
        let Some(mailbox) = self.mailbox.as_ref().filter(|_| self.life.is_alive()) else { return Ok(None) };
        let answer = mailbox.take().map_err(nonsense)?;
        if answer.is_some()
            && let Some(next) = self.outgoing.pop_front()
        {
            mailbox.ask(&next);
        }
        Ok(answer)
    }
}
