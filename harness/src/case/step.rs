//! One step of a file: its keys, its text, and the places of its parts.
//!
//! The grammar of the text is `call`'s; if the step makes sense where it stands is `check`'s.

use std::ops::Range;
use std::time::Duration;

use super::call::{self, Fault, NAME_RULE, OutcomePart, is_name};
use super::diagnostic::{Diagnostic, Problems, Source, shown};
use super::table::{Substitution, Text};
use super::yaml::{Data, Key, Node};
use super::{Abi, Act, Alternative, Bound, Call, Outcome, Step, Variant, Version, limits};

/// The keys that qualify a step, beside `before X.Y` and `since X.Y`.
pub const QUALIFIERS: &[&str] = &["within", "starts", "times", "abi"];

/// Words that name no actor because they are keys of a step.
pub const RESERVED: &[&str] =
    &["check", "together", "ends", "within", "starts", "times", "abi", "before", "since", "ok"];

/// If a word can name an actor; if not, the rule that it breaks.
pub fn can_name_actor(word: &str) -> Result<(), &'static str> {
    if !is_name(word) {
        return Err(NAME_RULE);
    }
    if RESERVED.contains(&word) {
        return Err("the word has a meaning of its own in a step");
    }
    Ok(())
}

/// Where the parts of a step stand in the file.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// The key that the step goes by: an actor, `check`, `ends`, `together`.
    pub head: Range<usize>,
    /// The variable of a check, the name of a call that ends, the operation of a call.
    pub name: Range<usize>,
    /// The call, from its operation to the closing parenthesis.
    pub call: Range<usize>,
    /// The arguments of a call.
    pub args: Vec<Range<usize>>,
    /// The outcome.
    pub outcome: OutcomePlaces,
    /// The outcomes of the variants, in their order.
    pub variants: Vec<OutcomePlaces>,
    /// The keys that qualify the step.
    pub qualifiers: Vec<(&'static str, Range<usize>)>,
    /// The steps inside.
    pub inner: Vec<Places>,
}

/// Where the parts of an outcome stand in the file.
#[derive(Clone, Debug, Default)]
pub struct OutcomePlaces {
    /// The whole.
    pub whole: Range<usize>,
    /// Its alternatives, or its one name or value.
    pub parts: Vec<Range<usize>>,
}

impl Places {
    /// Where a qualifier stands, if the step has it.
    pub fn qualifier(&self, name: &str) -> Option<Range<usize>> {
        self.qualifiers.iter().find(|(known, _)| *known == name).map(|(_, place)| place.clone())
    }
}

/// Reads the steps of one row.
pub struct Reader<'s, 'r, 'p> {
    /// The file.
    pub source: &'s Source,
    /// The row's texts.
    pub substitution: Substitution<'r>,
    /// The row's name, for messages.
    pub row: Option<&'r str>,
    /// What is wrong.
    pub problems: &'p mut Problems,
}

/// The keys of a step by what they are.
#[derive(Default)]
struct Keys<'n> {
    heads: Vec<(&'n Key, &'n Node)>,
    qualifiers: Vec<(&'static str, &'n Key, &'n Node)>,
    variants: Vec<(Bound, Version, &'n Key, &'n Node)>,
}

impl Reader<'_, '_, '_> {
    /// Reads a step; what is wrong with it goes to the problems.
    pub fn step(&mut self, node: &Node) -> Option<(Step, Places)> {
        let keys = self.keys(node)?;
        let (head, value) = self.head(node, &keys)?;
        let mut places = Places { head: head.place.clone(), ..Places::default() };
        let started = keys.qualifiers.iter().any(|(name, ..)| *name == "starts");
        let act = self.act(head, value, started, &mut places);
        let mut step = Step {
            line: self.source.line(head.place.start) as u32,
            text: String::new(),
            act: Act::Together(Vec::new()),
            within: None,
            starts: None,
            times: 1,
            abi: Abi::Native,
            variants: Vec::new(),
        };
        for (name, key, value) in &keys.qualifiers {
            places.qualifiers.push((name, key.place.clone()));
            self.qualifier(name, value, &mut step);
        }
        let checked = head.name == "check";
        for (bound, version, _, value) in &keys.variants {
            if let Some((outcome, place)) = self.variant(checked, value, act.as_ref()) {
                step.variants.push(Variant { bound: *bound, version: *version, outcome });
                places.variants.push(place);
            }
        }
        let (act, text) = act?;
        step.text = format!("{}: {text}", head.name);
        step.act = act;
        Some((step, places))
    }

    fn keys<'n>(&mut self, node: &'n Node) -> Option<Keys<'n>> {
        let Data::Map(entries) = &node.data else {
            let message = format!("a step is a map, and here is {}", node.kind());
            self.error(node.place.clone(), message, |error| {
                error.help("a step reads `- actor: operation(arguments) outcome`")
            });
            return None;
        };
        let mut keys = Keys::default();
        for (key, value) in entries {
            if let Some(name) = QUALIFIERS.iter().find(|name| **name == key.name) {
                keys.qualifiers.push((name, key, value));
            } else if let Some((bound, version)) = split_bound(&key.name) {
                match strict_version(version) {
                    Some(version) => keys.variants.push((bound, version, key, value)),
                    None => self.error(
                        key.place.clone(),
                        format!("`{}` names no version", shown(&key.name)),
                        |e| e.help("write `before X.Y` or `since X.Y`, such as `before 5.3`"),
                    ),
                }
            } else {
                keys.heads.push((key, value));
            }
        }
        Some(keys)
    }

    /// The key that says what the step does. Any further one is a key that a step does not have.
    fn head<'n>(&mut self, node: &Node, keys: &Keys<'n>) -> Option<(&'n Key, &'n Node)> {
        let Some(first) = keys.heads.first() else {
            self.error(node.place.clone(), "the step does nothing", |error| {
                error.help("a step names an actor, or has `check`, `together` or `ends`")
            });
            return None;
        };
        let misspelt =
            |key: &Key| super::diagnostic::did_you_mean(&key.name, QUALIFIERS.iter().copied()).is_some();
        let chosen = *keys.heads.iter().find(|(key, _)| !misspelt(key)).unwrap_or(first);
        for (key, _) in keys.heads.iter().filter(|(key, _)| key.place != chosen.0.place) {
            let message =
                format!("a step has no key `{}` beside `{}`", shown(&key.name), shown(&chosen.0.name));
            self.error(key.place.clone(), message, |error| {
                let suggested = error.suggest(&key.name, QUALIFIERS.iter().copied());
                if suggested.help.is_some() {
                    suggested
                } else {
                    suggested.help("a step has one act: begin the next one with `- `")
                }
            });
        }
        Some(chosen)
    }

    fn act(&mut self, head: &Key, value: &Node, started: bool, places: &mut Places) -> Option<(Act, String)> {
        match head.name.as_str() {
            "together" => self.together(value, places),
            "check" => {
                let text = self.text(value)?;
                let line = self.grammar(&text, call::check(&text.text))?;
                places.name = text.place(self.source, &line.name.span);
                places.outcome = self.outcome_places(&text, &line.outcome);
                Some((Act::Check { var: line.name.value, outcome: line.outcome.value }, text.text))
            }
            "ends" => {
                let text = self.text(value)?;
                let line = self.grammar(&text, call::ends(&text.text))?;
                places.name = text.place(self.source, &line.name.span);
                places.outcome = self.outcome_places(&text, &line.outcome);
                Some((Act::Ends { name: line.name.value, outcome: line.outcome.value }, text.text))
            }
            actor => self.call(actor, head, value, started, places),
        }
    }

    fn call(
        &mut self,
        actor: &str,
        head: &Key,
        value: &Node,
        started: bool,
        places: &mut Places,
    ) -> Option<(Act, String)> {
        if let Err(rule) = can_name_actor(actor) {
            let message = format!("`{}` cannot name an actor", shown(actor));
            self.error(head.place.clone(), message, |error| {
                let suggested = error.suggest(actor, ["check", "together", "ends"]);
                if suggested.help.is_some() { suggested } else { suggested.help(rule) }
            });
            return None;
        }
        let text = self.text(value)?;
        let line = self.grammar(&text, call::call(&text.text))?;
        places.name = text.place(self.source, &line.op.span);
        places.call = text.place(self.source, &line.span);
        places.args = line.args.iter().map(|arg| text.place(self.source, &arg.span)).collect();
        let outcome = match (line.outcome, started) {
            (Some(outcome), false) => outcome,
            (None, true) => ok_at(line.span.clone()),
            (None, false) => {
                self.error(places.call.clone(), "the call has no outcome", |error| {
                    error
                        .label("followed by nothing")
                        .help("every call says what it comes to; `= ok` means any success")
                });
                return None;
            }
            (Some(outcome), true) => {
                self.error(
                    text.place(self.source, &outcome.span),
                    "a call that a step starts has no outcome yet",
                    |e| e.help("put the outcome into the step that ends the call: `- ends: NAME outcome`"),
                );
                return None;
            }
        };
        places.outcome = self.outcome_places(&text, &outcome);
        let call = Call { op: line.op.value, args: line.args.into_iter().map(|arg| arg.value).collect() };
        Some((Act::Call { actor: actor.to_owned(), call, outcome: outcome.value }, text.text))
    }

    fn together(&mut self, value: &Node, places: &mut Places) -> Option<(Act, String)> {
        let Data::List(items) = &value.data else {
            let message = format!("`together` has a list of steps, and here is {}", value.kind());
            self.error(value.place.clone(), message, |error| error);
            return None;
        };
        // Without this bound a nest of lists would be read before it is refused.
        if items.len() > limits::STEPS {
            self.error(value.place.clone(), format!("a case has up to {} steps", limits::STEPS), |error| {
                error
            });
            return None;
        }
        // Each is read, so that the errors of all are told.
        let read: Vec<_> = items.iter().map(|item| self.step(item)).collect();
        let (steps, inner): (Vec<Step>, Vec<Places>) =
            read.into_iter().collect::<Option<Vec<_>>>()?.into_iter().unzip();
        places.inner = inner;
        let text = steps.iter().map(|step| step.text.as_str()).collect::<Vec<_>>().join("; ");
        Some((Act::Together(steps), text))
    }

    fn variant(
        &mut self,
        checked: bool,
        value: &Node,
        act: Option<&(Act, String)>,
    ) -> Option<(Outcome, OutcomePlaces)> {
        let text = self.text(value)?;
        let outcome = if checked {
            let line = self.grammar(&text, call::check(&text.text))?;
            if let Some((Act::Check { var, .. }, _)) = act
                && *var != line.name.value
            {
                let place = text.place(self.source, &line.name.span);
                let message = format!("both forms of a check are about one variable, here `${var}`");
                self.error(place, message, |error| error);
            }
            line.outcome
        } else {
            self.grammar(&text, call::outcome(&text.text))?
        };
        let places = self.outcome_places(&text, &outcome);
        Some((outcome.value, places))
    }

    fn qualifier(&mut self, name: &str, value: &Node, step: &mut Step) {
        let Some(text) = self.text(value) else { return };
        let word = text.text.as_str();
        let wrong = match name {
            "within" => match duration(word) {
                Some(duration) => {
                    step.within = Some(duration);
                    return;
                }
                None => format!("write a time such as 5s or 500ms, {} s at most", limits::WITHIN.as_secs()),
            },
            "times" => match word.parse() {
                Ok(times) if (1..=limits::TIMES).contains(&times) => {
                    step.times = times;
                    return;
                }
                _ => format!("write a number from 1 to {}", limits::TIMES),
            },
            "abi" if word == "compat32" => {
                step.abi = Abi::Compat32;
                return;
            }
            "abi" => "there is `compat32`; leave `abi` out for the native entry".to_owned(),
            _ if is_name(word) => {
                step.starts = Some(word.to_owned());
                return;
            }
            _ => NAME_RULE.to_owned(),
        };
        let message = format!("`{}` does not fit `{name}`", shown(word));
        self.error(value.place.clone(), message, |error| error.help(wrong));
    }

    /// The text of a scalar, substitutions made.
    fn text<'n>(&mut self, node: &'n Node) -> Option<Text<'n>> {
        let text = match &node.data {
            Data::Scalar(scalar) if !scalar.is_null() => &scalar.text,
            _ => {
                let message = format!("a text belongs here, and here is {}", node.kind());
                self.error(node.place.clone(), message, |error| {
                    error.help("if the text holds `: ` or begins with `{` or `[`, put it in single quotes")
                });
                return None;
            }
        };
        match self.substitution.apply(self.source, node, text) {
            Ok(text) => Some(text),
            Err(diagnostic) => {
                self.problems.push(*diagnostic);
                None
            }
        }
    }

    /// Takes what the grammar made of a text, or tells its fault.
    fn grammar<T>(&mut self, text: &Text<'_>, read: Result<T, Fault>) -> Option<T> {
        let fault = match read {
            Ok(read) => return Some(read),
            Err(fault) => fault,
        };
        let place = text.place(self.source, &fault.span);
        let label = match self.row.filter(|_| text.is_substituted(&fault.span)) {
            Some(row) => {
                format!("{} (row `{row}`: `{}`)", fault.label, shown(&text.text[fault.span.clone()]))
            }
            None => fault.label,
        };
        let cut = fault.span.end >= text.text.trim_end().len() && self.is_cut_by_comment(text.node());
        self.error(place, fault.message, |error| {
            let error = error.label(label.trim());
            match fault.help {
                _ if cut => {
                    error.help("` #` begins a comment: put all that follows the first `: ` in single quotes")
                }
                Some(help) => error.help(help),
                None => error,
            }
        });
        None
    }

    fn is_cut_by_comment(&self, node: &Node) -> bool {
        let end = node.place.end;
        let line = self.source.line_range(end);
        let plain = matches!(&node.data, Data::Scalar(scalar) if scalar.is_plain());
        plain && end <= line.end && self.source.text[end..line.end].trim_start().starts_with('#')
    }

    fn outcome_places(&self, text: &Text<'_>, outcome: &OutcomePart) -> OutcomePlaces {
        OutcomePlaces {
            whole: text.place(self.source, &outcome.span),
            parts: outcome.parts.iter().map(|part| text.place(self.source, part)).collect(),
        }
    }

    fn error(
        &mut self,
        place: Range<usize>,
        message: impl AsRef<str>,
        add: impl FnOnce(Diagnostic) -> Diagnostic,
    ) {
        self.problems.push(add(self.source.error(place, message)));
    }
}

/// The outcome of a call that goes on: nothing is known yet.
fn ok_at(span: Range<usize>) -> OutcomePart {
    OutcomePart { value: Outcome::OneOf(vec![Alternative::Ok]), parts: vec![span.clone()], span }
}

fn split_bound(key: &str) -> Option<(Bound, &str)> {
    let (word, version) = key.split_once(' ').unwrap_or((key, ""));
    match word {
        "before" => Some((Bound::Before, version)),
        "since" => Some((Bound::Since, version)),
        _ => None,
    }
}

/// `X.Y` and nothing else.
fn strict_version(text: &str) -> Option<Version> {
    Version::parse(text).filter(|version| version.to_string() == text)
}

/// A time as cases write it: `500ms` or `5s`.
pub fn duration(text: &str) -> Option<Duration> {
    let duration = if let Some(number) = text.strip_suffix("ms") {
        Duration::from_millis(whole(number)?)
    } else {
        Duration::from_secs(whole(text.strip_suffix('s')?)?)
    };
    (!duration.is_zero() && duration <= limits::WITHIN).then_some(duration)
}

fn whole(digits: &str) -> Option<u64> {
    digits.chars().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
}
