//! What a step asks of an actor, in system calls whose arguments have names again: made from the requests of
//! [`crate::actor::perform`], and written down by `c` and `strace`.

use super::paper::{Paper, Symbol};
use crate::actor::message::{CallWords, How, Kind, Request};
use crate::actor::perform::{Copy, Work};
use crate::actor::reading::Reading;
use crate::judge::Observed;
use crate::value::Value;

/// What an actor is asked to do.
#[derive(Clone, Debug)]
pub(super) enum Deed {
    /// System calls, one after the other unless one fails. The first result that is not the last's counts by its
    /// place.
    Calls { calls: Vec<SysCall>, counts: usize, reading: Reading, out: usize },
    /// A child is born.
    Birth { how: How, flags: i64 },
    /// The program, a copy of it or the file at a path is executed.
    Execution(Program),
    /// The actor ends; its process is reaped or stays a zombie.
    Exit { reap: bool },
    /// A signal to an actor.
    Signal { target: String, signal: i64 },
    /// A wait for a child.
    Wait { child: String },
    /// So many nanoseconds without a system call.
    Spin(i64),
    /// Nothing: the value is known.
    Known(Word),
}

/// What is executed.
#[derive(Clone, Debug)]
pub(super) enum Program {
    Own,
    Copy(Copy),
    Path(Vec<u8>),
}

/// A system call.
#[derive(Clone, Debug)]
pub(super) struct SysCall {
    pub(super) number: i64,
    pub(super) compat: bool,
    /// It is repeated until nothing comes.
    pub(super) drain: bool,
    pub(super) args: Vec<Word>,
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Word {
    Number(i64),
    Symbol(Symbol),
    /// A text, with a NUL behind it.
    Text(Vec<Part>),
    /// So many times the letter a, with a NUL behind it.
    Filled(usize),
    /// Numbers of four bytes.
    Words32(Vec<Word>),
    /// Numbers of eight bytes, or addresses.
    Words64(Vec<Word>),
    /// The output buffer.
    Out(usize),
    /// The result of an earlier call.
    Result(usize),
}

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    Bytes(Vec<u8>),
    Decimal(Symbol),
    Hexadecimal(Symbol),
}

impl Deed {
    /// What is left of the work of an operation on paper; `Err` says why it cannot be written down.
    pub(super) fn of(work: Work, paper: &Paper) -> Result<Deed, String> {
        Ok(match work {
            Work::Ask(request, reading) if request.kind() == Kind::Calls => Deed::Calls {
                calls: (0..request.calls().len())
                    .map(|at| syscall(at, &request, paper))
                    .collect::<Result<_, _>>()?,
                counts: request.counts(),
                out: request.out_size(),
                reading,
            },
            Work::Ask(request, _) if request.kind() == Kind::Spin => {
                Deed::Spin(request.calls().first().map_or(0, |call| call.args[0] as i64))
            }
            Work::Birth { how, flags } => Deed::Birth { how, flags },
            Work::Exec(request) => Deed::Execution(match (&paper.copy, request.pieces().first()) {
                (Some(copy), _) => Program::Copy(copy.clone()),
                (None, Some(path)) if !path.range.is_empty() => {
                    Program::Path(request.image()[path.range.clone()].to_vec())
                }
                _ => Program::Own,
            }),
            Work::Exit { reap } => Deed::Exit { reap },
            Work::Signal(request, target) => {
                Deed::Signal { target, signal: request.calls().first().map_or(0, |call| call.args[1] as i64) }
            }
            Work::Wait(_, child) => Deed::Wait { child },
            Work::Known(Observed::Value(Value::Number(number))) => Deed::Known(number_word(number, paper)),
            Work::Ask(..) | Work::Host(_) => return Err("it runs a program of the machine's".into()),
            Work::Known(_) => return Err("it compares what a program of the machine's has printed".into()),
        })
    }
}

fn syscall(at: usize, request: &Request, paper: &Paper) -> Result<SysCall, String> {
    let call: &CallWords = &request.calls()[at];
    let args = (0..request.given(at)).map(|at| {
        let (bit, word) = (1 << at, call.args[at]);
        if call.image & bit != 0 {
            piece(word as usize, request, paper)
        } else if call.out & bit != 0 {
            Ok(Word::Out(request.out_size()))
        } else if call.result & bit != 0 {
            Ok(Word::Result(word as usize))
        } else {
            Ok(number_word(word as i64, paper))
        }
    });
    Ok(SysCall {
        number: call.number as i64,
        compat: call.compat != 0,
        drain: call.drain != 0,
        args: args.collect::<Result<_, String>>()?,
    })
}

/// A number or what it stands for.
pub(super) fn number_word(number: i64, paper: &Paper) -> Word {
    paper.symbol(number).map_or(Word::Number(number), Word::Symbol)
}

/// What lies in the image from here on.
fn piece(at: usize, request: &Request, paper: &Paper) -> Result<Word, String> {
    let piece_there = request
        .pieces()
        .iter()
        .find(|piece| piece.range.contains(&at) || piece.range.start == at)
        .ok_or("an address leads nowhere")?;
    let range = &piece_there.range;
    // Another argument may point into the same piece: this one's ends there.
    let inner = request
        .calls()
        .iter()
        .flat_map(|call| (0..6).filter(|at| call.image & 1 << at != 0).map(|at| call.args[at] as usize));
    let end = inner.filter(|other| *other > at && *other < range.end).min().unwrap_or(range.end);
    let bytes = &request.image()[at..end];
    let fixed = |at: usize| request.fixes().iter().find(|fix| fix.at as usize == at);
    if let Some(fix) = request.fixes().iter().find(|fix| (at..end).contains(&(fix.at as usize))) {
        let width = fix.width as usize;
        let words = bytes.chunks(width).enumerate().map(|(index, chunk)| {
            let number = little(chunk);
            match fixed(at + index * width) {
                Some(_) => piece(number as usize, request, paper),
                None => Ok(number_word(number, paper)),
            }
        });
        let words = words.collect::<Result<_, String>>()?;
        return Ok(if width == 4 { Word::Words32(words) } else { Word::Words64(words) });
    }
    Ok(match bytes {
        _ if !piece_there.is_text => {
            Word::Words32(bytes.chunks(4).map(|chunk| number_word(little(chunk), paper)).collect())
        }
        [b'a', ..] if bytes.len() > 64 && bytes.iter().all(|byte| *byte == b'a') => Word::Filled(bytes.len()),
        _ => Word::Text(parts(bytes, paper)),
    })
}

fn little(bytes: &[u8]) -> i64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | i64::from(*byte))
}

/// The numbers of symbols in a text, in decimal or in hexadecimal of eight digits, and what is between them.
pub(super) fn parts(bytes: &[u8], paper: &Paper) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut plain = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let found = [(10, 10), (8, 16)].into_iter().find_map(|(length, radix)| {
            let digits = std::str::from_utf8(rest.get(..length)?).ok()?;
            let number = i64::from_str_radix(digits, radix).ok()?;
            let symbol = paper.symbol(number)?;
            Some((length, if radix == 10 { Part::Decimal(symbol) } else { Part::Hexadecimal(symbol) }))
        });
        match found {
            Some((length, part)) => {
                if !plain.is_empty() {
                    parts.push(Part::Bytes(std::mem::take(&mut plain)));
                }
                parts.push(part);
                at += length;
            }
            None => {
                plain.push(bytes[at]);
                at += 1;
            }
        }
    }
    if !plain.is_empty() || parts.is_empty() {
        parts.push(Part::Bytes(plain));
    }
    parts
}
