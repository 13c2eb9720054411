//! The kernel in a boot image, unpacked: what else its own code would do at the start of each boot. Emulated, that
//! takes longer than the rest of the way to process 1 does. Which form the image has, and where the kernel lies in it,
//! is laid down in the kernel's boot protocol.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use elf::ElfStream;
use elf::endian::LittleEndian;
use flate2::read::GzDecoder;
use ruzstd::decoding::StreamingDecoder;

use crate::image::{has_pvh, is_boot_image};

/// The unit in which an image counts the sectors of its real-mode code.
const SECTOR: u64 = 512;
/// How much of an image tells where its kernel lies: protocol 2.08 (Linux 2.6.26) and later.
const HEAD: usize = 0x250;
const PROTOCOL: u16 = 0x0208;

/// Writes the kernel in a boot image to a file: an ELF file that can be entered by PVH. `false`, and what the file then
/// holds is of no use, where the image is none, is packed otherwise than by zstd or gzip, or holds a kernel without
/// that entry: it has to be started as it is.
pub fn unpack(image: &Path, to: &mut File) -> io::Result<bool> {
    let mut image = File::open(image)?;
    let mut head = Vec::new();
    (&mut image).take(HEAD as u64).read_to_end(&mut head)?;
    let Some((start, size)) = payload(&head) else { return Ok(false) };
    image.seek(SeekFrom::Start(start))?;
    let mut magic = [0; 4];
    let packed = image.take(size);
    let mut packed = io::BufReader::with_capacity(1 << 16, packed);
    if packed.read_exact(&mut magic).is_err() {
        return Ok(false);
    }
    let packed = io::Cursor::new(magic).chain(packed);
    let unpacked = match magic {
        [0x28, 0xb5, 0x2f, 0xfd] => match StreamingDecoder::new(packed) {
            Ok(mut kernel) => io::copy(&mut kernel, to),
            Err(_) => return Ok(false),
        },
        [0x1f, 0x8b, ..] => io::copy(&mut GzDecoder::new(packed), to),
        _ => return Ok(false),
    };
    // Whatever is wrong with it, the kernel's own code will say so.
    Ok(unpacked.is_ok() && enters(to))
}

/// Where the packed kernel begins in the file, and how long it is.
fn payload(head: &[u8]) -> Option<(u64, u64)> {
    let bytes = |offset: usize, size: usize| {
        let bytes = head.get(offset..offset + size)?;
        Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    };
    if !is_boot_image(head) || bytes(0x206, 2)? < u64::from(PROTOCOL) {
        return None;
    }
    // For the sake of old boot loaders 0 stands for 4.
    let sectors = match bytes(0x1f1, 1)? {
        0 => 4,
        sectors => sectors,
    };
    Some(((sectors + 1) * SECTOR + bytes(0x248, 4)?, bytes(0x24c, 4)?))
}

fn enters(kernel: &File) -> bool {
    let Ok(mut kernel) = kernel.try_clone() else { return false };
    kernel.rewind().is_ok()
        && ElfStream::<LittleEndian, _>::open_stream(kernel)
            .is_ok_and(|mut elf| has_pvh(&mut elf).unwrap_or(false))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::image::tests::{boot_image, kernel_file};
    use rstest::rstest;
    use std::io::Write;

    pub(crate) fn gzip(kernel: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(kernel).unwrap();
        packer.finish().unwrap()
    }

    fn zstd(kernel: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(kernel, ruzstd::encoding::CompressionLevel::Fastest)
    }

    /// An image of which this is the payload, as the kernel's build makes them: the unpacked size follows.
    pub(crate) fn image(packed: &[u8]) -> Vec<u8> {
        let mut image = boot_image("6.12.1-x");
        image[0x1f1] = 7;
        let size = packed.len() + 4;
        image[0x248..0x24c].copy_from_slice(&0x300_u32.to_le_bytes());
        image[0x24c..0x250].copy_from_slice(&u32::try_from(size).unwrap().to_le_bytes());
        image.resize(8 * 512 + 0x300, 0);
        image.extend(packed);
        image.extend([1, 2, 3, 4]);
        image.extend([0; 600]);
        image
    }

    fn unpacked(image: &[u8]) -> Option<Vec<u8>> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(image).unwrap();
        let mut to = tempfile::tempfile().unwrap();
        let good = unpack(file.path(), &mut to).unwrap();
        to.rewind().unwrap();
        let mut kernel = Vec::new();
        to.read_to_end(&mut kernel).unwrap();
        good.then_some(kernel)
    }

    #[rstest]
    #[case(gzip)]
    #[case(zstd)]
    fn a_kernel_with_the_entry_is_unpacked(#[case] pack: fn(&[u8]) -> Vec<u8>) {
        let kernel = kernel_file(18);
        assert!(unpacked(&image(&pack(&kernel))) == Some(kernel));
        assert_eq!(unpacked(&image(&pack(&kernel_file(17)))), None, "no entry");
        assert_eq!(unpacked(&image(&pack(b"no kernel"))), None);
    }

    #[test]
    fn what_cannot_be_unpacked_is_left_as_it_is() {
        let packed = zstd(&kernel_file(18));
        assert_eq!(unpacked(&image(&packed[..packed.len() / 2])), None, "cut off");
        assert_eq!(unpacked(&image(b"\x02\x21\x4c\x18 lz4")), None);
        assert_eq!(unpacked(&image(b"")), None);
        assert_eq!(unpacked(&boot_image("6.12.1-x")[..0x230]), None);
        assert_eq!(unpacked(b""), None);
        assert_eq!(unpacked(&kernel_file(18)), None, "nothing to unpack");
        let mut old = image(&packed);
        old[0x206..0x208].copy_from_slice(&0x0207_u16.to_le_bytes());
        assert_eq!(unpacked(&old), None);
    }
}
