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
    /// Makes one in a folder where nothing else is kept: whatever is there and held by nobody goes.
    pub(crate) fn new(place: &Path) -> io::Result<Scratch> {
        fs::create_dir_all(place)?;
        // Nobody sweeps between the making of a folder and its lock.
        let _sweeping = locked(place, FlockArg::LockExclusive)?;
        for left in fs::read_dir(place)?.flatten().map(|entry| entry.path()) {
            if locked(&left, FlockArg::LockExclusiveNonblock).is_ok() {
                fs::remove_dir_all(&left)?;
            }
        }
        let folder = tempfile::Builder::new().prefix("").tempdir_in(place)?.keep();
        let held = locked(&folder, FlockArg::LockExclusive)?;
        Ok(Scratch { folder, _held: held })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A lock on a folder or a file, which ends with the process at the latest.
pub(crate) fn locked(path: &Path, how: FlockArg) -> io::Result<Flock<File>> {
    Flock::lock(File::open(path)?, how).map_err(|(_, error)| error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_held_is_not() {
        let place = tempfile::tempdir().unwrap();
        let held = Scratch::new(place.path()).unwrap();
        let left = place.path().join("left");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("file"), "half").unwrap();
        let other = Scratch::new(place.path()).unwrap();
        assert!(!left.exists() && held.path().exists() && other.path().exists());
    }
}
