//! A case as a list of lines that `c` and `strace` write down: each step with what it asks, how the answer is
//! read and what it has to be. Variables have no values yet.

use std::collections::BTreeMap;

use super::Refusal;
use super::deed::{Deed, Word, number_word};
use super::paper::{Paper, Symbol, is_taken};
use crate::actor::perform;
use crate::actor::reading::Reading;
use crate::case::{Act, Call, Expr, Outcome, Step};
use crate::ops::{Gives, Kind};
use crate::plan::Plan;
use crate::run::Question;
use crate::value::{SPECIAL_KEYS, Value};

/// What a text or buffer takes beyond its bytes, at most.
const SLACK: usize = 128;

/// A case on paper.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) lines: Vec<Line>,
    pub(super) paper: Paper,
    /// What kind of result each variable holds.
    pub(super) variables: Vec<(String, Gives)>,
    /// Who is born, in the order of the steps.
    pub(super) born: Vec<String>,
    /// Bytes that the texts and buffers of one step may take.
    pub(super) room: usize,
}

/// A step, or several that are put together.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) step: Step,
    pub(super) parts: Vec<Asked>,
}

/// A question, what is expected of it, or both.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) line: u32,
    pub(super) text: String,
    pub(super) actor: String,
    /// What is asked; nothing where only an answer is awaited or a variable is looked at.
    pub(super) deed: Option<Deed>,
    /// The answer; none where the call goes on in the background.
    pub(super) answer: Option<Answer>,
    /// If the actor's children are born in another pid namespace from here on.
    pub(super) moves: bool,
}

/// What is expected of an answer.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) read: Read,
    pub(super) gives: Gives,
    pub(super) outcome: Outcome,
}

/// How an answer is read.
#[derive(Clone, Debug)]
pub(super) enum Read {
    As(Reading),
    Born,
    Known,
    Variable(String),
}

/// Puts a plan on paper.
pub(super) fn script(plan: &Plan) -> Result<Script, Refusal> {
    let mut writer = Writer {
        script: Script { lines: vec![], paper: Paper::default(), variables: vec![], born: vec![], room: 0 },
        open: BTreeMap::new(),
    };
    for step in &plan.steps {
        let parts = match &step.act {
            Act::Together(steps) => steps.iter().map(|step| writer.part(step)).collect::<Result<_, _>>()?,
            _ => vec![writer.part(step)?],
        };
        writer.script.lines.push(Line { step: step.clone(), parts });
    }
    Ok(writer.script)
}

struct Writer {
    script: Script,
    /// Calls in the background: who makes them, and how their answer is read.
    open: BTreeMap<String, (String, Read, Gives)>,
}

impl Writer {
    fn part(&mut self, step: &Step) -> Result<Asked, Refusal> {
        let mut asked = Asked {
            line: step.line,
            text: step.text.clone(),
            actor: String::new(),
            deed: None,
            answer: None,
            moves: false,
        };
        match &step.act {
            Act::Check { var, outcome } => {
                let gives = self.gives(var);
                asked.answer =
                    Some(Answer { read: Read::Variable(var.clone()), gives, outcome: outcome.clone() });
            }
            Act::Ends { name, outcome } => {
                let lost = || Refusal(format!("no call was started as {name}"));
                let (actor, read, gives) = self.open.remove(name).ok_or_else(lost)?;
                asked.actor = actor;
                asked.answer = Some(Answer { read, gives, outcome: outcome.clone() });
            }
            Act::Call { actor, call, outcome } => {
                asked.actor.clone_from(actor);
                let deed = self.deed(step, actor, call, outcome)?;
                let read = match &deed {
                    Deed::Calls { reading, .. } => Read::As(reading.clone()),
                    Deed::Birth { .. } => Read::Born,
                    Deed::Known(_) => Read::Known,
                    _ => Read::As(Reading::Zero),
                };
                asked.moves = matches!(call.op, crate::ops::Op::Unshare | crate::ops::Op::Setns)
                    && matches!(call.args.last(), Some(Expr::Number(flags)) if flags & i64::from(libc::CLONE_NEWPID) != 0);
                asked.deed = Some(deed);
                match &step.starts {
                    Some(name) => drop(self.open.insert(name.clone(), (actor.clone(), read, call.gives()))),
                    None => {
                        asked.answer = Some(Answer { read, gives: call.gives(), outcome: outcome.clone() })
                    }
                }
            }
            Act::Together(_) => return Err(Refusal("calls are put together within others".into())),
        }
        if let Some(Answer { gives, outcome: Outcome::Bind(name), .. }) = &asked.answer {
            self.script.variables.push((name.clone(), *gives));
        }
        if let Some(Answer { outcome: Outcome::Born(name), .. }) = &asked.answer {
            self.script.born.push(name.clone());
        }
        Ok(asked)
    }

    fn gives(&self, variable: &str) -> Gives {
        self.script
            .variables
            .iter()
            .find(|(name, _)| name == variable)
            .map_or(Gives::Number, |(_, gives)| *gives)
    }

    fn deed(&mut self, step: &Step, actor: &str, call: &Call, outcome: &Outcome) -> Result<Deed, Refusal> {
        let args = call
            .args
            .iter()
            .enumerate()
            .map(|(at, arg)| self.argument(call, at, arg))
            .collect::<Result<Vec<Value>, Refusal>>()?;
        let texts: usize = args
            .iter()
            .map(|arg| match arg {
                Value::Text(bytes) => bytes.0.len() + SLACK,
                Value::Buffer(size) => *size as usize + SLACK,
                _ => 0,
            })
            .sum();
        let question = Question {
            id: 1,
            actor: actor.to_owned(),
            op: call.op,
            args,
            abi: step.abi,
            born: match outcome {
                Outcome::Born(name) => Some(name.clone()),
                _ => None,
            },
            release: None,
        };
        self.script.paper.copy = None;
        let work = perform::work(&question, &mut self.script.paper).map_err(|lost| Refusal(lost.0))?;
        let deed = Deed::of(work, &self.script.paper).map_err(Refusal)?;
        let out = if let Deed::Calls { out, .. } = &deed { *out } else { 0 };
        // What is in the background keeps its memory, and so does all that is asked meanwhile.
        let times = if self.open.is_empty() { 1 } else { step.times as usize };
        self.script.room += (texts + out + SLACK) * times;
        Ok(deed)
    }

    fn argument(&self, call: &Call, at: usize, arg: &Expr) -> Result<Value, Refusal> {
        let param = call.op.spec().param(at);
        let paper = &self.script.paper;
        Ok(match arg {
            Expr::Number(number) if is_taken(*number) => {
                return Err(Refusal(format!("the number {number} has a meaning of its own in the export")));
            }
            Expr::Number(number) if param.is_some_and(|param| param.kind == Kind::Key) => {
                let special = SPECIAL_KEYS.iter().find(|(_, key)| key == number);
                let number = special.map_or(*number, |(name, key)| paper.number(Symbol::Special(name, *key)));
                Value::Number(number)
            }
            Expr::Var(name) => match self.gives(name) {
                Gives::Zero | Gives::Serial | Gives::Number => {
                    Value::Number(paper.number(Symbol::Variable(name.clone())))
                }
                _ => return Err(Refusal(format!("the text of ${name} is an argument"))),
            },
            Expr::Numbered(_) if param.is_some_and(|param| param.name == "payload") => {
                return Err(Refusal("a payload has the number of its repetition".into()));
            }
            Expr::Numbered(text) => {
                let turn = paper.number(Symbol::Turn).to_string();
                Value::Text(crate::value::Bytes([text.0.as_slice(), turn.as_bytes()].concat()))
            }
            arg => crate::judge::resolve(arg, &crate::judge::Bindings::new()).map_err(Refusal)?,
        })
    }
}

/// The number or symbol of an expression in an outcome.
pub(super) fn word(expr: &Expr, paper: &Paper) -> Option<Word> {
    match expr {
        Expr::Number(number) => Some(number_word(*number, paper)),
        Expr::Errno(errno) => Some(Word::Number(errno.0.into())),
        Expr::Var(name) => Some(Word::Symbol(Symbol::Variable(name.clone()))),
        _ => None,
    }
}
