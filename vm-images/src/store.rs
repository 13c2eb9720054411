//! What has been fetched or built, on disk: one folder for each kernel, whole or not there at all, looked at
//! again each time that it is used. Where its kernels come from is not known here.
//!
//! ```text
//! kernels/NAME/VERSION-DIGEST/{vmlinuz,vmlinux,config,kernel.json}
//! packages/NAME_VERSION_DIGEST.deb
//! guests/                     what others keep of kernels that were booted
//! apt/SUITE/                  what apt knows of a suite
//! tmp/                        what is being made; what a killed process left is swept
//! CACHEDIR.TAG                shows that this is the cache
//! ```

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use crate::deb::{CONFIG, IMAGE};
use crate::image::{self, ACCEPTED, Found};
use crate::record::{
    Cached, Flaw, RECORD, Record, UNPACKED, cached, crc32, kernel, known_by, sha256, verify,
};
use crate::scratch::Scratch;
use crate::settings::{self, Settings};
use crate::unpack::unpack;
use crate::{Doing, Error, Kernel, Told, failed, tell};

const KERNELS: &str = "kernels";
const GUESTS: &str = "guests";

/// The cache. Several processes and threads may use one.
#[derive(Debug)]
pub struct Store {
    pub(crate) settings: Settings,
    /// The suites whose lists could not be read by this process, and why: asking again takes long.
    pub(crate) unreachable: Mutex<HashMap<String, String>>,
}

/// What a kernel is made of, which tells it from others of its name.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'i> {
    /// What it is called.
    pub name: &'i str,
    /// The version of what it is made of.
    pub version: &'i str,
    /// The digest of what it is made of: a package, or sources and configuration.
    pub digest: &'i str,
}

impl Store {
    /// A cache, which need not be there yet.
    pub fn new(settings: Settings) -> Store {
        Store { settings, unreachable: Mutex::default() }
    }

    /// The cache of the user.
    pub fn of_user() -> Result<Store, Error> {
        Settings::from_env().map(Store::new)
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.settings.root
    }

    /// The folder for guests that were booted, which need not be there yet.
    pub fn guests(&self) -> PathBuf {
        self.root_to_write().join(GUESTS)
    }

    /// Its folder for whoever is about to write there, which is then known as the cache.
    pub(crate) fn root_to_write(&self) -> &Path {
        // Whoever then cannot write tells why.
        let _ = settings::tag(self.root());
        self.root()
    }

    /// A folder to make something in.
    pub fn scratch(&self) -> Result<Scratch, Error> {
        let place = self.root_to_write().join("tmp");
        Scratch::new(&place).map_err(|error| failed(&place, &error))
    }

    /// The kernels of a name, those that came last first. One whose record cannot be read is left out.
    pub fn cached(&self, name: &str) -> Vec<Cached> {
        let mut found: Vec<Cached> = self.folders(name).filter_map(|folder| cached(&folder).ok()).collect();
        found.sort_by_key(|cached| std::cmp::Reverse(cached.record.since));
        found
    }

    /// The folder of the kernels of a name. A text that is no file's name, as `..` is none, is not the name of a kernel:
    /// it would lead out of where they are.
    fn named(&self, name: &str) -> Option<PathBuf> {
        let is_name = Path::new(name).file_name() == Some(OsStr::new(name));
        is_name.then(|| self.root().join(KERNELS).join(name))
    }

    fn folders(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        let entries = self.named(name).and_then(|folder| fs::read_dir(folder).ok());
        entries.into_iter().flatten().flatten().map(|entry| entry.path()).filter(|path| path.is_dir())
    }

    /// The names of all kernels that are here.
    pub fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.root().join(KERNELS)).into_iter().flatten().flatten();
        let names = names.filter_map(|entry| entry.file_name().into_string().ok());
        let is_here = |name: &String| !name.starts_with('.') && self.folders(name).next().is_some();
        let mut names: Vec<String> = names.filter(is_here).collect();
        names.sort_unstable();
        names
    }

    /// A kernel, if it is here and as it was when it came. One that is not is named and removed.
    pub fn take(&self, identity: Identity<'_>, told: &mut Told<'_>) -> Result<Option<Kernel>, Error> {
        let folder = self.folder(identity);
        if !folder.exists() {
            return Ok(None);
        }
        self.checked(identity.name, &folder, told)
    }

    /// The kernel of a name that came last, if one is here that is as it was.
    pub fn latest(&self, name: &str, told: &mut Told<'_>) -> Result<Option<Kernel>, Error> {
        let mut folders: Vec<PathBuf> = self.cached(name).into_iter().map(|cached| cached.folder).collect();
        // Those of which nothing is known come last: they are named, and go.
        folders.extend(self.folders(name).filter(|folder| cached(folder).is_err()));
        for folder in folders {
            if let Some(kernel) = self.checked(name, &folder, told)? {
                return Ok(Some(kernel));
            }
        }
        Ok(None)
    }

    fn checked(&self, name: &str, folder: &Path, told: &mut Told<'_>) -> Result<Option<Kernel>, Error> {
        loop {
            let before = known_by(folder);
            let damage = match cached(folder).and_then(|cached| verify(&cached)) {
                Ok(kernel) => return Ok(Some(kernel)),
                Err(Flaw::Absent) => return Ok(None),
                Err(Flaw::Unread(path, error)) => return Err(failed(&path, &error)),
                Err(Flaw::Damage(damage)) => damage,
            };
            // Somebody else may have removed it, and put another in its place.
            if known_by(folder) != before {
                continue;
            }
            tell(
                told,
                name,
                Doing::Note(&format!("{damage}: {} was removed from the cache", folder.display())),
            )?;
            self.discard(folder)?;
            return Ok(None);
        }
    }

    /// Puts a kernel here: an image, and a configuration if it has one, which are copied. What is in the image comes
    /// beside it, so that it is unpacked once and not for each boot.
    pub fn keep(
        &self,
        identity: Identity<'_>,
        origin: &str,
        image: &Path,
        config: Option<&Path>,
    ) -> Result<Kernel, Error> {
        let (format, release) = match image::look(image)? {
            Found::Kernel { format, release } => (format, release),
            Found::Package => return Err(Error::Reference(format!("{origin}: a package in a package"))),
            Found::Other(what) => return Err(Error::Reference(format!("{origin}: {what}; {ACCEPTED}"))),
        };
        let scratch = self.scratch()?;
        let made = scratch.path().join("kernel");
        fs::create_dir(&made).map_err(|error| failed(&made, &error))?;
        let copy = |from: &Path, name: &str| {
            let to = made.join(name);
            let copied = fs::copy(from, &to).and_then(|_| File::open(&to)?.sync_all());
            copied.map_err(|error| failed(&to, &error))?;
            sha256(&to).map_err(|error| failed(&to, &error))
        };
        let record = Record {
            name: identity.name.into(),
            version: identity.version.into(),
            digest: identity.digest.into(),
            origin: origin.into(),
            format,
            release,
            sha256: copy(image, IMAGE)?,
            unpacked_crc32: unpacked(image, &made.join(UNPACKED))?,
            config_sha256: config.map(|config| copy(config, CONFIG)).transpose()?,
            since: now(),
        };
        let path = made.join(RECORD);
        let text = serde_json::to_vec_pretty(&record).map_err(io::Error::from);
        text.and_then(|text| fs::write(&path, text)).map_err(|error| failed(&path, &error))?;
        let folder = self.folder(identity);
        if let Some(above) = folder.parent() {
            fs::create_dir_all(above).map_err(|error| failed(above, &error))?;
        }
        match fs::rename(&made, &folder) {
            Err(error) if is_taken(&error) => {}
            Err(error) => return Err(failed(&folder, &error)),
            Ok(()) => return Ok(kernel(&record, &folder)),
        }
        // Somebody else may have put the same kernel here meanwhile, and be about to open it.
        if let Ok(kernel) = cached(&folder).and_then(|cached| verify(&cached)) {
            return Ok(kernel);
        }
        self.discard(&folder)?;
        fs::rename(&made, &folder).map_err(|error| failed(&folder, &error))?;
        Ok(kernel(&record, &folder))
    }

    /// Makes a kernel that is here the one of its name that came last.
    pub(crate) fn renew(&self, identity: Identity<'_>) -> Result<(), Error> {
        let folder = self.folder(identity);
        let path = folder.join(RECORD);
        let scratch = self.scratch()?;
        let renew = || -> io::Result<()> {
            let mut record: Record = serde_json::from_slice(&fs::read(&path)?)?;
            record.since = now();
            // It is whole at every moment.
            let made = scratch.path().join(RECORD);
            fs::write(&made, serde_json::to_vec_pretty(&record)?)?;
            File::open(&made)?.sync_all()?;
            fs::rename(made, &path)
        };
        renew().map_err(|error| failed(&path, &error))
    }

    /// Removes a folder of the cache: it is whole until it is gone.
    pub fn discard(&self, folder: &Path) -> Result<(), Error> {
        let scratch = self.scratch()?;
        match fs::rename(folder, scratch.path().join("gone")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(folder, &error)),
            _ => Ok(()),
        }
    }

    /// Removes all kernels of a name, and says if there were any.
    pub fn remove(&self, name: &str) -> Result<bool, Error> {
        match self.named(name).filter(|folder| folder.exists()) {
            Some(folder) => self.discard(&folder).map(|()| true),
            None => Ok(false),
        }
    }

    /// Removes all that is here, and also what apt knows.
    pub fn clear(&self) -> Result<(), Error> {
        for folder in ["kernels", "packages", "apt", GUESTS] {
            self.discard(&self.root().join(folder))?;
        }
        Ok(())
    }

    fn folder(&self, identity: Identity<'_>) -> PathBuf {
        let Identity { name, version, digest } = identity;
        self.root().join(KERNELS).join(name).join(format!("{version}-{}", short(digest)))
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// If a folder could not be given a name because another that is not empty has it: file systems say one or the other.
pub(crate) fn is_taken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists)
}

/// As much of a digest as a name needs.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

/// If a folder has the record of a kernel, which only this program writes.
pub(crate) fn has_kernel(root: &Path) -> bool {
    let within =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    within(&root.join(KERNELS)).any(|name| within(&name).any(|folder| cached(&folder).is_ok()))
}

/// Writes what is in an image to a file that is not there yet, and gives its checksum; nothing, and no file, where it cannot
/// be had or started.
fn unpacked(image: &Path, to: &Path) -> Result<Option<u32>, Error> {
    let write = || {
        let mut file = File::options().read(true).write(true).create_new(true).open(to)?;
        if unpack(image, &mut file)? {
            file.sync_all()?;
            return crc32(to).map(Some);
        }
        fs::remove_file(to).map(|()| None)
    };
    write().map_err(|error| failed(to, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::tests::{boot_image, kernel_file};
    use crate::unpack::tests::{gzip, image as packed};
    use rstest::rstest;
    use std::ops::ControlFlow;
    use std::os::unix::fs::MetadataExt;

    const IDENTITY: Identity<'_> = Identity { name: "mine", version: "6.1-1", digest: "0123456789abcdef" };

    fn store() -> (tempfile::TempDir, Store) {
        let root = tempfile::tempdir().unwrap();
        let settings = Settings { root: root.path().join("cache"), mirror: None, keyring: None };
        (root, Store::new(settings))
    }

    fn put(store: &Store, release: &str) -> Kernel {
        let files = store.scratch().unwrap();
        let (image, config) = (files.path().join("i"), files.path().join("c"));
        fs::write(&image, boot_image(release)).unwrap();
        fs::write(&config, "CONFIG_KEYS=y\n").unwrap();
        store.keep(IDENTITY, "a test", &image, Some(&config)).unwrap()
    }

    fn put_packed(store: &Store, kernel: &[u8]) -> Kernel {
        let files = store.scratch().unwrap();
        let image = files.path().join("i");
        fs::write(&image, packed(&gzip(kernel))).unwrap();
        store.keep(IDENTITY, "a test", &image, None).unwrap()
    }

    #[test]
    fn what_is_in_an_image_is_kept_beside_it_and_looked_at_as_well() {
        let (_root, store) = store();
        let kernel = kernel_file(18);
        let kept = put_packed(&store, &kernel);
        let unpacked = kept.unpacked.as_ref().unwrap();
        assert!(fs::read(unpacked).unwrap() == kernel);
        let mut silent = |_: &crate::Progress<'_>| panic!("nothing is to be told");
        assert_eq!(store.take(IDENTITY, &mut silent).unwrap(), Some(kept.clone()));

        fs::write(unpacked, b"another").unwrap();
        let mut notes = String::new();
        let mut told = |progress: &crate::Progress<'_>| {
            notes += &progress.to_string();
            ControlFlow::Continue(())
        };
        assert_eq!(store.take(IDENTITY, &mut told).unwrap(), None);
        assert!(notes.contains("vmlinux is not what it was"), "{notes}");
    }

    #[test]
    fn what_cannot_be_started_unpacked_is_not_kept_so() {
        let (_root, store) = store();
        let kept = put_packed(&store, b"no kernel");
        assert_eq!((kept.unpacked, left_in(kept.image.parent().unwrap())), (None, 2));
    }

    fn left_in(folder: &Path) -> usize {
        fs::read_dir(folder).into_iter().flatten().count()
    }

    #[test]
    fn what_is_kept_is_found() {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        assert_eq!(kernel.release.as_deref(), Some("6.1.0-x"));
        assert!(kernel.image.ends_with("kernels/mine/6.1-1-0123456789ab/vmlinuz"), "{kernel:?}");
        assert_eq!(fs::read(kernel.config.as_ref().unwrap()).unwrap(), b"CONFIG_KEYS=y\n");
        let mut silent = |_: &crate::Progress<'_>| panic!("nothing is to be told");
        assert_eq!(store.take(IDENTITY, &mut silent).unwrap(), Some(kernel.clone()));
        assert_eq!(store.latest("mine", &mut silent).unwrap(), Some(kernel));
        assert_eq!(store.take(Identity { digest: "f", ..IDENTITY }, &mut silent).unwrap(), None);
        assert_eq!((store.names(), left_in(&store.root().join("tmp"))), (vec!["mine".to_owned()], 0));
        assert!(store.remove("mine").unwrap());
        assert!(!store.remove("mine").unwrap());
        assert!(store.cached("mine").is_empty());
    }

    #[rstest]
    #[case(IMAGE, "vmlinuz is not what it was")]
    #[case(CONFIG, "config is not what it was")]
    #[case(RECORD, "kernel.json is damaged")]
    fn what_was_damaged_is_named_and_removed(
        #[case] file: &str,
        #[case] expected: &str,
        #[values(true, false)] truncated: bool,
        #[values(true, false)] by_name: bool,
    ) {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        let folder = kernel.image.parent().unwrap();
        let mut bytes = fs::read(folder.join(file)).unwrap();
        if truncated {
            bytes.truncate(bytes.len() / 2);
        } else {
            bytes[0] ^= 1;
        }
        fs::write(folder.join(file), bytes).unwrap();
        let mut notes = String::new();
        let mut told = |progress: &crate::Progress<'_>| {
            notes += &progress.to_string();
            ControlFlow::Continue(())
        };
        let found = if by_name { store.latest("mine", &mut told) } else { store.take(IDENTITY, &mut told) };
        assert_eq!((found.unwrap(), store.names()), (None, Vec::new()));
        assert!(notes.starts_with("mine: ") && notes.contains(expected), "{notes}");
        assert!(!folder.exists());
        assert_eq!(left_in(&store.root().join("tmp")), 0);
    }

    #[rstest]
    fn what_is_no_name_leads_nowhere(
        #[values("", ".", "..", "./mine", "mine/", "mine/.", "../kernels/mine")] text: &str,
    ) {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        let mut silent = |_: &crate::Progress<'_>| panic!("nothing is to be told");
        assert_eq!(store.latest(text, &mut silent).unwrap(), None);
        assert!(!store.remove(text).unwrap() && store.cached(text).is_empty());
        assert_eq!(store.latest("mine", &mut silent).unwrap(), Some(kernel));
    }

    #[test]
    fn what_is_no_folder_is_nothing_of_a_kernel() {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        let stray = kernel.image.parent().unwrap().with_file_name("notes");
        fs::write(&stray, "mine").unwrap();
        let mut silent = |_: &crate::Progress<'_>| panic!("nothing is to be told");
        assert_eq!(store.latest("mine", &mut silent).unwrap(), Some(kernel.clone()));
        assert!(store.take(IDENTITY, &mut silent).unwrap().is_some() && stray.exists());
        store.discard(kernel.image.parent().unwrap()).unwrap();
        assert_eq!((store.latest("mine", &mut silent).unwrap(), store.names()), (None, Vec::new()));
        assert!(stray.exists());
    }

    #[test]
    fn what_cannot_be_read_is_left_alone() {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        let mut silent = |_: &crate::Progress<'_>| panic!("nothing is to be told");
        for file in [IMAGE, RECORD] {
            let path = kernel.image.with_file_name(file);
            let hidden = kernel.image.with_file_name("hidden");
            fs::rename(&path, &hidden).unwrap();
            fs::create_dir(&path).unwrap();
            for found in [store.latest("mine", &mut silent), store.take(IDENTITY, &mut silent)] {
                let why = found.unwrap_err().to_string();
                assert!(why.starts_with(path.to_str().unwrap()), "{why}");
            }
            fs::remove_dir(&path).unwrap();
            fs::rename(&hidden, &path).unwrap();
        }
        assert_eq!(store.latest("mine", &mut silent).unwrap(), Some(kernel));
    }

    #[test]
    fn what_has_no_record_is_nothing_of_a_kernel() {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        fs::remove_file(kernel.image.with_file_name(RECORD)).unwrap();
        let mut silent = |_: &crate::Progress<'_>| panic!("nothing is to be told");
        assert_eq!(store.latest("mine", &mut silent).unwrap(), None);
        assert_eq!(store.take(IDENTITY, &mut silent).unwrap(), None);
        assert!(kernel.image.exists());
        // It does not stand in the way either.
        let kernel = put(&store, "6.1.1-x");
        assert_eq!(store.latest("mine", &mut silent).unwrap(), Some(kernel));
    }

    #[test]
    fn what_a_later_version_of_this_program_notes_is_no_damage() {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        let path = kernel.image.with_file_name(RECORD);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replacen('{', "{\"later\": 1,", 1)).unwrap();
        let mut silent = |_: &crate::Progress<'_>| panic!("nothing is to be told");
        assert_eq!(store.latest("mine", &mut silent).unwrap(), Some(kernel));
    }

    /// Whoever has a kernel may open it at any moment, whoever else puts the same there.
    #[test]
    fn a_kernel_is_replaced_and_never_gone() {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        let done = std::sync::atomic::AtomicBool::new(false);
        let relaxed = std::sync::atomic::Ordering::Relaxed;
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    (0..100).for_each(|_| assert_eq!(put(&store, "6.1.0-x"), kernel));
                    done.store(true, relaxed);
                });
            }
            let mut silent = |progress: &crate::Progress<'_>| panic!("{progress} is not to be told");
            while !done.load(relaxed) {
                assert!(kernel.image.exists());
                assert_eq!(store.latest("mine", &mut silent).unwrap().as_ref(), Some(&kernel));
            }
        });
        assert_eq!(left_in(&store.root().join("tmp")), 0);
    }

    #[test]
    fn what_was_damaged_is_replaced_and_what_was_not_is_kept() {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        let inode = || fs::metadata(&kernel.image).unwrap().ino();
        let first = inode();
        assert_eq!(put(&store, "6.1.0-x"), kernel);
        assert_eq!(inode(), first);
        fs::write(&kernel.image, "damaged").unwrap();
        assert_eq!(put(&store, "6.1.0-x"), kernel);
        assert_ne!(fs::read(&kernel.image).unwrap(), b"damaged");
    }

    #[test]
    fn what_was_asked_for_last_is_the_latest() {
        let (root, store) = store();
        let image = root.path().join("i");
        let of = |version| Identity { version, ..IDENTITY };
        let both = ["1", "2"].map(|version| {
            fs::write(&image, boot_image(version)).unwrap();
            let kernel = store.keep(of(version), "a test", &image, None).unwrap();
            // They came long ago, one after the other.
            let record = kernel.image.with_file_name(RECORD);
            let text = fs::read_to_string(&record).unwrap();
            let mut known: Record = serde_json::from_str(&text).unwrap();
            known.since = version.parse().unwrap();
            fs::write(&record, serde_json::to_vec(&known).unwrap()).unwrap();
            kernel
        });
        let mut silent = |_: &crate::Progress<'_>| panic!("nothing is to be told");
        assert_eq!(store.latest("mine", &mut silent).unwrap().as_ref(), Some(&both[1]));
        store.renew(of("1")).unwrap();
        assert_eq!(store.latest("mine", &mut silent).unwrap().as_ref(), Some(&both[0]));
        assert_eq!(left_in(both[0].image.parent().unwrap()), 2);
    }

    #[test]
    fn what_is_missing_is_damage() {
        let (_root, store) = store();
        let kernel = put(&store, "6.1.0-x");
        fs::remove_file(&kernel.image).unwrap();
        let mut told = |_: &crate::Progress<'_>| ControlFlow::Continue(());
        assert_eq!(store.latest("mine", &mut told).unwrap(), None);
    }

    #[test]
    fn what_is_no_kernel_is_not_kept() {
        let (root, store) = store();
        let text = root.path().join("text");
        fs::write(&text, "hello\n").unwrap();
        let error = store.keep(IDENTITY, "a test", &text, None).unwrap_err();
        assert!(matches!(&error, Error::Reference(why) if why.contains("a test: a text")), "{error}");
        assert!(store.names().is_empty());
    }
}
