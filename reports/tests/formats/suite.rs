//! A small suite with requirements and deviations of every kind, and runs of it.

use harness::record::{CaseRecord, Run, Standing, Verdict};
use harness::suite::Suite;

use crate::common::{case, fail, run, skip};

const REQUIREMENTS: &str = "\
A-01: {tier: core, level: must, says: The first behaviour is `so`., from: [page(7), 'kernel.c:function']}
A-02: {tier: core, level: must, says: The second behaviour is so., from: [page(7)]}
A-03: {tier: core, level: should, says: The third behaviour | has no case., from: [page(7)]}
B-C-01: {tier: extended, level: documented-but-kernel-differs, says: 'It is so, unlike the page.', from: [page(2) ERRORS]}
B-C-02: {tier: extended, level: kernel-defined, says: It needs a machine., from: ['kernel.c:function']}
";

const DEVIATIONS: &str = "\
- case: b/claim
  on: {kernel: any}
  step: 2
  observed: EPERM
  because: The kernel looks at the caller first.
  link: https://lists.example/a_b_c
- on: {implementation: gvisor, version: 2024.1..}
  calls: [getuid, 'setuid(*= 0']
  observed: ENOSYS
  because: It has no ids.
- case: ['a/rows*']
  on: {implementation: gvisor}
  calls: [getgid]
  observed: serial
  sometimes: true
  because: It counts from 1.
- case: ['a/rows[one]', 'a/rows[two]']
  on: {place: uml}
  step: 1
  observed: '*2'
  because: It adds two.
- case: a/one
  on: {kernel: ..5.10, release: '*.el*'}
  step: 1
  observed: '1'
  because: It counted *otherwise*.
";

fn text(title: &str, covers: &str, more: &str, steps: &[&str]) -> String {
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    format!("title: {title}\ncovers: [{covers}]\n{more}actors:\n  alice: {{uid: 0}}\nsteps:\n{steps}")
}

pub(crate) fn load(files: &[(&str, &str)]) -> Suite {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    Suite::load(folder.path()).unwrap()
}

pub(crate) fn suite() -> Suite {
    let rows = "about: Rows of a table.\ntable:\n  one: {is: 0}\n  two: {is: 00}\n  three: {is: 000}\n";
    let claim = "norm: documentation\nabout: The ERRORS of page(2) say so.\n";
    load(&[
        ("requirements.yaml", REQUIREMENTS),
        ("deviations.yaml", DEVIATIONS),
        ("a/one.yaml", &text("The user is root", "A-01", "", &["alice: getuid() = 0"])),
        ("a/rows.yaml", &text("The group is root's", "A-01, A-02", rows, &["alice: getgid() = <is>"])),
        (
            "b/claim.yaml",
            &text(
                "It fails with EACCES",
                "B-C-01",
                claim,
                &["alice: getgid() = 0", "alice: setuid(0) = EACCES"],
            ),
        ),
        ("b/kernel.yaml", &text("It succeeds", "B-C-01", "", &["alice: setuid(0) = 0"])),
        ("b/machine.yaml", &text("It needs a machine", "B-C-02", "needs: [vm]\n", &["alice: getuid() = 0"])),
    ])
}

fn deviating(id: &str, line: u32, says: &str, observed: &str) -> CaseRecord {
    let mut record = fail(id, says, "0", observed);
    record.steps[0].line = line;
    record.standing = Standing::Deviates { because: "recorded".into() };
    record
}

/// A kernel on which all is well, but for what needs a machine.
pub(crate) fn linux() -> Run {
    run(vec![
        case("a/one", Verdict::Pass),
        case("a/rows[one]", Verdict::Pass),
        case("a/rows[three]", Verdict::Pass),
        skip("a/rows[two]", "needs a second id"),
        deviating("b/claim", 9, "alice: setuid(0) = EACCES", "EPERM"),
        case("b/kernel", Verdict::Pass),
        skip("b/machine", "needs a VM"),
        case("gone/case", Verdict::Pass),
    ])
}

/// Another implementation: a deviation, a failure, something broken, and cases that were not chosen.
pub(crate) fn gvisor() -> Run {
    let mut run = run(vec![
        deviating("a/one", 6, "alice: getuid() = 0", "ENOSYS"),
        deviating("a/rows[one]", 11, "alice: getgid() = 0", "115"),
        deviating("a/rows[two]", 11, "alice: getgid() = 00", "116"),
        case("a/rows[three]", Verdict::Broken),
        fail("b/kernel", "alice: setuid(0) = 0", "0", "EPERM"),
        deviating("b/claim", 8, "alice: getgid() = 0", "nothing of the kind"),
    ]);
    run.header.target.implementation = "gvisor".into();
    run.header.target.implementation_version = Some("2024.2".into());
    run.header.target.release = "4.4.0".into();
    run.header.target.place = "command".into();
    run
}
