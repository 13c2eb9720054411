//! One loop: ask, await, judge, bind; and poll where a step says `within`.
//!
//! It knows a stage only as something that takes questions and gives replies, so that a wrong one can
//! be put in its place. Every way in which a reply can be missing, late, foreign or doubled ends here
//! in *broken* or *timeout*, never in a pass.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::case::{Abi, Act, Call, Case, Expr, Outcome, Step};
use crate::judge::{self, Binding, Bindings, Observed};
use crate::ops::{Gives, Op};
use crate::plan::{Plan, Skip};
use crate::record::{CaseRecord, Shown, Standing, StepRecord, Verdict};
use crate::value::Value;

/// One operation for one actor.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Number of the question in its case, from 1.
    pub id: u32,
    /// Who is to perform it.
    pub actor: String,
    /// The operation.
    pub op: Op,
    /// Its arguments.
    pub args: Vec<Value>,
    /// The entry for key calls.
    pub abi: Abi,
    /// The name of the actor that is to be born.
    pub born: Option<String>,
    /// Not before this instant: so that several actors act at once.
    pub release: Option<Instant>,
}

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// The question's number.
    pub id: u32,
    /// Who performed it.
    pub actor: String,
    /// What was observed.
    pub observed: Observed,
}

/// A stage or an actor of it that can no longer be relied on: the reason, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost(pub String);

/// Where actors live: takes questions, gives replies.
pub trait Stage {
    /// Hands a question to its actor and returns at once.
    fn ask(&mut self, question: &Question) -> Result<(), Lost>;

    /// The next reply, or `None` if there is none until then.
    fn reply(&mut self, until: Instant) -> Result<Option<Reply>, Lost>;
}

/// How long before their common instant the actors of a `together` are asked: enough for each to be
/// awake and waiting for it.
const LEAD: Duration = Duration::from_micros(500);
/// The first pause between two polls of a `within`. They double until they are brief no more, and then grow with the
/// wait: what is far off is not asked for all the time, and what comes is seen after an eighth more at most.
const SHORTEST_PAUSE: Duration = Duration::from_micros(500);
const BRIEF_PAUSE: Duration = Duration::from_millis(20);
const PARTS: u32 = 8;

/// Plays a plan on a stage, to the end or to the first step that does not have its outcome.
pub fn run(plan: &Plan, stage: &mut dyn Stage) -> CaseRecord {
    let started = Instant::now();
    let mut play = Play {
        stage,
        step_limit: plan.step_limit,
        bindings: Bindings::new(),
        started: BTreeMap::new(),
        open: BTreeMap::new(),
        arrived: BTreeMap::new(),
        asked: 0,
        records: Vec::new(),
    };
    let end = plan.steps.iter().try_for_each(|step| play.step(step)).and_then(|()| play.nothing_left());
    let (verdict, reason) = match end {
        Ok(()) => (Verdict::Pass, None),
        Err(End { verdict, reason }) => (verdict, Some(reason)),
    };
    CaseRecord { steps: play.records, microseconds: micros(started), ..blank(plan, verdict, reason) }
}

/// The record of a case of which nothing was observed.
pub fn blank(plan: &Plan, verdict: Verdict, reason: Option<String>) -> CaseRecord {
    CaseRecord {
        case: plan.case.clone(),
        file: plan.file.clone(),
        title: plan.title.clone(),
        covers: plan.covers.clone(),
        verdict,
        standing: Standing::Plain,
        reason,
        steps: Vec::new(),
        microseconds: 0,
        console: Vec::new(),
    }
}

/// The record of a case that is not played.
pub fn skipped(case: &Case, Skip(reason): Skip) -> CaseRecord {
    CaseRecord {
        case: case.id.clone(),
        file: case.file.clone(),
        title: case.title.clone(),
        covers: case.covers.clone(),
        verdict: Verdict::Skip,
        standing: Standing::Plain,
        reason: Some(reason),
        steps: Vec::new(),
        microseconds: 0,
        console: Vec::new(),
    }
}

struct Play<'a> {
    stage: &'a mut dyn Stage,
    step_limit: Duration,
    bindings: Bindings,
    /// Calls in the background by the name that they were started under.
    started: BTreeMap<String, Asked>,
    /// Who was asked the questions that have no reply yet.
    open: BTreeMap<u32, String>,
    /// Observations that came before the play waited for them.
    arrived: BTreeMap<u32, Observed>,
    asked: u32,
    records: Vec<StepRecord>,
}

/// A question that waits for its reply.
struct Asked {
    id: u32,
    actor: String,
    gives: Gives,
}

/// The end of a case other than a pass.
struct End {
    verdict: Verdict,
    reason: String,
}

fn broken(reason: impl Into<String>) -> End {
    End { verdict: Verdict::Broken, reason: reason.into() }
}

impl From<Lost> for End {
    fn from(Lost(reason): Lost) -> End {
        broken(reason)
    }
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), End> {
        let began = Instant::now();
        match &step.act {
            Act::Check { var, outcome } => {
                let binding =
                    self.bindings.get(var).cloned().ok_or_else(|| broken(format!("${var} has no value")))?;
                self.judge(step, outcome, binding.gives, &Observed::Value(binding.value), began)
            }
            Act::Call { actor, call, outcome } => match &step.starts {
                Some(name) => {
                    let asked = self.ask(step, actor, call, outcome, 1, None)?;
                    self.started.insert(name.clone(), asked);
                    Ok(())
                }
                None => self.call(step, actor, call, outcome, began),
            },
            Act::Ends { name, outcome } => {
                let asked = self
                    .started
                    .remove(name)
                    .ok_or_else(|| broken(format!("no call was started as {name}")))?;
                let observed = self.await_reply(step, &asked)?;
                self.judge(step, outcome, asked.gives, &observed, began)
            }
            Act::Together(steps) => self.together(steps, step.times),
        }
    }

    fn call(
        &mut self,
        step: &Step,
        actor: &str,
        call: &Call,
        outcome: &Outcome,
        began: Instant,
    ) -> Result<(), End> {
        let mut last = None;
        for repetition in 1..=step.times {
            let begun = Instant::now();
            let mut pause = SHORTEST_PAUSE;
            let (asked, observed, met) = loop {
                let asked = self.ask(step, actor, call, outcome, repetition, None)?;
                let observed = self.await_reply(step, &asked)?;
                let met = judge::met(outcome, asked.gives, &observed, &self.bindings).map_err(broken)?;
                let waited = begun.elapsed();
                let left = step.within.unwrap_or_default().saturating_sub(waited);
                if met || left.is_zero() {
                    break (asked, observed, met);
                }
                std::thread::sleep(pause.min(left));
                pause = (pause * 2).min(BRIEF_PAUSE.max(waited / PARTS));
            };
            last = Some((asked, observed));
            if !met {
                break;
            }
        }
        match last {
            Some((asked, observed)) => self.judge(step, outcome, asked.gives, &observed, began),
            None => Err(broken("the step is to be made no times at all")),
        }
    }

    fn together(&mut self, steps: &[Step], times: u32) -> Result<(), End> {
        for repetition in 1..=times {
            let release = Instant::now() + LEAD;
            let mut pending = Vec::new();
            for step in steps {
                let Act::Call { actor, call, outcome } = &step.act else {
                    return Err(broken("only calls can be made together"));
                };
                let asked = self.ask(step, actor, call, outcome, repetition, Some(release))?;
                pending.push((step, outcome, asked));
            }
            // All of them are awaited before one is judged: the first to differ must not leave others behind.
            let mut replies = Vec::new();
            let mut all_met = true;
            for (step, outcome, asked) in pending {
                let observed = self.await_reply(step, &asked)?;
                all_met &= judge::met(outcome, asked.gives, &observed, &self.bindings).map_err(broken)?;
                replies.push((step, outcome, asked, observed));
            }
            if !all_met || repetition == times {
                return replies.into_iter().try_for_each(|(step, outcome, asked, observed)| {
                    self.judge(step, outcome, asked.gives, &observed, release)
                });
            }
        }
        Err(broken("the steps are to be made no times at all"))
    }

    fn ask(
        &mut self,
        step: &Step,
        actor: &str,
        call: &Call,
        outcome: &Outcome,
        repetition: u32,
        release: Option<Instant>,
    ) -> Result<Asked, End> {
        let args = call
            .args
            .iter()
            .map(|arg| match arg {
                Expr::Numbered(text) => Ok(Value::Text(text.numbered(repetition))),
                arg => judge::resolve(arg, &self.bindings),
            })
            .collect::<Result<Vec<Value>, String>>()
            .map_err(broken)?;
        self.asked += 1;
        let asked = Asked { id: self.asked, actor: actor.to_owned(), gives: call.gives() };
        self.open.insert(asked.id, asked.actor.clone());
        let born = match outcome {
            Outcome::Born(name) => Some(name.clone()),
            _ => None,
        };
        let question = Question {
            id: asked.id,
            actor: asked.actor.clone(),
            op: call.op,
            args,
            abi: step.abi,
            born,
            release,
        };
        self.stage.ask(&question)?;
        Ok(asked)
    }

    fn await_reply(&mut self, step: &Step, asked: &Asked) -> Result<Observed, End> {
        let deadline = Instant::now() + self.step_limit;
        loop {
            if let Some(observed) = self.arrived.remove(&asked.id) {
                return Ok(observed);
            }
            let reply = self.stage.reply(deadline)?;
            match reply {
                Some(reply) if Instant::now() <= deadline => self.file(reply)?,
                // None, or one that came when the time was over and counts no more.
                _ => {
                    let (actor, limit) = (&asked.actor, self.step_limit.as_secs_f32());
                    return Err(End {
                        verdict: Verdict::Timeout,
                        reason: format!(
                            "line {}: {actor} did not answer within {limit} s: {}",
                            step.line, step.text
                        ),
                    });
                }
            }
        }
    }

    /// Takes a reply in, if it answers an open question and comes from the one who was asked.
    fn file(&mut self, Reply { id, actor, observed }: Reply) -> Result<(), End> {
        match self.open.remove(&id) {
            Some(asked) if asked == actor => {
                self.arrived.insert(id, observed);
                Ok(())
            }
            Some(asked) => Err(broken(format!("{actor} answered question {id}, which was put to {asked}"))),
            None => Err(broken(format!("{actor} answered question {id} twice, or unasked"))),
        }
    }

    /// After the last step no reply may be left over and no call may still go on.
    fn nothing_left(&mut self) -> Result<(), End> {
        // A call that is still open here has lost its actor: the check of a case saw to the others.
        match self.stage.reply(Instant::now())? {
            None => Ok(()),
            Some(reply) => self.file(reply),
        }
    }

    fn judge(
        &mut self,
        step: &Step,
        outcome: &Outcome,
        gives: Gives,
        observed: &Observed,
        began: Instant,
    ) -> Result<(), End> {
        let met = judge::met(outcome, gives, observed, &self.bindings).map_err(broken)?;
        let expected = judge::show_outcome(outcome, &self.bindings);
        let shown = judge::show_observed(observed, outcome, &self.bindings);
        let reason = format!("line {}: expected {}, observed {}", step.line, named(&expected), named(&shown));
        self.records.push(StepRecord {
            line: step.line,
            text: step.text.clone(),
            met,
            expected,
            observed: shown,
            microseconds: micros(began),
        });
        if !met {
            return Err(End { verdict: Verdict::Fail, reason });
        }
        if let (Outcome::Bind(name), Observed::Value(value)) = (outcome, observed) {
            let binding = Binding { value: value.clone(), gives, line: step.line };
            if self.bindings.insert(name.clone(), binding).is_some() {
                return Err(broken(format!("${name} is bound twice")));
            }
        }
        Ok(())
    }
}

fn named(shown: &Shown) -> String {
    match &shown.variable {
        Some((name, _)) => format!("${name} = {}", shown.text),
        None => shown.text.clone(),
    }
}

fn micros(since: Instant) -> u64 {
    Instant::now().saturating_duration_since(since).as_micros() as u64
}
