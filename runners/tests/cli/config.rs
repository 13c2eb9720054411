//! `skc check-config`, on fabricated configurations.

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use harness::kconfig::{Setting, WANTED};
use rstest::rstest;
use vm_images::fragment::{BASE, FULL};

use super::fixture::{Output, Suite, output};

/// A configuration with all that is wanted, but for some lines that replace those of the same options.
fn configuration(but: &[&str]) -> String {
    let mut text = "# Linux/x86 6.12.9 Kernel Configuration\nCONFIG_64BIT=y\n".to_owned();
    for wanted in WANTED {
        let names =
            |line: &&&str| line.split(['=', ' ']).any(|word| word == format!("CONFIG_{}", wanted.option));
        match (but.iter().find(names), wanted.wanted) {
            (Some(line), _) => text += &format!("{line}\n"),
            (None, Setting::Off) => {}
            (None, Setting::On | Setting::BuiltIn) => text += &format!("CONFIG_{}=y\n", wanted.option),
        }
    }
    text
}

fn check(suite: &Suite, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skc"));
    output(command.arg("check-config").args(args).arg("--cases").arg(suite.path()))
}

/// Checks a text.
fn check_text(suite: &Suite, text: &str, more: &[&str]) -> Output {
    let file = suite.beside("a.config");
    fs::write(&file, text).unwrap();
    check(suite, &[&[file.as_str()], more].concat())
}

#[test]
fn a_configuration_that_rules_nothing_out() {
    let suite = Suite::new();
    let text = configuration(&[]);
    let whole = check_text(&suite, &text, &[]);
    assert_eq!(whole.code, 0, "{}{}", whole.out, whole.err);
    assert!(whole.out.contains("a.config: linux 6.12.9 x86_64\n"), "{}", whole.out);
    assert!(whole.out.ends_with("All 6 cases can be played\n"), "{}", whole.out);

    // The same as /proc/config.gz has it, and in a build tree that is not built.
    let packed = suite.beside("config.gz");
    let mut gzip = flate2::write::GzEncoder::new(File::create(&packed).unwrap(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap();
    let tree = suite.beside("linux");
    fs::create_dir(&tree).unwrap();
    fs::write(format!("{tree}/.config"), &text).unwrap();
    for place in [&packed, &tree] {
        let again = check(&suite, &[place]);
        assert_eq!(
            (again.code, again.out.replace(place, "X")),
            (0, whole.out.replace(&suite.beside("a.config"), "X"))
        );
    }
}

#[rstest]
#[case(&["# CONFIG_KEYS is not set"], "all cases: the target has no key facility (CONFIG_KEYS)", "0 of 6")]
#[case(&["# CONFIG_USER_NS is not set", "CONFIG_PROC_FS=n"], "all cases: needs a kernel with CONFIG_USER_NS, CONFIG_PROC_FS", "0 of 6")]
#[case(&["CONFIG_SERIAL_8250=m"], "1 case: needs a VM", "5 of 6")]
#[case(&["CONFIG_SERIAL_8250=m"], "m        1 case, because nothing loads the module in a VM", "5 of 6")]
#[case(&["# CONFIG_BIG_KEYS is not set"], "CONFIG_BIG_KEYS                         not set  no case", "All 6")]
fn what_is_ruled_out_is_told_with_its_reason(
    #[case] but: &[&str],
    #[case] expected: &str,
    #[case] count: &str,
) {
    let suite = Suite::new();
    let told = check_text(&suite, &configuration(but), &[]);
    assert_eq!(told.code, i32::from(count != "All 6"), "{}{}", told.out, told.err);
    assert!(
        told.out.contains(expected) && told.out.contains(&format!("{count} cases can be played")),
        "{}",
        told.out
    );
}

#[test]
fn cases_are_named_on_request() {
    let suite = Suite::new();
    let text = configuration(&["# CONFIG_TTY is not set"]);
    assert!(!check_text(&suite, &text, &[]).out.contains("machine/one"));
    let told = check_text(&suite, &text, &["--verbose"]);
    assert!(told.out.contains("1 case: needs a VM\n  machine/one\n"), "{}", told.out);
}

#[rstest]
#[case("CONFIG_KEYS=y\n", "no whole kernel configuration")]
#[case("root:x:0:0\n", "line 1 is neither")]
#[case("", "no whole kernel configuration")]
#[case("\u{1}\u{2}", "line 1 is neither")]
fn what_is_no_configuration_is_wrong_usage(#[case] text: &str, #[case] expected: &str) {
    let suite = Suite::new();
    let told = check_text(&suite, text, &[]);
    assert_eq!((told.code, told.out.as_str()), (2, ""));
    assert!(told.err.contains("a.config: ") && told.err.contains(expected), "{}", told.err);
}

#[test]
fn a_name_that_is_none_is_wrong_usage() {
    let suite = Suite::new();
    let told = check(&suite, &["debian-6.2"]);
    assert!(told.code == 2 && told.err.contains("did you mean"), "{}", told.err);
    assert_eq!(check(&suite, &[]).code, 2);
}

#[test]
fn the_fragment_that_is_printed_has_what_is_wanted() {
    let suite = Suite::new();
    let printed = check(&suite, &["--print"]);
    assert_eq!((printed.code, printed.out.as_str()), (0, FULL));
    for wanted in WANTED.iter().filter(|wanted| wanted.wanted != Setting::Off) {
        let line = format!("CONFIG_{}=y", wanted.option);
        let has = |fragment: &str| fragment.lines().any(|other| other == line);
        assert!(has(FULL) || has(BASE), "{line}");
    }
}
