//! Cases from strangers and odd parents: what a case may not reach, and what a run must not be misled by.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

const REQUIREMENTS: &str = include_str!("../../cases/requirements.yaml");

/// Plays one case, by way of a shell that does something first. Gives what the run said.
fn play(folder: &Path, before: &str, uid: u32, step: &str) -> String {
    let case = format!(
        "title: A stranger's case\ncovers: [JOIN-ANON-01]\nactors:\n  it: {{uid: {uid}}}\nsteps:\n  - it: {step}\n"
    );
    fs::create_dir_all(folder.join("chapter")).unwrap();
    fs::write(folder.join("requirements.yaml"), REQUIREMENTS).unwrap();
    fs::write(folder.join("chapter/case.yaml"), case).unwrap();
    let script = format!("{before} \"$0\" run --jobs 16 --cases .");
    let run = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_skc")])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr)
}

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn root_of_a_case_cannot_undo_what_shuts_it_off() {
    // Below a folder in which everybody may write, so that nothing but the mount forbids it.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let target = folder.path().join("left");
    let target = target.display();
    let attempts = [
        "umount -l /tmp",
        "umount -l /run",
        "mount -o remount,bind,rw /",
        "mount -o remount,rw /",
        "mkdir /tmp/m && mount --bind / /tmp/m",
        "unshare -m mount -o remount,bind,rw /",
    ];
    let script: String =
        attempts.iter().map(|attempt| format!("{attempt} && echo done {attempt}; ")).collect();
    let said = play(
        folder.path(),
        "",
        0,
        &format!("run(\"sh\", \"-c\", \"exec 2>/dev/null; {script}echo x > {target}; true\") = \"\""),
    );
    assert!(said.contains("1 passed") || said.contains("install it"), "{said}");
    assert!(!folder.path().join("left").exists());
}

#[test]
fn a_foreign_program_starts_nothing_as_the_machines_root() {
    let folder = tempfile::tempdir().unwrap();
    let step = r#"run("keyctl", "request2", "user", "debug:x", "x", "@s") != """#;
    let said = play(folder.path(), "", 1000, step);
    assert!(
        said.contains("request_key: Operation not permitted") || said.contains("install it"),
        "the kernel was asked for a key: {said}"
    );
}

#[test]
fn signals_that_the_parent_ignored_are_heeded() {
    let folder = tempfile::tempdir().unwrap();
    let step = "fork() -> child\n  - child: exit() = ok";
    let said = play(folder.path(), "trap '' CHLD TERM HUP;", 1000, step);
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
fn without_new_privileges_nothing_is_said_of_the_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let said = play(
        folder.path(),
        "exec setpriv --no-new-privs --",
        1000,
        "exec_setuid(0) = ok\n  - it: geteuid() = 0",
    );
    match is_root() {
        true => assert!(said.contains("no_new_privs is set here"), "{said}"),
        false => assert!(said.contains("1 skipped"), "{said}"),
    }
}

#[test]
fn few_descriptors_make_a_run_slow_and_not_broken() {
    let folder = tempfile::tempdir().unwrap();
    let copies = "for n in 1 2 3 4 5 6 7 8; do sed \"s/A stranger/Stranger $n/\" chapter/case.yaml >chapter/case$n.yaml; done;";
    let said = play(folder.path(), &format!("{copies} ulimit -n 28;"), 1000, "nanosleep(200) = 0");
    assert!(said.contains("9 passed"), "{said}");
}
