//! A kernel and its configuration out of a Debian package.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Error, failed};

/// Writes the files of a package that `wanted` gives a name to a folder, and tells which these are. Nothing else
/// of the package is looked at, and its paths and owners mean nothing to the folder.
pub(crate) fn take(
    package: &Path,
    folder: &Path,
    wanted: impl Fn(&Path) -> Option<&'static str>,
) -> Result<Vec<(&'static str, PathBuf)>, Error> {
    let mut unpack = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            Error::Environment(format!("dpkg-deb, which opens packages, cannot be started: {error}"))
        })?;
    let taken = unpack.stdout.take().map_or_else(
        || Err(io::ErrorKind::BrokenPipe.into()),
        |stream| {
            let mut stream = BufReader::new(stream);
            let taken = files(&mut stream, folder, &wanted);
            // dpkg-deb takes a reader who leaves early for a failure.
            if taken.is_ok() {
                io::copy(&mut stream, &mut io::sink())?;
            }
            taken
        },
    );
    let ended = unpack.wait_with_output().map_err(|error| failed(package, &error))?;
    let taken = match taken {
        // If the package is damaged then so is the stream, and dpkg-deb knows better why.
        Err(error) if error.kind() == io::ErrorKind::StorageFull || ended.status.success() => {
            return Err(failed(folder, &error));
        }
        taken => taken,
    };
    match taken {
        Ok(taken) if ended.status.success() => Ok(taken),
        _ => {
            let why = String::from_utf8_lossy(&ended.stderr).trim().replace('\n', "; ");
            Err(Error::Environment(format!("{} cannot be opened: {why}", package.display())))
        }
    }
}

fn files(
    stream: impl Read,
    folder: &Path,
    wanted: impl Fn(&Path) -> Option<&'static str>,
) -> io::Result<Vec<(&'static str, PathBuf)>> {
    let mut taken: Vec<(&'static str, PathBuf)> = Vec::new();
    for entry in tar::Archive::new(stream).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Some(name) = wanted(&path).filter(|_| entry.header().entry_type().is_file()) else { continue };
        if let Some((_, other)) = taken.iter().find(|(taken, _)| *taken == name) {
            let text = format!("there is more than one: {} and {}", other.display(), path.display());
            return Err(io::Error::other(text));
        }
        let mut file = File::create(folder.join(name))?;
        io::copy(&mut entry, &mut file)?;
        file.sync_all()?;
        taken.push((name, path));
    }
    Ok(taken)
}

/// The name of a kernel's image.
pub(crate) const IMAGE: &str = "vmlinuz";
/// The name of its configuration.
pub(crate) const CONFIG: &str = "config";

/// Images and configurations, wherever packages have them: Debian moved both from /boot to below /usr/lib/modules.
pub(crate) fn kernel_file(path: &Path) -> Option<&'static str> {
    let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).filter(|part| *part != ".").collect();
    match parts.as_slice() {
        ["boot", name] if name.starts_with("vmlinuz-") => Some(IMAGE),
        ["boot", name] if name.starts_with("config-") => Some(CONFIG),
        ["usr", "lib", "modules", _, "vmlinuz"] | ["lib", "modules", _, "vmlinuz"] => Some(IMAGE),
        ["usr", "lib", "modules", _, "config"] | ["lib", "modules", _, "config"] => Some(CONFIG),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("./boot/vmlinuz-6.1.0-50-cloud-amd64", Some(IMAGE))]
    #[case("./boot/config-6.1.0-50-cloud-amd64", Some(CONFIG))]
    #[case("./usr/lib/modules/7.3.4+deb13-cloud-amd64/vmlinuz", Some(IMAGE))]
    #[case("lib/modules/7.3.4/config", Some(CONFIG))]
    #[case("./boot/System.map-6.1.0", None)]
    #[case("./usr/lib/modules/7.3.4/kernel/vmlinuz", None)]
    #[case("../boot/vmlinuz-6.1.0", None)]
    fn a_kernel_is_found_where_it_is(#[case] path: &str, #[case] expected: Option<&str>) {
        assert_eq!(kernel_file(Path::new(path)), expected);
    }
}
