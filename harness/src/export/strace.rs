//! A case as strace(1) would show it: of each step the system calls with what they should come to, and, from a record,
//! with what they came to.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::deed::{Deed, Part, Program, SysCall, Word};
use super::names;
use super::paper::Symbol;
use super::script::{Answer, Asked, Read, Script};
use crate::actor::message::How;
use crate::actor::perform::Copy;
use crate::actor::reading::Reading;
use crate::case::{Alternative, Expr, Outcome};
use crate::ops::Gives;
use crate::record::StepRecord;
use crate::value::{Bytes, Errno};

/// Writes the steps down. Of a record those that were played have a second line; the others say so.
pub(super) fn steps(script: &Script, played: Option<&[StepRecord]>) -> String {
    let mut tracer = Tracer { values: BTreeMap::new() };
    let mut text = String::new();
    let mut records = played.unwrap_or_default().iter();
    for line in &script.lines {
        for part in &line.parts {
            let qualifiers = super::head::qualifiers(&line.step);
            let _ = writeln!(text, "{:>4}  {}{qualifiers}", part.line, part.text.replace('\n', " "));
            let expected = tracer.expected(part);
            let _ = writeln!(text, "      expected  {expected}");
            if played.is_none() || part.answer.is_none() {
                continue;
            }
            match records.next() {
                Some(record) => {
                    let seen = tracer.observed(part, record);
                    let mark = if record.met { "" } else { "   <- differs" };
                    let _ = writeln!(text, "      observed  {seen}{mark}");
                }
                None => text += "      observed  nothing: the case had ended\n",
            }
        }
    }
    text
}

struct Tracer {
    /// The values of variables, as a record has them.
    values: BTreeMap<String, String>,
}

/// What a call came to or has to: its result, and what it leaves in its buffer.
struct Came {
    result: String,
    buffer: Option<String>,
}

impl Tracer {
    fn expected(&self, part: &Asked) -> String {
        let Some(answer) = &part.answer else {
            return self.calls(
                part,
                false,
                &Came { result: "?   (goes on in the background)".into(), buffer: None },
            );
        };
        let came = match &answer.outcome {
            Outcome::Bind(name) => match reads_buffer(answer) {
                true => Came { result: "<length>".into(), buffer: Some(format!("<${name}>")) },
                false => Came { result: format!("<${name}>"), buffer: None },
            },
            Outcome::Born(name) => Came { result: format!("<process id of {name}>"), buffer: None },
            Outcome::Not(expr) => {
                let came = came(answer, &expr_text(expr));
                match came.buffer {
                    Some(buffer) => {
                        Came { result: "<length>".into(), buffer: Some(format!("<not {buffer}>")) }
                    }
                    None => Came { result: format!("<not {}>", came.result), buffer: None },
                }
            }
            Outcome::OneOf(alternatives) => {
                let mut each = alternatives.iter().map(|alternative| match alternative {
                    Alternative::Ok => Came { result: "<success>".into(), buffer: None },
                    Alternative::Fails(errno) => Came { result: failure(*errno), buffer: None },
                    Alternative::Is(expr) => came(answer, &expr_text(expr)),
                });
                let mut first = each.next().unwrap_or(Came { result: "?".into(), buffer: None });
                for next in each {
                    first.result = format!("{} or {}", first.result, next.result);
                    first.buffer = first.buffer.or(next.buffer);
                }
                first
            }
        };
        self.calls(part, false, &came)
    }

    fn observed(&mut self, part: &Asked, record: &StepRecord) -> String {
        let Some(answer) = &part.answer else { return String::new() };
        let shown = &record.observed.text;
        if let (Outcome::Bind(name), true) = (&answer.outcome, record.met) {
            self.values.insert(name.clone(), shown.clone());
        }
        let came = match Errno::try_from(shown.clone()) {
            Ok(errno) => Came { result: failure(errno), buffer: None },
            Err(_) if matches!(answer.read, Read::Born) => {
                Came { result: "<process id>".into(), buffer: None }
            }
            Err(_) => came(answer, shown),
        };
        let mut text = self.calls(part, true, &came);
        if let Some((name, _)) = &record.observed.variable {
            let _ = write!(text, "   /* ${name} */");
        }
        text
    }

    /// The calls of a step, the last that counts with this result.
    fn calls(&self, part: &Asked, known: bool, came: &Came) -> String {
        let Some(deed) = &part.deed else {
            return match &part.answer {
                Some(Answer { read: Read::Variable(name), .. }) => {
                    format!("${name} = {}", came.buffer.as_ref().unwrap_or(&came.result))
                }
                _ => format!("{}: <... resumed> = {}", part.actor, came.result),
            };
        };
        let call = match deed {
            Deed::Calls { calls, counts, reading, .. } => {
                let each = calls.iter().enumerate().map(|(at, call)| {
                    let args: Vec<String> = (0..call.args.len())
                        .map(|arg| {
                            self.argument(call, arg, known, came.buffer.as_ref().filter(|_| at == *counts))
                        })
                        .collect();
                    let name = names::call(call).map_or_else(|| format!("syscall_{}", call.number), short);
                    let result = match at == *counts {
                        true if looks_into(reading) => format!("<length>, which holds {}", came.result),
                        true => came.result.clone(),
                        false if at == 0 => "<fd>".into(),
                        false if name == "write" => args.last().cloned().unwrap_or_default(),
                        false => "0".into(),
                    };
                    format!("{name}({}) = {result}", args.join(", "))
                });
                each.collect::<Vec<_>>().join("; ")
            }
            Deed::Birth { how, flags } => {
                let flags = names::clone_flags(*flags).unwrap_or_else(|| format!("{flags:#x}"));
                let flags = flags.replace(" | ", "|");
                let call = match how {
                    How::Clone3 => format!("clone3({{flags={flags}, exit_signal=SIGCHLD}}, 64)"),
                    How::Copy => format!("clone(child_stack=NULL, flags={flags})"),
                    How::Shared => format!("clone(child_stack=<its own>, flags={flags})"),
                };
                format!("{call} = {}", came.result)
            }
            Deed::Execution(program) => {
                let (directory, path, flags) = match program {
                    Program::Own => ("<its own program>", "\"\"".to_owned(), "AT_EMPTY_PATH"),
                    Program::Path(path) => ("AT_FDCWD", format!("\"{}\"", Bytes(path.clone()).escape()), "0"),
                    Program::Copy(copy) => (
                        "AT_FDCWD",
                        match copy {
                            Copy::SetUser(uid) => format!("<a copy, owner {uid}, mode 4755>"),
                            Copy::SetGroup(gid) => format!("<a copy, group {gid}, mode 2755>"),
                            Copy::Capabilities(bits) => format!("<a copy with file capabilities {bits:#x}>"),
                            Copy::Script => "<a script>".into(),
                        },
                        "0",
                    ),
                };
                format!("execveat({directory}, {path}, [...], [], {flags}) = {}", came.result)
            }
            Deed::Exit { reap: true } => "exit(0) = ?".into(),
            Deed::Exit { reap: false } => "exit_group(0) = ?".into(),
            Deed::Signal { target, signal } => format!("kill(<{target}>, {signal}) = {}", came.result),
            Deed::Wait { child } => format!("wait4(<{child}>, NULL, __WALL, NULL) = {}", came.result),
            Deed::Spin(nanoseconds) => format!("<no system call for {} ms>", nanoseconds / 1_000_000),
            Deed::Known(_) => format!("<bytes that the last call has written> = {}", came.result),
        };
        format!("{}: {call}", part.actor)
    }

    fn argument(&self, call: &SysCall, at: usize, known: bool, buffer: Option<&String>) -> String {
        if let Some(name) = names::argument(call, at) {
            return name.replace(" | ", "|");
        }
        match (&call.args[at], buffer) {
            (Word::Out(_), Some(buffer)) => buffer.clone(),
            (word, _) => self.word(word, known),
        }
    }

    fn word(&self, word: &Word, known: bool) -> String {
        let list =
            |words: &[Word]| words.iter().map(|word| self.word(word, known)).collect::<Vec<_>>().join(", ");
        match word {
            Word::Number(number) => number.to_string(),
            Word::Symbol(symbol) => self.symbol(symbol, known),
            Word::Text(parts) => {
                let parts = parts.iter().map(|part| match part {
                    Part::Bytes(bytes) => Bytes(bytes.clone()).escape(),
                    Part::Decimal(symbol) | Part::Hexadecimal(symbol) => self.symbol(symbol, known),
                });
                format!("\"{}\"", parts.collect::<String>())
            }
            Word::Filled(size) => format!("\"aaaa\"... /* {size} times */"),
            Word::Words32(words) | Word::Words64(words) => format!("[{}]", list(words)),
            Word::Out(size) => format!("<buffer of {size}>"),
            Word::Result(_) => "<fd>".into(),
        }
    }

    fn symbol(&self, symbol: &Symbol, known: bool) -> String {
        match symbol {
            Symbol::Variable(name) => match self.values.get(name).filter(|_| known) {
                Some(value) => value.clone(),
                None => format!("${name}"),
            },
            Symbol::Process(actor) => format!("<{actor}>"),
            Symbol::Touched(actor) => format!("<written by {actor}>"),
            Symbol::Special(name, _) => names::special(name).into(),
            Symbol::Turn => "<number>".into(),
        }
    }
}

/// A call's name without what libc puts before it.
fn short(name: &str) -> String {
    match name.strip_prefix("SYS32_") {
        Some(name) => format!("{name}@int80"),
        None => name.trim_start_matches("SYS_").to_owned(),
    }
}

fn failure(errno: Errno) -> String {
    format!("-1 {errno} ({})", nix::errno::Errno::from_raw(errno.0).desc())
}

/// If what is looked at is in the buffer, where strace shows it.
fn reads_buffer(answer: &Answer) -> bool {
    matches!(answer.read, Read::As(Reading::Text | Reading::Bytes))
}

/// If what is looked at is found somewhere in what was read.
fn looks_into(reading: &Reading) -> bool {
    matches!(
        reading,
        Reading::Line(_)
            | Reading::Field(_)
            | Reading::Ascending
            | Reading::Spelled
            | Reading::Words
            | Reading::Word(_)
            | Reading::Bit(_)
            | Reading::Mode
            | Reading::Effective(_)
    )
}

/// A value where strace shows it.
fn came(answer: &Answer, value: &str) -> Came {
    match reads_buffer(answer) {
        true => Came { result: length(answer, value), buffer: Some(value.to_owned()) },
        false => Came { result: value.to_owned(), buffer: None },
    }
}

/// What a call returns that leaves this in its buffer.
fn length(answer: &Answer, value: &str) -> String {
    if let Some(members) = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        return (members.split(',').filter(|member| !member.trim().is_empty()).count() * 4).to_string();
    }
    let text = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match text.and_then(|text| Bytes::unescape(text).ok()) {
        Some(_) if answer.gives == Gives::Description && value.contains('*') => "<length>".into(),
        Some(bytes) => {
            let nul = usize::from(matches!(answer.read, Read::As(Reading::Text)));
            (bytes.0.len() + nul).to_string()
        }
        None => "<length>".into(),
    }
}

fn expr_text(expr: &Expr) -> String {
    match expr {
        Expr::Null => "NULL".into(),
        Expr::BadPointer => "0x8".into(),
        Expr::Number(number) => number.to_string(),
        Expr::Text(bytes) => bytes.to_string(),
        Expr::Filled(size) => format!("<{size} times a>"),
        Expr::Numbered(bytes) => format!("{bytes}<number>"),
        Expr::Words(parts) => parts.iter().map(expr_text).collect::<Vec<_>>().join(" "),
        Expr::Buffer(size) => format!("<buffer of {size}>"),
        Expr::Var(name) => format!("${name}"),
        Expr::Set(members) => format!("{{{}}}", members.iter().map(expr_text).collect::<Vec<_>>().join(", ")),
        Expr::Name(name) => name.clone(),
        Expr::Errno(errno) => errno.0.to_string(),
    }
}
