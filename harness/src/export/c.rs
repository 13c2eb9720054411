//! A case in C: its actors and its steps, one line for what is asked and one for what is expected. What does the
//! asking is the [`super::runtime`].

use std::collections::BTreeMap;
use std::fmt::Write;

use super::deed::{Deed, Part, Program, SysCall, Word};
use super::paper::Symbol;
use super::script::{Answer, Asked, Line, Script};
use super::{Refusal, cast, names};
use crate::actor::message::How;
use crate::actor::perform::Copy;
use crate::case::{Act, Outcome};
use crate::ops::Gives;
use crate::plan::Plan;

/// The longest line before it is broken.
pub(super) const WIDTH: usize = 110;

/// The case's part of a program.
#[derive(Clone, Debug)]
pub(super) struct Own {
    pub(super) sizes: Sizes,
    /// Constants of linux/keyctl.h.
    pub(super) constants: BTreeMap<String, i64>,
    /// The actors and the steps.
    pub(super) text: String,
    /// Words that choose chunks of the runtime and stand nowhere.
    pub(super) hints: Vec<&'static str>,
}

/// What the runtime has to have room for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Actors before the first step.
    pub(super) cast: usize,
    /// Actors in all.
    pub(super) actors: usize,
    pub(super) variables: usize,
    /// Bytes that texts and buffers take.
    pub(super) arena: usize,
    /// How long a call may take, and all of the case, in nanoseconds.
    pub(super) call: u128,
    pub(super) case: u128,
}

/// Writes the case's part.
pub(super) fn own(plan: &Plan, script: &Script) -> Result<Own, Refusal> {
    let mut writer =
        Writer { script, identifiers: cast::identifiers(plan, script), constants: BTreeMap::new() };
    let mut text = writer.cast(plan)?;
    text += "static void play(void)\n{\n";
    text += &writer.declarations(plan)?;
    for line in &script.lines {
        text += &writer.line(line)?;
    }
    text += "}\n";
    let nested = plan.actors.iter().any(|actor| actor.userns.is_some());
    let hints = [
        (plan.stage.proc, "with_proc"),
        (plan.stage.files, "with_files"),
        (nested, "nested"),
        (plan.stage.initial_user, "initial_user"),
        (plan.stage.initial_pid, "initial_pid"),
        (super::starts_programs(plan), "upcalls"),
    ];
    let hints = hints.into_iter().filter(|(wanted, _)| *wanted).map(|(_, hint)| hint).collect();
    let sizes = Sizes {
        cast: plan.actors.len(),
        actors: plan.actors.len() + script.born.len(),
        variables: script.variables.len(),
        arena: arena(script.room),
        call: plan.step_limit.as_nanos(),
        case: plan.limit.as_nanos(),
    };
    Ok(Own { sizes, constants: writer.constants, text, hints })
}

impl From<std::fmt::Error> for Refusal {
    fn from(_: std::fmt::Error) -> Refusal {
        Refusal("it cannot be written".into())
    }
}

/// In whole pages, and something for what the runtime itself places.
fn arena(room: usize) -> usize {
    (room + (2 << 20)).next_multiple_of(4096)
}

pub(super) struct Writer<'a> {
    pub(super) script: &'a Script,
    identifiers: BTreeMap<String, String>,
    constants: BTreeMap<String, i64>,
}

impl Writer<'_> {
    pub(super) fn actor(&self, name: &str) -> String {
        self.identifiers.get(name).cloned().unwrap_or_else(|| name.to_owned())
    }

    pub(super) fn variable(&self, name: &str) -> String {
        self.actor(&format!("${name}"))
    }

    fn line(&mut self, line: &Line) -> Result<String, Refusal> {
        let step = &line.step;
        let mut text = String::from("\n");
        let mut indent = "\t".to_owned();
        let mut heads = Vec::new();
        if step.times > 1 {
            heads.push(format!("times({})", step.times));
        }
        if let Some(within) = step.within {
            heads.push(format!("within({})", within.as_millis()));
        }
        let together = matches!(step.act, Act::Together(_));
        let braces = !heads.is_empty();
        if together {
            writeln!(text, "\t// {}: together:", step.line)?;
        } else if let Some(part) = line.parts.first() {
            writeln!(text, "\t{}", comment(part))?;
        }
        if braces {
            writeln!(text, "\t{} {{", heads.join(" "))?;
            indent.push('\t');
        }
        if together {
            writeln!(text, "{indent}together();")?;
            for part in &line.parts {
                writeln!(text, "{indent}{}", comment(part))?;
                self.deed(&mut text, &indent, part)?;
            }
            for part in &line.parts {
                self.answer(&mut text, &indent, part)?;
            }
        } else {
            for part in &line.parts {
                self.deed(&mut text, &indent, part)?;
                self.answer(&mut text, &indent, part)?;
            }
        }
        if braces {
            text += "\t}\n";
        }
        Ok(text)
    }

    fn deed(&mut self, text: &mut String, indent: &str, part: &Asked) -> Result<(), Refusal> {
        let Some(deed) = &part.deed else { return Ok(()) };
        let who = self.actor(&part.actor);
        if part.moves {
            writeln!(text, "{indent}moves_children({who});")?;
        }
        match deed {
            Deed::Calls { calls, counts, .. } => {
                let read = calls.iter().any(|call| call.drain);
                if !read && counts + 1 != calls.len() {
                    return Err(Refusal("of several calls it is not the last whose result counts".into()));
                }
                self.calls(text, indent, &who, calls)?;
            }
            Deed::Birth { how, flags } => {
                let child = match &part.answer {
                    Some(Answer { outcome: Outcome::Born(child), .. }) => self.actor(child),
                    _ => return Err(Refusal("a birth without a name".into())),
                };
                let kind = match how {
                    How::Copy => "COPY",
                    How::Clone3 => "CLONE3",
                    How::Shared => "SHARED",
                };
                let flags = names::clone_flags(*flags).unwrap_or_else(|| format!("{flags:#x}"));
                writeln!(text, "{indent}birth({who}, {child}, {kind}, {flags});")?;
            }
            Deed::Execution(program) => {
                let call = match program {
                    Program::Own => format!("exec_self({who})"),
                    Program::Path(path) => format!("execute({who}, AT_FDCWD, {})", literal(path)),
                    Program::Copy(Copy::SetUser(uid)) => format!("exec_setuid({who}, {uid})"),
                    Program::Copy(Copy::SetGroup(gid)) => format!("exec_setgid({who}, {gid})"),
                    Program::Copy(Copy::Capabilities(bits)) => format!("exec_filecaps({who}, {bits:#x})"),
                    Program::Copy(Copy::Script) => format!("exec_script({who})"),
                };
                writeln!(text, "{indent}{call};")?;
            }
            Deed::Exit { reap: true } => writeln!(text, "{indent}leave({who});")?,
            Deed::Exit { reap: false } => writeln!(text, "{indent}leave_zombie({who});")?,
            Deed::Signal { target, signal } => {
                let target = self.actor(target);
                let deadly =
                    [libc::SIGKILL, libc::SIGTERM].iter().any(|deadly| i64::from(*deadly) == *signal);
                let name = crate::value::CONSTANTS
                    .iter()
                    .find(|(name, number)| name.starts_with("SIG") && number == signal)
                    .map_or_else(|| signal.to_string(), |(name, _)| (*name).to_owned());
                match deadly {
                    true => writeln!(text, "{indent}murder({who}, {target}, {name});")?,
                    false => writeln!(text, "{indent}call({who}, SYS_kill, PID({target}), {name});")?,
                }
            }
            Deed::Wait { child } => writeln!(text, "{indent}reap({who}, {});", self.actor(child))?,
            Deed::Spin(nanoseconds) => writeln!(text, "{indent}spin({who}, {});", nanoseconds / 1_000_000)?,
            Deed::Known(word) => {
                let word = self.word(word)?;
                writeln!(text, "{indent}note(\"{word}\", {word});")?;
            }
        }
        Ok(())
    }

    fn calls(
        &mut self,
        text: &mut String,
        indent: &str,
        who: &str,
        calls: &[SysCall],
    ) -> Result<(), Refusal> {
        if let Some(call) = calls.iter().find(|call| call.drain) {
            // A file that is read to its end is one line.
            let opened = calls.first().filter(|call| names::call(call) == Some("SYS_openat"));
            match (opened.and_then(|call| call.args.get(1)), call.args.first()) {
                (Some(path), _) => writeln!(text, "{indent}slurp({who}, {});", self.word(path)?)?,
                (None, Some(fd)) => writeln!(text, "{indent}slurp_fd({who}, {});", self.word(fd)?)?,
                _ => return Err(Refusal("it reads nobody knows what".into())),
            }
            return Ok(());
        }
        for (at, call) in calls.iter().enumerate() {
            let mut words = vec![
                who.to_owned(),
                names::call(call).map_or_else(|| call.number.to_string(), str::to_owned),
            ];
            for at in 0..call.args.len() {
                words.push(match names::argument(call, at) {
                    Some(name) => {
                        if let (true, Some(Word::Number(number))) =
                            (name.starts_with("KEYCTL_"), call.args.get(at))
                        {
                            self.constants.insert(name.clone(), *number);
                        }
                        name
                    }
                    None => self.argument(who, &call.args[at])?,
                });
            }
            let verb = match (at, call.compat) {
                (0, false) => "call",
                (0, true) => "call32",
                _ => "then",
            };
            writeln!(text, "{indent}{verb}({});", words.join(", "))?;
        }
        Ok(())
    }

    fn argument(&mut self, who: &str, word: &Word) -> Result<String, Refusal> {
        Ok(match word {
            Word::Result(call) => format!("RESULT({who}, {call})"),
            word => self.word(word)?,
        })
    }

    pub(super) fn word(&mut self, word: &Word) -> Result<String, Refusal> {
        Ok(match word {
            Word::Number(number) if *number == i64::MIN => "(-0x7fffffffffffffffL - 1)".into(),
            Word::Number(number) if i32::try_from(*number).is_ok() => number.to_string(),
            Word::Number(number) if *number > 0 => format!("{number:#x}"),
            Word::Number(number) => format!("{number}L"),
            Word::Symbol(symbol) => self.symbol(symbol),
            Word::Text(parts) => match parts.as_slice() {
                [] => "S(\"\")".into(),
                [Part::Bytes(bytes)] => format!("S({})", literal(bytes)),
                [Part::Bytes(bytes), Part::Decimal(Symbol::Turn)] => format!("N({})", literal(bytes)),
                parts => format!("F({})", self.format(parts)),
            },
            Word::Filled(size) => format!("A({size})"),
            Word::Words32(words) => format!("W32({})", self.words(words)?),
            Word::Words64(words) => format!("W64({})", self.words(words)?),
            Word::Out(size) => format!("OUT({size})"),
            Word::Result(_) => return Err(Refusal("a structure holds the result of a call".into())),
        })
    }

    fn words(&mut self, words: &[Word]) -> Result<String, Refusal> {
        let words = words.iter().map(|word| self.word(word)).collect::<Result<Vec<_>, _>>()?;
        Ok(words.iter().map(|word| word.as_str()).collect::<Vec<_>>().join(", "))
    }

    /// A format of printf(3) and its arguments.
    pub(super) fn format(&mut self, parts: &[Part]) -> String {
        let mut format = String::new();
        let mut arguments = String::new();
        for part in parts {
            let (letter, symbol) = match part {
                Part::Bytes(bytes) => {
                    format += &escaped(bytes).replace('%', "%%");
                    continue;
                }
                Part::Decimal(symbol) => ("%ld", symbol),
                Part::Hexadecimal(symbol) => ("%08lx", symbol),
            };
            format += letter;
            arguments += ", ";
            arguments += &self.symbol(symbol);
        }
        format!("\"{format}\"{arguments}")
    }

    fn symbol(&mut self, symbol: &Symbol) -> String {
        match symbol {
            Symbol::Variable(name) => self.variable(name),
            Symbol::Process(actor) => format!("PID({})", self.actor(actor)),
            Symbol::Touched(actor) => format!("TOUCHED({})", self.actor(actor)),
            Symbol::Special(name, number) => {
                let name = names::special(name);
                self.constants.insert(name.into(), *number);
                name.into()
            }
            Symbol::Turn => "(long)repetition".into(),
        }
    }
}

/// If results of this kind are bytes and not numbers.
pub(super) fn is_bytes(gives: Gives) -> bool {
    matches!(gives, Gives::Text | Gives::Content | Gives::Description | Gives::Line)
}

fn comment(part: &Asked) -> String {
    // A backslash at the end would take the next line into the comment.
    let text = part.text.replace('\n', " ");
    let end = if text.ends_with('\\') { " ." } else { "" };
    format!("// {}: {text}{end}", part.line)
}

/// A string literal of C.
pub(super) fn literal(bytes: &[u8]) -> String {
    format!("\"{}\"", escaped(bytes))
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        match byte {
            b'"' => text += "\\\"",
            b'\\' => text += "\\\\",
            b'\n' => text += "\\n",
            b'\t' => text += "\\t",
            // Two of them begin a trigraph.
            b'?' if text.ends_with('?') => text += "\\?",
            b' '..=b'~' => text.push(char::from(*byte)),
            // Three octal digits end by themselves, whatever follows.
            _ => text += &format!("\\{byte:03o}"),
        }
    }
    text
}
