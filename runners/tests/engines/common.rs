//! What all engines have in common: when a test has to be left out, a folder of cases, and programs that end with it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use runners::guard::{Guarded, Streams};
use tempfile::TempDir;

/// Two series far apart.
pub(crate) const OLD: &str = "debian-5.10";
pub(crate) const NEW: &str = "debian-6.12";
/// The program.
pub(crate) const SKC: &str = env!("CARGO_BIN_EXE_skc");

/// A test that is left out if something is missing.
pub(crate) fn trial(
    name: &str,
    missing: impl Fn() -> Option<String> + Send + 'static,
    test: impl Fn() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || match missing() {
        Some(why) => Ok(Completion::ignored_with(why)),
        None => test().map(|()| Completion::Completed),
    })
}

/// Why no kernel can be booted here.
pub(crate) fn no_machine() -> Option<String> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        if !is_installed("qemu-system-x86_64") {
            return Some("qemu-system-x86_64 is not installed (Debian's package qemu-system-x86)".into());
        }
        let fetched = run(Command::new(SKC).args(["kernels", "fetch", OLD, NEW]));
        (fetched.code != 0).then(|| format!("the kernels cannot be had: {}", fetched.last_line()))
    };
    MISSING.get_or_init(find).clone()
}

/// If a shell would find a program.
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// The path of a kernel that was fetched.
pub(crate) fn kernel(name: &str) -> Result<PathBuf, Failed> {
    let output = run(Command::new(SKC).args(["kernels", "path", name]));
    output.ends(0)?;
    Ok(output.out.trim().into())
}

/// What a program left.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Output {
    pub(crate) fn ends(&self, code: i32) -> Result<(), Failed> {
        match self.code == code {
            true => Ok(()),
            false => {
                Err(format!("exit code {}, and not {code}:\n{}{}", self.code, self.out, self.err).into())
            }
        }
    }

    pub(crate) fn says(&self, told: &str) -> Result<(), Failed> {
        match self.out.contains(told) || self.err.contains(told) {
            true => Ok(()),
            false => Err(format!("nothing is said of `{told}`:\n{}{}", self.out, self.err).into()),
        }
    }

    fn last_line(&self) -> &str {
        self.err.lines().last().unwrap_or_default()
    }
}

/// Runs a program that leaves nothing running.
pub(crate) fn run(command: &mut Command) -> Output {
    match command.stdin(Stdio::null()).output() {
        Ok(output) => {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let code = output.status.code().unwrap_or(-1);
            Output { code, out: text(&output.stdout), err: text(&output.stderr) }
        }
        Err(error) => Output { code: -1, out: String::new(), err: error.to_string() },
    }
}

/// Runs a program that may start others. They end with it, and with this test however that ends.
pub(crate) fn run_guarded(words: &[OsString], limit: Duration) -> Result<Output, Failed> {
    let folder = tempfile::tempdir()?;
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let streams = Streams {
        input: Stdio::null(),
        output: fs::File::create(&out)?.into(),
        errors: fs::File::create(&err)?.into(),
    };
    let mut program = Guarded::start(Path::new(SKC), words, streams, Vec::new())?;
    let ended = program.ended(limit)?;
    let read = |file: &Path| fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let output = Output {
        code: ended.and_then(|status| status.code()).unwrap_or(-1),
        out: read(&out)?,
        err: read(&err)?,
    };
    match ended {
        Some(_) => Ok(output),
        None => Err(format!("{words:?} did not end in {limit:?}: {output:?}").into()),
    }
}

/// A folder of cases.
pub(crate) struct Cases {
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl Cases {
    /// One case: passes/one.
    pub(crate) fn new() -> Result<Cases, Failed> {
        let folder = tempfile::tempdir()?;
        let mut cases = Cases::within(folder.path())?;
        cases._folder = Some(folder);
        Ok(cases)
    }

    /// The same, in a folder that somebody else keeps.
    pub(crate) fn within(folder: &Path) -> Result<Cases, Failed> {
        let cases = Cases { path: folder.join("cases"), _folder: None };
        fs::create_dir(&cases.path)?;
        let requirement = "A-01: {tier: core, level: must, says: The behaviour., from: [page(7)]}\n";
        fs::write(cases.path().join("requirements.yaml"), requirement)?;
        cases.add("passes/one", "", "a: getuid() = 0")?;
        Ok(cases)
    }

    pub(crate) fn add(&self, id: &str, more: &str, step: &str) -> Result<(), Failed> {
        let file = self.path().join(format!("{id}.yaml"));
        fs::create_dir_all(file.parent().ok_or("an id has a chapter")?)?;
        let actors = "actors:\n  a: {uid: 0}\nsteps:\n";
        Ok(fs::write(file, format!("title: Case {id}\ncovers: [A-01]\n{more}{actors}  - {step}\n"))?)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// The script that makes and enters the system in which engines are.
const ENGINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/entrypoints/engines");

/// Why no engine can be started here.
pub(crate) fn no_engines() -> Option<String> {
    static MISSING: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        if !nix::unistd::geteuid().is_root() {
            return Some("only root can start engines in a system of their own".into());
        }
        let found = run(Command::new(ENGINES).arg("where"));
        (found.code != 0).then(|| found.last_line().trim_start_matches("engines: ").to_owned())
    };
    MISSING.get_or_init(find).clone()
}

/// Runs a command in a throw-away copy of the system with engines, where this folder is /out.
pub(crate) fn engine(out: &Path, words: &[&str], limit: Duration) -> Result<Output, Failed> {
    let before: [OsString; 4] =
        ["env".into(), format!("OUT={}", out.display()).into(), ENGINES.into(), "run".into()];
    let words: Vec<OsString> = before.into_iter().chain(words.iter().map(OsString::from)).collect();
    run_guarded(&words, limit)
}
