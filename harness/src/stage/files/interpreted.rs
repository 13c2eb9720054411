//! A program of a few hundred bytes that another interprets, as ld.so(8) interprets what is linked dynamically.
//!
//! What execve(2) makes of a process it reads off the file that is executed: ids, capabilities, if it may be traced. What
//! runs then is the interpreter's code. So a set-user-ID copy of a program need not hold the program, which is seven
//! megabytes that an emulated machine takes as long to write as two cases to play.

use elf::abi::{ET_EXEC, PF_R, PT_DYNAMIC, PT_GNU_RELRO, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_TLS};
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::segment::{ProgramHeader, SegmentTable};

/// The identification, which is the same for all classes.
const IDENT: usize = 16;
/// The sizes of an ELF header and of a program header, of 64 bits: elf(5).
const HEADER: usize = 64;
const SEGMENT: usize = 56;
/// Where a header has its `e_phoff`, `e_shoff` and `e_phnum`; from there on come the fields about sections.
const SEGMENTS_AT: usize = 32;
const SECTIONS_AT: usize = 40;
const SEGMENTS: usize = 56;
/// Larger than any page: segments begin at multiples of it.
const PAGE: u64 = 0x1_0000;

/// How much of a program [`interpreted`] has to see.
pub const BEGINNING: u64 = 4096;

/// A program that has the kernel start the one that lies at the path, of which this is the beginning. `None` if that is
/// none which runs at fixed addresses with nothing beside it: no other could be its own interpreter.
pub fn interpreted(beginning: &[u8], path: &str) -> Option<Vec<u8>> {
    let header = beginning.get(..HEADER)?;
    let ident = parse_ident::<LittleEndian>(&header[..IDENT]).ok()?;
    let known = FileHeader::parse_tail(ident, &header[IDENT..]).ok()?;
    if known.class != Class::ELF64 || known.e_type != ET_EXEC || known.e_phentsize as usize != SEGMENT {
        return None;
    }
    let at = usize::try_from(known.e_phoff).ok()?;
    let segments = beginning.get(at..)?.get(..known.e_phnum as usize * SEGMENT)?;
    let segments: Vec<ProgramHeader> =
        SegmentTable::new(LittleEndian, Class::ELF64, segments).iter().collect();
    let of_kind = |kinds: &'static [u32]| segments.iter().filter(move |it| kinds.contains(&it.p_type));
    if of_kind(&[PT_DYNAMIC, PT_INTERP]).next().is_some() {
        return None;
    }
    // Above the interpreter, because the heap begins behind the program.
    let ends = of_kind(&[PT_LOAD]).map(|segment| segment.p_vaddr.checked_add(segment.p_memsz));
    let address = ends.max()??.checked_next_multiple_of(PAGE)?;

    // The C library finds these in the headers of what was executed, and takes them for its own.
    let mut headers: Vec<ProgramHeader> = of_kind(&[PT_TLS, PT_GNU_STACK, PT_GNU_RELRO]).copied().collect();
    let name = (HEADER + (headers.len() + 2) * SEGMENT) as u64;
    let length = path.len() as u64 + 1;
    let piece = |p_type, offset, size, p_align| ProgramHeader {
        p_type,
        p_flags: PF_R,
        p_offset: offset,
        p_vaddr: address + offset,
        p_paddr: 0,
        p_filesz: size,
        p_memsz: size,
        p_align,
    };
    headers.insert(0, piece(PT_INTERP, name, length, 1));
    headers.push(piece(PT_LOAD, 0, name + length, PAGE));

    let mut program = header.to_vec();
    program[SEGMENTS_AT..SECTIONS_AT].copy_from_slice(&(HEADER as u64).to_le_bytes());
    program[SECTIONS_AT..][..8].fill(0);
    program[SEGMENTS..].fill(0);
    program[SEGMENTS..][..2].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    headers.iter().for_each(|segment| write(&mut program, segment));
    program.extend(path.as_bytes());
    program.push(0);
    Some(program)
}

fn write(program: &mut Vec<u8>, segment: &ProgramHeader) {
    let ProgramHeader { p_type, p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_flags, p_align } = *segment;
    program.extend([p_type, p_flags].map(u32::to_le_bytes).concat());
    program.extend([p_offset, p_vaddr, p_paddr, p_filesz, p_memsz, p_align].map(u64::to_le_bytes).concat());
}
