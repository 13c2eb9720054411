//! `skc export`: a case as a program in C or as a trace, for somebody who does not have this program.

use std::io::Write;
use std::sync::Arc;

use harness::case::{Case, Version};
use harness::export::{self, Refusal};
use harness::plan;
use harness::record::CaseRecord;
use harness::target::Target;
use reports::target_line;
use runners::interrupt::Stop;
use runners::local::Local;
use runners::pool::Pool;

use super::files::read;
use super::{Export, Form, Terminal, Trouble, environment, show};

pub(super) const HELP: &str = "\
Examples:
  skc export parent/single-threaded > s2p.c        for the running kernel
  cc -O2 -Wall -Wextra -o s2p s2p.c && sudo ./s2p  exit status 0 pass, 1 fail, 4 skip, 124 timeout, 99 broken
  skc export --for linux-5.10 'parent/parents-ids[uid]'
                                                   with the outcomes that Linux 5.10 should have
  skc export --as strace parent/single-threaded    plays it, and shows what was expected and what was observed
  skc export --as strace --record out parent/single-threaded
                                                   the same of a run that was recorded

A program makes its own namespaces and leaves nothing. Compiled with -static and packed as /init of an initramfs it
plays as process 1 of a machine, says its verdict on the console and turns the machine off; its head says how. A case
that leaves marks, such as limits, is played there only, or where --own-machine says that the machine is for nothing
else; and one in which the kernel starts /sbin/request-key there only, where the program is that too. Cases that run
programs of the machine cannot be exported.

Exit codes:
  0  written
  2  there is no such case, it cannot be exported, or the record lacks it
  3  the case could not be played";

/// What was seen of the case, and where.
struct Seen {
    target: Target,
    record: CaseRecord,
}

pub(super) fn export(args: &Export, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.source.load()?;
    let case = show::find(&suite, &args.case)?;
    let refused = |Refusal(why): Refusal| Trouble::Usage(format!("{} cannot be exported: {why}", case.id));
    if args.form == Form::C {
        if args.record.is_some() {
            return Err(Trouble::Usage(
                "--record goes with `--as strace`: a program observes for itself".into(),
            ));
        }
        let version = args.linux.unwrap_or_else(running);
        let plan = export::settled(case, version).map_err(refused)?;
        let program = export::program(&suite, case, &plan, version).map_err(refused)?;
        write!(terminal.out().lock(), "{program}")?;
        return Ok(0);
    }
    let seen = match (&args.record, args.linux) {
        (Some(path), _) => {
            let run = read(path)?;
            let Some(record) = run.cases.into_iter().find(|record| record.case == case.id) else {
                return Err(Trouble::Usage(format!("{} holds nothing of {}", path.display(), case.id)));
            };
            Some(Seen { target: run.header.target, record })
        }
        (None, Some(_)) => None,
        (None, None) => Some(play(case)?),
    };
    let version = match &seen {
        _ if args.linux.is_some() => args.linux.unwrap_or_else(running),
        Some(Seen { target, .. }) if target.implementation == "linux" => target.version,
        // Others are held to what the newest kernel does.
        Some(_) => Version(u32::MAX, 0),
        None => running(),
    };
    let plan = export::planned(case, version).map_err(refused)?;
    let steps =
        export::trace(&plan, seen.as_ref().map(|seen| seen.record.steps.as_slice())).map_err(refused)?;
    let mut out = terminal.out().lock();
    writeln!(out, "# {}: {}", case.id, case.title)?;
    writeln!(out, "# {}; {}", case.file, case.covers.join(" "))?;
    match &seen {
        Some(Seen { target, record }) => {
            let why = record.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            writeln!(out, "# observed on {}: {}{why}", target_line(target), record.verdict.word())?;
        }
        None => writeln!(out, "# expected of Linux {version}")?,
    }
    write!(out, "{steps}")?;
    Ok(0)
}

/// Plays the case on this kernel.
fn play(case: &Case) -> Result<Seen, Trouble> {
    let stop = Arc::new(Stop::new().map_err(environment)?);
    let pool = Pool::open(Box::new(Local::new()), plan::programs(case), stop)
        .map_err(|unstarted| environment(format_args!("the case cannot be played here: {unstarted:?}")))?;
    let target = pool.target().clone();
    let record = match plan::plan(case, &target, export::TIME_LIMIT) {
        Ok(plan) => pool.play(&plan).ok_or_else(|| environment("interrupted"))?,
        Err(skip) => harness::run::skipped(case, skip),
    };
    Ok(Seen { target, record })
}

fn running() -> Version {
    let release = nix::sys::utsname::uname().ok().map(|name| name.release().to_string_lossy().into_owned());
    release.and_then(|release| Version::parse(&release)).unwrap_or(Version(u32::MAX, 0))
}
