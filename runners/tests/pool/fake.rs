//! A runner whose workers are threads of the test: what they do with a case is the test's choice.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use harness::case::{Version, load};
use harness::plan::{Plan, plan};
use harness::record::{CaseRecord, Shown, StepRecord, Verdict};
use harness::run;
use harness::target::{Feature, Ids, Target};
use harness::wire::{Order, Receiver, Word, frame};
use nix::unistd::pipe;
use runners::{Life, Link, Runner};

/// What workers do with a case.
type Play = Arc<dyn Fn(&mut Worker, &Plan) + Send + Sync>;

/// A runner of such workers.
#[derive(Clone)]
pub(crate) struct Fake {
    pub(crate) play: Play,
    /// How many workers were started.
    pub(crate) starts: Arc<AtomicUsize>,
    /// The workers, from 1, that die before they greet.
    pub(crate) silent: Vec<usize>,
    /// If workers refuse.
    pub(crate) refuses: bool,
    /// If workers after the first are on another target.
    pub(crate) moves: bool,
    /// If workers have machines.
    pub(crate) machines: bool,
    /// If workers read no more after the greeting.
    pub(crate) deaf: bool,
}

impl Fake {
    pub(crate) fn new(play: impl Fn(&mut Worker, &Plan) + Send + Sync + 'static) -> Fake {
        let starts = Arc::new(AtomicUsize::new(0));
        Fake {
            play: Arc::new(play),
            starts,
            silent: vec![],
            refuses: false,
            moves: false,
            machines: false,
            deaf: false,
        }
    }

    fn serve(&self, number: usize, input: OwnedFd, words: File, killed: &AtomicBool) {
        let mut orders = Receiver::new(input, None);
        let Ok(Order::Hello { .. }) = orders.receive(None) else { return };
        if self.silent.contains(&number) {
            return;
        }
        let token = orders.token().unwrap_or_default().to_owned();
        let release = if self.moves && number > 1 { "9.9.0" } else { "6.18.0" };
        let mut worker = Worker { number, token, sequence: 1, words: Some(words), orders, release };
        if self.refuses {
            return worker.word(&Word::Refused("no keys here".into()));
        }
        worker.greet();
        while self.deaf && !killed.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(1));
        }
        while worker.words.is_some() {
            let Ok(Order::Play(plan)) = worker.orders.receive(None) else { return };
            (self.play)(&mut worker, &plan);
        }
    }
}

impl Runner for Fake {
    fn place(&self) -> String {
        "a thread".into()
    }

    fn jobs(&self) -> usize {
        1
    }

    fn has_machines(&self) -> bool {
        self.machines
    }

    fn start(&self) -> io::Result<Link> {
        let number = self.starts.fetch_add(1, Ordering::SeqCst) + 1;
        let ((input, orders), (words, output)) = (pipe()?, pipe()?);
        let (fake, killed) = (self.clone(), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&killed);
        let thread = thread::spawn(move || fake.serve(number, input, File::from(output), &told));
        Ok(Link {
            orders,
            words,
            shared: None,
            life: Box::new(Thread { thread: Mutex::new(thread), killed }),
        })
    }
}

struct Thread {
    thread: Mutex<thread::JoinHandle<()>>,
    killed: Arc<AtomicBool>,
}

impl Life for Thread {
    fn kill(&mut self) {
        self.killed.store(true, Ordering::SeqCst);
    }

    fn ended(&mut self, limit: Duration) -> Option<String> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if self.thread.lock().unwrap().is_finished() {
                return Some("was killed by SIGKILL".into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        None
    }

    fn console(&mut self) -> Vec<String> {
        Vec::new()
    }
}

/// A worker on its own side.
pub(crate) struct Worker {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// What it writes; none when it has died.
    pub(crate) words: Option<File>,
    orders: Receiver,
    token: String,
    sequence: u64,
    release: &'static str,
}

impl Worker {
    pub(crate) fn token(&self) -> String {
        self.token.clone()
    }

    /// The number of the next frame.
    pub(crate) fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(crate) fn greet(&mut self) {
        self.word(&Word::Ready(Box::new(target(self.release))));
    }

    pub(crate) fn pass(&mut self, plan: &Plan) {
        self.send(&passed(plan));
    }

    /// Passes, and says that no other case can be played here.
    pub(crate) fn pass_and_be_spent(&mut self, plan: &Plan) {
        self.word(&Word::Record { record: Box::new(passed(plan)), fit: false });
    }

    pub(crate) fn send(&mut self, record: &CaseRecord) {
        let text = self.framed(record);
        self.raw(text.as_bytes());
    }

    /// The frame of a record, as the next one to be sent.
    pub(crate) fn framed(&mut self, record: &CaseRecord) -> String {
        let json =
            serde_json::to_string(&Word::Record { record: Box::new(record.clone()), fit: true }).unwrap();
        self.sequence += 1;
        format!("\n{}", frame(&self.token, self.sequence - 1, &json))
    }

    fn word(&mut self, word: &Word) {
        let json = serde_json::to_string(word).unwrap();
        self.sequence += 1;
        let text = format!("\n{}", frame(&self.token, self.sequence - 1, &json));
        self.raw(text.as_bytes());
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        // Whoever has found one fault reads no further.
        let _ = self.words.as_mut().unwrap().write_all(bytes);
    }

    pub(crate) fn die(&mut self) {
        self.words = None;
    }

    /// Does nothing until nobody can ask it any more.
    pub(crate) fn hang(&mut self) {
        let _ = self.orders.receive::<Order>(None);
    }
}

fn target(release: &str) -> Target {
    Target {
        implementation: "linux".into(),
        implementation_version: None,
        release: release.into(),
        version: Version::parse(release).unwrap(),
        machine: "x86_64".into(),
        place: "a thread".into(),
        ids: Ids::Block,
        features: [Feature::Keys].into(),
        programs: Default::default(),
    }
}

/// Three cases of three steps.
pub(crate) fn plans() -> Vec<Plan> {
    let text = "title: A title\ncovers: [X-01]\nactors:\n  a: {uid: 0}\nsteps:\n  - a: getuid() = 0\n  - a: getuid() = 0\n  - a: getuid() = 0\n";
    let plan_of = |id: &str| {
        let case = load::load(id, id, text.as_bytes()).unwrap().remove(0);
        let plan = plan(&case, &target("6.18.0"), Duration::from_secs(1)).unwrap();
        Plan { limit: Duration::from_millis(100), ..plan }
    };
    ["a", "b", "c"].map(plan_of).into()
}

/// The record of a case all of whose steps had their outcome.
pub(crate) fn passed(plan: &Plan) -> CaseRecord {
    let shown = || Shown { text: "0".into(), variable: None };
    let steps = plan.steps.iter().map(|step| StepRecord {
        line: step.line,
        text: step.text.clone(),
        met: true,
        expected: shown(),
        observed: shown(),
        microseconds: 1,
    });
    CaseRecord { steps: steps.collect(), ..run::blank(plan, Verdict::Pass, None) }
}
