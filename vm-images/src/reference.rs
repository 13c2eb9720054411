//! What somebody means by a kernel: a name of the catalogue, or a path to an image, to a build tree or to a
//! package. `host` and the like are for the caller to know.

use std::fs;
use std::path::{Path, PathBuf};

use crate::deb::{self, CONFIG, IMAGE};
use crate::image::{ACCEPTED, Format, Found, look};
use crate::manifest::{Entry, catalogue, entry};
use crate::record::sha256;
use crate::store::{Identity, Store};
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
        if path.exists() {
            let text =
                format!("the kernel of that name in the cache is meant; the one beside you is ./{text}");
            tell(told, &kernel.name, Doing::Note(&text))?;
        }
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
    Ok(Kernel {
        name: name.to_owned(),
        image,
        format,
        release,
        unpacked: None,
        config,
        version: None,
        sha256,
    })
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
    let built = built.iter().map(String::as_str).filter(|name| entry(name).is_none());
    let names: Vec<&str> = catalogue().iter().map(|entry| entry.name.as_str()).chain(built).collect();
    let near = names.iter().map(|name| (strsim::damerau_levenshtein(text, name), name)).min();
    match near.filter(|(distance, _)| *distance <= 2.max(text.len() / 4)) {
        Some((_, name)) => format!("did you mean `{name}`?"),
        None => format!("it has {}", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::boot_image;
    use crate::settings::Settings;
    use rstest::rstest;
    use std::ops::ControlFlow;

    /// Resolves a path below a folder with these files; `@` in the path stands for the folder.
    fn resolved(files: &[(&str, &[u8])], path: &str) -> (tempfile::TempDir, Result<Kernel, Error>) {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let settings = Settings { root: folder.path().join("cache"), mirror: None, keyring: None };
        let path = path.replace('@', folder.path().to_str().unwrap());
        let found = resolve(&path, &Store::new(settings), &mut |_| ControlFlow::Continue(()));
        (folder, found)
    }

    const BUILT: &str = "arch/x86/boot/bzImage";

    #[test]
    fn an_image_is_taken_where_it_is() {
        let (folder, kernel) = resolved(&[("any.name", &boot_image("6.1.7-x"))], "@/any.name");
        let kernel = kernel.unwrap();
        assert_eq!(kernel.image, folder.path().canonicalize().unwrap().join("any.name"));
        assert_eq!((kernel.release.as_deref(), kernel.config, kernel.version), (Some("6.1.7-x"), None, None));
        assert_eq!(kernel.sha256, sha256(&kernel.image).unwrap());
    }

    #[test]
    fn a_build_tree_has_its_image_and_its_configuration() {
        let image = boot_image("6.1.7-mine");
        let files: [(&str, &[u8]); 3] =
            [(BUILT, &image), (".config", b""), ("include/config/kernel.release", b"6.1.8-later\n")];
        let (folder, kernel) = resolved(&files, "@");
        let kernel = kernel.unwrap();
        // The tree may have been configured again since.
        assert_eq!(kernel.release.as_deref(), Some("6.1.7-mine"));
        assert!(kernel.image.ends_with(BUILT));
        assert_eq!(kernel.config, Some(folder.path().join(".config")));

        let mut silent = boot_image("");
        silent[0x20e..0x210].fill(0);
        let (_folder, kernel) = resolved(&[(BUILT, &silent), files[2]], "@");
        let kernel = kernel.unwrap();
        assert_eq!((kernel.release.as_deref(), kernel.config), (Some("6.1.8-later"), None));
    }

    #[rstest]
    #[case(&[], "@", "no kernel's build tree; a kernel is a bzImage")]
    #[case(&[("Kbuild", "")], "@", "not configured or built: `make -C @ defconfig bzImage`")]
    #[case(&[("Kbuild", ""), (".config", "")], "@", "no arch/x86/boot/bzImage yet: `make -C @ bzImage`")]
    #[case(&[(BUILT, "text")], "@", "/arch/x86/boot/bzImage: a text; a kernel is")]
    #[case(&[("x", "BZh")], "@/x", "@/x: compressed with bzip2: unpack it")]
    #[case(&[], "@/x", "@/x: there is no such file; a kernel is")]
    #[case(&[], "debian-6.11", "is no kernel of the catalogue and no file: did you mean `debian-6.1")]
    #[case(&[], "fedora", "is no kernel of the catalogue and no file: it has debian-5.10, debian-6.1, ")]
    fn what_is_none_is_refused_with_help(
        #[case] files: &[(&str, &str)],
        #[case] path: &str,
        #[case] expected: &str,
    ) {
        let files: Vec<(&str, &[u8])> = files.iter().map(|(path, text)| (*path, text.as_bytes())).collect();
        let (folder, found) = resolved(&files, path);
        let expected = expected.replace('@', folder.path().to_str().unwrap());
        assert!(matches!(&found, Err(Error::Reference(why)) if why.contains(&expected)), "{found:?}");
    }

    /// A cache with a kernel that was built here, and the image that it came from.
    fn built() -> (tempfile::TempDir, Store, PathBuf, Kernel) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(Settings { root: folder.path().join("cache"), mirror: None, keyring: None });
        let image = folder.path().join("image");
        fs::write(&image, boot_image("6.12.1-full")).unwrap();
        let identity = Identity { name: "built-full", version: "6.12.1", digest: "00" };
        let kept = store.keep(identity, "a test", &image, None).unwrap();
        (folder, store, image, kept)
    }

    #[test]
    fn what_was_built_here_has_a_name() {
        let (_folder, store, image, kept) = built();
        let mut told = |_: &crate::Progress<'_>| ControlFlow::Continue(());
        assert_eq!(resolve("built-full", &store, &mut told).unwrap(), kept);
        let near = resolve("built-ful", &store, &mut told).unwrap_err().to_string();
        assert!(near.ends_with("did you mean `built-full`?"), "{near}");
        // What is in the catalogue and here as well is named once.
        let identity = Identity { name: "debian-6.12", version: "6.12.1", digest: "01" };
        store.keep(identity, "a test", &image, None).unwrap();
        let all = resolve("something-else", &store, &mut told).unwrap_err().to_string();
        let times = |name: &str| all.split([' ', ',']).filter(|word| *word == name).count();
        assert_eq!((times("debian-6.12"), times("built-full")), (1, 1), "{all}");
    }

    /// The folder that somebody stands in has no name here, and takes nothing of the cache with it.
    #[rstest]
    fn a_folder_that_is_meant_by_dots_is_no_name(#[values(".", "..", "")] text: &str) {
        let (_folder, store, _, kept) = built();
        let mut told = |progress: &crate::Progress<'_>| panic!("{progress} is not to be told");
        assert!(matches!(resolve(text, &store, &mut told), Err(Error::Reference(_))));
        assert_eq!(resolve("built-full", &store, &mut told).unwrap(), kept);
    }

    #[test]
    fn what_is_no_ordinary_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let store = Store::new(Settings { root: folder.path().join("cache"), mirror: None, keyring: None });
        let mut told = |_: &crate::Progress<'_>| ControlFlow::Continue(());
        let why = resolve(pipe.to_str().unwrap(), &store, &mut told).unwrap_err().to_string();
        assert!(why.contains("pipe: no ordinary file; "), "{why}");
    }
}
