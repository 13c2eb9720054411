//! Guests that earlier runs have booted, on disk: each goes on where it waited for its first order, so that no run
//! boots the same kernel twice.
//!
//! The name of a file is a digest of all that makes a guest what it is, so that none is found for another. The file is an
//! LZ4 frame with a checksum: a line of facts (JSON), the saved state, and the parts of the memory that hold something.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use lz4_flex::frame::{BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, open};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;
use nix::unistd::{Whence, linkat, lseek};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::snapshot::{Snapshot, Way};
use crate::Greeted;

/// How many bytes all of them may take: some fifty guests. Those that were used least recently go first.
const MOST: u64 = 1 << 30;
/// How the files are called.
const EXTENSION: &str = "guest";
/// How they are called until they are whole, where they need a name.
const PART: &str = "part";
/// How long after the last write nobody writes there any more.
const ABANDONED: Duration = Duration::from_secs(60 * 60);
/// The file that says on which machine, since which start of it, no guest gets ready with KVM.
const WITHOUT_KVM: &str = "without-kvm";
/// What stands in place of a part of the memory after the last one.
const NO_MORE: u64 = u64::MAX;

/// A folder of guests.
#[derive(Clone, Debug)]
pub struct Kept {
    folder: PathBuf,
}

/// What is known of a guest beside what QEMU saves of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) greeted: Greeted,
    /// If it has a device for the memory that it shares.
    pub(super) has_device: bool,
    /// If it has found that memory.
    pub(super) shares: bool,
    /// If what its kernel prints is known to be heard.
    pub(super) heard: bool,
}

/// The first line of a file.
#[derive(Serialize, Deserialize)]
struct Facts {
    about: About,
    way: Way,
    /// Bytes of the state.
    state: u64,
    /// Bytes of the memory.
    memory: u64,
}

/// What makes a guest what it is.
pub(super) struct Origin<'o> {
    /// The file of the kernel.
    pub(super) kernel: &'o Path,
    pub(super) initramfs: &'o [u8],
    /// The program that runs it, as a shell finds it.
    pub(super) program: &'o Path,
    /// The words that boot it and those that start its copies.
    pub(super) words: [&'o [OsString]; 2],
    /// What it is greeted with.
    pub(super) programs: &'o BTreeSet<String>,
}

impl Origin<'_> {
    /// The digest of all that, in hexadecimal.
    pub(super) fn key(&self) -> io::Result<String> {
        let program = fs::canonicalize(self.program)?;
        let about = program.metadata()?;
        let mut digest = Sha256::new();
        // What comes before its length cannot be taken for something else.
        let mut add = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_le_bytes());
            digest.update(bytes);
        };
        add(vm_images::sha256(self.kernel)?.as_bytes());
        add(self.initramfs);
        add(program.as_os_str().as_bytes());
        for number in [about.size() as i64, about.mtime(), about.mtime_nsec()] {
            add(&number.to_le_bytes());
        }
        for words in self.words {
            add(&(words.len() as u64).to_le_bytes());
            words.iter().for_each(|word| add(word.as_bytes()));
        }
        self.programs.iter().for_each(|name| add(name.as_bytes()));
        Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl Kept {
    /// Those in a folder, which need not be there yet.
    pub fn new(folder: PathBuf) -> Kept {
        Kept { folder }
    }

    /// The guest of this key, if it is here and whole. One that is not is removed.
    pub(super) fn take(&self, key: &str) -> Option<(Snapshot, About)> {
        let path = self.place(key);
        let file = File::open(&path).ok()?;
        // It was used now.
        let _ = file.set_modified(SystemTime::now());
        match read(file) {
            Ok(guest) => Some(guest),
            Err(_) => {
                let _ = fs::remove_file(&path);
                None
            }
        }
    }

    /// Keeps a guest under this key, and removes others where all are too many.
    pub(super) fn put(&self, key: &str, snapshot: &Snapshot, about: &About) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let place = self.place(key);
        match self.nameless()? {
            Some(mut file) => {
                write(&mut file, snapshot, about)?;
                // One that was there is one that did not go on.
                let _ = fs::remove_file(&place);
                let here = format!("/proc/self/fd/{}", file.as_raw_fd());
                match linkat(AT_FDCWD, here.as_str(), AT_FDCWD, &place, AtFlags::AT_SYMLINK_FOLLOW) {
                    // Somebody else has booted the same meanwhile.
                    Ok(()) | Err(Errno::EEXIST) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            None => self.put_by_name(&place, snapshot, about)?,
        }
        self.sweep(MOST, SystemTime::now())
    }

    /// A file for nobody else that has no name until it is whole: if this process is killed, nothing is left. `None` where
    /// the file system has no such files, as NFS.
    fn nameless(&self) -> io::Result<Option<File>> {
        let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
        match open(&self.folder, flags, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(file) => Ok(Some(file.into())),
            // What an old kernel takes for an order to open the folder is refused as such.
            Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::EINVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The same by a file with a name of its own, which whoever keeps the next guest removes if this process is killed.
    fn put_by_name(&self, place: &Path, snapshot: &Snapshot, about: &About) -> io::Result<()> {
        let mut file = tempfile::Builder::new().suffix(&format!(".{PART}")).tempfile_in(&self.folder)?;
        write(file.as_file_mut(), snapshot, about)?;
        file.persist(place)?;
        Ok(())
    }

    /// If no guest got ready with KVM since the machine was started.
    pub(super) fn is_without_kvm(&self) -> bool {
        let noted = fs::read_to_string(self.folder.join(WITHOUT_KVM)).ok();
        noted.is_some() && noted == start_of_machine()
    }

    /// Notes that.
    pub(super) fn note_without_kvm(&self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        fs::write(self.folder.join(WITHOUT_KVM), start_of_machine().unwrap_or_default())
    }

    fn place(&self, key: &str) -> PathBuf {
        self.folder.join(key).with_extension(EXTENSION)
    }

    fn sweep(&self, most: u64, now: SystemTime) -> io::Result<()> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)?.flatten() {
            let (path, Ok(about)) = (entry.path(), entry.metadata()) else { continue };
            let modified = about.modified()?;
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(EXTENSION) => found.push((modified, about.len(), path)),
                Some(PART) if now.duration_since(modified).is_ok_and(|age| age > ABANDONED) => {
                    remove(&path)?;
                }
                _ => {}
            }
        }
        found.sort_unstable_by(|one, other| other.cmp(one));
        let mut sum = 0;
        for (_, size, path) in found {
            sum += size;
            if sum > most {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

/// Removes a file, if nobody else did meanwhile.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What tells a start of this machine from all others.
fn start_of_machine() -> Option<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()
}

fn write(file: &mut File, snapshot: &Snapshot, about: &About) -> io::Result<()> {
    let (state, memory) = (snapshot.state.metadata()?.len(), snapshot.memory.metadata()?.len());
    let facts = Facts { about: about.clone(), way: snapshot.way, state, memory };
    let frame = FrameInfo::new().block_size(BlockSize::Max1MB).content_checksum(true);
    let mut frame = FrameEncoder::with_frame_info(frame, BufWriter::new(file));
    serde_json::to_writer(&mut frame, &facts)?;
    frame.write_all(b"\n")?;
    copy(&snapshot.state, 0, state, &mut frame)?;
    let mut at = 0;
    while let Some(start) = find(&snapshot.memory, at, Whence::SeekData)? {
        let end = find(&snapshot.memory, start, Whence::SeekHole)?.unwrap_or(memory);
        frame.write_all(&start.to_le_bytes())?;
        frame.write_all(&(end - start).to_le_bytes())?;
        copy(&snapshot.memory, start, end - start, &mut frame)?;
        at = end;
    }
    frame.write_all(&NO_MORE.to_le_bytes())?;
    frame.finish()?.flush()
}

/// Where in the file data or a hole begins, looked for from there on.
fn find(file: &File, from: u64, what: Whence) -> io::Result<Option<u64>> {
    match lseek(file.as_fd(), from as i64, what) {
        Ok(at) => Ok(Some(at as u64)),
        Err(Errno::ENXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn copy(from: &File, at: u64, size: u64, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let (mut at, end) = (at, at + size);
    while at < end {
        let part = &mut buffer[..(end - at).min(1 << 20) as usize];
        from.read_exact_at(part, at)?;
        to.write_all(part)?;
        at += part.len() as u64;
    }
    Ok(())
}

fn read(file: File) -> io::Result<(Snapshot, About)> {
    let mut frame = BufReader::with_capacity(1 << 20, FrameDecoder::new(file));
    let mut line = Vec::new();
    frame.read_until(b'\n', &mut line)?;
    let facts: Facts = serde_json::from_slice(&line)?;
    let mut state = File::from(memfd_create(c"state", MFdFlags::MFD_CLOEXEC)?);
    fill(&mut frame, facts.state, &mut state)?;
    let mut memory = File::from(memfd_create(c"guest", MFdFlags::MFD_CLOEXEC)?);
    memory.set_len(facts.memory)?;
    loop {
        let start = number(&mut frame)?;
        if start == NO_MORE {
            break;
        }
        let size = number(&mut frame)?;
        if start.checked_add(size).is_none_or(|end| end > facts.memory) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        memory.seek(SeekFrom::Start(start))?;
        fill(&mut frame, size, &mut memory)?;
    }
    // The checksum is looked at where the frame ends.
    match io::copy(&mut frame, &mut io::sink())? {
        0 => Ok((Snapshot { memory, state, way: facts.way }, facts.about)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn number(from: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn fill(from: &mut impl Read, size: u64, to: &mut File) -> io::Result<()> {
    match io::copy(&mut from.take(size), to)? == size {
        true => Ok(()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::case::Version;
    use harness::target::{Ids, Target};
    use rstest::rstest;
    use serde_json::json;

    const MEMORY: u64 = 4 << 20;
    /// Two parts of the memory, the second of which ends with it.
    const PARTS: [(u64, &[u8]); 2] = [(1 << 20, b"some of it"), (MEMORY - 3, b"end")];

    fn snapshot() -> Snapshot {
        let file = |name| File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC).unwrap());
        let (state, memory) = (file(c"state"), file(c"memory"));
        state.write_all_at(b"the state", 0).unwrap();
        memory.set_len(MEMORY).unwrap();
        for (at, bytes) in PARTS {
            memory.write_all_at(bytes, at).unwrap();
        }
        let way = serde_json::from_value(json!({ "by": "Path", "shared": 7 })).unwrap();
        Snapshot { memory, state, way }
    }

    fn about() -> About {
        let target = Target {
            implementation: "linux".into(),
            implementation_version: None,
            release: "6.12.1".into(),
            version: Version::parse("6.12").unwrap(),
            machine: "x86_64".into(),
            place: "qemu tcg".into(),
            ids: Ids::Block,
            features: BTreeSet::new(),
            programs: BTreeSet::new(),
        };
        let greeted = Greeted { token: "mark".into(), target };
        About { greeted, has_device: true, shares: false, heard: true }
    }

    fn is_as_before(snapshot: &Snapshot) -> bool {
        let all = |file: &File| {
            let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
            file.read_exact_at(&mut bytes, 0).unwrap();
            bytes
        };
        let mut memory = vec![0; MEMORY as usize];
        for (at, bytes) in PARTS {
            memory[at as usize..][..bytes.len()].copy_from_slice(bytes);
        }
        all(&snapshot.state) == b"the state" && all(&snapshot.memory) == memory
    }

    fn kept() -> (tempfile::TempDir, Kept) {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path().join("guests"));
        (folder, kept)
    }

    #[test]
    fn a_guest_comes_back_as_it_was() {
        let (_folder, kept) = kept();
        assert!(kept.take("key").is_none());
        let before = snapshot();
        kept.put("key", &before, &about()).unwrap();
        assert!(kept.take("other").is_none());
        let (after, known) = kept.take("key").unwrap();
        assert_eq!((known, after.way), (about(), before.way));
        assert!(is_as_before(&after));
        let blocks = after.memory.metadata().unwrap().blocks();
        assert!(blocks * 512 < MEMORY / 2, "what is empty takes no memory: {blocks} blocks");
    }

    #[rstest]
    #[case::without_a_name(|kept: &Kept| kept.put("key", &snapshot(), &about()))]
    #[case::by_name(|kept: &Kept| {
        fs::create_dir_all(&kept.folder)?;
        kept.put_by_name(&kept.place("key"), &snapshot(), &about())
    })]
    fn nobody_else_reads_it_and_nothing_else_is_left(#[case] put: fn(&Kept) -> io::Result<()>) {
        let (_folder, kept) = kept();
        put(&kept).unwrap();
        put(&kept).unwrap();
        assert!(is_as_before(&kept.take("key").unwrap().0));
        let files: Vec<_> = fs::read_dir(&kept.folder).unwrap().flatten().collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_damaged_is_none_and_goes() {
        let (_folder, kept) = kept();
        kept.put("key", &snapshot(), &about()).unwrap();
        let good = fs::read(kept.place("key")).unwrap();
        assert!(kept.take("key").is_some());
        let mut harmless = 0;
        let flipped = |at: usize| {
            let mut bad = good.clone();
            bad[at] ^= 4;
            bad
        };
        let cut = [0, 1, 20, good.len() / 2, good.len() - 1].map(|size| good[..size].to_vec());
        let all = (0..good.len()).map(flipped).chain(cut).chain([[&good[..], b"more"].concat()]);
        for (number, bad) in all.enumerate() {
            fs::write(kept.place("key"), bad).unwrap();
            match kept.take("key") {
                None => assert!(!kept.place("key").exists(), "{number}"),
                // The same zeros can be packed in more than one way.
                Some((guest, known)) => {
                    assert!(known == about() && is_as_before(&guest), "{number}");
                    harmless += 1;
                }
            }
        }
        assert!(harmless < good.len() / 20, "{harmless} of {}", good.len());
    }

    /// Whole by its checksum, and yet not what is written here.
    #[rstest]
    #[case::well_made(&[&b"state"[..], &0u64.to_le_bytes(), &3u64.to_le_bytes(), b"abc", &NO_MORE.to_le_bytes()], true)]
    #[case::too_little_state(&[&b"stat"[..]], false)]
    #[case::no_last_part(&[&b"state"[..], &0u64.to_le_bytes(), &3u64.to_le_bytes(), b"abc"], false)]
    #[case::a_part_cut_short(&[&b"state"[..], &0u64.to_le_bytes(), &3u64.to_le_bytes(), b"ab"], false)]
    #[case::a_part_over_the_end(
        &[&b"state"[..], &(MEMORY - 2).to_le_bytes(), &3u64.to_le_bytes(), b"abc", &NO_MORE.to_le_bytes()], false
    )]
    #[case::a_part_that_ends_nowhere(
        &[&b"state"[..], &2u64.to_le_bytes(), &(NO_MORE - 1).to_le_bytes(), b"abc", &NO_MORE.to_le_bytes()], false
    )]
    #[case::more_after_the_end(&[&b"state"[..], &NO_MORE.to_le_bytes(), b"more"], false)]
    fn what_does_not_fit_is_none(#[case] parts: &[&[u8]], #[case] fits: bool) {
        let (_folder, kept) = kept();
        kept.put("key", &snapshot(), &about()).unwrap();
        let facts = Facts { about: about(), way: snapshot().way, state: 5, memory: MEMORY };
        let frame = FrameInfo::new().content_checksum(true);
        let mut frame = FrameEncoder::with_frame_info(frame, File::create(kept.place("key")).unwrap());
        serde_json::to_writer(&mut frame, &facts).unwrap();
        frame.write_all(b"\n").unwrap();
        frame.write_all(&parts.concat()).unwrap();
        frame.finish().unwrap();
        assert_eq!(kept.take("key").is_some(), fits);
    }

    #[test]
    fn two_that_sweep_at_once_do_not_trip_over_each_other() {
        let (_folder, kept) = kept();
        fs::create_dir_all(&kept.folder).unwrap();
        for round in 0..20 {
            (0..100).for_each(|key| fs::write(kept.place(&format!("{round}-{key}")), b"guest").unwrap());
            std::thread::scope(|scope| {
                let sweeps = [(); 2].map(|()| scope.spawn(|| kept.sweep(0, SystemTime::now())));
                sweeps.into_iter().for_each(|sweep| sweep.join().unwrap().unwrap());
            });
        }
        assert_eq!(fs::read_dir(&kept.folder).unwrap().count(), 0);
    }

    #[test]
    fn those_that_were_used_least_recently_go_first() {
        let (_folder, kept) = kept();
        for key in ["a", "b", "c"] {
            kept.put(key, &snapshot(), &about()).unwrap();
        }
        let size = fs::metadata(kept.place("a")).unwrap().len();
        let old = SystemTime::UNIX_EPOCH;
        File::open(kept.place("b")).unwrap().set_modified(old).unwrap();
        File::open(kept.place("a")).unwrap().set_modified(old).unwrap();
        kept.take("a").unwrap();
        fs::write(kept.folder.join("else"), b"not ours").unwrap();
        kept.sweep(size * 2, SystemTime::now()).unwrap();
        let here = ["a", "b", "c"].map(|key| kept.place(key).exists());
        assert_eq!((here, kept.folder.join("else").exists()), ([true, false, true], true));
    }

    #[test]
    fn what_was_never_finished_goes_when_nobody_writes_it_any_more() {
        let (_folder, kept) = kept();
        kept.put("key", &snapshot(), &about()).unwrap();
        let part = kept.folder.join("x").with_extension(PART);
        fs::write(&part, b"half").unwrap();
        kept.sweep(MOST, SystemTime::now()).unwrap();
        assert!(part.exists());
        kept.sweep(MOST, SystemTime::now() + ABANDONED * 2).unwrap();
        assert!(!part.exists() && kept.place("key").exists());
    }

    #[test]
    fn kvm_is_given_up_until_the_machine_starts_again() {
        let (_folder, kept) = kept();
        assert!(!kept.is_without_kvm());
        kept.note_without_kvm().unwrap();
        assert!(kept.is_without_kvm());
        fs::write(kept.folder.join(WITHOUT_KVM), "another start").unwrap();
        assert!(!kept.is_without_kvm());
    }

    #[rstest]
    #[case::the_same("", true)]
    #[case::kernel("kernel", false)]
    #[case::initramfs("initramfs", false)]
    #[case::program("program", false)]
    #[case::when_the_program_was_changed("time", false)]
    #[case::words_of_the_boot("boot", false)]
    #[case::words_of_copies("copies", false)]
    #[case::where_words_part("parts", false)]
    #[case::programs_of_cases("programs", false)]
    fn a_key_stands_for_all_that_makes_a_guest(#[case] changed: &str, #[case] same: bool) {
        let folder = tempfile::tempdir().unwrap();
        let [kernel, program] = ["kernel", "program"].map(|name| folder.path().join(name));
        let key = |changed: &str| {
            let is = |what: &str| changed == what;
            fs::write(&kernel, if is("kernel") { "b" } else { "a" }).unwrap();
            fs::write(&program, if is("program") { "longer" } else { "qemu" }).unwrap();
            let time = if is("time") { 8 } else { 9 };
            let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(time);
            File::open(&program).unwrap().set_modified(time).unwrap();
            let words = |parts: &[&str]| parts.iter().map(OsString::from).collect::<Vec<_>>();
            let boot = words(match changed {
                "boot" => &["-m", "1"],
                "parts" => &["-", "m2"],
                _ => &["-m", "2"],
            });
            let copies = words(if is("copies") { &["-y"] } else { &["-x"] });
            let programs = if is("programs") { BTreeSet::from(["sh".to_owned()]) } else { BTreeSet::new() };
            let initramfs = if is("initramfs") { b"one" } else { b"two" };
            let words = [&boot[..], &copies[..]];
            let origin = Origin { kernel: &kernel, initramfs, program: &program, words, programs: &programs };
            origin.key().unwrap()
        };
        assert_eq!(key("") == key(changed), same);
    }
}
