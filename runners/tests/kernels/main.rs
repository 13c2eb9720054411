//! Kernels of the catalogue, fetched from a mirror of our own that is wrong in every way that a mirror can be, and
//! once from Debian's. Without apt, dpkg, gpg or the net these are ignored, and say why.

mod build;
mod repository;

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use vm_images::{Error, Progress, acquire};

use repository::{Repository, image, said};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let args = Arguments::from_args();
    let tests: [(&str, fn()); 15] = [
        ("a_kernel_is_fetched_once_and_found", a_kernel_is_fetched_once_and_found),
        ("a_split_kernel_is_put_together", a_split_kernel_is_put_together),
        ("a_tampered_package_is_named_and_the_others_are_fetched", a_tampered_package_is_named),
        ("a_strange_or_missing_signature_is_refused", a_strange_or_missing_signature_is_refused),
        ("a_damaged_cache_is_named_and_fetched_anew", a_damaged_cache_is_named_and_fetched_anew),
        ("without_the_net_the_cache_is_used", without_the_net_the_cache_is_used),
        ("a_newer_version_is_found_and_an_old_one_removed", a_newer_version_is_found),
        ("a_forgotten_version_is_looked_up_again", a_forgotten_version_is_looked_up_again),
        ("two_processes_fetch_once", two_processes_fetch_once),
        ("nothing_is_left_of_who_is_stopped", nothing_is_left_of_who_is_stopped),
        ("a_package_by_its_path", a_package_by_its_path),
        ("a_package_by_its_name", a_package_by_its_name),
        ("a_name_that_is_none", a_name_that_is_none),
        ("a_kernel_of_ones_own_whose_record_is_damaged", a_damaged_kernel_of_ones_own),
        ("a_folder_with_other_things_is_no_cache", a_folder_with_other_things_is_no_cache),
    ];
    let mut trials: Vec<Trial> = tests
        .into_iter()
        .chain(build::TESTS)
        .map(|(name, test)| Trial::ignorable_test(name, move || where_possible(test)))
        .collect();
    trials.push(Trial::ignorable_test("a_full_disk_is_named", || {
        if !getuid().is_root() {
            return Ok(ignored("only root can mount a small disk"));
        }
        where_possible(a_full_disk_is_named)
    }));
    trials.push(Trial::ignorable_test("a_kernel_of_debian", a_kernel_of_debian));
    libtest_mimic::run(&args, trials).exit_code()
}

fn ignored(why: &str) -> Completion {
    let _ = writeln!(io::stderr(), "ignored: {why}");
    Completion::ignored_with(why)
}

fn where_possible(test: fn()) -> Result<Completion, Failed> {
    for (program, package) in [
        ("apt-get", "apt"),
        ("dpkg-deb", "dpkg"),
        ("gpg", "gnupg"),
        ("setpriv", "util-linux"),
        ("make", "make"),
        ("patch", "patch"),
        ("xz", "xz-utils"),
    ] {
        if Command::new(program).arg("--version").stdout(Stdio::null()).status().is_err() {
            return Ok(ignored(&format!("{program} is not here (Debian package {package})")));
        }
    }
    test();
    Ok(Completion::Completed)
}

const SUITE: &str = "bullseye";
const NAME: &str = "linux-image-5.10.0-9-cloud-amd64";

/// A package as they were before 6.19: all of a kernel in one.
fn whole(mirror: &Repository, name: &str, version: &str) -> PathBuf {
    let release = name.trim_start_matches("linux-image-");
    let files = [
        (format!("boot/vmlinuz-{release}"), image(&format!("{release} {version}"), 100_000)),
        (format!("boot/config-{release}"), b"CONFIG_KEYS=y\n".to_vec()),
        (format!("lib/modules/{release}/kernel/x.ko"), b"module".to_vec()),
    ];
    let files: Vec<(&str, Vec<u8>)> =
        files.iter().map(|(path, bytes)| (path.as_str(), bytes.clone())).collect();
    mirror.package(name, version, "kmod, linux-base (>= 4.3)", &files)
}

/// A mirror with one kernel.
fn mirror() -> (Repository, PathBuf) {
    let mirror = Repository::new();
    let package = whole(&mirror, NAME, "5.10.9-1");
    mirror.publish(SUITE, &[&package]);
    (mirror, package)
}

fn fetched(mirror: &Repository) -> String {
    let (code, out, err) = mirror.kernels(&["fetch", "debian-5.10"]);
    // What takes long is told, and nothing else.
    let told = err.lines().all(|line| line.contains(": reading the") || line.contains(": downloading"));
    assert!(code == 0 && told, "{code} {err}");
    out
}

fn a_kernel_is_fetched_once_and_found() {
    let mirror = Repository::new();
    let packages = [
        whole(&mirror, "linux-image-5.10.0-8-cloud-amd64", "5.10.8-1"),
        whole(&mirror, "linux-image-5.10.0-9-cloud-amd64-unsigned", "5.10.9-1"),
        whole(&mirror, NAME, "5.10.9-1"),
        whole(&mirror, "linux-image-5.10.0-10-amd64", "5.10.10-1"),
    ];
    mirror.publish(SUITE, &packages.each_ref().map(PathBuf::as_path));
    assert_eq!(mirror.kernels(&["path", "debian-5.10"]).0, 3);
    assert_eq!(fetched(&mirror), "debian-5.10  5.10.9-1  5.10.0-9-cloud-amd64\n");
    assert_eq!(mirror.asked(".deb"), 1);
    let (_, path, _) = mirror.kernels(&["path", "debian-5.10"]);
    let image = fs::read(path.trim_end()).unwrap();
    assert!(image.windows(8).any(|text| text == b"5.10.9-1"));
    assert_eq!(fs::read(Path::new(path.trim_end()).with_file_name("config")).unwrap(), b"CONFIG_KEYS=y\n");
    let (_, list, _) = mirror.kernels(&["--json"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!(list[0]["here"][0]["record"]["release"], "5.10.0-9-cloud-amd64");
    assert_eq!(list[1]["here"], serde_json::json!([]));

    fetched(&mirror);
    assert_eq!(mirror.asked(""), 0, "what is here needs no net for half a day");
    assert!(mirror.kernels(&["remove", "debian-5.10"]).1.starts_with("1 kernel removed, 0.1 MB"));
    assert_eq!(mirror.files("kernels"), [] as [PathBuf; 0]);
    fetched(&mirror);
    mirror.kernels(&["remove", "all"]);
    assert_eq!(mirror.files(""), [mirror.cache().join("CACHEDIR.TAG")]);
}

fn a_split_kernel_is_put_together() {
    let mirror = Repository::new();
    let build = |version: &str, place: &str, with_config: bool| {
        let release = format!("{version}+deb13-cloud-amd64");
        let full = format!("{version}-1~bpo13+1");
        let (binary, base) = (format!("linux-binary-{release}"), format!("linux-base-{release}"));
        let needs = format!("linux-base (>= 4), {base} (= {full}), {binary} (= {full})");
        let kernel = [(place.replace('R', &release), image(&release, 1000))];
        let kernel = kernel.each_ref().map(|(path, bytes)| (path.as_str(), bytes.clone()));
        let mut packages = vec![
            mirror.package(&format!("linux-image-{release}"), &full, &needs, &[]),
            mirror.package(&binary, &full, "", &kernel),
        ];
        if with_config {
            let path = format!("usr/lib/modules/{release}/config");
            packages.push(mirror.package(&base, &full, "", &[(&path, b"CONFIG_KEYS=y\n".to_vec())]));
        }
        packages
    };
    let mut packages = build("7.3.4", "usr/lib/modules/R/vmlinuz", true);
    packages.extend(build("7.2.9", "boot/vmlinuz-R", false));
    mirror.publish("trixie-backports", &packages.iter().map(PathBuf::as_path).collect::<Vec<_>>());
    let (code, out, err) = mirror.kernels(&["fetch", "debian-7.3", "debian-7.2", "debian-7.3"]);
    let expected = "debian-7.3  7.3.4-1~bpo13+1  7.3.4+deb13-cloud-amd64\n\
                    debian-7.2  7.2.9-1~bpo13+1  7.2.9+deb13-cloud-amd64\n";
    assert_eq!((code, out.as_str()), (0, expected), "{err}");
    let configs = mirror.files("kernels").iter().filter(|path| path.ends_with("config")).count();
    assert_eq!(configs, 1);
}

fn a_tampered_package_is_named() {
    let (mirror, package) = mirror();
    let other = whole(&mirror, "linux-image-6.1.0-1-cloud-amd64", "6.1.1-1");
    mirror.publish("bookworm", &[&other]);
    let mut bytes = fs::read(&package).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&package, bytes).unwrap();
    let (code, out, err) = mirror.kernels(&["fetch", "debian-5.10", "debian-6.1"]);
    assert_eq!((code, out.as_str()), (3, "debian-6.1   6.1.1-1  6.1.0-1-cloud-amd64\n"), "{err}");
    assert!(
        err.contains(&format!("{NAME}=5.10.9-1 is not the package that bullseye signs, and was removed")),
        "{err}"
    );
    assert!(mirror.files("kernels/debian-5.10").is_empty() && mirror.files("tmp").is_empty());
    assert!(!mirror.files("apt").iter().any(|path| path.extension().is_some_and(|end| end == "deb")));
}

fn a_strange_or_missing_signature_is_refused() {
    let (mirror, _) = mirror();
    let refused = |command: &mut Command, keyring: &str| {
        let (code, out, err) = said(command);
        assert_eq!((code, out.as_str()), (3, ""), "{err}");
        assert!(err.contains("bullseye: its lists are not signed with a key in "), "{err}");
        assert!(err.contains(keyring), "{err}");
        assert_eq!(mirror.asked(".deb"), 0);
        assert!(mirror.files("kernels").is_empty());
    };
    let fetch = ["fetch", "debian-5.10"];
    refused(mirror.command(&fetch).env("SKC_DEBIAN_KEYRING", mirror.keyring("strange")), "strange.gpg");
    fetched(&mirror);
    mirror.kernels(&["remove", "debian-5.10"]);
    // Neither lists nor kernels that another key has signed are of use.
    mirror.asked("");
    refused(mirror.command(&fetch).env("SKC_DEBIAN_KEYRING", mirror.keyring("strange")), "strange.gpg");
    mirror.kernels(&["remove", "all"]);
    mirror.unsign(SUITE);
    refused(&mut mirror.command(&fetch), "ours.gpg");
    // Not even if this machine believes everybody.
    let careless = mirror.cache().with_file_name("careless");
    let text = "Acquire::AllowInsecureRepositories \"true\";\nAPT::Get::AllowUnauthenticated \"true\";\n";
    fs::write(&careless, text).unwrap();
    refused(mirror.command(&fetch).env("APT_CONFIG", careless), "ours.gpg");
}

fn a_damaged_cache_is_named_and_fetched_anew() {
    let (mirror, _) = mirror();
    fetched(&mirror);
    let (_, path, _) = mirror.kernels(&["path", "debian-5.10"]);
    let path = path.trim_end();
    let whole = fs::read(path).unwrap();
    fs::write(path, &whole[..whole.len() / 2]).unwrap();
    let (code, _, err) = mirror.kernels(&["fetch", "debian-5.10"]);
    assert!(code == 0 && err.contains("vmlinuz is not what it was when it came"), "{code} {err}");
    assert!(err.contains("debian-5.10/5.10.9-1-"), "{err}");
    assert_eq!(fs::read(path).unwrap(), whole);
}

fn without_the_net_the_cache_is_used() {
    let (mirror, _) = mirror();
    mirror.be_gone(true);
    let (code, _, err) = mirror.kernels(&["fetch", "debian-5.10"]);
    assert!(code == 3 && err.contains("the package lists of bullseye cannot be read"), "{code} {err}");
    mirror.be_gone(false);
    fetched(&mirror);
    mirror.be_gone(true);
    mirror.age(SUITE);
    let (code, out, err) = mirror.kernels(&["fetch", "debian-5.10"]);
    assert_eq!((code, out.as_str()), (0, "debian-5.10  5.10.9-1  5.10.0-9-cloud-amd64\n"), "{err}");
    assert!(err.contains("the newest could not be looked up, so 5.10.9-1 from the cache is used"), "{err}");
    // Nor is anything lost if there are no lists at all.
    fs::remove_dir_all(mirror.cache().join("apt")).unwrap();
    let (code, _, err) = mirror.kernels(&["fetch", "debian-5.10"]);
    assert!(code == 0 && err.contains("so 5.10.9-1 from the cache is used"), "{code} {err}");
}

fn a_newer_version_is_found() {
    let (mirror, _) = mirror();
    fetched(&mirror);
    let newer = whole(&mirror, "linux-image-5.10.0-10-cloud-amd64", "5.10.10-1");
    mirror.publish(SUITE, &[&newer]);
    assert!(fetched(&mirror).contains("5.10.9-1"), "lists are read twice a day");
    mirror.age(SUITE);
    thread::sleep(Duration::from_millis(1100));
    assert!(fetched(&mirror).contains("5.10.10-1"));
    let versions = || mirror.files("kernels").iter().filter(|path| path.ends_with("vmlinuz")).count();
    assert_eq!(versions(), 2);
    assert!(mirror.kernels(&["remove", "--old"]).1.starts_with("1 kernel removed"));
    let (_, path, _) = mirror.kernels(&["path", "debian-5.10"]);
    assert!(versions() == 1 && path.contains("5.10.10-1"), "{path}");
}

fn a_forgotten_version_is_looked_up_again() {
    let (mirror, package) = mirror();
    fetched(&mirror);
    mirror.kernels(&["remove", "debian-5.10"]);
    let newer = whole(&mirror, "linux-image-5.10.0-10-cloud-amd64", "5.10.10-1");
    mirror.publish(SUITE, &[&newer]);
    fs::remove_file(package).unwrap();
    assert!(fetched(&mirror).contains("5.10.10-1"));
}

fn two_processes_fetch_once() {
    let (mirror, _) = mirror();
    let start = || {
        let mut command = mirror.command(&["fetch", "debian-5.10"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in [start(), start(), start()] {
        let output = child.wait_with_output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{err}");
    }
    assert_eq!(mirror.asked(".deb"), 1);
}

/// The processes that have a word in their command line.
pub(crate) fn with(word: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(word))
        .collect()
}

pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn nothing_is_left_of_who_is_stopped() {
    let (mirror, _) = mirror();
    let cache = mirror.cache();
    for (signal, status) in [(Signal::SIGTERM, Some(130)), (Signal::SIGKILL, None)] {
        mirror.stall(true);
        mirror.asked("");
        let mut command = mirror.command(&["fetch", "debian-5.10"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut asked = 0;
        until("no package was asked for", || {
            asked += mirror.asked(".deb");
            asked > 0
        });
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), status, "after {signal}");
        until("apt lives on", || with(cache.to_str().unwrap()).is_empty());
        assert!(mirror.files("kernels").is_empty());
        if signal == Signal::SIGTERM {
            assert_eq!(mirror.being_made(), 0);
        }
    }
    mirror.stall(false);
    fetched(&mirror);
    assert_eq!(mirror.being_made(), 0, "what the killed one left");
}

fn a_package_by_its_path() {
    let (mirror, package) = mirror();
    let store = mirror.store();
    let mut steps = Vec::new();
    let mut told = |progress: &Progress<'_>| {
        steps.push(progress.to_string());
        ControlFlow::Continue(())
    };
    let path = package.to_str().unwrap();
    let kernel = vm_images::resolve(path, &store, &mut told).unwrap();
    assert_eq!((kernel.name.as_str(), kernel.release.as_deref()), (path, Some("5.10.0-9-cloud-amd64")));
    assert!(kernel.config.is_some() && kernel.image.starts_with(mirror.cache()));
    assert_eq!(vm_images::resolve(path, &store, &mut told).unwrap(), kernel);
    assert_eq!(steps, [format!("{path}: unpacking {path}")], "it is unpacked once");
    assert!(store.names().is_empty(), "it has no name");

    let mut told = |_: &Progress<'_>| ControlFlow::Continue(());
    let empty = mirror.package("linux-image-7", "7-1", "", &[]);
    let error = vm_images::resolve(empty.to_str().unwrap(), &store, &mut told).unwrap_err();
    assert!(matches!(&error, Error::Reference(why) if why.contains("without a kernel")), "{error}");
    let bytes = fs::read(&package).unwrap();
    fs::write(&package, &bytes[..bytes.len() / 2]).unwrap();
    let error = vm_images::resolve(path, &store, &mut told).unwrap_err();
    assert!(error.to_string().contains("cannot be opened: dpkg-deb"), "{error}");
    assert!(mirror.files("tmp").is_empty());
}

fn a_package_by_its_name() {
    let mirror = Repository::new();
    let sources =
        |version: &str| mirror.package("linux-source-6.1", version, "", &[("usr/src/x", b"x".to_vec())]);
    let packages =
        [sources("6.1.9-1"), sources("6.1.10-1"), whole(&mirror, "linux-source-6.1-rt", "6.1.11-1")];
    mirror.publish("bookworm", &packages.each_ref().map(PathBuf::as_path));
    let store = mirror.store();
    let mut notes = String::new();
    let mut get = |version: Option<&str>| {
        acquire::package(&store, "bookworm", "linux-source-6.1", version, &mut |progress| {
            if matches!(progress.doing, vm_images::Doing::Note(_)) {
                notes += &progress.to_string();
            }
            ControlFlow::Continue(())
        })
    };
    let newest = get(None).unwrap();
    assert_eq!(
        (newest.version.as_str(), fs::read(&newest.path).unwrap()),
        ("6.1.10-1", fs::read(&packages[1]).unwrap())
    );
    assert_eq!(get(None).unwrap(), newest);
    assert_eq!(mirror.asked(".deb"), 1);
    assert_eq!(get(Some("6.1.9-1")).unwrap().version, "6.1.9-1");
    let error = get(Some("6.1.8-1")).unwrap_err();
    assert!(error.to_string().contains("bookworm has no package linux-source-6.1 6.1.8-1"), "{error}");
    fs::write(&newest.path, "tampered with").unwrap();
    assert_eq!(get(None).unwrap(), newest);
    assert_eq!(fs::read(&newest.path).unwrap(), fs::read(&packages[1]).unwrap());
    assert!(notes.contains("is not what it was when it came, and was removed"), "{notes}");
}

fn a_name_that_is_none() {
    let mirror = Repository::new();
    for args in [["fetch", "debian-6.2"], ["path", "debian-6.2"], ["remove", "debian-6.2"]] {
        let (code, _, err) = mirror.kernels(&args);
        assert!(
            code == 2 && err.contains("`debian-6.2` is no kernel of the catalogue: did you mean `debian-"),
            "{err}"
        );
    }
    assert_eq!(mirror.asked(""), 0);
}

/// It is here, however little is known of it: it can be removed, and what is asked of others is done.
fn a_damaged_kernel_of_ones_own() {
    let (mirror, _) = mirror();
    let damaged = || {
        fetched(&mirror);
        let folder = mirror.cache().join("kernels/mine/1.0-00");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("kernel.json"), "{").unwrap();
        folder
    };
    let folder = damaged();
    let (code, _, err) = mirror.kernels(&["path", "mine"]);
    assert!(code == 3 && err.contains("mine is not here"), "{code} {err}");
    assert!(mirror.kernels(&["remove", "mine"]).1.starts_with("0 kernels removed"));
    assert!(!folder.exists());
    damaged();
    let (_, told, _) = mirror.kernels(&["remove", "all"]);
    let from = format!("from {}, with all else that was there\n", mirror.cache().display());
    assert!(told.starts_with("1 kernel removed") && told.ends_with(&from), "{told}");
    assert_eq!(mirror.files("kernels"), [] as [PathBuf; 0]);
}

fn a_folder_with_other_things_is_no_cache() {
    let (mirror, _) = mirror();
    let precious = mirror.cache().join("tmp/precious");
    fs::create_dir_all(precious.parent().unwrap()).unwrap();
    fs::write(&precious, "mine").unwrap();
    for args in [&["fetch", "debian-5.10"][..], &["remove", "all"], &[]] {
        let (code, _, err) = mirror.kernels(args);
        assert!(code == 3 && err.contains(": this is no cache of skc, as it has tmp."), "{code} {err}");
    }
    assert_eq!(mirror.files(""), [precious]);
}

fn a_full_disk_is_named() {
    let (mirror, _) = mirror();
    fetched(&mirror);
    let lists = mirror.files("apt").iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>() / 1024;
    mirror.kernels(&["remove", "all"]);
    // Room for the lists, then also for the package, but not for what is in it.
    for more in [0, lists + 60, lists + 150] {
        let mut inner = mirror.command(&["fetch", "debian-5.10"]);
        let script = "mount -t tmpfs -o size=$1k,mode=755 none $2 && shift 2 && \"$@\"; code=$?; \
                      find $SKC_CACHE/kernels $SKC_CACHE/tmp -type f 2>/dev/null; exit $code";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh", &more.max(16).to_string()]).arg(mirror.cache());
        command.arg(inner.get_program()).args(inner.get_args()).stdin(Stdio::null());
        for (name, value) in inner.get_envs().filter_map(|(name, value)| Some((name, value?))) {
            command.env(name, value);
        }
        fs::create_dir_all(mirror.cache()).unwrap();
        inner.stdin(Stdio::null());
        let (code, out, err) = said(&mut command);
        assert_eq!((code, out.as_str()), (3, ""), "with {more} KiB: {err}");
        assert!(err.contains("there is no room on "), "with {more} KiB: {err}");
    }
}

/// The whole way, with the lists and the signatures of Debian itself.
fn a_kernel_of_debian() -> Result<Completion, Failed> {
    let cache = tempfile::tempdir()?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
    // Its suite has the smallest lists.
    command.args(["kernels", "fetch", "debian-7.3"]).env("SKC_CACHE", cache.path());
    let (code, out, err) = said(&mut command);
    let absent = ["is not here", "are not here", "has no mirror", "cannot be started", "resolve", "connect"];
    if code == 3
        && let Some(why) = err.lines().find(|line| absent.iter().any(|word| line.contains(word)))
    {
        return Ok(ignored(why));
    }
    assert_eq!(code, 0, "{err}");
    let (name, rest) = out.trim_end().split_once("  ").ok_or("no line")?;
    assert_eq!(name, "debian-7.3");
    assert!(rest.contains("  7.3") && rest.ends_with("-cloud-amd64"), "{rest}");
    Ok(Completion::Completed)
}
