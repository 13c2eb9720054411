//! `skc kernels build`: a small kernel of one's own.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::available_parallelism;

use clap::Args;
use runners::interrupt::{Stop, on_signals};
use vm_images::build::{Order, SOURCE, build};
use vm_images::fragment::Fragment;
use vm_images::{Error, Store};

use super::fetching::Fetching;
use super::{INTERRUPTED, Terminal, Trouble, environment};

pub(super) const HELP: &str = "\
A FRAGMENT is
  full     all that a case may want, and Debian's kernels do not all have: notifications, big keys, ...
  debug    KASAN, lock validation, leaks, hung tasks: much slower, and takes 512 MB
  FILE     lines like CONFIG_BIG_KEYS=y or # CONFIG_USER_NS is not set; the last of several FRAGMENTs counts

Every such kernel has what a virtual machine needs to play cases, and nothing else that nobody asked for. The sources
are a package of Debian. Building takes about five minutes on two idle processors, and 3 GB below the cache while it lasts;
the same sources, fragments and patches are built once.

Exit codes:
  0    built, or here already
  2    a fragment or a patch is wrong, or an option did not take
  3    the sources cannot be had, what builds them is not installed, or they do not compile
  130  interrupted";

#[derive(Args)]
pub(super) struct Build {
    /// What is to be in the kernel; see below
    #[arg(value_name = "FRAGMENT", required = true)]
    fragments: Vec<String>,
    /// By which name `--kernel` takes it [default: the names of the fragments]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Debian's package of the sources
    #[arg(long, value_name = "PACKAGE", default_value = SOURCE)]
    source: String,
    /// A patch to apply to the sources first, with -p1; may be given several times
    #[arg(long = "patch", value_name = "FILE")]
    patches: Vec<PathBuf>,
    /// How many files to compile at a time [default: one for each processor]
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

/// Builds a kernel, or finds that it is here.
pub(super) fn run(args: &Build, store: &Store, terminal: Terminal) -> Result<u8, Trouble> {
    let fragments = args.fragments.iter().map(|text| Fragment::find(text)).collect::<Result<Vec<_>, _>>()?;
    let named = || fragments.iter().map(|fragment| fragment.name.as_str()).collect::<Vec<_>>().join("-");
    let order = Order {
        name: args.name.clone().unwrap_or_else(named),
        source: args.source.clone(),
        patches: args.patches.clone(),
        jobs: match args.jobs {
            Some(jobs) => jobs.into(),
            None => available_parallelism().map_or(1, usize::from),
        },
        fragments,
    };
    let stop = Arc::new(Stop::new().map_err(environment)?);
    on_signals(stop.clone(), INTERRUPTED.into()).map_err(environment)?;
    let mut fetching = Fetching::new(terminal, stop);
    let built = build(store, &order, &mut |progress| fetching.tell(progress));
    fetching.end();
    match built {
        Ok(kernel) => {
            let [version, release] = [kernel.version, kernel.release].map(Option::unwrap_or_default);
            writeln!(terminal.out(), "{}  {version}  {release}", order.name)?;
            Ok(0)
        }
        Err(Error::Stopped) => Ok(INTERRUPTED),
        Err(error) => Err(error.into()),
    }
}
