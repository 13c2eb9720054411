//! gVisor, as it is installed or as Debian has it: for the tests of commands, and for results that are published.

use std::env::{self, JoinPathsError};
use std::ffi::OsString;
use std::iter;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;
use vm_images::Store;
use vm_images::acquire::package;

/// A sandbox that is an implementation of its own, and the date of its first release with session keyrings.
pub(crate) const GVISOR: &str = "runsc --network=none do";
pub(crate) const WITH_KEYRINGS: &str = "20240729";

/// The date of the runsc(8) that is installed, or why it cannot be used.
pub(crate) fn installed() -> Result<String, String> {
    let Ok(output) = Command::new("runsc").arg("--version").output() else {
        return Err("runsc is not installed".into());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let date = text.split(|char: char| !char.is_ascii_digit()).find(|word| word.len() == 8);
    let works = Command::new("runsc").args(["--network=none", "do", "true"]).output();
    match date {
        None => Err("runsc does not tell its version".into()),
        Some(_) if !works.is_ok_and(|output| output.status.success()) => {
            Err("runsc does not work here".into())
        }
        Some(date) => Ok(date.to_owned()),
    }
}

/// A runsc(8) that has session keyrings, unpacked, or why there is none.
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
