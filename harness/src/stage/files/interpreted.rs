//! A program of a few hundred bytes that another interprets, as ld.so(8) interprets what is linked dynamically.
//!
//! What execve(2) makes of a process it reads off the file that is executed: ids, capabilities, if it may be traced. What
//! runs then is the interpreter's code. So a set-user-ID copy of a program need not hold the program, which is seven
//! megabytes that an emulated machine takes as long to write as three cases to play.

use std::ops::Range;

const HEADER: usize = 64;
const SEGMENT: usize = 56;
/// Larger than any page: segments begin at multiples of it.
const PAGE: u64 = 0x1_0000;
const BITS_64: u64 = 2;
const LITTLE_ENDIAN: u64 = 1;
/// Executables with fixed addresses.
const ET_EXEC: u64 = 2;

const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const PT_INTERP: u64 = 3;
const PT_TLS: u64 = 7;
const PT_GNU_STACK: u64 = 0x6474_e551;
const PT_GNU_RELRO: u64 = 0x6474_e552;
const READABLE: u64 = 4;

/// Where fields lie in the ELF header and, from KIND on, in a program header: elf(5), 64 bits.
mod field {
    use std::ops::Range;

    pub(super) const CLASS: Range<usize> = 4..5;
    pub(super) const DATA: Range<usize> = 5..6;
    pub(super) const TYPE: Range<usize> = 16..18;
    pub(super) const SEGMENTS_AT: Range<usize> = 32..40;
    pub(super) const SECTIONS_AT: Range<usize> = 40..48;
    pub(super) const SEGMENT_SIZE: Range<usize> = 54..56;
    pub(super) const SEGMENTS: Range<usize> = 56..58;
    pub(super) const SECTIONS: Range<usize> = 60..62;

    pub(super) const KIND: Range<usize> = 0..4;
    pub(super) const FLAGS: Range<usize> = 4..8;
    pub(super) const OFFSET: Range<usize> = 8..16;
    pub(super) const ADDRESS: Range<usize> = 16..24;
    pub(super) const FILE_SIZE: Range<usize> = 32..40;
    pub(super) const MEMORY_SIZE: Range<usize> = 40..48;
    pub(super) const ALIGNMENT: Range<usize> = 48..56;
}

/// How much of a program [`interpreted`] has to see.
pub const BEGINNING: u64 = 4096;

/// A program that has the kernel start the one that lies at the path, of which this is the beginning. `None` if that is
/// none which runs at fixed addresses with nothing beside it: no other could be its own interpreter.
pub fn interpreted(beginning: &[u8], path: &str) -> Option<Vec<u8>> {
    let header = beginning.get(..HEADER)?;
    let known = header.starts_with(b"\x7fELF")
        && get(header, field::CLASS) == BITS_64
        && get(header, field::DATA) == LITTLE_ENDIAN
        && get(header, field::TYPE) == ET_EXEC
        && get(header, field::SEGMENT_SIZE) == SEGMENT as u64;
    if !known {
        return None;
    }
    let at = usize::try_from(get(header, field::SEGMENTS_AT)).ok()?;
    let segments = beginning.get(at..)?.get(..get(header, field::SEGMENTS) as usize * SEGMENT)?;
    let segments: Vec<&[u8]> = segments.chunks(SEGMENT).collect();
    let of_kind = |kinds: &'static [u64]| {
        segments.iter().filter(move |segment| kinds.contains(&get(segment, field::KIND)))
    };
    if of_kind(&[PT_DYNAMIC, PT_INTERP]).next().is_some() {
        return None;
    }
    let ends = of_kind(&[PT_LOAD])
        .map(|segment| get(segment, field::ADDRESS).checked_add(get(segment, field::MEMORY_SIZE)));
    // Above the interpreter, because the heap begins behind the program.
    let address = ends.max()??.checked_next_multiple_of(PAGE)?;

    // The C library finds these in the headers of what was executed, and takes them for its own.
    let kept = of_kind(&[PT_TLS, PT_GNU_STACK, PT_GNU_RELRO]);
    let mut headers: Vec<Vec<u8>> = kept.map(|segment| segment.to_vec()).collect();
    let count = headers.len() + 2;
    let name = HEADER + count * SEGMENT;
    let size = (name + path.len() + 1) as u64;
    headers.insert(0, segment(PT_INTERP, name as u64, address, path.len() as u64 + 1, 1));
    headers.push(segment(PT_LOAD, 0, address, size, PAGE));

    let mut program = header.to_vec();
    for (field, value) in [
        (field::SEGMENTS_AT, HEADER as u64),
        (field::SEGMENTS, count as u64),
        (field::SECTIONS_AT, 0),
        (field::SECTIONS, 0),
    ] {
        set(&mut program, field, value);
    }
    program.extend(headers.concat());
    program.extend(path.as_bytes());
    program.push(0);
    Some(program)
}

/// A piece of the file that the kernel reads, or maps so far above the address where the file's begin would lie.
fn segment(kind: u64, offset: u64, address: u64, size: u64, alignment: u64) -> Vec<u8> {
    let mut segment = vec![0; SEGMENT];
    for (field, value) in [
        (field::KIND, kind),
        (field::FLAGS, READABLE),
        (field::OFFSET, offset),
        (field::ADDRESS, address + offset),
        (field::FILE_SIZE, size),
        (field::MEMORY_SIZE, size),
        (field::ALIGNMENT, alignment),
    ] {
        set(&mut segment, field, value);
    }
    segment
}

fn get(bytes: &[u8], field: Range<usize>) -> u64 {
    bytes[field].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

fn set(bytes: &mut [u8], field: Range<usize>, value: u64) {
    let width = field.len();
    bytes[field].copy_from_slice(&value.to_le_bytes()[..width]);
}
