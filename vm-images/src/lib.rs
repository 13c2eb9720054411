//! Kernels other than the running one: which there are, how to get them, what their files are, and the
//! file system that they start with. Nothing here knows what a case is or how a machine is started, and
//! nothing is printed: whoever asks is [told](Told) how far it is.

pub mod manifest;
pub mod image;
pub mod initramfs;
pub mod unpack;
pub mod programs;
pub mod settings;
pub mod scratch;
pub mod record;
pub mod store;
mod deb;
mod apt;
pub mod acquire;
pub mod reference;
mod contained;
pub mod sources;
pub mod fragment;
pub mod build;

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

pub use record::sha256;
pub use reference::resolve;
pub use store::Store;

/// A kernel that can be started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Its name in the catalogue, or the path by which it was asked for.
    pub name: String,
    /// The file to start.
    pub image: PathBuf,
    /// What the file is.
    pub format: image::Format,
    /// What uname(2) will say, where the file tells it.
    pub release: Option<String>,
    /// What is in that file, where it was unpacked and can be started so.
    pub unpacked: Option<PathBuf>,
    /// Its configuration, where there is one.
    pub config: Option<PathBuf>,
    /// The version of its package, where it comes from one.
    pub version: Option<String>,
    /// The digest of the file to start.
    pub sha256: String,
}

/// Why a kernel could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// What was asked for is no kernel.
    Reference(String),
    /// Something that is needed failed.
    Environment(String),
    /// Whoever was told of the progress wanted it to end.
    Stopped,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Reference(text) | Error::Environment(text) => f.write_str(text),
            Error::Stopped => f.write_str("stopped"),
        }
    }
}

impl std::error::Error for Error {}

/// A file could not be read or written.
fn failed(path: &Path, error: &io::Error) -> Error {
    let room = if error.kind() == io::ErrorKind::StorageFull { ": there is no room on its disk" } else { "" };
    Error::Environment(format!("{}{room}: {error}", path.display()))
}

/// Is told how far it is, several times a second while something goes on, and can end it.
pub type Told<'t> = dyn FnMut(&Progress<'_>) -> ControlFlow<()> + 't;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress<'p> {
    /// The kernel or the package that was asked for.
    pub what: &'p str,
    /// What is done for it.
    pub doing: Doing<'p>,
}

/// What is done for a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Doing<'p> {
    /// Another process is at work for the same suite.
    Waiting {
        /// The suite.
        suite: &'p str,
    },
    /// The lists of packages are read.
    Lists {
        /// The suite.
        suite: &'p str,
    },
    /// A package is downloaded.
    Downloading {
        /// The package.
        package: &'p str,
        /// Bytes so far.
        bytes: u64,
        /// All bytes.
        of: u64,
    },
    /// The kernel is taken out of a package.
    Unpacking {
        /// The package.
        package: &'p str,
    },
    /// Sources are configured.
    Configuring,
    /// Sources are compiled.
    Compiling {
        /// How many files were made so far.
        files: u64,
    },
    /// Something that should be known, and is told once.
    Note(&'p str),
}

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.what)?;
        match self.doing {
            Doing::Waiting { suite } => write!(f, "waiting for another process that fetches from {suite}"),
            Doing::Lists { suite } => write!(f, "reading the package lists of {suite}"),
            Doing::Downloading { package, of, .. } => {
                write!(f, "downloading {package}, {} MB", of.div_ceil(1_000_000))
            }
            Doing::Unpacking { package } => write!(f, "unpacking {package}"),
            Doing::Configuring => f.write_str("configuring"),
            Doing::Compiling { .. } => f.write_str("compiling"),
            Doing::Note(text) => f.write_str(text),
        }
    }
}

/// Tells something about a kernel.
fn tell(told: &mut Told<'_>, what: &str, doing: Doing<'_>) -> Result<(), Error> {
    match told(&Progress { what, doing }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Stopped),
    }
}
