//! `skc lava-job`: a kernel and an initramfs that play the suite by themselves, wherever they are booted, and the job by
//! which LAVA boots them and reads what comes of it.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use harness::suite::Suite;
use reports::lava::SET;
use runners::alone::{self, ARGUMENTS, BEGINS};
use runners::interrupt::{Stop, on_signals};
use serde_json::json;
use tempfile::NamedTempFile;
use vm_images::Kernel;
use vm_images::initramfs::Extra;

use super::choose::choose;
use super::run::all_programs;
use super::{INTERRUPTED, Source, Terminal, Trouble, environment, targets, timeout};

pub(super) const HELP: &str = "\
Writes three files to the folder: `kernel`, `initramfs` and `job.yaml`. The machine that boots the first two plays the cases by
itself, prints each result on its console and turns itself off. The job has LAVA do that on a device of QEMU and read the
results; to a lab that is elsewhere, give the files by --url and submit the job with lavacli.

  skc lava-job --kernel debian-6.12 --output job join parent
  lava-run --job-id 1 --output-dir out --device device.yaml --dispatcher dispatcher.yaml job/job.yaml
  qemu-system-x86_64 -nodefaults -nographic -m 256 -kernel job/kernel -initrd job/initramfs -serial stdio \\
      -append 'console=ttyS0 panic=-1 oops=panic'

On any other machine: have its boot loader load the two, with the console in the kernel's arguments. Nothing else of the
machine is used, no disk and no network. `--format ktap` prints KTAP instead of LAVA's lines.

There is one machine, and no other in its place: what a case leaves there stays, so those that leave something are played
last; and once the kernel has complained, the cases that are left are not played and count as unknown.

Exit codes:
  0    written
  2    the command line or a case file is wrong, or there is no such kernel
  3    something failed: the kernel cannot be had, the folder not be written";

/// What the machine prints.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Lines {
    /// Signals of LAVA
    Lava,
    /// KTAP version 1
    Ktap,
}

#[derive(Args)]
pub(super) struct LavaJob {
    /// Which cases to play, as for `skc run`
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    #[command(flatten)]
    source: Source,
    /// The kernel, as for `skc run`: a name of the catalogue, a bzImage, a build tree or a package
    #[arg(long, value_name = "KERNEL")]
    kernel: String,
    /// The folder to write to; it is made if it is not there
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    /// Where LAVA finds the files, as in https://lab/session-keyrings [default: file:// and the folder]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How long a call of a case may take
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = timeout)]
    timeout: Duration,
    /// Arguments for the kernel, after those that it needs
    #[arg(
        long,
        value_name = "ARGUMENTS",
        default_value = "",
        hide_default_value = true,
        allow_hyphen_values = true
    )]
    append: String,
    /// What the machine prints
    #[arg(long, value_enum, default_value_t = Lines::Lava)]
    format: Lines,
}

/// Where the cases of a folder are in the machine.
const CASES: &str = "cases";
/// What the kernel is told: to print on the serial port all that it has to say of the boot, because LAVA waits for
/// `Linux version`, and to end the machine at whatever it stumbles over.
const KERNEL_ARGUMENTS: &str = "console=ttyS0,115200 panic=-1 oops=panic cryptomgr.notests";
/// The most that a job may take: an emulated machine needs two minutes for the suite.
const MINUTES: u32 = 30;

/// Writes the job and its files.
pub(super) fn write(args: &LavaJob, terminal: Terminal) -> Result<u8, Trouble> {
    let suite = args.source.load()?;
    let cases = choose(&suite, &args.filters).map_err(Trouble::Usage)?;
    if args.append.contains(['"', '\'', '{', '\n']) {
        return Err(Trouble::Usage("--append: LAVA cannot pass on quotes, braces and line breaks".into()));
    }
    let stop = Arc::new(Stop::new().map_err(environment)?);
    on_signals(Arc::clone(&stop), INTERRUPTED.into()).map_err(environment)?;
    let Some(kernel) = targets::kernel(&args.kernel, terminal, &stop)? else { return Ok(INTERRUPTED) };
    let files =
        args.source.cases.as_deref().map(packed).transpose().map_err(environment)?.unwrap_or_default();
    let arguments = alone::arguments(&args.of_run());
    let file = |path, bytes| Extra { path, bytes, mode: 0o644 };
    let mut more: Vec<Extra<'_>> = files.iter().map(|(path, bytes)| file(path.as_str(), bytes)).collect();
    more.push(file(ARGUMENTS, &arguments));
    let initramfs = targets::pack(&all_programs(&cases), &more).map_err(environment)?;
    let written = put(args, &kernel, &initramfs, cases.len(), &suite);
    written.map_err(|error| environment(format_args!("{}: {error}", args.output.display())))?;
    let what = format!("{} cases on {}", cases.len(), args.kernel);
    writeln!(terminal.out(), "{}: {what}", args.output.join("job.yaml").display())?;
    Ok(0)
}

impl LavaJob {
    /// What `skc run` is told in the machine.
    fn of_run(&self) -> Vec<OsString> {
        let format = if self.format == Lines::Lava { "lava" } else { "ktap" };
        let timeout = format!("{}ms", self.timeout.as_millis());
        let mut words: Vec<OsString> =
            vec!["--format".into(), format.into(), "--timeout".into(), timeout.into()];
        if self.source.cases.is_some() {
            words.extend(["--cases".into(), format!("/{CASES}").into()]);
        }
        words.extend(self.filters.iter().map(OsString::from));
        words
    }
}

/// The files of a folder of cases, by their paths in the machine.
fn packed(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut found = Vec::new();
    let mut open = vec![(folder.to_owned(), CASES.to_owned())];
    while let Some((folder, place)) = open.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let place = format!("{place}/{}", entry.file_name().to_string_lossy());
            if path.is_dir() {
                open.push((path, place));
            } else if path.extension().is_some_and(|extension| extension == "yaml") {
                found.push((place, fs::read(path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn put(args: &LavaJob, kernel: &Kernel, initramfs: &[u8], cases: usize, suite: &Suite) -> io::Result<()> {
    let folder = &args.output;
    fs::create_dir_all(folder)?;
    let place = match &args.url {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("file://{}", fs::canonicalize(folder)?.display()),
    };
    whole(folder, "kernel", &fs::read(&kernel.image)?)?;
    whole(folder, "initramfs", initramfs)?;
    whole(folder, "job.yaml", job(args, &place, cases, suite).as_bytes())
}

/// The job. JSON is YAML: what was given by somebody is quoted as that.
fn job(args: &LavaJob, place: &str, cases: usize, suite: &Suite) -> String {
    let text = |text: &str| json!(text).to_string();
    let all = if cases == suite.cases().len() {
        "all".to_owned()
    } else {
        format!("{cases} of {}", suite.cases().len())
    };
    let name = text(&format!("{SET} {} ({all} cases)", args.kernel));
    let kernel = text(&format!(
        "-kernel {{kernel}} -append \"{}\"",
        format!("{KERNEL_ARGUMENTS} {}", args.append).trim_end()
    ));
    let (kernel_url, ramdisk_url) = (text(&format!("{place}/kernel")), text(&format!("{place}/initramfs")));
    format!(
        "\
# Written by `skc lava-job`. The machine plays by itself and ends; LAVA reads what it prints.
job_name: {name}
device_type: qemu
visibility: public
priority: medium
timeouts:
  job: {{minutes: {MINUTES}}}
  action: {{minutes: 10}}
  connection: {{minutes: 2}}
context: {{arch: x86_64}}
actions:
- deploy:
    to: tmpfs
    images:
      kernel: {{image_arg: {kernel}, url: {kernel_url}}}
      ramdisk: {{image_arg: '-initrd {{ramdisk}}', url: {ramdisk_url}}}
- boot:
    method: qemu
    media: tmpfs
    prompts: [{}]
    timeout: {{minutes: 5}}
- test:
    timeout: {{minutes: {MINUTES}}}
    monitors:
    - name: {SET}
      start: 'LAVA_SIGNAL_TESTSET START {SET}'
      end: 'LAVA_SIGNAL_TESTSET STOP'
      pattern: 'TEST_CASE_ID=(?P<test_case_id>[^ ]+) RESULT=(?P<result>pass|fail|skip|unknown)>'
",
        text(BEGINS)
    )
}

/// Writes a file under another name and gives it its own when all of it is there.
fn whole(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    file.persist(folder.join(name))?;
    Ok(())
}
