//! Programs of this system for a machine: what they need to run is packed with them. Libraries are found as
//! the dynamic loader finds them that has no cache; what a program opens by itself has to be named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use elf::ElfBytes;
use elf::abi::{DT_NEEDED, DT_RPATH, DT_RUNPATH, PT_INTERP};
use elf::endian::AnyEndian;

use crate::initramfs::{Extra, LINK};

/// Where libraries are looked for, below each of which a folder for the architecture comes first.
const FOLDERS: [&str; 6] = ["/usr/local/lib", "/lib", "/usr/lib", "/lib64", "/usr/lib64", "/usr/local/lib64"];
/// The folder for the architecture.
const ARCHITECTURE: &str =
    if cfg!(target_arch = "aarch64") { "aarch64-linux-gnu" } else { "x86_64-linux-gnu" };
/// Folders that are links on a system whose programs are all below /usr. /sbin is a folder of the machine.
const LINKS: [&str; 3] = ["bin", "lib", "lib64"];

/// Files to be packed, by their paths from the root.
#[derive(Debug, Default)]
pub struct Programs {
    files: BTreeMap<String, (Vec<u8>, u32)>,
}

impl Programs {
    /// Gathers programs or other files, and what they need. Each is found here, and may have another place there.
    pub fn gather(wanted: impl IntoIterator<Item = (PathBuf, Option<String>)>) -> io::Result<Programs> {
        let mut programs = Programs::default();
        let mut open: Vec<(PathBuf, Option<String>)> = wanted.into_iter().collect();
        let mut seen = BTreeSet::new();
        while let Some((path, place)) = open.pop() {
            if !seen.insert(path.clone()) {
                continue;
            }
            let named =
                |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
            let bytes = fs::read(&path).map_err(named)?;
            let mode = fs::metadata(&path).map_err(named)?.permissions().mode();
            let place = match place {
                Some(place) => place,
                None => place_of(&path).map_err(named)?,
            };
            open.extend(needed(&path, &bytes).into_iter().map(|path| (path, None)));
            programs.files.insert(place, (bytes, mode));
        }
        if !programs.files.is_empty() {
            for link in LINKS {
                if let Ok(target) = fs::read_link(Path::new("/").join(link)) {
                    programs.files.insert(link.into(), (target.to_string_lossy().into_owned().into(), LINK));
                }
            }
        }
        Ok(programs)
    }

    /// The files, as an initramfs takes them.
    pub fn extras(&self) -> Vec<Extra<'_>> {
        self.files.iter().map(|(path, (bytes, mode))| Extra { path, bytes, mode: *mode }).collect()
    }
}

/// Where a file stands when links of folders are followed, without the slash at the beginning.
fn place_of(path: &Path) -> io::Result<String> {
    let name = path.file_name().ok_or_else(|| io::Error::other("is no file"))?;
    let folder = fs::canonicalize(path.parent().unwrap_or(Path::new("/")))?;
    Ok(folder.join(name).to_string_lossy().trim_start_matches('/').to_owned())
}

/// The interpreter and the libraries of a file, as far as they are there.
fn needed(path: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    if let Some(line) = bytes.strip_prefix(b"#!") {
        let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        return line.split_whitespace().take(1).map(PathBuf::from).collect();
    }
    let Ok(file) = ElfBytes::<AnyEndian>::minimal_parse(bytes) else { return Vec::new() };
    let interpreter = file.segments().and_then(|segments| {
        let segment = segments.iter().find(|segment| segment.p_type == PT_INTERP)?;
        let text = file.segment_data(&segment).ok()?;
        Some(PathBuf::from(String::from_utf8_lossy(text).trim_end_matches('\0')))
    });
    let mut found: Vec<PathBuf> = interpreter.into_iter().collect();
    let strings = file.find_common_data().ok().and_then(|data| data.dynsyms_strs);
    if let (Ok(Some(entries)), Some(strings)) = (file.dynamic(), strings) {
        let text = |entry: elf::dynamic::Dyn| strings.get(entry.d_val() as usize).ok();
        let origin = path.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
        let own: Vec<PathBuf> = entries
            .iter()
            .filter(|entry| [DT_RPATH, DT_RUNPATH].contains(&entry.d_tag))
            .filter_map(text)
            .flat_map(|folders| folders.split(':'))
            .map(|folder| PathBuf::from(folder.replace("$ORIGIN", &origin).replace("${ORIGIN}", &origin)))
            .collect();
        for name in entries.iter().filter(|entry| entry.d_tag == DT_NEEDED).filter_map(text) {
            let standard = FOLDERS
                .iter()
                .flat_map(|folder| [Path::new(folder).join(ARCHITECTURE), PathBuf::from(folder)]);
            found.extend(
                own.iter()
                    .cloned()
                    .chain(standard)
                    .map(|folder| folder.join(name))
                    .find(|path| path.is_file()),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_brings_its_interpreter_and_its_libraries() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("script");
        fs::write(&script, "#!/bin/sh -e\n").unwrap();
        let programs = Programs::gather([(script, Some("helpers/script".into()))]).unwrap();
        let paths: Vec<&str> = programs.files.keys().map(String::as_str).collect();
        assert!(paths.contains(&"helpers/script"), "{paths:?}");
        assert!(paths.iter().any(|path| path.ends_with("bin/sh")), "{paths:?}");
        assert!(paths.iter().any(|path| path.contains("libc.so") || path.contains("ld-musl")), "{paths:?}");
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = Programs::gather([(PathBuf::from("/nonesuch"), None)]).unwrap_err();
        assert!(error.to_string().contains("/nonesuch"), "{error}");
    }

    #[test]
    fn nothing_needs_nothing() {
        assert!(Programs::gather([]).unwrap().extras().is_empty());
    }
}
