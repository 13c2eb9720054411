//! Who is alive, and able to answer, at each step.
//!
//! A model of processes and threads that is as fine as the checks need: births, ends, execs, the
//! suspended caller of vfork, the stopped process, the actor that is busy with a started call.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::case::diagnostic::shown;
use crate::case::{Actor, Call, Expr, limits};
use crate::ops::{Gives, Op};

/// What a call does to actors when it succeeds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// A process is born.
    Process { parent: String, name: String, suspends: bool },
    /// A thread is born.
    Thread { sibling: String, name: String },
    /// The actor ends.
    Exit(String),
    /// The actor's process ends and stays as a zombie.
    Zombie(String),
    /// The actor executes a program: the other threads of its process end.
    Exec(String),
    /// A signal ends a process.
    Kill { by: String, target: String },
    /// A signal stops a process.
    Stop { by: String, target: String },
    /// A signal lets a process go on.
    Continue(String),
    /// A child is reaped.
    Wait(String),
}

/// The effect of a call that succeeds, for those that [`changes_life`] picks.
pub(super) fn effect(actor: &str, call: &Call, born: Option<&str>) -> Effect {
    let me = actor.to_owned();
    let name = born.unwrap_or_default().to_owned();
    let target = match call.args.first() {
        Some(Expr::Name(target)) => target.clone(),
        _ => String::new(),
    };
    match call.op {
        Op::Thread => Effect::Thread { sibling: me, name },
        Op::Exit => Effect::Exit(me),
        Op::ExitUnreaped => Effect::Zombie(me),
        Op::Wait => Effect::Wait(target),
        Op::Kill if signal(call) == Some(libc::SIGSTOP) => Effect::Stop { by: me, target },
        Op::Kill if signal(call) == Some(libc::SIGCONT) => Effect::Continue(target),
        Op::Kill => Effect::Kill { by: me, target },
        op if is_exec(op) => Effect::Exec(me),
        op => Effect::Process { parent: me, name, suspends: op == Op::Vfork || has_vfork_flag(call) },
    }
}

/// If a call that succeeds changes who is alive or able to answer.
pub(super) fn changes_life(call: &Call) -> bool {
    let signals = [libc::SIGKILL, libc::SIGTERM, libc::SIGSTOP, libc::SIGCONT];
    match call.op {
        Op::Exit | Op::ExitUnreaped | Op::Wait => true,
        Op::Kill => signal(call).is_some_and(|signal| signals.contains(&signal)),
        op => is_exec(op) || call.gives() == Gives::Actor,
    }
}

/// If an operation executes a program in the actor's own process.
pub(super) fn is_exec(op: Op) -> bool {
    matches!(op, Op::Exec | Op::ExecSetuid | Op::ExecSetgid | Op::ExecFilecaps | Op::ExecScript)
}

fn signal(call: &Call) -> Option<i32> {
    match call.args.get(1) {
        Some(Expr::Number(signal)) => i32::try_from(*signal).ok(),
        _ => None,
    }
}

fn has_vfork_flag(call: &Call) -> bool {
    matches!(call.op, Op::Clone | Op::Clone3)
        && matches!(call.args.first(), Some(Expr::Number(flags)) if flags & i64::from(libc::CLONE_VFORK) != 0)
}

/// The actors of a case, from its first step to the one at hand.
pub(super) struct People {
    actors: BTreeMap<String, Person>,
    processes: Vec<Process>,
}

struct Person {
    process: usize,
    /// If it is its process's first thread, by which others know the process.
    main: bool,
    end: Option<End>,
    busy: Option<String>,
    /// Where the file declares it; a born one is declared by its birth.
    declared: Option<Range<usize>>,
    takes_part: bool,
}

#[derive(Clone, Copy)]
struct End {
    line: usize,
    /// If it can still be waited for.
    unreaped: bool,
}

#[derive(Default)]
struct Process {
    /// Who made it by vfork and is suspended until it executes a program or ends.
    suspends: Option<String>,
    /// The line at which it was stopped.
    stopped: Option<usize>,
}

impl People {
    pub(super) fn new(actors: &[Actor], places: &[Range<usize>]) -> People {
        let mut people = People { actors: BTreeMap::new(), processes: Vec::new() };
        for (actor, place) in actors.iter().zip(places) {
            people.process(&actor.name, Some(place.clone()), None);
        }
        people
    }

    fn process(&mut self, name: &str, declared: Option<Range<usize>>, suspends: Option<String>) {
        self.processes.push(Process { suspends, stopped: None });
        self.add(name, self.processes.len() - 1, true, declared);
    }

    fn add(&mut self, name: &str, process: usize, main: bool, declared: Option<Range<usize>>) {
        let person =
            Person { process, main, end: None, busy: None, takes_part: declared.is_none(), declared };
        self.actors.insert(name.to_owned(), person);
    }

    /// Who lives, in alphabetical order.
    pub(super) fn alive(&self) -> Vec<&str> {
        let living = self.actors.iter().filter(|(_, person)| person.end.is_none());
        living.map(|(name, _)| name.as_str()).collect()
    }

    pub(super) fn is_alive(&self, name: &str) -> bool {
        self.actors.get(name).is_some_and(|person| person.end.is_none())
    }

    pub(super) fn is_known(&self, name: &str) -> bool {
        self.actors.contains_key(name)
    }

    /// Lets an actor take part; says why it cannot answer.
    pub(super) fn ask(&mut self, name: &str) -> Result<(), String> {
        self.target(name, false)?;
        let person = &self.actors[name];
        let waits = |process: &Process| process.suspends.as_deref() == Some(name);
        if let Some(call) = &person.busy {
            return Err(format!("`{name}` is busy with `{call}`, which no step has ended yet"));
        }
        if let Some(at) = self.processes.iter().position(waits) {
            let child = self.main_of(at);
            return Err(format!("`{name}` is suspended until `{child}` executes a program or exits"));
        }
        match self.processes[person.process].stopped {
            Some(line) => Err(format!("`{name}` was stopped at line {line} and has not been continued")),
            None => Ok(()),
        }
    }

    /// Lets an actor be the object of a call; says why it cannot.
    pub(super) fn target(&mut self, name: &str, may_be_dead: bool) -> Result<(), String> {
        let person =
            self.actors.get_mut(name).ok_or_else(|| format!("no actor `{}` is alive here", shown(name)))?;
        person.takes_part = true;
        match person.end {
            Some(end) if !may_be_dead => Err(format!("`{name}` has ended at line {}", end.line)),
            _ => Ok(()),
        }
    }

    pub(super) fn start(&mut self, actor: &str, call: &str) {
        if let Some(person) = self.actors.get_mut(actor) {
            person.busy = Some(call.to_owned());
        }
    }

    pub(super) fn finish(&mut self, actor: &str) {
        if let Some(person) = self.actors.get_mut(actor) {
            person.busy = None;
        }
    }

    /// If an effect is possible as things stand.
    pub(super) fn can(&self, effect: &Effect) -> Result<(), String> {
        match effect {
            Effect::Process { name, .. } | Effect::Thread { name, .. } if self.is_known(name) => {
                Err(format!("an actor is already named `{name}`"))
            }
            Effect::Process { .. } | Effect::Thread { .. } if self.actors.len() >= limits::ACTORS => {
                Err(format!("a case has up to {} actors", limits::ACTORS))
            }
            Effect::Kill { by, target } | Effect::Stop { by, target } if self.same_process(by, target) => {
                Err(format!("`{by}` could not answer any more; `exit()` ends an actor"))
            }
            Effect::Wait(child) => match self.actors.get(child) {
                Some(Person { end: None, .. }) => {
                    Err(format!("`{child}` is still alive; it has to end by `exit_unreaped` or `kill`"))
                }
                Some(Person { end: Some(end), .. }) if !end.unreaped => {
                    Err(format!("`{child}` was reaped when it ended at line {}", end.line))
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn same_process(&self, one: &str, other: &str) -> bool {
        let process = |name: &str| self.actors.get(name).map(|person| person.process);
        process(one).is_some() && process(one) == process(other)
    }

    pub(super) fn apply(&mut self, effect: &Effect, line: usize) {
        match effect {
            Effect::Process { parent, name, suspends } => {
                self.process(name, None, suspends.then(|| parent.clone()));
            }
            Effect::Thread { sibling, name } => {
                if let Some(process) = self.process_of(sibling) {
                    self.add(name, process, false, None);
                }
            }
            Effect::Exit(name) => self.end_actor(name, line),
            Effect::Zombie(name) | Effect::Kill { target: name, .. } => self.end_process(name, line),
            Effect::Exec(name) => self.execute(name, line),
            Effect::Stop { target, .. } => self.set_stopped(target, Some(line)),
            Effect::Continue(target) => self.set_stopped(target, None),
            Effect::Wait(child) => {
                if let Some(end) = self.actors.get_mut(child).and_then(|person| person.end.as_mut()) {
                    end.unreaped = false;
                }
            }
        }
    }

    fn process_of(&self, name: &str) -> Option<usize> {
        self.actors.get(name).map(|person| person.process)
    }

    fn members(&mut self, process: usize) -> impl Iterator<Item = (&String, &mut Person)> {
        self.actors.iter_mut().filter(move |(_, person)| person.process == process && person.end.is_none())
    }

    fn main_of(&self, process: usize) -> &str {
        let found = self.actors.iter().find(|(_, person)| person.process == process && person.main);
        found.map_or("its child", |(name, _)| name)
    }

    fn end_actor(&mut self, name: &str, line: usize) {
        let Some(process) = self.process_of(name) else { return };
        if let Some(person) = self.actors.get_mut(name) {
            person.end.get_or_insert(End { line, unreaped: false });
        }
        if self.members(process).next().is_none() {
            self.processes[process].suspends = None;
        }
    }

    fn end_process(&mut self, name: &str, line: usize) {
        let Some(process) = self.process_of(name) else { return };
        for (_, person) in self.members(process) {
            person.end = Some(End { line, unreaped: person.main });
        }
        self.processes[process].suspends = None;
    }

    /// The executing thread takes the place of its process's first one.
    fn execute(&mut self, name: &str, line: usize) {
        let Some(process) = self.process_of(name) else { return };
        for (other, person) in self.members(process) {
            person.main = other == name;
            if other != name {
                person.end = Some(End { line, unreaped: false });
            }
        }
        self.processes[process].suspends = None;
    }

    fn set_stopped(&mut self, name: &str, line: Option<usize>) {
        if let Some(process) = self.process_of(name) {
            self.processes[process].stopped = line;
        }
    }

    /// The declared actors that no step asked or named.
    pub(super) fn idle(&self) -> Vec<(String, Range<usize>)> {
        let idle = self.actors.iter().filter(|(_, person)| !person.takes_part);
        idle.filter_map(|(name, person)| Some((name.clone(), person.declared.clone()?))).collect()
    }
}
