//! `skc check`, `skc list` and `skc schema`: what there is, without playing it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anstyle::Style;
use harness::case::Case;
use harness::case::diagnostic::Diagnostic;
use harness::case::load;
use harness::plan::plan;
use harness::suite::{REQUIREMENTS, Suite};
use harness::target::Target;
use runners::interrupt::{Stop, on_signals};
use serde_json::json;

use super::choose::choose;
use super::run::all_programs;
use super::targets::{self, Opener, Unopened};
use super::{Check, INTERRUPTED, List, Schema, Targets, Terminal, Trouble, environment};

/// Checks cases.
pub(super) fn check(args: &Check, terminal: Terminal) -> Result<u8, Trouble> {
    let checked: Vec<Result<String, Vec<Diagnostic>>> = match args.paths.as_slice() {
        [] => vec![Suite::embedded().map(|suite| counted("this program", &suite))],
        paths => paths.iter().map(|path| check_path(path)).collect(),
    };
    let mut found = Vec::new();
    for result in checked {
        match result {
            Ok(line) => writeln!(terminal.out(), "{line}")?,
            Err(diagnostics) => found.extend(diagnostics),
        }
    }
    if found.is_empty() { Ok(0) } else { Err(Trouble::Malformed(found)) }
}

fn check_path(path: &Path) -> Result<String, Vec<Diagnostic>> {
    let whole = |folder: &Path| Suite::load(folder).map(|suite| counted(&path.display().to_string(), &suite));
    // A file or a chapter of a suite is checked as part of it, but only what is wrong with it is told.
    let folder = match suite_of(path) {
        Some(folder) if folder == path => return whole(path),
        // What is not there is told as such.
        Some(_) if !path.exists() => return check_alone(path),
        Some(folder) => folder,
        None if path.is_dir() => return whole(path),
        None => return check_alone(path),
    };
    let below = path.canonicalize().ok();
    let own = |diagnostic: &Diagnostic| {
        let file = Path::new(&diagnostic.file).canonicalize().ok();
        file.zip(below.as_ref()).is_some_and(|(file, below)| file.starts_with(below))
    };
    match Suite::load(&folder) {
        Ok(_) => Ok(format!("{}: no errors", path.display())),
        Err(found) => match found.into_iter().filter(own).collect::<Vec<_>>() {
            found if found.is_empty() => Ok(format!("{}: no errors", path.display())),
            found => Err(found),
        },
    }
}

/// The folder of cases that a path is in, or is: the one with the requirements.
fn suite_of(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|folder| {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        folder.join(REQUIREMENTS).is_file().then(|| folder.to_owned())
    })
}

fn check_alone(path: &Path) -> Result<String, Vec<Diagnostic>> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path)
        .map_err(|error| vec![Diagnostic::file(name.as_str(), format!("cannot be read: {error}"))])?;
    let id = path.with_extension("").file_name().unwrap_or_default().to_string_lossy().into_owned();
    load::load(&name, &id, &bytes).map(|_| format!("{name}: no errors; its requirements are not known here"))
}

fn counted(name: &str, suite: &Suite) -> String {
    let (cases, requirements) = (suite.cases().len(), suite.requirements());
    let covered = requirements
        .iter()
        .filter(|requirement| suite.cases().iter().any(|case| case.covers.contains(&requirement.id)))
        .count();
    format!(
        "{name}: {cases} cases, {covered} of {} requirements covered, {} deviations, no errors",
        requirements.len(),
        suite.deviations().len()
    )
}

/// Lists cases.
pub(super) fn list(args: &List, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.source.load()?;
    let cases = choose(&suite, &args.filters).map_err(Trouble::Usage)?;
    let target = args.why.then(|| look(&args.targets, &cases, terminal)).transpose()?;
    let skip = |case: &Case| {
        let skip = plan(case, target.as_ref()?, Duration::from_secs(1)).err()?;
        Some(skip.0)
    };
    if args.json {
        let entries: Vec<_> = cases
            .iter()
            .map(|case| {
                let mut entry = json!({
                    "case": case.id,
                    "file": case.file,
                    "title": case.title,
                    "covers": case.covers,
                });
                if args.why {
                    entry["skip"] = json!(skip(case));
                }
                entry
            })
            .collect();
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &entries).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(0);
    }
    const ID: Style = Style::new().bold();
    const FAINT: Style = Style::new().dimmed();
    let width = cases.iter().map(|case| case.id.chars().count()).max().unwrap_or(0);
    let mut out = terminal.out().lock();
    for case in cases {
        let pad = width - case.id.chars().count();
        let covers = case.covers.join(" ");
        writeln!(out, "{ID}{}{ID:#}{:pad$}  {}  {FAINT}[{covers}]{FAINT:#}", case.id, "", case.title)?;
        if let Some(why) = skip(case) {
            writeln!(out, "{:width$}  skipped here: {why}", "")?;
        }
    }
    Ok(0)
}

/// Prints a schema.
pub(super) fn schema(of: Schema) -> Result<u8, Trouble> {
    let schema = match of {
        Schema::Records => harness::record::schema(),
        Schema::Report => reports::json::schema(),
        Schema::Case => harness::case::schema::schema(),
    };
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &schema).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(0)
}

/// What the target has, as a worker finds it.
fn look(args: &Targets, cases: &[&Case], terminal: Terminal) -> Result<Target, Trouble> {
    let stop = Arc::new(Stop::new().map_err(environment)?);
    on_signals(Arc::clone(&stop), INTERRUPTED.into()).map_err(environment)?;
    let wanted = targets::find(args, terminal, &stop)?;
    let [wanted] = wanted.as_slice() else {
        return Err(Trouble::Usage("`list --why` looks at one target at a time".into()));
    };
    match Opener::new(args, all_programs(cases), stop, terminal).open(wanted) {
        Ok(pool) => Ok(pool.target().clone()),
        Err(Unopened::Trouble(why)) => Err(Trouble::Environment(why)),
        Err(Unopened::Stopped) => Err(Trouble::Environment("stopped".into())),
    }
}
