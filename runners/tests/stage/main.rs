//! The real stage, on this kernel: cases that have to come out in one way, whatever the kernel.
//!
//! The first line of a case says how, as `# verdict: part of the reason`; a case without it passes.

mod upcall;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use harness::case::load::load;
use harness::plan::{Plan, plan, programs};
use harness::record::{CaseRecord, Verdict};
use harness::wire::{Order, PROTOCOL, Receiver, Sender, Word};
use rstest::rstest;

/// How long a call may take here.
const LIMIT: Duration = Duration::from_millis(300);

/// A worker for one case.
struct Worker {
    process: Child,
    orders: Sender<ChildStdin>,
    words: Receiver,
    plan: Plan,
}

impl Worker {
    /// For a case as YAML, with stages that share its memory or have their own.
    fn new(text: &str, lends: bool) -> Worker {
        let case = load("case.yaml", "case", text.as_bytes()).unwrap().remove(0);
        let mut process = Command::new(env!("CARGO_BIN_EXE_skc"))
            .args(["worker", "--lend"].iter().take(1 + usize::from(lends)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut orders = Sender::new(process.stdin.take().unwrap(), "token".into());
        let mut words = Receiver::new(OwnedFd::from(process.stdout.take().unwrap()), Some("token".into()));
        orders.send(&Order::Hello { protocol: PROTOCOL, programs: programs(&case), packed: false }).unwrap();
        let target = match words.receive::<Word>(Some(Duration::from_secs(10))).unwrap() {
            Word::Ready(target) => target,
            word => panic!("{word:?}"),
        };
        // Each of the cases does with one id, so nothing is missing anywhere.
        let plan = plan(&case, &target, LIMIT).unwrap();
        Worker { process, orders, words, plan }
    }

    /// Has it play: the record, and if it is fit for another case.
    fn play(&mut self, limit: Option<Duration>) -> (Box<CaseRecord>, bool) {
        let plan = Plan { limit: limit.unwrap_or(self.plan.limit), ..self.plan.clone() };
        self.orders.send(&Order::Play(Box::new(plan))).unwrap();
        match self.words.receive::<Word>(Some(Duration::from_secs(30))).unwrap() {
            Word::Record { record, fit } => (record, fit),
            word => panic!("{word:?}"),
        }
    }

    fn end(mut self) {
        drop(self.orders);
        assert!(self.process.wait().unwrap().success());
    }
}

#[rstest]
fn a_case_comes_out_as_it_says(
    #[files("tests/stage/cases/*.yaml")] path: PathBuf,
    #[values(false, true)] lends: bool,
) {
    let text = fs::read_to_string(&path).unwrap();
    let first = text.lines().next().unwrap_or_default();
    let (verdict, reason) =
        first.strip_prefix("# ").and_then(|line| line.split_once(": ")).unwrap_or(("pass", ""));
    let mut worker = Worker::new(&text, lends);
    let (record, fit) = worker.play(None);
    let told = record.reason.unwrap_or_default();
    assert_eq!(record.verdict.word(), verdict, "{told}");
    assert!(told.contains(reason), "{told}");
    assert!(fit, "the worker takes itself for damaged");
    worker.end();
}

/// Plays for a second.
const LONG: &str = "title: It takes long
covers: [PROC-01]
actors: {alice: {uid: 1000}}
steps:
  - alice: nanosleep(1000) = 0
  - alice: getuid() = 1000
";

#[rstest]
fn a_stage_that_is_late_takes_a_worker_with_it_whose_memory_it_shares(#[values(false, true)] lends: bool) {
    let mut worker = Worker::new(LONG, lends);
    let (record, fit) = worker.play(Some(Duration::from_millis(200)));
    assert_eq!(record.verdict, Verdict::Broken);
    assert_eq!(record.reason.unwrap(), "the stage's record was lost: nothing was heard for 0.2 s");
    assert_eq!(fit, !lends);
    worker.end();
}

#[rstest]
fn one_worker_plays_many_cases(#[values(false, true)] lends: bool) {
    const QUICK: &str = "title: It is quick
covers: [PROC-01]
actors: {alice: {uid: 1000}, bob: {uid: 1000}}
steps:
  - alice: add_key(\"user\", \"k\", text(3000), @s) -> $key
  - alice: read($key) = text(3000)
  - bob: read($key) = EACCES
";
    let mut worker = Worker::new(QUICK, lends);
    let rooms: Vec<usize> = (0..200)
        .map(|_| {
            let (record, fit) = worker.play(None);
            assert_eq!((record.verdict, fit), (Verdict::Pass, true), "{:?}", record.reason);
            let status = fs::read_to_string(format!("/proc/{}/statm", worker.process.id())).unwrap();
            status.split(' ').nth(1).unwrap().parse().unwrap()
        })
        .collect();
    // In pages that are in use: on a busy machine stages go late, and one more than before may have been lent room. What was
    // lent is lent again, and what was allocated is given back.
    assert!(rooms[199] <= rooms[100] + 64, "it grows: {rooms:?}");
    worker.end();
}
