//! Process 1 of a virtual machine: what a worker finds ready elsewhere, it makes ready itself, and is
//! a worker then.
//!
//! No process of the machine has a session keyring until a case joins one.

mod shared;
mod state;
mod tree;

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use harness::plan::Plan;
use harness::wire::shared::Memory;
use harness::worker;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot};
use nix::sys::termios::{ControlFlags, SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

pub(crate) use self::state::State;
use crate::alone;
use crate::console::TAINTED;

/// The line by which the guest says on its port that it waits for orders.
pub const READY: &str = "skc guest: ready";
/// The same, if it has found the memory that it shares with whoever runs the machine.
pub const SHARES: &str = "skc guest: ready, and shares memory";
/// What stands before the reason if it cannot.
pub const UNFIT: &str = "skc guest: unfit: ";
/// What the guest has its kernel print before that, so that its console is known to be heard.
pub const HEARD: &str = "skc guest: the console is heard";
/// The word of the kernel's command line that names the port.
pub const PORT: &str = "skc.port=";

/// How long the keys of a case may take to go before the machine does.
const KEYS_GO: Duration = Duration::from_secs(1);

/// If this process is the first of a machine that was booted to be a guest.
pub fn is_guest() -> bool {
    process::id() == 1 && std::env::args_os().next().is_some_and(|name| name == "/init")
}

/// Serves as a worker until it is told to end, and then ends the machine. Or plays by itself, if that is what the
/// machine is for.
pub fn main() -> ! {
    if alone::is_alone() {
        alone::main();
    }
    if let Err(error) = serve() {
        // The console is all that is left to say it on.
        let _ = writeln!(io::stderr(), "{UNFIT}{error}");
    }
    // Resetting works without ACPI too, and whoever runs the machine has told it not to start again.
    let _ = reboot(RebootMode::RB_AUTOBOOT);
    process::exit(1)
}

fn serve() -> io::Result<()> {
    let missing = mounts().err();
    let mut port = open_port()?;
    if let Some(missing) = missing {
        writeln!(port, "{UNFIT}{missing}")?;
        return Err(missing);
    }
    say(HEARD);
    let memory = shared::find().map(|mapped| Arc::new(mapped) as Arc<dyn Memory>);
    writeln!(port, "{}", if memory.is_some() { SHARES } else { READY })?;
    let (mut taint, mut state) = (Taint::of_machine(), State::of_machine());
    let after = |plan: &Plan, sound| {
        taint.tell_news();
        sound && (!plan.stage.marks || (is_childless() && state.restore(plan, KEYS_GO)))
    };
    worker::serve(OwnedFd::from(port.try_clone()?), port, memory, true, after)
        .map_err(|damage| io::Error::other(damage.to_string()))
}

/// If no process that a case has started is left: orphans are init's.
fn is_childless() -> bool {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return false,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return error == Errno::ECHILD,
        }
    }
}

/// What the kernel counts against itself, as a sum of flags.
pub(crate) struct Taint(Option<String>);

impl Taint {
    /// What it has counted so far.
    pub(crate) fn of_machine() -> Taint {
        let flags = fs::read_to_string("/proc/sys/kernel/tainted").ok();
        Taint(flags.map(|flags| flags.trim().to_owned()))
    }

    /// Has the kernel say it if there is more now.
    pub(crate) fn tell_news(&mut self) {
        let Taint(now) = Taint::of_machine();
        if now != self.0 {
            say(&format!("{TAINTED}{}", now.as_deref().unwrap_or("unknown")));
            self.0 = now;
        }
    }
}

/// Has the kernel print a line, as if it were a critical one of its own.
pub(crate) fn say(line: &str) {
    // Without /dev/kmsg nothing is said, which whoever listens will find.
    if let Ok(mut log) = File::options().write(true).open("/dev/kmsg") {
        // What is written at once is one line of the log, and the level that it begins with is its own.
        let _ = log.write_all(format!("<2>{line}\n").as_bytes());
    }
}

/// Mounts what every system has.
pub(crate) fn mounts() -> io::Result<()> {
    // Without CONFIG_DEVTMPFS the nodes that came with the initramfs have to do.
    let _ = mount_new("devtmpfs", "/dev");
    mount_new("proc", "/proc").map_err(|error| {
        io::Error::other(format!("/proc cannot be mounted, and is needed (CONFIG_PROC_FS): {error}"))
    })
}

fn mount_new(kind: &str, place: &str) -> nix::Result<()> {
    mount(Some(kind), place, Some(kind), MsFlags::empty(), None::<&str>)
}

/// The serial port to the coordinator, with every byte passed on as it is.
fn open_port() -> io::Result<File> {
    let arguments = fs::read_to_string("/proc/cmdline").unwrap_or_default();
    let name = arguments.split_whitespace().find_map(|word| word.strip_prefix(PORT)).unwrap_or("ttyS1");
    let path = Path::new("/dev").join(name);
    let port = File::options().read(true).write(true).custom_flags(nix::libc::O_NOCTTY).open(&path).map_err(
        |error| io::Error::other(format!("the port {} cannot be opened: {error}", path.display())),
    )?;
    let mut settings = tcgetattr(&port)?;
    cfmakeraw(&mut settings);
    // The port tells of a message's last bytes after the time that four more would take: 4 ms, had it the speed
    // that ports have at first.
    // (Not by cfsetspeed: libc names a version of it that no static libc has.)
    settings.control_flags.remove(ControlFlags::CBAUD);
    settings.control_flags.insert(ControlFlags::from_bits_retain(nix::libc::B115200));
    tcsetattr(&port, SetArg::TCSANOW, &settings)?;
    Ok(port)
}
