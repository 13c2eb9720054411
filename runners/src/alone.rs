//! A machine that plays by itself: its init is the worker, as in a machine that is led from outside, and what leads it
//! is a process of the same machine. Records go to the console as lines of the kernel's log, which nothing can tear.
//!
//! There is one machine and no other in its place. When its kernel has complained, no further case is played.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Duration;

use harness::plan::Plan;
use harness::worker;
use nix::sys::reboot::{RebootMode, reboot};

use crate::console::{Complaint, TAINTED, complaint};
use crate::guest::{State, Taint, UNFIT, mounts, say};
use crate::{Life, Link, Runner};

/// The file of the initramfs that has a machine play by itself: the arguments of `skc`, a line each.
pub const ARGUMENTS: &str = "skc.arguments";
/// The line by which a machine says that it begins to play by itself.
pub const BEGINS: &str = "skc guest: plays by itself";
/// And the one by which it says that it is over; the exit code of the run follows.
pub const OVER: &str = "skc guest: over, with exit code ";
/// How long the keys of a case may take to go.
const KEYS_GO: Duration = Duration::from_secs(3);
/// The kernel's log.
const LOG: &str = "/dev/kmsg";
/// How many bytes of a line the log takes, and some more for what it writes before them.
const LONGEST: usize = 900;

/// If this machine was started to play by itself.
pub fn is_alone() -> bool {
    Path::new("/").join(ARGUMENTS).exists()
}

/// Plays, says what came of it, and turns the machine off.
pub(crate) fn main() -> ! {
    match serve() {
        Ok(code) => say(&format!("{OVER}{code}")),
        Err(error) => say(&format!("{UNFIT}{error}")),
    }
    // What the kernel has still to print is lost when it is off.
    std::thread::sleep(Duration::from_millis(100));
    // Without a way to turn it off it stands still; starting again would play everything again.
    let _ = reboot(RebootMode::RB_POWER_OFF);
    let _ = reboot(RebootMode::RB_HALT_SYSTEM);
    std::process::exit(1)
}

/// Serves the process that leads until it is done, and gives its exit code.
fn serve() -> io::Result<i32> {
    mounts()?;
    // Nobody who reads the console wants more than warnings from now on, and nothing of ours is to be left out because
    // it is much. Without these files things stay as they are.
    let _ = fs::write("/proc/sys/kernel/printk", "5");
    let _ = fs::write("/proc/sys/kernel/printk_devkmsg", "on");
    say(BEGINS);
    let arguments = fs::read_to_string(Path::new("/").join(ARGUMENTS))?;
    let (port, far) = UnixStream::pair()?;
    let (output, words) = io::pipe()?;
    let mut printer = skc(["print"]).stdin(output).spawn()?;
    let mut leader =
        skc(arguments.lines()).stdin(OwnedFd::from(far)).stdout(words.try_clone()?).stderr(words).spawn()?;
    let mut state = State::of_machine();
    let mut taint = Taint::of_machine();
    let after = |plan: &Plan, _| {
        taint.tell_news();
        // There is no other machine, whatever is left on this one, and no other worker.
        state.restore(plan, KEYS_GO);
        true
    };
    let served = worker::serve(OwnedFd::from(port.try_clone()?), port, None, true, after);
    let code = exit_code(&mut leader)?;
    exit_code(&mut printer)?;
    // What the leader makes of a worker that is lost stands in its records.
    served.map(|()| code).map_err(|damage| io::Error::other(damage.to_string()))
}

fn skc<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("skc").args(arguments).env_clear();
    command.envs([("HOME", "/"), ("PATH", "/usr/local/bin:/usr/bin:/bin:/sbin"), ("NO_COLOR", "1")]);
    command
}

fn exit_code(child: &mut Child) -> io::Result<i32> {
    Ok(child.wait()?.code().unwrap_or(-1))
}

/// Prints what comes as lines of the kernel's log, each in one piece whatever else the kernel prints.
pub fn print(input: impl Read) -> io::Result<()> {
    let mut lines = BufReader::new(input).split(b'\n');
    lines.try_for_each(|line| {
        let line = line?;
        let line = String::from_utf8_lossy(&line).into_owned();
        // A long line is several, each of which is told to be a comment if that is.
        let mark = if line.starts_with('#') { "# " } else { "" };
        let mut rest = line.as_str();
        let mut first = true;
        loop {
            let end =
                (0..=LONGEST.min(rest.len())).rev().find(|end| rest.is_char_boundary(*end)).unwrap_or(0);
            let (piece, after) = rest.split_at(end);
            say(&format!("{}{piece}", if first { "" } else { mark }));
            if after.is_empty() {
                return Ok(());
            }
            (rest, first) = (after, false);
        }
    })
}

/// The one worker of this machine, for the process that leads it.
pub struct Alone {
    port: Mutex<Option<UnixStream>>,
}

impl Alone {
    /// The worker that this process was started to lead: it listens where others have their standard input.
    pub fn new() -> io::Result<Alone> {
        if !is_alone() {
            return Err(io::Error::other(
                "this is no machine that plays by itself: `skc lava-job` makes one",
            ));
        }
        let port = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Alone { port: Mutex::new(Some(port)) })
    }
}

impl Runner for Alone {
    fn start(&self) -> io::Result<Link> {
        let port = self.port.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        let port = port.ok_or_else(|| {
            io::Error::other("the machine has lost its worker, and there is no other: boot it again with the cases that are left")
        })?;
        let log = File::options().read(true).custom_flags(nix::libc::O_NONBLOCK).open(LOG).ok();
        let mut log = Log { file: log };
        // What was printed up to here is about the boot.
        log.news();
        let end = port.try_clone()?;
        let (orders, words) = (OwnedFd::from(port.try_clone()?), OwnedFd::from(port));
        let life = Box::new(Machine { end, log, said: Vec::new(), told: 0 });
        Ok(Link { orders, words, shared: None, life })
    }

    fn place(&self) -> String {
        "a machine that plays by itself".into()
    }

    fn jobs(&self) -> usize {
        1
    }

    fn is_one_machine(&self) -> bool {
        true
    }
}

/// The kernel's log, read as it grows.
struct Log {
    file: Option<File>,
}

impl Log {
    /// What the kernel has said since the last call, and what init has said of it.
    fn news(&mut self) -> Vec<String> {
        const RECORD: usize = 8192;
        let mut news = Vec::new();
        let Some(file) = &mut self.file else { return news };
        let mut record = vec![0; RECORD];
        loop {
            match file.read(&mut record) {
                Ok(count) if count > 0 => news.extend(of_kernel(&String::from_utf8_lossy(&record[..count]))),
                // Records were overwritten before they were read: the next call gives those that are there.
                Err(error) if error.raw_os_error() == Some(nix::libc::EPIPE) => {}
                _ => return news,
            }
        }
    }
}

/// The text of a record of the log, `priority,number,time,flags;text`, if it is the kernel's own.
fn of_kernel(record: &str) -> Option<String> {
    let (facts, rest) = record.split_once(';')?;
    let text = rest.lines().next().unwrap_or_default();
    let priority: u32 = facts.split(',').next()?.parse().ok()?;
    // Three bits are the level. What is above them is 0 for the kernel, and nobody else can have that.
    (priority >> 3 == 0 || text.starts_with(TAINTED)).then(|| text.to_owned())
}

/// The life of the machine that this process is in.
struct Machine {
    end: UnixStream,
    log: Log,
    said: Vec<String>,
    told: usize,
}

impl Life for Machine {
    fn kill(&mut self) {
        let _ = self.end.shutdown(std::net::Shutdown::Both);
    }

    /// Init outlives this process, or nothing does.
    fn ended(&mut self, _limit: Duration) -> Option<String> {
        None
    }

    fn console(&mut self) -> Vec<String> {
        self.said.extend(self.log.news());
        let news = self.said[self.told..].to_vec();
        self.told = self.said.len();
        news
    }

    fn complaint(&mut self) -> Option<Complaint> {
        self.said.extend(self.log.news());
        complaint(&self.said)
    }
}

/// What an initramfs has to hold for its machine to play by itself: the arguments of `skc run`, a line each.
pub fn arguments(of_run: &[OsString]) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt;
    let mut text = b"run\n--alone\n".to_vec();
    for argument in of_run {
        text.extend_from_slice(argument.as_bytes());
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("4,12,345,-;BUG: bad\n SUBSYSTEM=x\n", Some("BUG: bad"))]
    #[case("10,12,345,-;BUG: a case says so", None)]
    #[case(
        "10,12,345,-;skc guest: the kernel is tainted: 512",
        Some("skc guest: the kernel is tainted: 512")
    )]
    #[case("nonsense", None)]
    fn the_kernel_is_believed_of_itself(#[case] record: &str, #[case] text: Option<&str>) {
        assert_eq!(of_kernel(record).as_deref(), text);
    }

    #[test]
    fn arguments_are_lines() {
        let arguments = arguments(&["--format".into(), "lava".into()]);
        assert_eq!(arguments, b"run\n--alone\n--format\nlava\n");
    }
}
