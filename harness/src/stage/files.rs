//! The case's own files: a private tmpfs with copies of the actor's program, and /proc.
//!
//! Mounted only when something asks for them, in the stage's mount namespace, so that they go with it.

pub mod interpreted;
#[cfg(test)]
mod tests;

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, accept4, bind, getsockopt, listen, socket, sockopt,
};

use crate::actor::arguments::PATH;
use crate::actor::life::{ACTOR_FLAG, CONNECT_FLAG};
use crate::actor::perform::Copy;
use crate::case;
use crate::plan::Resources;
use crate::run::Lost;
use crate::target::HELPERS;

/// Where the tmpfs is mounted: the first of these that exists.
const PLACES: [&str; 4] = ["/tmp", "/mnt", "/run", "/dev"];

/// A program of the suite's own that calls foreign libraries.
pub struct Helper {
    name: String,
    bytes: Vec<u8>,
}

impl Helper {
    /// Reads it from its folder.
    pub fn read(name: &str) -> Option<Helper> {
        Some(Helper { name: name.to_owned(), bytes: fs::read(helper(name)?).ok()? })
    }
}

/// The files of one case.
pub struct Files {
    /// The tmpfs, once it is mounted.
    directory: Option<&'static str>,
    own_machine: bool,
    proc: bool,
    copies: usize,
    helpers: Vec<String>,
    sockets: Vec<(String, Rc<OwnedFd>)>,
}

impl Files {
    /// Mounts what a plan says that its case will use.
    pub fn new(resources: Resources, etc: &[case::File], helpers: &[Helper]) -> Result<Files, Lost> {
        // In the initial pid namespace the machine's own /proc is the right one.
        let proc = resources.initial_pid;
        let mut files = Files {
            directory: None,
            own_machine: resources.own_machine,
            proc,
            copies: 0,
            helpers: Vec::new(),
            sockets: Vec::new(),
        };
        // A machine of the run's own needs no protection from what is packed for it.
        let shared = resources.programs && !resources.own_machine;
        if shared {
            shut_off()?;
        }
        if resources.files || resources.programs {
            let directory = Path::new(files.directory()?);
            for Helper { name, bytes } in helpers {
                put(&directory.join(name), bytes, 0o755)?;
                files.helpers.push(name.clone());
            }
            if !etc.is_empty() {
                bring(directory, etc)?;
            }
        }
        if resources.proc || resources.programs {
            files.proc()?;
        }
        if shared {
            lock(resources.one)?;
            refuse_upcalls()?;
        }
        Ok(files)
    }

    /// The path of a program: one of the suite's own, or the machine's.
    pub fn program(&self, name: &str) -> Option<String> {
        match (self.directory, self.helpers.iter().any(|helper| helper == name)) {
            (Some(directory), true) => Some(format!("{directory}/{name}")),
            _ => find_program(name),
        }
    }

    fn directory(&mut self) -> Result<&'static str, Lost> {
        if let Some(directory) = self.directory {
            return Ok(directory);
        }
        let directory = PLACES
            .into_iter()
            .find(|place| Path::new(place).is_dir())
            .ok_or_else(|| Lost(format!("none of {} is there to mount a tmpfs on", PLACES.join(", "))))?;
        tmpfs(directory, "mode=0755,size=256m")?;
        self.directory = Some(directory);
        Ok(directory)
    }

    /// Mounts /proc for the stage's pid namespace, unless it is there.
    pub fn proc(&mut self) -> Result<(), Lost> {
        if !self.proc {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
                .map_err(|error| Lost(format!("/proc cannot be mounted: {error}")))?;
            self.proc = true;
        }
        Ok(())
    }

    /// Makes a copy of the actor's program and gives its path.
    pub fn copy(&mut self, program: &OwnedFd, copy: Copy, channel: i32) -> Result<String, Lost> {
        let directory = self.directory()?;
        self.copies += 1;
        let path = format!("{directory}/program-{}", self.copies);
        let lost = |error: io::Error| Lost(format!("{path}: {error}"));
        if copy == Copy::Script {
            let interpreter = self.plain_copy(program)?;
            fs::write(&path, format!("#!{interpreter} {ACTOR_FLAG}{channel}\n")).map_err(lost)?;
            fs::set_permissions(&path, Permissions::from_mode(0o755)).map_err(lost)?;
            return Ok(path);
        }
        match self.interpreted(program) {
            Some(bytes) => fs::write(&path, bytes).map_err(lost)?,
            None => duplicate(program, &path)?,
        }
        let (owner, group, mode) = match copy {
            Copy::SetUser(uid) => (Some(uid), Some(0), 0o4755),
            Copy::SetGroup(gid) => (Some(0), Some(gid), 0o2755),
            _ => (None, None, 0o755),
        };
        if owner.is_some() || group.is_some() {
            std::os::unix::fs::chown(&path, owner, group).map_err(lost)?;
        }
        fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(lost)?;
        if let Copy::Capabilities(bits) = copy {
            set_file_capabilities(&path, bits)?;
        }
        Ok(path)
    }

    /// The path by which any user can execute the actor's program itself. Init lies where everyone may look, and to copy it
    /// takes longer than most programs run.
    fn for_everyone(&self, program: &OwnedFd) -> Option<String> {
        let path = fs::read_link(format!("/proc/self/fd/{}", program.as_raw_fd())).ok()?;
        (self.own_machine && is_for_everyone(&path)).then(|| path.to_string_lossy().into_owned())
    }

    /// What stands in for a copy of the actor's program and is interpreted by it, if it can be.
    fn interpreted(&self, program: &OwnedFd) -> Option<Vec<u8>> {
        let path = self.for_everyone(program)?;
        let mut beginning = Vec::new();
        let file = File::open(&path).ok()?;
        file.take(interpreted::BEGINNING).read_to_end(&mut beginning).ok()?;
        interpreted::interpreted(&beginning, &path)
    }

    /// The actor's program, or an ordinary copy of it, that any user can execute by its path.
    pub fn plain_copy(&mut self, program: &OwnedFd) -> Result<String, Lost> {
        if let Some(path) = self.for_everyone(program) {
            return Ok(path);
        }
        let path = format!("{}/skc", self.directory()?);
        if !Path::new(&path).exists() {
            duplicate(program, &path)?;
            fs::set_permissions(&path, Permissions::from_mode(0o755))
                .map_err(|error| Lost(format!("{path}: {error}")))?;
        }
        Ok(path)
    }

    /// A command that becomes the actor `child`, wherever a foreign program executes it.
    pub fn reporter(&mut self, program: &OwnedFd, child: &str) -> Result<String, Lost> {
        let interpreter = self.plain_copy(program)?;
        let directory = self.directory()?;
        let (command, path) = (format!("{directory}/{child}"), format!("{directory}/{child}.socket"));
        let lost = |error: io::Error| Lost(format!("{command}: {error}"));
        fs::write(&command, format!("#!{interpreter} {CONNECT_FLAG}{path}\n")).map_err(lost)?;
        fs::set_permissions(&command, Permissions::from_mode(0o755)).map_err(lost)?;

        let lost = |error: nix::errno::Errno| Lost(format!("{path}: {error}"));
        let listener = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )
        .map_err(lost)?;
        bind(listener.as_raw_fd(), &UnixAddr::new(path.as_str()).map_err(lost)?).map_err(lost)?;
        // Whoever the foreign program turns into has to be able to connect.
        fs::set_permissions(&path, Permissions::from_mode(0o777))
            .map_err(|error| Lost(format!("{path}: {error}")))?;
        listen(&listener, Backlog::new(1).map_err(lost)?).map_err(lost)?;
        self.sockets.push((child.to_owned(), Rc::new(listener)));
        Ok(command)
    }

    /// The socket on which an actor of a foreign program reports in.
    pub fn socket(&self, child: &str) -> Option<Rc<OwnedFd>> {
        self.sockets.iter().rev().find(|(name, _)| name == child).map(|(_, socket)| Rc::clone(socket))
    }
}

/// If every user may execute a file and look into all folders on the way to it.
fn is_for_everyone(path: &Path) -> bool {
    let allows = |path: &Path, bits| fs::metadata(path).is_ok_and(|meta| meta.mode() & bits == bits);
    allows(path, 0o005) && path.ancestors().skip(1).all(|folder| allows(folder, 0o001))
}

/// The channel and process id of an actor that has connected, if it has.
pub fn accept(listener: &OwnedFd) -> Result<Option<(OwnedFd, i32)>, Lost> {
    let channel = match accept4(listener.as_raw_fd(), SockFlag::empty()) {
        Ok(channel) => channel,
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Ok(None),
        Err(error) => return Err(Lost(format!("an actor could not connect: {error}"))),
    };
    let channel = owned(channel);
    let peer = getsockopt(&channel, sockopt::PeerCredentials)
        .map_err(|error| Lost(format!("an actor without credentials connected: {error}")))?;
    Ok(Some((channel, peer.pid())))
}

#[expect(unsafe_code, reason = "nix gives accepted sockets as numbers")]
fn owned(fd: i32) -> OwnedFd {
    // SAFETY: the number is fresh from accept4 and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Foreign programs run on the machine's own files: read-only, without its run-time sockets.
fn shut_off() -> Result<(), Lost> {
    let attributes =
        libc::mount_attr { attr_set: libc::MOUNT_ATTR_RDONLY, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let result = crate::actor::sys::mount_setattr_recursively(&attributes);
    result.map_err(|error| {
        Lost(format!("the machine's files cannot be made read-only for the case: {error}"))
    })?;
    for place in ["/run", "/var/tmp", "/dev/shm"] {
        if Path::new(place).is_dir() {
            tmpfs(place, "mode=1777,size=16m")?;
        }
    }
    // No more processes and no larger files than any case needs.
    for (limit, value) in [
        (nix::sys::resource::Resource::RLIMIT_NPROC, 256),
        (nix::sys::resource::Resource::RLIMIT_FSIZE, 64 << 20),
        (nix::sys::resource::Resource::RLIMIT_CORE, 0),
    ] {
        let value = nix::sys::resource::getrlimit(limit).map_or(value, |(_, hard)| value.min(hard));
        nix::sys::resource::setrlimit(limit, value, value)
            .map_err(|error| Lost(format!("a limit cannot be set: {error}")))?;
    }
    Ok(())
}

/// Makes what was mounted, and how, final: root of the user namespace that mounted it could undo it, and
/// the case's root is that. So the stage moves into a user namespace below, for whose mount namespace the
/// kernel locks the mounts and their flags. The limit on processes holds for all of its ids together.
fn lock(one: Option<(u32, u32)>) -> Result<(), Lost> {
    let lost =
        |error: nix::errno::Errno| Lost(format!("the case cannot be shut off from the machine: {error}"));
    let namespace = super::enclosure::nested(one)?;
    setns(&namespace, CloneFlags::CLONE_NEWUSER).map_err(lost)?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).map_err(lost)
}

/// Keeps foreign programs from what no namespace keeps them from: a request for a key, which the kernel
/// would have the machine's own root construct.
fn refuse_upcalls() -> Result<(), Lost> {
    match crate::actor::sys::refuse_key_construction() {
        // A kernel without seccomp, and nothing that could be started.
        Err(_) if !Path::new("/sbin/request-key").exists() => Ok(()),
        result => result.map_err(|error| {
            Lost(format!("the case cannot be kept from starting /sbin/request-key ({error})"))
        }),
    }
}

fn tmpfs(place: &str, options: &str) -> Result<(), Lost> {
    mount(Some("skc"), place, Some("tmpfs"), MsFlags::MS_NODEV, Some(options))
        .map_err(|error| Lost(format!("no tmpfs can be mounted on {place}: {error}")))
}

fn duplicate(program: &OwnedFd, path: &str) -> Result<(), Lost> {
    let copy = || {
        // A descriptor of its own position is not to be had: the position is set back for the next copy.
        let mut from = File::from(program.as_fd().try_clone_to_owned()?);
        from.rewind()?;
        io::copy(&mut from, &mut File::create(path)?)
    };
    copy().map(drop).map_err(|error: io::Error| Lost(format!("{path}: {error}")))
}

/// Writes the attribute of capabilities(7), version 2: the kernel adds the namespace's root itself.
fn set_file_capabilities(path: &str, bits: u64) -> Result<(), Lost> {
    const VERSION_2_EFFECTIVE: u32 = 0x0200_0001;
    let words = [VERSION_2_EFFECTIVE, bits as u32, 0, (bits >> 32) as u32, 0];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    crate::actor::sys::set_attribute(path, c"security.capability", &bytes)
        .map_err(|error| Lost(format!("{path} cannot be given capabilities: {error}")))
}

/// The state letter of a task, or `None` if it is gone.
pub fn state_of(process: i32, thread: i32) -> Option<char> {
    let stat = fs::read(format!("/proc/{process}/task/{thread}/stat")).ok()?;
    after_name(&stat)?.chars().next()
}

/// The parent of a process.
pub fn parent_of(files: &mut Files, process: i32) -> Result<Option<i32>, Lost> {
    files.proc()?;
    let stat = fs::read(format!("/proc/{process}/stat")).ok();
    Ok(stat.and_then(|stat| after_name(&stat)?.split(' ').nth(1)?.parse().ok()))
}

/// What follows the name, which may hold anything, in a stat file.
pub fn after_name(stat: &[u8]) -> Option<String> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    Some(String::from_utf8_lossy(stat.get(end + 2..)?).into_owned())
}

/// Lets a case find in /etc what it brings, and of the machine's own nothing but where libraries and
/// alternative programs are.
fn bring(directory: &Path, files: &[case::File]) -> Result<(), Lost> {
    let root = directory.join("brought");
    write(&root, files)?;
    let etc = root.join("etc");
    if let Ok(cache) = fs::read("/etc/ld.so.cache") {
        put(&etc.join("ld.so.cache"), &cache, 0o644)?;
    }
    let bind = |from: &Path, to: &Path| {
        let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
        mount(Some(from), to, None::<&str>, flags, None::<&str>)
            .map_err(|error| Lost(format!("{} cannot be mounted: {error}", to.display())))
    };
    let alternatives = Path::new("/etc/alternatives");
    if alternatives.is_dir() {
        let place = etc.join("alternatives");
        fs::create_dir_all(&place).map_err(|error| Lost(format!("{}: {error}", place.display())))?;
        bind(alternatives, &place)?;
    }
    bind(&etc, Path::new("/etc"))
}

/// Writes the files that a case brings, below a root.
pub fn write(root: &Path, files: &[case::File]) -> Result<(), Lost> {
    for file in files {
        let path = root.join(file.path.trim_start_matches('/'));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| Lost(format!("{}: {error}", folder.display())))?;
        }
        let mode = if file.text.starts_with("#!") { 0o755 } else { 0o644 };
        put(&path, file.text.as_bytes(), mode)?;
    }
    Ok(())
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Lost> {
    fs::write(path, bytes)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode)))
        .map_err(|error| Lost(format!("{}: {error}", path.display())))
}

/// The path of what a case may want of the machine: a program, one of the suite's own, a PAM module, or a
/// file that is named by its path.
pub fn find(name: &str) -> Option<String> {
    if HELPERS.iter().any(|(helper, _)| *helper == name) {
        return helper(name);
    }
    if name.starts_with("pam_") && name.ends_with(".so") {
        let folders = PAM_FOLDERS.iter().map(|folder| format!("{folder}/{name}"));
        return folders.into_iter().find(|path| Path::new(path).is_file());
    }
    match name.starts_with('/') {
        true => Some(name.to_owned()).filter(|path| Path::new(path).is_file()),
        false => find_program(name),
    }
}

/// Where distributions have PAM's modules.
const PAM_FOLDERS: [&str; 5] = [
    "/lib/x86_64-linux-gnu/security",
    "/lib/aarch64-linux-gnu/security",
    "/usr/lib64/security",
    "/usr/lib/security",
    "/lib/security",
];

/// The path of one of the suite's own programs: it stands in the nearest folder `helpers` beside this
/// program or above, if both are of one owner.
fn helper(name: &str) -> Option<String> {
    let own = fs::read_link("/proc/self/exe").ok()?;
    let owner = fs::metadata(&own).ok()?.uid();
    let is_ours = |path: &PathBuf| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.uid() == owner);
    own.ancestors()
        .skip(1)
        .take(5)
        .map(|folder| folder.join("helpers").join(name))
        .find(is_ours)
        .map(|path| path.to_string_lossy().into_owned())
}

/// The path of a program in the directories that foreign programs get as PATH.
pub fn find_program(name: &str) -> Option<String> {
    let executable = |path: &String| {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    match name.contains('/') {
        true => Some(name.to_owned()).filter(executable),
        false => PATH.split(':').map(|directory| format!("{directory}/{name}")).find(executable),
    }
}
