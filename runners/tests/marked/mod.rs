//! Processes that are told apart by a text in their environment, which all that they start inherit.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;

/// The processes whose environment has the mark, by their command lines.
fn processes(mark: &Path) -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let marked = entries.filter(|entry| {
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        String::from_utf8_lossy(&environment).contains(&*mark.to_string_lossy())
    });
    marked.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok()).collect()
}

/// Waits until there are enough of them, or few enough.
pub(crate) fn await_processes(
    mark: &Path,
    limit: Duration,
    enough: impl Fn(&[String]) -> bool,
) -> Result<(), Failed> {
    let deadline = Instant::now() + limit;
    loop {
        let found = processes(mark);
        if enough(&found) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("there are {found:?}").into());
        }
        thread::sleep(Duration::from_millis(5));
    }
}
