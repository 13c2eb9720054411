//! The real stage, on this kernel: cases that have to come out in one way, whatever the kernel.
//!
//! The first line of a case says how, as `# verdict: part of the reason`; a case without it passes.

mod upcall;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use harness::case::load::load;
use harness::plan::{plan, programs};
use harness::wire::{Order, PROTOCOL, Receiver, Sender, Word};
use rstest::rstest;

/// How long a call may take here.
const LIMIT: Duration = Duration::from_millis(300);

#[rstest]
fn a_case_comes_out_as_it_says(#[files("tests/stage/cases/*.yaml")] path: PathBuf) {
    let text = fs::read_to_string(&path).unwrap();
    let case = load(&path.to_string_lossy(), "case", text.as_bytes()).unwrap().remove(0);
    let first = text.lines().next().unwrap_or_default();
    let (verdict, reason) =
        first.strip_prefix("# ").and_then(|line| line.split_once(": ")).unwrap_or(("pass", ""));

    let mut worker = Command::new(env!("CARGO_BIN_EXE_skc"))
        .arg("worker")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut orders = Sender::new(worker.stdin.take().unwrap(), "token".into());
    let mut words = Receiver::new(OwnedFd::from(worker.stdout.take().unwrap()), Some("token".into()));
    orders.send(&Order::Hello { protocol: PROTOCOL, programs: programs(&case), packed: false }).unwrap();
    let target = match words.receive::<Word>(Some(Duration::from_secs(10))).unwrap() {
        Word::Ready(target) => target,
        word => panic!("{word:?}"),
    };
    // Each of them does with one id, so nothing is missing anywhere.
    let plan = plan(&case, &target, LIMIT).unwrap();
    orders.send(&Order::Play(Box::new(plan))).unwrap();
    let record = match words.receive::<Word>(Some(Duration::from_secs(30))).unwrap() {
        Word::Record { record, .. } => record,
        word => panic!("{word:?}"),
    };
    let told = record.reason.clone().unwrap_or_default();
    assert_eq!(record.verdict.word(), verdict, "{told}");
    assert!(told.contains(reason), "{told}");
    drop(orders);
    assert!(worker.wait().unwrap().success());
}
