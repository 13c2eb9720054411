//! One kernel in the cache: what is noted of it, and if it still is what it was when it came. Which kernels there are, and
//! what becomes of one that is not, is for the [`store`](crate::store).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Kernel;
use crate::deb::{CONFIG, IMAGE};
use crate::image::Format;

/// The file with what is noted.
pub(crate) const RECORD: &str = "kernel.json";
/// The file with what is in the image.
pub(crate) const UNPACKED: &str = "vmlinux";

/// A kernel in the cache.
#[derive(Clone, Debug)]
pub struct Cached {
    /// What is known of it.
    pub record: Record,
    /// Its folder.
    pub folder: PathBuf,
    /// The size of all its files.
    pub bytes: u64,
}

impl Cached {
    /// The file to start.
    pub fn image(&self) -> PathBuf {
        self.folder.join(IMAGE)
    }
}

/// What is known of a kernel in the cache.
///
/// What a later version of this program adds to it does not make it unknown to this one.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Record {
    /// What it is called.
    pub name: String,
    /// The version of what it was made of.
    pub version: String,
    /// The digest of what it was made of.
    pub digest: String,
    /// Where it comes from, for people.
    pub origin: String,
    /// What its image is.
    pub format: Format,
    /// What uname(2) will say.
    pub release: Option<String>,
    /// The digest of the image.
    pub sha256: String,
    /// The checksum (CRC-32) of what is in the image, if that could be had and started. It is to show damage, and a digest of
    /// so much takes a tenth of a boot.
    #[serde(default)]
    pub unpacked_crc32: Option<u32>,
    /// The digest of the configuration, if there is one.
    pub config_sha256: Option<String>,
    /// When it was put here, in seconds since 1970.
    pub since: u64,
}

/// What tells a folder from another of the same name: numbers of inodes are used again.
pub(crate) fn known_by(folder: &Path) -> Option<(u64, i64, i64)> {
    fs::metadata(folder).ok().map(|about| (about.ino(), about.ctime(), about.ctime_nsec()))
}

/// Why there is no kernel in a folder.
pub(crate) enum Flaw {
    /// It has none of ours, or somebody removes it just now.
    Absent,
    /// It is not as it was when it came.
    Damage(String),
    /// That cannot be told.
    Unread(PathBuf, io::Error),
}

/// What stands in a folder, as its record tells.
pub(crate) fn cached(folder: &Path) -> Result<Cached, Flaw> {
    let path = folder.join(RECORD);
    let text = fs::read(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Flaw::Absent,
        _ => Flaw::Unread(path, error),
    })?;
    let record = serde_json::from_slice(&text)
        .map_err(|error| Flaw::Damage(format!("{RECORD} is damaged ({error})")))?;
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = files.filter_map(|file| Some(file.metadata().ok()?.len())).sum();
    Ok(Cached { record, folder: folder.to_owned(), bytes })
}

/// The kernel of a folder, if all of it adds up to what it did when it came.
pub(crate) fn verify(cached: &Cached) -> Result<Kernel, Flaw> {
    let record = &cached.record;
    check(cached, IMAGE, sha256, Some(&record.sha256))?;
    check(cached, UNPACKED, crc32, record.unpacked_crc32.as_ref())?;
    check(cached, CONFIG, sha256, record.config_sha256.as_ref())?;
    Ok(kernel(record, &cached.folder))
}

/// If a file that should be there is, and adds up to what it did.
fn check<T: PartialEq>(
    cached: &Cached,
    name: &str,
    sum: fn(&Path) -> io::Result<T>,
    expected: Option<&T>,
) -> Result<(), Flaw> {
    let Some(expected) = expected else { return Ok(()) };
    let path = cached.folder.join(name);
    match sum(&path) {
        Ok(found) if found == *expected => Ok(()),
        Ok(_) => Err(Flaw::Damage(format!("{name} is not what it was when it came"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Flaw::Damage(format!("{name} is missing")))
        }
        Err(error) => Err(Flaw::Unread(path, error)),
    }
}

/// The kernel that is in a folder, unseen.
pub(crate) fn kernel(record: &Record, folder: &Path) -> Kernel {
    Kernel {
        name: record.name.clone(),
        image: folder.join(IMAGE),
        format: record.format,
        release: record.release.clone(),
        unpacked: record.unpacked_crc32.is_some().then(|| folder.join(UNPACKED)),
        config: record.config_sha256.is_some().then(|| folder.join(CONFIG)),
        version: Some(record.version.clone()),
        sha256: record.sha256.clone(),
    }
}

/// The digest of a file, in hexadecimal.
pub fn sha256(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    read(path, |bytes| digest.update(bytes))?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// The checksum of a file.
pub(crate) fn crc32(path: &Path) -> io::Result<u32> {
    let mut sum = crc32fast::Hasher::new();
    read(path, |bytes| sum.update(bytes))?;
    Ok(sum.finalize())
}

fn read(path: &Path, mut add: impl FnMut(&[u8])) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 16];
    loop {
        match io::Read::read(&mut file, &mut buffer)? {
            0 => return Ok(()),
            count => add(&buffer[..count]),
        }
    }
}
