//! Where kernels are kept and where they come from, as the environment says. A folder that is named there and has other
//! things in it is not taken for the cache: what is there may be removed.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::store::has_kernel;
use crate::{Error, failed};

/// Where kernels are kept and where they come from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the cache.
    pub root: PathBuf,
    /// The mirror of Debian; without one, the one that apt uses on this machine.
    pub mirror: Option<String>,
    /// The keys that suites must be signed with; without any, those of Debian on this machine.
    pub keyring: Option<PathBuf>,
}

impl Settings {
    /// As `SKC_CACHE` (or `XDG_CACHE_HOME`, or `HOME`), `SKC_DEBIAN_MIRROR` and `SKC_DEBIAN_KEYRING` say.
    pub fn from_env() -> Result<Settings, Error> {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let chosen = set("SKC_CACHE").map(PathBuf::from);
        let root = chosen.clone().or_else(|| {
            let caches = set("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            Some(caches.or_else(|| Some(Path::new(&set("HOME")?).join(".cache")))?.join("skc"))
        });
        let Some(root) = root else {
            let text = "there is no place for kernels: set SKC_CACHE to a folder, or HOME";
            return Err(Error::Environment(text.into()));
        };
        let mirror = set("SKC_DEBIAN_MIRROR").map(|mirror| mirror.to_string_lossy().into_owned());
        // apt works in another folder than we do, and its configuration has no way to quote.
        let absolute = |path: PathBuf| std::path::absolute(&path).map_err(|error| failed(&path, &error));
        let settings = Settings {
            root: absolute(root)?,
            mirror,
            keyring: set("SKC_DEBIAN_KEYRING").map(PathBuf::from).map(absolute).transpose()?,
        };
        let odd = |path: &Path| path.to_string_lossy().contains(['"', ' ', '\n', ';']);
        for path in [Some(&settings.root), settings.keyring.as_ref()].into_iter().flatten() {
            if odd(path) {
                return Err(Error::Environment(format!(
                    "{}: apt takes no path with blanks, quotes or semicolons: set SKC_CACHE or SKC_DEBIAN_KEYRING \
                     to another",
                    path.display()
                )));
            }
        }
        if chosen.is_some() {
            refuse_foreign(&settings.root)?;
        }
        Ok(settings)
    }
}

/// Shows a folder to be a cache, which also programs that back up know: <https://bford.info/cachedir/>.
const TAG: &str = "CACHEDIR.TAG";
const TAGGED: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
                      # Kernels that skc fetched or built, and guests that it booted.\n";

/// Shows a folder, which is made if it is not there, to be the cache.
pub(crate) fn tag(root: &Path) -> io::Result<()> {
    fs::create_dir_all(root)?;
    let tag = root.join(TAG);
    match fs::read_to_string(&tag) {
        Ok(text) if text == TAGGED || !is_begun(&text) => Ok(()),
        _ => fs::write(tag, TAGGED),
    }
}

/// If somebody is about to write the tag, or could not write all of it.
fn is_begun(tag: &str) -> bool {
    TAGGED.starts_with(tag)
}

/// Refuses a folder that is neither empty nor the cache of this program.
fn refuse_foreign(root: &Path) -> Result<(), Error> {
    let entries = match fs::read_dir(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(root, &error)),
    };
    // New file systems have that.
    let entries = entries.flatten().map(|entry| entry.file_name()).filter(|name| name != "lost+found");
    let first = entries.min();
    // Other programs tag their caches as well, and an earlier version of this one did not. The tag is looked at last: it
    // is the first that comes into a cache.
    let names_us = |tag: &String| is_begun(tag) || tag.split_whitespace().any(|word| word == "skc");
    let is_ours = fs::read_to_string(root.join(TAG)).is_ok_and(|tag| names_us(&tag)) || has_kernel(root);
    match first {
        Some(name) if !is_ours => Err(Error::Environment(format!(
            "{}: this is no cache of skc, as it has {}. What is not needed any more is removed from the cache: set SKC_CACHE \
             to a folder of its own, as {}",
            root.display(),
            name.to_string_lossy(),
            root.join("skc").display()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::boot_image;
    use crate::store::{Identity, Store};
    use rstest::rstest;

    #[rstest]
    #[case(&[], "", true)]
    #[case(&["lost+found"], "", true)]
    #[case(&["tmp"], "", false)]
    #[case(&["tmp"], TAGGED, true)]
    #[case(&["tmp"], "Signature: 8a477f597d28d172789f06886806bc55\n# of cargo\n", false)]
    #[case(&[], "Signature: 8a477f597d28d172789f06886806bc55\n# of cargo\n", false)]
    #[case(&["apt"], "Signature: ", true)]
    fn a_folder_with_other_things_is_no_cache(
        #[case] folders: &[&str],
        #[case] tag: &str,
        #[case] taken: bool,
    ) {
        let root = tempfile::tempdir().unwrap();
        folders.iter().for_each(|folder| fs::create_dir(root.path().join(folder)).unwrap());
        if !tag.is_empty() {
            fs::write(root.path().join(TAG), tag).unwrap();
        }
        let refused = refuse_foreign(root.path());
        assert_eq!(refused.is_ok(), taken, "{refused:?}");
        if let Err(why) = refused {
            let here = root.path().display();
            let has = if tag.is_empty() { "tmp" } else { TAG };
            let expected =
                [format!("{here}: this is no cache of skc, as it has {has}"), format!("as {here}/skc")];
            assert!(expected.iter().all(|part| why.to_string().contains(part)), "{why}");
        }
    }

    #[test]
    fn a_cache_that_is_tagged_is_known_again() {
        let above = tempfile::tempdir().unwrap();
        let root = above.path().join("cache");
        refuse_foreign(&root).unwrap();
        assert!(!root.exists());
        // Somebody has begun, and got no further.
        fs::create_dir(&root).unwrap();
        fs::write(root.join(TAG), "").unwrap();
        tag(&root).unwrap();
        tag(&root).unwrap();
        assert_eq!(fs::read_to_string(root.join(TAG)).unwrap(), TAGGED);
        fs::write(root.join("notes"), "mine").unwrap();
        refuse_foreign(&root).unwrap();
        assert_eq!(fs::read_dir(&root).unwrap().count(), 2);
    }

    #[test]
    fn a_cache_without_a_tag_is_known_by_its_kernels() {
        let above = tempfile::tempdir().unwrap();
        let (root, image) = (above.path().join("cache"), above.path().join("image"));
        fs::write(&image, boot_image("6.12.1-x")).unwrap();
        let store = Store::new(Settings { root: root.clone(), mirror: None, keyring: None });
        let kept = store.keep(Identity { name: "mine", version: "1", digest: "00" }, "a test", &image, None);
        fs::remove_file(root.join(TAG)).unwrap();
        refuse_foreign(&root).unwrap();
        fs::write(kept.unwrap().image.with_file_name("kernel.json"), "{}").unwrap();
        refuse_foreign(&root).unwrap_err();
    }
}
