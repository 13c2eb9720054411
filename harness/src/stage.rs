//! The real stage: a single-threaded process that owns one case's namespaces, bears and reaps its
//! actors, and hands questions to them.
//!
//! It is pid 1 of the case's pid namespace, so that nothing which a case starts outlives it.

pub mod blocks;
pub mod enclosure;
pub mod files;
pub mod probe;

mod player;

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::Pid;

use self::files::Files;
use self::player::{Exit, Life, Pending, Player};
use crate::actor::life::{self, Side};
use crate::actor::message::{Answer, Arg, Kind, Request};
use crate::actor::perform::{self, Copy, Surroundings, Work};
use crate::actor::{reading, sys};
use crate::case::{Act, Actor, Outcome, Session, Step};
use crate::judge::Observed;
use crate::ops::Op;
use crate::plan::Plan;
use crate::run::{Lost, Question, Reply, Stage};
use crate::value::{Errno as Number, Value};

/// How often silent actors are looked after.
const SLICE: Duration = Duration::from_millis(50);
/// How long an actor may take to report in, and a suspended one to wake.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause between two looks at a task that is about to end.
const GLANCE: Duration = Duration::from_micros(50);

/// A stage in the calling process, which has to be pid 1 of fresh namespaces: see [`enclosure`].
pub struct Local {
    players: BTreeMap<String, Player>,
    ready: VecDeque<Reply>,
    files: Files,
    /// The actor's program, kept open in all actors.
    program: Rc<OwnedFd>,
    /// Held so that a nested user namespace outlives the process that made it.
    namespaces: BTreeMap<String, OwnedFd>,
    one: bool,
}

impl Local {
    /// Sets the stage: the declared actors are there, with a channel for each that is still to be born.
    pub fn set(plan: &Plan, program: Rc<OwnedFd>) -> Result<Local, Lost> {
        let mut stage = Local {
            players: BTreeMap::new(),
            ready: VecDeque::new(),
            files: Files::new(plan.stage)?,
            program,
            namespaces: BTreeMap::new(),
            one: plan.stage.one.is_some(),
        };
        let mut names: Vec<String> = plan.actors.iter().map(|actor| actor.name.clone()).collect();
        born(&plan.steps, &mut names);
        for name in names {
            stage.players.insert(name, Player::new()?);
        }
        for namespace in plan.actors.iter().filter_map(|actor| actor.userns.as_ref()) {
            if !stage.namespaces.contains_key(namespace) {
                let opened = enclosure::nested(plan.stage.one)?;
                stage.namespaces.insert(namespace.clone(), opened);
            }
        }
        // Whoever is to have no session keyring must not have an ancestor that joined one.
        if plan.actors.iter().all(|actor| actor.session != Session::None) {
            sys::join_anonymous_session()
                .map_err(|error| Lost(format!("the stage could not join: {error}")))?;
        }
        for actor in &plan.actors {
            stage.spawn(actor)?;
        }
        for actor in &plan.actors {
            stage.await_report(&actor.name)?;
        }
        Ok(stage)
    }

    fn spawn(&mut self, actor: &Actor) -> Result<(), Lost> {
        match life::fork(0).map_err(|error| Lost(format!("{} could not be born: {error}", actor.name)))? {
            Side::Parent(process) => {
                let player = self.player(&actor.name)?;
                player.life = Life::Alive;
                player.process = process;
                player.thread = process;
                player.leader = actor.name.clone();
                Ok(())
            }
            Side::Child => {
                let channel = match self.players.get(&actor.name) {
                    Some(player) => player.remote,
                    None => life::exit(1),
                };
                // The stage's ends are the stage's alone.
                self.players.values_mut().for_each(Player::forget_stage_end);
                let namespace = actor.userns.as_ref().and_then(|name| self.namespaces.get(name));
                match enclosure::become_actor(actor, namespace, self.one) {
                    Ok(()) => life::begin(channel),
                    Err(what) => {
                        life::fail(channel, what.as_bytes());
                        life::exit(1)
                    }
                }
            }
        }
    }

    /// Waits for the first word of a declared actor.
    fn await_report(&mut self, name: &str) -> Result<(), Lost> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let player = self.player(name)?;
            match player.take()? {
                Some(Answer { id: 0, .. }) => return Ok(()),
                Some(answer) => {
                    let what = String::from_utf8_lossy(&answer.out).into_owned();
                    return Err(Lost(format!("{name} could not be set up: {what}")));
                }
                None if Instant::now() > deadline => return Err(Lost(format!("{name} never reported in"))),
                None => self.listen(Instant::now() + SLICE)?,
            }
        }
    }

    fn player(&mut self, name: &str) -> Result<&mut Player, Lost> {
        self.players.get_mut(name).ok_or_else(|| Lost(format!("no actor {name}")))
    }

    /// Waits until one of the actors speaks, or until then, and takes in what they say.
    fn listen(&mut self, until: Instant) -> Result<(), Lost> {
        let left = until.saturating_duration_since(Instant::now());
        let mut listening: Vec<&mut Player> =
            self.players.values_mut().filter(|player| player.listens()).collect();
        let mut fds: Vec<PollFd> =
            listening.iter().map(|player| PollFd::new(player.channel.as_fd(), PollFlags::POLLIN)).collect();
        let ready: Vec<bool> = match ppoll(&mut fds, Some(left.into()), None) {
            Ok(_) => fds.iter().map(|fd| fd.any().unwrap_or(false)).collect(),
            Err(Errno::EINTR) => return Ok(()),
            Err(error) => return Err(Lost(format!("the stage could not listen: {error}"))),
        };
        for (player, ready) in listening.iter_mut().zip(ready) {
            if ready {
                player.hear()?;
            }
        }
        Ok(())
    }

    /// Deals with everything that actors have said and with every task that was about to end.
    /// Gives how long it is worth to wait for the next word.
    fn attend(&mut self) -> Result<Duration, Lost> {
        let names: Vec<String> = self.players.keys().cloned().collect();
        for name in &names {
            while let Some(answer) = self.player(name)?.take()? {
                self.heard(name, answer)?;
            }
        }
        let mut pause = SLICE;
        for name in &names {
            if let Some(Pending::Exit { .. }) = self.player(name)?.pending {
                self.follow_exit(name)?;
                pause = GLANCE;
            }
            if let Some(Pending::Death { .. }) = self.player(name)?.pending {
                self.follow_death(name)?;
                pause = GLANCE;
            }
            if let Some(Pending::Connection { .. }) = self.player(name)?.pending {
                self.follow_connection(name)?;
                pause = GLANCE;
            }
        }
        Ok(pause)
    }

    fn heard(&mut self, name: &str, answer: Answer) -> Result<(), Lost> {
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
            Pending::Exit { .. }
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

    fn done(&mut self, id: u32, actor: &str, observed: Observed) {
        self.ready.push_back(Reply { id, actor: actor.to_owned(), observed });
    }

    fn send(&mut self, name: &str, request: &Request, id: u32, release: u64) -> Result<(), Lost> {
        let bytes = request.encode(id, release).ok_or_else(|| Lost("more than an actor can hold".into()))?;
        self.player(name)?.say(&bytes).map_err(|error| Lost(format!("{name} does not listen: {error}")))
    }

    /// Waits until an actor can be asked: one that a vfork suspended may be just about to wake.
    fn await_idle(&mut self, name: &str) -> Result<(), Lost> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let player = self.player(name)?;
            match (&player.life, &player.pending) {
                (Life::Alive, None) => return Ok(()),
                (Life::Alive, Some(_)) if Instant::now() < deadline => {
                    let pause = self.attend()?;
                    self.listen(Instant::now() + pause)?;
                }
                (Life::Alive, Some(_)) => return Err(Lost(format!("{name} is still busy"))),
                (life, _) => return Err(Lost(format!("{name} cannot be asked: {}", life.why()))),
            }
        }
    }

    /// A task was told to end: has it, and who reaps it?
    fn follow_exit(&mut self, name: &str) -> Result<(), Lost> {
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
        if others {
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
        let hosted = player.host.is_some();
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
    fn exited(&mut self, name: &str) -> Result<(), Lost> {
        let Some(Pending::Exit { id, .. }) = self.player(name)?.pending.take() else {
            return Err(Lost(format!("{name} was reaped unasked")));
        };
        let leader = self.player(name)?.leader.clone();
        self.end_process(&leader, Life::Dead("it has ended".into()));
        self.done(id, name, Observed::Value(Value::Number(0)));
        Ok(())
    }

    /// Marks all actors of a process.
    fn end_process(&mut self, leader: &str, life: Life) {
        for player in self.players.values_mut().filter(|player| player.leader == leader) {
            player.life = life.clone();
            player.pending = None;
        }
    }

    /// A process was sent a deadly signal: is it a zombie, or reaped by the stage?
    fn follow_death(&mut self, name: &str) -> Result<(), Lost> {
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

    /// A foreign program was started: has its actor connected?
    fn follow_connection(&mut self, name: &str) -> Result<(), Lost> {
        let Some(Pending::Connection { id, child, socket, program }) = self.player(name)?.pending.clone()
        else {
            return Ok(());
        };
        let Some((channel, process)) = files::accept(&socket)? else {
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

    /// The state letter of a task, as proc(5) has it; `None` if it is gone.
    fn state(&mut self, process: i32, thread: i32) -> Result<Option<char>, Lost> {
        self.files.proc()?;
        Ok(files::state_of(process, thread))
    }

    /// Looks for actors that owe an answer and died.
    fn look_after(&mut self) -> Result<(), Lost> {
        let owing: Vec<(String, i32, i32)> = self
            .players
            .iter()
            .filter(|(_, player)| player.life.is_alive() && player.owes() && !player.foreign)
            .map(|(name, player)| Ok((name.clone(), self.process(name)?, player.thread)))
            .collect::<Result<_, Lost>>()?;
        for (name, process, thread) in owing {
            let flags = WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT | WaitPidFlag::WEXITED;
            let how = match waitid(Id::Pid(Pid::from_raw(process)), flags) {
                Ok(WaitStatus::Exited(_, status)) => Some(format!("exit status {status}")),
                Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!("killed by {signal}")),
                Ok(_) => None,
                Err(_) if self.files.proc().is_ok() => match files::state_of(process, thread) {
                    None | Some('Z' | 'X') => Some("unexpectedly".into()),
                    Some(_) => None,
                },
                Err(_) => None,
            };
            if let Some(how) = how {
                return Err(Lost(format!("{name} died: {how}")));
            }
        }
        Ok(())
    }
}

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

impl Stage for Local {
    fn ask(&mut self, question: &Question) -> Result<(), Lost> {
        let name = question.actor.as_str();
        self.await_idle(name)?;
        if matches!(question.op, Op::Unshare | Op::Setns) {
            let flags = question.args.last().and_then(Value::number).unwrap_or(0);
            self.player(name)?.moves |= flags & i64::from(libc::CLONE_NEWPID) != 0;
        }
        let release = question.release.map_or(0, |release| {
            life::monotonic() + release.saturating_duration_since(Instant::now()).as_nanos() as u64
        });
        let id = question.id;
        let (request, pending) = match perform::work(question, self)? {
            Work::Known(observed) => {
                self.done(id, name, observed);
                return Ok(());
            }
            Work::Ask(request, reading) => {
                let out = request.out_size();
                (request, Pending::Answer { id, reading, out })
            }
            Work::Birth { how, flags } => {
                let child = question.born.clone().ok_or_else(|| Lost("a birth without a name".into()))?;
                let thread = flags & i64::from(libc::CLONE_THREAD) != 0;
                let (leader, parent, inside, moves) = {
                    let player = self.player(name)?;
                    (player.leader.clone(), player.parent.clone(), player.inside, player.moves)
                };
                let newborn = self.player(&child)?;
                newborn.foreign = inside;
                newborn.inside = inside || moves || flags & i64::from(libc::CLONE_NEWPID) != 0;
                newborn.leader = if thread { leader } else { child.clone() };
                newborn.parent = match flags & i64::from(libc::CLONE_PARENT) {
                    0 => Some(name.to_owned()),
                    _ => parent,
                };
                let mut request = Request::new(Kind::Birth);
                let words = [how as i64, flags, newborn.remote.into()];
                request.call(0, &words.map(Arg::Number));
                let suspends = flags & i64::from(libc::CLONE_VFORK) != 0;
                (request, Pending::Birth { id, child, suspends, reported: false })
            }
            Work::Exec(request) => (request, Pending::Exec { id }),
            Work::Host(request) => {
                let child = question.born.clone().ok_or_else(|| Lost("a birth without a name".into()))?;
                let socket = self
                    .files
                    .socket(&child)
                    .ok_or_else(|| Lost(format!("{child} has no socket to report in by")))?;
                (request, Pending::Host { id, child, socket })
            }
            Work::Exit { reap } => {
                let mut request = Request::new(Kind::Calls);
                request.call(libc::SYS_exit, &[Arg::Number(0)]);
                let deadline = Instant::now() + PATIENCE;
                (request, Pending::Exit { id, reap, stage: Exit::Ending, deadline })
            }
            Work::Signal(request, target) => {
                let deadly = question
                    .args
                    .get(1)
                    .and_then(Value::number)
                    .is_some_and(|signal| [libc::SIGKILL, libc::SIGTERM].contains(&(signal as i32)));
                (request, Pending::Signal { id, target, deadly })
            }
            Work::Wait(request, child) => (request, Pending::Wait { id, child }),
        };
        self.send(name, &request, id, release)?;
        self.player(name)?.pending = Some(pending);
        Ok(())
    }

    fn reply(&mut self, until: Instant) -> Result<Option<Reply>, Lost> {
        let mut look = Instant::now() + SLICE;
        loop {
            let pause = self.attend()?;
            if let Some(reply) = self.ready.pop_front() {
                return Ok(Some(reply));
            }
            let now = Instant::now();
            if now >= until {
                // What was said in this very instant still counts.
                self.listen(now)?;
                self.attend()?;
                return Ok(self.ready.pop_front());
            }
            if now >= look {
                self.look_after()?;
                look = now + SLICE;
            }
            self.listen(until.min(now + pause))?;
        }
    }
}

impl Surroundings for Local {
    fn process(&self, actor: &str) -> Result<i32, Lost> {
        let player = self.players.get(actor).ok_or_else(|| Lost(format!("no actor {actor}")))?;
        let leader = self.players.get(&player.leader).unwrap_or(player);
        match leader.process {
            0 => Err(Lost(format!("{actor} is not born"))),
            process => Ok(process),
        }
    }

    fn written(&self, actor: &str) -> u32 {
        self.players.get(actor).map_or(0, |player| player.touched)
    }

    fn descriptors(&self, actor: &str) -> Result<(i32, i32), Lost> {
        let player = self.players.get(actor).ok_or_else(|| Lost(format!("no actor {actor}")))?;
        Ok((self.program.as_raw_fd(), player.remote))
    }

    fn copy(&mut self, copy: Copy, actor: &str) -> Result<String, Lost> {
        let channel = self.descriptors(actor)?.1;
        self.files.copy(&self.program, copy, channel)
    }

    fn foreign(&self, name: &str) -> Result<String, Lost> {
        files::find_program(name).ok_or_else(|| Lost(format!("no program {name}")))
    }

    fn reporter(&mut self, child: &str) -> Result<String, Lost> {
        self.files.reporter(&self.program, child)
    }
}

/// The names of the actors that the steps bear.
fn born(steps: &[Step], names: &mut Vec<String>) {
    for step in steps {
        match &step.act {
            Act::Call { outcome: Outcome::Born(name), .. } => names.push(name.clone()),
            Act::Together(steps) => born(steps, names),
            _ => {}
        }
    }
}
