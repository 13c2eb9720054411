//! The pool against workers that are wrong in one known way: each way gets its name, none gets a pass,
//! and the cases after it run on another worker.

mod fake;

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use harness::plan::Plan;
use harness::record::{CaseRecord, Verdict};
use harness::run;
use harness::wire::{Word, frame};
use rstest::rstest;
use runners::interrupt::Stop;
use runners::pool::{Event, Jobs, Pool};
use runners::remote::Unstarted;

use fake::{Fake, Worker, passed, plans};

/// Opens a pool with a fake.
fn open(fake: &Fake, stop: &Arc<Stop>) -> Result<Pool, Unstarted> {
    Pool::open(Box::new(fake.clone()), Default::default(), Arc::clone(stop))
}

/// Plays three cases one after another on workers of which the first does this with the second case.
fn play(fault: fn(&mut Worker, &Plan)) -> (BTreeMap<String, CaseRecord>, usize) {
    let fake = Fake::new(move |worker, plan| match (worker.number, plan.case.as_str()) {
        (1, "b") => fault(worker, plan),
        _ => worker.pass(plan),
    });
    let records = play_on(&fake, 1);
    let starts = fake.starts.load(Ordering::SeqCst);
    (records, starts)
}

fn play_on(fake: &Fake, jobs: usize) -> BTreeMap<String, CaseRecord> {
    let stop = Arc::new(Stop::new().unwrap());
    let pool = open(fake, &stop).unwrap();
    let mut records = BTreeMap::new();
    pool.run(plans().into_iter(), jobs, |event| {
        if let Event::Ended(record) = event {
            let earlier = records.insert(record.case.clone(), *record);
            assert!(earlier.is_none(), "a case came to two records");
        }
        ControlFlow::Continue(())
    });
    assert_eq!(records.len(), 3);
    records
}

#[rstest]
#[case::truncated("the worker died within a frame: it was killed by SIGKILL", |worker: &mut Worker, plan: &Plan| {
    let text = worker.framed(&passed(plan));
    worker.raw(&text.as_bytes()[..text.len() / 2]);
    worker.die();
})]
#[case::died("the worker died: it was killed by SIGKILL", |worker: &mut Worker, _: &Plan| worker.die())]
#[case::checksum("a frame was damaged on its way", |worker: &mut Worker, plan: &Plan| {
    let text = worker.framed(&passed(plan)).replace("\"pass\"", "\"fail\"");
    worker.raw(text.as_bytes());
})]
#[case::cut_in_two("a frame was damaged on its way", |worker: &mut Worker, plan: &Plan| {
    // A kernel message in the middle, as on a console.
    let text = worker.framed(&passed(plan));
    let (head, tail) = text.split_at(text.len() / 2);
    worker.raw(format!("{head}\n[    1.0] oops\n{tail}").as_bytes());
})]
#[case::forged("a frame with a foreign token was found on the stream", |worker: &mut Worker, plan: &Plan| {
    let json = serde_json::to_string(&Word::Record { record: Box::new(passed(plan)), fit: true }).unwrap();
    worker.raw(frame("0123456789abcdef", worker.sequence(), &json).as_bytes());
    worker.pass(plan);
})]
#[case::other_case("the worker sent a record of c, which it was not asked for", |worker: &mut Worker, plan: &Plan| {
    worker.send(&CaseRecord { case: "c".into(), ..passed(plan) });
})]
#[case::doubled("the worker sent more than one record", |worker: &mut Worker, plan: &Plan| {
    let text = worker.framed(&passed(plan));
    worker.raw(format!("{text}{text}").as_bytes());
})]
#[case::replayed("frame 2 came where frame 3 had to come", |worker: &mut Worker, plan: &Plan| {
    let json = serde_json::to_string(&Word::Record { record: Box::new(passed(plan)), fit: true }).unwrap();
    let token = worker.token();
    worker.raw(frame(&token, worker.sequence() - 1, &json).as_bytes());
})]
#[case::no_message("a frame holds no message of this protocol", |worker: &mut Worker, _: &Plan| {
    let token = worker.token();
    worker.raw(frame(&token, worker.sequence(), "{\"verdict\":\"pass\"}").as_bytes());
})]
#[case::greeting("the worker greeted for a second time", |worker: &mut Worker, _: &Plan| worker.greet())]
#[case::passed_too_early("it passed without all of its steps", |worker: &mut Worker, plan: &Plan| {
    let mut record = passed(plan);
    record.steps.pop();
    worker.send(&record);
})]
#[case::passed_wrongly("it passed with a failed step", |worker: &mut Worker, plan: &Plan| {
    let mut record = passed(plan);
    record.steps[1].met = false;
    worker.send(&record);
})]
#[case::passed_unseen("it passed without all of its steps", |worker: &mut Worker, plan: &Plan| {
    worker.send(&run::blank(plan, Verdict::Pass, None));
})]
#[case::failed_without_a_step("it failed without a failed step", |worker: &mut Worker, plan: &Plan| {
    worker.send(&CaseRecord { verdict: Verdict::Fail, ..passed(plan) });
})]
#[case::skipped("what is to be skipped is not played", |worker: &mut Worker, plan: &Plan| {
    worker.send(&run::blank(plan, Verdict::Skip, None));
})]
#[case::hangs("nothing was heard from the worker for 5.1 s", |worker: &mut Worker, _: &Plan| worker.hang())]
#[case::floods("nothing was heard from the worker for 5.1 s", |worker: &mut Worker, _: &Plan| {
    while worker.words.as_mut().unwrap().write_all(b"noise noise noise noise noise noise\n").is_ok() {
        std::thread::sleep(Duration::from_micros(50));
    }
})]
#[case::endless_line("nothing was heard from the worker for 5.1 s", |worker: &mut Worker, _: &Plan| {
    while worker.words.as_mut().unwrap().write_all(b"noise without end ").is_ok() {
        std::thread::sleep(Duration::from_micros(50));
    }
})]
fn a_fault_is_named_and_costs_one_case(#[case] name: &str, #[case] fault: fn(&mut Worker, &Plan)) {
    let (records, starts) = play(fault);
    let reason = records["b"].reason.clone().unwrap();
    assert_eq!(records["b"].verdict, Verdict::Broken, "{reason}");
    assert!(reason.contains(name), "{reason}");
    assert_eq!((records["a"].verdict, records["c"].verdict), (Verdict::Pass, Verdict::Pass));
    assert_eq!(starts, 2);
}

#[test]
fn noise_is_console_text() {
    let (records, starts) = play(|worker, plan| {
        worker.raw(b"[    1.0] one line\r\n\xff\xfe\npart of a line");
        worker.pass(plan);
        worker.raw(b"between cases\n");
    });
    assert_eq!(records["b"].verdict, Verdict::Pass);
    assert_eq!(records["b"].console[0], "[    1.0] one line");
    assert_eq!(records["b"].console[2], "part of a line");
    assert!(records.values().flat_map(|record| &record.console).any(|line| line == "between cases"));
    assert_eq!(starts, 1);
}

#[test]
fn what_a_dying_worker_printed_is_kept() {
    let (records, _) = play(|worker, _| {
        worker.raw(b"thread 'main' panicked\n");
        worker.die();
    });
    assert_eq!(records["b"].console, ["thread 'main' panicked"]);
}

#[test]
fn a_worker_that_dies_each_time_breaks_each_case() {
    let fake = Fake::new(|worker, _| worker.die());
    let records = play_on(&fake, 2);
    assert!(records.values().all(|record| record.verdict == Verdict::Broken));
}

#[test]
fn a_start_that_fails_is_repeated() {
    let fake = Fake { silent: vec![1, 2], ..Fake::new(Worker::pass) };
    let records = play_on(&fake, 1);
    assert!(records.values().all(|record| record.verdict == Verdict::Pass));
    assert_eq!(fake.starts.load(Ordering::SeqCst), 3);
}

#[test]
fn three_starts_that_fail_are_the_end() {
    let fake = Fake { silent: (1..9).collect(), ..Fake::new(Worker::pass) };
    let stop = Arc::new(Stop::new().unwrap());
    let why = open(&fake, &stop).map(drop).unwrap_err();
    assert_eq!(why, Unstarted::Failed("the worker died: it was killed by SIGKILL".into()));
    assert_eq!(fake.starts.load(Ordering::SeqCst), 3);
}

#[test]
fn without_another_worker_the_rest_is_broken() {
    let fake = Fake { silent: (2..9).collect(), ..Fake::new(|worker, _| worker.die()) };
    let records = play_on(&fake, 1);
    assert_eq!(records["a"].reason.as_deref(), Some("the worker died: it was killed by SIGKILL"));
    for case in ["b", "c"] {
        let reason = "no worker can be started: the worker died: it was killed by SIGKILL";
        assert_eq!((records[case].verdict, records[case].reason.as_deref()), (Verdict::Broken, Some(reason)));
    }
    assert_eq!(fake.starts.load(Ordering::SeqCst), 4);
}

#[test]
fn a_refusal_is_told_in_the_words_of_the_worker() {
    let fake = Fake { refuses: true, ..Fake::new(Worker::pass) };
    let stop = Arc::new(Stop::new().unwrap());
    assert_eq!(open(&fake, &stop).map(drop).unwrap_err(), Unstarted::Refused("no keys here".into()));
    assert_eq!(fake.starts.load(Ordering::SeqCst), 1);
}

#[test]
fn a_worker_on_another_target_plays_nothing() {
    let fake = Fake {
        moves: true,
        ..Fake::new(|worker, plan| match worker.number {
            1 => worker.die(),
            _ => worker.pass(plan),
        })
    };
    let records = play_on(&fake, 1);
    assert!(records.values().all(|record| record.verdict == Verdict::Broken));
    assert!(records["c"].reason.as_ref().unwrap().contains("it is on another target, linux 9.9"));
}

#[test]
fn a_worker_that_reads_nothing_is_given_up() {
    let fake = Fake { deaf: true, ..Fake::new(Worker::pass) };
    let stop = Arc::new(Stop::new().unwrap());
    let pool = open(&fake, &stop).unwrap();
    let mut plan = plans().remove(0);
    // More than any pipe holds.
    plan.title = "x".repeat(4 << 20);
    let record = pool.play(&plan).unwrap();
    assert_eq!(record.reason.as_deref(), Some("the worker read no orders for 5 s"));
}

#[test]
fn some_take_the_last_case_while_others_wait_with_the_first() {
    let fake = Fake::new(|worker, plan| {
        if plan.case == "a" {
            std::thread::sleep(Duration::from_millis(200));
        }
        worker.pass(plan);
    });
    let stop = Arc::new(Stop::new().unwrap());
    let pool = open(&fake, &stop).unwrap();
    let mut ended = Vec::new();
    pool.run(plans().into_iter(), Jobs { front: 1, back: 1 }, |event| {
        if let Event::Ended(record) = event {
            ended.push(record.case);
        }
        ControlFlow::Continue(())
    });
    assert_eq!(ended, ["c", "b", "a"]);
}

#[test]
fn a_stop_wakes_those_who_wait() {
    let fake = Fake::new(|worker, _| worker.hang());
    let stop = Arc::new(Stop::new().unwrap());
    let pool = open(&fake, &stop).unwrap();
    let began = Instant::now();
    let mut ended = 0;
    pool.run(plans().into_iter(), 2, |event| {
        match event {
            Event::Began(_) => stop.stop(),
            Event::Ended(_) => ended += 1,
            Event::Tick => {}
        }
        ControlFlow::Continue(())
    });
    assert_eq!(ended, 0);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[test]
fn breaking_off_lets_what_has_begun_come_to_its_end() {
    let fake = Fake::new(|worker, plan| {
        std::thread::sleep(Duration::from_millis(100));
        worker.pass(plan);
    });
    let stop = Arc::new(Stop::new().unwrap());
    let pool = open(&fake, &stop).unwrap();
    let mut ended = 0;
    pool.run(plans().into_iter(), 1, |event| match event {
        Event::Ended(_) => {
            ended += 1;
            ControlFlow::Break(())
        }
        Event::Began(_) | Event::Tick => ControlFlow::Continue(()),
    });
    // The second has begun by the time that the first is told.
    assert!((1..=2).contains(&ended), "{ended}");
}

#[rstest]
#[case::fit(Worker::pass, 1)]
#[case::spent(Worker::pass_and_be_spent, 3)]
fn a_machine_plays_until_it_is_spent(#[case] play: fn(&mut Worker, &Plan), #[case] machines: usize) {
    let fake = Fake { machines: true, ..Fake::new(play) };
    let records = play_on(&fake, 1);
    assert!(records.values().all(|record| record.verdict == Verdict::Pass), "{records:?}");
    assert_eq!(fake.starts.load(Ordering::SeqCst), machines);

    fake.starts.store(0, Ordering::SeqCst);
    let stop = Arc::new(Stop::new().unwrap());
    let pool = open(&fake, &stop).unwrap();
    for plan in plans() {
        assert_eq!(pool.play(&plan).unwrap().verdict, Verdict::Pass);
    }
    assert_eq!(fake.starts.load(Ordering::SeqCst), machines);
}
