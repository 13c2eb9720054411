//! The clock in the state that QEMU saves of a guest: turned from one that goes by itself into one that counts what the
//! guest executes.
//!
//! To count costs an emulated boot half as much again, and nothing in a boot waits for long. So guests boot by the host's time,
//! and their copies count. QEMU's own records of its clocks (`timer`, and within it `timer/icount` where it counts) are as
//! they are since 2013; what lies around them is not known here.

use std::fs::File;
use std::io::{self, Read, Seek, Write};

/// How the clocks begin: the length of their name, the name, the first of its kind, version 2.
const CLOCKS: &[u8] = b"\x05timer\0\0\0\0\0\0\0\x02";
/// What QEMU puts before the number of a record, and again behind the record.
const RECORD: u8 = 4;
const END: u8 = 0x7e;
/// How the part begins that is there where QEMU counts: a mark, the length of its name, the name, version 1.
const COUNTED: &[u8] = b"\x05\x0ctimer/icount\0\0\0\x01";
/// How long the numbers are.
const WORD: usize = size_of::<u64>();

/// Lets copies of a guest that was saved to a file begin to count.
pub(super) fn count_from_here(state: &mut File) -> io::Result<()> {
    let mut saved = Vec::new();
    state.rewind()?;
    state.read_to_end(&mut saved)?;
    let counted = counted(&saved).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "QEMU's clock is not where it should be in what it saves")
    })?;
    state.rewind()?;
    state.write_all(&counted)
}

/// A state whose clock has counted up to what the guest has seen last of its processor's clock (TSC), so that this never
/// goes back. That clock is ahead of the one by which QEMU's timers go: those that were to come are due at once, and a kernel
/// that is woken too early looks at its own time and waits again. `None` where a state is none or counts already.
fn counted(saved: &[u8]) -> Option<Vec<u8>> {
    let mut found = saved.windows(CLOCKS.len()).enumerate().filter(|(_, bytes)| *bytes == CLOCKS);
    let start = found.next()?.0;
    let record = saved.get(start.checked_sub(1 + size_of::<u32>())?..start)?;
    let clocks = start + CLOCKS.len();
    let word = |number: usize| {
        let at = clocks + number * WORD;
        saved.get(at..at + WORD)?.try_into().ok().map(u64::from_be_bytes)
    };
    // Between them is one that is not used.
    let (processor, timers) = (word(0)?, word(2)?);
    let (before, after) = saved.split_at(clocks + 3 * WORD);
    let is_whole = record[0] == RECORD && after.first() == Some(&END) && after[1..].starts_with(&record[1..]);
    if found.next().is_some() || !is_whole {
        return None;
    }
    // The time at which to begin, and how many instructions are counted already.
    let begin = processor.max(timers).to_be_bytes();
    Some([before, COUNTED, &begin, &[0; WORD], after].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// A state with these clocks, as QEMU 7.2 writes it: other records lie before and behind.
    fn state(processor: u64, timers: u64) -> Vec<u8> {
        let number = [0, 0, 0, 7];
        let clocks = [processor, 0, timers].map(u64::to_be_bytes).concat();
        [b"QEVM..timer.", &[RECORD][..], &number, CLOCKS, &clocks, &[END], &number, b"\x04rest"].concat()
    }

    #[rstest]
    #[case(9_000, 4_000, 9_000)]
    #[case(4_000, 9_000, 9_000)]
    fn a_clock_counts_from_where_the_guest_has_seen_it(
        #[case] processor: u64,
        #[case] timers: u64,
        #[case] begin: u64,
    ) {
        let saved = state(processor, timers);
        let counted = counted(&saved).unwrap();
        let at = saved.len() - b"\x7e\0\0\0\x07\x04rest".len();
        let added = &counted[at..counted.len() - (saved.len() - at)];
        assert_eq!([&counted[..at], &counted[at + added.len()..]].concat(), saved, "nothing else changes");
        let expected = [&b"\x05\x0ctimer/icount\0\0\0\x01"[..], &begin.to_be_bytes(), &[0; 8]].concat();
        assert_eq!(added, expected);
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        let good = state(2, 1);
        let after = good.len() - b"\x7e\0\0\0\x07\x04rest".len();
        let changed = |at: usize| {
            let mut bad = good.clone();
            bad[at] ^= 1;
            counted(&bad)
        };
        assert_eq!(counted(&counted(&good).unwrap()), None, "it counts already");
        assert_eq!(counted(&[&good[..], &good].concat()), None, "two clocks");
        assert_eq!(counted(&good[..after - 1]), None, "cut off");
        assert_eq!(counted(CLOCKS), None);
        assert_eq!(counted(b""), None);
        // The mark of the record, the version of the clocks, the mark behind them and the number that it repeats.
        let begin = b"QEVM..timer.".len();
        for at in [begin, begin + 5 + CLOCKS.len() - 1, after, after + 4] {
            assert_eq!(changed(at), None, "{at}");
        }
    }

    #[test]
    fn a_file_is_written_in_its_place() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&state(2, 1)).unwrap();
        count_from_here(&mut file).unwrap();
        let mut written = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut written).unwrap();
        assert_eq!(Some(written), counted(&state(2, 1)));
        assert!(count_from_here(&mut file).unwrap_err().to_string().contains("clock"));
    }
}
