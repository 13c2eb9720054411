//! If the steps of a case make sense together: what is bound, who is asked, what qualifies what.
//!
//! Behind a step that could not be read nothing is certain of names and actors, which it may have bound,
//! born or ended; what a later step says for itself is checked all the same.
//!
//! The walk over the steps lives here; the kinds of values are `kinds`', and who is alive is `life`'s.
//! The text of a step has been read before, and no target is known yet.

mod kinds;
mod life;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::diagnostic::{Diagnostic, Problems, Source, shown};
use super::step::{OutcomePlaces, Places};
use super::{Abi, Act, Actor, Alternative, Bound, Call, Expr, Outcome, Step, Variant};
use crate::ops::Op;
use kinds::Shape;
use life::{Effect, People};

/// Checks the steps of a case, of which some may not have been readable. `places` belongs to the
/// actors, in their order; `certain` says that these are all that the file declares. Gives what no step
/// makes use of, if that is certain: of a table, another row may.
pub fn check(
    source: &Source,
    actors: &[Actor],
    places: &[Range<usize>],
    certain: bool,
    steps: &[Option<(Step, Places)>],
    problems: &mut Problems,
) -> Option<Vec<Diagnostic>> {
    let mut checker = Checker {
        source,
        certain,
        people: People::new(actors, places),
        variables: BTreeMap::new(),
        missed: BTreeSet::new(),
        started: BTreeMap::new(),
        ran: BTreeSet::new(),
        hosted: BTreeSet::new(),
        problems,
    };
    for step in steps {
        match step {
            Some((step, places)) => checker.step(step, places),
            None => checker.certain = false,
        }
    }
    checker.certain.then(|| checker.finish())
}

/// A variable that some step has bound.
struct Variable {
    place: Range<usize>,
    shape: Shape,
    used: bool,
}

/// A call that goes on.
struct Started {
    place: Range<usize>,
    actor: String,
    call: Call,
    /// The line of the step that ended it, once one has.
    ended: Option<usize>,
    /// The line of the step that ended its actor meanwhile.
    lost: Option<usize>,
}

struct Checker<'s, 'p> {
    source: &'s Source,
    /// If all that stands before could be read, so that names and actors are known.
    certain: bool,
    people: People,
    variables: BTreeMap<String, Variable>,
    /// Names of variables that were used before they were bound: told once is enough.
    missed: BTreeSet<String>,
    started: BTreeMap<String, Started>,
    /// Actors that have run a program which hosts nobody.
    ran: BTreeSet<String>,
    /// Actors in programs that others ran, and whom they bore.
    hosted: BTreeSet<String>,
    problems: &'p mut Problems,
}

/// What a step does to the names of a case, once it is over.
#[derive(Default)]
struct After {
    bound: Vec<(String, Variable)>,
    effects: Vec<(Effect, usize)>,
}

impl Checker<'_, '_> {
    fn step(&mut self, step: &Step, places: &Places) {
        let mut after = After::default();
        self.qualifiers(step, places);
        self.act(step, places, &mut after);
        self.settle(after);
    }

    fn act(&mut self, step: &Step, places: &Places, after: &mut After) {
        match &step.act {
            Act::Call { actor, call, outcome } => self.call(step, actor, call, outcome, places, after),
            Act::Check { var, outcome } => self.check(step, var, outcome, places),
            Act::Ends { name, outcome } => self.ends(step, name, outcome, places, after),
            Act::Together(inner) => self.together(step, inner, places, after),
        }
    }

    fn call(
        &mut self,
        step: &Step,
        actor: &str,
        call: &Call,
        outcome: &Outcome,
        places: &Places,
        after: &mut After,
    ) {
        let line = self.source.line(places.head.start);
        self.ask(actor, places);
        self.arguments(call, places);
        self.outcomes(call, outcome, step, places, after);
        self.output(actor, call, outcome, places);
        if let Some(name) = &step.starts {
            self.start(name, actor, call, places);
        } else if let Some(effect) = self.effect(actor, call, outcome, places) {
            after.effects.push((effect, line));
        }
    }

    /// Follows whose programs print what, and who asks for it.
    fn output(&mut self, actor: &str, call: &Call, outcome: &Outcome, places: &Places) {
        if let Outcome::Born(child) = outcome
            && (call.hosts_actor() || self.hosted.contains(actor))
        {
            self.hosted.insert(child.clone());
        }
        let target = match (call.op, call.args.first()) {
            (Op::Run | Op::RunStatus, _) if !call.hosts_actor() => {
                self.ran.insert(actor.to_owned());
                return;
            }
            (Op::HostStatus, Some(Expr::Name(target))) => target.as_str(),
            (Op::Printed, _) if !self.ran.contains(actor) => actor,
            _ => return,
        };
        if self.certain && self.people.is_known(target) && !self.hosted.contains(target) {
            let error = self.source.error(places.call.clone(), format!("no program hosts `{target}`"));
            self.push(error.help("an actor is hosted by `run(…, ACTOR) -> name`"));
        }
    }

    /// Asks an actor: it has to be there and free to answer.
    fn ask(&mut self, actor: &str, places: &Places) {
        if let Err(why) = self.people.ask(actor) {
            self.unable(actor, why, places.head.clone());
        }
    }

    fn unable(&mut self, name: &str, why: String, place: Range<usize>) {
        if !self.certain {
            return;
        }
        let alive = self.people.alive();
        let error = self.source.error(place, why);
        let error = error.label(format!("alive at this step: {}", alive.join(", ")));
        self.push(if self.people.is_known(name) { error } else { error.suggest(name, alive) });
    }

    fn arguments(&mut self, call: &Call, places: &Places) {
        let shape = |name: &str| self.variables.get(name).map_or(Shape::Any, |variable| variable.shape);
        for (at, message, help) in kinds::arguments(call, shape) {
            let place = places.args.get(at).unwrap_or(&places.call).clone();
            let error = self.source.error(place, message);
            self.push(match help {
                Some(help) => error.help(help),
                None => error,
            });
        }
        for (arg, place) in call.args.iter().zip(&places.args) {
            self.uses(arg, place);
        }
    }

    /// Marks the variables of a value as used; each has to be bound.
    fn uses(&mut self, value: &Expr, place: &Range<usize>) {
        match value {
            Expr::Var(name) => self.variable(name, place),
            Expr::Set(members) => members.iter().for_each(|member| self.member(member, place)),
            Expr::Words(parts) => parts.iter().for_each(|part| self.uses(part, place)),
            _ => {}
        }
    }

    fn member(&mut self, value: &Expr, place: &Range<usize>) {
        self.uses(value, place);
        if let Expr::Var(name) = value
            && self.variables.get(name).is_some_and(|variable| variable.shape == Shape::Text)
        {
            self.error(place.clone(), format!("a set holds serials, and `${name}` is a text"));
        }
    }

    fn variable(&mut self, name: &str, place: &Range<usize>) {
        if let Some(variable) = self.variables.get_mut(name) {
            variable.used = true;
            return;
        }
        self.missed.insert(name.to_owned());
        if !self.certain {
            return;
        }
        let error = self.source.error(place.clone(), format!("`${name}` is not bound here"));
        let bound = self.variables.keys().map(String::as_str);
        let error = match super::diagnostic::did_you_mean(name, bound) {
            Some(near) => error.help(format!("did you mean `${near}`?")),
            None => error
                .help("an earlier step has to bind it by `-> $…`; within `together` it is bound afterwards"),
        };
        self.push(error);
    }

    /// Checks the outcome of a step and those of its variants against what the call can give.
    fn outcomes(&mut self, call: &Call, outcome: &Outcome, step: &Step, places: &Places, after: &mut After) {
        let fits = self.outcome(call, outcome, &places.outcome);
        for (variant, place) in step.variants.iter().zip(&places.variants) {
            self.outcome(call, &variant.outcome, place);
        }
        self.names_agree(outcome, &step.variants, places);
        if let (Outcome::Bind(name), Some(place)) = (outcome, places.outcome.parts.first()) {
            let variable = Variable { place: place.clone(), shape: kinds::shape(call), used: !fits };
            after.bound.push((name.clone(), variable));
        }
    }

    /// If an outcome fits what the call can give.
    fn outcome(&mut self, call: &Call, outcome: &Outcome, places: &OutcomePlaces) -> bool {
        let findings = kinds::outcome(call, outcome);
        let fits = findings.is_empty();
        for (at, message, help) in findings {
            let error = self.source.error(places.parts.get(at).unwrap_or(&places.whole).clone(), message);
            self.push(if help.is_empty() { error } else { error.help(help) });
        }
        self.outcome_uses(outcome, places);
        fits
    }

    fn outcome_uses(&mut self, outcome: &Outcome, places: &OutcomePlaces) {
        let values: Vec<&Expr> = match outcome {
            Outcome::Not(value) => vec![value],
            Outcome::OneOf(alternatives) => alternatives.iter().map(|one| one.value()).collect(),
            Outcome::Bind(_) | Outcome::Born(_) => return,
        };
        for (value, place) in values.into_iter().zip(&places.parts) {
            self.uses(value, place);
        }
    }

    /// What a step names has to be there whatever the kernel's version.
    fn names_agree(&mut self, outcome: &Outcome, variants: &[Variant], places: &Places) {
        for (variant, place) in variants.iter().zip(&places.variants) {
            let named = |outcome: &Outcome| matches!(outcome, Outcome::Bind(_) | Outcome::Born(_));
            if (named(outcome) || named(&variant.outcome)) && *outcome != variant.outcome {
                let error =
                    self.source.error(place.whole.clone(), "the outcomes of the step name different things");
                self.push(error.help(
                    "what `->` names has to be there on every version: write it in each outcome or in none",
                ));
            }
        }
        for (at, one) in variants.iter().enumerate() {
            for (other, place) in variants[at + 1..].iter().zip(&places.variants[at + 1..]) {
                if overlap(one, other) {
                    let error = self
                        .source
                        .error(place.whole.clone(), "two of the step's outcomes hold on the same versions");
                    self.push(error.help("`before` has to end where `since` begins, or earlier"));
                }
            }
        }
    }

    fn check(&mut self, step: &Step, var: &str, outcome: &Outcome, places: &Places) {
        self.variable(var, &places.name);
        let shape = self.variables.get(var).map_or(Shape::Any, |variable| variable.shape);
        let all = std::iter::once((outcome, &places.outcome));
        let variants = step.variants.iter().map(|variant| &variant.outcome).zip(&places.variants);
        for (outcome, place) in all.chain(variants) {
            for (at, message, help) in kinds::comparison(shape, outcome) {
                let error = self.source.error(place.parts.get(at).unwrap_or(&place.whole).clone(), message);
                self.push(if help.is_empty() { error } else { error.help(help) });
            }
            self.outcome_uses(outcome, place);
        }
        self.names_agree(outcome, &step.variants, places);
    }

    fn start(&mut self, name: &str, actor: &str, call: &Call, places: &Places) {
        let place = places.qualifier("starts").unwrap_or_else(|| places.head.clone());
        if self.started.contains_key(name) {
            self.error(place.clone(), format!("a call is already named `{name}`"));
        }
        if life::changes_life(call) {
            let error = self
                .source
                .error(place.clone(), "a call that gives birth or ends an actor cannot be started");
            self.push(error.help("let the step wait for it: take `starts` out and give it an outcome"));
        }
        self.people.start(actor, name);
        let started = Started { place, actor: actor.to_owned(), call: call.clone(), ended: None, lost: None };
        self.started.insert(name.to_owned(), started);
    }

    fn ends(&mut self, step: &Step, name: &str, outcome: &Outcome, places: &Places, after: &mut After) {
        let source = self.source;
        let Some(started) = self.started.get_mut(name) else {
            if !self.certain {
                return;
            }
            let error = source.error(places.name.clone(), format!("no step has started `{}`", shown(name)));
            let names: Vec<&str> = self.started.keys().map(String::as_str).collect();
            let error = error.suggest(name, names);
            return self.push(error);
        };
        let call = started.call.clone();
        let actor = started.actor.clone();
        let problem = match (started.ended, started.lost) {
            (Some(line), _) => Some(format!("`{name}` has ended at line {line}")),
            (_, Some(line)) => Some(format!("`{name}` cannot end: its actor did at line {line}")),
            _ => None,
        };
        started.ended.get_or_insert(source.line(places.head.start));
        if let Some(problem) = problem {
            return self.error(places.name.clone(), problem);
        }
        self.people.finish(&actor);
        self.outcomes(&call, outcome, step, places, after);
    }

    fn together(&mut self, outer: &Step, inner: &[Step], places: &Places, after: &mut After) {
        if !(2..=16).contains(&inner.len()) {
            self.error(
                places.head.clone(),
                format!("`together` has 2 to 16 steps, and here are {}", inner.len()),
            );
        }
        let mut actors: Vec<&str> = Vec::new();
        for (step, place) in inner.iter().zip(&places.inner) {
            let Act::Call { actor, call, outcome } = &step.act else {
                self.error(place.head.clone(), "only calls of actors can be made together");
                continue;
            };
            for (key, place) in place.qualifiers.iter().filter(|(key, _)| *key != "abi") {
                self.error(place.clone(), format!("a step within `together` has no `{key}`"));
            }
            if actors.contains(&actor.as_str()) {
                self.error(place.head.clone(), format!("`{actor}` can do one thing at a time"));
            }
            actors.push(actor);
            self.abi(step, place);
            if outer.times > 1 {
                self.repeatable(call, outcome, "times", place.head.clone());
            }
            self.act(&Step { starts: None, ..step.clone() }, place, after);
        }
    }

    /// What the call does to the actors, if that is certain.
    fn effect(&mut self, actor: &str, call: &Call, outcome: &Outcome, places: &Places) -> Option<Effect> {
        self.targets(call, outcome, places);
        if !life::changes_life(call) || outcome.fails() {
            return None;
        }
        if !outcome.succeeds() {
            let error = self
                .source
                .error(places.outcome.whole.clone(), "this outcome leaves open who is alive afterwards");
            self.push(
                error.help(format!("`{}` either succeeds or fails here: say which", call.op.spec().name)),
            );
            return None;
        }
        let born = match outcome {
            Outcome::Born(name) => Some(name.as_str()),
            _ => None,
        };
        let effect = life::effect(actor, call, born);
        if let Err(why) = self.people.can(&effect) {
            let place = if born.is_some() { places.outcome.parts.first() } else { places.args.first() };
            if self.certain {
                self.error(place.unwrap_or(&places.call).clone(), why);
            }
            return None;
        }
        Some(effect)
    }

    /// The actors that a call is about have to exist, and to live unless the call is to fail.
    fn targets(&mut self, call: &Call, outcome: &Outcome, places: &Places) {
        for (at, (arg, place)) in call.args.iter().zip(&places.args).enumerate() {
            let is_actor =
                call.op.spec().param(at).is_some_and(|param| param.kind == crate::ops::Kind::Actor);
            let may_have_ended = matches!(call.op, Op::Wait | Op::HostStatus);
            if let (true, Expr::Name(name)) = (is_actor, arg) {
                let fails = outcome.fails();
                if let Err(why) = self.people.target(name, may_have_ended || fails) {
                    self.unable(name, why, place.clone());
                }
            }
        }
    }

    fn qualifiers(&mut self, step: &Step, places: &Places) {
        let is_call = matches!(step.act, Act::Call { .. });
        let is_together = matches!(step.act, Act::Together(_));
        for (key, place) in &places.qualifiers {
            let fits = is_call || (is_together && *key == "times");
            if !fits {
                self.error(place.clone(), format!("only the call of an actor can have `{key}`"));
            }
        }
        if !is_call {
            if let (true, Some(place)) = (is_together, places.variants.first()) {
                self.error(place.whole.clone(), "`together` has no outcome of its own");
            }
            return;
        }
        self.abi(step, places);
        self.repetition(step, places);
    }

    fn abi(&mut self, step: &Step, places: &Places) {
        if let (Act::Call { call, .. }, Abi::Compat32) = (&step.act, step.abi)
            && !call.op.is_key_call()
        {
            let place = places.qualifier("abi").unwrap_or_else(|| places.head.clone());
            let error = self.source.error(place, format!("`{}` has no 32-bit form", call.op.spec().name));
            self.push(error.help("`abi` belongs to keyctl, add_key and request_key"));
        }
    }

    /// `within`, `times` and `starts` each repeat or detach a call in their own way.
    fn repetition(&mut self, step: &Step, places: &Places) {
        let Act::Call { call, outcome, .. } = &step.act else { return };
        let have = |key: &str| places.qualifier(key);
        let exclusive: Vec<Range<usize>> =
            ["within", "times", "starts"].iter().filter_map(|key| have(key)).collect();
        if let [_, second, ..] = exclusive.as_slice() {
            self.error(second.clone(), "a step has one of `within`, `times` and `starts`");
        }
        if let (Some(place), Some(_)) = (places.variants.first(), have("starts")) {
            self.error(place.whole.clone(), "a call that a step starts has no outcome yet");
        }
        for key in ["within", "times"] {
            if let Some(place) = have(key) {
                self.repeatable(call, outcome, key, place);
            }
        }
    }

    /// What is made several times must come to the same each time, for the names of a case.
    fn repeatable(&mut self, call: &Call, outcome: &Outcome, key: &str, place: Range<usize>) {
        if life::changes_life(call) && !life::is_exec(call.op) {
            let name = call.op.spec().name;
            self.error(place, format!("`{name}` cannot be made several times, as `{key}` would"));
        } else if key == "times" && matches!(outcome, Outcome::Bind(_)) {
            let error = self.source.error(place, "a variable is bound once, and `times` would bind it again");
            self.push(error.help("write `= ok`"));
        }
    }

    /// Lets what a step has bound and done come into force.
    fn settle(&mut self, after: After) {
        for (name, variable) in after.bound {
            if let Some(earlier) = self.variables.get(&name) {
                let line = self.source.line(earlier.place.start);
                let error = self.source.error(variable.place.clone(), format!("`${name}` is bound already"));
                let error = error.label(format!("first at line {line}")).help("a variable is bound once");
                self.push(error);
            } else {
                self.variables.insert(name, variable);
            }
        }
        for (effect, line) in after.effects {
            self.people.apply(&effect, line);
            for started in self.started.values_mut().filter(|started| started.ended.is_none()) {
                if !self.people.is_alive(&started.actor) {
                    started.lost.get_or_insert(line);
                }
            }
        }
    }

    /// Tells of calls that no step ends; gives the variables and actors that no step uses.
    fn finish(mut self) -> Vec<Diagnostic> {
        let mut unused = Vec::new();
        for (name, variable) in std::mem::take(&mut self.variables) {
            if !variable.used && !self.missed.contains(&name) {
                let error = self.source.error(variable.place, format!("`${name}` is bound and never used"));
                unused.push(error.help("write `= ok` if any success will do"));
            }
        }
        for (name, started) in std::mem::take(&mut self.started) {
            if started.ended.is_none() && started.lost.is_none() {
                let error = self.source.error(started.place, format!("no step ends `{name}`"));
                self.push(error.help(format!("write `- ends: {name} = …` where the call has to be over")));
            }
        }
        for (name, place) in self.people.idle() {
            let error = self.source.error(place, format!("actor `{name}` takes part in no step"));
            unused.push(error.help("take it out"));
        }
        unused
    }

    fn error(&mut self, place: Range<usize>, message: impl AsRef<str>) {
        self.push(self.source.error(place, message));
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        self.problems.push(diagnostic);
    }
}

/// If both outcomes hold on some version.
fn overlap(one: &Variant, other: &Variant) -> bool {
    match (one.bound, other.bound) {
        (Bound::Before, Bound::Since) => one.version > other.version,
        (Bound::Since, Bound::Before) => other.version > one.version,
        // The nearest bound of one kind is meant.
        _ => false,
    }
}

impl Alternative {
    /// The value that the alternative is about; `NULL` where it is about none.
    fn value(&self) -> &Expr {
        match self {
            Alternative::Is(value) => value,
            Alternative::Ok | Alternative::Fails(_) => &Expr::Null,
        }
    }
}

#[cfg(test)]
mod tests;
