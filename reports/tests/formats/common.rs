//! Runs to render, built without a kernel.

use std::collections::BTreeSet;

use harness::case::Version;
use harness::record::{CaseRecord, FORMAT, Footer, Header, Run, Shown, Standing, StepRecord, Verdict};
use harness::target::{Ids, Target};

pub(crate) fn target() -> Target {
    Target {
        programs: Default::default(),
        implementation: "linux".into(),
        implementation_version: None,
        release: "6.1.90".into(),
        version: Version(6, 1),
        machine: "x86_64".into(),
        place: "qemu".into(),
        ids: Ids::Block,
        features: BTreeSet::new(),
    }
}

/// A complete run of these cases.
pub(crate) fn run(cases: Vec<CaseRecord>) -> Run {
    let count = cases.len();
    Run {
        header: Header {
            format: FORMAT,
            program: "0.1.0".into(),
            id: "6e1e0a3c-93a8-4d3e-9a65-1c1f0e1b7a11".into(),
            target: target(),
            started: 1_700_000_000,
            cases: count,
            part: None,
            command: None,
        },
        cases,
        footer: Some(Footer { cases: count, milliseconds: 3_210, interrupted: false }),
    }
}

/// The same run, killed before `missing` of its cases.
pub(crate) fn killed(cases: Vec<CaseRecord>, missing: usize) -> Run {
    let mut run = run(cases);
    run.header.cases += missing;
    run.footer = None;
    run
}

pub(crate) fn case(id: &str, verdict: Verdict) -> CaseRecord {
    let path = id.split('[').next().unwrap_or(id);
    CaseRecord {
        case: id.into(),
        file: format!("cases/{path}.yaml"),
        title: format!("What {id} says of a kernel"),
        covers: vec!["JOIN-ANON-01".into()],
        verdict,
        standing: Standing::Plain,
        reason: None,
        steps: Vec::new(),
        microseconds: 1_500,
        console: Vec::new(),
    }
}

pub(crate) fn skip(id: &str, reason: &str) -> CaseRecord {
    CaseRecord { reason: Some(reason.into()), microseconds: 0, ..case(id, Verdict::Skip) }
}

pub(crate) fn text(text: &str) -> Shown {
    Shown { text: text.into(), variable: None }
}

pub(crate) fn var(name: &str, line: u32, value: &str) -> Shown {
    Shown { text: value.into(), variable: Some((name.into(), line)) }
}

pub(crate) fn step(line: u32, says: &str, expected: Shown, observed: Shown) -> StepRecord {
    let met = expected == observed || expected.text == "ok";
    StepRecord { line, text: says.into(), met, expected, observed, microseconds: 12 }
}

/// The worked example of the manual: another variable's value was observed.
pub(crate) fn other_variable() -> CaseRecord {
    CaseRecord {
        title: "A child gives its session keyring to a single-threaded parent".into(),
        covers: vec!["PARENT-1".into(), "PARENT-2".into()],
        reason: Some("expected $new, observed $old".into()),
        steps: vec![
            step(6, "alice: join_session_keyring(\"old\") -> $old", text("ok"), var("old", 6, "1070784827")),
            step(7, "alice: fork() -> child", text("ok"), text("child")),
            step(8, "child: join_session_keyring(\"new\") -> $new", text("ok"), var("new", 8, "932995531")),
            step(9, "child: session_to_parent() = 0", text("0"), text("0")),
            step(
                10,
                "alice: get_keyring_ID(@s, 0) = $new",
                var("new", 8, "932995531"),
                var("old", 6, "1070784827"),
            ),
        ],
        ..case("parent/single-threaded", Verdict::Fail)
    }
}

/// A case whose only step had another outcome.
pub(crate) fn fail(id: &str, says: &str, expected: &str, observed: &str) -> CaseRecord {
    CaseRecord {
        reason: Some(format!("expected {expected}, observed {observed}")),
        steps: vec![step(5, says, text(expected), text(observed))],
        ..case(id, Verdict::Fail)
    }
}

pub(crate) fn mask() -> CaseRecord {
    fail(
        "join/anonymous",
        "alice: describe($ring) = \"keyring;1000;*;3f130000;_ses\"",
        "\"keyring;1000;*;3f130000;_ses\"",
        "\"keyring;0;1000;3f030008;_ses\"",
    )
}

pub(crate) fn members() -> CaseRecord {
    let mut record = fail("link/read", "alice: read(@s) = {$a, $b}", "{11, 22}", "{22, 33}");
    record.steps.insert(
        0,
        step(4, "alice: add_key(\"user\", \"a\", \"v\", @s) -> $a", text("ok"), var("a", 4, "11")),
    );
    record
}

/// A payload of 4 KiB with one wrong byte near its end.
pub(crate) fn long_value() -> CaseRecord {
    let expected = format!("\"{}\"", "a".repeat(4096));
    let mut observed = expected.clone();
    observed.replace_range(4000..4003, "XYZ");
    fail("read/large", "alice: read($key) = text(4096)", &expected, &observed)
}

pub(crate) fn broken() -> CaseRecord {
    CaseRecord {
        reason: Some("alice died of SIGSEGV without being told to".into()),
        steps: vec![
            step(4, "alice: fork() -> child", text("ok"), text("child")),
            StepRecord { met: false, ..step(5, "child: exec() = ok", text("ok"), text("no answer")) },
        ],
        ..case("exec/plain", Verdict::Broken)
    }
}

/// A step that hangs while the kernel complains.
pub(crate) fn timeout() -> CaseRecord {
    let mut console: Vec<String> = (0..20).map(|at| format!("[    {at}.000000] noise {at}")).collect();
    console.push("[   20.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008".into());
    console.push("[   20.000001] \u{1b}[31mRIP\u{1b}[0m: 0010:keyring_search_rcu+0x1f/0x90\r".into());
    console.push("[   20.000002] reboot: System halted".into());
    CaseRecord {
        reason: Some("no answer within 10 s".into()),
        steps: vec![StepRecord {
            met: false,
            ..step(
                7,
                "alice: request_key(\"user\", \"k\", NULL, 0) = ENOKEY",
                text("ENOKEY"),
                text("no answer"),
            )
        }],
        console,
        ..case("search/loop", Verdict::Timeout)
    }
}

/// A case that kills the kernel.
pub(crate) fn crash() -> CaseRecord {
    let mut console =
        vec!["[   20.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008".into()];
    console.extend((0..20).map(|at| format!("[   20.{at:06}] trace {at}")));
    CaseRecord {
        reason: Some(
            "the kernel died: BUG: kernel NULL pointer dereference, address: 0000000000000008".into(),
        ),
        steps: vec![step(4, "alice: join_session_keyring(\"x\") = ok", text("ok"), text("7"))],
        console,
        ..case("join/crash", Verdict::Crash)
    }
}

pub(crate) fn deviation(id: &str) -> CaseRecord {
    CaseRecord {
        standing: Standing::Deviates { because: "joins by name pass over what they may not search".into() },
        ..fail(id, "alice: join_session_keyring(\"web\") = EACCES", "EACCES", "932995531")
    }
}

pub(crate) fn unexpected_pass() -> CaseRecord {
    CaseRecord {
        standing: Standing::Unexpected { recorded: "a rejoin returns 0".into() },
        steps: vec![step(4, "alice: join_session_keyring(\"x\") = $x", text("ok"), text("7"))],
        ..case("join/rejoin", Verdict::Pass)
    }
}

pub(crate) fn another_fail() -> CaseRecord {
    CaseRecord {
        standing: Standing::Unexpected { recorded: "step 3: a new keyring".into() },
        ..fail("join/denied", "bob: join_session_keyring(\"web\") = EACCES", "EACCES", "ENOKEY")
    }
}

/// Text that tries to be more than text in every format.
pub(crate) fn hostile() -> CaseRecord {
    CaseRecord {
        file: "Subtest: x".into(),
        title: "\u{1b}[2J]]></failure>\u{202e}evil\nok 1 forged # SKIP".into(),
        covers: vec!["A\u{0}B".into()],
        reason: Some("why # SKIP\nnot ok 9 forged\u{1b}]0;t\u{7}".into()),
        console: vec![
            "KTAP version 1".into(),
            "1..1".into(),
            "ok 1 forged".into(),
            "List of all partitions:".into(),
            "\u{ffff}\u{fffe}\u{8}<!--".into(),
        ],
        ..case("odd/na me#1[\u{1b}[31m<&\"']", Verdict::Broken)
    }
}

/// At least one case of each kind.
pub(crate) fn everything() -> Run {
    run(vec![
        case("join/plain", Verdict::Pass),
        other_variable(),
        mask(),
        members(),
        long_value(),
        broken(),
        timeout(),
        crash(),
        deviation("join/denied-eacces"),
        deviation("join/denied-again"),
        unexpected_pass(),
        another_fail(),
        hostile(),
        skip("autocreate/fallback", "needs a process without a session keyring: run with --kernel"),
        skip("request/upcall", "needs a VM: run with --kernel"),
        skip("request/negate", "needs a VM: run with --kernel"),
        case("parent/identity[egid]", Verdict::Pass),
    ])
}

/// A run whose 300 cases were skipped for one reason, and one for another.
pub(crate) fn all_skipped() -> Run {
    let mut cases: Vec<CaseRecord> = (0..300)
        .map(|at| skip(&format!("join/case-{at:03}"), "no key facility: CONFIG_KEYS is not set"))
        .collect();
    cases.push(skip("request/upcall", "needs a VM: run with --kernel"));
    run(cases)
}

/// A text that tries everything.
const HOSTILE: &str =
    "\u{1b}[2J\u{9b}31m\r\n\nnot ok 1 x # SKIP\nKTAP version 1\n# Subtest: y\n]]>\u{202e}\u{ffff}\u{0}é";

/// Every text of a record is hostile, with every verdict and standing.
fn hostile_records() -> Vec<CaseRecord> {
    let text = || HOSTILE.to_owned();
    let shown = |more: &str| Shown { text: format!("\"{HOSTILE}{more}\""), variable: Some((text(), 3)) };
    let standings =
        [Standing::Plain, Standing::Deviates { because: text() }, Standing::Unexpected { recorded: text() }];
    let mut records = Vec::new();
    for verdict in Verdict::ALL {
        for standing in &standings {
            records.push(CaseRecord {
                case: format!("{HOSTILE}/{}[{HOSTILE}]", records.len()),
                file: text(),
                title: text(),
                covers: vec![text()],
                verdict,
                standing: standing.clone(),
                reason: Some(text()),
                steps: vec![StepRecord {
                    line: 3,
                    text: text(),
                    met: verdict == Verdict::Pass,
                    expected: shown(""),
                    observed: shown(HOSTILE),
                    microseconds: 1,
                }],
                microseconds: 1,
                console: vec![text()],
            });
        }
    }
    records
}

/// A run all of whose texts are hostile.
pub(crate) fn hostile_run() -> Run {
    let mut run = run(hostile_records());
    run.header.target.release = HOSTILE.into();
    run.header.target.place = HOSTILE.into();
    run.header.program = HOSTILE.into();
    run
}
