//! `skc kernels`: which kernels there are to test, and which of them are on this machine.

use std::io::{self, Write};
use std::sync::Arc;

use anstyle::Style;
use clap::{Args, Subcommand};
use runners::interrupt::{Stop, on_signals};
use serde_json::json;
use vm_images::manifest::{self, Entry};
use vm_images::record::Cached;
use vm_images::reference::catalogued;
use vm_images::{Error, Store, acquire};

use super::build;
use super::fetching::Fetching;
use super::{ENVIRONMENT, INTERRUPTED, Terminal, Trouble, environment};

pub(super) const HELP: &str = "\
Kernels are kept in $SKC_CACHE, a folder with nothing else in it, or else in skc below $XDG_CACHE_HOME or ~/.cache. They
are fetched by apt-get from the Debian mirror that this machine uses, or from $SKC_DEBIAN_MIRROR, and must be signed with a
key of Debian's archive keyring, or of $SKC_DEBIAN_KEYRING.

Exit codes:
  0    done
  2    there is no kernel of that name
  3    a kernel cannot be had; the others still are
  130  interrupted";

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Kernels {
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<Act>,
}

#[derive(Subcommand)]
enum Act {
    /// Fetch kernels of the catalogue, each the newest that there is
    Fetch {
        /// Names of the catalogue, or `all`
        #[arg(value_name = "NAME", required = true)]
        names: Vec<String>,
    },
    /// Build a small kernel from Debian's sources
    #[command(after_help = build::HELP)]
    Build(build::Build),
    /// Remove kernels from this machine
    Remove {
        /// Names of kernels; `all` means them, and all else that was fetched for them
        #[arg(value_name = "NAME", required_unless_present = "old")]
        names: Vec<String>,
        /// Only versions of which there is a newer one here; without a NAME, of all kernels
        #[arg(long)]
        old: bool,
    },
    /// Print the path of a kernel that is here
    Path {
        /// The name of a kernel
        name: String,
    },
}

/// The catalogue and what is done with it.
pub(super) fn kernels(args: &Kernels, terminal: Terminal) -> Result<u8, Trouble> {
    let store = Store::of_user()?;
    match &args.command {
        None if args.json => list_json(&store),
        None => list(&store, terminal),
        Some(Act::Fetch { names }) => fetch(&store, names, terminal),
        Some(Act::Build(args)) => build::run(args, &store, terminal),
        Some(Act::Remove { names, old }) => remove(&store, names, *old, terminal),
        Some(Act::Path { name }) => path(&store, name, terminal),
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        match error {
            Error::Reference(why) => Trouble::Usage(why),
            error => environment(error),
        }
    }
}

/// The names of what is here though the catalogue does not have it.
fn others(store: &Store) -> impl Iterator<Item = String> {
    store.names().into_iter().filter(|name| manifest::entry(name).is_none())
}

fn list(store: &Store, terminal: Terminal) -> Result<u8, Trouble> {
    const NAME: Style = Style::new().bold();
    const FAINT: Style = Style::new().dimmed();
    let mut lines: Vec<[String; 6]> = Vec::new();
    let mut line = |name: &str, entry: Option<&Entry>| {
        let cached = store.cached(name);
        let latest = cached.first();
        let of = |what: Option<String>| what.unwrap_or_else(|| "—".into());
        lines.push([
            name.to_owned(),
            of(entry.map(|entry| entry.series.clone())),
            of(entry.map(|entry| entry.flavour.to_string())),
            of(latest.map(|cached| cached.record.version.clone())),
            of(latest.map(|cached| megabytes(cached.bytes))),
            entry
                .and_then(|entry| Some(format!("only by name: {}", entry.only_by_name.as_ref()?)))
                .unwrap_or_default(),
        ]);
    };
    manifest::catalogue().iter().for_each(|entry| line(&entry.name, Some(entry)));
    others(store).for_each(|name| line(&name, None));
    let head = ["kernel", "series", "flavour", "here", "size", ""].map(str::to_owned);
    let width = |column: usize| {
        lines.iter().chain([&head]).map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut out = terminal.out().lock();
    let mut write = |style: Style, line: &[String; 6]| {
        let [name, series, flavour, version, size, note] = line;
        let [a, b, c, d, e] = widths;
        let pad = a - name.chars().count();
        let text =
            format!("{style}{name}{style:#}{:pad$}  {series:b$}  {flavour:c$}  {version:d$}  {size:>e$}", "");
        // Nothing follows the last column but what there is to say.
        let note = if note.is_empty() { String::new() } else { format!("  {FAINT}{note}{FAINT:#}") };
        writeln!(out, "{text}{note}")
    };
    write(FAINT, &head)?;
    for line in &lines {
        write(NAME, line)?;
    }
    Ok(0)
}

fn list_json(store: &Store) -> Result<u8, Trouble> {
    let here = |name: &str| {
        let cached = store.cached(name).into_iter();
        let kernel =
            |cached: Cached| json!({"image": cached.image(), "bytes": cached.bytes, "record": cached.record});
        cached.map(kernel).collect::<Vec<_>>()
    };
    let known = manifest::catalogue().iter().map(|entry| {
        json!({
            "name": entry.name,
            "suite": entry.suite,
            "series": entry.series,
            "flavour": entry.flavour,
            "architecture": entry.architecture,
            "only_by_name": entry.only_by_name,
            "here": here(&entry.name),
        })
    });
    let others = others(store).map(|name| json!({"name": name, "here": here(&name)}));
    let all: Vec<_> = known.chain(others).collect();
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &all).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(0)
}

fn fetch(store: &Store, names: &[String], terminal: Terminal) -> Result<u8, Trouble> {
    let mut chosen: Vec<&Entry> = Vec::new();
    for name in names {
        let meant: Vec<&Entry> =
            if name == "all" { manifest::all().collect() } else { vec![catalogued(name)?] };
        for entry in meant {
            if !chosen.iter().any(|other| other.name == entry.name) {
                chosen.push(entry);
            }
        }
    }
    let stop = Arc::new(Stop::new().map_err(environment)?);
    on_signals(stop.clone(), INTERRUPTED.into()).map_err(environment)?;
    let mut fetching = Fetching::new(terminal, stop);
    let width = chosen.iter().map(|entry| entry.name.len()).max().unwrap_or_default();
    let mut code = 0;
    for entry in chosen {
        match acquire::kernel(store, entry, &mut |progress| fetching.tell(progress)) {
            Ok(kernel) => {
                let [version, release] = [kernel.version, kernel.release].map(Option::unwrap_or_default);
                fetching.aside(|terminal| {
                    writeln!(terminal.out(), "{:width$}  {version}  {release}", entry.name)
                })?;
            }
            Err(Error::Stopped) => {
                fetching.end();
                return Ok(INTERRUPTED);
            }
            Err(error) => {
                fetching.aside(|terminal| terminal.tell(&error.into()));
                code = ENVIRONMENT;
            }
        }
    }
    fetching.end();
    Ok(code)
}

fn remove(store: &Store, names: &[String], old: bool, terminal: Terminal) -> Result<u8, Trouble> {
    let everything = names.is_empty() || names.iter().any(|name| name == "all");
    let chosen = if everything { store.names() } else { names.to_vec() };
    for name in &chosen {
        known(store, name)?;
    }
    let mut freed = (0, 0);
    for name in &chosen {
        let cached = store.cached(name);
        for cached in cached.iter().skip(usize::from(old)) {
            store.discard(&cached.folder)?;
            freed = (freed.0 + 1, freed.1 + cached.bytes);
        }
        if !old {
            // What cannot be read has no place in the count.
            store.remove(name)?;
        }
    }
    if everything && !old {
        store.clear()?;
    }
    let (count, bytes) = freed;
    let kernels = if count == 1 { "kernel" } else { "kernels" };
    let rest = if everything && !old { ", with all else that was there" } else { "" };
    writeln!(
        terminal.out(),
        "{count} {kernels} removed, {}, from {}{rest}",
        megabytes(bytes),
        store.root().display()
    )?;
    Ok(0)
}

fn path(store: &Store, name: &str, terminal: Terminal) -> Result<u8, Trouble> {
    known(store, name)?;
    let cached = store.cached(name);
    let Some(latest) = cached.first() else {
        let help = match manifest::entry(name) {
            Some(_) => format!("`skc kernels fetch {name}` fetches it"),
            None => "what was built under that name cannot be read".into(),
        };
        return Err(Trouble::Environment(format!("{name} is not here: {help}")));
    };
    writeln!(terminal.out(), "{}", latest.image().display())?;
    Ok(0)
}

/// A name must be of the catalogue, or of something that is here.
fn known(store: &Store, name: &str) -> Result<(), Trouble> {
    // What cannot be read is here as well, and so is what came out of packages without a name.
    if store.cached(name).is_empty() && !store.names().iter().any(|here| here == name) {
        catalogued(name)?;
    }
    Ok(())
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}
