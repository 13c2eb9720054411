//! The formats that a run and a report can be written in, by their names on the command line.

use clap::ValueEnum;

/// The formats of a run.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// What is to be looked at, and a summary
    Terminal,
    /// KTAP version 1
    Ktap,
    /// JUnit XML
    Junit,
    /// One JSON document
    Json,
    /// Signals of LAVA, as the cases come
    Lava,
    /// KCIDB's JSON
    Kcidb,
    /// The results.yaml of tmt
    Tmt,
    /// Markdown for the summary of a CI job
    Markdown,
}

/// The formats of `skc report`.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Rendering {
    /// What is to be looked at, and a summary
    Terminal,
    /// KTAP version 1
    Ktap,
    /// JUnit XML
    Junit,
    /// One JSON document
    Json,
    /// Signals of LAVA
    Lava,
    /// KCIDB's JSON, of all runs
    Kcidb,
    /// The results.yaml of tmt
    Tmt,
    /// Markdown for the summary of a CI job, of all runs, in the 1 MiB that GitHub shows
    Markdown,
    /// Chapters by targets as Markdown: what the cases of each chapter came to on each target, for a README
    Matrix,
    /// The same as one JSON document
    MatrixJson,
    /// All runs as one page for a browser, which needs no other file
    Html,
    /// The recorded deviations, as Markdown that can be sent to those whom they concern
    Deviations,
}

impl Rendering {
    /// The format of a run, if it is one.
    pub(super) fn of_run(self) -> Option<Format> {
        match self {
            Rendering::Terminal => Some(Format::Terminal),
            Rendering::Ktap => Some(Format::Ktap),
            Rendering::Junit => Some(Format::Junit),
            Rendering::Json => Some(Format::Json),
            Rendering::Lava => Some(Format::Lava),
            Rendering::Kcidb => Some(Format::Kcidb),
            Rendering::Tmt => Some(Format::Tmt),
            Rendering::Markdown => Some(Format::Markdown),
            Rendering::Matrix | Rendering::MatrixJson | Rendering::Html | Rendering::Deviations => None,
        }
    }
}
