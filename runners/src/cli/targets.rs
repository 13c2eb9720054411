//! What a run tests: from the command line to pools of workers.

use std::cell::LazyCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use harness::stage::files;
use harness::target::HELPERS;
use runners::alone::Alone;
use runners::interrupt::Stop;
use runners::local::Local;
use runners::pool::Pool;
use runners::qemu::accelerator::Accelerator;
use runners::qemu::command::Machine;
use runners::qemu::kept::Kept;
use runners::qemu::{Keeping, Qemu, Wish};
use runners::remote::Unstarted;
use runners::uml::Uml;
use vm_images::initramfs::{Extra, initramfs};
use vm_images::programs::Programs;
use vm_images::{Kernel, Store, manifest};

use super::fetching::Fetching;
use super::shard::Shard;
use super::{Targets, Terminal, Trouble};

/// The name of the running kernel.
const HOST: &str = "host";
/// The name of User Mode Linux.
const UML: &str = "uml";
/// The name of every kernel of the catalogue.
const ALL: &str = "all";

/// Something to be tested.
pub(super) struct Wanted {
    /// Its name in reports and folders.
    pub(super) name: String,
    /// The option that asks for it, as in `--kernel debian-6.12`; none for the running kernel.
    pub(super) option: Option<String>,
    how: How,
}

enum How {
    Host,
    Alone,
    Uml,
    Kernel(Box<Kernel>),
    Command(String),
    /// Why it cannot be had.
    Lost(String),
}

/// Finds what the command line asks for; kernels that are not there are fetched. What cannot be had is
/// an error only where nothing else is asked for.
pub(super) fn find(args: &Targets, terminal: Terminal, stop: &Arc<Stop>) -> Result<Vec<Wanted>, Trouble> {
    find_some(args, None, terminal, stop)
}

/// The same, for the kernels of a shard.
pub(super) fn find_some(
    args: &Targets,
    shard: Option<Shard>,
    terminal: Terminal,
    stop: &Arc<Stop>,
) -> Result<Vec<Wanted>, Trouble> {
    if let Some(command) = &args.reach.command {
        // Who wrote it wrong need not wait for kernels to be told.
        args.reach.runner(command)?;
    }
    let mut fetching = Fetching::new(terminal, Arc::clone(stop));
    // One for all: it knows which suites cannot be reached.
    let store = LazyCell::new(Store::of_user);
    let mut wanted: Vec<Wanted> = Vec::new();
    let names = args.kernel.iter().flat_map(|name| match name.as_str() {
        ALL => manifest::all().map(|entry| entry.name.clone()).collect(),
        name => vec![name.to_owned()],
    });
    let names = names.enumerate().filter(|(place, _)| shard.is_none_or(|shard| shard.has_place(*place)));
    for (_, reference) in names {
        if stop.is_asked() {
            return Ok(Vec::new());
        }
        let how = match reference.as_str() {
            HOST => How::Host,
            UML => How::Uml,
            _ => match acquire(&reference, &store, &mut fetching) {
                Ok(kernel) => How::Kernel(Box::new(kernel)),
                Err(vm_images::Error::Reference(why)) => return Err(Trouble::Usage(why)),
                Err(vm_images::Error::Stopped) => return Ok(Vec::new()),
                Err(vm_images::Error::Environment(why)) => How::Lost(why),
            },
        };
        let option = (reference != HOST).then(|| format!("--kernel {reference}"));
        let name = unused_name(&reference, &wanted);
        wanted.push(Wanted { name, option, how });
    }
    fetching.end();
    if let Some(command) = &args.reach.command {
        let name = unused_name("command", &wanted);
        let option = Some(args.reach.options().trim().to_owned());
        wanted.push(Wanted { name, option, how: How::Command(command.clone()) });
    }
    if wanted.is_empty() && shard.is_none() {
        let how = if args.alone { How::Alone } else { How::Host };
        wanted.push(Wanted { name: HOST.into(), option: None, how });
    }
    Ok(wanted)
}

/// A kernel that is to be booted elsewhere; nothing if that was stopped.
pub(super) fn kernel(
    reference: &str,
    terminal: Terminal,
    stop: &Arc<Stop>,
) -> Result<Option<Kernel>, Trouble> {
    if [HOST, UML, ALL].contains(&reference) {
        return Err(Trouble::Usage(format!("{reference}: only a kernel's image can be booted elsewhere")));
    }
    let mut fetching = Fetching::new(terminal, Arc::clone(stop));
    let found = acquire(reference, &Store::of_user(), &mut fetching);
    fetching.end();
    match found {
        Err(vm_images::Error::Stopped) => Ok(None),
        found => Ok(Some(found?)),
    }
}

fn acquire(
    reference: &str,
    store: &Result<Store, vm_images::Error>,
    fetching: &mut Fetching,
) -> Result<Kernel, vm_images::Error> {
    let store = store.as_ref().map_err(Clone::clone)?;
    vm_images::resolve(reference, store, &mut |progress| fetching.tell(progress))
}

/// The last part of a path, made different from those before it.
fn unused_name(reference: &str, before: &[Wanted]) -> String {
    // It becomes the name of a folder, which dots are not.
    let named = |path: &Path| Some(path.file_name()?.to_string_lossy().into_owned());
    let path = Path::new(reference);
    let base = named(path).or_else(|| named(&path.canonicalize().ok()?)).unwrap_or_else(|| "kernel".into());
    let taken = |name: &str| before.iter().any(|wanted| wanted.name == name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    let mut names = std::iter::once(base.clone()).chain(numbered);
    names.find(|name| !taken(name)).unwrap_or_default()
}

/// Opens pools, one target after the other.
pub(super) struct Opener<'a> {
    pub(super) args: &'a Targets,
    pub(super) programs: BTreeSet<String>,
    pub(super) stop: Arc<Stop>,
    pub(super) terminal: Terminal,
    /// What executes guests: found out with the first kernel.
    found: OnceLock<Wish>,
}

impl<'a> Opener<'a> {
    pub(super) fn new(
        args: &'a Targets,
        programs: BTreeSet<String>,
        stop: Arc<Stop>,
        terminal: Terminal,
    ) -> Opener<'a> {
        Opener { args, programs, stop, terminal, found: OnceLock::new() }
    }

    /// Starts the first worker on a target.
    pub(super) fn open(&self, wanted: &Wanted) -> Result<Pool, Unopened> {
        let runner: Box<dyn runners::Runner> = match &wanted.how {
            How::Host => Box::new(Local::new()),
            How::Alone => Box::new(Alone::new().map_err(trouble)?),
            How::Uml => Box::new(self.user_mode()?),
            How::Kernel(kernel) => Box::new(self.boot(kernel)?),
            How::Command(command) => {
                self.args.reach.runner(command).map_err(|trouble| Unopened::Trouble(trouble.to_string()))?
            }
            How::Lost(why) => return Err(Unopened::Trouble(why.clone())),
        };
        let pool = Pool::open(runner, self.programs.clone(), Arc::clone(&self.stop))?;
        pool.notes().iter().for_each(|note| self.terminal.note(note));
        Ok(pool.fresh(self.args.fresh_vm))
    }

    fn user_mode(&self) -> Result<Uml, Unopened> {
        if self.args.smp > 1 || self.args.accel != Wish::Auto {
            self.terminal.note(
                "uml: --smp and --accel have no say: it has one processor, and needs nothing to execute it",
            );
        }
        let append = self.args.append.as_deref().unwrap_or_default();
        let (limit, stop) = (self.args.boot_timeout, Arc::clone(&self.stop));
        Uml::new(self.args.memory, append, &self.initramfs()?, limit, stop).map_err(trouble)
    }

    fn boot(&self, kernel: &Kernel) -> Result<Qemu, Unopened> {
        let initramfs = self.initramfs()?;
        let machine = Machine {
            kernel: kernel.image.clone(),
            unpacked: false,
            append: self.args.append.clone().unwrap_or_default(),
            memory: self.args.memory,
            processors: self.args.smp,
            accelerator: Accelerator::Tcg,
            shares: true,
        };
        let wish = self.found.get().copied().unwrap_or(self.args.accel);
        let open = |path: &PathBuf| {
            File::open(path).map_err(|error| Unopened::Trouble(format!("{}: {error}", path.display())))
        };
        let unpacked = kernel.unpacked.as_ref().map(open).transpose()?;
        let (limit, stop) = (self.args.boot_timeout, Arc::clone(&self.stop));
        let kept =
            Store::of_user().ok().filter(|_| !self.args.cold_boot).map(|store| Kept::new(store.guests()));
        let keeping = kept.map(|kept| Keeping { kept, programs: &self.programs });
        let qemu = Qemu::boot(machine, unpacked, wish, &initramfs, limit, stop, keeping)?;
        let found = if qemu.accelerator() == Accelerator::Kvm { Wish::Kvm } else { Wish::Tcg };
        let _ = self.found.set(found);
        qemu.notes().iter().for_each(|note| self.terminal.note(note));
        Ok(qemu)
    }

    fn initramfs(&self) -> Result<Vec<u8>, Unopened> {
        pack(&self.programs, &[]).map_err(trouble)
    }
}

/// The file system that a machine starts with: this program as its process 1, what the chosen cases
/// run, as far as it is installed here, and more files.
pub(super) fn pack(programs: &BTreeSet<String>, more: &[Extra<'_>]) -> std::io::Result<Vec<u8>> {
    let program = std::fs::read("/proc/self/exe")?;
    let helper = |name: &String| HELPERS.iter().any(|(helper, _)| helper == name);
    let found = programs.iter().filter_map(|name| {
        let place = helper(name).then(|| format!("helpers/{name}"));
        Some((PathBuf::from(files::find(name)?), place))
    });
    let programs = Programs::gather(found)?;
    initramfs(&program, &[&programs.extras(), more].concat())
}

fn trouble(error: std::io::Error) -> Unopened {
    Unopened::Trouble(error.to_string())
}

/// Why there is no pool.
pub(super) enum Unopened {
    /// The run was stopped.
    Stopped,
    /// Something failed.
    Trouble(String),
}

impl From<Unstarted> for Unopened {
    fn from(unstarted: Unstarted) -> Unopened {
        match unstarted {
            Unstarted::Stopped => Unopened::Stopped,
            Unstarted::Refused(why) => Unopened::Trouble(format!("no case can be played there: {why}")),
            Unstarted::Failed(why) => Unopened::Trouble(format!("no worker can be started: {why}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_is_named_by_what_can_be_the_name_of_a_folder() {
        let place = tempfile::tempdir().unwrap();
        let sub = place.path().join("linux/sub");
        std::fs::create_dir_all(&sub).unwrap();
        let path = |path: &str| sub.join(path).display().to_string();
        let mut wanted = Vec::new();
        for (reference, expected) in [
            ("debian-6.12".to_owned(), "debian-6.12"),
            (path(".."), "linux"),
            (path("../."), "linux-2"),
            (path(""), "sub"),
            (path("bzImage"), "bzImage"),
            ("/".into(), "kernel"),
            ("debian-6.12".into(), "debian-6.12-2"),
        ] {
            let name = unused_name(&reference, &wanted);
            assert_eq!(name, expected, "{reference}");
            wanted.push(Wanted { name, option: None, how: How::Host });
        }
    }
}
