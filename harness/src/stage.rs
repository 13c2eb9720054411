//! The real stage: a single-threaded process that owns one case's namespaces, bears and reaps its
//! actors, and hands questions to them.
//!
//! It is pid 1 of the case's pid namespace, so that nothing which a case starts outlives it.

pub mod blocks;
pub mod enclosure;
pub mod files;
pub mod probe;
pub mod upcalls;

mod answers;
mod ends;
mod player;

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};

use self::files::{Files, Helper};
use self::player::{Exit, Life, Pending, Player};
use self::upcalls::Desk;
use crate::actor::life::{self, Arenas, Sharing, Side};
use crate::actor::mailbox::Bell;
use crate::actor::message::{Answer, Arg, CALLS, Kind, Request};
use crate::actor::perform::{self, Copy, Surroundings, Work};
use crate::actor::{sys, upcall};
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
/// The first pause between two looks at a task that is about to end; each is twice as long as the one before.
const GLANCE: Duration = Duration::from_micros(50);
/// How many times they grow.
const GLANCES: u32 = 6;

/// A stage in the calling process, which has to be pid 1 of fresh namespaces: see [`enclosure`].
pub struct Local {
    players: BTreeMap<String, Player>,
    ready: VecDeque<Reply>,
    files: Files,
    /// Rung by actors that share the stage's memory, when they have answered.
    bell: Rc<Bell>,
    /// Where upcalls report in, if there may be any.
    desk: Option<Rc<Desk>>,
    /// If an upcall waits there.
    called: bool,
    /// How many looks at a task that is about to end were in vain.
    glances: u32,
    /// The actors that upcalls become, in the order of the case.
    callable: Vec<String>,
    /// An upcall that the case has no actor for.
    uncalled: Option<String>,
    /// The actor's program, kept open in all actors.
    program: Rc<OwnedFd>,
    /// Held so that a nested user namespace outlives the process that made it.
    namespaces: BTreeMap<String, OwnedFd>,
    one: bool,
    /// If the actor's program cannot be executed by its descriptor.
    by_path: bool,
}

impl Local {
    /// Sets the stage: the declared actors are there, with a channel for each that is still to be born. Those that share
    /// memory with it live in the arenas.
    pub fn set(
        plan: &Plan,
        program: Rc<OwnedFd>,
        helpers: &[Helper],
        desk: Option<Rc<Desk>>,
        arenas: &mut Arenas,
    ) -> Result<Local, Lost> {
        let mut stage = Local {
            players: BTreeMap::new(),
            ready: VecDeque::new(),
            files: Files::new(plan.stage, &plan.files, helpers)?,
            bell: arenas.bell(),
            desk,
            called: false,
            glances: 0,
            callable: Vec::new(),
            uncalled: None,
            program,
            namespaces: BTreeMap::new(),
            one: plan.stage.one.is_some(),
            by_path: plan.stage.by_path,
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
        let (called, own): (Vec<&Actor>, Vec<&Actor>) =
            plan.actors.iter().partition(|actor| actor.upcall.is_some());
        for actor in called {
            stage.player(&actor.name)?.upcall.clone_from(&actor.upcall);
            stage.callable.push(actor.name.clone());
        }
        for actor in &own {
            // Who has only a mailbox does not notice that the stage has gone, if that does not end its pid namespace.
            let shares = !plan.stage.own_memory && !plan.stage.initial_pid;
            stage.spawn(actor, shares.then_some(&mut *arenas))?;
        }
        for actor in &own {
            stage.await_setup(&actor.name)?;
        }
        Ok(stage)
    }

    /// Bears a declared actor, and asks it to become what it is declared to be.
    /// If there are arenas, it shares the stage's memory.
    fn spawn(&mut self, actor: &Actor, arenas: Option<&mut Arenas>) -> Result<(), Lost> {
        let name = &actor.name;
        let channel = self.player(name)?.remote;
        let unborn = |error| Lost(format!("{name} could not be born: {error}"));
        let namespace = actor.userns.as_ref().and_then(|name| self.namespaces.get(name));
        let mut requests = self.leaves();
        let last = requests.pop_if(|last| last.calls().len() + enclosure::SETUP <= CALLS);
        let setup = enclosure::setup(last, actor, namespace, self.one);
        let mut requests: VecDeque<Vec<u8>> = requests
            .iter()
            .map(|leave| encode(leave, Player::LEAVE, 0))
            .chain([encode(&setup, Player::SETUP, 0)])
            .collect::<Result<_, Lost>>()?;
        // Not every kernel makes processes that share memory and are no threads.
        let sharing = arenas
            .zip(requests.front())
            .and_then(|(arenas, first)| life::begin_sharing(channel, arenas, first).ok());
        let (process, mailbox) = match sharing {
            Some(Sharing { process, mailbox }) => {
                requests.pop_front();
                (process, Some(mailbox))
            }
            None => match life::fork(0).map_err(unborn)? {
                Side::Parent(process) => (process, None),
                Side::Child => life::begin(channel),
            },
        };
        let player = self.player(name)?;
        player.life = Life::Alive;
        player.mailbox = mailbox;
        player.pending = Some(Pending::Setup);
        (player.process, player.thread) = (process, process);
        player.leader.clone_from(name);
        requests.into_iter().try_for_each(|request| self.say(name, request))
    }

    /// Requests to close the stage's ends, which are the stage's alone.
    fn leaves(&self) -> Vec<Request> {
        let channels = self.players.values().map(|player| player.channel.as_raw_fd());
        let desk = self.desk.iter().flat_map(|desk| desk.descriptors()).map(|fd| fd.as_raw_fd());
        let ends: Vec<i32> = channels.chain(desk).collect();
        let request = |ends: &[i32]| {
            let mut request = Request::new(Kind::Calls);
            for end in ends {
                request.call(libc::SYS_close, &[Arg::Number((*end).into())]);
            }
            request
        };
        ends.chunks(CALLS).map(request).collect()
    }

    /// Waits until a declared actor is what it is declared to be.
    fn await_setup(&mut self, name: &str) -> Result<(), Lost> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.player(name)?.take()? {
                // Its report.
                Some(Answer { id: 0, .. }) => {}
                Some(Answer { id: Player::LEAVE, .. }) => {}
                Some(Answer { id: Player::SETUP, result, .. }) if !sys::is_error(result as isize) => {
                    self.player(name)?.pending = None;
                    return Ok(());
                }
                Some(answer) => {
                    let why = Number(-answer.result as i32);
                    return Err(Lost(format!(
                        "{name} could not be given its ids, capabilities and session: {why}"
                    )));
                }
                None if Instant::now() > deadline => return Err(Lost(format!("{name} never reported in"))),
                None => self.listen(Instant::now() + SLICE)?,
            }
        }
    }

    fn player(&mut self, name: &str) -> Result<&mut Player, Lost> {
        self.players.get_mut(name).ok_or_else(|| Lost(format!("no actor {name}")))
    }

    /// Waits until one of the actors speaks, or until then, and takes in what they say by their channels.
    fn listen(&mut self, until: Instant) -> Result<(), Lost> {
        let left = until.saturating_duration_since(Instant::now());
        // A child reports in, and so does whoever becomes a program.
        let expects = self.desk.is_some() || self.players.values().any(Player::expects_a_child);
        let by_channel = |player: &Player| match player.life {
            Life::Unborn => expects,
            Life::Alive => player.owes() && (player.mailbox.is_none() || player.executes()),
            Life::Zombie | Life::Dead(_) => false,
        };
        if self.desk.is_none() && !self.players.values().any(by_channel) {
            self.bell.wait(left);
            return Ok(());
        }
        if !self.bell.begin_polling() {
            return Ok(());
        }
        let heard = self.poll(left, |player| by_channel(player) || player.owes() && player.mailbox.is_some());
        self.bell.end_polling();
        heard
    }

    /// Waits until one of these actors speaks by its channel, or so long, and takes that in.
    fn poll(&mut self, left: Duration, speaks: impl Fn(&Player) -> bool) -> Result<(), Lost> {
        let mut listening: Vec<&mut Player> =
            self.players.values_mut().filter(|player| speaks(player)).collect();
        let channels = listening.iter().map(|player| player.channel.as_fd());
        let upcalls = self.desk.iter().map(|desk| desk.listener().as_fd());
        let mut fds: Vec<PollFd> =
            channels.chain(upcalls).map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let ready: Vec<bool> = match ppoll(&mut fds, Some(left.into()), None) {
            Ok(_) => fds.iter().map(|fd| fd.any().unwrap_or(false)).collect(),
            Err(Errno::EINTR) => return Ok(()),
            Err(error) => return Err(Lost(format!("the stage could not listen: {error}"))),
        };
        self.called |= ready.len() > listening.len() && ready.last() == Some(&true);
        for (player, ready) in listening.iter_mut().zip(ready) {
            if ready {
                player.hear()?;
            }
        }
        Ok(())
    }

    /// Deals with everything that actors have said and with every task that was about to end.
    /// Gives how long it is worth to wait for the next word: after one, not before its listener has looked.
    fn attend(&mut self) -> Result<Duration, Lost> {
        if std::mem::take(&mut self.called) {
            self.receive_upcalls()?;
        }
        let names: Vec<String> = self.players.keys().cloned().collect();
        let mut pause = SLICE;
        for name in &names {
            while let Some(answer) = self.player(name)?.take()? {
                self.heard(name, answer)?;
                pause = Duration::ZERO;
            }
        }
        let mut glances = 0;
        for name in &names {
            match self.player(name)?.pending {
                Some(Pending::Exit { .. }) => self.follow_exit(name)?,
                Some(Pending::Death { .. }) => self.follow_death(name)?,
                Some(Pending::Connection { .. }) => self.follow_connection(name)?,
                _ => continue,
            }
            pause = pause.min(GLANCE * (1 << self.glances));
            glances = GLANCES.min(self.glances + 1);
        }
        self.glances = glances;
        Ok(pause)
    }

    /// The next reply. After an upcall that the case knows nothing of, none is what it should be.
    fn take_ready(&mut self) -> Option<Reply> {
        let mut reply = self.ready.pop_front()?;
        if let Some(what) = &self.uncalled {
            reply.observed = Observed::Wrong(what.clone());
        }
        Some(reply)
    }

    fn done(&mut self, id: u32, actor: &str, observed: Observed) {
        self.ready.push_back(Reply { id, actor: actor.to_owned(), observed });
    }

    fn send(&mut self, name: &str, request: &Request, id: u32, release: u64) -> Result<(), Lost> {
        self.say(name, encode(request, id, release)?)
    }

    fn say(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), Lost> {
        self.player(name)?.say(bytes).map_err(|error| Lost(format!("{name} does not listen: {error}")))
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
}

impl Stage for Local {
    fn ask(&mut self, question: &Question) -> Result<(), Lost> {
        let name = question.actor.as_str();
        if !self.await_upcall(name)? {
            let what = format!("no upcall: the kernel has not started {} for {name}", upcall::PATH);
            self.done(question.id, name, Observed::Wrong(what));
            return Ok(());
        }
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
                // A zombie is left by the process as a whole.
                let exit = if reap { libc::SYS_exit } else { libc::SYS_exit_group };
                let mut request = Request::new(Kind::Calls);
                request.call(exit, &[Arg::Number(0)]);
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
            if let Some(reply) = self.take_ready() {
                return Ok(Some(reply));
            }
            let now = Instant::now();
            if now >= until {
                // What was said in this very instant still counts.
                self.listen(now)?;
                self.attend()?;
                return Ok(self.take_ready());
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

    fn printed(&self, actor: &str) -> Option<Vec<u8>> {
        self.players.get(actor)?.printed.clone()
    }

    fn host(&self, actor: &str) -> Result<i32, Lost> {
        let player = self.players.get(actor).ok_or_else(|| Lost(format!("no actor {actor}")))?;
        player.host.ok_or_else(|| Lost(format!("no program hosts {actor}")))
    }

    fn channel(&self, actor: &str) -> Result<i32, Lost> {
        let player = self.players.get(actor).ok_or_else(|| Lost(format!("no actor {actor}")))?;
        Ok(player.remote)
    }

    fn own_program(&mut self) -> Result<(i32, String), Lost> {
        match self.by_path {
            true => Ok((libc::AT_FDCWD, self.files.plain_copy(&self.program)?)),
            false => Ok((self.program.as_raw_fd(), String::new())),
        }
    }

    fn copy(&mut self, copy: Copy, actor: &str) -> Result<String, Lost> {
        let channel = self.channel(actor)?;
        self.files.copy(&self.program, copy, channel)
    }

    fn foreign(&self, name: &str) -> Result<String, Lost> {
        self.files.program(name).ok_or_else(|| Lost(format!("no program {name}")))
    }

    fn reporter(&mut self, child: &str) -> Result<String, Lost> {
        self.files.reporter(&self.program, child)
    }
}

fn encode(request: &Request, id: u32, release: u64) -> Result<Vec<u8>, Lost> {
    request.encode(id, release).ok_or_else(|| Lost("more than an actor can hold".into()))
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
