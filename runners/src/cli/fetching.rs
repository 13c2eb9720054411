//! How far a kernel is that is being fetched, on standard error: a bar on a terminal, and elsewhere a line
//! for each thing that is done.

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use runners::interrupt::Stop;
use vm_images::{Doing, Progress};

use super::Terminal;

/// How long something is waited for in silence.
const PATIENCE: Duration = Duration::from_millis(400);

/// How far a kernel is.
pub(super) struct Fetching {
    terminal: Terminal,
    stop: Arc<Stop>,
    bar: Option<ProgressBar>,
    /// What was told last, since when, and if it was shown.
    last: (String, Instant, bool),
}

impl Fetching {
    /// Nothing is fetched yet; it ends when it is stopped.
    pub(super) fn new(terminal: Terminal, stop: Arc<Stop>) -> Fetching {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(style("{spinner} {msg}"));
            bar
        });
        Fetching { terminal, stop, bar, last: (String::new(), Instant::now(), true) }
    }

    /// Shows how far it is.
    pub(super) fn tell(&mut self, progress: &Progress<'_>) -> ControlFlow<()> {
        let text = progress.to_string();
        match progress.doing {
            Doing::Note(_) => self.aside(|terminal| terminal.note(&text)),
            doing => self.step(text, doing),
        }
        if self.stop.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn step(&mut self, text: String, doing: Doing<'_>) {
        if let Some(bar) = &self.bar {
            bar.set_message(text);
            match doing {
                Doing::Downloading { bytes, of, .. } if of > 0 => {
                    bar.set_style(style("{msg} {wide_bar} {percent}%"));
                    bar.set_length(of);
                    bar.set_position(bytes);
                }
                Doing::Compiling { files } => {
                    bar.set_style(style("{spinner} {msg}, {pos} files, {elapsed}"));
                    bar.set_position(files);
                }
                _ => bar.set_style(style("{spinner} {msg}")),
            }
            bar.tick();
            return;
        }
        if self.last.0 != text {
            self.last = (text, Instant::now(), false);
        }
        // What is over at once needs no line.
        let (text, since, shown) = &mut self.last;
        if !*shown && since.elapsed() >= PATIENCE {
            *shown = true;
            self.terminal.note(text);
        }
    }

    /// Writes something; the bar makes way.
    pub(super) fn aside<T>(&self, write: impl FnOnce(Terminal) -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(|| write(self.terminal)),
            None => write(self.terminal),
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
