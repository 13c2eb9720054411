//! `make results`: the suite on every kernel of the catalogue and on gVisor, and what came of it below `reports/results`
//! and in the README. What the files say is made by `skc report`.

#[path = "../tests/gvisor/mod.rs"]
mod gvisor;

use std::env;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gvisor::{GVISOR, WITH_KEYRINGS, date, fetched, installed, path_with, programs};

/// What the matrix stands between in the README.
const BEGIN: &str = "<!-- results: `make results` writes this -->\n";
const END: &str = "<!-- end of results -->";

/// No result was told.
type Failure = Box<dyn Error>;

fn main() -> Result<(), Failure> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the crate has no folder")?;
    // Examples stand in a folder beside the program.
    let own = env::current_exe()?;
    let skc = own.parent().and_then(Path::parent).ok_or("this program has no folder")?.join("skc");
    let records = skc.with_file_name("results");
    let (kernels, sandbox) = (records.join("kernels"), records.join("gvisor"));
    // What was played last can be rendered again.
    if env::args().nth(1).as_deref() != Some("render") {
        play(&skc, &kernels, &sandbox)?;
    }

    let rendered = |format: &str| -> Result<String, Failure> {
        let Output { status, stdout, .. } = Command::new(&skc)
            .args(["report", "--format", format])
            .args([&kernels, &sandbox])
            .stderr(Stdio::inherit())
            .output()?;
        if !status.success() {
            return Err(format!("skc report --format {format}: {status}").into());
        }
        Ok(String::from_utf8(stdout)?)
    };
    let matrix = rendered("matrix")?;
    let results = top.join("reports/results");
    fs::create_dir_all(&results)?;
    fs::write(results.join("index.html"), rendered("html")?)?;
    fs::write(results.join("summary.json"), rendered("matrix-json")?)?;
    fs::write(
        results.join("README.md"),
        format!(
            "# Results\n\nWhat the suite says of every kernel of the catalogue, in virtual machines of QEMU, and of gVisor. `make results`\n\
             plays it all and writes this folder: each case, with what was expected and observed, is in\n\
             [index.html](index.html), which needs no other file, and the numbers are in [summary.json](summary.json).\n\n{matrix}"
        ),
    )?;
    let readme = top.join("README.md");
    let text = fs::read_to_string(&readme)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("the README has no place for the matrix")?;
    let (_, after) = rest.split_once(END).ok_or("the place for the matrix in the README has no end")?;
    let table = matrix.split("\n| column |").next().unwrap_or_default().trim_end();
    fs::write(&readme, format!("{before}{BEGIN}\n{table}\n\n{END}{after}"))?;
    Ok(())
}

/// Plays all of it, and leaves records in these folders.
fn play(skc: &Path, kernels: &Path, sandbox: &Path) -> Result<(), Failure> {
    for folder in [kernels, sandbox] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }

    played(Command::new(skc).args(["run", "--kernel", "all", "--report"]).arg(kernels))?;
    let folder = match installed()? {
        date if *date >= *WITH_KEYRINGS => None,
        _ => Some(fetched()?),
    };
    let programs = folder.as_ref().map(programs);
    let version = date(&programs.clone().unwrap_or_default().join("runsc"))?;
    let mut run = Command::new(skc);
    run.args(["run", "--command", GVISOR, "--implementation", &format!("gvisor={version}.0"), "--report"]);
    run.arg(sandbox);
    if let Some(folder) = &programs {
        run.env("PATH", path_with(folder)?);
    }
    played(&mut run)
}

/// A run whose cases all came to something, whatever that is.
fn played(run: &mut Command) -> Result<(), Failure> {
    let status = run.stdin(Stdio::null()).status()?;
    match status.code() {
        Some(0 | 1) => Ok(()),
        _ => Err(format!("{run:?}: {status}").into()),
    }
}
