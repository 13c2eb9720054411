//! A stage that lies in one way about the stage that it stands before.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::Lie;
use super::rule::{Arg, Extra, Then, When, Whom};
use super::scene::Scene;
use crate::case::Abi;
use crate::judge::Observed;
use crate::ops::Op;
use crate::plan::Plan;
use crate::run::{Lost, Question, Reply, Stage};
use crate::value::Value;

/// The first number of questions that nobody has asked.
const OWN: u32 = 1 << 30;
/// How long one of them may take; a stopped process answers when it goes on.
const PATIENCE: Duration = Duration::from_secs(1);

/// A stage with one lie.
pub struct Liar<'s> {
    stage: &'s mut dyn Stage,
    lie: &'static Lie,
    is_honest: bool,
    scene: Scene,
    /// Questions of the run without a reply.
    open: BTreeMap<u32, Question>,
    /// Questions of our own without a reply.
    own: BTreeSet<u32>,
    next: u32,
    /// Replies that came while others were awaited.
    early: VecDeque<Reply>,
    /// Replies that were never asked for.
    made: VecDeque<Reply>,
    /// Answers to the calls that the lie is about.
    memory: Vec<(Call, Observed)>,
    matched: u32,
    told: u32,
}

/// What makes two calls the same: operation, arguments, and who makes it if they mean something else to
/// everybody.
type Call = (Op, Vec<Value>, Option<String>);

impl<'s> Liar<'s> {
    /// Stands before the stage of a plan.
    pub fn new(lie: &'static Lie, plan: &Plan, stage: &'s mut dyn Stage) -> Liar<'s> {
        Liar {
            stage,
            lie,
            is_honest: lie.name == super::HONEST.name,
            scene: Scene::new(&plan.actors),
            open: BTreeMap::new(),
            own: BTreeSet::new(),
            next: OWN,
            early: VecDeque::new(),
            made: VecDeque::new(),
            memory: Vec::new(),
            matched: 0,
            told: 0,
        }
    }

    /// How often the lie was told.
    pub fn told(&self) -> u32 {
        self.told
    }

    /// If the lie is to be told now, as far as that is known.
    fn applies(&mut self, question: &Question, seen: Option<&Observed>) -> bool {
        let lie = self.lie;
        let known = lie.on.contains(&question.op)
            && lie.when.iter().all(|when| when.holds(&self.scene, question, seen));
        if known {
            self.matched += 1;
        }
        let from = lie.when.iter().map(|when| if let When::From(from) = when { *from } else { 0 }).max();
        known && self.matched > from.unwrap_or(0)
    }

    /// Has somebody make a call that was not asked for, unless nobody can be asked just now.
    fn perform(&mut self, actor: &str, op: Op, args: Vec<Value>) -> Result<Option<Observed>, Lost> {
        if !self.scene.is_idle(actor) {
            return Ok(None);
        }
        let id = self.next;
        self.next += 1;
        self.own.insert(id);
        let actor = actor.to_owned();
        self.stage.ask(&Question { id, actor, op, args, abi: Abi::Native, born: None, release: None })?;
        let deadline = Instant::now() + PATIENCE;
        while let Some(reply) = self.stage.reply(deadline)? {
            let own = self.own.remove(&reply.id);
            match own {
                true if reply.id == id => return Ok(Some(reply.observed)),
                true => {}
                false => self.early.push_back(reply),
            }
        }
        Ok(None)
    }

    /// Has them make these calls.
    fn perform_all(
        &mut self,
        whom: Whom,
        extras: &[Extra],
        question: &Question,
        seen: Option<&Observed>,
    ) -> Result<(), Lost> {
        for name in self.scene.those(whom, question) {
            for (op, args) in extras {
                let args: Option<Vec<Value>> =
                    args.iter().map(|arg: &Arg| arg.value(&self.scene, question, seen)).collect();
                if let Some(args) = args
                    && matches!(self.perform(&name, *op, args)?, Some(Observed::Value(_)))
                {
                    self.told += 1;
                }
            }
        }
        Ok(())
    }

    fn same_call(question: &Question) -> Call {
        let depends = question.args.iter().any(|arg| arg.number().is_some_and(|number| number < 0));
        (question.op, question.args.clone(), depends.then(|| question.actor.clone()))
    }

    /// What is made of a reply of the stage.
    fn heard(&mut self, reply: Reply) -> Result<Reply, Lost> {
        let Some(question) = self.open.remove(&reply.id) else { return Ok(reply) };
        let seen = reply.observed.clone();
        let mut told = None;
        let applies =
            matches!(self.lie.then, Then::Tells(_) | Then::Also(..)) && self.applies(&question, Some(&seen));
        if let (true, Then::Tells(what)) = (applies, &self.lie.then) {
            let call = Liar::same_call(&question);
            let stale = self.memory.iter().find(|(known, _)| *known == call).map(|(_, seen)| seen);
            told = what.observed(&self.scene, &question, Some(&seen), stale);
            self.told += u32::from(told.is_some());
        }
        self.scene.answered(&question, &seen);
        if self.lie.on.contains(&question.op)
            && let Observed::Value(value) = &seen
        {
            let call = Liar::same_call(&question);
            self.memory.retain(|(known, _)| *known != call);
            self.memory.push((call, seen.clone()));
            if let Some(serial) = value.number().filter(|number| *number > 2) {
                self.scene.last_given = Some(serial);
                self.scene.first_given.get_or_insert(serial);
            }
        }
        if let (true, Then::Also(whom, extras)) = (applies, &self.lie.then) {
            self.perform_all(*whom, extras, &question, Some(&seen))?;
        }
        if self.is_honest {
            self.perform(&question.actor, Op::Getuid, Vec::new())?;
        }
        Ok(Reply { observed: told.unwrap_or(seen), ..reply })
    }

    /// Asks the question as the lie has it; gives the answer if it is there already.
    fn twist(&mut self, question: &Question) -> Result<(Question, Option<Observed>), Lost> {
        let mut asked = question.clone();
        match &self.lie.then {
            Then::Tells(_) | Then::Also(..) => {}
            _ if !self.applies(question, None) => {}
            Then::Skips(told) => {
                let told = told.observed(&self.scene, question, None, None);
                self.told += u32::from(told.is_some());
                return Ok((asked, told));
            }
            Then::Asks(at, arg) => {
                if let (Some(value), Some(place)) =
                    (arg.value(&self.scene, question, None), asked.args.get_mut(*at))
                    && *place != value
                {
                    *place = value;
                    self.told += 1;
                }
            }
            Then::Does(op, args) => {
                let args: Option<Vec<Value>> =
                    args.iter().map(|arg| arg.value(&self.scene, question, None)).collect();
                if let Some(args) = args {
                    (asked.op, asked.args) = (*op, args);
                    self.told += 1;
                }
            }
            Then::DoneBy(whom) => {
                let other =
                    self.scene.those(*whom, question).into_iter().find(|name| *name != question.actor);
                if let Some(other) = other
                    && let Some(seen) = self.perform(&other, question.op, question.args.clone())?
                {
                    self.told += 1;
                    return Ok((asked, Some(seen)));
                }
            }
            Then::First(whom, extras) => self.perform_all(*whom, extras, question, None)?,
        }
        Ok((asked, None))
    }
}

impl Stage for Liar<'_> {
    fn ask(&mut self, question: &Question) -> Result<(), Lost> {
        let (asked, told) = self.twist(question)?;
        if let Some(observed) = told {
            self.made.push_back(Reply { id: question.id, actor: question.actor.clone(), observed });
            return Ok(());
        }
        self.scene.asked(question);
        self.open.insert(question.id, question.clone());
        self.stage.ask(&asked)
    }

    fn reply(&mut self, until: Instant) -> Result<Option<Reply>, Lost> {
        if let Some(reply) = self.made.pop_front() {
            return Ok(Some(reply));
        }
        loop {
            let reply = match self.early.pop_front() {
                Some(reply) => Some(reply),
                None => self.stage.reply(until)?,
            };
            match reply {
                None => return Ok(None),
                Some(reply) if self.own.remove(&reply.id) => {}
                Some(reply) => return self.heard(reply).map(Some),
            }
        }
    }
}
