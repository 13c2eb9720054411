//! Exported programs, compiled and run: many at a time.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use harness::export;
use harness::value::Bytes;

/// How many programs run at a time: most of them wait for the kernel.
pub(crate) const RUNNING: usize = 12;

/// A program to be.
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// What a program has said.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) status: i32,
    pub(crate) output: String,
}

/// If there is a compiler that makes dynamic and static programs.
pub(crate) fn compiler() -> Result<(), String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let source = folder.path().join("probe.c");
    fs::write(&source, "int main(void) { return 0; }\n").map_err(|error| error.to_string())?;
    match compile(&source, &["-static"]) {
        Ok(()) => Ok(()),
        Err(_) => Err("cc or a static libc is missing: install gcc and libc6-dev".into()),
    }
}

pub(crate) fn compile(source: &Path, flags: &[&str]) -> Result<(), String> {
    compile_by("cc", source, flags)
}

fn compile_by(compiler: &str, source: &Path, flags: &[&str]) -> Result<(), String> {
    let output = Command::new(compiler)
        .args(flags)
        .args(["-pipe", "-o"])
        .arg(source.with_extension(""))
        .arg(source)
        .output()
        .map_err(|error| format!("{compiler}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Compiles programs by this compiler with these flags and runs them; gives what each says.
pub(crate) fn run(compiler: &str, programs: &[&Program], flags: &[&str]) -> Result<Vec<Told>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let source = |at: usize| folder.path().join(format!("{at}.c"));
    let compiled = each(programs.len(), processors(), |at| {
        fs::write(source(at), &programs[at].text).map_err(|error| error.to_string())?;
        compile_by(compiler, &source(at), flags).map_err(|error| format!("{}: {error}", programs[at].name))
    });
    compiled.into_iter().collect::<Result<Vec<()>, String>>()?;
    each(programs.len(), RUNNING, |at| told(&mut Command::new(source(at).with_extension(""))))
        .into_iter()
        .collect()
}

/// The same of many programs, of which several are compiled as one.
pub(crate) fn run_bundled(programs: &[export::Program]) -> Result<Vec<Told>, String> {
    const TOGETHER: usize = 50;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let bundles = export::bundles(programs, TOGETHER);
    let source = |at: usize| folder.path().join(format!("{at}.c"));
    let compiled = each(bundles.len(), processors(), |at| {
        fs::write(source(at), &bundles[at].1).map_err(|error| error.to_string())?;
        compile(&source(at), &["-O0", "-w"])
    });
    compiled.into_iter().collect::<Result<Vec<()>, String>>()?;
    let mut place = vec![0; programs.len()];
    bundles.iter().enumerate().for_each(|(at, (cases, _))| cases.iter().for_each(|case| place[*case] = at));
    each(programs.len(), RUNNING, |at| {
        told(Command::new(source(place[at]).with_extension("")).arg(at.to_string()))
    })
    .into_iter()
    .collect()
}

pub(crate) fn processors() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn told(program: &mut Command) -> Result<Told, String> {
    let output = program.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    Ok(Told { status: output.status.code().unwrap_or(-1), output: text.into_owned() })
}

/// Does something for each of so many, several at a time.
pub(crate) fn each<T: Send>(count: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    thread::scope(|scope| {
        for _ in 0..threads.min(count) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    let made = work(at);
                    if let Ok(mut done) = done.lock() {
                        done.push((at, made));
                    }
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, made)| made).collect()
}

/// If a program has observed what the suite has: the same error, small number or text; of serials, which no two runs
/// share, that it is one, or the same variable's.
pub(crate) fn alike(suite: &str, program: &str) -> bool {
    match (text(suite), text(program)) {
        (Some(suite), Some((shown, cut))) => match cut {
            // Of a long text the program shows the beginning.
            true => suite.0.starts_with(&shown),
            false => suite.0 == shown,
        },
        _ => class(suite) == class(program) || same_variables(suite, program),
    }
}

/// What [`alike`] says of observations that were seen, or could be.
pub(crate) fn known() -> Result<(), String> {
    let line = |serial: &str, time: &str| format!("\"{serial} I--Q-N- 1 {time} 3f010000 1000 1000 user k\"");
    let (suite, later) = (line("3a2eb859", "51s"), line("37ff64b9", "52s"));
    let known = [
        ("607858208", "$ring = 41783912", true),
        ("41783", "$ring = 607858208", true),
        ("607858208", "$ring = 4178", true),
        ("41783", "607858208", false),
        ("41783", "$ring = 4178", false),
        ("ENOKEY", "$ring = 607858208", false),
        ("0", "$ring = 607858208", false),
        (suite.as_str(), later.as_str(), true),
        (suite.as_str(), &line("37ff64b9", "expd"), false),
        (suite.as_str(), &line("37ff64b9", "perm"), false),
        (suite.as_str(), &line("37ff64b9", "1m"), false),
    ];
    match known.iter().find(|(suite, program, expected)| alike(suite, program) != *expected) {
        Some(wrong) => Err(format!("not so: {wrong:?}")),
        None => Ok(()),
    }
}

/// If a program shows a variable, and the number that each has is a serial in one of them: in the other it may be a
/// small one, which looks like any number.
fn same_variables(suite: &str, program: &str) -> bool {
    let is_number = |text: &str| text.parse::<i32>().is_ok_and(|number| number > 0);
    program.split_once(" = ").is_some_and(|(name, shown)| {
        name.starts_with('$')
            && is_number(suite)
            && is_number(shown)
            && [suite, shown].iter().any(|text| class(text) == "SERIAL")
    })
}

/// The bytes of a text as both show them, and if there were more.
fn text(shown: &str) -> Option<(Vec<u8>, bool)> {
    let (inner, rest) = shown.strip_prefix('"')?.rsplit_once('"')?;
    let cut = inner.strip_suffix("...").filter(|_| rest.ends_with("bytes)"));
    let bytes = Bytes::unescape(cut.unwrap_or(inner)).ok()?;
    Some((class(&String::from_utf8_lossy(&bytes.0)).into_bytes(), cut.is_some()))
}

/// An observation with every serial and process id replaced by the word.
fn class(observed: &str) -> String {
    let shown =
        observed.rsplit_once(" = ").filter(|(name, _)| name.starts_with('$')).map_or(observed, |(_, it)| it);
    let mut text = String::new();
    let mut label = "";
    for word in shown.split_inclusive(|char: char| !char.is_ascii_alphanumeric()) {
        let bare = word.trim_end_matches(|char: char| !char.is_ascii_alphanumeric());
        match bare.chars().all(|char| char.is_ascii_hexdigit()) && (bare.len() >= 6 || label == "key:") {
            true => text += "SERIAL",
            // As an authorisation key's description has whom it is for.
            false if label == "pid:" => text += "PROCESS",
            false => text += bare,
        }
        label = word;
        text += &word[bare.len()..];
    }
    // Who still holds a key, which a line of /proc/keys counts, is a matter of time.
    let mut words: Vec<&str> = text.split(' ').collect();
    if words.get(3) == Some(&"perm") {
        words[2] = "COUNT";
        text = words.join(" ");
    }
    // A second may have gone by in a line of /proc/keys: flags, count and time follow the serial.
    let mut words: Vec<&str> = text.split(' ').collect();
    let is_time = |word: &str| {
        word.strip_suffix('s').is_some_and(|time| time.parse::<u32>().is_ok_and(|seconds| seconds > 0))
    };
    if words.len() >= 8 && words[0] == "SERIAL" && is_time(words[3]) {
        words[3] = "SECONDS";
        text = words.join(" ");
    }
    // Of a line of /proc/key-users the bytes: the description of an authorisation key has a serial in it, of more or
    // fewer digits.
    let mut words: Vec<&str> = text.split(' ').collect();
    if words.len() == 5 && words[0].ends_with(':') && words[4].contains('/') {
        words[4] = "BYTES";
        text = words.join(" ");
    }
    // The kernel gives a keyring's links in any order.
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(members) => {
            // A variable's name may have got an underscore.
            let mut members: Vec<&str> = members.split(", ").map(|name| name.trim_end_matches('_')).collect();
            members.sort_unstable();
            members.join(", ")
        }
        None => text,
    }
}
