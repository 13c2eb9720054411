//! The files of a run: written whole or not at all, but for the records, which grow as they come.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::record::{self, CaseRecord, Header, Run};
use harness::suite::Suite;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use reports::coverage::Coverage;
use reports::kcidb::Submission;
use tempfile::NamedTempFile;

use super::Trouble;
use super::merge::merge;
use super::page::page;

/// The records of a run.
const RECORDS: &str = "records.jsonl";
/// The records of a run that goes on, or that was killed.
const PART: &str = "records.jsonl.part";

/// A folder that a run reports to.
pub(super) struct Folder {
    path: PathBuf,
    records: record::Writer<Part>,
}

/// The records so far. The lock keeps two runs from writing to one folder.
struct Part(Flock<File>);

impl Write for Part {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Folder {
    /// Begins to write a run's records to a folder, which is made if it is not there.
    pub(super) fn begin(path: &Path, header: &Header) -> Result<Folder, Trouble> {
        let part = open(path).map_err(|error| wrong(path, &error))?;
        let records = record::Writer::new(Part(part), header).map_err(|error| wrong(path, &error))?;
        Ok(Folder { path: path.to_owned(), records })
    }

    /// Appends a record.
    pub(super) fn case(&mut self, record: &CaseRecord) -> Result<(), Trouble> {
        self.records.case(record).map_err(|error| wrong(&self.path, &error))
    }

    /// Ends the records, and writes the reports that are made of them.
    pub(super) fn finish(
        self,
        run: &Run,
        suite: &Suite,
        duration: Duration,
        interrupted: bool,
    ) -> Result<(), Trouble> {
        let Folder { path, records } = self;
        let finished = records.finish(duration, interrupted).and_then(|part| {
            part.0.sync_all()?;
            fs::rename(path.join(PART), path.join(RECORDS))?;
            whole(&path, "junit.xml", |out| reports::junit::write(out, run).map_err(io::Error::other))?;
            whole(&path, "report.ktap", |out| reports::ktap::write(out, run))?;
            whole(&path, "report.json", |out| reports::json::write(out, run))?;
            whole(&path, "results.yaml", |out| reports::tmt::write(out, run))?;
            write_overview(&path, suite, std::slice::from_ref(run))?;
            // The names are only safe once the folder is.
            File::open(&path)?.sync_all()
        });
        finished.map_err(|error| wrong(&path, &error))
    }
}

/// Writes what tells of several runs to the folder in which those of each of them are.
pub(super) fn finish_all(folder: &Path, suite: &Suite, runs: &[Run]) -> Result<(), Trouble> {
    write_overview(folder, suite, runs).map_err(|error| wrong(folder, &error))
}

fn write_overview(folder: &Path, suite: &Suite, runs: &[Run]) -> io::Result<()> {
    let requirements: Vec<_> = suite.requirements().iter().collect();
    let coverage = Coverage::of(suite, &requirements, runs);
    whole(folder, "kcidb.json", |out| reports::kcidb::write(out, runs, &Submission::default()))?;
    whole(folder, "summary.md", |out| reports::job_summary::write(out, runs))?;
    whole(folder, "coverage.json", |out| reports::coverage::json(out, &coverage))?;
    whole(folder, "coverage.md", |out| reports::coverage::markdown(out, &coverage))?;
    whole(folder, "index.html", |out| page(out, suite, runs))
}

fn open(folder: &Path) -> io::Result<Flock<File>> {
    fs::create_dir_all(folder)?;
    let part = folder.join(PART);
    let file = File::options().create(true).write(true).truncate(false).open(&part)?;
    let locked = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => io::Error::other("another run is writing there"),
        error => error.into(),
    })?;
    locked.set_len(0)?;
    Ok(locked)
}

fn wrong(path: &Path, error: &io::Error) -> Trouble {
    Trouble::Environment(format!("the report in {} cannot be written: {error}", path.display()))
}

/// Writes a file under another name and gives it its own when all of it is on the disk.
fn whole(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> io::Result<()>,
) -> io::Result<()> {
    let mut file =
        tempfile::Builder::new().prefix(name).suffix(".part").permissions(for_all()).tempfile_in(folder)?;
    let mut out = BufWriter::new(&mut file);
    write(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    Ok(())
}

/// Like any other new file, and not for its owner alone as temporary files are.
fn for_all() -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o644)
}

/// Reads the records of a run: a file, or the folder that `--report` named.
pub(super) fn read(path: &Path) -> Result<Run, Trouble> {
    let wrong = |what: &dyn std::fmt::Display| Trouble::Usage(format!("{}: {what}", path.display()));
    let file = if path.is_dir() {
        in_folder(path)
            .ok_or_else(|| wrong(&format!("there is neither {RECORDS} nor {PART} in this folder")))?
    } else {
        path.to_owned()
    };
    let input = File::open(&file).map_err(|error| wrong(&error))?;
    record::read(BufReader::new(input)).map_err(|flaw| wrong(&flaw))
}

/// Reads the records of several runs; a folder may hold the folders of several kernels. Parts of one run
/// are put together.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<Run>, Trouble> {
    let mut runs = Vec::new();
    for path in paths {
        match below(path).as_slice() {
            [] => runs.push((path.clone(), read(path)?)),
            several => {
                for path in several {
                    runs.push((path.clone(), read(path)?));
                }
            }
        }
    }
    merge(runs).map_err(Trouble::Usage)
}

/// The runs in a folder that has the folders of several kernels, by the names of these; of anything else nothing.
pub(super) fn read_by_kernel(folder: &Path) -> Result<BTreeMap<String, Run>, Trouble> {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    below(folder).iter().map(|path| Ok((name(path), read(path)?))).collect()
}

/// If a path is a file, or a folder in which there are records.
pub(super) fn is_recorded(path: &Path) -> bool {
    path.is_file() || in_folder(path).is_some() || !below(path).is_empty()
}

/// The records in a folder. Those that were not finished are there only while they are newer than the finished ones.
fn in_folder(folder: &Path) -> Option<PathBuf> {
    [PART, RECORDS].map(|name| folder.join(name)).into_iter().find(|file| file.exists())
}

/// The folders with records in a folder that has none of its own, by name.
fn below(folder: &Path) -> Vec<PathBuf> {
    if in_folder(folder).is_some() {
        return Vec::new();
    }
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| path.is_dir() && in_folder(path).is_some()).collect();
    folders.sort();
    folders
}
