//! `skc bisect-run`: one commit's word for `git bisect run`. It is about what a kernel does, so recorded deviations have no say.
//!
//! git takes 0 for good, 125 for what cannot be tested, any other code up to 127 for bad, and stops at the rest.
//! So nothing may end with 2 or 3 here, as it would elsewhere: a typing mistake would make every commit a bad one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use harness::record::{Run as Records, Verdict};
use runners::interrupt::{Stop, on_signals};

use super::choose::{Order, choose};
use super::run::{Session, all_programs};
use super::targets::{self, Opener, Unopened};
use super::{Deviations, Format, INTERRUPTED, Run, Source, Targets, Terminal, Trouble, environment, timeout};

/// The name of the command.
const NAME: &str = "bisect-run";
const GOOD: u8 = 0;
const BAD: u8 = 1;
const UNTESTABLE: u8 = 125;
/// git stops the bisection at this one and leaves it as it is.
const STOP: u8 = 128;

pub(super) const HELP: &str = "\
Which commit broke it? In a kernel's tree, between a release that passes and one that fails:
  skc run --kernel debian-6.12 parent/single-threaded      passes: v6.12 is good
  git bisect start v6.18 v6.12                             the bad one first
  git bisect run sh -c 'make -j8 bzImage || exit 125; skc bisect-run --kernel . parent/single-threaded'
  git bisect reset

`exit 125` keeps an image that an earlier commit has left from being tested in the place of one that does not build.
An allmodconfig is too much to boot: `make defconfig kvm_guest.config`, once, or the file that `skc kernels build` tells of.

Which commit mended it? Then what passes is the new:
  git bisect start --term-old=broken --term-new=mended
  git bisect broken v6.12; git bisect mended v6.18
  git bisect run sh -c 'make -j8 bzImage || exit 125; skc bisect-run --mended --kernel . parent/single-threaded'

The cases are those of this program, and stay the same from commit to commit; with --cases DIR they may be the commit's.
Name only cases that matter: one that fails makes the commit bad, and one that is skipped makes it untestable,
whatever the others do. A failure that comes and goes wants --repeat.
What cases say `since 6.13` of begins with the commit that calls itself 6.13-rc1, and not with the one that made it so:
where such a line fails in a merge window, it says nothing.

Exit codes:
  0    good: every case passed. A recorded deviation is no excuse here
  1    bad: a case failed, timed out or crashed the kernel; with --mended, every case passed, and 0 is this
  125  untestable: no kernel was built, it does not boot, a case is skipped or broken, or is not there with --cases
  128  the command line is wrong: git stops, so that no commit is blamed for it
  130  interrupted";

#[derive(Args)]
pub(super) struct Bisect {
    /// Which cases to play, as for `skc run`
    #[arg(value_name = "CASE", required = true)]
    filters: Vec<String>,
    #[command(flatten)]
    source: Source,
    /// Look for the commit that mended the cases: bad and good change places
    #[arg(long)]
    mended: bool,
    /// How long a call of a case may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
    /// Play everything N times: once wrong is wrong
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Also write records and reports to this folder, as `skc run` does
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    #[command(flatten)]
    targets: Targets,
}

/// What is said of a commit.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// Everything passed.
    Passes,
    /// This does not.
    Fails(String),
    /// Nothing can be said, because of this.
    Untestable(String),
}

/// The exit code for a command line that clap does not understand.
pub(super) fn code_of_usage(error: &clap::Error) -> i32 {
    let is_asked = |argument: OsString| argument == NAME;
    match error.exit_code() {
        0 => 0,
        _ if std::env::args_os().skip(1).any(is_asked) => STOP.into(),
        code => code,
    }
}

/// Plays the cases on one kernel and says what git should think of it.
pub(super) fn bisect(args: Bisect, terminal: Terminal) -> u8 {
    let word = match word(&args, terminal) {
        Ok(Some(word)) => word,
        Ok(None) => return INTERRUPTED,
        Err(Trouble::Environment(why)) => Word::Untestable(why),
        Err(trouble) => {
            terminal.tell(&trouble);
            return STOP;
        }
    };
    let (code, says) = match (&word, args.mended) {
        (Word::Passes, false) => (GOOD, "good: every case passed".to_owned()),
        (Word::Passes, true) => (BAD, "mended: every case passed".into()),
        (Word::Fails(what), false) => (BAD, format!("bad: {what}")),
        (Word::Fails(what), true) => (GOOD, format!("still broken: {what}")),
        (Word::Untestable(why), _) => (UNTESTABLE, format!("cannot be tested: {why}")),
    };
    terminal.note(says);
    code
}

fn word(args: &Bisect, terminal: Terminal) -> Result<Option<Word>, Trouble> {
    // Cases of a commit may be missing or wrong; those of the program are not.
    let of_commit = args.source.cases.is_some();
    let suite = match args.source.load() {
        Err(trouble @ Trouble::Malformed(_)) if of_commit => {
            terminal.tell(&trouble);
            return Ok(Some(Word::Untestable("the cases are malformed".into())));
        }
        loaded => loaded?,
    };
    let cases = match choose(&suite, &args.filters) {
        Err(why) if of_commit => return Ok(Some(Word::Untestable(why))),
        chosen => chosen.map_err(Trouble::Usage)?,
    };
    let stop = Arc::new(Stop::new().map_err(environment)?);
    on_signals(Arc::clone(&stop), INTERRUPTED.into()).map_err(environment)?;
    let wanted = match targets::find(&args.targets, terminal, &stop) {
        // A tree without an image is one that was not built; a name that nothing has is a mistake.
        Err(Trouble::Usage(why)) if args.targets.kernel.iter().all(|kernel| is_path(kernel)) => {
            return Ok(Some(Word::Untestable(why)));
        }
        found => found?,
    };
    let wanted = match wanted.as_slice() {
        [] => return Ok(None),
        [one] => one,
        _ => {
            return Err(Trouble::Usage(
                "a commit has one kernel: `--kernel .` is that of a build tree".into(),
            ));
        }
    };
    let opener = Opener::new(&args.targets, all_programs(&cases), Arc::clone(&stop), terminal);
    let pool = match opener.open(wanted) {
        Ok(pool) => pool,
        Err(Unopened::Stopped) => return Ok(None),
        Err(Unopened::Trouble(why)) => return Ok(Some(Word::Untestable(why))),
    };
    let run = args.run();
    let session = Session::new(&run, &suite, &cases, &stop, terminal);
    let (records, code) = session.test(wanted, pool, args.report.as_deref(), None)?;
    Ok((code != INTERRUPTED).then(|| of(&records)))
}

/// What one run says of a commit.
fn of(records: &Records) -> Word {
    let list = |verdicts: &[Verdict]| {
        let what = records.cases.iter().filter(|record| verdicts.contains(&record.verdict)).map(|record| {
            let reason = record.reason.as_deref().unwrap_or("no reason was recorded");
            format!("{} ({}: {reason})", record.case, record.verdict.word())
        });
        let what: Vec<String> = what.collect();
        (!what.is_empty()).then(|| what.join(", "))
    };
    // What is known to be wrong stays so, whatever else could not be seen.
    if let Some(what) = list(&[Verdict::Fail, Verdict::Timeout, Verdict::Crash]) {
        return Word::Fails(what);
    }
    if let Some(what) = list(&[Verdict::Broken, Verdict::Skip]) {
        return Word::Untestable(what);
    }
    match records.header.cases.saturating_sub(records.cases.len()) {
        0 if records.cases.is_empty() => Word::Untestable("no case covers what was asked for".into()),
        0 => Word::Passes,
        missing => Word::Untestable(format!("{missing} of the cases did not run")),
    }
}

fn is_path(kernel: &str) -> bool {
    kernel.contains('/') || Path::new(kernel).exists()
}

impl Bisect {
    /// The run that this is.
    fn run(&self) -> Run {
        Run {
            filters: Vec::new(),
            source: Source { cases: self.source.cases.clone() },
            timeout: self.timeout,
            repeat: self.repeat,
            report: self.report.clone(),
            // A fail is told as one though it may be a recorded deviation.
            deviations: Deviations::None,
            targets: self.targets.clone(),
            format: Format::Terminal,
            order: Order::Longest,
            jobs: None,
            shard: None,
            shard_kernels: None,
            baseline: None,
            verbose: false,
            fail_fast: false,
        }
    }
}
