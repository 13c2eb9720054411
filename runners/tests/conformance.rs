//! Every case as a test of its own: `cargo test -p runners --test conformance [FILTER]`.
//!
//! A case that this kernel cannot be asked is ignored, with the reason; one that deviates as recorded
//! passes. Each test is whole in itself, so that runners which give each a process of its own work too.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use harness::case::Case;
use harness::plan::{plan, programs};
use harness::suite::Suite;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use reports::status::{Merit, Status};
use reports::terminal;
use runners::interrupt::Stop;
use runners::local::{Local, default_jobs};
use runners::pool::Pool;

/// How long a call of a case may take.
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    let mut args = Arguments::from_args();
    args.test_threads.get_or_insert_with(default_jobs);
    let suite = match Suite::embedded() {
        Ok(suite) => suite,
        Err(found) => {
            found.iter().for_each(|diagnostic| drop(writeln!(io::stderr(), "{diagnostic}\n")));
            return ExitCode::from(2);
        }
    };
    let tests = Arc::new(Tests { suite, pool: OnceLock::new(), ignored: Mutex::default() });
    let trials = tests.suite.cases().iter().map(|case| {
        let (tests, case) = (Arc::clone(&tests), case.clone());
        Trial::ignorable_test(case.id.clone(), move || tests.test(&case))
    });
    let conclusion = libtest_mimic::run(&args, trials.collect());
    tests.tell_ignored();
    // The workers have to be gone before the process is.
    drop(tests);
    conclusion.exit_code()
}

struct Tests {
    suite: Suite,
    pool: OnceLock<Result<Pool, String>>,
    ignored: Mutex<BTreeMap<String, usize>>,
}

impl Tests {
    fn test(&self, case: &Case) -> Result<Completion, Failed> {
        let pool = self.pool.get_or_init(|| self.open()).as_ref()?;
        let plan = match plan(case, pool.target(), TIMEOUT) {
            Ok(plan) => plan,
            Err(skip) => {
                *self
                    .ignored
                    .lock()
                    .map_err(|error| error.to_string())?
                    .entry(skip.0.clone())
                    .or_default() += 1;
                return Ok(Completion::ignored_with(skip.0));
            }
        };
        let mut record = pool.play(&plan).ok_or("stopped")?;
        record.standing = self.suite.standing(&record, pool.target());
        match Status::of(&record).words().merit {
            Merit::Good | Merit::Unasked => Ok(Completion::Completed),
            Merit::Bad | Merit::Unknown => {
                let mut text = anstream::StripStream::new(Vec::new());
                terminal::case(&mut text, pool.target(), &record, &terminal::Options::default())?;
                Err(String::from_utf8_lossy(&text.into_inner()).into_owned().into())
            }
        }
    }

    fn open(&self) -> Result<Pool, String> {
        let runner = Box::new(Local::of(env!("CARGO_BIN_EXE_skc")));
        let programs = self.suite.cases().iter().flat_map(programs).collect();
        let stop = Stop::new().map_err(|error| error.to_string())?;
        Pool::open(runner, programs, Arc::new(stop)).map_err(|unstarted| format!("{unstarted:?}"))
    }

    /// Says what was not asked, as a list of all cases does not make plain.
    fn tell_ignored(&self) {
        let Ok(ignored) = self.ignored.lock() else { return };
        for (reason, count) in &*ignored {
            let _ = writeln!(io::stdout(), "{count:>5} ignored: {reason}");
        }
    }
}
