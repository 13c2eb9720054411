//! Programs started as they say themselves that they are to be: by the commands in their heads, and on a machine that is
//! given up for them.

use std::fs;
use std::io;
use std::process::Command;

use harness::case::Version;
use harness::export;
use harness::suite::Suite;
use vm_images::initramfs::{Extra, initramfs};

use super::booting::{OLD, console, image, no_old, printed, split};
use super::compiled;

/// An init that starts a program on a machine that is for nothing else, and turns that off.
const GIVES_UP_ITS_MACHINE: &str = r#"
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	for (int asked = 0; asked < 2; asked++) {
		if (!fork())
			return execl("/case", "case", asked ? "--own-machine" : NULL, NULL);
		wait(NULL);
	}
	return reboot(RB_POWER_OFF);
}
"#;

/// What leaves marks plays on a machine that somebody gives up for it, and not unless it is told so.
pub(crate) fn given_up(suite: &Suite) -> Result<(), String> {
    let failed = |error: io::Error| error.to_string();
    let case = suite.case("quota/chown").ok_or("the case is gone")?;
    let plan = export::settled(case, Version(5, 10)).map_err(|why| why.0)?;
    let program = export::program(suite, case, &plan, Version(5, 10)).map_err(|why| why.0)?;
    let folder = tempfile::tempdir().map_err(failed)?;
    let made = |name: &str, text: &str| {
        let source = folder.path().join(name).with_extension("c");
        fs::write(&source, text).map_err(failed)?;
        compiled::compile(&source, &["-Wall", "-Wextra", "-static"])?;
        fs::read(source.with_extension("")).map_err(failed)
    };
    let (case, init) = (made("case", &program.to_string())?, made("init", GIVES_UP_ITS_MACHINE)?);
    let extra = Extra { path: "case", bytes: &case, mode: 0o755 };
    let packed = folder.path().join("cpio");
    fs::write(&packed, initramfs(&init, &[extra]).map_err(failed)?).map_err(failed)?;
    let verdicts: Vec<i32> =
        split(&console(&image(OLD)?, "", &packed)?).iter().map(|told| told.status).collect();
    match verdicts.as_slice() {
        [4, 0] => Ok(()),
        verdicts => Err(format!("not a skip and then a pass, but {verdicts:?}")),
    }
}

/// Why a program cannot be made the init of a machine as its head says.
pub(crate) fn no_cpio() -> Option<String> {
    match Command::new("cpio").arg("--version").output() {
        Ok(_) => no_old(),
        Err(_) => Some("cpio is not installed (Debian's package cpio)".into()),
    }
}

/// The commands in the head of a program, word for word, compile it and boot it.
pub(crate) fn as_its_head_says(suite: &Suite) -> Result<(), String> {
    let case = suite.case("request/authority-inherited").ok_or("the case is gone")?;
    let plan = export::settled(case, Version(5, 10)).map_err(|why| why.0)?;
    let program = export::program(suite, case, &plan, Version(5, 10)).map_err(|why| why.0)?.to_string();
    let command = |label: &str| {
        let line = program.lines().find_map(|line| line.strip_prefix(" * ")?.strip_prefix(label));
        line.map(|line| line.split("       ").next().unwrap_or(line).trim()).ok_or(format!("no line {label}"))
    };
    let (compile, pack) = (command("Compile ")?, command("Or boot ")?);
    let start =
        program.lines().find_map(|line| line.strip_prefix(" *           qemu")).ok_or("no line qemu")?;
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let place = folder.path().display();
    fs::write(folder.path().join("authority-inherited.c"), &program).map_err(|error| error.to_string())?;
    std::os::unix::fs::symlink(image(OLD)?, folder.path().join("bzImage"))
        .map_err(|error| error.to_string())?;
    let script = format!("cd {place}\n{compile} -static\n{pack}\nexec qemu{start}\n");
    let console = printed(&["sh".into(), "-ec".into(), script.into()], &folder.path().join("log"))?;
    match console.contains("PASS request/authority-inherited: ") {
        true => Ok(()),
        false => Err(console),
    }
}
