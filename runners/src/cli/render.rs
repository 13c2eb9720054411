//! A run on standard output, in the format that was asked for: as it comes where the format can, at
//! the end where it cannot.

use std::io::{self, Write};

use harness::record::{CaseRecord, Header, Run};
use reports::status::{Merit, Status};
use reports::{json, junit, ktap, lava, terminal};

use super::{Format, Terminal};

/// Renders one run.
pub(super) enum Render {
    Terminal { header: Box<Header>, terminal: Terminal, options: terminal::Options },
    Ktap(ktap::Writer<io::Stdout>),
    Lava(lava::Writer<io::Stdout>),
    AtEnd(Format),
}

impl Render {
    /// Begins to render.
    pub(super) fn begin(
        format: Format,
        header: &Header,
        terminal: Terminal,
        options: terminal::Options,
    ) -> io::Result<Render> {
        Ok(match format {
            Format::Terminal => Render::Terminal { header: Box::new(header.clone()), terminal, options },
            Format::Ktap => Render::Ktap(ktap::Writer::new(io::stdout(), header)?),
            Format::Lava => Render::Lava(lava::Writer::new(io::stdout(), header)?),
            Format::Junit | Format::Json => Render::AtEnd(format),
        })
    }

    /// If a case is to be seen as it comes.
    pub(super) fn shows(&self, record: &CaseRecord) -> bool {
        match self {
            Render::Terminal { options, .. } => {
                let merit = Status::of(record).words().merit;
                options.verbose || matches!(merit, Merit::Bad | Merit::Unknown)
            }
            Render::Ktap(_) | Render::Lava(_) => true,
            Render::AtEnd(_) => false,
        }
    }

    /// Renders a case as it comes.
    pub(super) fn case(&mut self, record: &CaseRecord) -> io::Result<()> {
        match self {
            Render::Terminal { header, terminal, options } => {
                terminal::case(&mut terminal.out().lock(), &header.target, record, options)
            }
            Render::Ktap(writer) => writer.case(record),
            Render::Lava(writer) => writer.case(record),
            Render::AtEnd(_) => Ok(()),
        }
    }

    /// Renders what is left when the run is over.
    pub(super) fn finish(self, run: &Run) -> io::Result<()> {
        match self {
            Render::Terminal { terminal, options, .. } => {
                let mut out = terminal.out().lock();
                terminal::summary(&mut out, run, &options)?;
                out.flush()
            }
            Render::Ktap(writer) => writer.finish().map(drop),
            Render::Lava(writer) => writer.finish().map(drop),
            Render::AtEnd(Format::Junit) => junit::write(io::stdout().lock(), run).map_err(io::Error::other),
            Render::AtEnd(_) => json::write(io::stdout().lock(), run),
        }
    }

    /// Renders a run that is over already.
    pub(super) fn whole(
        format: Format,
        run: &Run,
        terminal: Terminal,
        options: terminal::Options,
    ) -> io::Result<()> {
        let mut render = Render::begin(format, &run.header, terminal, options)?;
        run.cases.iter().try_for_each(|record| render.case(record))?;
        render.finish(run)
    }
}
