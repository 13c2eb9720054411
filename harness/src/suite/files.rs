//! The files of a suite: from a folder, or from the program itself.
//!
//! A folder of cases may come from anyone: links are not followed, only plain files are read, and
//! nothing is read that is larger than a file of its kind can be.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::{BESIDE, REQUIREMENTS};
use crate::case::diagnostic::Diagnostic;
use crate::case::limits;

static EMBEDDED: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../cases");

/// How deep the folders of cases may stand in each other.
const DEPTH: usize = 4;

/// Bytes of a file beside the cases.
const BESIDE_SIZE: u64 = 4 * 1024 * 1024;

/// The files of a suite.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// What stands before a file's name in messages.
    pub(super) folder: String,
    /// The case files by id.
    pub(super) cases: BTreeMap<String, Vec<u8>>,
    /// The others by name.
    pub(super) beside: BTreeMap<String, Vec<u8>>,
}

impl Files {
    /// A file's name in messages.
    pub(super) fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }

    /// Sorts a path into its kind; `None` if a suite has no such file.
    fn kind(path: &str) -> Option<Kind> {
        if BESIDE.contains(&path) {
            return Some(Kind::Beside);
        }
        let id = path.strip_suffix(".yaml")?;
        id.split('/').all(is_segment).then(|| Kind::Case(id.to_owned()))
    }
}

enum Kind {
    Beside,
    Case(String),
}

/// If a word can be a part of a case's id: such a path cannot leave its folder, and is a name in every
/// format of reports.
fn is_segment(word: &str) -> bool {
    let legal = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '-';
    word.len() <= 64 && word.starts_with(|first| legal(first) && first != '-') && word.chars().all(legal)
}

/// A file with a name that nothing in a suite has. It is never passed over: a case that nobody plays
/// would look like one that passes.
fn no_case(file: &str) -> Diagnostic {
    Diagnostic::file(file, "this is no case")
        .help("a case is a .yaml file; folders and files are named with a-z, 0-9 and -")
}

/// The requirements that come with the program, for a folder that has none of its own.
pub(super) fn requirements() -> &'static [u8] {
    EMBEDDED.get_file(REQUIREMENTS).map(include_dir::File::contents).unwrap_or_default()
}

/// The files that come with the program.
pub(super) fn embedded(found: &mut Vec<Diagnostic>) -> Files {
    let mut files = Files { folder: "cases".to_owned(), ..Files::default() };
    let mut folders = vec![&EMBEDDED];
    while let Some(folder) = folders.pop() {
        folders.extend(folder.dirs());
        for file in folder.files() {
            let path = file.path().to_string_lossy().into_owned();
            match Files::kind(&path) {
                Some(Kind::Case(id)) => files.cases.insert(id, file.contents().to_vec()),
                Some(Kind::Beside) => files.beside.insert(path, file.contents().to_vec()),
                None => {
                    found.push(no_case(&files.name(&path)));
                    continue;
                }
            };
        }
    }
    files
}

/// The files of a folder.
pub(super) fn read(folder: &Path, found: &mut Vec<Diagnostic>) -> Files {
    let name = folder.to_string_lossy().trim_end_matches('/').to_owned();
    let mut files = Files { folder: name, ..Files::default() };
    walk(folder, "", 0, &mut files, found);
    found.sort_by(|one, other| one.file.cmp(&other.file));
    files
}

fn walk(folder: &Path, below: &str, depth: usize, files: &mut Files, found: &mut Vec<Diagnostic>) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            return found
                .push(Diagnostic::file(folder.to_string_lossy(), format!("cannot be read: {error}")));
        }
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            // A case that is not seen would be missed by nobody.
            Err(error) => {
                found.push(Diagnostic::file(folder.to_string_lossy(), format!("cannot be listed: {error}")));
                continue;
            }
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if let Err(diagnostic) = visit(&entry.path(), &path, depth, files, found) {
            found.push(*diagnostic);
        }
    }
}

fn visit(
    place: &Path,
    path: &str,
    depth: usize,
    files: &mut Files,
    found: &mut Vec<Diagnostic>,
) -> Result<(), Box<Diagnostic>> {
    let file = files.name(path);
    let wrong = |message: String| Box::new(Diagnostic::file(file.as_str(), message));
    // The entry itself is looked at, not what a link points to.
    let facts = fs::symlink_metadata(place).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    if facts.is_symlink() {
        return Err(wrong("a link is no case; put the file itself here".to_owned()));
    }
    if facts.is_dir() && depth < DEPTH {
        walk(place, path, depth + 1, files, found);
        return Ok(());
    }
    if facts.is_dir() {
        return Err(wrong(format!("folders stand more than {DEPTH} deep in each other")));
    }
    if !facts.is_file() {
        return Err(wrong("this is no plain file".to_owned()));
    }
    let Some(kind) = Files::kind(path) else { return Err(Box::new(no_case(&file))) };
    let most = if matches!(kind, Kind::Beside) { BESIDE_SIZE } else { limits::FILE };
    if facts.len() > most {
        return Err(wrong(format!("the file has {} bytes; {most} are the most", facts.len())));
    }
    let bytes = fs::read(place).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    match kind {
        Kind::Beside => files.beside.insert(path.to_owned(), bytes),
        Kind::Case(id) => files.cases.insert(id, bytes),
    };
    Ok(())
}
