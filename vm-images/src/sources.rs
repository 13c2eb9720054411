//! A kernel's sources out of the package in which Debian has them: all of them for a build, or the programs that belong
//! to the kernel and read what tests say. Nothing is compiled here.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::acquire::{self, Package};
use crate::contained::Contained;
use crate::manifest::catalogue;
use crate::store::{Store, is_taken, short};
use crate::{Doing, Error, Told, deb, failed, tell};

/// What runs tests and reads what they say, below the root of the sources: kunit.py, and what installs and runs
/// kselftest beside the tests themselves.
const TOOLS: [&str; 8] = [
    "scripts/subarch.include",
    "tools/scripts",
    "tools/testing/kunit",
    "tools/testing/selftests/Makefile",
    "tools/testing/selftests/lib.mk",
    "tools/testing/selftests/run_kselftest.sh",
    "tools/testing/selftests/kselftest",
    "tools/testing/selftests/kselftest_install.sh",
];

/// How many lines are told of what a program said that failed.
const TAIL: usize = 12;

/// The suite that has a package of sources: the one from which kernels of that series come.
pub(crate) fn suite(source: &str) -> Result<&'static str, Error> {
    let series = source.strip_prefix("linux-source-").unwrap_or_default();
    let mut entries = catalogue().iter();
    entries.find(|entry| entry.series == series).map(|entry| entry.suite.as_str()).ok_or_else(|| {
        Error::Reference(format!(
            "`{source}` is no package of kernel sources that is known here: it is called linux-source-X.Y as in \
             {}, with the X.Y of a kernel of the catalogue",
            crate::build::SOURCE
        ))
    })
}

/// The folder that has the tools for tests of some sources, as in `linux-source-6.12`, where the sources have them.
/// They are kept in the cache.
pub fn tools(store: &Store, source: &str, told: &mut Told<'_>) -> Result<PathBuf, Error> {
    let package = acquire::package(store, suite(source)?, source, None, told)?;
    // Other tools of the same sources are other files.
    let tools: String = Sha256::digest(TOOLS.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{source}_{}_{}_tools-{}", package.version, short(&package.sha256), short(&tools));
    let kept = store.root().join("packages").join(name);
    if kept.is_dir() {
        return Ok(kept);
    }
    let scratch = store.scratch()?;
    let tree = unpack(&package, source, scratch.path(), &TOOLS, told)?;
    match fs::rename(&tree, &kept) {
        // Somebody else was faster.
        Err(error) if is_taken(&error) => Ok(kept),
        Err(error) => Err(failed(&kept, &error)),
        Ok(()) => Ok(kept),
    }
}

/// Takes sources out of their package, and gives their folder: those that are named, or all of them. `what` is who they
/// are for.
pub(crate) fn unpack(
    package: &Package,
    what: &str,
    scratch: &Path,
    parts: &[&str],
    told: &mut Told<'_>,
) -> Result<PathBuf, Error> {
    const ARCHIVE: &str = "linux.tar.xz";
    let doing = Doing::Unpacking { package: &package.name };
    tell(told, what, doing)?;
    let sources = |path: &Path| {
        let name = path.file_name()?.to_str()?;
        (name.starts_with("linux-source-") && name.ends_with(".tar.xz")).then_some(ARCHIVE)
    };
    if deb::take(&package.path, scratch, sources)?.is_empty() {
        return Err(Error::Environment(format!("{}: there are no sources in it", package.path.display())));
    }
    let tree = scratch.join("linux");
    fs::create_dir(&tree).map_err(|error| failed(&tree, &error))?;
    let mut said = Vec::new();
    let mut tar = Contained::new("tar", scratch)
        .arg("--extract")
        .arg("--xz")
        .arg("--no-same-owner")
        .arg("--strip-components=1")
        .arg("--directory=linux")
        .arg(format!("--file={ARCHIVE}"));
    if !parts.is_empty() {
        tar = tar.arg("--wildcards");
    }
    for part in parts {
        tar = tar.arg(format!("*/{part}"));
    }
    let done = tar.run(&mut |line| {
        said.extend(line.map(str::to_owned));
        tell(told, what, doing)
    })?;
    if !done {
        return Err(Error::Environment(format!("{} cannot be unpacked: {}", package.name, tail(&said))));
    }
    fs::remove_file(scratch.join(ARCHIVE)).map_err(|error| failed(scratch, &error))?;
    Ok(tree)
}

/// The end of what a program said.
pub(crate) fn tail(said: &[String]) -> String {
    let from = said.len().saturating_sub(TAIL);
    said[from..].join("\n  ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("linux-source-6.12", Some("trixie"))]
    #[case("linux-source-6.1", Some("bookworm"))]
    #[case("linux-source-9.9", None)]
    #[case("linux", None)]
    #[case("bash", None)]
    fn sources_come_from_where_their_kernels_do(#[case] source: &str, #[case] expected: Option<&str>) {
        assert_eq!(suite(source).ok(), expected);
    }
}
