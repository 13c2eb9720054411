//! Folders to make something in, which go with whoever made them, and locks that end with a process.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use nix::fcntl::{Flock, FlockArg};

/// How long the folder of another machine, whose locks are not seen here, is let alone.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);

/// A folder that is gone when this is, or, if the process is killed, before the next one is made.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    /// Who sweeps leaves folders alone that somebody holds.
    _held: Flock<File>,
}

impl Scratch {
    /// Makes one in a folder where nothing else is kept.
    pub(crate) fn new(place: &Path) -> io::Result<Scratch> {
        fs::create_dir_all(place)?;
        // Nobody sweeps between the making of a folder and its lock.
        let _sweeping = locked(place, FlockArg::LockExclusive)?;
        let ours = start_of_machine();
        sweep(place, &ours, SystemTime::now())?;
        let folder = tempfile::Builder::new().prefix(&ours).tempdir_in(place)?.keep();
        let held = locked(&folder, FlockArg::LockExclusive)?;
        Ok(Scratch { folder, _held: held })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.folder
    }
}

/// Removes what killed processes left. Where machines share the folder (NFS), that of others is known by its age.
fn sweep(place: &Path, ours: &str, now: SystemTime) -> io::Result<()> {
    for entry in fs::read_dir(place)?.flatten() {
        let Ok(about) = entry.metadata() else { continue };
        let age = about.modified().ok().and_then(|modified| now.duration_since(modified).ok());
        let is_ours = entry.file_name().to_string_lossy().starts_with(ours);
        if about.is_dir()
            && (is_ours || age.is_some_and(|age| age > ABANDONED))
            && locked(&entry.path(), FlockArg::LockExclusiveNonblock).is_ok()
        {
            // What cannot go now is no reason to make nothing.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// What tells a start of this machine from other starts and machines, as the beginning of a name.
fn start_of_machine() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    format!("{}-", id.chars().take(8).collect::<String>())
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A lock on a folder, which ends with the process at the latest. It holds for this machine.
pub(crate) fn locked(folder: &Path, how: FlockArg) -> io::Result<Flock<File>> {
    Flock::lock(File::open(folder)?, how).map_err(|(_, error)| error.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_process_left_is_swept_and_what_is_held_is_not() {
        let place = tempfile::tempdir().unwrap();
        let held = Scratch::new(place.path()).unwrap();
        let left = place.path().join(start_of_machine() + "left");
        let [of_others, stray] = ["5eed5eed-other", "stray"].map(|name| place.path().join(name));
        for folder in [&left, &of_others] {
            fs::create_dir(folder).unwrap();
            fs::write(folder.join("file"), "half").unwrap();
        }
        fs::write(&stray, "no folder").unwrap();
        let other = Scratch::new(place.path()).unwrap();
        assert!(!left.exists() && held.path().exists() && other.path().exists());
        assert!(of_others.exists() && stray.exists());
        // A day later.
        sweep(place.path(), &start_of_machine(), SystemTime::now() + ABANDONED * 2).unwrap();
        assert!(!of_others.exists() && held.path().exists() && other.path().exists() && stray.exists());
        let folders = [held.path().to_owned(), other.path().to_owned()];
        drop((held, other));
        assert!(folders.iter().all(|folder| !folder.exists()));
    }
}
