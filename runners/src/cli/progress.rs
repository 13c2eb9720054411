//! How far a run is, on standard error: a bar on a terminal, and elsewhere a line now and then.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use harness::record::CaseRecord;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use reports::status::Status;

use super::Terminal;

/// How often a line is written where there is no terminal.
const INTERVAL: Duration = Duration::from_secs(5);

/// How far a run is.
pub(super) struct Progress {
    terminal: Terminal,
    bar: Option<ProgressBar>,
    all: usize,
    ended: usize,
    counts: BTreeMap<Status, usize>,
    running: BTreeMap<String, Instant>,
    told: Instant,
}

impl Progress {
    /// So many cases are to be played.
    pub(super) fn new(terminal: Terminal, all: usize) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(all as u64), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{wide_bar} {pos}/{len}  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        let (counts, running) = (BTreeMap::new(), BTreeMap::new());
        Progress { terminal, bar, all, ended: 0, counts, running, told: Instant::now() }
    }

    /// A case begins.
    pub(super) fn began(&mut self, case: String) {
        self.running.insert(case, Instant::now());
    }

    /// A case has ended.
    pub(super) fn ended(&mut self, record: &CaseRecord) {
        self.running.remove(&record.case);
        *self.counts.entry(Status::of(record)).or_default() += 1;
        self.ended += 1;
    }

    /// Shows it, if it is time.
    pub(super) fn tick(&mut self) {
        match &self.bar {
            Some(bar) => {
                bar.set_position(self.ended as u64);
                bar.set_message(self.message());
            }
            None if self.told.elapsed() >= INTERVAL => {
                self.told = Instant::now();
                self.terminal.note(format_args!("{}/{} cases: {}", self.ended, self.all, self.message()));
            }
            None => {}
        }
    }

    /// Writes to standard output; if that is the terminal with the bar, the bar makes way.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) if std::io::stdout().is_terminal() => bar.suspend(write),
            _ => write(),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn message(&self) -> String {
        let counts = self.counts.iter().map(|(status, count)| format!("{count} {}", status.words().counted));
        let longest = self.running.iter().min_by_key(|(_, began)| **began);
        let waits = longest.filter(|(_, began)| began.elapsed() >= Duration::from_secs(1));
        let waits = waits.map(|(case, began)| format!("{case} for {} s", began.elapsed().as_secs()));
        counts.chain(waits).collect::<Vec<String>>().join(", ")
    }
}
