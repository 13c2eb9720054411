//! What somebody means by a kernel: a name of the catalogue, or a path to an image, to a build tree or to a
//! package. `host` and the like are for the caller to know.

use std::fs;
use std::path::{Path, PathBuf};

use crate::deb::{self, CONFIG, IMAGE};
use crate::image::{ACCEPTED, Format, Found, look};
use crate::manifest::{Entry, catalogue, entry};
use crate::store::{Identity, Store, sha256};
use crate::{Doing, Error, Kernel, Told, acquire, failed, tell};

/// The kernel that somebody means. A kernel of the catalogue is fetched if it is not here.
pub fn resolve(text: &str, store: &Store, told: &mut Told<'_>) -> Result<Kernel, Error> {
    if let Some(entry) = entry(text) {
        return acquire::kernel(store, entry, told);
    }
    let path = Path::new(text);
    // Kernels that were built here have names as well.
    if !text.contains('/')
        && let Some(kernel) = store.latest(text, told)?
    {
        return Ok(kernel);
    }
    if path.is_dir() {
        return tree(text, path);
    }
    if !path.exists() {
        return Err(Error::Reference(unknown(text, store)));
    }
    match look(path)? {
        Found::Kernel { format, release } => image(text, path, format, release, None),
        Found::Package => package(text, path, store, told),
        Found::Other(what) => Err(Error::Reference(format!("{text}: {what}; {ACCEPTED}"))),
    }
}

/// The kernel of the catalogue that has a name.
pub fn catalogued(name: &str) -> Result<&'static Entry, Error> {
    entry(name).ok_or_else(|| {
        Error::Reference(format!("`{name}` is no kernel of the catalogue: {}", help(name, &[])))
    })
}

fn image(
    name: &str,
    path: &Path,
    format: Format,
    release: Option<String>,
    config: Option<PathBuf>,
) -> Result<Kernel, Error> {
    let image = fs::canonicalize(path).map_err(|error| failed(path, &error))?;
    let sha256 = sha256(&image).map_err(|error| failed(&image, &error))?;
    Ok(Kernel { name: name.to_owned(), image, format, release, config, version: None, sha256 })
}

/// A kernel's build tree.
fn tree(text: &str, folder: &Path) -> Result<Kernel, Error> {
    let built = folder.join("arch/x86/boot/bzImage");
    let there = |name: &str| folder.join(name).exists();
    if !built.exists() {
        return Err(Error::Reference(match (there("Kbuild") || there(".config"), there(".config")) {
            (false, _) => format!("{text}: a folder, but no kernel's build tree; {ACCEPTED}"),
            (true, true) => {
                format!("{text}: there is no arch/x86/boot/bzImage yet: `make -C {text} bzImage` makes it")
            }
            (true, false) => format!(
                "{text}: the sources of a kernel, but not configured or built: `make -C {text} defconfig bzImage`, or \
                 give the folder that it was built to"
            ),
        }));
    }
    let config = Some(folder.join(".config")).filter(|config| config.is_file());
    match look(&built)? {
        Found::Kernel { format, release } => {
            let named = || fs::read_to_string(folder.join("include/config/kernel.release")).ok();
            let release = release.or_else(|| named().map(|release| release.trim().to_owned()));
            image(text, &built, format, release, config)
        }
        Found::Package => Err(Error::Reference(format!("{}: a Debian package; {ACCEPTED}", built.display()))),
        Found::Other(what) => Err(Error::Reference(format!("{}: {what}; {ACCEPTED}", built.display()))),
    }
}

/// A package with a kernel in it, which is taken out once.
fn package(text: &str, path: &Path, store: &Store, told: &mut Told<'_>) -> Result<Kernel, Error> {
    let digest = sha256(path).map_err(|error| failed(path, &error))?;
    // It has no name by which it could be asked for again.
    let identity = Identity { name: ".deb", version: "package", digest: &digest };
    let kernel = match store.take(identity, told)? {
        Some(kernel) => kernel,
        None => {
            tell(told, text, Doing::Unpacking { package: text })?;
            let scratch = store.scratch()?;
            let found = deb::take(path, scratch.path(), deb::kernel_file)?;
            let file =
                |name: &str| found.iter().any(|(found, _)| *found == name).then(|| scratch.path().join(name));
            let Some(image) = file(IMAGE) else {
                return Err(Error::Reference(format!(
                    "{text}: a package without a kernel; since 6.19 Debian's kernels are in linux-binary-…, not in \
                     linux-image-…"
                )));
            };
            store.keep(identity, text, &image, file(CONFIG).as_deref())?
        }
    };
    Ok(Kernel { name: text.to_owned(), version: None, ..kernel })
}

fn unknown(text: &str, store: &Store) -> String {
    if text.contains('/') {
        return format!("{text}: there is no such file; {ACCEPTED}");
    }
    format!("`{text}` is no kernel of the catalogue and no file: {}", help(text, &store.names()))
}

/// What may have been meant by a name.
fn help(text: &str, built: &[String]) -> String {
    let names: Vec<&str> =
        catalogue().iter().map(|entry| entry.name.as_str()).chain(built.iter().map(String::as_str)).collect();
    let near = names.iter().map(|name| (strsim::damerau_levenshtein(text, name), name)).min();
    match near.filter(|(distance, _)| *distance <= 2.max(text.len() / 4)) {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("it has {}", names.join(", ")),
    }
}
