//! Each malformed case beside its exact message; and the files too large or too odd to keep.
//!
//! `SKC_BLESS=1 cargo test -p harness --test malformed` writes the messages anew: read them before
//! they are committed, as the person who made the mistake would.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use harness::case::Case;
use harness::case::diagnostic::Diagnostic;
use harness::case::load::load;
use rstest::rstest;

fn rendered(errors: &[Diagnostic]) -> String {
    errors.iter().map(|error| format!("{}\n", error.render(false))).collect::<Vec<_>>().join("\n")
}

#[rstest]
fn a_malformed_case_is_told(#[files("tests/malformed/*.yaml")] path: PathBuf) {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let errors =
        load(&name, "malformed", &std::fs::read(&path).unwrap()).expect_err("the case is well-formed");
    let wanted = path.with_extension("txt");
    if std::env::var_os("SKC_BLESS").is_some() {
        std::fs::write(&wanted, rendered(&errors)).unwrap();
    }
    let expected = std::fs::read_to_string(&wanted).unwrap_or_default();
    assert_eq!(rendered(&errors), expected);
}

/// A well-formed case around some steps.
fn around(steps: &str) -> String {
    format!("title: A title\ncovers: [X-1]\nactors:\n  alice: {{uid: 0}}\nsteps:\n{steps}")
}

fn with_title(title: &str) -> String {
    around("  - alice: exit() = ok\n").replace("A title", title)
}

/// Loads what somebody sends to do harm: whatever comes of it has to come soon and be short.
fn load_hostile(bytes: &[u8]) -> Result<Vec<Case>, Vec<Diagnostic>> {
    let start = Instant::now();
    let loaded = load("a.yaml", "a", bytes);
    // Generous for a loaded machine; what is meant to be caught takes minutes or all memory.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    if let Err(errors) = &loaded {
        let text = rendered(errors);
        assert!(text.len() < 64 * 1024, "{} bytes of messages", text.len());
        assert!(!text.contains('\u{1b}') && !text.contains('\0'));
    }
    loaded
}

#[rstest]
#[case::megabyte_title(with_title(&"A".repeat(1 << 20)), "the file has 1048654 bytes; a case has 131072 at most")]
#[case::long_title(with_title(&"A".repeat(100_000)), "the title has 100000 characters; 120 are the most")]
#[case::many_steps(around(&"  - alice: getuid() = 0\n".repeat(5000)), "a case has up to 500 steps, and this one 5000")]
#[case::many_times(
    around("  - {alice: getuid() = 0, times: 1000000000}\n"),
    "`1000000000` does not fit `times`"
)]
#[case::times_in_sum(around(&"  - {alice: getuid() = 0, times: 9999}\n".repeat(400)), "the `times` of a case come to 10000 at most, and here to 3999600")]
#[case::deep_flow(around(&format!("  - alice: {}\n", "[".repeat(100_000))), "maps and lists stand more than 12 deep in each other")]
#[case::deep_maps(around(&format!("  - {}\n", "{a: ".repeat(30_000))), "maps and lists stand more than 12 deep in each other")]
#[case::nul(with_title("A\0title"), "the file holds the invisible character U+0000")]
#[case::escape_sequence(with_title("A \u{1b}[2J"), "the file holds the invisible character U+001B")]
#[case::reading_direction(with_title("A \u{202e}eltit"), "the file holds the invisible character U+202E")]
#[case::byte_order_mark(format!("\u{feff}{}", with_title("A")), "the file begins with a byte order mark")]
#[case::lone_carriage_return(with_title("A").replace("covers", "\rcovers"), "a carriage return stands without its line feed")]
#[case::long_step(around(&format!("  - alice: join_session_keyring(\"{}\") = ok\n", "a".repeat(100_000))), "the text of a step has more than 8192 bytes")]
#[case::long_word(around(&format!("  - alice: {}() = ok\n", "a".repeat(8000))), &format!("no operation `{}…`", "a".repeat(60)))]
#[case::many_members(around(&format!("  - alice: read(@s) = {{{}\n", "1, ".repeat(2000))), "a value belongs here")]
fn hostile_text_is_refused_soon(#[case] text: String, #[case] message: &str) {
    let errors = load_hostile(text.as_bytes()).unwrap_err();
    assert_eq!(errors[0].message, message);
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let mut bytes = with_title("A title").into_bytes();
    bytes[9] = 0xff;
    let errors = load_hostile(&bytes).unwrap_err();
    assert_eq!(errors[0].message, "the file is not UTF-8");
    assert_eq!((errors[0].line, errors[0].column), (1, 10));
}

#[test]
fn aliases_are_not_expanded() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let above = format!("*a{}, ", level - 1).repeat(10);
        bomb += &format!("a{level}: &a{level} [{above}]\n");
    }
    let errors = load_hostile(bomb.as_bytes()).unwrap_err();
    assert!(errors[0].message.starts_with("anchors and aliases"), "{}", errors[0].message);
}

#[test]
fn a_table_cannot_multiply_a_file() {
    let rows: String = (0..200).map(|row| format!("  r{row}: {{x: {}}}\n", "y".repeat(300))).collect();
    let steps = format!("  - alice: join_session_keyring(\"{}\") = ok\n", "<x>".repeat(25)).repeat(500);
    let text = around(&steps).replace("steps:", &format!("table:\n{rows}steps:"));
    let errors = load_hostile(text.as_bytes()).unwrap_err();
    assert_eq!(errors[0].message, "the steps of all rows have more than 4194304 bytes");
}

#[test]
fn a_file_that_is_all_wrong_is_told_in_part() {
    let errors = load_hostile(around(&"  - alice: x() = ok\n".repeat(500)).as_bytes()).unwrap_err();
    assert_eq!(errors.last().unwrap().message, "more is wrong with this file than the 40 errors above");
}

#[test]
fn every_cut_of_a_case_is_told_or_taken() {
    let text = include_str!("../../cases/parent/multi-threaded.yaml");
    for end in 0..text.len() {
        let _ = load_hostile(&text.as_bytes()[..end]);
    }
}

#[test]
fn every_changed_byte_is_told_or_taken() {
    let text = include_str!("../../cases/namespaces/same-name.yaml").as_bytes();
    for at in 0..text.len() {
        for byte in [0, b'\n', b'\t', b' ', b'"', b'\'', b'{', b'[', b'&', b'*', b'!', b'|', b'<', b':', 0xff]
        {
            let mut bytes = text.to_vec();
            bytes[at] = byte;
            let _ = load_hostile(&bytes);
        }
    }
}

#[test]
fn line_ends_of_another_system_are_taken() {
    let text = include_str!("../../cases/join/anonymous.yaml");
    let cases = load_hostile(text.replace('\n', "\r\n").as_bytes()).unwrap();
    let plain = load_hostile(text.as_bytes()).unwrap();
    assert_eq!(cases, plain);
}
