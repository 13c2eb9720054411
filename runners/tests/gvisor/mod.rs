//! gVisor, as it is installed or as Debian has it: for the tests of commands, and for results that are published.

use std::env::{self, JoinPathsError};
use std::ffi::OsString;
use std::iter;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use vm_images::Store;
use vm_images::acquire::package;

/// A sandbox that is an implementation of its own, and the date of its first release with session keyrings.
pub(crate) const GVISOR: &str = "runsc --network=none do";
pub(crate) const WITH_KEYRINGS: &str = "20240729";

/// The date of the runsc(8) that is installed, or why it cannot be used.
pub(crate) fn installed() -> Result<String, String> {
    let date = date(Path::new("runsc"))?;
    let works = Command::new("runsc").args(["--network=none", "do", "true"]).output();
    match works.is_ok_and(|output| output.status.success()) {
        true => Ok(date),
        false => Err("runsc does not work here".into()),
    }
}

/// The date of a runsc(8).
pub(crate) fn date(program: &Path) -> Result<String, String> {
    let Ok(output) = Command::new(program).arg("--version").output() else {
        return Err("runsc is not installed".into());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let date = text.split(|char: char| !char.is_ascii_digit()).find(|word| word.len() == 8);
    date.map(str::to_owned).ok_or_else(|| "runsc does not tell its version".into())
}

/// A folder with a runsc(8) that has session keyrings, or why there is none.
pub(crate) fn fetched() -> Result<TempDir, String> {
    let store = Store::of_user().map_err(|error| error.to_string())?;
    let package = package(&store, "trixie", "runsc", None, &mut |_| ControlFlow::Continue(()));
    let package = package.map_err(|error| error.to_string())?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let unpacked = Command::new("dpkg-deb").arg("--extract").args([&package.path, folder.path()]).status();
    match unpacked {
        Ok(status) if status.success() => Ok(folder),
        other => Err(format!("{} cannot be unpacked: {other:?}", package.path.display())),
    }
}

/// The search path with a folder before all others.
pub(crate) fn path_with(folder: &Path) -> Result<OsString, JoinPathsError> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::join_paths(iter::once(folder.to_owned()).chain(env::split_paths(&path)))
}

/// The folder of programs in what was fetched.
pub(crate) fn programs(fetched: &TempDir) -> PathBuf {
    fetched.path().join("usr/bin")
}
