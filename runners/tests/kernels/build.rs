//! Kernels that are built, from sources of our own: they are configured by a script and compiled by a Makefile as
//! real ones are, but what they compile is a text. That real sources become a kernel is for `skc kernels build` to
//! show; here is shown what it does with them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::repository::{Repository, image, said};
use super::{until, with};

/// The tests of this file.
pub(crate) const TESTS: [(&str, fn()); 8] = [
    ("a_kernel_is_built_once_for_the_same_sources", a_kernel_is_built_once_for_the_same_sources),
    ("a_patch_makes_another_kernel", a_patch_makes_another_kernel),
    ("an_option_that_does_not_take_is_named", an_option_that_does_not_take_is_named),
    ("sources_that_do_not_compile_are_quoted", sources_that_do_not_compile_are_quoted),
    ("a_patch_that_does_not_apply_is_named", a_patch_that_does_not_apply_is_named),
    ("what_builds_is_asked_for_before_anything_is_fetched", what_builds_is_asked_for),
    ("a_wrong_request_asks_for_nothing", a_wrong_request_asks_for_nothing),
    ("nothing_is_left_of_a_build_that_is_stopped", nothing_is_left_of_a_build_that_is_stopped),
];

/// Takes every option but those that need the imaginary option MOON, and one that all kernels are to have, but that
/// these sources do not know.
const MERGE: &str = "#!/bin/sh\n[ \"$1\" = -n ] && shift\necho '#'\necho merging \"$@\"\n\
                     echo '# Linux/x86 6.12.5 Kernel Configuration' > .config\ncat \"$@\" | grep -v -e _MOON -e PROC_SYSCTL >> .config\n";
const KCONFIG: &str = "config BY_MOON\n\tbool \"Moonlight\"\n\tdepends on MOON && NIGHT\n";
const MAKEFILE: &str = "bzImage:\n\t@echo '  CC      kernel.o'\n\t@echo about to link\n\t@grep -q '^ok$$' state || { cat state; exit 1; }\n\
                        \t@cat release >> kernel\n\t@mkdir -p arch/x86/boot && cp kernel arch/x86/boot/bzImage\n";
/// The programs that build a real kernel, and that nothing here needs.
const UNUSED: [&str; 6] = ["gcc", "ld", "flex", "bison", "bc", "perl"];

struct Sources {
    mirror: Repository,
    tree: PathBuf,
    tools: PathBuf,
}

impl Sources {
    fn new() -> Sources {
        let mirror = Repository::new();
        let tree = mirror.cache().with_file_name("linux-source-6.12");
        let tools = mirror.cache().with_file_name("tools");
        let sources = Sources { mirror, tree, tools };
        for tool in UNUSED {
            sources.tool(tool, "exit 0");
        }
        sources.write("scripts/kconfig/merge_config.sh", MERGE.as_bytes());
        let script = sources.tree.join("scripts/kconfig/merge_config.sh");
        fs::set_permissions(script, PermissionsExt::from_mode(0o755)).unwrap();
        sources.write("moon/Kconfig", KCONFIG.as_bytes());
        sources.write("Makefile", MAKEFILE.as_bytes());
        sources.write("release", b"plain\n");
        sources.write("state", b"ok\n");
        sources.write("kernel", &image("6.12.5-skc (skc@skc) ", 1000));
        sources.publish("6.12.5-1");
        sources
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.tree.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn tool(&self, name: &str, script: &str) {
        fs::create_dir_all(&self.tools).unwrap();
        let path = self.tools.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    /// Gives the sources to the mirror, packed as Debian packs them.
    fn publish(&self, version: &str) {
        let mut tar = Command::new("tar");
        tar.arg("-cJf-").arg("-C").arg(self.tree.parent().unwrap()).arg("linux-source-6.12");
        let packed = tar.output().unwrap();
        assert!(packed.status.success());
        let files = [("usr/src/linux-source-6.12.tar.xz", packed.stdout)];
        let package = self.mirror.package("linux-source-6.12", version, "", &files);
        self.mirror.publish("trixie", &[&package]);
    }

    /// A file beside the cache.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.mirror.cache().with_file_name(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.mirror.command(&[&["build"], args].concat());
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.tools.display()));
        command
    }

    fn build(&self, args: &[&str]) -> (i32, String, String) {
        said(&mut self.command(args))
    }

    /// The files of the kernel of a name that was built last.
    fn built(&self, name: &str, file: &str) -> Vec<u8> {
        let (code, path, err) = self.mirror.kernels(&["path", name]);
        assert_eq!(code, 0, "{err}");
        fs::read(Path::new(path.trim_end()).with_file_name(file)).unwrap()
    }

    fn nothing_is_left(&self) {
        assert_eq!(self.mirror.being_made(), 0);
        assert_eq!(self.mirror.files("kernels"), [] as [PathBuf; 0]);
    }
}

fn a_kernel_is_built_once_for_the_same_sources() {
    let sources = Sources::new();
    let (code, out, err) = sources.build(&["full"]);
    assert_eq!((code, out.as_str()), (0, "full  6.12.5-1  6.12.5-skc\n"), "{err}");
    let config = String::from_utf8(sources.built("full", "config")).unwrap();
    assert!(
        config.contains("\nCONFIG_SERIAL_8250=y\n") && config.contains("\nCONFIG_BIG_KEYS=y\n"),
        "{config}"
    );
    assert!(sources.built("full", "vmlinuz").ends_with(b"plain\n"));

    // Sources that cannot be compiled any more are not compiled again.
    sources.write("state", b"broken\n");
    sources.tool("bison", "exit 1");
    assert_eq!(sources.build(&["full"]).1, out);
    sources.tool("bison", "exit 0");
    sources.write("state", b"ok\n");

    let fragment = sources.file("mine.config", "CONFIG_MINE=y\n# CONFIG_BIG_KEYS is not set\n");
    let (code, out, err) = sources.build(&["full", &fragment]);
    assert_eq!((code, out.as_str()), (0, "full-mine  6.12.5-1  6.12.5-skc\n"), "{err}");
    // The name means what was asked for last, though it was built before.
    for (value, other) in [("m", "y"), ("y", "m")] {
        thread::sleep(Duration::from_millis(1100));
        sources.file("mine.config", &format!("CONFIG_MINE={value}\n# CONFIG_BIG_KEYS is not set\n"));
        assert_eq!(sources.build(&["full", &fragment]).0, 0);
        let config = String::from_utf8(sources.built("full-mine", "config")).unwrap();
        let has = |value: &str| config.contains(&format!("CONFIG_MINE={value}\n"));
        assert!(has(value) && !has(other), "{config}");
    }
    assert_eq!(sources.mirror.kernels(&["remove", "full-mine"]).1.split_once(' ').unwrap().0, "2");
}

fn a_patch_makes_another_kernel() {
    let sources = Sources::new();
    let patch = "--- a/release\n+++ b/release\n@@ -1 +1 @@\n-plain\n+patched\n";
    let patch = sources.file("a.patch", patch);
    let (code, out, err) = sources.build(&["full", "--patch", &patch, "--name", "faulty"]);
    assert_eq!((code, out.as_str()), (0, "faulty  6.12.5-1  6.12.5-skc\n"), "{err}");
    assert!(sources.built("faulty", "vmlinuz").ends_with(b"patched\n"));
}

fn an_option_that_does_not_take_is_named() {
    let sources = Sources::new();
    let fragment = sources.file("mine.config", "CONFIG_BY_MOON=y\nCONFIG_NO_MOON=y\nCONFIG_SUN=y\n");
    let (code, out, err) = sources.build(&[&fragment]);
    assert_eq!((code, out.as_str()), (2, ""), "{err}");
    let expected =
        "mine.config: CONFIG_BY_MOON=y did not take, it is n: see moon/Kconfig: depends on MOON && NIGHT";
    assert!(err.contains(expected) && !err.contains("SUN"), "{err}");
    assert!(err.contains("CONFIG_NO_MOON=y did not take, it is n: these sources have no option"), "{err}");
    sources.nothing_is_left();
}

fn sources_that_do_not_compile_are_quoted() {
    let sources = Sources::new();
    sources.write("state", b"kernel.c:7: error: a semicolon is missing\n");
    sources.publish("6.12.6-1");
    let (code, out, err) = sources.build(&["full"]);
    assert_eq!((code, out.as_str()), (3, ""), "{err}");
    assert!(err.contains("full cannot be built") && err.contains("a semicolon is missing"), "{err}");
    assert!(!err.contains("CC      kernel.o"), "{err}");
    sources.nothing_is_left();
}

fn a_patch_that_does_not_apply_is_named() {
    let sources = Sources::new();
    let patch = "--- a/release\n+++ b/release\n@@ -1 +1 @@\n-other\n+patched\n";
    let patch = sources.file("a.patch", patch);
    let (code, _, err) = sources.build(&["full", "--patch", &patch]);
    assert!(code == 2 && err.contains("a.patch does not apply to linux-source-6.12: "), "{code} {err}");
    assert!(err.contains("FAILED"), "{err}");
    sources.nothing_is_left();
}

fn what_builds_is_asked_for() {
    let sources = Sources::new();
    for tool in ["bison", "gcc"] {
        sources.tool(tool, "exit 1");
    }
    sources.mirror.asked("");
    let (code, _, err) = sources.build(&["full"]);
    assert!(code == 3 && err.contains("`apt-get install gcc libc6-dev bison libelf-dev`"), "{code} {err}");
    assert_eq!(sources.mirror.asked(""), 0);
}

fn a_wrong_request_asks_for_nothing() {
    let sources = Sources::new();
    let odd = sources.file("odd.config", "KEYS=y\n");
    sources.mirror.asked("");
    for (args, expected) in [
        (&["nonesuch"][..], "`nonesuch` is no fragment (full, debug) and no file"),
        (&[&odd], "odd.config:1: a line is CONFIG_NAME=value"),
        (&["full", "--name", "host"], "cannot be called `host`"),
        (&["full", "--name", "debian-6.12"], "the catalogue has that name"),
        (&["full", "--name", "../x"], "a name has a-z"),
        (&["full", "--source", "bash"], "`bash` is no package of kernel sources"),
        (&["full", "--patch", "/nonexistent"], "/nonexistent: No such file"),
    ] {
        let (code, _, err) = sources.build(args);
        assert!(code == 2 && err.contains(expected), "{args:?}: {code} {err}");
    }
    assert_eq!(sources.mirror.asked(""), 0);
}

fn nothing_is_left_of_a_build_that_is_stopped() {
    let sources = Sources::new();
    let word = sources.mirror.cache().with_file_name("linux-source-6.12").display().to_string();
    let script = format!("bzImage:\n\t@sleep 600 & sh -c 'sleep 600; : {word}'\n");
    sources.write("Makefile", script.as_bytes());
    sources.publish("6.12.6-1");
    for (signal, status) in [(Signal::SIGTERM, Some(130)), (Signal::SIGKILL, None)] {
        let mut command = sources.command(&["full"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("nothing is compiled", || !with(&word).is_empty());
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), status, "after {signal}");
        until("the build lives on", || with(&word).is_empty());
        thread::sleep(Duration::from_millis(100));
    }
    sources.write("Makefile", MAKEFILE.as_bytes());
    sources.publish("6.12.7-1");
    sources.mirror.age("trixie");
    let (code, _, err) = sources.build(&["full"]);
    assert_eq!(code, 0, "{err}");
    assert_eq!(sources.mirror.being_made(), 0, "what the killed one left");
}
