//! What a file is, found by what is in it: a kernel that can be started, a package, or something else,
//! which is then named. What an x86 boot image says of itself is laid down in the kernel's boot protocol.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use elf::ElfStream;
use elf::abi::{EM_X86_64, PT_LOAD, PT_NOTE};
use elf::endian::LittleEndian;
use serde::{Deserialize, Serialize};

use crate::{Error, failed};

/// In which form a kernel is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A compressed image with a boot sector: `bzImage`, or `vmlinuz` of a distribution.
    BzImage,
    /// An ELF file with an entry for virtual machines (PVH): `vmlinux`.
    Vmlinux,
}

/// What a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A kernel.
    Kernel {
        /// In which form.
        format: Format,
        /// What uname(2) will say.
        release: Option<String>,
    },
    /// A Debian package.
    Package,
    /// Something that cannot be started: what it is, and what can be done.
    Other(String),
}

/// What can be given instead.
pub(crate) const ACCEPTED: &str =
    "a kernel is a bzImage or vmlinuz, a vmlinux with PVH, a kernel's build tree, or a .deb with one of them";

/// How much of a file is enough to know it.
const HEAD: u64 = 1024;
/// An upper limit for the name of a release.
const LONGEST: usize = 256;

/// Looks what a file is.
pub fn look(path: &Path) -> Result<Found, Error> {
    let read = || -> io::Result<Found> {
        // Whoever opens a pipe waits for its other end.
        if !fs::metadata(path)?.is_file() {
            return Ok(Found::Other("no ordinary file".into()));
        }
        let mut file = File::open(path)?;
        let mut head = Vec::new();
        (&mut file).take(HEAD).read_to_end(&mut head)?;
        if head.starts_with(b"\x7fELF") { vmlinux(file) } else { other(&mut file, &head) }
    };
    read().map_err(|error| failed(path, &error))
}

/// All that has no ELF header.
fn other(file: &mut File, head: &[u8]) -> io::Result<Found> {
    if is_boot_image(head) {
        return bz_image(file, head);
    }
    if head.starts_with(b"!<arch>\ndebian-binary") {
        return Ok(Found::Package);
    }
    /// Where, which bytes, what it is and what can be done.
    const KNOWN: [(usize, &[u8], &str); 16] = [
        (0x38, b"ARM\x64", "a kernel for arm64, and this program runs on x86-64 kernels"),
        (0x38, b"RSC\x05", "a kernel for RISC-V, and this program runs on x86-64 kernels"),
        (4, b"zimg", "a compressed EFI image (vmlinuz.efi) of another architecture than x86-64"),
        (0, b"\x27\x05\x19\x56", "a U-Boot image (uImage)"),
        (0, b"\xd0\x0d\xfe\xed", "a flattened device tree or FIT image"),
        (0, b"070701", "an initramfs (cpio archive), not a kernel"),
        (0, b"!<arch>\n", "an ar archive, but no Debian package"),
        (0, b"\xed\xab\xee\xdb", "an RPM package: unpack it, and give the vmlinuz"),
        (0, b"\x1f\x8b", "compressed with gzip: unpack it, and give what is in it"),
        (0, b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it, and give what is in it"),
        (0, b"\xfd7zXZ\0", "compressed with xz: unpack it, and give what is in it"),
        (0, b"BZh", "compressed with bzip2: unpack it, and give what is in it"),
        (0, b"\x02\x21\x4c\x18", "compressed with lz4: unpack it, and give what is in it"),
        (0, b"\x04\x22\x4d\x18", "compressed with lz4: unpack it, and give what is in it"),
        (0, b"QFI\xfb", "a disk image (qcow2), not a kernel"),
        (0, b"MZ", "an EFI program, but no Linux kernel for x86"),
    ];
    let known = KNOWN.iter().find(|(offset, magic, _)| at(head, *offset, magic));
    Ok(Found::Other(match known {
        Some((_, _, what)) => (*what).to_owned(),
        None if head.is_empty() => "empty".into(),
        None if head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)) => {
            "a text".into()
        }
        None => "no kernel of a kind that is known here".into(),
    }))
}

/// If a file that begins so is a boot image.
pub(crate) fn is_boot_image(head: &[u8]) -> bool {
    at(head, 0x1fe, b"\x55\xaa") && at(head, 0x202, b"HdrS")
}

fn at(head: &[u8], offset: usize, magic: &[u8]) -> bool {
    head.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}

fn bz_image(file: &mut File, head: &[u8]) -> io::Result<Found> {
    let word =
        |offset: usize| head.get(offset..offset + 2).map_or(0, |two| u16::from_le_bytes([two[0], two[1]]));
    // Since protocol 2.12 (Linux 3.8) an image says whether it has the 64-bit entry.
    if word(0x206) >= 0x020c && word(0x236) & 1 == 0 {
        return Ok(Found::Other("a 32-bit kernel, and this program is for 64 bits".into()));
    }
    // Sectors of setup, where 0 is an old way to say 4, behind the boot sector, and units of 16 bytes of kernel.
    let setup = head.get(0x1f1).map_or(0, |sectors| if *sectors == 0 { 4 } else { u64::from(*sectors) });
    let units = u64::from(word(0x1f6)) << 16 | u64::from(word(0x1f4));
    let (size, whole) = (file.metadata()?.len(), (setup + 1) * 512 + units * 16);
    // The last unit need not be full.
    if size + 16 <= whole {
        return Ok(Found::Other(format!(
            "a kernel's image that was cut short: {size} of its {whole} bytes are there"
        )));
    }
    let release = match word(0x20e) {
        0 => None,
        text => {
            file.seek(SeekFrom::Start(u64::from(text) + 0x200))?;
            let mut bytes = Vec::new();
            file.take(LONGEST as u64).read_to_end(&mut bytes)?;
            first_word(&bytes)
        }
    };
    Ok(Found::Kernel { format: Format::BzImage, release })
}

fn vmlinux(file: File) -> io::Result<Found> {
    let text = file.try_clone()?;
    let damaged = |error| Ok(Found::Other(format!("an ELF file whose headers are damaged ({error})")));
    let mut elf = match ElfStream::<LittleEndian, _>::open_stream(file) {
        Ok(elf) => elf,
        Err(elf::ParseError::UnsupportedElfEndianness(_)) => return Ok(foreign()),
        Err(error) => return damaged(error),
    };
    if elf.ehdr.e_machine != EM_X86_64 {
        return Ok(foreign());
    }
    let pvh = match has_pvh(&mut elf) {
        Ok(pvh) => pvh,
        Err(error) => return damaged(error),
    };
    let loaded = elf.segments().iter().filter(|segment| segment.p_type == PT_LOAD);
    let release = loaded.map(|segment| (segment.p_offset, segment.p_filesz)).find_map(|(start, size)| {
        let mut text = &text;
        text.seek(SeekFrom::Start(start)).ok()?;
        banner(text.take(size))
    });
    Ok(match (pvh, release) {
        (true, release) => Found::Kernel { format: Format::Vmlinux, release },
        (false, Some(release)) => Found::Other(format!(
            "a vmlinux of {release} without an entry for virtual machines: build it with CONFIG_PVH=y, or give \
             the bzImage"
        )),
        (false, None) => Found::Other("a program, not a kernel".into()),
    })
}

/// If a kernel says where a virtual machine is to enter it.
pub(crate) fn has_pvh<S: Read + Seek>(elf: &mut ElfStream<LittleEndian, S>) -> Result<bool, elf::ParseError> {
    let notes: Vec<_> = elf.segments().iter().filter(|segment| segment.p_type == PT_NOTE).copied().collect();
    let mut pvh = false;
    for note in &notes {
        pvh |= elf.segment_data_as_notes(note)?.any(|note| {
            matches!(note, elf::note::Note::Unknown(note) if note.name.strip_suffix(b"\0") == Some(PVH.0) && note.n_type == PVH.1)
        });
    }
    Ok(pvh)
}

/// The note that tells a virtual machine where to enter: its name and type.
const PVH: (&[u8], u64) = (b"Xen", 18);

fn foreign() -> Found {
    Found::Other("an ELF file of another architecture than x86-64".into())
}

/// The release in the text that a kernel prints first.
fn banner(mut segment: impl Read) -> Option<String> {
    const BANNER: &[u8] = b"Linux version ";
    const CHUNK: usize = 1 << 20;
    let mut window = Vec::new();
    loop {
        let fresh = (&mut segment).take(CHUNK as u64).read_to_end(&mut window).ok()?;
        // `Linux version %s` is in a kernel as well, for the oops.
        let found = window
            .windows(BANNER.len() + 1)
            .position(|text| text.starts_with(BANNER) && text[BANNER.len()].is_ascii_digit());
        if let Some(start) = found {
            let rest = &mut window.split_off(start + BANNER.len());
            (&mut segment).take(LONGEST as u64).read_to_end(rest).ok()?;
            return first_word(rest);
        }
        if fresh == 0 {
            return None;
        }
        window.drain(..window.len().saturating_sub(BANNER.len()));
    }
}

fn first_word(bytes: &[u8]) -> Option<String> {
    let end = bytes.iter().take(LONGEST).position(|byte| !byte.is_ascii_graphic())?;
    Some(String::from_utf8_lossy(&bytes[..end]).into_owned()).filter(|word| !word.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use rstest::rstest;
    use std::fs;

    /// The beginning of a boot image.
    pub(crate) fn boot_image(release: &str) -> Vec<u8> {
        let mut image = vec![0; 0x1000];
        image[0x1fe..0x200].copy_from_slice(b"\x55\xaa");
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
        image[0x20e..0x210].copy_from_slice(&0x400_u16.to_le_bytes());
        image[0x236] = 1;
        let text = format!("{release} (someone@somewhere) #1 SMP");
        image[0x600..0x600 + text.len()].copy_from_slice(text.as_bytes());
        image
    }

    /// An ELF file with a note and a loaded text.
    fn elf_file(machine: u16, note: &[u8], text: &[u8]) -> Vec<u8> {
        let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        elf.extend(2_u16.to_le_bytes());
        elf.extend(machine.to_le_bytes());
        elf.extend(1_u32.to_le_bytes());
        for word in [0_u64, 64, 0] {
            elf.extend(word.to_le_bytes());
        }
        elf.extend(0_u32.to_le_bytes());
        for half in [64_u16, 56, 2, 64, 0, 0] {
            elf.extend(half.to_le_bytes());
        }
        let data = 64 + 2 * 56;
        for (kind, start, size) in [(4_u32, data, note.len()), (1, data + note.len(), text.len())] {
            elf.extend(kind.to_le_bytes());
            elf.extend(4_u32.to_le_bytes());
            for word in [start, 0, 0, size, size, 4] {
                elf.extend((word as u64).to_le_bytes());
            }
        }
        elf.extend(note);
        elf.extend(text);
        elf
    }

    /// A kernel with a note of this type, where that of the entry is 18.
    pub(crate) fn kernel_file(kind: u32) -> Vec<u8> {
        elf_file(EM_X86_64, &note(b"Xen\0", kind), b"Linux version 6.1.2+ (a@b)\n")
    }

    fn note(name: &[u8; 4], kind: u32) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [4, 4, kind] {
            note.extend(word.to_le_bytes());
        }
        note.extend(name);
        note.extend(0x100_0000_u32.to_le_bytes());
        note
    }

    fn looked(bytes: &[u8]) -> Found {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), bytes).unwrap();
        look(file.path()).unwrap()
    }

    #[test]
    fn a_boot_image_tells_its_release() {
        let release = Some("6.12.1-x".to_owned());
        assert_eq!(looked(&boot_image("6.12.1-x")), Found::Kernel { format: Format::BzImage, release });
        let mut silent = boot_image("6.12.1-x");
        silent[0x20e..0x210].fill(0);
        assert_eq!(looked(&silent), Found::Kernel { format: Format::BzImage, release: None });
    }

    #[test]
    fn a_vmlinux_needs_the_note() {
        let mut text = vec![b'.'; (1 << 20) - 7];
        text.extend(b"Linux version %s\nLinux version 6.1.2+ (a@b)\n");
        let release = Some("6.1.2+".to_owned());
        let found = looked(&elf_file(EM_X86_64, &note(b"Xen\0", 18), &text));
        assert_eq!(found, Found::Kernel { format: Format::Vmlinux, release });
        for other in [note(b"Xen\0", 17), note(b"GNU\0", 18)] {
            let found = looked(&elf_file(EM_X86_64, &other, &text));
            assert!(matches!(&found, Found::Other(what) if what.contains("6.1.2+ without")), "{found:?}");
        }
    }

    #[rstest]
    #[case(b"", "empty")]
    #[case(b"#!/bin/sh\n", "a text")]
    #[case(b"\x1f\x8b\x08", "gzip")]
    #[case(b"\x28\xb5\x2f\xfd", "zstd")]
    #[case(b"070701", "initramfs")]
    #[case(b"!<arch>\nx.o/", "no Debian package")]
    #[case(b"MZ\0\0", "EFI program")]
    #[case(&[b"MZ".as_slice(), &[0; 0x36], b"ARM\x64"].concat(), "arm64")]
    #[case(&[0; 4096], "no kernel of a kind")]
    #[case(&elf_file(EM_X86_64, b"", b"int main"), "a program, not a kernel")]
    #[case(&elf_file(EM_X86_64, b"", b"")[..70], "headers are damaged")]
    #[case(&elf_file(183, &note(b"Xen\0", 18), b""), "another architecture")]
    fn what_is_no_kernel_is_named(#[case] bytes: &[u8], #[case] expected: &str) {
        let found = looked(bytes);
        assert!(matches!(&found, Found::Other(what) if what.contains(expected)), "{found:?}");
    }

    /// Two sectors of setup and a kernel of 0x10001 units, the last not full.
    #[rstest]
    #[case(2, 3 * 512 + 0x10_0001, true)]
    #[case(2, 3 * 512 + 0x10_0000, false)]
    #[case(0, 5 * 512 + 0x10_0001, true)]
    #[case(0, 3 * 512 + 0x10_0001, false)]
    fn an_image_that_was_cut_short_is_refused(#[case] sectors: u8, #[case] size: usize, #[case] whole: bool) {
        let mut image = boot_image("6.1.0-x");
        image[0x1f1] = sectors;
        image[0x1f4..0x1f8].copy_from_slice(&0x1_0001_u32.to_le_bytes());
        image.resize(size, 0);
        match looked(&image) {
            Found::Kernel { .. } => assert!(whole),
            Found::Other(why) => {
                assert!(!whole && why.contains(&format!("cut short: {size} of its 10")), "{why}")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_32_bit_kernel_is_refused() {
        let mut image = boot_image("6.1.0-686");
        image[0x236] = 0;
        assert!(matches!(looked(&image), Found::Other(what) if what.contains("32-bit")));
    }

    #[test]
    fn a_package_is_known() {
        assert_eq!(looked(b"!<arch>\ndebian-binary   "), Found::Package);
    }
}
