//! Programs that are killed, and programs without the privileges that they need: nothing is left, nothing is guessed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::Stand;
use super::compiled;

/// A case that takes as long as it may.
const LONG: &str = "parent/spinning";
const NOBODY: u32 = 65534;

pub(crate) fn leaves_nothing(stand: &Stand) -> Result<(), String> {
    let (folder, program) = built(stand)?;
    let mounts = || fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string());
    let before = mounts()?;
    let mut child =
        Command::new(&program).stdout(Stdio::null()).spawn().map_err(|error| error.to_string())?;
    // The program, its stage and at least one actor.
    await_processes(&program, |count| count >= 3)?;
    child.kill().and_then(|()| child.wait()).map_err(|error| error.to_string())?;
    await_processes(&program, |count| count == 0)?;
    match mounts()? == before {
        true => drop(folder),
        false => return Err("a mount is left".into()),
    }
    Ok(())
}

pub(crate) fn without_root(stand: &Stand) -> Result<(), String> {
    let (folder, program) = built(stand)?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))
        .map_err(|error| error.to_string())?;
    let output =
        Command::new(&program).uid(NOBODY).gid(NOBODY).output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stdout);
    match output.status.code() == Some(4) && told.contains("run it as root") {
        true => Ok(()),
        false => Err(format!("{}: {told}", output.status)),
    }
}

fn built(stand: &Stand) -> Result<(tempfile::TempDir, std::path::PathBuf), String> {
    let case = stand.suite().case(LONG).ok_or_else(|| format!("there is no case {LONG}"))?;
    let (_, program) = stand.exported(case).map_err(|why| why.0)?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let source = folder.path().join("long.c");
    fs::write(&source, program.to_string()).map_err(|error| error.to_string())?;
    compiled::compile(&source, &["-O2"])?;
    let program = source.with_extension("");
    Ok((folder, program))
}

/// Waits until so many processes execute a program.
fn await_processes(program: &Path, enough: impl Fn(usize) -> bool) -> Result<(), String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let processes = fs::read_dir("/proc").map_err(|error| error.to_string())?;
        let count = processes
            .flatten()
            .filter(|entry| fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == program))
            .count();
        if enough(count) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{count} processes of {}", program.display()));
        }
        thread::sleep(Duration::from_millis(10));
    }
}
