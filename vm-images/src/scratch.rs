//! Folders to make something in, which go with whoever made them, and locks that end with a process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

/// A folder that is gone when this is, or, if the process is killed, before the next one is made.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    /// Who sweeps leaves folders alone that somebody holds.
    _held: Flock<File>,
}

impl Scratch {
    /// Makes one in a folder where nothing else is kept: what others left there goes, unless somebody holds it.
    pub(crate) fn new(place: &Path) -> io::Result<Scratch> {
        fs::create_dir_all(place)?;
        // Nobody sweeps between the making of a folder and its lock.
        let _sweeping = locked(place, FlockArg::LockExclusive)?;
        for left in fs::read_dir(place)?.flatten().map(|entry| entry.path()) {
            if let Ok(_held) = locked(&left, FlockArg::LockExclusiveNonblock) {
                // What cannot go now is no reason to make nothing.
                let _ = fs::remove_dir_all(&left);
            }
        }
        let folder = tempfile::Builder::new().prefix("").tempdir_in(place)?.keep();
        let held = locked(&folder, FlockArg::LockExclusive)?;
        Ok(Scratch { folder, _held: held })
    }

    /// The folder. It is empty but for its lock.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The file in a folder that is locked instead of it.
const LOCK: &str = ".lock";

/// A lock on a folder, which ends with the process at the latest. Where folders are shared by several machines (NFS) it
/// holds for all of them, as it would not on the folder itself.
pub(crate) fn locked(folder: &Path, how: FlockArg) -> io::Result<Flock<File>> {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let file = match File::options().write(true).create(true).truncate(false).open(folder.join(LOCK)) {
        // Whoever can only read there makes nothing that others could find half made.
        Err(error) if matches!(error.kind(), ReadOnlyFilesystem | PermissionDenied) => File::open(folder)?,
        file => file?,
    };
    Flock::lock(file, how).map_err(|(_, error)| error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_held_is_not() {
        let place = tempfile::tempdir().unwrap();
        let held = Scratch::new(place.path()).unwrap();
        let (left, stray) = (place.path().join("left"), place.path().join("stray"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("file"), "half").unwrap();
        fs::write(&stray, "no folder").unwrap();
        let other = Scratch::new(place.path()).unwrap();
        assert!(!left.exists() && held.path().exists() && other.path().exists() && stray.exists());
        let folders = [held.path().to_owned(), other.path().to_owned()];
        drop((held, other));
        assert!(folders.iter().all(|folder| !folder.exists()));
    }

    #[test]
    fn a_lock_is_a_lock_on_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let held = locked(folder.path(), FlockArg::LockExclusive).unwrap();
        // As another machine would see it, which does not see locks on folders.
        let file = File::options().write(true).open(folder.path().join(LOCK)).unwrap();
        let (file, error) = Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap_err();
        assert_eq!(error, nix::errno::Errno::EWOULDBLOCK);
        drop(held);
        Flock::lock(file, FlockArg::LockExclusiveNonblock).unwrap();
    }
}
