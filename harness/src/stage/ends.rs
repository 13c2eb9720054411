//! The ends of actors: who is gone, who reaps whom, and who died without being told to.

use std::time::Instant;

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use super::player::{Exit, Life, Pending, Player};
use super::{Local, files};
use crate::actor::message::{Arg, Kind, Request};
use crate::actor::perform::Surroundings;
use crate::actor::sys;
use crate::judge::Observed;
use crate::run::Lost;
use crate::value::Value;

enum Reaper {
    /// The stage, which goes on trying.
    Stage,
    /// An actor, who has to be asked.
    Actor(String),
    /// An actor who is busy or suspended.
    Busy,
    /// It is reaped already.
    Nobody,
}

impl Local {
    /// A task was told to end: has it, and who reaps it?
    pub(super) fn follow_exit(&mut self, name: &str) -> Result<(), Lost> {
        let player = self.player(name)?;
        let Some(Pending::Exit { id, reap, stage, deadline }) = player.pending.clone() else { return Ok(()) };
        if Instant::now() > deadline {
            return Err(Lost(format!("{name} did not end")));
        }
        let (leader, thread) = (player.leader.clone(), player.thread);
        let others = self
            .players
            .iter()
            .any(|(other, player)| other != name && player.leader == leader && player.life.is_alive());
        let process = self.player(&leader)?.process;
        if self.player(&leader)?.foreign && (others || !reap) {
            return Err(Lost(format!("the end of {name} cannot be seen from outside its pid namespace")));
        }
        // With an exit that leaves a zombie the whole process ends.
        if others && reap {
            let gone = match name == leader {
                // The first thread of a process stays as a zombie until the last one has ended.
                true => self.state(process, thread)? == Some('Z'),
                false => {
                    sys::plain(libc::SYS_tgkill, &[process.into(), thread.into(), 0]) == Err(Errno::ESRCH)
                }
            };
            if gone {
                self.player(name)?.life = Life::Dead("it has ended".into());
                self.player(name)?.pending = None;
                self.done(id, name, Observed::Value(Value::Number(0)));
            }
            return Ok(());
        }
        if !reap {
            if self.state(process, process)? == Some('Z') {
                self.end_process(&leader, Life::Zombie);
                self.player(name)?.pending = None;
                self.done(id, name, Observed::Value(Value::Number(0)));
            }
            return Ok(());
        }
        if stage == Exit::Reaping {
            return Ok(());
        }
        if self.player(&leader)?.kernels {
            // The kernel reaps it, and only then goes on with what it was started for.
            if self.kernels_state(process).is_none() {
                self.exited(name)?;
            }
            return Ok(());
        }
        match self.reaper(&leader, process)? {
            Reaper::Stage => {}
            Reaper::Nobody => self.exited(name)?,
            Reaper::Busy => {}
            Reaper::Actor(parent) => {
                self.player(name)?.pending = Some(Pending::Exit { id, reap, stage: Exit::Reaping, deadline });
                let mut request = Request::new(Kind::Calls);
                let words = [process.into(), 0, i64::from(libc::__WALL), 0];
                request.call(libc::SYS_wait4, &words.map(Arg::Number));
                self.send(&parent, &request, Player::REAP, 0)?;
                self.player(&parent)?.pending = Some(Pending::Reap { child: name.to_owned() });
            }
        }
        Ok(())
    }

    /// Reaps a child of the stage, or finds the actor whose child it is.
    fn reaper(&mut self, leader: &str, process: i32) -> Result<Reaper, Lost> {
        let player = self.player(leader)?;
        let mut parent = player.parent.clone();
        // A program that has become its actor is the child of whoever ran it.
        let hosted = player.host.is_some_and(|program| program != process);
        if parent.is_none() || parent.as_deref().is_some_and(|parent| !self.lives(parent)) || hosted {
            match waitpid(Pid::from_raw(process), Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
                Ok(WaitStatus::StillAlive) => return Ok(Reaper::Stage),
                Ok(_) => return Ok(Reaper::Nobody),
                Err(_) => {}
            }
            if hosted {
                // The program in between reaps it.
                let gone = sys::plain(libc::SYS_kill, &[process.into(), 0]) == Err(Errno::ESRCH);
                return Ok(if gone { Reaper::Nobody } else { Reaper::Stage });
            }
            let ppid = files::parent_of(&mut self.files, process)?;
            parent = self
                .players
                .iter()
                .find(|(_, player)| player.life.is_alive() && Some(player.process) == ppid)
                .map(|(name, _)| name.clone());
        }
        let Some(parent) = parent else {
            return Err(Lost(format!("nobody can reap {leader}")));
        };
        let group = self.player(&parent)?.leader.clone();
        let idle = self
            .players
            .iter()
            .filter(|(_, player)| {
                player.leader == group && player.life.is_alive() && player.pending.is_none()
            })
            .map(|(name, _)| name.clone())
            .min_by_key(|name| *name != parent);
        Ok(idle.map_or(Reaper::Busy, Reaper::Actor))
    }

    fn lives(&self, name: &str) -> bool {
        let Some(player) = self.players.get(name) else { return false };
        self.players.values().any(|other| other.leader == player.leader && other.life.is_alive())
    }

    /// The end of an actor's process that was reaped.
    pub(super) fn exited(&mut self, name: &str) -> Result<(), Lost> {
        let Some(Pending::Exit { id, .. }) = self.player(name)?.pending.take() else {
            return Err(Lost(format!("{name} was reaped unasked")));
        };
        let leader = self.player(name)?.leader.clone();
        self.end_process(&leader, Life::Dead("it has ended".into()));
        self.done(id, name, Observed::Value(Value::Number(0)));
        Ok(())
    }

    /// Marks all actors of a process.
    pub(super) fn end_process(&mut self, leader: &str, life: Life) {
        for player in self.players.values_mut().filter(|player| player.leader == leader) {
            player.life = life.clone();
            player.pending = None;
        }
    }

    /// A process was sent a deadly signal: is it a zombie, or reaped by the stage?
    pub(super) fn follow_death(&mut self, name: &str) -> Result<(), Lost> {
        let Some(Pending::Death { id, target }) = self.player(name)?.pending.clone() else { return Ok(()) };
        let leader = self.player(&target)?.leader.clone();
        let process = self.player(&leader)?.process;
        let life = match waitpid(Pid::from_raw(process), Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
            Ok(WaitStatus::StillAlive) => return Ok(()),
            Ok(_) => Life::Dead("it was killed".into()),
            Err(_) if self.state(process, process)? == Some('Z') => Life::Zombie,
            Err(_) => return Ok(()),
        };
        self.end_process(&leader, life);
        if self.player(name)?.life.is_alive() {
            self.player(name)?.pending = None;
        }
        self.done(id, name, Observed::Value(Value::Number(0)));
        Ok(())
    }

    /// The state letter of a task, as proc(5) has it; `None` if it is gone.
    fn state(&mut self, process: i32, thread: i32) -> Result<Option<char>, Lost> {
        self.files.proc()?;
        Ok(files::state_of(process, thread))
    }

    /// The same of a process that the kernel has started.
    fn kernels_state(&self, process: i32) -> Option<char> {
        self.desk.as_ref()?.state(process)
    }

    /// Looks for actors that owe an answer and died.
    pub(super) fn look_after(&mut self) -> Result<(), Lost> {
        let owes = |player: &Player| player.kernels && player.life.is_alive() && player.owes();
        for (name, player) in self.players.iter().filter(|(_, player)| owes(player)) {
            if matches!(self.kernels_state(player.process), None | Some('Z' | 'X')) {
                return Err(Lost(format!("{name} died unexpectedly")));
            }
        }
        let owing: Vec<(String, i32, i32)> = self
            .players
            .iter()
            .filter(|(_, player)| player.life.is_alive() && player.owes() && !player.foreign)
            .filter(|(name, player)| !self.is_ending(name, player))
            .map(|(name, player)| {
                let process = self.process(name)?;
                // A thread that executes a program takes the number of its process.
                let executes = matches!(player.pending, Some(Pending::Exec { .. }));
                Ok((name.clone(), process, if executes { process } else { player.thread }))
            })
            .collect::<Result<_, Lost>>()?;
        // A newborn that has not reported owes a word too.
        let newborn: Vec<(String, i32, i32)> = self
            .players
            .values()
            .filter_map(|parent| match &parent.pending {
                Some(Pending::Newborn { child, .. }) => Some(child),
                _ => None,
            })
            .filter_map(|child| self.players.get(child).map(|player| (child, player)))
            .filter(|(_, player)| !player.foreign && player.process != 0)
            .map(|(child, player)| (child.clone(), player.process, player.thread))
            .collect();
        for (name, process, thread) in owing.into_iter().chain(newborn) {
            let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT | WaitPidFlag::WEXITED;
            let how = match waitid(Id::Pid(Pid::from_raw(process)), flags) {
                Ok(WaitStatus::Exited(_, status)) => Some(format!("exit status {status}")),
                Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!("killed by {signal}")),
                // No child of the stage, or a process of which another thread lives on.
                _ if self.files.proc().is_ok() => match files::state_of(process, thread) {
                    None | Some('Z' | 'X') => Some("unexpectedly".into()),
                    Some(_) => None,
                },
                _ => None,
            };
            if let Some(how) = how {
                return Err(Lost(format!("{name} died: {how}")));
            }
        }
        Ok(())
    }

    /// If another actor does something that is to end this one.
    fn is_ending(&self, name: &str, player: &Player) -> bool {
        self.players.iter().any(|(other, by)| match &by.pending {
            Some(Pending::Signal { target, deadly: true, .. } | Pending::Death { target, .. }) => {
                self.players.get(target).is_some_and(|target| target.leader == player.leader)
            }
            Some(Pending::Exec { .. } | Pending::Exit { reap: false, .. }) => {
                other != name && by.leader == player.leader
            }
            _ => false,
        })
    }
}
