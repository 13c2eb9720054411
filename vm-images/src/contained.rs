//! A program and everything that it starts, which end as one: when they are no longer wanted, and when the
//! process that wanted them is killed.

use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::Error;

/// How often somebody is told, in milliseconds.
const TICK: u16 = 200;

/// A program that is about to be started.
pub(crate) struct Contained {
    command: Command,
}

impl Contained {
    /// A program in a folder, as free from the environment as a build has to be.
    pub(crate) fn new(program: &str, folder: &Path) -> Contained {
        // A pid namespace takes everything with it. Where there is none to be had, a process group does, unless
        // we are killed by SIGKILL: then what runs at that moment still comes to its end.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).args(namespaces()).arg(program);
        command.current_dir(folder).stdin(Stdio::null()).process_group(0).env("LC_ALL", "C");
        for variable in
            ["LANGUAGE", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES", "CROSS_COMPILE", "O"]
        {
            command.env_remove(variable);
        }
        for variable in ["KCONFIG_CONFIG", "KCONFIG_ALLCONFIG", "KBUILD_OUTPUT", "KBUILD_EXTMOD", "LLVM"] {
            command.env_remove(variable);
        }
        Contained { command }
    }

    /// With an argument.
    pub(crate) fn arg(mut self, arg: impl AsRef<std::ffi::OsStr>) -> Contained {
        self.command.arg(arg);
        self
    }

    /// With an entry in the environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Contained {
        self.command.env(name, value);
        self
    }

    /// Lets it work, and hands over each line that it writes and, several times a second, nothing. Says how it
    /// has ended.
    pub(crate) fn run(
        mut self,
        heard: &mut dyn FnMut(Option<&str>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let unstarted = |error| {
            Error::Environment(format!(
                "setpriv, which starts what builds a kernel, cannot be started: {error}"
            ))
        };
        let (reader, writer) = io::pipe().map_err(unstarted)?;
        self.command.stdout(writer.try_clone().map_err(unstarted)?).stderr(writer);
        let mut group = Group(self.command.spawn().map_err(unstarted)?);
        // Its ends of the pipe have to go, or there would be no end of file.
        drop(self);
        listen(reader, heard)?;
        let status =
            group.0.wait().map_err(|error| Error::Environment(format!("a build is lost: {error}")))?;
        Ok(status.success())
    }
}

fn listen(
    mut reader: PipeReader,
    heard: &mut dyn FnMut(Option<&str>) -> Result<(), Error>,
) -> Result<(), Error> {
    let (mut line, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        heard(None)?;
        let mut waits = [PollFd::new(reader.as_fd(), PollFlags::POLLIN)];
        match poll(&mut waits, TICK) {
            Ok(0) | Err(Errno::EINTR) => continue,
            _ => {}
        }
        let count = match reader.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        for part in buffer[..count].split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                heard(Some(String::from_utf8_lossy(&line).trim_end()))?;
                line.clear();
            }
        }
    }
    match line.is_empty() {
        true => Ok(()),
        false => heard(Some(&String::from_utf8_lossy(&line))),
    }
}

/// How a program is put into a pid namespace of its own here, if it can be.
fn namespaces() -> &'static [&'static str] {
    const WAYS: [&[&str]; 2] = [
        &["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--"],
        &["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc", "--"],
    ];
    let works = |way: &&&[&str]| {
        let mut trial = Command::new(way[0]);
        trial.args(&way[1..]).arg("true").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        trial.status().is_ok_and(|status| status.success())
    };
    WAYS.iter().find(works).copied().unwrap_or_default()
}

/// A process group, which ends when it is no longer held.
struct Group(Child);

impl Drop for Group {
    fn drop(&mut self) {
        if let Ok(Some(_)) = self.0.try_wait() {
            return;
        }
        if let Ok(leader) = i32::try_from(self.0.id()) {
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    fn shell(script: &str) -> Contained {
        Contained::new("sh", Path::new("/")).arg("-c").arg(script)
    }

    #[test]
    fn every_line_is_heard_and_the_end_too() {
        let mut lines = Vec::new();
        let mut heard = |line: Option<&str>| {
            lines.extend(line.map(str::to_owned));
            Ok(())
        };
        assert_eq!(shell("pwd; echo two >&2; printf three; exit 3").run(&mut heard), Ok(false));
        assert_eq!(lines, ["/", "two", "three"]);
        assert_eq!(shell("true").env("A", "b").run(&mut |_| Ok(())), Ok(true));
    }

    #[test]
    fn what_is_not_wanted_any_more_ends_with_all_that_it_started() {
        let folder = tempfile::tempdir().unwrap();
        let lives = folder.path().join("lives");
        let script = format!("(while :; do echo x >> {}; sleep 0.05; done) & wait", lives.display());
        let begun = Instant::now();
        let stopped = shell(&script).run(&mut |_| match lives.exists() {
            true => Err(Error::Stopped),
            false => Ok(()),
        });
        assert_eq!(stopped, Err(Error::Stopped));
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(200));
        let size = || std::fs::metadata(&lives).unwrap().len();
        let before = size();
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(size(), before);
    }
}
