//! A guarded program ends as by itself, and nothing of it outlives its guard or whoever holds the lifeline.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use command_fds::FdMapping;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use rstest::rstest;
use runners::guard::{Guarded, Streams};

/// What a program of a test may take.
const LIMIT: Duration = Duration::from_secs(20);

/// A program under guard, what it writes, and what it reads.
fn start(words: &[&str]) -> (Guarded, File, File) {
    let (input, orders) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let (words_out, output) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let streams =
        Streams { input: input.into(), output: output.try_clone().unwrap().into(), errors: output.into() };
    let words: Vec<OsString> = words.iter().map(OsString::from).collect();
    let guarded = Guarded::start(skc(), &words, streams, Vec::new()).unwrap();
    (guarded, File::from(words_out), File::from(orders))
}

fn skc() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_skc"))
}

fn ended(guarded: &mut Guarded) -> ExitStatus {
    guarded.ended(LIMIT).unwrap().expect("it ends in time")
}

fn text(mut out: File) -> String {
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    text
}

/// The first line, which is a number: the program still runs when it is read.
fn number(out: &mut File) -> i32 {
    let mut text = String::new();
    let mut byte = [0];
    while out.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        text.push(char::from(byte[0]));
    }
    text.parse().unwrap()
}

fn lives(process: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    !status.is_empty() && !status.contains("State:\tZ")
}

fn is_gone_soon(process: i32) -> bool {
    let deadline = Instant::now() + LIMIT;
    while lives(process) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    !lives(process)
}

#[rstest]
#[case("exit 0", Some(0), None)]
#[case("exit 7", Some(7), None)]
#[case("kill -KILL $$", None, Some(9))]
#[case("kill -SEGV $$", None, Some(11))]
fn it_ends_as_the_program_does(#[case] script: &str, #[case] code: Option<i32>, #[case] signal: Option<i32>) {
    let (mut guarded, _out, _orders) = start(&["sh", "-c", script]);
    let status = ended(&mut guarded);
    assert_eq!((status.code(), status.signal()), (code, signal));
}

#[test]
fn the_program_has_the_streams_and_the_words() {
    let (mut guarded, out, mut orders) =
        start(&["sh", "-c", r#"read line; echo "<$line> <$1>""#, "sh", "-- a b"]);
    orders.write_all(b"to it\n").unwrap();
    assert_eq!(text(out), "<to it> <-- a b>\n");
    assert!(ended(&mut guarded).success());
}

#[test]
fn the_program_has_no_descriptors_but_those_it_is_given() {
    let (given, far) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let words = ["sh", "-c", "ls /proc/$$/fd; echo given >&5"].map(OsString::from);
    let (out, output) = pipe2(OFlag::O_CLOEXEC).unwrap();
    let streams =
        Streams { input: Stdio::null(), output: output.try_clone().unwrap().into(), errors: output.into() };
    let mapping = FdMapping { parent_fd: far, child_fd: 5 };
    let mut guarded = Guarded::start(skc(), &words, streams, vec![mapping]).unwrap();
    // Whoever runs the tests may let them inherit some: a program without a guard has those as well.
    let plain = Command::new("ls").arg("/proc/self/fd").stdin(Stdio::null()).output().unwrap().stdout;
    let all = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<String>>();
    // One of them is the folder that ls itself reads.
    let mut expected = all(&String::from_utf8(plain).unwrap());
    expected.remove("3");
    expected.insert("5".into());
    assert_eq!(all(&text(File::from(out))), expected);
    assert_eq!(text(File::from(given)), "given\n");
    assert!(ended(&mut guarded).success());
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let (mut guarded, out, _orders) = start(&["no-such-program-1"]);
    assert_eq!(
        text(out),
        "skc: no-such-program-1 cannot be started: No such file or directory (os error 2)\n"
    );
    assert_eq!(ended(&mut guarded).code(), Some(127));
}

#[test]
fn a_stream_that_the_program_closes_is_closed() {
    let (_guarded, out, _orders) = start(&["sh", "-c", "exec >&- 2>&-; exec sleep 1000"]);
    assert_eq!(text(out), "");
}

/// Programs that leave a process behind in one way or another, after they have said its number.
#[rstest]
#[case::child("sleep 1000 & echo $!; wait")]
#[case::orphan("(sleep 1000 & echo $!); exec sleep 1000")]
#[case::session("setsid sh -c 'echo $$; exec sleep 1000' & wait")]
#[case::stubborn("trap '' TERM; echo $$; while :; do sleep 1; done")]
fn what_it_has_started_ends_with_the_lifeline(#[case] script: &str) {
    let (mut guarded, mut out, _orders) = start(&["sh", "-c", script]);
    let process = number(&mut out);
    assert!(lives(process));
    guarded.kill();
    ended(&mut guarded);
    assert!(!lives(process));
}

#[test]
fn what_it_has_started_ends_with_the_program() {
    let (mut guarded, mut out, orders) =
        start(&["sh", "-c", "setsid sleep 1000 & echo $!; read line; exit 3"]);
    let process = number(&mut out);
    assert!(lives(process));
    drop(orders);
    assert_eq!(ended(&mut guarded).code(), Some(3));
    assert!(!lives(process));
}

#[test]
fn the_program_dies_with_its_guard() {
    let (_guarded, mut out, _orders) = start(&["sh", "-c", "echo $PPID; echo $$; exec sleep 1000"]);
    let (guard, program) = (number(&mut out), number(&mut out));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guard), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(is_gone_soon(program));
}

#[test]
fn a_program_may_tidy_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let script = format!(
        "trap 'rm {0}; exit 5' TERM; touch {0}; echo 1; while :; do sleep 0.01; done",
        file.display()
    );
    let (mut guarded, mut out, _orders) = start(&["sh", "-c", &script]);
    assert_eq!((number(&mut out), file.exists()), (1, true));
    guarded.kill();
    assert_eq!(ended(&mut guarded).code(), Some(5));
    assert!(!file.exists());
}
