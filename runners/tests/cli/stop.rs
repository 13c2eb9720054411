//! Runs that are stopped, from outside or by losing a worker.

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rstest::rstest;

use crate::fixture::{Suite, skc};

/// Starts a run of a good case and a slow one on one worker, and waits until the good one is recorded.
fn start(suite: &Suite, folder: &str) -> Child {
    suite.add_slow();
    let args = ["good/one", "slow", "--order", "name", "--jobs", "1", "--report", folder];
    let mut command = suite.command(&args);
    let run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let part = format!("{folder}/records.jsonl.part");
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::fs::read_to_string(&part).unwrap_or_default().lines().count() < 2 {
        assert!(Instant::now() < deadline, "the good case was never recorded");
        thread::sleep(Duration::from_millis(5));
    }
    run
}

fn send(run: &Child, signal: Signal) {
    kill(Pid::from_raw(run.id() as i32), signal).unwrap();
}

/// The processes whose parent this one is.
fn children(parent: u32) -> Vec<i32> {
    let parent = format!("PPid:\t{parent}");
    let processes = std::fs::read_dir("/proc").unwrap();
    let processes = processes.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_child = |process: &i32| {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        status.lines().any(|line| line == parent)
    };
    processes.filter(is_child).collect()
}

#[rstest]
#[case(Signal::SIGINT)]
#[case(Signal::SIGTERM)]
fn an_interrupted_run_writes_what_it_has(#[case] signal: Signal) {
    let suite = Suite::new();
    let folder = &suite.beside("out");
    let mut run = start(&suite, folder);
    let began = Instant::now();
    send(&run, signal);
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let report = skc(&["report", folder]);
    assert_eq!(report.code, 3);
    for part in ["1 passed", "1 never ran", "The run was interrupted."] {
        assert!(report.out.contains(part), "{part}: {}", report.out);
    }
}

#[test]
fn a_killed_run_leaves_records_that_can_be_read() {
    let suite = Suite::new();
    let folder = &suite.beside("out");
    let mut run = start(&suite, folder);
    send(&run, Signal::SIGKILL);
    run.wait().unwrap();
    let report = skc(&["report", folder]);
    assert_eq!(report.code, 3);
    for part in ["1 passed", "1 never ran", "The run was cut short."] {
        assert!(report.out.contains(part), "{part}: {}", report.out);
    }
}

#[test]
fn a_killed_worker_breaks_its_case_alone() {
    let suite = Suite::new();
    let folder = &suite.beside("out");
    let mut run = start(&suite, folder);
    // The worker that plays the slow case, or is about to.
    for worker in children(run.id()) {
        kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    }
    assert_eq!(run.wait().unwrap().code(), Some(3));
    let report = skc(&["report", folder]);
    assert!(report.out.contains("the worker died: it was killed by SIGKILL"), "{}", report.out);
    assert!(report.out.contains("1 passed"), "{}", report.out);
}

#[test]
fn a_time_limit_ends_a_call() {
    let suite = Suite::new();
    suite.add_slow();
    let output = suite.run(&["slow", "good", "--timeout", "300ms"]);
    assert_eq!(output.code, 1, "{}", output.out);
    assert!(output.out.contains("TIMEOUT slow/one"), "{}", output.out);
    assert!(output.out.contains("did not answer within 0.3 s"), "{}", output.out);
}

#[test]
fn the_signals_that_stop_a_run_end_actors_as_ever() {
    let suite = Suite::new();
    for signal in ["SIGTERM", "SIGKILL"] {
        suite.case(
            &format!("ends/{}", signal.to_lowercase()),
            "A-01",
            "",
            &format!("a: fork() -> b\n  - a: kill(b, {signal}) = ok\n  - a: wait(b) = ok"),
        );
    }
    let output = suite.run(&["ends", "--timeout", "2s"]);
    assert_eq!(output.code, 0, "{}{}", output.out, output.err);
}
