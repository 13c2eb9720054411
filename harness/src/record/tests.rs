//! What is written is read, and what is damaged is named.

use super::*;
use rstest::rstest;

use crate::case::Version;
use crate::target::Ids;

fn header() -> Header {
    let target = Target {
        implementation: "linux".into(),
        implementation_version: None,
        release: "6.12.1".into(),
        version: Version(6, 12),
        machine: "x86_64".into(),
        place: "this kernel".into(),
        ids: Ids::Block,
        features: Default::default(),
        programs: Default::default(),
    };
    Header {
        format: FORMAT,
        program: "0.1.0".into(),
        id: "6e1e0a3c-93a8-4d3e-9a65-1c1f0e1b7a11".into(),
        target,
        started: 1_700_000_000,
        cases: 2,
        part: None,
        command: None,
    }
}

fn case(id: &str) -> CaseRecord {
    let shown = |text: &str| Shown { text: text.into(), variable: Some(("ring".into(), 4)) };
    CaseRecord {
        case: id.into(),
        file: format!("cases/{id}.yaml"),
        // More than one byte a character, a line's end, a quote: what a cut can go through.
        title: "Größe \"x\"\n→ \u{1b}".into(),
        covers: vec!["JOIN-ANON-01".into()],
        verdict: Verdict::Fail,
        standing: Standing::Unexpected { recorded: "step 3".into() },
        reason: Some("why".into()),
        steps: vec![StepRecord {
            line: 7,
            text: "alice: clear($ring) = 0".into(),
            met: false,
            expected: shown("0"),
            observed: shown("EACCES"),
            microseconds: 3,
        }],
        microseconds: 12,
        console: vec!["[ 1.0] noise".into()],
    }
}

fn written(cases: &[CaseRecord]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), &header()).unwrap();
    cases.iter().for_each(|record| writer.case(record).unwrap());
    writer.finish(Duration::from_millis(1234), false).unwrap()
}

fn lines(file: &[u8]) -> Vec<String> {
    String::from_utf8(file.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

fn read_lines(lines: &[impl AsRef<str>]) -> Result<Run, Flaw> {
    let text: String = lines.iter().map(|line| format!("{}\n", line.as_ref())).collect();
    read(text.as_bytes())
}

#[test]
fn what_is_written_is_read() {
    let cases = [case("a/b"), case("a/c")];
    let run = read(&written(&cases)[..]).unwrap();
    assert_eq!(run.header, header());
    assert_eq!(run.cases, cases);
    assert_eq!(run.footer, Some(Footer { cases: 2, milliseconds: 1234, interrupted: false }));
}

#[test]
fn each_record_is_one_line() {
    assert_eq!(lines(&written(&[case("a/b")])).len(), 3);
}

#[test]
fn a_file_that_was_cut_anywhere_gives_what_is_whole() {
    let cases = [case("a/b"), case("a/c")];
    let file = written(&cases);
    let first = file.iter().position(|byte| *byte == b'\n').unwrap();
    for end in 0..file.len() {
        match read(&file[..end]) {
            Ok(run) => {
                assert!(end >= first, "{end}");
                assert_eq!(run.cases, cases[..run.cases.len()], "{end}");
                // A line whose end alone is missing is whole.
                let whole = (0..=cases.len())
                    .rfind(|count| {
                        let until: usize =
                            lines(&file).iter().take(count + 1).map(|line| line.len() + 1).sum();
                        until <= end + 1
                    })
                    .unwrap();
                assert_eq!(run.cases.len(), whole, "{end}");
            }
            Err(flaw) => {
                assert!(end < first, "{end}: {flaw}");
                assert_eq!(flaw, Flaw::Empty, "{end}");
            }
        }
    }
}

#[test]
fn a_killed_run_has_no_footer() {
    let lines = lines(&written(&[case("a/b")]));
    let run = read_lines(&lines[..2]).unwrap();
    assert_eq!((run.cases.len(), run.footer), (1, None));
}

#[test]
fn a_case_that_stands_twice_is_named() {
    let flaw = read(&written(&[case("a/b"), case("c/d"), case("a/b")])[..]).unwrap_err();
    assert_eq!(flaw, Flaw::Duplicate("a/b".into()));
}

#[test]
fn more_cases_than_were_chosen_are_damage() {
    let flaw = read(&written(&[case("a/b"), case("c/d"), case("e/f")])[..]).unwrap_err();
    assert_eq!(flaw.to_string(), "line 4: more cases than the 2 that the header announces");
}

#[test]
fn a_record_that_vanished_is_missed_by_the_footer() {
    let mut lines = lines(&written(&[case("a/b"), case("c/d")]));
    lines.remove(1);
    assert_eq!(read_lines(&lines).unwrap_err(), Flaw::Count { said: 2, found: 1 });
}

#[rstest]
#[case::other_fields(r#"{"header":{"format":2,"kernels":["6.1"]}}"#)]
#[case::same_fields(&serde_json::to_string(&Line::Header(Box::new(Header { format: 2, ..header() }))).unwrap())]
fn another_format_is_named_as_such(#[case] line: &str) {
    assert_eq!(read_lines(&[line]).unwrap_err(), Flaw::Format(2));
}

#[rstest]
#[case::nothing("")]
#[case::blank("\n")]
#[case::text("KTAP version 1\n1..2\n")]
#[case::json("{\"tests\": 3}\n")]
#[case::no_header(&lines(&written(&[case("a/b")]))[1])]
fn a_file_without_a_header_is_no_file_of_records(#[case] file: &str) {
    assert_eq!(read(file.as_bytes()).unwrap_err(), Flaw::Empty);
}

#[rstest]
#[case::garbage("KERNEL PANIC")]
#[case::blank("")]
#[case::cut(r#"{"case":{"case":"a/x","fi"#)]
#[case::old_header(r#"{"header":{"format":1}}"#)]
#[case::unknown(r#"{"trailer":{}}"#)]
fn damage_before_the_end_is_placed(#[case] damage: &str) {
    let mut lines = lines(&written(&[case("a/b"), case("c/d")]));
    lines.insert(2, damage.into());
    assert!(matches!(read_lines(&lines).unwrap_err(), Flaw::Line(3, _)));
}

#[test]
fn damage_at_the_end_is_no_cut() {
    let mut lines = lines(&written(&[case("a/b")]));
    *lines.last_mut().unwrap() = "garbage".into();
    let flaw = read_lines(&lines).unwrap_err();
    assert_eq!(flaw.to_string(), "line 3: expected value at column 1");
}

#[test]
fn a_line_that_has_its_end_was_not_cut() {
    let mut lines = lines(&written(&[case("a/b")]));
    lines.last_mut().unwrap().truncate(5);
    assert!(matches!(read_lines(&lines).unwrap_err(), Flaw::Line(3, _)));
}

#[test]
fn a_header_that_lacks_a_field_is_damage() {
    assert!(matches!(read_lines(&[r#"{"header":{"format":1}}"#]).unwrap_err(), Flaw::Line(1, _)));
}

#[test]
fn a_failure_to_read_is_not_an_end() {
    struct Failing;
    impl io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let whole = written(&[case("a/b")]);
    let input = io::Read::chain(&whole[..whole.len() - 3], io::BufReader::new(Failing));
    assert_eq!(read(input).unwrap_err(), Flaw::Io("the disk is gone".into()));
}

#[test]
fn bytes_that_are_no_text_are_damage() {
    let mut file = written(&[case("a/b")]);
    let at = file.windows(5).position(|bytes| bytes == b"Gr\xc3\xb6\xc3").unwrap();
    file[at] = 0xff;
    assert!(matches!(read(&file[..]).unwrap_err(), Flaw::Line(2, _)));
}

#[rstest]
#[case::header(0)]
#[case::case(1)]
#[case::footer(2)]
fn nothing_follows_the_footer(#[case] line: usize) {
    let mut lines = lines(&written(&[case("a/b")]));
    lines.push(lines[line].clone());
    assert!(matches!(read_lines(&lines).unwrap_err(), Flaw::Line(4, _)));
}

#[test]
fn a_second_header_is_damage() {
    let mut lines = lines(&written(&[case("a/b")]));
    lines.insert(1, lines[0].clone());
    assert!(matches!(read_lines(&lines).unwrap_err(), Flaw::Line(2, _)));
}

#[test]
fn a_field_of_a_later_program_is_passed_over() {
    let mut lines = lines(&written(&[]));
    lines[1] = r#"{"footer":{"cases":0,"milliseconds":1,"interrupted":true,"weather":"fine"}}"#.into();
    assert!(read_lines(&lines).unwrap().footer.unwrap().interrupted);
}

#[test]
fn a_failure_to_write_is_not_hidden() {
    let mut small = [0; 16];
    assert!(Writer::new(&mut small[..], &header()).is_err());
}
