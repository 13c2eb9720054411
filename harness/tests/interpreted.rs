//! A program that another interprets: this test, executed by such a one, is itself.

use std::fs::{self, File, Permissions};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use harness::stage::files::interpreted::{BEGINNING, interpreted};
use rstest::rstest;

/// How this very program begins.
fn beginning() -> Vec<u8> {
    let mut beginning = Vec::new();
    let program = File::open("/proc/self/exe").unwrap();
    program.take(BEGINNING).read_to_end(&mut beginning).unwrap();
    beginning
}

#[test]
fn a_program_that_another_interprets_runs_as_that_one() {
    let place = tempfile::tempdir().unwrap();
    let own = std::env::current_exe().unwrap();
    let bytes = interpreted(&beginning(), own.to_str().unwrap()).expect("built static, at fixed addresses");
    assert!(bytes.len() < 1024, "{} bytes", bytes.len());

    let path = place.path().join("program");
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let list = |program: &Path| {
        let output = Command::new(program).args(["--list", "interprets"]).output().unwrap();
        assert!(output.status.success(), "{program:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(list(&path).contains("a_program_that_another_interprets"), "{}", list(&path));
    assert_eq!(list(&path), list(&own));
}

#[rstest]
#[case::dynamic("/bin/sh")]
#[case::text("/etc/passwd")]
#[case::empty("/dev/null")]
fn only_a_static_program_is_an_interpreter(#[case] path: &str) {
    let mut beginning = Vec::new();
    File::open(path).unwrap().take(BEGINNING).read_to_end(&mut beginning).unwrap();
    assert_eq!(interpreted(&beginning, path), None);
}

#[rstest]
#[case::of_32_bits(4, 1)]
#[case::of_the_other_order_of_bytes(5, 2)]
#[case::at_no_fixed_address(16, 3)]
#[case::with_segments_elsewhere(34, 1)]
#[case::with_more_segments_than_are_seen(57, 1)]
#[case::with_segments_of_another_size(54, 55)]
fn another_header_is_not_understood(#[case] at: usize, #[case] value: u8) {
    let mut beginning = beginning();
    assert!(interpreted(&beginning, "/init").is_some());
    beginning[at] = value;
    assert_eq!(interpreted(&beginning, "/init"), None);
}
