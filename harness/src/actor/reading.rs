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
    /// 1 if the first words of all lines ascend as hexadecimal numbers, none of which comes twice.
    Ascending,
    /// The number that the bytes spell.
    Spelled,
    /// Strings, each of which ends with a NUL.
    Words,
    /// The number that one of these strings spells.
    Word(usize),
    /// One bit of the bytes.
    Bit(usize),
    /// The permission bits in a `struct statx`.
    Mode,
    /// What a program printed, if it succeeded.
    Output,
    /// The exit status of a program.
    Status,
    /// The same, by the wait status in the bytes.
    Ended,
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
    // What is not in the buffer has not been seen: a line that seems to be absent may be there.
    let filled = match reading {
        Reading::Line(_)
        | Reading::Field(_)
        | Reading::Ascending
        | Reading::Spelled
        | Reading::Words
        | Reading::Word(_) => answer.result as usize,
        Reading::Output => answer.touched as usize,
        _ => 0,
    };
    if filled > 0 && filled >= out {
        return Observed::Wrong(format!("{out} bytes or more, of which no more are read"));
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
            let ascend = serials.iter().all(Option::is_some)
                && serials.is_sorted_by(|one, next| one < next)
                && !serials.is_empty();
            number(ascend.into())
        }
        Reading::Spelled => spelled(answer.out.trim_ascii()),
        Reading::Words => text(&strings(&answer.out).join(&b' ')),
        Reading::Word(position) => spelled(strings(&answer.out).get(*position).copied().unwrap_or_default()),
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
        Reading::Ended => {
            let word = i32::from_ne_bytes(std::array::from_fn(|index| answer.out[index]));
            match status(word.into()) {
                Ok(status) => number(status.into()),
                Err(signal) => Observed::Wrong(format!("killed by signal {signal}")),
            }
        }
        Reading::Effective(capability) => {
            let at = if *capability < 32 { 0 } else { 12 };
            let word = u32::from_ne_bytes(std::array::from_fn(|index| answer.out[at + index]));
            number((word >> (capability % 32) & 1).into())
        }
    }
}

/// The number that some bytes spell.
fn spelled(bytes: &[u8]) -> Observed {
    match std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()) {
        Some(number) => Observed::Value(Value::Number(number)),
        None => Observed::Wrong(format!("{}, no number", Bytes(bytes.to_vec()))),
    }
}

/// The strings in some bytes; a NUL ends each.
fn strings(bytes: &[u8]) -> Vec<&[u8]> {
    bytes
        .split_inclusive(|byte| *byte == 0)
        .map(|string| string.strip_suffix(&[0]).unwrap_or(string))
        .collect()
}

/// The words of the line that begins with this one.
fn line<'a>(out: &'a [u8], first: &str) -> Vec<&'a [u8]> {
    let line = out.split(|byte| *byte == b'\n').find(|line| words(line).next() == Some(first.as_bytes()));
    words(line.unwrap_or_default()).collect()
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| byte.is_ascii_whitespace()).filter(|word| !word.is_empty())
}

/// What a program printed.
pub fn printed(answer: &Answer) -> &[u8] {
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn observed(reading: &Reading, result: i64, touched: u32, out: &[u8], size: usize) -> Observed {
        observe(reading, &Answer { id: 1, result, touched, out: out.to_vec() }, size)
    }

    fn text(text: &str) -> Observed {
        Observed::Value(Value::Text(text.into()))
    }

    fn is_wrong(observed: &Observed) -> bool {
        matches!(observed, Observed::Wrong(_))
    }

    #[rstest]
    #[case(b"/sbin/request-key\0create\0\x31\x32\0", "/sbin/request-key create 12")]
    #[case(b"skc\0\0x\0", "skc  x")]
    #[case(b"unended", "unended")]
    #[case(b"", "")]
    fn strings_are_joined(#[case] out: &[u8], #[case] joined: &str) {
        assert_eq!(observed(&Reading::Words, out.len() as i64, 0, out, 64), text(joined));
    }

    #[rstest]
    #[case(0, Some(7))]
    #[case(1, None)]
    #[case(2, Some(-12))]
    #[case(3, None)]
    fn a_string_that_spells_a_number_is_found(#[case] position: usize, #[case] number: Option<i64>) {
        let found = observed(&Reading::Word(position), 12, 0, b"7\0create\0-12\0", 64);
        match number {
            Some(number) => assert_eq!(found, Observed::Value(Value::Number(number))),
            None => assert!(is_wrong(&found)),
        }
    }

    #[test]
    fn serials_that_come_twice_do_not_ascend() {
        let ascend = |out: &[u8]| observed(&Reading::Ascending, out.len() as i64, 0, out, 64);
        assert_eq!(ascend(b"0a x\n0b y\n"), Observed::Value(Value::Number(1)));
        assert_eq!(ascend(b"0a x\n0a y\n"), Observed::Value(Value::Number(0)));
        assert_eq!(ascend(b"0b x\n0a y\n"), Observed::Value(Value::Number(0)));
    }

    #[rstest]
    #[case("0a", "0a b c")]
    #[case("0b", "0b d")]
    #[case("c", "")]
    fn a_line_is_found_by_its_first_word(#[case] first: &str, #[case] line: &str) {
        assert_eq!(observed(&Reading::Line(first.into()), 14, 0, b"0a b  c\n 0b d\n", 64), text(line));
    }

    #[rstest]
    #[case(Reading::Line("z".into()))]
    #[case(Reading::Field("z".into()))]
    #[case(Reading::Ascending)]
    #[case(Reading::Spelled)]
    fn nothing_is_absent_from_a_file_that_does_not_fit(#[case] reading: Reading) {
        assert!(is_wrong(&observed(&reading, 4, 0, b"1\n2\n", 4)));
        assert!(!is_wrong(&observed(&reading, 2, 0, b"1\n", 4)));
    }

    #[test]
    fn output_that_does_not_fit_is_not_taken_for_all() {
        assert!(is_wrong(&observed(&Reading::Output, 0, 4, b"abc\n", 4)));
        assert_eq!(observed(&Reading::Output, 0, 4, b"abc\n\xa5", 5), text("abc"));
    }

    #[test]
    fn a_write_past_the_end_outweighs_every_result() {
        for result in [0, 5, -i64::from(libc::EFAULT)] {
            assert!(is_wrong(&observed(&Reading::Number, result, 5, b"", 4)), "{result}");
        }
    }

    #[test]
    fn a_text_ends_with_its_nul() {
        assert_eq!(observed(&Reading::Text, 3, 3, b"ab\0", 8), text("ab"));
        assert!(is_wrong(&observed(&Reading::Text, 2, 2, b"ab", 8)));
        assert!(is_wrong(&observed(&Reading::Text, 9, 8, b"ab\0", 8)));
    }

    #[rstest]
    #[case("01 a\n0f b\n10 c\n", 1)]
    #[case("01 a\n10 c\n0f b\n", 0)]
    #[case("01 a\nxx c\n", 0)]
    #[case("", 0)]
    fn serials_ascend_or_not(#[case] file: &str, #[case] ascend: i64) {
        let seen = observed(&Reading::Ascending, file.len() as i64, 0, file.as_bytes(), 64);
        assert_eq!(seen, Observed::Value(Value::Number(ascend)));
    }

    #[test]
    fn a_program_that_was_killed_printed_nothing_that_counts() {
        assert!(is_wrong(&observed(&Reading::Output, libc::SIGSEGV.into(), 2, b"a\n", 8)));
        assert!(is_wrong(&observed(&Reading::Status, libc::SIGKILL.into(), 0, b"", 8)));
        let failed = observed(&Reading::Status, 3 << 8, 0, b"", 8);
        assert_eq!(failed, Observed::Value(Value::Number(3)));
        let ended = |status: i32| observed(&Reading::Ended, 7, 4, &status.to_ne_bytes(), 4);
        assert_eq!(ended(3 << 8), Observed::Value(Value::Number(3)));
        assert!(is_wrong(&ended(libc::SIGKILL)));
    }
}
