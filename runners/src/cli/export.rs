//! `skc export`: a case as a program in C.

use std::io::Write;

use harness::case::Version;
use harness::export;

use super::{Export, Terminal, Trouble, show};

pub(super) fn export(args: &Export, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.source.load()?;
    let case = show::find(&suite, &args.case)?;
    let version = args.linux.unwrap_or_else(running);
    let plan = export::settled(case, version).map_err(|why| refused(&case.id, why))?;
    let program = export::program(&suite, case, &plan, version).map_err(|why| refused(&case.id, why))?;
    write!(terminal.out().lock(), "{program}")?;
    Ok(0)
}

fn refused(case: &str, export::Refusal(why): export::Refusal) -> Trouble {
    Trouble::Usage(format!("{case} cannot be exported: {why}"))
}

fn running() -> Version {
    let release = nix::sys::utsname::uname().ok().map(|name| name.release().to_string_lossy().into_owned());
    release.and_then(|release| Version::parse(&release)).unwrap_or(Version(u32::MAX, 0))
}
