//! What actors say, and what follows from it: answers, births, programs and upcalls that report in.

use std::os::fd::AsRawFd;
use std::time::Instant;

use super::player::{Life, Pending};
use super::{Local, PATIENCE, files};
use crate::actor::message::Answer;
use crate::actor::reading::{self, Reading};
use crate::actor::sys;
use crate::judge::Observed;
use crate::run::Lost;
use crate::value::{Errno as Number, Value};

impl Local {
    pub(super) fn heard(&mut self, name: &str, answer: Answer) -> Result<(), Lost> {
        if answer.id == 0 {
            return self.reported(name, &answer);
        }
        let player = self.player(name)?;
        let Some(pending) = player.pending.take() else {
            return Err(Lost(format!("{name} answered unasked")));
        };
        if pending.id() != answer.id {
            return Err(Lost(format!("{name} answered question {} instead of {}", answer.id, pending.id())));
        }
        let failed =
            sys::is_error(answer.result as isize).then(|| Observed::Fails(Number(-answer.result as i32)));
        match pending {
            Pending::Answer { id, reading, out } => {
                if out > 0 {
                    player.touched = answer.touched;
                }
                if matches!(reading, Reading::Output | Reading::Status) {
                    player.printed = Some(reading::printed(&answer).to_vec());
                }
                let observed = reading::observe(&reading, &answer, out);
                self.done(id, name, observed);
            }
            Pending::Birth { id, child, suspends, reported } => match failed {
                // Limits on processes and memory are the machine's, and say nothing of keyrings.
                Some(Observed::Fails(Number(error @ (libc::EAGAIN | libc::ENOMEM)))) => {
                    let why = Number(error);
                    return Err(Lost(format!("{child} could not be born: {why}, a limit of the machine")));
                }
                Some(observed) => self.done(id, name, observed),
                None => {
                    let process = answer.result as i32;
                    let newborn = self.player(&child)?;
                    newborn.thread = process;
                    if newborn.leader == child {
                        newborn.process = process;
                    }
                    match (suspends, reported) {
                        // The parent of a vfork speaks when the child has gone or become a program.
                        (true, _) => {}
                        (false, true) => self.done(id, name, Observed::Born),
                        (false, false) => {
                            let pending = Pending::Newborn { id, child };
                            self.player(name)?.pending = Some(pending);
                        }
                    }
                }
            },
            Pending::Exec { id } => {
                let observed = failed.unwrap_or_else(|| Observed::Wrong("execve returned".into()));
                self.done(id, name, observed);
            }
            Pending::Host { id, child, socket } => match failed {
                Some(observed) => self.done(id, name, observed),
                None => {
                    let program = answer.result as i32;
                    self.player(name)?.pending = Some(Pending::Connection { id, child, socket, program });
                }
            },
            Pending::Signal { id, target, deadly } => match failed {
                Some(observed) => self.done(id, name, observed),
                None if deadly => player.pending = Some(Pending::Death { id, target }),
                None => self.done(id, name, Observed::Value(Value::Number(0))),
            },
            Pending::Wait { id, child } => match failed {
                Some(observed) => self.done(id, name, observed),
                None => {
                    self.end_process(&child, Life::Dead("it was reaped".into()));
                    self.done(id, name, Observed::Value(Value::Number(0)));
                }
            },
            Pending::Reap { child } => match failed {
                Some(observed) => return Err(Lost(format!("{name} could not reap {child}: {observed:?}"))),
                None => self.exited(&child)?,
            },
            Pending::Setup
            | Pending::Exit { .. }
            | Pending::Newborn { .. }
            | Pending::Death { .. }
            | Pending::Connection { .. } => return Err(Lost(format!("{name} answered where none was due"))),
        }
        Ok(())
    }

    /// A newborn or newly executed actor is there.
    fn reported(&mut self, name: &str, report: &Answer) -> Result<(), Lost> {
        let (process, thread) = (report.result as i32, report.touched as i32);
        if let Some(Pending::Exec { id }) = self.player(name)?.pending {
            let leader = self.player(name)?.leader.clone();
            let pid = self.player(&leader)?.process;
            for (other, player) in &mut self.players {
                if player.leader == leader && other != name && player.life.is_there() {
                    player.life = Life::Dead("its process executed a program".into());
                    player.pending = None;
                }
            }
            let player = self.player(name)?;
            player.pending = None;
            // With the old program went the memory that it shared.
            player.mailbox = None;
            // A thread that executes a program takes over the process.
            (player.process, player.thread) = (pid, pid);
            player.leader = name.to_owned();
            self.done(id, name, Observed::Value(Value::Number(0)));
            return Ok(());
        }
        let player = self.player(name)?;
        if player.life != Life::Unborn {
            return Err(Lost(format!("{name} reported in twice")));
        }
        player.life = Life::Alive;
        // What the parent says of the child's number wins: the child may be in a pid namespace of its own.
        if player.process == 0 && player.leader == name {
            player.process = process;
        }
        if player.thread == 0 {
            player.thread = thread;
        }
        let parents: Vec<String> = self.players.keys().cloned().collect();
        for parent in parents {
            let player = self.player(&parent)?;
            match player.pending.take() {
                Some(Pending::Newborn { id, child }) if child == name => {
                    self.done(id, &parent, Observed::Born)
                }
                Some(Pending::Birth { id, child, suspends, .. }) if child == name => {
                    player.pending = Some(Pending::Birth { id, child, suspends, reported: true });
                    if suspends {
                        self.done(id, &parent, Observed::Born);
                    }
                }
                other => player.pending = other,
            }
        }
        Ok(())
    }

    /// Upcalls come at any time. Each becomes the first unborn actor that the case has for its type of
    /// keys; one without an actor ends, and fails the case.
    pub(super) fn receive_upcalls(&mut self) -> Result<(), Lost> {
        while let Some(desk) = self.desk.clone()
            && let Some(caller) = desk.next()?
        {
            let fits = |name: &&String| {
                self.players.get(*name).is_some_and(|player| {
                    player.life == Life::Unborn
                        && !player.kernels
                        && player.upcall.as_ref() == Some(&caller.key_type)
                })
            };
            let Some(name) = self.callable.iter().find(fits).cloned() else {
                let kind = caller.key_type;
                self.uncalled = Some(format!(
                    "an upcall of the kernel, for a key of type {kind:?}, that no actor awaits"
                ));
                continue;
            };
            let own = self.player(&name)?.remote;
            let mut shared: Vec<i32> =
                self.players.values().map(|player| player.remote).filter(|fd| *fd != own).collect();
            shared.push(self.program.as_raw_fd());
            let channel = caller.welcome(own, &shared)?;
            let player = self.player(&name)?;
            player.channel = channel;
            player.kernels = true;
            // Its children's numbers are known to it and not to the stage.
            (player.inside, player.foreign) = (true, true);
            player.leader = name;
        }
        Ok(())
    }

    /// Waits for the upcall that an actor is to be; gives if it is there.
    pub(super) fn await_upcall(&mut self, name: &str) -> Result<bool, Lost> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let player = self.player(name)?;
            if player.upcall.is_none() || player.life != Life::Unborn {
                return Ok(true);
            }
            if Instant::now() > deadline {
                return Ok(false);
            }
            let pause = self.attend()?;
            self.listen(Instant::now() + pause)?;
        }
    }

    /// A foreign program was started: has its actor connected?
    pub(super) fn follow_connection(&mut self, name: &str) -> Result<(), Lost> {
        let Some(Pending::Connection { id, child, socket, program }) = self.player(name)?.pending.clone()
        else {
            return Ok(());
        };
        let ended = matches!(files::state_of(program, program), None | Some('Z'));
        let Some((channel, process)) = files::accept(&socket)? else {
            if ended {
                self.player(name)?.pending = None;
                let what = format!("the program ended, and {child} was not in it");
                self.done(id, name, Observed::Wrong(what));
            }
            return Ok(());
        };
        let player = self.player(&child)?;
        player.channel = channel;
        player.life = Life::Unborn;
        (player.process, player.thread) = (process, process);
        player.host = Some(program);
        player.leader = child.clone();
        player.parent = Some(name.to_owned());
        self.player(name)?.pending = Some(Pending::Newborn { id, child });
        Ok(())
    }
}
