//! `skc show`: a case with what it stands on.

use std::io::{self, Write};

use anstyle::Style;
use harness::case::Case;
use harness::case::diagnostic::did_you_mean;
use harness::suite::Suite;
use reports::status::{Status, reason};
use reports::target_line;

use super::choose::choose;
use super::files::read;
use super::{Show, Terminal, Trouble};

const HEADING: Style = Style::new().bold();
const FAINT: Style = Style::new().dimmed();

/// Shows a case.
pub(super) fn show(args: &Show, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.source.load()?;
    let case = find(&suite, &args.case)?;
    let runs = args.records.iter().map(|path| read(path)).collect::<Result<Vec<_>, Trouble>>()?;
    let mut out = terminal.out().lock();
    source(&mut out, &suite, case)?;
    requirements(&mut out, &suite, case)?;
    deviations(&mut out, &suite, case)?;
    for run in &runs {
        let target = target_line(&run.header.target);
        match run.cases.iter().find(|record| record.case == case.id) {
            Some(record) => {
                let why = reason(record).map(|why| format!(": {why}")).unwrap_or_default();
                writeln!(out, "{HEADING}{}{HEADING:#} on {target}{why}", Status::of(record).words().word)?;
            }
            None => writeln!(out, "{HEADING}not played{HEADING:#} on {target}")?,
        }
    }
    Ok(0)
}

/// The case of this id, or the first row of its table.
pub(super) fn find<'s>(suite: &'s Suite, id: &str) -> Result<&'s Case, Trouble> {
    let Some(case) = suite.case(id).or_else(|| first_row(suite, id)) else {
        let near = did_you_mean(id, suite.cases().iter().map(|case| case.id.as_str()));
        let help = match near {
            Some(near) => format!(": did you mean `{near}`?"),
            // A chapter or a requirement, most likely.
            None if choose(suite, &[id.to_owned()]).is_ok() => {
                format!("; `skc list {}` shows the cases that this means", id)
            }
            None => "; `skc list` shows all".into(),
        };
        return Err(Trouble::Usage(format!("there is no case `{}`{help}", id)));
    };
    Ok(case)
}

/// A case with a table is shown for all of its rows.
fn first_row<'s>(suite: &'s Suite, id: &str) -> Option<&'s Case> {
    suite.cases().iter().find(|case| case.id.strip_prefix(id).is_some_and(|row| row.starts_with('[')))
}

fn source(out: &mut impl Write, suite: &Suite, case: &Case) -> io::Result<()> {
    writeln!(out, "{HEADING}{}{HEADING:#}  {FAINT}{}{FAINT:#}\n", case.id, case.file)?;
    if let Some(source) = suite.source(case) {
        for (at, line) in source.text.lines().enumerate() {
            writeln!(out, "{FAINT}{:>4}{FAINT:#}  {line}", at + 1)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn requirements(out: &mut impl Write, suite: &Suite, case: &Case) -> io::Result<()> {
    for id in &case.covers {
        let Some(requirement) = suite.requirement(id) else { continue };
        writeln!(out, "{HEADING}{id}{HEADING:#}  {}", requirement.says)?;
        writeln!(out, "  {FAINT}{}{FAINT:#}", requirement.from.join("; "))?;
        for (word, text) in [("since", &requirement.since), ("changed", &requirement.changed)] {
            if let Some(text) = text {
                writeln!(out, "  {word}: {text}")?;
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn deviations(out: &mut impl Write, suite: &Suite, case: &Case) -> io::Result<()> {
    for entry in suite.deviations().iter().filter(|entry| entry.is_about(case)) {
        let link = entry.link.as_ref().map(|link| format!("\n  {link}")).unwrap_or_default();
        writeln!(
            out,
            "{HEADING}deviation{HEADING:#} on {}: {} gives {}\n  {}{link}\n",
            entry.on, entry.at, entry.observed, entry.because
        )?;
    }
    Ok(())
}
