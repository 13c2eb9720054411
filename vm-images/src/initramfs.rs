//! The file system that a kernel starts with: one static program as its init, and what else is given.
//!
//! It is not compressed: with 6 MB in it, kernels under emulation unpack it in 0.03 to 0.05 s, and in 0.16 to 0.25 s
//! when it is compressed with gzip or zstd.

use std::io::{self, Write};

use cpio::newc::{Builder, trailer};

const DIRECTORY: u32 = 0o040_000;
const CHARACTER_DEVICE: u32 = 0o020_000;
const REGULAR: u32 = 0o100_000;
const SYMBOLIC_LINK: u32 = 0o120_000;

/// Made before anything is put into them; /tmp and /run are for everyone, as they are elsewhere.
const DIRECTORIES: [(&str, u32); 7] = [
    ("dev", 0o755),
    ("etc", 0o755),
    ("proc", 0o755),
    ("sys", 0o755),
    ("run", 0o755),
    ("sbin", 0o755),
    ("tmp", 0o1777),
];

/// What a program needs before it has mounted anything: the kernel opens /dev/console for its init.
const DEVICES: [(&str, u32, u32, u32); 4] = [
    ("dev/console", 0o600, 5, 1),
    ("dev/null", 0o666, 1, 3),
    ("dev/ttyS0", 0o600, 4, 64),
    ("dev/ttyS1", 0o600, 4, 65),
];

/// A file to be packed beside init.
#[derive(Clone, Debug)]
pub struct Extra<'e> {
    /// Where, from the root: `usr/bin/true`. Folders on the way are made.
    pub path: &'e str,
    /// What is in it.
    pub bytes: &'e [u8],
    /// Its permissions; or [`LINK`].
    pub mode: u32,
}

/// In the place of permissions: a symbolic link to what is in it.
pub const LINK: u32 = SYMBOLIC_LINK;

/// An initramfs whose init, and whose program for key requests, is the given program. All belongs to root.
pub fn initramfs(init: &[u8], extra: &[Extra<'_>]) -> io::Result<Vec<u8>> {
    let room = init.len() + extra.iter().map(|file| file.bytes.len() + 512).sum::<usize>() + 8192;
    let mut archive = Archive { out: Vec::with_capacity(room), made: Vec::new() };
    for (path, mode) in DIRECTORIES {
        archive.entry(Builder::new(path).mode(DIRECTORY | mode), path, &[])?;
    }
    for (path, mode, major, minor) in DEVICES {
        let device = Builder::new(path).mode(CHARACTER_DEVICE | mode).rdev_major(major).rdev_minor(minor);
        archive.entry(device, path, &[])?;
    }
    archive.entry(Builder::new("init").mode(REGULAR | 0o755), "init", init)?;
    let upcall = "sbin/request-key";
    archive.entry(Builder::new(upcall).mode(SYMBOLIC_LINK | 0o777), upcall, b"/init")?;
    for file in extra {
        archive.folders(file.path)?;
        let mode = if file.mode == LINK { LINK | 0o777 } else { REGULAR | (file.mode & 0o7777) };
        archive.entry(Builder::new(file.path).mode(mode), file.path, file.bytes)?;
    }
    trailer(archive.out)
}

struct Archive {
    out: Vec<u8>,
    made: Vec<String>,
}

impl Archive {
    fn entry(&mut self, entry: Builder, path: &str, bytes: &[u8]) -> io::Result<()> {
        let refused = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("{path}: {why}"));
        if path.is_empty() || path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(refused("is no path from the root without dots, as in usr/bin/true"));
        }
        if self.made.iter().any(|made| made == path) {
            return Err(refused("is packed twice"));
        }
        let size = u32::try_from(bytes.len()).map_err(|_| refused("is larger than 4 GiB"))?;
        // Files of one inode number are links of each other for the kernel.
        self.made.push(path.to_owned());
        let number = u32::try_from(self.made.len()).unwrap_or(u32::MAX);
        let mut file = entry.ino(number).nlink(1).write(&mut self.out, size);
        file.write_all(bytes)?;
        file.finish()?;
        Ok(())
    }

    /// The folders that a path leads through.
    fn folders(&mut self, path: &str) -> io::Result<()> {
        for (end, _) in path.match_indices('/') {
            let folder = &path[..end];
            if !self.made.iter().any(|made| made == folder) {
                self.entry(Builder::new(folder).mode(DIRECTORY | 0o755), folder, &[])?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::Reader;
    use rstest::rstest;
    use std::io::Read;

    struct Packed {
        path: String,
        mode: u32,
        device: (u32, u32),
        bytes: Vec<u8>,
    }

    fn read(archive: &[u8]) -> Vec<Packed> {
        let mut packed = Vec::new();
        let mut rest = archive;
        loop {
            let mut reader = Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                return packed;
            }
            let mut bytes = Vec::new();
            reader.read_to_end(&mut bytes).unwrap();
            let entry = reader.entry();
            let (path, device) = (entry.name().to_owned(), (entry.rdev_major(), entry.rdev_minor()));
            packed.push(Packed { path, mode: entry.mode(), device, bytes });
            rest = reader.finish().unwrap();
        }
    }

    #[test]
    fn what_is_packed_is_there() {
        let program = b"\x7fELF and so on".repeat(1001);
        let files = [
            Extra { path: "usr/bin/su", bytes: b"su", mode: 0o4755 },
            Extra { path: "usr/bin/true", bytes: b"", mode: 0o755 },
            Extra { path: "etc/passwd", bytes: b"root", mode: 0o644 },
            Extra { path: "bin", bytes: b"usr/bin", mode: LINK },
        ];
        let entries = read(&initramfs(&program, &files).unwrap());
        let place = |path: &str| {
            entries.iter().position(|entry| entry.path == path).unwrap_or_else(|| panic!("{path}"))
        };
        let find = |path: &str| &entries[place(path)];
        assert_eq!((find("init").mode, &find("init").bytes), (0o100_755, &program));
        assert_eq!(find("sbin/request-key").mode, 0o120_777);
        assert_eq!(find("sbin/request-key").bytes, b"/init");
        assert_eq!((find("dev/console").mode, find("dev/console").device), (0o020_600, (5, 1)));
        assert_eq!((find("dev/ttyS1").mode, find("dev/ttyS1").device), (0o020_600, (4, 65)));
        assert_eq!(find("tmp").mode, 0o041_777);
        assert_eq!(
            (find("usr/bin/su").mode, find("usr/bin/su").bytes.as_slice()),
            (0o104_755, b"su".as_slice())
        );
        assert_eq!(
            entries.iter().filter(|entry| entry.path == "usr/bin" && entry.mode == 0o040_755).count(),
            1
        );
        assert_eq!((find("bin").mode, find("bin").bytes.as_slice()), (0o120_777, b"usr/bin".as_slice()));
        assert!(place("usr") < place("usr/bin") && place("usr/bin") < place("usr/bin/su"));
    }

    #[rstest]
    #[case("/etc/passwd", "no path from the root")]
    #[case("etc/../passwd", "no path from the root")]
    #[case("init", "packed twice")]
    fn a_path_is_checked(#[case] path: &str, #[case] expected: &str) {
        let error = initramfs(b"", &[Extra { path, bytes: b"", mode: 0o644 }]).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
