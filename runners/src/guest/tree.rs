//! A machine's files as they were before its first case. What a case has brought for the whole machine is taken away
//! again, and what programs of others have done beside that is seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Metadata, Permissions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What cases bring lies here, and is small.
const SETTINGS: &str = "etc";
const LARGEST: u64 = 64 << 10;

/// The files of one file system, from its root on.
pub(super) struct Tree {
    root: PathBuf,
    entries: BTreeMap<PathBuf, Entry>,
    /// What the files of [`SETTINGS`] hold.
    contents: BTreeMap<PathBuf, (Vec<u8>, Permissions)>,
}

/// What changes when a file does, or what it is taken for.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    /// What comes and goes in it is seen as such.
    Folder { inode: u64, mode: u32, owner: u32 },
    /// Nobody can set the time of the last change.
    Other { inode: u64, changed: (i64, i64) },
}

impl Tree {
    /// How it is now.
    pub(super) fn of(root: &Path) -> Tree {
        let mut tree = Tree { root: root.to_owned(), entries: BTreeMap::new(), contents: BTreeMap::new() };
        tree.entries = tree.walk();
        let settings = tree.root.join(SETTINGS);
        for path in tree.entries.keys().filter(|path| path.starts_with(&settings)) {
            if let Ok(meta) = fs::symlink_metadata(path)
                && meta.is_file()
                && meta.len() <= LARGEST
                && let Ok(bytes) = fs::read(path)
            {
                tree.contents.insert(path.clone(), (bytes, meta.permissions()));
            }
        }
        tree
    }

    /// Puts back what was at the places of the files that a case has brought, and gives if all is as it was. What happens
    /// at the places that are `free` is not looked at. What has changed otherwise counts as the machine's own from now on.
    pub(super) fn restore(&mut self, brought: &[PathBuf], free: &[PathBuf]) -> bool {
        let mut settled: BTreeSet<PathBuf> = free.iter().map(|path| self.place(path)).collect();
        for path in brought.iter().map(|path| self.place(path)) {
            if self.put_back(&path).is_ok() {
                settled.insert(path);
            }
        }
        let mut now = self.walk();
        // Innermost first: those that were made on the way to what was brought are empty now.
        let added: Vec<PathBuf> =
            now.keys().rev().filter(|path| !self.entries.contains_key(*path)).cloned().collect();
        for path in added.iter().filter(|path| brought.iter().any(|file| self.place(file).starts_with(path)))
        {
            if fs::remove_dir(path).is_ok() {
                now.remove(path);
            }
        }
        let watched = |path: &PathBuf| !settled.contains(path);
        let same = now
            .iter()
            .filter(|(path, _)| watched(path))
            .eq(self.entries.iter().filter(|(path, _)| watched(path)));
        self.entries = now;
        same
    }

    fn put_back(&self, path: &Path) -> io::Result<()> {
        match self.contents.get(path) {
            Some((bytes, permissions)) => {
                // Made anew, it is root's and no link.
                remove(path)?;
                fs::write(path, bytes)?;
                fs::set_permissions(path, permissions.clone())
            }
            None if self.entries.contains_key(path) => Err(io::ErrorKind::FileTooLarge.into()),
            None => remove(path),
        }
    }

    /// A path from the root as the walk finds it: links on the way to it are followed.
    fn place(&self, path: &Path) -> PathBuf {
        let path = self.root.join(path.strip_prefix("/").unwrap_or(path));
        match (path.parent().and_then(|folder| folder.canonicalize().ok()), path.file_name()) {
            (Some(folder), Some(name)) => folder.join(name),
            _ => path,
        }
    }

    /// All that is there, without other file systems that are mounted on it.
    fn walk(&self) -> BTreeMap<PathBuf, Entry> {
        let mut entries = BTreeMap::new();
        let Ok(root) = fs::symlink_metadata(&self.root) else { return entries };
        let mut folders = vec![self.root.clone()];
        while let Some(folder) = folders.pop() {
            for file in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = file.path();
                let Ok(meta) = fs::symlink_metadata(&path) else { continue };
                if meta.dev() != root.dev() {
                    continue;
                }
                if meta.is_dir() {
                    folders.push(path.clone());
                }
                entries.insert(path, Entry::of(&meta));
            }
        }
        entries
    }
}

impl Entry {
    fn of(meta: &Metadata) -> Entry {
        match meta.is_dir() {
            true => Entry::Folder { inode: meta.ino(), mode: meta.mode(), owner: meta.uid() },
            false => Entry::Other { inode: meta.ino(), changed: (meta.ctime(), meta.ctime_nsec()) },
        }
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    fn machine() -> (tempfile::TempDir, Tree) {
        let place = tempfile::tempdir().unwrap();
        let root = place.path();
        fs::create_dir_all(root.join("etc")).unwrap();
        fs::create_dir_all(root.join("usr/sbin")).unwrap();
        symlink("usr/sbin", root.join("sbin")).unwrap();
        for (path, text) in
            [("etc/request-key.conf", "stock"), ("etc/issue", "Debian"), ("usr/sbin/sudo", "")]
        {
            fs::write(root.join(path), text).unwrap();
        }
        let tree = Tree::of(root);
        // File systems may note times no finer than the kernel's clock ticks.
        std::thread::sleep(Duration::from_millis(20));
        (place, tree)
    }

    #[test]
    fn what_was_brought_is_taken_away_or_put_back() {
        let (place, mut tree) = machine();
        let root = place.path();
        let brought = ["/etc/request-key.conf", "/etc/request-key.d/own/rule.conf"].map(PathBuf::from);
        for _ in 0..2 {
            fs::create_dir_all(root.join("etc/request-key.d/own")).unwrap();
            fs::write(root.join("etc/request-key.conf"), "other").unwrap();
            fs::set_permissions(root.join("etc/request-key.conf"), Permissions::from_mode(0o600)).unwrap();
            fs::write(root.join("etc/request-key.d/own/rule.conf"), "new").unwrap();
            assert!(tree.restore(&brought, &[]));
            fs::remove_file(root.join("etc/request-key.conf")).unwrap();
            assert!(tree.restore(&brought, &[]));
            assert_eq!(fs::read_to_string(root.join("etc/request-key.conf")).unwrap(), "stock");
            let mode = fs::metadata(root.join("etc/request-key.conf")).unwrap().mode();
            assert_eq!(mode & 0o777, 0o644);
            assert!(!root.join("etc/request-key.d").exists());
        }
    }

    #[rstest]
    #[case::written(|root: &Path| fs::write(root.join("etc/issue"), "Debian"))]
    #[case::written_beside_what_was_brought(|root: &Path| fs::write(root.join("etc/request-key.d"), ""))]
    #[case::made(|root: &Path| fs::write(root.join("usr/new"), ""))]
    #[case::made_a_folder(|root: &Path| fs::create_dir(root.join("new")))]
    #[case::removed(|root: &Path| fs::remove_file(root.join("usr/sbin/sudo")))]
    #[case::replaced(|root: &Path| fs::rename(root.join("etc/issue"), root.join("usr/sbin/sudo")))]
    #[case::a_link(|root: &Path| fs::remove_file(root.join("sbin")).and_then(|()| symlink("usr", root.join("sbin"))))]
    #[case::a_mode(|root: &Path| fs::set_permissions(root.join("usr/sbin/sudo"), Permissions::from_mode(0o4755)))]
    #[case::a_folders_mode(|root: &Path| fs::set_permissions(root.join("etc"), Permissions::from_mode(0o777)))]
    fn what_else_has_changed_is_seen_once(#[case] change: fn(&Path) -> io::Result<()>) {
        let (place, mut tree) = machine();
        assert!(tree.restore(&[], &[]));
        change(place.path()).unwrap();
        assert!(!tree.restore(&[PathBuf::from("/etc/request-key.conf")], &[]));
        assert!(tree.restore(&[], &[]));
    }

    #[test]
    fn what_is_free_may_change() {
        let (place, mut tree) = machine();
        fs::write(place.path().join("usr/sbin/request-key"), "").unwrap();
        assert!(tree.restore(&[], &[PathBuf::from("/sbin/request-key")]));
    }

    #[test]
    fn what_was_too_large_to_keep_cannot_be_put_back() {
        let (place, _) = machine();
        let path = place.path().join("etc/large");
        fs::write(&path, vec![0; LARGEST as usize + 1]).unwrap();
        let mut tree = Tree::of(place.path());
        std::thread::sleep(Duration::from_millis(20));
        fs::write(path, "small").unwrap();
        assert!(!tree.restore(&[PathBuf::from("/etc/large")], &[]));
    }
}
