//! How the answer of an actor becomes an observation.

use super::message::Answer;
use super::sys;
use crate::judge::Observed;
use crate::value::{Bytes, Errno, Value};

/// How an answer becomes an observation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// The number that the kernel returned.
    Number,
    /// Success, whatever number was returned.
    Zero,
    /// A string that the kernel counts with its NUL.
    Text,
    /// Bytes.
    Bytes,
    /// The line that begins with this word, or `""`.
    Line(String),
    /// What follows this word in the line that begins with it, or `""`.
    Field(String),
    /// 1 if the first words of all lines ascend as hexadecimal numbers.
    Ascending,
    /// The number that the bytes spell.
    Spelled,
    /// One bit of the bytes.
    Bit(usize),
    /// The permission bits in a `struct statx`.
    Mode,
    /// What a program printed, if it succeeded.
    Output,
    /// The exit status of a program.
    Status,
    /// 1 if this capability is effective in the data of capget(2).
    Effective(u32),
}

/// What an answer says, read as its question asks.
pub fn observe(reading: &Reading, answer: &Answer, out: usize) -> Observed {
    if answer.touched as usize > out {
        let written = answer.touched;
        return Observed::Wrong(format!("{written} bytes written into a buffer of {out}: past its end"));
    }
    if sys::is_error(answer.result as isize) {
        return Observed::Fails(Errno(-answer.result as i32));
    }
    let number = |number: i64| Observed::Value(Value::Number(number));
    let text = |bytes: &[u8]| Observed::Value(Value::Text(Bytes(bytes.to_vec())));
    match reading {
        Reading::Number => number(answer.result),
        Reading::Zero => number(0),
        Reading::Text if answer.result as usize > out => {
            Observed::Wrong(format!("a text of {} bytes, more than the {out} of its buffer", answer.result))
        }
        Reading::Text => match answer.out.split_last() {
            Some((0, bytes)) => text(bytes),
            _ => Observed::Wrong(format!("{}, which has no terminating NUL", Bytes(answer.out.clone()))),
        },
        Reading::Bytes if answer.result as usize > out => Observed::Wrong(format!(
            "a content of {} bytes, more than the {out} of its buffer",
            answer.result
        )),
        Reading::Bytes => text(&answer.out),
        Reading::Line(first) => text(&line(&answer.out, first).join(&b' ')),
        Reading::Field(first) => text(&line(&answer.out, first).get(1..).unwrap_or_default().join(&b' ')),
        Reading::Ascending => {
            let serials: Vec<Option<u32>> = answer
                .out
                .split(|byte| *byte == b'\n')
                .filter_map(|line| words(line).next())
                .map(|word| {
                    std::str::from_utf8(word).ok().and_then(|word| u32::from_str_radix(word, 16).ok())
                })
                .collect();
            let ascend = serials.iter().all(Option::is_some) && serials.is_sorted() && !serials.is_empty();
            number(ascend.into())
        }
        Reading::Spelled => {
            let spelled = std::str::from_utf8(&answer.out).ok().and_then(|text| text.trim().parse().ok());
            spelled
                .map_or_else(|| Observed::Wrong(format!("{}, no number", Bytes(answer.out.clone()))), number)
        }
        Reading::Bit(bit) => {
            // Bytes that the kernel did not fill are no capabilities.
            let byte = if bit / 8 < answer.touched as usize { answer.out[bit / 8] } else { 0 };
            number((byte >> (bit % 8) & 1).into())
        }
        Reading::Mode => {
            const MODE: usize = std::mem::offset_of!(libc::statx, stx_mode);
            number((u16::from_ne_bytes([answer.out[MODE], answer.out[MODE + 1]]) & 0o7777).into())
        }
        Reading::Output => match status(answer.result) {
            Ok(0) => text(printed(answer).strip_suffix(b"\n").unwrap_or(printed(answer))),
            Ok(status) => {
                Observed::Wrong(format!("exit status {status}: {}", Bytes(printed(answer).to_vec())))
            }
            Err(signal) => Observed::Wrong(format!("killed by signal {signal}")),
        },
        Reading::Status => match status(answer.result) {
            Ok(status) => number(status.into()),
            Err(signal) => Observed::Wrong(format!("killed by signal {signal}")),
        },
        Reading::Effective(capability) => {
            let at = if *capability < 32 { 0 } else { 12 };
            let word = u32::from_ne_bytes(std::array::from_fn(|index| answer.out[at + index]));
            number((word >> (capability % 32) & 1).into())
        }
    }
}

/// The words of the line that begins with this one.
fn line<'a>(out: &'a [u8], first: &str) -> Vec<&'a [u8]> {
    let line = out.split(|byte| *byte == b'\n').find(|line| words(line).next() == Some(first.as_bytes()));
    words(line.unwrap_or_default()).collect()
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

fn printed(answer: &Answer) -> &[u8] {
    &answer.out[..answer.out.len().min(answer.touched as usize)]
}

/// The exit status in a wait status, or the signal that ended the process.
fn status(status: i64) -> Result<i32, i32> {
    let status = status as i32;
    match libc::WIFEXITED(status) {
        true => Ok(libc::WEXITSTATUS(status)),
        false => Err(libc::WTERMSIG(status)),
    }
}
